"""The cameras of a recording: the one that is looked at large, the others beside it; a click enlarges another."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from gui.connection import Picture
from gui.live.cameras import CameraView, Plan, arrange, draw_chip, ordered
from gui.theme import GRID, Theme


class RecordedCamera(CameraView):
    """One camera. `pressed` carries its name."""

    pressed = Signal(str)

    def __init__(self, name: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(name, theme, parent)
        self._waits = False
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(f"<p>{name.replace('_', ' ')}: click to enlarge it.</p>")

    def show_waiting(self, waits: bool) -> None:
        """Mark that the picture of this moment is still to come."""
        if waits != self._waits:
            self._waits = waits
            self.setAccessibleDescription("loading" if waits else "")
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Look at this one."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(self.name)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture, and whether it is the one of an earlier moment."""
        super().paintEvent(event)
        if self._waits and self.has_picture:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            font = self._theme.font(self._theme.type.caption)
            painter.setFont(font)
            below = self.height() - GRID - painter.fontMetrics().height() - 6
            draw_chip(painter, font, "loading", GRID, below, self.width() - 2 * GRID, QColor("#f0b95a"),
                      QColor("#17130a"))  # fmt: skip
            painter.end()


class RecordedCameras(QWidget):
    """All cameras of a recording. `sized` says that pictures are wanted at other sizes, `enlarged` which is large."""

    sized = Signal()
    enlarged = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._views: dict[str, RecordedCamera] = {}
        self._plan: Plan | None = None
        self.large = ""
        """The camera that is looked at."""
        self.setAccessibleName("Pictures of the recording")
        self.setMinimumHeight(120)

    @property
    def names(self) -> list[str]:
        """The cameras, the large one first."""
        return sorted(ordered(list(self._views)), key=lambda name: name != self.large)

    def view(self, camera: str) -> RecordedCamera:
        """The view of a camera."""
        return self._views[camera]

    def show_cameras(self, names: Sequence[str]) -> None:
        """These cameras are there; the one that was large stays so, where it is among them."""
        if set(names) == set(self._views):
            return
        for name in self._views.keys() - set(names):
            self._views.pop(name).deleteLater()
        for name in names:
            if name not in self._views:
                view = self._views[name] = RecordedCamera(name, self._theme, self)
                view.pressed.connect(self.enlarge)
                view.show()
        if self.large not in self._views:
            self.large = next(iter(ordered(list(self._views))), "")
        self._place()

    def forget_pictures(self) -> None:
        """What is seen is of another recording."""
        for view in self._views.values():
            view.show_picture(None)
            view.show_waiting(False)

    def show_picture(self, picture: Picture) -> None:
        """Show a picture in its place."""
        view = self._views.get(picture.camera)
        if view is not None:
            before = view.ratio
            view.show_picture(picture)
            if abs(view.ratio - before) > 0.01:
                self._place()

    def size_of(self, camera: str) -> QSize:
        """How large a camera is painted, in device pixels."""
        return self._views[camera].size() * self.devicePixelRatioF()

    def enlarge(self, camera: str) -> None:
        """Look at this camera."""
        if camera in self._views and camera != self.large:
            self.large = camera
            self._place()
            self.enlarged.emit(camera)

    def next(self) -> None:
        """Look at the next camera."""
        names = ordered(list(self._views))
        if names:
            self.enlarge(names[(names.index(self.large) + 1) % len(names)])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the cameras anew."""
        self._place()

    def _place(self) -> None:
        names = self.names
        self._plan, rects = arrange(self.size(), [self._views[name].ratio for name in names], self._plan)
        for name, rect in zip(names, rects, strict=True):
            self._views[name].setGeometry(rect)
        self.sized.emit()
