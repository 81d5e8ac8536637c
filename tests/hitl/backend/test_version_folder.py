"""A new version is there whole or not at all."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hitl.backend.registry import MODEL_FILE, ModelRegistry
from hitl.backend.version_folder import PARTIAL, write_version
from hitl.errors import StorageError


def fill(folder: Path) -> None:
    (folder / MODEL_FILE).write_text("{}")
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(b"w" * 1000)


def test_versions_are_numbered_by_letter_and_known_to_the_registry(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert [write_version(models, letter, fill) for letter in "llhl"] == ["l0001", "l0002", "h0001", "l0003"]
    (models / "l0041").mkdir()
    (models / "l0041" / MODEL_FILE).write_text("{}")
    (models / "lamp").mkdir()
    assert write_version(models, "l", fill) == "l0042"
    assert (models / "l0042" / "inner" / "weights").read_bytes() == b"w" * 1000
    names = [version.name for version in ModelRegistry(tmp_path).versions()]
    assert names == ["packaged", "h0001", "l0001", "l0002", "l0003", "l0041", "l0042"]
    assert not list((models / PARTIAL).iterdir())


def test_nothing_stays_of_one_that_failed(tmp_path: Path) -> None:
    models = tmp_path / "models"

    def broken(folder: Path) -> None:
        fill(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_version(models, "l", broken)

    def full(folder: Path) -> None:
        fill(folder)
        raise OSError(28, "No space left on device", str(folder / "weights"))

    with pytest.raises(StorageError, match="No space left.*all versions are as they were"):
        write_version(models, "l", full)
    assert [path.name for path in models.iterdir()] == [PARTIAL] and not list((models / PARTIAL).iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="no new version could be written"):
        write_version(tmp_path / "file", "l", fill)


def test_while_it_is_written_it_is_no_version(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def watched(folder: Path) -> None:
        fill(folder)
        seen.append([version.name for version in ModelRegistry(tmp_path).versions()])

    write_version(tmp_path / "models", "l", watched)
    assert seen == [["packaged"]]


def test_many_at_once_get_names_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: write_version(tmp_path / "models", "l", fill), range(24)))
    assert sorted(names) == [f"l{number:04d}" for number in range(1, 25)]
    assert (tmp_path / "models" / ".last-l").read_text() == "24", "nobody writes over what another wrote"


def test_what_a_crash_left_goes_after_a_day(tmp_path: Path) -> None:
    partial = tmp_path / "models" / PARTIAL
    (partial / "old").mkdir(parents=True)
    (partial / "new").mkdir()
    day_before = time.time() - 90_000
    os.utime(partial / "old", (day_before, day_before))
    write_version(tmp_path / "models", "l", fill)
    assert [path.name for path in partial.iterdir()] == ["new"]
