"""The bar below: how far the person is, time, what the model has learned, what comes next, whether all is saved."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QWidget

from gui.actions import Registry
from gui.annotate.words import order_words, progress_words, queue_words, saved_words, time_words
from gui.annotate.workbench import Workbench
from gui.theme import GRID
from gui.widgets.basics import ElidedLabel, command_button, label, restyle, row


class Foot(QFrame):
    """Words at the left, the way on at the right."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("footbar")
        self._place = label("", "strong", name="Item")
        self._state = label("", name="State of the item")
        self._words = ElidedLabel("Time, learning, and what comes next")
        self._saved = label("", "caption", name="Saved")
        names = (
            ("item.previous", "Previous", "quiet"),
            ("item.skip", "Skip", "quiet"),
            ("item.flag", "Flag", "quiet"),
        )
        quiet = [command_button(registry.action(name), words, kind) for name, words, kind in names]
        finish = command_button(registry.action("item.finish"), "Save and next", "primary", show_keys=True)
        for button in (*quiet, finish):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        buttons = QWidget()
        buttons.setLayout(row(*quiet, finish, spacing=4))
        parts = (self._place, self._state, self._words, self._saved, buttons)
        layout = row(*parts, spacing=2 * GRID, margins=(2 * GRID, 6, GRID, 6))
        layout.setStretch(2, 1)
        self.setLayout(layout)

    def show_bench(self, bench: Workbench, connected: bool) -> None:
        """Show how things stand."""
        state, editor = bench.state, bench.editor
        self._place.setText(queue_words(state.queue, bench.item) if editor is not None else "")
        review = editor.labels.review.state if editor is not None else "open"
        self._state.setText({"done": "✓ done", "flagged": "⚑ flagged", "skipped": "skipped"}.get(review, ""))
        self._state.setVisible(bool(self._state.text()))
        restyle(self._state, "tone", {"done": "good", "flagged": "warn"}.get(review, "soft"))
        learned = progress_words(state.schema, state.progress) or ("" if state.learner else "no learner is connected")
        parts = (time_words(bench.spent_s()), learned, order_words(state.queue)) if editor is not None else ()
        said = state.error or bench.said
        self._words.show_text(said or " · ".join(part for part in parts if part))
        restyle(self._words, "tone", "danger" if state.error else "accent" if bench.said else "")
        words, tone = saved_words(len(state.pending), connected)
        self._saved.setText(words)
        restyle(self._saved, "tone", tone)

    def text(self) -> str:
        """All that is said."""
        parts = (self._place, self._state, self._words, self._saved)
        return " · ".join(part.text() for part in parts if part.text())
