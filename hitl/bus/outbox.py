"""Requests on disk until they are acknowledged: SQLite, WAL, synchronous FULL, one file per person and role.

`put` returns after the request is on the disk, so a word survives a crash of its sender. Knows nothing of sockets.
May be used from several threads, and one file from several processes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import msgspec

from hitl.errors import InputError, StorageError
from hitl.messages import Request

_APPLICATION_ID = 0x68696F78  # "hiox"
_WAL_ATTEMPTS = 250
_WAL_PAUSE_S = 0.02
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


class Outbox:
    """Durable requests, oldest first."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StorageError where it cannot be written or is something else."""
        self.path = path
        self.unreadable = 0
        """Requests that an other version of hitl left and this one cannot read; they stay in the file."""
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise _storage_error(path, error) from error

    def _open(self) -> None:
        found = self._db.execute("PRAGMA application_id").fetchone()[0]
        if found not in (0, _APPLICATION_ID):
            raise sqlite3.DatabaseError("the file is no outbox")
        _use_wal(self._db)
        self._db.execute("PRAGMA synchronous=FULL")
        if found == _APPLICATION_ID:
            return  # nothing is written to an outbox that exists: it opens on a full disk, too
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS outbox"
            " (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL)"
        )
        self._db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        self._db.execute("COMMIT")

    def put(self, request: Request) -> bool:
        """Store `request`; False where its id is stored already. Raises StorageError, and then nothing changed."""
        try:
            body = _encoder.encode(request)
        except UnicodeEncodeError as error:
            raise InputError("is no valid Unicode", field="text", hint="Type it again.") from error
        with self._lock:
            try:
                done = self._db.execute("INSERT OR IGNORE INTO outbox (id, body) VALUES (?, ?)", (request.id, body))
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
            return done.rowcount == 1

    def remove(self, request_id: str) -> bool:
        """Forget a request that was acknowledged; False where it is not there. Raises StorageError."""
        with self._lock:
            try:
                return self._db.execute("DELETE FROM outbox WHERE id = ?", (request_id,)).rowcount == 1
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error

    def pending(self) -> list[Request]:
        """All stored requests, oldest first. Raises StorageError."""
        with self._lock:
            try:
                rows = self._db.execute("SELECT body FROM outbox ORDER BY seq").fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        requests: list[Request] = []
        self.unreadable = 0
        for (body,) in rows:
            try:
                requests.append(_decoder.decode(body))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.unreadable += 1
        return requests

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._db.close()


def _use_wal(database: sqlite3.Connection) -> None:
    """Two processes that make the file at the same moment exclude each other here, without SQLite's own waiting."""
    for attempt in range(_WAL_ATTEMPTS):
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == _WAL_ATTEMPTS - 1:
                raise
            time.sleep(_WAL_PAUSE_S)


def _storage_error(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"{path}: {error}", field="outbox", hint="Free some space or mend the file; what was kept before is safe."
    )
