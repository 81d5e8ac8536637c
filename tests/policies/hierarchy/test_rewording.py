"""New words for a trained policy: the codes of its commands stay, and words nobody had trained on lead to them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from policies.encoders import TextEncoder
from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.checkpoint import add_scores, read_model, write_model
from policies.hierarchy.command_encoder import CommandEncoder
from policies.hierarchy.dataset import CommandWords
from policies.hierarchy.rewording import reword

WAYS = ("left", "right", "up", "down")
SAID = ("move {}", "go {}", "please {}", "a bit {}", "{} please", "shift it {}", "to the {}")


def commands(*more: str) -> list[CommandWords]:
    return [
        CommandWords(
            f"go {way}", "motion", tuple(said.format(way) for said in (*SAID, *more)), (f"let it run {way} a little",)
        )
        for way in WAYS
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights: what is learned are words, and all else must stay as it is."""
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("model")
    parts = {
        "command_encoder": CommandEncoder().state_dict(),
        "low_level": {"w": torch.randn(3)},
        "high_level": {"bank": F.normalize(torch.randn(len(WAYS), 64), dim=1)},
    }
    bank = [f"go {way}" for way in reversed(WAYS)]
    write_model(
        folder, parts, {"bank": bank, "command": "hitl train", "training": {"seed": 0, "language": {"old": 1}}}
    )
    add_scores(folder, {"packing": 0.5})
    return folder


@pytest.fixture(scope="module")
def reworded(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("out") / "model"
    shares: list[float] = []
    reword(model, out, commands(), seed=1, command="hitl train-words --out model", progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
    return out


def test_words_nobody_trained_on_lead_to_the_codes_that_the_policy_knows(model: Path, reworded: Path) -> None:
    folder = read_model(reworded)
    encoder = CommandEncoder.from_tensors(folder.parts["command_encoder"])
    bank = read_model(model).parts["high_level"]["bank"]
    codes = encoder.encode([f"let it run {way} a little" for way in reversed(WAYS)], TextEncoder()).codes
    assert ((codes @ bank.T).argmax(1) == torch.arange(len(WAYS))).all()
    own = encoder.encode(folder.description["bank"], TextEncoder()).codes
    assert ((own * bank).sum(1) > 0.9).all()


def test_all_else_stays(model: Path, reworded: Path) -> None:
    before, after = read_model(model), read_model(reworded)
    for part in ("low_level", "high_level"):
        assert all(torch.equal(tensor, after.parts[part][name]) for name, tensor in before.parts[part].items())
    assert after.description["command"] == "hitl train\nhitl train-words --out model"
    assert after.description["scores"] == {"packing": 0.5}
    assert after.description["training"]["language"]["held_out_top1"] == 1.0
    assert after.description["id"] != before.description["id"]


def test_other_commands_than_the_models_are_refused_by_name(model: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="go left") as refused:
        reword(model, tmp_path / "out", commands()[1:])
    assert refused.value.field == "commands" and not (tmp_path / "out").exists()


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        reword(tmp_path / "nothing", tmp_path / "out", commands())
