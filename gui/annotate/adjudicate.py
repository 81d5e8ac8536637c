"""Labels of several people side by side: a row for each place, a column for each person; Enter takes a span over."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gui.annotate.agreement import Place, agreement, places
from gui.annotate.editor import ItemEditor
from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.words import quoted
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label
from hitl.errors import InputError
from hitl.labels import Span


class AdjudicatePage(QWidget):
    """`taken` carries the author and key of a span to take over; `shown` the range of the current place."""

    taken = Signal(str, str)
    shown = Signal(int, int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._places: list[Place] = []
        self._authors: list[str] = []
        self._editor: ItemEditor | None = None
        self._heading = label("", "strong", name="Agreement")
        self._how = label(
            "Arrows choose a cell, Enter takes it over, Ctrl+L goes back to marking.", "caption", wrap=True
        )
        self.table = QTableWidget()
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName("Labels of all people")
        self.table.setWordWrap(True)
        self.table.setFrameShape(QFrame.Shape.NoFrame)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.cellDoubleClicked.connect(lambda _row, _column: self.take())
        self.table.currentCellChanged.connect(lambda *_cells: self._tell())
        head = QWidget()
        head.setLayout(column(self._heading, self._how, spacing=2, margins=(2 * GRID, GRID, 2 * GRID, GRID)))
        layout = column(head, self.table, spacing=0)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def show_editor(self, editor: ItemEditor, author: str) -> None:
        """Show the labels of all on an editor's output; `author` is this person."""
        everybody = {author: editor.labels, **editor.others}
        found = places(everybody, editor.track)
        if (editor, found, list(everybody)) == (self._editor, self._places, self._authors):
            return
        where = self.table.currentRow(), self.table.currentColumn()
        self._editor, self._places, self._authors = editor, found, list(everybody)
        agreed, count = agreement(everybody, editor.track)
        people = f"{len(everybody)} people" if len(everybody) > 1 else "Nobody else has labelled this item yet"
        self._heading.setText(f"{people}, the same at {agreed} of {count} places" if len(everybody) > 1 else people)
        self._fill(editor, author)
        row_now = max(0, min(where[0], len(found) - 1))
        self.table.setCurrentCell(row_now, max(0, min(where[1] if where[1] >= 0 else 1, len(everybody) - 1)))

    def go(self, down: int, right: int) -> None:
        """To another cell."""
        rows, columns = self.table.rowCount(), self.table.columnCount()
        if rows and columns:
            to = self.table.currentRow() + down, self.table.currentColumn() + right
            self.table.setCurrentCell(max(0, min(to[0], rows - 1)), max(0, min(to[1], columns - 1)))

    def take(self) -> None:
        """Take over what the current cell says."""
        line, place = self.table.currentRow(), self.table.currentColumn()
        if 0 <= line < len(self._places) and 0 < place < len(self._authors):
            author = self._authors[place]
            for key in self._places[line].cells.get(author, {}):
                self.taken.emit(author, key)

    def _tell(self) -> None:
        line = self.table.currentRow()
        if 0 <= line < len(self._places):
            self.shown.emit(self._places[line].start, self._places[line].end)

    def _fill(self, editor: ItemEditor, author: str) -> None:
        self.table.clear()
        self.table.setRowCount(len(self._places))
        self.table.setColumnCount(len(self._authors))
        self.table.setHorizontalHeaderLabels(["you" if name == author else name for name in self._authors])
        for line, place in enumerate(self._places):
            same = place.agreed(self._authors)
            for number, name in enumerate(self._authors):
                spans = list(place.cells.get(name, {}).values())
                cell = QTableWidgetItem("\n".join(_words(editor, span) for span in spans) or "–")
                if spans:
                    picture = self._picture(editor, spans[0])
                    icon = QIcon(picture)
                    icon.addPixmap(picture, QIcon.Mode.Selected)
                    cell.setIcon(icon)
                cell.setToolTip(
                    "<p>All agree here.</p>" if same else "<p>Enter, or a double click, takes it over.</p>"
                )
                if same:
                    cell.setText(f"{cell.text()}  ✓")
                self.table.setItem(line, number, cell)
        self.table.setIconSize(QSize(self._side() + 32, self._side()))
        self.table.resizeRowsToContents()

    def _side(self) -> int:
        return self.fontMetrics().height() - 2

    def _picture(self, editor: ItemEditor, span: Span) -> QPixmap:
        ratio = self.devicePixelRatioF()
        side = self._side()
        image = QPixmap(QSize(side + 32, side) * ratio)
        image.setDevicePixelRatio(ratio)
        image.fill(Qt.GlobalColor.transparent)
        try:
            category = editor.schema.category(span.categories[0])
        except InputError:
            return image
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.mark(category.colour)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(0, 0, side, side), 3, 3)
        font = self._theme.font(self._theme.type.caption - 1, strong=True)
        painter.setFont(font)
        painter.setPen(self._theme.colour("on_mark"))
        high = QFontMetricsF(font).height()
        painter.drawText(QRectF(0, (side - high) / 2, side, high), Qt.AlignmentFlag.AlignCenter, category.shortcut)
        draw_pattern(painter, category.pattern, colour, side + 4, side + 30, (side - LINE) / 2)
        painter.end()
        return image


def _words(editor: ItemEditor, span: Span) -> str:
    names = []
    for key in span.categories:
        try:
            names.append(editor.schema.category(key).name)
        except InputError:
            continue
    severity = f", {span.severity}" if span.severity else ""
    return f"{' + '.join(names)}{severity}: {quoted(editor, span.track, span.start, span.end, 60)}"
