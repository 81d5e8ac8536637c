"""Annotation as the backend's server sees it: which messages are for it, and how its answers leave through the hub.

Everything here is called by the hub's thread and waits for nothing; what decides and what reads disks has threads of
its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hitl.annotation.project import Projects
from hitl.annotation_messages import FROM_LEARNER, FROM_WINDOW
from hitl.backend.annotation import Annotation, ToLearners, ToPeer
from hitl.backend.annotation_desk import AnnotationDesk
from hitl.backend.ledger import Ledger, Written
from hitl.backend.pictures import PicturesThread, ShownTo
from hitl.bus import Hub, Received
from hitl.events import LabelEvent
from hitl.messages import Hello, Label
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog

TAKES = (Label, *FROM_WINDOW, *FROM_LEARNER)
"""The messages that are for it."""
GIVES = (ToPeer, ToLearners, ShownTo)
"""What it delivers."""


class AnnotationServer:
    """deliver: hands a result to the hub's thread, which calls `send` with it; now_ns: time on the session clock."""

    def __init__(
        self,
        catalog: Catalog,
        log: FeedbackLog,
        ledger: Ledger,
        hub: Hub,
        deliver: Callable[[Any], None],
        *,
        session: str,
        now_ns: Callable[[], int],
    ) -> None:
        self._hub = hub
        projects = Projects(catalog.data)
        self._annotation = Annotation(
            AnnotationDesk(projects, log.labels),
            PicturesThread(catalog, deliver),
            projects,
            ledger,
            deliver,
            session=session,
            now_ns=now_ns,
        )
        self.start = self._annotation.start
        self.close = self._annotation.close

    def receive(self, received: Received) -> None:
        """A message of a window or a learner, of those in `TAKES`."""
        self._annotation.ask(received.message, received.peer, learner=bool(self._hub.peers("learner")))

    def hello(self, hello: Hello) -> None:
        """A peer is there."""
        if hello.role == "learner":
            self._annotation.learner_came()

    def written(self, written: Written) -> None:
        """Something is in the log now."""
        if isinstance(written.entry.event, LabelEvent) and written.new:
            self._annotation.safe(written.entry.event)

    def send(self, result: ToPeer | ToLearners | ShownTo) -> None:
        """What was delivered."""
        if isinstance(result, ToLearners):
            for peer in self._hub.peers("learner"):
                self._hub.send("control", peer, result.message)
        elif isinstance(result, ShownTo):
            alive = self._hub.alive(result.peer)  # pictures must not pile up for a window that hangs
            result.sent(alive and self._hub.send("control", result.peer, result.message, result.payloads))
        elif not self._hub.send("control", result.peer, result.message) and not self._hub.alive(result.peer):
            self._annotation.left(result.peer)
