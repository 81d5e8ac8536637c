"""A plain picture of several small matrices side by side, drawn with OpenCV. Knows nothing of what the numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from hitl.errors import StorageError

_CELL_WIDTH, _CELL_HEIGHT = 58, 34
_LEFT, _TITLE, _BELOW, _GAP = 62, 30, 26, 26
_PANELS_A_ROW = 4
_MARGIN, _SCALE_HEIGHT = 20, 64
_LOW, _HIGH = np.array([255, 247, 240]), np.array([107, 48, 8])
"""Pale to dark blue, as BGR: one hue, so that it reads in grey, too."""
_INK, _WHITE, _EDGE = (60, 60, 60), (255, 255, 255), (0, 94, 213)
_DARK, _CAPTION = 0.45, 0.45


def draw_matrices(
    path: Path,
    matrices: Mapping[str, Sequence[Sequence[float]]],
    rows: Sequence[str],
    columns: Sequence[str],
    below: str,
    marked: Sequence[tuple[int, int]] = (),
) -> None:
    """matrices: title -> `(rows, columns)` of values from 0 to 1, a panel each; below: what colour and numbers are;
    marked: (row, column) of cells with an edge, in all panels. Raises StorageError where it cannot be written."""
    width = _LEFT + _CELL_WIDTH * len(columns) + _GAP
    height = _TITLE + _CELL_HEIGHT * len(rows) + _BELOW + _GAP
    across = min(_PANELS_A_ROW, len(matrices))
    down = -(-len(matrices) // across)
    wide = 2 * _MARGIN + max(width * across, _text_width(below, _CAPTION))
    picture = np.full((2 * _MARGIN + height * down + _SCALE_HEIGHT, wide, 3), 255, np.uint8)
    for place, (title, matrix) in enumerate(matrices.items()):
        x, y = _MARGIN + place % across * width, _MARGIN + place // across * height
        _panel(picture[y : y + height, x : x + width], title, matrix, rows, columns, marked)
    _scale(picture[-_SCALE_HEIGHT - _MARGIN :, _MARGIN:], below)
    if not cv2.imwrite(str(path), picture):
        raise StorageError("could not be written.", field=str(path), hint="Choose another place for it.")


def _panel(
    part: np.ndarray,
    title: str,
    matrix: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    marked: Sequence[tuple[int, int]],
) -> None:
    _write(part, title, (_LEFT, _TITLE - 10), _INK, 0.5)
    for j, name in enumerate(columns):
        centre = _LEFT + _CELL_WIDTH * j + _CELL_WIDTH // 2
        _write(part, name, (centre, _TITLE + _CELL_HEIGHT * len(rows) + 17), _INK, 0.4, centred=True)
    for i, name in enumerate(rows):
        _write(part, name, (0, _TITLE + _CELL_HEIGHT * i + _CELL_HEIGHT // 2 + 5), _INK, 0.4)
        for j, value in enumerate(matrix[i]):
            x, y = _LEFT + _CELL_WIDTH * j, _TITLE + _CELL_HEIGHT * i
            corner = (x + _CELL_WIDTH - 3, y + _CELL_HEIGHT - 3)
            cv2.rectangle(part, (x, y), corner, _colour(value), -1)
            if (i, j) in marked:
                cv2.rectangle(part, (x, y), corner, _EDGE, 2)
            ink = _WHITE if value > _DARK else _INK
            _write(
                part, f"{value:.2f}", (x + _CELL_WIDTH // 2 - 1, y + _CELL_HEIGHT // 2 + 4), ink, 0.42, centred=True
            )


def _scale(part: np.ndarray, below: str) -> None:
    steps = 100
    for step in range(steps):
        cv2.rectangle(part, (2 * step, 4), (2 * step + 2, 18), _colour(step / (steps - 1)), -1)
    for value in (0.0, 0.5, 1.0):
        _write(part, f"{value:.1f}", (round(2 * steps * value), 34), _INK, 0.4, centred=value > 0)
    _write(part, below, (0, 58), _INK, _CAPTION)


def _colour(value: float) -> tuple[int, int, int]:
    blue, green, red = _LOW + (_HIGH - _LOW) * min(1.0, max(0.0, value))
    return round(blue), round(green), round(red)


def _write(
    part: np.ndarray,
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int],
    size: float,
    *,
    centred: bool = False,
) -> None:
    x, y = place
    if centred:
        x -= _text_width(text, size) // 2
    cv2.putText(part, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _text_width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0])
