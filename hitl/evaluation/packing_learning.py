"""A learner in the packing experiment: the oracle corrects, the high level learns while it acts, round after round.

The parts are those of the running system: moments as the controller tells them, corrections as the log has them,
examples, learner and gate. An update reaches the controller `UPDATE_S` of simulated time after what it was learned
from, as in a real session on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hitl.backend.engine import Model
from hitl.backend.policy_learner import GateRules, Learnt, PolicyLearner
from hitl.backend.registry import packaged_model
from hitl.correction_examples import CorrectionExample, ExampleRules, examples_of
from hitl.evaluation.lockstep import Lockstep
from hitl.events import CorrectionEvent, LogEvent
from hitl.sessions.feedback_log import views_of
from hitl.sessions.moments import Moment
from policies.hierarchy import base_moments
from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings
from policies.hierarchy.policy import HierarchicalPolicy

UPDATE_S = 1.5


@dataclass(frozen=True)
class Variant:
    """What differs from the default in an ablation. online: learn while it runs, or only after the last round;
    wrong: share of corrections that are replaced by another command."""

    name: str = "default"
    rules: ExampleRules = field(default_factory=ExampleRules)
    settings: LearnerSettings = field(default_factory=LearnerSettings)
    gate: GateRules = field(default_factory=GateRules)
    online: bool = True
    wrong: float = 0.0


@dataclass
class Taught:
    """Episodes that taught: their corrections and moments, in order."""

    events: list[LogEvent] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)


class OnlineLearning:
    """Learns beside a lockstep loop. budget: corrections after which nothing more is learned."""

    def __init__(self, model: Model, variant: Variant, budget: int) -> None:
        policy = model.policy
        assert isinstance(policy, HierarchicalPolicy)
        self._policy, self._variant, self._budget = policy, variant, budget
        moments, commands = base_moments.load(packaged_model() / base_moments.FILE)
        bank = {text: torch.from_numpy(policy.bank.code(text)) for text in policy.bank.texts}
        learner = HighLevelLearner(
            policy.high_level, bank, base_moments.renumbered(moments, commands, policy.bank.texts), variant.settings
        )
        self.learner = PolicyLearner(learner, lambda text: torch.from_numpy(policy.embed(text)), variant.gate)
        self._done: list[CorrectionExample] = []
        self._due: list[tuple[int, Learnt]] = []
        self.learnt: list[Learnt] = []
        self.given = 0
        self.withdrawn: set[str] = set()
        self._taught: list[Taught] = []

    def corrected(self, loop: Lockstep) -> None:
        """A correction was just given: learn from it."""
        self.given += 1
        if self._variant.online and self.given <= self._budget:
            self._learn(self._done + self._examples(loop.events, loop.moments), loop.clock.now_ns(), anew=False)

    def tick(self, loop: Lockstep) -> None:
        """Put what is due in use."""
        while self._due and self._due[0][0] <= loop.clock.now_ns():
            self._use(self._due.pop(0)[1])

    def episode_over(self, loop: Lockstep) -> None:
        """What it taught is known now; learn anew from all."""
        if self.given - sum(isinstance(event, CorrectionEvent) for event in loop.events) >= self._budget:
            return
        self._taught.append(Taught(list(loop.events), list(loop.moments)))
        self._done += self._examples(loop.events, loop.moments)
        if self._variant.online:
            self._learn(self._done, 0, anew=True)
            self.settle()

    def settle(self) -> None:
        """Use everything that was learned."""
        while self._due:
            self._use(self._due.pop(0)[1])

    def finish(self) -> None:
        """Offline learning, where that is the variant."""
        if not self._variant.online:
            self._learn(self._done, 0, anew=True)
            self.settle()

    def undo(self, corrections: set[str]) -> None:
        """Take corrections back: learn anew without them."""
        self.withdrawn |= corrections
        self._done = [e for taught in self._taught for e in self._examples(taught.events, taught.moments)]
        self._learn(self._done, 0, anew=True)
        self.settle()

    def _examples(self, events: list[LogEvent], moments: list[Moment]) -> list[CorrectionExample]:
        views = [replace(view, undone=True) if view.event.id in self.withdrawn else view for view in views_of(events)]
        return examples_of(views, moments, self._variant.rules)[0]

    def _learn(self, examples: list[CorrectionExample], now_ns: int, *, anew: bool) -> None:
        if not examples:
            return
        learnt = self.learner.learn(examples, anew=anew)
        if learnt is not None:
            self.learnt.append(learnt)
            self._due.append((now_ns + round(UPDATE_S * 1e9), learnt))

    def _use(self, learnt: Learnt) -> None:
        if learnt.verdict.passed:
            bank = self.learner.learner.bank
            self._policy.adopt(learnt.model, {text: bank[text].numpy() for text in learnt.added})


def save_weights(policy: HierarchicalPolicy, path: Path) -> None:
    """The high level as it is, with its bank, for other processes."""
    codes = torch.from_numpy(policy.bank.codes.copy())
    names = {f"command.{at}": text for at, text in enumerate(policy.bank.texts)}
    save_file({**policy.high_level.state_dict(), "bank": codes}, str(path), names)


def load_weights(policy: HierarchicalPolicy, path: Path | None, base: dict[str, torch.Tensor]) -> None:
    """Use what `save_weights` wrote, or `base`, the weights that were loaded first."""
    weights = dict(load_file(str(path))) if path is not None else dict(base)
    weights.pop("bank", None)
    policy.high_level.load_state_dict(weights)
