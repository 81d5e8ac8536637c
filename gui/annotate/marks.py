"""What is drawn under a text: one mark for each category of a span, suggestion or other person's span, and its lane.

Knows nothing of Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    found: list[Mark] = []
    for key, span in editor.labels.spans(editor.track).items():
        found += _marks(editor.schema, span, Target("span", key), "own")
    for proposal in editor.proposals():
        kind: Kind = "person" if proposal.author else "model"
        found += _marks(editor.schema, proposal.span, Target("proposal", proposal.id), kind, proposal)
    return sorted(found, key=lambda mark: (mark.start, -mark.end, mark.kind != "own"))


def _marks(
    schema: Schema, span: Span, target: Target, kind: Kind, proposal: Proposal | None = None
) -> list[Mark]:  # fmt: skip
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
    return found


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


def by_row(marks: Iterable[Mark], touching: Callable[[int, int], Iterable[int]]) -> dict[int, tuple[Mark, ...]]:
    """Row -> marks that share a character with it. touching(start, end) gives the rows."""
    rows: dict[int, list[Mark]] = {}
    for mark in marks:
        for row in touching(mark.start, mark.end):
            rows.setdefault(row, []).append(mark)
    return {row: tuple(found) for row, found in rows.items()}
