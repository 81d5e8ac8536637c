"""Moments and spans of a recording in words. Knows nothing of Qt."""

from __future__ import annotations


def time_words(ms: float, *, exact: bool = False) -> str:
    """A moment by tenths of a second, 0:14.2 or 1:02:03.4; by thousandths where it is exact."""
    digits = 3 if exact else 1
    units = round(ms / 1000 * 10**digits)
    whole, part = divmod(max(0, units), 10**digits)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{clock}.{part:0{digits}}"


def span_words(start: float, end: float) -> str:
    """From one moment to another: 0:14.2–0:17.9; by thousandths where tenths would make them one."""
    exact = time_words(start) == time_words(end) and start != end
    return f"{time_words(start, exact=exact)}–{time_words(end, exact=exact)}"


def length_words(ms: float) -> str:
    """How long something takes: 0.7 s, 1:02 min."""
    return f"{ms / 1000:.1f} s" if ms < 60_000 else f"{round(ms / 1000) // 60}:{round(ms / 1000) % 60:02} min"
