"""Time and identity: a monotonic clock that tests can move, and ULIDs.

Stamps are nanoseconds of a monotonic clock (`time.monotonic_ns`). They compare only on one host; across hosts a link
adds the offset it estimates from heartbeats (`offset_ns`, the four-timestamp estimate of RFC 5905 section 8).
ULIDs follow https://github.com/ulid/spec: 48 bits of Unix milliseconds and 80 random bits in Crockford base 32.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import Protocol

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Clock(Protocol):
    """A source of monotonic time."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary fixed moment."""
        ...


class SystemClock:
    """The host's monotonic clock, shared by all processes of one boot."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary fixed moment, the same for every process on this host."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that moves only when told to; for tests and lockstep evaluation."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """The time set last."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` (negative values raise ValueError)."""
        if seconds < 0:
            raise ValueError("a monotonic clock cannot go back")
        self._now_ns += round(seconds * 1e9)


def offset_ns(t0: int, t1: int, t2: int, t3: int) -> tuple[int, int]:
    """Offset of the remote clock from the local one, and the round trip, both in nanoseconds.

    t0 local send, t1 remote receive, t2 remote send, t3 local receive (RFC 5905, section 8).
    """
    return ((t1 - t0) + (t2 - t3)) // 2, (t3 - t0) - (t2 - t1)


class _UlidSource:
    """ULIDs that increase within one process even inside a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._last_random = 0

    def next(self) -> str:
        with self._lock:
            now_ms = time.time_ns() // 1_000_000
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                self._last_random = int.from_bytes(os.urandom(10), "big") >> 1
            else:
                self._last_random += 1
            return _encode((self._last_ms << 80) | self._last_random)


def _encode(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


_source = _UlidSource()


def new_ulid() -> str:
    """A new 26-character ULID, greater than every earlier one of this process."""
    return _source.next()


def ulid_ms(ulid: str) -> int:
    """Unix milliseconds at which a well-formed ULID was made."""
    value = 0
    for letter in ulid[:10]:
        value = value << 5 | _ALPHABET.index(letter)
    return value


def ulid_of(content: bytes) -> str:
    """The ULID of something that is always the same: made of its content, at the time 0, which is no time."""
    return _encode(int.from_bytes(hashlib.sha256(content).digest()[:10], "big"))


def is_ulid(text: str) -> bool:
    """Whether `text` is a well-formed ULID."""
    return len(text) == 26 and text[0] in "01234567" and all(letter in _ALPHABET for letter in text)
