"""What the robot may do in each tick, decided without IO: lease, limits, blending, latched stop.

The robot is safe by itself: this object needs no other process. It knows nothing of sockets, threads, drivers or
policies, and is told the time. One owner at a time (robot/node.py guards it with a lock).

- Lease: without a chunk accepted in the last `lease_s` seconds the robot holds still.
- Limits: positions are clipped to the spec; a target moves by at most `max_speed / rate_hz` in one tick.
- Chunks that are not finite, of another shape or of another episode are refused with a reason; rows of past ticks are
  skipped; a chunk's targets are blended from what the robot would have done over the first ticks, so nothing jumps.
- Stop and fault latch: only an explicit resume, younger than the stop, clears them. A stop by words only pauses: words
  resume it, too. Words never resume a pressed stop or a fault, and a pause never hides one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hitl.messages import ActionChunk, Mode
from robot.driver import RobotSpec

Array = NDArray[np.float64]

BLEND_TICKS = 5
"""100 ms at 50 Hz: shorter is felt as a knock in the simulated arms' joints, longer delays a correction."""

MAX_AHEAD_TICKS = 50
"""A chunk for ticks further ahead than this answers another run of the robot."""


_NO_ACTIONS = "no actions yet"
_GRAVITY: dict[Mode, int] = {"paused": 1, "stopped": 2, "fault": 3}
"""Of what is latched the graver stays, whichever came first."""


class Refusal(StrEnum):
    """Why a chunk was refused."""

    SHAPE = "shape"
    NOT_FINITE = "not finite"
    EPISODE = "another episode"
    LATE = "late: all its ticks are past"
    EARLY = "early: its ticks are too far ahead"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Decision:
    """What to do in one tick: `targets` `(action_size,)`, or None to hold still."""

    targets: Array | None
    mode: Mode
    reason: str = ""
    command_id: str = ""
    chunk: int = -1


@dataclass
class _Running:
    """The accepted chunk. `offset` decays from `blend_from` on, so that the first row joins what ran before."""

    header: ActionChunk
    rows: Array
    blend_from: int
    offset: Array

    def target(self, tick: int) -> Array | None:
        """Blended row of `tick`, None where the chunk has none."""
        index = tick - self.header.start_tick
        if not 0 <= index < len(self.rows):
            return None
        weight = max(0.0, 1.0 - (tick - self.blend_from + 1) / BLEND_TICKS)
        return self.rows[index] + weight * self.offset


