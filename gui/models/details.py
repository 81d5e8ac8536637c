"""One version in words: what it is, what the gate said, its scores, and the corrections that it was learned from."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QWidget,
)

from gui.actions import Registry
from gui.models.lineage import fate_of
from gui.models.scores import ScoreRow, score_rows
from gui.models.state import ModelsState
from gui.models.words import FATES, counted, facts_of, taught_words, verdict_of
from gui.theme import GRID, Theme
from gui.widgets.basics import column, command_button, label, restyle, row
from gui.widgets.flow import FlowLayout
from hitl.model_messages import ModelVersion

_TONES = {"acts": "accent", "earlier": "soft", "rolled back": "soft", "refused": "warn"}


def _beside(*buttons: QPushButton) -> QWidget:
    """Buttons in a line, or in several where that is too narrow."""
    part = QWidget()
    layout = FlowLayout(GRID)
    for button in buttons:
        layout.addWidget(button)
    part.setLayout(layout)
    return part


class Question(QFrame):
    """Asks once more whether a version that the gate refused is to act."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("notice")
        self._words = label("", wrap=True)
        self.promote = command_button(
            registry.action("models.promote"), "Promote all the same", "small", show_keys=True
        )
        self.leave = command_button(registry.action("models.leave"), "Leave it", "small", show_keys=True)
        self.setLayout(column(self._words, _beside(self.promote, self.leave), margins=(12, 10, 12, 10)))
        restyle(self, "tone", "warn")
        self.hide()

    def ask(self, version: ModelVersion | None) -> None:
        """Ask about a version; None: nothing is asked."""
        self.setVisible(version is not None)
        if version is not None:
            self._words.setText(f"The gate refused {version.name} for the reasons above. Is it to act all the same?")
            self.setAccessibleName(self._words.text())


