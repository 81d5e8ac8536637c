"""Poses of the window of models for pictures: each gives the desk a moment of the sample session."""

from __future__ import annotations

from collections.abc import Callable

from gui.models import samples
from gui.models.desk import ModelDesk
from hitl.messages import Message

Pose = Callable[[ModelDesk], None]


def settle(desk: ModelDesk, *messages: Message) -> None:
    """Tell the desk what a backend would, at the time of day of the samples."""
    desk.wall = samples.NOW.timestamp
    desk.receive(messages, True)


def _working(desk: ModelDesk) -> None:
    settle(desk, samples.before_the_last(), samples.learned())


def _empty(desk: ModelDesk) -> None:
    settle(desk, samples.nothing_learned())


def _failed(desk: ModelDesk) -> None:
    settle(desk, samples.models(), samples.learned(promoted=False))
    desk.state.choose(samples.failed().name)
    desk.promote()


def _compare(desk: ModelDesk) -> None:
    settle(desk, samples.models())
    desk.state.choose("v0008")
    desk.compare()


def _waiting(desk: ModelDesk) -> None:
    desk.receive([], False)


def _error(desk: ModelDesk) -> None:
    settle(desk, samples.models(learner=False, error="v0010: its folder is gone. What acts stays as it is."))


VIEWS: dict[str, tuple[str, Pose]] = {
    "models": ("what was learned, version by version", _working),
    "models-empty": ("nothing is learned yet", _empty),
    "models-failed": ("the gate refused a version, and a person wants it all the same", _failed),
    "models-compare": ("two versions side by side", _compare),
    "models-waiting": ("there is no backend", _waiting),
    "models-error": ("what was asked for could not be done", _error),
}
"""Every view: its name, what it shows, and how to bring the desk there."""
