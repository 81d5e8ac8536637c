"""The time track as a widget: zoom and scroll, what the mouse points at, and what is drawn anew.

What does not move while the recording plays is drawn once into a picture; a step of the playhead draws a narrow strip
of that again. The view changes nothing by itself: it tells what the person pointed at.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip

from gui.annotate.editor import ItemEditor
from gui.annotate.recording.axis import Axis
from gui.annotate.recording.scene import Scene, target_at
from gui.annotate.recording.track_drawing import GRIP, Bands, Look, TrackDrawing
from gui.annotate.times import span_words
from gui.theme import Theme
from hitl.annotation.text import Range

_REACH = 6
"""Pixels around the end of a selection within which it is a handle, and within which a drag snaps."""
_SLACK = 4
"""A press that moves less is a click."""
_PAD = 8
"""Pixels at both sides, so that the first and the last moment can be seen and held."""
_ZOOM = 1.25
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_PAGE_AT, _PAGE_TO = 0.94, 0.06
"""Playing turns a page when the playhead is so far to the right; it is so far to the left then."""


class TrackView(QAbstractScrollArea):
    """`selected` carries a range, `chosen` a Target, `resized` a key and a range, `walked` a stretch, `sought` a
    moment; times in milliseconds."""

    selected = Signal(int, int)
    chosen = Signal(object)
    resized = Signal(str, int, int)
    walked = Signal(int)
    sought = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._drawing = TrackDrawing(theme)
        self._editor: ItemEditor | None = None
        self.axis = Axis()
        self.scene = Scene()
        self.look = Look()
        self.playhead_ms = 0.0
        self.preview: Range | None = None
        self._base: QPixmap | None = None
        self._ground: QPixmap | None = None
        """The base with the marks on it."""
        self._pressed: QPoint | None = None
        self._doing = ""
        """What the pressed button does: "seek", "select", "start" or "end" (of the selection)."""
        self._filling = False
        self.setObjectName("track")
        self.setAccessibleName("Time track")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.viewport().setMouseTracking(True)
        self.horizontalScrollBar().valueChanged.connect(self._scrolled)

    # -- what to show -------------------------------------------------------------------------------------------------

    def show_scene(self, editor: ItemEditor, scene: Scene, look: Look) -> None:
        """Show this; another recording is seen as a whole first."""
        fresh = self._editor is None or editor.item.id != self._editor.item.id
        self._editor = editor
        if fresh:
            self.axis = Axis(scene.duration_ms, self._width())
            self.preview = None
            self.verticalScrollBar().setValue(0)
        if fresh or self._basic(scene) != self._basic(self.scene):
            self._base = None
        if scene is not self.scene or self._still(look) != self._still(self.look):
            self._ground = None
        self.scene, self.look = scene, look
        self._measure()
        self._describe(editor)
        self.viewport().update()

    def _basic(self, scene: Scene) -> tuple[object, ...]:
        """What the base is drawn of."""
        return id(scene.stretches), [id(plot.probability) for plot in scene.plots], self._drawing.bands(scene)

    def _still(self, look: Look) -> tuple[object, ...]:
        return look.sentence, look.target

    def show_playhead(self, ms: float, *, playing: bool) -> None:
        """The playhead is here; while it plays, the page is turned with it."""
        if ms == self.playhead_ms:
            return
        before, self.playhead_ms = self.playhead_ms, ms
        where = self.axis.x(ms) / self.axis.width
        if playing and not 0 <= where <= _PAGE_AT:
            self._move(lambda: self.axis.scroll_to(ms - _PAGE_TO * self.axis.seen_ms))
            return
        if self.look.begun:
            self.viewport().update()
            return
        for place in (before, ms):
            self.viewport().update(QRect(self.place_of(place) - 8, 0, 17, self.viewport().height()))

    def follow(self) -> None:
        """Scroll to the selection."""
        self._move(lambda: self.axis.show(*self.look.selection))

    def follow_playhead(self) -> None:
        """Scroll to the playhead."""
        self._move(lambda: self.axis.show(self.playhead_ms, self.playhead_ms))

    def zoom(self, factor: float, around_ms: float | None = None) -> None:
        """Look nearer or from farther away; around the playhead, where it is seen, or else the middle."""
        if around_ms is None:
            middle = self.axis.left_ms + self.axis.seen_ms / 2
            around_ms = self.playhead_ms if 0 <= self.axis.x(self.playhead_ms) <= self.axis.width else middle
        self._move(lambda: self.axis.zoom(factor, around_ms))

    def fit(self) -> None:
        """See all of the recording."""
        self._move(self.axis.fit)

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        self._forget_pictures()
        self._measure()
        self.viewport().update()

    def wanted_height(self) -> int:
        """Height at which nothing is scrolled away, pixels."""
        return round(self._bands().bottom) + 6 + self.horizontalScrollBar().sizeHint().height()

    def _width(self) -> int:
        return self.viewport().width() - 2 * _PAD

    def _bands(self) -> Bands:
        return self._drawing.bands(self.scene)

    def _move(self, change: Callable[[], object]) -> None:
        before = self.axis.left_ms, self.axis.ms_per_px
        change()
        if (self.axis.left_ms, self.axis.ms_per_px) != before:
            self._forget_pictures()
            self._measure()
            self.viewport().update()

    def _forget_pictures(self) -> None:
        self._base = self._ground = None

    def _measure(self) -> None:
        """Tell the scroll bars what there is."""
        self._filling = True
        seen = round(self.axis.seen_ms)
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setRange(0, max(0, self.scene.duration_ms - seen))
        across.setPageStep(seen)
        across.setSingleStep(max(1, seen // 10))
        across.setValue(round(self.axis.left_ms))
        down.setRange(0, max(0, round(self._bands().bottom) + 4 - self.viewport().height()))
        down.setPageStep(self.viewport().height())
        self._filling = False

    def _scrolled(self, value: int) -> None:
        if not self._filling:
            self._move(lambda: self.axis.scroll_to(value))

    def _describe(self, editor: ItemEditor) -> None:
        names = [editor.schema.category(key).name for key in editor.span.categories] if editor.span is not None else []
        about = f", {' and '.join(names)}" if names else ""
        count = len(editor.cursor.map.sentences)
        where = f"Stretch {self.look.sentence + 1} of {count}, selected: {span_words(*self.look.selection)}{about}"
        self.setAccessibleDescription(where)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The axis is as wide as the view."""
        super().resizeEvent(event)
        self.axis.resize(self._width())
        self._forget_pictures()
        self._measure()

    # -- drawing ------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground from its picture, and over it what moves."""
        painter = QPainter(self.viewport())
        painter.setClipRect(event.rect())
        shift = self.verticalScrollBar().value()
        if self._ground is None:
            self._ground = self._drawn_ground()
        painter.drawPixmap(0, 0, self._ground)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipRect(QRect(0, round(self._bands().stretches), self.viewport().width(), 100_000)
                            .intersected(event.rect()))  # fmt: skip
        painter.translate(_PAD, -shift)
        look = self._look_now()
        self._drawing.selection(painter, self.scene, self.axis, look)
        self._drawing.begun(painter, self.scene, self.axis, look, self.playhead_ms)
        painter.restore()
        painter.translate(_PAD, 0)
        self._drawing.playhead(painter, self.scene, self.axis, self.playhead_ms)
        painter.end()

    def _look_now(self) -> Look:
        if self.preview is None:
            return self.look
        look = self.look
        return Look(self.preview, look.sentence, look.target, True, look.begun)

    def _drawn_ground(self) -> QPixmap:
        if self._base is None:
            self._base = self._drawn_base()
        ground = self._base.copy()
        painter = QPainter(ground)
        painter.setClipRect(QRect(0, round(self._bands().stretches), ground.width(), ground.height()))
        painter.translate(_PAD, -self.verticalScrollBar().value())
        self._drawing.marks(painter, self.scene, self.axis, self.look)
        painter.end()
        return ground

    def _drawn_base(self) -> QPixmap:
        ratio, size = self.devicePixelRatioF(), self.viewport().size()
        base = QPixmap(size * ratio)
        base.setDevicePixelRatio(ratio)
        base.fill(self._theme.colour("surface"))
        painter = QPainter(base)
        painter.translate(_PAD, -self.verticalScrollBar().value())
        self._drawing.base(painter, self.scene, self.axis)
        painter.resetTransform()
        painter.fillRect(QRect(0, 0, size.width(), round(self._bands().stretches)), self._theme.colour("window"))
        painter.translate(_PAD, 0)
        self._drawing.ruler(painter, self.scene, self.axis)
        painter.end()
        return base

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Bands that were scrolled away come into sight."""
        if dy:
            self._forget_pictures()
        self.viewport().update()

    # -- the mouse ----------------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """With Ctrl zoom around the mouse; else along the recording, or down where there is more below."""
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(_ZOOM ** (turn.y() / 120), self._ms(event.position().x()))
        elif turn.x() or self.verticalScrollBar().maximum() == 0 or event.modifiers() & _SHIFT:
            along = turn.x() or turn.y()
            self._move(lambda: self.axis.scroll_to(self.axis.left_ms - along / 120 * self.axis.seen_ms / 8))
        else:
            super().wheelEvent(event)
        event.accept()

    def _ms(self, x: float) -> int:
        return self.axis.ms(x - _PAD)

    def place_of(self, ms: float) -> int:
        """Where a moment is, pixels from the left edge of the viewport."""
        return round(self.axis.x(ms)) + _PAD

    def handle_at(self, point: QPoint) -> str:
        """Which end of the selection is under the mouse: "start", "end" or none."""
        bands, selection = self._bands(), self.look.selection
        y = point.y() + self.verticalScrollBar().value()
        if self._editor is None or not bands.lanes - 2 * GRIP <= y <= bands.plots:
            return ""
        ends = [(abs(self.axis.x(at) + _PAD - point.x()), name) for name, at in
                (("end", selection.end), ("start", selection.start))]  # fmt: skip
        distance, name = min(ends)
        return name if distance <= _REACH else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to seek, to select, or to move a handle."""
        if event.button() != Qt.MouseButton.LeftButton or self._editor is None:
            return
        point = self._pressed = event.position().toPoint()
        in_ruler = point.y() < self._bands().stretches
        self._doing = "seek" if in_ruler else self.handle_at(point) or "select"
        if in_ruler:
            self.sought.emit(self._ms(point.x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Seek, or show what would be selected."""
        point = event.position().toPoint()
        if self._pressed is None:
            over = self.handle_at(point)
            self.viewport().setCursor(Qt.CursorShape.SizeHorCursor if over else Qt.CursorShape.ArrowCursor)
            return
        if self._doing == "seek":
            self.sought.emit(self._ms(point.x()))
            return
        if abs(point.x() - self._pressed.x()) < _SLACK and self.preview is None:
            return
        exact = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        now = self.look.selection
        fixed = {"start": now.end, "end": now.start}.get(self._doing)
        one = fixed if fixed is not None else self._snapped(self._pressed.x(), exact)
        low, high = sorted((one, self._snapped(point.x(), exact)))
        self.preview = Range(low, high) if low < high else None
        self._move(lambda: self.axis.show(self._ms(point.x()), self._ms(point.x())))
        self.viewport().update()
        if self.preview is not None:
            QToolTip.showText(event.globalPosition().toPoint(), span_words(low, high), self.viewport())

    def _snapped(self, x: int, exact: bool) -> int:
        ms = self._ms(x)
        return ms if exact else self.axis.snapped(ms, self.scene.magnets, _REACH)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select what was shown, or choose what was clicked."""
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None or self._editor is None:
            return
        found, doing, editor = self.preview, self._doing, self._editor
        self.preview, self._pressed, self._doing = None, None, ""
        self.viewport().update()
        if found is not None and doing in ("start", "end") and editor.span is not None and editor.target is not None:
            self.resized.emit(editor.target.key, *found)
        elif found is not None:
            self.selected.emit(*found)
        elif doing == "select":
            self._click(editor, event.position().toPoint())

    def _click(self, editor: ItemEditor, point: QPoint) -> None:
        """The stretch, the span, or the half second that is there; in the last case the playhead goes there, too."""
        ms, bands = self._ms(point.x()), self._bands()
        y = point.y() + self.verticalScrollBar().value()
        place = self.scene.stretch_at(ms)
        if y < bands.lanes and place is not None:
            self.walked.emit(place)
            return
        lane = bands.lane(y)
        target = target_at(self.scene, ms, lane, editor.target) if lane is not None else None
        if target is not None:
            self.chosen.emit(target)
            return
        track = editor.cursor.map
        self.selected.emit(*track.word(track.word_at(ms)))
        self.sought.emit(ms)

    def viewportEvent(self, event: QEvent) -> bool:
        """What is at the place that is pointed at, as a tooltip."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._editor is not None:
            lines = self.scene.words_at(self._ms(event.pos().x()), self._editor.schema)
            text = f"<b>{escape(lines[0])}</b>" + "".join(f"<br>{escape(line)}" for line in lines[1:])
            QToolTip.showText(event.globalPos(), f"<p style='white-space:pre'>{text}</p>", self.viewport())
            return True
        return super().viewportEvent(event)
