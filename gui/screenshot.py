"""Pictures of every view with sample data, for README, review and tests: `hitl screenshot VIEW --out FILE`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import shiboken6
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from gui import samples
from gui.annotate import poses, recording_poses
from gui.app import application, display_available
from gui.connection import Connection
from gui.main_window import MainWindow
from gui.models import poses as model_poses
from gui.models import samples as model_samples
from gui.notices import answer_words
from gui.preferences import Preferences
from gui.settings.device_box import DeviceBox
from gui.theme import Theme, checked_mode, checked_text_size
from hitl.annotation_messages import Written
from hitl.clock import ManualClock
from hitl.errors import InputError, StorageError
from hitl.messages import CommandStatus, CorrectionStatus
from hitl.speech.ear_messages import Began, DeviceHere, DeviceLost, FromEar, Level, Partial, Ready

DEFAULT_SIZE = (1280, 800)
_S = 1_000_000_000
SMALLEST = (960, 640)
LARGEST = (7680, 4320)
_Pose = Callable[[MainWindow], None]


def _running(window: MainWindow) -> None:
    window.receive(samples.batch(samples.backend(), samples.robot(), samples.policy_command()))


def _understood(window: MainWindow) -> None:
    rows = [*samples.corrections(), samples.acting()]
    window.receive(samples.batch(samples.backend(), samples.robot(), samples.person_command(), rows=rows))


def _next_words(window: MainWindow) -> None:
    rows = [*samples.corrections(), samples.acting("done")]
    window.receive(samples.batch(samples.backend(), samples.robot(), samples.person_command(), rows=rows))


def _waiting(window: MainWindow) -> None:
    window.receive(samples.batch(connected=False, picture_age_ns=None))


def _kept(window: MainWindow) -> None:
    window.receive(samples.batch(connected=False, picture_age_ns=None, unsaved=1))
    window.correct("pick up the red block", "typed")


def _no_robot(window: MainWindow) -> None:
    status = samples.backend(robot="missing", robot_name="", waiting_for="the robot node", episode="")
    window.receive(samples.batch(status, rows=[], picture_age_ns=None))


def _stopped(window: MainWindow) -> None:
    window.receive(samples.batch(samples.backend(), samples.robot("stopped", "a person pressed STOP"),
                                 samples.policy_command()))  # fmt: skip


def _paused(window: MainWindow) -> None:
    window.receive(samples.batch(samples.backend(), samples.robot("paused", "Ada said 'wait'"),
                                 samples.policy_command()))  # fmt: skip


def _empty(window: MainWindow) -> None:
    window.receive(samples.batch(samples.backend(episode="episode-1", episode_ns=4 * _S, session_ns=4 * _S),
                                 samples.robot(), samples.policy_command(), rows=[]))  # fmt: skip


def _lost(window: MainWindow) -> None:
    _understood(window)
    window.receive(samples.batch(connected=False, unsaved=1, picture_age_ns=2_400_000_000))
    window.correct("go higher", "typed")


def _fault(window: MainWindow) -> None:
    window.receive(samples.batch(
        samples.backend(recording_error="The disk is full. What was acknowledged is safe."),
        samples.robot("fault", "Joint 3 of the left arm left its limits."), samples.policy_command()))  # fmt: skip


def _refused(window: MainWindow) -> None:
    _running(window)
    window.live.say.box.setText("move the\x07 left arm up")
    window.live.say.send()


def _hints(window: MainWindow) -> None:
    _empty(window)
    window.hints.start()


def _stop_hint(window: MainWindow) -> None:
    _hints(window)
    window.hints.advance()
    window.hints.advance()


def _heard(window: MainWindow, *messages: FromEar) -> None:
    for message in messages:
        window.heard.apply(message, samples.NOW_NS)


def _listening(window: MainWindow) -> None:
    _running(window)
    _heard(window, Began(number=1, stamp_ns=samples.NOW_NS), Level(db=-24.0, clipped=0.0, speech=0.1))


def _partial(window: MainWindow) -> None:
    _listening(window)
    _heard(window, Partial(number=1, text="nudge it left a"), Level(db=-17.0, clipped=0.0, speech=0.9))


def _spoken(window: MainWindow) -> None:
    _understood(window)
    window.heard.say(answer_words(samples.acting()), samples.NOW_NS, "answer")


def _status(window: MainWindow, status: CorrectionStatus) -> None:
    window.receive(samples.batch(samples.robot(), samples.backend(), samples.policy_command(), status))


def _asking(window: MainWindow) -> None:
    _status(window, samples.asked())
    window.heard.say(answer_words(samples.asked()), samples.NOW_NS, "answer")


def _doubt(window: MainWindow, command: CommandStatus) -> None:
    window.receive(samples.batch(samples.backend(), samples.robot()))
    window.state.apply(command, samples.NOW_NS - _S)  # it has been asked for a second
    window.receive(samples.batch(samples.backend(), samples.robot(), command))


def _unsure(window: MainWindow) -> None:
    _doubt(window, samples.unsure_command())


def _repeats(window: MainWindow) -> None:
    _doubt(window, samples.unsure_command("pick up the blue ball", 3))


def _undone(window: MainWindow) -> None:
    _status(window, samples.acting("undone"))
    window.heard.say(f"Taken back: “{samples.acting().text}”", samples.NOW_NS, "answer")


def _ignored(window: MainWindow) -> None:
    _status(window, samples.ignored())
    window.heard.say(answer_words(samples.ignored()), samples.NOW_NS, "note")


def _narrating(window: MainWindow) -> None:
    _running(window)
    window.heard.narrating = True
    window.heard.say("put it in the box", samples.NOW_NS, "words")


def _deaf(window: MainWindow) -> None:
    _running(window)
    why = "“USB microphone” is not there. Plug it in, or choose another one. Typing keeps working."
    _heard(window, DeviceLost(device="USB microphone", why=why))


def _palette(window: MainWindow) -> None:
    _running(window)
    window.registry.trigger("view.palette")


def _episode(window: MainWindow) -> None:
    _running(window)
    window.registry.trigger("robot.new_episode")


def _settings(window: MainWindow) -> None:
    _running(window)
    window.registry.trigger("view.settings")


def _microphone(window: MainWindow) -> None:
    _settings(window)
    box = window.settings.findChild(DeviceBox)
    assert box is not None
    window.settings.show_devices([*samples.MICROPHONES, samples.HEADSET])
    box.setCurrentIndex(box.findData(samples.HEADSET))
    box.activated.emit(box.currentIndex())
    window.settings.show_devices(samples.MICROPHONES)


def _keys(window: MainWindow) -> None:
    _running(window)
    window.registry.trigger("help.keys")


def _annotating(pose: poses.Pose) -> _Pose:
    def bring(window: MainWindow) -> None:
        _running(window)
        window.registry.trigger("view.annotate")
        window.annotate.bench.state.link(False)  # what `_running` made of the link is over: the pose answers instead
        pose(window.annotate)

    return bring


def _writing(window: MainWindow) -> None:
    _annotating(poses.VIEWS["annotate"][1])(window)
    window.registry.trigger("project.write")
    panel = window.write_panel
    panel.prompts.setPlainText(
        "How high is the lighthouse at Port Ellery?\nWho kept it?\nWhen did the last keeper leave?"
    )
    wish = panel.writing.begin("sample", panel.prompts.toPlainText(), 4)
    of = len(wish.prompts)
    for told in (
        Written(id=wish.id, project=wish.project, done=1, of=of, item="new"),
        Written(id=wish.id, project=wish.project, done=1, of=of, texts=["It was kept by four families, who"]),
    ):
        panel.writing.apply(told)
    panel.show_writing()


def _modelling(pose: model_poses.Pose) -> _Pose:
    def bring(window: MainWindow) -> None:
        _running(window)
        window.registry.trigger("view.models")
        pose(window.model_desk)

    return bring


def _learned(window: MainWindow) -> None:
    _understood(window)
    model_poses.settle(window.model_desk, model_samples.models())
    window.receive(samples.batch(samples.teach_nothing()))


def _taken_over(window: MainWindow) -> None:
    _understood(window)
    model_poses.settle(window.model_desk, model_samples.before_the_last(), model_samples.learned())


def _not_promoted(window: MainWindow) -> None:
    _understood(window)
    model_poses.settle(window.model_desk, model_samples.models(), model_samples.learned(promoted=False))


VIEWS: dict[str, tuple[str, _Pose]] = {
    "live": ("the policy works", _running),
    "live-understood": ("a correction acts, understood as a known command", _understood),
    "live-next-words": ("a correction is done, and the robot waits for more words", _next_words),
    "live-waiting": ("there is no backend yet", _waiting),
    "live-kept": ("a correction written before the backend is there", _kept),
    "live-no-robot": ("the backend waits for the robot", _no_robot),
    "live-stopped": ("the robot was stopped", _stopped),
    "live-paused": ("words stopped the robot", _paused),
    "live-empty": ("nothing is corrected yet", _empty),
    "live-lost": ("the backend went away in mid-session", _lost),
    "live-fault": ("the robot reports a fault, the disk is full", _fault),
    "live-refused": ("text that cannot be sent", _refused),
    "live-hints": ("the first hint", _hints),
    "live-stop-hint": ("the last hint", _stop_hint),
    "live-episode": ("a new episode is about to begin", _episode),
    "live-listening": ("the talk key is held", _listening),
    "live-partial": ("words are heard while they are said", _partial),
    "live-spoken": ("spoken words act, understood as a known command", _spoken),
    "live-asking": ("spoken words may mean two things", _asking),
    "live-unsure": ("the policy asks which of two commands is right", _unsure),
    "live-repeats": ("the policy asks, since what it tries has no effect", _repeats),
    "live-undone": ("“scratch that” took a correction back", _undone),
    "live-ignored": ("spoken words that are no command", _ignored),
    "live-narrating": ("words are recorded for training and not obeyed", _narrating),
    "live-learned": ("what was learned from the corrections", _learned),
    "live-taken-over": ("a new version has just taken over", _taken_over),
    "live-not-promoted": ("the gate refused a new version", _not_promoted),
    "live-deaf": ("the microphone is gone", _deaf),
    **{name: (what, _annotating(pose)) for name, (what, pose) in (poses.VIEWS | recording_poses.VIEWS).items()},
    "annotate-writing": ("outputs are being written", _writing),
    **{name: (what, _modelling(pose)) for name, (what, pose) in model_poses.VIEWS.items()},
    "palette": ("the command palette", _palette),
    "settings": ("the settings", _settings),
    "settings-microphone": ("the microphone that was chosen is away", _microphone),
    "keys": ("the keys, in the settings", _keys),
}
"""Every view: its name, what it shows, and how to bring the window there."""


def main(view: str, out: Path, theme: str = "light", size: tuple[int, int] = DEFAULT_SIZE, text_size: int = 13) -> int:
    """Draw `view` with sample data into the PNG or JPEG file `out`; returns 0.

    size: width, height in pixels. Raises InputError for an unknown view, theme or size; StorageError if `out` cannot
    be written.
    """
    width, height = size
    if not (SMALLEST[0] <= width <= LARGEST[0] and SMALLEST[1] <= height <= LARGEST[1]):
        raise InputError(f"{width}x{height} is out of range", field="size",
                         hint=f"Use {SMALLEST[0]}x{SMALLEST[1]} to {LARGEST[0]}x{LARGEST[1]}.")  # fmt: skip
    if view not in VIEWS:
        raise InputError(f"{view!r} is no view", field="view", hint=f"Choose one of: {', '.join(VIEWS)}.")
    if not display_available():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    app = application()
    with tempfile.TemporaryDirectory() as folder:
        window = pose(view, Theme(checked_mode(theme), checked_text_size(text_size)), size, Path(folder), app)
        saved = window.grab().save(str(out))
        window.close()
        shiboken6.delete(window)  # else its widgets would live on, styled and watching for Escape
    if not saved:
        raise StorageError("the picture cannot be written", field=str(out), hint="Give a .png file in a known folder.")
    return 0


def pose(view: str, theme: Theme, size: tuple[int, int], folder: Path, app: QApplication) -> MainWindow:
    """A shown window that looks as `view`; its preferences are kept in `folder`."""
    theme.apply(app)
    store = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
    preferences = Preferences(store)
    preferences.set("theme", theme.mode)
    preferences.set("text_size", theme.type.body)
    preferences.set("author", samples.AUTHOR)
    preferences.hints_seen = True
    clock = ManualClock(samples.NOW_NS)
    window = MainWindow(lambda _address: Connection(samples.open_sample, clock), preferences, theme,
                        address="ipc:///run/user/1000/hitl/control", clock=clock,
                        open_ear=lambda _told: samples.SampleEar())  # fmt: skip
    window.heard.apply(DeviceHere(device="USB microphone"), samples.NOW_NS)
    window.heard.apply(Ready(recognizer="commands"), samples.NOW_NS)
    window.resize(*size)
    window.show()
    app.processEvents()
    VIEWS[view][1](window)
    for _round in range(3):
        app.processEvents()
        window.refresh()
    return window
