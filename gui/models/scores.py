"""Scores of versions: their names in words, intervals, the curve over versions, and what was forgotten. No Qt.

A score is a share of moments, 0 to 1. Its interval is Wilson's (1927) at 95 %, as if moments were independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hitl.model_messages import ModelVersion

BASE, CORRECTIONS, TASK = "base", "corrections", "task/"
SLIPPED = 0.02
"""A score that is lower than the best before it by more than this is marked as forgotten."""
_Z = 1.959964
_NAMES = {
    BASE: "base data",
    "base_before": "base data, before any correction",
    CORRECTIONS: "corrections",
    "new": "new corrections",
    "new_before": "new corrections, before",
}


def name_of(score: str) -> str:
    """A score's name in words."""
    return _NAMES.get(score, score.removeprefix(TASK).replace("_", " "))


def percent(score: float) -> str:
    """A score as people read it: 93.1 %, and without decimals at the ends."""
    return f"{100 * score:.0f} %" if score in (0.0, 1.0) else f"{100 * score:.1f} %"


def points(difference: float) -> str:
    """A difference of scores in percentage points, with its sign."""
    rounded = round(100 * difference, 1)
    return "±0" if rounded == 0 else f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"


def interval(score: float, count: int) -> tuple[float, float] | None:
    """Wilson's interval of a share of `count` moments; None where that is not known."""
    if count < 1 or not 0 <= score <= 1:
        return None
    middle = (score + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(score * (1 - score) / count + _Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


BEFORE = "_before"
"""At the end of a score's name: the same, measured with the weights of before."""


@dataclass(frozen=True)
class ScoreRow:
    """A score in words. around: its interval, empty where that is not known; before: the same with the weights of
    before, empty where that was not measured."""

    name: str
    value: str
    around: str = ""
    before: str = ""


def score_rows(version: ModelVersion) -> tuple[ScoreRow, ...]:
    """The scores of a version that are not of a task."""
    found = []
    for name in shown_scores(version):
        if name.startswith(TASK) or name.endswith(BEFORE):
            continue
        value = version.scores[name]
        before = version.scores.get(name + BEFORE)
        around = interval_words(value, version.counts.get(name, 0))
        found.append(ScoreRow(name_of(name), percent(value), around, percent(before) if before is not None else ""))
    return tuple(found)


def interval_words(score: float, count: int) -> str:
    """The interval of a score: 91.0 to 94.8; empty where it is not known."""
    found = interval(score, count)
    return f"{100 * found[0]:.1f} to {100 * found[1]:.1f}" if found else ""


def score_words(version: ModelVersion, score: str) -> str:
    """A score of a version with its interval, where it has one: 93.1 % (91.0 to 94.8)."""
    value = version.scores[score]
    around = interval_words(value, version.counts.get(score, 0))
    return f"{percent(value)} ({around})" if around else percent(value)


def shown_scores(version: ModelVersion) -> list[str]:
    """Names of the scores of a version in the order in which they are read; those of before stand beside theirs."""
    last = len(_NAMES)
    order = {name: place for place, name in enumerate(_NAMES)}
    return sorted(version.scores, key=lambda name: (order.get(name, last), name))


@dataclass(frozen=True)
class CurvePoint:
    """A score of a version on the curve. place: of the version among all that have scores, the oldest is 0."""

    place: int
    version: ModelVersion
    score: float


def measured(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """Versions that were scored, oldest first."""
    return [version for version in versions if version.scores]


def curves(versions: Sequence[ModelVersion]) -> dict[str, tuple[CurvePoint, ...]]:
    """The scores “base” and “corrections” over versions, oldest first; a score that no version has is left out."""
    found = {}
    for score in (BASE, CORRECTIONS):
        line = tuple(CurvePoint(place, version, version.scores[score])
                     for place, version in enumerate(measured(versions)) if score in version.scores)  # fmt: skip
        if line:
            found[score] = line
    return found


@dataclass(frozen=True)
class Cell:
    """One score in the matrix. fallen: by how much it is lower than the best before it, at least 0."""

    score: float
    fallen: float

    @property
    def slipped(self) -> bool:
        """Whether that counts as forgotten."""
        return self.fallen > SLIPPED


@dataclass(frozen=True)
class Matrix:
    """Versions by tasks. tasks: names of scores; rows: oldest first, None where a version has no such score;
    forgotten: of each task, by how much the last version is below the best one before it."""

    tasks: tuple[str, ...]
    versions: tuple[ModelVersion, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    forgotten: tuple[float, ...]


def matrix_of(versions: Sequence[ModelVersion]) -> Matrix:
    """The matrix of those of `versions` (oldest first) that the gate let pass: base data first, then the tasks."""
    rows_of = [version for version in measured(versions) if version.passed]
    names = sorted({name for version in rows_of for name in version.scores if name.startswith(TASK)})
    tasks = ([BASE] if any(BASE in version.scores for version in rows_of) else []) + names
    best: dict[str, float] = {}
    rows, forgotten = [], dict.fromkeys(tasks, 0.0)
    for version in rows_of:
        row: list[Cell | None] = []
        for task in tasks:
            score = version.scores.get(task)
            if score is None:
                row.append(None)
                continue
            fallen = max(0.0, best.get(task, score) - score)
            row.append(Cell(score, fallen))
            forgotten[task] = fallen
            best[task] = max(score, best.get(task, score))
        rows.append(tuple(row))
    return Matrix(tuple(tasks), tuple(rows_of), tuple(rows), tuple(forgotten[task] for task in tasks))
