"""What the window knows, derived from messages: command, alternatives, corrections, health, staleness. No Qt, no IO.

Times are nanoseconds of this computer's monotonic clock unless the name says session; the caller passes the present
time in, so that tests move it. Stamps of the backend are brought over with `offset_ns` (remote minus local).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from hitl.messages import (
    Ack,
    BackendStatus,
    Certainty,
    CommandStatus,
    Correction,
    CorrectionState,
    CorrectionStatus,
    Grounding,
    Label,
    Message,
    NewEpisode,
    Request,
    Resume,
    RobotState,
    Stop,
    StopAck,
    Undo,
    Utterance,
    Welcome,
    undo_changes,
)  # fmt: skip
from hitl.model_messages import TeachNothing

STALE_FRAME_NS = 200_000_000
STALE_BACKEND_NS = 1_500_000_000
STALE_ROBOT_NS = 1_000_000_000
MINUTES_SHOWN = 12

RowState = Literal["sent", "failed"] | CorrectionState
Phase = Literal["offline", "starting", "no_robot", "robot_stale", "stopped", "fault", "paused", "holding", "running"]
_ENDED: frozenset[RowState] = frozenset(
    {"done", "released", "expired", "replaced", "undone", "refused", "failed", "ignored"}
)
_WITHOUT_EFFECT: frozenset[RowState] = frozenset({"undone", "refused", "failed", "ignored"})
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Row:
    """One correction as the list shows it."""

    id: str
    text: str
    author: str
    session_ns: int
    state: RowState
    command: str = ""
    grounding: Grounding | None = None
    similarity: float = 0.0
    note: str = ""
    """Why it was refused or could not be kept."""
    undoing: bool = False
    """Undo was asked for and is not yet confirmed."""
    certainty: Certainty = "high"
    choices: tuple[str, ...] = ()
    """What may have been meant, where that is asked."""
    silent: str = ""
    """Why it teaches the high level nothing; empty where it does, or where that is not known."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in _ENDED

    @property
    def can_undo(self) -> bool:
        """Whether Undo would change anything."""
        return self.state != "failed" and undo_changes(self.state, self.choices) and not self.undoing


@dataclass(frozen=True)
class Notice:
    """One thing to tell: a line, what to do about it, and how much it matters."""

    title: str
    detail: str = ""
    tone: Literal["info", "warn", "danger"] = "info"


