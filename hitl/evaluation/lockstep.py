"""The whole loop in one process and in simulated time: cell, safety core, controller, grounding, feedback log.

The parts are those of the running system (`robot.safety.SafetyCore`, `hitl.backend.controller.Controller`, grounding,
`FeedbackLog`); only sockets, threads and waiting are left out, so an experiment takes as long as its arithmetic. The
delay that a real session has is simulated: pictures are taken at the cell's capture rate and a chunk reaches the robot
`latency_ticks` ticks after the pictures it answers. Results do not depend on the load of the machine.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hitl import kinematics
from hitl.backend.controller import Chunk, Controller, Rules, Seen, StopWanted
from hitl.backend.doubt import Doubt
from hitl.backend.loaded_model import Model
from hitl.clock import ManualClock, new_ulid
from hitl.events import CorrectionEvent, DoubtEvent, LogEvent, OutcomeEvent
from hitl.messages import CommandStatus, CorrectionState, CorrectionStatus, Observation, RobotState, Task
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.moments import Moment
from robot.aloha.cell import AlohaCell
from robot.safety import SafetyCore

LATENCY_TICKS = 2
"""40 ms from pictures to actions, as `hitl demo` has on two cores (docs/measurements.md)."""
LEASE_S = 0.3


class Lockstep:
    """One cell under one model. `log`: a file that receives the feedback events, or None to keep them in `events`."""

    def __init__(
        self,
        model: Model,
        cell: AlohaCell,
        rules: Rules | None = None,
        *,
        log: Path | None = None,
        session: str = "",
        latency_ticks: int = LATENCY_TICKS,
        doubt: Doubt | None = None,
        watched: bool = False,
    ) -> None:
        """watched: whether the policy may ask a person which command is right, `doubt`: when."""
        self.cell = cell
        self.clock = ManualClock()
        self.events: list[LogEvent] = []
        self.moments: list[Moment] = []
        """What the high level looked at, of the running episode."""
        self.statuses: dict[str, CorrectionState] = {}
        self.command = CommandStatus(command_id="", text="", source="none")
        self.state: RobotState | None = None
        """The last tick, as the robot would send it."""
        self.seen: Seen | None = None
        """What the policies saw last."""
        self._model = model
        self._log = FeedbackLog(log) if log is not None else None
        self._latency = latency_ticks
        self._every = round(cell.spec.rate_hz / cell.spec.capture_hz)
        self.session = session or new_ulid()
        self._rules = rules or Rules()
        self._doubt, self._watched = doubt, watched
        self.restart()

    def restart(self) -> None:
        """Take the cell as it is for the start of an episode."""
        self.moments.clear()
        self._controller = Controller(
            self._model.policy,
            kinematics,
            self.clock,
            self._rules,
            session=self.session,
            session_start_ns=0,
            rate_hz=self.cell.spec.rate_hz,
            doubt=self._doubt,
        )
        self._controller.watched = self._watched
        self._core = SafetyCore(self.cell.spec, lease_s=LEASE_S)
        self.episode = new_ulid()
        self._core.begin_episode(self.episode, self.cell.read().targets)
        self._controller.new_episode(self.episode)
        self._flying: deque[tuple[int, Chunk]] = deque()
        self._take()

    def close(self) -> None:
        """Close the feedback log."""
        if self._log is not None:
            self._log.close()

    @property
    def model(self) -> Model:
        """What decides and acts."""
        return self._model

    def correct(self, text: str, source: str = "oracle", hold_s: float | None = None) -> str:
        """A person's words, by the path they take in the backend: ground, log, act. Returns the correction's id."""
        wanted, probability = self._controller.wanted()
        grounded = self._model.ground(text)
        event = CorrectionEvent(
            id=new_ulid(),
            session=self.session,
            episode=self.episode,
            session_ns=self.clock.now_ns(),
            author=source,
            source=source,
            text=text,
            command=grounded.command,
            grounding=grounded.kind,
            similarity=float(np.clip(grounded.similarity, -1.0, 1.0)),
            policy_command=wanted,
            policy_probability=probability,
            observations=self._controller.recent_observations(),
            hold_s=self._controller.hold_s if hold_s is None else hold_s,
        )
        self.note(event)
        self._controller.correct(event)
        self._take()
        return event.id

    def tick(self) -> None:
        """20 ms of simulated time."""
        tick = self._core.tick
        if tick % self._every == 0:
            self._observe(tick)
        while self._flying and self._flying[0][0] <= tick:
            chunk = self._flying.popleft()[1]
            self._core.accept(chunk.header, chunk.rows.tobytes(), self.clock.now_ns())
        decision = self._core.decide(self.clock.now_ns())
        if decision.targets is None:
            self.cell.hold()
        else:
            self.cell.act(decision.targets)
        reading = self.cell.read()
        self._core.sent(reading.targets)
        state = RobotState(
            tick=tick,
            stamp_ns=self.clock.now_ns(),
            episode=self.episode,
            mode=decision.mode,
            reason=decision.reason,
            command_id=decision.command_id,
            chunk=decision.chunk,
            task=Task(**asdict(reading.task)) if reading.task is not None else None,
        )
        self.state = state
        self._controller.robot_state(state, reading.joints, reading.targets)
        self._controller.expire()
        self._take()
        self.clock.advance(1.0 / self.cell.spec.rate_hz)

    @property
    def command_seconds(self) -> float:
        """For how long the running command has run."""
        return (self.clock.now_ns() - self.command.since_ns) / 1e9

    def _observe(self, tick: int) -> None:
        reading = self.cell.read()
        observation = Observation(tick=tick, stamp_ns=self.clock.now_ns(), episode=self.episode, images=[])
        images = self.cell.policy_pictures()
        self.seen = Seen(observation, reading.joints, reading.targets, images)
        self._controller.observe(self.seen)
        self._take()

    def _take(self) -> None:
        for output in self._controller.drain():
            if isinstance(output, Chunk):
                self._flying.append((self._core.tick + self._latency, output))
            elif isinstance(output, CommandStatus):
                self.command = output
            elif isinstance(output, CorrectionStatus):
                self.statuses[output.id] = output.state
            elif isinstance(output, OutcomeEvent | DoubtEvent):
                self.note(output)
            elif isinstance(output, Moment):
                self.moments.append(output)
            elif isinstance(output, StopWanted):
                self._core.stop(output.id, output.said, by_words=True)

    def note(self, event: LogEvent) -> None:
        """Write an event to the log, or keep it."""
        self.events.append(event)
        if self._log is not None:
            self._log.append(event)
