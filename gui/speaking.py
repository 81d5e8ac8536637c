"""What is said to the window, made into requests: a correction, what steers the loop, or words for a field.

The ear's messages come in here; stop words come in on the ear's own thread, so that a busy window delays no stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui.connection import Connection
from gui.notices import answer_words, doubt_spoken
from gui.preferences import Preferences
from gui.settings.view import SettingsView
from gui.state import LiveState
from gui.voice import OpenEar, Voice
from gui.voice_state import VoiceState
from hitl.clock import Clock
from hitl.messages import Correction, CorrectionStatus, Request, Resume, Stop, Undo
from hitl.speech.answering import Answering
from hitl.speech.ear_messages import (
    Chime,
    DeviceHere,
    DeviceLost,
    Devices,
    Finished,
    LetGo,
    LookForDevices,
    Press,
    Say,
    StopHeard,
)
from hitl.speech.intents import intent_of, place_of
from hitl.speech.text import plain

NOT_GOING_ON = "The robot does not go on: no backend is connected. Say it again when it is."


class Listener(Protocol):
    """What is needed of the window."""

    state: LiveState
    heard: VoiceState
    settings: SettingsView
    connection: Connection

    def send(self, request: Request) -> str: ...
    def stop_now(self, stop: Stop) -> None: ...
    def refresh(self) -> None: ...
    def nothing_to_take_back(self) -> None: ...
    def words_for_a_field(self, words: str) -> bool: ...
    def choose(self, place: int) -> str: ...


class Speaking:
    """Owns the voice. `shown` draws what was heard."""

    def __init__(
        self, window: Listener, preferences: Preferences, clock: Clock, open_ear: OpenEar | None,
        shown: Callable[[], None],
    ) -> None:  # fmt: skip
        self._window = window
        self._preferences = preferences
        self._clock = clock
        self._shown = shown
        self._awaited: set[str] = set()
        self._asked_ns = 0
        self._stops_heard: deque[Stop] = deque()
        self.voice = Voice(open_ear, self._stop_heard) if open_ear is not None else None
        if self.voice is not None:
            self.voice.ready.connect(self.take, Qt.ConnectionType.QueuedConnection)
            self.voice.ask(preferences.talking)
            self.voice.change(preferences.ear_environment)

    def talk(self, message: Press | LetGo) -> None:
        """The talk key went down or up."""
        if self.voice is None:
            return
        self.voice.ask(message)
        if isinstance(message, LetGo) and self._window.heard.mode == "hold":
            self._window.heard.let_go()
        self._window.refresh()

    def _stop_heard(self, word: StopHeard) -> None:
        """A stop word; called from the ear's thread, so that a busy window delays no stop."""
        stop = self._answers().stop(word.word)
        self._window.connection.stop(stop)
        self._stops_heard.append(stop)

    def take(self) -> None:
        """Do what the ear has told."""
        if self.voice is None:
            return
        now_ns = self._clock.now_ns()
        for message in self.voice.take():
            self._window.heard.apply(message, now_ns)
            if isinstance(message, Finished):
                self._spoken(message)
            elif isinstance(message, StopHeard) and self._stops_heard:
                self._window.state.stopping(self._stops_heard.popleft())
                self._window.refresh()
            elif isinstance(message, Devices):
                self._window.settings.show_devices(self._window.heard.devices)
            elif isinstance(message, DeviceHere | DeviceLost) and self._window.settings.isVisible():
                self.look_for_devices()
        self._shown()

    def look_for_devices(self) -> None:
        """Ask which microphones there are."""
        if self.voice is not None:
            self.voice.ask(LookForDevices())

    def _answers(self) -> Answering:
        """Makes what follows from this person's spoken words."""
        return Answering(
            self._window.state.author,
            self._clock,
            hold_s=self._preferences.hold_s,
            narrates=self._window.heard.narrating,
        )

    def _spoken(self, said: Finished) -> None:
        """Do what was said: a correction, or what steers the loop; its sound goes to the recording. While narrating it
        is only recorded, but for stop words and the "go on" that ends their pause."""
        if plain(said.text) and self._window.words_for_a_field(said.text):
            return
        answers = self._answers()
        if not self._window.heard.narrating and (chosen := self.chosen(said.text)):
            self._window.heard.say(f"“{said.text}”", self._clock.now_ns(), "answer")
            self._keep_sound(answers, said, chosen)
            return
        target = self._window.state.undo_target()
        request = answers.request(said, lambda: target.id if target is not None else None)
        if request is None and plain(said.text) and not self._window.heard.narrating:
            self._window.nothing_to_take_back()
            self._window.heard.say("There is nothing to take back.", self._clock.now_ns(), "note")
        elif isinstance(request, Undo) and target is not None:
            self._window.heard.say(f"Taken back: “{target.text}”", self._clock.now_ns(), "answer")
        elif isinstance(request, Resume) and not self._window.state.connected:
            request = None
            self._window.heard.say(NOT_GOING_ON, self._clock.now_ns(), "note")
        self._keep_sound(answers, said, self._ask_for(request) if request is not None else "")

    def chosen(self, words: str) -> str:
        """Answer an open question where these words count its commands ("the second one"). Id of the answer, or ""."""
        state, place = self._window.state, place_of(words)
        question = state.question if state.connected else None
        offered = question.choices if question is not None else state.unsure
        return self._window.choose(place) if place is not None and place < len(offered) else ""

    def _keep_sound(self, answers: Answering, said: Finished, made: str) -> None:
        utterance = answers.utterance(said, made, self._window.state.offset_ns)
        if utterance is not None:
            self._window.send(utterance)

    def _ask_for(self, request: Correction | Resume | Undo | Stop) -> str:
        """Send what words asked for; returns its id."""
        if isinstance(request, Correction):
            self._awaited.add(request.id)
        if isinstance(request, Stop):
            self._window.stop_now(request)
        else:
            self._window.send(request)
        return request.id

    def ask_aloud(self) -> None:
        """Let a new question of the policy be heard, as notes and, where that is switched on, in words."""
        command = self._window.state.command
        if command is None or not self._window.state.unsure or command.unsure_until_ns == self._asked_ns:
            return
        self._asked_ns = command.unsure_until_ns
        if self.voice is not None:
            self.voice.ask(Chime())
            self.voice.ask(Say(text=doubt_spoken(command)))
        elif self._preferences.talking.sounds:
            QApplication.beep()

    def answer(self, status: CorrectionStatus) -> None:
        """Say aloud what became of spoken words, where that is switched on."""
        if status.id not in self._awaited or status.state not in ("acting", "asked", "ignored"):
            return
        self._awaited.discard(status.id)
        words = {"asked": " or ".join(status.choices), "ignored": "Sorry?"}.get(status.state, status.command)
        self._window.heard.say(
            answer_words(status), self._clock.now_ns(), "note" if status.state == "ignored" else "answer"
        )
        if self.voice is not None and intent_of(words) != "stop":
            self.voice.ask(Say(text=words))
