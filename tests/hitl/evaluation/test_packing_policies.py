"""The published ablations in the packing experiment: which model acts, what is refused, what each does in the cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hitl.backend.loaded_model import Model
from hitl.backend.parts import Rules
from hitl.backend.registry import packaged_model
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import packing, packing_policies, packing_session
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import run_episode
from hitl.evaluation.packing_learning import VARIANTS, OnlineLearning, save_weights, use_weights, weights_of
from hitl.evaluation.packing_policies import check, load_policy
from policies.hierarchy.checkpoint import FLAT, read_model, write_model
from policies.hierarchy.flat import TASK
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.scripted import ScriptedOrder
from robot.aloha.cell import AlohaCell
from robot.aloha.planner import script
from tests.hitl.evaluation.test_lockstep import ExpertPolicy

CPU = Settings(device="cpu")


class Expert(ExpertPolicy):
    """The scripted expert in the place of the low level. misses: of so many picks it says that they are done, and does
    nothing."""

    def __init__(self, cell: AlohaCell, misses: int = 0) -> None:
        super().__init__(cell)
        self.misses, self.begun = misses, list[str]()

    def start(self, text: str, pose_target: np.ndarray) -> Any:
        self.begun.append(text)
        begun: Any = super().start(text, pose_target)
        begun.text = text
        begun.missed = text.startswith("pick") and self.misses > 0
        self.misses -= begun.missed
        return begun

    def act(self, images: object, pose: object, pose_target: np.ndarray, command: Any, elapsed_s: float) -> Any:
        if command.missed:
            return SimpleNamespace(pose_chunk=np.tile(pose_target, (25, 1)), done=1.0)
        return super().act(images, pose, pose_target, command, elapsed_s)


@pytest.fixture(scope="module")
def cell() -> Iterator[AlohaCell]:
    made = AlohaCell(0)
    yield made
    made.close()


@pytest.fixture
def blind(cell: AlohaCell, monkeypatch: pytest.MonkeyPatch) -> AlohaCell:
    """Without pictures, which the expert does not need."""
    monkeypatch.setattr(cell, "policy_pictures", lambda: {})
    return cell


def scripted(cell: AlohaCell, expert: Expert) -> Lockstep:
    policy: Any = expert
    rules = Rules()
    order = ScriptedOrder(
        policy,
        lambda: script(cell),
        done_threshold=rules.done_threshold,
        done_observations=rules.done_observations,
        least_s=rules.min_command_s,
    )
    known: Any = lambda text: SimpleNamespace(kind="exact", command=text, similarity=1.0)  # noqa: E731
    return Lockstep(Model(order, known, [], "scripted", "cpu"), cell, rules)


def each_once(said: Sequence[str]) -> list[str]:
    return [text for at, text in enumerate(said) if at == 0 or text != said[at - 1]]


def test_a_script_packs_the_box_where_all_goes_well(blind: AlohaCell) -> None:
    expert = Expert(blind)
    episode = run_episode(scripted(blind, expert), "base", "nominal", 0, 1)
    assert episode.success and episode.corrections == 0
    wanted = script(blind)
    assert each_once(expert.begun) == wanted[: len(each_once(expert.begun))]
    assert len(each_once(expert.begun)) >= len(wanted) - 1, "packed when the last thing falls, before going home"


def test_a_script_goes_on_though_nothing_was_grasped(blind: AlohaCell) -> None:
    expert = Expert(blind, misses=99)
    episode = run_episode(scripted(blind, expert), "base", "nominal", 0, 1)
    assert not episode.success and episode.stage == 0
    assert each_once(expert.begun) == script(blind), "every command once, the last one to the end"


def test_live_corrections_help_a_script(blind: AlohaCell) -> None:
    expert = Expert(blind, misses=1)
    loop = scripted(blind, expert)
    alone = run_episode(loop, "base", "nominal", 0, 1)
    assert not alone.success and alone.stage == alone.stages - 1, "what was missed lies there to the end"
    expert.misses = 1
    helped = run_episode(loop, "corrected", "nominal", 0, 1)
    assert helped.success and helped.corrections > 0


@pytest.fixture
def flat(cell: AlohaCell, tmp_path: Path) -> Settings:
    cameras = {camera.name: (camera.policy_height, camera.policy_width) for camera in cell.spec.cameras}
    torch.manual_seed(0)
    low_level = LowLevelPolicy(LowLevelConfig(cameras, 6, hidden=32))
    about = {"low_level": low_level.config.to_json()}
    write_model(tmp_path / "flat", {"low_level": low_level.state_dict()}, about, FLAT)
    return Settings(model=str(tmp_path / "flat"), device="cpu")


@pytest.fixture
def one_hot(tmp_path: Path) -> Settings:
    """The low level that ships under an untrained one-hot high level."""
    model = read_model(packaged_model())
    bank = model.description["bank"]
    features = model.description["high_level"]["features"]
    torch.manual_seed(0)
    high_level = HighLevelPolicy(HighLevelConfig(features, output="one-hot", commands=len(bank)))
    description = {**model.description, "high_level": high_level.config.to_json()}
    weights = {**high_level.state_dict(), "bank": model.parts["high_level"]["bank"]}
    write_model(tmp_path / "one-hot", {**model.parts, "high_level": weights}, description)
    return Settings(model=str(tmp_path / "one-hot"), device="cpu")


def test_a_flat_policy_acts_under_its_one_command_and_cannot_be_spoken_to(cell: AlohaCell, flat: Settings) -> None:
    loop = Lockstep(load_policy(flat, "flat", cell, Rules()), cell)
    cell.reset(seed=3)
    loop.restart()
    before = cell.pose_target()
    for _ in range(60):
        loop.tick()
    assert loop.command.text == TASK and not loop.moments
    assert not np.allclose(cell.pose_target(), before, atol=1e-4), "it moves"
    with pytest.raises(InputError, match="policy flat: nobody understands 'go home'"):
        loop.correct("go home")


def test_a_script_stands_over_the_low_level_of_the_model(cell: AlohaCell) -> None:
    model = load_policy(CPU, "scripted", cell, Rules())
    loop = Lockstep(model, cell)
    cell.reset(seed=3)
    loop.restart()
    for _ in range(100):
        loop.tick()
    assert loop.command.text == script(cell)[0] and loop.command.source == "policy" and not loop.moments
    loop.correct("move the left arm up")
    assert loop.command.text == "move the left arm up" and loop.command.source == "person"


def test_a_one_hot_high_level_acts_and_learns_from_corrections(
    cell: AlohaCell, one_hot: Settings, tmp_path: Path
) -> None:
    loop = Lockstep(load_policy(one_hot, "one-hot", cell, Rules()), cell)
    first = weights_of(loop)
    cell.reset(seed=3)
    loop.restart()
    learning = OnlineLearning(loop, VARIANTS["no-gate"], 60)
    for tick in range(250):
        loop.tick()
        learning.tick(loop)
        if tick == 150:
            learning.corrected(loop, loop.correct(learning.said("go home")))
    assert loop.moments and loop.command.text
    learning.episode_over(loop, 0)
    learning.round_over(last=True)
    assert learning.learnt and learning.learnt[-1].corrections and learning.learnt[-1].added == ()
    learned = weights_of(loop)
    assert any(not torch.equal(weight, first.tensors[name]) for name, weight in learned.tensors.items())
    save_weights(loop, tmp_path / "w.safetensors")
    use_weights(loop, None, first)
    use_weights(loop, tmp_path / "w.safetensors", first)
    assert all(torch.equal(weight, learned.tensors[name]) for name, weight in weights_of(loop).tensors.items())


def test_what_a_policy_cannot_do_is_refused(flat: Settings, one_hot: Settings) -> None:
    with pytest.raises(InputError, match="there is no policy 'gpt'.*hierarchy, one-hot, scripted, flat"):
        check(CPU, "gpt", ["base"])
    with pytest.raises(InputError, match="policy scripted: a script learns nothing.*--mode corrected"):
        check(CPU, "scripted", ["base", "learned"])
    for mode in ("corrected", "learned"):
        with pytest.raises(InputError, match="policy flat: .*cannot be spoken to.*--mode base"):
            check(flat, "flat", [mode])
    with pytest.raises(InputError, match=r"expected 'flat'\. Make one: hitl train flat"):
        check(CPU, "flat", ["base"])
    with pytest.raises(InputError, match="answers with codes. Make one: hitl train high-level --output one-hot"):
        check(CPU, "one-hot", ["base"])
    with pytest.raises(InputError, match="answers with one-hot. Say which policy it is: --policy one-hot"):
        check(one_hot, "hierarchy", ["base"])
    with pytest.raises(InputError, match="is of kind 'flat', expected 'hierarchy'"):
        check(flat, "scripted", ["base"])
    check(CPU, "hierarchy", ["base", "corrected", "learned"])
    check(one_hot, "one-hot", ["base", "corrected", "learned"])
    check(one_hot, "scripted", ["base", "corrected"])
    check(flat, "flat", ["base"])
    with pytest.raises(InputError, match="policy scripted: cannot be recorded"):
        packing_session.record(CPU, packing.Plan(["base"], ["nominal"], 1, policy="scripted"))
    with pytest.raises(InputError, match="policy scripted: a script learns nothing"):
        packing.run(CPU, packing.Plan(packing.MODES, policy="scripted"))
    assert packing_policies.POLICIES == ("hierarchy", "one-hot", "scripted", "flat")
