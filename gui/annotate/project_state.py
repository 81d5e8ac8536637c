"""What the window knows of an annotation project, from messages and from its own steps; and what it has to ask next.

The log is the truth: steps that are on their way stand behind those of the log until the log has them. Times are
nanoseconds, given by the caller. Knows nothing of windows or sockets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from gui.annotate.queue import Queue
from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.annotation.state import History, ItemLabels, Step, labels_of
from hitl.annotation_messages import (
    AgreementFound,
    AskAgreement,
    Counts,
    ItemOpened,
    Labelled,
    OpenItem,
    OpenProject,
    Progress,
    ProjectOpened,
    Stepped,
    Suggestions,
)
from hitl.clock import new_ulid
from hitl.events import LabelEvent
from hitl.labels import Span
from hitl.messages import Ack, Label, Message

ASK_AGAIN_NS = 2_000_000_000
"""What was asked and not answered for so long is asked again; questions may be lost with a link."""
_KEPT_ITEMS = 60


@dataclass
class _Question:
    message: OpenProject | OpenItem | AskAgreement
    asked_ns: int = -ASK_AGAIN_NS


class ProjectState:
    """One person in one project. Until one is chosen, only which projects there are is asked."""

    def __init__(self, author: str, project: str = "") -> None:
        self.author = author
        self.project = project
        self.projects: list[str] | None = None
        """Names of all projects; None before the backend told."""
        self.schema: Schema | None = None
        self.error = ""
        """Why the project or the item cannot be opened, or why a step was refused."""
        self.queue = Queue(author, {})
        self.authors: list[str] = []
        self.learner = False
        self.progress: Progress | None = None
        self.agreement: AgreementFound | None = None
        """How far people agree in the project, as it was asked last."""
        self.suggestions: dict[str, Suggestions] = {}
        self.problems: dict[str, str] = {}
        """Item -> why the model can say nothing of it."""
        self.items: dict[str, Item] = {}
        self.pending: dict[str, Label] = {}
        """Steps that the log does not have yet, by id."""
        self._steps: dict[str, list[Step]] = {}
        self._labels: dict[str, ItemLabels] = {}
        """Of this person, as far as they were asked for since their steps last changed."""
        self._stepped: list[Stepped] = []
        self._history = History()
        self._questions: dict[str, _Question] = {}
        self._front = ""
        """The item that was asked for last to be shown."""
        self._connected = False
        self._listed_ns = 0
        self._ask_project()

    # -- what to ask --------------------------------------------------------------------------------------------------

    def link(self, connected: bool) -> None:
        """Whether the backend is there; all is asked anew when it comes back, since much may have happened."""
        if connected and not self._connected:
            self._ask_project()
            for item in list(self._wanted()):
                self.want_item(item, fresh=True, ahead=item != self._front)
        self._connected = connected

    def opened(self, project: str) -> ProjectState:
        """The same person in this project; empty: choose one. Steps that wait for the log go along."""
        fresh = ProjectState(self.author, project)
        fresh.projects, fresh._connected, fresh.queue.order = self.projects, self._connected, self.queue.order
        for label in self.pending.values():
            fresh.submitted(label)
        return fresh

    def want_item(self, item: str, *, fresh: bool = False, ahead: bool = False) -> None:
        """Have this item, and ask for it where it is not there, or is to be seen anew. ahead: it will be shown later;
        what is in front of the person, of which the learner tells every new version, stays."""
        if not (item and self.project):
            return
        waits = self._questions.get(f"item {item}")
        known_ahead = waits is not None and isinstance(waits.message, OpenItem) and waits.message.ahead
        if (fresh or item not in self.items) and (waits is None or known_ahead and not ahead):
            asked = OpenItem(id=new_ulid(), project=self.project, item=item, author=self.author, ahead=ahead)
            self._questions[f"item {item}"] = _Question(asked)
            if not ahead:
                self._front = item

    def show_item(self, item: str) -> None:
        """This item is in front of the person now."""
        if item != self._front:
            self.want_item(item, fresh=True)

    def want_agreement(self) -> None:
        """Ask how far people agree in the project now."""
        if self.project and "agreement" not in self._questions:
            self._questions["agreement"] = _Question(AskAgreement(id=new_ulid(), project=self.project))

    def asks(self, now_ns: int) -> list[OpenProject | OpenItem | AskAgreement]:
        """What has to be asked now: new questions, and those that were not answered."""
        if not self._connected:
            return []
        if not self.project and "project" not in self._questions and now_ns - self._listed_ns >= ASK_AGAIN_NS:
            self._listed_ns = now_ns
            self._ask_project()  # what was imported meanwhile is to be seen at once
        due = [question for question in self._questions.values() if now_ns - question.asked_ns >= ASK_AGAIN_NS]
        for question in due:
            question.asked_ns = now_ns
        return [question.message for question in due]

    def look_again(self) -> None:
        """There are new items."""
        if "project" not in self._questions:
            self._ask_project()

    def _ask_project(self) -> None:
        asked = OpenProject(id=new_ulid(), project=self.project, author=self.author)
        self._questions["project"] = _Question(asked)

    def _wanted(self) -> Iterable[str]:
        """Items that are to be seen anew after the link was lost: what is in front, and what came last."""
        return [item for item in dict.fromkeys([*list(self.items)[-2:], self._front]) if item in self.items]

    # -- what came in -------------------------------------------------------------------------------------------------

    def apply(self, message: Message) -> bool:
        """Take one message in; returns whether it says something to this project."""
        match message:
            case ProjectOpened():
                return self._project_opened(message)
            case ItemOpened():
                return self._item_opened(message)
            case AgreementFound():
                return self._agreement_found(message)
            case Labelled(event=event) if event.project == self.project:
                return self._labelled(event)
            case Suggestions() if message.project == self.project:
                if message.error:
                    self.problems[message.item] = message.error
                else:
                    self.suggestions[message.item] = message
                    self.problems.pop(message.item, None)
                return True
            case Progress() if message.project == self.project:
                self.progress = message
                self.queue.by_uncertainty = message.order
                self.want_item(self._front, fresh=True)  # the new version's suggestions come with it
                return True
            case Ack(id=label_id, error=error) if label_id in self.pending:
                self._answered(label_id, error)
                return True
        return False

    def _project_opened(self, message: ProjectOpened) -> bool:
        question = self._questions.get("project")
        if question is None or message.id != question.message.id:
            return False
        del self._questions["project"]
        self.projects, self.error = message.projects, message.error
        if message.error or not message.project:
            return True
        self.schema, self.authors, self.learner = message.schema, message.authors, message.learner
        self.queue.counts = {entry.item: entry for entry in message.items}
        known = {step.id for step in message.history}
        waiting = [_stepped(label) for label in self.pending.values() if label.id not in known]
        self._remember([*message.history, *waiting])
        for label in self.pending.values():
            self._recount(label.item)
        return True

    def _item_opened(self, message: ItemOpened) -> bool:
        name, question = next(
            ((key, asked) for key, asked in self._questions.items() if asked.message.id == message.id), ("", None)
        )
        if question is None:
            return False
        del self._questions[name]
        if message.item is None:
            self.error = message.error
            return True
        item = message.item.id
        self.items.pop(item, None)
        while len(self.items) >= _KEPT_ITEMS:
            self.items.pop(next(iter(self.items)))
        self.items[item] = message.item
        known = {step.id for step in message.steps}
        for step_id in known & self.pending.keys():
            del self.pending[step_id]
        waiting = [label for label in self.pending.values() if label.item == item]
        self._steps[item] = [*message.steps, *waiting]
        self._labels.pop(item, None)
        self._recount(item)
        return True

    def _agreement_found(self, message: AgreementFound) -> bool:
        question = self._questions.get("agreement")
        if question is None or message.id != question.message.id:
            return False
        del self._questions["agreement"]
        self.agreement = message
        return True

    def _labelled(self, event: LabelEvent) -> bool:
        self.pending.pop(event.id, None)
        if event.author not in self.authors:
            self.authors.append(event.author)
        steps = self._steps.setdefault(event.item, [])
        if any(step.id == event.id for step in steps):
            return True
        steps.append(event)
        if event.author == self.author:
            self._labels.pop(event.item, None)
        if event.author == self.author:
            self._remember([*self._stepped, _stepped(event)])
        self._recount(event.item)
        return True

    def submitted(self, label: Label) -> None:
        """A step of this person is on its way; it counts at once."""
        if label.id in self.pending:
            return
        self.pending[label.id] = label
        if label.project != self.project or label.author != self.author:
            return
        self._steps.setdefault(label.item, []).append(label)
        if label.item in self._labels:
            self._labels[label.item] = self._labels[label.item].after(label)
        self._stepped.append(_stepped(label))
        self._history.add(label.id, label.item, label.undoes)
        self._recount(label.item)

    def failed(self, label_id: str, reason: str) -> None:
        """A step could not be kept or was refused: it never was."""
        label = self.pending.pop(label_id, None)
        if label is None:
            return
        self.error = reason
        self._labels.pop(label.item, None)
        self._steps[label.item] = [step for step in self._steps.get(label.item, []) if step.id != label_id]
        self._remember([step for step in self._stepped if step.id != label_id])
        self._recount(label.item)

    def _answered(self, label_id: str, error: str) -> None:
        if error:
            self.failed(label_id, error)
        else:
            del self.pending[label_id]

    # -- what follows from it -----------------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """What this person can undo and redo."""
        return self._history

    def steps(self, item: str) -> list[Step]:
        """This person's steps on an item, in order."""
        return [step for step in self._steps.get(item, ()) if step.author == self.author]

    def labels(self, item: str) -> ItemLabels:
        """This person's labels on an item."""
        if item not in self._labels:
            self._labels[item] = labels_of(self.steps(item))
        return self._labels[item]

    def others(self, item: str) -> dict[str, ItemLabels]:
        """Author -> labels, of everybody else who labelled an item."""
        found: dict[str, list[Step]] = {}
        for step in self._steps.get(item, ()):
            if step.author != self.author:
                found.setdefault(step.author, []).append(step)
        return {author: labels_of(steps) for author, steps in sorted(found.items())}

    def _remember(self, steps: list[Stepped]) -> None:
        self._stepped = steps
        self._history = History()
        for step in steps:
            self._history.add(step.id, step.item, step.undoes)

    def _recount(self, item: str) -> None:
        known = self.queue.counts.get(item)
        if known is None or item not in self.items:
            return
        labels = self.labels(item)
        state: str = labels.review.state if labels.values or self.steps(item) else "new"
        self.queue.counts[item] = msgspec.structs.replace(
            known, state=state, spans=len(labels.of(Span)), others=max(known.others, len(self.others(item)))
        )


def _stepped(step: Label | LabelEvent) -> Stepped:
    return Stepped(id=step.id, item=step.item, undoes=step.undoes)


def counts_of(items: Iterable[Item]) -> list[Counts]:
    """Counts of items that nobody labelled."""
    return [Counts(item=item.id, state="new") for item in items]
