"""What was forgotten: versions by tasks as a table of colours with numbers. The newest version is on top.

Only the newest MOST_ROWS are listed; what they are measured against is the best of all before them.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from gui.models.scores import SLIPPED, Cell, Matrix, matrix_of, name_of, points, score_words
from gui.theme import GRID, Theme
from hitl.model_messages import ModelVersion

MOST_ROWS = 40
_LOW = 0.5
"""Scores up to this have the ground's colour."""
_DEEP = 0.35
"""Share of the accent in the colour of a perfect score: the numbers on it stay readable in both themes."""


class MatrixView(QTableWidget):
    """`chosen` carries the name of the version whose row was chosen."""

    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._versions: list[ModelVersion] = []
        self._dark: bool | None = None
        self._heads: list[str] = []
        self._name = ""
        self.matrix: Matrix = matrix_of([])
        self.setAccessibleName("Scores by task, to see what was forgotten")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setMinimumSectionSize(24)
        self.verticalHeader().setHighlightSections(False)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.cellClicked.connect(lambda row, _column: self._choose(row))
        self.cellActivated.connect(lambda row, _column: self._choose(row))
        self.verticalHeader().sectionClicked.connect(self._choose)

    def sizeHint(self) -> QSize:
        """Room for some rows."""
        return QSize(260, 140)

    def minimumSizeHint(self) -> QSize:
        """Room for its head and two rows."""
        return QSize(200, 5 * self.fontMetrics().height() + 20)

    def show_versions(self, versions: Sequence[ModelVersion], name: str) -> None:
        """Show these versions, oldest first; the row of `name` has a mark."""
        if (list(versions), self._dark) != (self._versions, self._theme.dark):
            self._versions, self._dark = list(versions), self._theme.dark
            self.matrix = matrix_of(versions)
            self._fill()
        self._name = name
        for row, version in enumerate(self._listed()):
            head = self.verticalHeaderItem(row)
            shown = f"▸ {version.name}" if version.name == name else version.name
            if head.text() != shown:
                head.setText(shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Columns share the room, and are never narrower than their heads."""
        super().resizeEvent(event)
        self._share()

    def _share(self) -> None:
        header, metrics = self.horizontalHeader(), QFontMetrics(self._theme.font(self._theme.type.caption))
        wanted = [max(metrics.horizontalAdvance(line) for line in head.split("\n")) + 10 for head in self._heads]
        left = self.viewport().width() - sum(wanted)
        for column, wide in enumerate(wanted):
            header.resizeSection(column, wide + max(0, left // len(wanted)))

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        self._dark = None
        self.show_versions(self._versions, self._name)

    def _fill(self) -> None:
        matrix = self.matrix
        self._heads = []
        self.clear()
        self.setRowCount(len(self._listed()))
        self.setColumnCount(len(matrix.tasks))
        self._heads = [f"{name_of(task)}\n{points(-fallen) if fallen > 0 else 'best yet'}"
                       for task, fallen in zip(matrix.tasks, matrix.forgotten, strict=True)]  # fmt: skip
        high = self.fontMetrics().height()
        for column, task in enumerate(matrix.tasks):
            fallen = matrix.forgotten[column]
            item = QTableWidgetItem(self._heads[column])
            words = f"{name_of(task)}: " + (
                f"{100 * fallen:.1f} points below the best version before." if fallen else "as good as ever."
            )
            item.setToolTip(f"<p>{words}</p>")
            if fallen > SLIPPED:
                item.setForeground(self._theme.colour("warn"))
            self.setHorizontalHeaderItem(column, item)
        for row, version in enumerate(self._listed()):
            self.setVerticalHeaderItem(row, QTableWidgetItem(version.name))
            self.setRowHeight(row, high + 8)
            for column, task in enumerate(matrix.tasks):
                cell = matrix.rows[len(matrix.versions) - 1 - row][column]
                self.setItem(row, column, self._item(cell, version, task))
        names = QFontMetrics(self._theme.font(self._theme.type.caption))
        widest = max((names.horizontalAdvance(f"▸ {version.name}") for version in self._listed()), default=0)
        self.verticalHeader().setFixedWidth(widest + 2 * GRID)
        self._share()

    def _item(self, cell: Cell | None, version: ModelVersion, task: str) -> QTableWidgetItem:
        if cell is None:
            item = QTableWidgetItem("–")
            item.setForeground(self._theme.colour("text_soft"))
            words = f"{version.name}: {name_of(task)} was not measured."
        else:
            item = QTableWidgetItem(f"{'▼ ' if cell.slipped else ''}{100 * cell.score:.0f}")
            item.setBackground(self._theme.colour("warn_soft") if cell.slipped else self._shade(cell.score))
            words = f"{version.name}: {name_of(task)} {score_words(version, task)}"
            words += f", {100 * cell.fallen:.1f} points below the best before" if cell.fallen > 0 else ""
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        item.setToolTip(f"<p>{words}</p>")
        item.setData(Qt.ItemDataRole.AccessibleTextRole, words)
        return item

    def _shade(self, score: float) -> QColor:
        share = _DEEP * max(0.0, min(1.0, (score - _LOW) / (1 - _LOW)))
        ground, accent = self._theme.colour("surface"), self._theme.colour("accent")
        pairs = ((ground.red(), accent.red()), (ground.green(), accent.green()), (ground.blue(), accent.blue()))
        mixed = [round(low + share * (high - low)) for low, high in pairs]
        return QColor(*mixed)

    def _listed(self) -> list[ModelVersion]:
        """The versions of the rows, from top to bottom."""
        return list(reversed(self.matrix.versions[-MOST_ROWS:]))

    def _choose(self, row: int) -> None:
        listed = self._listed()
        if 0 <= row < len(listed):
            self.chosen.emit(listed[row].name)
