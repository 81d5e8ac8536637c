"""`hitl train-speech`: teaches the packaged Whisper commands, and the spotter its stop words, from synthetic voices.

Makes the utterances (minutes to an hour, by the voices that are installed), trains the recognizer's corrections,
draws a pool of seconds for the spotter and trains it. Each step goes on where it was stopped. The model cards say
how what ships was made.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hitl.errors import DatasetError, MissingPackageError
from hitl.evaluation import speech_sets
from hitl.evaluation.speech_corpus import Corpus, write_corpus
from hitl.evaluation.speech_sets import STOP_WORDS, Said
from hitl.evaluation.stop_word_corpus import StopWordCorpus
from hitl.speech.adapted import packaged_whisper
from hitl.speech.ct2_file import read_weights
from hitl.speech.spotter import BANDS
from hitl.speech.synthesis import Voice, is_there
from policies.devices import resolve_device
from policies.hierarchy.loop import Progress
from policies.speech.recognition_training import Wording, train_recognition
from policies.speech.stop_words import StopWordNetwork, train_stop_words
from policies.speech.whisper import LogMel, Whisper

Told = Callable[[Progress], None]

FAST_SHARE, LEARNED_SHARE, WORDS_SHARE = 0.19, 0.19, 0.5
"""Utterances of the fast learned voices, of Kokoro's, and of single words, for each utterance of the others."""
LEARNED_WEIGHT = 3
"""How often each utterance of Kokoro's voices is drawn for one of the others: there are few, and they are like
people."""
LEARNING_RATE, FURTHER_RATE = 7e-4, 4e-4
POOL = 124_000
POOL_FILE = 2000


@dataclass(frozen=True)
class _Part:
    """One folder of utterances, and how often each of them counts."""

    folder: Path
    said: Sequence[Said]
    weight: int = 1


