"""Versions of a model: folders beside a pointer file, so that promoting and rolling back is one atomic rename.

    <data>/models/<version>/...      a model folder; what is inside, policies.hierarchy.checkpoint knows; lineage.json
                                     says where it came from
    <data>/models/current.json       {"history": ["<version>", ...]}, the last one is promoted

Without a pointer the packaged version is current; it is always there to roll back to, under the name "packaged".
Versions that the gate did not let pass are kept, too. Of those of the high level, which come with every few
corrections, the newest are kept, and those that others still need.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitl import model_messages
from hitl.backend.lineage import Lineage, described, read_lineage, write_lineage
from hitl.backend.version_folder import PARTIAL, remove_unfinished, write_version
from hitl.backend.writer_lock import WriterLock, exclusively
from hitl.errors import CheckpointError, InputError, StorageError

log = logging.getLogger("hitl.models")

PACKAGED = "packaged"
MODEL_FILE = "model.json"
LETTER = "v"
"""Versions that were learned from corrections are named v0001, v0002, …"""
KEPT = 50
"""So many of them are kept, the newest."""
HISTORY = 20
"""So many promotions can be rolled back."""
_POINTER = "current.json"
_WRITER = "learner-"


class _Pointer(msgspec.Struct, forbid_unknown_fields=True):
    history: list[str]


@dataclass(frozen=True)
class ModelVersion:
    """One version: its name and its folder."""

    name: str
    folder: Path


def packaged_model() -> Path:
    """Folder of the model that ships with hitl."""
    return Path(__file__).resolve().parents[2] / "assets" / "models" / "aloha-packing"


class ModelRegistry:
    """The versions in one data folder. Several processes may read and promote, while one writes."""

    def __init__(self, data_folder: Path, packaged: Path | None = None) -> None:
        self._folder = data_folder / "models"
        self._packaged = ModelVersion(PACKAGED, packaged or packaged_model())
        self._lineages: dict[str, Lineage] = {}

    # -- what there is --------------------------------------------------------------------------------------------

    def versions(self) -> list[ModelVersion]:
        """All versions, the packaged one first, then by name."""
        found = [ModelVersion(path.parent.name, path.parent) for path in sorted(self._folder.glob(f"*/{MODEL_FILE}"))]
        return [self._packaged, *found]

    def current(self) -> ModelVersion:
        """The promoted version. CheckpointError where the pointer is damaged or names a version that is gone."""
        return self.version(self.history()[-1])

    def version(self, name: str) -> ModelVersion:
        """The version of this name; CheckpointError for an unknown one."""
        for version in self.versions():
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions())
        raise CheckpointError(f"no model version {name!r}.", field=str(self._folder), hint=f"Known: {known}.")

    def lineage(self, name: str) -> Lineage:
        """Where it came from; CheckpointError for an unknown name."""
        version = self.version(name)
        if name == PACKAGED:
            return Lineage(part="packaged")
        if name not in self._lineages:
            self._lineages[name] = read_lineage(version.folder)
        return self._lineages[name]

    def base_of(self, name: str) -> ModelVersion:
        """The version whose high level `name` was learned on from; itself where it is no version of the high level."""
        return self.version(self.lineage(name).base or name)

    def describe(self) -> list[model_messages.ModelVersion]:
        """All versions as windows see them, oldest first, the packaged one before all."""
        packaged, *made = [described(version.name, self.lineage(version.name)) for version in self.versions()]
        return [packaged, *sorted(made, key=lambda version: (version.made, version.name))]

    def history(self) -> list[str]:
        """Names that were promoted, the last one is current. CheckpointError where the pointer is damaged."""
        path = self._folder / _POINTER
        try:
            history = msgspec.json.decode(path.read_bytes(), type=_Pointer).history
        except FileNotFoundError:
            return [PACKAGED]
        except (OSError, msgspec.MsgspecError) as error:
            hint = "Remove the file to go back to the packaged model."
            raise CheckpointError(f"not a readable pointer ({error}).", field=str(path), hint=hint) from None
        return history or [PACKAGED]

    # -- what acts ------------------------------------------------------------------------------------------------

    def promote(self, name: str, *, force: bool = False) -> ModelVersion:
        """Make `name` current, atomically. CheckpointError for an unknown name, InputError for one that did not pass
        the gate unless `force`, StorageError on a full disk."""
        gate = self.lineage(name).gate
        if not gate.passed and not force:
            why = f"{name} did not pass the gate. {' '.join(gate.reasons)}"
            raise InputError(why.strip(), field="version", hint=f"To act with it all the same: --force, {name}.")
        with self._pointing():
            history = self.history()
            if history[-1] != name:
                self._point([*history, name])
        return self.version(name)

    def roll_back(self) -> ModelVersion:
        """Make the version before the current one current again; the first one stays."""
        with self._pointing():
            history = self.history()
            if len(history) > 1:
                history.pop()
                self._point(history)
        return self.version(history[-1])

    # -- new ones -------------------------------------------------------------------------------------------------

    def writer(self) -> WriterLock:
        """The lock that whoever calls `write` must hold."""
        return WriterLock(self._folder / "learner.lock")

    def tidy(self) -> None:
        """Remove what a learner that was killed left half written, and promote what passed and it could not promote
        any more; only for who holds the lock. Raises CheckpointError and StorageError as `promote`."""
        for left in remove_unfinished(self._folder, _WRITER):
            log.warning("removed %s, which a learner left half written", left)
        written = [version for version in self.versions() if self.lineage(version.name).part == "high_level"]
        if not written or not self.lineage(written[-1].name).gate.passed:
            return
        pointer = self._folder / _POINTER  # whoever promoted or rolled back since has moved it
        if not pointer.exists() or pointer.stat().st_mtime_ns < written[-1].folder.stat().st_mtime_ns:
            self.promote(written[-1].name)
            log.warning("promoted %s, which a learner had written when it died", written[-1].name)

    def write(self, fill: Callable[[Path], object], lineage: Lineage) -> ModelVersion:
        """Make the next version: `fill` writes the model into an empty folder. It is there whole or not at all, and
        not promoted. Versions that are too old are removed. Raises StorageError, and what `fill` raises."""

        def filled(folder: Path) -> None:
            fill(folder)
            write_lineage(folder, lineage)

        name = write_version(self._folder, LETTER, filled, _WRITER)
        self._remove_old()
        return self.version(name)

    def _remove_old(self) -> None:
        """Never what acts or may be rolled back to, nor what another version learns anew from."""
        lineages = {version.name: self.lineage(version.name) for version in self.versions()}
        learned = [name for name, lineage in lineages.items() if lineage.part == "high_level"]
        newest = sorted(learned, key=lambda name: (lineages[name].made, name))[-KEPT:]
        needed = {*newest, *self.history(), *(lineage.base for lineage in lineages.values())}
        for name in learned:
            if name not in needed:
                gone = self._folder / PARTIAL / f"{_WRITER}{name}"  # one that is half removed must not look whole
                try:
                    (self._folder / name).rename(gone)
                except OSError as error:
                    log.error("%s could not be removed (%s)", name, error)
                    continue
                shutil.rmtree(gone, ignore_errors=True)
                self._lineages.pop(name, None)
                log.info("removed %s: only the newest %d versions are kept", name, KEPT)

    def _pointing(self) -> AbstractContextManager[None]:
        return exclusively(self._folder / ".pointer.lock")

    def _point(self, history: list[str]) -> None:
        path, name = self._folder / _POINTER, ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".current-")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(_Pointer(history[-HISTORY:])))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name)
            raise StorageError(f"the model pointer could not be written ({error}).", field=str(path)) from None
