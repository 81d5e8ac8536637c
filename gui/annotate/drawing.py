"""How one sentence of the answer is drawn: tints, selection, text, lines with tags, handles, number and reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from gui.annotate.chooser import Target
from gui.annotate.marks import Mark, signed
from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.rows_area import RowsArea
from gui.annotate.text_row import Piece, TextRow
from gui.theme import GRID, Theme
from hitl.annotation.text import Range

_KEYS = " ↵ ⌫"
"""Beside the current suggestion: Enter accepts, Backspace rejects."""


@dataclass(frozen=True)
class Look:
    """What is drawn beside the marks."""

    selection: Range = Range(0, 0)
    sentence: int = 0
    target: Target | None = None
    judged: frozenset[int] = frozenset()
    unsure: frozenset[int] = frozenset()
    repeats: tuple[int, int] | None = None
    preview: bool = False
    picking: bool = False


class RowDrawing:
    """Draws rows of an area. `marks`, `lanes`, `rewards` and `look` are set by the view."""

    def __init__(self, theme: Theme, area: RowsArea) -> None:
        self._theme = theme
        self._area = area
        self._tags: tuple[float, QFont] | None = None
        self.marks: Mapping[int, tuple[Mark, ...]] = {}
        self.lanes: dict[int, list[int]] = {}
        self.rewards: Mapping[int, tuple[float, str]] = {}
        self.look = Look()

    def tag_height(self) -> float:
        """Height of a tag, pixels."""
        return round(QFontMetricsF(self._tag_font()).height()) - 1

    def draw(self, painter: QPainter, number: int, box: QRect) -> None:
        """Draw a row whose box in the viewport is `box`."""
        row = self._area.rows[number]
        left, top = float(self._area.left), box.top() + 4.0
        self._gutter(painter, number, box, row)
        for mark in self.marks.get(number, ()):
            if mark.kind == "own":
                colour = self._theme.mark(mark.colour)
                colour.setAlpha(70 if mark.target == self.look.target else 34)
                self._fill(painter, row, mark.start, mark.end, colour, left, top)
        self._selection(painter, row, left, top)
        painter.setPen(self._theme.colour("text"))
        row.draw(painter, left, top)
        for mark, lane in zip(self.marks.get(number, ()), self.lanes.get(number, ()), strict=True):
            self._line(painter, row, mark, lane, left, top)
        if self.look.target is not None and self.look.target.kind == "span" and not self.look.picking:
            self._handles(painter, row, left, top)
        self._reward(painter, number, box, row)

    def handle(self, offset: int, *, at_start: bool) -> QRectF | None:
        """Where the handle at one end of the selection is, in the viewport; None where that is not laid out."""
        for number, row in enumerate(self._area.rows):
            if row.place.start <= offset <= row.place.end:
                piece = self._end_piece(row, at_start)
                if piece is not None:
                    x = self._x(piece, at_start)
                    top = self._area.box(number).top() + 4.0 + row.tops[piece.line]
                    return QRectF(x - 1, top, 2, row.line_height)
        return None

    # -- behind the text ----------------------------------------------------------------------------------------------

    def _fill(
        self, painter: QPainter, row: TextRow, start: int, end: int, colour: QColor, left: float, top: float
    ) -> None:  # fmt: skip
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for piece in row.pieces(start, end):
            painter.drawRoundedRect(self._rect(row, piece, left, top), 3, 3)

    def _rect(self, row: TextRow, piece: Piece, left: float, top: float) -> QRectF:
        return QRectF(left + piece.left - 1, top + row.tops[piece.line], piece.right - piece.left + 2, row.line_height)

    def _selection(self, painter: QPainter, row: TextRow, left: float, top: float) -> None:
        look = self.look
        if look.repeats is not None:
            painter.setPen(QPen(self._theme.colour("text_soft"), 1.2, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for piece in row.pieces(*look.repeats):
                painter.drawRoundedRect(self._rect(row, piece, left, top), 3, 3)
        if look.target is not None and look.target.kind == "span" and not look.preview and not look.picking:
            return  # the span's own tint and its handles say what is selected
        colour = self._theme.colour("accent")
        outline = QColor(colour)
        colour.setAlpha(52)
        painter.setBrush(colour)
        if look.preview or look.picking:
            painter.setPen(QPen(outline, 1.4, Qt.PenStyle.DashLine))
        elif look.target is not None and look.target.kind == "proposal":
            painter.setPen(QPen(outline, 1.2))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
        for piece in row.pieces(*look.selection):
            painter.drawRoundedRect(self._rect(row, piece, left, top), 3, 3)

    # -- below the text -----------------------------------------------------------------------------------------------

    def _line(self, painter: QPainter, row: TextRow, mark: Mark, lane: int, left: float, top: float) -> None:
        colour = self._theme.mark(mark.colour)
        height = self.tag_height()
        current = mark.target == self.look.target
        for piece in row.pieces(mark.start, mark.end):
            y = top + row.tops[piece.line] + row.line_height + lane * (height + 2) + 1
            a, b = left + piece.left, left + piece.right
            middle = y + (height - LINE) / 2
            if mark.kind == "own":
                draw_pattern(painter, mark.pattern, colour, a, b, middle)
            else:
                painter.setPen(QPen(colour, 1.5, Qt.PenStyle.DashLine))
                painter.drawLine(QPointF(a, y + height / 2), QPointF(b, y + height / 2))
            if piece.first:
                tag = mark.tag + (_KEYS if current and mark.kind == "model" else " ↵" if current and mark.kind ==
                                  "person" else "")  # fmt: skip
                self._tag(painter, tag, colour, b if piece.rtl else a, y, solid=mark.kind == "own", back=piece.rtl)

    def _tag(
        self, painter: QPainter, text: str, colour: QColor, x: float, y: float, *, solid: bool, back: bool
    ) -> None:  # fmt: skip
        font = self._tag_font()
        wide = QFontMetricsF(font).horizontalAdvance(text) + 7
        box = QRectF(x - wide if back else x, y, wide, self.tag_height())
        painter.setPen(Qt.PenStyle.NoPen if solid else QPen(colour, 1.2))
        painter.setBrush(colour if solid else self._theme.colour("surface"))
        painter.drawRoundedRect(box, 3, 3)
        painter.setFont(font)
        painter.setPen(self._theme.colour("on_mark") if solid else colour)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _handles(self, painter: QPainter, row: TextRow, left: float, top: float) -> None:
        colour = self._theme.colour("accent")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for at_start in (True, False):
            piece = self._end_piece(row, at_start)
            if piece is not None:
                x = left + (piece.right if piece.rtl == at_start else piece.left)
                y = top + row.tops[piece.line]
                painter.drawRect(QRectF(x - 1, y, 2, row.line_height))
                painter.drawEllipse(QPointF(x, y if at_start else y + row.line_height), 4, 4)

    def _end_piece(self, row: TextRow, at_start: bool) -> Piece | None:
        pieces = row.pieces(*self.look.selection)
        return next((piece for piece in pieces if (piece.first if at_start else piece.last)), None)

    def _x(self, piece: Piece, at_start: bool) -> float:
        return self._area.left + (piece.right if piece.rtl == at_start else piece.left)

    # -- beside the text ----------------------------------------------------------------------------------------------

    def _gutter(self, painter: QPainter, number: int, box: QRect, row: TextRow) -> None:
        now = number == self.look.sentence
        if now:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent"))
            painter.drawRoundedRect(QRectF(2, box.top() + 4, 3, row.height - self._area.gap()), 1.5, 1.5)
        painter.setFont(self._theme.font(self._theme.type.caption, strong=now))
        painter.setPen(self._theme.colour("accent" if now else "text_soft"))
        edge = QRectF(GRID, box.top() + 4, self._area.left - 2.0 * GRID - 2, row.line_height)
        painter.drawText(edge, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(number + 1))
        if number in self.look.unsure:
            painter.setPen(self._theme.colour("warn"))
            painter.drawText(edge, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "?")
        elif number in self.look.judged:
            painter.setPen(self._theme.colour("good"))
            painter.drawText(edge, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "✓")

    def _reward(self, painter: QPainter, number: int, box: QRect, row: TextRow) -> None:
        if number not in self.rewards:
            return
        value = self.rewards[number][0]
        painter.setFont(self._theme.font(self._theme.type.caption, strong=value < 0))
        painter.setPen(self._theme.colour("warn" if value < 0 else "good"))
        edge = QRectF(0, box.top() + 4, self._area.viewport().width() - 1.5 * GRID, row.line_height)
        painter.drawText(edge, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, signed(value))

    def _tag_font(self) -> QFont:
        size = self._theme.type.caption - 2
        if self._tags is None or self._tags[0] != size:
            self._tags = size, self._theme.font(size, strong=True)
        return self._tags[1]
