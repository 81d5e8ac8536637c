"""Recorded pictures made ready to paint on threads of their own, of each camera only the one that is wanted now.

Who scrubs faster than pictures can be decoded skips some and never lags. Knows nothing of where pictures come from.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader

from gui.annotate.recording.pictures import Recorded
from gui.connection import Picture

_THREADS = 2


class Decoder(QObject):
    """`decoded` carries a Picture and the Recorded that it was made of, to the thread of this object."""

    decoded = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[Recorded, QSize]] = {}
        self._busy: set[str] = set()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")

    def want(self, recorded: Recorded, size: QSize) -> None:
        """Make this one ready to paint at a size, in device pixels; an empty size leaves it as it is."""
        with self._lock:
            self._wanted[recorded.camera] = recorded, size
            if recorded.camera in self._busy:
                return
            self._busy.add(recorded.camera)
        self._pool.submit(self._run, recorded.camera)

    def close(self) -> None:
        """End the threads; what was wanted is not made."""
        with self._lock:
            self._wanted.clear()
        self._pool.shutdown(wait=True)

    def _run(self, camera: str) -> None:
        while True:
            with self._lock:
                wanted = self._wanted.pop(camera, None)
                if wanted is None:
                    self._busy.discard(camera)
                    return
            recorded, size = wanted
            picture = picture_of(recorded, size)
            if picture is not None:
                self.decoded.emit(picture, recorded)


def picture_of(recorded: Recorded, size: QSize) -> Picture | None:
    """A recorded picture, no larger than `size` (device pixels; empty: as it is); None where it cannot be read."""
    data = QByteArray(recorded.jpeg)
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    whole = reader.size()
    if not size.isEmpty() and whole.isValid():
        fit = whole.scaled(size, Qt.AspectRatioMode.KeepAspectRatio)
        if fit.width() < whole.width():
            reader.setScaledSize(fit)  # JPEG is decoded small, which takes a part of the time
    image = reader.read()
    if image.isNull():
        return None
    if not size.isEmpty():
        image = image.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return Picture(recorded.camera, image, whole if whole.isValid() else image.size(), 0, 0)
