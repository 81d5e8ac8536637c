"""A learner in the packing experiment: the oracle corrects, the high level learns while it acts, round after round.

The parts are those of the running system: moments as the controller tells them, corrections as the log has them,
examples, learner and gate. An update reaches the controller `UPDATE_S` of simulated time after what it was learned
from, as in a real session on two cores. A learner learns on after every correction and anew after every round; then
its low level learns, too (`packing_low_level.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hitl.backend.policy_learner import GateRules, Learnt, PolicyLearner
from hitl.backend.registry import packaged_model
from hitl.config import Settings
from hitl.correction_examples import CorrectionExample, ExampleRules, examples_of
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import TEACHING, LearnJob, run_episode
from hitl.evaluation.packing_low_level import LowLevelLearning
from hitl.evaluation.packing_summary import Learner
from hitl.events import LogEvent
from hitl.sessions.feedback_log import views_of
from hitl.sessions.moments import Moment
from policies.hierarchy import base_moments
from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings
from policies.hierarchy.low_level import LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy

UPDATE_S = 1.5
_NO_GATE = GateRules(base_margin=1.0)
_LOW_LEVEL = "low_level."


@dataclass(frozen=True)
class Variant:
    """What differs from the default in an ablation. online: learn while it runs, or only after the last round; wrong:
    share of corrections that say something else than is wanted; undone: whether the wrong ones are undone at the end;
    guided: whether small motions that guide a hand teach the high level, too; low_level: whether the low level learns
    after each round. The strategy of `settings` and the gate, or none, are those of both levels."""

    rules: ExampleRules = field(default_factory=ExampleRules)
    settings: LearnerSettings = field(default_factory=LearnerSettings)
    gated: bool = True
    online: bool = True
    wrong: float = 0.0
    undone: bool = False
    guided: bool = False
    low_level: bool = True


VARIANTS = {
    "default": Variant(),
    "no-replay": Variant(settings=LearnerSettings(strategy="none"), gated=False),
    "no-negatives": Variant(rules=ExampleRules(negatives=False)),
    "no-margin": Variant(rules=ExampleRules(margin_s=0.0)),
    "no-let-run": Variant(rules=ExampleRules(let_run=0.0)),
    "guided": Variant(guided=True),
    "frozen-low-level": Variant(low_level=False),
    "not-moved": Variant(settings=LearnerSettings(moved=0.0)),
    "no-hindsight": Variant(settings=LearnerSettings(wished=0.0)),
    "no-gate": Variant(gated=False),
    "every-label": Variant(rules=ExampleRules(one_label=False)),
    "offline": Variant(online=False),
    "wrong": Variant(wrong=0.3),
    "wrong-undone": Variant(wrong=0.3, undone=True),
    **{
        name: Variant(settings=LearnerSettings(strategy=name))
        for name in ("view-batch", "mas", "gpm", "osf", "classp")
    },
}
"""Ablations by name: see `Variant`; "no-replay" learns without strategy and without a gate."""
_ANY_COMMANDS = (
    "go home", "put it down", "hand it to the right arm", "open the left gripper", "move the left arm up",
    "pick up the red block", "pick up the green cylinder", "pick up the blue ball", "pick up the yellow bar",
)  # fmt: skip


class OnlineLearning:
    """Learns beside a lockstep loop. budget: corrections after which nothing more is learned; seed: of what is said
    wrongly."""

    def __init__(
        self,
        loop: Lockstep,
        variant: Variant,
        budget: int,
        seed: int = 0,
        low_level: LowLevelLearning | None = None,
    ) -> None:
        policy = loop.model.policy
        assert isinstance(policy, HierarchicalPolicy)
        self._policy, self._variant, self._budget = policy, variant, budget
        self._low_level = low_level
        self.learner = PolicyLearner(
            _high_level_learner(policy, variant.settings),
            lambda text: torch.from_numpy(policy.embed(text)),
            GateRules() if variant.gated else _NO_GATE,
        )
        self._rng = np.random.default_rng([seed, 77])
        self._said_wrong = False
        self._done: list[CorrectionExample] = []
        self._episodes: list[tuple[list[LogEvent], list[Moment]]] = []
        self._due: list[tuple[int, Learnt]] = []
        self.learnt: list[Learnt] = []
        self.seconds: list[float] = []
        self.given = 0
        self.wrong: set[str] = set()

    def said(self, words: str) -> str:
        """What is said where `words` are meant: in the share of the variant something else."""
        self._said_wrong = bool(self._variant.wrong) and self._rng.random() < self._variant.wrong
        if not self._said_wrong:
            return words
        return str(self._rng.choice([other for other in _ANY_COMMANDS if other != words]))

    def corrected(self, loop: Lockstep, event: str) -> None:
        """A correction was just given: learn from it."""
        self.given += 1
        if self._said_wrong:
            self.wrong.add(event)
        if self._variant.online and self.given <= self._budget:
            examples = self._done + self._examples(loop.events, loop.moments)
            self._learn(examples, loop.clock.now_ns() + round(UPDATE_S * 1e9), anew=False)

    def tick(self, loop: Lockstep) -> None:
        """Put what is due in use."""
        if self._low_level is not None:
            self._low_level.tick()
        while self._due and self._due[0][0] <= loop.clock.now_ns():
            self._use(self._due.pop(0)[1])

    def episode_over(self, loop: Lockstep, given_before: int) -> None:
        """What it taught is known now; corrections beyond the budget teach nothing, nor do their episodes."""
        self._settle()
        if given_before < self._budget:
            self._episodes.append((list(loop.events), list(loop.moments)))
            self._done += self._examples(loop.events, loop.moments)

    def round_over(self, *, last: bool) -> None:
        """Learn anew from all there is."""
        if self._variant.online or last:
            self._learn(self._done, 0, anew=True)
        if self._low_level is not None:
            self._low_level.round_over(learns=self._variant.online or last)
        if last and self._variant.undone:
            self._done = [e for events, moments in self._episodes for e in self._examples(events, moments, self.wrong)]
            self._learn(self._done, 0, anew=True)
            if self._low_level is not None:
                self._low_level.undo(self.wrong)
        self._settle()

    def _settle(self) -> None:
        while self._due:
            self._use(self._due.pop(0)[1])

    def _examples(
        self, events: list[LogEvent], moments: list[Moment], undone: set[str] | frozenset[str] = frozenset()
    ) -> list[CorrectionExample]:
        views = [replace(view, undone=True) if view.event.id in undone else view for view in views_of(events)]
        found = examples_of(views, moments, self._variant.rules)[0]
        guiding = frozenset() if self._variant.guided else self.learner.learner.guiding
        return [example for example in found if example.command not in guiding]

    def _learn(self, examples: list[CorrectionExample], due_ns: int, *, anew: bool) -> None:
        if not examples:
            return
        begun = time.monotonic()
        learnt = self.learner.learn(examples, anew=anew)
        if learnt is not None:
            self.seconds.append(round(time.monotonic() - begun, 3))
            self.learnt.append(learnt)
            self._due.append((due_ns, learnt))

    def _use(self, learnt: Learnt) -> None:
        if learnt.verdict.passed:
            bank = self.learner.learner.bank
            self._policy.adopt(learnt.model, {text: bank[text].numpy() for text in learnt.added})


def learn(settings: Settings, loop: Lockstep, job: LearnJob) -> Learner:
    """Correct one learner for some rounds, and write its weights to `job.weights`."""
    variant = VARIANTS[job.variant]
    low_level = None
    if variant.low_level and job.base:
        folder, base = Path(job.weights).with_suffix(""), Path(job.base)
        low_level = LowLevelLearning(settings, loop, folder, base, variant.settings.strategy, gated=variant.gated)
    learning = OnlineLearning(loop, variant, job.budget, job.seed, low_level)
    rounds = []
    for round_ in range(job.rounds):
        episodes = []
        for at in range(job.episodes):
            before = learning.given
            number = TEACHING + round_ * job.episodes + at
            if low_level is not None and before < job.budget:
                low_level.begin_episode()
            episodes.append(run_episode(loop, "corrected", job.condition, job.seed, number, learning))
            learning.episode_over(loop, before)
            if low_level is not None:
                low_level.end_episode(job.condition)
        learning.round_over(last=round_ == job.rounds - 1)
        rounds.append(episodes)
    if low_level is not None:
        low_level.close()
    passed = [learnt for learnt in learning.learnt if learnt.verdict.passed]
    save_weights(loop, Path(job.weights))
    return Learner(
        condition=job.condition,
        seed=job.seed,
        variant=job.variant,
        policy=job.policy,
        budget=job.budget,
        rounds=rounds,
        given=learning.given,
        taught=min(learning.given, job.budget),
        versions=len(passed),
        refused=len(learning.learnt) - len(passed),
        seconds=learning.seconds,
        scores=passed[-1].verdict.scores if passed else {},
        wrong=len(learning.wrong),
        new_commands=list(passed[-1].added) if passed else [],
        low_level=low_level.updates if low_level is not None else [],
    )


@dataclass(frozen=True)
class Weights:
    """Of both levels, names of the low level's beginning with "low_level."; bank: command -> code `(64,)`."""

    tensors: dict[str, torch.Tensor]
    bank: dict[str, torch.Tensor]


