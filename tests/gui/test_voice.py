"""What a person says, in real windows: the talk key, captions, questions, and stop words that wait for nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest
import shiboken6
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel

from gui import samples
from gui.connection import Connection, Opened
from gui.live.talk import caption
from gui.main_window import MainWindow
from gui.preferences import SETTINGS, Setting
from gui.settings.device_box import DeviceBox
from gui.theme import Theme
from gui.voice_state import VoiceState
from hitl.clock import ManualClock
from hitl.messages import Choose, Correction, Reading, Resume, TimedWord, Undo, Utterance
from hitl.speech.ear_messages import (
    Began,
    Configure,
    DeviceHere,
    DeviceLost,
    Devices,
    Dropped,
    Finished,
    FromEar,
    LetGo,
    Level,
    LookForDevices,
    Partial,
    Press,
    Ready,
    Say,
    StopHeard,
    ToEar,
    Trouble,
)

SOUND = b"\1\0" * 1600


class Ear:
    """An ear that the test speaks for."""

    def __init__(self, told: Callable[[FromEar], None]) -> None:
        self.tell = told
        self.asked: list[ToEar] = []
        self.environments: list[dict[str, str]] = []
        self.closed = False

    def start(self) -> None:
        pass

    def ask(self, message: ToEar) -> None:
        self.asked.append(message)

    def change(self, environment: dict[str, str]) -> None:
        self.environments.append(environment)

    def close(self) -> None:
        self.closed = True

    def keys(self) -> list[type]:
        return [type(message) for message in self.asked if isinstance(message, Press | LetGo)]


@pytest.fixture
def heard(qtbot, preferences, link, qapp) -> Iterator[tuple[MainWindow, Ear]]:
    """A window that listens, its microphone there."""
    ears: list[Ear] = []

    def open_ear(told: Callable[[FromEar], None]) -> Ear:
        ears.append(Ear(told))
        return ears[0]

    clock = ManualClock(samples.NOW_NS)
    theme = Theme("light", 13)
    window = MainWindow(
        lambda _address: Connection(lambda: Opened(link), clock), preferences, theme, clock=clock, open_ear=open_ear
    )
    window.show()
    window.start()
    window.receive(samples.batch(samples.robot(), samples.backend(), samples.policy_command()))
    ears[0].tell(DeviceHere(device="USB microphone"))
    ears[0].tell(Ready(recognizer="commands"))
    qtbot.waitUntil(lambda: window.heard.phase == "idle")
    yield window, ears[0]
    window.close()
    shiboken6.delete(window)


def finished(text: str, **more: object) -> Finished:
    readings = [Reading(text=text, probability=0.8), Reading(text="go lift", probability=0.2)] if text else []
    fields = {"number": 1, "text": text, "heard": 0.9, "readings": readings, "recognizer": "commands", "audio": SOUND}
    fields |= {"began_ns": samples.NOW_NS - 10**9, "spoken_ns": samples.NOW_NS}
    return Finished(**(fields | more))


def said(qtbot, window: MainWindow, ear: Ear, message: FromEar, link, count: int) -> list:
    ear.tell(message)
    qtbot.waitUntil(lambda: len(link.requests) >= count)
    return link.requests


def test_without_an_ear_there_is_no_bar(window):
    assert not window.live.talk.isVisible()


def test_space_is_held_while_one_speaks(qtbot, heard):
    window, ear = heard
    assert window.live.talk.isVisible()
    handle = window.windowHandle()
    QTest.keyPress(handle, Qt.Key.Key_Space)
    QTest.keyPress(handle, Qt.Key.Key_Space)
    assert ear.keys() == [Press]
    QTest.keyRelease(handle, Qt.Key.Key_Space)
    assert ear.keys() == [Press, LetGo]


def test_space_in_the_text_box_is_a_blank(qtbot, heard):
    window, ear = heard
    window.live.say.focus()
    QTest.keyClicks(window.live.say.box, "a b")
    assert window.live.say.box.text() == "a b" and ear.keys() == []


def test_a_window_that_goes_away_lets_the_key_go(qtbot, heard):
    window, ear = heard
    QTest.keyPress(window.windowHandle(), Qt.Key.Key_Space)
    QApplication.sendEvent(window, QEvent(QEvent.Type.WindowDeactivate))
    assert ear.keys() == [Press, LetGo]


def test_the_mouse_holds_the_button(qtbot, heard):
    window, ear = heard
    qtbot.mousePress(window.live.talk.button, Qt.MouseButton.LeftButton)
    assert ear.keys() == [Press]
    qtbot.mouseRelease(window.live.talk.button, Qt.MouseButton.LeftButton)
    assert ear.keys() == [Press, LetGo]


def test_words_are_a_correction_and_their_sound_goes_to_the_recording(qtbot, heard, link):
    window, ear = heard
    correction, utterance = said(qtbot, window, ear, finished("go left"), link, 2)
    assert isinstance(correction, Correction) and isinstance(utterance, Utterance)
    assert (correction.text, correction.source, correction.heard) == ("go left", "voice", 0.9)
    assert [reading.text for reading in correction.readings] == ["go left", "go lift"]
    assert (utterance.correction, utterance.audio, utterance.text) == (correction.id, SOUND, "go left")
    assert utterance.began_ns < utterance.stamp_ns


def test_narration_is_recorded_and_not_obeyed(qtbot, heard, link):
    window, ear = heard
    assert not window.live.talk.findChild(QLabel, "narrating").isVisible()
    window._set("narrate", "on")
    assert window.live.talk.findChild(QLabel, "narrating").isVisible()
    assert ear.asked[-1].words and not ear.asked[-1].wake
    word = TimedWord(text="left", start_s=0.0, end_s=0.1)
    (utterance,) = said(qtbot, window, ear, finished("go left", words=[word]), link, 1)
    assert isinstance(utterance, Utterance) and utterance.narration and utterance.words == [word]
    said(qtbot, window, ear, finished("scratch that"), link, 2)
    assert [type(request) for request in link.requests] == [Utterance, Utterance]


def test_while_narrating_stop_words_pause_and_go_on_ends_that(qtbot, heard, link):
    window, ear = heard
    window._set("narrate", "on")
    said(qtbot, window, ear, finished("wait"), link, 1)
    assert [stop.by_words for stop in link.stops] == [True]
    resume = said(qtbot, window, ear, finished("go on"), link, 2)[1]
    assert isinstance(resume, Resume) and resume.by_words
    ear.tell(StopHeard(word="stop", probability=0.9, stamp_ns=1))
    assert len(link.stops) == 2


def test_a_stop_word_waits_for_nothing(qtbot, heard, link):
    window, ear = heard
    thread = threading.Thread(target=ear.tell, args=(StopHeard(word="stop", probability=0.9, stamp_ns=1),))
    thread.start()
    thread.join()  # the window's thread has done nothing meanwhile
    (stop,) = link.stops
    assert stop.by_words and "said 'stop'" in stop.reason
    qtbot.waitUntil(lambda: window.state.stop_asked == stop)
    assert "has not answered" in window.live.notice.text(), "as for a pressed STOP"
    window.receive(samples.batch(samples.robot("paused")))
    assert window.state.stop_asked is None and window.state.paused


@pytest.mark.parametrize(("text", "kind"), [("go on", Resume), ("go and", Resume), ("scratch that", Undo)])
def test_words_that_steer(qtbot, heard, link, text, kind):
    window, ear = heard
    request = said(qtbot, window, ear, finished(text), link, 2)[0]
    assert isinstance(request, kind)
    if isinstance(request, Resume):
        assert request.by_words


@pytest.mark.parametrize("text", ["scratch that", "go on"])
def test_the_sound_of_words_that_steer_names_what_came_of_them(qtbot, heard, link, text):
    window, ear = heard
    request, utterance = said(qtbot, window, ear, finished(text), link, 2)
    assert isinstance(utterance, Utterance) and utterance.correction == request.id
    if isinstance(request, Undo):
        assert caption(window.heard, samples.NOW_NS)[0] == "Taken back: “go lower”"


def test_the_sound_of_a_stop_names_it(qtbot, heard, link):
    window, ear = heard
    (utterance,) = said(qtbot, window, ear, finished("stop"), link, 1)
    assert utterance.correction == link.stops[0].id


def test_go_on_without_a_backend_is_refused_and_never_kept(qtbot, heard, link, unplug):
    window, ear = heard
    unplug(window)
    (utterance,) = said(qtbot, window, ear, finished("go on"), link, 1)
    assert isinstance(utterance, Utterance) and utterance.correction == ""
    assert "does not go on" in caption(window.heard, samples.NOW_NS)[0]
    assert not window.state.new_episode_waits()


def test_nothing_to_take_back_is_said_in_the_caption(qtbot, heard, link):
    window, ear = heard
    window.state.rows.clear()
    (utterance,) = said(qtbot, window, ear, finished("scratch that"), link, 1)
    assert isinstance(utterance, Utterance) and utterance.correction == ""
    assert caption(window.heard, samples.NOW_NS)[0] == "There is nothing to take back."


def test_scratch_that_passes_over_what_had_no_effect(qtbot, heard, link):
    window, ear = heard
    never = msgspec.structs.replace(samples.asked(), state="expired")
    ignored = msgspec.structs.replace(samples.ignored(), id=never.id[:-2] + "10")
    window.receive(samples.batch(never, ignored))
    undo = said(qtbot, window, ear, finished("scratch that"), link, 2)[0]
    assert isinstance(undo, Undo) and undo.target == samples.corrections()[-1].id


def test_spoken_stop_pauses_even_where_no_word_was_spotted(qtbot, heard, link):
    window, ear = heard
    said(qtbot, window, ear, finished("weight"), link, 1)
    assert [stop.by_words for stop in link.stops] == [True]


def test_a_question_is_answered_by_its_number(qtbot, heard, link):
    window, _ = heard
    window.receive(samples.batch(samples.robot(), samples.backend(), samples.policy_command(), samples.asked()))
    assert [button.text() for button in window.live.command.choices.buttons[:3]] == [*samples.asked().choices, ""]
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_3)
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_2)
    qtbot.waitUntil(lambda: bool(link.requests))
    (choice,) = link.requests
    assert isinstance(choice, Choose)
    assert (choice.target, choice.command) == (samples.asked().id, samples.asked().choices[1])


def test_what_was_understood_is_said_aloud_only_where_that_is_on(qtbot, heard, link, preferences):
    window, ear = heard
    correction = said(qtbot, window, ear, finished("nudge it left"), link, 2)[0]
    status = samples.correction(9, 700, "nudge it left", "acting", command="go left", grounding="near", similarity=0.8)
    window.receive(
        samples.batch(
            type(status)(**{f: getattr(status, f) for f in status.__struct_fields__} | {"id": correction.id})
        )
    )
    assert [message.text for message in ear.asked if isinstance(message, Say)] == ["go left"]
    assert "understood as “go left”" in caption(window.heard, samples.NOW_NS)[0]


def test_settings_reach_the_ear(qtbot, heard):
    window, ear = heard
    window._set("talk", "hands-free")
    assert ear.asked[-1] == Configure(mode="hands-free")
    assert not window.live.talk.button.isEnabled()


def offered(box: QComboBox) -> list[str]:
    return [box.itemText(place) for place in range(box.count())]


def test_microphones_are_offered_as_they_come_and_go(qtbot, heard, preferences):
    window, ear = heard
    box = window.settings.findChild(DeviceBox)
    assert not any(isinstance(message, LookForDevices) for message in ear.asked), "nobody sees them"
    window.show_place("view.settings")
    assert any(isinstance(message, LookForDevices) for message in ear.asked)
    ear.tell(Devices(names=["Webcam", "USB microphone"]))
    qtbot.waitUntil(lambda: offered(box) == ["System default", "Webcam", "USB microphone"])
    assert box.currentText() == "System default"
    box.setCurrentIndex(2)
    box.activated.emit(2)
    assert preferences.get("microphone") == "USB microphone" and ear.asked[-1].device == "USB microphone"
    ear.tell(DeviceLost(device="USB microphone", why="it was unplugged."))
    qtbot.waitUntil(lambda: isinstance(ear.asked[-1], LookForDevices))
    ear.tell(Devices(names=["Webcam"]))
    qtbot.waitUntil(lambda: offered(box) == ["System default", "Webcam", "USB microphone (not connected)"])
    assert box.currentText() == "USB microphone (not connected)" and box.currentData() == "USB microphone"
    box.setCurrentIndex(0)
    box.activated.emit(0)
    assert preferences.get("microphone") == "" and offered(box) == ["System default", "Webcam"]
    ear.tell(Devices(names=["Webcam", "USB microphone"]))
    qtbot.waitUntil(lambda: len(offered(box)) == 3)


def test_a_list_of_microphones_that_is_open_stays_as_it_is(qtbot, heard):
    window, ear = heard
    box = window.settings.findChild(DeviceBox)
    window.show_place("view.settings")
    ear.tell(Devices(names=["Webcam", "USB microphone"]))
    qtbot.waitUntil(lambda: box.count() == 3)
    box.showPopup()
    ear.tell(Devices(names=[]))
    qtbot.waitUntil(lambda: window.heard.devices == [])
    assert box.count() == 3
    box.hidePopup()
    ear.tell(Devices(names=[]))
    qtbot.waitUntil(lambda: box.count() == 1)


def test_a_microphone_of_before_is_named_before_anybody_looked(preferences):
    box = DeviceBox()
    box.show_devices("USB microphone", None)
    assert offered(box) == ["System default", "USB microphone"] and box.currentData() == "USB microphone"


# -- the state alone ----------------------------------------------------------------------------------------------


def state(*messages: FromEar, mode: str = "hold") -> VoiceState:
    found = VoiceState(mode, there=True)  # type: ignore[arg-type]
    for message in messages:
        found.apply(message, 0)
    return found


HERE = DeviceHere(device="USB")


@pytest.mark.parametrize(
    ("messages", "phase", "words"),
    [
        ((), "starting", "Looking for the microphone"),
        ((HERE,), "idle", "“Stop” is heard at any time."),
        ((HERE, Began(number=1, stamp_ns=0)), "listening", "Speak now"),
        ((HERE, Began(number=1, stamp_ns=0), Partial(number=1, text="go le")), "listening", "“go le …”"),
        ((HERE, Began(number=1, stamp_ns=0), Finished(number=1, text="go left")), "idle", "“go left”"),
        ((HERE, Began(number=1, stamp_ns=0), Dropped(number=1, reason="no speech")), "idle", "Nobody spoke."),
        ((HERE, Finished(number=1, text="", note="No words were heard.")), "idle", "No words were heard."),
        ((HERE, DeviceLost(device="USB", why="it is gone.")), "lost", "No microphone: it is gone."),
        ((HERE, Trouble(part="recognizer", why="no model.")), "idle", "Speech is not understood now: no model."),
        ((HERE, Trouble(part="stop words", why="no file.")), "idle", "Stop words are not heard: no file."),
    ],
)
def test_phases_and_captions(messages, phase, words):
    found = state(*messages)
    assert found.phase == phase
    assert caption(found, 0)[0] == words


def test_a_partial_of_an_utterance_that_is_over_is_not_shown():
    found = state(HERE, Began(number=1, stamp_ns=0), Finished(number=1, text="go left"), Partial(number=1, text="go"))
    assert caption(found, 0)[0] == "“go left”"


def test_captions_fade_and_levels_are_shares():
    found = state(HERE, Finished(number=1, text="go left"), Level(db=-33.0, clipped=0.5, speech=0.7))
    assert found.shown(7 * 10**9) == ""
    assert 0.4 < found.level < 0.6 and found.clipped


def test_the_ear_learns_where_speech_is_recognized_and_at_which_backend(heard, preferences):
    window, ear = heard
    assert ear.environments == [{}], "as it was started"
    window.settings._keep(setting("recognizer_at"), "on the backend's computer")
    assert ear.environments[-1] == {"HITL_RECOGNIZER_AT": "backend"}
    window.settings._keep(setting("address"), "tcp://[::1]:7000")
    there = {"HITL_RECOGNIZER_AT": "backend", "HITL_HOST": "::1", "HITL_PORT": "7000"}
    assert ear.environments[-1] == there
    window.settings._keep(setting("address"), "nowhere")
    assert ear.environments[-1] == {"HITL_RECOGNIZER_AT": "backend"}, "the window stays with its backend, too"
    preferences.set("address", "tcp://lab:7000")
    window.settings._keep(setting("recognizer_at"), "on this computer")
    assert ear.environments[-1] == {"HITL_RECOGNIZER_AT": "here"}


def test_speech_that_nobody_recognizes_is_told_until_somebody_does(qtbot, heard):
    window, ear = heard
    ear.tell(Trouble(part="recognizer", why="no recognizer is connected."))
    qtbot.waitUntil(lambda: "no recognizer is connected" in window.live.talk._caption.text())
    ear.tell(Ready(recognizer="commands at the backend"))
    qtbot.waitUntil(lambda: "no recognizer" not in window.live.talk._caption.text())


def setting(key: str) -> Setting:
    return next(found for found in SETTINGS if found.key == key)
