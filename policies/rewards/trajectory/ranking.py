"""How well scores rank and how far chances can be believed. Pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[np.floating]


def auroc(values: Flags, scores: Numbers) -> float | None:
    """The chance that a yes has a higher score than a no, half for equal ones; None without either. `(n,)` each."""
    positives = int(values.sum())
    negatives = len(values) - positives
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    return float((ranks[values].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(values: Flags, scores: Numbers) -> float | None:
    """The mean precision at every yes, from the highest score down; equal ones count together. None without a yes."""
    if not values.any():
        return None
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    hits = np.cumsum(values[order])
    last = np.append(np.flatnonzero(np.diff(np.asarray(scores)[order])), len(scores) - 1)
    precision, found = hits[last] / (last + 1), hits[last]
    return float((precision * np.diff(found, prepend=0)).sum() / values.sum())


def calibration_error(values: Flags, chances: Numbers, bins: int = 10) -> float | None:
    """Expected calibration error: the mean distance of chance and share of yes, over bins of equal width."""
    if not len(values):
        return None
    where = np.minimum((np.asarray(chances) * bins).astype(int), bins - 1)
    gaps = [
        abs(float(chances[where == b].mean()) - float(values[where == b].mean())) * float((where == b).mean())
        for b in range(bins)
        if (where == b).any()
    ]
    return float(sum(gaps))
