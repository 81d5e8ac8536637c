"""Real windows on the offscreen platform, with a link that remembers what it was asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import shiboken6
from PySide6.QtCore import QSettings

from gui import samples
from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.preferences import Preferences
from gui.theme import Theme
from gui.voice import OpenEar
from hitl.bus import Received
from hitl.clock import ManualClock
from hitl.errors import StorageError
from hitl.messages import Message, Request, Stop


class FakeLink:
    """A link whose other end is the test."""

    def __init__(self) -> None:
        self.connected = True
        self.offset_ns = 0
        self.unsaved = 0
        self.round_trip_ms = 0.5
        self.refused = ""
        self.requests: list[Request] = []
        self.stops: list[Stop] = []
        self.questions: list[Message] = []
        self.disk_full = False
        self.closed = False
        self._incoming: list[Received] = []
        self._lock = threading.Lock()
        self._there = threading.Event()

    def deliver(self, *messages: Message, payloads: tuple[bytes, ...] = ()) -> None:
        with self._lock:
            self._incoming += [
                Received(plane="stream", peer=b"", message=message, payloads=list(payloads)) for message in messages
            ]
        self._there.set()

    def submit(self, request: Request) -> None:
        if self.disk_full:
            raise StorageError("the disk is full", field="outbox", hint="Free some space.")
        self.requests.append(request)

    def stop(self, stop: Stop) -> None:
        self.stops.append(stop)

    def send(self, message: Message) -> bool:
        self.questions.append(message)
        return self.connected

    def poll(self, timeout_ms: int) -> list[Received]:
        self._there.wait(timeout_ms / 1000)
        self._there.clear()
        with self._lock:
            taken, self._incoming = self._incoming, []
        return taken

    def wake(self) -> None:
        self._there.set()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def unplug(qtbot, link: FakeLink) -> Callable[[MainWindow], None]:
    """The link of a window is lost, and its window knows: an earlier "connected" can no longer arrive."""

    def wait(window: MainWindow) -> None:
        assert window.state.connected
        link.connected = False
        link.wake()
        qtbot.waitUntil(lambda: not window.state.connected)

    return wait


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    kept = Preferences(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    kept.set("author", samples.AUTHOR)
    kept.set("theme", "light")
    kept.hints_seen = True
    return kept


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(samples.NOW_NS)


@pytest.fixture
def make_window(qtbot, qapp, link: FakeLink, preferences: Preferences, clock: ManualClock) -> Iterator[Callable]:
    made: list[MainWindow] = []

    def make(text_size: int = 13, size: tuple[int, int] = (1280, 800), kept: tuple[Request, ...] = (),
             open_ear: OpenEar | None = None) -> MainWindow:  # fmt: skip
        preferences.set("text_size", text_size)
        theme = Theme("light", text_size)
        theme.apply(qapp)
        window = MainWindow(
            lambda _address: Connection(lambda: Opened(link, kept), clock),
            preferences,
            theme,
            clock=clock,
            open_ear=open_ear,
        )
        made.append(window)
        window.resize(*size)
        window.show()
        window.start()
        qtbot.waitExposed(window)
        window.activateWindow()
        qapp.processEvents()
        return window

    yield make
    for window in made:
        window.close()
        shiboken6.delete(window)


@pytest.fixture
def window(make_window: Callable) -> MainWindow:
    """A window in mid-session, the policy at work."""
    result = make_window()
    result.receive(samples.batch(samples.backend(), samples.robot(), samples.policy_command()))
    return result