class ScoreTable(QWidget):
    """The scores of a version with their intervals, and what they were before it."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(2, 1)
        self._rows: list[list[QLabel]] = []

    def show_scores(self, rows: tuple[ScoreRow, ...]) -> None:
        """Show these scores."""
        while len(self._rows) < len(rows):
            cells = [label("", "soft"), label(), label("", "caption", wrap=True)]
            for number, cell in enumerate(cells):
                self._grid.addWidget(cell, len(self._rows), number)
            self._rows.append(cells)
        for place, cells in enumerate(self._rows):
            shown = rows[place] if place < len(rows) else ScoreRow("", "")
            rest = (shown.around, f"was {shown.before}" if shown.before else "")
            texts = (shown.name, shown.value, "   ".join(part for part in rest if part))
            for cell, text in zip(cells, texts, strict=True):
                cell.setText(text)
                cell.setVisible(place < len(rows))
            cells[1].setAccessibleName(" ".join(texts).strip())
            cells[2].setToolTip("Interval at 95 %, as if moments were independent of each other (Wilson).")
        self.setVisible(bool(rows))


class DetailsPane(QScrollArea):
    """`wanted` carries the id of a correction that is to be seen in Live."""

    wanted = Signal(str)

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self._theme = theme
        self._state: ModelsState | None = None
        self._version: ModelVersion | None = None
        self._here: frozenset[str] = frozenset()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._name = label("", "strong", name="The version that is looked at")
        self._fate = label("", "caption")
        self._facts = label("", "caption", wrap=True)
        self._verdict = label("", "strong", wrap=True)
        self._reasons = label("", wrap=True)
        self.question = Question(registry)
        self.promote = command_button(registry.action("models.promote"), "Promote", "small", show_keys=True)
        self.compare = command_button(registry.action("models.compare"), "Compare", "small", show_keys=True)
        self.scores = ScoreTable()
        self._commands = label("", "soft", wrap=True)
        self._learned = label("Learned from", "strong")
        self.list = QListWidget()
        self.list.setAccessibleName("Corrections that it was learned from")
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setObjectName("labels")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentItemChanged.connect(lambda *_items: self._tell())
        self.list.itemActivated.connect(lambda _item: self._go())
        self.about = label("", "caption", wrap=True, name="About the chosen correction")
        self.show_in_live = QPushButton("Show in Live")
        self.show_in_live.setProperty("kind", "small")
        self.show_in_live.setToolTip("Goes to this correction in Live (Enter in the list)")
        self.show_in_live.clicked.connect(self._go)
        self._teaching = self._empty(registry)
        self._build()
        self.restyle()

    def _empty(self, registry: Registry) -> QWidget:
        words = label(
            "Nothing is learned yet. Say what the robot should do instead: a moment later a version that was learned "
            "from it appears at the left, with what the gate said, and acts.", wrap=True,
        )  # fmt: skip
        self.say = command_button(registry.action("say.focus"), "Write a correction", "primary", show_keys=True)
        part = QWidget()
        buttons = QWidget()
        buttons.setLayout(row(self.say, None))
        part.setLayout(column(words, buttons, spacing=12))
        return part

    def _build(self) -> None:
        head, foot = QWidget(), QWidget()
        head.setLayout(row(self._name, self._fate, None, spacing=12))
        self._buttons = _beside(self.compare, self.promote)
        layout = row(self.about, self.show_in_live)
        layout.setStretch(0, 1)
        layout.setAlignment(self.show_in_live, Qt.AlignmentFlag.AlignTop)
        foot.setLayout(layout)
        self._foot = foot
        inside = QWidget()
        whole = column(
            head, self._facts, self._verdict, self._reasons, self.question, self._buttons, self._teaching, self.scores,
            self._commands, self._learned, self.list, foot, spacing=6, margins=(2 * GRID, 12, GRID, 12),
        )  # fmt: skip
        whole.setStretch(10, 1)
        whole.addStretch(0)
        inside.setLayout(whole)
        self.setWidget(inside)

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.list.setMinimumHeight(7 * self._theme.type.body)

    def show_version(
        self, state: ModelsState, version: ModelVersion, asked: bool, here: frozenset[str], here_and_there: bool
    ) -> None:
        """Show a version. asked: whether it is asked once more if it is to act; here: ids of corrections that Live
        lists; here_and_there: whether another one can be compared with it."""
        self._state, self._here = state, here
        fate = fate_of(version, state.history)
        self._name.setText(version.name)
        self._fate.setText(FATES[fate])
        restyle(self._fate, "tone", _TONES[fate])
        self._facts.setText(facts_of(version, state))
        verdict, tone = verdict_of(version, state)
        self._verdict.setText(verdict)
        restyle(self._verdict, "tone", tone)
        self._reasons.setText("\n".join(version.reasons))
        self._reasons.setVisible(bool(version.reasons))
        self._verdict.setVisible(not state.only_packaged)
        self.question.ask(version if asked else None)
        self.promote.setVisible(fate != "acts" and not asked)
        self.compare.setVisible(here_and_there and not asked)
        self._buttons.setVisible(not asked and (fate != "acts" or here_and_there))
        self._teaching.setVisible(state.only_packaged)
        self.scores.show_scores(score_rows(version))
        added = ", ".join(f"“{command}”" for command in version.new_commands)
        self._commands.setText(f"New commands: {added}")
        self._commands.setVisible(bool(added))
        self._show_taught(version)

    def _show_taught(self, version: ModelVersion) -> None:
        there = bool(version.taught)
        for part in (self.list, self._foot):
            part.setVisible(there)
        self._learned.setVisible(version.part != "packaged")
        left_out = version.corrections - len(version.taught)
        if not there:
            self._learned.setText("Which corrections taught it is not told." if version.corrections else
                                  "No correction is left in it.")  # fmt: skip
        else:
            beside = f", and {left_out} that the log no longer has" if left_out > 0 else ""
            self._learned.setText(f"Learned from {counted(len(version.taught), 'correction')}{beside}")
        if self._version is None or version.taught != self._version.taught or version.name != self._version.name:
            self.list.clear()
            for taught in version.taught:
                meant = f"   → {taught.command}" if taught.command and taught.command != taught.text else ""
                item = QListWidgetItem(f"{taught.text}{meant}")
                item.setToolTip(f"<p>{escape(item.text())}</p>")
                self.list.addItem(item)
            self.list.setCurrentRow(len(version.taught) - 1)
        self._version = version
        self._tell()

    def _chosen(self) -> str:
        place = self.list.currentRow()
        taught = self._version.taught if self._version is not None else []
        return taught[place].id if 0 <= place < len(taught) else ""

    def _tell(self) -> None:
        chosen = self._chosen()
        self.show_in_live.setEnabled(chosen in self._here)
        if self._version is None or self._state is None or not chosen:
            self.about.setText("")
            return
        taught = self._version.taught[self.list.currentRow()]
        words = taught_words(taught, self._state.knowing(taught.id))
        if chosen not in self._here:
            words += " It is of another session, so Live does not list it."
        self.about.setText(words)

    def _go(self) -> None:
        if self._chosen() in self._here:
            self.wanted.emit(self._chosen())
