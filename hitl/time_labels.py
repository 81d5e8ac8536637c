"""From a project's schema and labels to what a trajectory reward model is asked and told.

A head of density "time" is one question. Where it has categories that are no praise, yes is any of those ("mistake"),
and a praise of the same head ("good") is a no; where it has praise alone, yes is that ("done"). A span is an answer
for its own stretch. A stretch that was judged and has nothing marked is a no, in pieces of at most 4 s, but not where
somebody was unsure; and so is a suggestion that was rejected. What nobody judged is no answer. Knows nothing of models
and windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hitl.annotation.schema import Schema
from hitl.labels import TIME_TRACK, Judged, Rejected, Span, Unsure, Value

if TYPE_CHECKING:
    from policies.rewards.trajectory.labels import TimeHead, TimeLabel

PIECE_MS, LEAST_MS = 4000, 500
"""Of what was judged and has nothing: longer pieces would weigh less than the spans that people mark."""


def time_heads(schema: Schema) -> list[TimeHead]:
    """The questions of a schema; none where it has no head of density "time"."""
    from policies.rewards.trajectory.labels import TimeHead

    return [
        TimeHead(head.key, head.weight, praise=not _errors(schema, head.key))
        for head in schema.heads
        if head.density == "time" and schema.of_head(head.key)
    ]


def time_labels(schema: Schema, values: Mapping[str, Value], length_ms: int) -> dict[str, TimeLabel]:
    """The answers in the labels of one recording, `length_ms` long, under ids that begin with their keys."""
    from policies.rewards.trajectory.labels import TimeLabel

    found: dict[str, TimeLabel] = {}
    heads = [head.key for head in time_heads(schema)]
    for key, value in values.items():
        if not isinstance(value, Span | Judged | Rejected) or value.track != TIME_TRACK:
            continue
        start, end = max(0, value.start), min(value.end, length_ms)
        if start >= end:
            continue
        if isinstance(value, Judged):
            for head in value.heads or heads:
                if head in heads:
                    taken = sorted(_yes(schema, values, head) + _unsure(values, head))
                    for place, (first, last) in enumerate(_free((start, end), taken)):
                        found[f"{key}:{head}:{place}"] = TimeLabel(first, last, head, False)
            continue
        categories = value.categories if isinstance(value, Span) else [value.category]
        for head, answer in _answers(schema, categories).items():
            if isinstance(value, Span):
                found[f"{key}:{head}"] = TimeLabel(start, end, head, answer)
            elif answer:  # a rejected praise of a head that asks for errors says nothing of errors
                found[f"{key}:{head}"] = TimeLabel(start, end, head, False)
    return found


def _errors(schema: Schema, head: str) -> list[str]:
    return [category.key for category in schema.of_head(head) if not category.good]


def _answers(schema: Schema, categories: Iterable[str]) -> dict[str, bool]:
    """Head -> its answer by the categories of one span; yes where they say both. What was given up says nothing."""
    found: dict[str, bool] = {}
    for key in categories:
        current = schema.current(key)
        category = next((one for one in schema.categories if one.key == current), None)
        if category is None or schema.head(category.head).density != "time":
            continue
        yes = not category.good or not _errors(schema, category.head)
        found[category.head] = found.get(category.head, False) or yes
    return found


def _yes(schema: Schema, values: Mapping[str, Value], head: str) -> list[tuple[int, int]]:
    """Where the answer of a head is yes."""
    spans = [value for value in values.values() if isinstance(value, Span) and value.track == TIME_TRACK]
    return sorted((span.start, span.end) for span in spans if _answers(schema, span.categories).get(head))


def _unsure(values: Mapping[str, Value], head: str) -> list[tuple[int, int]]:
    """Where a person could not say."""
    found = [value for value in values.values() if isinstance(value, Unsure) and value.track == TIME_TRACK]
    return [(value.start, value.end) for value in found if not value.heads or head in value.heads]


def _free(stretch: tuple[int, int], taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretch without what is taken, in pieces."""
    at, end = stretch
    gaps = []
    for first, last in taken:
        if first > at:
            gaps.append((at, min(first, end)))
        at = max(at, last)
    gaps.append((at, end))
    found = []
    for first, last in gaps:
        if last - first < LEAST_MS:
            continue
        count = -(-(last - first) // PIECE_MS)
        cuts = [first + (last - first) * place // count for place in range(count + 1)]
        found += list(zip(cuts, cuts[1:], strict=False))
    return found
