"""`hitl evaluate label-efficiency`: how many labels it saves to ask about uncertain answers first.

A fifth of the questions measures and is never asked about. The others are asked about in rounds: the learner's most
uncertain answers next, against answers at random, from the same first ones. What counts is how many labels each order
needs until it is as good as the random order at its end. Knows nothing of how uncertainty comes about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hitl.evaluation.progress import Progress
from hitl.evaluation.rewards import SEGMENT_HEADS, judge, measure
from hitl.evaluation.rewards_data import HEADS, Question, read_questions
from hitl.evaluation.statistics import table
from policies.rewards.encoder import RewardEncoder
from policies.rewards.learner import RewardLearner

ORDERS = ("uncertainty", "random")
FIRST = 10
STEP = 20
DRAWS = 1000


def run(
    data: Path,
    *,
    encoder: RewardEncoder,
    seeds: int = 5,
    step: int = STEP,
    limit: int = 210,
    progress: Progress | None = None,
) -> dict:
    """What the JSON holds. limit: so many labels at most."""
    progress = progress or Progress(False)
    questions = read_questions(data)
    encoder.features([d for question in questions for d in question.documents], progress.of("answers read"))
    show = progress.of("orders")
    curves: dict[str, list[list[dict[str, float]]]] = {order: [] for order in ORDERS}
    sizes: list[int] = []
    for seed in range(seeds):
        for order in ORDERS:
            points = _curve(encoder, questions, order, seed, step, limit)
            sizes = [int(point["labels"]) for point in points]
            curves[order].append(points)
            show(seed * len(ORDERS) + ORDERS.index(order) + 1, seeds * len(ORDERS))
    return {
        "data": data.name,
        "encoder": encoder.fingerprint,
        "seeds": seeds,
        "labels": sizes,
        "heads": {name: _compare(curves, sizes, name) for name in SEGMENT_HEADS},
    }


def _curve(
    encoder: RewardEncoder, questions: Sequence[Question], order: str, seed: int, step: int, limit: int
) -> list[dict[str, float]]:
    """F1 of each head after each round."""
    rng = np.random.default_rng(seed)
    shuffled = [questions[i] for i in rng.permutation(len(questions))]
    held = shuffled[: len(shuffled) // 5]
    waiting = shuffled[len(shuffled) // 5 :]
    learner = RewardLearner(encoder, HEADS, held_out=0.0)
    points: list[dict[str, float]] = []
    asked, count = 0, min(FIRST, len(waiting))
    while count and asked < limit:
        for question in waiting[:count]:
            learner.add(question.documents)
            for label_id, label in question.labels.items():
                if label.head in SEGMENT_HEADS:
                    learner.put(label_id, label)
        asked, waiting = asked + count, waiting[count:]
        learner.update()
        numbers = measure(judge(learner, held), seed)
        points.append({"labels": asked, **{name: numbers[name]["f1"] or 0.0 for name in SEGMENT_HEADS}})
        if order == "uncertainty" and waiting:
            doubts = learner.predict([question.documents[0] for question in waiting])
            ranked = np.argsort([-p.uncertainty for p in doubts], kind="stable")
            waiting = [waiting[i] for i in ranked]
        count = min(step, len(waiting), limit - asked)
    return points


def _compare(curves: dict[str, list[list[dict[str, float]]]], sizes: list[int], name: str) -> dict:
    """Mean F1 by order; what uncertainty gains over random order on the whole way, with its standard error over seeds;
    labels until the smoothed curve of an order reaches where that of random order ends, less a hundredth; and the
    labels of uncertainty for one of random order, with the middle 95 % of draws of seeds. None: never.

    Both curves are smoothed, since the first of many noisy points to pass a mark passes it early by chance.
    """
    values = {order: np.array([[point[name] for point in points] for points in curves[order]]) for order in ORDERS}
    target, needed = _needed(values, sizes)
    gains = values["uncertainty"].mean(1) - values["random"].mean(1)
    seeds = len(gains)
    error = float(gains.std(ddof=1) / seeds**0.5) if seeds > 1 else None
    drawn = np.random.default_rng(0).integers(0, seeds, (DRAWS, seeds))
    ratios = [_ratio(_needed({order: values[order][draw] for order in ORDERS}, sizes)[1]) for draw in drawn]
    interval = np.percentile(ratios, [2.5, 97.5], method="inverted_cdf")
    return {
        "f1": {order: [round(float(x), 4) for x in values[order].mean(0)] for order in ORDERS},
        "spread": {order: [round(float(x), 4) for x in values[order].std(0)] for order in ORDERS},
        "gain": round(float(gains.mean()), 4),
        "gain_error": None if error is None else round(error, 4),
        "target_f1": round(target, 4),
        "labels_needed": {order: _finite(needed[order], 1) for order in ORDERS},
        "labels_ratio": _finite(_ratio(needed), 3),
        "labels_ratio_interval": [_finite(float(x), 3) for x in interval] if seeds > 1 else None,
    }


def _needed(values: dict[str, np.ndarray], sizes: list[int]) -> tuple[float, dict[str, float]]:
    """values: order -> F1 `(seeds, points)`. The F1 that is to be reached, and after how many labels each order does,
    on straight lines between points; infinity: never."""
    smooth = {order: _smoothed(values[order].mean(0)) for order in ORDERS}
    target = float(smooth["random"][-1]) - 0.01
    needed = {}
    for order, curve in smooth.items():
        reached = np.flatnonzero(curve >= target)
        at = int(reached[0]) if len(reached) else -1
        needed[order] = float("inf") if at < 0 else float(sizes[at])
        if at > 0:
            part = (target - curve[at - 1]) / (curve[at] - curve[at - 1])
            needed[order] = float(sizes[at - 1] + part * (sizes[at] - sizes[at - 1]))
    return target, needed


def _ratio(needed: dict[str, float]) -> float:
    return needed["uncertainty"] / needed["random"]


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None


def _smoothed(curve: np.ndarray) -> np.ndarray:
    """Each point with its neighbours, as far as there are any."""
    return np.array([curve[max(0, at - 1) : at + 2].mean() for at in range(len(curve))])


def as_table(result: dict) -> str:
    """For people."""
    lines = []
    for name, numbers in result["heads"].items():
        for order in ORDERS:
            values = [f"{x:.3f}" for x in numbers["f1"][order]]
            needed = numbers["labels_needed"][order]
            lines.append([f"{name}, {order}", *values, "never" if needed is None else f"{needed:.0f}"])
    header = ["F1 after so many labelled answers", *map(str, result["labels"]), "needed"]
    notes = [
        "needed: labels until the F1 of the random order at its end, less 0.01; curves smoothed over three points."
    ]
    for name, numbers in result["heads"].items():
        error = numbers["gain_error"]
        shown = "" if error is None else f" (standard error {error:.3f})"
        notes.append(f"{name}: asking about the uncertain gains {numbers['gain']:+.3f} F1 on average{shown}.")
        if numbers["labels_ratio_interval"] is not None:
            low, high = map(_times, numbers["labels_ratio_interval"])
            notes.append(
                f"{name}: labels for one of random order: {_times(numbers['labels_ratio'])} ({low} to {high})."
            )
    return "\n".join([table(header, lines), "", *notes])


def _times(ratio: float | None) -> str:
    return "never" if ratio is None else f"{ratio:.2f}"
