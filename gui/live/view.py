"""The Live view: cameras, what the robot does, how to change it, and what was changed."""

from __future__ import annotations

from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.actions import Registry
from gui.live.cameras import CameraGrid
from gui.live.command_panel import CommandPanel
from gui.live.corrections import Corrections
from gui.live.say import SayBar
from gui.live.talk import TalkBar
from gui.notices import trouble_notice, waiting_notice
from gui.state import LiveState, Notice
from gui.theme import GRID, Theme
from gui.voice_state import VoiceState
from gui.widgets.basics import column, restyle, row
from gui.widgets.hints import Hint
from gui.widgets.notice import NoticeBar, WaitingPage


class LiveView(QWidget):
    """Puts the parts together and gives each its share of the state."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("page")
        self.cameras = CameraGrid(theme)
        self.waiting = WaitingPage(theme, "robot")
        self.notice = NoticeBar()
        self.command = CommandPanel(theme, registry)
        self.talk = TalkBar(theme, registry)
        self.say = SayBar(registry)
        self.corrections = Corrections(theme, registry)
        self._theme = theme
        room = QWidget()
        room.setLayout(column(self.cameras, margins=(GRID, GRID, GRID, GRID)))
        self._stack = QStackedWidget()
        self._stack.addWidget(room)
        self._stack.addWidget(self.waiting)
        middle = QWidget()
        layout = column(self.notice, self._stack, self.command, self.talk, self.say, spacing=0)
        layout.setStretch(1, 1)
        middle.setLayout(layout)
        whole = row(middle, self.corrections, spacing=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)
        self.restyle()

    def restyle(self) -> None:
        """Take over the theme's type: the list is as wide as about 30 letters."""
        self.corrections.setFixedWidth(230 + 7 * self._theme.type.body)

    def first_hints(self, stop: QWidget) -> tuple[Hint, ...]:
        """What somebody should know who sees this for the first time. stop: the button."""
        return (
            Hint(
                "Write here what the robot should do instead. The key / brings you here from anywhere, Enter sends.",
                lambda: self.say.box,
            ),
            Hint(
                "What the policy would do next. The keys 1 to 5 send one of them as your correction.",
                lambda: self.command.choices.buttons[0],
            ),
            Hint(
                "STOP, or Escape from anywhere, asks the robot to stop. It stays still until you resume.",
                lambda: stop,
                above=False,
            ),
        )

    def refresh(self, state: LiveState, voice: VoiceState, now_ns: int, address: str) -> None:
        """Show the state."""
        waiting = waiting_notice(state, now_ns, address)
        if waiting is not None and not (self.cameras.cameras() and state.backend is not None):
            self.waiting.show_notice(waiting)
            self._stack.setCurrentIndex(1)
        elif self.cameras.cameras():
            self._stack.setCurrentIndex(0)
        else:
            self.waiting.show_notice(Notice("Waiting for the first picture.", "The robot is there."))
            self._stack.setCurrentIndex(1)
        self.notice.show_notice(trouble_notice(state, now_ns))
        self.cameras.age(now_ns)
        self.command.refresh(state, now_ns)
        self.talk.refresh(voice, now_ns)
        restyle(self.say, "joined", voice.there)
        self.corrections.refresh(state, now_ns)
        self.say.set_bank(state.bank)
