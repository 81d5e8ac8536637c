"""Intervals and tables for experiments. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927), 95 % by default; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def share(outcomes: Sequence[bool]) -> dict[str, float | int | list[float]]:
    """{"rate", "interval", "n"} of yes-or-no outcomes, rounded to three digits."""
    low, high = wilson(sum(outcomes), len(outcomes))
    rate = sum(outcomes) / len(outcomes) if outcomes else 0.0
    return {"rate": round(rate, 3), "interval": [round(low, 3), round(high, 3)], "n": len(outcomes)}


def percentiles(values: Sequence[float]) -> dict[str, float | int | None]:
    """{"p50", "p95", "n"} of values, in whole numbers."""
    if not values:
        return {"p50": None, "p95": None, "n": 0}
    return {
        "p50": round(float(np.percentile(values, 50))),
        "p95": round(float(np.percentile(values, 95))),
        "n": len(values),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Plain text columns, the first one flush left and the others flush right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