class SafetyCore:
    """Decides each tick. Targets are in the units of the spec; times are nanoseconds of one monotonic clock."""

    def __init__(self, spec: RobotSpec, *, lease_s: float) -> None:
        self._lower, self._upper = spec.lower, spec.upper
        self._max_step = spec.max_speed / spec.rate_hz
        self._lease_ns = round(lease_s * 1e9)
        self._episode = ""
        self._tick = 0
        self._sent: Array = np.clip(np.zeros(len(spec.action_names)), spec.lower, spec.upper)
        self._running: _Running | None = None
        self._idle = _NO_ACTIONS
        self._renewed_ns = 0
        self._stop_id = ""
        self._latched: tuple[Mode, str] | None = None
        self.refused: dict[Refusal, int] = dict.fromkeys(Refusal, 0)

    @property
    def tick(self) -> int:
        """The next tick to decide."""
        return self._tick

    @property
    def episode(self) -> str:
        """Id of the running episode; empty before the first."""
        return self._episode

    def begin_episode(self, episode: str, targets: Array) -> None:
        """Forget the old episode's actions; the robot is at `targets`. A latched stop stays latched."""
        self._episode = episode
        self._running = None
        self._idle = _NO_ACTIONS
        self._sent = np.array(targets, dtype=np.float64)

    def accept(self, header: ActionChunk, payload: bytes | memoryview, now_ns: int) -> Refusal | None:
        """Take a chunk that replaces all queued actions, or say why not. `payload`: float64 `(steps, action_size)`."""
        refusal, rows = self._read(header, payload)
        if refusal is not None or rows is None:
            self.refused[refusal or Refusal.SHAPE] += 1
            return refusal
        first = max(self._tick, header.start_tick)
        before = self._sent
        if self._running is not None and self._running.header.command_id == header.command_id:
            # The same command planned anew: join its old plan, not the last target, or every plan would lag a tick.
            planned = self._running.target(first)
            before = self._sent if planned is None else planned
        self._running = _Running(header, rows, first, before - rows[first - header.start_tick])
        self._renewed_ns = now_ns
        return None

    def decide(self, now_ns: int) -> Decision:
        """What to do in the present tick; call `sent` with what the driver then really did."""
        if self._latched is not None:
            mode, reason = self._latched
            return Decision(None, mode, reason)
        if self._running is None:
            return Decision(None, "holding", self._idle)
        if now_ns - self._renewed_ns > self._lease_ns:
            self._running, self._idle = None, "lease expired: no fresh action"
            return Decision(None, "holding", self._idle)
        target = self._running.target(self._tick)
        if target is None:
            return Decision(None, "holding", "the last chunk has no action for this tick")
        header = self._running.header
        return Decision(self._limited(target), "running", "", header.command_id, header.chunk)

    def sent(self, targets: Array) -> None:
        """The tick is over: the driver's targets are now `(action_size,)` `targets`."""
        self._sent = np.array(targets, dtype=np.float64)
        self._tick += 1

    def stop(self, stop_id: str, reason: str, *, by_words: bool = False) -> int:
        """Latch: hold from the present tick on until resumed. Returns that tick; stopping twice keeps the later id.

        `by_words` pauses; where a pressed stop or a fault is latched that one stays.
        """
        self._stop_id = max(self._stop_id, stop_id)
        mode: Mode = "paused" if by_words else "stopped"
        if self._latched is None or _GRAVITY[mode] >= _GRAVITY[self._latched[0]]:
            self._latched = (mode, reason or "stop")
        self._running = None
        return self._tick

    def fault(self, reason: str) -> None:
        """Latch after the driver failed; `reason` is shown to people."""
        self._latched = ("fault", reason)
        self._running = None

    def resume(self, resume_id: str, *, by_words: bool = False) -> str:
        """Clear pause, stop or fault, `by_words` only a pause. Returns why it was refused, empty where it was not:
        also a stop that is younger than the resume stays (ULIDs carry the time).
        """
        if by_words and self._latched is not None and self._latched[0] != "paused":
            mode, reason = self._latched
            return reason if mode == "fault" else "STOP was pressed; press Resume."
        if resume_id < self._stop_id:
            return "the robot was stopped again after this resume."
        self._latched, self._idle = None, _NO_ACTIONS
        return ""

    @property
    def latched(self) -> bool:
        """Whether a pause, stop or fault waits for a resume."""
        return self._latched is not None

    def _read(self, header: ActionChunk, payload: bytes | memoryview) -> tuple[Refusal | None, Array | None]:
        if self._latched is not None:
            return Refusal.STOPPED, None
        size = len(self._lower)
        if header.steps < 1 or memoryview(payload).nbytes != header.steps * size * 8:
            return Refusal.SHAPE, None
        rows = np.frombuffer(payload, dtype=np.float64).reshape(header.steps, size)
        if not np.isfinite(rows).all():
            return Refusal.NOT_FINITE, None
        if header.episode != self._episode:
            return Refusal.EPISODE, None
        if header.start_tick + header.steps <= self._tick:
            return Refusal.LATE, None
        if header.start_tick > self._tick + MAX_AHEAD_TICKS:
            return Refusal.EARLY, None
        return None, rows

    def _limited(self, target: Array) -> Array:
        step = np.clip(target - self._sent, -self._max_step, self._max_step)
        return np.clip(self._sent + step, self._lower, self._upper)
