"""`hitl evaluate forgetting`: what each strategy keeps of earlier tasks while it learns later ones.

Measures are those of `policies.learning.measures`, means and standard deviations over seeds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from hitl.evaluation import permuted_digits
from hitl.evaluation.progress import Progress
from hitl.evaluation.statistics import table
from policies.learning.measures import continual


def run(names: Sequence[str] = (), *, seeds: int = 5, progress: Progress | None = None) -> dict[str, Any]:
    """Learn three permutations of digits in turn by each method whose strategy is named (all for none).

    Returns `on`, `seeds`, `tasks` and `methods`: label -> strategy, options, and of each measure mean and `_sd`, and
    `seconds` a seed. Raises InputError for an unknown strategy.
    """
    chosen = permuted_digits.methods(names)
    show = (progress or Progress()).of("runs")
    found: dict[str, Any] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the matrices are small
    try:
        for place, method in enumerate(chosen):
            runs, began_s = [], time.perf_counter()
            for seed in range(seeds):
                runs.append(asdict(continual(*permuted_digits.run(method, seed))))
                show(place * seeds + seed + 1, len(chosen) * seeds)
            found[method.label] = _summary(runs) | {
                "strategy": method.strategy,
                "options": method.options,
                "seconds": round((time.perf_counter() - began_s) / seeds, 2),
            }
    finally:
        torch.set_num_threads(threads)
    return {"on": "permuted digits", "seeds": seeds, "tasks": permuted_digits.TASKS, "methods": found}


def _summary(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    found = {}
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        found[name], found[f"{name}_sd"] = round(float(values.mean()), 4), round(float(values.std()), 4)
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
            f"{one['seconds']:.1f}",
        ]
        for label, one in result["methods"].items()
    ]
    head = ["method", "accuracy at the end", "backward", "forgetting", "when learned", "seconds"]
    return table(head, rows)
