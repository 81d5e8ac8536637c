"""Decisions of the high level in the simulated cell, each with what a person would have wanted: what doubt is
calibrated on.

The oracle corrects as in `packing.py`, so that the policy decides where corrections have brought it, too. Nobody is
asked anything: the policy acts as without questions. Knows nothing of thresholds.
"""

from __future__ import annotations

import bisect
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.backend.doubt import Decision, Doubt
from hitl.backend.parts import Rules
from hitl.config import Settings
from hitl.correction_examples import examples_of
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import ORACLE_TICKS, running_of
from hitl.evaluation.skills import SEED_OFFSET
from hitl.sessions.feedback_log import views_of
from hitl.sessions.moments import Moment
from policies.hierarchy.policy import HierarchicalPolicy
from robot.aloha.cell import AlohaCell
from robot.aloha.oracle import Oracle
from robot.aloha.planner import next_command

AHEAD_S = 1.0
"""A decision is right where its command is wanted within this time: what comes off is decided a moment early."""


@dataclass(frozen=True)
class Decided:
    """One decision. tried: how many times in a row its command began without the task getting on, this time included;
    logits: float16 `(commands,)` over the bank; wanted: commands that a person wanted within `AHEAD_S`; label: what
    the episode's corrections would teach at this moment, "" where they teach nothing."""

    condition: str
    seed: int
    episode: int
    at_s: float
    best: str
    tried: int
    logits: NDArray[np.float16]
    wanted: tuple[str, ...]
    label: str

    @property
    def error(self) -> bool:
        """Whether a person wanted something else."""
        return self.best not in self.wanted


class _Noting(Doubt):
    """Keeps when there was a decision, and how many times its command had begun."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.noted: list[tuple[int, int]] = []

    def asks(self, decision: Decision, *, heard: bool, given_up: str = "") -> bool:
        again = decision.best.text == self._own.text and self._own.stands_at(decision.stage)
        self.noted.append((decision.now_ns, self._own.count + 1 if again else 1))
        return super().asks(decision, heard=heard, given_up=given_up)


class _Bench:
    """A cell and a model that a worker keeps."""

    def __init__(self, settings: Settings) -> None:
        from hitl.backend.models import load_model

        model = load_model(settings)
        assert isinstance(model.policy, HierarchicalPolicy)
        self._policy = model.policy
        self._noting = _Noting(Rules())
        self._loop = Lockstep(model, AlohaCell(0), doubt=self._noting)

    def play(self, condition: str, seed: int, number: int) -> list[Decided]:
        """One episode to its end."""
        loop, cell = self._loop, self._loop.cell
        cell.reset(seed=(seed + SEED_OFFSET) * 1000 + number, shift=condition)
        loop.restart()
        loop.events.clear()
        self._noting.noted.clear()
        start_ns, oracle = loop.clock.now_ns(), Oracle(cell)
        times: list[float] = []
        wishes: list[str] = []
        task = cell.read().task
        while task is not None and not task.finished:
            loop.tick()
            if cell.tick % ORACLE_TICKS == 0:
                times.append((loop.clock.now_ns() - start_ns) / 1e9)
                wishes.append(next_command(cell, cell.wanted))
                words = oracle.say(running_of(loop))
                if words is not None:
                    loop.correct(words)
                task = cell.read().task
        return self._decided(condition, seed, number, start_ns, times, wishes)

    def _decided(
        self, condition: str, seed: int, number: int, start_ns: int, times: list[float], wishes: list[str]
    ) -> list[Decided]:
        examples, _ = examples_of(views_of(self._loop.events), self._loop.moments)
        labels = {example.session_ns: example.command for example in examples}
        by_time = {moment.session_ns: moment for moment in self._loop.moments}
        rows = []
        for now_ns, tried in self._noting.noted:
            moment, at_s = by_time.get(now_ns), (now_ns - start_ns) / 1e9
            wanted = wanted_within(times, wishes, at_s)
            if moment is None or not wanted:
                continue  # the episode ended with it
            label = labels.get(now_ns, "")
            rows.append(
                Decided(
                    condition, seed, number, round(at_s, 2), moment.wanted[0].text, tried, self._logits(moment),
                    wanted, label,
                )
            )  # fmt: skip
        return rows

    def _logits(self, moment: Moment) -> NDArray[np.float16]:
        import torch

        high_level = self._policy.high_level
        with torch.no_grad():
            history = torch.from_numpy(moment.history.astype(np.float32)).to(self._policy.device)[None]
            codes = torch.tensor(self._policy.bank.codes, device=self._policy.device)
            logits: NDArray[np.float16] = high_level.logits(high_level(history), codes)[0].cpu().numpy()
        return logits.astype(np.float16)


def wanted_within(times: Sequence[float], wishes: Sequence[str], at_s: float) -> tuple[str, ...]:
    """What was wanted from `at_s` on for `AHEAD_S`, each once; times: of the wishes, seconds, in order."""
    first, last = bisect.bisect_left(times, at_s - 0.05), bisect.bisect_right(times, at_s + AHEAD_S)
    return tuple(dict.fromkeys(wishes[first:last]))


_bench: _Bench | None = None


def _work(job: tuple[Settings, str, int, int]) -> list[Decided]:
    global _bench
    settings, condition, seed, number = job
    if _bench is None:
        _bench = _Bench(settings)
    return _bench.play(condition, seed, number)


def collect(
    settings: Settings,
    *,
    conditions: Sequence[str],
    seeds: Sequence[int],
    episodes: int,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Decided]:
    """Decisions of `episodes` episodes for each condition and seed."""
    jobs = [(settings, c, seed, number) for number in range(episodes) for seed in seeds for c in conditions]
    os.environ.setdefault("LP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: list[Decided] = []
    with multiprocessing.get_context("spawn").Pool(min(workers or os.cpu_count() or 1, len(jobs))) as pool:
        for done, rows in enumerate(pool.imap_unordered(_work, jobs), 1):
            found += rows
            if progress:
                progress(done, len(jobs))
    return found
