"""What others would mark: suggestions of a model and spans of other people, as far as nothing is said about them yet.

Knows nothing of windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import Suggestions
from hitl.labels import Rejected, Span, key_of


@dataclass(frozen=True)
class Proposal:
    """A span that somebody else would mark. author: empty for the model; score: its probability, 1 for a person."""

    id: str
    span: Span
    author: str = ""
    score: float = 1.0


def of_model(suggestions: Suggestions | None, labels: ItemLabels, track: str) -> list[Proposal]:
    """Suggestions for a track that were neither taken over nor rejected, in the order of the text."""
    if suggestions is None:
        return []
    own = list(labels.spans(track).values())
    found = []
    for entry in suggestions.spans:
        if entry.track != track:
            continue
        span = Span(
            track=track, start=entry.start, end=entry.end, categories=[entry.category],
            suggested_by=suggestions.version,
        )  # fmt: skip
        if rejection(span)[0] in labels.values or any(_says(mine, span) for mine in own):
            continue
        found.append(Proposal(f"model:{entry.start}:{entry.end}:{entry.category}", span, "", entry.probability))
    return sorted(found, key=lambda proposal: (proposal.span.start, -proposal.span.end))


def of_people(others: Mapping[str, ItemLabels], labels: ItemLabels, track: str) -> list[Proposal]:
    """Spans of other people that this person neither has nor has rejected, in the order of the text."""
    own = {(span.start, span.end, key) for span in labels.spans(track).values() for key in span.categories}
    found = [
        Proposal(f"{author}:{key}", span, author)
        for author, theirs in others.items()
        for key, span in theirs.spans(track).items()
        if any(
            (span.start, span.end, kind) not in own and _no(span, kind)[0] not in labels.values
            for kind in span.categories
        )
    ]
    return sorted(found, key=lambda proposal: (proposal.span.start, -proposal.span.end, proposal.author))


def rejection(span: Span) -> tuple[str, Rejected]:
    """Key and value that say no to a suggestion."""
    return _no(span, span.categories[0])


def _no(span: Span, category: str) -> tuple[str, Rejected]:
    value = Rejected(track=span.track, start=span.start, end=span.end, category=category)
    return key_of(value), value


def _says(mine: Span, suggested: Span) -> bool:
    touches = mine.start < suggested.end and suggested.start < mine.end
    return touches and suggested.categories[0] in mine.categories
