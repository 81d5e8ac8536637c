"""The question and its sources: a click, or Enter, makes a sentence evidence of the current label; words are found."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QScrollArea, QWidget

from gui.annotate.fields import LineField
from gui.annotate.rows_area import RowsArea
from gui.annotate.text_row import TextRow
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label, row
from hitl.annotation.items import Item
from hitl.annotation.text import Range
from hitl.labels import Evidence

_OWN_KEYS = frozenset({Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Home,
                       Qt.Key.Key_End})  # fmt: skip


class SourcesView(RowsArea):
    """Sentences of all sources, titles among them. `toggled` carries the Evidence that was pointed at."""

    toggled = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Sources")
        self.entries: list[Evidence] = []
        self._current: frozenset[Evidence] = frozenset()
        self._used: frozenset[Evidence] = frozenset()
        self._wanted = ""
        self.now = 0
        self.left, self.right = 5 * GRID, 2 * GRID
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("<p>Click a sentence to make it evidence of the current label, or to take it back.</p>")

    def show_item(self, item: Item) -> None:
        """Show the sources of an item."""
        self.entries, rows = [], []
        for number, source in enumerate(item.sources):
            texts = [(0, source.title), *enumerate(source.sentences, 1)]
            for sentence, text in texts:
                if text or sentence:
                    self.entries.append(Evidence(source=number, sentence=sentence))
                    rows.append(TextRow(text, Range(0, len(text))))
        self.now, self._wanted = 0, ""
        self.set_rows(rows)

    def show_evidence(self, current: Iterable[Evidence], used: Iterable[Evidence]) -> None:
        """Mark what proves the current label, and what proves any."""
        before = self._current | self._used
        changed = self._current
        self._current, self._used = frozenset(current), frozenset(used)
        for number, entry in enumerate(self.entries):
            if (entry in before) != (entry in self._used | self._current) or entry in changed ^ self._current:
                self.redraw(number)

    def search(self, wanted: str, step: int = 0) -> int:
        """Mark all places of `wanted` and go to the next; returns in how many sentences it is."""
        self._wanted = wanted.strip()
        found = [number for number, line in enumerate(self.rows) if self._places(line.text)]
        if found:
            ahead = [number for number in found if number > self.now or (step == 0 and number == self.now)]
            self._go(ahead[0] if ahead else found[0])
        self.redraw_all()
        return len(found)

    def row_font(self, row: int) -> QFont:
        """Titles are strong."""
        return self.theme.font(strong=self.entries[row].sentence == 0)

    def above(self, row: int) -> float:
        """A little room above each source."""
        first = row > 0 and self.entries[row].source != self.entries[row - 1].source
        return 1.5 * GRID if first else 0.0

    def draw_row(self, painter: QPainter, row: int, box: QRect) -> None:
        """A sentence: its number, the mark of evidence, and what was searched."""
        entry, line = self.entries[row], self.rows[row]
        inner = QRectF(box).adjusted(4, 0, -4, -4)
        painter.setPen(Qt.PenStyle.NoPen)
        if entry in self._current:
            painter.setBrush(self.theme.colour("accent_soft"))
            painter.drawRoundedRect(inner, 4, 4)
            painter.setBrush(self.theme.colour("accent"))
            painter.drawRoundedRect(QRectF(inner.left(), inner.top(), 3, inner.height()), 1.5, 1.5)
        if row == self.now and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.theme.colour("accent"), 1.4))
            painter.drawRoundedRect(inner, 4, 4)
        left, top = float(self.left), box.top() + 4.0
        tint = QColor(self.theme.colour("warn"))
        tint.setAlpha(80)
        painter.setBrush(tint)
        painter.setPen(Qt.PenStyle.NoPen)
        for start, end in self._places(line.text):
            for piece in line.pieces(start, end):
                painter.drawRoundedRect(
                    QRectF(left + piece.left, top + line.tops[piece.line], piece.right - piece.left, line.line_height),
                    2, 2)  # fmt: skip
        painter.setPen(self.theme.colour("text"))
        line.draw(painter, left, top)
        self._number(painter, entry, QRectF(GRID, top, self.left - 1.75 * GRID, line.line_height))

    def _number(self, painter: QPainter, entry: Evidence, edge: QRectF) -> None:
        used = entry in self._current or entry in self._used
        painter.setFont(self.theme.font(self.theme.type.caption, strong=used))
        painter.setPen(self.theme.colour("accent" if used else "text_soft"))
        text = f"{entry.source + 1}" if entry.sentence == 0 else f"{entry.source + 1}.{entry.sentence}"
        place = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(edge, place, f"✓{text}" if used else text)

    def _places(self, text: str) -> list[tuple[int, int]]:
        if not self._wanted:
            return []
        return [found.span() for found in re.finditer(re.escape(self._wanted), text, re.IGNORECASE)]

    def _go(self, number: int) -> None:
        before, self.now = self.now, max(0, min(number, len(self.rows) - 1))
        self.redraw(before)
        self.redraw(self.now)
        self.show_rows(self.now, self.now)
        self.setAccessibleDescription(self.rows[self.now].text if self.rows else "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Evidence is what is clicked."""
        point: QPoint = event.position().toPoint()
        if event.button() == Qt.MouseButton.LeftButton and self.rows:
            number = self.row_at(point.y())
            if self.box(number).contains(point):
                self._go(number)
                self.toggled.emit(self.entries[number])

    def event(self, event: QEvent) -> bool:
        """Keep the keys that move here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() in _OWN_KEYS and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows choose a sentence, Enter makes it evidence."""
        match event.key():
            case Qt.Key.Key_Down | Qt.Key.Key_Up:
                self._go(self.now + (1 if event.key() == Qt.Key.Key_Down else -1))
            case Qt.Key.Key_Home | Qt.Key.Key_End:
                self._go(0 if event.key() == Qt.Key.Key_Home else len(self.rows) - 1)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self.rows:
                self.toggled.emit(self.entries[self.now])
            case _:
                super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys are."""
        super().focusInEvent(event)
        self.redraw(self.now)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys are elsewhere."""
        super().focusOutEvent(event)
        self.redraw(self.now)


