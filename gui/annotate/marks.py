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
from hitl.labels import Span

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
    """Which marks are in which rows, kept up with an editor; a step costs what it changes."""

    def __init__(self, touching: Callable[[int, int], Iterable[int]]) -> None:
        self._touching = touching
        self._known: dict[Target, tuple[Span, tuple[Mark, ...]]] = {}
        self._targets: dict[int, set[Target]] = {}
        self.rows: dict[int, tuple[Mark, ...]] = {}

    def take(self, editor: ItemEditor) -> set[int]:
        """Take the editor's labels and proposals in; returns the rows in which something has changed."""
        before, self._known = self._known, spans_and_marks(editor, self._known)
        changed: set[int] = set()
        now = self._known
        fresh = [target for target, entry in now.items() if before.get(target) is not entry]
        for target in fresh + [target for target in before if target not in now]:
            old, new = before.get(target), now.get(target)
            for span in (old[0] if old else None, new[0] if new else None):
                for row in self._touching(span.start, span.end) if span is not None else ():
                    changed.add(row)
                    self._targets.setdefault(row, set()).discard(target)
            for row in self._touching(new[0].start, new[0].end) if new is not None else ():
                self._targets.setdefault(row, set()).add(target)
        for row in changed:
            found = [mark for target in self._targets[row] for mark in self._known[target][1]]
            self.rows[row] = tuple(sorted(found, key=in_order))
        return changed


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
