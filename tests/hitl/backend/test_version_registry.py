"""What a registry holds after versions were learned: lineage, what the gate said, what is removed, who may write."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hitl.backend.lineage import FILE, GateRecord, Lineage, read_lineage
from hitl.backend.registry import HISTORY, KEPT, PACKAGED, ModelRegistry
from hitl.errors import CheckpointError, InputError, StorageError


def fill(folder: Path) -> None:
    (folder / "high_level.safetensors").write_bytes(b"weights")
    (folder / "model.json").write_text("{}")


def lineage(number: int = 0, *, passed: bool = True, base: str = PACKAGED, parent: str = PACKAGED) -> Lineage:
    return Lineage(
        parent=parent, base=base, part="high_level", made=f"2026-01-01T00:00:{number:06.3f}+00:00", seconds=0.5,
        strategy="replay", events=[f"e{number}"], sessions=["s"], new_commands=["wipe the table"],
        counts={"corrections": 1, "examples": 12, "held_out": 100, "taught": 10},
        gate=GateRecord(passed=passed, reasons=["It agrees."], scores={"base": 0.9, "low": {"loss": 2.5}, "by": [1]}),
    )  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path)


def test_a_version_is_described_by_its_lineage(registry: ModelRegistry) -> None:
    made = registry.write(fill, lineage(1))
    assert made.name == "v0001" and (made.folder / "high_level.safetensors").read_bytes() == b"weights"
    packaged, version = registry.describe()
    assert packaged.name == PACKAGED and packaged.part == "packaged" and packaged.passed
    assert (version.name, version.part, version.parent, version.corrections, version.examples) == (
        "v0001", "high_level", PACKAGED, 1, 12
    )  # fmt: skip
    assert version.scores == {"base": 0.9, "low.loss": 2.5} and version.counts["base"] == 100
    assert version.counts["corrections"] == 10
    assert version.new_commands == ["wipe the table"] and version.reasons == ["It agrees."] and version.passed
    assert read_lineage(made.folder) == lineage(1)


def test_what_the_low_level_writes_is_described_too(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "l0001"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / FILE).write_text(
        '{"format": "hitl-lineage-1", "parent": "packaged", "parent_id": "x", "part": "low_level", "made": "2026",'
        ' "seconds": 3, "steps": 5, "events": ["a"], "sessions": [], "counts": {"segments": 7, "frames": 90},'
        ' "gate": {"passed": true, "reasons": [], "scores": {"base_before": {"loss": 1}, "new_by_turn": [[1, 2]]}}}'
    )
    version = registry.describe()[1]
    assert (version.part, version.corrections, version.examples) == ("low_level", 1, 7)
    assert version.scores == {"base_before.loss": 1.0}
    assert registry.base_of("l0001").name == "l0001"


def test_a_version_that_did_not_pass_is_kept_and_promoted_only_by_force(registry: ModelRegistry) -> None:
    name = registry.write(fill, lineage(1, passed=False)).name
    with pytest.raises(InputError, match=r"v0001 did not pass the gate. It agrees.*--force"):
        registry.promote(name)
    assert registry.current().name == PACKAGED
    assert registry.promote(name, force=True).name == name and registry.current().name == name


def test_a_lineage_that_cannot_be_read_did_not_pass(registry: ModelRegistry) -> None:
    made = registry.write(fill, lineage(1))
    (made.folder / FILE).write_text("{")
    again = ModelRegistry(made.folder.parent.parent)
    assert not again.describe()[1].passed and "cannot be read" in again.describe()[1].reasons[0]
    with pytest.raises(InputError, match="cannot be read"):
        again.promote(made.name)


def test_names_are_never_used_again(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.write(fill, lineage(1))
    second = registry.write(fill, lineage(2))
    for path in sorted(second.folder.iterdir()):
        path.unlink()
    second.folder.rmdir()
    assert ModelRegistry(tmp_path).write(fill, lineage(3)).name == "v0003"


def test_the_newest_and_what_is_needed_are_kept(registry: ModelRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for number in range(KEPT + 4):
        registry.write(fill, lineage(number, base="v0001" if number == 3 else PACKAGED))
        if number == 1:
            registry.promote("v0002")
    names = [version.name for version in registry.versions()]
    assert names == [PACKAGED, "v0002", *(f"v{number:04d}" for number in range(5, KEPT + 5))] or names == [
        PACKAGED, "v0001", "v0002", *(f"v{number:04d}" for number in range(5, KEPT + 5))
    ]  # fmt: skip
    assert "removed v0003" in caplog.text and "removed v0002" not in caplog.text
    assert registry.current().name == "v0002"


def test_so_many_promotions_can_be_rolled_back(registry: ModelRegistry) -> None:
    for number in range(HISTORY + 3):
        registry.promote(registry.write(fill, lineage(number)).name)
    assert len(registry.history()) == HISTORY and registry.history()[-1] == f"v{HISTORY + 3:04d}"
    assert registry.roll_back().name == f"v{HISTORY + 2:04d}"


def test_a_full_disk_leaves_nothing_behind(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(registry.write(fill, lineage(1)).name)
    before = sorted(str(path) for path in (tmp_path / "models").rglob("*"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            registry.write(fill, lineage(2))
        with pytest.raises(StorageError, match="No space left"):
            registry.promote(PACKAGED)
    assert sorted(str(path) for path in (tmp_path / "models").rglob("*")) == before
    assert registry.current().name == "v0001"
    assert registry.write(fill, lineage(2)).name == "v0002"


def test_a_fill_that_fails_leaves_nothing_behind(registry: ModelRegistry) -> None:
    def half(folder: Path) -> None:
        fill(folder)
        raise CheckpointError("is damaged.", field="parent")

    with pytest.raises(CheckpointError, match="damaged"):
        registry.write(half, lineage(1))
    assert [version.name for version in registry.versions()] == [PACKAGED]


KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from hitl.backend.lineage import Lineage
    from hitl.backend.registry import ModelRegistry

    registry = ModelRegistry(Path(sys.argv[1]))
    lock = registry.writer()
    assert lock.take() == ""

    def fill(folder):
        (folder / "high_level.safetensors").write_bytes(b"half")
        (folder / "model.json").write_text("{}")
        os.kill(os.getpid(), signal.SIGKILL)

    registry.write(fill, Lineage(part="high_level"))
""")


