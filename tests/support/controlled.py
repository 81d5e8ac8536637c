"""A controller with a clock that the test moves, and observations that the test sends."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from hitl import kinematics
from hitl.backend.controller import Chunk, Controller, Rules, Seen
from hitl.clock import ManualClock, new_ulid
from hitl.events import CorrectionEvent, OutcomeEvent
from hitl.messages import CorrectionStatus, ImageInfo, Mode, Observation, RobotState
from tests.support.scripted import ScriptedPolicy

HOME = np.array([0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 0.5] * 2)
PICTURES = {"front": np.zeros((4, 4, 3), np.uint8)}


class World:
    """A controller with a clock that the test moves, 10 observations a second at 50 ticks a second."""

    def __init__(self, policy: ScriptedPolicy | None = None, *, started: bool = True, **rules: Any) -> None:
        self.clock = ManualClock(10**12)
        self.policy = policy or ScriptedPolicy()
        self.controller = Controller(
            self.policy, kinematics, self.clock, Rules(**rules), session="s", session_start_ns=10**12
        )
        self.tick = 0
        self.out: list[Any] = []
        if started:
            self.controller.new_episode("e")
        self.take()

    def take(self) -> list[Any]:
        fresh = self.controller.drain()
        self.out += fresh
        return fresh

    def observe(self, count: int = 1, joints: np.ndarray = HOME, episode: str = "e") -> list[Any]:
        fresh: list[Any] = []
        for _ in range(count):
            self.clock.advance(0.1)
            self.tick += 5
            image = ImageInfo(camera="front", height=4, width=4)
            observation = Observation(tick=self.tick, stamp_ns=self.clock.now_ns(), episode=episode, images=[image])
            self.controller.observe(Seen(observation, joints, joints, PICTURES))
            fresh += self.take()
        return fresh

    def state(self, tick: int, targets: np.ndarray = HOME, mode: Mode = "running") -> None:
        state = RobotState(tick=tick, stamp_ns=0, episode="e", mode=mode)
        self.controller.robot_state(state, targets, targets)

    def correct(self, command: str = "go higher", **fields: Any) -> CorrectionEvent:
        event = correction(command, **fields)
        self.controller.correct(event)
        return event

    def outcomes(self) -> list[tuple[str, str]]:
        return [(out.correction, out.state) for out in self.out if isinstance(out, OutcomeEvent)]

    def acted(self) -> list[tuple[str, bool | None]]:
        return [(out.correction, out.acted) for out in self.out if isinstance(out, OutcomeEvent)]

    def states(self, id_: str) -> list[str]:
        return [out.state for out in self.out if isinstance(out, CorrectionStatus) and out.id == id_]


def correction(command: str = "go higher", **fields: Any) -> CorrectionEvent:
    event = CorrectionEvent(
        id=new_ulid(),
        session="s",
        episode="e",
        session_ns=0,
        author="ann",
        source="typed",
        text=command,
        command=command,
        grounding="exact",
        similarity=1.0,
        policy_command="",
        policy_probability=0.0,
        observations=[],
        hold_s=8.0,
    )
    return msgspec.structs.replace(event, **fields)


def chunks(out: list[Any]) -> list[Chunk]:
    return [item for item in out if isinstance(item, Chunk)]
