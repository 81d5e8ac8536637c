"""Seconds of sound with and without stop words in them, drawn from a corpus of utterances, to train the spotter on.

Where a word ends is known for words said alone, since they are cut at their ends; they are put behind other speech,
into rooms and noise. A second counts as the word where the word ended 50 to 400 ms before the second's end.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hitl.evaluation.speech_corpus import Corpus, Noisiness
from hitl.evaluation.speech_sets import STOP_WORDS
from hitl.speech import noise
from hitl.speech.audio import RATE, Audio
from hitl.speech.spotter import WINDOW_S, Features, normalised

WINDOW = round(WINDOW_S * RATE)
ENDED_S = (0.05, 0.4)
_CONTEXT = WINDOW + RATE // 2
_TRIM_DB = 35.0


class StopWordCorpus:
    """Draws windows from `corpus`. `words`: share of windows that hold a word; `alike`: share of the others that are
    made of what sounds like one, or of a word that has not ended yet."""

    def __init__(self, corpus: Corpus, seed: int = 0, *, words: float = 0.4, alike: float = 0.4) -> None:
        self._corpus = corpus
        self._rng = np.random.default_rng(seed)
        self._words, self._alike = words, alike
        self._rules = Noisiness()
        texts = [text.split() for text in corpus.texts]
        self._ending = [
            [i for i, text in enumerate(texts) if text and text[-1] == word and not set(text[:-1]) & set(STOP_WORDS)]
            for word in STOP_WORDS
        ]
        self._others = [i for i, text in enumerate(texts) if not set(text) & set(STOP_WORDS)]
        self._near = [i for i in self._others if corpus.kinds[i] == "alike"]

    def draw(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Normalised frames `(size, 100, 40)` and labels `(size,)`, 0 for no word."""
        drawn = [self._one() for _ in range(size)]
        return np.stack([frames for frames, _ in drawn]), np.array([label for _, label in drawn], np.int64)

    def _one(self) -> tuple[NDArray[np.float32], int]:
        rng = self._rng
        draw = rng.random()
        if draw < self._words:
            label = int(rng.integers(len(STOP_WORDS)))
            sound = self._placed(self._ending[label], rng.uniform(*ENDED_S))
            return frames_of(self._heard(sound)), label + 1
        if draw < self._words + (1 - self._words) * self._alike:
            if rng.random() < 0.3:  # a word of which a fifth of a second or more is still to come
                label = int(rng.integers(len(STOP_WORDS)))
                return frames_of(self._heard(self._placed(self._ending[label], -rng.uniform(0.2, 0.4)))), 0
            return frames_of(self._heard(self._placed(self._near, rng.uniform(-0.2, 0.5)))), 0
        return frames_of(self._heard(self._anything())), 0

    def _placed(self, choices: list[int], ended_s: float) -> Audio:
        """A context whose utterance ends `ended_s` before its end; negative: it is cut off."""
        rng = self._rng
        said = trimmed(self._corpus.spoken(int(choices[rng.integers(len(choices))])))
        out = np.zeros(_CONTEXT, np.float32)
        if rng.random() < 0.35:
            before = self._corpus.spoken(int(self._others[rng.integers(len(self._others))]))[-_CONTEXT:]
            out[-len(before) :] = before
            gap = int(rng.uniform(0.03, 0.4) * RATE)
            out = np.concatenate((out, np.zeros(gap, np.float32)))
        out = np.concatenate((out, said))
        if ended_s < 0:
            out = out[: len(out) - min(int(-ended_s * RATE), int(0.7 * len(said)))]
        else:
            after = np.zeros(int(ended_s * RATE), np.float32)
            if rng.random() < 0.2:
                more = trimmed(self._corpus.spoken(int(self._others[rng.integers(len(self._others))])))
                pause = min(int(rng.uniform(0.0, 0.15) * RATE), len(after))
                more = more[: len(after) - pause]
                after[pause : pause + len(more)] = more
            out = np.concatenate((out, after))
        return out[-_CONTEXT:]

    def _anything(self) -> Audio:
        """Some second and a half of other speech, or of none."""
        rng = self._rng
        if rng.random() < 0.1:
            return np.zeros(_CONTEXT, np.float32)
        said = self._corpus.spoken(int(self._others[rng.integers(len(self._others))]))
        padded = np.pad(said, (_CONTEXT // 2, _CONTEXT))
        first = int(rng.integers(max(1, len(padded) - _CONTEXT)))
        return padded[first : first + _CONTEXT]

    def _heard(self, sound: Audio) -> Audio:
        rng, rules = self._rng, self._rules
        sound = sound / (np.abs(sound).max() + 1e-6)
        if not sound.any() or rng.random() < rules.noisy:
            around = self._corpus.noise(len(sound))
            sound = noise.mix(sound, around, rng.uniform(*rules.snr_db)) if sound.any() else around * 0.1
        sound = sound * np.float32(10 ** (rng.uniform(*rules.level_db) / 20))
        hiss = rng.standard_normal(len(sound)).astype(np.float32) * 10 ** rng.uniform(-4.5, -3)
        return (np.clip(sound * 3, -1, 1) if rng.random() < 0.03 else sound) + hiss


def trimmed(voice: Audio) -> Audio:
    """Without the silence around it: 35 dB below its loudest hundredth of a second."""
    step = RATE // 100
    power = np.square(voice[: len(voice) // step * step]).reshape(-1, step).mean(1)
    if not len(power) or not power.max():
        return voice
    loud = np.flatnonzero(power >= power.max() / 10 ** (_TRIM_DB / 10))
    return voice[loud[0] * step : (loud[-1] + 1) * step]


def frames_of(sound: Audio) -> NDArray[np.float32]:
    """Normalised frames of the last second."""
    frames = Features().feed(sound[-WINDOW - 240 :])
    return normalised(frames[-100:])
