"""Every message, on the wire and in the feedback log, as msgspec Structs. Nothing here does IO.

Three planes (docs/architecture.md):
- stream: may be dropped, the newest wins (`StreamMessage`);
- control: acknowledged, resent, idempotent by ULID (`ControlMessage`), but for what is asked of a recognizer
  (`recognizer_messages.py`);
- stop: a socket of its own (`StopMessage`).
The feedback log stores the events of `hitl/events.py`. Unknown fields are refused, so a typing mistake is an error and
never silence.

Stamps are nanoseconds of the sender's monotonic clock; `session_ns` is time on the session clock (0 = session start).
Pixels and actions travel as raw buffers behind the message, never inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hitl.labels import Change

PROTOCOL = 1
AUDIO_RATE = 16_000
"""Samples a second of all sound that is sent and recorded."""
MAX_AUDIO_BYTES = 60 * 2 * AUDIO_RATE
"""Longest sound of one utterance: a minute."""
MAX_TEXT_CHARS = 500
"""Longest text of a correction; longer text is refused by name before it is sent."""

Role = Literal["gui", "robot", "say", "ear", "recognizer", "learner"]
"""An ear only asks what is said in a sound, a recognizer only answers that, a learner only says what it learned from
labels: none of them may ask anything of the robot."""
Mode = Literal["running", "holding", "paused", "stopped", "fault"]
"""paused: held by stop words, which "go on" ends; stopped: held by STOP, which only Resume ends."""
Source = Literal["policy", "person", "none"]
Grounding = Literal["exact", "near", "new", "stop"]
Certainty = Literal["high", "middle", "low"]
"""How sure it is that this was said and meant: high acts, middle acts and is shown, low asks first."""
CorrectionSource = Literal["typed", "voice", "key", "script", "oracle", "answer"]
"""answer: a person chose one of two commands between which the policy was unsure."""
CorrectionState = Literal[
    "saved", "asked", "ignored", "acting", "done", "released", "expired", "replaced", "undone", "refused"
]
"""asked: waits for a person to choose what was meant; ignored: spoken words that are no command."""


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of all messages; the tag on the wire is the class name."""


# -- stream plane: robot -> backend -> people ---------------------------------------------------------------------


class Task(Message, frozen=True, kw_only=True):
    """How far the task is; see `robot.driver.TaskStatus`."""

    name: str
    stage: int
    stages: int
    finished: bool
    success: bool
    note: str = ""


class RobotState(Message, frozen=True, kw_only=True):
    """One control tick of the robot. Payloads: joints float64 `(n,)`, targets float64 `(n,)`."""

    tick: int
    stamp_ns: int
    episode: str
    mode: Mode
    reason: str = ""
    command_id: str = ""
    """Id of the command under which this tick's action ran; empty while holding."""
    chunk: int = -1
    rate_hz: float = 0.0
    """Control rate over the last second."""
    nominal_hz: float = 0.0
    """The rate that the robot should have; over `rate_hz` it is the real-time factor of a simulator."""
    late_ticks: int = 0
    """Ticks that began over one period late since the node started."""
    task: Task | None = None


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of one raw uint8 RGB picture `(height, width, 3)`."""

    camera: str
    height: int
    width: int


class Observation(Message, frozen=True, kw_only=True):
    """What policies see. Payloads: joints float64, targets float64, then one raw picture per entry of `images`.

    Its id in the log is `f"{episode}/{tick}"`.
    """

    tick: int
    stamp_ns: int
    episode: str
    images: list[ImageInfo]


class Frame(Message, frozen=True, kw_only=True):
    """What a person sees from one camera. Payload: one picture, raw RGB or JPEG."""

    camera: str
    tick: int
    stamp_ns: int
    height: int
    width: int
    encoding: Literal["raw", "jpeg"] = "raw"
    dropped: int = 0
    """Frames of this camera that the sender dropped so far."""


class ActionChunk(Message, frozen=True, kw_only=True):
    """Backend -> robot. Payload: float64 `(steps, n)` absolute targets, one row a tick, the first for `start_tick`."""

    chunk: int
    episode: str
    command_id: str
    start_tick: int
    steps: int
    stamp_ns: int


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One of the next commands with its probability."""

    text: str
    probability: float


