"""Talking: the button that is held, the level of the microphone, and a caption for everything that is heard."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QPushButton, QSizePolicy, QWidget

from gui.actions import Registry, keys_shown
from gui.commands import TALK
from gui.theme import GRID, Theme
from gui.voice_state import VoiceState
from gui.widgets.basics import ElidedLabel, column, label, restyle, row

_BARS = 9
NARRATING = "Narrating: words are recorded, not obeyed"


class Meter(QWidget):
    """How loud it is now, as bars; the last two are too loud."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._level, self._on, self._clipped = 0.0, False, False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Microphone level")

    def show_level(self, level: float, on: bool, clipped: bool) -> None:
        """level: 0 to 1; on: whether it is being listened to; clipped: whether the sound is cut off."""
        if (level, on, clipped) != (self._level, self._on, self._clipped):
            self._level, self._on, self._clipped = level, on, clipped
            self.setToolTip(
                "The microphone is turned up too far." if clipped else "How loud the microphone hears you."
            )
            self.update()

    def sizeHint(self) -> QSize:
        """Bars of four pixels."""
        return QSize(_BARS * 7, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for bar in range(_BARS):
            lit = self._level * _BARS > bar + 0.5
            height = 6 + 1.8 * bar
            colour = "warn" if lit and (self._clipped or bar >= _BARS - 1) else "accent" if lit and self._on else None
            painter.setBrush(self._theme.colour(colour or ("text_soft" if lit else "line")))
            painter.drawRoundedRect(QRectF(bar * 7, self.height() - height, 4, height), 1.5, 1.5)
        painter.end()


class TalkButton(QPushButton):
    """Held with the mouse as the key is held."""

    down = Signal()
    up = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """As the key's press."""
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.down.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """As its release."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.up.emit()


class TalkBar(QFrame):
    """One line above the text box, and another while narrating; without an ear it is not there."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("talkbar")
        self._registry = registry
        self.button = TalkButton()
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.setAccessibleName("Talk")
        self._meter = Meter(theme)
        self._caption = ElidedLabel("Caption of what is heard")
        self._caption.setObjectName("heard")
        self._narrating = label(NARRATING, "badge", name="Narrating")
        self._narrating.setObjectName("narrating")
        self._narrating.setToolTip("Stop words still stop. Settings, Talking, Narrate ends it.")
        self._device = label("", "caption", name="Microphone")
        layout = row(self.button, self._meter, self._caption, self._device, spacing=12)
        layout.setStretch(2, 1)
        whole = column(self._narrating, spacing=GRID, margins=(2 * GRID, 10, 2 * GRID, 0))
        whole.addLayout(layout)
        self.setLayout(whole)
        self.hide()

    def refresh(self, voice: VoiceState, now_ns: int) -> None:
        """Show the state of talking."""
        self.setVisible(voice.there)
        if not voice.there:
            return
        phase = voice.phase
        self.button.setText(self._button_text(voice))
        self.button.setEnabled(phase not in ("starting", "lost") and voice.mode != "hands-free")
        restyle(self.button, "on", phase == "listening")
        self._narrating.setVisible(voice.narrating)
        self._meter.show_level(voice.level if phase != "lost" else 0.0, phase == "listening", voice.clipped)
        text, tone = caption(voice, now_ns)
        self._caption.show_text(text)
        restyle(self._caption, "tone", tone)
        self._device.setText(voice.device if phase not in ("lost", "starting") else "")
        self._device.setToolTip(f"Hears by {voice.recognizer}." if voice.recognizer else "")

    def _button_text(self, voice: VoiceState) -> str:
        keys = keys_shown(self._registry.keys(TALK))
        if voice.mode == "hands-free":
            return "●  Hands-free"
        if voice.phase == "listening":
            return "●  Listening" if voice.mode == "hold" else f"●  Listening, {keys} ends"
        if voice.mode == "tap":
            return f"●  Tap {keys} to talk" if keys else "●  Tap to talk"
        return f"●  Hold {keys} to talk" if keys else "●  Hold to talk"


def caption(voice: VoiceState, now_ns: int) -> tuple[str, str]:
    """The line beside the button, and its tone."""
    if voice.phase == "lost":
        return f"No microphone: {voice.lost.removeprefix('microphone: ')}", "warn"
    if "recognizer" in voice.troubles:
        return f"Speech is not understood now: {voice.troubles['recognizer']}", "warn"
    if voice.phase == "starting":
        return "Looking for the microphone", "soft"
    shown = voice.shown(now_ns)
    if shown:
        if voice.partial or voice.kind == "words":
            return f"“{shown}”", ""
        return shown, "soft" if voice.kind == "note" else ""
    if voice.phase == "working":
        return "Understanding", "soft"
    if voice.phase == "listening":
        return "Speak now", "soft"
    if "stop words" in voice.troubles:
        return f"Stop words are not heard: {voice.troubles['stop words']}", "warn"
    return "“Stop” is heard at any time.", "soft"
