"""`hitl transcribe`: every file is told of, whatever is wrong with another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl import transcribe
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.speech.audio import RATE, write_wav
from hitl.speech.heard import Heard, Hypothesis, Word


class Scripted:
    name = "scripted"

    def __init__(self, settings: Settings) -> None:
        self.kind = settings.recognizer

    def hear(self, audio: Any, *, best: int = 1, words: bool = False, hints: Any = ()) -> Heard:
        if not audio.any():
            raise UnavailableError("it does not answer.", field="server")
        timed = (Word("hello", 0.1, 0.5, 1.0),) if words else ()
        return Heard((Hypothesis(f"hello by {self.kind}", 0.0),), 0.0, timed)


def test_a_file_that_fails_does_not_keep_the_others_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribe, "recognizer_of", Scripted)
    short, long, silent, none = (tmp_path / f"{name}.wav" for name in ("short", "long", "silent", "none"))
    write_wav(short, np.full(RATE, 0.1, np.float32))
    write_wav(long, np.full(9 * RATE, 0.1, np.float32))
    write_wav(silent, np.zeros(RATE, np.float32))
    told: list[dict[str, Any]] = []
    assert not transcribe.transcribe([none, short, silent, long], Settings(), words=False, told=told.append)
    assert ["error" in found for found in told] == [True, False, True, False]
    assert told[1]["text"] == "hello by commands" and told[3]["text"] == "hello by faster-whisper"
    for found, path in zip(told, (none, short, silent, long), strict=True):
        assert transcribe.as_text(found).startswith(f"{path}: ")


def test_words_have_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribe, "recognizer_of", Scripted)
    write_wav(tmp_path / "a.wav", np.full(RATE, 0.1, np.float32))
    told: list[dict[str, Any]] = []
    assert transcribe.transcribe([tmp_path / "a.wav"], Settings(), words=True, told=told.append)
    assert told[0]["words"] == [{"word": "hello", "start": 0.1, "end": 0.5}]
    assert transcribe.as_text(told[0]).splitlines()[1].split() == ["0.100", "0.500", "hello"]
