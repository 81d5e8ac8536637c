"""The feedback log: an append-only list of events in SQLite (WAL, synchronous FULL), and what follows from them.

`append` returns after the event is on the disk, so an acknowledgement may follow. Nothing is ever changed or deleted;
an undo is one more event. Knows nothing of sockets, policies or windows. May be used from several threads, and the
file read by other processes meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitl.errors import InputError, StorageError
from hitl.events import CorrectionEvent, LabelEvent, LogEvent, OutcomeEvent, RequestEvent
from hitl.messages import CorrectionState

FORMAT = 1
_APPLICATION_ID = 0x6869666C  # "hifl"
_WAL_ATTEMPTS = 250
_WAL_PAUSE_S = 0.02
_INSERT = "INSERT INTO events (id, session, kind, session_ns, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
_LABELS_INDEX = (
    "CREATE INDEX IF NOT EXISTS events_labels ON events (json_extract(body, '$.project')) WHERE kind = 'LabelEvent'"
)
# The + keeps SQLite from walking the rows by their numbers where the index finds those of the project at once.
_LABELS = (
    "SELECT body FROM events WHERE kind = 'LabelEvent' AND json_extract(body, '$.project') = ? AND +seq > ?"
    " ORDER BY seq"
)
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[LogEvent] = msgspec.json.Decoder(LogEvent)


@dataclass(frozen=True)
class CorrectionView:
    """A correction as it stands now: `undone` by a later event, how it ended (None while that is not known), the
    command that it acted as, or would have (where it was asked about, the one that a person chose), and whether the
    robot executed it at all: not what was asked about and never answered, was no command, or was undone before."""

    event: CorrectionEvent
    undone: bool
    outcome: CorrectionState | None
    command: str
    acted: bool


class FeedbackLog:
    """All events of one data folder, over all its sessions."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StorageError where it cannot be written, InputError where it is no log."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._check_kind()
            _use_wal(self._db)
            self._db.execute("PRAGMA synchronous=FULL")
            self._make()
        except (OSError, sqlite3.OperationalError) as error:
            raise _storage_error(path, error) from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: {error}", field="log", hint="Choose another data folder.") from error

    def _check_kind(self) -> None:
        kind = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if kind not in (0, _APPLICATION_ID):
            raise sqlite3.DatabaseError("the file is no feedback log")
        if version > FORMAT:
            raise sqlite3.DatabaseError(f"the log has format {version}, this version of hitl reads up to {FORMAT}")

    def _make(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
            self._index_labels()
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " session TEXT NOT NULL, kind TEXT NOT NULL, session_ns INTEGER NOT NULL, body TEXT NOT NULL)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS events_by_session ON events (session, kind, seq)")
        self._db.execute(_LABELS_INDEX)
        self._db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version={FORMAT}")
        self._db.execute("COMMIT")

    def _index_labels(self) -> None:
        """Logs of before this was made lack the index. It is no new format: older versions keep it up to date, too,
        and where it cannot be made, reading takes longer and is right."""
        made = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'events_labels'"
        if self._db.execute(made).fetchone() is None:
            with suppress(sqlite3.OperationalError):  # a full disk: the log opens all the same
                self._db.execute(_LABELS_INDEX)

    def append(self, event: LogEvent) -> bool:
        """Store `event`: True where it is new, False where its id is there already.

        Raises StorageError where the disk is full or fails; then nothing changed and all earlier events are safe.
        """
        row = _row(event)
        with self._lock:
            try:
                return self._db.execute(_INSERT, row).rowcount == 1
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error

    def extend(self, events: Iterable[LogEvent]) -> int:
        """Store all of `events` or, where that fails, none: how many are new. Those whose id is there are passed over.

        Raises StorageError as `append`.
        """
        rows = [_row(event) for event in events]
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                new = sum(self._db.execute(_INSERT, row).rowcount for row in rows)
                self._db.execute("COMMIT")
                return new
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise _storage_error(self.path, error) from error

    def events(
        self, session: str | None = None, kind: type[LogEvent] | str | None = None, after: int = 0
    ) -> list[LogEvent]:
        """Events in the order in which they were stored; of one session or kind where given, behind row `after`."""
        name = kind if kind is None or isinstance(kind, str) else kind.__name__
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT body FROM events WHERE (?1 IS NULL OR session = ?1) AND (?2 IS NULL OR kind = ?2)"
                    " AND seq > ?3 ORDER BY seq",
                    (session, name, after),
                ).fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        return self._decoded(rows)

    def _decoded(self, rows: list[tuple[str]]) -> list[LogEvent]:
        try:
            return [_decoder.decode(body) for (body,) in rows]
        except msgspec.DecodeError as error:
            raise InputError(
                f"{self.path} holds an event that cannot be read: {error}",
                field="log",
                hint="Was it written by a newer version of hitl?",
            ) from error

    def labels(self, project: str, after: int = 0) -> list[LabelEvent]:
        """Steps of people who annotate in this project, in the order in which they were stored, behind row `after`.
        Nothing else of the log is read."""
        with self._lock:
            try:
                rows = self._db.execute(_LABELS, (project, after)).fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        return [event for event in self._decoded(rows) if isinstance(event, LabelEvent)]

    def teaching(self, after: int = 0, session: str | None = None) -> tuple[list[LogEvent], int]:
        """What policies learn from, of one session or all, in the order in which it was stored, behind row `after`:
        corrections, what became of them, undo and choice, ends of episodes. And the row of the newest event."""
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT body, seq FROM events WHERE (?1 IS NULL OR session = ?1) AND seq > ?2 AND kind IN"
                    " ('CorrectionEvent', 'OutcomeEvent', 'RequestEvent', 'EpisodeEvent') ORDER BY seq",
                    (session, after),
                ).fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        return self._decoded([(body,) for body, _ in rows]), rows[-1][1] if rows else after

    def find(self, ids: Sequence[str]) -> list[LogEvent]:
        """The events of these ids that are there, in the order in which they were stored."""
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT body FROM events WHERE id IN (SELECT value FROM json_each(?)) ORDER BY seq",
                    (_encoder.encode(list(ids)).decode(),),
                ).fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        return self._decoded(rows)

    def sessions(self, most: int) -> list[str]:
        """The newest sessions in which an episode ended, newest first."""
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT DISTINCT session FROM events WHERE kind = 'EpisodeEvent' ORDER BY session DESC LIMIT ?",
                    (most,),
                ).fetchall()
            except sqlite3.Error as error:
                raise _storage_error(self.path, error) from error
        return [session for (session,) in rows]

    def corrections(self, session: str | None = None) -> list[CorrectionView]:
        """All corrections in order, with what other events say about them."""
        return views_of(self.events(session))

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM events").fetchone()[0])

    def __contains__(self, event_id: str) -> bool:
        with self._lock:
            return self._db.execute("SELECT 1 FROM events WHERE id = ?", (event_id,)).fetchone() is not None

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._db.close()


