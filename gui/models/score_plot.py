"""Scores over versions, the learning curve: a line for base data and one for corrections; crosses were refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.models.scores import BASE, CORRECTIONS, CurvePoint, curves, measured, name_of, percent
from gui.models.words import counted
from gui.theme import Theme
from hitl.model_messages import ModelVersion

_STYLES = {BASE: ("policy", Qt.PenStyle.DashLine), CORRECTIONS: ("accent", Qt.PenStyle.SolidLine)}


class ScorePlot(QWidget):
    """`chosen` carries the name of the version that was clicked."""

    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._versions: list[ModelVersion] = []
        self._name = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Learning curve")

    def show_versions(self, versions: Sequence[ModelVersion], name: str) -> None:
        """Show these versions, oldest first, and mark the one of this name."""
        if (list(versions), name) == (self._versions, self._name):
            return
        self._versions, self._name = list(versions), name
        self.setAccessibleDescription(self._words())
        self.update()

    def _words(self) -> str:
        last = {score: line[-1] for score, line in curves(self._versions).items()}
        if not last:
            return "Nothing is measured yet."
        told = [f"{name_of(score)} {percent(at.score)} ({at.version.name})" for score, at in last.items()]
        return f"Agreement with {', with '.join(told)}."

    def sizeHint(self) -> QSize:
        """Room for a small plot."""
        return QSize(260, 90 + 3 * self._theme.type.body)

    def minimumSizeHint(self) -> QSize:
        """As small as it can be read."""
        return QSize(200, 60 + 3 * self._theme.type.body)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the nearest version."""
        known = measured(self._versions)
        if known:
            plot = self._plot()
            place = round((event.position().x() - plot.left()) / max(1.0, plot.width()) * len(known) - 0.5)
            self.chosen.emit(known[max(0, min(len(known) - 1, place))].name)

    def _plot(self) -> QRectF:
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance("100 %") + 4
        return QRectF(
            left, metrics.height() + 4.0, self.width() - left - 8.0, self.height() - 2 * metrics.height() - 10.0
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axis and lines; or say what will be here."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font(self._theme.type.caption))
        lines = curves(self._versions)
        plot = self._plot()
        if not lines:
            painter.setPen(self._theme.colour("text_soft"))
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, "Nothing is measured yet.")
            painter.end()
            return
        count = len(measured(self._versions))
        low = low_of(lines.values())
        self._axis(painter, plot, low, count)
        for score, line in lines.items():
            colour, style = _STYLES[score]
            kept = [self._spot(plot, at, low, count) for at in line if at.version.passed]
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour(colour), 2, style))
            if kept:
                path = QPainterPath(kept[0])
                for spot in kept[1:]:
                    path.lineTo(spot)
                painter.drawPath(path)
            for at in line:
                self._point(painter, self._spot(plot, at, low, count), at, colour)
        self._legend(painter, list(lines))
        painter.end()

    def _spot(self, plot: QRectF, at: CurvePoint, low: float, count: int) -> QPointF:
        x = plot.left() + (at.place + 0.5) / count * plot.width()
        return QPointF(x, plot.bottom() - (at.score - low) / (1 - low) * plot.height())

    def _axis(self, painter: QPainter, plot: QRectF, low: float, count: int) -> None:
        high = painter.fontMetrics().height()
        for share in (0.0, 0.5, 1.0):
            y = plot.bottom() - share * plot.height()
            painter.setPen(QPen(self._theme.colour("line"), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(self._theme.colour("text_soft"))
            box = QRectF(0, y - high / 2, plot.left() - 5, high)
            level = f"{100 * (low + share * (1 - low)):.0f} %"
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, level)
        known = measured(self._versions)
        place = next((place for place, version in enumerate(known) if version.name == self._name), -1)
        if place >= 0 and count > 1:
            x = plot.left() + (place + 0.5) / count * plot.width()
            painter.setPen(QPen(self._theme.colour("accent"), 1))
            painter.drawLine(QPointF(x, plot.top() - 2), QPointF(x, plot.bottom()))
        foot = QRectF(plot.left(), plot.bottom() + 4, plot.width(), high)
        painter.setPen(self._theme.colour("text_soft"))
        end = f"{known[-1].name}, {counted(known[-1].corrections, 'correction')}"
        metrics = painter.fontMetrics()
        if count == 1 or metrics.horizontalAdvance(known[0].name + end) + 12 < foot.width():
            painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, known[0].name)
        if count > 1:
            painter.drawText(foot, Qt.AlignmentFlag.AlignRight, end)

    def _point(self, painter: QPainter, spot: QPointF, at: CurvePoint, colour: str) -> None:
        if at.version.passed:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour(colour))
            painter.drawEllipse(spot, 3, 3)
            return
        painter.setPen(QPen(self._theme.colour("warn"), 2))
        for rise in (-3.5, 3.5):
            painter.drawLine(spot + QPointF(-3.5, rise), spot + QPointF(3.5, -rise))

    def _legend(self, painter: QPainter, scores: list[str]) -> None:
        """At the top: the strokes and their names, and the cross."""
        metrics = painter.fontMetrics()
        x, y = self._plot().left(), metrics.height() / 2
        for score in scores:
            colour, style = _STYLES[score]
            painter.setPen(QPen(self._theme.colour(colour), 2, style))
            painter.drawLine(QPointF(x, y), QPointF(x + 18, y))
            painter.setPen(self._theme.colour("text"))
            painter.drawText(QPointF(x + 23, metrics.ascent()), name_of(score))
            x += 23 + metrics.horizontalAdvance(name_of(score)) + 14
        if any(not version.passed for version in measured(self._versions)):
            painter.setPen(self._theme.colour("warn"))
            words = metrics.elidedText("× not promoted", Qt.TextElideMode.ElideRight, round(self.width() - x))
            painter.drawText(QPointF(x, metrics.ascent()), words)


def low_of(lines: Iterable[Sequence[CurvePoint]]) -> float:
    """Lower end of the axis: a tenth that lies below all scores, at most 0.9."""
    lowest = min(at.score for line in lines for at in line)
    return max(0.0, min(0.9, math.floor(10 * lowest - 0.2) / 10))
