"""A new model version on disk, whole or not at all: written beside, made durable, and then named.

    <data>/models/.partial/…     being written; what a crash leaves there is no version, and goes after a day
    <data>/models/.last-<letter>   the highest number that was ever given
    <data>/models/.naming        locked while a name is given
    <data>/models/<name>/        a version

Knows nothing of what is inside.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hitl.backend.writer_lock import exclusively
from hitl.errors import StorageError

PARTIAL = ".partial"
_DAY_S = 86_400.0


def write_version(models: Path, letter: str, fill: Callable[[Path], object], writer: str = "") -> str:
    """Let `fill` write into an empty folder, and make that the next version of `letter` under `models`: "l0001", …
    Returns its name, which no version had before. Where anything fails, nothing of it stays. writer: who it is, for
    `remove_unfinished`. Raises StorageError, and what `fill` raises."""
    try:
        (models / PARTIAL).mkdir(parents=True, exist_ok=True)
        _tidy(models / PARTIAL)
        folder = Path(tempfile.mkdtemp(dir=models / PARTIAL, prefix=writer))
    except OSError as error:
        raise _storage_error(models, error) from error
    try:
        fill(folder)
        make_durable(folder)
        with exclusively(models / ".naming"):
            return _named(folder, models, letter)
    except OSError as error:
        raise _storage_error(models, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # it is elsewhere where all went well


def remove_unfinished(models: Path, writer: str) -> list[str]:
    """Remove what this writer left when it was killed; only where no other process writes under this name. Returns
    what was removed."""
    left = sorted((models / PARTIAL).glob(f"{writer}*"))
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in left]


def make_durable(folder: Path) -> None:
    """All files in a folder, and their names, are on the disk when this returns."""
    folder.chmod(0o755)  # a temporary folder is its maker's alone
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _named(folder: Path, models: Path, letter: str) -> str:
    """Give the folder the next free name; nobody else gives one meanwhile."""
    pattern = re.compile(re.escape(letter) + r"(\d{4,})")
    taken = [int(found[1]) for path in models.iterdir() if (found := pattern.fullmatch(path.name))]
    number = max([*taken, _last(models, letter)]) + 1
    name = f"{letter}{number:04d}"
    folder.rename(models / name)  # fails where there is a folder with something in it
    with suppress(OSError):  # it matters only where somebody removes the newest version by hand
        (models / f".last-{letter}").write_text(str(number))
    handle = os.open(models, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return name


def _last(models: Path, letter: str) -> int:
    """The highest number that was ever given; 0 where nobody knows."""
    try:
        return int((models / f".last-{letter}").read_text())
    except (OSError, ValueError):
        return 0


def _tidy(partial: Path) -> None:
    for old in partial.iterdir():
        with suppress(FileNotFoundError):  # another writer has just finished it
            if old.is_dir() and time.time() - old.stat().st_mtime > _DAY_S:
                shutil.rmtree(old, ignore_errors=True)


def _storage_error(path: Path, error: OSError) -> StorageError:
    why = f"no new version could be written ({error.strerror})."
    return StorageError(why, field=str(error.filename or path), hint="Free some space; all versions are as they were.")
