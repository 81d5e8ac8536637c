"""The thread that finds how far people agree in a project, which takes seconds where hundreds of items are labelled
twice: neither the hub nor the annotation thread waits for it.

What was counted is kept, so that the next answer costs only the items whose labels have changed. Knows no sockets:
answers leave through `tell`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from hitl.annotation.agreement import RunningAgreement
from hitl.annotation.project import Projects
from hitl.annotation.schema import Schema
from hitl.annotation_messages import AgreementFound, AskAgreement, HeadAgreement, PairAgreement
from hitl.errors import HitlError
from hitl.events import LabelEvent
from hitl.interchange.exchange import Exported

log = logging.getLogger("hitl.backend")

Shared = Mapping[str, Sequence[LabelEvent]]
"""Item -> all steps on it, of those that at least two people labelled."""


@dataclass
class _Counted:
    schema: Schema
    agreement: RunningAgreement
    steps: dict[str, int] = field(default_factory=dict)
    """Item -> how many steps were counted."""


@dataclass(frozen=True)
class _Asked:
    peer: bytes
    request: AskAgreement
    schema: Schema
    shared: Shared


class AgreementThread:
    """Answers one question after the other."""

    def __init__(self, projects: Projects, tell: Callable[[bytes, AgreementFound], None]) -> None:
        self._projects = projects
        self._tell = tell
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._counted: dict[str, _Counted] = {}
        self._thread = threading.Thread(target=self._run, name="agreement", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, peer: bytes, request: AskAgreement, schema: Schema, shared: Shared) -> None:
        """Answer this window. `shared` must not change any more. Safe from any thread."""
        self._asked.put(_Asked(peer, request, schema, shared))

    def close(self) -> None:
        """End, leaving questions unanswered."""
        self._closing.set()
        self._asked.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None and not self._closing.is_set():
            request = asked.request
            try:
                answer = self._answer(asked)
            except HitlError as error:
                answer = AgreementFound(id=request.id, project=request.project, error=str(error))
            except Exception:
                log.exception("agreement could not be found")
                answer = AgreementFound(id=request.id, project=request.project, error="It could not be found.")
            if not self._closing.is_set():
                self._tell(asked.peer, answer)

    def _answer(self, asked: _Asked) -> AgreementFound:
        request = asked.request
        counted = self._counted.get(request.project)
        if counted is None or counted.schema != asked.schema:
            counted = _Counted(asked.schema, RunningAgreement(asked.schema))
            self._counted[request.project] = counted
        self._count(counted, asked)
        overall = counted.agreement.overall()
        return AgreementFound(
            id=request.id,
            project=request.project,
            items=len(counted.steps),
            heads=[
                HeadAgreement(head=key, alpha=alpha.value, segments=alpha.units)
                for key, alpha in overall.heads.items()
            ],
            pairs=[
                PairAgreement(first=p.first, second=p.second, exact=p.exact, overlap=p.overlap, items=p.items)
                for p in overall.pairs
            ],
        )

    def _count(self, counted: _Counted, asked: _Asked) -> None:
        fresh = {name: steps for name, steps in asked.shared.items() if counted.steps.get(name) != len(steps)}
        if not fresh:
            return
        with closing(self._projects.open(asked.request.project)) as project:
            for name, steps in fresh.items():
                if self._closing.is_set():
                    return
                labels = Exported(project.name, asked.schema, [], list(steps)).labels()
                counted.agreement.put(project.item(name), labels.get(name, {}))
                counted.steps[name] = len(steps)
