"""Whether probabilities mean what they say, and whether doubt points at mistakes. Pure functions on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
BINS = 10
_COLDEST, _HOTTEST, _STEPS = 0.25, 8.0, 121


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Probabilities `(n, commands)`."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    shares: Array = np.exp(scaled)
    return shares / shares.sum(1, keepdims=True)


def expected_calibration_error(confidence: Array, right: Flags) -> float:
    """The mean gap between confidence and share of right answers over `BINS` bins of equal width, weighted by how many
    answers lie in each (Guo et al. 2017). confidence, right: `(n,)`; 0 for none."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        (places == place).mean() * abs(confidence[places == place].mean() - right[places == place].mean())
        for place in range(BINS)
        if (places == place).any()
    ]
    return float(sum(gaps))


def fitted_temperature(logits: Array, acceptable: Flags) -> float:
    """The temperature under which the right answers are most probable, on a grid (Guo et al. 2017).

    logits, acceptable: `(n, commands)`; rows for which nothing is acceptable say nothing.
    """
    known = acceptable.any(1)
    if not known.any():
        return 1.0
    grid = np.geomspace(_COLDEST, _HOTTEST, _STEPS)
    losses = []
    for temperature in grid:
        shares = softmax(logits[known], float(temperature))
        losses.append(-np.log((shares * acceptable[known]).sum(1) + 1e-9).mean())
    return float(grid[int(np.argmin(losses))])


def difference(shares: Array) -> Array:
    """How far the best is ahead of the second, `(n,)`, as a difference of probabilities `(n, commands)`."""
    best = np.sort(shares, 1)[:, -2:]
    return best[:, 1] - best[:, 0]


def log_odds(shares: Array) -> Array:
    """The same as the logarithm of their ratio; a temperature scales it and changes no order."""
    best = np.log(np.sort(shares, 1)[:, -2:] + 1e-12)
    return best[:, 1] - best[:, 0]


def errors_within(margins: Array, errors: Flags, share: float) -> tuple[int, int]:
    """How many of the errors lie in the lowest `share` of margins, and how many there are. `(n,)` each."""
    lowest = np.argsort(margins, kind="stable")[: round(share * len(margins))]
    return int(errors[lowest].sum()), int(errors.sum())


def separation(margins: Array, errors: Flags) -> float:
    """How probable it is that an error has a smaller margin than what was right (area under the ROC curve); 0.5 where
    one of both is missing."""
    wrong, right = margins[errors], margins[~errors]
    if not len(wrong) or not len(right):
        return 0.5
    below = (wrong[:, None] < right[None]).mean() + 0.5 * (wrong[:, None] == right[None]).mean()
    return float(below)


def threshold(margins: Array, share: float) -> float:
    """The margin below which `share` of these lie."""
    return float(np.quantile(margins, share)) if len(margins) else 0.0
