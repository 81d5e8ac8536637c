"""How much was learned, kept and lost over several tasks: the field's measures of continual learning.

`a[k, j]` is the performance on task j after learning task k, both from 0 on; `before[j]`: that of the model before it
learned anything. Formulas: Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), Wang et al. 2024 (arXiv 2302.00487).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from policies.errors import PolicyError


@dataclass(frozen=True)
class Continual:
    """average: mean over tasks at the end; backward: mean change of earlier tasks since they were learned, negative
    where they are forgotten; forward: mean performance on a task just before it was learned, over that of the model
    before anything; forgetting: mean fall from the best that ever was; learned: mean of each task just after it."""

    average: float
    backward: float
    forward: float
    forgetting: float
    learned: float


def continual(matrix: ArrayLike, before: Sequence[float] | None = None) -> Continual:
    """Of `(tasks, tasks)`; forward is NaN where `before` is not known. Raises PolicyError for another shape."""
    a: NDArray[np.float64] = np.asarray(matrix, np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not len(a):
        raise PolicyError(f"has shape {a.shape}, expected one row and column a task.", field="matrix")
    last, diagonal = a[-1], np.diag(a)
    if len(a) == 1:
        return Continual(float(last[0]), 0.0, float("nan"), 0.0, float(diagonal[0]))
    ahead = float("nan")
    if before is not None:
        ahead = float(np.mean([a[j - 1, j] - before[j] for j in range(1, len(a))]))
    return Continual(
        average=float(last.mean()),
        backward=float((last[:-1] - diagonal[:-1]).mean()),
        forward=ahead,
        forgetting=float((a[:-1, :-1].max(0) - last[:-1]).mean()),
        learned=float(diagonal.mean()),
    )
