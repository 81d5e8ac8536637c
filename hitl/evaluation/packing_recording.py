"""An episode of the packing experiment, recorded as the robot and the backend record a real one.

Pictures are of the policies' size; states, commands and feedback go with them. Knows nothing of plans and tables.
"""

from __future__ import annotations

import msgspec

from hitl.clock import new_ulid
from hitl.evaluation.lockstep import Lockstep
from hitl.events import EpisodeEvent
from hitl.messages import Task
from hitl.sessions.recording import Recorder

PICTURE_TICKS = 5
"""Pictures at the rate at which the policies see and sessions record."""
JPEG_QUALITY = 95
"""Small pictures keep no colour of small things at a video's quality."""


class Take:
    """One episode while it is played; `packing_episode.Beside`."""

    def __init__(self, loop: Lockstep, recorder: Recorder) -> None:
        self._loop, self._recorder = loop, recorder
        self._command = ""
        self._events = 0

    def said(self, words: str) -> str:
        """What was meant."""
        return words

    def corrected(self, loop: Lockstep, event: str) -> None:
        """It is in the log already, and is recorded with the next tick."""

    def tick(self, loop: Lockstep) -> None:
        """Record the tick that was just played."""
        recorder = self._recorder
        tick, now_ns = loop.cell.tick, loop.clock.now_ns()
        reading, state = loop.cell.read(), loop.state
        assert state is not None
        status = reading.task
        task = None
        if status is not None:
            task = Task(
                name=status.name, stage=status.stage, stages=status.stages, finished=status.finished,
                success=status.success, note=status.note,
            )  # fmt: skip
        sent = msgspec.structs.replace(state, nominal_hz=loop.cell.spec.rate_hz, task=task)
        recorder.state(state.stamp_ns, sent, reading.joints, reading.targets)
        if tick % PICTURE_TICKS == 0 and loop.seen is not None:
            for camera, picture in loop.seen.images.items():
                at_ns = loop.seen.observation.stamp_ns
                recorder.frame(camera, at_ns, picture.shape[0], picture.shape[1], picture)
        if loop.command.command_id != self._command:
            self._command = loop.command.command_id
            recorder.message("/command", now_ns, loop.command)
        for event in loop.events[self._events :]:
            recorder.message("/feedback", event.session_ns, event)
        self._events = len(loop.events)

    def end(self, condition: str) -> None:
        """Log how the episode ended, as a session does."""
        loop, status = self._loop, self._loop.cell.read().task
        assert status is not None
        event = EpisodeEvent(
            id=new_ulid(), session=loop.session, episode=loop.episode, session_ns=loop.clock.now_ns(),
            stage=status.stage, stages=status.stages, success=status.success, shift=condition,
        )  # fmt: skip
        loop.note(event)
        self._recorder.message("/feedback", event.session_ns, event)
