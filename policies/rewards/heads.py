"""Heads: logistic regressions with a ridge, fit by Newton's method in milliseconds, and their calibration.

One objective, strictly convex, so that the same data give the same weights in whatever order they come and wherever
the fit starts. Preferences (Bradley and Terry 1952) are the same regression on differences. Temperature scaling
follows Guo et al. 2017 (arXiv:1706.04599). Knows nothing of documents and encoders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FOLDS = 3
_STEPS, _TOLERANCE = 30, 1e-9


@dataclass(frozen=True)
class Linear:
    """weights `(d,)` and bias, of rows that are centred and scaled by mean and scale `(d,)`."""

    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def logits(self, rows: NDArray[np.floating]) -> Floats:
        """rows `(n, d)` -> `(n,)`."""
        found: Floats = ((np.asarray(rows, np.float64) - self.mean) / self.scale) @ self.weights + self.bias
        return found


def fit(
    rows: NDArray[np.floating],
    targets: NDArray[np.floating],
    ridge: Floats,
    *,
    differences: bool = False,
    start: Linear | None = None,
) -> Linear:
    """Logistic regression of targets in {0, 1}. ridge `(d,)`: the penalty on each scaled weight.

    differences: rows are better minus worse: no centring and no bias. start: weights to begin at.
    """
    rows = np.asarray(rows, np.float64)
    mean = np.zeros(rows.shape[1]) if differences else rows.mean(0)
    scale = np.sqrt((rows**2).mean(0)) if differences else rows.std(0)
    scale = np.where(scale > 1e-6, scale, 1.0)
    scaled = (rows - mean) / scale
    penalty = ridge
    if not differences:
        scaled = np.concatenate([scaled, np.ones((len(rows), 1))], 1)
        penalty = np.append(ridge, 1e-6)  # keeps the bias finite where all targets are equal
    weights = np.zeros(scaled.shape[1])
    if start is not None and len(start.weights) == rows.shape[1]:
        weights[: rows.shape[1]] = start.weights
        weights[rows.shape[1] :] = start.bias
    weights = _newton(scaled, np.asarray(targets, np.float64), penalty, weights)
    bias = 0.0 if differences else float(weights[-1])
    return Linear(mean, scale, weights[: rows.shape[1]].copy(), bias)


def _newton(rows: Floats, targets: Floats, penalty: Floats, weights: Floats) -> Floats:
    def loss(candidate: Floats) -> float:
        logits = rows @ candidate
        return float((np.logaddexp(0, logits) - targets * logits).sum() + 0.5 * (penalty * candidate**2).sum())

    now = loss(weights)
    for _ in range(_STEPS):
        chances = sigmoid(rows @ weights)
        gradient = rows.T @ (chances - targets) + penalty * weights
        curvature = np.maximum(chances * (1 - chances), 1e-9)
        step = np.linalg.solve((rows.T * curvature) @ rows + np.diag(penalty), gradient)
        length = 1.0
        while (after := loss(weights - length * step)) > now and length > 1e-4:
            length /= 2
        weights = weights - length * step
        if abs(now - after) <= _TOLERANCE * (1 + abs(now)) or np.abs(step).max() < _TOLERANCE:
            break
        now = after
    return weights


def out_of_fold(
    rows: NDArray[np.floating],
    targets: NDArray[np.floating],
    ridge: Floats,
    folds: NDArray[np.integer],
    start: Linear | None = None,
) -> Floats:
    """Logits of each row by a fit that did not see its fold; what has one class alone to learn from gets 0."""
    logits = np.zeros(len(rows))
    for fold in range(FOLDS):
        held = folds == fold
        if held.any() and len(np.unique(targets[~held])) == 2:
            logits[held] = fit(rows[~held], targets[~held], ridge, start=start).logits(rows[held])
    return logits


def sigmoid(logits: NDArray[np.floating]) -> Floats:
    found: Floats = 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))
    return found


def temperature(logits: Floats, targets: NDArray[np.floating]) -> float:
    """By which logits are divided so that their likelihood is highest, from 0.2 to 10; 1 for no data."""
    if len(logits) == 0:
        return 1.0
    grid = np.exp(np.linspace(np.log(0.2), np.log(10.0), 61))
    losses = [float((np.logaddexp(0, logits / t) - targets * logits / t).mean()) for t in grid]
    return float(grid[int(np.argmin(losses))])


def calibration_error(chances: NDArray[np.floating], targets: NDArray[np.floating], bins: int = 10) -> float:
    """Expected calibration error: the mean distance of chance and share of errors, over bins of equal width."""
    if len(chances) == 0:
        return 0.0
    where = np.minimum((np.asarray(chances) * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(chances[where == b].mean() - targets[where == b].mean()) * (where == b).mean()
            for b in range(bins)
            if (where == b).any()
        )
    )


def f1(targets: NDArray[np.floating], said: NDArray[np.bool_]) -> float:
    """Of the class 1; 0 where nothing is found."""
    hits = float((targets * said).sum())
    return 2 * hits / max(1.0, float(targets.sum() + said.sum()))


def balanced_f1(targets: NDArray[np.floating], said: NDArray[np.bool_]) -> float:
    """Mean of the F1 of both classes. F1 of errors alone is highest where half of all is called an error."""
    return (f1(targets, said) + f1(1 - targets, ~said)) / 2


def threshold(
    chances: Floats,
    targets: NDArray[np.floating],
    score: Callable[[NDArray[np.floating], NDArray[np.bool_]], float] = balanced_f1,
) -> float:
    """The chance from which on something is called an error, so that `score` is highest; a half without errors."""
    if len(np.unique(targets)) < 2:
        return 0.5
    grid = np.linspace(0.1, 0.9, 81)
    scores = np.array([score(targets, chances > at) for at in grid])
    # The middle of what is about as good: a single peak is chance.
    good = grid[scores >= scores.max() - 0.003]
    return float(good[len(good) // 2])
