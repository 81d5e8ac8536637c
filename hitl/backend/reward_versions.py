"""The versions of a project's reward models on disk: what was made, what the gate said, which one a person rolled back
to. Without torch.

    <project>/rewards/r12/             a promoted version for texts, kept (policies/rewards/checkpoint.py)
    <project>/rewards/t7/              one for recordings (policies/rewards/trajectory/model.py)
    <project>/rewards/versions.jsonl   one line for each version that was ever made, in order
    <project>/rewards/pinned-r         the name of the version for texts that answers until the pin is taken away
    <project>/rewards/pinned-t         the same for recordings

The pin is a file that is moved into place, so that who reads it sees the old one or the new one. Knows nothing of
labels or models.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hitl.errors import InputError, StorageError

log = logging.getLogger("hitl.learner")

TEXTS, RECORDINGS = "r", "t"
"""First letters of names of versions."""
_VERSION = re.compile(r"[rt](\d{1,9})")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version. made: ISO 8601, UTC; labelled: items that it learned from; f1, pairwise: head -> value on what is
    kept out of training; reason: what the gate said; kept: whether it is still on disk."""

    version: str
    made: str
    labelled: int
    held_out: int
    f1: dict[str, float] = {}
    pairwise: dict[str, float] = {}
    promoted: bool
    reason: str
    kept: bool = False


class RewardVersions:
    """Versions of one letter in one folder. `problem` is why the pinned one cannot answer, where its user found
    that."""

    def __init__(
        self, folder: Path, letter: str = TEXTS, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder, self.letter = folder, letter
        self.problem = ""
        self._now = now

    # -- what was made --------------------------------------------------------------------------------------------

    def record(
        self, version: str, *, labelled: int, held_out: int, f1: Mapping[str, float], pairwise: Mapping[str, float],
        promoted: bool, reason: str,
    ) -> None:  # fmt: skip
        """Note that a version was made. A full disk costs this line, not the learning."""
        made = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = Version(version=version, made=made, labelled=labelled, held_out=held_out, f1=_known(f1),
                        pairwise=_known(pairwise), promoted=promoted, reason=reason)  # fmt: skip
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "versions.jsonl").open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            log.error("version %s could not be noted in %s (%s)", version, self.folder, error.strerror)

    def listed(self) -> list[Version]:
        """All that were made, the oldest first; a line that was cut off is passed over."""
        kept = set(self.kept())
        found: dict[str, Version] = {}
        path = self.folder / "versions.jsonl"
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            try:
                entry = msgspec.json.decode(line, type=Version)
            except msgspec.DecodeError:
                continue
            if self._is_ours(entry.version):
                found[entry.version] = msgspec.structs.replace(entry, kept=entry.version in kept)
        return sorted(found.values(), key=lambda entry: _number(entry.version))

    def kept(self) -> list[str]:
        """Names of those that are whole on disk, the oldest first."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        names = [path.name for path in folders if self._is_ours(path.name) and (path / "model.json").is_file()]
        return sorted(names, key=_number)

    def _is_ours(self, name: str) -> bool:
        return _VERSION.fullmatch(name) is not None and name.startswith(self.letter)

    def newest(self) -> int:
        """Number of the newest that was ever made or kept; 0 where there is none."""
        return max((_number(name) for name in (*self.kept(), *(entry.version for entry in self.listed()))), default=0)

    # -- which one answers ------------------------------------------------------------------------------------------

    def pinned(self) -> str:
        """The version that a person rolled back to; empty where the newest promoted one answers."""
        try:
            name = self._pin.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return name if self._is_ours(name) else ""

    @property
    def _pin(self) -> Path:
        return self.folder / f"pinned-{self.letter}"

    def pin(self, version: str) -> None:
        """Let this version answer from now on. Raises InputError where it is not kept, StorageError."""
        kept = self.kept()
        if version not in kept:
            those = f"Kept are {', '.join(kept[-8:])}." if kept else "None is kept yet: label something first."
            raise InputError(f"{version!r} is not kept", field="version", hint=those)
        part = self._pin.with_suffix(".part")
        try:
            part.write_text(version + "\n", encoding="utf-8")
            os.replace(part, self._pin)
        except OSError as error:
            raise StorageError(f"cannot be written ({error.strerror})", field=str(part)) from error

    def unpin(self) -> None:
        """Let the newest promoted version answer again. Raises StorageError."""
        try:
            self._pin.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot be removed ({error.strerror})", field=str(self._pin)) from error


def _number(version: str) -> int:
    match = _VERSION.fullmatch(version)
    return int(match[1]) if match else 0


def _known(values: Mapping[str, float]) -> dict[str, float]:
    """Without what could not be measured, which JSON has no number for."""
    return {key: value for key, value in values.items() if value == value}
