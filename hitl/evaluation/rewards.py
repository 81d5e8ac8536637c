"""`hitl evaluate rewards`: how well reward models that learned from some answers judge others, by folds of questions.

What is measured for each head stands beside what one class for all would give and what was published. An interval is
the middle 95 % of 1000 draws of questions, with replacement. Test answers give their text alone: thresholds and
temperatures come from training answers. Knows nothing of how a head works.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hitl.evaluation.progress import Progress
from hitl.evaluation.rewards_data import Question, read_questions, taught, tuned
from hitl.evaluation.statistics import table
from policies.rewards.encoder import RewardEncoder
from policies.rewards.heads import calibration_error, f1
from policies.rewards.model import RewardModel

CURVE = (25, 50, 100, 200, 332)
SEGMENT_HEADS = ("relevance", "factuality")
PAIR_HEADS = ("completeness", "preference")
DRAWS = 1000
CURVE_DRAWS = 3
"""So many draws of training questions are averaged for each point of the curve."""

PUBLISHED: dict[str, dict[str, float | str]] = {
    "relevance": {"f1": 0.68, "source": "arXiv 2306.01693 at second hand; 2,853 training examples, Longformer"},
    "factuality": {"f1": 0.67, "source": "arXiv 2306.01693 at second hand; 2,853 training examples, Longformer"},
    "completeness": {"pairwise": 0.71, "source": "arXiv 2306.01693, not confirmed"},
    "preference": {"pairwise": 0.57, "source": "arXiv 2306.01693, not confirmed"},
}


@dataclass
class Judged:
    """What was judged of the test answers: for each question its segments (label, chance, called an error), of those
    that are errors the categories that they have and the likeliest one, and for pairs how sure the model was of the
    right order."""

    segments: dict[str, list[list[tuple[int, float, bool]]]] = field(
        default_factory=lambda: {name: [] for name in SEGMENT_HEADS}
    )
    categories: dict[str, list[list[tuple[tuple[str, ...], str]]]] = field(
        default_factory=lambda: {name: [] for name in SEGMENT_HEADS}
    )
    margins: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in PAIR_HEADS})

    def add(self, other: Judged) -> None:
        """Take in the questions of another one."""
        for name in SEGMENT_HEADS:
            self.segments[name] += other.segments[name]
            self.categories[name] += other.categories[name]
        for name in PAIR_HEADS:
            self.margins[name] += other.margins[name]


def judge(model: RewardModel, questions: Sequence[Question]) -> Judged:
    """Predict for questions that the model did not learn from."""
    found = Judged()
    for question in questions:
        predicted = model.predict(question.documents)
        for name in SEGMENT_HEADS:
            label = question.segments(name)
            values = label.values if label else ()
            named = label.categories if label else ()
            rows = zip(values, predicted[0].chances[name], predicted[0].errors[name], strict=False)
            found.segments[name].append([(value, chance, said) for value, chance, said in rows if value is not None])
            likeliest = predicted[0].categories.get(name, ())
            found.categories[name].append([(has, said) for has, said in zip(named, likeliest, strict=False) if has])
        for name in PAIR_HEADS:
            margins = [predicted[a].scores[name] - predicted[b].scores[name] for a, b in question.pairs(name)]
            found.margins[name].append(margins)
    return found


def fold_of(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each question, as equal in size as can be."""
    order: NDArray[np.int64] = np.random.default_rng(seed).permutation(count)
    return np.argsort(order) % folds


def cross_validate(
    encoder: RewardEncoder,
    questions: Sequence[Question],
    folds: int,
    seed: int,
    limit: int | None = None,
    draw: int = 0,
    progress: Callable[[int, int], None] | None = None,
    tune: int = 0,
) -> Judged:
    """Every question is judged by a learner that did not see it. limit: so many training questions, by `draw`.
    tune: so many epochs the encoder is trained, too, and judges beside the heads."""
    places, found = fold_of(len(questions), folds, seed), Judged()
    for fold in range(folds):
        train = [question for question, place in zip(questions, places, strict=True) if place != fold]
        if limit is not None:
            order = np.random.default_rng([seed, fold, draw]).permutation(len(train))[:limit]
            train = [train[at] for at in order]
        model = tuned(encoder, train, tune, seed) if tune else taught(encoder, train)
        found.add(judge(model, [q for q, p in zip(questions, places, strict=True) if p == fold]))
        if progress is not None:
            progress(fold + 1, folds)
    return found


def measure(judged: Judged, seed: int = 0) -> dict[str, dict]:
    """The numbers of each head, with intervals."""
    heads = {}
    for name in SEGMENT_HEADS:
        heads[name] = _segment_numbers([q for q in judged.segments[name] if q], seed)
        heads[name] |= _category_numbers([q for q in judged.categories[name] if q], seed)
    for name in PAIR_HEADS:
        heads[name] = _pair_numbers([q for q in judged.margins[name] if q], seed)
    return heads


