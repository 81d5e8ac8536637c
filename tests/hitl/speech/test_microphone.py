"""A microphone over a made PyAudio: devices that come, go, and want to be opened their own way."""

from __future__ import annotations

import queue
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from hitl.errors import MissingPackageError
from hitl.speech import microphone
from hitl.speech.audio import RATE
from hitl.speech.capture import BLOCK
from hitl.speech.microphone import Back, Event, Lost, Microphone

PATIENCE_S = 20.0


class World:
    """The sound cards of a computer. `devices`: name -> (channels, rate), `only`: what a device can be opened with."""

    def __init__(self) -> None:
        self.devices: dict[str, tuple[int, int]] = {"speakers": (0, 48_000), "webcam": (2, 48_000)}
        self.only: dict[str, tuple[int, int]] = {}
        self.default: str | None = "webcam"
        self.streams: list[Stream] = []
        self.opened: list[tuple[str, int, int]] = []
        self.audios = 0
        self.broken = False


class Stream:
    """Delivers until its plug is pulled."""

    def __init__(self, world: World, device: str, rate: int, channels: int, block: int, callback: Any) -> None:
        self._world, self._device = world, device
        self._rate, self._channels, self._block, self._callback = rate, channels, block, callback
        self.closed = threading.Event()
        self.silent = threading.Event()
        self.pulled = threading.Event()
        self._at = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.closed.wait(0.002):
            if self.silent.is_set() or self.pulled.is_set():
                continue
            at = np.arange(self._at, self._at + self._block) / self._rate
            self._at += self._block
            tone = (0.5 * np.sin(2 * np.pi * 440 * at) * 32767).astype("<i2")
            self._callback(np.repeat(tone, self._channels).tobytes(), self._block, {}, 0)

    def is_active(self) -> bool:
        return not self.pulled.is_set() and not self.closed.is_set()

    def close(self) -> None:
        self.closed.set()
        if self.pulled.is_set():
            raise OSError("unplugged")


