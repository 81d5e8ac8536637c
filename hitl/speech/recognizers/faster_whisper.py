"""Whisper in CTranslate2, as faster-whisper packages it: the default recognizer.

Two ways of hearing, one class each:
- `CommandWhisper`: a model that was taught commands (`hitl train-speech`) hears a window as long as what was said, in
  a
  twentieth of the time that Whisper's 30 s take, and gives several readings;
- `FasterWhisper`: any Whisper as published, whole windows, sentences as it writes them, times of words.

Knows nothing of commands: what was taught is in the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import CheckpointError, MissingPackageError
from hitl.speech.audio import RATE, Audio
from hitl.speech.heard import Heard, Hypothesis, Word
from hitl.speech.silence import is_hallucination

WINDOW_S = 8.0
"""What commands are taught with; longer sound is heard in Whisper's own window."""
_STEP = RATE // 4
_LEAST_S = 1.0
_PADDING_S = 0.3
_MOST_TOKENS = 60
_START = ("<|startoftranscript|>", "<|notimestamps|>")


def open_model(model: str, device: str, threads: int) -> Any:
    """A `faster_whisper.WhisperModel`; `model` is a folder, or a size or name that may be downloaded.

    Raises MissingPackageError, or CheckpointError where it is no model.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError as problem:
        raise MissingPackageError(
            "faster-whisper is not installed.", field="speech", hint="Run: make setup"
        ) from problem
    kind = {"auto": "auto", "cpu": "cpu"}.get(device, "cuda")
    try:
        return WhisperModel(
            model, device=kind, compute_type="default" if kind == "cuda" else "int8", cpu_threads=threads
        )
    except (RuntimeError, ValueError, OSError) as problem:
        raise CheckpointError(
            f"{model} is no Whisper model ({str(problem).splitlines()[0]}).",
            field="recognizer_model",
            hint="Give a folder with model.bin and tokenizer.json, a size such as small.en, or leave it empty.",
        ) from problem


class CommandWhisper:
    """A taught Whisper. Readings come from one beam search; their probabilities are of whole texts."""

    def __init__(self, folder: Path, *, device: str = "cpu", threads: int = 2, name: str = "commands") -> None:
        self._whole = open_model(str(folder), device, threads)
        self._name = name
        tokenizer = self._whole.hf_tokenizer
        self._start = [tokenizer.token_to_id(token) for token in _START]

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """See `Recognizer.hear`; `hints` are in the weights already, and times of words are `FasterWhisper`'s."""
        import ctranslate2

        if not len(audio) or not np.any(audio):
            return Heard(())
        features = self._whole.feature_extractor(_window(audio), padding=0)
        features = np.ascontiguousarray(features[None, :, : features.shape[1] // 2 * 2][:, :, :3000])
        (found,) = self._whole.model.generate(
            ctranslate2.StorageView.from_array(features),
            [self._start],
            beam_size=max(2, best) if best > 1 else 1,
            num_hypotheses=best,
            max_length=_MOST_TOKENS,
            length_penalty=0,
            suppress_blank=False,
            return_scores=True,
            return_no_speech_prob=False,
        )
        hypotheses: dict[str, float] = {}
        for tokens, score in zip(found.sequences_ids, found.scores, strict=True):
            text = self._whole.hf_tokenizer.decode(tokens).strip()
            hypotheses[text] = float(np.logaddexp(hypotheses.get(text, -math.inf), score))
        texts = sorted(hypotheses.items(), key=lambda pair: -pair[1])
        nothing = next((math.exp(score) for text, score in texts if not text), 0.0)
        return Heard(tuple(Hypothesis(text, score) for text, score in texts if text), no_speech=min(1.0, nothing))


class FasterWhisper:
    """Whisper as published."""

    def __init__(self, model: str, *, device: str = "cpu", threads: int = 2, name: str = "") -> None:
        self._whole = open_model(model, device, threads)
        self._name = name or model

    @property
    def name(self) -> str:
        """For people."""
        return self._name

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """See `Recognizer.hear`. Gives one reading, as faster-whisper does."""
        if not len(audio) or not np.any(audio):
            return Heard(())
        pieces, about = self._whole.transcribe(
            audio,
            language="en",
            beam_size=max(1, best),
            condition_on_previous_text=False,
            without_timestamps=not words,
            word_timestamps=words,
            initial_prompt=None,
            hotwords=", ".join(hints) if hints else None,
        )
        texts, score, tokens, silent = [], 0.0, 0, 1.0
        timed: list[Word] = []
        for piece in pieces:
            if is_hallucination(piece.text, piece.no_speech_prob, piece.avg_logprob):
                continue
            texts.append(piece.text.strip())
            score += piece.avg_logprob * len(piece.tokens)
            tokens += len(piece.tokens)
            silent = min(silent, piece.no_speech_prob)
            timed += [Word(w.word.strip(), w.start, w.end, w.probability) for w in piece.words or ()]
        text = " ".join(texts)
        return Heard((Hypothesis(text, score),) if text else (), silent if texts else 1.0, tuple(timed))


def _window(audio: Audio) -> Audio:
    """The sound with silence behind it, in steps of a quarter second."""
    wanted = max(len(audio) + int(_PADDING_S * RATE), int(_LEAST_S * RATE))
    return np.pad(audio, (0, -(-wanted // _STEP) * _STEP - len(audio)))
