"""How good answers about segments are: ranking, precision and calibration by category, with intervals; and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.evaluation.statistics import table
from policies.rewards.trajectory.ranking import auroc, average_precision, calibration_error

CATEGORIES: Mapping[str, tuple[str, bool]] = {
    "mistake": ("progress", True),
    "unsafe": ("safety", True),
    "done": ("done", True),
    "good": ("progress", False),
}
"""Category of the preset "segments" -> its head, and the answer that it is. Good and mistake are one question: they
rank alike, with different precision."""
DRAWS = 1000
Score = Callable[[NDArray[np.bool_], NDArray[np.float64]], float | None]
_NUMBERS: dict[str, Score] = {
    "auroc": auroc,
    "precision": average_precision,
    "ece": calibration_error,
}


@dataclass(frozen=True)
class Asked:
    """One segment of an episode, the question that was asked about it, the right answer, and the chance of a yes."""

    episode: str
    condition: str
    head: str
    value: bool
    chance: float
    part: int = 0
    """Which model was asked: what different models say is not ranked against each other."""


def measured(asked: Sequence[Asked], seed: int = 0) -> dict[str, Any]:
    """By category: auroc, average precision and calibration error, each with its 95 % interval over episodes, and how
    many segments there are of it (n) and against it (others). None where there is no segment of a kind."""
    return {category: _of(asked, head, value, seed) for category, (head, value) in CATEGORIES.items()}


def _of(asked: Sequence[Asked], head: str, value: bool, seed: int) -> dict[str, Any]:
    mine = [one for one in asked if one.head == head]
    values = np.array([one.value == value for one in mine], np.bool_)
    chances = np.array([one.chance if value else 1.0 - one.chance for one in mine])
    parts = np.array([one.part for one in mine], np.int64)
    names = sorted({one.episode for one in asked})
    rows = [np.array([at for at, one in enumerate(mine) if one.episode == name], np.int64) for name in names]
    found: dict[str, Any] = {"n": int(values.sum()), "others": int((~values).sum())}
    if not names:
        return {"n": 0, "others": 0, **dict.fromkeys(_NUMBERS), **dict.fromkeys(f"{x}_interval" for x in _NUMBERS)}
    draws = np.random.default_rng([seed, 4]).integers(len(names), size=(DRAWS, len(names)))
    picks = [np.concatenate([rows[at] for at in draw]) for draw in draws]
    for name, score in _NUMBERS.items():
        drawn = [x for pick in picks if (x := by_part(score, values[pick], chances[pick], parts[pick])) is not None]
        exact = by_part(score, values, chances, parts)
        found[name] = None if exact is None else round(exact, 3)
        interval = np.percentile(drawn, (2.5, 97.5)) if drawn else None
        found[f"{name}_interval"] = None if interval is None else [round(float(x), 3) for x in interval]
    return found


def by_part(
    score: Score, values: NDArray[np.bool_], chances: NDArray[np.float64], parts: NDArray[np.int64]
) -> float | None:
    """The mean over models of what each scores on its own segments `(n,)`. Weighted by what it is a mean of: pairs for
    auroc, yeses for average precision; calibration is of all together. None where no model has a segment of a kind."""
    if score is calibration_error:
        return score(values, chances)
    total, weight = 0.0, 0
    for part in np.unique(parts):
        mine = parts == part
        found, yes = score(values[mine], chances[mine]), int(values[mine].sum())
        if found is not None:
            of = yes * int((~values[mine]).sum()) if score is auroc else yes
            total, weight = total + of * found, weight + of
    return total / weight if weight else None


def learning_point(size: int, asked: Sequence[Asked], seed: int = 0) -> dict[str, Any]:
    """One point of the learning curve: how well models rank that learned from `size` episodes."""
    found = measured(asked, seed)
    point: dict[str, Any] = {"episodes": size}
    for category in ("mistake", "unsafe", "done"):
        point[category] = found[category]["auroc"]
        point[f"{category}_interval"] = found[category]["auroc_interval"]
    return point


def tables(result: Mapping[str, Any]) -> str:
    """The tables for people."""
    head = ["what ranks", "category", "segments", "others", "AUROC", "95 %", "precision", "95 %", "ECE"]
    rows = [
        [name, category, *_cells(found)]
        for category in CATEGORIES
        for name, categories in result["methods"].items()
        if (found := categories[category])["n"]
    ]
    conditions = [
        [condition, category, *_cells(found)]
        for category in ("mistake", "unsafe", "done")
        for condition, categories in result["conditions"].items()
        if (found := categories[category])["n"]
    ]
    curve = [
        [
            point["episodes"],
            *(f"{_shown(point[c])} {_range(point[f'{c}_interval'])}" for c in ("mistake", "unsafe", "done")),
        ]
        for point in result["learning_curve"]
    ]
    return "\n\n".join(
        [
            table(head, rows),
            "the reward model by condition\n" + table(["episodes", *head[1:]], conditions),
            "AUROC by episodes that were learned from\n" + table(["episodes", "mistake", "unsafe", "done"], curve),
            f"an update of all labels takes {result['update_s']} s in the median, on one thread",
        ]
    )


def _cells(found: Mapping[str, Any]) -> list[object]:
    return [
        found["n"], found["others"], _shown(found["auroc"]), _range(found["auroc_interval"]),
        _shown(found["precision"]), _range(found["precision_interval"]), _shown(found["ece"]),
    ]  # fmt: skip


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f}-{interval[1]:.2f}"
