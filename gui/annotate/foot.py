"""The bar below: how far the person is, time, what the model has learned, what comes next, whether all is saved."""

from __future__ import annotations

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
        self._time = label("", "soft", name="Time on this item")
        self._state = label("", name="State of the item")
        self._learned = ElidedLabel("What the model has learned")
        self._order = ElidedLabel("What comes next")
        self._saved = label("", "caption", name="Saved")
        self._said = ElidedLabel("Message")
        self._buttons = [
            command_button(registry.action("item.previous"), "Previous", "quiet", show_keys=False),
            command_button(registry.action("item.skip"), "Skip", "quiet", show_keys=True),
            command_button(registry.action("item.flag"), "Flag", "quiet", show_keys=True),
            command_button(registry.action("item.finish"), "Save and next", "primary", show_keys=True),
        ]
        left: list[QWidget | None] = [self._place, self._time, self._state, self._learned, self._order]
        layout = row(*left, self._said, self._saved, *self._buttons, spacing=2 * GRID, margins=(2 * GRID, 6, GRID, 6))
        layout.setStretch(3, 3)
        layout.setStretch(4, 2)
        layout.setStretch(5, 3)
        self.setLayout(layout)

    def show_bench(self, bench: Workbench, connected: bool) -> None:
        """Show how things stand."""
        state, editor = bench.state, bench.editor
        self._place.setText(queue_words(state.queue, bench.item) if editor is not None else "")
        self._time.setText(time_words(bench.spent_s()) if editor is not None else "")
        review = editor.labels.review.state if editor is not None else "open"
        self._state.setText({"done": "✓ done", "flagged": "⚑ flagged", "skipped": "skipped"}.get(review, ""))
        restyle(self._state, "tone", {"done": "good", "flagged": "warn"}.get(review, "soft"))
        learned = progress_words(state.schema, state.progress)
        self._learned.show_text(learned or ("" if state.learner else "no learner is connected"))
        self._order.show_text(order_words(state.queue) if editor is not None else "")
        said = state.error or bench.said
        self._said.show_text(said)
        restyle(self._said, "tone", "danger" if state.error else "")
        words, tone = saved_words(len(state.pending), connected)
        self._saved.setText(words)
        restyle(self._saved, "tone", tone)

    def text(self) -> str:
        """All that is said."""
        parts = (self._place, self._time, self._state, self._learned, self._order, self._said, self._saved)
        return " · ".join(part.text() for part in parts if part.text())
