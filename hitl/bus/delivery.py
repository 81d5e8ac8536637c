"""What decides about delivery, without sockets, disks or clocks of its own: resend times, once-only, clock offset.

All times are nanoseconds given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from hitl.clock import offset_ns
from hitl.messages import Ack

T = TypeVar("T")


@dataclass
class _Waiting(Generic[T]):
    item: T
    due_ns: int
    pause_ns: int


class Resender(Generic[T]):
    """Items that are sent until somebody says that they arrived; pauses double from `first_s` to `longest_s`."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_ns = round(first_s * 1e9)
        self._longest_ns = round(longest_s * 1e9)
        self._waiting: dict[str, _Waiting[T]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, item: T, now_ns: int) -> None:
        """Send `item` from now on; a key that is known already keeps its schedule."""
        self._waiting.setdefault(key, _Waiting(item, now_ns, self._first_ns))

    def remove(self, key: str) -> bool:
        """Stop sending; True where the key was waiting."""
        return self._waiting.pop(key, None) is not None

    def remove_where(self, unwanted: Callable[[T], bool]) -> None:
        """Stop sending all such items."""
        for key in [key for key, waiting in self._waiting.items() if unwanted(waiting.item)]:
            del self._waiting[key]

    def all_due(self, now_ns: int) -> None:
        """Send everything again at once, as after a reconnect."""
        for waiting in self._waiting.values():
            waiting.due_ns = now_ns
            waiting.pause_ns = self._first_ns

    def due(self, now_ns: int) -> list[tuple[str, T]]:
        """What is to be sent now, oldest first. Call `sent` for what went out."""
        return [(key, waiting.item) for key, waiting in self._waiting.items() if waiting.due_ns <= now_ns]

    def sent(self, key: str, now_ns: int) -> None:
        """`key` left; it is due again after its pause, which doubles."""
        waiting = self._waiting[key]
        waiting.due_ns = now_ns + waiting.pause_ns
        waiting.pause_ns = min(2 * waiting.pause_ns, self._longest_ns)

    def next_due_ns(self) -> int | None:
        """When the next item is due; None where nothing waits."""
        return min((waiting.due_ns for waiting in self._waiting.values()), default=None)


@dataclass
class _Seen:
    given_ns: int
    answer: Ack | None


class OnceOnly:
    """Which requests were handed on or answered already, so that a resend is not applied twice.

    A request without an answer is handed on again after `patience_s`: whoever had it may have failed to store it.
    The last `capacity` ids are remembered; the feedback log refuses older duplicates by id.
    """

    def __init__(self, patience_s: float = 1.0, capacity: int = 10_000) -> None:
        self._patience_ns = round(patience_s * 1e9)
        self._capacity = capacity
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def offer(self, key: str, now_ns: int) -> Ack | bool:
        """True: hand it on. False: it is being worked on. An Ack: the answer it got before, marked as duplicate."""
        seen = self._seen.get(key)
        if seen is not None and seen.answer is not None:
            return msgspec.structs.replace(seen.answer, duplicate=True)
        if seen is not None and now_ns - seen.given_ns < self._patience_ns:
            return False
        self._seen[key] = _Seen(now_ns, None)
        while len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return True

    def answered(self, ack: Ack) -> None:
        """Remember the answer to a request that `offer` let pass."""
        seen = self._seen.get(ack.id)
        if seen is not None:
            seen.answer = ack


class OffsetFilter:
    """Clock offset of the other side: of the last `size` heartbeats, the one with the least round trip (RFC 5905)."""

    def __init__(self, size: int = 16) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=size)

    def add(self, t0: int, t1: int, t2: int, t3: int) -> None:
        """One heartbeat: local send, remote receive, remote send, local receive [ns]."""
        offset, round_trip = offset_ns(t0, t1, t2, t3)
        if round_trip >= 0:
            self._samples.append((round_trip, offset))

    def clear(self) -> None:
        """Forget all samples: another process may answer from now on."""
        self._samples.clear()

    @property
    def offset_ns(self) -> int:
        """Remote minus local clock [ns]; 0 before the first heartbeat."""
        return min(self._samples, default=(0, 0))[1]

    @property
    def round_trip_ms(self) -> float:
        """Of the last heartbeat; 0 before the first."""
        return self._samples[-1][0] / 1e6 if self._samples else 0.0


def earliest(times_ns: Iterable[int | None]) -> int | None:
    """The smallest of the given times, ignoring None."""
    return min((time_ns for time_ns in times_ns if time_ns is not None), default=None)
