"""`hitl segments`: from a recorded session to commands and data, once with real speech; what it says if it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch.nn import functional

from hitl import cli, segments
from hitl.backend.loaded_model import Model
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Reading
from hitl.sessions.catalog import Catalog, Session
from hitl.speech.audio import RATE
from hitl.speech.certainty import Decided
from hitl.speech.grounding import Grounded
from hitl.speech.heard import Heard, Hypothesis, Word
from hitl.speech.narration import Rules
from hitl.speech.synthesis import speak, voice_named
from hitl.speech.text import plain
from policies.hierarchy.dataset import load_recordings
from policies.hierarchy.train import Budget, train
from tests.support.narrated import CAMERAS, Move, Said, record, timed

ROOT = Path(__file__).resolve().parents[2]
BANK = ("go left", "go home")
MOVES = [Move(2, 3), Move(6, 7, (0, 0, -0.08))]
NARRATION = [timed(1.0, "go left"), timed(3.5, "nice weather"), timed(5.0, "go home")]


class Recognizer:
    """Hears `text` a word a quarter of a second; the recognizer of commands hears "go left" in whatever is loud."""

    def __init__(self, settings: Settings, text: str = "go home", times: bool = True) -> None:
        self.name, self.text, self.times = settings.recognizer, text, times

    def hear(self, audio: Any, *, best: int = 1, words: bool = False, hints: Any = ()) -> Heard:
        if not audio.any():
            return Heard(())
        if not words:
            return Heard((Hypothesis("go left", -0.1),))
        timed_words = [Word(word, 0.25 * at, 0.25 * at + 0.25, 1.0) for at, word in enumerate(self.text.split())]
        return Heard((Hypothesis(self.text, -0.1),), 0.0, tuple(timed_words) if self.times else ())


def decide(text: str, heard: float, readings: Sequence[Reading], *, spoken: bool) -> Decided:
    words = plain(text)
    if words in BANK:
        return Decided(Grounded("exact", words, 1.0), text)
    return Decided(Grounded("new", words, 0.0), text, "low", ignored=True)


def load_model(settings: Settings) -> Model:
    def ground(text: str) -> Grounded:
        return Grounded("exact", text, 1.0)

    policy: Any = None
    return Model(policy, ground, BANK, "test", "cpu", decide, CAMERAS)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Times of words are the recording's, or made up; phrases are not heard again."""
    monkeypatch.setattr(segments, "recognizer_of", Recognizer)
    return Settings(data=str(tmp_path), recognizer="faster-whisper")


def found(
    settings: Settings, name: str = "last", rules: Rules | None = None, new: Sequence[str] = ()
) -> segments.Narrated:
    return segments.segments_of(name, settings, load_model, rules or Rules(), new)


def commands(narrated: segments.Narrated) -> list[tuple[float, float, str]]:
    return [(s.start_ns / 1e9, s.end_ns / 1e9, s.command) for s in narrated.alignment.segments]


def test_words_with_times_need_no_recognizer(tmp_path: Path, settings: Settings) -> None:
    session = record(tmp_path, NARRATION, MOVES, 10.0, borders_s=(9.0,))
    for name in ("last", session.id):
        narrated = found(settings, name)
        assert commands(narrated) == [(1.0, 5.0, "go left"), (5.0, 9.0, "go home")]
        assert [(left.said, left.reason) for left in narrated.alignment.left_out] == [("nice weather", "no command")]
        assert not segments.warning(narrated)


def test_words_without_times_are_heard_again_and_laid_on_the_session_clock(tmp_path: Path, settings: Settings) -> None:
    record(tmp_path, [Said(4.0, "whatever")], MOVES, 10.0)
    assert commands(found(settings)) == [(4.0, 10.0, "go home")]


def test_the_recognizer_of_commands_hears_each_phrase_by_itself(tmp_path: Path, settings: Settings) -> None:
    """It gives no times, so that Whisper as published does."""
    record(tmp_path, [Said(4.0, "whatever")], MOVES, 10.0)
    narrated = found(msgspec.structs.replace(settings, recognizer="commands"))
    assert commands(narrated) == [(4.0, 10.0, "go left")]
    assert narrated.alignment.segments[0].said == "go home"


