"""Small runs of the speech bench and of its training, and the arithmetic that they rest on."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hitl.config import Settings
from hitl.errors import DatasetError, InputError
from hitl.evaluation import speech_sets
from hitl.evaluation.speech import run, word_error_rate
from hitl.evaluation.speech_corpus import Corpus
from hitl.evaluation.speech_test_set import LABELS, heard_at, make_set, read_set
from hitl.evaluation.statistics import percentiles
from hitl.speech.audio import write_wav
from hitl.speech.synthesis import speak, voice_named
from hitl.speech.text import plain

needs_voices = pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("espeak-ng")), reason="no speech synthesizer"
)
needs_recognizer = pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is None, reason="no recognizer")


def a_set(folder: Path, *rows: tuple[str, str]) -> Path:
    """A set of (what is said, the command), said by flite."""
    folder.mkdir()
    with (folder / LABELS).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "command", "text"))
        for number, (text, command) in enumerate(rows):
            write_wav(folder / f"{number}.wav", speak(text, voice_named("flite:rms")))
            table.writerow((f"{number}.wav", command, text))
    return folder


@needs_voices
@needs_recognizer
def test_a_set_of_ones_own_is_measured(tmp_path: Path) -> None:
    folder = a_set(
        tmp_path / "set",
        ("pick up the red block", "pick up the red block"),
        ("stop", "stop"),
        ("what time is it in the kitchen", ""),
    )
    found = run(Settings(data=str(tmp_path)), folder=folder, recognizers=["commands"], live=1)
    clean = found["recognizers"]["commands"]["clean"]
    assert set(found["recognizers"]["commands"]) == set(found["stop_words"]) == {"clean", "20 dB", "10 dB"}
    assert clean["command_accuracy"]["rate"] == 1.0 and clean["command_accuracy"]["n"] == 1
    assert clean["wer"] < 0.5 and clean["text_accuracy"]["rate"] == 1.0
    assert clean["false_accepts"]["n"] == 1
    assert clean["release_to_command_ms"]["n"] == clean["handsfree_end_to_command_ms"]["n"] == 1
    assert found["stop_words"]["clean"]["stops_heard"]["n"] == 1
    assert found["ends"]["clean"]["ended"] == found["ends"]["people talking, 10 dB"]["ended"]
    assert found["ends"]["clean"]["ended"]["rate"] == 1.0 and found["ends"]["clean"]["cut"]["rate"] == 0.0


@needs_voices
def test_training_makes_both_models_and_goes_on_where_it_was(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    from hitl.evaluation.speech_training import train
    from hitl.speech.adapted import adapted_folder, packaged_whisper
    from hitl.speech.spotter import Spotter

    def once(steps: int) -> dict:
        return train(
            tmp_path / "out", tmp_path / "corpus", utterances=48, steps=steps, spotter_steps=2, pool=32, threads=1
        )

    once(1)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*.npz")}
    report = once(2)
    assert report["recognition"]["steps"] == 2
    assert {path: path.stat().st_mtime_ns for path in written} == written
    Spotter(tmp_path / "out" / "stop-words" / "model.safetensors").feed(np.zeros(16_000, np.float32))
    adapter = tmp_path / "out" / "commands-tiny-en" / "adapter.safetensors"
    assert (adapted_folder(packaged_whisper(), adapter, tmp_path / "cache") / "model.bin").is_file()
    other = {name: tensor + 0.5 if name.endswith("gamma") else tensor for name, tensor in load_file(adapter).items()}
    save_file(other, tmp_path / "other.safetensors")
    further = train(
        tmp_path / "further", tmp_path / "corpus", utterances=48, steps=1, spotter_steps=1, pool=32, threads=1,
        start_from=tmp_path / "other.safetensors",
    )  # fmt: skip
    assert len(further["recognition"]["base"]) == 12
    taught = load_file(tmp_path / "further" / "commands-tiny-en" / "adapter.safetensors")
    assert all(torch.allclose(tensor, taught[name], atol=0.02) for name, tensor in other.items())


def test_corrections_that_cannot_be_taught_further_are_named_before_anything_is_made(tmp_path: Path) -> None:
    from hitl.evaluation.speech_training import train

    with pytest.raises(DatasetError, match="nothing.safetensors"):
        train(tmp_path / "out", tmp_path / "corpus", start_from=tmp_path / "nothing.safetensors")
    assert not (tmp_path / "corpus").exists()


def test_nothing_is_learned_that_is_kept_for_tests() -> None:
    kept = speech_sets.kept_for_tests()
    assert kept and not kept & {text for _, text in speech_sets.training_texts(3000)}
    learned = {str(said.voice) for said in speech_sets.training_set(3000)}
    learned |= {str(voice) for voice in (*speech_sets.LEARNED_NEURAL, *speech_sets.LEARNED_FAST)}
    assert not learned & set(speech_sets.TEST_VOICES)


@needs_voices
def test_the_set_that_is_made_has_six_voices_every_family_and_can_be_read_again(tmp_path: Path, monkeypatch) -> None:
    said: list[str] = []

    def silent(texts, voice, *, speed=1.0, pitch=1.0):
        said.extend(texts)
        return [np.full(1600, 0.1, np.float32) for _ in texts]

    monkeypatch.setattr("hitl.evaluation.speech_test_set.speak_all", silent)
    items = make_set(tmp_path / "set")
    assert len({item.voice for item in items}) >= 6
    assert {item.kind for item in items} == {"command", "stop", "other"}
    held_out = speech_sets.kept_for_tests()
    assert all(plain(item.text) in held_out for item in items if item.kind == "command")
    count = len(said)
    assert [item.text for item in make_set(tmp_path / "set")] == [item.text for item in items]
    assert len(said) == count, "what is there already stays"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file,command\n", "names no files"),
        ("name,what\na.wav,x\n", "needs the columns"),
        ("file,command\nb.wav,go left\n", "which is not there"),
    ],
)
def test_a_set_that_cannot_be_used_is_named(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / LABELS).write_text(table)
    with pytest.raises(InputError, match=words):
        read_set(tmp_path)


def test_no_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="labels.csv"):
        read_set(tmp_path / "none")


def test_a_corpus_that_holds_nothing_or_nonsense_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no utterances"):
        Corpus([tmp_path])
    (tmp_path / "utterances-000.npz").write_bytes(b"nonsense")
    with pytest.raises(DatasetError, match="utterances-000"):
        Corpus([tmp_path])


@pytest.mark.parametrize(
    ("pairs", "rate"),
    [
        ([("go left", "Go left.")], 0.0),
        ([("go left", "go right")], 0.5),
        ([("go left", "")], 1.0),
        ([("go left", "please go a left")], 1.0),
        ([("go left", "go left"), ("go up now", "go now")], 0.2),
        ([], 0.0),
    ],
)
def test_word_error_rate(pairs: list[tuple[str, str]], rate: float) -> None:
    assert word_error_rate(pairs) == pytest.approx(rate)


def test_percentiles() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "n": 0}
    assert percentiles([1.0, 2.0, 3.0]) == {"p50": 2, "p95": 3, "n": 3}


@pytest.mark.parametrize("seed", range(4))
def test_noise_lies_where_it_should(seed: int) -> None:
    rng = np.random.default_rng(0)
    voice = (rng.standard_normal(16_000) * 0.05).astype(np.float32)
    noisy = heard_at(voice, 10.0, [voice], seed)
    added = np.square(noisy - voice).mean()
    assert np.square(voice).mean() / added == pytest.approx(10.0, rel=0.35)
    assert heard_at(voice, None, [], seed) is voice
