"""What several people marked on the same text, side by side: places at which their spans touch, and who agrees.

Knows nothing of windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hitl.annotation.state import ItemLabels
from hitl.labels import Span


@dataclass
class Place:
    """Characters `start` to `end`, within which the spans of `cells` lie: author -> key -> span."""

    start: int
    end: int
    cells: dict[str, dict[str, Span]] = field(default_factory=dict)

    def agreed(self, authors: Sequence[str]) -> bool:
        """Whether all of them marked the same characters with the same categories."""
        said = [_said(self.cells.get(author, {})) for author in authors]
        return all(entry == said[0] for entry in said)


def places(labels: Mapping[str, ItemLabels], track: str) -> list[Place]:
    """Places in the order of the text; spans that share a character are in one place."""
    spans = [(span.start, span.end, author, key, span) for author, theirs in labels.items()
             for key, span in theirs.spans(track).items()]  # fmt: skip
    found: list[Place] = []
    for start, end, author, key, span in sorted(spans, key=lambda entry: entry[:4]):
        if not found or start >= found[-1].end:
            found.append(Place(start, end))
        place = found[-1]
        place.end = max(place.end, end)
        place.cells.setdefault(author, {})[key] = span
    return found


def agreement(labels: Mapping[str, ItemLabels], track: str) -> tuple[int, int]:
    """At how many places all agree, and how many there are."""
    found = places(labels, track)
    return sum(place.agreed(list(labels)) for place in found), len(found)


def _said(spans: Mapping[str, Span]) -> list[tuple[int, int, tuple[str, ...]]]:
    return sorted((span.start, span.end, tuple(sorted(span.categories))) for span in spans.values())
