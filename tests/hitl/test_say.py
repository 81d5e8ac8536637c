"""`hitl say` with a hub at the other end: what each kind of words sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl.bus import Hub, Link
from hitl.bus.addresses import endpoints_of
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError
from hitl.messages import PROTOCOL, Ack, Correction, CorrectionStatus, Hello, Request, Resume, Stop, StopAck, Undo
from hitl.messages import Welcome as WelcomeMessage
from hitl.say import say


class OtherEnd:
    """A backend that saves everything, and a robot that stops when it is told."""

    def __init__(self, settings: Settings) -> None:
        self.corrections: list[CorrectionStatus] = []
        self.got: list[Any] = []
        self.hub = Hub(endpoints_of(settings))
        self.robot = Link(endpoints_of(settings), "robot", "r")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self.robot.close()
        self.hub.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            for received in self.hub.poll(5):
                self._answer(received.peer, received.message)
            for received in self.robot.poll(0):
                if isinstance(received.message, Stop):
                    self.got.append(received.message)
                    self.robot.send(StopAck(id=received.message.id, tick=7, stamp_ns=0))

    def _answer(self, peer: bytes, message: Any) -> None:
        if isinstance(message, Hello) and message.role == "say":
            welcome = WelcomeMessage(
                id=new_ulid(), protocol=PROTOCOL, session="s", session_start_ns=0, commands=[],
                corrections=self.corrections,
            )  # fmt: skip
            self.hub.send("control", peer, welcome)
        elif isinstance(message, Request):
            self.got.append(message)
            self.hub.send("control", peer, Ack(id=message.id))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"), sockets=str(tmp_path / "s"), author="ann")


@pytest.fixture
def other(settings: Settings) -> Iterator[OtherEnd]:
    made = OtherEnd(settings)
    yield made
    made.close()


def status(text: str, state: Any = "done", author: str = "ann") -> CorrectionStatus:
    return CorrectionStatus(
        id=new_ulid(), text=text, command=text, grounding="exact", similarity=1.0, state=state, author=author,
        session_ns=0, episode="e",
    )  # fmt: skip


def test_words_are_a_correction(settings: Settings, other: OtherEnd) -> None:
    assert say("keep going left", settings, wait_s=20.0) == 'saved: "keep going left"'
    (sent,) = other.got
    assert isinstance(sent, Correction) and (sent.text, sent.author) == ("keep going left", "ann")


@pytest.mark.parametrize("text", ["stop", "wait"])
def test_a_typed_stop_goes_to_the_robot_and_words_may_end_it(settings: Settings, other: OtherEnd, text: str) -> None:
    assert "tick 7" in say(text, settings, wait_s=20.0)
    assert other.got and all(isinstance(stop, Stop) and stop.by_words for stop in other.got)


def test_go_on_resumes_by_words_only(settings: Settings, other: OtherEnd) -> None:
    assert "go on" in say("ok, go on", settings, wait_s=20.0)
    (sent,) = other.got
    assert isinstance(sent, Resume) and sent.by_words


def test_scratch_that_takes_back_the_newest_of_this_person_that_can_be(settings: Settings, other: OtherEnd) -> None:
    older, newest = status("go left"), status("go higher", "acting")
    other.corrections = [
        older, newest, status("go right", "undone"), status("hm", "ignored"), status("go home", author="eve")
    ]  # fmt: skip
    assert say("scratch that", settings, wait_s=20.0) == 'saved: taken back "go higher"'
    (sent,) = other.got
    assert isinstance(sent, Undo) and sent.target == newest.id


def test_scratch_that_with_nothing_to_take_back_says_so(settings: Settings, other: OtherEnd) -> None:
    other.corrections = [status("go right", "undone"), status("go home", author="eve")]
    with pytest.raises(InputError, match="ann has no correction"):
        say("scratch that", settings, wait_s=20.0)
    assert other.got == []
