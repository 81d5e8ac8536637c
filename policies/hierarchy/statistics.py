"""Uncertainty of measured shares. Knows nothing of what was counted."""

from __future__ import annotations

from math import sqrt


def wilson_interval(hits: int, tries: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927, JASA 22:209); (0, 1) where nothing was tried."""
    if tries == 0:
        return (0.0, 1.0)
    z, share = 1.959964, hits / tries
    scale = 1 + z * z / tries
    middle = (share + z * z / (2 * tries)) / scale
    half = z * sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries)) / scale
    return (max(0.0, middle - half), min(1.0, middle + half))
