"""From labels to examples: what is known, of whom, and what counts."""

from __future__ import annotations

import msgspec

from hitl.annotation.presets import preset
from hitl.annotation.state import labels_of as labels_from
from hitl.labels import Evidence, Judged, Missing, Preference, Rejected, Review, Rewrite, Unsure
from hitl.reward_examples import documents_of, heads_of, labels_of
from policies.rewards.documents import Preferred, SegmentLabels, Wanted
from tests.support.labelled import item, label, put, span

SCHEMA = preset("fine-grained-rlhf")
DONE = put(Review(state="done"), "")


def people(*steps):
    return [labels_from([step]) for step in steps]


def values(found, name):
    return found[name].values if name in found else None


def test_heads_follow_the_schema():
    assert [(h.name, h.density, h.kind, h.weight) for h in heads_of(SCHEMA)] == [
        ("relevance", "sub_sentence", "error", 0.3),
        ("factuality", "sentence", "error", 0.5),
        ("completeness", "whole", "coverage", 0.3),
        ("preference", "whole", "preference", 0.0),
    ]
    assert [head.categories for head in heads_of(SCHEMA)] == [
        ("Irrelevant", "Redundant", "Incoherent"), ("Wrong-Grounding", "Unverifiable"), (), ()
    ]  # fmt: skip
    assert [head.categories for head in heads_of(preset("thumbs"))] == [("down",), ()], "praise is no error"
    assert heads_of(preset("segments")) == (), "recordings have no text"
    assert "preference" not in {head.name for head in heads_of(preset("mqm"))}


def test_every_output_that_says_something_is_a_document():
    given = item(outputs=4)
    empty = msgspec.structs.replace(given.outputs[1], text=" ")
    documents = documents_of(SCHEMA, msgspec.structs.replace(given, outputs=[given.outputs[0], empty]))
    assert [document.id for document in documents] == ["one/1"]
    assert documents[0].sources == (("Ponds", "The pond was dug in 1912.", "Five kinds of fish live in it."),)
    assert documents[0].spans("sentence") == ((0, 25), (26, 54), (55, 71))
    assert set(documents[0].segments) == {"sentence", "sub_sentence"}, "as the heads look at it, and no finer"
    assert set(documents_of(preset("good-span"), given)[0].segments) == {"token"}


def test_without_a_verdict_nothing_is_known():
    assert labels_of(SCHEMA, item(), people(label(put(span(0, 5, "Irrelevant"))))) == {}, "three words are too few"
    assert labels_of(SCHEMA, item(), []) == {}


def test_a_marked_segment_is_known_before_the_item_is_done():
    found = labels_of(SCHEMA, item(), people(label(put(span(0, 10)))))
    assert found == {
        "factuality@one/1": SegmentLabels("factuality", "one/1", (1, None, None), (("Wrong-Grounding",), (), ()))
    }


def test_a_sentence_that_was_looked_at_is_known_to_be_right():
    found = labels_of(SCHEMA, item(), people(label(put(Judged(track="1", start=26, end=54)), put(span(0, 10)))))
    assert values(found, "factuality@one/1") == (1, 0, None)
    assert values(found, "relevance@one/1") == (None, 0, None)
    only = labels_of(SCHEMA, item(), people(label(put(Judged(track="1", start=0, end=71, heads=["relevance"])))))
    assert set(only) == {"relevance@one/1"}


def test_a_suggestion_that_was_turned_down_is_a_zero():
    step = label(put(Rejected(track="1", start=26, end=40, category="Unverifiable")))
    assert values(labels_of(SCHEMA, item(), people(step)), "factuality@one/1") == (None, 0, None)


def test_when_the_item_is_done_all_of_the_judged_output_is_known():
    found = labels_of(SCHEMA, item(), people(label(put(span(0, 25, "Irrelevant", "Wrong-Grounding")), DONE)))
    assert values(found, "relevance@one/1") == (1, 0, 0) and values(found, "factuality@one/1") == (1, 0, 0)
    assert "factuality@one/2" not in found, "nobody looked at the second output"


def test_where_somebody_is_unsure_nothing_is_known():
    unsure = put(Unsure(track="1", start=26, end=54, heads=["factuality"]))
    found = labels_of(SCHEMA, item(), people(label(unsure, DONE)))
    assert values(found, "factuality@one/1") == (0, None, 0) and values(found, "relevance@one/1") == (0, 0, 0)


def test_the_majority_counts_and_a_tie_is_unknown():
    yes, no = label(put(span(0, 25)), DONE), label(DONE)
    assert values(labels_of(SCHEMA, item(), people(yes, no)), "factuality@one/1") == (None, 0, 0)
    assert values(labels_of(SCHEMA, item(), people(yes, no, yes)), "factuality@one/1") == (1, 0, 0)


