"""The intervention rate over time: one dot an episode, its moving mean as a line, and marks where versions changed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.models.rates import MEAN_OF, Rate, rates_of, top_of
from gui.models.words import episode_words, rate_words
from gui.theme import Theme
from hitl.model_messages import EpisodePoint

_DOT = 4.0


class RatePlot(QWidget):
    """`pointed` carries words about the episode under the mouse or the arrow keys, empty for none; `chosen` the name
    of the version that acted when the one that was clicked ended."""

    pointed = Signal(str)
    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._points: list[EpisodePoint] = []
        self.rates: tuple[Rate, ...] = ()
        self.version = ""
        """Episodes of this version are filled."""
        self.at = -1
        """The episode that is pointed at; -1 for none."""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Intervention rate")
        self.setAccessibleDescription(rate_words(()))

    def show_episodes(self, points: Sequence[EpisodePoint], version: str) -> None:
        """Show these episodes, oldest first, and set those of `version` off."""
        if (list(points), version) == (self._points, self.version):
            return
        self._points, self.version = list(points), version
        self.rates = rates_of(points)
        self.setAccessibleDescription(rate_words(self.rates))
        self._point(min(self.at, len(self.rates) - 1))
        self.update()

    def sizeHint(self) -> QSize:
        """Room to read."""
        return QSize(400, 120 + 2 * self._theme.type.body)

    def minimumSizeHint(self) -> QSize:
        """Room for axis, line and words."""
        return QSize(240, 80 + 2 * self._theme.type.body)

    # -- pointing -----------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the mouse."""
        self._point(self.episode_at(event.position().x()))

    def leaveEvent(self, event: QEvent) -> None:
        """Say nothing more."""
        self._point(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the version of the episode."""
        place = self.episode_at(event.position().x())
        if place >= 0:
            self.chosen.emit(self.rates[place].point.version)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go from episode to episode; Space chooses its version."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps and self.rates:
            start = len(self.rates) if self.at < 0 and steps[Qt.Key(event.key())] < 0 else self.at
            self._point(max(0, min(len(self.rates) - 1, start + steps[Qt.Key(event.key())])))
        elif event.key() == Qt.Key.Key_Space and self.at >= 0:
            self.chosen.emit(self.rates[self.at].point.version)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self._point(-1)
        self.update()

    def episode_at(self, x: float) -> int:
        """The episode at a place across; -1 where there is none."""
        if not self.rates:
            return -1
        plot = self._plot()
        place = round((x - plot.left()) / max(1.0, plot.width()) * len(self.rates) - 0.5)
        return place if plot.left() - _DOT <= x <= plot.right() + _DOT and 0 <= place < len(self.rates) else -1

    def _point(self, place: int) -> None:
        if place == self.at:
            return
        self.at = place
        self.pointed.emit(episode_words(self.rates[place].point) if place >= 0 else "")
        self.update()

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _plot(self) -> QRectF:
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance("00.0") + 6
        return QRectF(
            left, metrics.height() + 4.0, self.width() - left - 8.0, self.height() - 2 * metrics.height() - 10.0
        )

    def _spot(self, plot: QRectF, place: int, value: float) -> QPointF:
        across = plot.left() + (place + 0.5) / len(self.rates) * plot.width()
        return QPointF(across, plot.bottom() - value / top_of(self.rates) * plot.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axis, versions, mean and episodes; or say what will be here."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font(self._theme.type.caption))
        plot = self._plot()
        if not self.rates:
            painter.setPen(self._theme.colour("text_soft"))
            words = "Each episode that ends gets a dot here: how many corrections a minute it needed."
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        else:
            self._axis(painter, plot)
            self._versions(painter, plot)
            self._mean(painter, plot)
            self._dots(painter, plot)
        if self.hasFocus():
            painter.setPen(QPen(self._theme.colour("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.end()

    def _axis(self, painter: QPainter, plot: QRectF) -> None:
        top = top_of(self.rates)
        high = painter.fontMetrics().height()
        for share in (0.0, 0.5, 1.0):
            y = plot.bottom() - share * plot.height()
            painter.setPen(QPen(self._theme.colour("line"), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(self._theme.colour("text_soft"))
            box = QRectF(0, y - high / 2, plot.left() - 6, high)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{share * top:g}")
        foot = QRectF(plot.left(), plot.bottom() + 4, plot.width(), high)
        self._sessions(painter, plot, foot, self._legend(painter, foot))

    def _legend(self, painter: QPainter, foot: QRectF) -> float:
        """What the marks mean, at the right; returns where it begins."""
        metrics = painter.fontMetrics()
        entries = (("succeeded", "full"), ("did not", "ring"), (f"mean of {MEAN_OF} episodes", "line"))
        x = foot.right() - sum(metrics.horizontalAdvance(words) + 38 for words, _mark in entries) + 18
        begins = x
        for words, mark in entries:
            at = QPointF(x + 6, foot.center().y())
            colour = self._theme.colour("accent" if mark == "line" else "text_soft")
            painter.setPen(QPen(colour, 3 if mark == "line" else 1.5))
            painter.setBrush(colour if mark == "full" else Qt.BrushStyle.NoBrush)
            if mark == "line":
                painter.drawLine(at - QPointF(6, 0), at + QPointF(6, 0))
            else:
                painter.drawEllipse(at, _DOT, _DOT)
            painter.setPen(self._theme.colour("text_soft"))
            painter.drawText(QPointF(x + 18, foot.bottom() - metrics.descent()), words)
            x += metrics.horizontalAdvance(words) + 38
        return begins

    def _sessions(self, painter: QPainter, plot: QRectF, foot: QRectF, until: float) -> None:
        """A short line where a session begins, and which it is where there is room up to `until`."""
        metrics = painter.fontMetrics()
        starts = [place for place, rate in enumerate(self.rates) if rate.first]
        for number, place in enumerate(starts):
            x = plot.left() + place / len(self.rates) * plot.width()
            last = number + 1 == len(starts)
            end = plot.right() if last else plot.left() + starts[number + 1] / len(self.rates) * plot.width()
            words = "newest session" if last else "earlier session"
            if number:
                painter.setPen(QPen(self._theme.colour("text_soft"), 1))
                painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, foot.bottom()))
            if x + 6 + metrics.horizontalAdvance(words) < min(end, until) - 6:
                painter.setPen(self._theme.colour("text_soft"))
                painter.drawText(QPointF(x + 6, foot.bottom() - metrics.descent()), words)

    def _versions(self, painter: QPainter, plot: QRectF) -> None:
        """A dashed line where another version acted from, and its name where there is room."""
        free = 0.0
        for place, rate in enumerate(self.rates):
            if not rate.version:
                continue
            x = plot.left() + place / len(self.rates) * plot.width()
            hot = rate.version == self.version
            painter.setPen(QPen(self._theme.colour("accent" if hot else "line_strong"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, plot.top() - 4), QPointF(x, plot.bottom()))
            wide = painter.fontMetrics().horizontalAdvance(rate.version)
            if x >= free and x + wide <= self.width():
                painter.setPen(self._theme.colour("accent" if hot else "text_soft"))
                painter.drawText(QPointF(x, painter.fontMetrics().ascent()), rate.version)
                free = x + wide + 8

    def _mean(self, painter: QPainter, plot: QRectF) -> None:
        path = QPainterPath(self._spot(plot, 0, self.rates[0].mean))
        for place, rate in enumerate(self.rates[1:], 1):
            path.lineTo(self._spot(plot, place, rate.mean))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("accent"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPath(path)

    def _dots(self, painter: QPainter, plot: QRectF) -> None:
        for place, rate in enumerate(self.rates):
            spot = self._spot(plot, place, rate.rate)
            mine = rate.point.version == self.version
            colour = self._theme.colour("text" if mine else "text_soft")
            painter.setPen(QPen(colour, 1.5))
            painter.setBrush(colour if rate.point.success else self._theme.colour("surface"))
            painter.drawEllipse(spot, _DOT, _DOT)
            if place == self.at:
                painter.setPen(QPen(self._theme.colour("accent"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(spot, _DOT + 4, _DOT + 4)
