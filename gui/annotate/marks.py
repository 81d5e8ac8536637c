"""What is drawn under a text: one mark for each category of a span, suggestion or other person's span, and its lane.

Knows nothing of Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from gui.annotate.editor import ItemEditor, Target
from gui.annotate.proposals import Proposal
from hitl.annotation.schema import Schema
from hitl.errors import InputError
from hitl.labels import Span, Value

Kind = Literal["own", "model", "person"]


class Mark(NamedTuple):
    """One line under the text. tag: the letters at its beginning."""

    start: int
    end: int
    colour: int
    pattern: str
    tag: str
    kind: Kind
    target: Target


def marks_of(editor: ItemEditor) -> list[Mark]:
    """Everything to draw in the output that is shown, outer spans first."""
    return sorted((mark for _, marks in spans_and_marks(editor, {}).values() for mark in marks), key=in_order)


def spans_and_marks(
    editor: ItemEditor, before: Mapping[Target, tuple[Span, tuple[Mark, ...]]]
) -> dict[Target, tuple[Span, tuple[Mark, ...]]]:  # fmt: skip
    """Label or proposal -> its span and marks; those of `before` whose span is the same are taken from there."""
    found: dict[Target, tuple[Span, tuple[Mark, ...]]] = {}
    for key, value in editor.labels.values.items():
        if isinstance(value, Span) and value.track == editor.track:
            target = Target("span", key)
            known = before.get(target)
            if known is None or known[0] is not value:
                known = value, _marks(editor.schema, value, target, "own")
            found[target] = known
    for proposal in editor.proposals():
        target = Target("proposal", proposal.id)
        known = before.get(target)
        if known is not None and known[0] is proposal.span:
            found[target] = known
        else:
            kind: Kind = "person" if proposal.author else "model"
            found[target] = proposal.span, _marks(editor.schema, proposal.span, target, kind, proposal)
    return found


def in_order(mark: Mark) -> tuple[int, int, bool, str]:
    """Sorts marks: by where they begin, outer ones first, one's own before others'."""
    return mark.start, -mark.end, mark.kind != "own", mark.target.key


class RowMarks:
    """Which marks are in which rows, kept up with an editor; a step costs what it changes, however many there are."""

    def __init__(self, touching: Callable[[int, int], Iterable[int]]) -> None:
        self._touching = touching
        self._known: dict[Target, tuple[Span, tuple[Mark, ...]]] = {}
        self._targets: dict[int, set[Target]] = {}
        self._values: Mapping[str, Value] = {}
        self._proposals: dict[str, Proposal] = {}
        self._track = ""
        self.rows: dict[int, tuple[Mark, ...]] = {}

    def take(self, editor: ItemEditor) -> set[int]:
        """Take the editor's labels and proposals in; returns the rows in which something has changed."""
        if editor.track != self._track:
            self._track, self._values, self._proposals = editor.track, {}, {}
            gone = {target: None for target in self._known}
        else:
            gone = {}
        changed: set[int] = set()
        for target, new in (gone | self._changes(editor)).items():
            old = self._known.pop(target, None)
            for row in self._touching(old[0].start, old[0].end) if old is not None else ():
                changed.add(row)
                self._targets.setdefault(row, set()).discard(target)
            if new is not None:
                self._known[target] = new
                for row in self._touching(new[0].start, new[0].end):
                    changed.add(row)
                    self._targets.setdefault(row, set()).add(target)
        for row in changed:
            found = [mark for target in self._targets[row] for mark in self._known[target][1]]
            self.rows[row] = tuple(sorted(found, key=in_order))
        return changed

    def _changes(self, editor: ItemEditor) -> dict[Target, tuple[Span, tuple[Mark, ...]] | None]:
        """Labels and proposals that are not as they were -> span and marks now; None where they are gone."""
        found: dict[Target, tuple[Span, tuple[Mark, ...]] | None] = {}
        before, self._values = self._values, editor.labels.values
        for key in [key for key in before if key not in self._values]:
            found[Target("span", key)] = None
        for key, value in self._values.items():
            if before.get(key) is not value:
                target = Target("span", key)
                found[target] = None
                if isinstance(value, Span) and value.track == self._track:
                    found[target] = value, _marks(editor.schema, value, target, "own")
        earlier, self._proposals = self._proposals, {one.id: one for one in editor.proposals()}
        for name in [name for name in earlier if name not in self._proposals]:
            found[Target("proposal", name)] = None
        for name, proposal in self._proposals.items():
            known = earlier.get(name)
            if known is None or known.span is not proposal.span:
                target = Target("proposal", name)
                kind: Kind = "person" if proposal.author else "model"
                found[target] = proposal.span, _marks(editor.schema, proposal.span, target, kind, proposal)
        return found


def _marks(
    schema: Schema, span: Span, target: Target, kind: Kind, proposal: Proposal | None = None
) -> tuple[Mark, ...]:  # fmt: skip
    found = []
    for key in span.categories:
        try:
            category = schema.category(key)
        except InputError:  # given up by a change of the schema
            continue
        tag = category.shortcut
        if proposal is not None:
            tag += f" {proposal.author}" if proposal.author else f" {score_text(proposal.score)}"
        elif span.severity:
            tag += f" {span.severity[:5].lower()}"
        found.append(Mark(span.start, span.end, category.colour, category.pattern, tag, kind, target))
    return tuple(found)


def score_text(score: float) -> str:
    """A probability as it is shown: .71"""
    return f"{score:.2f}".removeprefix("0") if score < 0.995 else "1.0"


def signed(value: float) -> str:
    """A reward with its sign: +0.82, −0.31."""
    return f"{'−' if value < 0 else '+'}{abs(value):.2f}"


def lanes_of(marks: Sequence[Mark]) -> list[int]:
    """The lane of each mark, from 0: marks that share characters do not share a lane."""
    ends: list[int] = []
    lanes = []
    for mark in marks:
        lane = next((place for place, end in enumerate(ends) if end <= mark.start), len(ends))
        if lane == len(ends):
            ends.append(mark.end)
        else:
            ends[lane] = mark.end
        lanes.append(lane)
    return lanes
