"""What the high level looked at whenever it was asked, kept on disk: the feature cache that corrections are learned
from. An SQLite file (WAL) beside the recording of a session, written by the backend and read by the learner meanwhile.

Histories are float16 numbers of the frozen low level; `features` names what made them, and those of another low level
are never mixed in. Every row has a checksum: a damaged one is left out and counted, and the others stay usable.
Knows nothing of models or of what is learned.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hitl.errors import InputError, StorageError
from hitl.messages import Alternative, Source

FORMAT = 1
FILE = "moments.sqlite"
"""Its name in a session's folder."""
_APPLICATION_ID = 0x6869666D  # "hifm"
_HINT = "Corrections are safe in the feedback log. Remove the file; later corrections are learned from again."
_FIELDS = "episode, tick, session_ns, stage, command_id, command, source, waits, wanted, features, rows, history, crc"
_wanted = msgspec.json.Decoder(list[Alternative])


@dataclass(frozen=True)
class Moment:
    """The high level was asked: what it looked at, what it wanted, and the command that is under way from then on.

    tick of the newest pictures, and when they were taken [ns of the session]; stage that the task had reached; wanted:
    most probable commands; waits: the command is done, and the robot waits for words; history: `(moments, features)`
    float, newest first; features: names what made them.
    """

    episode: str
    tick: int
    session_ns: int
    stage: int
    command_id: str
    command: str
    source: Source
    waits: bool
    wanted: Sequence[Alternative]
    history: NDArray[np.float16]
    features: str = ""


@dataclass(frozen=True)
class Found:
    """Moments in order of time. damaged: how many rows could not be read; other: how many are of other features."""

    moments: list[Moment]
    damaged: int = 0
    other: int = 0


class MomentStore:
    """The moments of one session. Safe from several threads; several processes may read while one writes."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StorageError where it cannot be written, InputError where it is another's."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            kind = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if kind not in (0, _APPLICATION_ID) or version > FORMAT:
                raise InputError(f"{path} is no feature cache of this version", field="moments", hint=_HINT)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")  # the newest rows may be lost with the power, not with us
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS moments (seq INTEGER PRIMARY KEY, episode TEXT NOT NULL, tick INTEGER NOT"
                " NULL, session_ns INTEGER NOT NULL, stage INTEGER NOT NULL, command_id TEXT NOT NULL, command TEXT"
                " NOT NULL, source TEXT NOT NULL, waits INTEGER NOT NULL, wanted BLOB NOT NULL, features TEXT NOT"
                " NULL, rows INTEGER NOT NULL, history BLOB NOT NULL, crc INTEGER NOT NULL)"
            )
            self._db.execute("CREATE INDEX IF NOT EXISTS moments_when ON moments (episode, session_ns)")
            self._db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except (OSError, sqlite3.OperationalError) as error:
            raise _storage(path, error) from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path} is damaged ({error}).", field="moments", hint=_HINT) from error

    def put(self, moments: Sequence[Moment]) -> None:
        """Keep these. Raises StorageError on a full disk; what was kept before is safe."""
        rows = [_row(moment) for moment in moments]
        marks = ", ".join("?" * len(_FIELDS.split(",")))
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(f"INSERT INTO moments ({_FIELDS}) VALUES ({marks})", rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise _storage(self.path, error) from error

    def of(self, episode: str, features: str | None = None, after_ns: int = -1) -> Found:
        """Moments of one episode, of these features where given, later than `after_ns`. Raises InputError where the
        file itself is damaged."""
        with self._lock:
            try:
                rows = self._db.execute(
                    f"SELECT {_FIELDS} FROM moments WHERE episode = ? AND session_ns > ? ORDER BY session_ns, seq",
                    (episode, after_ns),
                ).fetchall()
            except sqlite3.DatabaseError as error:
                raise InputError(f"{self.path} is damaged ({error}).", field="moments", hint=_HINT) from error
        found = [_moment(row) for row in rows]
        whole = [moment for moment in found if moment is not None]
        fitting = [moment for moment in whole if features is None or moment.features == features]
        return Found(fitting, len(found) - len(whole), len(whole) - len(fitting))

    def episodes(self) -> list[str]:
        """Episodes that moments were kept of, in order."""
        with self._lock:
            try:
                found = self._db.execute("SELECT episode FROM moments GROUP BY episode ORDER BY min(seq)").fetchall()
            except sqlite3.DatabaseError as error:
                raise InputError(f"{self.path} is damaged ({error}).", field="moments", hint=_HINT) from error
        return [name for (name,) in found]

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._db.close()


def _row(moment: Moment) -> tuple:
    history = np.ascontiguousarray(moment.history, np.float16)
    body = history.tobytes()
    wanted = msgspec.json.encode(list(moment.wanted))
    return (
        moment.episode,
        moment.tick,
        moment.session_ns,
        moment.stage,
        moment.command_id,
        moment.command,
        moment.source,
        int(moment.waits),
        wanted,
        moment.features,
        len(history),
        body,
        zlib.crc32(body, zlib.crc32(wanted)),
    )


def _moment(row: tuple) -> Moment | None:
    """None where its bytes are not those that were written."""
    episode, tick, session_ns, stage, command_id, command, source, waits, wanted, features, rows, body, crc = row
    try:
        if zlib.crc32(body, zlib.crc32(wanted)) != crc or rows < 1:
            return None
        history = np.frombuffer(body, np.float16).reshape(rows, -1)
        alternatives = _wanted.decode(wanted)
    except (TypeError, ValueError, msgspec.MsgspecError):
        return None
    return Moment(
        episode, tick, session_ns, stage, command_id, command, source, bool(waits), alternatives, history, features
    )


def _storage(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"{path}: {error}", field="moments", hint="Free some space; until then corrections are kept and not learned."
    )
