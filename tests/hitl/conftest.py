"""A backend and a robot at the other end of a link, for what people start from a shell."""

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
from hitl.messages import PROTOCOL, Ack, Correction, CorrectionStatus, Hello, Request, Stop, StopAck
from hitl.messages import Welcome as WelcomeMessage


class OtherEnd:
    """A backend that saves everything, and a robot that stops when it is told."""

    def __init__(self, settings: Settings) -> None:
        self.corrections: list[CorrectionStatus] = []
        self.got: list[Any] = []
        self.answer: dict[str, Any] | None = None
        """What becomes of corrections: fields of their status; None for nothing."""
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
            if self.answer is not None and isinstance(message, Correction):
                self.hub.publish(self._status(message, self.answer))

    @staticmethod
    def _status(correction: Correction, answer: dict[str, Any]) -> CorrectionStatus:
        fields = {"command": correction.text, "grounding": "exact", "state": "acting", **answer}
        return CorrectionStatus(
            id=correction.id, text=correction.text, author=correction.author, similarity=1.0, session_ns=0,
            episode="e", source=correction.source, **fields,
        )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"), sockets=str(tmp_path / "s"), author="ann")


@pytest.fixture
def other(settings: Settings) -> Iterator[OtherEnd]:
    made = OtherEnd(settings)
    yield made
    made.close()
