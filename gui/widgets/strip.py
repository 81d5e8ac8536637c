"""The title strip: what runs, for how long, how far it is; and STOP, at the same place in every view."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QPushButton, QWidget

from gui.actions import Registry
from gui.commands import STOP
from gui.notices import clock_text
from gui.state import LiveState
from gui.theme import GRID, Theme
from gui.widgets.basics import command_button, label, restyle, row
from gui.widgets.icons import icon


class Stages(QWidget):
    """The stages of the task as small steps, the reached ones filled."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._stage, self._stages = 0, 0

    def set_stage(self, stage: int, stages: int) -> None:
        """Show `stage` of `stages`."""
        if (stage, stages) != (self._stage, self._stages):
            self._stage, self._stages = stage, stages
            self.setAccessibleName(f"Stage {stage} of {stages}")
            self.setToolTip(f"{stage} of {stages} stages reached")
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """One step is 20 pixels wide."""
        return QSize(self._stages * 20, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the steps."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for place in range(self._stages):
            painter.setBrush(self._theme.colour("good" if place < self._stage else "line_strong"))
            painter.drawRoundedRect(QRectF(place * 20, self.height() / 2 - 2.5, 16, 5), 2.5, 2.5)
        painter.end()


class Strip(QFrame):
    """Task, episode, time, recording; New episode, Resume, STOP. `stop_pressed` comes with the press."""

    stop_pressed = Signal()

    def __init__(self, registry: Registry, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._registry = registry
        self.setObjectName("strip")
        self.setAccessibleName("Title strip")
        self._task = label("hitl", "strong", name="Task")
        self._episode = label("", "soft", name="Episode and time")
        self._stages = Stages(theme)
        self._recording = label("", "caption", name="Recording")
        self._state = label("", "strong", name="State of the robot")
        self.new_episode = command_button(registry.action("robot.new_episode"), "New episode")
        self._resume = command_button(registry.action("robot.resume"), "Resume", "primary", show_keys=True)
        self.stop = QPushButton()
        self.stop.setProperty("kind", "stop")
        self.stop.setText(" STOP   Esc")
        self.stop.setToolTip(registry.action(STOP).toolTip())
        self.stop.setAccessibleName("Stop the robot")
        self.stop.setAccessibleDescription(registry.action(STOP).statusTip())
        self.stop.pressed.connect(self.stop_pressed)
        items = (self._task, self._episode, self._stages, None, self._state, self._recording, self.new_episode,
                 self._resume, self.stop)  # fmt: skip
        self.setLayout(row(*items, spacing=2 * GRID, margins=(2 * GRID, GRID, GRID, GRID)))
        self.restyle()

    def restyle(self) -> None:
        """Take over the theme's colours."""
        self.stop.setIconSize(QSize(18, 18))
        self.stop.setIcon(icon("stop", self._theme.colour("on_danger"), 18))
        self._resume.setIcon(icon("resume", self._theme.colour("on_accent"), 18))

    def refresh(self, state: LiveState, now_ns: int) -> None:
        """Show the state."""
        phase = state.phase(now_ns)
        task = state.robot.task if state.robot else None
        self._task.setText(task.name if task else "hitl")
        self._stages.set_stage(task.stage if task else 0, task.stages if task else 0)
        there = state.backend is not None and state.backend.episode != ""
        if there and state.backend is not None:
            since = clock_text(state.episode_now_ns(now_ns))
            self._episode.setText(f"{_episode_words(state.backend.episode)} · {since}")
        else:
            self._episode.setText("")
        recording = bool(state.backend and state.backend.recording and state.connected)
        failed = bool(state.backend and state.backend.recording_error and state.connected)
        self._recording.setText("Recording failed" if failed else "● Recording" if recording else "")
        restyle(self._recording, "tone", "danger" if failed else "")
        words = {"stopped": "Stopped", "fault": "Fault", "paused": "Paused", "offline": "No backend",
                 "robot_stale": "No robot"}  # fmt: skip
        self._state.setText("Stop requested" if state.stop_asked else words.get(phase, ""))
        restyle(self._state, "tone", "danger" if state.stopped and not state.paused else "warn")
        can_resume = state.stopped and state.stop_asked is None and state.connected
        self._registry.enable("robot.new_episode", phase not in ("offline", "starting", "no_robot"))
        self._registry.enable("robot.resume", can_resume)
        self._resume.setVisible(can_resume)


def _episode_words(episode: str) -> str:
    """A short name of an episode: the number at its end if it has one, else its last six letters."""
    tail = episode.rsplit("-", 1)[-1].rsplit("/", 1)[-1]
    return f"episode {int(tail)}" if tail.isdigit() else f"episode {tail[-6:]}"