def test_each_person_narrates_for_themselves_and_corrections_are_no_narration(
    tmp_path: Path, settings: Settings
) -> None:
    said = [timed(1.0, "go"), timed(1.3, "nice weather", author="bob"), timed(1.5, "home")]
    record(tmp_path, [*said, timed(5.0, "go left", narration=False)], MOVES, 10.0)
    narrated = found(settings)
    assert commands(narrated) == [(1.0, 10.0, "go home")]
    assert narrated.alignment.segments[0].author == "ann"


def test_words_that_are_given_are_a_new_command(tmp_path: Path, settings: Settings) -> None:
    record(tmp_path, [*NARRATION, timed(7.0, "please dance")], MOVES, 10.0)
    narrated = found(settings, new=["Dance!"])
    assert commands(narrated)[-1] == (7.0, 10.0, "dance") and not narrated.alignment.segments[-1].known
    assert [s.command for s in found(settings, new=["all"]).alignment.segments] == [
        "go left", "nice weather", "go home", "dance",
    ]  # fmt: skip


def test_a_stop_is_left_out_of_what_was_done(tmp_path: Path, settings: Settings) -> None:
    said = [timed(1.0, "go left"), timed(4.0, "stop")]
    record(tmp_path, said, MOVES, 10.0, mode=lambda at_s: "paused" if 4.0 <= at_s < 6.0 else "running")
    narrated = found(settings)
    assert commands(narrated) == [(1.0, 4.0, "go left"), (6.0, 10.0, "go left")]


def test_sound_of_a_phrase_goes_over_from_one_utterance_into_the_next(tmp_path: Path, settings: Settings) -> None:
    half = np.full(RATE // 2, 0.5, np.float32)
    record(tmp_path, [Said(1.0, "a", half), Said(1.6, "b", half / 2), Said(1.0, "c", half, author="bob")], MOVES, 5.0)
    narrated = found(settings, new=["all"])
    phrase = segments.Phrase((segments.SaidWord("a", 10**9, 2 * 10**9),), "ann")
    sound = segments.sound_of(phrase, narrated.recorded.voices)
    parts = [float(sound[round(at * RATE)]) for at in (0.1, 0.3, 0.72, 0.9, 1.35)]
    assert parts == pytest.approx([0.0, 0.5, 0.0, 0.25, 0.0], abs=0.01) and len(sound) == round(1.4 * RATE)


# -- what is told -------------------------------------------------------------------------------------------------


def test_table_and_json_tell_the_same_in_order(tmp_path: Path, settings: Settings) -> None:
    record(tmp_path, NARRATION, MOVES, 10.0)
    narrated = found(settings)
    lines = segments.as_table(narrated).splitlines()
    assert lines[1].split() == ["1.00", "5.00", "go", "left", "“go", "left”"]
    assert "“nice weather”: no command" in lines[2] and lines[-1] == "2 segments, 1 left out"
    records = segments.as_records(narrated)
    assert [one["kind"] for one in records] == ["segment", "left_out", "segment"]
    assert records[0]["start_s"] == 1.0 and records[0]["episode"] == "e0" and records[0]["known"]
    json.dumps(records)


def test_a_recording_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path, settings: Settings) -> None:
    session = record(tmp_path, NARRATION, MOVES, 10.0)
    path = session.recording
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    narrated = found(settings)
    assert "cut off after" in segments.warning(narrated)
    assert narrated.alignment.segments[-1].cut_short


# -- errors -------------------------------------------------------------------------------------------------------


