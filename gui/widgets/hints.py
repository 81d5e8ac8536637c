"""First-run hints: small bubbles, one after the other, that point at a control. They take no focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPolygon
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from gui.theme import GRID, Theme
from gui.widgets.basics import column, label, row

_ARROW = 8
_WIDTH = 480
"""Wide rather than high: the first bubble stands over the alternatives; the command above them must stay in view."""


@dataclass(frozen=True)
class Hint:
    """What to say beside which control; `above`: the bubble stands above it, else below."""

    text: str
    target: Callable[[], QWidget]
    above: bool = True


class Hints(QFrame):
    """The bubble. `finished` is emitted when the last hint was read or all were hidden."""

    finished = Signal()

    def __init__(self, window: QWidget, theme: Theme, hints: tuple[Hint, ...]) -> None:
        super().__init__(window)
        self.setObjectName("hint")
        self._window = window
        self._hints = hints
        self._place = 0
        self._started = False
        self._text = label(wrap=True)
        self._count = label()
        self._next = QPushButton("Next")
        self._next.clicked.connect(self.advance)
        hide = QPushButton("Hide the hints")
        hide.clicked.connect(self._finish)
        foot = QWidget()
        foot.setLayout(row(self._count, None, hide, self._next))
        self.setLayout(column(self._text, foot, spacing=GRID, margins=(14, 10, 14, 10)))
        self.setFixedWidth(_WIDTH)
        self._tip = _Arrow(window, theme)
        self.setVisible(False)

    def start(self) -> None:
        """Show the first hint."""
        self._place = 0
        self._started = True
        self._show()

    def follow(self) -> None:
        """Stay beside the control after the window changed its size, and away while it is not to be seen."""
        if self._started and self._hints[self._place].target().isVisible():
            self._show()
        else:
            self.hide()
            self._tip.hide()

    def _show(self) -> None:
        hint = self._hints[self._place]
        self._text.setText(hint.text)
        self._count.setText(f"{self._place + 1} of {len(self._hints)}")
        self._next.setText("Next" if self._place + 1 < len(self._hints) else "Done")
        self._text.setFixedWidth(self.width() - 28)
        self._text.setFixedHeight(self._text.heightForWidth(self.width() - 28))
        self.adjustSize()
        target, window = hint.target(), self._window
        corner = target.mapTo(window, QPoint(0, 0))
        centre = corner.x() + min(target.width() // 2, 120)
        left = max(GRID, min(corner.x(), window.width() - self.width() - GRID))
        top = corner.y() - self.height() - _ARROW - 2 if hint.above else corner.y() + target.height() + _ARROW + 2
        self.move(left, top)
        self._tip.point_at(centre, top + self.height() if hint.above else top - _ARROW, down=hint.above)
        self.show()
        self.raise_()

    def advance(self) -> None:
        """Show the next hint, or finish after the last."""
        self._place += 1
        if self._place < len(self._hints):
            self._show()
        else:
            self._finish()

    def _finish(self) -> None:
        self._started = False
        self.hide()
        self._tip.hide()
        self.finished.emit()


class _Arrow(QWidget):
    """The small triangle between bubble and control."""

    def __init__(self, window: QWidget, theme: Theme) -> None:
        super().__init__(window)
        self._theme = theme
        self._down = True
        self.setFixedSize(2 * _ARROW, _ARROW)
        self.hide()

    def point_at(self, centre: int, top: int, *, down: bool) -> None:
        """Stand with the middle at `centre`."""
        self._down = down
        self.move(centre - _ARROW, top)
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the triangle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._theme.colour("accent"))
        painter.setBrush(self._theme.colour("accent"))
        tip, base = (_ARROW, 0) if self._down else (0, _ARROW)
        painter.drawPolygon(QPolygon([QPoint(0, base), QPoint(2 * _ARROW, base), QPoint(_ARROW, tip)]))
        painter.end()
