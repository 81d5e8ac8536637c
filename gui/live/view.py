"""The Live view: cameras, what the robot does, how to change it, and what was changed."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

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
from gui.widgets.basics import column, label, restyle, row
from gui.widgets.icons import pixmap


class NoticeBar(QFrame):
    """One line above the cameras for what is wrong now; empty, it takes no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notice")
        self._text = ""
        self._words = label("", wrap=True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self.setLayout(row(self._words, margins=(2 * GRID, 8, 2 * GRID, 8)))
        self.hide()

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice, or none."""
        if notice is not None:
            restyle(self, "tone", notice.tone)
        text = f"{notice.title} {notice.detail}".strip() if notice is not None else ""
        if notice is not None and text != self._text:
            self._words.setText(f"<b>{escape(notice.title)}</b>&nbsp; {escape(notice.detail)}")
            self.setAccessibleName(text)
        self._text = text
        self.setVisible(notice is not None)

    def text(self) -> str:
        """What is said now; empty if nothing."""
        return self._text


class WaitingPage(QWidget):
    """What the window waits for, where the cameras will be."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._icon = label()
        self._title = label("", "strong", name="What the window waits for")
        self._detail = label("", "soft", wrap=True)
        self._detail.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._detail.setFixedWidth(520)
        layout = column(None, self._icon, self._title, self._detail, None, spacing=GRID)
        for item in (self._icon, self._title, self._detail):
            layout.setAlignment(item, Qt.AlignmentFlag.AlignHCenter)
        self.setLayout(layout)

    def show_notice(self, notice: Notice) -> None:
        """Show why there are no pictures."""
        if self._title.text() != notice.title or self._detail.text() != notice.detail:
            self._title.setText(notice.title)
            self._detail.setText(notice.detail)
            self._detail.setFixedHeight(self._detail.heightForWidth(self._detail.width()))
            restyle(self._title, "tone", "danger" if notice.tone == "danger" else "")
        self._icon.setPixmap(pixmap("robot", self._theme.colour("line_strong"), 56, self.devicePixelRatioF()))

    def text(self) -> str:
        """What is said now."""
        return f"{self._title.text()} {self._detail.text()}"


class LiveView(QWidget):
    """Puts the parts together and gives each its share of the state."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("page")
        self.cameras = CameraGrid(theme)
        self.waiting = WaitingPage(theme)
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
