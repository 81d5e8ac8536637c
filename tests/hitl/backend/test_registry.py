from __future__ import annotations

from pathlib import Path

import pytest

from hitl.backend.registry import PACKAGED, ModelRegistry
from hitl.errors import CheckpointError, StorageError


def version(data: Path, name: str) -> None:
    folder = data / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")


def test_without_a_pointer_the_packaged_model_is_current(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path, packaged=tmp_path / "shipped")
    assert registry.current().name == PACKAGED and registry.current().folder == tmp_path / "shipped"
    assert registry.roll_back().name == PACKAGED


def test_promote_and_roll_back_move_one_pointer(tmp_path: Path) -> None:
    version(tmp_path, "v1")
    version(tmp_path, "v2")
    registry = ModelRegistry(tmp_path)
    for name in ("v1", "v2", "v2"):
        assert registry.promote(name).name == name
    assert ModelRegistry(tmp_path).current().name == "v2"
    assert [registry.roll_back().name for _ in range(3)] == ["v1", PACKAGED, PACKAGED]


def test_a_folder_without_a_model_is_no_version(tmp_path: Path) -> None:
    (tmp_path / "models" / "half").mkdir(parents=True)
    registry = ModelRegistry(tmp_path)
    assert [found.name for found in registry.versions()] == [PACKAGED]
    with pytest.raises(CheckpointError, match="half.*Known: packaged"):
        registry.promote("half")


def test_a_damaged_pointer_is_named_with_the_way_back(tmp_path: Path) -> None:
    version(tmp_path, "v1")
    registry = ModelRegistry(tmp_path)
    registry.promote("v1")
    pointer = tmp_path / "models" / "current.json"
    pointer.write_text('{"history": [')
    with pytest.raises(CheckpointError, match="Remove the file") as caught:
        registry.current()
    assert caught.value.field == str(pointer)


def test_a_version_that_was_removed_is_named(tmp_path: Path) -> None:
    version(tmp_path, "v1")
    registry = ModelRegistry(tmp_path)
    registry.promote("v1")
    (tmp_path / "models" / "v1" / "model.json").unlink()
    with pytest.raises(CheckpointError, match="v1"):
        registry.current()


def test_a_pointer_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(tmp_path, "v1")
    version(tmp_path, "v2")
    registry = ModelRegistry(tmp_path)
    registry.promote("v1")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        registry.promote("v2")
    assert registry.current().name == "v1"
