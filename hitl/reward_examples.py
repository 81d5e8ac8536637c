"""From what people said about items to what reward models learn from: documents, and labels under ids.

Every output is a document, every head has one label for it: 1, 0 or unknown for each segment. Where several people
judged a segment, the majority counts, and a tie is unknown. A rewrite and what is marked as missing say which
sentences of the sources are wanted, and of two outputs that one is better which says more of them. The rules are those
of Fine-Grained RLHF (`create_rel_fact_rm_files.py` and `create_comp_rm_files.py` of allenai/FineGrainedRLHF), whoever
labelled: what learns while people label and what is evaluated learn from the same. Knows nothing of models, files or
windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from hitl.annotation.coverage import plain, said
from hitl.annotation.items import Item
from hitl.annotation.judged import categories_in, judged_segments, judged_whole, segments_of
from hitl.annotation.schema import Head, Schema
from hitl.annotation.state import ItemLabels
from hitl.labels import Rejected
from policies.rewards.documents import Density, Document, HeadSpec, Label, Preferred, SegmentLabels, Wanted

PREFERENCE = "preference"
"""Name of the head that learns which output is preferred."""


def heads_of(schema: Schema) -> tuple[HeadSpec, ...]:
    """The heads of a schema that look at text. Those that look at a whole output by what it lacks are of kind
    coverage."""
    heads = []
    for head in schema.heads:
        if head.density == "time" or not schema.of_head(head.key):
            continue
        own = schema.of_head(head.key)
        if any(category.where == "missing" for category in own):
            heads.append(HeadSpec(head.key, head.density, "coverage", head.weight))
        else:
            wrong = tuple(category.key for category in own if not category.good)
            heads.append(HeadSpec(head.key, head.density, "error", head.weight, wrong))
    if schema.preferences:
        heads.append(HeadSpec(PREFERENCE, "whole", "preference", 0.0))
    return tuple(heads)


def document_id(item: str, track: str) -> str:
    """The id of an output's document."""
    return f"{item}/{track}"


def item_of(document: str) -> str:
    """The id of the item that a document is an output of."""
    return document.rpartition("/")[0]


def documents_of(schema: Schema, item: Item) -> list[Document]:
    """A document for each output that says something, cut as the schema's heads need it."""
    sources = tuple((source.title, *source.sentences) for source in item.sources)
    densities = _densities(heads_of(schema))
    return [
        Document(
            document_id(item.id, output.track),
            item.prompt,
            sources,
            output.text,
            {
                density: tuple((s.start, s.end) for s in segments_of(item, output.track, density))
                for density in densities
            },
        )
        for output in item.outputs
        if output.text.strip()
    ]


def _densities(heads: Sequence[HeadSpec]) -> list[Density]:
    """What outputs are cut into; what covers sources is looked at by sub-sentences."""
    found: set[Density] = {head.density for head in heads if head.density != "whole"}
    if any(head.kind == "coverage" for head in heads):
        found.add("sub_sentence")
    return sorted(found)


def labels_of(schema: Schema, item: Item, people: Sequence[ItemLabels]) -> dict[str, Label]:
    """Id -> label, of all heads, from what everybody said about an item. What nobody knows has no label."""
    found: dict[str, Label] = {}
    tracks = [output.track for output in item.outputs if output.text.strip()]
    for spec in heads_of(schema):
        if spec.kind == "error":
            for track in tracks:
                label = _segments(schema, item, people, track, schema.head(spec.name))
                if label is not None:
                    found[f"{spec.name}@{label.document}"] = label
        elif spec.kind == "coverage":
            found |= _coverage(schema, item, people, tracks, spec.name)
    if schema.preferences:
        found |= _preferred(item, people)
    return found


def _segments(
    schema: Schema, item: Item, people: Sequence[ItemLabels], track: str, head: Head
) -> SegmentLabels | None:
    """What a head learns of an output; None where nobody judged any of it."""
    segments = segments_of(item, track, head.density)
    votes: list[list[set[str]]] = [[] for _ in segments]
    wrong = {category.key for category in schema.of_head(head.key) if not category.good}
    for labels in people:
        judged = set(judged_segments(item, labels, track, head))
        rejected = _rejected(schema, labels, track, head)
        for vote, segment in zip(votes, segments, strict=True):
            categories = categories_in(schema, item, labels, track, head, segment)
            if segment in judged or categories or any(segment.touches(part) for part in rejected):
                vote.append(categories & wrong)
    values = tuple(_majority([int(bool(categories)) for categories in vote]) for vote in votes)
    if all(value is None for value in values):
        return None
    named = tuple(_named(vote, wrong) if value else () for vote, value in zip(votes, values, strict=True))
    return SegmentLabels(head.key, document_id(item.id, track), values, named)


