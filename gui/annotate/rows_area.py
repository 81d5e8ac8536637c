"""A scrolled column of sentences: laying out, scrolling and finding rows. What is drawn around them is up to views.

Only rows that are seen are drawn, and only those that changed are drawn anew: the others are kept as pictures, so that
a key costs the same in a text of any length, also where it moves all that is below.
"""

from __future__ import annotations

from bisect import bisect_right

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame

from gui.annotate.text_row import TextRow
from gui.theme import GRID, Theme

_KEPT = 100
"""As many pictures of rows are kept; a window shows fewer."""


class RowsArea(QAbstractScrollArea):
    """`left` and `right` are pixels beside the text; `above(row)` is room above a row, for headings."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[TextRow] = []
        self.tops: list[float] = []
        self.left, self.right = 5 * GRID, 7 * GRID
        self._total = 0.0
        self._pictures: dict[int, QPixmap] = {}
        self.setObjectName("rows")
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)

    # -- for views to say -----------------------------------------------------------------------------------------

    def text_font(self) -> QFont:
        """The font of the text."""
        return self.theme.font()

    def row_font(self, row: int) -> QFont:
        """The font of one row."""
        return self.text_font()

    def above(self, row: int) -> float:
        """Room above a row, pixels."""
        return 0.0

    def row_lanes(self, row: int) -> list[int]:
        """How many lanes are needed below each line of a row."""
        return []

    def lane_height(self) -> float:
        """Height of a lane, pixels."""
        return 0.0

    def gap(self) -> float:
        """Room below each line, pixels."""
        return 3.0

    def draw_row(self, painter: QPainter, row: int, box: QRect) -> None:
        """Draw a row; `box` is all of it, in the viewport. What changes in it is followed by `redraw`."""

    # -- rows -------------------------------------------------------------------------------------------------------

    def set_rows(self, rows: list[TextRow]) -> None:
        """Show other text, from its beginning."""
        self.rows = rows
        self.lay_out()
        self.verticalScrollBar().setValue(0)

    def lay_out(self) -> None:
        """Break all rows into lines anew."""
        self._pictures.clear()
        width = self.viewport().width() - self.left - self.right
        for number, row in enumerate(self.rows):
            row.lay_out(width, self.row_font(number))
            row.set_lanes(self.row_lanes(number), self.lane_height(), self.gap())
        self._stack()

    def lay_out_row(self, number: int) -> bool:
        """Make room for a row's lanes; returns whether it became higher or lower."""
        row = self.rows[number]
        before = row.height
        row.set_lanes(self.row_lanes(number), self.lane_height(), self.gap())
        return row.height != before

    def stack(self) -> None:
        """Rows have other heights: put them below each other, what is seen staying where it is."""
        seen = self.row_at(0)
        offset = self.verticalScrollBar().value() - self.tops[seen] if self.tops else 0.0
        self._stack()
        if self.tops:
            self.verticalScrollBar().setValue(round(self.tops[seen] + offset))

    def _stack(self) -> None:
        self.tops, top = [], float(GRID)
        for number, row in enumerate(self.rows):
            top += self.above(number)
            self.tops.append(top)
            top += row.height + GRID
        self._total = top
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, round(top) - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(3 * GRID)
        self.viewport().update()

    def box(self, number: int) -> QRect:
        """Where a row is in the viewport, its headings not included."""
        top = round(self.tops[number]) - self.verticalScrollBar().value()
        return QRect(0, top - 4, self.viewport().width(), round(self.rows[number].height) + GRID)

    def redraw(self, number: int) -> None:
        """Draw a row anew, where it is seen."""
        self._pictures.pop(number, None)
        if 0 <= number < len(self.tops):
            box = self.box(number)
            if box.intersects(self.viewport().rect()):
                self.viewport().update(box)

    def redraw_all(self) -> None:
        """Draw every row anew that is seen."""
        self._pictures.clear()
        self.viewport().update()

    def row_at(self, y: float) -> int:
        """The row at a height of the viewport; the nearest one where there is none."""
        place = bisect_right(self.tops, y + self.verticalScrollBar().value()) - 1
        return max(0, min(place, len(self.rows) - 1))

    def offset_at(self, point: QPoint, *, on: bool = False) -> int:
        """The offset in the text at a point of the viewport."""
        number = self.row_at(point.y())
        top = self.tops[number] - self.verticalScrollBar().value()
        return self.rows[number].offset_at(point.x() - self.left, point.y() - top, on=on)

    def show_rows(self, first: int, last: int) -> None:
        """Scroll as little as needed to see these rows, the first above all."""
        if not self.tops:
            return
        bar, height = self.verticalScrollBar(), self.viewport().height()
        low = round(self.tops[first] - self.above(first)) - GRID
        high = round(self.tops[last] + self.rows[last].height) + 2 * GRID
        if high > bar.value() + height:
            bar.setValue(high - height)
        if low < bar.value():
            bar.setValue(low)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Break the lines anew."""
        super().resizeEvent(event)
        if self.rows:
            self.lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows that need it."""
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self.theme.colour("surface"))
        if self.rows:
            for number in range(self.row_at(event.rect().top()), len(self.rows)):
                box = self.box(number)
                if box.top() - self.above(number) > event.rect().bottom():
                    break
                painter.drawPixmap(box.topLeft(), self._picture(number, box))
        painter.end()

    def _picture(self, number: int, box: QRect) -> QPixmap:
        """A row as it is, drawn where it is not kept."""
        scale = self.viewport().devicePixelRatioF()
        size = box.size() * scale
        kept = self._pictures.pop(number, None)
        if kept is None or kept.size() != size:
            kept = QPixmap(size)
            kept.setDevicePixelRatio(scale)
            kept.fill(self.theme.colour("surface"))
            painter = QPainter(kept)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-box.topLeft())
            self.draw_row(painter, number, box)
            painter.end()
        self._pictures[number] = kept  # at the end, so that the one that was not shown for longest is first
        if len(self._pictures) > _KEPT:
            del self._pictures[next(iter(self._pictures))]
        return kept

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.lay_out()
