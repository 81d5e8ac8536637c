"""The answer: sentences with numbers and rewards, spans as lines with tags below the words, selection and handles.

Dragging selects whole words (with Alt single characters), and what will be selected is shown before the button is let
go. The view changes nothing by itself: it tells what the person pointed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QMouseEvent, QPainter

from gui.annotate.chooser import Target
from gui.annotate.drawing import Look, RowDrawing
from gui.annotate.editor import ItemEditor
from gui.annotate.marks import Mark, RowMarks, lanes_of
from gui.annotate.rows_area import RowsArea
from gui.annotate.text_row import TextRow
from gui.theme import GRID, Theme
from hitl.annotation.text import Range, touching

_GRIP = 7
"""Pixels around the end of a span within which it is a handle."""


class TextView(RowsArea):
    """`selected` carries a range, `chosen` a Target, `resized` a key and a range, `walked` a sentence."""

    selected = Signal(int, int)
    chosen = Signal(object)
    resized = Signal(str, int, int)
    walked = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Answer")
        self._editor: ItemEditor | None = None
        self._text = ""
        self._known: tuple[object, ...] = ()
        self._look = Look()
        self._seen_of: tuple[object, ...] = ()
        self._keys: list[tuple[str, str]] = []
        """Of each row, the keys under which it is judged, or nobody can say."""
        self._marks = RowMarks(lambda start, end: ())
        self._seen: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
        self._drawing = RowDrawing(theme, self)
        self._rewards: Mapping[int, tuple[float, str]] = {}
        self._from: int | None = None
        self._pressed = QPoint()
        self._holding: tuple[str, int] | None = None
        """The span whose end is dragged, and its other end."""
        self.preview: Range | None = None
        self.right = 8 * GRID
        self.viewport().setMouseTracking(True)

    # -- what to show -----------------------------------------------------------------------------------------------

    def show_editor(self, editor: ItemEditor | None, rewards: Mapping[int, tuple[float, str]] | None = None) -> None:
        """Show an editor's output; only what has changed is drawn anew. rewards: sentence -> (value, explanation)."""
        text = editor.text if editor is not None and editor.track else ""
        fresh = editor is not self._editor or text != self._text
        self._editor, self._text = editor, text
        if editor is None or not text:
            self._known, self._look = (), Look()
            self.set_rows([])
            return
        if fresh:
            places = editor.cursor.map.sentences
            self._seen_of, self._keys = (), []
            self._marks = RowMarks(partial(touching, places))
            self._drawing.marks, self._drawing.lanes = self._marks.rows, {}
            self._known, self._look, self.preview = (), Look(), None
            self.set_rows([TextRow(text, place) for place in places])
            every = range(len(places))
            self._keys = [(editor.judged_key(row), editor.unsure_key(row)) for row in every]
        self._take_marks(editor)
        self._take_rewards(rewards or {})
        self._take_look(editor)

    def _take_marks(self, editor: ItemEditor) -> None:
        known = (editor.labels, editor.proposals(), editor.track)
        if self._known and all(a is b for a, b in zip(self._known, known, strict=True)):
            return
        self._known = known
        moved = False
        for row in self._marks.take(editor):
            if row < len(self.rows):
                self._drawing.lanes[row] = lanes_of(self._marks.rows[row])
                moved = self.lay_out_row(row) or moved
                self.redraw(row)
        if moved:
            self.stack()

    def _take_rewards(self, rewards: Mapping[int, tuple[float, str]]) -> None:
        for row in rewards.keys() | self._rewards.keys():
            if rewards.get(row) != self._rewards.get(row):
                self.redraw(row)
        self._rewards = self._drawing.rewards = rewards

    def _take_look(self, editor: ItemEditor) -> None:
        """Selection, current label, judged sentences: rows in which these have changed are drawn anew."""
        judged, unsure = self._looked_at(editor)
        repeats = editor.span.repeats if editor.span is not None else None
        look = Look(
            selection=self.preview or editor.cursor.selection, sentence=editor.cursor.sentence,
            target=editor.target, judged=judged, unsure=unsure, repeats=repeats, preview=self.preview is not None,
            picking=bool(editor.picking),
        )  # fmt: skip
        before, self._look = self._look, look
        self._drawing.look = look
        if look == before:
            return
        for row in (
            self._rows_of(before) | self._rows_of(look) | (before.judged ^ look.judged) | (before.unsure ^ look.unsure)
        ):
            self.redraw(row)
        self._describe(editor)

    def _looked_at(self, editor: ItemEditor) -> tuple[frozenset[int], frozenset[int]]:
        """Rows that are judged, and rows of which nobody can say anything; found anew only after a step."""
        known = (editor.labels, editor.track)
        if not (self._seen_of and all(a is b for a, b in zip(self._seen_of, known, strict=True))):
            self._seen_of = known
            done, values = editor.whole, editor.labels.values
            self._seen = (
                frozenset(row for row, (key, _) in enumerate(self._keys) if done or key in values),
                frozenset(row for row, (_, key) in enumerate(self._keys) if key in values),
            )
        return self._seen

    def _rows_of(self, look: Look) -> set[int]:
        if self._editor is None:
            return set()
        places = self._editor.cursor.map.sentences
        rows = {look.sentence, *touching(places, *look.selection)}
        if look.repeats is not None:
            rows |= set(touching(places, *look.repeats))
        return rows

    def _describe(self, editor: ItemEditor) -> None:
        start, end = self._look.selection
        names = [editor.schema.category(key).name for key in editor.span.categories] if editor.span is not None else []
        about = f", {' and '.join(names)}" if names else ""
        self.setAccessibleDescription(
            f"Sentence {self._look.sentence + 1} of {len(self.rows)}, selected: {self._text[start:end][:200]}{about}"
        )

    def follow(self) -> None:
        """Scroll to the selection."""
        if self.rows and self._editor is not None:
            touched = touching(self._editor.cursor.map.sentences, *self._look.selection)
            first = touched[0] if touched else self._look.sentence
            self.show_rows(first, min(touched[-1] if touched else first, first + 3))

    def restyle(self) -> None:
        """Take over the theme's type."""
        small = QFontMetrics(self.theme.font(self.theme.type.caption, strong=True))
        self.left = 3 * GRID + small.horizontalAdvance("✓ 00")
        self.right = 3 * GRID + small.horizontalAdvance("+0.00")
        super().restyle()

    # -- layout -------------------------------------------------------------------------------------------------------

    def text_font(self) -> QFont:
        """Somewhat larger than the rest of the window: this is what is read."""
        return self.theme.font(self.theme.type.body + 1)

    def lane_height(self) -> float:
        """A tag and a little room."""
        return self._drawing.tag_height() + 2

    def gap(self) -> float:
        """Lines stand a little apart."""
        return 4.0

    def row_lanes(self, row: int) -> list[int]:
        """The deepest lane of each line."""
        lanes = [0] * self.rows[row].line_count
        found: tuple[Mark, ...] = self._drawing.marks.get(row, ())
        for mark, lane in zip(found, self._drawing.lanes.get(row, ()), strict=True):
            for piece in self.rows[row].pieces(mark.start, mark.end):
                lanes[piece.line] = max(lanes[piece.line], lane + 1)
        return lanes

    def draw_row(self, painter: QPainter, row: int, box: QRect) -> None:
        """Draw a sentence with all that belongs to it."""
        self._drawing.draw(painter, row, box)

    # -- the mouse ----------------------------------------------------------------------------------------------------

    def handle_at(self, point: QPoint) -> tuple[str, int] | None:
        """The current span whose end is under the mouse: its key, and its other end."""
        editor = self._editor
        if editor is None or editor.span is None or editor.target is None:
            return None
        span = editor.span
        for handle, other in ((span.start, span.end), (span.end, span.start)):
            place = self._drawing.handle(handle, at_start=handle == span.start)
            if place is not None and place.adjusted(-_GRIP, -2, _GRIP, 2).contains(point.x(), point.y()):
                return editor.target.key, other
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to select, or to move a handle."""
        if event.button() != Qt.MouseButton.LeftButton or self._editor is None or not self.rows:
            return
        self._pressed = event.position().toPoint()
        self._holding = self.handle_at(self._pressed)
        if self._pressed.x() < self.left - 4 and self._holding is None:
            self.walked.emit(self.row_at(self._pressed.y()))
            return
        self._from = self._holding[1] if self._holding is not None else self.offset_at(self._pressed)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show what would be selected."""
        point = event.position().toPoint()
        if self._editor is None or not self.rows:
            return
        if self._from is None:
            shape = Qt.CursorShape.SizeHorCursor if self.handle_at(point) else Qt.CursorShape.IBeamCursor
            self.viewport().setCursor(shape if point.x() >= self.left - 4 else Qt.CursorShape.PointingHandCursor)
            return
        if (point - self._pressed).manhattanLength() < 4 and self.preview is None:
            return
        exact = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        found = self._editor.cursor.map.snapped(self._from, self.offset_at(point), exact=exact)
        self.preview = found if found.start < found.end else None
        self._take_look(self._editor)
        self.show_rows(self.row_at(point.y()), self.row_at(point.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select what was shown, or choose what was clicked."""
        if event.button() != Qt.MouseButton.LeftButton or self._from is None or self._editor is None:
            return
        found, holding = self.preview, self._holding
        self.preview, self._from, self._holding = None, None, None
        if found is not None and holding is not None:
            self.resized.emit(holding[0], found.start, found.end)
        elif found is not None:
            self.selected.emit(found.start, found.end)
        elif holding is None:
            self._click(self._editor, event.position().toPoint())

    def _click(self, editor: ItemEditor, point: QPoint) -> None:
        """The innermost span; again, the one around it; else the word."""
        offset = self.offset_at(point, on=True)
        found: list[Target] = [] if editor.picking else editor.at(offset)
        if found:
            place = found.index(editor.target) + 1 if editor.target in found else 0
            self.chosen.emit(found[place % len(found)])
            return
        word = editor.cursor.map.snapped(offset, offset + 1)
        if word.start < word.end:
            self.selected.emit(word.start, word.end)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The word under the mouse, also within a span."""
        if self._editor is not None and self.rows:
            offset = self.offset_at(event.position().toPoint(), on=True)
            word = self._editor.cursor.map.snapped(offset, offset + 1)
            if word.start < word.end:
                self.selected.emit(word.start, word.end)
