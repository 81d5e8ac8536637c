"""What is true now, what can be undone, and which changes are refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.annotation.presets import preset
from hitl.annotation.state import History, ItemLabels, before, by_item, check_changes, inverse, labels_of
from hitl.errors import InputError
from hitl.labels import Change, Evidence, Judged, Missing, Preference, Rejected, Review, Rewrite, key_of
from tests.support.labelled import TEXT, item, label, logged, put, span

SCHEMA = preset("fine-grained-rlhf")


def test_the_latest_value_under_a_key_is_true():
    steps = [
        label(put(span(0, 5))),
        label(put(span(4, 8, "Irrelevant"), "b"), spent_s=2.0),
        label(put(span(0, 9)), spent_s=1.5),
        label(Change(key="span:b", value=None)),
    ]
    found = labels_of(steps)
    assert found.spans() == {"span:a": span(0, 9)} and found.spent_s == 3.5
    assert labels_of(steps[:2]).after(steps[2]).spans() == {"span:a": span(0, 9), "span:b": span(4, 8, "Irrelevant")}


def test_spans_come_by_their_place_and_the_longest_first():
    found = labels_of([label(put(span(4, 6), "a"), put(span(0, 3), "b"), put(span(0, 9), "c"))])
    assert list(found.spans()) == ["span:c", "span:b", "span:a"]
    assert list(found.spans("2")) == []


def test_every_kind_of_value_is_found():
    values = [
        Rewrite(track="1", text="x"),
        Preference(first="1", second="2", winner="tie"),
        Review(state="done"),
        Judged(track="1", start=0, end=5),
        Rejected(track="1", start=0, end=5, category="Irrelevant"),
    ]
    found = labels_of([label(*(put(value) for value in values), put(Missing(track="1", category="Missing-Answer")))])
    assert found.rewrite("1") == "x" and found.rewrite("2") is None
    assert found.preferences()[("1", "2")].winner == "tie"
    assert found.done and len(found.missing("1")) == 1 and not found.missing("2")
    assert set(found.values) == {
        "rewrite:1", "preference:1:2", "review", "judged:1:0:5", "rejected:1:0:5:Irrelevant", "missing:a"
    }  # fmt: skip
    assert not ItemLabels().done and ItemLabels().review.state == "open"


def test_steps_are_told_apart_by_item_and_author():
    steps = [label(put(span())), label(put(span()), author="bob"), label(put(span()), about="two")]
    assert {key: len(found) for key, found in by_item(steps).items()} == {
        ("one", "ann"): 1, ("one", "bob"): 1, ("two", "ann"): 1
    }  # fmt: skip


CHANGES = st.lists(
    st.builds(
        lambda name, start, keep: (
            put(span(start, start + 3), name) if keep else Change(key=f"span:{name}", value=None)
        ),
        st.sampled_from("abc"),
        st.integers(0, 9),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(st.lists(CHANGES, max_size=6), CHANGES)
def test_an_inverse_takes_back_exactly_what_was_done(earlier, changes):
    then = labels_of([label(*step) for step in earlier])
    after = then.after(label(*changes))
    back = after.after(label(*inverse(then.values, changes)))
    assert dict(back.values) == dict(then.values)


@given(st.lists(st.sampled_from(["do", "undo", "redo"]), max_size=30))
def test_undo_and_redo_walk_through_all_states(asked):
    steps, states, place = [], [{}], 0
    for number, wish in enumerate(asked):
        history = History(steps)
        if wish == "do":
            steps.append(label(put(span(0, 3), f"n{number}")))
            states = [*states[: place + 1], dict(labels_of(steps).values)]
            place += 1
            continue
        done = history.undo if wish == "undo" else history.redo
        assert (done is None) == (place == (0 if wish == "undo" else len(states) - 1))
        if done is None:
            continue
        then, step = before(steps, done.id)
        steps.append(label(*inverse(then, step.changes), undoes=done.id))
        place += -1 if wish == "undo" else 1
        assert dict(labels_of(steps).values) == states[place]


def test_history_goes_over_items():
    steps = [label(put(span())), label(put(span()), about="two")]
    history = History(logged(step) for step in steps)
    assert history.undo is not None and history.undo.item == "two" and history.redo is None
    history.add("x", "two", undoes=steps[1].id)
    assert history.undo.item == "one" and history.redo is not None and history.redo.id == "x"
    history.add("unknown", "one", undoes="nobody knows")
    assert history.undo.id == steps[0].id


def test_before_names_a_step_that_is_not_there():
    with pytest.raises(InputError, match="undoes"):
        before([label(put(span()))], "x")


GOOD = [
    span(0, len(TEXT)),
    span(0, 3, "Irrelevant", "Wrong-Grounding"),
    span(55, 71, "Redundant", repeats=(0, 8)),
    span(0, 3, evidence=[Evidence(source=0, sentence=0), Evidence(source=0, sentence=2)]),
    Missing(track="2", category="Missing-Answer", evidence=[Evidence(source=0, sentence=1)]),
    Judged(track="1", start=0, end=25, heads=["factuality"]),
]


@pytest.mark.parametrize("value", GOOD)
def test_what_can_be_meant_is_taken(value):
    check_changes(item(), SCHEMA, [put(value), Change(key="span:gone", value=None)])


BAD = [
    (span(5, 3), "start.*reversed"),
    (span(3, 3), "start.*empty"),
    (span(0, len(TEXT) + 1), "start.*outside"),
    (span(-1, 3), "start.*outside"),
    (span(0, 3, track="9"), "track"),
    (span(0, 3, "Nonsense"), "category.*Nonsense"),
    (span(0, 3, "Missing-Answer"), "category.*missing"),
    (span(0, 3, "Irrelevant", "Irrelevant"), "categories"),
    (msgspec.structs.replace(span(0, 3), categories=[]), "categories"),
    (span(0, 3, severity="Major"), "severity"),
    (span(0, 3, evidence=[Evidence(source=1, sentence=0)]), "evidence"),
    (span(0, 3, evidence=[Evidence(source=0, sentence=3)]), "evidence"),
    (span(4, 9, repeats=(5, 7)), "repeats.*earlier"),
    (span(4, 9, repeats=(-1, 7)), "repeats"),
    (Missing(track="1", category="Irrelevant"), "category"),
    (Preference(first="2", second="1", winner="tie"), "first"),
    (Preference(first="1", second="1", winner="tie"), "first"),
    (Judged(track="1", start=0, end=3, heads=["x"]), "head"),
    (Rejected(track="1", start=0, end=3, category="x"), "category"),
    (Rewrite(track="7", text=""), "track"),
]


@pytest.mark.parametrize(("value", "why"), BAD)
def test_what_cannot_be_meant_is_refused_by_name(value, why):
    with pytest.raises(InputError, match=f"^changes.1.{why}"):
        check_changes(item(), SCHEMA, [put(span(0, 1), "first"), put(value)])


@pytest.mark.parametrize("key", ["", "span", "span:", "missing:a", "review", "span:" + "x" * 400])
def test_a_key_of_another_kind_is_refused(key):
    with pytest.raises(InputError, match="key"):
        check_changes(item(), SCHEMA, [Change(key=key, value=span(0, 3))])


def test_a_step_changes_something_and_not_too_much():
    for changes in ([], [put(span(0, 1))] * 10_001):
        with pytest.raises(InputError, match="changes"):
            check_changes(item(), SCHEMA, changes)


def test_keys_say_what_they_are_about():
    assert key_of(Preference(first="1", second="2", winner="tie")) == "preference:1:2"
    assert key_of(span(0, 3), "x") == "span:x"
