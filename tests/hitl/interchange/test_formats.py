"""What single formats say, and what they say that they cannot hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hitl import options_annotation
from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.state import kind_of
from hitl.errors import InputError
from hitl.interchange import registry
from hitl.interchange.exchange import Exported, Imported, Reading, Report
from hitl.interchange.label_studio import config_path, labeling_config
from hitl.interchange.registry import FORMATS
from hitl.labels import Evidence, Missing, Preference, Review, Rewrite, Span, Unsure, Value
from tests.support.random_projects import PROJECT, labelled

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "interchange"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def read(name: str, path: Path, **fields: Any) -> Imported:
    return FORMATS[name].reader()(path, Reading(PROJECT, **fields))


def write(name: str, project: Exported, path: Path) -> Report:
    return FORMATS[name].writer()(project, path)


def item(name: str = "one", text: str = "A cat sat. The dog ran, and then it sat down at once.") -> Item:
    outputs = [Output(track=str(n), text=text if n == 1 else f"Text {n}.") for n in range(1, 5)]
    return Item(id=name, prompt=f"Who is {name}?", sources=[SourceText(title="T", sentences=["S."])], outputs=outputs)


def project(*found: Value, author: str = "imported", schema: str = "fine-grained-rlhf") -> Exported:
    one = item()
    return Exported(PROJECT, preset(schema), [one], [labelled(one, list(found), author)])


def span(start: int, end: int, *categories: str, **fields: Any) -> Span:
    return Span(track=fields.pop("track", "1"), start=start, end=end, categories=list(categories), **fields)


def test_the_options_name_every_format() -> None:
    assert options_annotation.READ.split(", ") == [name for name, entry in FORMATS.items() if entry.reads]
    assert options_annotation.WRITTEN.split(", ") == [name for name, entry in FORMATS.items() if entry.writes]
    for entry in FORMATS.values():
        with pytest.raises(InputError, match="no format"):
            registry.format_of(entry.name + "x")
        assert not entry.reads or callable(entry.reader())
        assert not entry.writes or callable(entry.writer())


# -- Fine-Grained RLHF --------------------------------------------------------------------------------------------


def test_feedback_is_read_as_it_is_meant() -> None:
    found = read("fine-grained-rlhf", SAMPLES / "qa_feedback.json")
    examples = json.loads((SAMPLES / "qa_feedback.json").read_text())
    for example, one, event in zip(examples, found.items, found.events, strict=True):
        values = [change.value for change in event.changes]
        assert event.author == "imported" and one.reference == example["gold"]
        assert [value for value in values if isinstance(value, Review)] == [Review(state="done")]
        marks = [value for value in values if isinstance(value, Span)]
        assert [(mark.start, mark.end) for mark in marks] == [
            (error["start"], error["end"]) for error in example["feedback"]["errors"]
        ]
        for mark, error in zip(marks, example["feedback"]["errors"], strict=True):
            if mark.repeats is not None:
                assert one.output("1").text[slice(*mark.repeats)] == error["explanation"]
        for lack in (value for value in values if isinstance(value, Missing)):
            assert all(one.sources[e.source].sentences[e.sentence - 1] for e in lack.evidence if e.sentence)
    assert Counter(kind_of(c.value) for e in found.events for c in e.changes if c.value)["preference"] == 60
    assert list(found.report.odd) == ["what is repeated is not found before the span; kept as its note"]


def test_prompts_are_items_without_labels() -> None:
    found = read("fine-grained-rlhf", SAMPLES / "qa_prompts.json")
    assert not found.events and len(found.items) == 3
    assert all(one.reference == one.outputs[0].text and one.outputs[0].origin == "reference" for one in found.items)


def test_labels_that_were_edited_are_written_as_they_are_now(tmp_path: Path) -> None:
    found = read("fine-grained-rlhf", SAMPLES / "qa_feedback.json")
    first = found.items[0]
    edited = labelled(first, [span(0, 5, "Irrelevant")]).changes
    event = labelled(first, [])
    events = [*found.events, type(event)(**{**_fields(event), "changes": edited})]
    write("fine-grained-rlhf", Exported(PROJECT, found.schema, found.items, events), tmp_path / "out")
    before = json.loads((SAMPLES / "qa_feedback.json").read_text())
    after = json.loads((tmp_path / "out").read_text())
    added = {"error type": "Irrelevant", "explanation": "", "start": 0, "end": 5}
    assert after[0]["feedback"]["errors"] == [*before[0]["feedback"]["errors"], added]
    assert after[1:] == before[1:]


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_what_the_published_format_cannot_hold_is_told(tmp_path: Path) -> None:
    found: list[Value] = [
        span(0, 10, "Irrelevant", "Unverifiable", note="both", severity=""),
        span(5, 12, "Wrong-Grounding", note="why", evidence=[Evidence(source=0, sentence=1)]),
        span(0, 4, "Irrelevant", track="2", suggested_by="v7"),
        Missing(track="1", category="Missing-Answer"),
        Rewrite(track="1", text="A cat."),
        Rewrite(track="3", text="Three."),
        Preference(first="1", second="2", winner="tie"),
        Unsure(track="1", start=0, end=3),
        Review(state="flagged", note="odd"),
    ]
    report = write("fine-grained-rlhf", project(*found, author="ann"), tmp_path / "out")
    assert set(report.lost) == {
        "who labelled",
        "that several categories are of one span (each is written as one of its own)",
        "note of spans of the category Wrong-Grounding",
        "spans of other outputs than the first",
        "suggested by of spans",
        "what is missing without a sentence that says it",
        "rewrites of other outputs than the first",
        "preferences, where not all six are there",
        "that a review is not done",
        "note of reviews",
        "parts that nobody is sure of, but for those that follow from the spans",
    }
    assert "spans overlap, which they never do in the published files" in report.odd
    entry = json.loads((tmp_path / "out").read_text())[0]
    assert [error["error type"] for error in entry["feedback"]["errors"]] == [
        "Irrelevant", "Unverifiable", "Wrong-Grounding",
    ]  # fmt: skip
    assert entry["feedback"]["errors"][2]["explanation"] == '{"passage_id":1,"sentence_id":[1]}'
    assert "preference" not in entry


def test_one_persons_labels_are_asked_for(tmp_path: Path) -> None:
    one = item()
    events = [labelled(one, [Review(state="done")], author) for author in ("ann", "bob")]
    with pytest.raises(InputError, match="ann, bob have labelled"):
        write("fine-grained-rlhf", Exported(PROJECT, preset("fine-grained-rlhf"), [one], events), tmp_path / "out")


# -- MQM and HaluQuestQA ------------------------------------------------------------------------------------------


def test_newer_headings_and_spellings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "new.tsv"
    path.write_text(
        "system\tdoc\tdocSegId\tglobalSegId\trater\tsource\ttarget\tcategory\tseverity\tmetadata\n"
        'A\td\t1\t5\tr1\tquelle\tone "two <v>three</v>\tfluency/grammar\tminor\t{"t": 1}\n'
        'A\td\t1\t5\tr2\tquelle\tone "two three\tno-error\tno-error\t\n'
    )
    found = read("mqm-tsv", path)
    assert [one.id for one in found.items] == ["A/d/5"]
    assert found.items[0].outputs[0].text == 'one "two three'
    spans = [change.value for change in found.events[0].changes if isinstance(change.value, Span)]
    assert spans == [span(9, 14, "Fluency/Grammar", track="target", severity="Minor")]
    assert [event.author for event in found.events] == ["r1", "r2"]
    assert found.report.lost == {"the column metadata": [f"{path}:2"]}


def test_published_ratings_come_back_row_by_row(tmp_path: Path) -> None:
    path = SHARED / "mqm_ted" / "mqm_ted_zhen.tsv"
    path = path if path.is_file() else SAMPLES / "mqm_ted.tsv"
    found = read("mqm-tsv", path)
    report = write("mqm-tsv", Exported(PROJECT, found.schema, found.items, found.events), tmp_path / "out.tsv")
    before, after = path.read_text().splitlines(), (tmp_path / "out.tsv").read_text().splitlines()
    assert not report.lost
    assert len(before) == len(after)
    (cut,) = set(before) - set(after)  # the one row whose </v> is missing
    assert set(after) - set(before) == {cut.replace("after another.", "after another.</v>")}


def test_spans_are_found_again_by_their_text(tmp_path: Path) -> None:
    found = read("haluquestqa", SAMPLES / "haluquestqa.csv")
    assert len(found.report.lost["incomplete spans that are in neither answer"]) == 2
    spans = [(e.item, c.value) for e in found.events for c in e.changes if isinstance(c.value, Span)]
    texts = {one.id: one for one in found.items}
    raw = "".join((SAMPLES / "haluquestqa.csv").read_text().casefold().split())
    for name, value in spans:
        marked = texts[name].output(value.track).text[value.start : value.end]
        assert raw.count("".join(marked.casefold().replace('"', '""').split())) >= 2 or "'" in marked


def test_all_of_haluquestqa() -> None:
    path = SHARED / "haluquestqa" / "HaluQuestQA.csv"
    if not path.is_file():
        pytest.skip("the published file is not there")
    found = read("haluquestqa", path)
    spans = [c.value.categories[0] for e in found.events for c in e.changes if isinstance(c.value, Span)]
    assert len(found.items) == 698
    assert Counter(spans) == {"incomplete": 510, "reference": 427, "irrelevance": 367, "factuality": 281}


# -- Label Studio -------------------------------------------------------------------------------------------------


def ls_task(text: str, start: int, end: int, marked: str | None) -> str:
    value = {"start": start, "end": end, "labels": ["animal"]} | ({} if marked is None else {"text": marked})
    result = {"id": "r1", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    annotation = {"completed_by": {"id": 3, "email": "a@b.c"}, "result": [result]}
    return json.dumps([{"id": 9, "data": {"text": text}, "annotations": [annotation], "created_at": "today"}])


@pytest.mark.parametrize(
    ("start", "end", "marked", "odd"),
    [(6, 9, "cat", False), (7, 10, "cat", True), (6, 9, None, False), (0, 5, "cat", True)],
)
def test_offsets_of_emoji_are_code_points_today_and_were_not(
    start: int, end: int, marked: str | None, odd: bool, tmp_path: Path
) -> None:
    (tmp_path / "tasks.json").write_text(ls_task("💩This cat sat.".replace("This", "The "), start, end, marked))
    found = read("label-studio", tmp_path / "tasks.json")
    (value,) = [change.value for change in found.events[0].changes]
    assert isinstance(value, Span)
    text = found.items[0].outputs[0].text
    if marked == "cat" and start:
        start = text.index("cat")
        assert (value.start, value.end) == (start, start + 3)
    else:
        assert (value.start, value.end) == (start, end)
    assert bool(found.report.odd) == odd
    assert (found.events[0].author, found.schema.categories[0].key) == ("a@b.c", "animal")


def test_an_emoji_in_a_span_is_one_code_point_of_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(ls_task("a 💩💩 b", 2, 6, "💩💩"))
    (value,) = [c.value for c in read("label-studio", tmp_path / "tasks.json").events[0].changes]
    assert isinstance(value, Span) and (value.start, value.end) == (2, 4)


def test_tasks_of_others_are_understood_as_far_as_can_be(tmp_path: Path) -> None:
    region = {"id": "r", "to_name": "answer"}
    place = {"start": 0, "end": 3, "text": "one"}
    results = [
        {**region, "from_name": "kind", "type": "labels", "value": {**place, "labels": ["good", "bad"]}},
        {**region, "from_name": "note", "type": "textarea", "value": {**place, "text": ["why"]}},
        {**region, "from_name": "severity", "type": "choices", "value": {**place, "choices": ["Minor"]}},
        {"id": "p", "from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": "right"}},
        {"id": "c", "from_name": "corrected", "to_name": "other", "type": "textarea", "value": {"text": ["two!"]}},
        {"id": "n", "from_name": "stars", "to_name": "answer", "type": "number", "value": {"number": 4}},
        {"type": "relation", "from_id": "r", "to_id": "p"},
    ]
    entry = {
        "data": {"question": "which?", "answer": "one", "other": "two"},
        "annotations": [{"completed_by": 3, "lead_time": 2.5, "result": results}],
        "predictions": [{"model_version": "m1", "result": results[:1]}],
    }
    (tmp_path / "t.json").write_text(json.dumps([entry]))
    found = read("label-studio", tmp_path / "t.json")
    assert [event.author for event in found.events] == ["annotator-3", "m1"]
    assert found.events[0].spent_s == 2.5
    values = [change.value for change in found.events[0].changes]
    assert values == [
        span(0, 3, "good", "bad", track="answer", note="why", severity="Minor"),
        Preference(first="answer", second="other", winner="second"),
        Rewrite(track="other", text="two!"),
    ]
    assert sorted(found.report.lost) == ["results number of stars", "results relation of nothing"]
    assert found.items[0].prompt == "which?"


def test_regions_that_share_a_name_are_all_kept(tmp_path: Path) -> None:
    entry = json.loads(ls_task("a cat sat", 2, 5, "cat"))
    results = entry[0]["annotations"][0]["result"]
    results.append({**results[0], "from_name": "mood", "value": {**results[0]["value"], "labels": ["happy"]}})
    review = {"id": "v", "from_name": "review", "to_name": "text", "type": "choices"}
    rewrite = {"id": "w", "from_name": "rewrite", "to_name": "text", "type": "textarea"}
    results.append({**review, "value": {"choices": ["done"]}})
    results += [{**rewrite, "id": text, "value": {"text": [text]}} for text in ("one", "two")]
    (tmp_path / "t.json").write_text(json.dumps(entry))
    found = read("label-studio", tmp_path / "t.json")
    values = [change.value for change in found.events[0].changes]
    assert values[:2] == [span(2, 5, "animal", track="text"), span(2, 5, "happy", track="text")]
    assert len({change.key for change in found.events[0].changes[:2]}) == 2
    assert list(found.report.lost) == ["of rewrites about the same all but the last"]


def test_the_labeling_config_names_what_the_results_name(tmp_path: Path) -> None:
    found = read("fine-grained-rlhf", SAMPLES / "qa_feedback.json")
    path = tmp_path / "out.json"
    write("label-studio", Exported(PROJECT, found.schema, found.items, found.events), path)
    view = ElementTree.fromstring(config_path(path).read_bytes())
    names = {element.get("name"): element for element in view.iter() if element.get("name")}
    tasks = json.loads(path.read_text())
    results = [result for task in tasks for note in task["annotations"] for result in note["result"]]
    tags = {"labels": "Labels", "choices": "Choices", "textarea": "TextArea", "pairwise": "Pairwise"}
    for result in results:
        assert names[result["from_name"]].tag == tags[result["type"]]
        about = result["from_name"] if result["type"] == "pairwise" else names[result["from_name"]].get("toName")
        assert result["to_name"] == about  # a comparison names itself, as Label Studio writes it
    for element in view.iter("Text"):
        assert all(element.get("value", "").removeprefix("$") in task["data"] for task in tasks)
    assert {label.get("value") for label in view.iter("Label")} == {
        category.key for category in found.schema.categories if category.where == "span"
    }


def test_the_labeling_config_has_severities_where_the_schema_has() -> None:
    view = ElementTree.fromstring(labeling_config(preset("mqm"), 1))
    severity = next(element for element in view.iter("Choices") if element.get("name") == "severity_1")
    assert severity.get("perRegion") == "true"
    assert [choice.get("value") for choice in severity] == ["Minor", "Major", "Neutral"]


# -- TRL ----------------------------------------------------------------------------------------------------------


def rows(name: str, exported: Exported, path: Path) -> list[dict[str, Any]]:
    write(name, exported, path)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_trl_columns_are_those_of_its_trainers(tmp_path: Path) -> None:
    found = project(
        span(0, 10, "Irrelevant"),  # three words: too short for this category
        span(11, 53, "Irrelevant"),
        Missing(track="2", category="Missing-Answer", evidence=[Evidence(source=0, sentence=1)]),
        Preference(first="1", second="2", winner="second"),
        Preference(first="1", second="3", winner="tie"),
        Review(state="done"),
    )
    prompt, text = "T\nS.\n\nWho is one?", item().output("1").text
    path = tmp_path / "out"
    assert rows("trl-preference", found, path) == [{"prompt": prompt, "chosen": "Text 2.", "rejected": text}]
    assert rows("trl-unpaired", found, path) == [
        {"prompt": prompt, "completion": text, "label": False},
        {"prompt": prompt, "completion": "Text 2.", "label": False},
    ]
    assert rows("trl-stepwise", found, path)[0] == {
        "prompt": prompt,
        "completions": ["A cat sat.", "The dog ran, and then it sat down at once."],
        "labels": [False, False],
    }
    first = rows("trl-segments", found, path)[0]
    assert set(first) == {"prompt", "completion", "spans", "segments"}
    relevance = [(s["start"], s["end"], s["label"]) for s in first["segments"] if s["head"] == "relevance"]
    assert relevance == [(0, 10, False), (11, 53, True)]
    report = write("trl-segments", found, path)
    assert "of items all but prompt and outputs; sources stand before the prompt" in report.lost
    whole = [s["label"] for s in rows("trl-segments", found, path)[1]["segments"] if s["head"] == "completeness"]
    assert whole == [True]


def test_what_nobody_finished_is_no_example(tmp_path: Path) -> None:
    found = project(span(0, 10, "Irrelevant"), Review(state="open"))
    assert rows("trl-unpaired", found, tmp_path / "out") == []
    report = write("trl-stepwise", found, tmp_path / "out")
    assert report.lost["labels of items that are not done"] == ["one"]


def test_conversations_are_read_as_preferences(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "Which?"}
    explicit = {"prompt": [turn], "chosen": [{"role": "assistant", "content": "A"}], "rejected": "B", "score": 2}
    implicit = {
        "chosen": [turn, {"role": "assistant", "content": "C"}],
        "rejected": [turn, {"role": "assistant", "content": "D"}],
    }
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, (explicit, implicit, implicit))))
    found = read("trl-preference", tmp_path / "p.jsonl")
    assert [one.prompt for one in found.items] == ["Which?", "Which?"]
    assert found.items[0].extra == {"score": 2}
    for one, event, better in zip(found.items, found.events, "AC", strict=True):
        value = event.changes[0].value
        assert isinstance(value, Preference)
        assert one.output(value.first if value.winner == "first" else value.second).text == better
    assert "an example that was there before" in found.report.odd
