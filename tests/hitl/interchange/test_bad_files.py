"""Files that cannot be used are refused by name and place, with nothing stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hitl.annotation.items import Item, Output
from hitl.errors import InputError
from hitl.interchange.exchange import Reading
from hitl.interchange.registry import FORMATS
from hitl.interchange.store import import_file, list_projects

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "interchange"
FILES = {
    "fine-grained-rlhf": "qa_feedback.json",
    "mqm-tsv": "mqm_ted.tsv",
    "haluquestqa": "haluquestqa.csv",
}
Edit = Callable[[Any], None]


def refused(tmp_path: Path, name: str, text: str | bytes, named: str) -> InputError:
    """Import it, and see that the error names `named` and that no project came of it."""
    path = tmp_path / "bad file"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as caught:
        import_file(tmp_path / "data", name, path)
    assert named in str(caught.value)
    assert caught.value.hint
    assert list_projects(tmp_path / "data") == []
    return caught.value


def feedback(edit: Edit) -> str:
    """The published sample, changed."""
    examples = copy.deepcopy(json.loads((SAMPLES / FILES["fine-grained-rlhf"]).read_text()))
    edit(examples)
    return json.dumps(examples)


def first_error(examples: Any) -> Any:
    return next(error for example in examples for error in example["feedback"]["errors"])


def grounded(examples: Any) -> Any:
    errors = (error for example in examples for error in example["feedback"]["errors"])
    return next(error for error in errors if error["error type"] == "Wrong-Grounding")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda e: first_error(e).update(start=500, end=40), "500 to 40 is reversed"),
        (lambda e: first_error(e).update(start=7, end=7), "7 to 7 is empty"),
        (lambda e: first_error(e).update(end=100_000), "feedback.errors[0].start"),
        (lambda e: first_error(e).update(start=-1), "-1"),
        (lambda e: first_error(e).update(start="0"), "`int`, got `str` - at `$[0].feedback.errors"),
        (lambda e: first_error(e).update({"error type": "Boring"}), "Boring"),
        (lambda e: first_error(e).update(colour="red"), "colour"),
        (lambda e: first_error(e).pop("explanation"), "explanation"),
        (lambda e: grounded(e).update(explanation="see passage 1"), ".explanation"),
        (lambda e: grounded(e).update(explanation='{"passage_id":0,"sentence_id":[1]}'), ".explanation"),
        (lambda e: grounded(e).update(explanation='{"passage_id":90,"sentence_id":[1]}'), ".evidence"),
        (lambda e: e[0].update(note="x"), "note"),
        (lambda e: e[0].pop("gold"), "gold"),
        (lambda e: e[0].update(preference=[0, 1, 2, 0, 1]), "preference"),
        (lambda e: e[0].update(preference=[0, 1, 2, 0, 1, 3]), "preference"),
        (lambda e: e[0].update(passages=[[]]), "passages"),
        (lambda e: e.append(e[0]), "asks the same as $[0]"),
        (lambda e: e[0].update({"prediction 2": "x" * 5_000_000}), "5000000 characters"),
        (lambda e: e[0].update(gold=7), "gold"),
    ],
)
def test_published_feedback_is_read_strictly(edit: Edit, named: str, tmp_path: Path) -> None:
    refused(tmp_path, "fine-grained-rlhf", feedback(edit), named)


def test_half_of_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    text = feedback(lambda e: e[0].update(gold="GOLD")).replace('"GOLD"', r'"\ud83d"')
    refused(tmp_path, "fine-grained-rlhf", text, "surrogate")


@pytest.mark.parametrize("name", FILES)
def test_half_a_file_is_refused(name: str, tmp_path: Path) -> None:
    whole = (SAMPLES / FILES[name]).read_bytes()
    refused(tmp_path, name, whole[: whole.rfind(b"\t", 0, len(whole) * 2 // 3) if b"\t" in whole else -9], "bad file")


@pytest.mark.parametrize(
    "name", sorted(name for name, entry in FORMATS.items() if entry.reads and name != "recordings")
)
def test_what_is_no_utf_8_is_refused(name: str, tmp_path: Path) -> None:
    refused(tmp_path, name, b'{"a": "\xff"}', "byte 7 is no UTF-8")


@pytest.mark.parametrize("name", sorted(name for name, entry in FORMATS.items() if entry.reads))
@pytest.mark.parametrize("text", ["", "7", '{"is": 7}', "[1]", "a\tb\nc\td\n", '"'])
def test_what_is_of_another_format_is_refused(name: str, text: str, tmp_path: Path) -> None:
    if not text and name == "trl-preference":
        return  # a file without lines is one without examples
    refused(tmp_path, name, text, "bad file")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        import_file(tmp_path / "data", "jsonl", tmp_path / "nothing")
    with pytest.raises(InputError, match="no format"):
        import_file(tmp_path / "data", "yaml", tmp_path / "nothing")


# -- tables -------------------------------------------------------------------------------------------------------

HEADING = "system\tdoc\tdoc_id\tseg_id\trater\tsource\ttarget\tcategory\tseverity\n"


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("A\tt\t1\t1\tr\ts\tone <v>two</v>\tOther\tHuge", ":2.severity"),
        ("A\tt\t1\t1\tr\ts\tone <v>two</v>\tBoring\tMajor", ":2.category"),
        ("A\tt\t1\t1\tr\ts\t<v>one</v> <v>two</v>\tOther\tMajor", ":2.target"),
        ("A\tt\t1\t1\tr\ts\tone</v> two<v>\tOther\tMajor", ":2.target"),
        ("A\tt\t1\t1\tr\ts\tone two</v>\tOther\tMajor", ":2.target"),
        ("A\tt\t1\t1\tr\ts\tone", "has 7 cells"),
        ("A\tt\t1\t1\tr\ts\tone\tNo-error\tNo-error\nA\tt\t1\t1\tq\ts\ttwo\tNo-error\tNo-error", "another text"),
    ],
)
def test_ratings_that_cannot_be_meant_are_refused(row: str, named: str, tmp_path: Path) -> None:
    refused(tmp_path, "mqm-tsv", HEADING + row + "\n", named)


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "mqm-tsv", HEADING.replace("doc\t", "paper\t") + "A\tt\t1\t1\tr\ts\tt\tx\ty\n", "'doc'")
    refused(tmp_path, "mqm-tsv", HEADING[:-1] + "\tmood\n" + "\t".join("AtttrstOMz") + "\n", "'mood'")


def test_haluquestqa_is_read_strictly(tmp_path: Path) -> None:
    whole = (SAMPLES / FILES["haluquestqa"]).read_text()
    refused(tmp_path, "haluquestqa", whole.replace("Answer 1\t", "Answer 9\t", 1), "ans_preference")
    refused(tmp_path, "haluquestqa", whole + whole.split("\n", 1)[1], "is there twice")
    refused(tmp_path, "haluquestqa", whole.replace("['answer", "[answer", 1), "is no list")


ROWS = (
    "item,author,key,kind,track,start,end,categories,severity,text,note,evidence,repeats,suggested_by,first,second,"
    "winner,state\n"
)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("two,ann,span:a,span,1,0,3,Irrelevant,,,,,,,,,,", ":2.item"),
        ("one,ann,span:a,span,1,5,3,Irrelevant,,,,,,,,,,", "reversed"),
        ("one,ann,span:a,span,1,0,99,Irrelevant,,,,,,,,,,", "outside"),
        ("one,ann,span:a,span,1,x,3,Irrelevant,,,,,,,,,,", ":2.start"),
        ("one,ann,span:a,span,9,0,3,Irrelevant,,,,,,,,,,", "no output"),
        ("one,ann,span:a,span,1,0,3,Boring,,,,,,,,,,", "Boring"),
        ("one,ann,span:a,span,1,0,3,Irrelevant,,dog,,,,,,,,", ":2.text"),
        ("one,ann,span:a,span,1,0,3,Irrelevant,,,,1,,,,,,", ":2.evidence"),
        ("one,ann,span:a,span,1,0,3,Irrelevant,,,,,4,,,,,", ":2.repeats"),
        ("one,ann,span:a,mark,1,0,3,Irrelevant,,,,,,,,,,", ":2.kind"),
        ("one,ann,review,review,,,,,,,,,,,,,,perhaps", ":2"),
        ("one,ann,span:a,span,1,0,3,Irrelevant,,,,,,,,,,\none,ann,span:a,span,1,0,2,Irrelevant,,,,,,,,,,", "twice"),
        ("one,ann,span:a", "has 3 cells"),
        ('one,ann,span:a,span,1,0,3,"Irrel', "unexpected end"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(row: str, named: str, tmp_path: Path) -> None:
    item = Item(id="one", outputs=[Output(track="1", text="A cat sat.")])

    def find(name: str) -> Item:
        if name != "one":
            raise InputError("is not there", field="item", hint="Look.")
        return item

    path = tmp_path / "rows.csv"
    path.write_text(ROWS + row + "\n")
    with pytest.raises(InputError) as caught:
        FORMATS["csv"].reader()(path, Reading("p", find=find))
    assert named in str(caught.value)


# -- lines --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """A project in hitl's own lines."""
    data = tmp_path / "made"
    import_file(data, "fine-grained-rlhf", SAMPLES / FILES["fine-grained-rlhf"], project="p")
    from hitl.interchange.store import export_project

    export_project(data, "jsonl", "p", tmp_path / "p.jsonl")
    return (tmp_path / "p.jsonl").read_text().splitlines()


