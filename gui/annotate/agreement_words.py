"""How far people agree, in words: on the item that is open, from its labels; on the project, as the backend found it.

Knows nothing of windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gui.annotate.editor import ItemEditor
from gui.annotate.marks import score_text
from gui.annotate.words import short_head
from hitl.annotation.agreement import agreement_of
from hitl.annotation.schema import Schema
from hitl.annotation_messages import AgreementFound

_MOST_PAIRS = 3


class Pair(Protocol):
    """F1 of spans of two people; None where neither marked anything."""

    @property
    def first(self) -> str: ...
    @property
    def second(self) -> str: ...
    @property
    def overlap(self) -> float | None: ...


def agreement_words(editor: ItemEditor, author: str, found: AgreementFound | None) -> str:
    """A sentence about the item and one about the project; each only where there is something to say."""
    everybody = {author: editor.labels, **editor.others}
    here = agreement_of(editor.schema, [editor.item], {editor.item.id: everybody}).overall
    parts = []
    if spans := _pairs(here.pairs, author):
        parts.append(f"This item: F1 of spans {spans}.")
    if found is not None:
        parts.append(project_words(editor.schema, found, author))
    return " ".join(part for part in parts if part)


def project_words(schema: Schema, found: AgreementFound, author: str) -> str:
    """Of a project: how many items, alpha of each head, F1 of spans of each two people."""
    if found.error:
        return f"Agreement in the project is not known: {found.error}"
    if not found.items:
        return "In this project no item is labelled by two people."
    alphas = ", ".join(
        f"{short_head(schema, entry.head)} {score_text(entry.alpha)}"
        for entry in found.heads
        if entry.alpha is not None
    )
    items = "Project, 1 shared item" if found.items == 1 else f"Project, {found.items} shared items"
    spans = _pairs(found.pairs, author)
    parts = [f"alpha {alphas}" if alphas else "", f"F1 of spans {spans}" if spans else ""]
    said = "; ".join(part for part in parts if part) or "nothing to compare yet"
    return f"{items}: {said}."


def _pairs(pairs: Sequence[Pair], author: str) -> str:
    """This person's pairs first; of many only some."""
    known = [pair for pair in pairs if pair.overlap is not None]
    known.sort(key=lambda pair: author not in (pair.first, pair.second))
    names = [
        f"{score_text(pair.overlap or 0.0)} ({_name(pair.first, author)} and {_name(pair.second, author)})"
        for pair in known
    ]
    more = f" and {len(names) - _MOST_PAIRS} more pairs" if len(names) > _MOST_PAIRS else ""
    return ", ".join(names[:_MOST_PAIRS]) + more


def _name(name: str, author: str) -> str:
    return "you" if name == author else name
