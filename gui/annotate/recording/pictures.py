"""Which pictures of a recording are here, and which have to be asked for next: around the playhead, more ahead of it.

Pictures are kept as the JPEG that they were recorded as, up to a bound; those farthest from the playhead go first.
Times of the recording are milliseconds; the present time is given by the caller, in nanoseconds. Knows nothing of Qt
or sockets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from hitl.annotation_messages import OpenRecording, Pictures, RecordingOpened, ShowPictures
from hitl.clock import new_ulid

Asked = OpenRecording | ShowPictures
MOST_BYTES = 256 << 20
ASK_AGAIN_NS = 2_000_000_000
"""What was asked and of which nothing came for so long is asked again."""
AHEAD_MS, BEHIND_MS = 8_000, 2_000
_FIRST_MS, _MORE_MS = 1_000, 4_000
"""How much is asked for at once: little where somebody waits for it."""


@dataclass(frozen=True)
class Recorded:
    """A picture as it was recorded. ms: when it was taken."""

    camera: str
    ms: int
    jpeg: bytes


@dataclass
class _Reel:
    """The pictures of one camera, by their place in `times_ms`."""

    times_ms: list[int]
    jpegs: dict[int, bytes] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    """What was asked for and did not come: nobody has it."""
    asked: ShowPictures | None = None
    asked_ns: int = 0
    error: str = ""

    def place(self, ms: float) -> int:
        """The picture that is seen at a moment: the newest before it, or the first."""
        return max(0, bisect_right(self.times_ms, ms) - 1)

    def lacks(self, place: int) -> bool:
        """Whether a picture may be asked for."""
        return 0 <= place < len(self.times_ms) and place not in self.jpegs and place not in self.absent


class PictureStore:
    """The pictures of one item; another item begins with none."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self.connected = False
        """Whether the backend is there."""
        self._bytes = 0
        self.show("", "")

    def show(self, project: str, item: str) -> None:
        """Begin with another item; an empty one needs no pictures."""
        self.project, self.item = project, item
        self.opened = False
        """Whether it is known what can be seen."""
        self.error = ""
        """Why it cannot be seen, and what to do."""
        self.ms = 0.0
        self._reels: dict[str, _Reel] = {}
        self._opening = OpenRecording(id=new_ulid(), project=project, item=item)
        self._opening_ns: int | None = None
        self._bytes = 0

    def link(self, connected: bool) -> None:
        """Whether the backend is there. When it comes back, what failed or is open is asked anew."""
        if connected and not self.connected:
            self._opening_ns = None
            self.opened = self.opened and not self.error
            for reel in self._reels.values():
                reel.asked, reel.error = None, ""
        self.connected = connected

    @property
    def cameras(self) -> list[str]:
        """Cameras of which there are pictures."""
        return list(self._reels)

    @property
    def kept_bytes(self) -> int:
        """What is kept, in bytes."""
        return self._bytes

    def times_ms(self, camera: str) -> Sequence[int]:
        """When the pictures of a camera were taken; none of a camera that is not known."""
        reel = self._reels.get(camera)
        return reel.times_ms if reel is not None else ()

    def at(self, camera: str, ms: float) -> Recorded | None:
        """The picture that a camera saw last at a moment, where it is here."""
        reel = self._reels.get(camera)
        if reel is None:
            return None
        place = reel.place(ms)
        while place in reel.absent and place > 0:
            place -= 1
        jpeg = reel.jpegs.get(place)
        return Recorded(camera, reel.times_ms[place], jpeg) if jpeg is not None else None

    def waits(self, camera: str, ms: float) -> bool:
        """Whether the picture of a moment is on its way, so that it is worth waiting for."""
        reel = self._reels.get(camera)
        return reel is not None and not reel.error and reel.lacks(reel.place(ms))

    def picture_error(self) -> str:
        """Why pictures of some camera cannot be had."""
        return next((reel.error for reel in self._reels.values() if reel.error), "")

    # -- what to ask --------------------------------------------------------------------------------------------------

    def look(self, ms: float) -> None:
        """The playhead is here."""
        self.ms = ms

    def asks(self, now_ns: int) -> list[Asked]:
        """What has to be asked now."""
        if not self.connected or not self.item:
            return []
        if not self.opened:
            if self._opening_ns is not None and now_ns - self._opening_ns < ASK_AGAIN_NS:
                return []
            self._opening_ns = now_ns
            return [self._opening]
        reach_ms = self._reach_ms()
        found: list[Asked] = []
        for camera, reel in self._reels.items():
            question = self._next(camera, reel, now_ns, reach_ms)
            if question is not None:
                reel.asked, reel.asked_ns = question, now_ns
                found.append(question)
        return found

    def _next(self, camera: str, reel: _Reel, now_ns: int, reach_ms: float) -> ShowPictures | None:
        here, asked = reel.place(self.ms), reel.asked
        if reel.error:
            return None
        waiting = reel.lacks(here)
        if asked is not None:
            comes = asked.start_ms <= reel.times_ms[here] < asked.end_ms
            if (comes or not waiting) and now_ns - reel.asked_ns < ASK_AGAIN_NS:
                return None
        first = self._first_lacking(reel, here, reach_ms)
        if first is None:
            reel.asked = None
            return None
        most_ms = _FIRST_MS if waiting else _MORE_MS
        last = first
        while reel.lacks(last + 1) and reel.times_ms[last + 1] < reel.times_ms[first] + most_ms:
            last += 1
        return ShowPictures(id=new_ulid(), project=self.project, item=self.item, camera=camera,
                            start_ms=reel.times_ms[first], end_ms=reel.times_ms[last] + 1)  # fmt: skip

    def _first_lacking(self, reel: _Reel, here: int, reach_ms: float) -> int | None:
        last = bisect_left(reel.times_ms, self.ms + reach_ms)
        ahead = next((place for place in range(here, last) if reel.lacks(place)), None)
        if ahead is not None or (reel.lacks(here) and here == last):
            return here if ahead is None else ahead
        behind = range(here - 1, bisect_left(reel.times_ms, self.ms - min(BEHIND_MS, reach_ms)) - 1, -1)
        lacking = [place for place in behind if reel.lacks(place)]
        return lacking[-1] if lacking else None

    def _reach_ms(self) -> float:
        """How far ahead to ask, so that what is asked for does not push out what was."""
        count = sum(len(reel.jpegs) for reel in self._reels.values())
        span_ms = max((reel.times_ms[-1] - reel.times_ms[0] for reel in self._reels.values()), default=0)
        if not count or not span_ms:
            return AHEAD_MS
        pictures_per_ms = sum(len(reel.times_ms) for reel in self._reels.values()) / span_ms
        return min(AHEAD_MS, self._most_bytes / 3 / (self._bytes / count * pictures_per_ms))

    # -- what came in -------------------------------------------------------------------------------------------------

    def apply(self, message: object, jpegs: Sequence[bytes], now_ns: int) -> bool:
        """Take a message in; returns whether it was about this recording. jpegs: one for each of its times."""
        match message:
            case RecordingOpened(id=question) if question == self._opening.id:
                self.opened, self.error = True, message.error
                self._reels = {camera.name: _Reel(list(camera.times_ms)) for camera in message.cameras
                               if camera.times_ms}  # fmt: skip
                self._bytes = 0
                return True
            case Pictures() if (message.project, message.item) == (self.project, self.item):
                reel = self._reels.get(message.camera)
                if reel is not None:
                    self._take(reel, message, jpegs, now_ns)
                return reel is not None
        return False

    def _take(self, reel: _Reel, message: Pictures, jpegs: Sequence[bytes], now_ns: int) -> None:
        for ms, jpeg in zip(message.times_ms, jpegs, strict=False):
            place = bisect_left(reel.times_ms, ms)
            if place < len(reel.times_ms) and reel.times_ms[place] == ms:
                self._bytes += len(jpeg) - len(reel.jpegs.get(place, b""))
                reel.jpegs[place] = jpeg
        asked = reel.asked
        if asked is not None and message.id == asked.id:
            reel.asked_ns = now_ns
            if message.finished:
                reel.asked, reel.error = None, message.error
                if not message.error:
                    first, end = (bisect_left(reel.times_ms, ms) for ms in (asked.start_ms, asked.end_ms))
                    reel.absent |= set(range(first, end)) - reel.jpegs.keys()
        if self._bytes > self._most_bytes:
            self._drop_farthest()

    def _drop_farthest(self) -> None:
        every = [(abs(reel.times_ms[place] - self.ms), place, reel) for reel in self._reels.values()
                 for place in reel.jpegs]  # fmt: skip
        every.sort(key=lambda entry: entry[0], reverse=True)
        for _, place, reel in every:
            if self._bytes <= self._most_bytes * 0.9:
                break
            self._bytes -= len(reel.jpegs.pop(place))
