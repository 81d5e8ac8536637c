"""The text box for corrections: one key away, Enter sends, and what cannot be sent stays in it with the reason."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QStringListModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QValidator
from PySide6.QtWidgets import QCompleter, QFrame, QLineEdit, QPushButton, QWidget

from gui.actions import Registry, keys_shown
from gui.theme import GRID
from gui.widgets.basics import column, label, restyle, row
from gui.words import TextError, checked_text
from hitl.messages import MAX_TEXT_CHARS

_MOST_KEPT = 4 * MAX_TEXT_CHARS
"""Longer text is refused before it enters the box, because laying out a megabyte would block the window."""


class _Bounded(QValidator):
    def validate(self, text: str, place: int) -> object:
        if len(text) > _MOST_KEPT:
            return QValidator.State.Invalid, text, place
        return QValidator.State.Acceptable, text, place


class SayBox(QLineEdit):
    """A line that leaves Ctrl+Z to the window when it has no text of its own to undo."""

    def event(self, event: QEvent) -> bool:
        """Let the window's undo through; everything else as a text box does."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.matches(QKeySequence.StandardKey.Undo) and not self.isUndoAvailable():
                event.ignore()
                return True
        return super().event(event)


class SayBar(QFrame):
    """Text box and Send. `sent` carries checked text; the box is cleared by `clear_sent` only."""

    sent = Signal(str)

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("saybar")
        self._bank = QStringListModel(self)
        self.box = SayBox()
        self.box.setAccessibleName("Correction")
        self.box.setAccessibleDescription("Enter sends. Escape leaves the box and stops the robot.")
        self.box.setMaxLength(_MOST_KEPT + 1)
        self.box.setValidator(_Bounded(self.box))
        self.box.setCompleter(self._completer())
        self.box.inputRejected.connect(self._too_long)
        self.box.returnPressed.connect(self.send)
        self.box.textEdited.connect(lambda _text: self.complain(""))
        self._send = QPushButton("Send   Enter")
        self._send.setProperty("kind", "primary")
        self._send.setAccessibleName("Send the correction")
        self._send.setToolTip("Sends the text as your correction (Enter)")
        self._send.clicked.connect(self.send)
        self._error = label("", "error", wrap=True, name="What is wrong with the text")
        self._error.hide()
        action = registry.action("say.focus")

        def update_key() -> None:
            keys = keys_shown(action.shortcut().toString())
            press = f"Press {keys} and say" if keys else "Say"
            self.box.setPlaceholderText(f"{press} what the robot should do instead")
            self.box.setToolTip(
                f"<p>Write a correction ({keys}). Enter sends it. Escape leaves the box and stops the robot; "
                "the text stays.</p>"
            )

        action.changed.connect(update_key)
        update_key()
        line = QWidget()
        line.setLayout(row(self.box, self._send, spacing=12))
        self.setLayout(column(line, self._error, spacing=4, margins=(2 * GRID, 10, 2 * GRID, 10)))

    def set_bank(self, commands: list[str]) -> None:
        """Commands that are offered while the person writes."""
        if commands != self._bank.stringList():
            self._bank.setStringList(commands)

    def focus(self) -> None:
        """Put the cursor into the box."""
        self.box.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def send(self) -> None:
        """Send the text, or say why not and keep it."""
        try:
            words = checked_text(self.box.text())
        except TextError as error:
            self.complain(f"{error.message} {error.hint}")
            self.focus()
            if error.length:
                self.box.setSelection(error.start, error.length)
            return
        self.sent.emit(words)

    def clear_sent(self) -> None:
        """The text was sent: empty the box and give the keys 1 to 5 back to the alternatives."""
        self.box.clear()
        self.complain("")
        self.box.clearFocus()

    def complain(self, text: str) -> None:
        """Show what is wrong, or nothing."""
        self._error.setText(text)
        self._error.setVisible(bool(text))
        restyle(self.box, "bad", bool(text))

    def complaint(self) -> str:
        """What is shown as wrong now."""
        return self._error.text()

    def _too_long(self) -> None:
        self.complain(
            f"That is too long to paste: a correction has at most {MAX_TEXT_CHARS} characters. "
            "The box is as it was, and the text is still on the clipboard."
        )

    def _completer(self) -> QCompleter:
        completer = QCompleter(self._bank, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(7)
        return completer
