"""The training loop: budgets, the same result from one worker or three, stopping, resuming, giving up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.loop import Phase, Progress, run_phase

CPU = torch.device("cpu")


class Line:
    """Fit y = 3 x + 1; the drawn batch is the same in every run."""

    def __init__(self, model: torch.nn.Linear, stop_at: int = -1, poison_at: int = -1) -> None:
        self.model, self.drawn, self.stop_at, self.poison_at = model, 0, stop_at, poison_at

    def draw(self, size: int) -> Tensor:
        self.drawn += 1
        if self.drawn == self.stop_at:
            raise KeyboardInterrupt
        x = torch.linspace(-1, 1, size)[:, None]
        return x * float("nan") if self.drawn == self.poison_at else x

    def slices(self, batch: Tensor, count: int) -> Sequence[Tensor]:
        return batch.chunk(count)

    def loss(self, part: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = ((self.model(part) - 3 * part - 1) ** 2).mean()
        return loss, {"square": loss}


def line() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(1, 1)


def phase(folder: Path, steps: int = 400, **changes: Any) -> Phase:
    values: dict[str, Any] = {"minutes": None, "learning_rate": 0.05, "batch": 32, "settings": {"seed": 0}, **changes}
    return Phase("line", folder, steps, **values)


def run(which: Phase, model: torch.nn.Module, objective: Any, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"device": CPU, "threads": 1, "resume": True, "progress": None, **changes}
    return run_phase(which, model, objective, **values)


def test_it_learns_and_logs(tmp_path: Path) -> None:
    model = line()
    seen: list[Progress] = []
    summary = run(phase(tmp_path), model, Line(model), progress=seen.append)
    assert model.weight.item() == pytest.approx(3, abs=0.01) and model.bias.item() == pytest.approx(1, abs=0.01)
    entries = [json.loads(entry) for entry in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == list(range(50, 401, 50))
    assert {"loss", "square", "samples_per_s", "elapsed_s"} <= entries[0].keys()
    assert entries[-1]["loss"] < 1e-3 < entries[0]["loss"]
    assert seen[-1].fraction == 1.0 and summary["steps"] == 400


def test_workers_share_one_gradient(tmp_path: Path) -> None:
    weights = []
    for workers in (1, 3):
        model = line()
        run(phase(tmp_path / str(workers), steps=20, batch=36), model, Line(model), threads=workers)
        weights.append(torch.cat((model.weight.flatten(), model.bias)))
    assert torch.allclose(weights[0], weights[1], atol=1e-5)


class Pictures:
    """Match a convolution's answer to pictures that lie in memory with their channels last."""

    def __init__(self, model: torch.nn.Conv2d) -> None:
        self.model = model
        self.pictures = torch.randn(8, 6, 6, 3, generator=torch.Generator().manual_seed(1)).permute(0, 3, 1, 2)

    def draw(self, size: int) -> Tensor:
        return self.pictures

    def slices(self, batch: Tensor, count: int) -> Sequence[Tensor]:
        return batch.chunk(count)

    def loss(self, part: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (self.model(part) - part[:, :, 1:-1, 1:-1]).square().mean(), {}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_weight_moves_by_its_own_gradient(tmp_path: Path, workers: int, layout: torch.memory_format) -> None:
    """Whatever the order in memory of weights, pictures and gradients."""
    torch.manual_seed(0)
    model, plain = (torch.nn.Conv2d(3, 3, 3) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    model.to(memory_format=layout)
    run(phase(tmp_path, steps=1, learning_rate=1.0, weight_decay=0.0), model, Pictures(model), threads=workers)
    objective = Pictures(plain)
    (gradient,) = torch.autograd.grad(objective.loss(objective.draw(8))[0], [plain.weight])
    moved = model.weight.detach() - plain.weight.detach()
    sure = gradient.abs() > 1e-4  # Adam's first step is the sign of the gradient
    assert sure.sum() > 40 and (moved.sign() == -gradient.sign())[sure].all()


def test_minutes_end_a_phase(tmp_path: Path) -> None:
    model = line()
    summary = run(phase(tmp_path, steps=10**9, minutes=0.005), model, Line(model))
    assert 0 < summary["steps"] < 10**6


def test_ctrl_c_saves_and_the_next_run_goes_on(tmp_path: Path) -> None:
    model = line()
    with pytest.raises(KeyboardInterrupt):
        run(phase(tmp_path), model, Line(model, stop_at=120))
    stopped = json.loads((tmp_path / "state.json").read_text())["step"]
    assert 0 < stopped < 120
    again = line()
    objective = Line(again)
    run(phase(tmp_path), again, objective)
    assert objective.drawn <= 400 - stopped + 1
    assert again.weight.item() == pytest.approx(3, abs=0.01)


def test_a_finished_phase_is_not_trained_again(tmp_path: Path) -> None:
    model = line()
    first = run(phase(tmp_path), model, Line(model))
    again = line()
    objective = Line(again)
    assert run(phase(tmp_path), again, objective) == first
    assert objective.drawn == 0 and torch.equal(again.weight, model.weight)


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    model = line()
    run(phase(tmp_path, steps=100), model, Line(model))
    objective = Line(line())
    run(phase(tmp_path, steps=100), objective.model, objective, resume=False)
    assert objective.drawn >= 100
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_other_settings_are_not_mixed(tmp_path: Path) -> None:
    model = line()
    run(phase(tmp_path, steps=10), model, Line(model))
    with pytest.raises(CheckpointError, match="another seed"):
        run(phase(tmp_path, steps=20, settings={"seed": 1}), model, Line(model))


def test_a_loss_that_is_no_number_ends_training(tmp_path: Path) -> None:
    model = line()
    with pytest.raises(PolicyError, match="no longer a finite number"):
        run(phase(tmp_path), model, Line(model, poison_at=10))


def test_threads_are_given_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = line()
        run(phase(tmp_path, steps=5), model, Line(model), threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