class PyAudio:
    world: World

    def __init__(self) -> None:
        self.world.audios += 1
        self._names = list(self.world.devices)  # PortAudio reads the list when it starts

    def get_device_count(self) -> int:
        return len(self._names)

    def get_default_input_device_info(self) -> dict[str, Any]:
        if self.world.broken:
            raise ValueError("Invalid device info")
        if self.world.default not in self._names:
            raise OSError("no default input device")
        return self.get_device_info_by_index(self._names.index(self.world.default))

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        name = self._names[index]
        channels, rate = self.world.devices.get(name, (1, RATE))
        return {"index": index, "name": name, "maxInputChannels": channels, "defaultSampleRate": float(rate)}

    def open(self, **options: Any) -> Stream:
        name = self._names[options["input_device_index"]]
        wanted = (options["rate"], options["channels"])
        only = self.world.only.get(name, wanted)
        if wanted != only or name not in self.world.devices:
            raise OSError(-9997, "Invalid sample rate")
        block, callback = options["frames_per_buffer"], options["stream_callback"]
        self.world.opened.append((name, *wanted))
        self.world.streams.append(Stream(self.world, name, *wanted, block, callback))
        return self.world.streams[-1]

    def terminate(self) -> None: ...


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    module = types.ModuleType("pyaudio")
    audio = type("PyAudio", (PyAudio,), {"world": made})
    module.PyAudio, module.paInt16, module.paContinue = audio, 8, 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyaudio", module)
    monkeypatch.setattr(microphone, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(microphone, "SILENT_S", 0.2)
    monkeypatch.setattr(microphone, "STARTING_S", 0.5)
    return made


@pytest.fixture
def listen(world: World) -> Iterator[Callable[..., Microphone]]:
    made: list[Microphone] = []

    def start(device: str = "") -> Microphone:
        made.append(Microphone(device))
        made[-1].start()
        return made[-1]

    yield start
    for opened in made:
        opened.close()
    for stream in world.streams:
        stream.closed.set()


def next_of(found: Microphone, kind: type) -> Any:
    """The next event of this kind."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            event: Event = found.events.get(timeout=0.1)
        except queue.Empty:
            continue
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


def test_a_device_of_48_khz_in_stereo_alone_is_opened_and_converted(
    world: World, listen: Callable[..., Microphone]
) -> None:
    world.only["webcam"] = (48_000, 2)
    found = listen()
    assert next_of(found, Back).device == "webcam"
    blocks = [next_of(found, np.ndarray) for _ in range(20)]
    assert world.opened == [("webcam", 48_000, 2)]
    assert {(block.shape, str(block.dtype)) for block in blocks} == {((BLOCK,), "float32")}
    sound = np.concatenate(blocks[5:])
    assert 0.45 < np.abs(sound).max() < 0.55
    pitch = np.argmax(np.abs(np.fft.rfft(sound))) * RATE / len(sound)
    assert abs(pitch - 440) < 5


def test_16_khz_is_asked_for_first(world: World, listen: Callable[..., Microphone]) -> None:
    next_of(listen(), np.ndarray)
    assert world.opened == [("webcam", RATE, 1)]


def test_without_a_device_that_is_said_once_and_it_is_found_when_it_comes(
    world: World, listen: Callable[..., Microphone]
) -> None:
    del world.devices["webcam"]
    found = listen()
    lost = next_of(found, Lost)
    assert "no microphone" in lost.why and "Typing" in lost.why
    before = world.audios
    while world.audios < before + 3:
        time.sleep(0.01)
    assert found.events.empty()
    world.devices["headset"] = (1, RATE)
    world.default = "headset"
    assert next_of(found, Back).device == "headset"


@pytest.mark.parametrize("how", ["silent", "pulled"])
def test_a_stream_that_dies_is_lost_and_back_when_it_is_there_again(
    world: World, listen: Callable[..., Microphone], how: str
) -> None:
    world.devices["headset"] = (1, RATE)  # another one is not taken for it
    found = listen("webcam")
    next_of(found, np.ndarray)
    kept = world.devices.pop("webcam")
    getattr(world.streams[-1], how).set()
    lost = next_of(found, Lost)
    assert lost.device == "webcam" and "unplugged" in lost.why
    assert "“webcam” is not there" in next_of(found, Lost).why  # and why it cannot be opened again
    world.devices["webcam"] = kept
    assert next_of(found, Back).device == "webcam"
    next_of(found, np.ndarray)
    assert world.streams[0].closed.is_set()


def test_the_default_may_be_another_device_by_then(world: World, listen: Callable[..., Microphone]) -> None:
    found = listen()
    next_of(found, np.ndarray)
    world.devices = {"usb": (1, 44_100)}
    world.default = "usb"
    world.streams[-1].silent.set()
    next_of(found, Lost)
    assert next_of(found, Back).device == "usb"


def test_a_sound_system_that_fails_is_told_and_tried_again(world: World, listen: Callable[..., Microphone]) -> None:
    world.broken = True
    found = listen()
    assert "the sound system fails" in next_of(found, Lost).why
    world.broken = False
    next_of(found, Back)


def test_one_that_cannot_be_opened_says_so(world: World, listen: Callable[..., Microphone]) -> None:
    world.only["webcam"] = (1, 1)
    assert "cannot be opened" in next_of(listen(), Lost).why


def test_devices_are_listed(world: World) -> None:
    (device,) = microphone.devices()
    assert (device.name, device.channels, device.rate, device.is_default) == ("webcam", 2, 48_000, True)
    world.default = None
    assert not microphone.devices()[0].is_default


def test_without_pyaudio_it_is_missing_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(MissingPackageError, match="PyAudio"):
        microphone.devices()
    found = Microphone()
    found.start()
    assert "not installed" in next_of(found, Lost).why
    found.close()
