"""One project as its learner sees it: which labels are true now, what a new version makes of them, what it would
suggest.

Labels are put and taken from the reward models as people's steps change them, so that an undo is unlearned by the next
update. Texts and recordings have models of their own, each with its versions; a version that answers unseen labels
worse than the promoted one is kept and not promoted. Knows nothing of sockets or threads; the models come from outside
(`rewards`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hitl.annotation.items import Item
from hitl.annotation.project import Project
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels, labels_of
from hitl.annotation_messages import CurvePoint, Progress, Suggestions
from hitl.backend.reward_part import Part, Suggested
from hitl.backend.reward_versions import RewardVersions
from hitl.backend.rewards import Gate, Rewards, TimeRewards, Trained
from hitl.backend.text_part import TextPart
from hitl.backend.time_part import TimePart
from hitl.events import LabelEvent

MAX_CURVE = 200
REFRESH_S = 2.0
"""How long features of labelled items are computed before there is another version."""


@dataclass
class _Learned:
    """A part, and how far its learning is. versions: on disk; changed: whether there are labels that its models have
    not learned from; version: the newest promoted one; last: the latest, and what the gate said of it."""

    part: Part
    gate: Gate
    versions: RewardVersions | None
    changed: bool = False
    version: str = ""
    last: tuple[Trained, bool, str] | None = None

    def learn(self) -> bool:
        """Another version; whether it was promoted."""
        self.changed = False
        trained = self.part.rewards.update()
        if trained is None:
            self.last, self.version = None, ""
            return False
        promoted, reason = self.gate.passes(trained)
        if promoted:
            self.part.rewards.promote()
            self.version = trained.version
        else:
            self.part.rewards.revert()
        reason = "; ".join(text for text in (reason, trained.remark) if text)
        self.last = trained, promoted, reason
        if self.versions is not None:
            self.versions.record(
                trained.version, labelled=trained.labelled, held_out=trained.held_out, f1=trained.f1,
                pairwise=trained.pairwise, promoted=promoted, reason=reason,
            )  # fmt: skip
        return promoted

    def pinned(self) -> str:
        """The version that a person rolled back to; empty where none is."""
        return self.versions.pinned() if self.versions is not None else ""

    def answering(self) -> str:
        """The version that answers."""
        works = self.versions is None or not self.versions.problem
        return (self.pinned() if works else "") or self.version

    def about_pin(self) -> str:
        """What is to be said of the pin; empty where none is."""
        pin = self.pinned()
        if not pin or self.versions is None:
            return ""
        why = self.versions.problem
        return f"pinned to {pin}, which cannot answer ({why}); " if why else f"pinned to {pin}; "


class RewardProject:
    """State of one project; owned by one thread. Without rewards of a kind, items of that kind are left alone."""

    def __init__(
        self,
        project: Project,
        steps: Iterable[LabelEvent],
        rewards: Rewards | None,
        times: TimeRewards | None = None,
        versions: RewardVersions | None = None,
        time_versions: RewardVersions | None = None,
    ) -> None:
        self.project = project
        self._texts: _Learned | None = None
        self._times: _Learned | None = None
        if rewards is not None:
            self._texts = _Learned(TextPart(project.schema, rewards), Gate("items that are kept out"), versions)
        if times is not None:
            unseen = "recordings, by models that have not seen them"
            self._times = _Learned(TimePart(project.schema, times), Gate(unseen), time_versions)
        self._pins = self._pinned()
        self._steps: dict[str, list[LabelEvent]] = {}
        self._known: set[str] = set()
        self._dirty: dict[str, None] = {}
        self._waited_for: set[str] = set()
        """Items of `_dirty` that somebody has just labelled."""
        self._encoded: set[str] = set()
        self._failed: set[str] = set()
        """Items of `_encoded` that could not be read."""
        self._order: list[str] = []
        self._curve: list[CurvePoint] = []
        self._seconds: float | None = None
        """Of the last update; None before the first version."""
        self._latest = ""
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
    def _parts(self) -> list[_Learned]:
        return [learned for learned in (self._texts, self._times) if learned is not None]

    def _of(self, item: Item) -> _Learned | None:
        return self._times if item.recording else self._texts

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
        return bool(self._dirty) or any(learned.changed for learned in self._parts)

    def unencoded(self, count: int) -> list[str]:
        """The next items whose features are not there yet: those with labels first."""
        ids = [*self._steps, *self.project.ids()]
        return [item_id for item_id in dict.fromkeys(ids) if item_id not in self._encoded][:count]

    def encode(self, item_id: str) -> Item:
        """See to it that the features of an item are there. One that cannot be read is tried again when it is asked
        for, and not for ever."""
        new = item_id not in self._encoded
        self._encoded.add(item_id)
        item = self.project.item(item_id)
        learned = self._of(item)
        if learned is not None and (new or item_id in self._failed):
            if learned.part.encode(item):
                self._failed.add(item_id)
            elif item_id in self._failed:
                self._failed.discard(item_id)
                self._dirty.setdefault(item_id)
        return item

    def update(self, hurry: Callable[[], bool] = lambda: False) -> Progress | None:
        """Learn from what people said since the last time, and pass the gate. Where that changed no label, or too
        little is known, the version stays; None before the first one.

        hurry: whether somebody waits for something else. Then nothing is learned of old labels now: None."""
        if not self._refresh(hurry):
            return None
        changed = [learned for learned in self._parts if learned.changed]
        began_s = time.monotonic()
        promoted = [learned.learn() for learned in changed]
        if any(learned.last is not None for learned in changed):
            self._seconds = time.monotonic() - began_s
        progress = self.progress()
        if progress is not None and any(promoted):
            point = CurvePoint(labelled=progress.labelled, f1=progress.f1)
            self._curve = [*self._curve, point][-MAX_CURVE:]
        return self.progress()

    def _pinned(self) -> list[str]:
        return [learned.pinned() for learned in self._parts]

    def pin_moved(self) -> bool:
        """Whether another version answers than at the last look, since a person rolled back or let go."""
        before, self._pins = self._pins, self._pinned()
        return self._pins != before

    def progress(self) -> Progress | None:
        """How far learning is, texts and recordings together; None before the first version."""
        if self._seconds is None:
            return None
        known = [learned.last for learned in self._parts if learned.last is not None]
        trained = [last[0] for last in known]
        nothing = "nothing is learned: there are too few labels"
        return Progress(
            project=self.project.name,
            version=" ".join(name for learned in self._parts if (name := learned.answering())),
            pinned=" ".join(
                pin for learned in self._parts if (pin := learned.pinned()) and learned.answering() == pin
            ),
            labelled=sum(one.labelled for one in trained),
            held_out=sum(one.held_out for one in trained),
            f1={head: value for one in trained for head, value in one.f1.items()},
            pairwise={head: value for one in trained for head, value in one.pairwise.items()},
            calibration={head: value for one in trained for head, value in one.calibration.items()},
            curve=self._curve,
            order=self._order,
            seconds=self._seconds,
            promoted=all(promoted for _, promoted, _ in known),
            reason="".join(learned.about_pin() for learned in self._parts)
            + ("; ".join(reason for _, _, reason in known) or nothing),
            learned_from=self._latest,
        )

    def _refresh(self, hurry: Callable[[], bool]) -> bool:
        """Tell the models which labels changed; False where somebody waits for something else.
        What was labelled just now comes first and is learned at once. Where the rest takes long, since features are
        not there yet, a version is made meanwhile of what is known."""
        waited_for = bool(self._waited_for)
        end_s = time.monotonic() + REFRESH_S
        while self._dirty and (self._waited_for if waited_for else time.monotonic() < end_s):
            if not waited_for and hurry():
                return False
            item_id, _ = self._dirty.popitem()
            self._waited_for.discard(item_id)
            item = self.encode(item_id)
            people = self._people(item_id)
            self._marked[item_id] = Counter(
                key for labels in people.values() for span in labels.spans().values() for key in span.categories
            )
            learned = self._of(item)
            if learned is not None and item_id not in self._failed:
                learned.changed = learned.part.put(item, people) or learned.changed
        return True

    def _people(self, item_id: str) -> dict[str, ItemLabels]:
        """Author -> labels."""
        steps = self._steps.get(item_id, [])
        authors = dict.fromkeys(step.author for step in steps)
        return {author: labels_of(step for step in steps if step.author == author) for author in authors}

    def order(self) -> list[str]:
        """All items: those that nobody is done with first, of these the least certain, and last what nothing is known
        of."""
        done = {item_id for item_id in self._steps if any(p.done for p in self._people(item_id).values())}
        doubts = {item: doubt for learned in self._parts for item, doubt in learned.part.doubts().items()}
        ids = self.project.ids()
        self._order = sorted(ids, key=lambda item_id: (item_id in done, -doubts.get(item_id, -1.0)))
        return self._order

    def close(self) -> None:
        """Keep what was learned, and close the files."""
        for learned in self._parts:
            learned.part.rewards.close()
        self.project.close()

    def suggestions(self, item_id: str) -> Suggestions | None:
        """What the version that answers thinks of an item, or why it cannot be read; None before the first one."""
        item = self.encode(item_id)
        learned = self._of(item)
        if learned is None:
            return None
        found = learned.part.suggested(item, self._people(item_id), self._usual)
        if found is None:
            if self._seconds is None:
                return None
            found = Suggested()  # what was suggested is not any more
        return Suggestions(
            project=self.project.name,
            item=item_id,
            version=learned.answering(),
            spans=found.spans,
            segments=found.segments,
            curves=found.curves,
            preferences=found.preferences,
            uncertainty=found.uncertainty,
            error=found.error,
        )

    def _usual(self, head: str) -> str:
        """The category of a head that people mark most often, of those that are no praise where there are any; the
        first one of those that are."""
        categories = self.schema.of_head(head)
        keys = [category.key for category in categories if not category.good] or [one.key for one in categories]
        counts = {key: sum(marked[key] for marked in self._marked.values()) for key in keys}
        return max(keys, key=lambda key: counts[key])
