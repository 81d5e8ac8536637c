"""What stands between a mouth and a microphone, made by arithmetic: noises, rooms, and how they are mixed in.

For test sets and for training. All sounds are float32 at 16 kHz; everything random comes from the generator given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hitl.speech.audio import RATE, Audio

COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}


def coloured(samples: int, exponent: float, rng: Generator) -> Audio:
    """Noise whose power falls with frequency to the power of `exponent`: 0 white, 1 pink, 2 brown; unit power."""
    spectrum = rng.standard_normal(samples // 2 + 1) + 1j * rng.standard_normal(samples // 2 + 1)
    frequency = np.maximum(np.arange(len(spectrum)), 20 * samples / RATE)
    return _unit(np.fft.irfft(spectrum / frequency ** (exponent / 2), samples))


def motor(samples: int, rng: Generator) -> Audio:
    """Servo drives: a whine with harmonics whose pitch goes up and down, and the rush of a fan; unit power."""
    time = np.arange(samples) / RATE
    pitch = rng.uniform(90, 700) * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.1, 1.0) * time + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    strength = rng.uniform(0.2, 1.0, 8) / np.arange(1, 9)
    whine = sum(a * np.sin(n * phase + rng.uniform(0, 6)) for n, a in enumerate(strength, 1))
    swell = 0.4 + 0.6 * np.clip(np.sin(2 * np.pi * rng.uniform(0.2, 1.5) * time + rng.uniform(0, 6)), 0, 1)
    return _unit(_unit(whine * swell) + rng.uniform(0.2, 1.0) * coloured(samples, 1.0, rng))


def hum(samples: int, rng: Generator) -> Audio:
    """Mains hum and its harmonics with a little hiss; unit power."""
    time = np.arange(samples) / RATE
    base = rng.choice([50.0, 60.0])
    tones = sum(
        rng.uniform(0.1, 1) / n * np.sin(2 * np.pi * base * n * time + rng.uniform(0, 6)) for n in range(1, 12)
    )
    return _unit(_unit(np.asarray(tones)) + 0.3 * coloured(samples, 0.0, rng))


def music(samples: int, rng: Generator) -> Audio:
    """Chords of plucked tones in a steady beat, with drums of noise; unit power."""
    out = np.zeros(samples)
    beat = int(RATE * 60 / rng.uniform(80, 150) / 2)
    root = rng.uniform(110, 220)
    for at in range(0, samples, beat):
        length = min(4 * beat, samples - at)
        time = np.arange(length) / RATE
        for step in rng.choice([0, 3, 4, 5, 7, 9, 12, 16, 19], 3, replace=False):
            tone = root * 2 ** (step / 12)
            out[at : at + length] += sum(
                np.sin(2 * np.pi * tone * n * time) * np.exp(-time * (3 + n)) / n for n in range(1, 6)
            )
        drum = min(1600, samples - at)
        out[at : at + drum] += rng.uniform(0.5, 2) * rng.standard_normal(drum) * np.exp(-np.arange(drum) / 300)
    return _unit(out)


def knocks(samples: int, rng: Generator) -> Audio:
    """A workshop: metal and wood being struck now and then, over a rush of air; unit power. Tests alone use it."""
    out = 0.25 * coloured(samples, 1.5, rng).astype(np.float64)
    at = int(rng.integers(RATE // 4))
    while at < samples:
        length = min(RATE // 3, samples - at)
        time = np.arange(length) / RATE
        ring = sum(
            np.sin(2 * np.pi * rng.uniform(200, 5000) * time) * np.exp(-time * rng.uniform(8, 60)) for _ in range(4)
        )
        out[at : at + length] += rng.uniform(0.3, 1.5) * np.asarray(ring)
        at += int(rng.uniform(0.1, 0.7) * RATE)
    return _unit(out)


def babble(samples: int, talk: Sequence[Audio], rng: Generator, people: int = 5) -> Audio:
    """Several people at once, made of utterances; unit power."""
    out = np.zeros(samples, np.float64)
    for _ in range(people):
        at = 0
        while at < samples:
            said = talk[int(rng.integers(len(talk)))]
            start = int(rng.integers(max(1, len(said) // 2)))
            part = said[start : start + samples - at]
            out[at : at + len(part)] += part / (np.sqrt(np.mean(np.square(said))) + 1e-6)
            at += max(1, len(part)) + int(rng.integers(RATE // 2))
    return _unit(out)


def mix(voice: Audio, noise: Audio, snr_db: float) -> Audio:
    """The voice with `noise` added, `snr_db` decibels below it.

    The voice's power is taken where it is spoken (frames within 30 dB of the loudest), so that silence around it does
    not count.
    """
    power = speech_power(voice)
    scaled = noise[: len(voice)] * np.sqrt(power / 10 ** (snr_db / 10) / (np.mean(np.square(noise)) + 1e-12))
    mixed = voice + scaled
    peak = float(np.abs(mixed).max(initial=0.0))
    return (mixed / max(1.0, peak / 0.99)).astype(np.float32)


def speech_power(voice: Audio, frame: int = 400) -> float:
    """Mean power of the frames that carry the voice."""
    frames = voice[: len(voice) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return float(np.mean(np.square(voice))) if len(voice) else 0.0
    power = np.mean(np.square(frames), 1)
    return float(power[power >= power.max() / 1000].mean())


def in_room(voice: Audio, rng: Generator, seconds: float, distance: float) -> Audio:
    """With echoes that fade by 60 dB in `seconds`; distance: 0 at the mouth, 1 far in the room. Same length."""
    length = max(8, int(seconds * RATE))
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= distance / (np.sqrt(np.sum(np.square(tail))) + 1e-9)
    tail[0] += 1.0
    size = 1 << (len(voice) + length).bit_length()
    out = np.fft.irfft(np.fft.rfft(voice, size) * np.fft.rfft(tail, size), size)[: len(voice)]
    return (out * np.sqrt(np.mean(np.square(voice)) / (np.mean(np.square(out)) + 1e-12))).astype(np.float32)


def through(voice: Audio, rng: Generator, depth_db: float = 10.0) -> Audio:
    """Through a microphone that favours some frequencies: a smooth random curve of up to `depth_db`."""
    spectrum = np.fft.rfft(voice)
    knots = rng.uniform(-depth_db, depth_db, 8)
    curve = np.interp(np.linspace(0, 7, len(spectrum)), np.arange(8), knots)
    return np.fft.irfft(spectrum * 10 ** (curve / 20), len(voice)).astype(np.float32)


def _unit(sound: NDArray[np.float64]) -> Audio:
    return (sound / (np.sqrt(np.mean(np.square(sound))) + 1e-12)).astype(np.float32)
