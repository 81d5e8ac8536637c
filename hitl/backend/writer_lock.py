"""Who may write versions: one process at a time holds a lock file, which the kernel frees when it dies.

Knows nothing of what is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hitl.errors import StorageError


class WriterLock:
    """Not safe from several threads; `release` or the end of the process frees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> str:
        """Take it, where it is free: who holds it, in words; empty where that is this lock. Raises StorageError."""
        import fcntl  # not on Windows, where nothing of the backend runs

        if self._file is not None:
            return ""
        file = _opened(self._path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                holder = file.read().strip()
            return f"process {holder}" if holder else "another process"
        except OSError as error:
            file.close()
            raise _cannot(self._path, error) from error
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        except OSError:  # a full disk: it is held all the same, and nobody can read by whom
            pass
        self._file = file
        return ""

    def release(self) -> None:
        """Free it; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Wait until nobody else is in here with the same lock file; for what takes milliseconds. Raises StorageError."""
    import fcntl

    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _cannot(path, error) from error
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
        file.seek(0)
    except OSError as error:
        raise _cannot(path, error) from error
    return file


def _cannot(path: Path, error: OSError) -> StorageError:
    hint = "Free some space or choose another data folder."
    return StorageError(f"the lock cannot be taken ({error.strerror}).", field=str(path), hint=hint)