def test_own_lines_must_be_whole_and_in_order(lines: list[str], tmp_path: Path) -> None:
    def joined(some: list[str]) -> str:
        return "\n".join(some) + "\n"

    refused(tmp_path, "jsonl", joined(lines[:-1]), "end is missing")
    refused(tmp_path, "jsonl", joined(lines)[:-300], "bad file")
    refused(tmp_path, "jsonl", joined([*lines[:-2], lines[-1]]), "end is missing")  # a step is gone
    refused(tmp_path, "jsonl", joined(lines[:3] + lines[4:]), "item")
    refused(tmp_path, "jsonl", joined(lines[1:]), ":1: is not where it belongs")
    refused(tmp_path, "jsonl", joined([*lines, lines[1]]), "is not where it belongs")
    refused(tmp_path, "jsonl", joined([lines[0], lines[1], *lines[1:]]), "is there twice")
    refused(tmp_path, "jsonl", joined(lines).replace('"hitl-labels-1"', '"hitl-labels-2"'), "hitl-labels-2")
    refused(tmp_path, "jsonl", joined([*lines[:-1], lines[-2], lines[-1]]), "is there twice")
    refused(tmp_path, "jsonl", joined(lines).replace('"project":"p"', '"project":"q"', 1), "'q' is not 'p'")
    refused(tmp_path, "jsonl", joined(lines).replace('"spent_s"', '"spent"', 1), "spent")
    refused(tmp_path, "jsonl", joined(lines).replace('["Irrelevant"]', '["Boring"]', 1), "Boring")


