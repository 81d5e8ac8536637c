"""Text fields in which the keys of Annotate are text: Enter, arrows and Backspace stay with the field.

Ctrl+Z is the field's while it has something of its own to undo, and the window's then.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

_TEXT_KEYS = frozenset({
    Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right,
    Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Backspace, Qt.Key.Key_Delete,
})  # fmt: skip
_COMMAND = Qt.KeyboardModifier.ControlModifier


def is_text_key(event: QKeyEvent) -> bool:
    """Whether a text field keeps this key from the commands of the window."""
    return event.key() in _TEXT_KEYS and not (
        event.modifiers() & _COMMAND and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
    )


class LineField(QLineEdit):
    """One line. `finished` comes with Enter or when the focus leaves; `left` with Enter only."""

    finished = Signal()
    left = Signal()

    def __init__(self, name: str, placeholder: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setPlaceholderText(placeholder)
        self.returnPressed.connect(self._enter)

    def event(self, event: QEvent) -> bool:
        """Keep text keys; give Ctrl+Z away where there is nothing of its own to undo."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.matches(QKeySequence.StandardKey.Undo) and not self.isUndoAvailable():
                event.ignore()
                return True
            if is_text_key(event):
                event.accept()
                return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What was written counts."""
        super().focusOutEvent(event)
        self.finished.emit()

    def _enter(self) -> None:
        self.finished.emit()
        self.left.emit()


class TextField(QPlainTextEdit):
    """Several lines. `finished` comes when the focus leaves."""

    finished = Signal()

    def __init__(self, name: str, placeholder: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setPlaceholderText(placeholder)
        self.setTabChangesFocus(True)

    def event(self, event: QEvent) -> bool:
        """Keep text keys; give Ctrl+Z away where there is nothing of its own to undo."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.matches(QKeySequence.StandardKey.Undo) and not self.document().isUndoAvailable():
                event.ignore()
                return True
            if is_text_key(event):
                event.accept()
                return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What was written counts."""
        super().focusOutEvent(event)
        self.finished.emit()