class SourcesPane(QWidget):
    """Question above, search, sources. `toggled` carries Evidence; `left` says that the person wants back."""

    toggled = Signal(object)
    left = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._prompt = label("", "strong", wrap=True, name="Question")
        self._prompt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._prompt.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._prompt.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        self._room = QScrollArea()
        self._room.setWidgetResizable(True)
        self._room.setWidget(self._prompt)
        self._room.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._room.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.field = LineField("Search the sources", "Search the sources")
        self.field.textChanged.connect(lambda text: self._search(text, 0))
        self.field.left.connect(lambda: self._search(self.field.text(), 1))
        self._count = label("", "caption", name="Found")
        self.view = SourcesView(theme)
        self.view.toggled.connect(self.toggled)
        self._none = label("This item has no sources.", "soft", wrap=True)
        self._none.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        self._bar = QWidget()
        bar = row(self.field, self._count, margins=(2 * GRID, 0, 2 * GRID, GRID))
        bar.setStretch(0, 1)
        self._bar.setLayout(bar)
        layout = column(self._room, self._bar, self.view, self._none, spacing=0)
        layout.setStretch(2, 1)
        layout.addStretch(0)
        self.setLayout(layout)
        self._item: Item | None = None

    def show_item(self, item: Item) -> None:
        """Show another item; the same one is left as it is."""
        if item is self._item:
            return
        self._item = item
        self._prompt.setText(item.prompt or "No question is given.")
        self.field.clear()
        self._count.clear()
        self.view.show_item(item)
        for part in (self.view, self._bar):
            part.setVisible(bool(item.sources))
        self._none.setVisible(not item.sources)
        self._fit()

    def focus_search(self) -> None:
        """Begin to search."""
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def resizeEvent(self, event: object) -> None:
        """A long question gets at most two fifths of the height, and scrolls."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.view.left = 2 * GRID + self.fontMetrics().horizontalAdvance("✓0.00")
        self.view.restyle()
        self._fit()

    def _fit(self) -> None:
        wanted = self._prompt.heightForWidth(max(80, self.width() - 12))
        self._room.setFixedHeight(max(40, min(wanted + 2, self.height() * 2 // 5)))

    def _search(self, wanted: str, step: int) -> None:
        found = self.view.search(wanted, step)
        self._count.setText(f"in {found}" if wanted.strip() else "")
