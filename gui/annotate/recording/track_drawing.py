"""How the time track is drawn: ruler, stretches with their commands, lanes of spans, chances; then what moves over it.

`base` and `marks` stay while the recording plays; selection, handles and playhead move over them. Bands lie below each
other from the top of the track, in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from gui.annotate.chooser import Target
from gui.annotate.marks import Mark, signed
from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.recording.axis import Axis
from gui.annotate.recording.scene import Plot, Scene
from gui.theme import GRID, Theme
from hitl.annotation.schema import Schema
from hitl.annotation.text import Range

GRIP = 4.0
_LEAST_LANES = 2
"""Room to drag in, also where nothing is marked."""
_NARROW = 7.0
"""A span of fewer pixels is a bar without pattern."""
_CROWDED = 2.0
"""A curve with more than a point for so many pixels is drawn by columns."""
_WIDEST = 8_000.0
"""No screen is wider; what is drawn ends there."""
_KEYS = {"model": " ↵ ⌫", "person": " ↵"}


@dataclass(frozen=True)
class Bands:
    """Tops of the bands and where they end, pixels."""

    ruler: float
    stretches: float
    lanes: float
    plots: float
    bottom: float
    lane_height: float
    plot_height: float

    def lane(self, y: float) -> int | None:
        """The lane at a height."""
        return int((y - self.lanes) // self.lane_height) if self.lanes <= y < self.plots else None


@dataclass(frozen=True)
class Look:
    """What is current. begun: colour and letter -> the moment since which it is under way."""

    selection: Range = Range(0, 0)
    sentence: int = 0
    target: Target | None = None
    preview: bool = False
    begun: tuple[tuple[int, str, int], ...] = ()


class TrackDrawing:
    """Draws a scene on an axis in the theme's colours."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._fonts: tuple[float, QFont, QFont, QFont] | None = None

    def bands(self, scene: Scene) -> Bands:
        """How high everything is."""
        small = QFontMetricsF(self._small).height()
        tag = QFontMetricsF(self._tag_font).height()
        lane, plot = round(tag + LINE + 5), round(2.2 * small)
        stretches = round(small + 7)
        lanes = stretches + (round(small + 10) if scene.stretches else 0) + 3
        plots = lanes + lane * max(_LEAST_LANES, scene.lane_count) + 2
        return Bands(0, stretches, lanes, plots, plots + (plot + 4) * len(scene.plots), lane, plot)

    # -- what stays ---------------------------------------------------------------------------------------------------

    def base(self, painter: QPainter, scene: Scene, axis: Axis) -> None:
        """Stretches and chances: what stays also when something is marked."""
        bands = self.bands(scene)
        self._lines(painter, scene, axis, bands)
        self._stretches(painter, scene, axis, bands)
        for place, plot in enumerate(scene.plots):
            top = bands.plots + place * (bands.plot_height + 4)
            self._plot(painter, plot, axis, QRectF(0, top, axis.width, bands.plot_height))

    def marks(self, painter: QPainter, scene: Scene, axis: Axis, look: Look) -> None:
        """Spans and suggestions in their lanes; what was done in each stretch, and which is current."""
        bands = self.bands(scene)
        self._commands(painter, scene, axis, bands)
        if look.sentence < len(scene.stretches):
            now = scene.stretches[look.sentence]
            box = self._stretch_box(axis, bands, now.start_ms, now.end_ms)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("accent"), 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)
        ends = _next_starts(scene)
        for place, (mark, lane) in enumerate(zip(scene.marks, scene.lanes, strict=True)):
            left, right = axis.x(mark.start), axis.x(mark.end)
            if right >= -1 and left <= axis.width + 1:
                top = bands.lanes + lane * bands.lane_height + 1
                room = min(axis.x(ends[place]), float(axis.width)) - max(left, 0.0)
                self._mark(painter, mark, QRectF(left, top, max(2.0, right - left), bands.lane_height - 3), room, look)

    def ruler(self, painter: QPainter, scene: Scene, axis: Axis) -> None:
        """Times; drawn behind all else, since they stay where the rest is scrolled away."""
        high = self.bands(scene).stretches
        painter.setFont(self._small)
        metrics = QFontMetricsF(self._small)
        strong, soft = self._theme.colour("line_strong"), self._theme.colour("text_soft")
        for ms, words in axis.marks(metrics.horizontalAdvance("0:00:00.0") + 2 * GRID):
            x = axis.x(ms)
            painter.setPen(QPen(strong, 1))
            painter.drawLine(QPointF(x, high - (high if words else 5)), QPointF(x, high))
            if words and x + metrics.horizontalAdvance(words) < axis.width:
                painter.setPen(soft)
                painter.drawText(QPointF(x + 4, metrics.ascent() + 2), words)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.drawLine(QPointF(-_WIDEST, high - 0.5), QPointF(_WIDEST, high - 0.5))

    def _lines(self, painter: QPainter, scene: Scene, axis: Axis, bands: Bands) -> None:
        """Where stretches meet, through all that lies below, as far as they can be told apart."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        before = 0
        for stretch in scene.stretches:
            x = round(axis.x(stretch.end_ms))
            if 0 <= x <= axis.width and x - before >= _NARROW:
                painter.drawLine(QPointF(x, bands.lanes), QPointF(x, bands.bottom))
                before = x
        painter.drawLine(QPointF(0, bands.plots - 1), QPointF(axis.width, bands.plots - 1))

    def _stretch_box(self, axis: Axis, bands: Bands, start_ms: int, end_ms: int) -> QRectF:
        left, right = axis.x(start_ms), axis.x(end_ms)
        return QRectF(left + 0.5, bands.stretches + 1.5, max(1.0, right - left - 1), bands.lanes - bands.stretches - 4)

    def _stretches(self, painter: QPainter, scene: Scene, axis: Axis, bands: Bands) -> None:
        grounds = {True: self._theme.colour("accent_soft"), False: self._theme.colour("policy_soft")}
        drawn = -1
        for stretch in scene.stretches:
            if axis.x(stretch.end_ms) < 0 or axis.x(stretch.start_ms) > axis.width:
                continue
            box = self._stretch_box(axis, bands, stretch.start_ms, stretch.end_ms)
            by_person = stretch.by not in ("", "policy")
            if box.width() < _NARROW:
                if round(box.right()) > drawn:
                    drawn = round(box.right())
                    painter.fillRect(box.toAlignedRect(), grounds[by_person])
                continue
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(grounds[by_person])
            painter.drawRoundedRect(box, 4, 4)

    def _commands(self, painter: QPainter, scene: Scene, axis: Axis, bands: Bands) -> None:
        """What was done in each stretch that is wide enough, and what is said of it."""
        metrics = QFontMetricsF(self._small)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place, stretch in enumerate(scene.stretches):
            wide = (stretch.end_ms - stretch.start_ms) / axis.ms_per_px
            if wide < 2 * _NARROW or axis.x(stretch.end_ms) < 0 or axis.x(stretch.start_ms) > axis.width:
                continue
            box = self._stretch_box(axis, bands, stretch.start_ms, stretch.end_ms)
            inner = box.adjusted(5, 0, -5, 0).intersected(QRectF(4, box.top(), axis.width - 8, box.height()))
            inner = self._judgement(painter, inner, place, scene)
            inner = self._reward(painter, inner, place, scene, metrics)
            if inner.width() < 2 * _NARROW:
                continue
            painter.setFont(self._small)
            painter.setPen(self._theme.colour("policy" if stretch.by in ("", "policy") else "accent"))
            words = metrics.elidedText(stretch.text or "no command", Qt.TextElideMode.ElideRight, inner.width())
            if words != "…":
                painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)

    def _judgement(self, painter: QPainter, room: QRectF, place: int, scene: Scene) -> QRectF:
        sign, colour = (
            ("?", "warn") if place in scene.unsure else ("✓", "good") if place in scene.judged else ("", "text")
        )
        if not sign or room.width() < QFontMetricsF(self._small_strong).horizontalAdvance(sign):
            return room
        painter.setFont(self._small_strong)
        painter.setPen(self._theme.colour(colour))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, sign)
        return room.adjusted(QFontMetricsF(self._small_strong).horizontalAdvance("✓ "), 0, 0, 0)

    def _reward(self, painter: QPainter, room: QRectF, place: int, scene: Scene, metrics: QFontMetricsF) -> QRectF:
        if place not in scene.rewards:
            return room
        value = scene.rewards[place][0]
        wide = metrics.horizontalAdvance("+0.00 ")
        if room.width() < wide * 2:
            return room
        painter.setFont(self._small_strong if value < 0 else self._small)
        painter.setPen(self._theme.colour("warn" if value < 0 else "good"))
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, signed(value))
        return room.adjusted(0, 0, -wide - 4, 0)

    def _mark(self, painter: QPainter, mark: Mark, box: QRectF, room: float, look: Look) -> None:
        """A span in its lane: its tint, its pattern below, its letters; what is only proposed is dashed and empty."""
        colour = self._theme.mark(mark.colour)
        current, own = mark.target == look.target, mark.kind == "own"
        if box.width() < _NARROW:
            if not own:
                colour.setAlpha(130)
            painter.fillRect(box.toAlignedRect(), colour)
            if room > 2 * _NARROW:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                self._tag(painter, mark.tag, self._theme.mark(mark.colour), box, room, own)
            return
        fill = QColor(colour)
        fill.setAlpha(90 if current else 46 if own else 0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(fill)
        if own:
            painter.setPen(QPen(colour, 1.4) if current else Qt.PenStyle.NoPen)
        else:
            painter.setPen(QPen(colour, 2.0 if current else 1.3, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        if own:  # of a span that goes beyond what is seen, no more is drawn than that
            left, right = max(box.left() + 2, -40.0), min(box.right() - 2, _WIDEST)
            draw_pattern(painter, mark.pattern, colour, left, right, box.bottom() - LINE - 1)
        tag = mark.tag + (_KEYS.get(mark.kind, "") if current else "")
        self._tag(painter, tag, colour, QRectF(max(box.left(), 0.0), box.top(), box.width(), box.height()), room, own)

    def _tag(self, painter: QPainter, text: str, colour: QColor, box: QRectF, room: float, solid: bool) -> None:
        metrics = QFontMetricsF(self._tag_font)
        text = text if metrics.horizontalAdvance(text) + 8 <= room else text.partition(" ")[0]
        wide = metrics.horizontalAdvance(text) + 8
        if wide > room:
            return
        place = QRectF(box.left(), box.top(), wide, metrics.height())
        painter.setPen(Qt.PenStyle.NoPen if solid else QPen(colour, 1.2))
        painter.setBrush(colour if solid else self._theme.colour("surface"))
        painter.drawRoundedRect(place, 3, 3)
        painter.setFont(self._tag_font)
        painter.setPen(self._theme.colour("on_mark") if solid else colour)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _plot(self, painter: QPainter, plot: Plot, axis: Axis, box: QRectF) -> None:
        colour = self._theme.mark(plot.colour)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.drawLine(QPointF(0, box.bottom()), QPointF(axis.width, box.bottom()))
        painter.setPen(QPen(self._theme.colour("line_strong"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(0, box.center().y()), QPointF(axis.width, box.center().y()))
        points = plot.points(axis.left_ms, axis.left_ms + axis.seen_ms, axis.ms_per_px)
        spots = [QPointF(axis.x(ms), box.bottom() - max(0.0, min(chance, 1.0)) * box.height())
                 for ms, chance in points]  # fmt: skip
        if len(spots) > axis.width / _CROWDED:
            _draw_columns(painter, spots, box.bottom(), colour)
        elif spots:
            _draw_area(painter, spots, box.bottom(), colour)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._tag_font)
        wide = QFontMetricsF(self._tag_font).horizontalAdvance(plot.name) + 8
        name = QRectF(2, box.top() + 1, wide, QFontMetricsF(self._tag_font).height())
        ground = self._theme.colour("surface")
        ground.setAlpha(215)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(name, 3, 3)
        painter.setPen(colour)
        painter.drawText(name, Qt.AlignmentFlag.AlignCenter, plot.name)

    # -- what moves ---------------------------------------------------------------------------------------------------

    def selection(self, painter: QPainter, scene: Scene, axis: Axis, look: Look) -> None:
        """What is selected, through all bands; with handles."""
        bands = self.bands(scene)
        left, right = axis.x(look.selection.start), axis.x(look.selection.end)
        if look.selection.start >= look.selection.end or right < 0 or left > axis.width:
            return
        accent, tint = self._theme.colour("accent"), self._theme.colour("accent")
        tint.setAlpha(70 if look.preview else 36)
        box = QRectF(left, bands.lanes - 2, max(1.0, right - left), bands.bottom - bands.lanes + 2)
        painter.fillRect(box, tint)
        painter.setPen(QPen(accent, 1.4, Qt.PenStyle.DashLine if look.preview else Qt.PenStyle.SolidLine))
        painter.drawLine(box.topLeft(), box.bottomLeft())
        painter.drawLine(box.topRight(), box.bottomRight())
        if not look.preview:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(accent)
            for x in (left, right):
                painter.drawEllipse(QPointF(x, bands.lanes - 1), GRIP, GRIP)

    def begun(self, painter: QPainter, scene: Scene, axis: Axis, look: Look, playhead_ms: float) -> None:
        """Spans that have begun while watching, as long as they are by now."""
        bands = self.bands(scene)
        for number, (colour_number, letter, since) in enumerate(look.begun):
            colour = self._theme.mark(colour_number)
            left, right = sorted((axis.x(since), axis.x(playhead_ms)))
            box = QRectF(left, bands.lanes + 1 + number * bands.lane_height, max(3.0, right - left),
                         bands.lane_height - 3)  # fmt: skip
            painter.fillRect(box, self._theme.colour("surface"))
            fill = QColor(colour)
            fill.setAlpha(110)
            painter.setBrush(fill)
            painter.setPen(QPen(colour, 2.0))
            painter.drawRect(box)
            self._tag(painter, f"{letter} …", colour, box, 1e9, True)

    def playhead(self, painter: QPainter, scene: Scene, axis: Axis, playhead_ms: float) -> None:
        """The moment that is seen."""
        x, high = axis.x(playhead_ms), self.bands(scene)
        colour = self._theme.colour("text")
        painter.setPen(QPen(colour, 1.6))
        painter.drawLine(QPointF(x, 4), QPointF(x, high.bottom))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        head = QPainterPath(QPointF(x - 6, 0))
        head.lineTo(x + 6, 0)
        head.lineTo(x + 6, 6)
        head.lineTo(x, 12)
        head.lineTo(x - 6, 6)
        head.closeSubpath()
        painter.drawPath(head)

    @property
    def _small(self) -> QFont:
        return self._all_fonts()[1]

    @property
    def _small_strong(self) -> QFont:
        return self._all_fonts()[2]

    @property
    def _tag_font(self) -> QFont:
        return self._all_fonts()[3]

    def _all_fonts(self) -> tuple[float, QFont, QFont, QFont]:
        size = self._theme.type.caption
        if self._fonts is None or self._fonts[0] != size:
            make = self._theme.font
            self._fonts = size, make(size), make(size, strong=True), make(size - 1.5, strong=True)
        return self._fonts


def _draw_area(painter: QPainter, spots: Sequence[QPointF], bottom: float, colour: QColor) -> None:
    """A line with what is below it."""
    line = QPainterPath(spots[0])
    for spot in spots[1:]:
        line.lineTo(spot)
    area = QPainterPath(line)
    area.lineTo(spots[-1].x(), bottom)
    area.lineTo(spots[0].x(), bottom)
    area.closeSubpath()
    painter.fillPath(area, _pale(colour))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1.6))
    painter.drawPath(line)


def _draw_columns(painter: QPainter, spots: Sequence[QPointF], bottom: float, colour: QColor) -> None:
    """The same where there are nearly as many points as pixels, at a tenth of the cost."""
    ground = round(bottom)
    places = [(round(spot.x()), round(spot.y())) for spot in spots]
    ends = [left for left, _ in places[1:]] + [places[-1][0] + 1]
    columns = [(left, top, max(1, end - left)) for (left, top), end in zip(places, ends, strict=True)]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_pale(colour))
    painter.drawRects([QRect(left, top, wide, ground - top) for left, top, wide in columns])
    painter.setBrush(colour)
    painter.drawRects([QRect(left, top - 1, wide, 2) for left, top, wide in columns])


def _pale(colour: QColor) -> QColor:
    pale = QColor(colour)
    pale.setAlpha(60)
    return pale


def begun_of(begun: Mapping[str, int], schema: Schema) -> tuple[tuple[int, str, int], ...]:
    """Colour, letter and moment of what has begun, in that order."""
    known = {category.key: category for category in schema.categories}
    return tuple((known[key].colour, known[key].shortcut, since) for key, since in begun.items() if key in known)


def _next_starts(scene: Scene) -> list[int]:
    """Of each mark, where the next one in its lane begins, or the recording ends."""
    found = [scene.duration_ms] * len(scene.marks)
    before: dict[int, int] = {}
    for place, (mark, lane) in enumerate(zip(scene.marks, scene.lanes, strict=True)):
        if lane in before:
            found[before[lane]] = mark.start
        before[lane] = place
    return found
