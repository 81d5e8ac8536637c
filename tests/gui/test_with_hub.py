"""The window over real sockets: it waits, obeys, and loses no word when the backend restarts."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui import samples
from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.models import samples as model_samples
from gui.preferences import Preferences
from gui.theme import Theme
from hitl.bus import Endpoints, Hub, Link, Outbox
from hitl.messages import Ack, Correction, Hello, Stop, StopAck, Welcome
from hitl.model_messages import AskModels, RollBackModel


class Backend:
    """A hub in a thread that greets, acknowledges, answers stops and sends what a backend sends."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.corrections: list[Correction] = []
        self.stops: list[Stop] = []
        self._hub = Hub(endpoints)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            for received in self._hub.poll(20):
                self._answer(received.plane, received.peer, received.message)
            self._hub.publish(samples.backend())
            self._hub.publish(samples.robot("stopped" if self.stops else "running"), [bytes(8 * 14)] * 2)
            self._hub.publish(samples.policy_command())
            head, jpeg = samples.frame("overhead", time.monotonic_ns())
            self._hub.publish(head, [jpeg])
        self._hub.close()

    def _answer(self, plane: str, peer: bytes, message: object) -> None:
        match message:
            case Hello():
                known = Welcome(id=message.id, protocol=message.protocol, session="s", session_start_ns=0,
                                commands=["go up"], corrections=[])  # fmt: skip
                self._hub.send("control", peer, known)
            case Correction():
                self.corrections.append(message)
                self._hub.send("control", peer, Ack(id=message.id))
            case AskModels():
                self._hub.send("control", peer, model_samples.models(id=message.id))
            case RollBackModel():
                told = model_samples.models(id=message.id, history=model_samples.HISTORY[:-1])
                self._hub.send("control", peer, told)
            case Stop():
                self.stops.append(message)
                self._hub.send("stop", peer, StopAck(id=message.id, tick=1, stamp_ns=0))


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hitl-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def start_backend(folder: Path) -> Iterator[Callable[[], Backend]]:
    made: list[Backend] = []

    def start() -> Backend:
        made.append(Backend(Endpoints.private(folder)))
        return made[-1]

    yield start
    for backend in made:
        backend.close()


@pytest.fixture
def window(qtbot, qapp, folder: Path, preferences: Preferences) -> Iterator[MainWindow]:
    theme = Theme("light")
    theme.apply(qapp)
    endpoints = Endpoints.private(folder)

    def open_link() -> Opened:
        outbox = Outbox(folder / "outbox.sqlite")
        return Opened(Link(endpoints, "gui", "Ada", outbox=outbox), tuple(outbox.pending()))

    result = MainWindow(lambda _address: Connection(open_link), preferences, theme, address=endpoints.control)
    result.resize(1280, 800)
    result.show()
    result.start()
    yield result
    result.close()
    shiboken6.delete(result)


def say(window: MainWindow, text: str) -> None:
    window.live.say.focus()
    QTest.keyClicks(window.live.say.box, text)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Return)


def states(window: MainWindow) -> list[str]:
    return [row.state for row in window.state.newest_rows()]


def test_no_word_is_lost_before_between_and_after_two_backends(qtbot, window, start_backend):
    assert "Waiting for the backend" in window.live.waiting.text()
    say(window, "before")
    qtbot.waitUntil(lambda: window.state.unsaved == 1, timeout=20_000)
    assert "1 not yet saved" in window.status.text("saved")

    first = start_backend()
    qtbot.waitUntil(lambda: states(window) == ["saved"], timeout=20_000)
    qtbot.waitUntil(lambda: window.live.cameras.cameras() == ["overhead"], timeout=20_000)
    first.close()
    qtbot.waitUntil(lambda: not window.state.connected, timeout=20_000)
    assert "does not answer" in window.live.notice.text()
    say(window, "between")
    qtbot.waitUntil(lambda: window.state.unsaved == 1, timeout=20_000)

    second = start_backend()
    qtbot.waitUntil(lambda: states(window) == ["saved", "saved"], timeout=20_000)
    say(window, "after")
    qtbot.waitUntil(lambda: states(window) == ["saved"] * 3, timeout=20_000)
    qtbot.waitUntil(lambda: window.state.unsaved == 0, timeout=20_000)
    assert [sent.text for sent in first.corrections] == ["before"]
    assert [sent.text for sent in second.corrections] == ["between", "after"]


def test_escape_reaches_the_backend_as_a_stop(qtbot, window, start_backend):
    backend = start_backend()
    qtbot.waitUntil(lambda: window.state.phase(time.monotonic_ns()) == "running", timeout=20_000)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.registry.action("robot.resume").isEnabled(), timeout=20_000)
    assert len({stop.id for stop in backend.stops}) == 1


def test_versions_are_told_and_one_key_rolls_back(qtbot, window, start_backend):
    start_backend()
    line = window.live.corrections.learned
    qtbot.waitUntil(lambda: line.text().startswith("learned from 14 corrections, version v0011"), timeout=20_000)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_F6)
    qtbot.waitUntil(lambda: line.text().startswith("rolled back to version v0010"), timeout=20_000)
    assert window.model_desk.state.versions == model_samples.versions(), "all of it came over the wire"
