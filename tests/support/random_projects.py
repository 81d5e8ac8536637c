"""Random annotation projects for property tests: what a schema and its items allow, with texts of any script."""

from __future__ import annotations

from hypothesis import strategies as st

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels, kind_of
from hitl.clock import new_ulid
from hitl.events import LabelEvent
from hitl.interchange.exchange import DEFAULT_AUTHOR, Exported
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

PROJECT = "random"
TEXTS = st.text(
    st.one_of(st.sampled_from(" abcdeé.,;\t\n\r\"'|<>&👩‍🚀👍中日"), st.characters(exclude_categories=["Cs"])),
    max_size=40,
)
PLAIN = st.text(st.sampled_from(" abcdeé.,;\"'|&👍中日"), min_size=1, max_size=40)
FULL = TEXTS.filter(bool)


def part(draw: st.DrawFn, text: str) -> tuple[int, int]:
    start = draw(st.integers(0, len(text) - 1))
    return start, draw(st.integers(start + 1, len(text)))


@st.composite
def items(draw: st.DrawFn, name: str) -> Item:
    sources = [
        SourceText(title=draw(TEXTS), sentences=draw(st.lists(TEXTS, max_size=2)))
        for _ in range(draw(st.integers(0, 2)))
    ]
    outputs = [Output(track=str(n + 1), text=draw(FULL), origin=draw(TEXTS)) for n in range(draw(st.integers(1, 4)))]
    extra = draw(st.dictionaries(st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 9), TEXTS), max_size=2))
    return Item(id=name, prompt=draw(TEXTS), sources=sources, outputs=outputs, reference=draw(TEXTS), extra=extra)


@st.composite
def spans(draw: st.DrawFn, item: Item, schema: Schema, track: str) -> Span:
    start, end = part(draw, item.output(track).text)
    keys = [category.key for category in schema.categories if category.where == "span"]
    repeats = None
    if start and draw(st.booleans()):
        repeats = part(draw, item.output(track).text[:start])
    severities = [severity.key for severity in schema.severities]
    return Span(
        track=track,
        start=start,
        end=end,
        categories=draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True)),
        severity=draw(st.sampled_from(["", *severities])),
        note=draw(TEXTS),
        evidence=draw(evidence(item)),
        repeats=repeats,
        suggested_by=draw(st.sampled_from(["", "v1"])),
    )


def evidence(item: Item) -> st.SearchStrategy[list[Evidence]]:
    places = [
        Evidence(source=n, sentence=k)
        for n, source in enumerate(item.sources)
        for k in range(len(source.sentences) + 1)
    ]
    return st.lists(st.sampled_from(places), max_size=2) if places else st.just([])


@st.composite
def values(draw: st.DrawFn, item: Item, schema: Schema) -> Value:
    tracks = [output.track for output in item.outputs]
    track = draw(st.sampled_from(tracks))
    text = item.output(track).text
    lacks = [category.key for category in schema.categories if category.where == "missing"]
    marks = [category.key for category in schema.categories if category.where == "span"]
    kind = draw(
        st.sampled_from(["span", "span", "missing", "rewrite", "preference", "judged", "unsure", "rejected", "review"])
    )
    if kind == "missing" and lacks:
        return Missing(
            track=track,
            category=draw(st.sampled_from(lacks)),
            evidence=draw(evidence(item)),
            note=draw(TEXTS),
        )
    if kind == "rewrite":
        return Rewrite(track=track, text=draw(TEXTS))
    if kind == "preference" and len(tracks) > 1:
        first, second = sorted(draw(st.lists(st.sampled_from(tracks), min_size=2, max_size=2, unique=True)))
        return Preference(first=first, second=second, winner=draw(st.sampled_from(["first", "second", "tie"])))
    if kind in ("judged", "unsure"):
        start, end = part(draw, text)
        heads = draw(st.lists(st.sampled_from([head.key for head in schema.heads]), max_size=2, unique=True))
        return (Judged if kind == "judged" else Unsure)(track=track, start=start, end=end, heads=heads)
    if kind == "rejected":
        start, end = part(draw, text)
        return Rejected(track=track, start=start, end=end, category=draw(st.sampled_from(marks)))
    if kind == "review":
        return Review(state=draw(st.sampled_from(["open", "done", "skipped", "flagged"])), note=draw(TEXTS))
    return draw(spans(item, schema, track))


@st.composite
def projects(draw: st.DrawFn) -> Exported:
    """Anything that may be in a project, undone steps too."""
    schema = preset(draw(st.sampled_from(["fine-grained-rlhf", "mqm", "thumbs"])))
    made = [draw(items(f"item-{n}")) for n in range(draw(st.integers(1, 2)))]
    events = []
    for item in made:
        for author in draw(st.lists(st.sampled_from(["ann", "bob"]), max_size=2, unique=True)):
            keys: list[str] = []
            for number in range(draw(st.integers(1, 3))):
                found = draw(st.lists(values(item, schema), min_size=1, max_size=3))
                changes = [Change(key=key_of(v, f"{number}-{n}"), value=v) for n, v in enumerate(found)]
                if keys and draw(st.booleans()):
                    changes.append(Change(key=draw(st.sampled_from(keys)), value=None))
                keys += [change.key for change in changes]
                events.append(step(item, author, changes, draw(st.sampled_from([0.0, 1.5]))))
    return Exported(PROJECT, schema, made, events)


def step(item: Item, author: str, changes: list[Change], spent_s: float = 0.0) -> LabelEvent:
    return LabelEvent(
        id=new_ulid(), session="s", session_ns=7, author=author, project=PROJECT, item=item.id, changes=changes,
        spent_s=spent_s,
    )  # fmt: skip


def labelled(item: Item, found: list[Value], author: str = DEFAULT_AUTHOR) -> LabelEvent:
    """One step that says all of it."""
    return step(item, author, [Change(key=key_of(v, str(n)), value=v) for n, v in enumerate(found)])


def said(labels: ItemLabels) -> dict[str, list[Value]]:
    """Labels without the names of their keys: kind -> values; spans and missing items in their order."""
    found: dict[str, list[Value]] = {}
    for key, value in labels.values.items():
        found.setdefault(kind_of(value) if isinstance(value, Span | Missing) else key, []).append(value)
    return found


def all_said(project: Exported, without: type[Value] | None = None) -> dict[str, dict[str, dict[str, list[Value]]]]:
    """Item -> author -> what was said, without values of one kind."""
    found = {
        item: {author: said(labels) for author, labels in found.items()} for item, found in project.labels().items()
    }
    return {
        item: {
            author: {
                key: values for key, values in told.items() if without is None or not isinstance(values[0], without)
            }
            for author, told in authors.items()
        }
        for item, authors in found.items()
    }
