"""Permuted digits: one network learns several tasks in turn, each the same digits with their pixels in another order.

The classic test of forgetting, small enough for seconds: a strategy is measured on all tasks after each. Settings are
those of which docs/measurements.md has the figures. Knows nothing of robots.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hitl.errors import InputError
from policies.learning.lifelong import Block
from policies.learning.strategies import strategy
from policies.learning.strategy import Examples, Settings, Strategy, learn, take

DIGITS = Path(__file__).resolve().parents[2] / "assets" / "digits" / "digits.csv.gz"
TASKS, TRAIN = 3, 1200
_NOISE, _DROPPED = 0.1, 0.1


@dataclass(frozen=True)
class Method:
    """A strategy with its options, and how it learns."""

    label: str
    strategy: str
    options: dict[str, float]
    settings: Settings = Settings(epochs=15, batch=10, rate=0.05)
    views: bool = False
    """Whether examples are seen with noise and dropped pixels."""

    def make(self) -> Strategy:
        """A new one."""
        return strategy(self.strategy, **self.options)


_VIEWS = Settings(epochs=16, batch=10)
"""A multiple of the four repeats, so that all have as many visits."""
METHODS = (
    Method("SGD", "none", {}),
    Method("replay 200", "replay", {"size": 200}),
    Method("replay 60", "replay", {"size": 60}),
    Method("replay 200, views", "replay", {"size": 200}, _VIEWS, views=True),
    Method("view-batch 200", "view-batch", {"size": 200}, _VIEWS, views=True),
    Method("MAS 0.1", "mas", {"strength": 0.1}),
    Method("GPM 0.95", "gpm", {"threshold": 0.95}),
    Method("GPM 0.99", "gpm", {"threshold": 0.99}),
    Method("OSF 25 %", "osf", {"kept": 0.25}),
    Method("OSF 50 %", "osf", {"kept": 0.5}),
    Method("CLASSP 1e-5", "classp", {"rate": 0.05, "threshold": 1e-5}),
)


class Digits:
    """The network, 64-100-100-10, and its loss; an example is (pixels `(64,)` from 0 to 1, class)."""

    def __init__(self, seed: int, *, views: bool = False) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: nn.Module = nn.Sequential(
                nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10)
            )
            for layer in self.model:
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)
        self._views = views

    def output(self, examples: Examples) -> Tensor:
        """Logits `(n, 10)`."""
        logits: Tensor = self.model(examples[0])
        return logits

    def losses(self, examples: Examples) -> Tensor:
        """Cross entropy `(n,)`."""
        return functional.cross_entropy(self.output(examples), examples[1], reduction="none")

    def view(self, examples: Examples, generator: torch.Generator) -> Examples:
        """With noise, and some pixels dark."""
        if not self._views:
            return examples
        pixels = examples[0]
        noise = torch.randn(pixels.shape, generator=generator) * _NOISE
        kept = torch.rand(pixels.shape, generator=generator) >= _DROPPED
        return (pixels + noise) * kept, examples[1]

    @torch.no_grad()
    def accuracy(self, examples: Examples) -> float:
        """Share of right answers."""
        return float((self.output(examples).argmax(1) == examples[1]).float().mean())


def read_digits() -> Examples:
    """Pixels `(1797, 64)` from 0 to 1 and classes `(1797,)`. Raises InputError where the file is not there."""
    try:
        with gzip.open(DIGITS, "rt") as file:
            rows = np.array([[float(value) for value in row] for row in csv.reader(file)])
    except OSError as error:
        raise InputError(f"{DIGITS}: {error}", field="digits", hint="Install hitl with its assets.") from error
    return torch.tensor(rows[:, :64] / 16.0, dtype=torch.float32), torch.tensor(rows[:, 64], dtype=torch.int64)


def tasks(seed: int, count: int = TASKS) -> list[tuple[Examples, Examples]]:
    """Training and test examples of each task; the split is the same for all, the order of pixels is not."""
    generator = torch.Generator().manual_seed(1000 + seed)
    pixels, classes = read_digits()
    order = torch.randperm(len(pixels), generator=generator)
    found = []
    for _ in range(count):
        places = torch.randperm(pixels.shape[1], generator=generator)
        both = pixels[:, places], classes
        found.append((take(both, order[:TRAIN]), take(both, order[TRAIN:])))
    return found


@dataclass(frozen=True)
class Course:
    """What one network did. before `(tasks,)`: accuracy on each task before anything was learned; matrix `(tasks,
    tasks)`: on task j after learning task k; curves: on each task while it was learned, twice an epoch."""

    before: list[float]
    matrix: np.ndarray
    curves: list[list[float]]

    def log(self) -> list[Block]:
        """As blocks: an evaluation of all tasks, then learning and evaluation in turn."""
        names = task_names(len(self.curves))
        found = [Block(0, "evaluation", name, [value]) for name, value in zip(names, self.before, strict=True)]
        for place, curve in enumerate(self.curves):
            found.append(Block(2 * place + 1, "learning", names[place], curve))
            row = [float(value) for value in self.matrix[place]]
            found += [
                Block(2 * place + 2, "evaluation", name, [value]) for name, value in zip(names, row, strict=True)
            ]
        return found


def task_names(count: int = TASKS) -> list[str]:
    """In the order in which they are learned."""
    return [f"task {place + 1}" for place in range(count)]


def run(method: Method, seed: int, count: int = TASKS) -> Course:
    """Learn all tasks in turn."""
    learnable = Digits(seed, views=method.views)
    generator = torch.Generator().manual_seed(seed)
    chosen = method.make()
    given = tasks(seed, count)
    before = [learnable.accuracy(test) for _, test in given]
    matrix, curves = [], []
    for train, test in given:
        curves.append(_learned(learnable, train, test, chosen, method.settings, generator))
        matrix.append([learnable.accuracy(every) for _, every in given])
    return Course(before, np.array(matrix), curves)


def experts(seed: int, count: int = TASKS) -> dict[str, list[list[Block]]]:
    """Task -> the log of one network that learned it alone, by plain learning and with the same examples."""
    plain = METHODS[0]
    found = {}
    for name, (train, test) in zip(task_names(count), tasks(seed, count), strict=True):
        generator = torch.Generator().manual_seed(seed)
        curve = _learned(Digits(seed), train, test, plain.make(), plain.settings, generator)
        found[name] = [[Block(0, "learning", name, curve)]]
    return found


def _learned(
    learnable: Digits,
    train: Examples,
    test: Examples,
    chosen: Strategy,
    settings: Settings,
    generator: torch.Generator,
) -> list[float]:
    """Accuracy on the test examples each time that half an epoch was learned."""
    half, curve = len(train[0]) / 2, list[float]()

    def look(visits: int) -> None:
        if visits >= half * (len(curve) + 1):
            curve.append(learnable.accuracy(test))

    learn(learnable, train, chosen, settings, generator, after=look)
    return curve


def methods(names: Sequence[str]) -> list[Method]:
    """Those whose strategy is named, all for none. Raises InputError."""
    known = list(dict.fromkeys(method.strategy for method in METHODS))
    for name in names:
        if name not in known:
            raise InputError(f"{name!r} is no strategy", field="strategy", hint=f"Use some of {', '.join(known)}.")
    return [method for method in METHODS if not names or method.strategy in names]
