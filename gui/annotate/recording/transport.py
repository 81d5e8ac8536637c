"""The bar between pictures and track: play and pause, where the playhead is, how fast, what has begun, zoom."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QWidget

from gui.actions import Registry
from gui.annotate.recording.playhead import Playhead
from gui.annotate.times import time_words
from gui.theme import GRID
from gui.widgets.basics import ElidedLabel, command_button, label, restyle, row


class Transport(QFrame):
    """Its buttons are commands."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("transport")
        self._action = registry.action("play.toggle")
        self._play = command_button(self._action, "", "small", show_keys=True)
        self._time = label("", "strong", name="Playhead")
        self._words = ElidedLabel("What happens")
        names = (("track.zoom_out", "−"), ("track.zoom_in", "+"), ("track.fit", "All"))
        zoom = [command_button(registry.action(name), words, "quiet") for name, words in names]
        for button in (self._play, *zoom):
            button.setFocusPolicy(self._play.focusPolicy().TabFocus)
        zooms = QWidget()
        zooms.setLayout(row(*zoom, spacing=0))
        layout = row(self._play, self._time, self._words, zooms, spacing=GRID, margins=(2 * GRID, 4, GRID, 4))
        layout.setStretch(2, 1)
        self.setLayout(layout)

    def show_playhead(self, head: Playhead, words: str, tone: str = "") -> None:
        """Show where it is. words: what is to be told; tone: accent or warn."""
        text = "Pause" if head.playing else "Play"
        if self._action.text() != text:
            self._action.setText(text)  # the button, the menu and the palette follow
        self._play.setMinimumWidth(max(self._play.minimumWidth(), self._play.sizeHint().width()))
        self._time.setText(time_words(head.ms))
        parts = [f"of {time_words(head.duration_ms)}", f"{head.speed:g}×" if head.speed != 1 else "", words]
        self._words.show_text(" · ".join(part for part in (parts if tone != "accent" else parts[1:]) if part))
        restyle(self._words, "tone", tone)

    def restyle(self) -> None:
        """Take over the theme's type."""
        self._play.setMinimumWidth(0)

    def text(self) -> str:
        """All that is said."""
        return " ".join(part.text() for part in (self._time, self._words) if part.text())
