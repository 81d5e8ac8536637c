"""`hitl evaluate packing --record`: its episodes as a session in the data folder, recorded as a real one is.

What a person would leave behind who watched the cell: a recording with pictures of the policies' size, states,
commands and feedback, and the same feedback in the log. Simulated time goes on from one episode to the next. So what
learns from sessions can be tried, and measured, without a person.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from hitl.backend.models import load_model
from hitl.config import Settings
from hitl.errors import InputError, StorageError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing import CONDITIONS, Plan
from hitl.evaluation.packing_episode import run_episode
from hitl.evaluation.packing_recording import JPEG_QUALITY, Take
from hitl.evaluation.packing_summary import HIERARCHY, Episode, print_table, summarize
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.recording import Recorder
from robot.aloha.cell import AlohaCell

RECORDED = ("base", "corrected")


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
            take = Take(loop, recorder)
            found.append(run_episode(loop, mode, condition, seed, number, take))
            take.end(condition)
            if progress is not None:
                progress(len(found), len(jobs))
    loop.close()
    if recorder.error or recorder.dropped:
        why = recorder.error or f"{recorder.dropped} messages were lost"
        raise StorageError(why, field=str(session.recording), hint="Free some space and run again.")
    return session, found


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
