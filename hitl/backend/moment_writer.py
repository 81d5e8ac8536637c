"""The thread that keeps the high level's moments on disk. A slow or full disk loses moments, and delays no tick."""

from __future__ import annotations

import logging
import queue
import threading

from hitl.errors import HitlError
from hitl.sessions.moments import Moment, MomentStore

log = logging.getLogger("hitl.backend")

_QUEUE = 128
"""About a minute: who is further behind loses the oldest."""


class MomentWriter:
    """Writes to one store. `error`: why nothing can be kept now; empty where all is well."""

    def __init__(self, store: MomentStore) -> None:
        self._store = store
        self._moments: queue.Queue[Moment | None] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(target=self._run, name="moments")
        self.error = ""
        self.lost = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, moment: Moment) -> None:
        """Queue a moment; safe from any thread, never blocks."""
        while True:
            try:
                self._moments.put_nowait(moment)
                return
            except queue.Full:
                self.lost += self._drop()

    def close(self) -> None:
        """Write what is queued and end."""
        if self._thread.ident is not None:
            self._moments.put(None)
            self._thread.join()
        self._store.close()

    def _drop(self) -> int:
        try:
            self._moments.get_nowait()
        except queue.Empty:
            return 0
        return 1

    def _run(self) -> None:
        while (moment := self._moments.get()) is not None:
            try:
                self._store.put([moment])
                self.error = ""
            except HitlError as error:
                self.lost += 1
                if not self.error:
                    log.error("%s", error)
                self.error = str(error)
