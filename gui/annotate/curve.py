"""The learning curve: error-F1 of each head on items kept out of training, against how many items were labelled."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gui.annotate.marks import score_text
from gui.annotate.words import short_head
from gui.theme import Theme
from hitl.annotation.schema import Schema
from hitl.annotation_messages import Progress

_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


class Curve(QWidget):
    """One line for each head; each has its own stroke and its name at its end."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._schema: Schema | None = None
        self._progress: Progress | None = None
        self.setAccessibleName("Learning curve")

    def show_progress(self, schema: Schema | None, progress: Progress | None) -> None:
        """Show what the learner told last."""
        if (schema, progress) == (self._schema, self._progress):
            return
        self._schema, self._progress = schema, progress
        self.setAccessibleDescription(self._words())
        self.setToolTip(f"<p>{self._words()}</p>")
        self.update()

    def _words(self) -> str:
        if self._progress is None or not self._progress.curve:
            return "Held-out F1 of each head against labelled items. There is no measurement yet."
        last = self._progress.curve[-1]
        scores = ", ".join(f"{self._short(head)} {score_text(f1)}" for head, f1 in last.f1.items())
        return f"Held-out F1 after {last.labelled} labelled items: {scores}. {self._progress.reason}".strip()

    def _name(self, head: str, f1: float) -> str:
        return f"{self._short(head)} {score_text(f1)}"

    def _short(self, head: str) -> str:
        return short_head(self._schema, head)

    def sizeHint(self) -> QSize:
        """Room for a small plot."""
        return QSize(200, 100 + 2 * self._theme.type.body)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axes, lines and names; or say what will be here."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font(self._theme.type.caption))
        metrics = painter.fontMetrics()
        soft = self._theme.colour("text_soft")
        points = self._progress.curve if self._progress is not None else []
        last = points[-1].f1 if points else {}
        widest = max((metrics.horizontalAdvance(self._name(head, f1)) for head, f1 in last.items()), default=40)
        names = min(widest + 10, self.width() * 2 // 5)
        plot = QRectF(metrics.horizontalAdvance("1.0") + 8, metrics.height() / 2, 0, 0)
        plot.setRight(self.width() - names)
        plot.setBottom(self.height() - metrics.height() - 6)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        for level in (0.0, 0.5, 1.0):
            y = plot.bottom() - level * plot.height()
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        painter.setPen(soft)
        for level in (0, 1):
            high = metrics.height()
            box = QRectF(0, plot.bottom() - level * plot.height() - high / 2, plot.left() - 6, high)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{level}")
        foot = QRectF(plot.left(), plot.bottom() + 3, plot.width(), metrics.height() + 2)
        if not points:
            words = "The learner has measured nothing yet." if self._progress is None else "No curve yet."
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        else:
            painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, "0")
            painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{points[-1].labelled} labelled")
            self._lines(painter, plot)
        painter.end()

    def _lines(self, painter: QPainter, plot: QRectF) -> None:
        assert self._progress is not None
        points = self._progress.curve
        most = max(1, points[-1].labelled)
        taken: list[float] = []
        for place, head in enumerate(points[-1].f1):
            colour = self._colour(head)
            path = QPainterPath()
            spots = [QPointF(plot.left() + point.labelled / most * plot.width(),
                             plot.bottom() - point.f1[head] * plot.height())
                     for point in points if head in point.f1]  # fmt: skip
            path.moveTo(spots[0])
            for spot in spots[1:]:
                path.lineTo(spot)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour, 2, _STYLES[place % len(_STYLES)]))
            painter.drawPath(path)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(spots[-1], 3, 3)
            height = painter.fontMetrics().height()
            y = _free(spots[-1].y(), taken, height - 2, self.height() - height / 2)
            taken.append(y)
            painter.setPen(colour)
            box = QRectF(plot.right() + 7, y - height / 2, self.width() - plot.right(), height)
            text = self._name(head, points[-1].f1[head])
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _colour(self, head: str) -> QColor:
        """That of the head's first category."""
        of_head = self._schema.of_head(head) if self._schema is not None else []
        return self._theme.mark(of_head[0].colour) if of_head else self._theme.colour("text")


def _free(wanted: float, taken: list[float], apart: float, lowest: float) -> float:
    """The nearest height to the wanted one, below or above, that is `apart` from those that are taken."""
    steps = sorted(range(-len(taken) - 1, len(taken) + 2), key=lambda step: (abs(step), -step))
    heights = [base + step * apart for base in (wanted, *taken) for step in steps]
    free = [y for y in heights if y <= lowest and all(abs(y - other) >= apart - 0.01 for other in taken)]
    return min(free, key=lambda y: abs(y - wanted), default=wanted)