def test_an_error_has_the_categories_that_at_least_half_of_those_name_who_see_it():
    def named(*steps):
        return labels_of(SCHEMA, item(), people(*steps))["factuality@one/1"].categories[0]

    wrong, hidden = label(put(span(0, 25)), DONE), label(put(span(0, 25, "Unverifiable")), DONE)
    both = label(put(span(0, 25, "Unverifiable", "Wrong-Grounding")), DONE)
    assert named(wrong) == ("Wrong-Grounding",)
    assert named(wrong, hidden) == named(both) == ("Unverifiable", "Wrong-Grounding")
    assert named(wrong, hidden, wrong) == ("Wrong-Grounding",)
    assert named(wrong, wrong, label(DONE)) == ("Wrong-Grounding",), "who sees no error has no say in its category"
    assert named(wrong, label(DONE), label(DONE)) == ()


def test_praise_is_no_error():
    thumbs = preset("thumbs")
    steps = people(label(put(span(0, 25, "up")), put(span(26, 54, "down"), "b")))
    found = labels_of(thumbs, item(), steps)["quality@one/1"]
    assert found.values == (0, 1, None) and found.categories == ((), ("down",), ())


MISSING = put(Missing(track="1", category="Missing-Answer", evidence=[Evidence(source=0, sentence=2)]))


def test_what_is_missing_and_what_is_said_is_wanted():
    found = labels_of(SCHEMA, item(), people(label(MISSING, DONE)))
    assert found["completeness@one"] == Wanted("completeness", "one/1", (True, True)), "1911 is near 1912"
    assert "completeness@one" not in labels_of(SCHEMA, item(), people(label(MISSING))), "the whole was not judged"


def test_what_is_marked_as_wrong_is_not_wanted_and_a_rewrite_says_what_is():
    wrong = label(put(span(0, 25)), MISSING, DONE)
    assert values(labels_of(SCHEMA, item(), people(wrong)), "completeness@one") == (False, True)
    rewrite = put(Rewrite(track="1", text="The pond was dug in 1912."))
    found = labels_of(SCHEMA, item(), people(label(put(span(0, 25)), rewrite, DONE)))
    assert values(found, "completeness@one") == (True, False)
    nothing = label(put(Rewrite(track="1", text="Nobody knows.")), DONE)
    assert "completeness@one" not in labels_of(SCHEMA, item(), people(nothing)), "where nothing is wanted"


def test_what_is_optional_is_wanted_only_where_it_is_said():
    minor = Missing(track="1", category="Missing-Minor-Auxiliary", evidence=[Evidence(source=0, sentence=2)])
    text = "The pond was dug in 1912. Five kinds of fish live in it."
    steps = people(label(put(minor), put(Rewrite(track="1", text=text), "r"), DONE))
    assert values(labels_of(SCHEMA, item(), steps), "completeness@one") == (True, False)


def test_of_two_outputs_the_one_that_says_more_of_what_is_wanted_is_better():
    given = item(outputs=2)
    fish = msgspec.structs.replace(given.outputs[1], text="Five kinds of fish live in it. It was dug in 1912.")
    given = msgspec.structs.replace(given, outputs=[given.outputs[0], fish])
    wrong = label(put(span(0, 25)), MISSING, DONE)
    found = labels_of(SCHEMA, given, people(wrong))
    assert found["completeness@one/1:2"] == Preferred("completeness", "one/2", "one/1")
    same = labels_of(SCHEMA, given, people(label(put(Rewrite(track="1", text="Nobody knows.")), DONE)))
    assert not [name for name in same if name.startswith("completeness")]


def test_what_is_wanted_is_what_most_people_want():
    rewrite = put(Rewrite(track="1", text="The pond was dug in 1912."))
    one, other = label(rewrite, DONE), label(put(span(0, 25)), MISSING, DONE)
    assert "completeness@one" not in labels_of(SCHEMA, item(), people(one, other)), "a tie on both sentences"
    assert values(labels_of(SCHEMA, item(), people(one, other, one)), "completeness@one") == (True, False)


def test_preferences_are_pairs_and_ties_teach_nothing():
    steps = [label(put(Preference(first="1", second="2", winner="second")), author=name) for name in ("ann", "bob")]
    found = labels_of(SCHEMA, item(), people(*steps))
    assert found == {"preference@one/1:2": Preferred("preference", "one/2", "one/1")}
    against = label(put(Preference(first="1", second="2", winner="first")))
    assert labels_of(SCHEMA, item(), people(steps[0], against)) == {}
    assert labels_of(SCHEMA, item(), people(label(put(Preference(first="1", second="2", winner="tie"))))) == {}


def test_a_category_that_was_renamed_still_counts():
    from hitl.annotation.schema import changed

    fewer = [category for category in SCHEMA.categories if category.key != "Unverifiable"]
    renames = {"Unverifiable": "Wrong-Grounding"}
    new = changed(SCHEMA, msgspec.structs.replace(SCHEMA, categories=fewer), {"Unverifiable": 1}, renames)
    found = labels_of(new, item(), people(label(put(span(0, 25, "Unverifiable")))))
    assert values(found, "factuality@one/1") == (1, None, None)