class CommandStatus(Message, frozen=True, kw_only=True):
    """The command that runs now, and what the high level would choose next (most probable first)."""

    command_id: str
    text: str
    source: Source
    author: str = ""
    said: str = ""
    """A person's words as given, where `text` is what they were understood as."""
    since_ns: int = 0
    probability: float = 0.0
    done_probability: float = 0.0
    held_until_ns: int = 0
    """A correction's latest end on the sender's clock, or that of the wait after it; 0: until done or released."""
    alternatives: list[Alternative] = []
    unsure: list[str] = []
    """The two commands of which the policy asks which is right, the one that it would take first; else empty."""
    unsure_until_ns: int = 0
    """When it goes on by itself, on the sender's clock."""
    tried: int = 0
    """How many times in a row `failing` was tried without the task getting on; 0 where that is no sign to ask."""
    failing: str = ""
    """The command that does not seem to work."""


class CorrectionStatus(Message, frozen=True, kw_only=True):
    """What became of one correction. `choices`: what a person may have meant, where it is asked."""

    id: str
    text: str
    command: str
    grounding: Grounding
    similarity: float
    state: CorrectionState
    author: str
    session_ns: int
    episode: str
    source: CorrectionSource = "typed"
    certainty: Certainty = "high"
    choices: list[str] = []


def undo_changes(state: str, choices: Sequence[str]) -> bool:
    """Whether taking back a correction changes anything, by its last status: not where it is taken back, was no
    command or was refused, nor where it was asked about and nobody answered."""
    return state not in ("undone", "ignored", "refused") and (not choices or state in ("saved", "asked"))


class BackendStatus(Message, frozen=True, kw_only=True):
    """The backend's health, sent five times a second."""

    session: str
    session_ns: int
    robot: Literal["missing", "connected", "stale"]
    robot_name: str = ""
    waiting_for: str = ""
    """What the backend waits for, in words; empty when all runs."""
    policy: str = ""
    device: str = ""
    episode: str = ""
    episode_ns: int = 0
    shifts: list[str] = []
    action_latency_ms: float = 0.0
    """Median over the last seconds: capture in the robot node to the chunk that answers it leaving the backend."""
    events_saved: int = 0
    recording: str = ""
    recording_error: str = ""
    hold_s: float = 0.0
    """How long a correction holds at most; 0 means until it is done or released."""
    commands: int = 0
    """Size of the command bank."""


class Metric(Message, frozen=True, kw_only=True):
    """A number over time, for plots and recordings."""

    name: str
    value: float
    stamp_ns: int


StreamMessage = (
    RobotState | Observation | Frame | ActionChunk | CommandStatus | CorrectionStatus | BackendStatus | Metric
)

# -- control plane: acknowledged, resent, idempotent --------------------------------------------------------------


class Hello(Message, frozen=True, kw_only=True):
    """First message of every link. Robot links describe themselves in `robot` (JSON of the spec)."""

    id: str
    protocol: int
    role: Role
    name: str
    robot: str = ""


class Welcome(Message, frozen=True, kw_only=True):
    """Answer to Hello: the session, its command bank and the corrections so far."""

    id: str
    protocol: int
    session: str
    session_start_ns: int
    commands: list[str]
    corrections: list[CorrectionStatus]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which spoken words may be read; probability among the readings, 0 to 1."""

    text: str
    probability: float


class Correction(Message, frozen=True, kw_only=True):
    """A person's command that overrides the policy's. `hold_s`: 0 = until done or released."""

    id: str
    author: str
    stamp_ns: int
    text: str
    source: CorrectionSource = "typed"
    hold_s: float | None = None
    heard: float = 1.0
    """How sure the recognizer is of `text`, 0 to 1; 1 for what was not spoken."""
    readings: list[Reading] = []
    """What the recognizer may have heard, `text` among it, most probable first; empty for what was not spoken."""


class Choose(Message, frozen=True, kw_only=True):
    """The answer to a correction that was asked about: `command` is what was meant."""

    id: str
    author: str
    stamp_ns: int
    target: str
    command: str


class TimedWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word and when it was said: seconds from the first sample of its utterance's sound."""

    text: str
    start_s: float
    end_s: float


