"""Model folders and training states: round trips, and what is said about damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from policies.errors import CheckpointError
from policies.hierarchy.checkpoint import (
    TrainingState,
    add_scores,
    load_training_state,
    read_model,
    restore,
    save_training_state,
    write_model,
)

PARTS = {"low_level": {"w": torch.arange(6.0).reshape(2, 3)}, "high_level": {"v": torch.ones(4)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", PARTS, {"summary": "a test", "data": {"frames": 3}, "command": "hitl train"})
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    model = read_model(folder)
    assert model.description["data"] == {"frames": 3}
    assert torch.equal(model.parts["low_level"]["w"], PARTS["low_level"]["w"])
    assert not list(folder.glob("*.partial"))


def test_the_id_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    first = read_model(folder).description["id"]
    same = write_model(tmp_path / "same", PARTS, {"summary": "other words"})
    other = write_model(tmp_path / "other", {**PARTS, "high_level": {"v": torch.zeros(4)}}, {})
    assert same["id"] == first != other["id"]


def test_scores_are_added_and_shown(folder: Path) -> None:
    add_scores(folder, {"skills": {"pick": 0.97}})
    add_scores(folder, {"packing": 0.9})
    assert read_model(folder).description["scores"] == {"skills": {"pick": 0.97}, "packing": 0.9}
    card = (folder / "MODEL_CARD.md").read_text()
    assert "0.97" in card and "hitl train" in card and "Not evaluated" not in card


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json: there is no such file"):
        read_model(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["low_level.safetensors", "high_level.safetensors"])
def test_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name}: is missing"):
        read_model(folder)


def test_truncated_part_is_named(folder: Path) -> None:
    path = folder / "low_level.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match=r"low_level\.safetensors: has .* truncated"):
        read_model(folder)


def test_changed_part_is_named(folder: Path) -> None:
    path = folder / "low_level.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(CheckpointError, match=r"low_level\.safetensors: does not match its digest"):
        read_model(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "something", "not the description of a hitl model"),
        ("format_version", 2, "format version 2, this hitl reads 1"),
        ("kind", "reward", "kind 'reward', expected 'hierarchy'"),
        ("files", {}, "lists no files"),
    ],
)
def test_foreign_description(folder: Path, key: str, value: object, message: str) -> None:
    raw = json.loads((folder / "model.json").read_text())
    raw[key] = value
    (folder / "model.json").write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match=message):
        read_model(folder)


def test_truncated_description(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(CheckpointError, match=r"model\.json: is truncated"):
        read_model(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "tensor bias is missing"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "more": torch.zeros(1)}, "tensor more is foreign"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, r"weight has shape \(3, 2\), expected \(2, 3\)"),
    ],
)
def test_tensors_that_do_not_fit(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        restore(torch.nn.Linear(3, 2), tensors, Path("part.safetensors"))


def trained_once() -> tuple[torch.nn.Linear, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), 0.1, fused=True)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_training_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    model, optimizer = trained_once()
    save_training_state(tmp_path, model, optimizer, TrainingState(1, 2.5, {"seed": 0}))
    again = torch.nn.Linear(3, 2)
    optimizer_again = torch.optim.AdamW(again.parameters(), 0.1, fused=True)
    state = load_training_state(tmp_path, again, optimizer_again, {"seed": 0})
    assert state == TrainingState(1, 2.5, {"seed": 0})
    for one, steps in ((model, optimizer), (again, optimizer_again)):
        steps.zero_grad()
        (one(torch.tensor([[1.0, -2.0, 3.0]])) ** 2).sum().backward()
        steps.step()
    assert torch.equal(model.weight, again.weight) and torch.equal(model.bias, again.bias)


def test_only_the_newest_state_is_kept(tmp_path: Path) -> None:
    model, optimizer = trained_once()
    for step in (1, 2, 3):
        save_training_state(tmp_path, model, optimizer, TrainingState(step, 0.0, {}))
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["state-3.safetensors"]


def test_a_run_with_other_settings_is_not_resumed(tmp_path: Path) -> None:
    model, optimizer = trained_once()
    save_training_state(tmp_path, model, optimizer, TrainingState(1, 0.0, {"data": "a", "seed": 0}))
    with pytest.raises(CheckpointError, match="made with another data"):
        load_training_state(tmp_path, model, optimizer, {"data": "b", "seed": 0})


def test_damaged_state(tmp_path: Path) -> None:
    model, optimizer = trained_once()
    save_training_state(tmp_path, model, optimizer, TrainingState(1, 0.0, {}))
    save_file({"model.weight": torch.zeros(2, 3)}, tmp_path / "state-1.safetensors")
    with pytest.raises(CheckpointError, match="tensor bias is missing"):
        load_training_state(tmp_path, model, optimizer, {})
    (tmp_path / "state-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"state\.json: is damaged"):
        load_training_state(tmp_path, model, optimizer, {})
