"""Episodes of the packing experiment as a session: what learns from sessions finds all of it there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hitl.backend.engine import Model
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import packing_recording, packing_session
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing import Plan
from hitl.evaluation.packing_summary import Episode
from hitl.hindsight import Families, Rules
from hitl.session_hindsight import lessons_of
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recorded import read_recorded, recorded_pictures
from robot.aloha.cell import AlohaCell
from tests.hitl.evaluation.test_lockstep import ExpertPolicy

CAMERA = {"front": (8, 12)}


@pytest.fixture
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An expert in the place of the policy, and episodes of three seconds with a correction in the second."""
    cell = AlohaCell(0)
    monkeypatch.setattr(cell, "policy_pictures", lambda: {"front": np.full((8, 12, 3), 90, np.uint8)})
    monkeypatch.setattr(packing_session, "AlohaCell", lambda _seed: cell)
    known: Any = type("Known", (), {"kind": "exact", "command": "go home", "similarity": 1.0})
    policy: Any = ExpertPolicy(cell)
    model = Model(policy, lambda _text: known, ["go home"], "expert", "cpu", None, CAMERA)
    monkeypatch.setattr(packing_session, "load_model", lambda _settings: model)

    def episode(loop: Lockstep, mode: str, condition: str, seed: int, number: int, beside: Any) -> Episode:
        loop.cell.reset(seed=seed + number, shift=condition)
        loop.restart()
        loop.events.clear()
        for tick in range(150):
            loop.tick()
            beside.tick(loop)
            if tick == 50 and mode == "corrected":
                beside.corrected(loop, loop.correct(beside.said("go home")))
        return Episode(
            mode=mode, condition=condition, seed=seed, number=number, stage=1, stages=3, success=False, seconds=3.0,
            corrections=1,
        )  # fmt: skip

    monkeypatch.setattr(packing_session, "run_episode", episode)
    return Settings(data=str(tmp_path))


def test_what_is_played_is_a_session_that_can_be_learned_from(settings: Settings) -> None:
    seen: list[tuple[int, int]] = []
    plan = Plan(["corrected"], ["nominal", "box-moved"], 1)
    session, played = packing_session.record(settings, plan, lambda done, of: seen.append((done, of)))
    assert [one.condition for one in played] == ["nominal", "box-moved"] and seen == [(1, 2), (2, 2)]
    assert Catalog(settings.data_folder).sessions()[0].id == session.id
    recorded = read_recorded(session.recording)
    assert recorded.whole and len(recorded.episodes) == 2
    for number, one in enumerate(recorded.episodes):
        assert len(one.tick) == 150 and one.rate_hz == 50 and one.task is not None and one.task.name == "pack the box"
        mine = [(at_ns, told) for at_ns, told in recorded.commands if one.start_ns <= at_ns < one.end_ns]
        assert [told.source for _, told in mine][:2] == ["policy", "person"]
        assert (mine[1][0] - one.start_ns) / 1e9 == pytest.approx(1.02, abs=0.05)
        outcome = recorded.outcomes[one.id]
        assert (outcome.shift, outcome.session) == (played[number].condition, session.id)
    pictures = list(recorded_pictures(session.recording, {"front"}))
    assert len(pictures) == 2 * 150 // packing_recording.PICTURE_TICKS
    log = FeedbackLog(Catalog(settings.data_folder).log_file)
    corrections = log.corrections(session.id)
    log.close()
    assert [view.command for view in corrections] == ["go home"] * 2 and all(view.acted for view in corrections)
    assert corrections[0].event.id == next(told for _, told in recorded.commands if told.source == "person").command_id
    (lesson,) = lessons_of(settings.data_folder, ["last"], ["go home"], Families(), Rules())
    assert all(one.why == "correction" for one in lesson.found.segments) and lesson.found.left_out


def test_what_cannot_be_recorded_makes_no_session(settings: Settings) -> None:
    with pytest.raises(InputError, match="there is no shift 'upside-down'"):
        packing_session.record(settings, Plan(["base"], ["upside-down"], 1))
    with pytest.raises(InputError, match="mode learned: cannot be recorded. Use: --mode base or corrected"):
        packing_session.record(settings, Plan(["learned"], ["nominal"], 1))
    assert not Catalog(settings.data_folder).sessions()
