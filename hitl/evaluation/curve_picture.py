"""A plain picture of curves over a number of labels, drawn with OpenCV. Knows nothing of what the numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from hitl.errors import StorageError

_SIZE = (960, 540)
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 30, 60
_COLOURS = ((178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204))
"""Blue, vermilion, green and purple of Okabe and Ito, as BGR: told apart by the colour-blind, too."""
_INK, _GRID = (60, 60, 60), (220, 220, 220)


def draw_curve(path: Path, sizes: Sequence[int], curves: Mapping[str, Sequence[float]], below: str) -> None:
    """sizes: of the x axis, drawn to scale; curves: name -> a value in [0, 1] for each size, four at most.

    Raises StorageError where the picture cannot be written.
    """
    width, height = _SIZE
    picture = np.full((height, width, 3), 255, np.uint8)
    values = [value for curve in curves.values() for value in curve]
    low, high = np.floor(min(values) * 10) / 10, np.ceil(max(values) * 10) / 10
    high = max(high, low + 0.1)

    def point(size: float, value: float) -> tuple[int, int]:
        x = _LEFT + (width - _LEFT - _RIGHT) * size / max(sizes)
        y = height - _BOTTOM - (height - _TOP - _BOTTOM) * (value - low) / (high - low)
        return round(x), round(y)

    for level in np.arange(low, high + 0.01, 0.1):
        cv2.line(picture, point(0, level), point(max(sizes), level), _GRID, 1, cv2.LINE_AA)
        _write(picture, f"{level:.1f}", (20, point(0, level)[1] + 5), _INK)
    for size in sizes:
        _write(picture, str(size), (point(size, low)[0] - 12, height - 36), _INK)
    _write(picture, below, (_LEFT, height - 12), _INK)
    ends = []
    for (name, curve), colour in zip(curves.items(), _COLOURS, strict=False):
        points = np.array([point(size, value) for size, value in zip(sizes, curve, strict=True)])
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        for x, y in points:
            cv2.circle(picture, (int(x), int(y)), 4, colour, -1, cv2.LINE_AA)
        ends.append((int(points[-1][1]), name, colour))
    at = 0
    for y, name, colour in sorted(ends, key=lambda end: end[0]):
        at = max(at + 20, y + 5)  # names never cover each other
        _write(picture, name, (width - _RIGHT + 14, at), colour)
    if not cv2.imwrite(str(path), picture):
        raise StorageError("could not be written.", field=str(path), hint="Choose another place for it.")


def _write(picture: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
