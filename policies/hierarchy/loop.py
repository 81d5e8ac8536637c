"""One training loop for every part: budget, learning rate, log, saved states, resume, Ctrl-C.

The gradient of a step is computed by worker threads that each take a slice of the batch and use one core, and meet
once a step: on a machine that also does other work this is many times faster than one operator on several cores.
Where several processes train together (`policies/processes.py`) each draws its share of a batch, and gradients are
averaged. Knows nothing of what is trained; `losses` tells it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from policies.errors import PolicyError
from policies.hierarchy.checkpoint import TrainingState, load_training_state, save_training_state
from policies.processes import Processes

LOG_EVERY = 50
SAVE_EVERY_S = 60.0
WARM_UP_STEPS = 100
GRADIENT_LIMIT = 1.0


@dataclass(frozen=True)
class Progress:
    """What a person sees while it trains. `fraction` 0..1 of this phase's budget."""

    phase: str
    step: int
    fraction: float
    loss: float
    samples_per_s: float
    elapsed_s: float

    @property
    def remaining_s(self) -> float:
        return self.elapsed_s / self.fraction - self.elapsed_s if self.fraction > 0 else math.inf


@dataclass(frozen=True)
class Phase:
    """One phase of training. It ends at `steps`, or at `minutes` where that is given and comes first."""

    name: str
    folder: Path
    steps: int
    minutes: float | None
    learning_rate: float
    batch: int
    settings: dict[str, Any] = field(default_factory=dict)
    weight_decay: float = 1e-4


class Objective(Protocol):
    """What a phase minimises."""

    def draw(self, size: int) -> Any:
        """The next batch; called by one thread, ahead of time."""
        ...

    def slices(self, batch: Any, count: int) -> Sequence[Any]:
        """The batch cut into `count` about equal parts."""
        ...

    def loss(self, part: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss of one part and what it is made of; called by several threads at once."""
        ...


@contextmanager
def one_core_an_operator(device: torch.device) -> Iterator[None]:
    """Workers are the parallelism on a CPU; operators that spread over cores too would only wait for each other."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_phase(
    phase: Phase,
    model: nn.Module,
    objective: Objective,
    *,
    device: torch.device,
    threads: int,
    resume: bool,
    progress: Callable[[Progress], None] | None,
    processes: Processes | None = None,
) -> dict[str, Any]:
    """Train until the budget is spent; returns a summary for the model card.

    processes: that train together, each with an objective that draws other data; None: this one alone. All begin with
    the main one's weights, which alone logs, saves and reports.
    Ctrl-C saves the state and leaves with KeyboardInterrupt; the next run with `resume` goes on from there.
    Raises PolicyError when the loss is no longer finite.
    """
    together = processes or Processes(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), phase.learning_rate, weight_decay=phase.weight_decay, fused=device.type != "mps"
    )
    resume = resume and together.main
    saved = load_training_state(phase.folder, model, optimizer, phase.settings) if resume else None
    state = _begin_alike(together, model, optimizer, saved or TrainingState(0, 0.0, phase.settings))
    run = _Run(phase, model, optimizer, state, progress, together)
    if run.fraction < 1.0:
        workers = threads if device.type == "cpu" else 1
        initializer = (lambda: torch.set_num_threads(1)) if device.type == "cpu" else None
        with one_core_an_operator(device), ThreadPoolExecutor(workers + 1, initializer=initializer) as pool:
            try:
                _loop(run, objective, pool, workers)
            except KeyboardInterrupt:
                run.save()
                raise
            except RuntimeError:
                if together.count > 1:  # another process has gone, which may be how Ctrl-C shows here
                    run.save()
                raise
        run.save()
    return together.same(run.summary() if together.main else {})


def _begin_alike(
    together: Processes, model: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState
) -> TrainingState:
    """Weights, the optimizer's moments and the state of the main process in all of them."""
    if together.count == 1:
        return state
    weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    moments = optimizer.state_dict()
    moments["state"] = {
        number: {name: value.cpu() for name, value in values.items()} for number, values in moments["state"].items()
    }
    weights, moments, state = together.same((weights, moments, state))
    model.load_state_dict(weights)
    if not together.main:
        optimizer.load_state_dict(moments)
    torch.manual_seed(torch.initial_seed() + together.index)  # dropout
    return state