class LiveState:
    """All that is known of a session, from the messages applied so far."""

    def __init__(self, author: str) -> None:
        self.author = author
        self.connected = False
        self.offset_ns = 0
        self.unsaved = 0
        self.round_trip_ms = 0.0
        self.link_error = ""
        self.session = ""
        self.bank: list[str] = []
        self.command: CommandStatus | None = None
        self.robot: RobotState | None = None
        self.backend: BackendStatus | None = None
        self.rows: dict[str, Row] = {}
        self.stop_asked: Stop | None = None
        self.refusal: Notice | None = None
        self._robot_ns = 0
        self._backend_ns = 0
        self._unsure_ns = 0
        self._undo_targets: dict[str, str] = {}
        self._resume_id = ""
        self._others: set[str] = set()
        self._silent: dict[str, str] = {}

    # -- what came in ---------------------------------------------------------------------------------------------

    def link(self, *, connected: bool, offset_ns: int, unsaved: int, round_trip_ms: float, error: str = "") -> None:
        """Take over the state of the link."""
        self.connected, self.offset_ns = connected, offset_ns
        self.unsaved, self.round_trip_ms, self.link_error = unsaved, round_trip_ms, error

    def apply(self, message: Message, now_ns: int) -> None:
        """Take one message in; kinds that say nothing to the window are passed over."""
        match message:
            case RobotState():
                self.robot, self._robot_ns = message, now_ns
                by_words = self.stop_asked is not None and self.stop_asked.by_words
                if message.mode == "stopped" or message.mode == "paused" and by_words:
                    self.stop_asked = None
            case BackendStatus():
                self.backend, self._backend_ns = message, now_ns
            case CommandStatus():
                if self.command is None or message.unsure_until_ns != self.command.unsure_until_ns:
                    self._unsure_ns = now_ns
                self.command = message
            case CorrectionStatus():
                self._status(message)
            case TeachNothing():
                self._teach_nothing(message)
            case Ack():
                self._ack(message)
            case Welcome():
                self._welcome(message)
            case StopAck():
                if self.stop_asked is not None and self.stop_asked.id == message.id:
                    self.stop_asked = None

    def _status(self, status: CorrectionStatus) -> None:
        undoing = status.state != "undone" and status.id in self._undo_targets.values()
        self.rows[status.id] = Row(
            id=status.id, text=status.text, author=status.author, session_ns=status.session_ns, state=status.state,
            command=status.command, grounding=status.grounding, similarity=status.similarity, undoing=undoing,
            certainty=status.certainty, choices=tuple(status.choices),
            silent=self._silent.get(status.id, ""),
        )  # fmt: skip

    def _teach_nothing(self, told: TeachNothing) -> None:
        if told.session != self.session:
            return
        self._silent = told.reasons
        for row in self.rows.values():
            self.rows[row.id] = replace(row, silent=told.reasons.get(row.id, ""))

    def _ack(self, ack: Ack) -> None:
        row = self.rows.get(ack.id)
        if row is not None:
            if ack.error:
                self.rows[ack.id] = replace(row, state="refused", note=ack.error)
            elif row.state == "sent":
                self.rows[ack.id] = replace(row, state="saved")
            return
        target = self._undo_targets.pop(ack.id, "")
        if target in self.rows:
            row = self.rows[target]
            self.rows[target] = replace(row, undoing=False, state=row.state if ack.error else "undone")
        if ack.error and (target or ack.id in self._others):
            self.refusal = Notice("The backend refused this.", ack.error, "warn")
        self._others.discard(ack.id)

    def _welcome(self, welcome: Welcome) -> None:
        """The backend's list is the truth; what it does not know any more has ended, or waits in the outbox."""
        known = {status.id for status in welcome.corrections}
        for row in self.rows.values():
            if row.id not in known and row.state in ("acting", "asked"):
                self.rows[row.id] = replace(row, state="saved" if row.state == "acting" else "expired")
        for status in welcome.corrections:
            self._status(status)
        if welcome.session != self.session:
            self.command = None
        self.session, self.bank = welcome.session, list(welcome.commands)

    # -- what the person did --------------------------------------------------------------------------------------

    def submitted(self, request: Request, now_ns: int) -> None:
        """A request went to the outbox."""
        if isinstance(request, Utterance | Label):
            return  # the sound of words that are told about by themselves; what Annotate shows
        self.refusal = None
        match request:
            case Correction():
                self.rows[request.id] = Row(
                    id=request.id, text=request.text, author=request.author, state="sent",
                    session_ns=self.session_now_ns(now_ns),
                )  # fmt: skip
            case Undo():
                self._undo_targets[request.id] = request.target
                row = self.rows.get(request.target)
                if row is not None:
                    self.rows[request.target] = replace(row, undoing=True)
            case _:
                self._others.add(request.id)
                if isinstance(request, Resume) and not request.by_words:
                    self.stop_asked = None
                elif isinstance(request, Resume) and self.robot is not None and self.robot.mode == "stopped":
                    self.refusal = Notice("Words do not end this stop.", "STOP was pressed; press Resume.", "warn")

    def failed(self, request: Request, reason: str) -> None:
        """A request could not even be kept on this computer."""
        row = self.rows.get(request.id)
        if row is not None:
            self.rows[request.id] = replace(row, state="failed", note=reason)
        target = self._undo_targets.pop(request.id, "")
        if target in self.rows:
            self.rows[target] = replace(self.rows[target], undoing=False)
        self._others.discard(request.id)
        if isinstance(request, Resume) and request.by_words:
            self.refusal = Notice("The robot does not go on.", reason, "warn")
        else:
            self.refusal = Notice("This could not be kept on this computer.", reason, "danger")

    def stopping(self, stop: Stop) -> None:
        """The person asked for a stop; kept until the robot answers."""
        self.stop_asked = stop

    # -- what follows from it -------------------------------------------------------------------------------------

    def session_now_ns(self, now_ns: int) -> int:
        """The session clock now; 0 before the first status."""
        return self.backend.session_ns + (now_ns - self._backend_ns) if self.backend else 0

    def episode_now_ns(self, now_ns: int) -> int:
        """Time since the episode began."""
        return self.backend.episode_ns + (now_ns - self._backend_ns) if self.backend else 0

    def phase(self, now_ns: int) -> Phase:
        """In one word, how far everything needed is there."""
        if not self.connected:
            return "offline"
        if self.backend is None or now_ns - self._backend_ns > STALE_BACKEND_NS:
            return "starting"
        if self.backend.robot == "missing" or self.robot is None:
            return "no_robot"
        if self.backend.robot == "stale" or now_ns - self._robot_ns > STALE_ROBOT_NS:
            return "robot_stale"
        return self.robot.mode

    @property
    def stopped(self) -> bool:
        """Whether the robot stays still until somebody resumes: stopped, at fault, or paused by words."""
        held = self.robot is not None and self.robot.mode in ("stopped", "fault", "paused")
        return held or self.stop_asked is not None

    @property
    def paused(self) -> bool:
        """Whether it was words that stopped the robot, which words may end."""
        return self.stop_asked is None and self.robot is not None and self.robot.mode == "paused"

    @property
    def corrected(self) -> bool:
        """Whether a person's command runs now."""
        return self.command is not None and self.command.source == "person"

    @property
    def waits(self) -> bool:
        """Whether the robot stands still for a moment, since a correction is done and more words may come."""
        row = self.rows.get(self.command.command_id) if self.corrected and self.command is not None else None
        return row is not None and row.state == "done"

    @property
    def question(self) -> Row | None:
        """The newest correction that waits for a person to say which was meant."""
        return next((row for row in self.newest_rows() if row.state == "asked" and row.choices), None)

    @property
    def unsure(self) -> list[str]:
        """The two commands of which the policy asks which is right, where a person can say so now; else none."""
        nobody = self.command is None or not self.connected or self.stopped or self.question is not None
        return [] if nobody or self.command is None else self.command.unsure

    def unsure_left(self, now_ns: int) -> tuple[float, float]:
        """Seconds until the policy goes on by itself, and which share of the time to answer that is."""
        until_ns = self.command.unsure_until_ns - self.offset_ns if self.command is not None else 0
        left_ns, whole_ns = max(0, until_ns - now_ns), max(1, until_ns - self._unsure_ns)
        return left_ns / 1e9, min(1.0, left_ns / whole_ns)

    def newest_rows(self) -> list[Row]:
        """Corrections, the newest first (ULIDs sort by time)."""
        return [self.rows[key] for key in sorted(self.rows, reverse=True)]

    def undo_target(self, row_id: str = "") -> Row | None:
        """The correction that Undo means: the one named, else the person's newest that can be undone."""
        if row_id:
            row = self.rows.get(row_id)
            return row if row is not None and row.can_undo else None
        return next((row for row in self.newest_rows() if row.author == self.author and row.can_undo), None)

    def interventions(self, now_ns: int) -> list[int]:
        """Corrections in each of the last MINUTES_SHOWN minutes of the session clock, the oldest first."""
        session_ns = self.session_now_ns(now_ns)
        taken = (row for row in self.rows.values() if row.state not in _WITHOUT_EFFECT and row.state != "asked")
        counts = Counter(int((session_ns - row.session_ns) // _MINUTE_NS) for row in taken)
        return [counts[minutes] for minutes in range(MINUTES_SHOWN - 1, -1, -1)]

    def hold_left_s(self, now_ns: int) -> float | None:
        """Seconds until the running correction ends by its hold time; None where no time is set."""
        if not self.corrected or self.command is None or self.command.held_until_ns == 0:
            return None
        return max(0.0, (self.command.held_until_ns - self.offset_ns - now_ns) / 1e9)

    def new_episode_waits(self) -> bool:
        """Whether a request other than a correction is not yet confirmed."""
        return bool(self._others)


def kind_of(request: Request) -> str:
    """What a request is, in words."""
    return "new episode" if isinstance(request, NewEpisode) else type(request).__name__.lower()
