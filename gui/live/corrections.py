"""The list of corrections, the newest first, each with its state and Undo; below it, interventions per minute."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from gui.actions import Registry
from gui.live.learned import LearnedLine
from gui.notices import clock_text, row_lesson, row_meaning, row_words
from gui.state import MINUTES_SHOWN, LiveState, Row
from gui.theme import GRID, Theme
from gui.widgets.basics import column, command_button, label, restyle, row
from gui.widgets.sparkline import Sparkline

MOST_ROWS = 200
"""Older corrections stay in the log; the list shows the newest."""


class RowView(QFrame):
    """One correction."""

    undo_asked = Signal(str)

    def __init__(self, row_id: str) -> None:
        super().__init__()
        self.row_id = row_id
        self.setObjectName("row")
        self._shown: tuple[Row, bool, str] | None = None
        self._when = label("", "caption")
        self._state = label("", "caption")
        self._text = label("", wrap=True)
        self._meaning = label("", "caption", wrap=True)
        self._lesson = label("", "caption", wrap=True)
        self.undo = QPushButton("Undo")
        self.undo.setProperty("kind", "quiet")
        self.undo.clicked.connect(lambda: self.undo_asked.emit(self.row_id))
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = QWidget()
        layout = row(self._when, self._state, self.undo)
        layout.setStretch(1, 1)
        head.setLayout(layout)
        head.setMinimumHeight(self.undo.sizeHint().height())
        words = (self._text, self._meaning, self._lesson)
        self.setLayout(column(head, *words, spacing=2, margins=(2 * GRID, 6, GRID, 10)))

    def show_row(self, correction: Row, connected: bool, me: str) -> None:
        """Show the correction as it is now."""
        if self._shown == (correction, connected, me):
            return
        self._shown = (correction, connected, me)
        who = "you" if correction.author == me else correction.author
        when = clock_text(correction.session_ns) if correction.session_ns else "--:--"
        words, tone = row_words(correction, connected)
        self._when.setText(f"{when}  {who}")
        self._state.setText(f"·  {words}")
        restyle(self._state, "tone", tone)
        self._text.setText(correction.text)
        meaning = row_meaning(correction)
        self._meaning.setText(meaning)
        self._meaning.setVisible(bool(meaning))
        lesson = row_lesson(correction)
        self._lesson.setText(lesson)
        self._lesson.setVisible(bool(lesson))
        self.undo.setVisible(correction.can_undo)
        self.undo.setToolTip(f"Takes “{correction.text[:60]}” back; it is then no example for learning.")
        self.undo.setAccessibleName(f"Undo {correction.text[:60]}")
        restyle(self, "now", correction.state == "acting")
        self.setAccessibleName(f"{who}: {correction.text}, {words}")


class Corrections(QFrame):
    """The right side of the Live view. `undo_asked` carries the id of a correction."""

    undo_asked = Signal(str)

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("side")
        self._rows: dict[str, RowView] = {}
        self._count = label("", "caption", name="Number of corrections")
        head = QWidget()
        head.setLayout(row(label("Corrections", "strong"), None, self._count, margins=(2 * GRID, 12, 2 * GRID, 8)))
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        inside = QWidget()
        inside.setLayout(self._list)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(inside)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName("Corrections, the newest first")
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._empty = self._empty_state(registry)
        self.learned = LearnedLine(registry)
        self._sparkline = Sparkline(theme)
        self._rate = label("", "caption")
        foot = QWidget()
        caption = QWidget()
        caption.setLayout(row(label("Interventions / min", "caption"), None, self._rate))
        foot.setLayout(column(caption, self._sparkline, spacing=6, margins=(2 * GRID, 12, 2 * GRID, 12)))
        layout = column(head, self._empty, self._scroll, self.learned, foot, spacing=0)
        layout.setStretch(1, 1)
        layout.setStretch(2, 1)
        self.setLayout(layout)

    def _empty_state(self, registry: Registry) -> QWidget:
        empty = QWidget()
        words = label("Nothing is corrected yet. Say what the robot should do instead, and it does it at once.",
                      "soft", wrap=True)  # fmt: skip
        button = command_button(registry.action("say.focus"), "Write a correction", show_keys=True)
        empty.setLayout(column(words, button, None, spacing=12, margins=(2 * GRID, 4, 2 * GRID, 0)))
        return empty

    def refresh(self, state: LiveState, now_ns: int) -> None:
        """Show the corrections and the rate."""
        newest = state.newest_rows()[:MOST_ROWS]
        self._empty.setVisible(not newest)
        self._scroll.setVisible(bool(newest))
        total = len(state.rows)
        self._count.setText(str(total) if total else "")
        wanted = {entry.id for entry in newest}
        for gone in [row_id for row_id in self._rows if row_id not in wanted]:
            self._rows.pop(gone).deleteLater()
        for place, entry in enumerate(newest):
            view = self._rows.get(entry.id)
            if view is None:
                view = self._rows[entry.id] = RowView(entry.id)
                view.undo_asked.connect(self.undo_asked)
                self._list.insertWidget(place, view)
            view.show_row(entry, state.connected, state.author)
        counts = state.interventions(now_ns)
        self._sparkline.set_values(counts)
        self._rate.setText(f"{sum(counts)} in {MINUTES_SHOWN} min")

    def reveal(self, row_id: str) -> bool:
        """Bring a correction into sight and set it off from the others; False where it is not listed."""
        for known, view in self._rows.items():
            restyle(view, "found", known == row_id)
        found = self._rows.get(row_id)
        if found is not None:
            self._scroll.ensureWidgetVisible(found)
        return found is not None

    def row_view(self, row_id: str) -> RowView:
        """The view of one correction; KeyError if it is not listed."""
        return self._rows[row_id]
