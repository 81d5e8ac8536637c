"""Trains a flat policy: the low level's network and its training, on whole tasks, without commands (see `flat.py`).

It can be stopped at any moment and goes on where it was. Knows nothing of how the data was made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from policies.devices import resolve_device
from policies.hierarchy.checkpoint import FLAT, read_part, restore, write_model
from policies.hierarchy.dataset import load_recordings
from policies.hierarchy.flat import flat_code, flat_recordings
from policies.hierarchy.loop import Phase, Progress, run_phase
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.low_level_training import LowLevelObjective, PhraseCodes

SUMMARY = (
    "A flat policy for the packing cell, without commands: pictures and pose to a path, from the start of the task to "
    "its end. The ablation of the hierarchy; trained in simulation on a scripted expert, not for real robots."
)
_PHASE = "low_level"


@dataclass(frozen=True)
class Plan:
    """For how long it is trained: until `steps`, or `minutes` where they are given and over first."""

    steps: int = 8000
    minutes: float | None = None
    batch: int = 128
    seed: int = 0


def train_flat(
    data: Path,
    out: Path,
    plan: Plan | None = None,
    *,
    start_from: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    command: str = "hitl train flat",
) -> dict[str, Any]:
    """Write the model folder `out`: a flat policy that has learned from the task episodes of the dataset folder
    `data`; returns what its `model.json` says.

    start_from: a model folder whose low level is where it begins, as it sees already; threads: cores to use, default
    all. Raises DatasetError or CheckpointError naming what cannot be used; Ctrl-C saves and leaves.
    """
    plan, where = plan or Plan(), resolve_device(device)
    recordings = load_recordings(data)
    meta = recordings.meta
    torch.manual_seed(plan.seed)
    config = LowLevelConfig(meta.cameras, len(meta.kinds), meta.rate_hz, meta.frame_every)
    whole = flat_recordings(recordings, config.knots * config.frame_every)
    model = LowLevelPolicy(config).to(where)
    codes = PhraseCodes(flat_code(config.code)[None], torch.zeros(1, dtype=torch.int64), torch.ones(1).long())
    objective = LowLevelObjective(model, whole, codes, where, plan.seed)
    objective.fit_scales()
    about: dict[str, Any] = {"data": recordings.fingerprint, "seed": plan.seed, "config": config.to_json()}
    rate = 1e-3
    if start_from is not None:
        restore(model, read_part(start_from, _PHASE), start_from / f"{_PHASE}.safetensors")
        about["base"], rate = start_from.name, 6e-4
    phase = Phase(_PHASE, out / "training" / _PHASE, plan.steps, plan.minutes, rate, plan.batch, about)
    summary = run_phase(
        phase,
        model,
        objective,
        device=where,
        threads=threads or len(os.sched_getaffinity(0)),
        resume=resume,
        progress=progress,
    )
    description = {
        "summary": SUMMARY,
        "command": command,
        "data": {
            "fingerprint": recordings.fingerprint,
            "task_episodes": int(recordings.is_task.sum()),
            "segments": len(whole.segments.first),
            "samples": len(objective.batches.samples.frame),
        },
        "sizes": {f"{_PHASE}_numbers": sum(tensor.numel() for tensor in model.state_dict().values())},
        "training": {"seed": plan.seed, _PHASE: {**summary, "held_out": objective.check()}},
        _PHASE: config.to_json(),
    }
    return write_model(out, {_PHASE: model.state_dict()}, description, FLAT)
