"""Hears stop words at once: a small network over the last second of sound, asked every 64 ms, whatever else is said.

It does not wait for the end of an utterance and takes a millisecond, so that it can run where the microphone is. Its
few words are in its weights (`hitl train-speech`); it knows nothing of recognizers, robots or what a stop does.

Sound -> 40 log-mel bands every 10 ms -> the second's own mean and deviation taken out, so that loudness and microphone
hardly matter -> four convolutions over time -> one probability a word, and one for none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hitl.errors import CheckpointError
from hitl.speech.audio import RATE, Audio
from hitl.speech.text import plain

Array = NDArray[np.float32]

WORDS = ("stop", "freeze", "wait")
WINDOW_S = 1.0
HOP = RATE // 100
FFT = 400
BANDS = 40
EVERY = 1024
"""Samples between two questions: two blocks of the microphone."""
WEIGHTS = Path(__file__).resolve().parents[2] / "assets" / "models" / "stop-words" / "model.safetensors"
RANGE = 10.0
"""43 dB, as natural logarithm of power."""
_LAYERS = 4
_FLOOR = 1e-7


@dataclass(frozen=True)
class Spotted:
    """A stop word was heard. `at`: sample of the stream at which this was known."""

    word: str
    probability: float
    at: int


@dataclass(frozen=True)
class SpotterRules:
    """threshold: probability of a word from which a second opinion is asked; alone: from which it counts where nobody
    can give one; read: share of the readings with a stop word from which it counts; hinted: the same where the network
    alone would believe it; again_s: how soon a word may be spotted again that was not believed; rest_s: and one that
    was."""

    threshold: float = 0.4
    alone: float = 0.8
    read: float = 0.3
    hinted: float = 0.05
    again_s: float = 0.15
    rest_s: float = 1.0

    def believe(self, probability: float, share: float | None) -> bool:
        """Whether a word counts that the network gives `probability`. `share`: `stop_share` of the second opinion,
        None where there is none."""
        if share is None:
            return probability >= self.alone
        return share >= (self.hinted if probability >= self.alone else self.read)


def mel_filters(bands: int = BANDS) -> Array:
    """`(bands, 201)` triangular filters, equally wide on the mel scale (O'Shaughnessy 1987) from 60 to 7600 Hz."""
    mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 7600 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(FFT, 1 / RATE)[None]
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters: Array = np.maximum(0, np.minimum(up, down)).astype(np.float32)
    return filters


class Features:
    """Log-mel bands of a stream, frame by frame."""

    def __init__(self) -> None:
        self._filters = mel_filters().T
        self._window = np.hanning(FFT + 1)[:-1].astype(np.float32)
        self._kept = np.zeros(0, np.float32)

    def feed(self, sound: Audio) -> Array:
        """New frames `(n, 40)`, one for each 10 ms that is whole."""
        self._kept = np.concatenate((self._kept, sound))
        count = max(0, (len(self._kept) - FFT) // HOP + 1)
        if not count:
            return np.zeros((0, BANDS), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._kept, FFT)[: count * HOP : HOP]
        power = np.abs(np.fft.rfft(frames * self._window)) ** 2
        self._kept = self._kept[count * HOP :]
        bands: Array = np.log(power.astype(np.float32) @ self._filters + _FLOOR)
        return bands


def normalised(frames: Array) -> Array:
    """The second's `(..., t, 40)` frames without their mean a band, over their deviation as a whole.

    What is RANGE below the loudest point counts as silence, whatever hisses there.
    """
    frames = np.maximum(frames, frames.max((-2, -1), keepdims=True) - RANGE)
    centred = frames - frames.mean(-2, keepdims=True)
    scaled: Array = centred / (centred.std((-2, -1), keepdims=True) + 1e-3)
    return scaled


class Network:
    """The convolutions, in NumPy. `policies/speech/stop_words.py` trains the same ones."""

    def __init__(self, tensors: dict[str, Array]) -> None:
        """Raises KeyError or ValueError for tensors of another network."""
        self._kernels = [
            (_as_matrix(tensors[f"convolutions.{n}.weight"]), tensors[f"convolutions.{n}.bias"])
            for n in range(_LAYERS)
        ]
        self._out = (tensors["out.weight"], tensors["out.bias"])

    def probabilities(self, frames: Array) -> Array:
        """`(100, 40)` normalised frames -> `(1 + words,)`, the first for none of them."""
        x = frames
        for kernel, bias in self._kernels:
            width = kernel.shape[0] // x.shape[1]
            windows = np.lib.stride_tricks.sliding_window_view(x, width, axis=0)[::2]
            x = np.maximum(windows.transpose(0, 2, 1).reshape(len(windows), -1) @ kernel + bias, 0)
        logits = np.concatenate((x.mean(0), x.max(0))) @ self._out[0].T + self._out[1]
        raised = np.exp(logits - logits.max())
        found: Array = raised / raised.sum()
        return found


SOUNDS_S = 1.3
"""How much sound a second opinion gets."""
_SAID = frozenset({*WORDS, "frees", "frieze", "freezes", "weight", "wade", "stopped", "stops", "stopping"})


def stop_share(shares: Sequence[tuple[str, float]]) -> float:
    """The second opinion: how much of a recognizer's readings of the same sound has a stop word. `shares`: those
    readings with their shares of 1."""
    return sum(share for text, share in shares if not _SAID.isdisjoint(plain(text).split()))


class Spotter:
    """Follows one stream."""

    def __init__(self, weights: Path = WEIGHTS, rules: SpotterRules | None = None) -> None:
        """Raises CheckpointError where the file is no spotter's."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            self._network = Network(load_file(weights))
        except (OSError, SafetensorError, KeyError, ValueError) as problem:
            raise CheckpointError(f"is no network of stop words ({problem}).", field=str(weights)) from problem
        self.rules = rules or SpotterRules()
        self.reset()

    def reset(self) -> None:
        """Another stream begins."""
        self._features = Features()
        self._frames = np.full((round(WINDOW_S * RATE / HOP), BANDS), np.log(_FLOOR), np.float32)
        self._now = self._asked = 0
        self._silent_until = 0

    def feed(self, sound: Audio) -> Spotted | None:
        """Sound of any length; a stop word that has just been heard."""
        self._now += len(sound)
        fresh = self._features.feed(sound)[-len(self._frames) :]
        if len(fresh):
            self._frames = np.concatenate((self._frames[len(fresh) :], fresh))
        if self._now - self._asked < EVERY:
            return None
        self._asked = self._now
        return self._ask()

    def believe(self) -> None:
        """The word that was spotted was said: rest."""
        self._silent_until = self._now + round(self.rules.rest_s * RATE)

    def _ask(self) -> Spotted | None:
        found = self._network.probabilities(normalised(self._frames))
        best = int(np.argmax(found[1:])) + 1
        if float(found[best]) < self.rules.threshold or self._now < self._silent_until:
            return None
        self._silent_until = self._now + round(self.rules.again_s * RATE)
        return Spotted(WORDS[best - 1], float(found[best]), self._now)


def _as_matrix(kernel: Array) -> Array:
    """`(out, in, width)` -> `(width * in, out)`."""
    return np.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(-1, kernel.shape[0]))