def weights_of(loop: Lockstep) -> Weights:
    """A copy of what decides and acts now."""
    policy = loop.model.policy
    assert isinstance(policy, HierarchicalPolicy)
    low_level = {f"{_LOW_LEVEL}{name}": weight for name, weight in policy.low_level.state_dict().items()}
    tensors = {name: weight.detach().clone() for name, weight in (policy.high_level.state_dict() | low_level).items()}
    return Weights(tensors, {text: torch.from_numpy(policy.bank.code(text)) for text in policy.bank.texts})


def save_weights(loop: Lockstep, path: Path) -> None:
    """What decides and acts now, for other processes."""
    now = weights_of(loop)
    names = {f"command.{at}": text for at, text in enumerate(now.bank)}
    save_file({**now.tensors, "bank": torch.stack(list(now.bank.values()))}, str(path), names)


def use_weights(loop: Lockstep, path: Path | None, first: Weights) -> None:
    """Decide and act with what `save_weights` wrote, or with `first`, from which comes what is not in the file."""
    policy = loop.model.policy
    assert isinstance(policy, HierarchicalPolicy)
    tensors, bank = first.tensors, first.bank
    if path is not None:
        with safe_open(str(path), "pt") as file:
            about = file.metadata()
        found = load_file(str(path))
        bank = {about[f"command.{at}"]: code for at, code in enumerate(found.pop("bank"))}
        tensors = tensors | found
    made = type(policy.high_level)(policy.high_level.config)
    made.load_state_dict({name: weight for name, weight in tensors.items() if not name.startswith(_LOW_LEVEL)})
    added = {text: code.numpy() for text, code in bank.items() if text not in policy.bank}
    policy.adopt(made, added, [text for text in policy.bank.texts if text not in bank])
    acting = LowLevelPolicy(policy.low_level.config)
    acting.load_state_dict(
        {name.removeprefix(_LOW_LEVEL): weight for name, weight in tensors.items() if name.startswith(_LOW_LEVEL)}
    )
    policy.adopt_low_level(acting)


def _high_level_learner(policy: HierarchicalPolicy, settings: LearnerSettings) -> HighLevelLearner:
    moments, commands = base_moments.load(packaged_model() / base_moments.FILE)
    bank = {text: torch.from_numpy(policy.bank.code(text)) for text in policy.bank.texts}
    base = base_moments.renumbered(moments, commands, policy.bank.texts)
    return HighLevelLearner(policy.high_level, bank, base, settings, policy.device)
