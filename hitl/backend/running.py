"""The command that is under way, whether the high level leaves it for another one, and what is told of it; and which
observations are recent. No clock, no policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.backend.parts import Proposal, Rules, Seen
from hitl.events import CorrectionEvent
from hitl.messages import Alternative, CommandStatus, Source
from hitl.sessions.moments import Moment


def alternatives_of(proposal: Proposal) -> list[Alternative]:
    """All that the policy may do next, the best first."""
    pairs = zip(proposal.texts, proposal.probabilities, strict=True)
    return [Alternative(text=text, probability=float(probability)) for text, probability in pairs]


class Recent:
    """Names of what was seen in the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_ns = window_s * 1e9
        self._seen: deque[tuple[int, str]] = deque()

    def note(self, now_ns: int, name: str) -> None:
        """This was seen now."""
        self._seen.append((now_ns, name))
        self.names(now_ns)

    def names(self, now_ns: int) -> list[str]:
        """What is recent, oldest first."""
        while self._seen and self._seen[0][0] < now_ns - self._window_ns:
            self._seen.popleft()
        return [name for _, name in self._seen]

    def clear(self) -> None:
        """Forget all."""
        self._seen.clear()


@dataclass
class RunningCommand:
    """A person's command or the policy's. `active` is the policy's own record of it, made with the first chunk.

    `done_ns`: since when a correction that is done waits for the next words; `held`: the robot stands still, since it
    is asked whether this is right; `rival`, `rival_asks`: the other command that the high level wanted instead when it
    was asked last, and how many times in a row.
    """

    id: str
    text: str
    source: Source
    since_ns: int
    probability: float
    event: CorrectionEvent | None = None
    hold_s: float = 0.0
    active: Any = None
    start_tick: int = 0
    done: float = 0.0
    done_count: int = 0
    done_ns: int | None = None
    held: bool = False
    rival: str = ""
    rival_asks: int = 0

    def gives_way(self, best: Alternative, rules: Rules, now_ns: int) -> bool:
        """The high level was asked: whether it leaves its own unfinished command, surely and more than once in a row.

        It knows what comes next a moment before the hand has let go, and going home then drops the thing on the way.
        """
        rival = best.text if best.text != self.text and best.probability >= rules.switch_probability else ""
        self.rival_asks = self.rival_asks + 1 if rival and rival == self.rival else int(bool(rival))
        self.rival = rival
        return (
            self.source == "policy"
            and self.rival_asks >= rules.switch_asks
            and now_ns - self.since_ns >= rules.min_command_s * 1e9
        )

    def status(self, held_until_ns: int, alternatives: Sequence[Alternative]) -> CommandStatus:
        """What is told of it. held_until_ns: when its time is over, 0 for never."""
        return CommandStatus(
            command_id=self.id,
            text=self.text,
            source=self.source,
            author=self.event.author if self.event else "",
            said=self.event.text if self.event else "",
            since_ns=self.since_ns,
            probability=self.probability,
            done_probability=self.done,
            held_until_ns=held_until_ns,
            alternatives=list(alternatives),
        )

    def moment(self, seen: Seen, start_ns: int, stage: int, wanted: Sequence[Alternative], history: Any) -> Moment:
        """What the high level looked at when it was asked; start_ns: of the session, on the clock of the stamps."""
        return Moment(
            episode=seen.observation.episode,
            tick=seen.observation.tick,
            session_ns=max(0, seen.observation.stamp_ns - start_ns),
            stage=stage,
            command_id=self.id,
            command=self.text,
            source=self.source,
            waits=self.done_ns is not None,
            wanted=tuple(wanted),
            history=np.asarray(history, np.float16),
        )
