"""Where several people marked the same text differently, and what one of them decides about it: what is open, and the
changes that settle it.

A decision is in the labels themselves: the person has the spans that count, and has rejected the others. So it is
undone like any step, and everybody sees it. Knows nothing of windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hitl.annotation.agreement import Cluster, clusters_of
from hitl.annotation.items import Item
from hitl.annotation.state import ItemLabels
from hitl.labels import Change, Rejected, Span, key_of

NEITHER = ""
"""Decides for nobody's reading: nothing is marked there."""


def clusters(item: Item, author: str, labels: ItemLabels, others: Mapping[str, ItemLabels]) -> list[Cluster]:
    """All places of an item at which somebody marked something, this person's labels first."""
    return clusters_of(item, {author: labels, **others})


def is_open(cluster: Cluster, author: str, labels: ItemLabels) -> bool:
    """Whether others marked something here that this person neither has nor has rejected."""
    own = _marks(cluster.said.get(author, {}))
    return not cluster.agree and any(key_of(mark) not in labels.values for mark in _theirs(cluster, author) - own)


def agreed(cluster: Cluster, author: str, labels: ItemLabels) -> bool:
    """Whether all who judged this say the same, and this person has not rejected it."""
    return cluster.agree and not any(key_of(mark) in labels.values for mark in _theirs(cluster, author))


def _theirs(cluster: Cluster, author: str) -> set[Rejected]:
    """What others marked here, as what rejects it."""
    return {mark for name, spans in cluster.said.items() if name != author for mark in _marks(spans)}


def decision(
    cluster: Cluster, author: str, chosen: str, labels: ItemLabels, new_name: Callable[[], str]
) -> list[Change]:
    """The changes to this person's labels after which those of `chosen` count here: `author`, another one, NEITHER."""
    own = cluster.said.get(author, {})
    wanted = cluster.said.get(chosen, {}) if chosen != NEITHER else {}
    changes = [] if chosen == author else _replaced(own, list(wanted.values()), new_name)
    now = _marks(wanted)
    for mark in sorted(_theirs(cluster, author) - now, key=key_of):
        if key_of(mark) not in labels.values:
            changes.append(Change(key=key_of(mark), value=mark))
    changes += [Change(key=key_of(mark), value=None) for mark in now if key_of(mark) in labels.values]
    return list({change.key: change for change in changes}.values())


def _replaced(own: Mapping[str, Span], wanted: list[Span], new_name: Callable[[], str]) -> list[Change]:
    """What makes `own` into `wanted`; what is the same already is left as it is."""
    left = dict(own)
    changes = []
    for span in wanted:
        key = next((key for key, mine in left.items() if (mine.start, mine.end) == (span.start, span.end)), None)
        if key is None:
            changes.append(Change(key=key_of(span, new_name()), value=span))
        elif set(left.pop(key).categories) != set(span.categories):
            changes.append(Change(key=key, value=span))
    return changes + [Change(key=key, value=None) for key in left]


def _marks(spans: Mapping[str, Span]) -> set[Rejected]:
    """What is said about which characters, as what rejects it."""
    return {
        Rejected(track=span.track, start=span.start, end=span.end, category=category)
        for span in spans.values()
        for category in span.categories
    }
