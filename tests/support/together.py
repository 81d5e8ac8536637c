"""What one of several processes does that train together, started by `python -m torch.distributed.run`.

It leaves its weights in `<folder>/<name>-<index>.safetensors`; each process has a folder of its own for what is saved.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from policies.hierarchy.loop import Phase, Progress, run_phase
from policies.hierarchy.train import Budget, train
from policies.processes import Processes, processes_of

BATCH = torch.linspace(-1, 1, 7)[:, None] ** 3
BUDGET = Budget(low_level_steps=3, high_level_steps=3, low_level_batch=5, high_level_batch=5)


class Cubic:
    """Fit y = 3 x + 1 by two layers. rows: of `BATCH`, the same in every step; None: drawn anew, by the seed."""

    def __init__(self, model: nn.Module, rows: slice | None, seed: int = 0) -> None:
        self.model, self.rows = model, rows
        self._generator = torch.Generator().manual_seed(seed)
        self.sizes: list[int] = []

    def draw(self, size: int) -> Tensor:
        self.sizes.append(size)
        return torch.rand(size, 1, generator=self._generator) if self.rows is None else BATCH[self.rows]

    def slices(self, batch: Tensor, count: int) -> Sequence[Tensor]:
        return batch.chunk(count)

    def loss(self, part: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = ((self.model(part) - 3 * part - 1) ** 2).mean()
        return loss, {"square": loss}


def hash_language(commands: Any, seed: int) -> tuple[Any, dict[str, Any]]:
    """In place of learning the language; importable by name."""
    from tests.policies.conftest import WordHash

    return WordHash(), {"words": "hashed"}


def model_of(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))


def fit(
    folder: Path, model: nn.Module, objective: Cubic, steps: int, together: Processes | None, **more: Any
) -> tuple[dict[str, Any], list[Progress]]:
    """Train; the summary, and what was reported."""
    said: list[Progress] = []
    phase = Phase("cubic", folder, steps, more.pop("minutes", None), 0.05, len(BATCH))
    cpu = torch.device("cpu")
    found = run_phase(
        phase, model, objective, device=cpu, threads=1, resume=True, progress=said.append, processes=together
    )
    return found, said


def main(folder: Path, data: Path) -> None:
    together = processes_of("cpu")
    index, own = together.index, folder / f"process-{together.index}"
    facts: dict[str, Any] = {"count": together.count, "main": together.main, "device": str(together.device)}

    # Each its part of the same seven rows: what one process does with all of them.
    model = model_of(index)  # begins otherwise, and is made alike
    half = Cubic(model, slice(0, 4) if index == 0 else slice(4, 7))
    fit(own / "half", model, half, 20, together)
    save_file(model.state_dict(), folder / f"half-{index}.safetensors")
    facts["sizes"] = sorted(set(half.sizes))

    # Other data in each process; stopped and gone on with, of which only the main one knows.
    model = model_of(0)
    fit(own / "drawn", model, Cubic(model, None, index), 10, together)
    model = model_of(5)
    summary, said = fit(own / "drawn", model, Cubic(model, None, index), 60, together, minutes=5.0)
    save_file(model.state_dict(), folder / f"drawn-{index}.safetensors")
    facts |= {"summary": summary, "said": len(said), "own": sorted(str(p.name) for p in own.glob("*"))}

    # The whole training.
    made = train(data, own / "model", BUDGET, device="cpu", language_trainer=hash_language)
    facts |= {"id": made["id"], "wrote": (own / "model").exists()}
    (folder / f"facts-{index}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
