"""The published labels: what is read is checked, and the rules give what the published code gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hitl.errors import InputError
from hitl.evaluation.rewards_data import HEADS, Question, read_questions
from policies.rewards.documents import FINE_GRAINED, Wanted

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "qa_feedback" / "feedback.json"
PASSAGES = [["Title", "The cat sat on the red mat in the hall.", "It rained for days in the whole county."]]
OTHERS = ("It rained for days in the whole county.", "Nothing.", "The cat sat on the red mat in the hall.")
ANSWER = "The cat sat on the red mat in the hall, and it was a very fat one. It rained for days."


def question(
    folder: Path,
    answer: str,
    *errors: tuple[str, int, int],
    corrected: str = "",
    missing: list[dict[str, Any]] | None = None,
    preference: tuple[int, ...] = (0,) * 6,
) -> Question:
    """What a file of one example comes to."""
    grounding = '{"passage_id":1,"sentence_id":[1]}'
    spans = [
        {
            "error type": kind, "explanation": grounding if kind == "Wrong-Grounding" else "",
            "start": start, "end": end,
        }
        for kind, start, end in errors
    ]  # fmt: skip
    record = {
        "question": "Where?", "passages": PASSAGES, "gold": "",
        **{f"prediction {number}": text for number, text in enumerate((answer, *OTHERS), 1)},
        "feedback": {"errors": spans, "missing-info": missing or [], "corrected-prediction": corrected},
        "preference": list(preference),
    }  # fmt: skip
    file = folder / "one.json"
    file.write_text(json.dumps([record]), encoding="utf-8")
    return read_questions(file)[0]


def test_the_heads_are_the_published_ones() -> None:
    assert HEADS == FINE_GRAINED


def test_the_sample_is_read_whole() -> None:
    questions = read_questions(SAMPLE)
    assert len(questions) == 12 and all(len(one.documents) == 4 for one in questions)
    errors = 0
    for one in questions:
        for head, density in (("relevance", "sub_sentence"), ("factuality", "sentence")):
            found = one.segments(head)
            if found is not None:
                assert len(found.values) == len(one.documents[0].spans(density))  # type: ignore[arg-type]
                assert [bool(has) for has in found.categories] == [value == 1 for value in found.values]
                errors += found.values.count(1)
    assert errors > 12


def test_nothing_of_the_feedback_is_in_a_document(tmp_path: Path) -> None:
    one = question(tmp_path, ANSWER)
    other = question(tmp_path, ANSWER, ("Irrelevant", 0, 39), corrected=OTHERS[0], preference=(1,) * 6)
    assert [d.content for d in one.documents] == [d.content for d in other.documents]


Change = Callable[[list[dict[str, Any]]], None]


def _set(*path: Any) -> Change:
    *way, key, value = path

    def change(records: list[dict[str, Any]]) -> None:
        place: Any = records
        for step in way:
            place = place[step]
        if value is KeyError:
            del place[key]
        else:
            place[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(1, "question", KeyError), "question"),
        (_set(1, "prediction 3", 5), r"\$\[1\]"),
        (_set(0, "preference", 2, 7), "preference"),
        (_set(0, "feedback", "errors", 0, "error type", "Rude"), "errors"),
        (_set(0, "feedback", "errors", 0, "end", 0), "errors"),
        (_set(0, "feedback", "errors", 0, "end", 10**6), "errors"),
        (_set(0, "feedback", "missing-info", [
            {"error type": "Missing-Answer", "passage_id": 99, "sentence_id": [1]}
        ]), "missing-info"),
        (_set(0, "feedback", "missing-info", [
            {"error type": "Missing-Answer", "passage_id": 1, "sentence_id": [999]}
        ]), "missing-info"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: Change, message: str) -> None:
    records = json.loads(SAMPLE.read_text(encoding="utf-8"))
    change(records)
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_questions(file)
    assert "wrong.json" in str(caught.value)


def test_a_file_without_examples_or_without_feedback(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="none.json.*holds no examples"):
        read_questions(tmp_path / "none.json")
    prompt = {"text": "x", "answer": ["It is."], "passages": [], "question": "Is it?"}
    (tmp_path / "prompts.json").write_text(json.dumps([prompt]), encoding="utf-8")
    with pytest.raises(InputError, match="prompts.json.*no feedback"):
        read_questions(tmp_path / "prompts.json")


def values(one: Question, head: str) -> tuple[int | None, ...] | None:
    found = one.segments(head)
    return found.values if found else None


def test_short_spans_of_c1_count_for_nothing_and_those_of_c2_do(tmp_path: Path) -> None:
    whole, short = (0, 39), (0, 15)
    assert values(question(tmp_path, ANSWER, ("Irrelevant", *whole)), "relevance") == (1, 0, 0)
    assert values(question(tmp_path, ANSWER, ("Irrelevant", *short)), "relevance") == (0, 0, 0)
    assert values(question(tmp_path, ANSWER, ("Unverifiable", *whole)), "relevance") == (0, 0, 0)
    assert values(question(tmp_path, ANSWER, ("Wrong-Grounding", 4, 7)), "factuality") == (1, 0)
    assert values(question(tmp_path, ANSWER, ("Irrelevant", *whole)), "factuality") == (None, 0)
    assert values(question(tmp_path, ANSWER, ("Irrelevant", *short)), "factuality") == (0, 0)
    both = question(tmp_path, ANSWER, ("Irrelevant", *whole), ("Unverifiable", 40, 60))
    assert values(both, "factuality") == (1, 0)


def test_preferences_in_their_order(tmp_path: Path) -> None:
    found = question(tmp_path, ANSWER, preference=(1, 0, 2, 1, 2, 0)).pairs("preference")
    assert sorted(found) == [(0, 1), (1, 2), (3, 0), (3, 1)]


def test_coverage_counts_what_the_corrected_text_holds(tmp_path: Path) -> None:
    found = question(tmp_path, "Nothing at all.", corrected="The cat sat on the red mat in the hall.")
    assert [x.values for x in found.labels.values() if isinstance(x, Wanted)] == [(True, False)]
    assert sorted(found.pairs("completeness")) == [(3, 0), (3, 1), (3, 2)]
    nothing = question(tmp_path, "x", corrected="Quite another text without any source.")
    assert nothing.pairs("completeness") == [] and not any(isinstance(x, Wanted) for x in nothing.labels.values())


@pytest.mark.parametrize(
    ("kind", "answer", "wanted"),
    [
        ("Missing-Minor-Auxiliary", "Nothing at all.", (True, False)),
        ("Missing-Minor-Auxiliary", "It rained for days in the whole county.", (True, True)),
        ("Missing-Major-Auxiliary", "Nothing at all.", (True, True)),
    ],
)
def test_a_minor_point_is_wanted_only_of_who_said_it(
    tmp_path: Path, kind: str, answer: str, wanted: tuple[bool, ...]
) -> None:
    corrected = "The cat sat on the red mat in the hall. It rained for days in the whole county."
    lack = {"error type": kind, "passage_id": 1, "sentence_id": [2]}
    found = question(tmp_path, answer, corrected=corrected, missing=[lack])
    assert [x.values for x in found.labels.values() if isinstance(x, Wanted)] == [wanted]
