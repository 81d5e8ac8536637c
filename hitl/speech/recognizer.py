"""Sound in, words out: what a recognizer is, and the ones that can be opened by name.

    faster-whisper      the default; the packaged tiny.en works offline at once, any other size or folder by a setting
    openai-whisper      the reference implementation, where it is installed
    endpoint            any server that speaks OpenAI's transcription API

A recognizer hears one utterance at a time and knows nothing of commands: how its words are meant is `grounding.py`'s
part, and what they should rather have been `biasing.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.speech.audio import Audio


@dataclass(frozen=True)
class Word:
    """One word and when it was said, seconds into the utterance; probability 0 to 1."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance. log_probability: mean over its tokens, natural logarithm."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class Heard:
    """What a recognizer makes of an utterance.

    hypotheses: the most probable first, at least one unless nothing was heard; no_speech: probability that nobody
    spoke; words: with times, where they were asked for.
    """

    hypotheses: tuple[Hypothesis, ...]
    no_speech: float = 0.0
    words: tuple[Word, ...] = field(default=())

    @property
    def text(self) -> str:
        """The most probable reading; empty where nothing was heard."""
        return self.hypotheses[0].text if self.hypotheses else ""


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
