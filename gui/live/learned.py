"""What was learned from the corrections: one line below them in Live, with the ways to the versions and back."""

from __future__ import annotations

from html import escape

from PySide6.QtWidgets import QFrame, QWidget

from gui.actions import Registry
from gui.models.words import Line
from gui.theme import GRID
from gui.widgets.basics import column, command_button, label, restyle, row

_EACH_NS = 1_000_000_000
"""How often the time since is said anew."""


class LearnedLine(QFrame):
    """Not there before the backend told anything; marked for a moment when a version takes over."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("learned")
        self._line: Line | None = None
        self._said_ns = 0
        self._words = label("", "caption", wrap=True, name="What was learned")
        self._words.setContentsMargins(GRID, 0, 0, 0)  # in line with the words of the buttons
        self.models = command_button(registry.action("view.models"), "Models", "quiet", show_keys=True)
        self.roll_back = command_button(registry.action("models.roll_back"), "Roll back", "quiet", show_keys=True)
        buttons = QWidget()
        buttons.setLayout(row(self.models, self.roll_back, None, spacing=4))
        self.setLayout(column(self._words, buttons, spacing=2, margins=(4, 10, GRID, 6)))
        self.hide()

    def show_line(self, line: Line | None, can_go_back: bool, now_ns: int) -> None:
        """Show what is said now; its time once a second."""
        self.setVisible(line is not None)
        self.roll_back.setVisible(can_go_back)
        if line is None:
            return
        restyle(self, "fresh", line.fresh)
        same = self._line is not None and self._line.about == line.about
        if same and now_ns - self._said_ns < _EACH_NS:
            return
        self._line, self._said_ns = line, now_ns
        self._words.setText(line.text)
        self._words.setToolTip(f"<p>{escape(line.tip)}</p>" if line.tip else "")
        restyle(self._words, "tone", line.tone)
        if not same:
            self.setAccessibleName(line.text)
            self.setAccessibleDescription(line.tip)

    def text(self) -> str:
        """What is said now; empty if nothing."""
        return self._words.text() if self._line is not None else ""
