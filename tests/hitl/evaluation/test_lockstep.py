"""The experiments in simulated time, with the scripted expert in the place of the learned low level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hitl.backend.loaded_model import Model
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import packing, skills
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import STUCK_S
from hitl.evaluation.statistics import share, table, wilson
from hitl.events import CorrectionEvent, OutcomeEvent
from hitl.sessions.feedback_log import FeedbackLog
from robot.aloha import expert, layout
from robot.aloha.cell import AlohaCell
from robot.aloha.grammar import COMMANDS, by_text
from robot.aloha.planner import next_command

STEPS = 25


class ExpertPolicy:
    """Sees the simulator's state where the learned policy sees pictures; `wrong` is what its high level insists on."""

    def __init__(self, cell: AlohaCell, wrong: str = "") -> None:
        self.cell, self.wrong = cell, wrong

    def start(self, text: str, pose_target: np.ndarray) -> expert.Expert:
        begun = expert.Expert(self.cell, by_text(text))
        begun._start = np.array(pose_target)
        return begun

    def act(self, images: object, pose: object, pose_target: np.ndarray, command: expert.Expert, elapsed_s: float):
        goals, done = getattr(command, f"_{command._command.skill}")(pose_target)
        rows = [pose_target]
        for _ in range(STEPS):
            rows.append(expert._approach(rows[-1], goals))
        return SimpleNamespace(pose_chunk=np.array(rows[1:]), done=float(done))

    def propose(self) -> SimpleNamespace:
        return SimpleNamespace(
            texts=[self.wrong or next_command(self.cell, self.cell.kinds), "hold still"],
            probabilities=[0.9, 0.1],
            history=None,
            guiding=(),
        )

    def remember(self, images: object, pose: object, stamp_ns: int) -> None: ...

    def forget(self) -> None: ...


@pytest.fixture(scope="module")
def cell() -> AlohaCell:
    blind = AlohaCell(0)
    blind.policy_pictures = lambda: {}  # type: ignore[method-assign]
    return blind


def make(cell: AlohaCell, log: Path | None = None, wrong: str = "") -> Lockstep:
    def ground(text: str) -> SimpleNamespace:
        return SimpleNamespace(kind="exact", command=text, similarity=1.0)

    model = Model(ExpertPolicy(cell, wrong), ground, [c.text for c in COMMANDS], "expert", "cpu")
    return Lockstep(model, cell, log=log)


def test_a_nominal_episode_is_packed_without_help(cell: AlohaCell) -> None:
    episode = packing.run_episode(make(cell), "base", "nominal", 0, 1)
    assert episode.success and episode.stage == episode.stages >= 3
    assert episode.corrections == 0


def test_an_episode_that_is_stuck_is_over_and_counts_as_all_its_time(cell: AlohaCell) -> None:
    loop = make(cell, wrong="hold still")
    episode = packing.run_episode(loop, "base", "nominal", 0, 1)
    assert not episode.success and episode.seconds == cell.limit_s
    assert STUCK_S < cell.time_s < STUCK_S + 1

    class Late(ExpertPolicy):
        def propose(self) -> SimpleNamespace:
            self.wrong = "hold still" if self.cell.time_s < 0.5 * STUCK_S else ""
            return super().propose()

    loop = Lockstep(replace(loop.model, policy=Late(cell)), cell)
    assert packing.run_episode(loop, "base", "nominal", 0, 1).success, "what comes late still comes"


def test_the_oracles_words_are_logged_with_what_the_policy_wanted_and_bring_success(
    cell: AlohaCell, tmp_path: Path
) -> None:
    loop = make(cell, tmp_path / "log.sqlite", wrong="hold still")
    assert not packing.run_episode(loop, "base", "nominal", 0, 1).success
    episode = packing.run_episode(loop, "corrected", "nominal", 0, 1)
    assert episode.success and episode.corrections >= 2 * episode.stages
    loop.close()
    events = list(FeedbackLog(tmp_path / "log.sqlite").events())
    corrections = [event for event in events if isinstance(event, CorrectionEvent)]
    assert len(corrections) == episode.corrections
    assert {event.policy_command for event in corrections} == {"hold still"}
    assert all(event.observations for event in corrections)
    ended = {event.correction for event in events if isinstance(event, OutcomeEvent)}
    assert {event.id for event in corrections[:-1]} <= ended


@pytest.mark.parametrize("family", skills.FAMILIES)
def test_a_trial_of_each_family_is_judged_done_when_the_expert_does_it(cell: AlohaCell, family: str) -> None:
    loop = make(cell)
    original = skills._phrase
    skills._phrase = lambda command, wording, rng: command.text  # the expert reads canonical words only
    try:
        trials = [skills.run_trial(loop, family, "seen", np.random.default_rng(number)) for number in range(2)]
    finally:
        skills._phrase = original
    assert all(trial.done for trial in trials)


def test_a_trial_fails_when_the_robot_does_something_else(cell: AlohaCell) -> None:
    loop = make(cell)
    original = skills._phrase
    skills._phrase = lambda command, wording, rng: "hold still"
    try:
        trial = skills.run_trial(loop, "pick", "seen", np.random.default_rng(0))
    finally:
        skills._phrase = original
    assert not trial.done


def test_gains_are_points_of_success_per_shift() -> None:
    def episode(mode: str, condition: str, success: bool, number: int = 0) -> packing.Episode:
        return packing.Episode(
            mode=mode, condition=condition, number=number, stage=3 if success else 1, stages=3, success=success,
            seconds=10.0, corrections=0,
        )  # fmt: skip

    played = [episode("base", c, False) for c in ("push", "wish")] + [
        episode("corrected", c, True) for c in ("push", "wish")
    ]
    played += [episode("base", "wish", True, 1), episode("corrected", "wish", True, 1)]
    result = packing.summarize(played)
    assert result["gain"] == {"push": 100.0, "wish": 50.0, "mean_over_shifts": 75.0}
    assert result["base"]["push"]["reached_stage"] == [1.0, 0.0, 0.0]


def test_an_unknown_shift_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="earthquake"):
        packing.run(Settings(), packing.Plan(conditions=["earthquake"]))
    with pytest.raises(InputError, match="no variant 'lazy'"):
        packing.run(Settings(), packing.Plan(variants=["lazy"]))
    with pytest.raises(InputError, match="too many"):
        packing.run(Settings(), packing.Plan(episodes=501))


def test_wilson_intervals() -> None:
    low, high = wilson(19, 20)
    assert (round(low, 3), round(high, 3)) == (0.764, 0.991)  # Wilson 1927, by hand
    assert wilson(0, 0) == (0.0, 1.0)
    assert share([True, False]) == {"rate": 0.5, "interval": [0.095, 0.905], "n": 2}


def test_tables_line_up() -> None:
    lines = table(["a", "bb"], [["long", 1], ["x", 22]]).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_objects_of_the_evaluation_are_those_of_the_training(cell: AlohaCell) -> None:
    cell.reset(seed=1, shift="unseen-object")
    assert sum(kind >= len(layout.TRAINED_KINDS) for kind in cell.kinds) == 1