class Utterance(Message, frozen=True, kw_only=True):
    """What somebody said, for the recording. Kept and resent like every request, so its sound travels inside."""

    id: str
    author: str
    stamp_ns: int
    """When the last word ended."""
    began_ns: int
    """When the sound begins."""
    text: str
    """What it was heard as; empty where nothing was."""
    correction: str = ""
    """Id of the correction, undo or stop that came of it; empty where nothing did."""
    recognizer: str = ""
    audio: bytes
    """int16 samples, little-endian, mono, 16 kHz."""
    narration: bool = False
    """Said while narrating: what is done is described for training, and nobody is told to do it."""
    words: list[TimedWord] = []
    """The words of `text` with their times, where the recognizer gave them."""


class Release(Message, frozen=True, kw_only=True):
    """End the running correction; the high level goes on."""

    id: str
    author: str
    stamp_ns: int


class Undo(Message, frozen=True, kw_only=True):
    """Take back the correction `target`: it stops acting and is no example for learning."""

    id: str
    author: str
    stamp_ns: int
    target: str


class NewEpisode(Message, frozen=True, kw_only=True):
    """Begin a new episode; backend -> robot it is forwarded with the same id."""

    id: str
    author: str
    stamp_ns: int
    seed: int | None = None
    shift: str = "nominal"
    episode: str = ""
    """Set by the backend when it forwards."""


class Resume(Message, frozen=True, kw_only=True):
    """Clear a latched stop, explicitly. `by_words` ("go on") clears only what stop words paused."""

    id: str
    author: str
    stamp_ns: int
    by_words: bool = False


class SetHold(Message, frozen=True, kw_only=True):
    """Set for how many seconds a correction holds at most; 0 = until done or released."""

    id: str
    author: str
    stamp_ns: int
    hold_s: float


class Label(Message, frozen=True, kw_only=True):
    """One step of a person who annotates: what it changes about one item. Undo and redo are such steps, too."""

    id: str
    author: str
    stamp_ns: int
    project: str
    item: str
    changes: list[Change]
    undoes: str = ""
    """Id of the step that this one takes back, which may itself be an undo; empty for a step of its own."""
    spent_s: float = 0.0
    """Seconds at work on this item since the step before, pauses left out."""


class Ack(Message, frozen=True, kw_only=True):
    """`id` is on disk (or applied, for messages that are not logged). `error` is empty or says why it was refused."""

    id: str
    error: str = ""
    duplicate: bool = False


class Ping(Message, frozen=True, kw_only=True):
    """Heartbeat; t0 is the sender's clock."""

    t0: int


class Pong(Message, frozen=True, kw_only=True):
    """Answer to Ping: t1 receive and t2 send on the answerer's clock."""

    t0: int
    t1: int
    t2: int


RobotRequest = Correction | Choose | Utterance | Release | Undo | NewEpisode | Resume | SetHold
"""What a person asks about a robot."""
Request = RobotRequest | Label
"""What a person asks for: durable, acknowledged, applied once."""

ControlMessage = Hello | Welcome | Request | Ack | Ping | Pong

# -- stop plane ---------------------------------------------------------------------------------------------------


class Stop(Message, frozen=True, kw_only=True):
    """Stop the robot and latch. A stop request, not a certified emergency stop (ISO 13850)."""

    id: str
    author: str
    stamp_ns: int
    reason: str = ""
    by_words: bool = False
    """Said or typed, so that "go on" ends it; a pressed STOP does not listen to words."""


class StopAck(Message, frozen=True, kw_only=True):
    """The robot stopped in `tick`."""

    id: str
    tick: int
    stamp_ns: int


StopMessage = Stop | StopAck | Ping | Pong
