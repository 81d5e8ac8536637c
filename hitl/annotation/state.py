"""What is true now, from the steps of the log: the latest value under each key, and what can be undone.

Steps are `LabelEvent`s, or `Label`s that are on their way. All are of one author, unless said otherwise. Knows nothing
of windows, sockets or models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.errors import InputError
from hitl.events import LabelEvent
from hitl.labels import (
    Change,
    Evidence,
    Judged,
    Missing,
    Preference,
    Rejected,
    Review,
    Rewrite,
    Span,
    Unsure,
    Value,
    key_of,
)
from hitl.messages import Label

Step = Label | LabelEvent
V = TypeVar("V", bound=Value)
MAX_CHANGES = 10_000
"""Most changes of one step."""


@dataclass(frozen=True)
class ItemLabels:
    """The labels of one author on one item. values: key -> value, in the order in which the keys were first set."""

    values: Mapping[str, Value] = field(default_factory=dict)
    spent_s: float = 0.0

    def of(self, kind: type[V]) -> dict[str, V]:
        """The values of one kind, under their keys."""
        return {key: value for key, value in self.values.items() if isinstance(value, kind)}

    def spans(self, track: str | None = None) -> dict[str, Span]:
        """Spans (of one track), by where they begin; of those that begin together the longest first."""
        found = [(key, span) for key, span in self.of(Span).items() if track in (None, span.track)]
        return dict(sorted(found, key=lambda entry: (entry[1].track, entry[1].start, -entry[1].end)))

    def missing(self, track: str | None = None) -> dict[str, Missing]:
        """What is said to be missing (of one output)."""
        return {key: value for key, value in self.of(Missing).items() if track in (None, value.track)}

    def rewrite(self, track: str) -> str | None:
        """The corrected text of an output; None where there is none."""
        value = self.values.get(f"rewrite:{track}")
        return value.text if isinstance(value, Rewrite) else None

    def preferences(self) -> dict[tuple[str, str], Preference]:
        """Pair of outputs -> which is better."""
        return {(value.first, value.second): value for value in self.of(Preference).values()}

    @property
    def review(self) -> Review:
        """How far the person is."""
        value = self.values.get("review")
        return value if isinstance(value, Review) else Review(state="open")

    @property
    def done(self) -> bool:
        """Whether the person said that the item is done."""
        return self.review.state == "done"

    def after(self, step: Step) -> ItemLabels:
        """The labels with one more step."""
        values = dict(self.values)
        apply(values, step.changes)
        return ItemLabels(values, self.spent_s + step.spent_s)


def apply(values: dict[str, Value], changes: Iterable[Change]) -> None:
    """Make the changes, in place."""
    for change in changes:
        if change.value is None:
            values.pop(change.key, None)
        else:
            values[change.key] = change.value


def labels_of(steps: Iterable[Step]) -> ItemLabels:
    """What steps on one item of one author, in order, come to."""
    values: dict[str, Value] = {}
    spent_s = 0.0
    for step in steps:
        apply(values, step.changes)
        spent_s += step.spent_s
    return ItemLabels(values, spent_s)


def by_item(steps: Iterable[Step]) -> dict[tuple[str, str], list[Step]]:
    """Steps of any authors on any items of a project: (item, author) -> steps, in order."""
    found: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        found.setdefault((step.item, step.author), []).append(step)
    return found


def inverse(before: Mapping[str, Value], changes: Sequence[Change]) -> list[Change]:
    """What takes `changes` back, made to labels that were `before`."""
    keys = dict.fromkeys(change.key for change in changes)
    return [Change(key=key, value=before.get(key)) for key in keys]


@dataclass(frozen=True)
class Done:
    """A step that can be taken back, and the item that it is about."""

    id: str
    item: str


class History:
    """What one author can undo and redo, over all items of a project; made anew from the log at every start."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._undo: list[Done] = []
        self._redo: list[Done] = []
        for step in steps:
            self.add(step.id, step.item, step.undoes)

    def add(self, step_id: str, item: str, undoes: str = "") -> None:
        """One more step. A step of its own ends what could be redone."""
        done = Done(step_id, item)
        if not undoes:
            self._undo.append(done)
            self._redo.clear()
        elif _take(self._undo, undoes):
            self._redo.append(done)
        elif _take(self._redo, undoes):
            self._undo.append(done)

    @property
    def undo(self) -> Done | None:
        """What an undo takes back."""
        return self._undo[-1] if self._undo else None

    @property
    def redo(self) -> Done | None:
        """What a redo takes back: an undo."""
        return self._redo[-1] if self._redo else None


def _take(stack: list[Done], step_id: str) -> bool:
    for place in range(len(stack) - 1, -1, -1):
        if stack[place].id == step_id:
            del stack[place]
            return True
    return False


