"""What all formats share: what a file came to, what is to be written, and what could not be held.

A reader gives `Imported`, a writer takes `Exported`; both give a `Report`, in which everything that was odd or lost is
counted and named. Ids of steps follow from what they say, so that reading a file twice changes nothing. Does no IO.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels, by_item, check_changes, kind_of, labels_of
from hitl.clock import ulid_of
from hitl.errors import InputError
from hitl.events import LabelEvent
from hitl.labels import Change, Missing, Rejected, Review, Span, Value, key_of

DEFAULT_AUTHOR = "imported"
"""Whose labels they are where neither the file nor the person says it."""
_PLACES = 3


@dataclass
class Report:
    """What was done, what was odd and what was lost; each with its places, in the order in which they were found."""

    done: Counter[str] = field(default_factory=Counter)
    odd: dict[str, list[str]] = field(default_factory=dict)
    """Held, but not as one would expect."""
    lost: dict[str, list[str]] = field(default_factory=dict)
    """Not held."""

    def note(self, what: str, where: str) -> None:
        """Something odd."""
        self.odd.setdefault(what, []).append(where)

    def lose(self, what: str, where: str) -> None:
        """Something that cannot be held."""
        self.lost.setdefault(what, []).append(where)

    def count(self, labels: ItemLabels) -> None:
        """The labels of one person on one item were read or written."""
        self.done.update(kind_of(value) for value in labels.values.values())

    def lines(self) -> list[str]:
        """A few lines for people."""
        counted = [f"{self.done[kind]} {words}" for kind, words in _PLURALS.items() if self.done[kind]]
        lines = [", ".join(counted) or "no labels"]
        for title, found in (("odd", self.odd), ("not held", self.lost)):
            for what, places in found.items():
                more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
                lines.append(f"{title}: {what} ({len(places)}): {', '.join(places[:_PLACES])}{more}")
        return lines


_PLURALS = {
    "span": "spans", "missing": "missing", "rewrite": "rewrites", "preference": "preferences",
    "judged": "judged parts", "unsure": "unsure parts", "rejected": "rejected suggestions", "review": "reviews",
    "example": "examples",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What a reader is told. schema: that of the project; None: the reader says which fits. find: an item that the
    project has already; None where the project is new. data: the data folder, for formats that read of it."""

    project: str
    author: str = DEFAULT_AUTHOR
    schema: Schema | None = None
    find: Callable[[str], Item] | None = None
    data: Path | None = None

    def item(self, item_id: str, where: str) -> Item:
        """An item of the project. Raises InputError that names the place."""
        try:
            if self.find is None:
                raise InputError("the project has no items yet", field="item", hint="Import them first.")
            return self.find(item_id)
        except InputError as error:
            raise InputError(error.message, field=f"{where}.item", hint=error.hint) from error


@dataclass(frozen=True)
class Imported:
    """What a file came to."""

    items: list[Item]
    events: list[LabelEvent]
    schema: Schema
    report: Report


@dataclass(frozen=True)
class Exported:
    """What is to be written: a project, its items and its steps, of the authors that were asked for."""

    name: str
    schema: Schema
    items: list[Item]
    events: list[LabelEvent]

    def labels(self) -> dict[str, dict[str, ItemLabels]]:
        """Item -> author -> what is true now, in the categories of now; both in the order of their first steps."""
        found: dict[str, dict[str, ItemLabels]] = {}
        for (item, author), steps in by_item(self.events).items():
            labels = _current(self.schema, labels_of(steps))
            if labels.values:
                found.setdefault(item, {})[author] = labels
        return found

    def lose_authors(self, report: Report) -> None:
        """Report that a format does not say who labelled."""
        for author in dict.fromkeys(event.author for event in self.events):
            if author != DEFAULT_AUTHOR:
                report.lose("who labelled", author)

    def of_one(self) -> dict[str, ItemLabels]:
        """Item -> labels, for formats that hold one person's. Raises InputError where several have labelled."""
        labels = self.labels()
        authors = sorted({author for found in labels.values() for author in found})
        if len(authors) > 1:
            raise InputError(
                f"{', '.join(authors)} have labelled; the format holds the labels of one person",
                field="author",
                hint="Say whose: --author NAME.",
            )
        return {item: next(iter(found.values())) for item, found in labels.items()}


def _current(schema: Schema, labels: ItemLabels) -> ItemLabels:
    """The labels in the schema's present categories; those that were given up are left out."""
    if not schema.renamed:
        return labels
    values: dict[str, Value] = {}
    for key, value in labels.values.items():
        if isinstance(value, Span):
            now = [new for old in value.categories if (new := schema.current(old)) is not None]
            if now:
                values[key] = msgspec.structs.replace(value, categories=list(dict.fromkeys(now)))
        elif isinstance(value, Missing | Rejected):
            category = schema.current(value.category)
            if category is not None:
                values[key] = msgspec.structs.replace(value, category=category)
        else:
            values[key] = value
    return ItemLabels(values, labels.spent_s)


