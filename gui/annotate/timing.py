"""How long a person works on an item: time between what they do, pauses left out. Knows nothing of windows."""

from __future__ import annotations

PAUSE_NS = 30_000_000_000
"""Who does nothing for so long is taken to have paused; the whole pause is left out."""


class Stopwatch:
    """Time of one item. Every key, click and movement is a `touch`; the caller passes the present time in."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._fresh_ns = 0
        self._told_ns = 0

    def open(self, now_ns: int, spent_s: float = 0.0) -> None:
        """Another item is shown, on which `spent_s` seconds were spent before."""
        self._last_ns, self._fresh_ns, self._told_ns = now_ns, 0, round(spent_s * 1e9)

    def touch(self, now_ns: int) -> None:
        """The person did something."""
        since = now_ns - self._last_ns
        if 0 < since < PAUSE_NS:
            self._fresh_ns += since
        self._last_ns = now_ns

    def take_s(self, now_ns: int) -> float:
        """Seconds since the last call, to be written into a step; what the person does is a touch, too."""
        self.touch(now_ns)
        taken, self._fresh_ns = self._fresh_ns, 0
        self._told_ns += taken
        return taken / 1e9

    def total_s(self, now_ns: int) -> float:
        """Seconds on this item in all, up to now; a pause that goes on is not among them."""
        since = now_ns - self._last_ns
        return (self._told_ns + self._fresh_ns + (since if 0 < since < PAUSE_NS else 0)) / 1e9
