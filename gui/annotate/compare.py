"""Which of two answers is better, pair by pair; preferences that contradict each other are named at once."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QTextBrowser, QWidget

from gui.actions import Registry
from gui.annotate.editor import ItemEditor
from gui.annotate.preferences import chance, cycle, cycle_words, opinion_words, pairs, ranks
from gui.theme import GRID, Theme
from gui.widgets.basics import column, command_button, label, restyle, row
from gui.widgets.flow import FlowLayout
from hitl.annotation_messages import Progress
from hitl.labels import Winner

_HEAD = "preference"
"""The head that learns of preferences, as the learner calls it."""


class _Side(QFrame):
    """One answer of the pair."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self._title = label("", "strong")
        self._rank = label("", "caption")
        self.text = QTextBrowser()
        self.text.setAccessibleName(name)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.text.setOpenLinks(False)
        head = QWidget()
        head.setLayout(row(self._title, None, self._rank))
        layout = column(head, self.text, spacing=GRID, margins=(12, 10, 12, 12))
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def show_output(self, title: str, rank: str, text: str) -> None:
        """Show an answer."""
        self._title.setText(title)
        self._rank.setText(rank)
        if self.text.toPlainText() != text:
            self.text.setPlainText(text)


class ComparePage(QWidget):
    """`preferred` carries a pair and its winner."""

    preferred = Signal(str, str, str)

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self._theme = theme
        self._pairs: list[tuple[str, str]] = []
        self._item = ""
        self._place = 0
        self._heading = label("", "strong", name="Pair")
        self._chips = QWidget()
        self._chip_row = FlowLayout(6)
        self._chips.setLayout(self._chip_row)
        self._editor: ItemEditor | None = None
        self._progress: Progress | None = None
        self._opinion = label("", "caption", wrap=True, name="The model’s opinion")
        self._opinion.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._warning = label("", "badge", wrap=True, name="Contradiction")
        self.left, self.right = _Side("Left answer"), _Side("Right answer")
        sides, keys = QWidget(), QWidget()
        both = row(self.left, self.right, spacing=2 * GRID)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        sides.setLayout(both)
        self._buttons = [
            command_button(registry.action(f"compare.{name}"), words, "small", show_keys=True)
            for name, words in (("first", "Left is better"), ("tie", "Equal"), ("second", "Right is better"))
        ]
        for button in self._buttons:
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        wrapped = FlowLayout(GRID)
        for button in self._buttons:
            wrapped.addWidget(button)
        keys.setLayout(wrapped)
        layout = column(self._heading, self._chips, self._warning, sides, self._opinion, keys, spacing=GRID,
                        margins=(2 * GRID, GRID, 2 * GRID, 12))  # fmt: skip
        layout.setStretch(3, 1)
        self.setLayout(layout)

    def show_editor(self, editor: ItemEditor, progress: Progress | None = None) -> None:
        """Show the pairs of an editor's item. progress: how far the model is that has an opinion of them."""
        self._editor, self._progress = editor, progress
        tracks = [output.track for output in editor.item.outputs]
        names = {track: f"Answer {number}" for number, track in enumerate(tracks, 1)}
        preferences = editor.labels.preferences()
        if editor.item.id != self._item:
            self._item, self._pairs = editor.item.id, pairs(tracks)
            self._place = next((i for i, pair in enumerate(self._pairs) if pair not in preferences), 0)
        if not self._pairs:
            return
        first, second = self._pairs[self._place]
        chain = cycle(preferences)
        known = ranks(tracks, preferences)
        given = sum(pair in preferences for pair in self._pairs)
        self._heading.setText(f"Pair {self._place + 1} of {len(self._pairs)}, {given} decided")
        self._warning.setText(cycle_words(chain, names))
        self._warning.setVisible(bool(chain))
        winner = preferences[(first, second)].winner if (first, second) in preferences else ""
        for side, track in ((self.left, first), (self.right, second)):
            rank = f"rank {known[track]}" if known else ""
            side.show_output(names[track], rank, editor.item.output(track).text)
        for button, value in zip(self._buttons, ("first", "tie", "second"), strict=True):
            restyle(button, "on", winner == value)
        self._show_opinion(editor, names, first, second)
        bad = {(edge.better, edge.worse) for edge in chain} | {(edge.worse, edge.better) for edge in chain}
        self._show_chips(editor, bad)

    def choose(self, winner: Winner) -> None:
        """Say which is better, and go to the next pair that is open."""
        if self._pairs:
            self.preferred.emit(*self._pairs[self._place], winner)

    def onward(self, editor: ItemEditor) -> None:
        """To the next open pair, if there is one."""
        known = editor.labels.preferences()
        order = [*range(self._place + 1, len(self._pairs)), *range(self._place)]
        self._place = next((i for i in order if self._pairs[i] not in known), self._place)

    def go(self, step: int) -> None:
        """Show another pair."""
        if self._pairs:
            self._place = (self._place + step) % len(self._pairs)

    def _show_opinion(self, editor: ItemEditor, names: dict[str, str], first: str, second: str) -> None:
        """What the model thinks of the pair; it chooses nothing."""
        scores = editor.suggestions.preferences if editor.suggestions is not None else []
        of = dict(zip(names, scores, strict=False))
        agrees = self._progress.pairwise.get(_HEAD) if self._progress is not None else None
        likely = chance(of.get(first), of.get(second))
        self._opinion.setText(opinion_words(names[first], names[second], likely, agrees))
        self._opinion.setVisible(bool(self._opinion.text()))

    def _show_chips(self, editor: ItemEditor, bad: set[tuple[str, str]]) -> None:
        while self._chip_row.count() < len(self._pairs):
            button = QPushButton()
            button.setProperty("kind", "small")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            number = self._chip_row.count()
            button.clicked.connect(lambda _checked=False, place=number: self._jump(place))
            self._chip_row.addWidget(button)
        preferences = editor.labels.preferences()
        tracks = [output.track for output in editor.item.outputs]
        signs = {"first": ">", "second": "<", "tie": "="}
        for place in range(self._chip_row.count()):
            chip = self._chip_row.widget_at(place)
            assert isinstance(chip, QPushButton)
            chip.setVisible(place < len(self._pairs))
            if place >= len(self._pairs):
                continue
            first, second = self._pairs[place]
            given = preferences.get((first, second))
            sign = signs[given.winner] if given is not None else "?"
            text = f"{tracks.index(first) + 1} {sign} {tracks.index(second) + 1}"
            chip.setText(f"{text}  !" if (first, second) in bad else text)
            chip.setAccessibleName(f"Pair {text}{', contradicts others' if (first, second) in bad else ''}")
            restyle(chip, "on", place == self._place)
            restyle(chip, "bad", (first, second) in bad)

    def _jump(self, place: int) -> None:
        if self._editor is not None:
            self._place = place
            self.show_editor(self._editor, self._progress)
