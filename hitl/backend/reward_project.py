"""One project as its learner sees it: which labels are true now, what a new version makes of them, what it would
suggest.

Labels are put and taken from the reward models as people's steps change them, so that an undo is unlearned by the next
update. A version that answers held-out labels worse than the promoted one is kept and not promoted. Knows nothing of
sockets or threads; the models come from outside (`Rewards`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.annotation.items import Item
from hitl.annotation.project import Project
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels, labels_of
from hitl.annotation_messages import CurvePoint, Progress, SegmentScore, Suggestion, Suggestions
from hitl.backend.reward_examples import PREFERENCE, documents_of, heads_of
from hitl.backend.reward_examples import labels_of as examples_of
from hitl.events import LabelEvent
from policies.rewards.documents import Document, HeadSpec, Label

GATE_MARGIN = 0.05
"""A new version may have so much less F1 on held-out labels, in the mean over heads, and is promoted all the same."""
GATE_ITEMS = 20
"""With fewer held-out items the difference is noise, and every version is promoted."""
MAX_CURVE = 200
REFRESH_S = 2.0
"""How long features of labelled items are computed before there is another version."""


@dataclass(frozen=True)
class SegmentEstimate:
    """What a head thinks of one segment. probability: calibrated, that it has an error; error: whether it is to be
    suggested; reward: what it earns, weights included."""

    start: int
    end: int
    probability: float
    error: bool
    reward: float


@dataclass(frozen=True)
class Estimate:
    """What the models think of one document. segments: head -> its segments in order; scores: head that compares whole
    outputs -> its score, the higher the better; uncertainty: 0 to 1."""

    segments: Mapping[str, Sequence[SegmentEstimate]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    uncertainty: float = 0.0


@dataclass(frozen=True)
class Trained:
    """A new version and how it does on the items that are kept out. f1, pairwise, calibration: head -> value;
    labelled, held_out: how many items it learned from, and was measured on."""

    version: str
    f1: Mapping[str, float]
    pairwise: Mapping[str, float]
    calibration: Mapping[str, float]
    labelled: int
    held_out: int
    seconds: float


class Rewards(Protocol):
    """The reward models of a project. Features of documents are computed once and kept."""

    def put(self, name: str, label: Label) -> None:
        """A label is true from now on."""
        ...

    def remove(self, name: str) -> None:
        """It is not true any more."""
        ...

    def encode(self, documents: Sequence[Document]) -> None:
        """Compute the features of documents of one item, where they are not there yet."""
        ...

    def update(self) -> Trained | None:
        """Learn from all labels; None where there are too few. The new version answers until `revert`."""
        ...

    def revert(self) -> None:
        """Let the promoted version answer again, which is the one before the last update."""
        ...

    def promote(self) -> None:
        """Keep what `update` made, on disk as well."""
        ...

    def estimate(self, documents: Sequence[Document]) -> list[Estimate]:
        """What the version that answers thinks of each; nothing before the first one."""
        ...

    def close(self) -> None:
        """Keep the promoted version on disk."""
        ...


class RewardProject:
    """State of one project; owned by one thread."""

    def __init__(self, project: Project, steps: Iterable[LabelEvent], rewards: Rewards) -> None:
        self.project = project
        self._rewards = rewards
        self._steps: dict[str, list[LabelEvent]] = {}
        self._known: set[str] = set()
        self._dirty: dict[str, None] = {}
        self._waited_for: set[str] = set()
        """Items of `_dirty` that somebody has just labelled."""
        self._changed = False
        self._put: dict[str, dict[str, Label]] = {}
        self._encoded: set[str] = set()
        self._order: list[str] = []
        self._first: dict[str, Document] = {}
        self._curve: list[CurvePoint] = []
        self._version = ""
        self._mean_f1: float | None = None
        self._latest = ""
        self._last: tuple[Trained, bool, str] | None = None
        self._marked: dict[str, Counter[str]] = {}
        """Item -> how often each category was marked on it."""
        for step in steps:
            self.step(step)
        self._waited_for.clear()

    @property
    def schema(self) -> Schema:
        """What is asked."""
        return self.project.schema

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """What is learned."""
        return heads_of(self.schema)

    def step(self, event: LabelEvent) -> None:
        """Somebody labelled; a step that is known changes nothing."""
        if event.id in self._known:
            return
        self._known.add(event.id)
        self._steps.setdefault(event.item, []).append(event)
        self._dirty.pop(event.item, None)
        self._dirty[event.item] = None
        self._waited_for.add(event.item)
        self._latest = event.id

    @property
    def behind(self) -> bool:
        """Whether there are labels that the models have not learned from."""
        return bool(self._dirty) or self._changed

    def unencoded(self, count: int) -> list[str]:
        """The next items whose features are not there yet: those with labels first."""
        ids = [*self._steps, *self.project.ids()]
        return [item_id for item_id in dict.fromkeys(ids) if item_id not in self._encoded][:count]

    def encode(self, item_id: str) -> Item:
        """See to it that the features of an item are there."""
        first = item_id not in self._encoded
        self._encoded.add(item_id)  # tried once: an item that cannot be read is not tried for ever
        item = self.project.item(item_id)
        if first:
            documents = documents_of(item)
            self._rewards.encode(documents)
            if documents:
                self._first[item_id] = documents[0]
        return item

    def update(self, hurry: Callable[[], bool] = lambda: False) -> Progress | None:
        """Learn from what people said since the last time, and pass the gate. Where that changed no label, or too
        little is known, the version stays; None before the first one.

        hurry: whether somebody waits for something else. Then nothing is learned of old labels now: None."""
        something_new = self._refresh(hurry)
        if something_new is None:
            return None
        if not something_new:
            return self.progress()
        trained = self._rewards.update()
        self._changed = False
        if trained is None:
            return self.progress()
        promoted, reason = self._gate(trained)
        if promoted:
            self._rewards.promote()
            self._version = trained.version
            self._curve = [*self._curve, CurvePoint(labelled=trained.labelled, f1=dict(trained.f1))][-MAX_CURVE:]
        else:
            self._rewards.revert()
        self._last = trained, promoted, reason
        return self.progress()

    def progress(self) -> Progress | None:
        """How far learning is; None before the first version."""
        if self._last is None:
            return None
        trained, promoted, reason = self._last
        return Progress(
            project=self.project.name,
            version=self._version,
            labelled=trained.labelled,
            held_out=trained.held_out,
            f1=dict(trained.f1),
            pairwise=dict(trained.pairwise),
            calibration=dict(trained.calibration),
            curve=self._curve,
            order=self._order,
            seconds=trained.seconds,
            promoted=promoted,
            reason=reason,
            learned_from=self._latest,
        )

    def _refresh(self, hurry: Callable[[], bool]) -> bool | None:
        """Tell the models which labels changed; whether any did since the last version, None where somebody waits.
        What was labelled just now comes first and is learned at once. Where the rest takes long, since features are
        not there yet, a version is made meanwhile of what is known."""
        waited_for = bool(self._waited_for)
        end_s = time.monotonic() + REFRESH_S
        while self._dirty and (self._waited_for if waited_for else time.monotonic() < end_s):
            if not waited_for and hurry():
                return None
            item_id, _ = self._dirty.popitem()
            self._waited_for.discard(item_id)
            item = self.encode(item_id)
            people = self._people(item_id)
            self._marked[item_id] = Counter(
                key for labels in people.values() for span in labels.spans().values() for key in span.categories
            )
            now = examples_of(self.schema, item, list(people.values()))
            before = self._put.get(item_id, {})
            for name in before.keys() - now.keys():
                self._rewards.remove(name)
            for name, label in now.items():
                if before.get(name) != label:
                    self._rewards.put(name, label)
            self._changed = self._changed or before != now
            self._put[item_id] = now
        return self._changed

    def _people(self, item_id: str) -> dict[str, ItemLabels]:
        """Author -> labels."""
        steps = self._steps.get(item_id, [])
        authors = dict.fromkeys(step.author for step in steps)
        return {author: labels_of(step for step in steps if step.author == author) for author in authors}

    def _gate(self, trained: Trained) -> tuple[bool, str]:
        """Whether the version may answer, and why, in words."""
        measured = [value for value in trained.f1.values() if value == value]  # without what could not be measured
        mean = sum(measured) / len(measured) if measured else None
        if mean is None or trained.held_out < GATE_ITEMS or self._mean_f1 is None:
            self._mean_f1 = mean
            return True, f"promoted; {trained.held_out} items are kept out, too few to compare versions"
        if mean < self._mean_f1 - GATE_MARGIN:
            return False, (
                f"not promoted: F1 on {trained.held_out} items that are kept out fell from {self._mean_f1:.2f} to "
                f"{mean:.2f}"
            )
        before, self._mean_f1 = self._mean_f1, mean
        return True, f"promoted: F1 on {trained.held_out} items that are kept out is {mean:.2f}, it was {before:.2f}"

    def order(self) -> list[str]:
        """All items: those that nobody is done with first, of these the least certain, and last what nothing is known
        of. What is uncertain is an item's first output."""
        done = {item_id for item_id in self._steps if any(p.done for p in self._people(item_id).values())}
        known = [item_id for item_id in self._first if item_id in self._encoded]
        estimates = self._rewards.estimate([self._first[item_id] for item_id in known])
        doubts = {item_id: estimate.uncertainty for item_id, estimate in zip(known, estimates, strict=False)}
        ids = self.project.ids()
        self._order = sorted(ids, key=lambda item_id: (item_id in done, -doubts.get(item_id, -1.0)))
        return self._order

    def _estimates(self, item: Item) -> dict[str, Estimate]:
        """Track -> what the models think."""
        documents = documents_of(item)
        tracks = [document.id.removeprefix(f"{item.id}/") for document in documents]
        return dict(zip(tracks, self._rewards.estimate(documents), strict=False))

    def close(self) -> None:
        """Keep what was learned, and close the files."""
        self._rewards.close()
        self.project.close()

    def suggestions(self, item_id: str) -> Suggestions | None:
        """What the version that answers thinks of an item; None before the first one."""
        item = self.encode(item_id)
        found = self._estimates(item)
        if not found:
            return None
        segments = [
            SegmentScore(
                track=track, start=s.start, end=s.end, head=head, probability=s.probability,
                reward=s.reward,
            )
            for track, estimate in found.items()
            for head, own in estimate.segments.items()
            for s in own
        ]  # fmt: skip
        scores = [estimate.scores.get(PREFERENCE) for estimate in found.values()]
        return Suggestions(
            project=self.project.name,
            item=item_id,
            version=self._version,
            spans=self._spans(found),
            segments=segments,
            preferences=[score for score in scores if score is not None],
            uncertainty=next(iter(found.values())).uncertainty,
        )

    def _spans(self, found: Mapping[str, Estimate]) -> list[Suggestion]:
        usual = {head: self._usual(head) for estimate in found.values() for head in estimate.segments}
        return [
            Suggestion(track=track, start=s.start, end=s.end, category=usual[head], probability=s.probability)
            for track, estimate in found.items()
            for head, own in estimate.segments.items()
            for s in own
            if s.error
        ]

    def _usual(self, head: str) -> str:
        """The category of a head that people mark most often; the first one of those that are."""
        keys = [category.key for category in self.schema.of_head(head) if not category.good]
        counts = {key: sum(marked[key] for marked in self._marked.values()) for key in keys}
        return max(keys, key=lambda key: counts[key])
