"""Every command of the window, registered once: menus, shortcuts, the palette and buttons share these QActions.

What a command does is connected by its owner with `Registry.on`. Escape is never given away: it asks the robot to stop
from every widget and popup (see `StopKey`), so STOP keeps its key whatever else is changed.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence

from gui.commands import COMMANDS, MARK, RECORDING, STOP, Command
from hitl.clock import Clock, SystemClock
from hitl.errors import InputError

REPEATING = frozenset(
    entry.id for entry in COMMANDS
    if (entry.views == MARK and entry.keys.endswith(("Left", "Right"))) or entry.id.endswith("_picture")
)  # fmt: skip
"""Moves by words, characters and pictures go on while their key is held; everything else happens once a press."""
_REPEAT_NS = 50_000_000
"""One press reaches several objects (window, popup, widget); within 50 ms they are one request."""


def keys_shown(keys: str) -> str:
    """Keys as this desktop writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText).replace("Return", "Enter")


class Registry(QObject):
    """Owns one QAction for every entry of COMMANDS."""

    changed = Signal()
    """Keys changed."""

    def __init__(self, parent: QObject | None = None, keys: dict[str, str] | None = None) -> None:
        super().__init__(parent)
        self._commands = {command.id: command for command in COMMANDS}
        self._actions: dict[str, QAction] = {}
        self._off: set[str] = set()
        self._view = "live"
        for command in COMMANDS:
            action = QAction(command.text, self)
            action.setObjectName(command.id)
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setAutoRepeat(command.id in REPEATING)
            self._actions[command.id] = action
            self._give_keys(command, (keys or {}).get(command.id, command.keys))
        self.show_view(self._view)

    def action(self, command_id: str) -> QAction:
        """The QAction of a command; KeyError for an unknown id."""
        return self._actions[command_id]

    def on(self, command_id: str, run: Callable[[], object]) -> None:
        """Call `run` when the command is triggered from anywhere."""
        self._actions[command_id].triggered.connect(lambda _checked=False: run())

    def trigger(self, command_id: str) -> None:
        """Run a command as its key would."""
        self._actions[command_id].trigger()

    def enable(self, command_id: str, enabled: bool) -> None:
        """Enable or disable a command everywhere at once; outside of its views it stays disabled."""
        if enabled:
            self._off.discard(command_id)
        else:
            self._off.add(command_id)
        self._update(command_id)

    def show_view(self, view: str) -> None:
        """This view is shown now: its commands have their keys, and those of others have none."""
        self._view = view
        for command_id, command in self._commands.items():
            self._update(command_id)
            if command.on_time:
                text = command.on_time if view in RECORDING else command.text
                if self._actions[command_id].text() != text:
                    self._actions[command_id].setText(text)

    def _update(self, command_id: str) -> None:
        views = self._commands[command_id].views
        enabled = command_id not in self._off and (not views or self._view in views)
        if self._actions[command_id].isEnabled() != enabled:
            self._actions[command_id].setEnabled(enabled)

    def keys(self, command_id: str) -> str:
        """The keys of a command as portable text, empty if it has none."""
        return self._actions[command_id].shortcut().toString(QKeySequence.SequenceFormat.PortableText)

    def set_keys(self, command_id: str, keys: str) -> None:
        """Give a command other keys. InputError if they are taken in one of its views, or if the command is STOP."""
        if command_id == STOP:
            raise InputError("Escape always stops the robot", field=command_id, hint="It cannot be changed.")
        wanted = QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)
        changing = self._commands[command_id]
        if len(wanted) == 1 and wanted.isalnum() and (not changing.views or set(MARK) & set(changing.views)):
            raise InputError(
                f"{keys_shown(keys)} may mark a category", field=command_id, hint="Letters and digits are for those."
            )
        for other, command in self._commands.items():
            if wanted and other != command_id and self.keys(other) == wanted and command.meets(changing):
                taken_by = command.text
                raise InputError(
                    f"{keys_shown(keys)} is taken by “{taken_by}”", field=command_id, hint="Choose other keys."
                )
        self._give_keys(self._commands[command_id], wanted)
        self.changed.emit()

    def changed_keys(self) -> dict[str, str]:
        """Keys that differ from the defaults, by command id."""
        return {c.id: self.keys(c.id) for c in COMMANDS if QKeySequence(c.keys) != self._actions[c.id].shortcut()}

    def _give_keys(self, command: Command, keys: str) -> None:
        action = self._actions[command.id]
        action.setShortcut(QKeySequence(keys))
        shown = f"{command.tip} ({keys_shown(keys)})" if keys else command.tip
        action.setToolTip(f"<p>{shown}</p>")
        action.setStatusTip(command.tip)


class StopKey(QObject):
    """Sees every Escape of the application before any widget does, and asks for a stop once per press.

    The event goes on, so Escape also closes a popup or leaves the text box.
    """

    pressed = Signal()

    def __init__(self, parent: QObject, clock: Clock | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._last_ns = -_REPEAT_NS
        app = QGuiApplication.instance()
        if app is not None:
            app.installEventFilter(self)

    def request(self) -> None:
        """Ask for a stop, unless the same press already did."""
        if self._clock.now_ns() - self._last_ns >= _REPEAT_NS:
            self.pressed.emit()
            self._last_ns = self._clock.now_ns()  # from the end, since the same press may wait behind its own answer

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice Escape; never consume it."""
        if event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress) and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and not event.isAutoRepeat():
                self.request()
        return False
