"""Writes events to the feedback log in a thread of its own, and says when each is on disk. Knows no sockets.

Items are done in order, so what follows an event (its Ack, the statuses after it) is told only when it is safe. A
write that fails (full disk) is tried again until it succeeds: nothing that waits behind it is acknowledged, and its
sender still has it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hitl.errors import StorageError
from hitl.events import LogEvent

log = logging.getLogger("hitl.backend")

RETRY_S = 1.0


class EventLog(Protocol):
    """What the ledger needs of `hitl.sessions.feedback_log.FeedbackLog`."""

    def append(self, event: LogEvent) -> bool:
        """Write; True = new, False = the id is there already. Raises StorageError."""
        ...


@dataclass(frozen=True)
class Entry:
    """One thing to do in order: write `event` (None: nothing to write), then hand on `then`."""

    event: LogEvent | None
    then: Sequence[Any] = ()


@dataclass(frozen=True)
class Written:
    """`entry` is safe; `new` is False where its id had been in the log."""

    entry: Entry
    new: bool


class Ledger:
    """The thread. `deliver` is called from it with each Written."""

    def __init__(self, event_log: EventLog, deliver: Callable[[Written], None]) -> None:
        self._log = event_log
        self._deliver = deliver
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger")
        self.error = ""
        """Why nothing can be written now; empty where all is well."""
        self.saved = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queue an entry; safe from any thread, never blocks."""
        self._entries.put(entry)

    def close(self) -> None:
        """Write what is queued, where the disk allows it, and end."""
        self._closing.set()
        self._entries.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            written = self._write(entry)
            if written is not None:
                self._deliver(written)

    def _write(self, entry: Entry) -> Written | None:
        if entry.event is None:
            return Written(entry, True)
        while True:
            try:
                new = self._log.append(entry.event)
            except StorageError as error:
                if not self.error:
                    log.error("%s", error)
                self.error = str(error)
                if self._closing.wait(RETRY_S):
                    return None
            else:
                self.error = ""
                self.saved += new
                return Written(entry, new)
