"""Strategies that make weights stiff: memory aware synapses, and an optimizer whose steps shrink where it has learned.

MAS (Aljundi et al. 2018): a weight is important where the squared length of the output is sensitive to it; changing it
costs. CLASSP (2024): weights that have moved much move less; implemented from the paper's formula, in which the
threshold is per weight and the power is applied, as neither is in the published class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from policies.errors import PolicyError
from policies.learning.strategy import Examples, Learnable, Settings, Strategy, take


def _named(learnable: Learnable) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in learnable.model.named_parameters() if weight.requires_grad}


def _sensitivity(
    learnable: Learnable, examples: Examples, samples: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """How much the squared length of the output changes with each weight: the mean, over so many of the examples, of
    the size of the gradient."""
    weights = _named(learnable)
    rows = torch.randperm(len(examples[0]), generator=generator)[:samples]
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for row in rows:
        output = learnable.output(take(examples, row[None]))
        gradients = torch.autograd.grad((output**2).sum(), list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                total[name] += gradient.abs() / len(rows)
    return total


class MemoryAwareSynapses(Strategy):
    """strength: of the penalty; samples: examples, of which no target is needed, that importance is measured on.
    Learning rate times twice the strength times importance must stay below 1, or it diverges."""

    name = "mas"

    def __init__(self, strength: float = 0.1, samples: int = 200) -> None:
        self._strength, self._samples = strength, samples
        self.importance: dict[str, Tensor] = {}
        self._anchor: dict[str, Tensor] = {}

    def penalty(self, learnable: Learnable) -> Tensor | None:
        """Strength times importance times the squared way from where the last stretch ended."""
        if not self.importance:
            return None
        weights = _named(learnable)
        parts = [(stiff * (weights[name] - self._anchor[name]) ** 2).sum() for name, stiff in self.importance.items()]
        return self._strength * torch.stack(parts).sum()

    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """Add to the importance what these examples say of it: the mean over them, one at a time, of the size of the
        gradient."""
        for name, found in _sensitivity(learnable, examples, self._samples, generator).items():
            before = self.importance.get(name)
            self.importance[name] = found if before is None else before + found
        self._anchor = {name: weight.detach().clone() for name, weight in _named(learnable).items()}

    def state(self) -> dict[str, Tensor]:
        """Importance, and where the weights were."""
        kept = {f"importance.{name}": value for name, value in self.importance.items()}
        return kept | {f"anchor.{name}": value for name, value in self._anchor.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Strategy.restore`."""
        parts: dict[str, dict[str, Tensor]] = {"importance": {}, "anchor": {}}
        for key, value in state.items():
            kind, _, name = key.partition(".")
            if kind not in parts:
                raise PolicyError(f"{key!r} is not of mas.", field="strategy", hint="Use the one that wrote it.")
            parts[kind][name] = value
        self.importance, self._anchor = parts["importance"], parts["anchor"]


class ClasspOptimizer(torch.optim.Optimizer):
    """For every weight: where its squared gradient is above `threshold`, G grows by |gradient|^power, and the weight
    moves by rate * gradient / (epsilon + G)^(1/power). `sums`: G by parameter, shared over stretches."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, threshold: float, power: float, sums: dict[int, Tensor]
    ) -> None:
        super().__init__(list(parameters), {"lr": rate})
        self._threshold, self._power, self._sums = threshold, power, sums

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step; weights with small gradients stay where they are."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                moves = weight.grad**2 > self._threshold
                total = self._sums.setdefault(id(weight), torch.zeros_like(weight))
                total += torch.where(moves, weight.grad.abs() ** self._power, 0.0)
                step = weight.grad / (1e-5 + total) ** (1 / self._power)
                weight -= group["lr"] * torch.where(moves, step, 0.0)


class Classp(Strategy):
    """rate: its own, since its steps have another scale than a gradient's; threshold: of squared gradients; samples:
    examples that stand for a training that it did not see (`end`)."""

    name = "classp"

    def __init__(self, rate: float = 0.2, threshold: float = 1e-5, power: float = 1.0, samples: int = 200) -> None:
        self._rate, self._threshold, self._power, self._samples = rate, threshold, power, samples
        self._sums: dict[str, Tensor] = {}

    def optimizer(self, learnable: Learnable, settings: Settings) -> torch.optim.Optimizer:
        """The optimizer is all of it."""
        weights = _named(learnable)
        for name, weight in weights.items():
            self._sums.setdefault(name, torch.zeros_like(weight))
        by_id = {id(weight): self._sums[name] for name, weight in weights.items()}
        return ClasspOptimizer(weights.values(), self._rate, self._threshold, self._power, by_id)

    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """Where another optimizer learned these examples, nothing was summed, and every weight would move by the whole
        rate at once: each example then counts as one step, whose gradient is that of its squared output (as MAS
        measures importance; that of the loss has vanished where all is answered)."""
        if any(bool(total.any()) for total in self._sums.values()):
            return
        count = min(self._samples, len(examples[0]))
        found = _sensitivity(learnable, examples, self._samples, generator)
        self._sums = {name: count * size**self._power for name, size in found.items()}

    def state(self) -> dict[str, Tensor]:
        """The sums: without them it would learn anew as if it knew nothing."""
        return dict(self._sums)

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Strategy.restore`."""
        self._sums = {name: value.clone() for name, value in state.items()}
