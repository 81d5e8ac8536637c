"""Sound in, words out: what a recognizer is, and those that can be opened by name.

    commands            the default: the packaged Whisper tiny.en, taught commands; works offline at once
    faster-whisper      any Whisper in CTranslate2's format as published: a size, a name or a folder
    openai-whisper      the reference implementation, where it is installed
    endpoint            any server that speaks OpenAI's transcription API, at the address given as its model

A recognizer hears one utterance at a time and knows nothing of what the words ask for: that is `certainty.py`'s part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hitl.errors import InputError
from hitl.speech.audio import Audio

KINDS = ("commands", "faster-whisper", "openai-whisper", "endpoint")
PACKAGED = "tiny.en"
ADAPTER = Path(__file__).resolve().parents[2] / "assets" / "models" / "commands-tiny-en" / "adapter.safetensors"


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
        """Of the most probable reading; 0 where nothing was heard."""
        return self.hypotheses[0].probability if self.hypotheses else 0.0


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


def open_recognizer(kind: str = "commands", model: str = "", *, device: str = "cpu", threads: int = 2) -> Recognizer:
    """The recognizer of this kind; `model` is what the kind takes, empty for its default.

    Raises InputError for an unknown kind, CheckpointError where the model is none, MissingPackageError where its
    package is not installed.
    """
    if kind == "commands":
        from hitl.speech.adapted import adapted_folder, packaged_whisper
        from hitl.speech.recognizers.faster_whisper import CommandWhisper

        folder = Path(model).expanduser() if model else adapted_folder(packaged_whisper(), ADAPTER)
        return CommandWhisper(folder, device=device, threads=threads)
    if kind == "faster-whisper":
        from hitl.speech.adapted import packaged_whisper
        from hitl.speech.recognizers.faster_whisper import FasterWhisper

        packaged = model in ("", PACKAGED)
        source = str(packaged_whisper()) if packaged else str(Path(model).expanduser()) if "/" in model else model
        return FasterWhisper(source, device=device, threads=threads, name=PACKAGED if packaged else model)
    if kind == "openai-whisper":
        from hitl.speech.recognizers.openai_whisper import OpenAIWhisper

        return OpenAIWhisper(model, device=device)
    if kind == "endpoint":
        from hitl.speech.recognizers.endpoint import Endpoint

        return Endpoint(model)
    raise InputError(f"“{kind}” is none.", field="recognizer", hint=f"Choose one of: {', '.join(KINDS)}.")
