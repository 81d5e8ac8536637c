"""A recording in the window on a whole backend with real sockets: its pictures come, and marks reach the log."""

from __future__ import annotations

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.theme import Theme
from hitl.bus import Link, Outbox
from hitl.interchange.store import import_file
from hitl.labels import Judged, Span
from hitl.sessions.feedback_log import FeedbackLog
from tests.hitl.backend.test_server import Stage
from tests.support.recorded import command, session_with_commands

WAIT_MS = 20_000
PROJECT = "cell"


@pytest.fixture
def stage(tmp_path):
    data = tmp_path / "data"
    session = session_with_commands(data, [(0.0, command("go up")), (2.0, command("a bit to the left", "Ada"))])
    import_file(data, "recordings", session.recording, PROJECT)
    made = Stage(tmp_path, record=False)
    yield made
    made.close()


@pytest.fixture
def window(qtbot, qapp, stage, preferences, tmp_path):
    def open_link() -> Opened:
        return Opened(Link(stage.endpoints, "gui", "Ada", outbox=Outbox(tmp_path / "outbox")))

    preferences.remember("project", PROJECT)
    theme = Theme("light")
    theme.apply(qapp)
    window = MainWindow(lambda _address: Connection(open_link), preferences, theme)
    window.resize(1280, 800)
    window.show()
    window.start()
    qtbot.waitExposed(window)
    window.registry.trigger("view.annotate")
    yield window
    window.close()
    shiboken6.delete(window)


def press(window: MainWindow, key: Qt.Key) -> None:
    QTest.keyClick(window.windowHandle(), key)


def test_it_is_seen_played_and_marked_while_it_plays(qtbot, stage, window):
    shown, bench = window.annotate.recording, window.annotate.bench
    qtbot.waitUntil(lambda: bool(shown.cameras.names), timeout=WAIT_MS)
    assert "stretch 1 of 2" in window.annotate.heading._title.text()
    qtbot.waitUntil(lambda: all(shown.cameras.view(name).has_picture for name in shown.cameras.names), timeout=WAIT_MS)
    assert set(shown.cameras.names) == set(shown.store.cameras)
    press(window, Qt.Key.Key_Down)
    assert abs(shown.head.ms - 2_000) < 100
    press(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: shown.head.ms > 2_400, timeout=WAIT_MS)
    press(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: shown.head.ms > 3_000, timeout=WAIT_MS)
    press(window, Qt.Key.Key_M)
    press(window, Qt.Key.Key_Space)

    def stored() -> list:
        steps = FeedbackLog(stage.settings.data_folder / "feedback.sqlite").labels(PROJECT)
        return [change.value for step in steps for change in step.changes]

    qtbot.waitUntil(lambda: len(stored()) == 2 and not bench.state.pending, timeout=WAIT_MS)
    judged, span = stored()
    assert isinstance(judged, Judged) and judged.track == "time" and judged.start == 0
    assert isinstance(span, Span) and span.categories == ["mistake"] and 2_300 <= span.start < span.end
    wanted = shown.store.at(shown.cameras.large, shown.head.ms)
    assert wanted is not None and shown.head.ms - wanted.ms < 200
