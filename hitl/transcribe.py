"""`hitl transcribe FILE…`: what is said in WAV files, with the times of words where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hitl.config import Settings
from hitl.errors import HitlError, InputError
from hitl.hearing import recognizer_of, suited
from hitl.speech.audio import RATE, read_wav
from hitl.speech.heard import Recognizer


def transcribe(
    files: Sequence[Path], settings: Settings, *, words: bool, told: Callable[[dict[str, Any]], None]
) -> bool:
    """Tell of each file, in order, `{"file", "text", "probability", "words"}` or `{"file", "error"}`; whether all
    went.

    words: each with its start and end in seconds. Raises HitlError where no recognizer can be opened.
    """
    opened: dict[str, Recognizer] = {}
    every = True
    for path in files:
        try:
            audio = read_wav(path)
            suiting = suited(settings, len(audio) / RATE, words=words)
        except InputError as problem:
            every = False
            told({"file": str(path), "error": problem.message})
            continue
        if suiting.recognizer not in opened:
            opened[suiting.recognizer] = recognizer_of(suiting)
        try:
            heard = opened[suiting.recognizer].hear(audio, words=words)
        except HitlError as problem:
            every = False
            told({"file": str(path), "error": str(problem)})
            continue
        timed = [
            {"word": w.text, "start": round(float(w.start_s), 3), "end": round(float(w.end_s), 3)} for w in heard.words
        ]
        found = {"file": str(path), "text": heard.text, "probability": round(heard.probability, 3)}
        told(found | ({"words": timed} if words else {}))
    return every


def as_text(found: dict[str, Any]) -> str:
    """The same for people."""
    if "error" in found:
        return f"{found['file']}: {found['error']}"
    lines = [f"{found['file']}: {found['text'] or '(nothing is said)'}"]
    lines += [f"  {w['start']:8.3f} {w['end']:8.3f}  {w['word']}" for w in found.get("words", ())]
    return "\n".join(lines)
