"""Versions of a project's reward models on disk: folders with a letter and a number, the latest few of them.

Versions come with every label; so one is written every few seconds, and the last one at the end. Knows nothing of
models.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("hitl.learner")

KEPT = 20
_SAVE_S = 10.0


class KeptVersions:
    """letter: the first of every name; save: writes the promoted version into a folder; made: the highest number that
    was ever given; pinned: the version that is never removed, if there is one."""

    def __init__(
        self, folder: Path, letter: str, save: Callable[[Path], None], made: int = 0,
        pinned: Callable[[], str] = lambda: "",
    ) -> None:  # fmt: skip
        self._folder, self._letter, self._save, self._pinned = folder, letter, save, pinned
        self._number = max((number for number, _ in self._versions()), default=0)
        self._number = max(self._number, made)
        self._promoted: str | None = None
        """What is promoted and not written yet."""
        self._saved_s = 0.0

    def new(self) -> str:
        """The name of another version."""
        self._number += 1
        return self.name

    @property
    def name(self) -> str:
        """Of the latest version."""
        return f"{self._letter}{self._number}"

    def promote(self) -> None:
        """The latest version is promoted; it is written, unless another one was a moment ago."""
        self._promoted = self.name
        if time.monotonic() - self._saved_s >= _SAVE_S:
            self._write()

    def close(self) -> None:
        """Write what is promoted, where it is not yet."""
        if self._promoted is not None:
            self._write()

    def _write(self) -> None:
        """A full disk costs the copy of this version, not the learning: the labels are in the log."""
        self._saved_s = time.monotonic()
        assert self._promoted is not None
        try:
            self._save(self._folder / self._promoted)
            self._promoted = None
            for _, folder in self._versions()[:-KEPT]:
                if folder.name != self._pinned():
                    shutil.rmtree(folder)
        except OSError as error:
            log.error("version %s could not be kept (%s)", self._promoted, error)

    def _versions(self) -> list[tuple[int, Path]]:
        """Number and folder of those on disk, the oldest first."""
        pattern = re.compile(rf"{self._letter}(\d{{1,9}})")
        folders = [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []
        return sorted((int(match[1]), path) for path in folders if (match := pattern.fullmatch(path.name)))
