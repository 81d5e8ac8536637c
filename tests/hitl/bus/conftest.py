"""Private sockets in a short path, and a driver that polls several ends until something is true."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl.bus import Endpoints, Hub, Link, Received
from hitl.clock import new_ulid
from hitl.messages import Ack, Correction, Request


class Bus:
    """Ends of one bus in one thread: `until` polls all of them and keeps what each received."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endpoints = Endpoints.private(directory)
        self.got: dict[Hub | Link, list[Received]] = {}
        self.auto_ack = True

    def hub(self, **options: Any) -> Hub:
        hub = Hub(options.pop("endpoints", self.endpoints), **options)
        self.got[hub] = []
        return hub

    def link(self, role: Any = "gui", name: str = "test", **options: Any) -> Link:
        link = Link(options.pop("endpoints", self.endpoints), role, name, **options)
        self.got[link] = []
        return link

    def close(self, end: Hub | Link) -> list[Received]:
        end.close()
        return self.got.pop(end)

    def messages(self, end: Hub | Link, kind: type) -> list[Any]:
        return [received.message for received in self.got[end] if isinstance(received.message, kind)]

    def step(self) -> None:
        for end, got in list(self.got.items()):
            for received in end.poll(2):
                got.append(received)
                if self.auto_ack and isinstance(end, Hub) and isinstance(received.message, Request):
                    end.send(received.plane, received.peer, Ack(id=received.message.id))

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"never became true; got {self.got}"
            self.step()

    def for_a_while(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()


@pytest.fixture
def bus() -> Iterator[Bus]:
    directory = Path(tempfile.mkdtemp(prefix="hitl"))
    made = Bus(directory)
    yield made
    for end in list(made.got):
        made.close(end)
    shutil.rmtree(directory)


@pytest.fixture
def correction() -> Callable[..., Correction]:
    def make(text: str = "go higher", **fields: Any) -> Correction:
        return Correction(id=fields.pop("id", new_ulid()), author="ada", stamp_ns=1, text=text, **fields)

    return make


@pytest.fixture
def base_port() -> int:
    """The first of four free TCP ports."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        if first <= 65_000 and all(_free(first + more) for more in range(4)):
            return first


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
