"""A high level alone, over a low level that stays: both outputs, from the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy import base_moments
from policies.hierarchy import policy as policy_module
from policies.hierarchy.checkpoint import read_model, write_model
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy, feature_size
from policies.hierarchy.loop import Progress
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy
from policies.hierarchy.train_high_level import Plan, train_high_level

TEXTS = ["go home", "put it in the box", "pick up the blue ball", "pick up the red block", "never in the data"]
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def model(tmp_path: Path, word_hash: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Untrained weights, and a bank in another order than the data's. A low level sees something all the same."""
    monkeypatch.setattr(policy_module, "restore_language", lambda tensors, path, bank: word_hash.with_bank(bank))
    torch.manual_seed(1)
    low_level = LowLevelPolicy(LowLevelConfig({"overhead": (32, 32), "left_wrist": (16, 16)}, 2))
    high_level = HighLevelPolicy(HighLevelConfig(feature_size(low_level, 2)))
    description = {
        "command": "hitl train",
        "low_level": low_level.config.to_json(),
        "high_level": high_level.config.to_json(),
        "training": {"seed": 7},
        "probes": TEXTS[2:4],
        "bank": TEXTS,
    }
    parts = {
        "command_encoder": word_hash.tensors(),
        "low_level": low_level.state_dict(),
        "high_level": {**high_level.state_dict(), "bank": word_hash.codes(TEXTS)},
    }
    write_model(tmp_path / "model", parts, description)
    (tmp_path / "model" / base_moments.FILE).write_bytes(b"a sample")
    return tmp_path / "model"


@pytest.mark.parametrize("output", ["codes", "one-hot"])
def test_it_learns_and_the_rest_stays_as_it_is(toy_data: Path, model: Path, tmp_path: Path, output: str) -> None:
    out, seen = tmp_path / output, list[Progress]()
    made = train_high_level(
        toy_data, model, out, Plan(output, 200, batch=64), device="cpu", threads=1, progress=seen.append
    )
    before, after = read_model(model), read_model(out)
    for part in ("low_level", "command_encoder"):
        assert all(torch.equal(weight, after.parts[part][name]) for name, weight in before.parts[part].items())
    assert torch.equal(before.parts["high_level"]["bank"], after.parts["high_level"]["bank"])
    assert (out / base_moments.FILE).read_bytes() == b"a sample"
    assert made["high_level"]["output"] == output and made["bank"] == TEXTS and made["training"]["seed"] == 7
    assert made["command"] == "hitl train\nhitl train high-level"
    assert made["training"]["high_level"]["held_out"]["held_out_accuracy"] > 0.6  # the commonest command: 0.5
    assert {now.phase for now in seen} == {"data", "features", "high_level"}
    policy = HierarchicalPolicy.load(out, device="cpu")
    assert policy.high_level.config.is_open == (output == "codes")
    again = train_high_level(toy_data, model, out, Plan(output, 200, batch=64), device="cpu", threads=1)
    assert again["id"] == made["id"], "what is finished is not trained on"


def test_what_cannot_be_done_is_said(toy_data: Path, model: Path, tmp_path: Path) -> None:
    plan = Plan("codes", 1, batch=8)
    with pytest.raises(PolicyError, match="there is no output 'words'"):
        train_high_level(toy_data, model, tmp_path / "out", Plan("words"), device="cpu")
    with pytest.raises(CheckpointError, match="is the model itself"):
        train_high_level(toy_data, model, model, plan, device="cpu")
    train_high_level(toy_data, model, tmp_path / "out", plan, device="cpu", threads=1)
    with pytest.raises(CheckpointError, match=r"state\.json: was made with another config"):
        train_high_level(toy_data, model, tmp_path / "out", Plan("one-hot", 1, batch=8), device="cpu", threads=1)