def _segment_numbers(questions: list[list[tuple[int, float, bool]]], seed: int) -> dict:
    if not questions:
        return {**dict.fromkeys(("f1", "f1_interval", "accuracy", "accuracy_interval", "calibration_error")), "n": 0}
    labels, chances, said = _columns(questions)
    counts = np.array([_counts(question) for question in questions])
    drawn = _draws(counts, seed)
    hits, wrong, missed, right = drawn.T
    f1_draws = 2 * hits / np.maximum(1, 2 * hits + wrong + missed)
    accuracy_draws = (hits + right) / drawn.sum(1)
    share = float(labels.mean())
    return {
        "f1": round(f1(labels, said), 4),
        "f1_interval": _interval(f1_draws),
        "accuracy": round(float((said == (labels > 0.5)).mean()), 4),
        "accuracy_interval": _interval(accuracy_draws),
        "calibration_error": round(calibration_error(chances, labels), 4),
        "n": len(labels),
        "errors": int(labels.sum()),
        "always_one_class": {"accuracy": round(max(share, 1 - share), 4), "f1": round(2 * share / (1 + share), 4)},
    }


def _category_numbers(questions: list[list[tuple[tuple[str, ...], str]]], seed: int) -> dict:
    """How often the likeliest category of an error is one that it has, beside always naming the most usual one."""
    if not questions:
        return dict.fromkeys(("category_accuracy", "category_accuracy_interval", "usual_category_accuracy"))
    counts = np.array([[sum(said in has for has, said in question), len(question)] for question in questions])
    drawn = _draws(counts, seed)
    usual = Counter(key for question in questions for has, _ in question for key in has).most_common(1)[0][1]
    right, total = counts.sum(0)
    return {
        "category_accuracy": round(float(right / total), 4),
        "category_accuracy_interval": _interval(drawn[:, 0] / drawn[:, 1]),
        "usual_category_accuracy": round(float(usual / total), 4),
    }


def _counts(question: list[tuple[int, float, bool]]) -> list[int]:
    """Found errors, false alarms, missed errors, rightly passed."""
    return [sum(label == truth and said == call for label, _, said in question)
            for truth, call in ((1, True), (0, True), (1, False), (0, False))]  # fmt: skip


def _columns(questions: list[list[tuple[int, float, bool]]]) -> tuple[NDArray, NDArray, NDArray]:
    rows = [row for question in questions for row in question]
    return (
        np.array([row[0] for row in rows], np.float64),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], bool),
    )


def _pair_numbers(questions: list[list[float]], seed: int) -> dict:
    if not questions:
        return {**dict.fromkeys(("pairwise", "pairwise_interval", "calibration_error")), "n": 0}
    right = [[0.5 if margin == 0 else float(margin > 0) for margin in question] for question in questions]
    counts = np.array([[sum(question), len(question)] for question in right])
    drawn = _draws(counts, seed)
    margins = np.array([margin for question in questions for margin in question])
    chances = 0.5 * (1 + np.tanh(margins / 2))
    # Both orders of a pair, so that its chance and its label say something.
    both, labels = np.concatenate([chances, 1 - chances]), np.repeat([1.0, 0.0], len(chances))
    return {
        "pairwise": round(float(counts[:, 0].sum() / counts[:, 1].sum()), 4),
        "pairwise_interval": _interval(drawn[:, 0] / drawn[:, 1]),
        "calibration_error": round(calibration_error(both, labels), 4),
        "n": int(counts[:, 1].sum()),
        "always_one_class": {"pairwise": 0.5},
    }


def _draws(counts: NDArray, seed: int) -> NDArray:
    """`(questions, k)` -> sums over drawn questions `(DRAWS, k)`."""
    chosen = np.random.default_rng(seed).integers(0, len(counts), (DRAWS, len(counts)))
    sums: NDArray = counts[chosen].sum(1)
    return sums


def _interval(values: NDArray) -> list[float]:
    return [round(float(x), 4) for x in np.percentile(values, [2.5, 97.5])]


