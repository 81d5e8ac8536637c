"""Every format gives back what it was given, or its report says what it does not hold."""

from __future__ import annotations

import json
import tempfile
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.interchange.exchange import Exported, Imported, Reading
from hitl.interchange.registry import FORMATS
from hitl.labels import Evidence, Missing, Preference, Review, Rewrite, Span, Unsure, Value
from tests.support.random_projects import (
    FULL,
    PLAIN,
    PROJECT,
    TEXTS,
    all_said,
    evidence,
    labelled,
    part,
    projects,
    said,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "interchange"
MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def through(project: Exported, name: str) -> tuple[Imported, bool]:
    """What comes back of a project, and whether the report says that something was lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        report = FORMATS[name].writer()(project, path)
        find = {item.id: item for item in project.items}.__getitem__
        back = FORMATS[name].reader()(path, Reading(PROJECT, schema=project.schema, find=find))
    return back, bool(report.lost)


def again(project: Exported, back: Imported) -> Exported:
    return Exported(PROJECT, back.schema, back.items or project.items, back.events)


@MANY
@given(projects())
def test_own_lines_hold_everything(project: Exported) -> None:
    back, lost = through(project, "jsonl")
    assert not lost
    assert (back.items, back.events, back.schema) == (project.items, project.events, project.schema)


@MANY
@given(projects(), st.sampled_from(["csv", "label-studio"]))
def test_what_holds_labels_gives_them_back_or_says_so(project: Exported, name: str) -> None:
    back, lost = through(project, name)
    if not lost:
        assert all_said(again(project, back)) == all_said(project)
        assert back.items in ([], project.items)


@MANY
@given(projects(), st.sampled_from(sorted(name for name, entry in FORMATS.items() if entry.writes)))
def test_any_project_can_be_written(project: Exported, name: str) -> None:
    if name == "fine-grained-rlhf":
        authors = {event.author for event in project.events}
        project = of_author(project, min(authors, default=""))
    with tempfile.TemporaryDirectory() as folder:
        FORMATS[name].writer()(project, Path(folder) / "file")


def of_author(project: Exported, author: str) -> Exported:
    events = [event for event in project.events if event.author == author]
    return Exported(project.name, project.schema, project.items, events)


# -- projects that a format can hold whole: nothing may be lost, and all comes back ---------------------------------


@st.composite
def published(draw: st.DrawFn) -> Exported:
    """As people labelled for Fine-Grained RLHF."""
    made, events = [], []
    for prompt in draw(st.lists(FULL, min_size=1, max_size=3, unique=True)):
        item = Item(
            id=f"q{len(made)}",
            prompt=prompt,
            sources=[SourceText(title=draw(TEXTS), sentences=draw(st.lists(TEXTS, max_size=3))) for _ in range(2)],
            outputs=[Output(track=str(n), text=draw(FULL)) for n in range(1, 5)],
            reference=draw(TEXTS),
        )
        made.append(item)
        found: list[Value] = [draw(published_span(item)) for _ in range(draw(st.integers(0, 4)))]
        for category in draw(st.lists(st.sampled_from(["Missing-Answer", "Missing-Minor-Auxiliary"]), max_size=2)):
            found.append(Missing(track="1", category=category, evidence=draw(evidence_in_one(item))))
        found.append(Rewrite(track="1", text=draw(TEXTS)))
        for first, second in combinations("1234", 2):
            winner = draw(st.sampled_from(["first", "second", "tie"]))
            found.append(Preference(first=first, second=second, winner=winner))
        events.append(labelled(item, [*found, Review(state="done")]))
    return Exported(PROJECT, preset("fine-grained-rlhf"), made, events)


@st.composite
def published_span(draw: st.DrawFn, item: Item) -> Span:
    text = item.output("1").text
    start, end = part(draw, text)
    category = draw(st.sampled_from(["Irrelevant", "Unverifiable", "Wrong-Grounding", "Redundant"]))
    given_evidence: list[Evidence] = []
    repeats = None
    if category == "Wrong-Grounding":
        given_evidence = draw(evidence_in_one(item))
    elif category == "Redundant" and start:
        first, last = part(draw, text[:start])
        found = text.find(text[first:last])  # the format holds the text, which is found where it is first
        repeats = (found, found + last - first)
    return Span(track="1", start=start, end=end, categories=[category], evidence=given_evidence, repeats=repeats)


def evidence_in_one(item: Item) -> st.SearchStrategy[list[Evidence]]:
    """The format holds sentences of one passage."""
    return evidence(item).filter(lambda found: len({entry.source for entry in found}) == 1)


@MANY
@given(published())
def test_published_files_hold_what_people_said_for_them(project: Exported) -> None:
    back, lost = through(project, "fine-grained-rlhf")
    assert not lost
    by_prompt = {item.prompt: item.id for item in back.items}
    found, wanted = all_said(again(project, back), without=Unsure), all_said(project)
    for item in project.items:
        again_item = next(other for other in back.items if other.prompt == item.prompt)
        assert msgspec.structs.replace(again_item, id=item.id) == item
        assert found[by_prompt[item.prompt]] == wanted[item.id]


@st.composite
def rated(draw: st.DrawFn) -> Exported:
    """As people rate translations."""
    made, events = [], []
    for n in range(draw(st.integers(1, 3))):
        about = {"doc": "talk", "doc_id": str(n), "seg_id": str(n + 7)}
        item = Item(
            id=f"sys/talk/{n + 7}",
            sources=[SourceText(sentences=[draw(PLAIN)])],
            outputs=[Output(track="target", text=draw(PLAIN), origin="sys")],
            extra=about,
        )
        made.append(item)
        for author in draw(st.lists(st.sampled_from(["r1", "r2"]), min_size=1, max_size=2, unique=True)):
            marks: list[Value] = []
            for _ in range(draw(st.integers(0, 3))):
                start, end = part(draw, item.outputs[0].text)
                category = draw(st.sampled_from(["Fluency/Grammar", "Style/Awkward", "Other"]))
                severity = draw(st.sampled_from(["Minor", "Major"]))
                marks.append(Span(track="target", start=start, end=end, categories=[category], severity=severity))
            events.append(labelled(item, [*marks, Review(state="done")], author))
    return Exported(PROJECT, preset("mqm"), made, events)


@MANY
@given(rated())
def test_ratings_of_translations_come_back(project: Exported) -> None:
    back, lost = through(project, "mqm-tsv")
    assert not lost
    assert (back.items, all_said(again(project, back))) == (project.items, all_said(project))


@st.composite
def compared(draw: st.DrawFn) -> Exported:
    made, events = [], []
    for n in range(draw(st.integers(1, 3))):
        texts = draw(st.lists(TEXTS, min_size=2, max_size=2, unique=True))
        outputs = [Output(track=str(k), text=text) for k, text in enumerate(texts, start=1)]
        item = Item(id=f"i{n}", prompt=f"{n} {draw(TEXTS)}", outputs=outputs)
        made.append(item)
        winner = draw(st.sampled_from(["first", "second"]))
        events.append(labelled(item, [Preference(first="1", second="2", winner=winner)]))
    return Exported(PROJECT, preset("good-span"), made, events)


def chosen(project: Exported) -> list[tuple[str, str, str]]:
    """Prompt, better and worse text."""
    found = []
    for item in project.items:
        for value in project.labels()[item.id]["imported"].preferences().values():
            texts = [item.output(value.first).text, item.output(value.second).text]
            found.append((item.prompt, *(texts if value.winner == "first" else texts[::-1])))
    return found


@MANY
@given(compared())
def test_preferences_come_back(project: Exported) -> None:
    back, lost = through(project, "trl-preference")
    assert not lost
    assert chosen(again(project, back)) == chosen(project)


# -- the published files themselves -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SHARED / "qa_feedback" / "feedback.json", SAMPLES / "qa_feedback.json"], ids=str)
def test_published_feedback_comes_back_exactly(path: Path, tmp_path: Path) -> None:
    if not path.is_file():
        pytest.skip("the published file is not there")
    read = FORMATS["fine-grained-rlhf"].reader()(path, Reading(PROJECT))
    report = FORMATS["fine-grained-rlhf"].writer()(
        Exported(PROJECT, read.schema, read.items, read.events), tmp_path / "out.json"
    )
    assert not report.lost
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(path.read_text())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fine-grained-rlhf", SAMPLES / "qa_feedback.json"),
        ("mqm-tsv", SAMPLES / "mqm_ted.tsv"),
        ("haluquestqa", SAMPLES / "haluquestqa.csv"),
    ],
)
@pytest.mark.parametrize("other", ["jsonl", "csv", "label-studio"])
def test_published_labels_pass_through_other_formats(name: str, path: Path, other: str) -> None:
    read = FORMATS[name].reader()(path, Reading(PROJECT))
    project = Exported(PROJECT, read.schema, read.items, read.events)
    back, lost = through(project, other)
    unsure = other == "label-studio" and name == "fine-grained-rlhf"  # it does not hold where nothing is known
    assert lost == unsure
    without = Unsure if unsure else None
    assert all_said(again(project, back), without) == all_said(project, without)
    assert said(project.labels()[read.items[0].id][read.events[0].author])
