"""How far several people agree on the same items, and what is to be decided where they do not.

Krippendorff's alpha (Krippendorff, Computing Krippendorff's alpha-reliability, 2011, nominal data, people may be
missing) of segments at each head's density, for each head and each category; F1 of spans between each two people,
exactly and by shared characters; and spans that touch, in clusters, for who decides. Only what a person judged counts
(`hitl/annotation/judged.py`). Knows nothing of files, logs or windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from hitl.annotation.items import Item
from hitl.annotation.judged import categories_in, judged_segments, judged_whole, tracks_of
from hitl.annotation.schema import Head, Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation.text import Range
from hitl.labels import Span

ByAuthor = Mapping[str, ItemLabels]


@dataclass(frozen=True)
class Alpha:
    """value: 1 is full agreement, 0 is chance; None where nothing varies, or nobody judged the same. units: segments
    that at least two people judged."""

    value: float | None
    units: int


@dataclass(frozen=True)
class SpanF1:
    """Between two people, on what both judged whole; None where neither marked anything. exact: same ends and
    category; overlap: characters (or milliseconds) of the same category."""

    first: str
    second: str
    exact: float | None
    overlap: float | None
    items: int


@dataclass(frozen=True)
class Agreement:
    """On some items."""

    heads: dict[str, Alpha]
    categories: dict[str, Alpha]
    pairs: list[SpanF1]


@dataclass(frozen=True)
class ProjectAgreement:
    """overall: of all items together; items: of each that at least two people labelled, by its id."""

    authors: list[str]
    overall: Agreement
    items: dict[str, Agreement]


def krippendorff_alpha(units: Iterable[Sequence[str | bool]]) -> Alpha:
    """Alpha of nominal values. units: for each thing that was judged the values that people gave, in any order."""
    rated = [Counter(values) for values in units if len(values) >= 2]
    totals: Counter[str | bool] = Counter()
    disagreed = 0.0
    for counts in rated:
        totals.update(counts)
        size = counts.total()
        disagreed += (size * size - sum(n * n for n in counts.values())) / (size - 1)
    size = totals.total()
    expected = (size * size - sum(n * n for n in totals.values())) / (size - 1) if size > 1 else 0.0
    return Alpha(1 - disagreed / expected if expected else None, len(rated))


def agreement_of(schema: Schema, items: Iterable[Item], labels: Mapping[str, ByAuthor]) -> ProjectAgreement:
    """Agreement on a project. labels: item -> author -> labels, in the categories of now."""
    counted = RunningAgreement(schema)
    for item in items:
        if len(labels.get(item.id, {})) >= 2:
            counted.put(item, labels[item.id])
    authors = sorted({author for found in labels.values() for author in found})
    return ProjectAgreement(authors, counted.overall(), counted.of_items())


class RunningAgreement:
    """Agreement on a project that is labelled meanwhile: an item is counted anew only where it is put again."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._tallies: dict[str, _Tally] = {}

    def put(self, item: Item, labels: ByAuthor) -> None:
        """What people say about an item now, in the categories of now."""
        tally = self._tallies[item.id] = _Tally(self._schema)
        tally.add(item, labels)

    def overall(self) -> Agreement:
        """Of all items together."""
        all_items = _Tally(self._schema)
        for tally in self._tallies.values():
            all_items.join(tally)
        return all_items.result()

    def of_items(self) -> dict[str, Agreement]:
        """Of each item, by its id."""
        return {name: tally.result() for name, tally in self._tallies.items()}


@dataclass
class _Shared:
    """Of two people: how many spans and characters each marked, and how many both."""

    items: int = 0
    spans: int = 0
    same_spans: int = 0
    characters: int = 0
    same_characters: int = 0


