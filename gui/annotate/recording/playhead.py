"""The moment of a recording that is looked at, and how it moves: playing, pausing, a part alone, by picture.

Times of the recording are milliseconds; the present time is given by the caller, in nanoseconds. Knows nothing of Qt.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_LONGEST_STEP_NS = 250_000_000
"""Where the window stood still for longer, the recording did, too."""


class Playhead:
    """At the beginning of a recording, and still."""

    def __init__(self, duration_ms: int = 0) -> None:
        self.duration_ms = duration_ms
        self.ms = 0.0
        self.speed = 1.0
        self.playing = False
        self.until_ms: int | None = None
        """Where it stops by itself before the end, since only a part is played."""
        self._told_ns = 0

    def toggle(self, now_ns: int) -> None:
        """Play from here, or pause. At the end it begins anew."""
        if self.playing:
            self.pause()
        else:
            if self.ms >= self.duration_ms:
                self.ms = 0.0
            self._play(now_ns, None)

    def play_part(self, start_ms: int, end_ms: int, now_ns: int) -> None:
        """Play this and nothing else; where that goes on already, stop."""
        if self.playing and self.until_ms == end_ms:
            self.pause()
            return
        self.ms = float(start_ms)
        self._play(now_ns, end_ms)

    def _play(self, now_ns: int, until_ms: int | None) -> None:
        self.playing, self.until_ms, self._told_ns = True, until_ms, now_ns

    def pause(self) -> None:
        """Stay here."""
        self.playing, self.until_ms = False, None

    def tick(self, now_ns: int, *, ready: bool = True) -> None:
        """Time has passed. ready: whether the picture of this moment is there; else it is waited for."""
        passed_ns, self._told_ns = min(now_ns - self._told_ns, _LONGEST_STEP_NS), now_ns
        if not self.playing or not ready or passed_ns <= 0:
            return
        self.ms += passed_ns / 1e6 * self.speed
        end = self.duration_ms if self.until_ms is None else self.until_ms
        if self.ms >= end:
            self.ms = float(end)
            self.pause()

    def seek(self, ms: float) -> None:
        """Go there; who plays goes on playing, but not only a part any more."""
        self.ms = max(0.0, min(float(ms), float(self.duration_ms)))
        self.until_ms = None

    def step(self, times_ms: Sequence[int], count: int) -> None:
        """Go to the next of these moments (or the one before), and stay there."""
        if not times_ms:
            return
        self.pause()
        here = bisect_right(times_ms, self.ms) - 1 if count > 0 else bisect_left(times_ms, self.ms)
        self.seek(times_ms[max(0, min(here + count, len(times_ms) - 1))])

    def change_speed(self, step: int) -> None:
        """Play faster or slower."""
        self.speed = SPEEDS[max(0, min(SPEEDS.index(self.speed) + step, len(SPEEDS) - 1))]
