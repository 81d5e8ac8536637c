"""The policy at run time: what it takes, what it answers, and what it says about wrong input. Untrained weights do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy import policy as policy_module
from policies.hierarchy.acting import Images, interpolate
from policies.hierarchy.checkpoint import read_model, write_model
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy, feature_size
from policies.hierarchy.low_level import PERCEPTION, LowLevelConfig, LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy

CAMERAS = {"overhead": (24, 32), "left_wrist": (16, 16)}
TEXTS = ["pick up the red block", "put it in the box", "go home"]
TARGET = np.linspace(0.0, 0.5, 12)


@pytest.fixture
def folder(tmp_path: Path, word_hash: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(policy_module, "restore_language", lambda tensors, path, bank: word_hash.with_bank(bank))
    torch.manual_seed(0)
    low_level = LowLevelPolicy(LowLevelConfig(CAMERAS, 2, hidden=32))
    high_level = HighLevelPolicy(HighLevelConfig(feature_size(low_level, 2), width=32))
    description = {
        "low_level": low_level.config.to_json(),
        "high_level": high_level.config.to_json(),
        "probes": TEXTS[:2],
        "bank": TEXTS,
    }
    parts = {
        "command_encoder": word_hash.tensors(),
        "low_level": low_level.state_dict(),
        "high_level": {**high_level.state_dict(), "bank": word_hash.codes(TEXTS)},
    }
    write_model(tmp_path / "model", parts, description)
    return tmp_path / "model"


@pytest.fixture
def policy(folder: Path) -> HierarchicalPolicy:
    return HierarchicalPolicy.load(folder, device="cpu")


def pictures(seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 256, (*size, 3)).astype(np.uint8) for name, size in CAMERAS.items()}


def test_a_chunk_goes_on_from_the_target_in_force(policy: HierarchicalPolicy) -> None:
    command = policy.start("go home", TARGET)
    output = policy.act(pictures(), TARGET, TARGET, command, 0.0)
    assert output.pose_chunk.shape == (40, 12) and np.isfinite(output.pose_chunk).all()
    assert 0.0 <= output.done <= 1.0
    first_knot = output.pose_chunk[4] - TARGET
    assert np.allclose(output.pose_chunk[0] - TARGET, first_knot / 5)


def test_interpolation_meets_every_knot() -> None:
    knots = np.random.default_rng(0).normal(size=(8, 12))
    chunk = interpolate(TARGET, knots, 5)
    assert np.allclose(chunk[4::5], knots)
    assert np.allclose(np.diff(chunk[:5], axis=0), (knots[0] - TARGET) / 5)


def test_words_of_the_bank_use_its_codes_and_other_words_are_encoded(
    policy: HierarchicalPolicy, word_hash: Any
) -> None:
    assert np.allclose(policy.start(TEXTS[1], TARGET).code, np.asarray(policy.bank.codes)[1])
    other = policy.start("jump", TARGET)
    assert np.allclose(other.code, word_hash.codes(["jump"])[0].numpy())
    assert np.allclose(other.start, TARGET)


def test_the_command_changes_the_path(policy: HierarchicalPolicy) -> None:
    paths = [policy.act(pictures(), TARGET, TARGET, policy.start(t, TARGET), 0.5).pose_chunk for t in TEXTS[:2]]
    assert not np.allclose(*paths)


def test_new_pictures_in_the_same_arrays_are_seen(policy: HierarchicalPolicy) -> None:
    command, images = policy.start("go home", TARGET), pictures(0)
    first = policy.act(images, TARGET, TARGET, command, 0.0).pose_chunk
    for name, fresh in pictures(1).items():
        images[name][...] = fresh
    second = policy.act(images, TARGET, TARGET, command, 0.0).pose_chunk
    assert not np.array_equal(first, second)
    assert np.array_equal(second, policy.act(pictures(1), TARGET, TARGET, command, 0.0).pose_chunk)


def test_missing_and_misshapen_pictures_are_named(policy: HierarchicalPolicy) -> None:
    command = policy.start("go home", TARGET)
    images = pictures()
    with pytest.raises(PolicyError, match="camera left_wrist: there is no picture; got"):
        policy.act({"overhead": images["overhead"]}, TARGET, TARGET, command, 0.0)
    with pytest.raises(PolicyError, match=r"camera overhead: the picture is uint8 \(20, 32, 3\)"):
        policy.act({**images, "overhead": images["overhead"][:20]}, TARGET, TARGET, command, 0.0)
    with pytest.raises(PolicyError, match="camera overhead: the picture is float64"):
        policy.act({**images, "overhead": images["overhead"].astype(float)}, TARGET, TARGET, command, 0.0)


@pytest.mark.parametrize("pose", [np.zeros(11), np.full(12, np.nan)])
def test_wrong_poses_are_named(policy: HierarchicalPolicy, pose: Any) -> None:
    with pytest.raises(PolicyError, match="pose_target: expected 12 finite numbers"):
        policy.start("go home", pose)
    with pytest.raises(PolicyError, match="^pose: expected 12 finite numbers"):
        policy.act(pictures(), pose, TARGET, policy.start("go home", TARGET), 0.0)


def test_proposals_are_sorted_probabilities_of_the_bank(policy: HierarchicalPolicy) -> None:
    policy.remember(pictures(), TARGET, 0)
    proposal = policy.propose()
    assert sorted(proposal.texts) == sorted(TEXTS)
    assert list(proposal.probabilities) == sorted(proposal.probabilities, reverse=True)
    assert sum(proposal.probabilities) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(proposal.vector) == pytest.approx(1, abs=1e-5)


def test_a_command_that_is_added_can_be_proposed(policy: HierarchicalPolicy) -> None:
    policy.remember(pictures(), TARGET, 0)
    vector = policy.propose().vector
    policy.bank.add("do exactly this", vector)
    assert policy.propose().texts[0] == "do exactly this"


def test_nothing_remembered_is_an_error_and_forget_empties(policy: HierarchicalPolicy) -> None:
    with pytest.raises(PolicyError, match="history: nothing has been remembered"):
        policy.propose()
    policy.remember(pictures(), TARGET, 0)
    policy.propose()
    policy.forget()
    with pytest.raises(PolicyError, match="history"):
        policy.propose()


def test_the_history_holds_moments_a_second_apart(policy: HierarchicalPolicy) -> None:
    alone = {}
    for tenth in range(60):
        policy.forget()
        policy.remember(pictures(tenth), TARGET, tenth * 10**8)
        alone[tenth] = policy.recall()[0]
    policy.forget()
    for tenth in range(60):
        policy.remember(pictures(tenth), TARGET, tenth * 10**8)
    rows = policy.recall()
    for row, wanted in zip(rows, (59, 49, 39, 29), strict=True):
        nearest = min(alone, key=lambda tenth: float(np.abs(alone[tenth] - row).max()))
        assert np.allclose(alone[nearest], row, atol=1e-4) and abs(nearest - wanted) <= 2
    assert np.allclose(rows[0], alone[59], atol=1e-4)


def test_a_short_history_is_repeated(policy: HierarchicalPolicy) -> None:
    policy.remember(pictures(3), TARGET, 5)
    rows = policy.recall()
    assert rows.shape[0] == 4 and all(np.array_equal(rows[0], row) for row in rows)


def change(folder: Path, **changes: Any) -> None:
    raw = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**raw, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bank": TEXTS[:2]}, r"high_level\.safetensors: its bank does not fit"),
        ({"probes": TEXTS}, r"model\.json: high_level\.features does not fit"),
        ({"low_level": {"kinds": 3}}, r"model\.json: a key is missing or wrong"),
        ({"high_level": {"size": 3}}, r"model\.json: a key is missing or wrong"),
    ],
)
def test_a_description_that_does_not_fit_is_named(folder: Path, changes: dict[str, Any], message: str) -> None:
    change(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        HierarchicalPolicy.load(folder, device="cpu")


def test_a_missing_part_is_named(folder: Path) -> None:
    raw = json.loads((folder / "model.json").read_text())
    del raw["files"]["command_encoder.safetensors"]
    (folder / "model.json").write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match=r"lists no command_encoder\.safetensors"):
        HierarchicalPolicy.load(folder, device="cpu")


def with_eyes(folder: Path, into: Path, change: float = 1.0) -> Path:
    """The model whose low level has changed, and whose high level sees as before."""
    model = read_model(folder)
    low = model.parts["low_level"]
    eyes = {name: tensor for name, tensor in low.items() if name.split(".")[0] in PERCEPTION}
    moved = {name: tensor + change if tensor.is_floating_point() else tensor for name, tensor in low.items()}
    write_model(into, {**model.parts, "low_level": moved, "eyes": eyes}, model.description)
    return into


def test_the_high_level_goes_on_seeing_where_the_low_level_has_learned(folder: Path, tmp_path: Path) -> None:
    first = HierarchicalPolicy.load(folder, device="cpu")
    learned = HierarchicalPolicy.load(with_eyes(folder, tmp_path / "learned"), device="cpu")
    assert first.eyes is first.low_level and learned.eyes is not learned.low_level
    for policy in (first, learned):
        policy.remember(pictures(), TARGET, 0)
    assert np.array_equal(first.recall(), learned.recall())
    chunks = [p.act(pictures(), TARGET, TARGET, p.start("go home", TARGET), 0.0).pose_chunk for p in (first, learned)]
    assert not np.allclose(*chunks), "but the low level acts otherwise"


def test_another_low_level_acts_at_once_and_the_high_level_sees_as_before(policy: HierarchicalPolicy) -> None:
    command = policy.start("go home", TARGET)
    policy.remember(pictures(), TARGET, 0)
    before, chunk = policy.recall(), policy.act(pictures(), TARGET, TARGET, command, 0.0).pose_chunk
    torch.manual_seed(5)
    policy.adopt_low_level(LowLevelPolicy(policy.low_level.config))
    assert not np.allclose(policy.act(pictures(), TARGET, TARGET, command, 0.0).pose_chunk, chunk)
    policy.forget()
    policy.remember(pictures(), TARGET, 0)
    assert np.array_equal(policy.recall(), before)
    with pytest.raises(PolicyError, match="low_level: it has other sizes"):
        policy.adopt_low_level(LowLevelPolicy(LowLevelConfig(CAMERAS, 2, hidden=16)))


def test_eyes_that_do_not_fit_are_named(folder: Path, tmp_path: Path) -> None:
    model = read_model(with_eyes(folder, tmp_path / "learned"))
    few = dict(list(model.parts["eyes"].items())[1:])
    write_model(tmp_path / "few", {**model.parts, "eyes": few}, model.description)
    with pytest.raises(CheckpointError, match=r"eyes.safetensors: holds other tensors than"):
        HierarchicalPolicy.load(tmp_path / "few", device="cpu")
