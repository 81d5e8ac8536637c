"""A panel that floats over the window, below what opened it. It is not modal and never covers STOP."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsDropShadowEffect, QWidget

from gui.theme import GRID


class Popover(QFrame):
    """Opens with `open_below` or `open_at`, and closes when the focus goes elsewhere."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("popover")
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(32)
        shadow.setOffset(0, 8)
        shadow.setColor(QColor(0, 0, 0, 90))
        self.setGraphicsEffect(shadow)
        self._before: QWidget | None = None
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_changed)
        self.hide()

    def open_below(self, anchor: QWidget, gap: int = GRID) -> None:
        """Open with the left edge at `anchor`'s, below it, inside the window."""
        place = anchor.mapTo(self.window(), QPoint(0, anchor.height() + gap))
        self.open_at(place)

    def open_at(self, place: QPoint) -> None:
        """Open at `place` of the window, moved inward as far as needed."""
        self._before = QApplication.focusWidget()
        self.adjustSize()
        right = self.window().width() - self.width() - GRID
        below = self.window().height() - self.height() - GRID
        self.move(max(GRID, min(place.x(), right)), max(GRID, min(place.y(), below)))
        self.show()
        self.raise_()

    def close_panel(self) -> None:
        """Close, and give the focus back to where it was."""
        if self.isVisible():
            self.hide()
            if self._before is not None and self._before.isVisible():
                self._before.setFocus()

    def _focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if self.isVisible() and new is not None and new is not self and not self.isAncestorOf(new):
            if new.window() is self.window():
                self.hide()
