"""From the chance at every moment to spans that may be suggested. Pure functions; times are milliseconds.

A span is a run of moments above a threshold, cut where another command began, so that each says something of one
command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

LEAST_MS = 500
"""No span is shorter; and two with less between them are one."""
SMOOTH_MS = 600
"""Over so long chances are averaged: one moment alone is no reason."""
Span = tuple[int, int]


def suggested_spans(
    chances: Sequence[float], threshold: float, step_ms: int, length_ms: int, borders: Iterable[int]
) -> list[Span]:
    """In order, disjoint. chances: of moments `step_ms` apart from 0 on; borders: where stretches begin and end."""
    if not len(chances):
        return []
    above = smoothed(chances, max(1, round(SMOOTH_MS / step_ms))) > threshold
    edges = np.flatnonzero(np.diff(np.concatenate(([False], above, [False]))))
    runs: list[Span] = []
    for first, end in edges.reshape(-1, 2).tolist():
        start, stop = first * step_ms, min(end * step_ms, length_ms)
        if end == len(chances):
            stop = length_ms  # what is left behind the last moment is as it is
        if runs and start - runs[-1][1] < LEAST_MS:
            start = runs.pop()[0]
        runs.append((start, stop))
    inside = sorted(set(borders))
    return [piece for run in runs if run[1] - run[0] >= LEAST_MS for piece in _cut(run, inside)]


def smoothed(chances: Sequence[float], width: int) -> np.ndarray:
    """The mean over `width` moments around each, `(T,)`; at the ends over those that there are."""
    before = width // 2
    total = np.concatenate(([0.0], np.cumsum(np.asarray(chances, np.float64))))
    at = np.arange(len(chances))
    first, end = np.maximum(at - before, 0), np.minimum(at - before + width, len(chances))
    return np.asarray((total[end] - total[first]) / (end - first))


def _cut(run: Span, borders: Sequence[int]) -> list[Span]:
    """At borders; what is too short by itself is left out, unless nothing else is left."""
    cuts = [run[0], *(at for at in borders if run[0] < at < run[1]), run[1]]
    pieces = [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b - a >= LEAST_MS]
    return pieces or [run]


def unanswered(spans: Iterable[Span], answered: Iterable[Span]) -> list[Span]:
    """Spans without what is answered: one that is answered by half goes, of others what is long enough stays."""
    taken = sorted(answered)
    found = []
    for start, end in spans:
        left, at = [], start
        for first, last in taken:
            if last > at and first < end:
                left.append((at, max(at, first)))
                at = min(max(at, last), end)
        left.append((at, end))
        if 2 * sum(b - a for a, b in left) > end - start:
            found += [(a, b) for a, b in left if b - a >= LEAST_MS]
    return found
