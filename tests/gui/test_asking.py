"""The policy asks which command is right: what is shown, heard and said to a screen reader, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui import samples
from gui.main_window import MainWindow
from gui.notices import doubt_words
from gui.state import LiveState
from hitl.clock import ManualClock
from hitl.messages import Choose, CommandStatus, Correction, Utterance
from hitl.speech.ear_messages import Chime, Finished, FromEar, Say, ToEar

NOW = samples.NOW_NS
PAIR = ["pick up the blue ball", "put it in the box"]


class Ear:
    """Keeps what it is asked, and says what the test has it say."""

    def __init__(self, told: Callable[[FromEar], None]) -> None:
        self.tell = told
        self.asked: list[ToEar] = []

    def start(self) -> None:
        """Nothing to start."""

    def ask(self, message: ToEar) -> None:
        self.asked.append(message)

    def change(self, environment: object) -> None:
        """Nothing to change."""

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def asked(make_window) -> tuple[MainWindow, Ear]:
    """A window in which the policy has just asked."""
    ears: list[Ear] = []
    window = make_window(open_ear=lambda told: ears.append(Ear(told)) or ears[0])
    ask(window)
    return window, ears[0]


def ask(window: MainWindow, **changes: object) -> None:
    command = msgspec.structs.replace(samples.unsure_command(), **changes)
    window.receive(samples.batch(samples.backend(), samples.robot(), command))


def sent(qtbot, link, count: int = 1) -> list:
    qtbot.waitUntil(lambda: len(link.requests) >= count)
    return link.requests


def spoken(text: str) -> Finished:
    return Finished(number=1, text=text, heard=0.9, audio=b"\1\0" * 160, began_ns=NOW - 10**9, spoken_ns=NOW)


def shown(window: MainWindow) -> list[str]:
    return [button.text() for button in window.live.command.choices.buttons if button.isVisible()]


def test_the_two_commands_are_shown_with_their_keys_and_the_time_that_is_left(asked, clock: ManualClock):
    window, _ = asked
    panel = window.live.command
    assert shown(window) == PAIR and panel._tag.accessibleName() == "Unsure"
    assert "Press 1 or 2" in panel._why.text() and "in 2 s" in panel._why.text()
    assert panel._line._text == "pick up the blue ball?" and panel._line._left == 1.0
    clock.advance(1.0)
    window.refresh()
    assert panel._line._left == 0.5 and "in 1 s" in panel._why.text()
    window.receive(samples.batch(samples.policy_command()))
    assert len(shown(window)) == 5 and panel._tag.accessibleName() == "Policy" and panel._line._left is None


def test_neither_of_two_commands_that_are_asked_about_is_set_off(asked, qapp):
    window, _ = asked
    first, second = window.live.command.choices.buttons[:2]
    for size in (QSize(1280, 800), QSize(1920, 1080)):
        window.resize(size)
        qapp.processEvents()
        assert first.y() == second.y() and abs(first.width() - second.width()) <= 1, size
    window.resize(1280, 800)
    window.receive(samples.batch(samples.backend(), samples.robot(), samples.policy_command()))
    qapp.processEvents()
    assert first.y() < second.y() and first.width() > second.width(), "what it would do next stands alone"


def test_one_key_answers_and_the_others_do_nothing(qtbot, asked, link):
    window, _ = asked
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_3)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_2)
    (request,) = sent(qtbot, link)
    assert isinstance(request, Correction)
    assert (request.text, request.source, request.readings) == (PAIR[1], "answer", [])


def test_a_click_answers(qtbot, asked, link):
    window, _ = asked
    QTest.mouseClick(window.live.command.choices.buttons[0], Qt.MouseButton.LeftButton)
    assert [request.text for request in sent(qtbot, link)] == [PAIR[0]]


@pytest.mark.parametrize(("words", "text", "source"), [
    ("the second one", PAIR[1], "answer"), ("first", PAIR[0], "answer"), ("put it in the box", PAIR[1], "voice"),
])  # fmt: skip
def test_words_answer(qtbot, asked, link, words, text, source):
    window, ear = asked
    ear.tell(spoken(words))
    request, utterance = sent(qtbot, link, 2)
    assert isinstance(request, Correction) and (request.text, request.source) == (text, source)
    assert isinstance(utterance, Utterance) and (utterance.text, utterance.correction) == (words, request.id)


def test_counting_means_nothing_where_nothing_is_asked(qtbot, asked, link):
    window, ear = asked
    window.receive(samples.batch(samples.policy_command()))
    ear.tell(spoken("the second one"))
    assert sent(qtbot, link, 2)[0].text == "the second one"


def test_typed_counting_answers(qtbot, asked, link):
    window, _ = asked
    window.live.say.box.setText("2")
    window.live.say.send()
    assert [(request.text, request.source) for request in sent(qtbot, link)] == [(PAIR[1], "answer")]


def test_what_a_person_said_comes_first_where_both_are_asked(qtbot, asked, link):
    window, ear = asked
    window.receive(samples.batch(samples.asked()))
    assert shown(window) == samples.asked().choices and window.state.unsure == []
    ear.tell(spoken("the second one"))
    choice = sent(qtbot, link, 2)[0]
    assert isinstance(choice, Choose) and choice.command == samples.asked().choices[1]


def test_it_is_heard_once_for_each_question(asked):
    window, ear = asked
    ask(window)
    heard = [message for message in ear.asked if isinstance(message, Chime | Say)]
    assert heard == [Chime(), Say(text=f"1: {PAIR[0]}, or 2: {PAIR[1]}?")]
    ask(window, unsure_until_ns=NOW + 9 * 10**9)
    assert sum(isinstance(message, Chime) for message in ear.asked) == 2


@pytest.mark.parametrize("sounds", ["on", "off"])
def test_without_an_ear_the_desktop_beeps_where_sounds_are_on(make_window, preferences, monkeypatch, sounds):
    beeps: list[int] = []
    monkeypatch.setattr(QApplication, "beep", lambda: beeps.append(1))
    preferences.set("sounds", sounds)
    window = make_window()
    ask(window)
    ask(window)
    assert len(beeps) == (sounds == "on")


def test_a_screen_reader_is_told_once(make_window, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(QAccessible, "updateAccessibility", lambda event: told.append(event.message()))
    window = make_window()
    ask(window)
    ask(window)
    assert told == [f"Unsure. 1: {PAIR[0]}, or 2: {PAIR[1]}?"]
    assert window.live.command.choices.accessibleName() == "Which is right?"


def test_nothing_is_asked_while_the_robot_is_stopped_or_the_backend_away(asked):
    window, _ = asked
    window.receive(samples.batch(samples.robot("stopped", "a person pressed STOP")))
    assert window.state.unsure == [] and window.live.command._tag.accessibleName() == "Stopped"
    window.receive(samples.batch(samples.robot()))
    assert window.state.unsure == PAIR
    window.receive(samples.batch(connected=False, picture_age_ns=None))
    assert window.state.unsure == []


def test_a_persons_command_that_has_no_effect_is_told_and_not_asked_about():
    state = LiveState("Ada")
    state.link(connected=True, offset_ns=0, unsaved=0, round_trip_ms=0.1)
    command: CommandStatus = msgspec.structs.replace(samples.person_command(), failing="go higher", tried=3)
    state.apply(command, NOW)
    assert doubt_words(state, NOW) == "“go higher” does not seem to work (3 tries)." and state.unsure == []
    state.apply(msgspec.structs.replace(command, tried=1), NOW)
    assert doubt_words(state, NOW) == "“go higher” does not seem to work."
    state.apply(samples.policy_command(), NOW)
    assert doubt_words(state, NOW) == ""


def test_the_time_that_is_left_is_counted_on_this_computers_clock():
    state = LiveState("Ada")
    state.link(connected=True, offset_ns=5 * 10**9, unsaved=0, round_trip_ms=0.1)
    state.apply(msgspec.structs.replace(samples.unsure_command(), unsure_until_ns=NOW + 8 * 10**9), NOW)
    assert state.unsure_left(NOW) == (3.0, 1.0)
    assert state.unsure_left(NOW + 2 * 10**9) == (1.0, pytest.approx(1 / 3))
    assert state.unsure_left(NOW + 9 * 10**9) == (0.0, 0.0)
