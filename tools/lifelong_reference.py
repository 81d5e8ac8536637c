"""What the published package says of some logs, for the test of `policies/learning/lifelong.py`.

It needs an environment of its own, since that package is of 2022 and wants the numpy and pandas of its time:

    python3.11 -m venv REFERENCE
    REFERENCE/bin/pip install l2metrics==3.1.0 l2logger==1.8.2 "numpy<2" "pandas<2"

Then `REFERENCE/bin/python tools/lifelong_reference.py tests/policies/learning/data/lifelong_reference.json` makes the
logs, writes them by l2logger, has l2metrics read and judge them, and keeps logs and figures, unrounded. Both packages
have a licence of the MIT kind (in their source files); nothing of them is copied here. Knows nothing of hitl.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

COLUMN = "performance"
KINDS = {"learning": "train", "evaluation": "test"}
METRICS = (
    "perf_maintenance_mrlep", "perf_maintenance_mrtlp", "forward_transfer_contrast", "forward_transfer_ratio",
    "backward_transfer_contrast", "backward_transfer_ratio", "perf_recovery", "ste_rel_perf", "sample_efficiency",
)  # fmt: skip


def learning(number: int, task: str, values: Any) -> dict[str, Any]:
    """A block in which a task is learned."""
    return {"number": number, "kind": "learning", "task": task, "values": [float(value) for value in values]}


def evaluations(number: int, **values: Any) -> list[dict[str, Any]]:
    """A block in which tasks are evaluated; task -> one performance or several."""
    return [
        {"number": number, "kind": "evaluation", "task": task, "values": [float(one) for one in np.atleast_1d(each)]}
        for task, each in values.items()
    ]


def by_hand() -> dict[str, Any]:
    """Task a falls from 0.8 to 0.6 while b is learned: maintenance -0.2, backward transfer -0.2 / 1.4."""
    return {
        "blocks": [
            *evaluations(0, a_1=0.1, b_1=0.1),
            learning(1, "a_1", [0.2, 0.5, 0.7, 0.8]),
            *evaluations(2, a_1=0.8, b_1=0.2),
            learning(3, "b_1", [0.3, 0.6, 0.8, 0.9]),
            *evaluations(4, a_1=0.6, b_1=0.9),
        ],
        "experts": {
            "a_1": [[learning(0, "a_1", [0.2, 0.5, 0.7, 0.8])]],
            "b_1": [[learning(0, "b_1", [0.1, 0.2, 0.3, 0.6])]],
        },
    }


def three_tasks() -> dict[str, Any]:
    """Three tasks, each learned three times, with noise, forgetting, and one to three experts."""
    random = np.random.default_rng(7)
    names = ("open_1", "wipe_1", "sort_1")
    level = dict.fromkeys(names, 0.1)
    blocks: list[dict[str, Any]] = []

    def evaluate() -> None:
        given = {name: np.clip(level[name] + random.normal(0, 0.03, 8), 0.01, 1).round(4) for name in names}
        blocks.extend(evaluations(len(blocks), **given))

    def curve(start: float, end: float, count: int, pace: float) -> np.ndarray:
        means = end - (end - start) * np.exp(-np.arange(count) / pace)
        return np.clip(means + random.normal(0, 0.05, count), 0.01, 1).round(4)

    evaluate()
    for turn in range(3):
        for name, count in zip(names, (97, 60, 75), strict=True):
            blocks.append(learning(len(blocks), name, curve(level[name], 0.9, count, 25 - 5 * turn)))
            level = {other: max(0.1, level[other] - 0.12) for other in names} | {name: 0.88}
            evaluate()
    counts = {"open_1": (150, 90), "wipe_1": (200,), "sort_1": (80, 120, 400)}
    experts = {name: [[learning(0, name, curve(0.1, 0.95, count, 30))] for count in counts[name]] for name in names}
    return {"blocks": blocks, "experts": experts}


def ties() -> dict[str, Any]:
    """Sums without rounding, so that equal values are equal: plateaus, odd and even lengths, blocks too short to be
    smoothed, a task that is never learned and one that is never evaluated, experts that are best at once or brief."""
    stairs = [0.125, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 0.75]
    plateau = [0.75] * 12
    again = [0.5, 0.25, 0.625, 0.75, 0.75, 0.75, 0.75, 0.5, 0.75, 0.75, 0.75]
    return {
        "blocks": [
            *evaluations(0, a_1=[0.25, 0.25, 0.5], c_1=0.25),
            learning(1, "a_1", stairs + plateau),  # 22: windows of 4
            *evaluations(2, a_1=[0.75, 0.75, 0.5], c_1=0.25),
            learning(3, "b_1", stairs[:7]),
            *evaluations(4, a_1=0.5, c_1=[0.125, 0.25]),
            learning(5, "a_1", again),
            *evaluations(6, c_1=0.5, a_1=0.75),
            learning(7, "a_1", again[::-1]),
            *evaluations(8, c_1=0.375),
            learning(9, "b_1", [0.25]),
            learning(10, "b_1", [0.75, 0.5]),
            *evaluations(11, c_1=0.5, a_1=0.75),
            learning(12, "b_1", [0.25, 0.5, 0.5]),
            learning(13, "a_1", [0.25] * 5),
            *evaluations(14, a_1=0.25),
        ],
        "experts": {
            "a_1": [[learning(0, "a_1", stairs)], [learning(0, "a_1", plateau)]],
            "b_1": [[learning(0, "b_1", plateau)]],
        },
    }


def odd_windows() -> dict[str, Any]:
    """Odd windows and the widest one, an expert that learned in two blocks, one task that gets worse, one that never
    comes near its expert."""
    random = np.random.default_rng(11)

    def curve(start: float, end: float, count: int) -> np.ndarray:
        return (np.linspace(start, end, count) + random.normal(0, 0.02, count)).round(4)

    return {
        "blocks": [
            *evaluations(0, far_1=[0.1, 0.12], long_1=0.2, worse_1=0.9),
            learning(1, "long_1", curve(0.2, 0.9, 523)),
            *evaluations(2, far_1=[0.1, 0.14], long_1=0.9, worse_1=0.7),
            learning(3, "worse_1", curve(0.9, 0.3, 27)),
            *evaluations(4, far_1=[0.2, 0.14], long_1=0.8, worse_1=0.3),
            learning(5, "far_1", curve(0.05, 0.1, 17)),
            *evaluations(6, far_1=[0.1, 0.11], long_1=0.85, worse_1=0.35),
        ],
        "experts": {
            "long_1": [[learning(0, "long_1", curve(0.2, 0.8, 37)), learning(1, "long_1", curve(0.7, 0.95, 45))]],
            "worse_1": [[learning(0, "worse_1", curve(0.2, 0.8, 37))]],
            "far_1": [[learning(0, "far_1", curve(0.1, 0.9, 29))]],
        },
    }


def learned_between() -> dict[str, Any]:
    """Two tasks are learned between two evaluations of a third, where the package keeps one transfer."""
    return {
        "blocks": [
            *evaluations(0, a_1=0.25, b_1=0.25, c_1=0.25),
            learning(1, "a_1", [0.25, 0.5, 0.75]),
            *evaluations(2, a_1=0.75, b_1=0.375, c_1=0.25),
            learning(3, "b_1", [0.5, 0.75]),
            learning(4, "c_1", [0.5, 0.625]),
            *evaluations(5, a_1=0.5, b_1=0.75, c_1=0.625),
        ],
        "experts": {},
    }


LOGS = {
    "by hand": by_hand, "three tasks": three_tasks, "ties": ties, "odd windows": odd_windows,
    "learned between": learned_between,
}  # fmt: skip


def written(blocks: list[dict[str, Any]], name: str, folder: Path) -> Path:
    """The log in l2logger's format."""
    from l2logger.l2logger import DataLogger

    about = {"complexity": "1-low", "difficulty": "1-easy", "scenario_type": "custom"}
    logger = DataLogger(str(folder), name, {"metrics_columns": [COLUMN]}, about)
    number = 0
    for block in blocks:
        for value in block["values"]:
            logger.log_record(
                {
                    "block_num": block["number"],
                    "exp_num": number,
                    "block_type": KINDS[block["kind"]],
                    "task_name": block["task"],
                    "task_params": {},
                    COLUMN: value,
                }
            )
            number += 1
    logger.close()
    return Path(logger.scenario_dir)


