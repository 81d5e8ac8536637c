"""Trains a high level alone, over the words and the low level of a model that is there, which stay to the last digit.

Two models that differ in what their high levels answer with alone are made so: text space against one-hot, the
published ablation (Shi et al. 2024). Same data, same steps, same seed. It can be stopped and goes on where it was.
Knows nothing of how the data was made or how models are served.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from policies.devices import resolve_device
from policies.errors import CheckpointError
from policies.hierarchy import base_moments
from policies.hierarchy.checkpoint import read_model, write_model
from policies.hierarchy.dataset import load_recordings
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy
from policies.hierarchy.high_level_training import HighLevelObjective, Moments, collect_moments
from policies.hierarchy.loop import Phase, Progress, run_phase
from policies.hierarchy.policy import HierarchicalPolicy

_PHASE = "high_level"
_WRITTEN = ("format", "format_version", "kind", "id", "files", "scores")


@dataclass(frozen=True)
class Plan:
    """What is trained and for how long. output: of `high_level.OUTPUTS`."""

    output: str = "codes"
    steps: int = 2000
    batch: int = 256
    rate: float = 3e-4
    seed: int = 0


def train_high_level(
    data: Path,
    model: Path,
    out: Path,
    plan: Plan | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    command: str = "hitl train high-level",
) -> dict[str, Any]:
    """Write the model folder `out`: that of `model` with a high level that has learned from the task episodes of the
    dataset folder `data` from nothing; returns what its `model.json` says.

    threads: cores to use, default all. Raises DatasetError or CheckpointError naming what cannot be used, PolicyError
    for an output that there is not; Ctrl-C saves and leaves.
    """
    plan = plan or Plan()
    policy = HierarchicalPolicy.load(model, device)
    bank = policy.bank.texts
    features = policy.high_level.config.features
    config = HighLevelConfig(
        features, policy.bank.codes.shape[1], output=plan.output, commands=len(bank) if plan.output == "one-hot" else 0
    )
    if model.resolve() == out.resolve():
        raise CheckpointError(
            "is the model itself, which stays as it is.", field=str(out), hint="Choose another folder."
        )
    recordings = load_recordings(data, _counted("data", progress))
    found = collect_moments(recordings, policy.eyes, policy.probes, policy.device, _counted("features", progress))
    moments = base_moments.renumbered(found, [words.text for words in recordings.meta.commands], bank)
    where = resolve_device(device)
    torch.manual_seed(plan.seed)
    made = HighLevelPolicy(config).to(where)
    codes = torch.from_numpy(policy.bank.codes.copy())
    objective = HighLevelObjective(made, moments, codes, where, plan.seed)
    objective.fit_scales()
    about = {
        "data": recordings.fingerprint,
        "features": _digest(moments),
        "seed": plan.seed,
        "config": config.to_json(),
    }
    phase = Phase(_PHASE, out / "training" / _PHASE, plan.steps, None, plan.rate, plan.batch, about)
    summary = run_phase(
        phase,
        made,
        objective,
        device=where,
        threads=threads or len(os.sched_getaffinity(0)),
        resume=resume,
        progress=progress,
    )
    return _write(model, out, made, {**summary, "held_out": objective.check()}, command)


def _write(model: Path, out: Path, made: HighLevelPolicy, summary: dict[str, Any], command: str) -> dict[str, Any]:
    folder = read_model(model)
    description = {name: value for name, value in folder.description.items() if name not in _WRITTEN}
    description["command"] = "\n".join(part for part in (description.get("command", ""), command) if part)
    description["training"] = {**description.get("training", {}), _PHASE: summary}
    description["high_level"] = made.config.to_json()
    sizes = {f"{_PHASE}_numbers": sum(tensor.numel() for tensor in made.state_dict().values())}
    description["sizes"] = {**description.get("sizes", {}), **sizes}
    weights = {**made.state_dict(), "bank": folder.parts[_PHASE]["bank"]}
    written = write_model(out, {**folder.parts, _PHASE: weights}, description)
    sample = model / base_moments.FILE  # it describes what the low level sees, which has stayed
    if sample.exists():
        shutil.copyfile(sample, out / base_moments.FILE)
    return written


def _digest(moments: Moments) -> str:
    parts = (moments.features[:64], moments.command)
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()[:16]


def _counted(phase: str, progress: Callable[[Progress], None] | None) -> Callable[[int, int], None]:
    """Progress of something that is counted, not trained."""

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(Progress(phase, done, done / total, float("nan"), float("nan"), 0.0))

    return report
