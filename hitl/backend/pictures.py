"""The thread that shows recordings to windows: which cameras there are, and their pictures.

A disk may be slow and a recording large, so this is done beside the annotation thread, a message at a time, whoever
asked in turn. No more than a few messages are on their way at once: who leaves, or asks about the same camera again,
ends what was being read for them. Knows no sockets: answers leave through `deliver`.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hitl.annotation.items import Item
from hitl.annotation_messages import (
    MAX_PICTURES_BYTES,
    Camera,
    OpenRecording,
    Pictures,
    RecordingOpened,
    ShowPictures,
)
from hitl.errors import HitlError, InputError
from hitl.sessions.catalog import Catalog
from hitl.sessions.finding import find_recording
from hitl.sessions.pictures import picture_times, pictures_between
from hitl.sessions.recorded import read_recorded

log = logging.getLogger("hitl.backend")

MAX_PICTURES = 32
"""In one message: the bus takes no more payloads."""
_ON_THE_WAY = 2
_REMEMBERED = 16
"""Recordings of which it is known where their episodes begin."""

ToWindow = RecordingOpened | Pictures


@dataclass(frozen=True)
class ShownTo:
    """Send this to one window, and say whether it went."""

    peer: bytes
    message: ToWindow
    payloads: tuple[bytes, ...]
    sent: Callable[[bool], None]


_Key = tuple[bytes, str, str, str]
"""Peer, project, item and camera (none: which there are): what one answer is about."""
_Answer = Iterator[tuple[ToWindow, list[bytes]]]


@dataclass(eq=False)
class _Job:
    """An answer under way."""

    request: OpenRecording | ShowPictures
    answer: _Answer


class PicturesThread:
    """Owns the files. catalog: where recordings of sessions are."""

    def __init__(self, catalog: Catalog, deliver: Callable[[ShownTo], None]) -> None:
        self._reader = EpisodeReader(catalog)
        self._deliver = deliver
        self._condition = threading.Condition()
        self._jobs: OrderedDict[_Key, _Job] = OrderedDict()
        """The one that waits longest first."""
        self._on_the_way = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    # -- safe from any thread -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, peer: bytes, request: OpenRecording | ShowPictures, item: Item) -> None:
        """What a window wants to see of an item, instead of what it asked before about the same."""
        answer: _Answer
        if isinstance(request, OpenRecording):
            camera, answer = "", self._reader.opened(request, item)
        else:
            camera, answer = request.camera, self._reader.pictures(request, item)
        with self._condition:
            self._jobs[peer, request.project, request.item, camera] = _Job(request, answer)
            self._condition.notify()

    def left(self, peer: bytes) -> None:
        """The window is gone: nothing more is read for it."""
        with self._condition:
            for key in [key for key in self._jobs if key[0] == peer]:
                del self._jobs[key]

    def close(self) -> None:
        """End, whatever is under way."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (found := self._next()) is not None:
            key, job = found
            message, payloads = _read(job)
            with self._condition:
                if self._jobs.get(key) is not job:
                    continue  # nobody waits for it any more
                if isinstance(message, RecordingOpened) or message.finished:
                    del self._jobs[key]
                self._on_the_way += 1
            self._deliver(ShownTo(key[0], message, tuple(payloads), partial(self._sent, key[0])))

    def _next(self) -> tuple[_Key, _Job] | None:
        """The answer whose turn it is, as soon as what was sent has gone; None at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._closing or self._jobs and self._on_the_way < _ON_THE_WAY)
            if self._closing:
                return None
            key, job = next(iter(self._jobs.items()))
            self._jobs.move_to_end(key)
            return key, job

    def _sent(self, peer: bytes, went: bool) -> None:
        """Called by whoever sends."""
        with self._condition:
            self._on_the_way -= 1
            self._condition.notify()
        if not went:
            self.left(peer)


def _read(job: _Job) -> tuple[ToWindow, list[bytes]]:
    """The next message of an answer, or what is wrong."""
    try:
        return next(job.answer)
    except HitlError as error:
        why = str(error)
    except Exception:
        log.exception("a recording could not be read")
        why = "The recording could not be read: look at the backend's log."
    return refused(job.request, why), []


def refused(request: OpenRecording | ShowPictures, why: str) -> ToWindow:
    """The answer where nothing can be shown."""
    if isinstance(request, OpenRecording):
        return RecordingOpened(id=request.id, project=request.project, item=request.item, error=why)
    return Pictures(
        id=request.id, project=request.project, item=request.item, camera=request.camera, finished=True, error=why
    )


class EpisodeReader:
    """Pictures of items that are recordings, by milliseconds from the beginning of their episode."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: OrderedDict[tuple[Path, int, int], Mapping[str, tuple[int, int]]] = OrderedDict()

    def opened(self, request: OpenRecording, item: Item) -> _Answer:
        """The cameras of which there is a picture, and when. Raises InputError where the recording cannot be seen."""
        path, begin_ns, end_ns = self._place(item)
        cameras = [
            Camera(name=name, times_ms=[_ms(at_ns - begin_ns) for at_ns in times])
            for name, times in picture_times(path, begin_ns, end_ns).items()
        ]
        yield RecordingOpened(id=request.id, project=request.project, item=request.item, cameras=cameras), []

    def pictures(self, request: ShowPictures, item: Item) -> _Answer:
        """Messages with their payloads, the last of which is finished. Raises as `opened`."""
        path, begin_ns, end_ns = self._place(item)
        first_ns = begin_ns + max(0, request.start_ms) * 1_000_000
        last_ns = min(end_ns, begin_ns + max(0, request.end_ms) * 1_000_000)
        times: list[int] = []
        jpegs: list[bytes] = []
        for _, at_ns, jpeg in pictures_between(path, first_ns, last_ns, {request.camera}):
            size = sum(map(len, jpegs)) + len(jpeg)
            if jpegs and (size > MAX_PICTURES_BYTES or len(jpegs) == MAX_PICTURES):
                yield self._message(request, times), jpegs
                times, jpegs = [], []
            times.append(_ms(at_ns - begin_ns))
            jpegs.append(bytes(jpeg))
        yield self._message(request, times, finished=True), jpegs

    @staticmethod
    def _message(request: ShowPictures, times_ms: list[int], *, finished: bool = False) -> Pictures:
        return Pictures(
            id=request.id, project=request.project, item=request.item, camera=request.camera, times_ms=times_ms,
            finished=finished,
        )  # fmt: skip

    def _place(self, item: Item) -> tuple[Path, int, int]:
        """File, beginning and end of the item's episode, nanoseconds of the session clock."""
        if not item.recording:
            raise InputError(f"{item.id!r} is no recording", field="item", hint="Open it as a text.")
        path, episode = find_recording(self._catalog, item.recording, item.extra)
        about = path.stat()
        key = path, about.st_size, about.st_mtime_ns
        if key not in self._known:
            episodes = read_recorded(path).episodes
            self._known[key] = {one.id: (one.start_ns, one.end_ns) for one in episodes}
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if episode not in self._known[key]:
            why = f"{path} has no episode {episode}"
            raise InputError(why, field="recording", hint="Put the file back, or import it into another project.")
        return path, *self._known[key][episode]


def _ms(ns: int) -> int:
    return ns // 1_000_000