def test_no_such_session_says_which_there_are(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(InputError, match="session: 'last' is none.*none yet"):
        found(settings)
    session = record(tmp_path, NARRATION, MOVES, 1.0)
    with pytest.raises(InputError, match=session.id):
        found(settings, "01M89WJ6D46BRFX5GXYZJ40RRN")
    (session.folder / "session.json").write_text("{")
    with pytest.raises(InputError, match="session.json"):
        found(settings, session.id)


def test_a_session_that_was_not_recorded(tmp_path: Path, settings: Settings) -> None:
    Catalog(tmp_path).new_session()
    with pytest.raises(InputError, match="recording: the session has none.*record"):
        found(settings)


@pytest.mark.parametrize(
    ("said", "why"),
    [([], "nobody's voice"), ([timed(1.0, "go left", narration=False)], "none of it narration")],
)
def test_a_session_without_narration(tmp_path: Path, settings: Settings, said: list[Said], why: str) -> None:
    session = record(tmp_path, said, MOVES, 2.0)
    with pytest.raises(InputError, match=f"session {session.id}.*{why}.*hitl listen --narrate"):
        found(settings)


def test_a_recording_that_is_cut_off_before_the_first_voice_says_so(tmp_path: Path, settings: Settings) -> None:
    session = record(tmp_path, [], MOVES, 5.0)
    session.recording.write_bytes(session.recording.read_bytes()[:-8])
    with pytest.raises(InputError, match="cut off after 5 s"):
        found(settings)


def test_narration_without_a_robot_or_outside_of_its_episodes(tmp_path: Path, settings: Settings) -> None:
    record(tmp_path, NARRATION, MOVES, 10.0, lost=lambda _at_s: True)
    with pytest.raises(InputError, match="no episode of a robot"):
        found(settings)
    record(tmp_path, NARRATION, MOVES, 10.0, lost=lambda at_s: at_s < 5.5)
    narrated = found(settings)
    assert not narrated.alignment.segments
    assert [left.reason for left in narrated.alignment.left_out][::2] == ["said outside of an episode"] * 2


def test_a_recognizer_without_times_of_words(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, [Said(1.0, "go left")], MOVES, 2.0)
    monkeypatch.setattr(segments, "recognizer_of", lambda settings: Recognizer(settings, times=False))
    with pytest.raises(UnavailableError, match="recognizer: faster-whisper gives no times.*--recognizer"):
        found(settings)
    monkeypatch.setattr(segments, "recognizer_of", lambda settings: Recognizer(settings, text=""))
    with pytest.raises(InputError, match="no words are heard in its 1"):
        found(settings)


# -- the whole way ------------------------------------------------------------------------------------------------


@pytest.fixture
def narrated_aloud(tmp_path: Path) -> Session:
    """Somebody says with a synthetic voice what is about to be done, and something else."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    voice = voice_named("espeak:en-us")

    def aloud(at_s: float, text: str) -> Said:
        return Said(at_s, text, speak(text, voice))

    said = [
        aloud(1.0, "pick up the red block and then put it in the box"),
        aloud(9.0, "what a lovely day"),
        aloud(12.0, "go home"),
        aloud(16.0, "done"),
    ]
    moves = [Move(1.8, 2.1), Move(3.5, 5.0, (0.05, 0, 0)), Move(13.5, 14.5, (-0.05, 0, 0))]
    return record(tmp_path / "data", said, moves, 18.0)


class Codes:
    """A language without a model: training one, or reading all its words, takes minutes."""

    def codes(self, texts: Sequence[str]) -> torch.Tensor:
        return functional.normalize(torch.randn(len(texts), 64, generator=torch.Generator().manual_seed(0)), dim=1)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"weight": torch.zeros(1)}


def test_from_spoken_words_to_steps_of_training(
    tmp_path: Path, narrated_aloud: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "set", str(tmp_path / "data")
    arguments = ["segments", narrated_aloud.id, "--data", data, "--device", "cpu", "--out", str(out), "--json"]
    assert cli.main(arguments) == 0
    told = capsys.readouterr()
    records = [json.loads(line) for line in told.out.splitlines()]
    made = [one for one in records if one["kind"] == "segment"]
    assert [one["command"] for one in made] == ["pick up the red block", "put it in the box", "go home"]
    starts, ends = ([one[key] for one in made] for key in ("start_s", "end_s"))
    assert starts == pytest.approx([1.0, 2.3, 12.0], abs=0.6) and ends == pytest.approx([2.3, 12.0, 16.0], abs=0.6)
    assert any("lovely" in one["said"] for one in records if one["kind"] == "left_out")
    assert "wrote 3 segments" in told.err
    recordings = load_recordings(out)
    assert recordings.meta.cameras == CAMERAS and len(recordings.meta.kinds) == 6
    taught = [recordings.meta.commands[at].text for at in recordings.segments.command[recordings.segments.flags > 0]]
    assert taught == [one["command"] for one in made]
    budget = Budget(low_level_steps=2, high_level_steps=2, low_level_batch=8, high_level_batch=8)
    model = train(
        out,
        tmp_path / "model",
        budget,
        device="cpu",
        threads=1,
        language_trainer=lambda _commands, _seed: (Codes(), {}),
    )
    shipped = json.loads((ROOT / "assets" / "models" / "aloha-packing" / "model.json").read_text())
    assert model["low_level"] == shipped["low_level"], "so that the shipped model can be trained further with it"
    losses = [
        loss for level in ("low_level", "high_level") for loss in model["training"][level]["loss_by_step"].values()
    ]
    assert losses and np.isfinite(losses).all()
