"""A small annotation project for tests, and steps on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.project import Project, Projects
from hitl.clock import new_ulid
from hitl.events import LabelEvent
from hitl.labels import Change, Span, Value, key_of
from hitl.messages import Label

PROJECT = "ponds"
TEXT = "The pond was dug in 1911. It holds four kinds of fish. The pond is old."


def item(name: str = "one", outputs: int = 2) -> Item:
    source = SourceText(title="Ponds", sentences=["The pond was dug in 1912.", "Five kinds of fish live in it."])
    texts = [TEXT, "It was dug in 1912, and five kinds of fish live there.", "Nobody knows.", "In 1912."]
    return Item(
        id=name,
        prompt="When was the pond dug?",
        sources=[source],
        outputs=[Output(track=str(number + 1), text=texts[number]) for number in range(outputs)],
    )


def project(folder: Path, items: Iterable[Item] | None = None, schema: str = "fine-grained-rlhf") -> Project:
    made = Projects(folder).create(PROJECT, preset(schema))
    made.add([item("one"), item("two"), item("three")] if items is None else items)
    return made


def span(start: int = 0, end: int = 25, *categories: str, track: str = "1", **fields: object) -> Span:
    return Span(track=track, start=start, end=end, categories=list(categories or ["Wrong-Grounding"]), **fields)


def put(value: Value, name: str = "a") -> Change:
    return Change(key=key_of(value, name), value=value)


def label(*changes: Change, author: str = "ann", about: str = "one", undoes: str = "", **fields: object) -> Label:
    return Label(
        id=new_ulid(), author=author, stamp_ns=1, project=PROJECT, item=about, changes=list(changes), undoes=undoes,
        **fields,
    )  # fmt: skip


def logged(step: Label, session: str = "s") -> LabelEvent:
    return LabelEvent(
        id=step.id, session=session, session_ns=0, author=step.author, project=step.project, item=step.item,
        changes=step.changes, undoes=step.undoes, spent_s=step.spent_s,
    )  # fmt: skip
