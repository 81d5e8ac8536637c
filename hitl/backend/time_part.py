"""The recordings of a project as its learner sees them: what people said on the time track, and what would be
suggested there.

Where people disagree, both answers are learned from. A recording that cannot be read is told by name, and the others
go on. Knows nothing of texts, versions or when to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import ChanceCurve, SegmentScore, Suggestion
from hitl.backend.reward_part import Suggested
from hitl.backend.rewards import TimeEstimate, TimeRewards
from hitl.backend.time_spans import Span, suggested_spans, unanswered
from hitl.errors import HitlError
from hitl.labels import TIME_TRACK, Rejected
from hitl.labels import Span as SpanLabel
from hitl.time_labels import time_labels
from policies.rewards.trajectory.labels import TimeLabel


class TimePart:
    """See `reward_part.Part`."""

    def __init__(self, schema: Schema, rewards: TimeRewards) -> None:
        self.rewards = rewards
        self._schema = schema
        self._put: dict[str, dict[str, TimeLabel]] = {}
        self._problems: dict[str, str] = {}
        self._encoded: dict[str, None] = {}

    def encode(self, item: Item) -> str:
        """See `Part.encode`."""
        try:
            self.rewards.encode(item)
        except HitlError as error:
            self._problems[item.id] = str(error)
            return str(error)
        self._problems.pop(item.id, None)
        self._encoded[item.id] = None
        return ""

    def put(self, item: Item, people: Mapping[str, ItemLabels]) -> bool:
        """See `Part.put`."""
        now = {
            f"{item.id} {author} {key}": label
            for author, labels in people.items()
            for key, label in time_labels(self._schema, labels.values, item.duration_ms).items()
        }
        if item.id not in self._encoded or now == self._put.get(item.id, {}):
            return False
        self.rewards.put(item.id, now)
        self._put[item.id] = now
        return True

    def doubts(self) -> dict[str, float]:
        """See `Part.doubts`."""
        found = {item: self.rewards.estimate(item, []) for item in self._encoded}
        return {item: estimate.uncertainty for item, estimate in found.items() if estimate is not None}

    def suggested(self, item: Item, people: Mapping[str, ItemLabels], usual: Callable[[str], str]) -> Suggested | None:
        """See `Part.suggested`."""
        if item.id in self._problems:
            return Suggested(error=self._problems[item.id])
        stretches = [(stretch.start_ms, stretch.end_ms) for stretch in item.stretches] or [(0, item.duration_ms)]
        found = self.rewards.estimate(item.id, stretches)
        if found is None:
            return None
        return Suggested(
            spans=self._spans(item, stretches, found, people, usual),
            segments=[
                SegmentScore(
                    track=TIME_TRACK, start=s.start, end=s.end, head=head, probability=s.probability, reward=s.reward
                )
                for head, own in found.segments.items()
                for s in own
            ],
            curves=[
                ChanceCurve(head=head, step_ms=found.step_ms, probability=[round(chance, 4) for chance in chances])
                for head, chances in found.curves.items()
            ],
            uncertainty=found.uncertainty,
        )

    def _spans(
        self,
        item: Item,
        stretches: list[Span],
        found: TimeEstimate,
        people: Mapping[str, ItemLabels],
        usual: Callable[[str], str],
    ) -> list[Suggestion]:
        """Of every head, by time; not where everybody who labelled the item has answered it."""
        borders = [start for start, _ in stretches]
        suggestions = []
        for head, chances in found.curves.items():
            threshold = found.thresholds[head]
            spans = suggested_spans(chances, threshold, found.step_ms, item.duration_ms, borders)
            spans = self._open(spans, head, people)
            estimate = self.rewards.estimate(item.id, spans) if spans else None
            suggestions += [
                Suggestion(track=TIME_TRACK, start=s.start, end=s.end, category=usual(head), probability=s.probability)
                for s in (estimate.segments[head] if estimate is not None else [])
                if s.error
            ]
        return sorted(suggestions, key=lambda one: (one.start, one.end))

    def _open(self, spans: list[Span], head: str, people: Mapping[str, ItemLabels]) -> list[Span]:
        answered = [own for labels in people.values() if (own := self._answered(labels, head))]
        if len(answered) < len(people) or not answered:
            return spans  # somebody has said nothing of this yet
        if len(answered) == 1:
            return unanswered(spans, answered[0])
        return [span for span in spans if any(unanswered([span], own) for own in answered)]

    def _answered(self, labels: ItemLabels, head: str) -> list[Span]:
        """Where one person marked something of a head, or said no to it."""
        own = {category.key for category in self._schema.of_head(head)}
        found = []
        for value in labels.values.values():
            if isinstance(value, SpanLabel):
                categories = value.categories
            elif isinstance(value, Rejected):
                categories = [value.category]
            else:
                continue
            if value.track == TIME_TRACK and own & {self._schema.current(key) for key in categories}:
                found.append((value.start, value.end))
        return found
