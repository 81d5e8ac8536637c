from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hitl.backend.models import load_model, model_folder
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
