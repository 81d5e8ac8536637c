"""Which sessions a data folder holds and where their files are. Opens no log and no recording.

<data>/feedback.sqlite                      every event of every session
<data>/outbox-<role>.sqlite                 what a window or `hitl say` has not delivered yet
<data>/sessions/<session>/session.json      what the session is
<data>/sessions/<session>/recording.mcap    what happened in it
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitl.clock import is_ulid, new_ulid
from hitl.errors import InputError, StorageError
from hitl.messages import Role

FORMAT = "hitl-session-1"
NEWEST = "last"
"""The name of the newest session."""
_ABOUT = "session.json"
_LISTED = 5


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `session.json` says."""

    format: str
    session: str
    """ULID; sessions sort by it in time."""
    started_unix_ns: int
    robot: str = ""
    policy: str = ""


@dataclass(frozen=True)
class Session:
    """One session and its folder."""

    folder: Path
    info: SessionInfo

    @property
    def id(self) -> str:
        """The session's ULID."""
        return self.info.session

    @property
    def recording(self) -> Path:
        """Where its recording is, if there is one."""
        return self.folder / "recording.mcap"


class Catalog:
    """The sessions under one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    @property
    def log_file(self) -> Path:
        """The feedback log of all sessions."""
        return self.data / "feedback.sqlite"

    def outbox_file(self, role: Role) -> Path:
        """The outbox of this user in this role."""
        return self.data / f"outbox-{role}.sqlite"

    def new_session(self, robot: str = "", policy: str = "") -> Session:
        """Make a folder for a session that begins now. Raises StorageError."""
        info = SessionInfo(
            format=FORMAT, session=new_ulid(), started_unix_ns=time.time_ns(), robot=robot, policy=policy
        )
        folder = self.data / "sessions" / info.session
        try:
            folder.mkdir(parents=True)
            _write_whole(folder / _ABOUT, msgspec.json.format(msgspec.json.encode(info)) + b"\n")
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)  # no half session stays behind
            raise StorageError(
                f"{folder}: {error.strerror}", field="data", hint="Free some space or choose another data folder."
            ) from error
        return Session(folder, info)

    def sessions(self) -> list[Session]:
        """All readable sessions, newest first."""
        return [session for session in self._found() if isinstance(session, Session)]

    def problems(self) -> list[InputError]:
        """One error for each folder that should be a session and cannot be read."""
        return [problem for problem in self._found() if isinstance(problem, InputError)]

    def session(self, session_id: str) -> Session:
        """The session of this id. Raises InputError where there is none or it cannot be read."""
        folder = self.data / "sessions" / session_id
        if not is_ulid(session_id) or not folder.is_dir():
            raise InputError(
                f"{session_id!r} is no session of {self.data}", field="session", hint="List the sessions."
            )
        return _read(folder)

    def _found(self) -> Iterator[Session | InputError]:
        root = self.data / "sessions"
        folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
        for folder in sorted(folders, key=lambda path: path.name, reverse=True):
            try:
                yield _read(folder)
            except InputError as error:
                yield error


def find_session(catalog: Catalog, name: str) -> Session:
    """The session of this id, or the newest for "last". Raises InputError that lists what is there."""
    if name != NEWEST and is_ulid(name) and (catalog.data / "sessions" / name).is_dir():
        return catalog.session(name)
    there = catalog.sessions()
    if name == NEWEST and there:
        return there[0]
    listed = ", ".join(session.id for session in there[:_LISTED]) or "none yet"
    why = f"{name[:80]!r} is none of {catalog.data}."
    raise InputError(why, field="session", hint=f"Give {NEWEST} or an id; the newest: {listed}.")


def _read(folder: Path) -> Session:
    path = folder / _ABOUT
    try:
        info = msgspec.json.decode(path.read_bytes(), type=SessionInfo)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", field="session", hint="Remove the folder or restore the file.") from error
    if info.format != FORMAT or info.session != folder.name:
        raise InputError(f"{path} is not of this session and {FORMAT}", field="session", hint="Restore the file.")
    return Session(folder, info)


def _write_whole(path: Path, data: bytes) -> None:
    """The file has all of `data` or does not exist, also after a crash."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
