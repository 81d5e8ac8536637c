"""`hitl say --wav` and `hitl listen` with a hub at the other end: what words in a file send, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hitl import hearing, listen
from hitl.bus.addresses import outbox_path
from hitl.bus.outbox import Outbox
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Correction, CorrectionStatus, Resume, Stop, Undo, Utterance
from hitl.speech.audio import RATE, write_wav
from hitl.speech.heard import Heard, Hypothesis


class Scripted:
    """Hears what it was told to."""

    name = "scripted"

    def __init__(self, text: str) -> None:
        self.text = text

    def hear(self, audio: Any, *, best: int = 1, words: bool = False, hints: Any = ()) -> Heard:
        return Heard((Hypothesis(self.text, -0.1), Hypothesis("go lift", -3.0))) if self.text else Heard(())


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    write_wav(tmp_path / "said.wav", np.full(RATE // 2, 0.1, np.float32))
    return tmp_path / "said.wav"


def say_file(monkeypatch: pytest.MonkeyPatch, text: str, wav: Path, settings: Settings, wait_s: float) -> list[str]:
    monkeypatch.setattr(listen, "chosen_recognizer", lambda _settings: Scripted(text))
    lines: list[str] = []
    listen.say_file(wav, settings, lines.append, wait_s)
    return lines


def test_a_file_is_a_spoken_correction_and_its_sound(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, other: Any, wav: Path
) -> None:
    other.answer = {}
    assert say_file(monkeypatch, "go left", wav, settings, 20.0) == ["you: go left", "robot: go left"]
    correction, utterance = other.got
    assert isinstance(correction, Correction) and isinstance(utterance, Utterance)
    assert (correction.source, correction.author) == ("voice", "ann")
    assert [reading.text for reading in correction.readings] == ["go left", "go lift"]
    assert utterance.correction == correction.id and len(utterance.audio) == RATE


def test_a_narrated_file_is_recorded_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, other: Any, wav: Path
) -> None:
    narrating = msgspec.structs.replace(settings, narrate=True)
    assert say_file(monkeypatch, "go left", wav, narrating, 20.0) == ["you: go left", "recorded"]
    assert "stands still" in say_file(monkeypatch, "stop", wav, narrating, 20.0)[-1]
    narrated = [message for message in other.got if isinstance(message, Utterance)]
    assert [(utterance.text, utterance.narration) for utterance in narrated] == [("go left", True), ("stop", True)]
    assert not any(isinstance(message, Correction) for message in other.got)


def test_narration_asks_for_times_of_words_and_needs_no_wake_words() -> None:
    assert hearing.configure_of(Settings(wake="robot")).wake == "robot"
    narrating = hearing.configure_of(Settings(wake="robot", narrate=True))
    assert narrating.words and not narrating.wake


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"state": "asked", "choices": ["go left", "go right"]}, "go left or go right"),
        ({"state": "ignored"}, "no command"),
        ({"grounding": "near", "command": "go to the left"}, "robot: go to the left"),
        ({"grounding": "new"}, "in these words"),
    ],
)
def test_what_became_of_it_is_told(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, other: Any, wav: Path, answer: dict[str, Any], told: str
) -> None:
    other.answer = answer
    assert told in say_file(monkeypatch, "go left", wav, settings, 20.0)[-1]


def test_a_stop_in_a_file_goes_to_the_robot(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, other: Any, wav: Path
) -> None:
    assert "stands still" in say_file(monkeypatch, "stop", wav, settings, 20.0)[-1]
    assert any(isinstance(message, Stop) and message.by_words for message in other.got)


def test_go_on_and_undo_in_a_file(monkeypatch: pytest.MonkeyPatch, settings: Settings, other: Any, wav: Path) -> None:
    newest = new_ulid()
    other.corrections = [
        CorrectionStatus(
            id=newest, text="go up", command="go up", grounding="exact", similarity=1.0, state="done", author="ann",
            session_ns=0, episode="e",
        )
    ]  # fmt: skip
    never = {"id": new_ulid(), "state": "expired", "certainty": "low", "choices": ["go up", "go down"]}
    other.corrections += [
        msgspec.structs.replace(other.corrections[0], **never),
        msgspec.structs.replace(other.corrections[0], id=new_ulid(), state="ignored"),
    ]
    say_file(monkeypatch, "go on", wav, settings, 20.0)
    say_file(monkeypatch, "scratch that", wav, settings, 20.0)
    resume, undo = (message for message in other.got if not isinstance(message, Utterance))
    assert isinstance(resume, Resume) and resume.by_words
    assert isinstance(undo, Undo) and undo.target == newest


def test_without_a_backend_words_are_kept_and_going_on_is_not(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, wav: Path
) -> None:
    with pytest.raises(UnavailableError, match="kept"):
        say_file(monkeypatch, "go left", wav, settings, 0.1)
    with pytest.raises(UnavailableError, match="does not go on"):
        say_file(monkeypatch, "go on", wav, settings, 0.1)
    with pytest.raises(UnavailableError, match="emergency"):
        say_file(monkeypatch, "stop", wav, settings, 0.1)
    outbox = Outbox(outbox_path(settings))
    kept = [type(request) for request in outbox.pending()]
    outbox.close()
    assert kept.count(Correction) == 1 and Resume not in kept


def test_a_file_without_words_sends_nothing(monkeypatch: pytest.MonkeyPatch, settings: Settings, wav: Path) -> None:
    with pytest.raises(InputError, match="no words"):
        say_file(monkeypatch, "", wav, settings, 0.1)
    with pytest.raises(InputError, match="cannot be read"):
        say_file(monkeypatch, "go left", wav.with_name("none.wav"), settings, 0.1)


def test_long_sound_and_times_of_words_are_whispers_as_published() -> None:
    settings = Settings(recognizer_model="/a/folder")
    assert hearing.suited(settings, 3.0) is settings
    for long in (hearing.suited(settings, 20.0), hearing.suited(settings, 3.0, words=True)):
        assert (long.recognizer, long.recognizer_model) == ("faster-whisper", "")
    server = Settings(recognizer="endpoint", recognizer_model="http://h")
    assert hearing.suited(server, 20.0) is server
