"""A scripted order in the place of the high level, the published ablation (Shi et al. 2024): no learning, and blind.

The commands of a script one after another, each until the low level says that it is done, or until its time is over.
Nobody looks whether a command had its effect: after a pick that missed, the empty hand is told to let go over the box.
A person's words run as ever; then the script goes on where it was. Knows nothing of tasks or of what a script says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from policies.errors import PolicyError
from policies.hierarchy.acting import ActiveCommand, Images, LowLevelOutput
from policies.hierarchy.policy import HierarchicalPolicy

LIMIT_S = 6.0
"""Time of a command: about twice what the expert's slowest takes. The published one goes on after four seconds."""


@dataclass(frozen=True)
class ScriptedProposal:
    """The command of the script that is due, alone and certain; history: None, as nothing can be learned from it."""

    texts: tuple[str, ...]
    probabilities: tuple[float, ...] = (1.0,)
    history: None = None
    guiding: frozenset[str] = frozenset()


class ScriptedOrder:
    """A policy for a controller: the low level of `policy` under the commands of `script`, asked anew each episode.

    done_threshold, done_observations, least_s: when a command counts as done, as the controller counts; limit_s: when
    its time is over, and the controller, which asks more than once, leaves it. The last command stays. Raises
    PolicyError where a script is empty.
    """

    def __init__(
        self,
        policy: HierarchicalPolicy,
        script: Callable[[], Sequence[str]],
        *,
        done_threshold: float,
        done_observations: int,
        least_s: float,
        limit_s: float = LIMIT_S,
    ) -> None:
        self.policy = policy
        self._script = script
        self._done_threshold, self._done_observations = done_threshold, done_observations
        self._least_s, self._limit_s = least_s, limit_s
        self.forget()

    @property
    def due(self) -> str:
        """The command of the script that is due."""
        return self._texts[self._at]

    def start(self, text: str, pose_target: ArrayLike) -> ActiveCommand:
        """As `HierarchicalPolicy.start`."""
        self._done = 0
        return self.policy.start(text, pose_target)

    def act(
        self, images: Images, pose: ArrayLike, pose_target: ArrayLike, command: ActiveCommand, elapsed_s: float
    ) -> LowLevelOutput:
        """As `HierarchicalPolicy.act`; goes on in the script where the command that is due is over."""
        output = self.policy.act(images, pose, pose_target, command, elapsed_s)
        if command.text == self.due:
            if elapsed_s >= self._least_s:
                self._done = self._done + 1 if output.done > self._done_threshold else 0
            if self._done >= self._done_observations or elapsed_s >= self._limit_s:
                self._go_on()
        return output

    def remember(self, images: Images, pose: ArrayLike, stamp_ns: int) -> None:
        """Nothing: a script does not look."""

    def propose(self) -> ScriptedProposal:
        """The command that is due."""
        return ScriptedProposal((self.due,))

    def forget(self) -> None:
        """Begin with the first command, at the start of an episode."""
        self._texts = tuple(self._script())
        if not self._texts:
            raise PolicyError("is empty.", field="script", hint="Give one command at least.")
        self._at = self._done = 0

    def _go_on(self) -> None:
        self._at = min(self._at + 1, len(self._texts) - 1)
        self._done = 0
