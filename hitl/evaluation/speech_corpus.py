"""Sound to learn recognition from: utterances on disk, and each time one is drawn another room, microphone and noise.

`write_corpus` has synthesizers say a training set, which takes minutes and goes on where it was stopped. `Corpus`
reads it and draws batches; their noises are those of `hitl.speech.noise` with numbers that `speech_sets` does not use
in tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from hitl.errors import DatasetError
from hitl.evaluation.speech_sets import Said, make
from hitl.speech import noise
from hitl.speech.audio import RATE, Audio, to_int16

UTTERANCES_A_FILE = 500
LONGEST_S = 8.0
_CANDIDATES = 8
"""A batch is cut from that many times its size, sorted by length, so that little of it is silence."""


@dataclass(frozen=True)
class Noisiness:
    """Shares and ranges of what is done to an utterance. Times in seconds, levels in decibels."""

    noisy: float = 0.8
    snr_db: tuple[float, float] = (2.0, 26.0)
    room: float = 0.4
    room_s: tuple[float, float] = (0.1, 0.6)
    microphone: float = 0.5
    speed: tuple[float, float] = (0.9, 1.12)
    level_db: tuple[float, float] = (-36.0, 0.0)
    before_s: tuple[float, float] = (0.0, 0.6)
    after_s: tuple[float, float] = (0.1, 0.8)
    padded_s: tuple[float, float] = (0.0, 0.6)
    nothing: float = 0.03
    two: float = 0.06


def write_corpus(folder: Path, utterances: Sequence[Said], told: Callable[[int, int], None] | None = None) -> None:
    """Have them said, 500 to a file; files that are there already stay. `told(done, all)` after each file."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(utterances), UTTERANCES_A_FILE):
        path = folder / f"utterances-{first // UTTERANCES_A_FILE:03d}.npz"
        part = utterances[first : first + UTTERANCES_A_FILE]
        if not path.exists():
            sounds, about = [], []
            for said, audio in make(part):
                sounds.append(to_int16(audio))
                about.append([said.text, said.kind, str(said.voice)])
            draft = path.with_suffix(".part.npz")
            np.savez(
                draft,
                audio=np.frombuffer(b"".join(sounds), "<i2"),
                ends=np.cumsum([len(sound) // 2 for sound in sounds]),
                meta=json.dumps(about),
            )
            draft.rename(path)
        if told is not None:
            told(first + len(part), len(utterances))


class Corpus:
    """Utterances of a folder, drawn with noise. One thread uses it."""

    def __init__(self, folders: Sequence[Path], seed: int = 0, noisiness: Noisiness | None = None) -> None:
        """A folder that is given twice counts twice. Raises DatasetError where they hold no utterances."""
        self.sounds: list[NDArray[np.int16]] = []
        self.texts: list[str] = []
        self.kinds: list[str] = []
        for path in (path for folder in folders for path in sorted(folder.glob("utterances-???.npz"))):
            try:
                with np.load(path) as file:
                    self.sounds += np.split(file["audio"], file["ends"][:-1])
                    about = json.loads(str(file["meta"]))
            except (OSError, ValueError, KeyError) as problem:
                raise DatasetError(
                    "is no file of utterances.", field=str(path), hint="Delete it and run again."
                ) from problem
            self.texts += [entry[0] for entry in about]
            self.kinds += [entry[1] for entry in about]
        if not self.sounds:
            raise DatasetError(
                "holds no utterances.", field=", ".join(map(str, folders)), hint="Make them: hitl train-speech"
            )
        self._rng = np.random.default_rng(seed)
        self._rules = noisiness or Noisiness()

    def sound(self, index: int) -> Audio:
        """Utterance `index` as it was said."""
        return self.sounds[index].astype(np.float32) / np.float32(32768)

    def draw(self, size: int) -> tuple[Audio, list[str]]:
        """Sounds `(size, n)` padded with silence, and what is said in each."""
        rng = self._rng
        candidates = rng.integers(len(self.sounds), size=size * _CANDIDATES)
        candidates = candidates[np.argsort([len(self.sounds[index]) for index in candidates], kind="stable")]
        first = int(rng.integers(len(candidates) - size + 1))
        drawn = [self.one(int(index)) for index in candidates[first : first + size]]
        longest = max(len(sound) for sound, _ in drawn) + int(rng.uniform(*self._rules.padded_s) * RATE)
        sounds = np.zeros((size, longest), np.float32)
        for row, (sound, _) in zip(sounds, drawn, strict=True):
            row[: len(sound)] = sound
        return sounds, [text for _, text in drawn]

    def one(self, index: int) -> tuple[Audio, str]:
        """Utterance `index` in some room, through some microphone and noise, and its text; sometimes two in a row, or
        only the noise and no text."""
        rng, rules = self._rng, self._rules
        voice, text = self.spoken(index), self.texts[index]
        if rng.random() < rules.two:
            other = int(rng.integers(len(self.sounds)))
            gap = np.zeros(int(rng.uniform(0.1, 0.5) * RATE), np.float32)
            joined = np.concatenate((voice, gap, self.spoken(other)))
            if len(joined) < LONGEST_S * RATE:
                voice, text = joined, f"{text} {self.texts[other]}"
        before, after = (int(rng.uniform(*span) * RATE) for span in (rules.before_s, rules.after_s))
        sound = np.pad(voice, (before, after))
        sound = sound / (np.abs(sound).max() + 1e-6)
        if rng.random() < rules.nothing:
            sound, text = np.zeros_like(sound), ""
        if not text or rng.random() < rules.noisy:
            heard = self.noise(len(sound))
            sound = noise.mix(sound, heard, rng.uniform(*rules.snr_db)) if text else heard * 0.1
        sound = sound * np.float32(10 ** (rng.uniform(*rules.level_db) / 20))
        if rng.random() < 0.03:
            sound = np.clip(sound * 4, -1, 1)
        return sound[: int(LONGEST_S * RATE)].astype(np.float32), text

    def spoken(self, index: int) -> Audio:
        """Utterance `index`, a little faster or slower, in some room and through some microphone."""
        rng, rules = self._rng, self._rules
        voice = self.sound(index)
        speed = rng.uniform(*rules.speed)
        voice = np.asarray(soxr.resample(voice, RATE * speed, RATE, quality="QQ"), np.float32)
        if rng.random() < rules.room:
            voice = noise.in_room(voice, rng, rng.uniform(*rules.room_s), rng.uniform(0.1, 0.9))
        return noise.through(voice, rng) if rng.random() < rules.microphone and len(voice) > 100 else voice

    def noise(self, samples: int) -> Audio:
        """Some noise of unit power."""
        rng = self._rng
        kind = rng.choice(["white", "pink", "brown", "motor", "hum", "music", "babble", "babble"])
        if kind in noise.COLOURS:
            return noise.coloured(samples, noise.COLOURS[kind], rng)
        if kind == "babble":
            talk = [self.sound(int(index)) for index in rng.integers(len(self.sounds), size=8)]
            return noise.babble(samples, talk, rng, people=int(rng.integers(2, 7)))
        return {"motor": noise.motor, "hum": noise.hum, "music": noise.music}[kind](samples, rng)
