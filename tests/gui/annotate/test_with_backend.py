"""Annotate on a whole backend with real sockets: steps reach the log, survive its absence, and are undone later."""

from __future__ import annotations

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.theme import Theme
from hitl.bus import Link, Outbox
from hitl.sessions.feedback_log import FeedbackLog
from tests.hitl.backend.test_server import Stage
from tests.support.labelled import PROJECT, project

WAIT_MS = 20_000


@pytest.fixture
def stage(tmp_path):
    project(tmp_path / "data").close()
    made = Stage(tmp_path, record=False)
    yield made
    made.close()


@pytest.fixture
def window_on(qtbot, qapp, stage, preferences, tmp_path):
    made = []

    def make() -> MainWindow:
        def open_link() -> Opened:
            kept = Outbox(tmp_path / "outbox")
            return Opened(Link(stage.endpoints, "gui", "Ada", outbox=kept), tuple(kept.pending()))

        theme = Theme("light")
        theme.apply(qapp)
        window = MainWindow(lambda _address: Connection(open_link), preferences, theme)
        made.append(window)
        window.resize(1280, 800)
        window.show()
        window.start()
        qtbot.waitExposed(window)
        window.registry.trigger("view.annotate")
        return window

    yield make
    for window in made:
        if shiboken6.isValid(window):
            window.close()
            shiboken6.delete(window)


def press(window: MainWindow, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.windowHandle(), key, held)


def stored(stage) -> list:
    return FeedbackLog(stage.settings.data_folder / "feedback.sqlite").labels(PROJECT)


def opened(qtbot, window: MainWindow):
    bench = window.annotate.bench
    qtbot.waitUntil(lambda: bench.editor is not None, timeout=WAIT_MS)
    return bench


def test_from_the_first_project_to_an_undo_in_another_window(qtbot, stage, window_on):
    window = window_on()
    page = window.annotate.projects
    qtbot.waitUntil(lambda: [button.text() for button in page.buttons] == [PROJECT], timeout=WAIT_MS)
    page.buttons[0].click()
    bench = opened(qtbot, window)
    assert bench.item == "one"
    press(window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: len(stored(stage)) == 1 and not bench.state.pending, timeout=WAIT_MS)
    stage.stop()
    qtbot.waitUntil(lambda: not window.state.connected, timeout=WAIT_MS)
    press(window, Qt.Key.Key_U)
    assert "1 step waiting" in window.annotate.foot.text()
    stage.start()
    qtbot.waitUntil(lambda: len(stored(stage)) == 2 and not bench.state.pending, timeout=WAIT_MS)
    (span,) = bench.editor.labels.spans().values()
    assert span.categories == ["Wrong-Grounding", "Unverifiable"]
    press(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: bench.item == "two" and len(stored(stage)) == 3, timeout=WAIT_MS)
    window.close()
    again = window_on()
    bench = opened(qtbot, again)
    assert bench.item == "two", "what is done is passed over"
    for _ in range(2):
        press(again, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda: bench.item == "one" and not bench.state.pending, timeout=WAIT_MS)
    (span,) = bench.editor.labels.spans().values()
    assert span.categories == ["Wrong-Grounding"]
    steps = stored(stage)
    assert [step.undoes for step in steps] == ["", "", "", steps[2].id, steps[1].id]
