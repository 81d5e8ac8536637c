"""One thread owns the link to the backend; what arrives reaches Qt by one queued signal.

The thread keeps a mailbox: messages in order, and of frames only the newest of each camera, decoded and scaled to the
size at which it will be painted. At most one `ready` signal is under way: a slow window skips frames and never lags.
Requests are written to the outbox on a second thread, because a disk may take longer than a window may wait.
Knows nothing of what messages mean.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage

from hitl.annotation_messages import (
    AskAgreement,
    Generate,
    OpenItem,
    OpenProject,
    OpenRecording,
    Pictures,
    ShowPictures,
    StopGenerating,
)
from hitl.clock import Clock, SystemClock
from hitl.errors import HitlError
from hitl.messages import Frame, Message, Observation, Request, Stop
from hitl.model_messages import AskModels, PromoteModel, RollBackModel, SetLearning

_POLL_MS = 50
_HEALTH_NS = 200_000_000
_SAME_CLOCK_NS = 5_000_000_000


ModelQuestion = AskModels | PromoteModel | RollBackModel | SetLearning
"""What the window asks about versions of the policies; the answer is `Models`."""
Question = (
    OpenProject | OpenItem | AskAgreement | OpenRecording | ShowPictures | Generate | StopGenerating | ModelQuestion
)
"""What the window asks about annotation projects and versions; answers come as messages."""


class LinkLike(Protocol):
    """What the window needs of `hitl.bus.Link`."""

    @property
    def connected(self) -> bool: ...
    @property
    def offset_ns(self) -> int: ...
    @property
    def unsaved(self) -> int: ...
    @property
    def round_trip_ms(self) -> float: ...
    @property
    def refused(self) -> str: ...

    def submit(self, request: Request) -> None: ...
    def stop(self, stop: Stop) -> None: ...
    def send(self, message: Any) -> bool: ...
    def poll(self, timeout_ms: int) -> Sequence[Any]: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Picture:
    """The newest frame of a camera, ready to paint. Times in ns of this computer's clock."""

    camera: str
    image: QImage
    size: QSize
    """Size of the camera's picture before scaling, pixels."""
    captured_ns: int
    arrived_ns: int


@dataclass(frozen=True)
class RecordedPictures:
    """Pictures of a recording, as they were recorded. jpegs: one for each time of the message."""

    message: Pictures
    jpegs: tuple[bytes, ...]


@dataclass(frozen=True)
class Health:
    """State of the link."""

    connected: bool = False
    offset_ns: int = 0
    unsaved: int = 0
    round_trip_ms: float = 0.0
    error: str = ""
    """Why there can be no link, in words (keys, protocol version, outbox); empty where there is or may be one."""


@dataclass(frozen=True)
class Failure:
    """A request that could not even be kept on this computer."""

    request: Request
    reason: str


@dataclass(frozen=True)
class Opened:
    """A link, and the requests of an earlier start that its outbox still keeps."""

    link: LinkLike
    kept: tuple[Request, ...] = ()


@dataclass
class Batch:
    """All that arrived since the last `take`."""

    messages: list[Message] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    recorded: list[RecordedPictures] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    kept: list[Request] = field(default_factory=list)
    health: Health = Health()


