"""How a category is drawn beside its colour: eight patterns of a line, which can be told apart without colour."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

LINE = 5.0
"""Height of every pattern, in pixels."""


def draw_pattern(painter: QPainter, pattern: str, colour: QColor, left: float, right: float, top: float) -> None:
    """Draw a line of `pattern` from `left` to `right`; it is LINE high from `top`."""
    middle = top + LINE / 2
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    match pattern:
        case "double":
            painter.drawRect(QRectF(left, top, right - left, 1.6))
            painter.drawRect(QRectF(left, top + LINE - 1.6, right - left, 1.6))
        case "dashes":
            for x in _steps(left, right, 10):
                painter.drawRect(QRectF(x, middle - 1.4, min(6.5, right - x), 2.8))
        case "dots":
            for x in _steps(left, right - 2, 6):
                painter.drawEllipse(QPointF(x + 1.8, middle), 1.8, 1.8)
        case "wave" | "hatch" | "cross" | "bars":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour, 1.5))
            painter.setClipRect(QRectF(left, top - 1, right - left, LINE + 2))
            painter.drawPath(_strokes(pattern, left, right, top))
        case _:
            painter.drawRect(QRectF(left, middle - 1.5, right - left, 3.0))
    painter.restore()


def _steps(left: float, right: float, pitch: float) -> list[float]:
    return [left + pitch * count for count in range(max(1, math.ceil((right - left) / pitch)))]


def _strokes(pattern: str, left: float, right: float, top: float) -> QPainterPath:
    path = QPainterPath()
    bottom = top + LINE
    if pattern == "wave":
        path.moveTo(left, top + LINE / 2)
        for count, x in enumerate(_steps(left, right, 5)):
            path.quadTo(x + 2.5, top - 1.5 if count % 2 == 0 else bottom + 1.5, x + 5, top + LINE / 2)
        return path
    for x in _steps(left, right, 5 if pattern != "cross" else 7):
        if pattern == "bars":
            path.moveTo(x + 1, top)
            path.lineTo(x + 1, bottom)
        else:
            path.moveTo(x, bottom)
            path.lineTo(x + LINE, top)
        if pattern == "cross":
            path.moveTo(x, top)
            path.lineTo(x + LINE, bottom)
    return path


class Swatch(QWidget):
    """A short line of a category's pattern and colour, for lists."""

    def __init__(self) -> None:
        super().__init__()
        self._pattern, self._colour = "solid", QColor()
        self.setFixedSize(30, 14)

    def show_category(self, pattern: str, colour: QColor) -> None:
        """Show another category."""
        if (pattern, colour) != (self._pattern, self._colour):
            self._pattern, self._colour = pattern, colour
            self.update()

    def paintEvent(self, event: object) -> None:
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_pattern(painter, self._pattern, self._colour, 1, self.width() - 1, (self.height() - LINE) / 2)
        painter.end()
