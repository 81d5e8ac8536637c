"""What labels on the time track tell a reward model."""

from __future__ import annotations

from hitl.annotation.presets import preset
from hitl.annotation.schema import changed
from hitl.labels import Judged, Rejected, Review, Span, Unsure, Value
from hitl.time_labels import PIECE_MS, time_heads, time_labels
from policies.rewards.trajectory.labels import TimeHead, TimeLabel

SCHEMA = preset("segments")


def span(start: int, end: int, *categories: str, track: str = "time") -> Span:
    return Span(track=track, start=start, end=end, categories=list(categories))


def labels(*values: Value, length_ms: int = 60_000) -> dict[str, TimeLabel]:
    return time_labels(SCHEMA, {f"k{at}": value for at, value in enumerate(values)}, length_ms)


def test_heads_ask_for_errors_where_there_are_any() -> None:
    expected = [TimeHead("progress"), TimeHead("safety", 2.0), TimeHead("done", praise=True)]
    assert time_heads(SCHEMA) == expected
    assert time_heads(preset("thumbs")) == []


def test_a_span_answers_the_question_of_its_head() -> None:
    found = labels(span(0, 2000, "mistake"), span(2000, 5000, "good"), span(5000, 6000, "unsafe", "done"))
    assert found == {
        "k0:progress": TimeLabel(0, 2000, "progress", True),
        "k1:progress": TimeLabel(2000, 5000, "progress", False),
        "k2:safety": TimeLabel(5000, 6000, "safety", True),
        "k2:done": TimeLabel(5000, 6000, "done", True),
    }


def test_good_and_mistake_at_once_is_a_mistake() -> None:
    assert labels(span(0, 1000, "mistake", "good"))["k0:progress"].value
    assert labels(span(0, 1000, "good", "mistake"))["k0:progress"].value


def test_what_was_judged_and_is_not_marked_is_a_no() -> None:
    found = labels(Judged(track="time", start=0, end=9000, heads=["safety"]), span(3000, 4000, "unsafe"))
    stretches = [(one.start_ms, one.end_ms) for one in found.values() if not one.value]
    assert stretches == [(0, 3000), (4000, 6500), (6500, 9000)]
    assert {one.head for one in found.values()} == {"safety"}
    assert all(end - start <= PIECE_MS for start, end in stretches)


def test_judged_without_heads_is_judged_for_all() -> None:
    found = labels(Judged(track="time", start=0, end=2000))
    assert {(one.head, one.value) for one in found.values()} == {
        ("progress", False),
        ("safety", False),
        ("done", False),
    }


def test_good_does_not_take_a_stretch_from_what_is_no_mistake() -> None:
    found = labels(Judged(track="time", start=0, end=2000, heads=["progress"]), span(500, 1500, "good"))
    assert [(one.start_ms, one.end_ms) for key, one in found.items() if key.startswith("k0")] == [(0, 2000)]


def test_what_nobody_judged_is_no_answer() -> None:
    assert labels(Review(state="done"), span(0, 1000, "mistake", track="a")) == {}


def test_where_somebody_was_unsure_nothing_is_known() -> None:
    found = labels(
        Judged(track="time", start=0, end=6000, heads=["safety", "done"]),
        Unsure(track="time", start=2000, end=4000, heads=["safety"]),
    )
    stretches = {
        head: [(x.start_ms, x.end_ms) for x in found.values() if x.head == head] for head in ("safety", "done")
    }
    assert stretches == {"safety": [(0, 2000), (4000, 6000)], "done": [(0, 3000), (3000, 6000)]}
    everything = labels(Judged(track="time", start=0, end=2000), Unsure(track="time", start=0, end=2000))
    assert everything == {}


def test_a_rejected_suggestion_is_a_no() -> None:
    found = labels(
        Rejected(track="time", start=0, end=1000, category="mistake"),
        Rejected(track="time", start=0, end=1000, category="good"),
    )
    assert found == {"k0:progress": TimeLabel(0, 1000, "progress", False)}


def test_spans_end_with_the_recording_and_gaps_that_are_too_short_are_left_out() -> None:
    found = labels(span(900, 5000, "mistake"), span(1000, 2000, "good"), length_ms=1000)
    assert found == {"k0:progress": TimeLabel(900, 1000, "progress", True)}
    assert labels(Judged(track="time", start=0, end=400, heads=["done"])) == {}


def test_a_category_that_was_renamed_counts_and_one_that_was_given_up_does_not() -> None:
    fields = {name: getattr(SCHEMA, name) for name in ("name", "heads")}
    kept = [category for category in SCHEMA.categories if category.key not in ("mistake", "unsafe")]
    slip = next(category for category in SCHEMA.categories if category.key == "mistake")
    renamed = type(slip)(**{**{f: getattr(slip, f) for f in slip.__struct_fields__}, "key": "slip"})
    new = changed(
        SCHEMA, type(SCHEMA)(**fields, categories=[*kept, renamed]), {"mistake": 1}, {"mistake": "slip", "unsafe": ""}
    )
    found = time_labels(new, {"a": span(0, 1000, "mistake"), "b": span(0, 1000, "unsafe")}, 2000)
    assert found == {"a:progress": TimeLabel(0, 1000, "progress", True)}