def before(steps: Sequence[Step], step_id: str) -> tuple[dict[str, Value], Step]:
    """The labels as they were before the step of this id, and the step. Raises InputError where it is not there."""
    values: dict[str, Value] = {}
    for step in steps:
        if step.id == step_id:
            return values, step
        apply(values, step.changes)
    raise InputError(f"{step_id!r} is no step on this item", field="undoes", hint="Open the item again.")


def check_changes(item: Item, schema: Schema, changes: Sequence[Change]) -> None:
    """Raise InputError, naming the field, where a change cannot be meant of this item in this project."""
    if not 0 < len(changes) <= MAX_CHANGES:
        raise InputError(f"has {len(changes)} changes; give 1 to {MAX_CHANGES}", field="changes", hint="Cut it up.")
    for place, change in enumerate(changes):
        where = f"changes.{place}"
        if change.value is not None:
            _check_key(change, where)
            try:
                _check_value(item, schema, change.value)
            except InputError as error:
                raise InputError(error.message, field=f"{where}.{error.field}", hint=error.hint) from error


def _check_key(change: Change, where: str) -> None:
    assert change.value is not None
    kind, _, name = change.key.partition(":")
    if key_of(change.value, name) != change.key or len(change.key) > 300:
        why = f"{change.key!r} is no key for a value of the kind {kind_of(change.value)!r}"
        raise InputError(why, field=f"{where}.key", hint="Make keys with hitl.labels.key_of().")
    if isinstance(change.value, Span | Missing) and not name:
        raise InputError(f"{change.key!r} names nothing", field=f"{where}.key", hint="Give each its own name.")


def kind_of(value: Value) -> str:
    """span, missing, rewrite, preference, judged, unsure, rejected or review."""
    return str(value.__struct_config__.tag)


def _check_value(item: Item, schema: Schema, value: Value) -> None:
    match value:
        case Span():
            _check_range(item, value.track, value.start, value.end)
            _check_span(item, schema, value)
        case Missing():
            item.output(value.track)
            _check_category(schema, value.category, "missing")
            _check_evidence(item, value.evidence)
        case Rewrite():
            item.output(value.track)
        case Preference():
            tracks = [output.track for output in item.outputs]
            item.output(value.first)
            item.output(value.second)
            if tracks.index(value.first) >= tracks.index(value.second):
                raise InputError("comes behind second", field="first", hint="Name them in the order of the item.")
        case Judged() | Unsure():
            _check_range(item, value.track, value.start, value.end)
            for head in value.heads:
                schema.head(head)
        case Rejected():
            _check_range(item, value.track, value.start, value.end)
            _check_category(schema, value.category, "span")


def _check_span(item: Item, schema: Schema, span: Span) -> None:
    if not span.categories or len(set(span.categories)) < len(span.categories):
        raise InputError(f"is {span.categories}", field="categories", hint="Give at least one, and none twice.")
    for category in span.categories:
        _check_category(schema, category, "span")
    if span.severity and span.severity not in {severity.key for severity in schema.severities}:
        known = ", ".join(severity.key for severity in schema.severities) or "none in this project"
        raise InputError(f"{span.severity!r} is not known", field="severity", hint=f"Known: {known}.")
    _check_evidence(item, span.evidence)
    if span.repeats is not None:
        _check_range(item, span.track, *span.repeats, field="repeats")
        if span.repeats[0] >= span.start:
            raise InputError("is not earlier than the span", field="repeats", hint="Mark the earlier text.")


def _check_category(schema: Schema, key: str, where: str) -> None:
    category = schema.category(key)
    if category.where != where:
        other = "a part of the text" if category.where == "span" else "what is missing"
        raise InputError(f"{key!r} is about {other}", field="category", hint="Choose another category.")


def _check_evidence(item: Item, evidence: Sequence[Evidence]) -> None:
    for entry in evidence:
        inside = 0 <= entry.source < len(item.sources)
        if not inside or not 0 <= entry.sentence <= len(item.sources[entry.source].sentences):
            why = f"source {entry.source}, sentence {entry.sentence} is not there"
            raise InputError(why, field="evidence", hint="Choose a sentence of the item's sources.")


def _check_range(item: Item, track: str, start: int, end: int, field: str = "start") -> None:
    length = item.length(track)
    if start > end:
        raise InputError(f"{start} to {end} is reversed", field=field, hint="Give the earlier end first.")
    if not 0 <= start < end <= length:
        why = f"{start} to {end} is empty or lies outside of 0 to {length}"
        raise InputError(why, field=field, hint="Count characters from 0; the end is not part of it.")
