"""The window's end of an ear, which runs in a process of its own: what it tells reaches Qt by one queued signal.

Stop words do not wait for Qt: their callback runs in the thread that reads the ear, so that a busy window delays no
stop. The talk key is here too, since a shortcut knows only its press.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QComboBox

from gui.actions import Registry
from gui.commands import DICTATE, TALK
from hitl.speech.ear_messages import FromEar, Level, StopHeard, ToEar


class EarLike(Protocol):
    """What the window needs of `hitl.speech.ear_process.EarProcess`."""

    def start(self) -> None: ...
    def ask(self, message: ToEar) -> None: ...
    def change(self, environment: Mapping[str, str]) -> None: ...
    def close(self) -> None: ...


OpenEar = Callable[[Callable[[FromEar], None]], EarLike]


class Voice(QObject):
    """`stopped` is called at once, from another thread; everything is in `take`, of levels only the newest."""

    ready = Signal()

    def __init__(self, open_ear: OpenEar, stopped: Callable[[StopHeard], None]) -> None:
        super().__init__()
        self._stopped = stopped
        self._lock = threading.Lock()
        self._told: list[FromEar] = []
        self._pending = False
        self._ear = open_ear(self._tell)

    def start(self) -> None:
        """Begin to listen."""
        self._ear.start()

    def ask(self, message: ToEar) -> None:
        """Tell the ear."""
        self._ear.ask(message)

    def change(self, environment: Mapping[str, str]) -> None:
        """From now on the ear's process has these variables; where that is new, it is started anew."""
        self._ear.change(environment)

    def take(self) -> list[FromEar]:
        """All that was told since the last call."""
        with self._lock:
            told, self._told = self._told, []
            self._pending = False
            return told

    def close(self) -> None:
        """End the ear."""
        self._ear.close()

    def _tell(self, message: FromEar) -> None:
        if isinstance(message, StopHeard):
            self._stopped(message)
        with self._lock:
            if isinstance(message, Level):
                self._told = [told for told in self._told if not isinstance(told, Level)]
            self._told.append(message)
            tell, self._pending = not self._pending, True
        if tell:
            self.ready.emit()


class TalkKey(QObject):
    """The talk key goes down and up. A press comes as the command's shortcut, its release is seen here.

    A letter or a blank belongs to the text box while it has the focus, and to a button that was reached by Tab.
    """

    pressed = Signal()
    released = Signal()

    def __init__(self, parent: QObject, registry: Registry) -> None:
        super().__init__(parent)
        self._registry = registry
        self._down = False
        self.last = TALK
        """The command by which it went down last: what is said is for the robot, or for a text field."""
        for command_id in (TALK, DICTATE):
            registry.on(command_id, partial(self.press, command_id))
        app = QGuiApplication.instance()
        if app is not None:
            app.installEventFilter(self)

    def press(self, command_id: str = TALK) -> None:
        """The key, or the button on the screen, goes down."""
        if not self._down:
            self._down, self.last = True, command_id
            self.pressed.emit()

    def release(self) -> None:
        """It goes up."""
        if self._down:
            self._down = False
            self.released.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice the release, and windows that go away with the key still down."""
        kind = event.type()
        if kind == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent) and not event.isAutoRepeat():
            if self._down and self._is_key(event):
                self.release()
        elif kind in (QEvent.Type.ApplicationDeactivate, QEvent.Type.WindowDeactivate):
            self.release()
        elif kind == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_key(event):
            if isinstance(watched, QAbstractButton | QComboBox | QAbstractItemView):
                event.accept()
                return True
        return False

    def _is_key(self, event: QKeyEvent) -> bool:
        pressed = QKeySequence(event.key())
        every = [QKeySequence(self._registry.keys(command_id)) for command_id in (TALK, DICTATE)]
        return any(
            keys.matches(pressed) == QKeySequence.SequenceMatch.ExactMatch for keys in every if not keys.isEmpty()
        )
