"""When an utterance begins and ends, as a protocol core: no devices, no threads, no clock but the samples themselves.

Fed with blocks of sound and how probably each is speech. Three modes: hold a key, tap to begin and end, hands-free.
What was said 300 ms before the key belongs to the utterance, since people press late; so do 250 ms after it, since
they let go early. While an utterance lasts it is given out again and again as far as it goes, for partial text.
Where other people talk behind the speaker there is always speech: hands-free, an utterance then ends when its level
has fallen far below its own loudest stretch, back to what is always there (`background.py`).

One thread owns a capture. Calls append to an output list that `drain` returns.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.speech.audio import RATE, Audio
from hitl.speech.background import Background

Mode = Literal["hold", "tap", "hands-free"]
Ending = Literal["released", "silence", "too long", "device lost"]
Discarding = Literal["too short", "no speech", "cancelled"]

BLOCK = 512
"""Samples a block, 32 ms: what the voice activity model takes at 16 kHz."""


@dataclass(frozen=True)
class CaptureRules:
    """Times [s] and probabilities.

    pre_roll_s, tail_s: kept before and after the key; partial_every_s: how often a partial utterance is given out;
    longest_s: an utterance ends there; shortest_s: a shorter press is a slip; begin, end: speech probability at which
    hands-free listening begins and below which it counts silence; begin_s: speech that begins an utterance;
    silence_s: silence that ends it; lead_s: kept before speech that begins it; pause_s: silence after which it is
    given out as if it were whole, so that it can be recognized while it is not yet sure that nothing more comes.
    fallen_db: so far below its own loudest stretch, and in the background, an utterance's sound is other people's;
    fallen_s: how long until that ends it, longer than silence_s as a level says less than voice activity.
    """

    pre_roll_s: float = 0.3
    tail_s: float = 0.25
    partial_every_s: float = 0.4
    longest_s: float = 20.0
    shortest_s: float = 0.12
    begin: float = 0.5
    end: float = 0.35
    begin_s: float = 0.1
    silence_s: float = 0.45
    lead_s: float = 0.4
    pause_s: float = 0.2
    fallen_db: float = 10.0
    fallen_s: float = 0.6


@dataclass(frozen=True)
class Opened:
    """The microphone is open: an utterance has begun `at` samples into the stream."""

    number: int
    at: int


@dataclass(frozen=True)
class Partial:
    """An utterance so far."""

    number: int
    audio: Audio


@dataclass(frozen=True)
class Pause:
    """An utterance that may be whole: nothing was said by its speaker since sample `spoken_until` of the stream."""

    number: int
    audio: Audio
    spoken_until: int


@dataclass(frozen=True)
class Utterance:
    """A whole utterance. `spoken_until`: sample of the stream where its speech was last heard, or where the key was
    let go if none was; `ended`: sample at which the end was known."""

    number: int
    audio: Audio
    at: int
    spoken_until: int
    ended: int
    ending: Ending


@dataclass(frozen=True)
class Discarded:
    """An utterance that is none."""

    number: int
    reason: Discarding


Output = Opened | Partial | Pause | Utterance | Discarded


@dataclass
class _Running:
    number: int
    at: int
    opened: int
    partial_at: int
    heard: bool = False
    spoken_until: int = 0
    closing_at: int | None = None
    paused: bool = False
    quiet: int = 0
    loudest_db: float = -np.inf
    loud_until: int = 0
    """Sample at which its level was last near its loudest, or above the background."""
    fallen: bool = False
    """It was given out since its level has fallen."""


class Capture:
    """Cuts a stream of sound into utterances."""

    def __init__(self, mode: Mode = "hold", rules: CaptureRules | None = None) -> None:
        self._rules = rules or CaptureRules()
        self._mode: Mode = mode
        self._blocks: deque[Audio] = deque()
        self._first = 0  # sample of the stream at which the kept blocks begin
        self._now = 0
        self._background = Background()
        self._speech = 0  # samples of speech in a row
        self._running: _Running | None = None
        self._number = 0
        self._out: list[Output] = []

    @property
    def mode(self) -> Mode:
        """How utterances begin and end."""
        return self._mode

    @property
    def is_open(self) -> bool:
        """Whether an utterance runs."""
        return self._running is not None

    @property
    def now(self) -> int:
        """Samples taken so far."""
        return self._now

    def drain(self) -> list[Output]:
        """Everything decided since the last call, in order."""
        out, self._out = self._out, []
        return out

    # -- keys -----------------------------------------------------------------------------------------------------

    def use(self, mode: Mode) -> None:
        """Another mode from now on; a running utterance is dropped."""
        self.cancel()
        self._mode = mode

    def press(self) -> None:
        """The key goes down. Held keys that repeat are one press."""
        if self._mode == "hold" and self._running is None:
            self._open(self._rules.pre_roll_s)
        elif self._mode == "hold" and self._running is not None:
            self._running.closing_at = None  # pressed again within the tail: it goes on
        elif self._mode == "tap" and self._running is None:
            self._open(self._rules.pre_roll_s)
        elif self._mode == "tap":
            self._let_go()

    def release(self) -> None:
        """The key goes up."""
        if self._mode == "hold":
            self._let_go()

    def cancel(self) -> None:
        """Drop the running utterance."""
        if self._running is not None:
            self._discard("cancelled")

    def lost(self) -> None:
        """The device is gone: what was said so far is an utterance."""
        if self._running is not None:
            self._close("device lost")
        self._speech = 0
        self._background = Background()

    # -- sound ----------------------------------------------------------------------------------------------------

    def feed(self, block: Audio, speech: float) -> None:
        """Sound of any length, with the probability that it is speech."""
        rules = self._rules
        self._blocks.append(block)
        self._now += len(block)
        self._background.feed(block)
        speaks = speech >= (rules.end if self._speech else rules.begin)
        self._speech = self._speech + len(block) if speaks and not self._background.is_all else 0
        running = self._running
        if running is None:
            if self._mode == "hands-free" and self._speech >= rules.begin_s * RATE:
                self._open(rules.lead_s + rules.begin_s)
                self._hear(speech, len(block))
        else:
            self._hear(speech, len(block))
            self._go_on(running)
        self._forget()

    def _hear(self, speech: float, samples: int) -> None:
        running = self._running
        assert running is not None
        if speech >= (self._rules.end if running.heard else self._rules.begin):
            running.heard, running.paused, running.spoken_until, running.quiet = True, False, self._now, 0
        else:
            running.quiet += samples
        level_db = self._background.level_db
        running.loudest_db = max(running.loudest_db, level_db)
        if level_db > running.loudest_db - self._rules.fallen_db or not self._background.is_all:
            running.loud_until, running.fallen = self._now, False

    def _go_on(self, running: _Running) -> None:
        rules = self._rules
        if running.closing_at is not None and self._now >= running.closing_at:
            self._close("released")
        elif self._mode == "hands-free" and running.quiet >= rules.silence_s * RATE:
            self._close("silence")
        elif self._mode == "hands-free" and self._now - running.loud_until >= rules.fallen_s * RATE:
            running.spoken_until = min(running.spoken_until, running.loud_until)
            self._close("silence")
        elif self._now - running.opened >= rules.longest_s * RATE:
            self._close("too long")
        elif running.heard and not running.paused and running.quiet >= rules.pause_s * RATE:
            running.paused = True
            self._out.append(Pause(running.number, self._sound(running.at), running.spoken_until))
        elif self._has_fallen(running):
            running.fallen = True
            self._out.append(Pause(running.number, self._sound(running.at), running.loud_until))
        elif self._now - running.partial_at >= rules.partial_every_s * RATE:
            running.partial_at = self._now
            if running.heard and not running.paused:
                self._out.append(Partial(running.number, self._sound(running.at)))

    def _has_fallen(self, running: _Running) -> bool:
        """Whether it may be whole although speech goes on, and nobody was told so yet."""
        talk_goes_on = self._mode == "hands-free" and running.heard and not running.quiet and not running.fallen
        return talk_goes_on and self._now - running.loud_until >= self._rules.pause_s * RATE

    def _open(self, before_s: float) -> None:
        self._number += 1
        at = max(self._first, self._now - round(before_s * RATE))
        self._running = _Running(self._number, at, self._now, self._now, loud_until=self._now)
        if self._speech:
            self._running.heard, self._running.spoken_until = True, self._now
        self._out.append(Opened(self._number, at))

    def _let_go(self) -> None:
        running = self._running
        if running is None or running.closing_at is not None:
            return
        if self._now - running.opened < self._rules.shortest_s * RATE:
            self._discard("too short")
            return
        running.closing_at = self._now + round(self._rules.tail_s * RATE)

    def _close(self, ending: Ending) -> None:
        running = self._running
        assert running is not None
        if not running.heard:
            self._discard("no speech")
            return
        self._running = None
        self._out.append(
            Utterance(
                number=running.number,
                audio=self._sound(running.at),
                at=running.at,
                spoken_until=running.spoken_until,
                ended=self._now,
                ending=ending,
            )
        )

    def _discard(self, reason: Discarding) -> None:
        assert self._running is not None
        self._out.append(Discarded(self._running.number, reason))
        self._running = None

    def _sound(self, at: int) -> Audio:
        return np.concatenate(self._blocks)[at - self._first :] if self._blocks else np.zeros(0, np.float32)

    def _forget(self) -> None:
        """Keep what an utterance that begins now would need, or what the running one has."""
        longest = max(self._rules.pre_roll_s, self._rules.lead_s + self._rules.begin_s)
        needed = self._running.at if self._running is not None else self._now - round(longest * RATE)
        while self._blocks and self._first + len(self._blocks[0]) <= needed:
            self._first += len(self._blocks.popleft())
