"""What the feedback log stores: one Struct for each kind of event, append-only. Nothing here does IO.

An event never changes; what is true now follows from all of them (`hitl/sessions/feedback_log.py`). Unknown fields are
refused, so an event of a newer version is an error and never silence.
"""

from __future__ import annotations

from typing import Literal

from hitl.labels import Change
from hitl.messages import Certainty, CorrectionState, Grounding, Message, Reading, TimedWord


class CorrectionEvent(Message, frozen=True, kw_only=True):
    """A correction as it was given, what it was understood as, and what the policy had wanted."""

    id: str
    session: str
    episode: str
    session_ns: int
    author: str
    source: str
    text: str
    command: str
    grounding: Grounding
    similarity: float
    policy_command: str
    policy_probability: float
    observations: list[str]
    """Ids of the observations before the correction, oldest first."""
    hold_s: float
    heard: float = 1.0
    readings: list[Reading] = []
    certainty: Certainty = "high"
    choices: list[str] = []
    """What was asked about, where it was."""


class RequestEvent(Message, frozen=True, kw_only=True):
    """A release, undo, choice, new episode, resume, stop or change of hold time, as it took effect."""

    id: str
    session: str
    episode: str
    session_ns: int
    author: str
    kind: Literal["release", "undo", "choose", "new_episode", "resume", "stop", "set_hold"]
    target: str = ""
    detail: str = ""


class OutcomeEvent(Message, frozen=True, kw_only=True):
    """How a correction ended."""

    id: str
    session: str
    episode: str
    session_ns: int
    correction: str
    state: CorrectionState
    acted: bool | None = None
    """Whether the robot had executed it; None in logs of before this was written."""


class DoubtEvent(Message, frozen=True, kw_only=True):
    """The policy asked which of two commands is right, and how that ended; written when it ends."""

    id: str
    session: str
    episode: str
    session_ns: int
    commands: list[str]
    """The two, the one that it would take first."""
    reason: Literal["margin", "repeat"]
    margin: float
    """How far the first was ahead, as a difference of probabilities."""
    about: str = ""
    """The command that had no effect, where that was the reason."""
    asked_s: float
    """For how long it was asked."""
    ended: Literal["answered", "other words", "time", "sure", "stopped", "new episode"]
    correction: str = ""
    """What a person said to it."""


class EpisodeEvent(Message, frozen=True, kw_only=True):
    """How an episode ended."""

    id: str
    session: str
    episode: str
    session_ns: int
    stage: int
    stages: int
    success: bool
    shift: str
    version: str = ""
    """Of the policies, which acted when it ended; empty in logs of before this was written."""


class UtteranceEvent(Message, frozen=True, kw_only=True):
    """Something that was said. Its sound is in the session's recording, under the same id, where there is one."""

    id: str
    session: str
    episode: str
    session_ns: int
    """When the last word ended."""
    author: str
    text: str
    correction: str
    recognizer: str
    duration_s: float
    narration: bool = False
    words: list[TimedWord] = []


class LabelEvent(Message, frozen=True, kw_only=True):
    """One step of a person who annotates, or of a file that was imported. When it was made is in its id."""

    id: str
    session: str
    session_ns: int
    author: str
    project: str
    item: str
    changes: list[Change]
    undoes: str = ""
    spent_s: float = 0.0
    origin: str = ""
    """What it was imported from; empty for what a person did here."""


LogEvent = CorrectionEvent | RequestEvent | OutcomeEvent | DoubtEvent | EpisodeEvent | UtteranceEvent | LabelEvent
