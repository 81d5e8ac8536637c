"""The recognizer's thread of an ear: what it is given to recognize, in which order, and what is told of it.

Of partial sounds only the newest is recognized, of whole ones all, and a stop word that waits for a second opinion
goes before both. A pause's answer is kept, and used if nothing more was said behind it. Knows nothing of microphones,
keys or when an utterance ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hitl.errors import HitlError
from hitl.messages import MAX_TEXT_CHARS, Reading
from hitl.speech.audio import RATE, Audio, clipped_share, to_int16
from hitl.speech.capture import BLOCK, Utterance
from hitl.speech.ear_messages import Dropped, Finished, FromEar, Partial, Ready, StopHeard, Trouble
from hitl.speech.heard import Heard, Recognizer
from hitl.speech.intents import as_meant, intent_of
from hitl.speech.spotter import stop_share
from hitl.speech.text import plain

log = logging.getLogger("hitl.speech")

READINGS = 5
"""How many readings of a whole utterance are asked for."""
_AFTER_S = 0.3
"""Silence kept behind the last word for the recognizer."""
_CLIPPED = 0.01


class Owner(Protocol):
    """What the recognizer's thread needs of its ear; every call is safe from that thread."""

    def open_recognizer(self) -> Recognizer:
        """May raise anything that a library raises."""
        ...

    def tell(self, message: FromEar) -> None:
        """Tell whoever listens to the ear."""
        ...

    def stamp_of(self, sample: int) -> int:
        """When a sample of the stream came, ns."""
        ...

    def now_ns(self) -> int:
        """The clock."""
        ...

    @property
    def wake(self) -> str:
        """Words that must begin an utterance now; empty for none."""
        ...

    @property
    def words(self) -> bool:
        """Whether the times of words are wanted now."""
        ...


@dataclass(frozen=True)
class Work:
    """Sound `(n,)` for the recognizer. `spoken_until` tells a pause's answer from one that is out of date."""

    number: int
    audio: Audio
    spoken_until: int
    whole: Utterance | None = None
    partial: bool = False

    @classmethod
    def of(cls, utterance: Utterance) -> Work:
        """A whole utterance, without the silence behind its last word, of which a little stays."""
        end = utterance.spoken_until - utterance.at + round(_AFTER_S * RATE)
        return cls(utterance.number, utterance.audio[: max(BLOCK, end)], utterance.spoken_until, utterance)


Opinion = Callable[[float | None], None]
"""Called with the share of the readings of a sound that have a stop word; None where nothing could read it."""