def judged(log: dict[str, Any], normalization: str, folder: Path) -> dict[str, Any]:
    """What l2metrics says of a log: `lifetime` and, by task, `tasks`."""
    os.environ["L2DATA"] = str(folder)
    from l2metrics.report import MetricsReport
    from l2metrics.util import store_ste_data

    for task, runs in log["experts"].items():
        for place, blocks in enumerate(runs):
            store_ste_data(written(blocks, f"{task}-{place}", folder / "experts"), mode="a")
    report = MetricsReport(
        log_dir=written(log["blocks"], "log", folder / "logs"),
        perf_measure=COLUMN,
        maintenance_method="both",
        transfer_method="both",
        normalization_method=normalization,
    )
    report.calculate()
    tasks = report.task_metrics_df.T.to_dict()
    wanted = (*METRICS, "recovery_times")
    return {
        "lifetime": {name: plain(report.lifetime_metrics_df.get(name, [None])[0]) for name in METRICS},
        "tasks": {task: {name: plain(found.get(name)) for name in wanted} for task, found in tasks.items()},
    }


def plain(value: Any) -> Any:
    """As JSON has it; what is no finite number is null or "inf"."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(one) for one in value]
    if value is None or math.isnan(value):
        return None
    return "inf" if math.isinf(value) else float(value)


def main(out: Path) -> None:
    """Write the file."""
    logging.disable(logging.WARNING)
    found = {}
    for name, make in LOGS.items():
        log = make()
        log["found"] = {}
        for normalization in ("task", "none"):
            with tempfile.TemporaryDirectory() as folder:
                log["found"][normalization] = judged(log, normalization, Path(folder))
        found[name] = log
    packages = ("l2metrics", "l2logger", "numpy", "pandas", "scipy")
    versions = {"python": platform.python_version()} | {package: version(package) for package in packages}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(log)}" for name, log in found.items())
    out.write_text(f'{{"versions": {json.dumps(versions)}, "logs": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
