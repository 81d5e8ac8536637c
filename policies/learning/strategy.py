"""What keeps a model from forgetting while it learns something new: one interface, and strategies by name.

A *stretch* is what is learned in one go: a task, or the corrections since the last version. `learn` runs it; a
strategy may replay, penalise, project gradients, or take the optimizer's place. What a strategy remembers of earlier
stretches is tensors, so that it is kept beside the model. Knows nothing of what the model is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from policies.errors import PolicyError

Examples = tuple[Tensor, ...]
"""n examples: tensors whose first dimension is n, such as inputs and targets."""


class Learnable(Protocol):
    """A model and what it is to learn. Rows of examples do not depend on each other."""

    @property
    def model(self) -> nn.Module:
        """Whose parameters are learned, all that require a gradient."""
        ...

    def output(self, examples: Examples) -> Tensor:
        """What the model answers, `(n, d)`; needs no targets."""
        ...

    def losses(self, examples: Examples) -> Tensor:
        """The loss of each example, `(n,)`, weights included."""
        ...

    def view(self, examples: Examples, generator: torch.Generator) -> Examples:
        """The same examples as they may look another time (noise, crops); as they are where nothing is known."""
        ...


@dataclass(frozen=True)
class Settings:
    """epochs over the new examples; batch: new examples a step; rate: of the optimizer; momentum of plain SGD, or
    `adam`."""

    epochs: int = 15
    batch: int = 32
    rate: float = 0.05
    momentum: float = 0.0
    adam: bool = False
    weight_decay: float = 0.0
    gradient_limit: float = 0.0
    """Largest norm of all gradients together; 0: no limit."""
    decay_steps: int = 0
    """The rate falls in a straight line to a hundredth over so many steps; 0: it stays."""


class Strategy:
    """Does nothing: plain learning, which forgets. The base of the others; `name` is how people choose it."""

    name = "none"
    needs_examples = False
    """Whether earlier examples are kept; otherwise only numbers that follow from them are."""

    def optimizer(self, learnable: Learnable, settings: Settings) -> torch.optim.Optimizer:
        """What moves the weights in one stretch."""
        parameters = [weight for weight in learnable.model.parameters() if weight.requires_grad]
        if settings.adam:
            return torch.optim.AdamW(parameters, settings.rate, weight_decay=settings.weight_decay)
        return torch.optim.SGD(parameters, settings.rate, settings.momentum, weight_decay=settings.weight_decay)

    def begin(self, learnable: Learnable) -> None:
        """A stretch begins."""

    def order(self, count: int, settings: Settings, generator: torch.Generator) -> Iterator[Tensor]:
        """Rows of the new examples, `(batch,)` of each step in turn."""
        for _ in range(settings.epochs):
            yield from torch.randperm(count, generator=generator).split(settings.batch)

    def mix(self, learnable: Learnable, batch: Examples, generator: torch.Generator) -> Examples:
        """The examples of a step; earlier ones may join."""
        return batch

    def penalty(self, learnable: Learnable) -> Tensor | None:
        """Added to the mean loss of a step."""
        return None

    def project(self, learnable: Learnable) -> None:
        """Change the gradients before a step."""

    def stepped(self, learnable: Learnable) -> None:
        """Change the weights after a step."""

    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """The stretch with these new examples is over."""

    def state(self) -> dict[str, Tensor]:
        """What it remembers, for `restore`."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Remember what `state` gave, of another strategy of the same kind. Raises PolicyError where it cannot be."""
        if state:
            raise PolicyError(f"{self.name} remembers nothing.", field="strategy", hint="Use the one that wrote it.")


def take(examples: Examples, rows: Tensor) -> Examples:
    """These rows of all tensors."""
    return tuple(tensor[rows] for tensor in examples)


def joined(first: Examples, second: Examples) -> Examples:
    """The rows of both, in order."""
    return tuple(torch.cat(pair) for pair in zip(first, second, strict=True))


def learn(
    learnable: Learnable,
    examples: Examples,
    strategy: Strategy,
    settings: Settings,
    generator: torch.Generator,
    stop: Callable[[], bool] = lambda: False,
    after: Callable[[int], None] = lambda visits: None,
) -> float:
    """Learn one stretch; returns the mean loss of its last epoch. The same examples, state and generator give the
    same weights. stop: asked before each step; what was learned until then stays. after: told after each step how
    often new examples were visited so far; it must not change the model."""
    optimizer = strategy.optimizer(learnable, settings)
    strategy.begin(learnable)
    losses = passes(learnable, examples, strategy, settings, generator, optimizer, stop, after)
    strategy.end(learnable, examples, generator)
    steps_an_epoch = -(-len(examples[0]) // settings.batch)
    return sum(losses[-steps_an_epoch:]) / max(1, len(losses[-steps_an_epoch:]))


def passes(
    learnable: Learnable,
    examples: Examples,
    strategy: Strategy,
    settings: Settings,
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    stop: Callable[[], bool] = lambda: False,
    after: Callable[[int], None] = lambda visits: None,
) -> list[float]:
    """The steps of a stretch that has begun and does not end here: `settings.epochs` over the examples, or until
    `stop`. Returns the loss of each step. stop, after: as for `learn`."""
    model = learnable.model
    parameters = [weight for weight in model.parameters() if weight.requires_grad]
    rates = {id(group): group["lr"] for group in optimizer.param_groups}
    losses: list[float] = []
    visits = 0
    model.train()
    for rows in strategy.order(len(examples[0]), settings, generator):
        if stop():
            break
        if settings.decay_steps:
            left = max(0.01, 1 - len(losses) / settings.decay_steps)
            for group in optimizer.param_groups:
                group["lr"] = rates[id(group)] * left
        batch = strategy.mix(learnable, learnable.view(take(examples, rows), generator), generator)
        loss = learnable.losses(batch).mean()
        extra = strategy.penalty(learnable)
        optimizer.zero_grad()
        (loss if extra is None else loss + extra).backward()
        strategy.project(learnable)
        if settings.gradient_limit:
            nn.utils.clip_grad_norm_(parameters, settings.gradient_limit)
        optimizer.step()
        strategy.stepped(learnable)
        losses.append(float(loss.detach()))
        visits += len(rows)
        after(visits)
    model.eval()
    return losses
