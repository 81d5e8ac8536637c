"""What windows and learners are told about annotation projects, and which steps are taken: decided without sockets or
threads.

Projects and steps come from disk when somebody opens a project; from then on the desk knows every step, since all pass
through it. What another process imported meanwhile is seen at the next opening. Knows nothing of models or robots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hitl.annotation.items import Item
from hitl.annotation.project import Project, Projects
from hitl.annotation.schema import Schema
from hitl.annotation.state import History, ItemLabels, Step, check_changes, labels_of
from hitl.annotation_messages import (
    AgreementFound,
    AskAgreement,
    Counts,
    Generate,
    ItemOpened,
    Labelled,
    OpenItem,
    OpenProject,
    OpenRecording,
    Pictures,
    Progress,
    ProjectOpened,
    RecordingOpened,
    ShowPictures,
    Stepped,
    StopGenerating,
    Suggestions,
    Written,
)
from hitl.errors import HitlError, InputError
from hitl.events import LabelEvent
from hitl.messages import Label

MAX_HISTORY = 5_000
"""As many of the latest steps can be undone after a restart."""

FromWindow = OpenProject | OpenItem | OpenRecording | ShowPictures | AskAgreement | Generate | StopGenerating
FromLearner = Suggestions | Progress | Written
ToWindow = ProjectOpened | ItemOpened | RecordingOpened | Pictures | AgreementFound | Labelled | FromLearner
ToLearner = OpenProject | OpenItem | Generate | StopGenerating | Labelled


@dataclass
class _Opened:
    """A project and all steps in it."""

    project: Project
    steps: dict[str, list[LabelEvent]] = field(default_factory=dict)
    """Item -> steps of all authors, in order."""
    known: set[str] = field(default_factory=set)
    authors: dict[str, None] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    """Those that were opened lately."""

    def add(self, event: LabelEvent) -> None:
        self.steps.setdefault(event.item, []).append(event)
        self.known.add(event.id)
        self.authors.setdefault(event.author)

    def item(self, item_id: str) -> Item:
        if item_id not in self.items:
            if len(self.items) > 100:
                self.items.clear()
            self.items[item_id] = self.project.item(item_id)
        return self.items[item_id]

    def counts(self, author: str) -> list[Counts]:
        return [self._counts(item_id, author) for item_id in self.project.ids()]

    def _counts(self, item_id: str, author: str) -> Counts:
        steps = self.steps.get(item_id, [])
        others = {step.author for step in steps if step.author != author}
        own = [step for step in steps if step.author == author]
        if not own:
            return Counts(item=item_id, state="new", others=len(others))
        labels: ItemLabels = labels_of(own)
        return Counts(item=item_id, state=labels.review.state, spans=len(labels.spans()), others=len(others))

    def history(self, author: str) -> list[Stepped]:
        """Steps of one author over all items, oldest first: ULIDs sort by time."""
        own = [step for steps in self.steps.values() for step in steps if step.author == author]
        latest = sorted(own, key=lambda step: step.id)[-MAX_HISTORY:]
        return [Stepped(id=step.id, item=step.item, undoes=step.undoes) for step in latest if not step.origin]


class AnnotationDesk:
    """State of all projects that somebody opened. `read(project)` gives the project's steps from the log."""

    def __init__(self, projects: Projects, read: Callable[[str], Iterable[LabelEvent]]) -> None:
        self._projects = projects
        self._read = read
        self._opened: dict[str, _Opened] = {}
        self._watching: dict[bytes, OpenProject] = {}
        self._in_front: dict[bytes, OpenItem] = {}

    def open_project(self, peer: bytes, request: OpenProject, *, learner: bool) -> ProjectOpened:
        """The project as it is now, or why it cannot be opened. The peer hears of every step in it from now on."""
        self.left(peer)
        names = self._projects.names()
        answer = ProjectOpened(id=request.id, project=request.project, projects=names, learner=learner)
        if not request.project:
            return answer
        try:
            opened = self._load(request.project)
            items = opened.counts(request.author)
        except HitlError as error:
            return ProjectOpened(id=request.id, project=request.project, projects=names, error=str(error))
        self._watching[peer] = request
        return ProjectOpened(
            id=request.id,
            project=request.project,
            projects=names,
            schema=opened.project.schema,
            items=items,
            history=opened.history(request.author),
            authors=list(opened.authors),
            learner=learner,
        )

    def open_item(self, peer: bytes, request: OpenItem) -> ItemOpened:
        """The item and all that was said about it, or why not."""
        try:
            opened = self._known(request.project)
            item = opened.item(request.item)
        except HitlError as error:
            return ItemOpened(id=request.id, project=request.project, error=str(error))
        if not request.ahead:
            self._in_front[peer] = request
        return ItemOpened(id=request.id, project=request.project, item=item, steps=opened.steps.get(request.item, []))

    def item(self, request: OpenRecording | ShowPictures) -> Item:
        """The item of which somebody wants to see something. Raises HitlError where it is not there."""
        return self._known(request.project).item(request.item)

    def shared(self, project: str) -> tuple[Schema, dict[str, tuple[LabelEvent, ...]]]:
        """The schema, and all steps on the items that at least two people labelled. Raises what opening raises."""
        opened = self._known(project)
        several = {
            item: tuple(steps) for item, steps in opened.steps.items() if len({step.author for step in steps}) > 1
        }
        return opened.project.schema, several

    def label(self, label: Label, session: str, session_ns: int) -> LabelEvent | None:
        """The event of a step, or None where it is known already. Raises InputError where it cannot be meant."""
        opened = self._known(label.project)
        if label.id in opened.known:
            return None
        item = opened.item(label.item)
        check_changes(item, opened.project.schema, label.changes)
        self._check_undo(opened, label)
        event = LabelEvent(
            id=label.id,
            session=session,
            session_ns=session_ns,
            author=label.author,
            project=label.project,
            item=label.item,
            changes=label.changes,
            undoes=label.undoes,
            spent_s=label.spent_s,
        )
        opened.add(event)
        return event

    @staticmethod
    def _check_undo(opened: _Opened, label: Label) -> None:
        if not label.undoes:
            return
        own: list[Step] = [step for step in opened.steps.get(label.item, []) if step.author == label.author]
        history = History(own)
        if label.undoes not in {done.id for done in (history.undo, history.redo) if done is not None}:
            raise InputError(
                f"{label.undoes} is not the latest step of {label.author} on this item, or was taken back already",
                field="undoes",
                hint="Open the item again.",
            )

    def watching(self, project: str) -> list[bytes]:
        """The peers that have this project open."""
        return [peer for peer, request in self._watching.items() if request.project == project]

    def under_way(self) -> list[OpenProject | OpenItem]:
        """What a learner that comes now has missed: the projects that are open, and the items in front of people."""
        projects = {request.project: request for request in self._watching.values()}
        return [*projects.values(), *self._in_front.values()]

    def left(self, peer: bytes) -> None:
        """The peer is gone."""
        self._watching.pop(peer, None)
        self._in_front.pop(peer, None)

    def close(self) -> None:
        """Close the files."""
        for opened in self._opened.values():
            opened.project.close()
        self._opened.clear()

    def _known(self, name: str) -> _Opened:
        return self._opened[name] if name in self._opened else self._load(name)

    def _load(self, name: str) -> _Opened:
        """Read a project anew: another process may have imported something."""
        before = self._opened.pop(name, None)
        if before is not None:
            before.project.close()
        opened = _Opened(self._projects.open(name))
        for event in self._read(name):
            opened.add(event)
        if before is not None:  # steps that were taken and are not on disk yet
            for steps in before.steps.values():
                for event in steps:
                    if event.id not in opened.known:
                        opened.add(event)
        self._opened[name] = opened
        return opened
