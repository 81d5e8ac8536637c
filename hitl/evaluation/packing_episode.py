"""One episode of the packing experiment, with or without the oracle who corrects, and with or without a learner."""

from __future__ import annotations

from typing import Protocol

import msgspec

from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_summary import HIERARCHY, Episode
from hitl.evaluation.skills import SEED_OFFSET
from hitl.events import CorrectionEvent
from robot.aloha.oracle import Oracle, Running

ORACLE_TICKS = 5
"""The oracle looks ten times a second."""
STUCK_S = 40.0
"""An episode in which nobody speaks is over when the task has not got on for so long [s]: whoever watches would have
spoken long before. It then counts as all its time."""
TEACHING = 500
"""Layouts from this number on teach; those before it measure."""


class LearnJob(msgspec.Struct, frozen=True):
    """One learner: rounds of episodes in which it is corrected, at most `budget` corrections of which it learns. base:
    folder of base data for its low level, which does not learn without."""

    condition: str
    seed: int
    variant: str = "default"
    rounds: int = 3
    episodes: int = 4
    budget: int = 60
    weights: str = ""
    policy: str = HIERARCHY
    base: str = ""


class Beside(Protocol):
    """What goes on beside an episode: `packing_learning.OnlineLearning` is one."""

    def tick(self, loop: Lockstep) -> None:
        """20 ms have passed."""
        ...

    def said(self, words: str) -> str:
        """What is said where `words` are meant."""
        ...

    def corrected(self, loop: Lockstep, event: str) -> None:
        """A correction of this id was just given."""
        ...


def run_episode(
    loop: Lockstep,
    mode: str,
    condition: str,
    seed: int,
    number: int,
    learning: Beside | None = None,
) -> Episode:
    """Play one episode until the task is finished: all packed, out of time, or, alone, stuck, which takes as long as
    there is time. mode: "corrected" has the oracle."""
    cell = loop.cell
    cell.reset(seed=(seed + SEED_OFFSET) * 1000 + number, shift=condition, taste=seed)
    loop.restart()
    loop.events.clear()
    oracle = Oracle(cell) if mode == "corrected" else None
    task, got_on_s = cell.read().task, cell.time_s
    alone = oracle is None and learning is None
    while task is not None and not task.finished and not (alone and cell.time_s - got_on_s > STUCK_S):
        loop.tick()
        if learning is not None:
            learning.tick(loop)
        if oracle is not None and cell.tick % ORACLE_TICKS == 0:
            words = oracle.say(running_of(loop))
            if words is not None:
                event = loop.correct(words if learning is None else learning.said(words))
                if learning is not None:
                    learning.corrected(loop, event)
        if cell.tick % ORACLE_TICKS == 0:
            before, task = task.stage, cell.read().task
            got_on_s = cell.time_s if task is not None and task.stage > before else got_on_s
    assert task is not None
    return Episode(
        mode=mode,
        condition=condition,
        seed=seed,
        number=number,
        stage=task.stage,
        stages=task.stages,
        success=task.success,
        seconds=round(cell.time_s if task.finished else cell.limit_s, 1),
        corrections=sum(isinstance(event, CorrectionEvent) for event in loop.events),
    )


def running_of(loop: Lockstep) -> Running:
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