@dataclass
class _Tally:
    """What is counted of some items."""

    schema: Schema
    heads: dict[str, list[list[bool]]] = field(default_factory=dict)
    categories: dict[str, list[list[bool]]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], _Shared] = field(default_factory=dict)

    def add(self, item: Item, labels: ByAuthor) -> None:
        """One item."""
        for head in self.schema.heads:
            for track in tracks_of(item):
                self._add_segments(item, labels, track, head)
        for first, second in combinations(sorted(labels), 2):
            self._add_pair(item, (first, labels[first]), (second, labels[second]))

    def _add_segments(self, item: Item, labels: ByAuthor, track: str, head: Head) -> None:
        units: dict[Range, list[set[str]]] = {}
        for of_author in labels.values():
            for segment in judged_segments(item, of_author, track, head):
                found = categories_in(self.schema, item, of_author, track, head, segment)
                units.setdefault(segment, []).append(found)
        for said in units.values():
            self.heads.setdefault(head.key, []).append([bool(found) for found in said])
            for category in self.schema.of_head(head.key):
                self.categories.setdefault(category.key, []).append([category.key in found for found in said])

    def _add_pair(self, item: Item, first: tuple[str, ItemLabels], second: tuple[str, ItemLabels]) -> None:
        tracks = set(judged_whole(item, first[1])) & set(judged_whole(item, second[1]))
        if not tracks:
            return
        shared = self.pairs.setdefault((first[0], second[0]), _Shared())
        one, other = (_Marked(labels, tracks) for _, labels in (first, second))
        shared.items += 1
        shared.spans += one.spans.total() + other.spans.total()
        shared.same_spans += (one.spans & other.spans).total()
        shared.characters += len(one.characters) + len(other.characters)
        shared.same_characters += len(one.characters & other.characters)

    def join(self, other: _Tally) -> None:
        """Add what another counted."""
        for own, added in ((self.heads, other.heads), (self.categories, other.categories)):
            for key, units in added.items():
                own.setdefault(key, []).extend(units)
        for pair, shared in other.pairs.items():
            now = self.pairs.setdefault(pair, _Shared())
            for name, count in vars(shared).items():
                setattr(now, name, getattr(now, name) + count)

    def result(self) -> Agreement:
        """What it comes to."""
        keys = [category.key for category in self.schema.categories]
        return Agreement(
            {head.key: krippendorff_alpha(self.heads.get(head.key, [])) for head in self.schema.heads},
            {key: krippendorff_alpha(self.categories.get(key, [])) for key in keys},
            [
                SpanF1(first, second, _f1(s.same_spans, s.spans), _f1(s.same_characters, s.characters), s.items)
                for (first, second), s in sorted(self.pairs.items())
            ],
        )


class _Marked:
    """Spans and characters of one person on some tracks, each with its category."""

    def __init__(self, labels: ItemLabels, tracks: set[str]) -> None:
        self.spans: Counter[tuple[str, int, int, str]] = Counter()
        self.characters: set[tuple[str, int, str]] = set()
        for span in labels.of(Span).values():
            if span.track in tracks:
                for category in span.categories:
                    self.spans[span.track, span.start, span.end, category] += 1
                    self.characters |= {(span.track, at, category) for at in range(span.start, span.end)}


def _f1(same: int, both: int) -> float | None:
    return 2 * same / both if both else None


# -- what is to be decided ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """Spans of several people that touch, directly or through others. said: author -> key -> span, with an empty one
    for who judged this and marked nothing. agree: all who judged it marked the same parts as the same."""

    track: str
    start: int
    end: int
    said: dict[str, dict[str, Span]]
    agree: bool


def clusters_of(item: Item, labels: ByAuthor) -> list[Cluster]:
    """All of one item, in order of the text."""
    found = []
    for track in tracks_of(item):
        spans = [
            (span, author, key) for author, of_author in labels.items() for key, span in of_author.spans(track).items()
        ]
        spans.sort(key=lambda entry: (entry[0].start, entry[0].end))
        judged = [author for author, of_author in labels.items() if track in judged_whole(item, of_author)]
        group: list[tuple[Span, str, str]] = []
        end = 0
        for entry in spans:
            if group and entry[0].start >= end:
                found.append(_cluster(track, group, judged))
                group = []
            group.append(entry)
            end = max(end, entry[0].end) if len(group) > 1 else entry[0].end
        if group:
            found.append(_cluster(track, group, judged))
    return found


def _cluster(track: str, group: Sequence[tuple[Span, str, str]], judged: Sequence[str]) -> Cluster:
    said: dict[str, dict[str, Span]] = {author: {} for author in judged}
    for span, author, key in group:
        said.setdefault(author, {})[key] = span
    marks = [
        sorted((span.start, span.end, category) for span in spans.values() for category in span.categories)
        for spans in said.values()
    ]
    start, end = min(span.start for span, _, _ in group), max(span.end for span, _, _ in group)
    return Cluster(track, start, end, said, len(marks) > 1 and all(mark == marks[0] for mark in marks))
