"""From what people said about items to what reward models learn from: documents, and labels under ids.

Every output is a document, every head has one label for it: 1, 0 or unknown for each segment. Where several people
judged a segment, the majority counts, and a tie is unknown. A rewrite and what is marked as missing say which
sentences of the sources are wanted. Knows nothing of models, files or windows.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache

from hitl.annotation.items import Item
from hitl.annotation.judged import categories_in, judged_segments, judged_whole, segments_of
from hitl.annotation.schema import Head, Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation.text import sub_sentences
from hitl.labels import Rejected
from policies.rewards.documents import Density, Document, HeadSpec, Label, Preferred, SegmentLabels, Wanted

PREFERENCE = "preference"
"""Name of the head that learns which output is preferred."""
_DENSITIES: tuple[Density, ...] = ("token", "sub_sentence", "sentence")
_SUPPORTED = 0.85
"""From which similarity on a source sentence says what a piece of text says (`create_comp_rm_files.py`)."""


def heads_of(schema: Schema) -> tuple[HeadSpec, ...]:
    """The heads of a schema that look at text. Those that look at a whole output by what it lacks are of kind
    coverage."""
    heads = []
    for head in schema.heads:
        if head.density == "time" or not schema.of_head(head.key):
            continue
        lacks = any(category.where == "missing" for category in schema.of_head(head.key))
        heads.append(HeadSpec(head.key, head.density, "coverage" if lacks else "error", head.weight))
    if schema.preferences:
        heads.append(HeadSpec(PREFERENCE, "whole", "preference", 0.0))
    return tuple(heads)


def document_id(item: str, track: str) -> str:
    """The id of an output's document."""
    return f"{item}/{track}"


def item_of(document: str) -> str:
    """The id of the item that a document is an output of."""
    return document.rpartition("/")[0]


def documents_of(item: Item) -> list[Document]:
    """A document for each output that says something."""
    sources = tuple((source.title, *source.sentences) for source in item.sources)
    return [
        Document(
            document_id(item.id, output.track),
            item.prompt,
            sources,
            output.text,
            {
                density: tuple((s.start, s.end) for s in segments_of(item, output.track, density))
                for density in _DENSITIES
            },
        )
        for output in item.outputs
        if output.text.strip()
    ]


def labels_of(schema: Schema, item: Item, people: Sequence[ItemLabels]) -> dict[str, Label]:
    """Id -> label, of all heads, from what everybody said about an item. What nobody knows has no label."""
    found: dict[str, Label] = {}
    for document in documents_of(item):
        track = document.id.removeprefix(f"{item.id}/")
        for spec in heads_of(schema):
            if spec.kind == "error":
                values = _segments(schema, item, people, track, schema.head(spec.name))
                if any(value is not None for value in values):
                    found[f"{spec.name}@{document.id}"] = SegmentLabels(spec.name, document.id, tuple(values))
            elif spec.kind == "coverage":
                wanted = _wanted(schema, item, people, track, spec.name)
                if wanted is not None:
                    found[f"{spec.name}@{document.id}"] = Wanted(spec.name, document.id, wanted)
    if schema.preferences:
        found |= _preferred(item, people)
    return found


def _segments(schema: Schema, item: Item, people: Sequence[ItemLabels], track: str, head: Head) -> list[int | None]:
    segments = segments_of(item, track, head.density)
    votes: list[list[int]] = [[] for _ in segments]
    for labels in people:
        judged = set(judged_segments(item, labels, track, head))
        rejected = _rejected(schema, labels, track, head)
        for vote, segment in zip(votes, segments, strict=True):
            categories = categories_in(schema, item, labels, track, head, segment)
            looked_at = segment in judged or categories or any(segment.touches(part) for part in rejected)
            if looked_at:
                vote.append(int(any(not schema.category(key).good for key in categories)))
    return [_majority(vote) for vote in votes]


