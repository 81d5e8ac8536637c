"""The command that is under way, and whether the high level leaves it for another one. No clock, no policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hitl.backend.parts import Rules
from hitl.events import CorrectionEvent
from hitl.messages import Alternative, Source


@dataclass
class RunningCommand:
    """A person's command or the policy's. `active` is the policy's own record of it, made with the first chunk.

    `done_ns`: since when a correction that is done waits for the next words; `rival`, `rival_asks`: the other command
    that the high level wanted instead when it was asked last, and how many times in a row.
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
