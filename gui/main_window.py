"""The main window: puts strip, rail, views and status bar together, and turns what the person does into requests.

It owns the `LiveState`. All that arrives comes through `receive`, all that is sent goes through the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QStackedWidget, QWidget

from gui.actions import Registry, StopKey
from gui.annotate import commands as annotate_commands
from gui.annotate.project_state import ProjectState
from gui.annotate.queue import checked_order
from gui.annotate.view import AnnotateView
from gui.annotate.workbench import Workbench
from gui.annotate.write_panel import WritePanel
from gui.commands import COMMANDS, DICTATE
from gui.connection import Batch, Connection
from gui.live.episode_panel import EpisodePanel
from gui.live.view import LiveView
from gui.models.desk import ModelDesk
from gui.notices import status_items
from gui.preferences import Preferences
from gui.settings.view import SettingsView
from gui.speaking import NOT_GOING_ON, Speaking
from gui.state import LiveState, Notice
from gui.theme import TEXT_SIZES, Mode, Theme
from gui.voice import OpenEar, TalkKey
from gui.voice_state import VoiceState
from gui.widgets.basics import column, row
from gui.widgets.hints import Hints
from gui.widgets.palette import Palette
from gui.widgets.rail import Rail
from gui.widgets.status import Status
from gui.widgets.strip import Strip
from hitl.annotation_messages import Written
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.errors import HitlError
from hitl.messages import (
    Choose,
    Correction,
    CorrectionStatus,
    Label,
    NewEpisode,
    Release,
    Request,
    Resume,
    SetHold,
    Stop,
    Undo,
)
from hitl.speech.ear_messages import LetGo, Press
from hitl.speech.intents import intent_of

_TICK_MS = 100
"""Ages, countdowns and staleness are drawn anew this often; messages are drawn when they come."""

Connect = Callable[[str], Connection]
"""Makes a connection to an address of the settings ("" for the one that the window was started with)."""


class MainWindow(QMainWindow):
    """The window. `connect` may raise InputError for an address that cannot be one."""

    def __init__(
        self, connect: Connect, preferences: Preferences, theme: Theme, *, address: str = "", author: str = "",
        clock: Clock | None = None, open_ear: OpenEar | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._connect = connect
        self._preferences = preferences
        self._theme = theme
        self._started_address = address
        self._clock = clock or SystemClock()
        self._retired: list[Connection] = []
        self.heard = VoiceState(preferences.talking.mode, there=open_ear is not None)
        self.heard.narrating = preferences.narrates
        self.state = LiveState(author or preferences.author)
        self.registry = Registry(self, preferences.keys)
        self.addActions([self.registry.action(command.id) for command in COMMANDS])
        self.setWindowTitle("hitl")
        self.setMinimumSize(960, 640)
        self._build()
        self._wire()
        self.connection = self._connected_to(preferences.address)
        self.speaking = Speaking(self, preferences, self._clock, open_ear, self._show_heard)
        self.voice = self.speaking.voice
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        self.strip = Strip(self.registry, self._theme)
        self.rail = Rail(self.registry, self._theme)
        self.live = LiveView(self._theme, self.registry)
        self.settings = SettingsView(self._preferences, self.registry)
        known = ProjectState(self.state.author, self._preferences.remembered("project"))
        known.queue.order = checked_order(self._preferences.remembered("order"))
        self.annotate = AnnotateView(self._theme, self.registry, Workbench(known, self._send_label, self._clock))
        self.annotate.restore_layout(self._preferences.layout("annotate"))
        self.model_desk = ModelDesk(
            self._theme, self.registry, self.state.author, self._clock, ask=lambda wish: self.connection.ask(wish),
            here=lambda: self.state.rows, show_line=self.live.corrections.learned.show_line,
        )  # fmt: skip
        self.models = self.model_desk.view
        self.models.restore_layout(self._preferences.layout("models"))
        self.status = Status()
        self.places = QStackedWidget()
        for place in (self.live, self.annotate, self.models, self.settings):
            self.places.addWidget(place)
        middle = QWidget()
        layout = row(self.rail, self.places, spacing=0)
        layout.setStretch(1, 1)
        middle.setLayout(layout)
        self.whole = QWidget()
        self.whole.setObjectName("page")
        outer = column(self.strip, middle, self.status, spacing=0)
        outer.setStretch(1, 1)
        self.whole.setLayout(outer)
        self.whole.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCentralWidget(self.whole)
        self.whole.setFocus()
        self.palette_panel = Palette(self, self.registry, self._theme)
        self.episode_panel = EpisodePanel(self)
        self.write_panel = WritePanel(self)
        self.hints = Hints(self, self._theme, self.live.first_hints(self.strip.stop))
        self.rail.show_place("view.live")
        self._tab_order()

    def _tab_order(self) -> None:
        order: list[QWidget] = [self.live.say.box, *self.live.command.choices.buttons, self.strip.stop]
        for first, second in zip(order, order[1:], strict=False):
            QWidget.setTabOrder(first, second)

    def _wire(self) -> None:
        self.stop_key = StopKey(self, self._clock)
        self.stop_key.pressed.connect(self.stop)
        self.talk_key = TalkKey(self, self.registry)
        self.talk_key.pressed.connect(lambda: self.speaking.talk(Press()))
        self.talk_key.released.connect(lambda: self.speaking.talk(LetGo()))
        self.live.talk.button.down.connect(self.talk_key.press)
        self.live.talk.button.up.connect(self.talk_key.release)
        self.strip.stop_pressed.connect(self.stop_key.request)
        self.live.say.sent.connect(self._say)
        self.live.corrections.undo_asked.connect(self.undo)
        self.episode_panel.begin.connect(self.new_episode)
        self.write_panel.asked.connect(lambda wish: self.connection.ask(wish))
        self.annotate.recording.asked.connect(lambda questions: self.connection.ask(*questions))
        self.models.wanted.connect(self._show_correction)
        self.settings.changed.connect(self._setting_changed)
        self.settings.keys_changed.connect(self._keep_keys)
        self.settings.devices_wanted.connect(lambda: self.speaking.look_for_devices())
        self.hints.finished.connect(self._hints_seen)
        on = self.registry.on
        on("robot.stop", self.stop_key.request)
        on("robot.resume", lambda: self.send(Resume(**self._stamp())))
        on("robot.release", lambda: self.send(Release(**self._stamp())))
        on("project.write", lambda: self.write_panel.toggle(self.annotate.heading, self.annotate.bench.state.project))
        on("robot.new_episode", lambda: self.episode_panel.toggle(self.strip.new_episode))
        on("say.focus", self._focus_box)
        for number in range(1, 6):
            on(f"say.choose{number}", partial(self.choose, number - 1))
        on("say.undo", self.undo)
        for place in ("view.live", "view.annotate", "view.models", "view.settings"):
            on(place, partial(self.show_place, place))
        annotate_commands.bind(self.annotate, self.registry, lambda order: self._preferences.remember("order", order))
        self.annotate.page_changed.connect(lambda _page: self._use_keys())
        on("view.palette", self.palette_panel.open)
        on("view.fullscreen", lambda: self.showNormal() if self.isFullScreen() else self.showFullScreen())
        for mode in ("system", "light", "dark"):
            on(f"theme.{mode}", partial(self._set, "theme", mode))
        on("text.bigger", lambda: self._set("text_size", min(TEXT_SIZES[1], self._theme.type.body + 1)))
        on("text.smaller", lambda: self._set("text_size", max(TEXT_SIZES[0], self._theme.type.body - 1)))
        on("text.reset", lambda: self._set("text_size", TEXT_SIZES[0]))
        on("help.hints", self._show_hints)
        on("help.keys", self._show_keys)
        on("app.quit", self._quit)
        hints = QGuiApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(lambda _scheme: self._restyle())

    def start(self) -> None:
        """Begin to look for the backend and to draw time passing; show the hints on the first start."""
        self.connection.start()
        if self.voice is not None:
            self.voice.start()
        self._timer.start()
        if not self._preferences.hints_seen and self.live.isVisible():  # what they point at is there
            QTimer.singleShot(0, self.hints.start)

    # -- what the person does -------------------------------------------------------------------------------------

    def correct(self, words: str, source: Literal["typed", "key", "answer"]) -> str:
        """Send a correction; its id."""
        hold_s = self._preferences.hold_s
        return self.send(Correction(**self._stamp(), text=words, source=source, hold_s=hold_s))

    def _show_heard(self) -> None:
        self.live.talk.refresh(self.heard, self._clock.now_ns())

    def words_for_a_field(self, words: str) -> bool:
        """Spoken words belong into a field of Annotate where one has the focus, or the key for that was held."""
        here = self.places.currentWidget() is self.annotate
        if not here or not (self.annotate.wants_words() or self.talk_key.last == DICTATE):
            return False
        self.annotate.take_words(words)
        return True

    def _say(self, words: str) -> None:
        """Typed words: a correction, or what steers the loop."""
        self.live.say.clear_sent()
        match intent_of(words):
            case "stop":
                self._ask_to_stop(f"{self.state.author} typed {words!r}", by_words=True)
            case "go on" if not self.state.connected:
                self.state.refusal = Notice(NOT_GOING_ON, "", "warn")
                self.refresh()
            case "go on":
                self.send(Resume(**self._stamp(), by_words=True))
            case "undo" if self.state.undo_target() is None:
                self.nothing_to_take_back()
            case "undo":
                self.undo()
            case _ if not self.speaking.chosen(words):
                self.correct(words, "typed")

    def nothing_to_take_back(self) -> None:
        """Undo in words, unlike the disabled button, can be asked for where there is nothing to undo."""
        self.state.refusal = Notice("There is nothing to take back.", "None of your corrections can be undone now.")
        self.refresh()

    def choose(self, place: int) -> str:
        """Answer what is asked with the command at `place` (0 first), or send that alternative as a correction. Id of
        what was sent; empty where nothing is at that place."""
        state = self.state
        if (question := state.question if state.connected else None) is not None:
            if place < len(question.choices):
                return self.send(Choose(**self._stamp(), target=question.id, command=question.choices[place]))
        elif state.unsure:
            if place < len(state.unsure):
                return self.correct(state.unsure[place], "answer")
        elif state.command is not None and state.connected and place < len(state.command.alternatives):
            return self.correct(state.command.alternatives[place].text, "key")
        return ""

    def undo(self, row_id: str = "") -> None:
        """Take back a correction: the one named, else the person's newest."""
        target = self.state.undo_target(row_id)
        if target is not None:
            self.send(Undo(**self._stamp(), target=target.id))

    def new_episode(self, seed: int | None, shift: str) -> None:
        """Begin another episode."""
        self.send(NewEpisode(**self._stamp(), seed=seed, shift=shift))

    def stop(self) -> None:
        """Ask the robot to stop, ahead of everything else; then leave the text box (its text stays) and the panels."""
        self._ask_to_stop("a person pressed STOP")
        self.live.say.box.clearFocus()
        self.palette_panel.close_panel()
        self.episode_panel.close_panel()

    def _ask_to_stop(self, reason: str, *, by_words: bool = False) -> None:
        self.stop_now(Stop(**self._stamp(), reason=reason, by_words=by_words))

    def stop_now(self, stop: Stop) -> None:
        """Send a stop, and show that it is on its way."""
        self.connection.stop(stop)
        self.state.stopping(stop)
        self.refresh()

    def send(self, request: Request) -> str:
        """Hand a request to the outbox and show it at once; its id."""
        self.connection.submit(request)
        self.state.submitted(request, self._clock.now_ns())
        self.refresh()
        return request.id

    def _send_label(self, label: Label) -> None:
        self.connection.submit(label)  # Annotate shows it by itself, at once

    def _stamp(self) -> dict[str, Any]:
        return {"id": new_ulid(), "author": self.state.author, "stamp_ns": self._clock.now_ns()}

    # -- what comes in --------------------------------------------------------------------------------------------

    def receive(self, batch: Batch) -> None:
        """Take over what arrived, and draw what changed."""
        now_ns = self._clock.now_ns()
        health = batch.health
        before = self.state.connected, self.state.unsaved, self.state.link_error
        self.state.link(connected=health.connected, offset_ns=health.offset_ns, unsaved=health.unsaved,
                        round_trip_ms=health.round_trip_ms, error=health.error)  # fmt: skip
        for request in batch.kept:
            self.state.submitted(request, now_ns)
        for message in batch.messages:
            self.state.apply(message, now_ns)
            if isinstance(message, CorrectionStatus):
                self.speaking.answer(message)
        self.speaking.ask_aloud()
        self._receive_labels(batch)
        self.model_desk.receive(batch.messages, health.connected)
        for failure in batch.failures:
            self.state.failed(failure.request, failure.reason)
            if isinstance(failure.request, Correction) and not self.live.say.box.text():
                self.live.say.box.setText(failure.request.text)
        if batch.pictures:
            self.live.cameras.show_pictures(batch.pictures)
        after = health.connected, health.unsaved, health.error
        if batch.messages or batch.failures or batch.kept or before != after:
            self.refresh()

    def _receive_labels(self, batch: Batch) -> None:
        """Give Annotate its share, and ask what it has to know."""
        bench, view = self.annotate.bench, self.annotate
        for request in batch.kept:
            if isinstance(request, Label):
                bench.state.submitted(request)
        for failure in batch.failures:
            bench.state.failed(failure.request.id, failure.reason)
        bench.state.link(batch.health.connected)
        news = bench.receive(batch.messages) or bool(batch.failures or batch.kept)
        if news or view.connected != batch.health.connected:
            bench.follow()
            view.connected = batch.health.connected
            view.refresh()
        view.receive(batch.messages, batch.recorded)
        self._receive_writing(batch)
        questions = bench.state.asks(self._clock.now_ns())
        if questions:
            self.connection.ask(*questions)

    def _receive_writing(self, batch: Batch) -> None:
        """How far outputs are that this window asked for; their items are in the queue at once."""
        panel, there = self.write_panel, [m for m in batch.messages if isinstance(m, Written)]
        if not batch.health.connected:
            panel.writing.lost()
        if any([panel.writing.apply(message) for message in there]):
            self.annotate.bench.state.look_again()
        if there or panel.isVisible():
            panel.show_writing()

    def refresh(self) -> None:
        """Draw the state; parts that did not change are left alone."""
        now_ns = self._clock.now_ns()
        address = self._preferences.address or self._started_address
        self.strip.refresh(self.state, now_ns)
        self.live.refresh(self.state, self.heard, now_ns, address)
        self.status.show_items(status_items(self.state, now_ns))
        self.annotate.tick()
        self.model_desk.address = address
        self.model_desk.refresh()
        self.registry.enable("say.undo", self.state.undo_target() is not None)
        if self.state.backend is not None:
            self.episode_panel.set_shifts(self.state.backend.shifts)

    def _connected_to(self, address: str) -> Connection:
        try:
            connection = self._connect(address)
        except HitlError as error:
            self.settings.complain("address", str(error))
            connection = self._connect("")
        connection.ready.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self.live.cameras.sized.connect(connection.want_size)
        return connection

    def _take(self) -> None:
        self.receive(self.connection.take())

    # -- places, theme, settings ----------------------------------------------------------------------------------

    def show_place(self, command_id: str) -> None:
        """Show Live, Annotate, Models or Settings."""
        shown = {"view.settings": self.settings, "view.annotate": self.annotate, "view.models": self.models}
        if self.annotate.isVisible() and command_id != "view.annotate" or self.models.isVisible():
            self.whole.setFocus()  # else it would go to the box of corrections, and letters to the robot
        self.places.setCurrentWidget(shown.get(command_id, self.live))
        self.hints.follow()
        self.rail.show_place(command_id)
        self._use_keys()
        if command_id == "view.models":
            self.model_desk.show()

    def _show_correction(self, row_id: str) -> None:
        self.show_place("view.live")
        self.live.corrections.reveal(row_id)

    def _use_keys(self) -> None:
        """The commands of what is shown now have their keys."""
        now = self.places.currentWidget()
        names = {self.models: "models", self.settings: "settings", self.annotate: self.annotate.page_now()}
        self.registry.show_view(next((name for place, name in names.items() if place is now), "live"))

    def _focus_box(self) -> None:
        self.show_place("view.live")
        self.live.say.focus()

    def _show_keys(self) -> None:
        self.show_place("view.settings")
        QTimer.singleShot(0, self.settings.show_keys)

    def _show_hints(self) -> None:
        self.show_place("view.live")
        self.hints.start()

    def _hints_seen(self) -> None:
        self._preferences.hints_seen = True

    def _set(self, key: str, value: str | int | float) -> None:
        self._preferences.set(key, value)
        self.settings.reload()
        self._setting_changed(key)

    def _setting_changed(self, key: str) -> None:
        match key:
            case "theme" | "text_size":
                mode: Mode = self._preferences.theme
                self._theme.mode = mode
                self._theme.type = type(self._theme.type)(self._preferences.text_size)
                self._restyle()
            case "author":
                self.state.author = self._preferences.author
                self.annotate.work_as(self.state.author)
                self.model_desk.state.author = self.state.author
            case "hold_s":
                self.send(SetHold(**self._stamp(), hold_s=self._preferences.hold_s))
            case "address" | "recognizer_at":
                if key == "address":
                    self._reconnect()
                if self.voice is not None:
                    self.voice.change(self._preferences.ear_environment)
            case "talk" | "microphone" | "wake" | "narrate" | "sounds" | "aloud":
                self.heard.mode = self._preferences.talking.mode
                self.heard.narrating = self._preferences.narrates
                if self.voice is not None:
                    self.voice.ask(self._preferences.talking)
                self.refresh()

    def _reconnect(self) -> None:
        before = self.connection
        self.live.cameras.sized.disconnect(before.want_size)
        before.ready.disconnect(self._take)
        self._retired.append(before)
        threading.Thread(target=before.close, name="retire-link").start()
        self.state.link(connected=False, offset_ns=0, unsaved=self.state.unsaved, round_trip_ms=0.0)
        self.state.backend = self.state.robot = self.state.command = None
        self.connection = self._connected_to(self._preferences.address)
        self.connection.start()
        self.refresh()

    def _restyle(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            self._theme.apply(app)
        self.strip.restyle()
        self.live.restyle()
        self.annotate.restyle()
        self.models.restyle()
        for widget in self.findChildren(QWidget):
            widget.updateGeometry()
            widget.update()

    def _quit(self) -> None:
        self.close()

    def _keep_keys(self) -> None:
        self._preferences.keys = self.registry.changed_keys()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the hints beside what they point at."""
        super().resizeEvent(event)
        self.hints.follow()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember the window, write what was said, end the threads."""
        self._timer.stop()
        self.annotate.keep_text()
        self._preferences.keep_layout("annotate", self.annotate.layout_state())
        self._preferences.keep_layout("models", self.models.layout_state())
        self._preferences.remember("project", self.annotate.bench.state.project)
        self._preferences.geometry = self.saveGeometry()
        self._preferences.sync()
        if self.voice is not None:
            self.voice.close()
        self.annotate.recording.close_threads()
        self.connection.close()
        super().closeEvent(event)
