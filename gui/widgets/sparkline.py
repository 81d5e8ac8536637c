"""A row of bars: counts over the last minutes, the present minute at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gui.theme import GRID, Theme


class Sparkline(QWidget):
    """Bars of `values`, scaled to the greatest of them and at least to 4."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._values: list[int] = []
        self.setFixedHeight(5 * GRID)
        self.setAccessibleName("Interventions per minute")

    def set_values(self, values: Sequence[int]) -> None:
        """Show other values."""
        if list(values) != self._values:
            self._values = list(values)
            self.setAccessibleDescription(", ".join(str(value) for value in values))
            self.update()

    def sizeHint(self) -> QSize:
        """Wide enough to read."""
        return QSize(200, 5 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars; an empty minute is a thin line, so that time is seen to pass."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        count = max(1, len(self._values))
        pitch = self.width() / count
        top = max(4, *self._values) if self._values else 4
        for place, value in enumerate(self._values):
            height = max(2.0, value / top * self.height())
            painter.setBrush(self._theme.colour("accent" if value else "line_strong"))
            bar = QRectF(place * pitch, self.height() - height, max(2.0, pitch - 4), height)
            painter.drawRoundedRect(bar, 2, 2) if value else painter.drawRect(bar)
        painter.end()
