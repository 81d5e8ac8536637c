"""A note that is spoken: voice, sound server, PyAudio, an ear's process, recognizer, and the label in the window."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.annotate import samples
from hitl.config import Settings, to_environment
from hitl.labels import Span
from hitl.messages import Correction, Label, Utterance
from hitl.speech.ear_messages import DeviceHere, Finished, Ready
from hitl.speech.ear_process import EarProcess
from tests.faults.test_sound_server import SoundServer
from tests.gui.annotate.conftest import Person

PATIENCE_MS = 90_000
WORDS = "this happened one year later"

pytestmark = [
    pytest.mark.skipif(
        not all(map(shutil.which, ("pulseaudio", "pactl", "paplay", "flite"))), reason="no sound server or no voice"
    ),
    pytest.mark.skipif(importlib.util.find_spec("pyaudio") is None, reason="PyAudio is not installed"),
]


@pytest.fixture
def sound(tmp_path):
    server = SoundServer(tmp_path / "sound")
    yield server
    server.kill()


@pytest.fixture
def heard():
    """What the ear told."""
    return []


@pytest.fixture
def speaker(qtbot, make_window, preferences, link, sound, heard, tmp_path) -> Person:
    """Somebody at a window with a real ear, in the first answer of the sample."""

    def open_ear(told):
        environment = {**sound.environment, **to_environment(Settings(data=str(tmp_path), sounds=False))}
        command = [sys.executable, "-m", "hitl.cli", "ear"]
        return EarProcess(command, lambda message: (heard.append(message), told(message)), environment=environment)

    preferences.remember("project", samples.PROJECT)
    window = make_window(open_ear=open_ear)
    somebody = Person(qtbot, window, link)
    window.registry.trigger("view.annotate")
    somebody.answer()
    somebody.view.bench.open_item("dev-37")
    somebody.answer()
    for kind in (DeviceHere, Ready):
        qtbot.waitUntil(lambda kind=kind: any(isinstance(m, kind) for m in heard), timeout=PATIENCE_MS)
    return somebody


def dictate(person: Person, sound: SoundServer, heard: list, words: str) -> None:
    """Hold F4 while words are said."""
    window = person.window.windowHandle()
    before = sum(isinstance(message, Finished) for message in heard)
    QTest.keyPress(window, Qt.Key.Key_F4)
    sound.play(words)  # which ends when all was said
    QTest.keyRelease(window, Qt.Key.Key_F4)
    person.qtbot.waitUntil(
        lambda: sum(isinstance(message, Finished) for message in heard) > before, timeout=PATIENCE_MS
    )


def test_words_that_are_said_while_f4_is_held_become_the_note_of_the_label(speaker, sound, heard):
    speaker.press("f")  # the first sentence has a wrong fact
    dictate(speaker, sound, heard, WORDS)
    note = speaker.view.labels.details.note
    speaker.qtbot.waitUntil(lambda: note.text() == WORDS, timeout=PATIENCE_MS)
    assert note.hasFocus()
    speaker.press("Return")
    mark, noted = speaker.labels(2)
    assert isinstance(mark, Label) and isinstance(noted, Label)
    (change,) = noted.changes
    assert isinstance(change.value, Span) and change.value.note == WORDS and change.key == mark.changes[0].key
    assert speaker.view.text.hasFocus(), "letters mark again"
    assert not [request for request in speaker.link.requests if isinstance(request, Correction | Utterance)]
    dictate(speaker, sound, heard, "the second sentence is not true")
    speaker.qtbot.waitUntil(lambda: note.text() == f"{WORDS} the second sentence is not true", timeout=PATIENCE_MS)
