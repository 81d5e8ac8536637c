"""What windows, backend and learner say about versions of the policies: messages of the control plane that are neither
acknowledged nor kept nor resent nor logged. What teaches (corrections, undo) are requests, which are all of that.

Window -> backend: `AskModels`, `PromoteModel`, `RollBackModel`, `SetLearning`; each is answered by `Models`, and every
window that asked once hears of each change. Backend -> learner: `Taught`. Learner -> backend: `Learned`; backend ->
windows: `Learned`, when the version is in use, or kept and not promoted. `TeachNothing` goes that way, too.
Nothing here does IO.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hitl.messages import Message

Part = Literal["packaged", "high_level", "low_level", "all"]
"""What of the policies a version changed: nothing, for what ships with hitl; one level; or both."""


class TaughtBy(msgspec.Struct, frozen=True, kw_only=True):
    """A correction that a version was learned from. id: of its event."""

    id: str
    text: str
    command: str = ""
    """What it was understood as; empty where that is what was said."""
    author: str = ""
    episode: str = ""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version as people see it, from its lineage."""

    name: str
    part: Part
    parent: str = ""
    """Version whose weights it began with; empty for one that was made from nothing."""
    made: str = ""
    """ISO 8601, UTC."""
    seconds: float = 0.0
    """Time taken to learn it."""
    strategy: str = ""
    corrections: int = 0
    """How many corrections it was learned from."""
    examples: int = 0
    sessions: list[str] = []
    new_commands: list[str] = []
    """Wording that joined the command bank with it."""
    passed: bool = True
    """Whether the gate let it be promoted."""
    reasons: list[str] = []
    """The gate's verdict, in sentences."""
    scores: dict[str, float] = {}
    """Names such as "base" (agreement on held-out base data), "corrections" (share of corrections that it answers as
    people did), "task/<shift>" (the same by task); each 0 to 1."""
    counts: dict[str, int] = {}
    """On how many moments a score was measured, by its name; a score without one is shown without interval."""
    taught: list[TaughtBy] = []
    """The corrections that it was learned from, oldest first; fewer than `corrections` where the log no longer has
    them."""


class EpisodePoint(msgspec.Struct, frozen=True, kw_only=True):
    """How much help one episode needed; `version` is the one that acted when it ended."""

    episode: str
    session: str
    began: str
    """ISO 8601, UTC."""
    shift: str
    version: str
    corrections: int
    seconds: float
    stage: int
    stages: int
    success: bool


class AskModels(Message, frozen=True, kw_only=True):
    """Window -> backend: which versions there are; the window then hears of every change."""

    id: str
    author: str


class PromoteModel(Message, frozen=True, kw_only=True):
    """Window -> backend: act with this version from now on."""

    id: str
    author: str
    name: str


class RollBackModel(Message, frozen=True, kw_only=True):
    """Window -> backend: act with the version before the current one again."""

    id: str
    author: str


class SetLearning(Message, frozen=True, kw_only=True):
    """Window -> backend -> learner: learn from corrections while they are given, or only keep them."""

    id: str
    author: str
    learning: bool


class Models(Message, frozen=True, kw_only=True):
    """Backend -> window. versions: oldest first, the packaged one before all; history: names that were promoted, the
    last one acts; id: of the request that it answers, empty where it tells of a change."""

    id: str
    versions: list[ModelVersion]
    history: list[str]
    episodes: list[EpisodePoint] = []
    """Oldest first; of the newest sessions."""
    learning: bool = True
    learner: bool = True
    """Whether a learner is there; without one corrections are kept, and nothing is learned."""
    error: str = ""
    """Why what was asked for was not done; empty where it was."""


class Taught(Message, frozen=True, kw_only=True):
    """Backend -> learner: an event that changes what is to be learned is on disk. event: its id; urgent: a person
    has just corrected or undone something, in this session."""

    id: str
    session: str
    event: str
    urgent: bool = True


class Learned(Message, frozen=True, kw_only=True):
    """Learner -> backend -> windows: a new version. promoted: the gate let it pass, and it acts; waited_s: from the
    newest correction that it knows being saved to the controller answering with it, which the backend fills in."""

    id: str
    version: ModelVersion
    promoted: bool
    newest_event: str = ""
    waited_s: float = 0.0
    error: str = ""
    """Why nothing could be learned, in words; the version then has no name. Empty where all went well."""


class TeachNothing(Message, frozen=True, kw_only=True):
    """Learner -> backend -> windows: corrections of one session that act and teach the high level nothing. reasons: id
    of the correction -> why, in words; all there are now, in place of what was told of this session before."""

    id: str
    session: str
    reasons: dict[str, str]


ModelMessage = AskModels | PromoteModel | RollBackModel | SetLearning | Models | Taught | Learned | TeachNothing

FROM_WINDOW = (AskModels, PromoteModel, RollBackModel, SetLearning)
"""What only a window may send."""
FROM_LEARNER = (Learned, TeachNothing)
"""What only a learner may send."""