def _rejected(schema: Schema, labels: ItemLabels, track: str, head: Head) -> list[tuple[int, int]]:
    """Where a suggestion for this head was turned down."""
    own = {category.key for category in schema.of_head(head.key)}
    found = [value for value in labels.of(Rejected).values() if value.track == track]
    return [(value.start, value.end) for value in found if schema.current(value.category) in own]


def _majority(votes: Sequence[int]) -> int | None:
    wrong = sum(votes)
    return None if 2 * wrong == len(votes) else int(2 * wrong > len(votes))


def _wanted(
    schema: Schema, item: Item, people: Sequence[ItemLabels], track: str, head: str
) -> tuple[bool | None, ...] | None:
    """For each sentence of the sources whether a good output holds it; None where nobody judged the whole output."""
    judges = [labels for labels in people if track in judged_whole(item, labels)]
    if not judges:
        return None
    own = {category.key for category in schema.of_head(head)}
    places = _source_places(item)
    counts = [0] * len(places)
    for labels in judges:
        wanted = {
            places[(e.source, e.sentence)]
            for missing in labels.missing(track).values()
            if schema.current(missing.category) in own
            for e in missing.evidence
            if (e.source, e.sentence) in places
        }
        text = labels.rewrite(track)
        wanted |= supported(text if text is not None else item.output(track).text, item)
        for place in wanted:
            counts[place] += 1
    return tuple(None if 2 * count == len(judges) else 2 * count > len(judges) for count in counts)


def _source_places(item: Item) -> Mapping[tuple[int, int], int]:
    """(source, sentence from 1) -> place among all sentences of the sources, titles left out."""
    keys = [(s, n + 1) for s, source in enumerate(item.sources) for n in range(len(source.sentences))]
    return {key: place for place, key in enumerate(keys)}


def supported(text: str, item: Item) -> set[int]:
    """Places of the source sentences that say what a sub-sentence of a text says: for each the most similar one, where
    it is similar enough, as the published code finds them."""
    sentences = [sentence for source in item.sources for sentence in source.sentences]
    return set(_supported(text, tuple(sentences)))


@lru_cache(maxsize=256)
def _supported(text: str, sentences: tuple[str, ...]) -> frozenset[int]:
    found = set()
    for piece in sub_sentences(text):
        best = max(
            (
                (_similarity(text[piece.start : piece.end], sentence), place)
                for place, sentence in enumerate(sentences)
            ),
            default=(0.0, -1),
        )
        if best[0] >= _SUPPORTED:
            found.add(best[1])
    return frozenset(found)


def _similarity(piece: str, sentence: str) -> float:
    """Of a piece to the most similar run of as many words of a sentence (`difflib`'s quick ratio)."""
    words = sentence.split()
    size = min(len(piece.split()), len(words))
    matcher = difflib.SequenceMatcher(None, b=piece, autojunk=False)
    best = 0.0
    for start in range(len(words) - size + 1):
        matcher.set_seq1(" ".join(words[start : start + size]))
        best = max(best, matcher.quick_ratio())
    return best


def _preferred(item: Item, people: Sequence[ItemLabels]) -> dict[str, Label]:
    """Of each pair what most people prefer; ties teach nothing."""
    votes: dict[tuple[str, str], int] = {}
    for labels in people:
        for pair, preference in labels.preferences().items():
            votes[pair] = votes.get(pair, 0) + {"first": 1, "second": -1, "tie": 0}[preference.winner]
    texts = {output.track for output in item.outputs if output.text.strip()}
    found: dict[str, Label] = {}
    for (first, second), vote in votes.items():
        if vote and {first, second} <= texts:
            better, worse = (first, second) if vote > 0 else (second, first)
            ids = document_id(item.id, better), document_id(item.id, worse)
            found[f"{PREFERENCE}@{item.id}/{first}:{second}"] = Preferred(PREFERENCE, *ids)
    return found
