"""Small helpers that every view uses: labels by kind, buttons bound to a command, restyling, a column layout."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gui.actions import keys_shown
from gui.theme import GRID


def label(text: str = "", kind: str = "", *, wrap: bool = False, name: str = "") -> QLabel:
    """A label; `kind` is caption, soft, strong, badge or error; text is always plain."""
    result = QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(wrap)
    if kind:
        result.setProperty("kind", kind)
    if name:
        result.setAccessibleName(name)
    return result


class ElidedLabel(QLabel):
    """One line of caption type that ends in “…” where it does not fit; the whole text is its tooltip."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setProperty("kind", "caption")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show `text`."""
        if text != self.text():
            self.setText(text)
            self.setToolTip(f"<p>{escape(text)}</p>" if text else "")
            self.setAccessibleDescription(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much as fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.end()


def restyle(widget: QWidget, name: str, value: str | bool) -> None:
    """Set a property that the style sheet looks at, and draw again if it changed."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def command_button(action: QAction, text: str = "", kind: str = "", *, show_keys: bool = False) -> QPushButton:
    """A button that triggers `action`, and shows its tooltip, its keys and whether it is enabled."""
    button = QPushButton()
    if kind:
        button.setProperty("kind", kind)

    def update() -> None:
        shown = text or action.text()
        keys = keys_shown(action.shortcut().toString())
        button.setText(f"{shown}   {keys}" if show_keys and keys else shown)
        button.setToolTip(action.toolTip())
        button.setEnabled(action.isEnabled())
        button.setAccessibleName(shown)
        button.setAccessibleDescription(action.statusTip())

    button.clicked.connect(lambda: action.trigger())
    action.changed.connect(update)
    update()
    return button


def row(*items: QWidget | None, spacing: int = GRID, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QHBoxLayout:
    """Widgets beside each other; None is space that stretches."""
    layout = QHBoxLayout()
    _fill(layout, items, spacing, margins)
    return layout


def column(
    *items: QWidget | None, spacing: int = GRID, margins: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> QVBoxLayout:
    """Widgets below each other; None is space that stretches."""
    layout = QVBoxLayout()
    _fill(layout, items, spacing, margins)
    return layout


def _fill(
    layout: QBoxLayout, items: tuple[QWidget | None, ...], spacing: int, margins: tuple[int, int, int, int]
) -> None:
    layout.setSpacing(spacing)
    layout.setContentsMargins(*margins)
    for item in items:
        if item is None:
            layout.addStretch(1)
        else:
            layout.addWidget(item)
