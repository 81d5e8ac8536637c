"""Sound in, words out: what a recognizer is and what it answers.

A recognizer hears one utterance at a time and knows nothing of what the words ask for: that is `certainty.py`'s part.
Those that can be opened by name are in `recognizer.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.messages import TimedWord
from hitl.speech.audio import Audio
from hitl.speech.text import plain


@dataclass(frozen=True)
class Word:
    """One word and when it was said, seconds into the utterance; probability 0 to 1."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance. log_probability: of the whole text given the sound, natural logarithm."""

    text: str
    log_probability: float

    @property
    def probability(self) -> float:
        """Of the whole text, 0 to 1."""
        return math.exp(min(0.0, self.log_probability))


@dataclass(frozen=True)
class Heard:
    """What a recognizer makes of an utterance.

    hypotheses: the most probable first, none where nothing was heard; no_speech: probability that nobody spoke; words:
    with times, where they were asked for.
    """

    hypotheses: tuple[Hypothesis, ...]
    no_speech: float = 0.0
    words: tuple[Word, ...] = field(default=())

    @property
    def text(self) -> str:
        """The most probable reading; empty where nothing was heard."""
        return self.hypotheses[0].text if self.hypotheses else ""

    @property
    def probability(self) -> float:
        """How sure it is that one of its readings was said, 0 to 1."""
        return min(1.0, sum(hypothesis.probability for hypothesis in self.hypotheses))

    def shares(self) -> list[tuple[str, float]]:
        """The readings with their shares of each other's probability, which add up to 1."""
        total = sum(hypothesis.probability for hypothesis in self.hypotheses) or 1.0
        return [(hypothesis.text, hypothesis.probability / total) for hypothesis in self.hypotheses]

    def timed(self, seconds: float) -> list[TimedWord]:
        """The words that are words, with their times inside a sound of so many seconds: recognizers overshoot."""
        inside = ((word, max(0.0, min(word.start_s, seconds))) for word in self.words if plain(word.text))
        return [
            TimedWord(text=word.text, start_s=start_s, end_s=max(start_s, min(word.end_s, seconds)))
            for word, start_s in inside
        ]

    def woken(self, wake: str) -> tuple[Heard, bool]:
        """Without the wake words, and whether they were there (always, where none are asked for)."""
        if not wake:
            return self, True
        readings = [h for h in self.hypotheses if plain(h.text).startswith(f"{wake} ")]
        cut = [Hypothesis(plain(h.text).removeprefix(wake).strip(), h.log_probability) for h in readings]
        return Heard(tuple(cut), self.no_speech), bool(cut)


class Recognizer(Protocol):
    """Opened once, used by one thread."""

    @property
    def name(self) -> str:
        """For people: the kind and the model."""
        ...

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """What is said in `(n,)` samples at 16 kHz: up to `best` readings, with times of words where asked for.

        hints: words and sentences that are likely. Empty or silent sound gives no hypotheses.
        Raises UnavailableError where a server does not answer.
        """
        ...
