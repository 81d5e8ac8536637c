"""The cameras: overhead large, the others beside it, each with its name and, when it is old, how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.connection import Picture
from gui.state import STALE_FRAME_NS
from gui.theme import GRID, Theme

ORDER = ("overhead", "front", "left_wrist", "right_wrist")
"""Cameras in the order in which they are placed; others follow by name."""

_DEFAULT_SIZE = QSize(640, 480)


def ordered(cameras: Sequence[str]) -> list[str]:
    """Camera names with the known ones first, in the order of ORDER."""
    return sorted(cameras, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


Plan = Literal["single", "column", "mixed"]
_WORTH_CHANGING = 1.15
"""Another plan must show this much more, so that a line of text that comes and goes does not move every picture."""


def arrange(
    area: QSize, ratios: Sequence[float], keep: Plan | None = None, gap: int = GRID
) -> tuple[Plan, list[QRect]]:
    """Places for pictures of `ratios` (width / height) in `area`: the first large at the left, the rest beside it.

    Of two plans, each a block without holes (the rest as a column; the second above a row of the others), the one that
    shows more wins; the first picture counts half as much again, and the plan `keep` has an advantage.
    """
    if len(ratios) <= 1:
        height = min(area.height(), area.width() / ratios[0]) if ratios else 0
        return "single", _centred([QRectF(0, 0, height * ratio, height) for ratio in ratios], area)
    plans: dict[Plan, list[QRect]] = {"column": _column_plan(area, ratios, gap)}
    if len(ratios) > 3:
        plans["mixed"] = _mixed_plan(area, ratios, gap)

    def worth(plan: Plan) -> float:
        shown = 1.5 * _surface(plans[plan][:1]) + _surface(plans[plan][1:])
        return shown * (_WORTH_CHANGING if plan == keep else 1)

    best = max(plans, key=worth)
    return best, plans[best]


def _column_plan(area: QSize, ratios: Sequence[float], gap: int) -> list[QRect]:
    """Height h; the side is (h - gaps) / sum(1/ratio) wide, so that both sides end on one line."""
    per_height = 1 / sum(1 / ratio for ratio in ratios[1:])
    gaps = gap * (len(ratios) - 2)
    height = min(area.height(), (area.width() - gap + gaps * per_height) / (ratios[0] + per_height))
    side, top = (height - gaps) * per_height, 0.0
    rects = [QRectF(0, 0, height * ratios[0], height)]
    for ratio in ratios[1:]:
        rects.append(QRectF(height * ratios[0] + gap, top, side, side / ratio))
        top += side / ratio + gap
    return _centred(rects, area)


def _mixed_plan(area: QSize, ratios: Sequence[float], gap: int) -> list[QRect]:
    """The second picture is as wide as the row of the others below it."""
    first, second, others = ratios[0], ratios[1], ratios[2:]
    total = sum(others)
    row_gaps = gap * (len(others) - 1)
    per_height = 1 / (1 / second + 1 / total)
    offset = (row_gaps / total - gap) * per_height
    height = min(area.height(), (area.width() - gap - offset) / (first + per_height))
    side = height * per_height + offset
    left, below = height * first + gap, side / second + gap
    rects = [QRectF(0, 0, height * first, height), QRectF(left, 0, side, side / second)]
    row_height = (side - row_gaps) / total
    for ratio in others:
        rects.append(QRectF(left, below, row_height * ratio, row_height))
        left += row_height * ratio + gap
    return _centred(rects, area)


def _centred(rects: list[QRectF], area: QSize) -> list[QRect]:
    bounds = rects[0] if rects else QRectF()
    for rect in rects[1:]:
        bounds = bounds.united(rect)
    dx, dy = (area.width() - bounds.width()) / 2, (area.height() - bounds.height()) / 2
    return [rect.translated(dx, dy).toRect() for rect in rects]


def _surface(rects: Sequence[QRect]) -> int:
    return sum(rect.width() * rect.height() for rect in rects)


class CameraView(QWidget):
    """One camera: the newest picture, its name, and a mark when the picture is older than 200 ms."""

    def __init__(self, name: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.name = name
        self._theme = theme
        self._picture: Picture | None = None
        self._age_ns = 0
        self.setAccessibleName(f"Camera {name.replace('_', ' ')}")

    @property
    def ratio(self) -> float:
        """Width over height of the camera's pictures."""
        size = self._picture.size if self._picture else _DEFAULT_SIZE
        return size.width() / max(1, size.height())

    @property
    def stale(self) -> bool:
        """Whether the picture is older than 200 ms, or there is none."""
        return self._picture is None or self._age_ns > STALE_FRAME_NS

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture."""
        return self._picture is not None

    def show_picture(self, picture: Picture | None) -> None:
        """Show a newer picture; None: there is none any more."""
        self._picture = picture
        self.update()

    def age(self, now_ns: int) -> None:
        """Tell the time, so that an old picture is marked."""
        before = self.stale, self._age_words()
        self._age_ns = now_ns - self._picture.captured_ns if self._picture else 0
        if (self.stale, self._age_words()) != before:
            self.setAccessibleDescription(self._age_words() if self.stale else "live")
            self.update()

    def _age_words(self) -> str:
        return f"stale {self._age_ns / 1e9:.1f} s" if self._picture and self.stale else ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture, name and mark."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setClipPath(shape)
        painter.fillRect(self.rect(), self._theme.colour("picture"))
        if self._picture is None:
            painter.setPen(self._theme.colour("on_picture"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No picture yet")
        else:
            self._paint_picture(painter, self._picture)
        small = self._theme.font(self._theme.type.caption)
        room = self.width() - 2 * GRID
        name = self.name.replace("_", " ")
        draw_chip(painter, small, name, GRID, GRID, room, QColor(10, 11, 14, 190), QColor("#f2f4f8"))
        if self._picture is not None and self.stale:
            amber = QColor("#f0b95a")
            painter.setPen(QPen(amber, 4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
            below = self.height() - GRID - painter.fontMetrics().height() - 6
            draw_chip(painter, small, self._age_words(), GRID, below, room, amber, QColor("#17130a"))
        painter.end()

    def _paint_picture(self, painter: QPainter, picture: Picture) -> None:
        """At one pixel to one where the link scaled it to this size; scaled here only while sizes change."""
        wanted = self.size() * self.devicePixelRatioF()
        if abs(picture.image.width() - wanted.width()) <= 1 and abs(picture.image.height() - wanted.height()) <= 1:
            image = picture.image
            image.setDevicePixelRatio(self.devicePixelRatioF())
            painter.drawImage(0, 0, image)
        else:
            painter.drawImage(QRectF(self.rect()), picture.image)
        if self.stale:
            painter.fillRect(self.rect(), QColor(10, 11, 14, 120))


def draw_chip(
    painter: QPainter, font: QFont, text: str, left: int, top: int, room: int, back: QColor, front: QColor
) -> None:
    """A word or two on a picture, within `room` pixels."""
    painter.setFont(font)
    metrics = painter.fontMetrics()
    text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room - 12)
    box = QRectF(left, top, metrics.horizontalAdvance(text) + 12, metrics.height() + 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(back)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(front)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class CameraGrid(QWidget):
    """All cameras. `sized` tells the size in device pixels at which each camera is painted."""

    sized = Signal(str, QSize)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._views: dict[str, CameraView] = {}
        self._plan: Plan | None = None
        self.setAccessibleName("Cameras")
        self.setMinimumSize(320, 160)

    def view(self, camera: str) -> CameraView:
        """The view of a camera; KeyError if it never sent a picture."""
        return self._views[camera]

    def cameras(self) -> list[str]:
        """Cameras seen so far, in their order."""
        return ordered(list(self._views))

    def show_pictures(self, pictures: dict[str, Picture]) -> None:
        """Show newer pictures; a camera not seen before gets a place."""
        place_again = False
        for name, picture in pictures.items():
            if name not in self._views:
                self._views[name] = CameraView(name, self._theme, self)
                self._views[name].show()
                place_again = True
            view = self._views[name]
            ratio = view.ratio
            view.show_picture(picture)
            place_again = place_again or view.ratio != ratio
        if place_again:
            self._place()

    def age(self, now_ns: int) -> None:
        """Tell the time to all cameras."""
        for view in self._views.values():
            view.age(now_ns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the cameras anew."""
        self._place()

    def _place(self) -> None:
        names = self.cameras()
        self._plan, rects = arrange(self.size(), [self._views[name].ratio for name in names], self._plan)
        for name, rect in zip(names, rects, strict=True):
            if self._views[name].geometry() != rect:
                self._views[name].setGeometry(rect)
                self.sized.emit(name, rect.size() * self.devicePixelRatioF())
