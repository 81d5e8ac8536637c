"""`hitl evaluate forgetting`: what each strategy keeps of earlier tasks while it learns later ones.

Measures are those of `policies.learning.measures` and `policies.learning.lifelong`, means and standard deviations over
seeds. The lifelong-learning metrics are of accuracy as it is, since normalized to what happened in one run they could
not be compared between strategies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hitl.evaluation import permuted_digits
from hitl.evaluation.matrix_picture import draw_matrices
from hitl.evaluation.permuted_digits import Course
from hitl.evaluation.progress import Progress
from hitl.evaluation.statistics import table
from policies.learning.lifelong import Log, lifelong
from policies.learning.measures import continual

LIFELONG = {
    "maintenance": "performance_maintenance",
    "forward": "forward_transfer",
    "backward": "backward_transfer",
    "relative": "relative_performance",
    "efficiency": "sample_efficiency",
}
"""Names in `lifelong`, and here; nothing is learned twice, so that there is no recovery."""


def run(names: Sequence[str] = (), *, seeds: int = 5, progress: Progress | None = None) -> dict[str, Any]:
    """Learn three permutations of digits in turn by each method whose strategy is named (all for none).

    Returns `on`, `seeds`, `tasks`, `before` (mean accuracy on each task before anything) and `methods`: label ->
    strategy, options, of each measure mean and `_sd` (None where no seed has it), `matrix` (mean accuracy on task j
    after learning task k), and `seconds` a seed. Raises InputError for an unknown strategy.
    """
    chosen = permuted_digits.methods(names)
    show = (progress or Progress()).of("runs")
    found: dict[str, Any] = {}
    before: list[list[float]] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the matrices are small
    try:
        experts = [permuted_digits.experts(seed) for seed in range(seeds)]
        for place, method in enumerate(chosen):
            courses, began_s = [], time.perf_counter()
            for seed in range(seeds):
                courses.append(permuted_digits.run(method, seed))
                show(place * seeds + seed + 1, len(chosen) * seeds)
            seconds = (time.perf_counter() - began_s) / seeds
            before = [course.before for course in courses]
            measured = [_measured(course, expert) for course, expert in zip(courses, experts, strict=True)]
            found[method.label] = _summary(measured) | {
                "strategy": method.strategy,
                "options": method.options,
                "matrix": np.mean([course.matrix for course in courses], 0).round(4).tolist(),
                "seconds": round(seconds, 2),
            }
    finally:
        torch.set_num_threads(threads)
    return {
        "on": "permuted digits",
        "seeds": seeds,
        "tasks": permuted_digits.TASKS,
        "before": np.mean(before, 0).round(4).tolist(),
        "methods": found,
    }


def _measured(course: Course, experts: Mapping[str, Sequence[Log]]) -> dict[str, float]:
    found = lifelong(course.log(), experts, normalize="none")
    return asdict(continual(course.matrix, course.before)) | {
        name: getattr(found, theirs) for theirs, name in LIFELONG.items()
    }


def _summary(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Of the seeds that have a value."""
    found: dict[str, Any] = {}
    for name in runs[0]:
        values = np.array([run[name] for run in runs if np.isfinite(run[name])])
        found[name] = round(float(values.mean()), 4) if len(values) else None
        found[f"{name}_sd"] = round(float(values.std()), 4) if len(values) else None
    return found


def as_table(result: Mapping[str, Any]) -> str:
    """For people."""
    rows = [
        [
            label,
            f"{one['average']:.3f} ± {one['average_sd']:.3f}",
            f"{one['backward']:+.3f}",
            f"{one['forgetting']:.3f}",
            f"{one['learned']:.3f}",
            _shown(one["performance_maintenance"], "+.3f"),
            _shown(one["forward_transfer"], "+.3f"),
            _shown(one["backward_transfer"], "+.3f"),
            _shown(one["relative_performance"], ".3f"),
            _shown(one["sample_efficiency"], ".3f"),
            f"{one['seconds']:.1f}",
        ]
        for label, one in result["methods"].items()
    ]
    head = ["method", "accuracy at the end", "backward", "forgetting", "when learned"]
    note = (
        "PM: performance maintenance; FT, BT: forward, backward transfer (contrast); RP: performance relative to\n"
        "a network that learns the task alone, by plain learning; SE: sample efficiency, against the same."
    )
    return table([*head, "PM", "FT", "BT", "RP", "SE", "seconds"], rows) + "\n\n" + note


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def draw(result: Mapping[str, Any], out: Path) -> None:
    """Accuracy on each task after each, a panel a method; edges where a task was just learned. Raises StorageError."""
    count = result["tasks"]
    names = permuted_digits.task_names(count)
    draw_matrices(
        out,
        {label: np.array([result["before"], *one["matrix"]]).T.tolist() for label, one in result["methods"].items()},
        names,
        ["before", *(f"after {place + 1}" for place in range(count))],
        f"accuracy on each task (framed: just learned), mean of {result['seeds']} seeds",
        [(place, place + 1) for place in range(count)],
    )