class Steps:
    """Collects what a file says: one step for each author and item, checked as it comes."""

    def __init__(self, reading: Reading, schema: Schema, origin: str) -> None:
        self._reading, self.schema, self._origin = reading, schema, origin
        self._changes: dict[tuple[str, str], list[Change]] = {}
        self._spent_s: dict[tuple[str, str], float] = {}
        self._taken: dict[tuple[str, str], set[str]] = {}
        self._replaced: list[tuple[str, str]] = []

    def add(self, item: Item, author: str, value: Value, where: str, name: str = "") -> None:
        """One value. where: its place in the file, for the InputError that is raised where it cannot be meant.
        name: under which spans and missing items stand; empty: a new one."""
        changes = self._changes.setdefault((item.id, author), [])
        new = f"{self._origin.split()[0]}-{len(changes)}"
        taken = self._taken.setdefault((item.id, author), set())
        key = key_of(value, name or new)
        if key in taken and isinstance(value, Span | Missing):  # regions of two kinds share a name in some files
            key = key_of(value, f"{name or 'more'} {new}")
        elif key in taken:
            self._replaced.append((key.partition(":")[0], where))
        self._check(item, Change(key=key, value=value), where)
        taken.add(key)
        changes.append(Change(key=key, value=value))

    def _check(self, item: Item, change: Change, where: str) -> None:
        try:
            check_changes(item, self.schema, [change])
        except InputError as error:
            field = f"{where}.{error.field.removeprefix('changes.0.')}"
            raise InputError(error.message, field=field, hint=error.hint) from error

    def spent(self, item: Item, author: str, seconds: float) -> None:
        """How long the person was at work on the item."""
        self._spent_s[item.id, author] = seconds

    def events(self, report: Report) -> list[LabelEvent]:
        """All steps. Their ids say nothing of time; they follow from project, item, author and labels."""
        for kind, where in self._replaced:
            report.lose(f"of {_PLURALS[kind]} about the same all but the last", where)
        made = []
        for (item, author), changes in self._changes.items():
            report.count(labels_of_changes(changes))
            body = msgspec.json.encode([self._reading.project, item, author, changes])
            made.append(
                LabelEvent(
                    id=ulid_of(body), session="", session_ns=0, author=author, project=self._reading.project,
                    item=item, changes=changes, spent_s=self._spent_s.get((item, author), 0.0), origin=self._origin,
                )
            )  # fmt: skip
        return made


def labels_of_changes(changes: Iterable[Change]) -> ItemLabels:
    """What changes come to, by themselves."""
    return ItemLabels({change.key: change.value for change in changes if change.value is not None})


def moved_id(event_id: str, project: str) -> str:
    """The id of a step in another project, since ids are unique in a log. Steps keep their order in time: only the
    digits between the time and the counter change (hitl/clock.py)."""
    middle = hashlib.sha256(f"{project}\0{event_id[:18]}".encode()).digest()
    return event_id[:10] + ulid_of(middle)[-8:] + event_id[18:]


def lose_what_is_not(held: Iterable[str], labels: ItemLabels, where: str, report: Report) -> None:
    """Report what of the labels a format cannot hold. held: kinds of values, and fields as "span.note"."""
    known = set(held)
    lose_time(labels, where, report)
    for value in labels.values.values():
        kind = kind_of(value)
        if kind not in known:
            report.lose(_LOST[kind], where)
            continue
        for name in _FIELDS.get(kind, ()):
            if getattr(value, name) and f"{kind}.{name}" not in known:
                report.lose(f"{name.replace('_', ' ')} of {_PLURALS[kind]}", where)
        if isinstance(value, Review) and value.state != "done" and "review.state" not in known:
            report.lose("that a review is not done", where)


def lose_time(labels: ItemLabels, where: str, report: Report) -> None:
    """Report that a format does not hold how long somebody was at work."""
    if labels.spent_s:
        report.lose("how long somebody was at work", where)


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "span": ("severity", "note", "evidence", "repeats", "suggested_by"),
    "missing": ("evidence", "note"),
    "review": ("note",),
}
_LOST = {
    "span": "spans", "missing": "what is missing", "rewrite": "rewrites", "preference": "preferences",
    "judged": "parts that were looked at", "unsure": "parts that nobody is sure of",
    "rejected": "suggestions that were rejected", "review": "reviews",
}  # fmt: skip
