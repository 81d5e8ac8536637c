from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hitl.backend.models import load_model, load_version, model_folder
from hitl.backend.registry import ModelRegistry, packaged_model
from hitl.config import Settings
from hitl.errors import CheckpointError
from hitl.messages import Reading


def test_the_folder_given_wins_over_the_promoted_version_over_the_packaged_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = Settings(data=str(data))
    assert model_folder(settings) == ("packaged", packaged_model())
    version = data / "models" / "v1"
    version.mkdir(parents=True)
    (version / "model.json").write_text("{}")
    ModelRegistry(data).promote("v1")
    assert model_folder(settings) == ("v1", version)
    assert model_folder(Settings(data=str(data), model=str(tmp_path / "mine"))) == ("mine", tmp_path / "mine")


def test_a_folder_without_a_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_model(Settings(model=str(tmp_path / "none")))
    assert str(tmp_path / "none") in str(caught.value)


@pytest.mark.parametrize("name", ["low_level.safetensors", "high_level.safetensors", "command_encoder.safetensors"])
def test_a_truncated_file_of_the_packaged_model_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(packaged_model(), folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load_model(Settings(model=str(folder)))


def test_the_packaged_model_grounds_acts_and_proposes(tmp_path: Path) -> None:
    import numpy as np

    model = load_model(Settings(data=str(tmp_path), device="cpu"))
    assert len(model.commands) >= 60 and model.name == "packaged" and model.device == "cpu"
    grounded = model.ground(model.commands[0])
    assert (grounded.kind, grounded.command) == ("exact", model.commands[0])
    assert model.decide is not None
    decided = model.decide("uh", 0.9, [Reading(text=model.commands[1], probability=0.9)], spoken=True)
    assert (decided.grounded.command, decided.certainty) == (model.commands[1], "high")
    pose = np.array([-0.2, 0.5, 0.2, -1.0, 0.0, 0.5, 0.2, 0.5, 0.2, -1.0, 0.0, 0.5])
    images = {name: np.zeros((*size, 3), np.uint8) for name, size in model.policy.cameras.items()}  # type: ignore
    output = model.policy.act(images, pose, pose, model.policy.start(model.commands[0], pose), 0.0)
    assert output.pose_chunk.shape[1] == 12 and np.isfinite(output.pose_chunk).all() and 0 <= output.done <= 1
    model.policy.remember(images, pose, 0)
    proposal = model.policy.propose()
    assert set(proposal.texts) == set(model.commands) and sum(proposal.probabilities) == pytest.approx(1.0, abs=1e-3)


def test_another_high_level_is_taken_by_the_policy_that_acts(tmp_path: Path) -> None:
    import numpy as np
    import torch

    from policies.hierarchy.checkpoint import read_part, write_changed
    from policies.hierarchy.policy import HierarchicalPolicy

    model = load_model(Settings(data=str(tmp_path), device="cpu"))
    policy = model.policy
    assert isinstance(policy, HierarchicalPolicy)
    weights = dict(read_part(packaged_model(), "high_level"))
    weights["answer.3.bias"] = weights["answer.3.bias"] + 1.0
    kept, code = list(model.commands[:-1]), torch.nn.functional.normalize(torch.ones(1, 64))
    weights["bank"] = torch.cat((weights["bank"][:-1], code))
    folder = tmp_path / "v0001"
    folder.mkdir()
    changed = write_changed(folder, packaged_model(), {"high_level": weights}, {"bank": [*kept, "wipe the table"]})
    assert changed["scores"] == {} and HierarchicalPolicy.load(folder, device="cpu").bank.texts[-1] == "wipe the table"

    swap = load_version("v0001", folder, model)
    assert swap.adopt is not None and swap.model.policy is policy and swap.model.name == "v0001"
    assert list(swap.model.commands) == [*kept, "wipe the table"] and "wipe the table" not in policy.bank
    swap.adopt()
    assert model.ground("Wipe the table!").kind == "exact" and model.commands[-1] not in policy.bank.texts
    bias = policy.high_level.state_dict()["answer.3.bias"]
    assert torch.equal(bias, weights["answer.3.bias"]) and not policy.high_level.training
    back = load_version("packaged", packaged_model(), swap.model)
    assert back.adopt is not None
    back.adopt()
    assert set(policy.bank.texts) == set(model.commands)
    assert np.allclose(policy.bank.code(model.commands[-1]), read_part(packaged_model(), "high_level")["bank"][-1])


def test_another_low_level_is_loaded_whole(tmp_path: Path) -> None:
    from policies.hierarchy.checkpoint import read_part, write_changed

    model = load_model(Settings(data=str(tmp_path), device="cpu"))
    weights = read_part(packaged_model(), "low_level")
    name = next(iter(weights))
    folder = tmp_path / "l0001"
    folder.mkdir()
    write_changed(folder, packaged_model(), {"low_level": {**weights, name: weights[name] + 1.0}}, {})
    swap = load_version("l0001", folder, model)
    assert swap.adopt is None and swap.model.policy is not model.policy and swap.model.features != model.features


def test_features_are_those_of_before_where_the_high_level_sees_as_before(tmp_path: Path) -> None:
    from policies.hierarchy.checkpoint import read_part, write_changed
    from policies.hierarchy.low_level import PERCEPTION

    model = load_model(Settings(data=str(tmp_path), device="cpu"))
    first = read_part(packaged_model(), "low_level")
    eyes = {name: weight for name, weight in first.items() if name.split(".")[0] in PERCEPTION}
    learned = {name: weight + 0.01 for name, weight in first.items()}
    found = {}
    for name, parts in {"l0001": {"low_level": learned}, "l0002": {"low_level": learned, "eyes": eyes}}.items():
        (tmp_path / name).mkdir()
        write_changed(tmp_path / name, packaged_model(), parts, {})
        found[name] = load_version(name, tmp_path / name, model).model.features
    assert found["l0002"] == model.features and found["l0001"] != model.features


def test_a_version_with_a_damaged_high_level_is_named(tmp_path: Path) -> None:
    model = load_model(Settings(data=str(tmp_path), device="cpu"))
    folder = tmp_path / "v0001"
    shutil.copytree(packaged_model(), folder)
    (folder / "high_level.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="high_level"):
        load_version("v0001", folder, model)
