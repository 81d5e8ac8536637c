"""OpenAI's own implementation of Whisper, for who has it installed with weights of their own.

It is no dependency: its package brings torch and triton, and its weights come from the network, which is the user's
choice to make by naming a size; a path to a `.pt` file stays offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl.errors import CheckpointError, MissingPackageError
from hitl.speech.audio import Audio
from hitl.speech.heard import Heard, Hypothesis, Word
from hitl.speech.silence import is_hallucination


class OpenAIWhisper:
    """`whisper.load_model(model)`. Raises MissingPackageError, or CheckpointError where the model is none."""

    def __init__(self, model: str = "", *, device: str = "cpu") -> None:
        try:
            import whisper
        except ImportError as problem:
            raise MissingPackageError(
                "openai-whisper is not installed.", field="recognizer", hint="Run: pip install openai-whisper"
            ) from problem
        self._model_name = model or "tiny.en"
        try:
            self._model: Any = whisper.load_model(self._model_name, device=None if device == "auto" else device)
        except Exception as problem:  # it raises whatever torch, pickle or the network raised
            raise CheckpointError(
                f"{self._model_name} could not be loaded ({problem}).",
                field="recognizer_model",
                hint="Give a .pt file, or a size such as tiny.en and a network.",
            ) from problem

    @property
    def name(self) -> str:
        """For people."""
        return f"openai-whisper {self._model_name}"

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """See `Recognizer.hear`. One reading."""
        if not len(audio) or not audio.any():
            return Heard(())
        found = self._model.transcribe(
            audio,
            language="en",
            beam_size=best if best > 1 else None,
            condition_on_previous_text=False,
            word_timestamps=words,
            initial_prompt=", ".join(hints) if hints else None,
            fp16=str(self._model.device) != "cpu",
        )
        kept = [p for p in found["segments"] if not is_hallucination(p["text"], p["no_speech_prob"], p["avg_logprob"])]
        text = " ".join(piece["text"].strip() for piece in kept)
        if not text:
            return Heard((), 1.0)
        score = sum(piece["avg_logprob"] * len(piece["tokens"]) for piece in kept)
        timed = tuple(
            Word(w["word"].strip(), w["start"], w["end"], w["probability"]) for p in kept for w in p.get("words", ())
        )
        return Heard((Hypothesis(text, score),), min(piece["no_speech_prob"] for piece in kept), timed)
