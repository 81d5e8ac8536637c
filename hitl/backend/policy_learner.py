"""Learning the high level from corrections, without process or files: examples in, gated new weights out.

Used by the learner's process (`policy_part.py`) and by the experiments. Needs torch. The gate: agreement on held-out
base data must not fall by more than a margin, and corrections that are new must be answered better than before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from hitl.correction_examples import CorrectionExample
from policies.hierarchy.examples import Example
from policies.hierarchy.high_level import HighLevelPolicy
from policies.hierarchy.high_level_learner import HighLevelLearner, Update

_AS_GOOD = 0.05
"""Where nothing is new, remaining corrections may be answered worse by so much: less was learned, on purpose."""


@dataclass(frozen=True)
class GateRules:
    """base_margin: by how much agreement on held-out base data may fall below that of the base weights."""

    base_margin: float = 0.02


@dataclass(frozen=True)
class Verdict:
    """Whether a version may act, why or why not, in sentences, and what was measured, each 0 to 1."""

    passed: bool
    reasons: tuple[str, ...]
    scores: dict[str, float]


@dataclass(frozen=True)
class Learnt:
    """One update. corrections: ids of the events that it knows, oldest first; fresh: those new in it; added: wording
    that joined the bank."""

    model: HighLevelPolicy
    verdict: Verdict
    corrections: tuple[str, ...]
    fresh: tuple[str, ...]
    examples: int
    anew: bool
    seconds: float
    added: tuple[str, ...] = ()


@dataclass
class _Known:
    corrections: tuple[str, ...] = ()
    added: set[str] = field(default_factory=set)


class PolicyLearner:
    """learner: of the high level; embed: the unit code of new wording; tasks: what a correction's episode was about,
    for scores by task."""

    def __init__(
        self,
        learner: HighLevelLearner,
        embed: Callable[[str], torch.Tensor],
        gate: GateRules | None = None,
        update: Callable[..., Update] | None = None,
    ) -> None:
        """update: in place of `learner.update`, such as one that runs elsewhere."""
        self.learner = learner
        self._update = update or learner.update
        self._embed, self._gate = embed, gate or GateRules()
        self._promoted, _ = learner.first_and_newest()
        self._base = learner.base_agreement(self._promoted)
        self._known = _Known()

    @property
    def promoted(self) -> HighLevelPolicy:
        """The weights that act."""
        return self._promoted

    @property
    def base_agreement(self) -> float:
        """Of the base weights, on held-out base data."""
        return self._base

    def behind(self, examples: Sequence[CorrectionExample]) -> bool:
        """Whether corrections came or went since the last update."""
        return _corrections(self._learnable(examples)) != self._known.corrections

    def take(self, model: HighLevelPolicy, corrections: Sequence[str]) -> None:
        """A version of before, or of somebody else, acts now: learn on from it."""
        self._promoted = model
        self.learner.start_from(model)
        self._known.corrections = tuple(corrections)

    def learn(
        self,
        examples: Sequence[CorrectionExample],
        tasks: dict[str, str] | None = None,
        *,
        anew: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Learnt | None:
        """Learn from all `examples` and judge; a version that passes acts from then on. None where there are none and
        nothing was learned before; without examples but with something to unlearn, the base weights come back."""
        examples = self._learnable(examples)
        corrections = _corrections(examples)
        gone = set(self._known.corrections) - set(corrections)
        if not corrections and not gone:
            return None
        added = self._bank(examples, anew or bool(gone))
        fresh = tuple(name for name in corrections if name not in self._known.corrections)
        if not corrections:
            model, seconds, anew = self.learner.first_and_newest()[0], 0.0, True
            self.learner.start_from(model)
        else:
            update = self._update(
                [_example(example) for example in examples], anew=anew or bool(gone), fresh=fresh, stop=stop
            )
            model, seconds, anew = update.model, update.seconds, update.anew
        verdict = self._judge(model, examples, fresh, tasks or {})
        if verdict.passed:
            self._promoted, self._known.corrections = model, corrections
        else:
            self.learner.start_from(self._promoted)
        return Learnt(model, verdict, corrections, fresh, len(examples), anew, seconds, tuple(sorted(added)))

    def _learnable(self, examples: Sequence[CorrectionExample]) -> Sequence[CorrectionExample]:
        """Those that can be learned from: a high level of fixed commands learns no new wording."""
        if self.learner.is_open:
            return examples
        return [example for example in examples if example.command in self.learner.bank]

    def _bank(self, examples: Sequence[CorrectionExample], anew: bool) -> set[str]:
        """Always in the same order where it is learned anew, as sums of floating-point numbers depend on it."""
        wanted = {example.command for example in examples}
        for text in self._known.added if anew else self._known.added - wanted:
            self.learner.remove_command(text)
        for text in sorted(wanted - set(self.learner.bank)):
            self.learner.add_command(text, self._embed(text))
            self._known.added.add(text)
        self._known.added &= wanted
        return set(self._known.added)

    def _judge(
        self,
        model: HighLevelPolicy,
        examples: Sequence[CorrectionExample],
        fresh: Sequence[str],
        tasks: dict[str, str],
    ) -> Verdict:
        learner, margin = self.learner, self._gate.base_margin
        everything = [_example(example) for example in examples]
        base = learner.base_agreement(model, everything)
        wishes = learner.superseded(everything)
        new = [_example(example) for example in examples if example.correction in fresh]
        taught = [_example(example) for example in examples if example.correction]
        judged = new or taught
        before, after = learner.agreement(self._promoted, judged), learner.agreement(model, judged)
        scores = {"base": base, "base_before": self._base}
        if judged:
            scores |= {"corrections": learner.agreement(model, taught), "new": after, "new_before": before}
        for task in sorted(set(tasks.values())):
            of_task = [_example(e) for e in examples if e.correction and tasks.get(e.correction) == task]
            if of_task:
                scores[f"task/{task}"] = learner.agreement(model, of_task)
        keeps = base >= self._base - margin
        better = not judged or (after > before or after > 0.999 if new else after >= before - _AS_GOOD)
        reasons = (
            f"On held-out base data it agrees in {base:.1%} (before any correction {self._base:.1%}, at most "
            f"{100 * margin:.0f} points less are let pass)." + ("" if keeps else " That is too much forgotten."),
            f"People want {_listed(wishes)}: between these commands another choice is no disagreement."
            if wishes
            else "",
            _said(bool(new), before, after, better),
        )
        rounded = {name: round(value, 4) for name, value in scores.items() if not math.isnan(value)}
        return Verdict(keeps and better, tuple(reason for reason in reasons if reason), rounded)


def _listed(wishes: set[tuple[str, str]]) -> str:
    return ", ".join(f"“{wanted}” instead of “{expert}”" for expert, wanted in sorted(wishes))


def _said(new: bool, before: float, after: float, better: bool) -> str:
    if math.isnan(after):
        return ""
    what = "New corrections are" if new else "The corrections that remain are"
    end = "" if better else (" They are not answered better." if new else " That is worse.")
    return f"{what} answered as people did in {after:.1%} of moments, {before:.1%} before.{end}"


def _corrections(examples: Sequence[CorrectionExample]) -> tuple[str, ...]:
    return tuple(sorted({example.correction for example in examples if example.correction}))


def _example(example: CorrectionExample) -> Example:
    return Example(
        torch.from_numpy(example.history.copy()),
        example.command,
        example.rejected,
        example.weight,
        example.correction,
        example.episode,
    )