class Recognition(threading.Thread):
    """The recognizer's thread. Of partial sounds only the newest is recognized, whole ones all of them."""

    def __init__(self, ear: Owner) -> None:
        super().__init__(name="recognizer", daemon=True)
        self._ear = ear
        self._recognizer: Recognizer | None = None
        self._why = ""
        self._condition = threading.Condition()
        self._checks: list[tuple[Audio, Opinion]] = []
        self._wholes: list[Work] = []
        self._newest: Work | None = None
        self._closing = False
        self._known: tuple[int, int, Heard] | None = None

    def put(self, work: Work) -> None:
        """Sound to recognize; never waits."""
        with self._condition:
            if work.whole is not None:
                self._wholes.append(work)
                if self._newest is not None and self._newest.number == work.number:
                    self._newest = None if self._newest.partial else self._newest
            elif self._newest is None or self._newest.partial or not work.partial:
                self._newest = work
            self._condition.notify()

    def check(self, audio: Audio, answer: Opinion) -> bool:
        """Have the sound of a stop word read; `answer` is called from this thread. False where nothing can read it
        now, and nothing is called."""
        with self._condition:
            if self._recognizer is None or len(self._checks) > 1:
                return False
            self._checks.append((audio, answer))
            self._condition.notify()
            return True

    def close(self) -> None:
        """End after the sound that is being recognized."""
        with self._condition:
            self._closing = True
            self._condition.notify()

    def run(self) -> None:
        """Load the recognizer, then recognize until closed."""
        try:
            self._recognizer = self._ear.open_recognizer()
            self._recognizer.hear(np.zeros(RATE, np.float32))  # the first call takes longer
            self._ear.tell(Ready(recognizer=self._recognizer.name))
        except Exception as problem:  # whatever its libraries raise: people are told, and typing works
            if not isinstance(problem, HitlError):
                log.exception("the recognizer cannot be opened")
            self._recognizer = None
            self._why = str(problem)
            self._ear.tell(Trouble(part="recognizer", why=self._why))
        while (work := self._next()) is not None:
            if not isinstance(work, Work):
                self._read_stop(*work)
            elif work.whole is not None:
                self._whole(work, work.whole)
            else:
                self._early(work)

    def _next(self) -> Work | tuple[Audio, Opinion] | None:
        with self._condition:
            while not (self._closing or self._checks or self._wholes or self._newest is not None):
                self._condition.wait()
            if self._closing:
                return None
            if self._checks:
                return self._checks.pop(0)
            newest = self._newest
            # A pause that its whole waits behind goes first: the whole needs its answer.
            if newest is not None and (not self._wholes or self._is_pause_of(newest, self._wholes[0])):
                self._newest = None
                return newest
            return self._wholes.pop(0)

    @staticmethod
    def _is_pause_of(work: Work, whole: Work) -> bool:
        return not work.partial and (work.number, work.spoken_until) == (whole.number, whole.spoken_until)

    def _read_stop(self, audio: Audio, answer: Opinion) -> None:
        found, _ = self._hear(audio, READINGS)
        answer(stop_share(found.shares()) if found is not None else None)

    def _early(self, work: Work) -> None:
        found, _ = self._hear(work.audio, 1 if work.partial else READINGS, words=not work.partial)
        if found is None:
            return
        if not work.partial:
            self._known = (work.number, work.spoken_until, found)
            if found.text and intent_of(as_meant(found.text)) == "stop":
                stamp_ns = self._ear.stamp_of(work.spoken_until)
                self._ear.tell(StopHeard(word=plain(found.text), probability=found.probability, stamp_ns=stamp_ns))
        if found.text:
            self._ear.tell(Partial(number=work.number, text=found.text[:MAX_TEXT_CHARS]))

    def _whole(self, work: Work, whole: Utterance) -> None:
        known, self._known = self._known, None
        if known is not None and known[:2] == (work.number, work.spoken_until):
            found, why = known[2], ""
        else:
            maybe, why = self._hear(work.audio, READINGS, words=True)
            found = maybe or Heard(())
        found, woken = found.woken(self._ear.wake)
        if not woken:
            self._ear.tell(Dropped(number=work.number, reason="no wake words"))
            return
        self._ear.tell(
            Finished(
                number=work.number,
                text=found.text[:MAX_TEXT_CHARS],
                heard=found.probability,
                readings=[Reading(text=text[:MAX_TEXT_CHARS], probability=share) for text, share in found.shares()],
                recognizer=self._recognizer.name if self._recognizer else "",
                audio=to_int16(whole.audio),
                began_ns=self._ear.stamp_of(whole.at),
                spoken_ns=self._ear.stamp_of(whole.spoken_until),
                ended_ns=self._ear.stamp_of(whole.ended),
                known_ns=self._ear.now_ns(),
                words=found.timed(len(whole.audio) / RATE),
                note=why or _note(whole, found),
            )
        )

    def _hear(self, audio: Audio, best: int, *, words: bool = False) -> tuple[Heard | None, str]:
        if self._recognizer is None:
            return None, self._why
        try:
            return self._recognizer.hear(audio, best=best, words=words and self._ear.words), ""
        except HitlError as problem:
            return None, str(problem)
        except Exception as problem:  # the thread must go on: people are told, and typing works
            log.exception("the recognizer failed")
            return None, f"the recognizer failed: {problem}"


def _note(whole: Utterance, found: Heard) -> str:
    if whole.ending == "device lost":
        return "The microphone was lost in the middle; this is what was heard before."
    if whole.ending == "too long":
        return f"That is as long as one correction may be ({len(whole.audio) / RATE:.0f} s); the rest was not heard."
    if clipped_share(whole.audio) > _CLIPPED:
        return "The microphone is turned up too far: the sound is clipped."
    return "" if found.hypotheses else "No words were heard."
