"""Versions of a model: folders beside a pointer file, so that promoting and rolling back is one atomic rename.

    <data>/models/<version>/...      a model folder; what is inside, policies.hierarchy.checkpoint knows
    <data>/models/current.json       {"history": ["<version>", ...]}, the last one is promoted

Without a pointer the packaged version is current; it is always there to roll back to, under the name "packaged".
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitl.errors import CheckpointError, StorageError

PACKAGED = "packaged"
MODEL_FILE = "model.json"
_POINTER = "current.json"


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
    """The versions in one data folder. Several processes may read while one promotes."""

    def __init__(self, data_folder: Path, packaged: Path | None = None) -> None:
        self._folder = data_folder / "models"
        self._packaged = ModelVersion(PACKAGED, packaged or packaged_model())

    def versions(self) -> list[ModelVersion]:
        """All versions, the packaged one first, then by name."""
        found = [ModelVersion(path.parent.name, path.parent) for path in sorted(self._folder.glob(f"*/{MODEL_FILE}"))]
        return [self._packaged, *found]

    def current(self) -> ModelVersion:
        """The promoted version. CheckpointError where the pointer is damaged or names a version that is gone."""
        return self._named(self._history()[-1])

    def promote(self, name: str) -> ModelVersion:
        """Make `name` current, atomically. CheckpointError for an unknown name, StorageError on a full disk."""
        version = self._named(name)
        history = self._history()
        if history[-1] != name:
            self._point([*history, name])
        return version

    def roll_back(self) -> ModelVersion:
        """Make the version before the current one current again; the first one stays."""
        history = self._history()
        if len(history) > 1:
            history.pop()
            self._point(history)
        return self._named(history[-1])

    def _named(self, name: str) -> ModelVersion:
        for version in self.versions():
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions())
        raise CheckpointError(f"no model version {name!r}.", field=str(self._folder), hint=f"Known: {known}.")

    def _history(self) -> list[str]:
        path = self._folder / _POINTER
        try:
            history = msgspec.json.decode(path.read_bytes(), type=_Pointer).history
        except FileNotFoundError:
            return [PACKAGED]
        except (OSError, msgspec.MsgspecError) as error:
            hint = "Remove the file to go back to the packaged model."
            raise CheckpointError(f"not a readable pointer ({error}).", field=str(path), hint=hint) from None
        return history or [PACKAGED]

    def _point(self, history: list[str]) -> None:
        path = self._folder / _POINTER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".current-")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(_Pointer(history)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except OSError as error:
            raise StorageError(f"the model pointer could not be written ({error}).", field=str(path)) from None
