"""The microphone: which devices there are, and a stream of blocks from one of them, also when it comes and goes.

PyAudio (PortAudio). A device that does not do 16 kHz mono is opened as it is and converted. When a stream ends by
itself, as where a plug is pulled, or gives nothing for a second, the device is lost: the owner hears so, and it is
opened again when it is back; where the system's default was asked for, whatever the default is by then. PortAudio
reads the list of devices when it starts, so looking for new ones means starting it anew; that is done only while no
stream of this microphone is open. Knows nothing of utterances.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.errors import MissingPackageError, UnavailableError
from hitl.speech.audio import RATE, Audio, Converter
from hitl.speech.capture import BLOCK

SILENT_S = 1.0
"""A stream that gives nothing for this long is lost; devices deliver every few hundredths of a second, sound or
not."""
STARTING_S = 4.0
"""A sound server may take its time to begin."""
LOOK_EVERY_S = 1.0
_RATES = (RATE, 48_000, 44_100, 32_000, 22_050, 8_000)
_TYPING = "Typing keeps working."


@dataclass(frozen=True)
class Device:
    """An input device. name: as the system calls it, which stays the same when it is plugged in again."""

    name: str
    channels: int
    rate: int
    is_default: bool


@dataclass(frozen=True)
class Lost:
    """The device is gone, or never was there; `why` for people."""

    device: str
    why: str


@dataclass(frozen=True)
class Back:
    """Sound comes from `device` (again)."""

    device: str


Event = Lost | Back | Audio


def devices() -> list[Device]:
    """Input devices that are there now; empty where there is none. Raises MissingPackageError without PyAudio."""
    with portaudio() as audio:
        return [device for _, device in _inputs(audio)]


class Microphone:
    """Blocks of 512 samples at 16 kHz from a thread of its own. `device`: a name, or empty for the system's default.

    Events are put into `events` in their order; `wake` is called after each, from that thread.
    """

    def __init__(self, device: str = "", wake: Callable[[], None] | None = None) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wanted = device
        self._wake = wake or (lambda: None)
        self._sounded = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)

    def start(self) -> None:
        """Begin to listen; the first event says whether there is a device."""
        self._thread.start()

    def close(self) -> None:
        """Let go of the device."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    def _tell(self, event: Event) -> None:
        self.events.put(event)
        self._wake()

    def _run(self) -> None:
        told = ""
        while not self._stop.is_set():
            why = self._listen()
            if self._stop.is_set():
                return
            if self._sounded or why != told:  # it was there and is gone, or is missing for another reason
                self._tell(Lost(self._wanted or "the default microphone", why))
                told, self._sounded = why, False
            self._stop.wait(LOOK_EVERY_S)

    def _listen(self) -> str:
        """Open the device and pass blocks on until it is gone; returns why it ended."""
        try:
            with portaudio() as audio:
                index, device = self._choose(audio)
                blocks: queue.Queue[bytes] = queue.Queue(maxsize=200)
                stream, rate, channels = _open(audio, index, device, blocks)
                try:
                    return self._pass_on(device, stream, blocks, rate, channels)
                finally:
                    with contextlib.suppress(OSError):
                        stream.close()
        except (UnavailableError, MissingPackageError) as problem:
            return str(problem)
        except (OSError, ValueError) as problem:  # PortAudio's own, while devices come and go
            return f"the sound system fails ({problem})."

    def _choose(self, audio: Any) -> tuple[int, Device]:
        found = _inputs(audio)
        for index, device in found:
            if device.name == self._wanted or not self._wanted and device.is_default:
                return index, device
        if not found:
            raise UnavailableError("there is no microphone.", field="microphone", hint=_TYPING)
        if self._wanted:
            raise UnavailableError(
                f"“{self._wanted}” is not there.",
                field="microphone",
                hint=f"Plug it in, or choose another one. {_TYPING}",
            )
        return found[0]

    def _pass_on(self, device: Device, stream: Any, blocks: queue.Queue[bytes], rate: int, channels: int) -> str:
        converter = Converter(rate, channels)
        kept = np.zeros(0, np.float32)
        heard_s, patience_s = time.monotonic(), STARTING_S
        while not self._stop.is_set():
            try:
                raw = blocks.get(timeout=0.1)
            except queue.Empty:
                if not stream.is_active():
                    return "it was unplugged, or another program took it."
                if time.monotonic() - heard_s > patience_s:
                    return "it gives no sound any more. Is it unplugged?"
                continue
            heard_s, patience_s = time.monotonic(), SILENT_S
            if not self._sounded:
                self._sounded = True
                self._tell(Back(device.name))
            kept = np.concatenate((kept, converter.convert(raw)))
            while len(kept) >= BLOCK:
                self._tell(np.ascontiguousarray(kept[:BLOCK]))
                kept = kept[BLOCK:]
        return ""


def _open(audio: Any, index: int, device: Device, blocks: queue.Queue[bytes]) -> tuple[Any, int, int]:
    """A running stream, its rate and its channels: 16 kHz mono where the device can, else what it can."""
    import pyaudio

    def take(data: bytes, count: int, times: Any, status: int) -> tuple[None, int]:
        with contextlib.suppress(queue.Full):
            blocks.put_nowait(data)
        return None, pyaudio.paContinue

    choices = [(RATE, 1), (device.rate, 1), (device.rate, min(2, device.channels))]
    choices += [(rate, channels) for rate in _RATES for channels in (1, 2, device.channels)]
    for rate, channels in dict.fromkeys(choices):
        try:
            stream = audio.open(
                rate=rate,
                channels=channels,
                format=pyaudio.paInt16,
                input=True,
                input_device_index=index,
                frames_per_buffer=round(rate * BLOCK / RATE),
                stream_callback=take,
            )
        except (OSError, ValueError):
            continue
        return stream, rate, channels
    raise UnavailableError(
        f"“{device.name}” cannot be opened.", field="microphone", hint="Is another program using it alone?"
    )


def _inputs(audio: Any) -> list[tuple[int, Device]]:
    try:
        default = int(audio.get_default_input_device_info()["index"])
    except OSError:
        default = -1
    found = []
    for index in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(index)
        if int(info["maxInputChannels"]) > 0:
            device = Device(
                str(info["name"]), int(info["maxInputChannels"]), int(info["defaultSampleRate"]), index == default
            )
            found.append((index, device))
    return found


@contextlib.contextmanager
def portaudio() -> Iterator[Any]:
    """PortAudio for a while. It prints dozens of lines about devices that are not there; they are kept away."""
    try:
        import pyaudio
    except ImportError as problem:
        raise MissingPackageError("PyAudio is not installed.", field="microphone", hint="Run: make setup") from problem
    with _quiet():
        audio = pyaudio.PyAudio()
    try:
        yield audio
    finally:
        audio.terminate()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Standard error of C libraries into nothing, for a moment."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