def test_a_writer_that_is_killed_leaves_no_version_and_no_lock(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.promote(registry.write(fill, lineage(1)).name)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    half = [path for path in (tmp_path / "models" / ".partial").iterdir() if path.is_dir()]
    assert len(half) == 1 and [version.name for version in registry.versions()] == [PACKAGED, "v0001"]
    lock = registry.writer()
    assert lock.take() == ""
    registry.tidy()
    assert not half[0].exists() and registry.current().name == "v0001"
    assert registry.write(fill, lineage(2)).name == "v0002"
    lock.release()


def test_what_was_written_and_not_yet_promoted_is_promoted_later(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.write(fill, lineage(1))
    registry.tidy()
    assert registry.current().name == "v0001"
    registry.write(fill, lineage(2, passed=False))
    registry.tidy()
    assert registry.current().name == "v0001"
    second = registry.write(fill, lineage(3))
    os.utime(tmp_path / "models" / "current.json", ns=(0, 0))
    registry.tidy()
    assert registry.history() == [PACKAGED, "v0001", second.name]
    registry.roll_back()
    registry.tidy()
    assert registry.current().name == "v0001"


def test_the_second_writer_hears_who_writes(registry: ModelRegistry) -> None:
    first, second = registry.writer(), registry.writer()
    assert first.take() == "" and first.take() == ""
    assert second.take() == f"process {os.getpid()}"
    first.release()
    assert second.take() == ""
    second.release()