def train(
    out: Path,
    corpus: Path,
    *,
    utterances: int = 16_000,
    steps: int = 1800,
    minutes: float | None = None,
    spotter_steps: int = 9000,
    pool: int = POOL,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    progress: Told | None = None,
    start_from: Path | None = None,
) -> dict[str, Any]:
    """Write `out/commands-tiny-en/adapter.safetensors` and `out/stop-words/model.safetensors`; returns both summaries.

    start_from: corrections that are taught further, more gently.
    Raises MissingPackageError where the packaged Whisper or every synthesizer is missing, DatasetError for a corpus
    or corrections that cannot be read, PolicyError where they fit another model. Ctrl-C saves and leaves.
    """
    base = _read_corrections(start_from) if start_from is not None else None  # before the hour that voices take
    where = resolve_device(device)
    cores = threads or len(os.sched_getaffinity(0))
    torch.manual_seed(seed)
    parts = _parts(corpus, utterances, seed)
    for part in parts:
        write_corpus(part.folder, part.said, _counting(f"utterances in {part.folder.name}", progress))
    sentences = [part for part in parts if not part.folder.name.startswith("words")]
    report = {"recognition": _recognition(out, sentences, steps, minutes, where, cores, seed, progress, base)}
    report["stop words"] = _stop_words(out, parts, spotter_steps, pool, where, cores, seed, progress)
    (out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def _parts(corpus: Path, utterances: int, seed: int) -> list[_Part]:
    """What is to be said; folders carry the number, so that another number is another corpus."""
    base = speech_sets.training_set(utterances, seed)
    if not all(is_there(said.voice) for said in base):
        raise MissingPackageError(
            "espeak-ng and flite make the training set.", field="train-speech", hint="apt-get install espeak-ng flite"
        )
    fast = [voice for voice in speech_sets.LEARNED_FAST if is_there(voice)]
    learned = [voice for voice in speech_sets.LEARNED_NEURAL if is_there(voice)]
    parts = [_Part(corpus / f"plain-{utterances}", base)]
    words = list(_words(round(WORDS_SHARE * utterances), seed, ()))
    if fast:
        count = round(FAST_SHARE * utterances)
        parts.append(_Part(corpus / f"fast-{count}", speech_sets.training_set(count, seed + 11, fast)))
        words += _words(count // 6, seed + 1, fast)
    if learned:
        count = round(LEARNED_SHARE * utterances)
        parts.append(
            _Part(corpus / f"learned-{count}", speech_sets.training_set(count, seed + 20, learned), LEARNED_WEIGHT)
        )
        words += _words(count // 10, seed + 2, learned)
    return [*parts, _Part(corpus / f"words-{len(words)}", words)]


def _words(count: int, seed: int, voices: Sequence[Voice]) -> list[Said]:
    """Stop words and what sounds like them, alone."""
    rng = random.Random(seed + 7)
    found = []
    for number in range(count):
        stop = number % 16 < 9
        text = rng.choice(STOP_WORDS) if stop else rng.choice(speech_sets.SOUND_ALIKE)
        voice = rng.choice(voices) if voices else speech_sets.learned_voices(rng)
        speed, pitch = rng.uniform(0.7, 1.35), rng.uniform(*speech_sets.HUMAN_HEIGHT)
        found.append(Said(text, "stop" if stop else "alike", voice, speed, pitch))
    return found


def _corpus(parts: Sequence[_Part], seed: int) -> Corpus:
    return Corpus([part.folder for part in parts for _ in range(part.weight)], seed)


def _recognition(
    out: Path, parts: Sequence[_Part], steps: int, minutes: float | None, device: torch.device, threads: int, seed:
    int, progress: Told | None, base_corrections: dict[str, torch.Tensor] | None,
) -> dict[str, Any]:  # fmt: skip
    from faster_whisper.feature_extractor import FeatureExtractor

    base = packaged_whisper()
    model = Whisper(read_weights(base / "model.bin").arrays)
    corpus = _corpus(parts, seed)
    wording = Wording.of(base / "tokenizer.json")
    settings: dict[str, Any] = {"utterances": len(corpus.texts), "seed": seed}
    rate = LEARNING_RATE
    if base_corrections is not None:
        model.begin_with(base_corrections)
        learned = b"".join(tensor.numpy().tobytes() for _, tensor in sorted(base_corrections.items()))
        settings["base"] = hashlib.sha256(learned).hexdigest()[:12]
        rate = FURTHER_RATE
    summary = train_recognition(
        model, LogMel(FeatureExtractor().mel_filters), wording, corpus.draw, out / "training" / "recognition",
        steps=steps, minutes=minutes, device=device, threads=threads, learning_rate=rate, settings=settings,
        progress=progress,
    )  # fmt: skip
    folder = out / "commands-tiny-en"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.adapter(), folder / "adapter.safetensors")
    return summary | settings


def _read_corrections(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as problem:
        raise DatasetError(
            f"cannot be read ({problem}).", field=str(path), hint="Give an adapter.safetensors."
        ) from None


def _stop_words(
    out: Path, parts: Sequence[_Part], steps: int, pool: int, device: torch.device, threads: int, seed: int,
    progress: Told | None,
) -> dict[str, Any]:  # fmt: skip
    frames, labels = _pool(out / "training" / "pool", parts, pool, seed, progress)
    rng = np.random.default_rng(seed)

    def draw(size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen = rng.integers(len(labels), size=size)
        found = frames[chosen].astype(np.float32)
        for row in found:  # a band of frequencies may be missing (SpecAugment; Park et al. 2019, arXiv:1904.08779)
            if rng.random() < 0.3:
                first = int(rng.integers(BANDS - 4))
                row[:, first : first + 4] = 0
        return found, labels[chosen]

    model = StopWordNetwork(BANDS, len(STOP_WORDS))
    settings = {"seconds": len(labels), "seed": seed}
    summary = train_stop_words(
        model, draw, out / "training" / "stop-words", steps=steps, minutes=None, device=device, threads=threads,
        settings=settings, progress=progress,
    )  # fmt: skip
    folder = out / "stop-words"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors"
    )
    return summary | settings


def _pool(
    folder: Path, parts: Sequence[_Part], count: int, seed: int, progress: Told | None
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """`count` drawn seconds: drawing one takes six milliseconds, training on it a tenth of one."""
    folder.mkdir(parents=True, exist_ok=True)
    source: StopWordCorpus | None = None
    told = _counting("seconds for the stop words", progress)
    paths = [folder / f"{seed}-{number:03d}.npz" for number in range(-(-count // POOL_FILE))]
    for number, path in enumerate(paths):
        if not path.exists():
            source = source or StopWordCorpus(_corpus(parts, seed + number), seed + number)
            frames, labels = source.draw(min(POOL_FILE, count))
            draft = path.with_suffix(".part.npz")
            np.savez(draft, frames=frames.astype(np.float16), labels=labels)
            draft.rename(path)
        told(number + 1, len(paths))
    drawn = [np.load(path) for path in paths]
    return np.concatenate([one["frames"] for one in drawn]), np.concatenate([one["labels"] for one in drawn])


def _counting(phase: str, progress: Told | None) -> Callable[[int, int], None]:
    def told(done: int, every: int) -> None:
        if progress is not None:
            progress(Progress(phase, done, done / every, float("nan"), 0.0, 0.0))

    return told
