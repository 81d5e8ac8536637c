"""Sounds of the ear itself: a few short tones, and words aloud through the system's synthesizer. All through PyAudio.

One thread plays; who asks never waits. Without an output device everything stays silent and the caller is told once.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

import numpy as np

from hitl.errors import HitlError, UnavailableError
from hitl.speech.audio import RATE, Audio, to_int16
from hitl.speech.microphone import portaudio
from hitl.speech.synthesis import Voice, speak, voices

log = logging.getLogger("hitl.speech")

TONES = {"begin": (660.0, 880.0), "end": (880.0, 660.0), "ask": (784.0, 784.0, 1047.0)}
_TONE_S, _LOUDNESS = 0.06, 0.12
_PREFERRED = ("flite:slt", "espeak:en-us")


class Speaker:
    """Plays what it is asked for, in order."""

    def __init__(self, play: Callable[[Audio], None] | None = None) -> None:
        """`play` plays a sound to its end; by default on the system's output."""
        self._play = play or play_aloud
        self._wanted: queue.SimpleQueue[tuple[str, str, Callable[[str], None]] | None] = queue.SimpleQueue()
        self._speaking = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed = ""

    @property
    def speaking(self) -> bool:
        """Whether words are being said aloud, or are about to be."""
        return self._speaking.is_set()

    def play(self, kind: str) -> None:
        """A tone of TONES."""
        self._ask("tone", kind, lambda _why: None)

    def speak(self, text: str, failed: Callable[[str], None]) -> None:
        """Say `text`; `failed` is called once, with the reason, where that cannot be done."""
        self._speaking.set()
        self._ask("words", text, failed)

    def close(self) -> None:
        """End after the sound that plays."""
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join(timeout=3.0)

    def _ask(self, kind: str, what: str, failed: Callable[[str], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
            self._thread.start()
        self._wanted.put((kind, what, failed))

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            kind, what, failed = wanted
            try:
                self._play(tone(what) if kind == "tone" else speak(what, voice()))
            except Exception as problem:  # the thread must go on: while it is asked to speak, the ear does not listen
                if not isinstance(problem, HitlError):
                    log.exception("a sound could not be played")
                if kind == "words" and str(problem) != self._failed:
                    self._failed = str(problem)
                    failed(self._failed)
            finally:
                if kind == "words":
                    self._speaking.clear()


def tone(kind: str) -> Audio:
    """Soft notes `(n,)`: two up for the beginning, two down for the end, and three for a question."""
    time = np.arange(round(_TONE_S * RATE)) / RATE
    fade = np.sin(np.pi * time / _TONE_S)
    notes = [np.sin(2 * np.pi * pitch * time) * fade * _LOUDNESS for pitch in TONES[kind]]
    return np.concatenate(notes).astype(np.float32)


def voice() -> Voice:
    """The voice that answers. Raises UnavailableError where no synthesizer is installed."""
    there = voices()
    named = {str(found): found for found in there}
    chosen = next((named[name] for name in _PREFERRED if name in named), None) or (there[0] if there else None)
    if chosen is None:
        raise UnavailableError(
            "no speech synthesizer is installed.", field="sound", hint="Install one: apt-get install espeak-ng"
        )
    return chosen


def play_aloud(sound: Audio) -> None:
    """Play to the end. Raises UnavailableError without an output device or where it goes away, MissingPackageError
    without PyAudio."""
    with portaudio() as audio:
        import pyaudio

        try:
            stream = audio.open(rate=RATE, channels=1, format=pyaudio.paInt16, output=True)
            try:
                stream.write(to_int16(sound))
                stream.stop_stream()
            finally:
                stream.close()
        except (OSError, ValueError) as problem:
            raise UnavailableError("there is no device for sound.", field="sound", hint="Captions stay.") from problem
