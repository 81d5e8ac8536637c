"""A voice through a real sound server: wav, virtual microphone, PyAudio, recognizer, bus, and the robot obeys."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl.bus import Link
from hitl.bus.addresses import endpoints_of
from hitl.config import Settings, to_environment
from hitl.events import UtteranceEvent
from hitl.launch import System
from hitl.messages import BackendStatus, CommandStatus, RobotState
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.speech.ear_messages import DeviceHere, DeviceLost, Finished, FromEar, LetGo, Level, Press, Ready, Trouble
from hitl.speech.ear_process import EarProcess

SUPPORT = Path(__file__).resolve().parents[1] / "support"
BACKEND = [sys.executable, str(SUPPORT / "scripted.py")]
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.skipif(
        not all(map(shutil.which, ("pulseaudio", "pactl", "paplay", "flite"))), reason="no sound server or no voice"
    ),
    pytest.mark.skipif(importlib.util.find_spec("pyaudio") is None, reason="PyAudio is not installed"),
]


class SoundServer:
    """A PulseAudio of our own with one virtual microphone, which hears what is played."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
        self.environment.pop("PULSE_SERVER", None)
        self._folder = folder
        self.start()

    def start(self) -> None:
        modules = ("module-native-protocol-unix", "module-null-sink sink_name=mic rate=48000 channels=2")
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes"]
        command += [part for module in (*modules, "module-always-sink") for part in ("-L", module)]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
        end_s = time.monotonic() + 20
        while self._run("pactl", "set-default-source", "mic.monitor").returncode:
            assert time.monotonic() < end_s, "the sound server does not start"
            time.sleep(0.1)

    def play(self, text: str, voice: str = "rms") -> None:
        assert self._run(*self._saying(text, voice)).returncode == 0

    def begin_to_play(self, text: str, voice: str = "rms") -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._saying(text, voice), env=self.environment, stderr=subprocess.DEVNULL)

    def _saying(self, text: str, voice: str) -> list[str]:
        path = self._folder / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        return ["paplay", "--device=mic", str(path)]

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, env=self.environment, capture_output=True, check=False)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Listener:
    """`hitl listen` in a process of its own, and what it prints."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "hitl.cli", "listen"]
        self._log = Path(settings.data) / "listen.txt"
        self._file = self._log.open("w")
        self.process = subprocess.Popen(
            command, env={**environment, **to_environment(settings)}, stdout=self._file, stderr=subprocess.STDOUT
        )

    def text(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._file.close()


class Room:
    """A robot, somebody who listens, and a sound server."""

    def __init__(self, folder: Path, commands: dict[str, list[str]], *, narrate: bool = False) -> None:
        self.sound = SoundServer(folder / "sound")
        driver = "synthetic" if commands else "aloha"  # the shipped model wants the pictures it learned from
        settings = Settings(data=str(folder), driver=driver, author="speaker", record=False, narrate=narrate)
        self.system = System(settings, commands=commands)
        self.system.__enter__()
        self.link = Link(endpoints_of(self.system.settings), "gui", "test")
        self.got: list[Any] = []
        self.listener = Listener(self.system.settings, self.sound.environment)

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            self.system.supervisor.poll()
            self.got += [received.message for received in self.link.poll(20)]
            if found := true():
                return found
        raise AssertionError(self.listener.text())

    def newest(self, kind: type) -> Any:
        return next((message for message in reversed(self.got) if isinstance(message, kind)), None)

    def hears(self, words: str) -> Callable[[], bool]:
        return lambda: words in self.listener.text()

    def close(self) -> None:
        self.listener.close()
        self.link.close()
        self.system.close()
        self.sound.kill()


@pytest.fixture
def room(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Room]:
    kind = getattr(request, "param", "")
    commands = {} if kind == "shipped model" else {"backend": BACKEND}
    found = Room(tmp_path, commands, narrate=kind == "narrates")
    try:
        found.until(lambda: (status := found.newest(BackendStatus)) and not status.waiting_for)
        found.until(found.hears("microphone:"))
        found.until(found.hears("heard by" if kind == "narrates" else "listening by"))
        yield found
    finally:
        found.close()


def first_utterance(folder: Path) -> UtteranceEvent | None:
    log = FeedbackLog(Catalog(folder).log_file)
    try:
        return next((event for event in log.events() if isinstance(event, UtteranceEvent)), None)
    finally:
        log.close()


def test_what_is_said_changes_what_the_robot_does(room: Room, tmp_path: Path) -> None:
    room.sound.play("go higher")
    command = room.until(lambda: (c := room.newest(CommandStatus)) and c.source == "person" and c)
    assert (command.text, command.author) == ("go higher", "speaker")
    room.until(lambda: (state := room.newest(RobotState)) and state.command_id == command.command_id)
    event = room.until(lambda: first_utterance(tmp_path))
    assert event.correction == command.command_id
    assert 0.3 < event.duration_s < 5.0


@pytest.mark.parametrize("room", ["narrates"], indirect=True)
def test_narration_is_kept_and_only_stop_words_are_obeyed(room: Room, tmp_path: Path) -> None:
    room.sound.play("go higher")
    event = room.until(lambda: first_utterance(tmp_path))
    assert event.narration and event.correction == "" and event.text
    room.until(room.hears("recorded"))
    assert not [m for m in room.got if isinstance(m, CommandStatus) and m.source == "person"]
    room.sound.play("stop")
    room.until(lambda: (state := room.newest(RobotState)) and state.mode == "paused")


@pytest.mark.parametrize("room", ["shipped model"], indirect=True)
def test_a_sentence_is_grounded_in_the_commands_of_the_shipped_model(room: Room) -> None:
    room.sound.play("move the right arm up")
    command = room.until(lambda: (c := room.newest(CommandStatus)) and c.source == "person" and c)
    assert command.text == "move the right arm up"
    room.until(lambda: (state := room.newest(RobotState)) and state.command_id == command.command_id)


def test_a_stop_word_pauses_and_go_on_lets_it_move(room: Room) -> None:
    room.sound.play("stop")
    room.until(lambda: (state := room.newest(RobotState)) and state.mode == "paused")
    time.sleep(1.0)  # the voice must have ended before the next begins
    room.sound.play("go on")
    room.until(lambda: (state := room.newest(RobotState)) and state.mode in ("running", "holding"))


def test_a_sound_server_that_dies_is_said_and_looked_for(room: Room) -> None:
    room.sound.kill()
    room.until(room.hears("no microphone:"))
    room.sound.start()
    room.until(lambda: room.listener.text().count("microphone: ") >= 3)  # found, lost, found
    assert room.listener.process.poll() is None


def test_a_sound_server_that_dies_in_mid_word_leaves_what_was_said_and_the_ear_lives_on(tmp_path: Path) -> None:
    sound = SoundServer(tmp_path / "sound")
    told: list[FromEar] = []
    environment = {**sound.environment, **to_environment(Settings(data=str(tmp_path), sounds=False))}
    ear = EarProcess([sys.executable, "-m", "hitl.cli", "ear"], told.append, environment=environment)

    def until(kind: type, count: int = 1) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while len(found := [message for message in list(told) if isinstance(message, kind)]) < count:
            assert time.monotonic() < end_s, [m for m in told if not isinstance(m, Level)]
            time.sleep(0.01)
        return found[count - 1]

    def louder() -> bool:
        return any(isinstance(message, Level) and message.db > -40 for message in list(told))

    try:
        ear.start()
        until(DeviceHere)
        until(Ready)
        ear.ask(Press())
        with sound.begin_to_play("move the right arm up and then to the left and then forward a little") as player:
            end_s = time.monotonic() + PATIENCE_S
            while not louder():
                assert time.monotonic() < end_s
                time.sleep(0.01)
            time.sleep(1.0)  # into the sentence
            sound.kill()
            player.kill()
        assert until(DeviceLost).why
        said = until(Finished)
        assert "lost" in said.note and said.audio
        sound.start()
        until(DeviceHere, 2)
        ear.ask(Press())
        sound.play("go higher")
        ear.ask(LetGo())
        assert "higher" in until(Finished, 2).text
        assert not any(isinstance(message, Trouble) for message in told)
    finally:
        ear.close()
        sound.kill()
