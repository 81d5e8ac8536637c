"""`hitl evaluate skills`: does the low level do what commands say, from pixels, in places it never saw?

Each trial begins in a fresh random layout (of seeds that data generation does not use), is brought by the scripted
expert to where the command makes sense, and then one command is given in words, as a person gives it: grounding,
controller, low level, safety core, physics. It ends when the loop thinks that the command is done, or after its time;
then the physics judges. Trials with trained wording and with wording that was never trained are run side by side.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hitl.backend.controller import Rules
from hitl.config import Settings
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.statistics import share, table
from hitl.kinematics import joints_of
from robot.aloha import demonstrations, layout
from robot.aloha.cell import AlohaCell
from robot.aloha.expert import Expert
from robot.aloha.grammar import COMMANDS, Command, by_text
from robot.aloha.judge import Judge

FAMILIES = ("motion", "pick", "place", "handover", "gripper", "reach", "home")
WORDINGS = ("seen", "unseen")
LIMIT_S = {"motion": 3.0, "gripper": 2.5, "pick": 8.0, "place": 6.0, "handover": 9.0, "reach": 5.0, "home": 4.0}
SEED_OFFSET = 1_000_003
"""Keeps the layouts of evaluation apart from those of generation with the same seed."""


@dataclass(frozen=True)
class Trial:
    """One command given once. family, wording, number: what was tried; done: judged by physics."""

    family: str
    wording: str
    command: str
    said: str
    grounding: str
    understood: str
    done: bool
    ended: bool
    seconds: float


def _prepare(cell: AlohaCell, family: str, rng: np.random.Generator) -> Command:
    """Bring the cell to a state in which a command of `family` makes sense, and choose it."""
    while True:
        right = {"handover": 1, "place": 0}.get(family)
        count = int(rng.integers(3, 6))
        placements = layout.sample_placements(rng, count=count, right=right)
        free = family in ("motion", "gripper", "reach", "home") and rng.random() < 0.7
        pose = demonstrations.random_pose(rng, placements) if free else None
        cell.begin(placements, pose=pose)
        for _ in range(10):
            cell.hold()
        if family in ("place", "handover"):
            arm = 1 if family == "handover" and rng.random() < 0.75 else 0
            ready = [k for k in cell.kinds if layout.arm_for(float(cell.position(k)[0])) == arm]
            if not ready or not _expert(cell, _pick_text(int(rng.choice(ready)))):
                continue
        choices = [c for c in COMMANDS if c.family == family and demonstrations.makes_sense(cell, c)]
        if choices:
            return choices[int(rng.integers(len(choices)))]


def _pick_text(kind: int) -> str:
    return f"pick up the {layout.ALL_KINDS[kind]}"


def _phrase(command: Command, wording: str, rng: np.random.Generator) -> str:
    """Random words for a command: of those that were trained on, or of those that never were."""
    phrases = command.train if wording == "seen" else command.held_out
    return str(phrases[int(rng.integers(len(phrases)))])


def _expert(cell: AlohaCell, text: str) -> bool:
    expert = Expert(cell, by_text(text))
    for _ in range(400):
        target, done = expert.step()
        if done:
            return True
        cell.act(joints_of(target))
    return False


def run_trial(loop: Lockstep, family: str, wording: str, rng: np.random.Generator) -> Trial:
    """Prepare, say, wait, judge."""
    cell = loop.cell
    command = _prepare(cell, family, rng)
    said = _phrase(command, wording, rng)
    loop.restart()
    judge = Judge(cell, command)
    correction = loop.correct(said, hold_s=0.0)
    event = loop.events[-1]
    limit = round(LIMIT_S[family] * cell.spec.rate_hz)
    ended, ticks = False, 0
    while ticks < limit and not ended:
        loop.tick()
        ticks += 1
        ended = loop.statuses.get(correction) == "done"
    return Trial(
        family=family,
        wording=wording,
        command=command.text,
        said=said,
        grounding=getattr(event, "grounding", ""),
        understood=getattr(event, "command", ""),
        done=judge.done(),
        ended=ended,
        seconds=ticks / cell.spec.rate_hz,
    )


_loop: Lockstep | None = None


def _work(job: tuple[Settings, int, str, str, int]) -> Trial:
    """One trial in a worker process, which keeps its cell and model."""
    global _loop
    settings, seed, family, wording, number = job
    if _loop is None:
        from hitl.backend.models import load_model

        _loop = Lockstep(load_model(settings), AlohaCell(0), Rules())
    # The same layouts for both wordings: the difference is the words alone.
    rng = np.random.default_rng([seed + SEED_OFFSET, FAMILIES.index(family), number])
    return run_trial(_loop, family, wording, rng)


def run(
    settings: Settings,
    *,
    episodes: int = 20,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """`episodes` trials per family and wording; prints a table and returns what the JSON line holds."""
    jobs = [(settings, seed, f, w, n) for n in range(episodes) for f in FAMILIES for w in WORDINGS]
    os.environ.setdefault("LP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    trials: list[Trial] = []
    with multiprocessing.get_context("spawn").Pool(min(workers or os.cpu_count() or 1, len(jobs))) as pool:
        for trial in pool.imap_unordered(_work, jobs):
            trials.append(trial)
            if progress:
                progress(len(trials), len(jobs))
    return summarize(trials)


def summarize(trials: list[Trial]) -> dict:
    """Shares with Wilson intervals by family, and command following by wording."""

    def of(family: str | None, wording: str | None) -> list[bool]:
        return [t.done for t in trials if family in (None, t.family) and wording in (None, t.wording)]

    families = [family for family in FAMILIES if of(family, None)]
    return {
        "success": {family: share(of(family, None))["rate"] for family in families},
        "interval": {family: share(of(family, None))["interval"] for family in families},
        "n": {family: len(of(family, None)) for family in families},
        "seen": {family: share(of(family, "seen")) for family in families},
        "unseen": {family: share(of(family, "unseen")) for family in families},
        "command_following": {wording: share(of(None, wording)) for wording in WORDINGS},
        "ended_by_itself": round(sum(t.ended for t in trials) / max(1, len(trials)), 3),
        "failures": [
            {"command": t.command, "said": t.said, "understood": t.understood, "grounding": t.grounding}
            for t in trials
            if not t.done
        ][:60],
    }


def print_table(result: dict) -> None:
    """The table for people."""
    rows = []
    for family in result["success"]:
        low, high = result["interval"][family]
        seen, unseen = result["seen"][family], result["unseen"][family]
        rows.append(
            [family, f"{result['success'][family]:.3f}", f"{low:.2f}-{high:.2f}", seen["rate"], unseen["rate"]]
        )
    following = result["command_following"]
    rows.append(["all commands", "", "", following["seen"]["rate"], following["unseen"]["rate"]])
    print(table(["family", "success", "95 %", "seen words", "unseen words"], rows))


def main(settings: Settings, *, episodes: int, seed: int, workers: int | None) -> dict:
    """The command: progress to standard error, a table, and the JSON object as the last line."""
    import sys

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total} trials", end="" if done < total else "\n", file=sys.stderr, flush=True)

    result = run(settings, episodes=episodes, seed=seed, workers=workers, progress=progress)
    print_table(result)
    print(json.dumps(result))
    return result