class Connection(QObject):
    """Runs a link in a thread. `submit`, `stop` and `take` are for the GUI thread and never block it."""

    ready = Signal()

    def __init__(self, open_link: Callable[[], Opened], clock: Clock | None = None) -> None:
        super().__init__()
        self._open_link = open_link
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._batch = Batch()
        self._pending = False
        self._link: LinkLike | None = None
        self._early_stops: list[Stop] = []
        self._questions: list[Question] = []
        self._sizes: dict[str, QSize] = {}
        self._closing = threading.Event()
        self._linked = threading.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Start the thread; the window may be shown before or after."""
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Keep `request` in the outbox, from where it is sent; a failure comes back in `Batch.failures`."""
        self._writer.submit(self._write, request)

    def stop(self, stop: Stop) -> None:
        """Ask the robot to stop, ahead of everything else."""
        with self._lock:
            link = self._link
            if link is None:
                self._early_stops.append(stop)
        if link is not None:
            link.stop(stop)

    def ask(self, *questions: Question) -> None:
        """Ask about projects or versions. Nothing is kept: where there is no backend now, a question is lost."""
        with self._lock:
            self._questions.extend(questions)
            link = self._link
        if link is not None:
            link.wake()

    def want_size(self, camera: str, size: QSize) -> None:
        """Scale the pictures of `camera` to fit `size` (device pixels) before they are handed over."""
        self._sizes[camera] = size

    def take(self) -> Batch:
        """All that arrived since the last call."""
        with self._lock:
            batch, self._batch = self._batch, Batch(health=self._batch.health)
            self._pending = False
            return batch

    def close(self, timeout_s: float = 3.0) -> None:
        """Write what was submitted, then end the threads."""
        if not self._thread.is_alive():
            self._linked.set()  # there will be no link to wait for
        self._writer.shutdown(wait=True)
        self._closing.set()
        if self._link is not None:
            self._link.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _write(self, request: Request) -> None:
        self._linked.wait(timeout=10)
        link = self._link
        try:
            if link is None:
                raise HitlError(self._batch.health.error or "There is no link to a backend.")
            link.submit(request)
        except HitlError as error:
            failure = Failure(request, str(error))
            self._post(lambda batch: batch.failures.append(failure))

    def _run(self) -> None:
        try:
            opened = self._open_link()
        except HitlError as error:
            reason = str(error)
            self._post(lambda batch: setattr(batch, "health", Health(error=reason)))
            self._linked.set()
            return
        link = opened.link
        with self._lock:
            self._link = link
            self._batch.kept.extend(opened.kept)
            early, self._early_stops = self._early_stops, []
        for stop in early:
            link.stop(stop)
        self._linked.set()
        try:
            self._serve(link)
        finally:
            link.close()

    def _serve(self, link: LinkLike) -> None:
        health_ns = 0
        known = Health()
        while not self._closing.is_set():
            with self._lock:
                questions, self._questions = self._questions, []
            for question in questions:
                link.send(question)
            received = link.poll(_POLL_MS)
            now_ns = self._clock.now_ns()
            health = Health(link.connected, link.offset_ns, link.unsaved, link.round_trip_ms, link.refused)
            messages, pictures = self._sort(received, health.offset_ns, now_ns)
            recorded = [RecordedPictures(item.message, tuple(bytes(payload) for payload in item.payloads))
                        for item in received if isinstance(item.message, Pictures)]  # fmt: skip
            urgent = (health.connected, health.unsaved, health.error) != (known.connected, known.unsaved, known.error)
            if messages or pictures or recorded or urgent or now_ns - health_ns >= _HEALTH_NS:
                known, health_ns = health, now_ns
                self._deliver(messages, pictures, recorded, health)

    def _sort(self, received: Sequence[Any], offset_ns: int, now_ns: int) -> tuple[list[Message], dict[str, Picture]]:
        messages: list[Message] = []
        frames: dict[str, tuple[Frame, bytes | memoryview]] = {}
        for item in received:
            if isinstance(item.message, Frame):
                if item.payloads:
                    frames[item.message.camera] = (item.message, item.payloads[0])
            elif not isinstance(item.message, Observation | Pictures):
                messages.append(item.message)
        pictures = {}
        for camera, (frame, payload) in frames.items():
            image = picture_of(frame, payload)
            if image is not None:
                captured_ns = captured_at(frame.stamp_ns - offset_ns, now_ns)
                size = QSize(frame.width, frame.height)
                pictures[camera] = Picture(camera, self._scaled(camera, image), size, captured_ns, now_ns)
        return messages, pictures

    def _scaled(self, camera: str, image: QImage) -> QImage:
        size = self._sizes.get(camera)
        if size is not None and not size.isEmpty():
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            image = image.scaled(size, keep, smooth)
        return image.convertToFormat(QImage.Format.Format_RGB32)

    def _deliver(
        self, messages: list[Message], pictures: dict[str, Picture], recorded: list[RecordedPictures], health: Health
    ) -> None:
        def put(batch: Batch) -> None:
            batch.messages.extend(messages)
            batch.recorded.extend(recorded)
            batch.pictures.update(pictures)
            batch.health = health

        self._post(put)

    def _post(self, put: Callable[[Batch], object]) -> None:
        with self._lock:
            put(self._batch)
            tell, self._pending = not self._pending, True
        if tell:
            self.ready.emit()


def captured_at(stamp_ns: int, now_ns: int) -> int:
    """When a frame that arrives at `now_ns` was captured: its stamp, brought over to this clock.

    A robot on another host than the backend stamps with a clock that nobody here knows; a stamp seconds away from now
    shows that, and then the age counts from the arrival.
    """
    return min(now_ns, stamp_ns) if abs(now_ns - stamp_ns) < _SAME_CLOCK_NS else now_ns


def picture_of(frame: Frame, payload: bytes | memoryview) -> QImage | None:
    """The payload of `frame` as a picture of its own memory; None if it is no such picture."""
    if frame.encoding == "jpeg":
        image = QImage.fromData(bytes(payload))
        return None if image.isNull() else image
    if memoryview(payload).nbytes != frame.height * frame.width * 3:
        return None
    return QImage(payload, frame.width, frame.height, frame.width * 3, QImage.Format.Format_RGB888).copy()