def run(
    data: Path,
    *,
    encoder: RewardEncoder,
    folds: int = 5,
    test: Path | None = None,
    seed: int = 0,
    curve: Sequence[int] = CURVE,
    progress: Progress | None = None,
    tune: int = 0,
) -> dict:
    """What the JSON holds. test: judge these examples by what all of `data` teach, instead of folds. tune: epochs for
    which the encoder is trained, too; the curve is that of heads alone, which is what learns while people label."""
    progress = progress or Progress(False)
    questions = read_questions(data)
    others = read_questions(test) if test else []
    encoder.features([d for q in (*questions, *others) for d in q.documents], progress.of("answers read"))

    def evaluate(limit: int | None, label: str, draw: int = 0, epochs: int = 0) -> dict[str, dict]:
        if not others:
            show = progress.of(label)
            return measure(cross_validate(encoder, questions, folds, seed, limit, draw, show, epochs), seed)
        order = np.random.default_rng([seed, draw]).permutation(len(questions))[:limit]
        train = [questions[i] for i in order]
        return measure(judge(tuned(encoder, train, epochs, seed) if epochs else taught(encoder, train), others), seed)

    if not others and len(questions) < 2 * folds:
        folds = max(2, len(questions) // 2)
    most = len(questions) if others else len(questions) - -(-len(questions) // folds)
    untuned = evaluate(None, "folds")
    heads = evaluate(None, "folds, encoder trained", epochs=tune) if tune else untuned
    steps = [size for size in curve if size < most]
    points = [
        {"answers": size, **_mean([_short(evaluate(size, f"{size} answers", draw)) for draw in range(CURVE_DRAWS)])}
        for size in steps
    ]
    points.append({"answers": most, **_short(untuned)})
    for name, numbers in heads.items():
        numbers["published"] = PUBLISHED[name]
    learner = taught(encoder, questions[:most])
    learner.update()
    return {
        "data": data.name,
        "test": test.name if test else None,
        "folds": None if others else folds,
        "questions": len(questions),
        "training_questions": most,
        "encoder": encoder.fingerprint,
        "seed": seed,
        "tuned_epochs": tune,
        "update_s": round(learner.latest.seconds, 3),
        "heads": heads,
        "curve": points,
    }


def _short(heads: dict[str, dict]) -> dict[str, float | None]:
    kept = {f"{name} f1": heads[name]["f1"] for name in SEGMENT_HEADS}
    kept |= {f"{name} accuracy": heads[name]["accuracy"] for name in SEGMENT_HEADS}
    return kept | {name: heads[name]["pairwise"] for name in PAIR_HEADS}


def _mean(draws: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """Of what was measured; None where nothing was."""
    found: dict[str, float | None] = {}
    for name in draws[0]:
        values = [value for draw in draws if (value := draw[name]) is not None]
        found[name] = round(float(np.mean(values)), 4) if values else None
    return found


def as_table(result: dict) -> str:
    """For people."""
    rows = []
    for name, numbers in result["heads"].items():
        measures = ("f1", "accuracy") if "f1" in numbers else ("pairwise",)
        for which in measures if numbers["n"] else ():
            low, high = numbers[f"{which}_interval"]
            published = numbers["published"].get(which)
            constant = numbers["always_one_class"][which]
            rows.append([
                f"{name} {which}", f"{numbers[which]:.3f}", f"{low:.3f}-{high:.3f}", f"{constant:.3f}",
                f"{published:.2f}" if isinstance(published, float) else "", f"{numbers['calibration_error']:.3f}",
                numbers["n"],
            ])  # fmt: skip
    first = table(["", "here", "95 %", "one class", "published", "calibration error", "n"], rows)
    kinds = [
        [
            name, f"{numbers['category_accuracy']:.3f}",
            "-".join(f"{x:.3f}" for x in numbers["category_accuracy_interval"]),
            f"{numbers['usual_category_accuracy']:.3f}",
        ]
        for name, numbers in result["heads"].items()
        if numbers.get("category_accuracy") is not None
    ]  # fmt: skip
    third = table(["likeliest category of an error", "here", "95 %", "the most usual one"], kinds)
    names = [name for name in result["curve"][0] if name != "answers"]
    lines = [[name, *(_shown(point[name]) for point in result["curve"])] for name in names]
    second = table(["labelled answers", *(str(point["answers"]) for point in result["curve"])], lines)
    note = (
        f"{result['training_questions']} labelled answers taught the model; the published ones had 2,853 and three"
        f" encoders. An update of all heads takes {result['update_s']:.2f} s."
    )
    return f"{first}\n\n{third}\n\n{second}\n\n{note}"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def write_result(result: dict, out: Path) -> None:
    """The result as JSON, and beside it a picture of the curve under the same name."""
    from hitl.evaluation.curve_picture import draw_curve

    write_json(result, out)
    names = [f"{name} f1" for name in SEGMENT_HEADS] + list(PAIR_HEADS)
    sizes = [point["answers"] for point in result["curve"]]
    curves = {name: [point[name] for point in result["curve"]] for name in names}
    measured = {name: curve for name, curve in curves.items() if None not in curve}
    if measured:
        draw_curve(out.with_suffix(".png"), sizes, measured, "labelled answers")


def write_json(result: dict, out: Path) -> None:
    """The result as a file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
