"""The texts of a project as its learner sees them: outputs are documents, and what people said of them labels.

Knows nothing of recordings, versions or when to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import SegmentScore, Suggestion
from hitl.backend.reward_part import Suggested
from hitl.backend.rewards import Estimate, Rewards
from hitl.reward_examples import PREFERENCE, documents_of
from hitl.reward_examples import labels_of as examples_of
from policies.rewards.documents import Document, Label


class TextPart:
    """See `reward_part.Part`."""

    def __init__(self, schema: Schema, rewards: Rewards) -> None:
        self.rewards = rewards
        self._schema = schema
        self._put: dict[str, dict[str, Label]] = {}
        self._first: dict[str, Document] = {}

    def encode(self, item: Item) -> str:
        """See `Part.encode`."""
        documents = documents_of(self._schema, item)
        self.rewards.encode(documents)
        if documents:
            self._first[item.id] = documents[0]
        return ""

    def put(self, item: Item, people: Mapping[str, ItemLabels]) -> bool:
        """See `Part.put`."""
        now = examples_of(self._schema, item, list(people.values()))
        before = self._put.get(item.id, {})
        for name in before.keys() - now.keys():
            self.rewards.remove(name)
        for name, label in now.items():
            if before.get(name) != label:
                self.rewards.put(name, label)
        self._put[item.id] = now
        return before != now

    def doubts(self) -> dict[str, float]:
        """What is uncertain is an item's first output."""
        estimates = self.rewards.estimate(list(self._first.values()))
        return {item: estimate.uncertainty for item, estimate in zip(self._first, estimates, strict=False)}

    def suggested(self, item: Item, people: Mapping[str, ItemLabels], usual: Callable[[str], str]) -> Suggested | None:
        """See `Part.suggested`."""
        documents = documents_of(self._schema, item)
        tracks = [document.id.removeprefix(f"{item.id}/") for document in documents]
        found = dict(zip(tracks, self.rewards.estimate(documents), strict=False))
        if not found:
            return None
        scores = {track: estimate.scores.get(PREFERENCE) for track, estimate in found.items()}
        preferences = [scores.get(output.track) for output in item.outputs]
        return Suggested(
            spans=self._spans(found, usual),
            segments=[
                SegmentScore(
                    track=track, start=s.start, end=s.end, head=head, probability=s.probability, reward=s.reward,
                )
                for track, estimate in found.items()
                for head, own in estimate.segments.items()
                for s in own
            ],
            preferences=preferences if any(score is not None for score in preferences) else [],
            uncertainty=next(iter(found.values())).uncertainty,
        )  # fmt: skip

    @staticmethod
    def _spans(found: Mapping[str, Estimate], usual: Callable[[str], str]) -> list[Suggestion]:
        """Each with the likeliest category, or the usual one of a head that tells none apart."""
        return [
            Suggestion(
                track=track, start=s.start, end=s.end, category=s.category or usual(head), probability=s.probability
            )
            for track, estimate in found.items()
            for head, own in estimate.segments.items()
            for s in own
            if s.error
        ]
