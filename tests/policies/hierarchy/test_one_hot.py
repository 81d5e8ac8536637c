"""A high level that answers one-hot: logits, model folders, and that no wording joins or leaves its commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy import policy as policy_module
from policies.hierarchy.checkpoint import write_model
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy, feature_size, high_level_loss
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy

CAMERAS = {"overhead": (24, 32), "left_wrist": (16, 16)}
TEXTS = ["pick up the red block", "put it in the box", "go home"]
TARGET = np.linspace(0.0, 0.5, 12)


def one_hot(features: int, commands: int = len(TEXTS)) -> HighLevelPolicy:
    torch.manual_seed(0)
    return HighLevelPolicy(HighLevelConfig(features, width=32, output="one-hot", commands=commands))


@pytest.fixture
def write(tmp_path: Path, word_hash: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a model folder with untrained weights; `commands` of the high level may be too many for the bank."""
    monkeypatch.setattr(policy_module, "restore_language", lambda tensors, path, bank: word_hash.with_bank(bank))

    def written(commands: int = len(TEXTS)) -> Path:
        low_level = LowLevelPolicy(LowLevelConfig(CAMERAS, 2, hidden=32))
        high_level = one_hot(feature_size(low_level, 2), commands)
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

    return written


def remembered(policy: HierarchicalPolicy) -> HierarchicalPolicy:
    rng = np.random.default_rng(0)
    policy.remember({n: rng.integers(0, 256, (*s, 3)).astype(np.uint8) for n, s in CAMERAS.items()}, TARGET, 0)
    return policy


def test_what_it_answers_are_the_logits_whatever_the_codes() -> None:
    model, history = one_hot(12).eval(), torch.randn(5, 4, 12)
    answer = model(history)
    assert answer.shape == (5, 3)
    for seed in (1, 2):
        codes = functional.normalize(torch.randn(3, 64, generator=torch.Generator().manual_seed(seed)), dim=1)
        assert torch.equal(model.logits(answer, codes), answer)
    wanted = torch.tensor([0, 1, 2, 0, 1])
    loss = high_level_loss(model, history, wanted, codes)
    assert torch.allclose(loss, functional.cross_entropy(answer, wanted, reduction="none"))


def test_it_can_learn_any_assignment_of_its_commands() -> None:
    model = one_hot(12)
    places = torch.randn(3, 1, 12).expand(3, 4, 12) * 2
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(80):
        loss = high_level_loss(model, places, torch.tensor([2, 0, 1]), torch.zeros(3, 64)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.eval()(places).argmax(1).tolist() == [2, 0, 1]


def test_a_bank_of_another_size_is_refused() -> None:
    model = one_hot(12)
    with pytest.raises(PolicyError, match=r"high level: it knows 3 commands, the bank has 4\..*output \"codes\""):
        model.logits(model(torch.randn(2, 4, 12)), torch.randn(4, 64))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"output": "two-hot"}, "high_level.output: there is no output 'two-hot'. Use codes or one-hot"),
        ({"output": "one-hot"}, "high_level.commands: 0 does not fit the output 'one-hot'"),
        ({"commands": 3}, "high_level.commands: 3 does not fit the output 'codes'"),
    ],
)
def test_outputs_that_there_are_not_are_named(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(PolicyError, match=what):
        HighLevelConfig(12, **fields)


def test_a_folder_is_read_as_it_was_written(write: Callable[..., Path]) -> None:
    folder = write()
    policy = HierarchicalPolicy.load(folder, device="cpu")
    assert policy.high_level.config == HighLevelConfig(
        policy.high_level.config.features, width=32, output="one-hot", commands=3
    )
    again = remembered(HierarchicalPolicy.load(folder, device="cpu")).propose()
    proposal = remembered(policy).propose()
    assert proposal.texts == again.texts and sorted(proposal.texts) == sorted(TEXTS)
    assert sum(proposal.probabilities) == pytest.approx(1, abs=1e-5) and proposal.vector.shape == (3,)
    assert TEXTS[int(proposal.vector.argmax())] == proposal.texts[0]


def test_a_model_of_before_answers_with_codes() -> None:
    config = HighLevelConfig(**{"features": 12, "code": 64, "width": 32, "layers": 2, "heads": 4, "dropout": 0.1})
    assert config.is_open and HighLevelPolicy(config)(torch.randn(2, 4, 12)).shape == (2, 64)


def test_a_folder_whose_commands_do_not_fit_is_named(write: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json: high_level\.commands does not fit the bank"):
        HierarchicalPolicy.load(write(commands=4), device="cpu")
    path = write() / "model.json"
    description = json.loads(path.read_text())
    description["high_level"]["output"] = "two-hot"
    path.write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=r"model\.json: a key is missing or wrong .*two-hot"):
        HierarchicalPolicy.load(path.parent, device="cpu")


def test_adopted_weights_act_and_new_wording_is_refused(write: Callable[..., Path]) -> None:
    policy = remembered(HierarchicalPolicy.load(write(), device="cpu"))
    other = one_hot(policy.high_level.config.features)
    with torch.no_grad():
        other.answer[-1].bias[1] += 100.0
    code = policy.bank.code("go home")
    with pytest.raises(PolicyError, match="high level: 'dance' cannot join its commands"):
        policy.adopt(other, {"dance": code})
    with pytest.raises(PolicyError, match="high level: 'go home' cannot leave its commands"):
        policy.adopt(other, {}, ["go home"])
    assert policy.bank.texts == tuple(TEXTS) and policy.high_level is not other
    policy.adopt(other, {"go home": code}, ["never heard of"])
    assert policy.propose().texts[0] == "put it in the box"