def views_of(events: Iterable[LogEvent]) -> list[CorrectionView]:
    """The corrections among events, in order, with what the others say about them."""
    found: dict[str, _Told] = {}
    given: list[CorrectionEvent] = []
    for event in events:
        if isinstance(event, CorrectionEvent):
            given.append(event)
            found.setdefault(event.id, _Told()).given(event)
        elif isinstance(event, OutcomeEvent):
            found.setdefault(event.correction, _Told()).ended(event)
        elif isinstance(event, RequestEvent) and event.kind in ("undo", "choose"):
            found.setdefault(event.target, _Told()).asked_for(event)
    return [found[event.id].view(event) for event in given]


@dataclass
class _Told:
    """What the events so far say about one correction. `begun`: it was to act, and nobody had undone it before."""

    undone: bool = False
    outcome: CorrectionState | None = None
    chosen: str | None = None
    begun: bool = False
    acted: bool | None = None

    def given(self, event: CorrectionEvent) -> None:
        """It came. Low certainty is asked about, or was no command: it does not act by itself."""
        self.begun = event.certainty != "low" and not self.undone

    def ended(self, event: OutcomeEvent) -> None:
        """It ended, perhaps once more: what is done may be undone."""
        self.outcome = event.state
        self.undone = self.undone or event.state == "undone"
        if event.acted is not None:
            self.acted = self.acted or event.acted
        elif event.state in ("ignored", "refused"):
            self.begun = False

    def asked_for(self, event: RequestEvent) -> None:
        """Somebody undid it, or chose what it meant."""
        if event.kind == "undo":
            self.undone = True
        else:
            self.chosen, self.begun = event.detail, True

    def view(self, event: CorrectionEvent) -> CorrectionView:
        """All of it."""
        return CorrectionView(
            event,
            self.undone,
            "undone" if self.undone else self.outcome,
            event.command if self.chosen is None else self.chosen,
            self.begun if self.acted is None else self.acted,
        )


def _row(event: LogEvent) -> tuple[str, str, str, int, str]:
    return event.id, event.session, type(event).__name__, event.session_ns, _encoder.encode(event).decode()


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
        f"{path}: {error}", field="log", hint="Free some space; every event that was acknowledged is safe."
    )
