"""Two versions side by side: their scores, and what only one of them knows."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QScrollArea, QTableWidget, QTableWidgetItem, QWidget

from gui.actions import Registry
from gui.models.comparing import Comparison, compare
from gui.models.lineage import fate_of
from gui.models.scores import SLIPPED, name_of, percent, points
from gui.models.state import ModelsState
from gui.models.words import FATES, change_words, counted
from gui.theme import GRID, Theme
from gui.widgets.basics import column, command_button, label, row
from hitl.model_messages import ModelVersion, TaughtBy


class ComparePane(QScrollArea):
    """The chosen version at the left, the second one at the right."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self._theme = theme
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._shown: tuple[ModelVersion, ModelVersion, bool] | None = None
        self.comparison: Comparison | None = None
        self._title = label("", "strong", wrap=True, name="The versions that are compared")
        self.end = command_button(registry.action("models.compare"), "Back to one", "small", show_keys=True)
        self.table = QTableWidget()
        self.table.setColumnCount(4)
        self.table.setAccessibleName("Scores of both versions")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._shared = label("", "soft", wrap=True)
        self._sides = [(label("", "strong", wrap=True), label("", wrap=True)) for _side in range(2)]
        head, sides = QWidget(), QWidget()
        layout = row(self._title, self.end)
        layout.setStretch(0, 1)
        head.setLayout(layout)
        parts = []
        for title, words in self._sides:
            part = QWidget()
            words.setAlignment(Qt.AlignmentFlag.AlignTop)
            part.setLayout(column(title, words, None, spacing=4))
            parts.append(part)
        both = row(*parts, spacing=2 * GRID)
        both.setStretch(0, 1)
        both.setStretch(1, 1)
        sides.setLayout(both)
        inside = QWidget()
        whole = column(head, self.table, self._shared, sides, None, spacing=10, margins=(2 * GRID, 12, 2 * GRID, 12))
        inside.setLayout(whole)
        self.setWidget(inside)

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        self._shown = None

    def show_versions(self, state: ModelsState, first: ModelVersion, second: ModelVersion) -> None:
        """Show two versions."""
        if self._shown == (first, second, self._theme.dark):
            return
        self._shown = (first, second, self._theme.dark)
        found = self.comparison = compare(first, second)
        self._title.setText(" and ".join(
            f"{version.name} ({FATES[fate_of(version, state.history)]})" for version in (first, second)))  # fmt: skip
        self._fill(found)
        known = bool(first.taught or second.taught)
        self._shared.setText(
            f"Both know {counted(found.shared, 'correction')}."
            if known
            else "Which corrections taught them is not told."
        )
        self._side(0, first, found.only_first, found.commands_first)
        self._side(1, second, found.only_second, found.commands_second)

    def _fill(self, found: Comparison) -> None:
        table, high = self.table, self.fontMetrics().height() + 8
        table.setRowCount(len(found.scores))
        table.setHorizontalHeaderLabels(["", found.first.name, found.second.name, "difference"])
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place, pair in enumerate(found.scores):
            words = change_words(pair.name, pair.first, pair.second)
            shown = [name_of(pair.name), *(percent(s) if s is not None else "–" for s in (pair.first, pair.second)),
                     "" if pair.gain is None else points(pair.gain)]  # fmt: skip
            for number, text in enumerate(shown):
                item = QTableWidgetItem(text)
                side = Qt.AlignmentFlag.AlignLeft if number == 0 else Qt.AlignmentFlag.AlignHCenter
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(words)
                item.setData(Qt.ItemDataRole.AccessibleTextRole, words)
                if number == 3 and pair.gain is not None and abs(pair.gain) > SLIPPED:
                    item.setForeground(self._theme.colour("good" if pair.gain > 0 else "warn"))
                table.setItem(place, number, item)
            table.setRowHeight(place, high)
        table.setFixedHeight(header.sizeHint().height() + high * len(found.scores) + 4)
        table.setVisible(bool(found.scores))

    def _side(self, place: int, version: ModelVersion, taught: Sequence[TaughtBy], commands: Sequence[str]) -> None:
        title, words = self._sides[place]
        title.setText(f"Only {version.name} knows")
        lines = [f"“{entry.text}”, {entry.author}" if entry.author else f"“{entry.text}”" for entry in taught]
        lines += [f"the command “{command}”" for command in commands]
        words.setText("\n".join(lines) or "nothing that the other does not.")
