"""Which segments of an output somebody looked at, and what is marked in each: what agreement and exports count.

Segments are cut at a head's density; recordings are cut into seconds. A segment counts only where the person judged
it: the whole of an output with a review that is done (see `hitl.labels.Review`), or a part that was said to be looked
at. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterable

from hitl.annotation.items import Item
from hitl.annotation.schema import Category, Density, Head, Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation.text import Range, sentences, spaced_words, sub_sentences, words
from hitl.labels import TIME_TRACK, Judged, Missing, Rewrite, Span, Unsure

TIME_SEGMENT_MS = 1000


def tracks_of(item: Item) -> list[str]:
    """The names of what is judged, in order."""
    return [output.track for output in item.outputs] + ([TIME_TRACK] if item.recording else [])


def segments_of(item: Item, track: str, density: Density) -> list[Range]:
    """A text in pieces of this density, or a recording in seconds, in order; none where the two do not fit."""
    if track == TIME_TRACK:
        end = item.duration_ms if density in ("time", "whole") else 0
        step = TIME_SEGMENT_MS if density == "time" else max(end, 1)
        return [Range(at, min(at + step, end)) for at in range(0, end, step)]
    text = item.output(track).text
    match density:
        case "token":
            return words(text)
        case "sub_sentence":
            return sub_sentences(text)
        case "sentence":
            return sentences(text)
        case "whole":
            return [Range(0, len(text))] if text else []
        case _:
            return []


def judged_whole(item: Item, labels: ItemLabels) -> list[str]:
    """The outputs that are judged from beginning to end: of a review that is done the first one, and every other with
    a span, a rewrite or something missing."""
    if not labels.done:
        return []
    marked = {value.track for value in labels.values.values() if isinstance(value, Span | Missing | Rewrite)}
    return [track for place, track in enumerate(tracks_of(item)) if place == 0 or track in marked]


def judged_segments(item: Item, labels: ItemLabels, track: str, head: Head) -> list[Range]:
    """The segments of an output that the person looked at for this head."""
    segments = segments_of(item, track, head.density)
    unsure = _parts(labels.of(Unsure).values(), track, head)
    known = [s for s in segments if not any(s.touches(part) for part in unsure)]
    if track in judged_whole(item, labels):
        return known
    parts = _parts(labels.of(Judged).values(), track, head)
    return [s for s in known if any(start <= s.start and s.end <= end for start, end in parts)]


def _parts(values: Iterable[Judged | Unsure], track: str, head: Head) -> list[tuple[int, int]]:
    return [
        (value.start, value.end) for value in values
        if value.track == track and (not value.heads or head.key in value.heads)
    ]  # fmt: skip


def categories_in(schema: Schema, item: Item, labels: ItemLabels, track: str, head: Head, segment: Range) -> set[str]:
    """The categories of a head that are marked in a segment, or missing where the head looks at the whole. Spans of
    fewer words than their category wants teach nothing and do not count."""
    own = {category.key: category for category in schema.of_head(head.key)}
    found = set()
    for span in labels.spans(track).values():
        if segment.touches((span.start, span.end)):
            keys = {schema.current(key) for key in span.categories} & own.keys()
            found |= {key for key in keys if key is not None and _long_enough(item, span, own[key])}
    if head.density == "whole":
        keys = {schema.current(value.category) for value in labels.missing(track).values()}
        found |= {key for key in keys if key in own}
    return found


def _long_enough(item: Item, span: Span, category: Category) -> bool:
    if span.track == TIME_TRACK or not category.min_words:
        return True
    return len(spaced_words(item.output(span.track).text, (span.start, span.end))) >= category.min_words