def test_preferences_must_have_both_sides(tmp_path: Path) -> None:
    refused(tmp_path, "trl-preference", '{"prompt": "a", "chosen": "b"}\n', "rejected")
    refused(tmp_path, "trl-preference", '{"chosen": [{"role": "user"}], "rejected": "b"}\n', "chosen")
    refused(tmp_path, "trl-preference", '{"chosen": 7, "rejected": "b"}\n', "chosen")
    refused(tmp_path, "trl-preference", '{"chosen": "a", "rejected": "b"}\n{"chosen": "a", "rej', ":2")


# -- Label Studio -------------------------------------------------------------------------------------------------


def task(**fields: Any) -> str:
    result = {"id": "r", "from_name": "label", "to_name": "text", "type": "labels"}
    value = {"start": 0, "end": 3, "labels": ["cat"], **fields.pop("value", {})}
    entry = {
        "id": 1,
        "data": {"text": "A cat sat."},
        "annotations": [{"result": [{**result, "value": value}]}],
        **fields,
    }
    return json.dumps([entry])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (task(value={"start": 5, "end": 2}), "reversed"),
        (task(value={"end": 99}), "outside"),
        (task(value={"labels": [f"label {n}" for n in range(40)]}), "40 categories"),
        (task(value={"labels": ["?!"]}), "is no name"),
        (task(data={"one": "a", "two": "b"}), "data"),
        (task(data={"hitl": {"id": 7}}), "hitl"),
        (task(annotations=[{"results": []}]), "result"),
        (json.dumps(json.loads(task()) * 2), "is there twice"),
        (task()[:-20], "truncated"),
    ],
)
def test_tasks_that_cannot_be_meant_are_refused(text: str, named: str, tmp_path: Path) -> None:
    refused(tmp_path, "label-studio", text, named)
