"""The whole way: a toy dataset, one call, a model folder, and a policy that does in the toy cell what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from policies.errors import CheckpointError, DatasetError, PolicyError
from policies.hierarchy import base_moments
from policies.hierarchy import policy as policy_module
from policies.hierarchy.dataset import load_recordings
from policies.hierarchy.loop import Progress
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.low_level_training import LowLevelObjective, PhraseCodes
from policies.hierarchy.policy import HierarchicalPolicy
from policies.hierarchy.train import Budget, add_scores, train

BUDGET = Budget(low_level_steps=600, high_level_steps=300, low_level_batch=48, high_level_batch=64)
NEAR_M = 0.03  # three pixels of the toy's pictures
pytestmark = pytest.mark.timeout(900)  # half a minute of one core, but cores may be shared


@pytest.fixture(scope="module")
def trained(toy_data: Path, tmp_path_factory: pytest.TempPathFactory, word_hash: Any) -> SimpleNamespace:
    """One training run for all tests of this file (about half a minute of one core)."""
    out = tmp_path_factory.mktemp("model")
    seen: list[Progress] = []
    description = train(
        toy_data,
        out,
        BUDGET,
        device="cpu",
        threads=1,
        progress=seen.append,
        command="hitl train --dataset toy",
        language_trainer=lambda commands, seed: (word_hash, {"words": "hashed"}),
    )
    return SimpleNamespace(out=out, description=description, progress=seen)


@pytest.fixture
def policy(trained: SimpleNamespace, word_hash: Any, monkeypatch: pytest.MonkeyPatch) -> HierarchicalPolicy:
    monkeypatch.setattr(policy_module, "restore_language", lambda tensors, path, bank: word_hash.with_bank(bank))
    return HierarchicalPolicy.load(trained.out, device="cpu")


def run_command(policy: HierarchicalPolicy, world: Any, text: str, limit_s: float = 3.0) -> bool:
    """Closed loop as the controller runs it: a fresh chunk every 0.1 s, until the policy says done."""
    command = policy.start(text, world.pose)
    for tick in range(0, int(limit_s * 50), 5):
        output = policy.act(world.pictures(), world.pose, world.pose, command, tick / 50)
        if output.done > 0.5 and tick >= 10:
            return True
        world.pose = output.pose_chunk[4].copy()
    return False


def test_loss_falls_far_below_a_constant_answer(trained: SimpleNamespace, toy_data: Path) -> None:
    data = load_recordings(toy_data)
    codes = PhraseCodes(torch.zeros(6, 64), torch.arange(6), torch.ones(6, dtype=torch.long))
    blind = LowLevelPolicy(LowLevelConfig(data.meta.cameras, 2))
    with torch.no_grad():
        batch = LowLevelObjective(blind, data, codes, torch.device("cpu"), 0).checks.draw(512)
        path = blind.encode_path(batch.path, batch.pose_target)
    error = path - path.flatten(0, 1).median(0).values
    constant = (error.abs() + 0.5 * error.square()).mean().item()
    held_out = trained.description["training"]["low_level"]["held_out"]
    assert held_out["path"] < 0.4 * constant
    assert held_out["done_accuracy"] > 0.95


def test_openings_are_led_astray_only_under_words_that_say_by_how_much(toy_data: Path) -> None:
    data = load_recordings(toy_data)
    codes = PhraseCodes(torch.zeros(6, 64), torch.arange(6), torch.ones(6, dtype=torch.long))
    objective = LowLevelObjective(
        LowLevelPolicy(LowLevelConfig(data.meta.cameras, 2)), data, codes, torch.device("cpu"), 0
    )
    batch = objective.batches.draw(512)
    led = objective._disturbed(batch)
    away = (led.pose_target - batch.pose_target)[:, [5, 11]].abs().amax(1)
    goal = objective.batches.has_goal[batch.command]
    assert goal.any() and (~goal).any()
    assert away[goal].max() < 0.3 and (away[~goal] > 0.25).float().mean() > 0.05  # plain noise of 0.05: none
    assert not led.done[~goal & (away > 0.25)].any(), "nothing is done while fingers are astray"
    assert torch.equal(led.path, batch.path) and torch.equal(led.done[goal], batch.done[goal])


@pytest.mark.parametrize("command", [0, 1])
def test_it_goes_to_the_square_that_is_named(policy: HierarchicalPolicy, toy_world: Any, command: int) -> None:
    text = ["pick up the red block", "pick up the blue ball"][command]
    near = nearer_to_it = 0
    for seed in range(10_000, 10_020):
        world = toy_world.new(seed)
        run_command(policy, world, text)
        away = np.linalg.norm(world.pose[:2] - world.xy, axis=1)
        near += bool(away[command] < NEAR_M and world.pose[5] < 0.4)
        nearer_to_it += bool(away[command] < away[1 - command])
    assert near >= 14 and nearer_to_it >= 18


def test_wording_of_the_training_set_works_too(policy: HierarchicalPolicy, toy_world: Any) -> None:
    good = 0
    for seed in range(20_000, 20_010):
        world = toy_world.new(seed)
        run_command(policy, world, "take the blue ball")
        good += bool(np.linalg.norm(world.pose[:2] - world.xy[1]) < NEAR_M)
    assert good >= 7  # of 10


@pytest.mark.parametrize(
    ("text", "size_m"), [("move the left arm right", 0.03), ("move the left arm far right", 0.09)]
)
def test_motions_have_their_size(policy: HierarchicalPolicy, toy_world: Any, text: str, size_m: float) -> None:
    moved = []
    for seed in range(30_000, 30_010):
        world = toy_world.new(seed)
        begin = world.pose.copy()
        run_command(policy, world, text, limit_s=1.5)
        moved.append((world.pose - begin)[:2])
    assert np.abs(np.mean(moved, 0) - [size_m, 0]).max() < 0.015


def test_the_high_level_knows_the_order(policy: HierarchicalPolicy, toy_world: Any) -> None:
    """Task episodes begin with the red one."""
    right = 0
    for seed in range(40_000, 40_060):
        world = toy_world.new(seed)
        policy.forget()
        policy.remember(world.pictures(), world.pose, 0)
        right += policy.propose().texts[0] == "pick up the red block"
    assert right >= 36  # of 60; about 48, as where the hand is at the red one already, the box comes next


def test_the_folder_is_complete(trained: SimpleNamespace) -> None:
    names = {path.name for path in trained.out.iterdir()}
    assert {
        "model.json",
        "MODEL_CARD.md",
        "low_level.safetensors",
        "high_level.safetensors",
        "command_encoder.safetensors",
        "training",
    } == names
    card = (trained.out / "MODEL_CARD.md").read_text()
    assert "hitl train --dataset toy" in card and trained.description["data"]["fingerprint"] in card
    raw = json.loads((trained.out / "model.json").read_text())
    assert raw == trained.description and len(raw["bank"]) == 6
    assert not any(path.suffix in (".pt", ".pkl", ".ckpt") for path in trained.out.rglob("*"))


def test_progress_covers_every_phase(trained: SimpleNamespace) -> None:
    phases = list(dict.fromkeys(p.phase for p in trained.progress))
    assert phases == ["data", "low_level", "features", "high_level"]
    for name in phases:
        fractions = [p.fraction for p in trained.progress if p.phase == name]
        assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_a_second_call_trains_nothing(trained: SimpleNamespace, toy_data: Path) -> None:
    def refuse(commands: Any, seed: int) -> Any:
        raise AssertionError("the language was learned already")

    before = (trained.out / "training" / "low_level" / "log.jsonl").read_text()
    again = train(toy_data, trained.out, BUDGET, device="cpu", threads=1, language_trainer=refuse)
    assert again["id"] == trained.description["id"]
    assert again["training"]["language"] == {"words": "hashed"}
    assert (trained.out / "training" / "low_level" / "log.jsonl").read_text() == before


def test_damaged_words_are_learned_again(toy_data: Path, tmp_path: Path, word_hash: Any) -> None:
    tiny, learned = Budget(1, 1, low_level_batch=4, high_level_batch=4), []

    def learn(commands: Any, seed: int) -> Any:
        learned.append(seed)
        return word_hash, {}

    train(toy_data, tmp_path, tiny, device="cpu", threads=1, language_trainer=learn)
    (tmp_path / "training" / "language" / "words.safetensors").write_bytes(b"torn")
    train(toy_data, tmp_path, tiny, device="cpu", threads=1, language_trainer=learn)
    train(toy_data, tmp_path, tiny, device="cpu", threads=1, language_trainer=learn)
    assert learned == [0, 0]


def test_a_stopped_run_goes_on(toy_data: Path, tmp_path: Path, word_hash: Any) -> None:
    budget = Budget(low_level_steps=150, high_level_steps=50, low_level_batch=16, high_level_batch=16)

    def stop(progress: Progress) -> None:
        if progress.phase == "low_level" and progress.step >= 100:
            raise KeyboardInterrupt

    def call(report: Callable[[Progress], None] | None) -> dict[str, Any]:
        return train(
            toy_data,
            tmp_path,
            budget,
            device="cpu",
            threads=1,
            progress=report,
            language_trainer=lambda commands, seed: (word_hash, {}),
        )

    with pytest.raises(KeyboardInterrupt):
        call(stop)
    assert not (tmp_path / "model.json").exists()
    seen: list[Progress] = []
    call(seen.append)
    assert [p.step for p in seen if p.phase == "low_level"] == [150]
    assert (tmp_path / "model.json").exists()


def test_other_data_is_not_mixed_in(trained: SimpleNamespace, small_data: Path, word_hash: Any) -> None:
    with pytest.raises(CheckpointError, match="made with another data"):
        train(small_data, trained.out, BUDGET, device="cpu", threads=1, language_trainer=lambda c, s: (word_hash, {}))


def test_drills_alone_are_not_enough(toy_data: Path, tmp_path: Path, word_hash: Any) -> None:
    (tmp_path / "data" / "shards").mkdir(parents=True)
    (tmp_path / "data" / "meta.json").write_text((toy_data / "meta.json").read_text())
    for number in (1, 3, 5):
        name = f"{number:06d}.safetensors"
        (tmp_path / "data" / "shards" / name).write_bytes((toy_data / "shards" / name).read_bytes())
    tiny = Budget(low_level_steps=1, high_level_steps=1, low_level_batch=4)
    with pytest.raises(DatasetError, match="kind 'task'"):
        train(tmp_path / "data", tmp_path / "out", tiny, threads=1, language_trainer=lambda c, s: (word_hash, {}))


def test_an_unknown_device_is_named(toy_data: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="device: 'abacus' is not there"):
        train(toy_data, tmp_path, BUDGET, device="abacus")


def test_scores_reach_description_and_card(trained: SimpleNamespace, tmp_path: Path, policy: Any) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in trained.out.glob("*.*"):
        (copy / path.name).write_bytes(path.read_bytes())
    add_scores(copy, {"skills": {"pick": [0.9, 0.8, 0.95]}})
    assert HierarchicalPolicy.load(copy, device="cpu").description["scores"]["skills"]["pick"] == [0.9, 0.8, 0.95]


def test_a_sample_of_what_was_learned_is_made_for_learning_on(
    trained: SimpleNamespace, toy_data: Path, tmp_path: Path, word_hash: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_module, "restore_language", lambda tensors, path, bank: word_hash.with_bank(bank))
    out = tmp_path / base_moments.FILE
    made = base_moments.make(trained.out, toy_data, toy_data, out)
    sample, commands = base_moments.load(out)
    assert made["learned"] == int((~sample.held_out).sum()) > 0
    assert made["held_out"] == int(sample.held_out.sum()) > 0
    assert 0.5 < made["agreement"] <= 1 and commands == trained.description["bank"]
    chosen = {commands[number] for number in sample.command.tolist() if number >= 0}
    guiding = set(trained.description["guiding"])
    assert chosen | guiding == set(commands) and not chosen & guiding, "what the high level never learned to choose"
