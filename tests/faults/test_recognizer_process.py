"""A backend with the recognizer that ships beside it, as processes on TCP with keys, of which one is killed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from hitl.bus.addresses import hand_out
from hitl.config import Settings, to_environment
from hitl.errors import UnavailableError
from hitl.hearing import recognizer_of
from hitl.remote_recognizer import RemoteRecognizer, remote_recognizer_of
from hitl.speech.audio import RATE, from_int16, to_int16
from hitl.speech.ear_messages import Ready, Trouble
from hitl.speech.synthesis import speak, voice_named

SUPPORT = Path(__file__).resolve().parents[1] / "support"
PATIENCE_S = 60.0

pytestmark = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="no speech synthesizer")


class Backend:
    """The process with its recognizer, at four TCP ports in a row, with keys in a folder."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        hand_out(self.keys, "window")
        self.settings = Settings(
            data=str(folder / "data"), host="127.0.0.1", port=free_ports(), keys=str(self.keys), record=False,
            recognizer_at="backend", log_level="warning",
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.told: list[Ready | Trouble] = []

    def start(self) -> None:
        environment = {"PATH": "/usr/bin:/bin", **to_environment(self.settings)}
        self.process = subprocess.Popen([sys.executable, str(SUPPORT / "scripted.py")], env=environment | PYTHON)

    def ear(self, keys: str = "window") -> RemoteRecognizer:
        values = {field: getattr(self.settings, field) for field in self.settings.__struct_fields__}
        return remote_recognizer_of(Settings(**{**values, "keys": str(self.keys / keys)}), self.told.append)

    def recognizer(self) -> psutil.Process:
        """The child that recognizes."""
        assert self.process is not None
        own = psutil.Process(self.process.pid)
        (found,) = until(lambda: [child for child in own.children() if "recognizer" in child.cmdline()])
        return found

    def ready(self, count: int = 1) -> None:
        until(lambda: len([told for told in self.told if isinstance(told, Ready)]) >= count)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(PATIENCE_S) == 0


PYTHON = {"PYTHONPATH": str(SUPPORT.parents[1]), "HOME": str(Path.home())}


def free_ports() -> int:
    """The first of four free TCP ports."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        if first <= 65_000 and all(_free(first + more) for more in range(4)):
            return int(first)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def until(true: Callable[[], Any]) -> Any:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    made = Backend(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ear(backend: Backend) -> Iterator[RemoteRecognizer]:
    made = backend.ear()
    yield made
    made.close()


def test_what_is_heard_there_is_what_is_heard_here_and_a_kill_is_survived(
    backend: Backend, ear: RemoteRecognizer
) -> None:
    backend.start()
    backend.ready()
    here = recognizer_of(Settings())
    texts = ("move the left arm up", "open the right gripper", "go home")
    sounds = [speak(text, voice_named("espeak:en-us")) for text in texts]
    for text, sound in zip(texts, sounds, strict=True):
        there = ear.hear(sound, best=5)
        assert there == here.hear(from_int16(to_int16(sound)), best=5)
        assert there.text.lower().strip(".") == text and len(there.hypotheses) > 1
    process = backend.recognizer()
    assert (backend.keys / "recognizer" / "client.key_secret").exists()

    noise = np.random.default_rng(0).normal(0, 0.1, 20 * RATE).astype(np.float32)
    problem: list[Exception] = []

    def ask() -> None:
        try:
            ear.hear(noise, best=10)
        except UnavailableError as error:
            problem.append(error)

    process.send_signal(signal.SIGSTOP)  # so that it is killed in the middle of a question, however fast it is
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    process.kill()
    asking.join(PATIENCE_S)
    assert problem and "recognizer" in str(problem[0]) and "anew" in str(problem[0])

    backend.ready(2)  # it was started again
    assert backend.recognizer().pid != process.pid
    assert ear.hear(sounds[0], best=5) == here.hear(from_int16(to_int16(sounds[0])), best=5)


def test_a_recognizer_that_is_frozen_is_missed_within_seconds_and_used_again(
    backend: Backend, ear: RemoteRecognizer
) -> None:
    backend.start()
    backend.ready()
    sound = speak("go home", voice_named("espeak:en-us"))
    process = backend.recognizer()
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError):
            ear.hear(sound)
        until(lambda: isinstance(backend.told[-1], Trouble))
        until(lambda: "no recognizer is connected" in backend.told[-1].why)  # type: ignore[union-attr]
    finally:
        process.send_signal(signal.SIGCONT)
    until(lambda: isinstance(backend.told[-1], Ready))
    assert ear.hear(sound).text


def test_a_backend_ends_with_its_recognizer_and_keys_of_nobody_are_refused(
    backend: Backend, ear: RemoteRecognizer, tmp_path: Path
) -> None:
    backend.start()
    backend.ready()
    hand_out(tmp_path / "other", "window")  # of another backend
    (backend.keys / "stranger").symlink_to(tmp_path / "other" / "window")
    backend.told.clear()
    stranger = backend.ear("stranger")
    with pytest.raises(UnavailableError, match="refuses.*key"):
        stranger.hear(speak("go home", voice_named("espeak:en-us")))
    stranger.close()
    recognizer = backend.recognizer()
    backend.close()
    until(lambda: not recognizer.is_running())
    with pytest.raises(UnavailableError, match="not there"):
        ear.hear(speak("go home", voice_named("espeak:en-us")))
