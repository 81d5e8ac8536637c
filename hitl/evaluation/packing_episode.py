"""One episode of the packing experiment, with or without the oracle who corrects, and with or without a learner."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_summary import HIERARCHY, Episode
from hitl.evaluation.skills import SEED_OFFSET
from hitl.events import CorrectionEvent
from robot.aloha.oracle import Oracle, Running

ORACLE_TICKS = 5
"""The oracle looks ten times a second."""
REST_S, REST_M, REST_MOVED_M = 12.0, 0.01, 0.001
"""An episode in which nobody speaks is over when nothing more comes: for so long one command has run, no hand went
further than the one, and no object than the other [m]. That is longer than anything the policies look back at."""
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
    """Play one episode until the task is finished: all packed, out of time, or, alone, at rest, which takes as long as
    there is time. mode: "corrected" has the oracle."""
    cell = loop.cell
    cell.reset(seed=(seed + SEED_OFFSET) * 1000 + number, shift=condition, taste=seed)
    loop.restart()
    loop.events.clear()
    oracle = Oracle(cell) if mode == "corrected" else None
    task, rest = cell.read().task, _Rest(loop)
    alone = oracle is None and learning is None
    while task is not None and not task.finished and not (alone and rest.lasts):
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
            task = cell.read().task
            rest.look()
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


class _Rest:
    """Since when nothing has happened."""

    def __init__(self, loop: Lockstep) -> None:
        self._loop = loop
        self._command, self._hands, self._objects = self._now()
        self._since_s = loop.cell.time_s

    @property
    def lasts(self) -> bool:
        """Whether nothing more comes."""
        return self._loop.cell.time_s - self._since_s > REST_S

    def look(self) -> None:
        """Note what has changed."""
        command, hands, objects = self._now()
        moved = float(np.abs(objects - self._objects).max(initial=0.0)) > REST_MOVED_M
        if command != self._command or moved or float(np.abs(hands - self._hands).max()) > REST_M:
            self._command, self._hands, self._objects = command, hands, objects
            self._since_s = self._loop.cell.time_s

    def _now(self) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
        cell = self._loop.cell
        pose = cell.true_pose()
        objects = np.concatenate([cell.position(kind) for kind in cell.kinds])
        return self._loop.command.command_id, np.concatenate((pose[:3], pose[6:9])), objects


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
