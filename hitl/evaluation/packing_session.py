"""`hitl evaluate packing --record`: its episodes as a session in the data folder, recorded as a real one is.

What a person would leave behind who watched the cell: a recording with pictures of the policies' size, states,
commands and feedback, and the same feedback in the log. Simulated time goes on from one episode to the next. So what
learns from sessions can be tried, and measured, without a person.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import msgspec

from hitl.backend.models import load_model
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError, StorageError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing import CONDITIONS, Plan
from hitl.evaluation.packing_episode import run_episode
from hitl.evaluation.packing_summary import HIERARCHY, Episode, print_table, summarize
from hitl.events import EpisodeEvent
from hitl.messages import Task
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.recording import Recorder
from robot.aloha.cell import AlohaCell

RECORDED = ("base", "corrected")
PICTURE_TICKS = 5
"""Pictures at the rate at which the policies see and sessions record."""
JPEG_QUALITY = 95
"""Small pictures keep no colour of small things at a video's quality."""


def record(
    settings: Settings, plan: Plan, progress: Callable[[int, int], None] | None = None
) -> tuple[Session, list[Episode]]:
    """Play and record: one process, one session. Raises InputError, StorageError, and what loading a model raises."""
    for condition in plan.conditions:
        if condition not in CONDITIONS:
            hint = f"Use some of: {', '.join(CONDITIONS)}."
            raise InputError(f"there is no shift {condition!r}.", field="shift", hint=hint)
    if not set(plan.modes) <= set(RECORDED):
        raise InputError("cannot be recorded.", field="mode learned", hint=f"Use: --mode {' or '.join(RECORDED)}")
    if plan.policy != HIERARCHY:
        raise InputError(
            "cannot be recorded.", field=f"policy {plan.policy}", hint="Use the hierarchy, or no --record."
        )
    model = load_model(settings)
    catalog = Catalog(settings.data_folder)
    session = catalog.new_session(robot="aloha", policy=model.name)
    loop = Lockstep(model, AlohaCell(0), log=catalog.log_file, session=session.id)
    jobs = [
        (m, c, s, n) for s in plan.seeds for n in range(plan.episodes) for c in plan.conditions for m in plan.modes
    ]
    found = []
    with Recorder(
        session.recording, session.id, started_unix_ns=session.info.started_unix_ns, jpeg_quality=JPEG_QUALITY
    ) as recorder:
        for mode, condition, seed, number in jobs:
            take = _Take(loop, recorder)
            found.append(run_episode(loop, mode, condition, seed, number, take))
            take.end(condition)
            if progress is not None:
                progress(len(found), len(jobs))
    loop.close()
    if recorder.error or recorder.dropped:
        why = recorder.error or f"{recorder.dropped} messages were lost"
        raise StorageError(why, field=str(session.recording), hint="Free some space and run again.")
    return session, found


class _Take:
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


def main(settings: Settings, plan: Plan) -> dict:
    """The command: progress to standard error, a table, and the JSON object as the last line, with the session."""

    def progress(done: int, total: int) -> None:
        print(f"\r{done}/{total} episodes", end="" if done < total else "\n", file=sys.stderr, flush=True)

    session, played = record(settings, plan, progress)
    result = summarize(played) | {"session": session.id}
    print_table(result)
    print(f"recorded as session {session.id}: {session.recording}")
    print(json.dumps(result))
    return result
