"""What a window and the backend, and the backend and a learner, say about an annotation project: messages of the
control plane that are neither acknowledged nor kept nor resent nor logged. Labels themselves are `Label` requests,
which are all of that.

Window -> backend: `OpenProject`, `OpenItem`, `OpenRecording`, `ShowPictures`, `AskAgreement`, `Generate`,
`StopGenerating`. Backend -> window: `ProjectOpened`, `ItemOpened`, `RecordingOpened`, `Pictures`, `AgreementFound`,
`Labelled` (of other annotators too), and what the learner says. Learner -> backend -> windows: `Suggestions`,
`Progress`, `Written`. Nothing here does IO.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hitl.annotation.items import Item, Prompt
from hitl.annotation.schema import Schema
from hitl.events import LabelEvent
from hitl.messages import Message

Order = Literal["uncertain", "listed", "random"]
"""How the queue is ordered: by what the model is least sure of, as imported, or shuffled by the author's name."""


class OpenProject(Message, frozen=True, kw_only=True):
    """Window -> backend: work on this project as this person; answered by `ProjectOpened`. An empty name asks only
    which there are."""

    id: str
    project: str
    author: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How far one person is with one item."""

    item: str
    state: Literal["new", "open", "done", "skipped", "flagged"]
    spans: int = 0
    others: int = 0
    """How many other people have labelled it."""


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier step of this person, for undo and redo across items and restarts."""

    id: str
    item: str
    undoes: str = ""


class ProjectOpened(Message, frozen=True, kw_only=True):
    """Backend -> window. projects: names of all; schema: None where the project could not be opened, `error` says
    why."""

    id: str
    project: str
    projects: list[str]
    schema: Schema | None = None
    items: list[Counts] = []
    """All items, as imported."""
    history: list[Stepped] = []
    """The latest steps of this person, oldest first."""
    authors: list[str] = []
    """Everybody who has labelled in this project."""
    learner: bool = False
    """Whether a learner is there."""
    error: str = ""


class OpenItem(Message, frozen=True, kw_only=True):
    """Window -> backend: show me this item; answered by `ItemOpened`, and by `Suggestions` where a learner is
    there."""

    id: str
    project: str
    item: str
    author: str
    ahead: bool = False
    """Asked for before it is shown: the item in front of the person, of which every new version is told, stays."""


class ItemOpened(Message, frozen=True, kw_only=True):
    """Backend -> window. steps: of all authors on this item, in order."""

    id: str
    project: str
    item: Item | None = None
    steps: list[LabelEvent] = []
    error: str = ""


class OpenRecording(Message, frozen=True, kw_only=True):
    """Window -> backend: what can be seen of the recording of this item; answered by `RecordingOpened`."""

    id: str
    project: str
    item: str


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """times_ms: when its pictures were taken, in order, milliseconds from the beginning of the episode."""

    name: str
    times_ms: list[int]


class RecordingOpened(Message, frozen=True, kw_only=True):
    """Backend -> window. cameras: those of which there is a picture; error: why it cannot be seen, and what to do."""

    id: str
    project: str
    item: str
    cameras: list[Camera] = []
    error: str = ""


class ShowPictures(Message, frozen=True, kw_only=True):
    """Window -> backend: the pictures of one camera in `[start_ms, end_ms)`; answered by one or more `Pictures`, the
    last of which is `finished`. Asking again about the same camera ends the answer to what was asked before."""

    id: str
    project: str
    item: str
    camera: str
    start_ms: int
    end_ms: int


class Pictures(Message, frozen=True, kw_only=True):
    """Backend -> window. Payloads: one JPEG for each of `times_ms`, as it was recorded; at most `MAX_PICTURES_BYTES`
    in one message, unless one picture alone is larger."""

    id: str
    project: str
    item: str
    camera: str
    times_ms: list[int] = []
    finished: bool = False
    error: str = ""


MAX_PICTURES_BYTES = 1 << 20


class AskAgreement(Message, frozen=True, kw_only=True):
    """Window -> backend: how far people agree in this project; answered by `AgreementFound`."""

    id: str
    project: str


class HeadAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Krippendorff's alpha of a head: 1 is full agreement, 0 is chance; None where nothing varies. segments: those
    that at least two people judged."""

    head: str
    alpha: float | None
    segments: int


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """F1 of spans between two people: with the same ends and category, and by shared characters (or milliseconds);
    None where neither marked anything. items: those that both judged whole."""

    first: str
    second: str
    exact: float | None
    overlap: float | None
    items: int


class AgreementFound(Message, frozen=True, kw_only=True):
    """Backend -> window. items: how many at least two people labelled; error: why there is no answer."""

    id: str
    project: str
    items: int = 0
    heads: list[HeadAgreement] = []
    pairs: list[PairAgreement] = []
    error: str = ""


class Labelled(Message, frozen=True, kw_only=True):
    """Backend -> windows that have the project open, and learners: this step is in the log now."""

    event: LabelEvent


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A span that the model would mark. probability: calibrated, 0 to 1."""

    track: str
    start: int
    end: int
    category: str
    probability: float


class SegmentScore(msgspec.Struct, frozen=True, kw_only=True):
    """What the model thinks of one segment for one head. probability: that it has an error (or, of a head of praise,
    that it is good); reward: what it earns, weights included."""

    track: str
    start: int
    end: int
    head: str
    probability: float
    reward: float


class ChanceCurve(msgspec.Struct, frozen=True, kw_only=True):
    """What the model thinks of every moment of a recording for one head. step_ms: from one moment to the next, the
    first at 0; probability: that it is so ("mistake", or, of a head that only praises, "done")."""

    head: str
    step_ms: int
    probability: list[float]


class Suggestions(Message, frozen=True, kw_only=True):
    """Learner -> backend -> windows: what this version thinks of one item. segments: of every head, at its own
    density; those of a head of whole outputs are as long as the output, those of a recording are its stretches."""

    project: str
    item: str
    version: str
    spans: list[Suggestion] = []
    segments: list[SegmentScore] = []
    curves: list[ChanceCurve] = []
    """Of a recording."""
    preferences: list[float | None] = []
    """Score of each output of the item, in order: the higher, the more it would be preferred, and the difference of
    two is the logit of that (Bradley and Terry, 1952). None of an output that says nothing; empty where nothing was
    learned of preferences."""
    uncertainty: float = 0.0
    error: str = ""


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Error-F1 of each head on items that are kept out of training, after so many labelled items."""

    labelled: int
    f1: dict[str, float]


class Progress(Message, frozen=True, kw_only=True):
    """Learner -> backend -> windows: a new version. order: all items that are not done, the least certain first."""

    project: str
    version: str
    labelled: int
    """Items that it learned from."""
    held_out: int
    """Items with labels that it was measured on."""
    f1: dict[str, float] = {}
    """Head -> error-F1 on held-out items."""
    pairwise: dict[str, float] = {}
    """Head that compares outputs -> share of held-out pairs that it orders as people do."""
    calibration: dict[str, float] = {}
    """Head -> expected calibration error on held-out items."""
    curve: list[CurvePoint] = []
    order: list[str] = []
    seconds: float = 0.0
    """How long the update took."""
    promoted: bool = True
    reason: str = ""
    """What the gate says, in words."""
    pinned: str = ""
    """The version that a person rolled back to, which answers; empty where the newest promoted one does."""
    learned_from: str = ""
    """Id of the latest step that it knows."""


class Generate(Message, frozen=True, kw_only=True):
    """Window -> backend -> learner: write `count` outputs for each prompt and add them as items."""

    id: str
    project: str
    prompts: list[Prompt]
    count: int = 1
    model: str = ""
    """Empty: the embedded model; a folder or hub name; or an address of an OpenAI-compatible server."""
    max_tokens: int = 200
    temperature: float = 0.7
    seed: int = 0


class StopGenerating(Message, frozen=True, kw_only=True):
    """Window -> backend -> learner: end what `Generate` of this id began; what is finished stays."""

    id: str


class Written(Message, frozen=True, kw_only=True):
    """Learner -> backend -> windows: how far `Generate` is. texts: the outputs that are being written, so far."""

    id: str
    project: str
    done: int
    of: int
    texts: list[str] = []
    item: str = ""
    """Id of the item that has just been added."""
    finished: bool = False
    error: str = ""


AnnotationMessage = (
    OpenProject
    | ProjectOpened
    | OpenItem
    | ItemOpened
    | OpenRecording
    | RecordingOpened
    | ShowPictures
    | Pictures
    | AskAgreement
    | AgreementFound
    | Labelled
    | Suggestions
    | Progress
    | Generate
    | StopGenerating
    | Written
)

FROM_WINDOW = (OpenProject, OpenItem, OpenRecording, ShowPictures, AskAgreement, Generate, StopGenerating)
"""What only a window may send; a learner gets it from the backend."""
FROM_LEARNER = (Suggestions, Progress, Written)
"""What only a learner may send; windows get it from the backend."""