class _Run:
    """The clock, the log and the saved state of one phase."""

    def __init__(
        self,
        phase: Phase,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        state: TrainingState,
        progress: Callable[[Progress], None] | None,
        together: Processes,
    ) -> None:
        self.phase, self.model, self.optimizer, self.report = phase, model, optimizer, progress
        self.together = together
        self.step = state.step
        self._begun = time.monotonic() - state.elapsed_s
        self._saved_at = self._logged_at = time.monotonic()
        self._logged_step = state.step
        self._log = phase.folder / "log.jsonl"
        if together.main:
            phase.folder.mkdir(parents=True, exist_ok=True)
            if not state.step:
                self._log.unlink(missing_ok=True)
        self.fraction = 0.0
        self.look()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begun

    def look(self) -> None:
        """How much of the budget is spent now; by the main process's clock."""
        spent = self.step / self.phase.steps
        if self.phase.minutes is not None:
            spent = self.together.same(max(spent, self.elapsed_s / (60 * self.phase.minutes)))
        self.fraction = min(1.0, spent)

    def set_learning_rate(self) -> None:
        """Warm up, stay constant to the half, then fall linearly to nothing."""
        factor = min(1.0, (self.step + 1) / WARM_UP_STEPS, 2 * (1 - self.fraction) + 1e-3)
        for group in self.optimizer.param_groups:
            group["lr"] = self.phase.learning_rate * factor

    def log(self, loss: float, parts: dict[str, float]) -> None:
        now = time.monotonic()
        rate = (self.step - self._logged_step) * self.phase.batch / max(now - self._logged_at, 1e-9)
        self._logged_at, self._logged_step = now, self.step
        if not math.isfinite(loss):
            raise PolicyError(
                "the loss is no longer a finite number.",
                field=f"{self.phase.name} step {self.step}",
                hint="Train again with another seed; the last saved state is kept.",
            )
        if not self.together.main:
            return
        entry = {"step": self.step, "loss": loss, **parts, "samples_per_s": rate, "elapsed_s": self.elapsed_s}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: round(value, 5) for name, value in entry.items()}) + "\n")
        if self.report is not None:
            self.report(Progress(self.phase.name, self.step, self.fraction, loss, rate, self.elapsed_s))
        if now - self._saved_at > SAVE_EVERY_S:
            self.save()
            self._saved_at = now

    def save(self) -> None:
        if not self.together.main:
            return
        state = TrainingState(self.step, self.elapsed_s, self.phase.settings)
        save_training_state(self.phase.folder, self.model, self.optimizer, state)

    def summary(self) -> dict[str, Any]:
        """Steps, seconds and about ten points of the training curve, from the log."""
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        entries = [json.loads(line) for line in lines]
        every = max(1, len(entries) // 10)
        return {
            "steps": self.step,
            "minutes": round(entries[-1]["elapsed_s"] / 60, 1) if entries else 0.0,
            "batch": self.phase.batch,
            "loss_by_step": {str(e["step"]): e["loss"] for e in entries[every - 1 :: every]},
        }


def _loop(run: _Run, objective: Objective, pool: ThreadPoolExecutor, workers: int) -> None:
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    run.model.train()
    size = run.together.share(run.phase.batch)
    weight = size * run.together.count / run.phase.batch
    batch = objective.draw(size)
    total, parts, counted = 0.0, dict[str, float](), 0
    while run.fraction < 1.0:
        run.set_learning_rate()
        following = pool.submit(objective.draw, size)
        pieces = objective.slices(batch, workers)
        jobs = [pool.submit(_gradient, objective, piece, parameters, len(pieces)) for piece in pieces]
        results = [job.result() for job in jobs]
        for index, parameter in enumerate(parameters):
            parameter.grad = _sum_like(parameter, [gradients[index] for _, _, gradients in results])
        run.together.average([parameter.grad for parameter in parameters if parameter.grad is not None], weight)
        nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
        run.optimizer.step()
        run.step += 1
        run.look()
        counted += 1
        for loss, named, _ in results:
            total += loss / len(results)
            for name, value in named.items():
                parts[name] = parts.get(name, 0.0) + value / len(results)
        if run.step % LOG_EVERY == 0 or run.fraction >= 1.0:
            means = torch.tensor([total / counted, *(value / counted for value in parts.values())], dtype=torch.double)
            run.together.average([means], weight)
            run.log(means[0].item(), dict(zip(parts, means[1:].tolist(), strict=True)))
            total, parts, counted = 0.0, {}, 0
        batch = following.result()
    run.model.eval()


def _sum_like(parameter: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """Their sum, laid out in memory as the parameter is.

    The fused optimizer walks both in memory order. The gradient of a convolution over channels-last pictures comes in
    another order than its weights, and every weight would be moved by the gradient of another one.
    """
    total = torch.zeros_like(parameter)
    for gradient in gradients:
        total.add_(gradient)
    return total


def _gradient(
    objective: Objective, piece: Any, parameters: list[nn.Parameter], pieces: int
) -> tuple[float, dict[str, float], list[Tensor]]:
    loss, parts = objective.loss(piece)
    found = torch.autograd.grad(loss / pieces, parameters, allow_unused=True)
    gradients = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
    return loss.item(), {name: part.item() for name, part in parts.items()}, gradients
