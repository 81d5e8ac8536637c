"""The picture of the packing experiment, drawn with OpenCV: success by shift before, with live corrections and after
learning from them, and how many corrections an episode took in each round. Knows what `summarize` returns, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hitl.errors import StorageError
from hitl.evaluation.packing_summary import CONDITIONS, MODES

_SIZE = (1440, 560)
_INK, _FAINT, _GRID = (50, 50, 50), (110, 110, 110), (228, 228, 228)
_COLOURS = {"base": (190, 190, 190), "corrected": (178, 114, 0), "learned": (0, 94, 213)}
"""Grey, blue and vermilion of Okabe and Ito, as BGR: told apart by the colour-blind, too."""
_NAMES = {"base": "alone, before", "corrected": "with live corrections", "learned": "alone, after learning"}
_LINES = ((178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204), (0, 159, 230), (90, 90, 90), (233, 180, 86))
_BARS = (70, 80, 900, 440)
_CURVES = (1000, 80, 1270, 440)
"""Left, top, right, bottom of the two plots."""

Box = tuple[int, int, int, int]


def draw(path: Path, result: Mapping[str, Any]) -> None:
    """result: as `summarize` returns it. Raises StorageError where the picture cannot be written."""
    width, height = _SIZE
    picture = np.full((height, width, 3), 255, np.uint8)
    modes = [mode for mode in MODES if mode in result]
    conditions = [name for name in CONDITIONS if any(name in result[mode] for mode in modes)]
    _bars(picture, result, modes, conditions)
    if "learners" in result:
        _rounds(picture, {name: entry["interventions"] for name, entry in result["learners"].items()})
    if not cv2.imwrite(str(path), picture):
        raise StorageError("could not be written.", field=str(path), hint="Choose another place for it.")


def _bars(picture: np.ndarray, result: Mapping[str, Any], modes: Sequence[str], conditions: Sequence[str]) -> None:
    left, top, right, bottom = _BARS
    _write(picture, "Whole box packed, with 95 % intervals", (left, 32), _INK, 0.6)
    at = left
    for mode in modes:
        cv2.rectangle(picture, (at, 48), (at + 14, 62), _COLOURS[mode], -1)
        _write(picture, _NAMES[mode], (at + 20, 60), _INK)
        at += 46 + _width(_NAMES[mode])
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _height(_BARS, level)
        cv2.line(picture, (left, y), (right, y), _GRID, 1)
        _write(picture, f"{level:.2f}", (left - 44, y + 5), _FAINT)
    columns = [*conditions, "mean"]
    step = (right - left) / len(columns)
    bar = min(26, int(step / (len(modes) + 1)))
    for place, name in enumerate(columns):
        middle = left + step * (place + 0.5)
        for which, mode in enumerate(modes):
            x = round(middle + (which - len(modes) / 2) * bar)
            _bar(picture, _entry(result, mode, name), x, bar, _COLOURS[mode])
        label = "mean, shifts" if name == "mean" else name
        cv2.line(picture, (round(middle), bottom), (round(middle), bottom + 5), _FAINT, 1)
        _write(picture, label, (round(middle) - _width(label) // 2, bottom + 24 + 20 * (place % 2)), _INK)
    _write(picture, _counted(result, modes), (left, bottom + 84), _FAINT)


def _entry(result: Mapping[str, Any], mode: str, name: str) -> Any:
    """What a bar shows: a cell, a mean, or nothing; of the nominal task after learning all learners together."""
    if (mode, name) == ("learned", "nominal") and "nominal_after" in result:
        return {"success": result["nominal_after"]["all"]}
    return result[mode].get(name)


def _bar(picture: np.ndarray, entry: Any, x: int, bar: int, colour: tuple[int, int, int]) -> None:
    """One bar with its interval; nothing where nothing was measured."""
    if entry is None:
        return
    rate = entry if isinstance(entry, float) else entry["success"]["rate"]
    cv2.rectangle(picture, (x + 1, _height(_BARS, rate)), (x + bar - 2, _height(_BARS, 0.0)), colour, -1)
    if isinstance(entry, float):
        return
    low, high = (_height(_BARS, value) for value in entry["success"]["interval"])
    middle = x + bar // 2
    cv2.line(picture, (middle, low), (middle, high), _INK, 1, cv2.LINE_AA)
    for y in (low, high):
        cv2.line(picture, (middle - 3, y), (middle + 3, y), _INK, 1)


def _rounds(picture: np.ndarray, curves: Mapping[str, Sequence[float]]) -> None:
    left, top, right, bottom = _CURVES
    _write(picture, "Corrections an episode, by round", (left, 32), _INK, 0.6)
    most = max(5.0, float(np.ceil(max(max(curve) for curve in curves.values()) / 5) * 5))
    for level in np.linspace(0.0, 1.0, 6):
        y = _height(_CURVES, level)
        cv2.line(picture, (left, y), (right, y), _GRID, 1)
        _write(picture, f"{level * most:.0f}", (left - 32, y + 5), _FAINT)
    rounds = max(len(curve) for curve in curves.values())
    xs = [round(left + 20 + (right - left - 40) * at / max(1, rounds - 1)) for at in range(rounds)]
    for at, x in enumerate(xs):
        _write(picture, str(at + 1), (x - 4, bottom + 24), _INK)
    ends = []
    for (name, curve), colour in zip(curves.items(), _LINES, strict=False):
        points = [(x, _height(_CURVES, value / most)) for x, value in zip(xs, curve, strict=False)]
        cv2.polylines(picture, [np.array(points)], False, colour, 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(picture, point, 4, colour, -1, cv2.LINE_AA)
        ends.append((points[-1][1], name, colour))
    at = 0
    for y, name, colour in sorted(ends):
        at = max(at + 20, y + 5)  # names never cover each other
        _write(picture, name, (right + 12, at), colour)


def _counted(result: Mapping[str, Any], modes: Sequence[str]) -> str:
    """How many episodes stand behind the bars."""
    parts = []
    for mode in modes:
        counts = {entry["success"]["n"] for name, entry in result[mode].items() if name != "mean"}
        low, high = min(counts), max(counts)
        parts.append(f"{_NAMES[mode]}: {low if low == high else f'{low} to {high}'}")
    return "episodes a bar - " + "; ".join(parts)


def _height(box: Box, share: float) -> int:
    return round(box[3] - (box[3] - box[1]) * share)


def _width(text: str) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0])


def _write(
    picture: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int], size: float = 0.5
) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
