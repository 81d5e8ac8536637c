"""One sentence laid out on lines: where its characters are on the screen, and which character is at a place.

Offsets are code points of the whole text, as everywhere in labels; Qt counts in UTF-16, which is kept inside this
file. Right-to-left and mixed text is measured by what is drawn. Knows nothing of labels.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from unicodedata import bidirectional

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont, QPainter, QTextLayout, QTextLine, QTextOption

from hitl.annotation.text import Range

_RIGHT_TO_LEFT = frozenset({"R", "AL", "RLE", "RLO", "RLI"})


def is_right_to_left(text: str) -> bool:
    """Whether a text as a whole reads from right to left: its first letter does (rule P2 of Unicode's annex 9)."""
    kinds = (bidirectional(letter) for letter in text)
    return next((kind in ("R", "AL") for kind in kinds if kind in ("L", "R", "AL")), False)


@dataclass(frozen=True)
class Piece:
    """A part of a range on one line: pixels from the row's left edge. first, last: whether the range begins or ends
    here; rtl: whether it reads from right to left, so that it begins at its right edge."""

    line: int
    left: float
    right: float
    first: bool
    last: bool
    rtl: bool = False


class TextRow:
    """A sentence of a text. `lay_out` has to be called before anything is asked of it."""

    def __init__(self, text: str, place: Range) -> None:
        self.place = place
        self.text = text[place.start : place.end]
        self._units: list[int] | None = None
        if any(ord(letter) > 0xFFFF for letter in self.text):
            self._units = [0]
            for letter in self.text:
                self._units.append(self._units[-1] + (2 if ord(letter) > 0xFFFF else 1))
        # A line's end within it is drawn as a space: same length, so that offsets hold.
        self._layout = QTextLayout(re.sub(r"\s", " ", self.text))
        self._layout.setCacheEnabled(True)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        if is_right_to_left(self.text):
            option.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._layout.setTextOption(option)
        self._mixed = any(bidirectional(letter) in _RIGHT_TO_LEFT for letter in self.text)
        self._lanes: list[int] = []
        self._width = 0.0
        self.tops: list[float] = []
        """Top of each line, pixels from the row's top."""
        self.line_height = 0.0
        self.height = 0.0

    def lay_out(self, width: float, font: QFont) -> None:
        """Break into lines of at most `width` pixels."""
        self._width = width
        self._layout.setFont(font)
        self._layout.beginLayout()
        while True:
            line = self._layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(max(width, 24.0))
        self._layout.endLayout()
        self._lanes, self.tops = [], []

    def set_lanes(self, lanes: list[int], lane_height: float, gap: float) -> None:
        """Make room for this many lanes below each line."""
        if lanes == self._lanes and self.tops:
            return
        self._lanes, self.tops, top = lanes, [], 0.0
        for number in range(self._layout.lineCount()):
            line = self._layout.lineAt(number)
            line.setPosition(QPointF(0, top))
            self.tops.append(top)
            self.line_height = line.height()
            top += line.height() + lane_height * (lanes[number] if number < len(lanes) else 0) + gap
        self.height = top

    @property
    def line_count(self) -> int:
        """How many lines it takes."""
        return self._layout.lineCount()

    def draw(self, painter: QPainter, left: float, top: float) -> None:
        """Draw the text in the painter's pen."""
        self._layout.draw(painter, QPointF(left, top))

    def pieces(self, start: int, end: int) -> list[Piece]:
        """Where the characters of a range are; parts of it in other rows are left out."""
        low, high = max(start, self.place.start), min(end, self.place.end)
        if low >= high:
            return []
        a, b = self._unit(low), self._unit(high)
        found: list[Piece] = []
        for number in range(self._layout.lineCount()):
            line = self._layout.lineAt(number)
            begin, close = max(a, line.textStart()), min(b, line.textStart() + line.textLength())
            if begin < close:
                first = begin == a and start >= self.place.start
                last = close == b and end <= self.place.end
                found += self._line_pieces(number, line, begin, close, first, last)
        return found

    def _line_pieces(
        self, number: int, line: QTextLine, begin: int, close: int, first: bool, last: bool
    ) -> list[Piece]:  # fmt: skip
        if not self._mixed:
            edge = line.x() + line.naturalTextWidth()  # a space at the end of a line takes no room
            return [Piece(number, _x(line, begin), min(_x(line, close), edge), first, last)]
        runs = _runs(line, begin, close)
        head, tail = _runs(line, begin, begin + 1), _runs(line, close - 1, close)
        found = []
        for left, right, rtl in runs:
            is_first = first and bool(head) and left - 0.5 <= head[0][0] and head[0][1] <= right + 0.5
            is_last = last and bool(tail) and left - 0.5 <= tail[0][0] and tail[0][1] <= right + 0.5
            found.append(Piece(number, left, right, is_first, is_last, rtl))
        return found

    def offset_at(self, x: float, y: float, *, on: bool = False) -> int:
        """The offset nearest to a place in the row; with `on`, that of the character which is there."""
        number = max(0, bisect_right(self.tops, y) - 1)
        line = self._layout.lineAt(number)
        kind = QTextLine.CursorPosition.CursorOnCharacter if on else QTextLine.CursorPosition.CursorBetweenCharacters
        unit = int(line.xToCursor(x, kind))
        if on:
            unit = min(unit, max(line.textStart(), line.textStart() + line.textLength() - 1))
        return self.place.start + self._point(unit)

    def _unit(self, offset: int) -> int:
        point = offset - self.place.start
        return point if self._units is None else self._units[point]

    def _point(self, unit: int) -> int:
        return unit if self._units is None else bisect_right(self._units, unit) - 1


def _runs(line: QTextLine, begin: int, close: int) -> list[tuple[float, float, bool]]:
    """Left, right and direction of what is drawn for a range; neighbours of one direction are one."""
    found: list[tuple[float, float, bool]] = []
    for run in line.glyphRuns(begin, close - begin):
        places = [place.x() for place in run.positions()]
        wide = [step.x() for step in run.rawFont().advancesForGlyphIndexes(run.glyphIndexes())]
        if not places:
            continue
        left, right = min(places), max(x + width for x, width in zip(places, wide, strict=True))
        rtl = run.isRightToLeft()
        if found and found[-1][2] == rtl and left - 0.6 <= found[-1][1] and found[-1][0] <= right + 0.6:
            before = found.pop()
            left, right = min(left, before[0]), max(right, before[1])
        found.append((left, right, rtl))
    return found


def _x(line: QTextLine, unit: int) -> float:
    found = line.cursorToX(unit)
    return float(found[0] if isinstance(found, tuple) else found)  # type: ignore[arg-type]
