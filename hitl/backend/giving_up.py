"""What the policy gives up: a command of its own that has run for long while the task did not get on.

It is set aside for a while, and what the policy thinks next best comes first: a thing that cannot be grasped may be
after others are gone, and what it took for undone may be done. Of what it hardly wants, what it was taught to choose
comes before the small motions with which people guide a hand. When the task gets on, or a person says something,
everything is as before. Only where the robot tells how far the task is: elsewhere a command may rightly take long.
Pure: is told the time; knows nothing of policies, robots or people.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hitl.backend.parts import Rules
from hitl.backend.running import RunningCommand
from hitl.messages import Alternative, Task

_LOOK_NS = 1_000_000_000
"""Between two looks no more is counted: the robot may have been stopped meanwhile."""
_WANTED = 0.05
"""With this probability a motion that guides a hand is wanted after all: people taught it."""


class GivingUp:
    """How long the running command has come to nothing, and which are set aside."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._command, self._stage = "", 0
        self._looked_ns = self._ran_ns = 0
        self._until_ns: dict[str, int] = {}

    def look(self, command: RunningCommand | None, task: Task | None, now_ns: int) -> str:
        """To be called whenever the high level is asked. The command that is given up now; empty where none is."""
        since_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        if command is None:
            return ""  # one that is done, and may be chosen again
        if task is None or task.finished or command.source != "policy" or command.held:
            self._command = ""
            return ""
        if task.stage > self._stage:
            self._until_ns.clear()
        if (command.id, task.stage) != (self._command, self._stage):
            self._command, self._stage, self._ran_ns = command.id, task.stage, 0
            return ""
        self._ran_ns += min(since_ns, _LOOK_NS)
        if not 0 < self._rules.give_up_s * 1e9 <= self._ran_ns or self.is_aside(command.text, now_ns):
            return ""
        self._until_ns[command.text] = now_ns + round(self._rules.aside_s * 1e9)
        return command.text

    def is_aside(self, text: str, now_ns: int) -> bool:
        """Whether that command is not to be begun now."""
        return self._until_ns.get(text, 0) > now_ns

    def leaves(self, command: RunningCommand, best: Alternative, now_ns: int) -> bool:
        """Whether the policy leaves its own unfinished command for the best one."""
        gives_way = command.gives_way(best, self._rules, now_ns)
        given_up = command.source == "policy" and self.is_aside(command.text, now_ns)
        return (gives_way or given_up) and not self.is_aside(best.text, now_ns)

    def ordered(self, alternatives: Sequence[Alternative], guiding: Collection[str], now_ns: int) -> list[Alternative]:
        """The same in the order in which they may be begun: those that are set aside at the end, and before them,
        where one is, what guides a hand and is not wanted. guiding: what the policy was never taught to choose."""
        aside = [self.is_aside(one.text, now_ns) for one in alternatives]
        if not any(aside):
            return list(alternatives)
        guides = [one.text in guiding and one.probability < _WANTED for one in alternatives]
        order = sorted(range(len(alternatives)), key=lambda at: (aside[at], guides[at]))
        return [alternatives[at] for at in order]

    def forget(self) -> None:
        """Another episode begins, or a person has said what to do."""
        self._command, self._ran_ns = "", 0
        self._until_ns.clear()
