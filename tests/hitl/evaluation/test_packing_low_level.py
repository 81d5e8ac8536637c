"""The low level of a learner in the packing experiment: what is recorded, when it learns, and what then acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from hitl.backend.models import load_model
from hitl.config import Settings
from hitl.evaluation import packing_low_level
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_learning import use_weights, weights_of
from hitl.evaluation.packing_low_level import LowLevelLearning
from hitl.hindsight import Families
from hitl.low_level_learning import Learned, Options
from hitl.session_hindsight import Lesson, lessons_of
from hitl.sessions.catalog import Catalog
from policies.errors import DatasetError
from policies.hierarchy.checkpoint import read_part, write_changed
from policies.hierarchy.low_level_update import Fitted
from policies.hierarchy.policy import HierarchicalPolicy
from robot.aloha.cell import AlohaCell

WORDS = "move the left arm up"
FAMILIES = Families(small=frozenset({WORDS}))
FITTED = Fitted(({"loss": 0.1}, {"loss": 0.11}), ({"loss": 0.5}, {"loss": 0.2}), [(0.5, 0.2)])


@pytest.fixture(scope="module")
def cell_loop() -> Lockstep:
    return Lockstep(load_model(Settings(device="cpu")), AlohaCell(0))


@pytest.fixture
def loop(cell_loop: Lockstep) -> Iterator[Lockstep]:
    first = weights_of(cell_loop)
    yield cell_loop
    use_weights(cell_loop, None, first)


def play(learning: LowLevelLearning, loop: Lockstep, seconds: float = 4.0) -> None:
    """An episode in which somebody speaks once."""
    learning.begin_episode()
    loop.cell.reset(seed=3)
    loop.restart()
    loop.events.clear()
    for tick in range(round(seconds * 50)):
        loop.tick()
        learning.tick()
        if tick == 60:
            loop.correct(WORDS)
    learning.end_episode("nominal")


class Learning:
    """In the place of `learn_low_level`: tells lessons in which hands were guided, and makes all weights larger."""

    def __init__(self, guided: int, reasons: list[str] | None = None) -> None:
        self.guided, self.reasons = guided, reasons or []
        self.asked: list[tuple[int, int, int]] = []
        self.turns: list[int] = []
        self.strategies: list[str] = []

    def __call__(
        self, settings: Settings, options: Options, *, command: str, told: Callable[[Lesson], None]
    ) -> Learned:
        found = lessons_of(settings.data_folder, options.sessions, [WORDS], FAMILIES, options.rules)
        segments = sum(len(lesson.found.segments) for lesson in found)
        undone = sum("undone" in left.reason for lesson in found for left in lesson.found.left_out)
        self.asked.append((len(found), segments, undone))
        self.turns.append(options.plan.turns)
        self.strategies.append(options.plan.strategy)
        for lesson in found:
            object.__setattr__(lesson, "found", _Counted(self.guided))
            told(lesson)
        assert options.out is not None and settings.model
        options.out.mkdir(parents=True)
        weights = read_part(Path(settings.model), "low_level")
        write_changed(options.out, Path(settings.model), {"low_level": {k: v + 1 for k, v in weights.items()}}, {})
        return Learned("", options.out, False, FITTED, self.reasons, {})


class _Counted:
    """Found segments of which so many are guided."""

    def __init__(self, guided: int) -> None:
        self.segments = [type("Guided", (), {"why": "guided", "events": ()})] * guided
        self.left_out: list[Any] = []


def begun(loop: Lockstep, tmp_path: Path) -> LowLevelLearning:
    return LowLevelLearning(Settings(), loop, tmp_path / "learner", tmp_path / "base")


def acts_with(loop: Lockstep) -> torch.Tensor:
    policy = loop.model.policy
    assert isinstance(policy, HierarchicalPolicy)
    return policy.low_level.path_head.bias.detach().clone()


def test_it_learns_from_all_sessions_and_acts_with_what_passed(
    loop: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Learning(guided=packing_low_level.LEAST_GUIDED)
    monkeypatch.setattr(packing_low_level, "learn_low_level", fake)
    before = acts_with(loop)
    learning = begun(loop, tmp_path)
    for _ in range(2):
        play(learning, loop)
        learning.round_over(learns=True)
    assert [sessions for sessions, _, _ in fake.asked] == [1, 2]
    assert fake.turns == [1, 1], "each version is judged by what it did not learn from"
    assert fake.asked[1][1] == 2 * fake.asked[0][1] > 0, "what was said in both teaches"
    assert torch.equal(acts_with(loop), before + 1), "learned anew from the base, not twice"
    assert [update.passed for update in learning.updates] == [True, True]
    assert learning.updates[1].guided == 2 * packing_low_level.LEAST_GUIDED and learning.updates[0].base == [0.1, 0.11]
    learning.undo([event.id for event in loop.events if getattr(event, "text", "")])
    assert fake.asked[2][2] == 1 and fake.asked[2][1] < fake.asked[1][1], "what was undone teaches no more"
    fake.guided, spoken = 0, [event.id for event in loop.events if getattr(event, "text", "")]
    learning.undo(spoken)
    assert torch.equal(acts_with(loop), before), "what was undone leaves no trace where nothing is left to learn"
    recordings = [session.recording for session in Catalog(tmp_path / "learner").sessions()]
    assert len(recordings) == 2 and all(path.stat().st_size > 10_000 for path in recordings)
    learning.close()
    assert not (tmp_path / "learner").exists()


@pytest.mark.parametrize("guided", [packing_low_level.LEAST_GUIDED - 1, packing_low_level.LEAST_GUIDED])
def test_what_the_gate_refuses_or_was_not_needed_does_not_act(
    loop: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guided: int
) -> None:
    fake = Learning(guided, ["the loss on held-out base segments rose"])
    monkeypatch.setattr(packing_low_level, "learn_low_level", fake)
    before, learning = acts_with(loop), begun(loop, tmp_path)
    play(learning, loop)
    learning.round_over(learns=False)
    assert not fake.asked, "nobody wanted it"
    play(learning, loop)
    learning.round_over(learns=True)
    (update,) = learning.updates
    assert not update.passed and torch.equal(acts_with(loop), before)
    enough = 2 * guided >= packing_low_level.LEAST_GUIDED
    assert update.learned == enough and update.guided == 2 * guided
    learning.round_over(learns=True)
    assert len(learning.updates) == 1, "nothing was recorded since"


def test_a_strategy_is_that_of_the_low_level_and_without_a_gate_what_is_refused_acts(
    loop: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Learning(packing_low_level.LEAST_GUIDED, ["more is lost than won"])
    monkeypatch.setattr(packing_low_level, "learn_low_level", fake)
    before = acts_with(loop)
    learning = LowLevelLearning(Settings(), loop, tmp_path / "learner", tmp_path / "base", "none", gated=False)
    play(learning, loop)
    learning.round_over(learns=True)
    assert fake.strategies == ["none"] and torch.equal(acts_with(loop), before + 1)
    (update,) = learning.updates
    assert update.learned and not update.passed, "the gate's verdict is kept"


def test_base_data_that_are_not_there_are_said(loop: Lockstep, tmp_path: Path) -> None:
    learning = begun(loop, tmp_path)
    play(learning, loop)
    with pytest.raises(DatasetError, match=r"base/meta.json"):
        learning.round_over(learns=True)
    assert learning.updates == []
