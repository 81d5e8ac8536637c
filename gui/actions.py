"""Every command of the window, registered once: menus, shortcuts, the palette and buttons share these QActions.

What a command does is connected by its owner with `Registry.on`. Escape is never given away: it asks the robot to stop
from every widget and popup (see `StopKey`), so STOP keeps its key whatever else is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence

from hitl.clock import Clock, SystemClock
from hitl.errors import InputError

STOP = "robot.stop"
_REPEAT_NS = 50_000_000
"""One press reaches several objects (window, popup, widget); within 50 ms they are one request."""


@dataclass(frozen=True)
class Command:
    """One command: its id, the menu it is in, its words, its keys (QKeySequence portable text) and its tooltip."""

    id: str
    menu: str
    text: str
    keys: str
    tip: str


COMMANDS: tuple[Command, ...] = (
    Command(STOP, "Robot", "Stop the robot", "Esc",
            "Asks the robot to stop and to stay stopped until you resume. This is a stop request by software, "
            "not a certified emergency stop."),
    Command("robot.resume", "Robot", "Resume", "Ctrl+R", "Lets the stopped robot move again."),
    Command("robot.release", "Robot", "Release to the policy", "Ctrl+G",
            "Ends the running correction, so that the policy chooses again."),
    Command("robot.new_episode", "Robot", "New episode…", "Ctrl+N", "Ends this episode and begins another."),
    Command("say.talk", "Correct", "Talk", "Space",
            "Hold it while you speak, or tap it before and after, as the settings say."),
    Command("say.focus", "Correct", "Write a correction", "/", "Goes to the text box."),
    *(Command(f"say.choose{n}", "Correct", f"Take alternative {n}", str(n),
              f"Sends the policy's alternative {n} as your correction.") for n in range(1, 6)),
    Command("say.undo", "Correct", "Undo the last correction", "Ctrl+Z",
            "Takes the last correction back: it stops acting and is no example for learning."),
    Command("view.live", "View", "Live", "Ctrl+1", "Shows the robot and what it does."),
    Command("view.settings", "View", "Settings", "Ctrl+5", "Shows the settings and the keys."),
    Command("view.palette", "View", "Command palette…", "Ctrl+Shift+P", "Finds any command by its name."),
    Command("theme.system", "View", "Theme: as the system", "", "Follows the colours of the desktop."),
    Command("theme.light", "View", "Theme: light", "", "Dark text on light."),
    Command("theme.dark", "View", "Theme: dark", "", "Light text on dark."),
    Command("text.bigger", "View", "Larger text", "Ctrl+=", "Makes all text one point larger."),
    Command("text.smaller", "View", "Smaller text", "Ctrl+-", "Makes all text one point smaller."),
    Command("text.reset", "View", "Normal text size", "Ctrl+0", "Makes all text 13 pt."),
    Command("view.fullscreen", "View", "Full screen", "F11", "Fills the screen, or returns from it."),
    Command("help.hints", "Help", "Show the hints again", "", "Points at the text box, the alternatives and STOP."),
    Command("help.keys", "Help", "Keys", "F1", "Lists every command with its key."),
    Command("app.quit", "Help", "Quit", "Ctrl+Q", "Closes the window. What is not yet saved is kept and sent later."),
)  # fmt: skip

MENUS = tuple(dict.fromkeys(command.menu for command in COMMANDS))


def keys_shown(keys: str) -> str:
    """Keys as this desktop writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


class Registry(QObject):
    """Owns one QAction for every entry of COMMANDS."""

    changed = Signal()
    """Keys changed."""

    def __init__(self, parent: QObject | None = None, keys: dict[str, str] | None = None) -> None:
        super().__init__(parent)
        self._commands = {command.id: command for command in COMMANDS}
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.text, self)
            action.setObjectName(command.id)
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setAutoRepeat(False)
            self._actions[command.id] = action
            self._give_keys(command, (keys or {}).get(command.id, command.keys))

    def action(self, command_id: str) -> QAction:
        """The QAction of a command; KeyError for an unknown id."""
        return self._actions[command_id]

    def on(self, command_id: str, run: Callable[[], None]) -> None:
        """Call `run` when the command is triggered from anywhere."""
        self._actions[command_id].triggered.connect(lambda _checked=False: run())

    def trigger(self, command_id: str) -> None:
        """Run a command as its key would."""
        self._actions[command_id].trigger()

    def enable(self, command_id: str, enabled: bool) -> None:
        """Enable or disable a command everywhere at once."""
        if self._actions[command_id].isEnabled() != enabled:
            self._actions[command_id].setEnabled(enabled)

    def keys(self, command_id: str) -> str:
        """The keys of a command as portable text, empty if it has none."""
        return self._actions[command_id].shortcut().toString(QKeySequence.SequenceFormat.PortableText)

    def set_keys(self, command_id: str, keys: str) -> None:
        """Give a command other keys. InputError if they are taken, or if the command is STOP."""
        if command_id == STOP:
            raise InputError("Escape always stops the robot", field=command_id, hint="It cannot be changed.")
        wanted = QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)
        for other in self._commands:
            if wanted and other != command_id and self.keys(other) == wanted:
                taken_by = self._commands[other].text
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
