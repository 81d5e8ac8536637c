"""From logits of recordings that a model has not seen to chances that can be believed, and from which chance on a
moment is called a yes. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.rewards.heads import f1, threshold

LEAST = 2
"""So many answers of each kind a head must have to learn from."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Of one head: the chance is the sigmoid of `slope * logit + offset`, and a yes from `threshold` on; known: false
    where it has nothing to learn from. positives, negatives: answers that it learned from. f1: of the yes, on
    recordings that were not seen, each at the threshold that the others choose; None where there are none."""

    slope: float = 1.0
    offset: float = 0.0
    known: bool = False
    positives: int = 0
    negatives: int = 0
    threshold: float = 0.5
    f1: float | None = None

    def chances(self, logits: Numbers) -> Numbers:
        """Of any shape; a half where nothing is known."""
        if not self.known:
            return np.full(logits.shape, 0.5)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * (self.slope * logits + self.offset))))


def calibrated(logits: Numbers, values: Numbers, folds: NDArray[np.int64]) -> Calibration:
    """By the answers of one head. logits `(n,)`: NaN where none is known; values `(n,)`: 0 or 1; folds `(n,)`: equal
    for what the same members have not seen."""
    positives = int(values.sum())
    negatives = len(values) - positives
    if min(positives, negatives) < LEAST:
        return Calibration(positives=positives, negatives=negatives)
    seen = np.isfinite(logits)
    logits, values, folds = logits[seen], values[seen], folds[seen]
    slope, offset = platt(logits, values)
    made = Calibration(slope, offset, True, positives, negatives)
    if not len(values):
        return made
    chances = made.chances(logits)
    return Calibration(
        slope, offset, True, positives, negatives, threshold(chances, values), _f1(chances, values, folds)
    )


def _f1(chances: Numbers, values: Numbers, folds: NDArray[np.int64]) -> float:
    said = np.zeros(len(values), bool)
    for fold in np.unique(folds):
        mine = folds == fold
        said[mine] = chances[mine] > threshold(chances[~mine], values[~mine])
    return f1(values, said)


def platt(logits: Numbers, values: Numbers) -> tuple[float, float]:
    """Slope (never below 0.05) and offset with the highest likelihood, targets softened as Platt has it; (1, 0) where
    there is only one kind of answer."""
    positives = float(values.sum())
    if not 0 < positives < len(values):
        return 1.0, 0.0
    targets = np.where(values > 0.5, (positives + 1) / (positives + 2), 1 / (len(values) - positives + 2))
    weights = np.array([1.0, 0.0])
    inputs = np.stack((logits, np.ones_like(logits)), 1)
    for _ in range(50):
        chances = 0.5 * (1 + np.tanh(0.5 * (inputs @ weights)))
        gradient = inputs.T @ (chances - targets) + 1e-3 * weights
        curvature = (inputs.T * np.maximum(chances * (1 - chances), 1e-6)) @ inputs + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-8:
            break
    return max(0.05, float(weights[0])), float(weights[1])