def _named(votes: Sequence[set[str]], known: Iterable[str]) -> tuple[str, ...]:
    """The categories that at least half of those name who see an error."""
    counts = Counter(key for vote in votes for key in vote)
    errors = sum(bool(vote) for vote in votes)
    return tuple(sorted(key for key in known if 2 * counts[key] >= errors))


def _rejected(schema: Schema, labels: ItemLabels, track: str, head: Head) -> list[tuple[int, int]]:
    """Where a suggestion for this head was turned down."""
    own = {category.key for category in schema.of_head(head.key)}
    found = [value for value in labels.of(Rejected).values() if value.track == track]
    return [(value.start, value.end) for value in found if schema.current(value.category) in own]


def _majority(votes: Sequence[int]) -> int | None:
    more = _majority_of(sum(votes), len(votes))
    return None if more is None else int(more)


def _majority_of(count: int, votes: int) -> bool | None:
    return None if 2 * count == votes else 2 * count > votes


def _coverage(
    schema: Schema, item: Item, people: Sequence[ItemLabels], tracks: Sequence[str], head: str
) -> dict[str, Label]:
    """Which sentences of the sources are wanted, and which of two outputs says more of them; nothing where nobody
    judged a whole output, or nothing is wanted."""
    verdicts = [
        (track, _wanted_by(schema, item, labels, track, head))
        for labels in people
        for track in judged_whole(item, labels)
        if track in tracks
    ]
    counts = Counter(place for _, wanted in verdicts for place in wanted)
    sentences = _sentences(item)
    values = tuple(_majority_of(counts[place], len(verdicts)) for place in range(len(sentences)))
    wanted = {place for place, value in enumerate(values) if value}
    if not wanted:
        return {}
    found: dict[str, Label] = {f"{head}@{item.id}": Wanted(head, document_id(item.id, verdicts[0][0]), values)}
    covered = {
        track: len(wanted & {place for _, place in said(item.output(track).text, sentences)}) for track in tracks
    }
    for first, second in combinations(tracks, 2):
        if covered[first] != covered[second]:
            better, worse = (first, second) if covered[first] > covered[second] else (second, first)
            ids = document_id(item.id, better), document_id(item.id, worse)
            found[f"{head}@{item.id}/{first}:{second}"] = Preferred(head, *ids)
    return found


def _wanted_by(schema: Schema, item: Item, labels: ItemLabels, track: str, head: str) -> set[int]:
    """Places of the source sentences that one person wants: those that the rewrite says, or without one the parts of
    the output that are not marked as errors; and those that are missing. What is optional is wanted only where the
    output says it already."""
    keys = ((s, n + 1) for s, source in enumerate(item.sources) for n in range(len(source.sentences)))
    places = {key: place for place, key in enumerate(keys)}
    missing: dict[bool, set[int]] = {True: set(), False: set()}
    for value in labels.missing(track).values():
        category = schema.current(value.category)
        if category is not None and schema.category(category).head == head:
            at = ((evidence.source, evidence.sentence) for evidence in value.evidence)
            missing[schema.category(category).optional] |= {places[key] for key in at if key in places}
    output, rewrite = item.output(track).text, labels.rewrite(track)
    text = plain(_without_errors(schema, labels, track, output) if rewrite is None else rewrite)
    held, own = plain(output).lower(), set()
    wanted: set[int] = set()
    for piece, place in said(text, _sentences(item)):
        wanted.add(place)
        if text[piece.start : piece.end].lower() in held:
            own.add(place)
    return (wanted - (missing[True] - own)) | missing[False]


def _without_errors(schema: Schema, labels: ItemLabels, track: str, text: str) -> str:
    """The text without the spans that say that something is wrong."""
    kept = list(text)
    for span in labels.spans(track).values():
        keys = (schema.current(key) for key in span.categories)
        if any(key is not None and not schema.category(key).good for key in keys):
            kept[span.start : span.end] = [""] * (span.end - span.start)
    return "".join(kept)


def _sentences(item: Item) -> tuple[str, ...]:
    """All sentences of the sources, titles left out."""
    return tuple(sentence for source in item.sources for sentence in source.sentences)


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
