"""The annotation thread: takes what windows and learners say about projects, so that the hub's thread never waits for
a disk.

Steps go through the ledger like every request, so they are acknowledged when they are safe; who has the project open
is told of them then. Everything else is answered at once and not kept. Knows no sockets: answers leave through
`deliver`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from hitl.annotation.project import Projects
from hitl.annotation_messages import (
    AgreementFound,
    AskAgreement,
    Generate,
    Labelled,
    OpenItem,
    OpenProject,
    OpenRecording,
    ShowPictures,
    StopGenerating,
    Written,
)
from hitl.backend.agreement_thread import AgreementThread
from hitl.backend.annotation_desk import AnnotationDesk, FromLearner, FromWindow, ToLearner, ToWindow
from hitl.backend.engine import Answer
from hitl.backend.ledger import Entry, Ledger
from hitl.backend.pictures import PicturesThread, refused
from hitl.errors import HitlError
from hitl.events import LabelEvent
from hitl.messages import Ack, Label

log = logging.getLogger("hitl.backend")


@dataclass(frozen=True)
class ToPeer:
    """Send this to one window."""

    peer: bytes
    message: ToWindow


@dataclass(frozen=True)
class ToLearners:
    """Send this to every learner."""

    message: ToLearner


@dataclass(frozen=True)
class _Asked:
    message: Label | FromWindow | FromLearner
    peer: bytes
    learner: bool
    """Whether a learner was there."""


@dataclass(frozen=True)
class _Safe:
    event: LabelEvent


@dataclass(frozen=True)
class _Left:
    peer: bytes


class _LearnerCame:
    pass


class Annotation:
    """Owns the desk and its thread, and the one that shows recordings. `now_ns()` is time on the session clock."""

    def __init__(
        self,
        desk: AnnotationDesk,
        pictures: PicturesThread,
        projects: Projects,
        ledger: Ledger,
        deliver: Callable[[ToPeer | ToLearners], None],
        *,
        session: str,
        now_ns: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._pictures = pictures
        self._ledger = ledger
        self._deliver = deliver
        self._session = session
        self._now_ns = now_ns
        self._items: queue.SimpleQueue[_Asked | _Safe | _Left | _LearnerCame | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="annotation")
        self._agreement = AgreementThread(projects, lambda peer, found: deliver(ToPeer(peer, found)))

    # -- safe from any thread -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._pictures.start()
        self._thread.start()
        self._agreement.start()

    def ask(self, message: Label | FromWindow | FromLearner, peer: bytes, *, learner: bool) -> None:
        """Something that came from a window or a learner."""
        self._items.put(_Asked(message, peer, learner))

    def safe(self, event: LabelEvent) -> None:
        """The event is on disk now."""
        self._items.put(_Safe(event))

    def learner_came(self) -> None:
        """A learner is there, perhaps anew: it must hear what is open."""
        self._items.put(_LearnerCame())

    def left(self, peer: bytes) -> None:
        """Nothing can be sent to this window any more."""
        self._pictures.left(peer)
        self._items.put(_Left(peer))

    def close(self) -> None:
        """Do what is queued, then end."""
        self._items.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self._pictures.close()
        self._agreement.close()
        self._desk.close()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                if isinstance(item, _Safe):
                    self._tell(item.event.project, Labelled(event=item.event))
                    self._deliver(ToLearners(Labelled(event=item.event)))
                elif isinstance(item, _LearnerCame):
                    for message in self._desk.under_way():
                        self._deliver(ToLearners(message))
                elif isinstance(item, _Left):
                    self._desk.left(item.peer)
                else:
                    self._take(item)
            except HitlError as error:  # a project that somebody removed meanwhile
                log.error("%s", error)
            except Exception:
                log.exception("an annotation message could not be handled")

    def _take(self, asked: _Asked) -> None:
        message = asked.message
        if isinstance(message, Label):
            self._label(message, asked.peer)
        elif isinstance(message, OpenProject):
            answer = self._desk.open_project(asked.peer, message, learner=asked.learner)
            self._deliver(ToPeer(asked.peer, answer))
            if answer.schema is not None:
                self._deliver(ToLearners(message))
        elif isinstance(message, OpenItem):
            self._deliver(ToPeer(asked.peer, self._desk.open_item(asked.peer, message)))
            self._deliver(ToLearners(message))
        elif isinstance(message, OpenRecording | ShowPictures):
            self._show(message, asked.peer)
        elif isinstance(message, AskAgreement):
            self._agree(message, asked.peer)
        elif isinstance(message, Generate) and not asked.learner:
            why = "Nobody is there to write: start `hitl learner` on the backend's computer."
            of = len(message.prompts)
            told = Written(id=message.id, project=message.project, done=0, of=of, finished=True, error=why)
            self._deliver(ToPeer(asked.peer, told))
        elif isinstance(message, Generate | StopGenerating):
            self._deliver(ToLearners(message))
        else:
            self._tell(message.project, message)

    def _show(self, message: OpenRecording | ShowPictures, peer: bytes) -> None:
        try:
            self._pictures.ask(peer, message, self._desk.item(message))
        except HitlError as error:
            self._deliver(ToPeer(peer, refused(message, str(error))))

    def _agree(self, request: AskAgreement, peer: bytes) -> None:
        try:
            schema, shared = self._desk.shared(request.project)
        except HitlError as error:
            self._deliver(ToPeer(peer, AgreementFound(id=request.id, project=request.project, error=str(error))))
        else:
            self._agreement.ask(peer, request, schema, shared)

    def _label(self, label: Label, peer: bytes) -> None:
        try:
            event = self._desk.label(label, self._session, self._now_ns())
        except HitlError as error:
            self._ledger.put(Entry(None, (Answer(Ack(id=label.id, error=str(error)), peer),)))
            return
        if event is None:
            self._ledger.put(Entry(None, (Answer(Ack(id=label.id, duplicate=True), peer),)))
        else:
            self._ledger.put(Entry(event, (Answer(Ack(id=label.id), peer),)))

    def _tell(self, project: str, message: ToWindow) -> None:
        for peer in self._desk.watching(project):
            self._deliver(ToPeer(peer, message))
