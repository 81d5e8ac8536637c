"""Labels of several people side by side: a row for each place, a column for each person; a digit says who is right."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gui.actions import Registry, keys_shown
from gui.annotate.agreement_words import agreement_words
from gui.annotate.decisions import NEITHER, agreed, clusters, is_open
from gui.annotate.editor import ItemEditor
from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.words import quoted
from gui.theme import GRID, Theme
from gui.widgets.basics import ElidedLabel, column
from hitl.annotation.agreement import Cluster
from hitl.annotation.judged import judged_whole
from hitl.annotation_messages import AgreementFound
from hitl.errors import InputError
from hitl.labels import Span


class AdjudicatePage(QWidget):
    """`decided` carries a Cluster and who is right there; `shown` the range of the current place; `elsewhere` the
    output in which the next open place is."""

    decided = Signal(object, str)
    shown = Signal(int, int)
    elsewhere = Signal(str)

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self._theme = theme
        self._registry = registry
        self._all: list[Cluster] = []
        self._places: list[Cluster] = []
        self._authors: list[str] = []
        self._open: list[bool] = []
        self._known: tuple[object, ...] = ()
        self._here: tuple[ItemEditor, str] | None = None
        self._heading, self._agreement, self._how = (
            ElidedLabel(name) for name in ("What is left", "Agreement", "Keys")
        )
        self._heading.setProperty("kind", "strong")
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
        parts = (self._heading, self._agreement, self._how)
        head.setLayout(column(*parts, spacing=2, margins=(2 * GRID, GRID, 2 * GRID, GRID)))
        layout = column(head, self.table, spacing=0)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def show_editor(self, editor: ItemEditor, author: str, agreement: AgreementFound | None = None) -> None:
        """Show what all marked in an editor's output; `author` is this person; agreement: on the project."""
        known = (editor.labels, editor.others, editor.track, agreement)
        if self._known and all(a is b for a, b in zip(self._known, known, strict=True)):
            return
        self._known = known
        where = self.table.currentRow(), self.table.currentColumn()
        fresh = self._here is None or self._here[0] is not editor or self._here[1] != editor.track
        self._here, self._authors = (editor, editor.track), [author, *editor.others]
        self._all = clusters(editor.item, author, editor.labels, editor.others)
        self._places = [place for place in self._all if place.track == editor.track]
        self._open = [is_open(place, author, editor.labels) for place in self._places]
        self._say(editor, author, agreement)
        self._fill(editor)
        if fresh:
            self.table.setCurrentCell(next((n for n, still in enumerate(self._open) if still), 0), 1)
        else:
            self.table.setCurrentCell(max(0, min(where[0], len(self._places) - 1)),
                                      max(0, min(where[1], len(self._authors) - 1)))  # fmt: skip

    def left(self) -> int:
        """How many places of the item this person has not decided about."""
        assert self._here is not None
        editor, author = self._here[0], self._authors[0]
        return sum(is_open(place, author, editor.labels) for place in self._all)

    # -- keys ---------------------------------------------------------------------------------------------------------

    def go(self, down: int, right: int) -> None:
        """To another cell."""
        rows, columns = self.table.rowCount(), self.table.columnCount()
        if rows and columns:
            to = self.table.currentRow() + down, self.table.currentColumn() + right
            self.table.setCurrentCell(max(0, min(to[0], rows - 1)), max(0, min(to[1], columns - 1)))

    def go_open(self, step: int) -> bool:
        """To the next place that is open (with -1, the one before), also in another output; whether there is one."""
        if self._here is None:
            return False
        now = self.table.currentRow()
        ahead = range(now + 1, len(self._places)) if step > 0 else range(now - 1, -1, -1)
        place = next((number for number in ahead if self._open[number]), None)
        if place is None and (track := self._track_with_open(step)):
            self.elsewhere.emit(track)
            return True
        if place is None:  # around the end
            place = next((number for number in (range(now) if step > 0 else range(len(self._places) - 1, now, -1))
                          if self._open[number]), None)  # fmt: skip
        if place is not None:
            self.table.setCurrentCell(place, max(1, self.table.currentColumn()))
        return place is not None or (0 <= now < len(self._open) and self._open[now])

    def _track_with_open(self, step: int) -> str:
        """The nearest other output in which something is open; empty where there is none."""
        assert self._here is not None
        editor, author = self._here[0], self._authors[0]
        still = {place.track for place in self._all if is_open(place, author, editor.labels)}
        tracks = [output.track for output in editor.item.outputs]
        here = tracks.index(editor.track) if editor.track in tracks else 0
        onward = [tracks[(here + step * away) % len(tracks)] for away in range(1, len(tracks))]
        return next((track for track in onward if track in still), "")

    def take(self) -> None:
        """Who is in the current cell is right."""
        self.choose(self.table.currentColumn() + 1)

    def choose(self, number: int) -> None:
        """The person in this column (from 1) is right about the current place; 0: nobody is."""
        place = self.table.currentRow()
        if 0 <= place < len(self._places) and 0 <= number <= len(self._authors):
            self.decided.emit(self._places[place], self._authors[number - 1] if number else NEITHER)

    def _tell(self) -> None:
        place = self.table.currentRow()
        if 0 <= place < len(self._places):
            self.shown.emit(self._places[place].start, self._places[place].end)

    # -- what is shown ----------------------------------------------------------------------------------------------

    def _say(self, editor: ItemEditor, author: str, agreement: AgreementFound | None) -> None:
        if not editor.others:
            words = "Nobody else has labelled this item yet."
        else:
            here, left = sum(self._open), self.left()
            places = "place" if len(self._places) == 1 else "places"
            words = f"{here} of {len(self._places)} {places} left to decide, {len(self._authors)} people"
            words += f"; {left} in all answers" if left != here else ""
        self._heading.show_text(words)
        self._agreement.show_text(agreement_words(editor, author, agreement))
        self._agreement.setVisible(bool(self._agreement.text()))
        keys = {name: keys_shown(self._registry.keys(f"others.{name}")) for name in ("neither", "next")}
        back = keys_shown(self._registry.keys("item.others"))
        self._how.show_text(
            f"A person’s digit takes theirs over, {keys['neither']} nothing; {keys['next']}: next disagreement; "
            f"{back}: back to marking."
        )
        self._how.setVisible(bool(editor.others))

    def _fill(self, editor: ItemEditor) -> None:
        self.table.blockSignals(True)
        self.table.clear()
        self.table.setRowCount(len(self._places))
        self.table.setColumnCount(len(self._authors))
        names = ["you", *self._authors[1:]]
        self.table.setHorizontalHeaderLabels(
            [f"{number}  {name}" if number <= 9 else name for number, name in enumerate(names, 1)]
        )
        whole = {
            name: editor.track in judged_whole(editor.item, editor.others[name] if number else editor.labels)
            for number, name in enumerate(self._authors)
        }
        for line in range(len(self._places)):
            for number, name in enumerate(self._authors):
                self.table.setItem(line, number, self._cell(editor, line, name, whole[name]))
        self.table.setIconSize(QSize(self._side() + 32, self._side()))
        self.table.resizeRowsToContents()
        self.table.blockSignals(False)

    def _cell(self, editor: ItemEditor, line: int, name: str, whole: bool) -> QTableWidgetItem:
        place = self._places[line]
        spans = list(place.said.get(name, {}).values())
        me = self._authors[0]
        same = agreed(place, me, editor.labels)
        decided = not self._open[line] and not same and name == me
        words = "\n".join(_words(editor, span) for span in spans) or ("nothing" if whole or decided else "–")
        cell = QTableWidgetItem(f"{words}  ✓" if decided or same and name in place.said else words)
        if spans:
            picture = self._picture(editor, spans[0])
            icon = QIcon(picture)
            icon.addPixmap(picture, QIcon.Mode.Selected)
            cell.setIcon(icon)
        tip = "All agree here." if same else "You decided here." if decided else "A double click takes it over."
        cell.setToolTip(f"<p>{tip}</p>")
        return cell

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
