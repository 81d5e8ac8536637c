"""The published labels: the reader is strict, and the rules give what they gave."""

from __future__ import annotations

import json
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from hitl.errors import InputError
from hitl.evaluation import fine_grained_labels as rules
from hitl.evaluation.fine_grained_data import Error as Span
from hitl.evaluation.fine_grained_data import Example, Feedback, read_examples

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "qa_feedback" / "feedback.json"


def example(
    answer: str, *errors: tuple[str, int, int], corrected: str = "", preference: tuple[int, ...] = (0,) * 6
) -> Example:
    spans = [Span(kind, "", start, end) for kind, start, end in errors]  # type: ignore[arg-type]
    passages = (("Title", "The cat sat on the red mat in the hall.", "It rained for days in the whole county."),)
    others = ("It rained for days in the whole county.", "Nothing.", "The cat sat on the red mat in the hall.")
    return Example("Where?", passages, (answer, *others), Feedback(spans, [], corrected), preference)


def test_the_sample_is_read_whole() -> None:
    examples = read_examples(SAMPLE)
    assert len(examples) == 12 and all(len(e.documents) == 4 for e in examples)
    for one in examples:
        assert len(rules.relevance_labels(one)) == len(one.documents[0].spans("sub_sentence"))
        assert len(rules.factuality_labels(one)) == len(one.documents[0].spans("sentence"))
    assert any(1 in rules.factuality_labels(one) for one in examples)


def test_nothing_of_the_feedback_is_in_a_document() -> None:
    one = read_examples(SAMPLE)[0]
    other = Example(one.question, one.passages, one.predictions, Feedback([], [], "other"), (0,) * 6)
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
        (_set(1, "extra", 1), "extra"),
        (_set(1, "prediction 3", 5), r"\$\[1\]"),
        (_set(0, "preference", 2, 7), "preference"),
        (_set(0, "preference", [0, 1]), "length"),
        (_set(0, "feedback", "errors", 0, "error type", "Rude"), "errors"),
        (_set(0, "feedback", "errors", 0, "end", 0), "before it starts"),
        (_set(0, "feedback", "errors", 0, "end", 10**6), "characters"),
        (_set(0, "feedback", "errors", 0, "start", -1), "start"),
        (_set(0, "feedback", "missing-info", [
            {"error type": "Missing-Answer", "passage_id": 99, "sentence_id": [1]}
        ]), "passage 99"),
        (_set(0, "feedback", "missing-info", [
            {"error type": "Missing-Answer", "passage_id": 1, "sentence_id": [999]}
        ]), "behind the last"),
        (_set(0, "passages", 0, []), "no title"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: Change, message: str) -> None:
    records = json.loads(SAMPLE.read_text(encoding="utf-8"))
    change(records)
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_examples(file)
    assert "wrong.json" in str(caught.value)


def test_questions_are_there_once(tmp_path: Path) -> None:
    records = json.loads(SAMPLE.read_text(encoding="utf-8"))
    (tmp_path / "twice.json").write_text(json.dumps([*records, records[3]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"\[12\]\.question.*example 3"):
        read_examples(tmp_path / "twice.json")


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[]", b"\xff\xfe", b"[1]"])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match="x.json"):
        read_examples(tmp_path / "x.json")
    with pytest.raises(InputError, match="no such file"):
        read_examples(tmp_path / "nowhere.json")


ANSWER = "The cat sat on the red mat in the hall, and it was a very fat one. It rained for days."


def test_short_spans_of_c1_count_for_nothing_and_those_of_c2_do() -> None:
    whole = (0, 39)
    assert rules.relevance_labels(example(ANSWER, ("Irrelevant", *whole))) == (1, 0, 0)
    assert rules.relevance_labels(example(ANSWER, ("Irrelevant", 0, 15))) == (0, 0, 0)
    assert rules.relevance_labels(example(ANSWER, ("Unverifiable", *whole))) == (0, 0, 0)
    assert rules.factuality_labels(example(ANSWER, ("Wrong-Grounding", 4, 7))) == (1, 0)
    assert rules.factuality_labels(example(ANSWER, ("Irrelevant", *whole))) == (None, 0)
    assert rules.factuality_labels(example(ANSWER, ("Irrelevant", 0, 15))) == (0, 0)
    assert rules.factuality_labels(example(ANSWER, ("Irrelevant", *whole), ("Unverifiable", 40, 60))) == (1, 0)


def test_preferences_in_their_order() -> None:
    assert rules.preference_pairs(example("x", preference=(1, 0, 2, 1, 2, 0))) == [(0, 1), (3, 0), (1, 2), (3, 1)]


def test_coverage_counts_what_the_corrected_text_holds() -> None:
    found = rules.coverage_of(example("Nothing at all.", corrected="The cat sat on the red mat in the hall."))
    assert found.wanted == {(1, 1)} and found.scores == (0, 0, 0, 1)
    assert found.pairs == [(3, 0), (3, 1), (3, 2)]
    assert rules.coverage_of(example("x", corrected="Quite another text without any source.")).scores == ()


def test_similarity_is_the_published_one() -> None:
    def published(context: str, target: str) -> float:
        if target in context:
            return 1.0
        words = context.split()
        length = len(target.split()) + int(0.05 * len(target.split()))
        matcher, best = SequenceMatcher(), 0.0
        matcher.set_seq2(target)
        for start in range(len(words) - length + 1):
            matcher.set_seq1(" ".join(words[start : start + length]))
            best = max(best, matcher.quick_ratio())
        return best

    sentence = "General Lord Cornwallis had left 1,400 British troops under the command of Mawhood in Princeton."
    for piece in (
        "1,400 British troops were under Mawhood,",
        "Cornwallis had left",
        "the battle of Hastings was long",
    ):
        assert rules.similarity(sentence, piece) == published(sentence, piece)
    assert rules.similarity("Short one.", "a much longer piece of text than that") == published(
        "Short one. # # # # # # #", "a much longer piece of text than that"
    )


def test_slow_labels_are_kept_and_a_damaged_file_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = read_examples(SAMPLE)[:2]
    first = rules.coverages(examples, tmp_path / "coverage.json")
    monkeypatch.setattr(rules, "coverage_of", lambda _: pytest.fail("was made again"))
    assert rules.coverages(examples, tmp_path / "coverage.json") == first
    monkeypatch.undo()
    (tmp_path / "coverage.json").write_text("{", encoding="utf-8")
    assert rules.coverages(examples, tmp_path / "coverage.json") == first
