"""What the backend knows of its robot: who it is, its last state, its episode, and what it has yet to acknowledge.

Decides, without sockets: which of several robots is meant, when an episode is adopted or begun, what is resent. One
robot acts at a time; another one waits, and takes over when the first has gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from hitl.bus.delivery import Resender
from hitl.errors import InputError
from hitl.events import EpisodeEvent
from hitl.messages import NewEpisode, Resume, RobotState

STALE_NS = 1_000_000_000
"""Without a state for this long the robot counts as stale: fifty missed ticks at 50 Hz."""

GONE_NS = 3_000_000_000
"""After this long without a state a robot that waits takes over: longer than stale, which a slow reset may be."""

Step = Literal["none", "adopt", "begin"]


class RobotInfo(msgspec.Struct, frozen=True):
    """What a robot says of itself in Hello; see `robot.driver.RobotSpec`."""

    name: str
    rate_hz: float
    action_names: list[str]
    shifts: list[str] = []
    kinematics: str = ""
    first_seed: int | None = None
    first_shift: str = "nominal"


@dataclass
class RobotDesk:
    """The one robot that acts. Times are nanoseconds of the backend's clock."""

    info: RobotInfo | None = None
    peer: bytes = b""
    state: RobotState | None = None
    heard_ns: int = 0
    episode: str = ""
    shift: str = "nominal"
    episode_begun_ns: int = 0
    error: str = ""
    first: bool = True
    """Whether this robot has yet to begin its first episode, for which it names seed and shift itself."""
    waiting: Resender[NewEpisode | Resume] = field(default_factory=lambda: Resender(first_s=0.5, longest_s=2.0))
    unbegun: NewEpisode | None = None
    """An episode that the robot before this one did not acknowledge: to be begun anew, under an id of its own."""
    others: dict[bytes, RobotInfo] = field(default_factory=dict)
    """Robots that said Hello while another one acted. They say it once, so their turn comes with a later state."""

    def hello(self, peer: bytes, described: str, now_ns: int) -> None:
        """A robot said Hello. It becomes the one that acts unless another one still does. Raises InputError."""
        try:
            info = msgspec.json.decode(described, type=RobotInfo)
        except msgspec.MsgspecError as error:
            raise InputError(
                f"the robot describes itself in a way that cannot be read ({error}).", field="robot"
            ) from None
        if self.peer and peer != self.peer and self.condition(now_ns) == "connected":
            self.others[peer] = info
        else:
            self._let_act(peer, info, now_ns)

    def _let_act(self, peer: bytes, info: RobotInfo, now_ns: int) -> None:
        if peer != self.peer:
            self.first = True
            if self.peer:  # what it left open may have begun, and two robots must not share an episode
                opened = [message for message in self.unacknowledged() if isinstance(message, NewEpisode)]
                self.unbegun = opened[0] if opened else self.unbegun
                self._drop(NewEpisode)
        self.others.pop(peer, None)
        self.info, self.peer, self.state, self.heard_ns = info, peer, None, now_ns
        self.waiting.all_due(now_ns)

    def take_state(self, peer: bytes, state: RobotState, now_ns: int) -> Step:
        """Note a state of the acting robot; says whether its episode is to be adopted, or a new one begun."""
        if peer in self.others and now_ns - self.heard_ns >= GONE_NS:
            self._let_act(peer, self.others[peer], now_ns)
        if peer != self.peer:
            return "none"
        self.state, self.heard_ns = state, now_ns
        if state.episode == self.episode and self.episode:
            return "none"
        if any(isinstance(message, NewEpisode) for message in self.unacknowledged()):
            return "none"
        return "adopt" if state.episode and not self.episode else "begin"

    def condition(self, now_ns: int) -> Literal["missing", "connected", "stale"]:
        """Whether the robot is there."""
        if not self.peer or self.info is None:
            return "missing"
        return "connected" if self.state is not None and now_ns - self.heard_ns < STALE_NS else "stale"

    def check_shift(self, shift: str) -> None:
        """InputError, listing the known shifts, where the robot is known and has no such shift."""
        if self.info is not None and shift not in ("nominal", *self.info.shifts):
            known = ", ".join(("nominal", *self.info.shifts))
            raise InputError(f"{self.info.name} has no shift {shift!r}.", field="shift", hint=f"Known: {known}.")

    def forward(self, message: NewEpisode | Resume, now_ns: int) -> None:
        """Send to the robot until it acknowledges; a later new episode replaces an earlier one."""
        if isinstance(message, NewEpisode):
            self._drop(NewEpisode)
            self.unbegun = None
            self.episode, self.shift, self.episode_begun_ns = message.episode, message.shift, now_ns
        self.waiting.add(message.id, message, now_ns)

    def adopt(self, episode: str, now_ns: int) -> None:
        """Go on with the episode that the robot is in."""
        self.episode, self.episode_begun_ns = episode, now_ns

    def stopped(self) -> None:
        """A stop came: a resume from before it must not reach the robot any more."""
        self._drop(Resume)

    def acknowledged(self, request_id: str, error: str) -> None:
        """The robot answered."""
        if self.waiting.remove(request_id):
            self.error = error

    def unacknowledged(self) -> list[NewEpisode | Resume]:
        """What the robot has not answered yet."""
        return [message for _, message in self.waiting.due(2**63)]

    def ended(self, event_id: str, session: str, session_ns: int) -> EpisodeEvent | None:
        """How the present episode stands, for the log; None where none was seen."""
        state = self.state
        if state is None or not self.episode or state.episode != self.episode:
            return None
        task = state.task
        return EpisodeEvent(
            id=event_id,
            session=session,
            episode=self.episode,
            session_ns=session_ns,
            stage=task.stage if task else 0,
            stages=task.stages if task else 0,
            success=task.success if task else False,
            shift=self.shift,
        )

    def _drop(self, kind: type) -> None:
        for message in self.unacknowledged():
            if isinstance(message, kind):
                self.waiting.remove(message.id)
