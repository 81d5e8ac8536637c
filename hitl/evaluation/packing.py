"""`hitl evaluate packing`: is the box packed, as trained and under shifts, without help and with corrections?

"base": the two policies alone. "corrected": the oracle corrector watches and types, and its words take the path of a
person's words: grounding, feedback log, controller. Layouts are the same in both modes, so differences are paired.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.skills import SEED_OFFSET
from hitl.evaluation.statistics import share, table
from hitl.events import CorrectionEvent
from robot.aloha.cell import AlohaCell
from robot.aloha.oracle import Oracle, Running
from robot.aloha.shifts import SHIFTS

MODES = ("base", "corrected")
CONDITIONS = ("nominal", *SHIFTS)
ORACLE_TICKS = 5
"""The oracle looks ten times a second."""


@dataclass(frozen=True)
class Episode:
    """How one episode ended."""

    mode: str
    condition: str
    number: int
    stage: int
    stages: int
    success: bool
    seconds: float
    corrections: int


def run_episode(loop: Lockstep, mode: str, condition: str, seed: int, number: int) -> Episode:
    """Play one episode until the task is finished: all packed, or out of time."""
    cell = loop.cell
    cell.reset(seed=(seed + SEED_OFFSET) * 1000 + number, shift=condition)
    loop.restart()
    loop.events.clear()
    oracle = Oracle(cell) if mode == "corrected" else None
    task = cell.read().task
    while task is not None and not task.finished:
        loop.tick()
        if oracle is not None and cell.tick % ORACLE_TICKS == 0:
            words = oracle.say(_running(loop))
            if words is not None:
                loop.correct(words)
        if cell.tick % ORACLE_TICKS == 0:
            task = cell.read().task
    assert task is not None
    return Episode(
        mode=mode,
        condition=condition,
        number=number,
        stage=task.stage,
        stages=task.stages,
        success=task.success,
        seconds=cell.time_s,
        corrections=sum(isinstance(event, CorrectionEvent) for event in loop.events),
    )


def _running(loop: Lockstep) -> Running:
    """What a person sees of the running command."""
    command = loop.command
    state = loop.statuses.get(command.command_id) if command.source == "person" else None
    return Running(
        command.text,
        is_correction=state in ("saved", "acting"),
        seconds=loop.command_seconds,
        waits=state == "done",
        following=command.alternatives[0].text if command.alternatives else "",
    )


_loop: Lockstep | None = None


def _work(job: tuple[Settings, str, str, int, int]) -> Episode:
    """One episode in a worker process, which keeps its cell and model."""
    global _loop
    settings, mode, condition, seed, number = job
    if _loop is None:
        from hitl.backend.models import load_model

        _loop = Lockstep(load_model(settings), AlohaCell(0))
    return run_episode(_loop, mode, condition, seed, number)


def run(
    settings: Settings,
    *,
    modes: Sequence[str] = MODES,
    conditions: Sequence[str] = CONDITIONS,
    episodes: int = 20,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """`episodes` episodes per mode and condition; returns what the JSON line holds."""
    for condition in conditions:
        if condition not in CONDITIONS:
            raise InputError(
                f"there is no shift {condition!r}.", field="shift", hint=f"Use some of: {', '.join(CONDITIONS)}."
            )
    jobs = [(settings, m, c, seed, n) for n in range(episodes) for c in conditions for m in modes]
    os.environ.setdefault("LP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    done: list[Episode] = []
    with multiprocessing.get_context("spawn").Pool(min(workers or os.cpu_count() or 1, len(jobs))) as pool:
        for episode in pool.imap_unordered(_work, jobs):
            done.append(episode)
            if progress:
                progress(len(done), len(jobs))
    return summarize(done)


def summarize(episodes: list[Episode]) -> dict:
    """Success, share of stages, seconds and corrections by mode and condition, and the mean gain under the shifts."""
    result: dict = {}
    for mode in MODES:
        for condition in CONDITIONS:
            chosen = [e for e in episodes if e.mode == mode and e.condition == condition]
            if not chosen:
                continue
            most = max(e.stages for e in chosen)
            result.setdefault(mode, {})[condition] = {
                "success": share([e.success for e in chosen]),
                "stage_share": round(float(np.mean([e.stage / e.stages for e in chosen])), 3),
                "reached_stage": [
                    share([e.stage >= s for e in chosen if e.stages >= s])["rate"] for s in range(1, most + 1)
                ],
                "seconds": round(float(np.mean([e.seconds for e in chosen])), 1),
                "corrections": round(float(np.mean([e.corrections for e in chosen])), 2),
            }
    result["gain"] = _gain(result)
    return result


def _gain(result: dict) -> dict[str, float]:
    """Points of success that corrections add, per shift and in the mean over the shifts."""
    gains = {
        condition: round(
            100 * (result["corrected"][condition]["success"]["rate"] - result["base"][condition]["success"]["rate"]), 1
        )
        for condition in CONDITIONS
        if condition in result.get("base", {}) and condition in result.get("corrected", {})
    }
    shifted = [gain for condition, gain in gains.items() if condition != "nominal"]
    if shifted:
        gains["mean_over_shifts"] = round(float(np.mean(shifted)), 1)
    return gains


def print_table(result: dict) -> None:
    """The table for people."""
    rows = []
    for condition in CONDITIONS:
        for mode in MODES:
            entry = result.get(mode, {}).get(condition)
            if entry:
                low, high = entry["success"]["interval"]
                stages = " ".join(f"{rate:.2f}" for rate in entry["reached_stage"])
                rows.append(
                    [
                        condition,
                        mode,
                        f"{entry['success']['rate']:.2f}",
                        f"{low:.2f}-{high:.2f}",
                        stages,
                        entry["seconds"],
                        entry["corrections"],
                    ]
                )
    print(table(["condition", "mode", "all packed", "95 %", "stages 1, 2, …", "seconds", "corrections"], rows))
    if "mean_over_shifts" in result["gain"]:
        print(f"corrections add {result['gain']['mean_over_shifts']} points in the mean over the shifts")


def main(
    settings: Settings,
    *,
    modes: Sequence[str],
    conditions: Sequence[str],
    episodes: int,
    seed: int,
    workers: int | None,
) -> dict:
    """The command: progress to standard error, a table, and the JSON object as the last line."""

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total} episodes", end="" if done < total else "\n", file=sys.stderr, flush=True)

    result = run(
        settings, modes=modes, conditions=conditions, episodes=episodes, seed=seed, workers=workers, progress=progress
    )
    print_table(result)
    print(json.dumps(result))
    return result
