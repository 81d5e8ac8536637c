"""Where the moments of a recording are on the screen: zoom, scrolling, the marks of the ruler, what a drag snaps to.

Knows nothing of Qt or labels. Times are milliseconds, places are pixels from the left edge of the track.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gui.annotate.moves import TENTH_MS
from gui.annotate.times import time_words

_STEPS_MS = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
             1_800_000, 3_600_000)  # fmt: skip
_CLOSEST_MS = 0.5
"""Milliseconds to a pixel, as near as one can look: a picture of 30 a second is then 66 pixels wide."""
_MARGIN = 0.1
"""Where something is scrolled into sight it stays this share of the width away from the edges."""


class Axis:
    """A part of a recording, from `left_ms`, over `width` pixels; at first all of it."""

    def __init__(self, duration_ms: int = 1, width: int = 1) -> None:
        self.duration_ms = max(1, duration_ms)
        self.width = max(1, width)
        self.left_ms = 0.0
        self.ms_per_px = self.whole

    @property
    def whole(self) -> float:
        """Milliseconds to a pixel where all of the recording is seen."""
        return self.duration_ms / self.width

    @property
    def seen_ms(self) -> float:
        """How much is seen."""
        return self.width * self.ms_per_px

    def x(self, ms: float) -> float:
        """The place of a moment; outside of the track where it is not seen."""
        return (ms - self.left_ms) / self.ms_per_px

    def ms(self, x: float) -> int:
        """The moment at a place, within the recording."""
        return round(max(0.0, min(self.left_ms + x * self.ms_per_px, float(self.duration_ms))))

    def resize(self, width: int) -> None:
        """The track has another width; who saw all of it still does."""
        all_seen = self.ms_per_px >= self.whole
        self.width = max(1, width)
        self._look(self.left_ms, self.whole if all_seen else self.ms_per_px)

    def zoom(self, factor: float, around_ms: float) -> None:
        """Look nearer (a factor over 1) or from farther away; `around_ms` stays where it is on the screen."""
        before = self.x(around_ms)
        per_px = max(min(_CLOSEST_MS, self.whole), min(self.ms_per_px / factor, self.whole))
        self._look(around_ms - before * per_px, per_px)

    def fit(self) -> None:
        """See all of it."""
        self._look(0.0, self.whole)

    def scroll_to(self, left_ms: float) -> None:
        """See what begins here."""
        self._look(left_ms, self.ms_per_px)

    def show(self, start: float, end: float) -> bool:
        """Scroll as little as needed to see this, its start above all; returns whether that was needed."""
        before, margin = self.left_ms, _MARGIN * self.seen_ms
        if end > self.left_ms + self.seen_ms:
            self._look(end + margin - self.seen_ms, self.ms_per_px)
        if start < self.left_ms or start >= self.left_ms + self.seen_ms:
            self._look(start - margin, self.ms_per_px)
        return self.left_ms != before

    def _look(self, left_ms: float, ms_per_px: float) -> None:
        self.ms_per_px = min(ms_per_px, self.whole)
        self.left_ms = max(0.0, min(left_ms, self.duration_ms - self.seen_ms))

    def marks(self, label_px: float) -> list[tuple[int, str]]:
        """(moment, words) of the ruler in sight; words are at least `label_px` apart, marks without words between."""
        fits = [step for step in _STEPS_MS if step / self.ms_per_px >= label_px]
        step = fits[0] if fits else _STEPS_MS[-1]
        fine = step // 5 if step // 5 >= TENTH_MS and step in (500, 5_000) else step // 2 if step > TENTH_MS else step
        first = int(self.left_ms // fine) * fine
        last = min(self.left_ms + self.seen_ms, float(self.duration_ms))
        words = time_words if step < 1_000 else _whole_seconds
        return [(at, "" if at % step else words(at)) for at in range(first, int(last) + 1, max(1, fine))]

    def snapped(self, ms: int, magnets: Sequence[int], reach_px: float) -> int:
        """The nearest of `magnets` (in order) within reach, else the nearest tenth of a second that can be seen."""
        place = bisect_left(magnets, ms)
        near = min(magnets[max(0, place - 1) : place + 1], key=lambda magnet: abs(magnet - ms), default=None)
        if near is not None and abs(near - ms) <= reach_px * self.ms_per_px:
            return near
        tenth = round(ms / TENTH_MS) * TENTH_MS
        return max(0, min(tenth, self.duration_ms))


def _whole_seconds(ms: float) -> str:
    return time_words(ms).rpartition(".")[0]
