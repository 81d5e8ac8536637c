"""Preferences and their cycles, the queue, the word diff, agreement, marks and words: all without a window."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gui.annotate import samples
from gui.annotate.diff import changed_words, word_diff
from gui.annotate.editor import ItemEditor
from gui.annotate.marks import Mark, Target, lanes_of, marks_of, score_text, signed
from gui.annotate.preferences import cycle, cycle_words, pairs, ranks
from gui.annotate.queue import Queue
from gui.annotate.words import excerpt, hint_words, progress_words, rewards_of, saved_words, short_head, time_words
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import Counts
from hitl.labels import Preference, Span

TRACKS = ["a", "b", "c", "d"]
NAMES = {track: f"Answer {number}" for number, track in enumerate(TRACKS, 1)}


def prefer(*given: str) -> dict[tuple[str, str], Preference]:
    """`a>b`, `a<b` or `a=b`."""
    signs = {">": "first", "<": "second", "=": "tie"}
    return {(e[0], e[2]): Preference(first=e[0], second=e[2], winner=signs[e[1]]) for e in given}  # type: ignore[arg-type]


@pytest.mark.parametrize("given_, length", [
    (["a>b", "b>c", "a>c"], 0), (["a>b", "b>c", "a<c"], 3), (["a=b", "b=c", "a=c"], 0), (["a=b", "b=c", "a>c"], 3),
    (["a>b", "b=c", "a=c"], 3), (["a=b", "a>c", "b>c"], 0), (["a>b", "b>c", "c>d", "a<d"], 4), ([], 0),
])  # fmt: skip
def test_a_circle_is_found(given_, length):
    assert len(cycle(prefer(*given_))) == length


def test_the_circle_is_named():
    words = cycle_words(cycle(prefer("a>b", "b>c", "a<c")), NAMES)
    assert words.startswith("These contradict each other: ") and words.count("beats") == 3
    assert cycle_words([], NAMES) == ""


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_preferences_that_follow_ranks_have_no_circle_and_give_the_ranks_back(scores):
    of = dict(zip(TRACKS, scores, strict=True))
    found = prefer(*(f"{a}{'>' if of[a] > of[b] else '<' if of[a] < of[b] else '='}{b}" for a, b in pairs(TRACKS)))
    assert cycle(found) == []
    assert ranks(TRACKS, found) == {a: 1 + sum(of[b] > of[a] for b in TRACKS) for a in TRACKS}


@given(st.lists(st.sampled_from("><="), min_size=6, max_size=6))
def test_a_circle_is_told_exactly_where_no_ranks_fit(signs):
    found = prefer(*(f"{a}{sign}{b}" for (a, b), sign in zip(pairs(TRACKS), signs, strict=True)))
    says = {">": lambda x, y: x > y, "<": lambda x, y: x < y, "=": lambda x, y: x == y}
    fits = any(
        all(says[sign](of[a], of[b]) for (a, b), sign in zip(pairs(TRACKS), signs, strict=True))
        for scores in _weak_orders() for of in [dict(zip(TRACKS, scores, strict=True))]
    )  # fmt: skip
    assert (cycle(found) == []) == fits
    chain = cycle(found)
    for edge, onward in zip(chain, [*chain[1:], *chain[:1]], strict=True):
        assert edge.worse == onward.better
    assert not chain or any(not edge.tie for edge in chain)


def _weak_orders() -> list[tuple[int, ...]]:
    return list(product(range(4), repeat=4))


def queue(states: str, **more: object) -> Queue:
    known = {"n": "new", "d": "done", "f": "flagged", "s": "skipped", "o": "open"}
    counts = {f"i{n}": Counts(item=f"i{n}", state=known[letter]) for n, letter in enumerate(states)}  # type: ignore[arg-type]
    return Queue("Ada", counts, **more)  # type: ignore[arg-type]


def test_the_queue_passes_over_what_is_done_and_begins_again():
    listed = queue("ndnfn", order="listed")
    assert [listed.after("i0"), listed.after("i2"), listed.after("i4")] == ["i2", "i4", "i0"]
    assert listed.after("i4", -1) == "i2" and listed.after("i0", -1) == ""
    assert listed.place("i2") == (3, 5) and listed.done == 1
    listed.filter = "flagged"
    assert listed.shown() == ["i3"] and listed.after("i0") == "i3"
    listed.filter = "all"
    assert len(listed.shown()) == 5


def test_by_uncertainty_the_head_comes_next_and_unknown_items_last():
    uncertain = queue("nnnn", order="uncertain", by_uncertainty=["i3", "gone", "i1"])
    assert uncertain.ordered() == ["i3", "i1", "i0", "i2"]
    assert uncertain.after("i0") == "i3" and uncertain.after("i3") == "i1"


def test_random_is_the_same_for_one_person_and_another_for_others():
    one, again, other = (
        queue("n" * 30, order="random"),
        queue("n" * 30, order="random"),
        queue("n" * 30, order="random"),
    )
    other.author = "Bo"
    assert one.ordered() == again.ordered() != other.ordered()
    assert sorted(one.ordered()) == sorted(one.counts)


@given(st.text(st.sampled_from("ab c.,\n"), max_size=40), st.text(st.sampled_from("ab c.,\n"), max_size=40))
def test_a_diff_holds_both_texts(before, after):
    pieces = word_diff(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "in") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "out") == after
    assert all(one.kind != two.kind for one, two in zip(pieces, pieces[1:], strict=False))


def test_a_diff_is_by_words():
    pieces = word_diff("It has four houses.", "It has three houses.")
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("same", "It has "), ("out", "four"), ("in", "three"), ("same", " houses.")
    ]  # fmt: skip
    assert changed_words(pieces) == (1, 1)


spans = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=25))
def test_marks_that_share_characters_do_not_share_a_lane(ranges):
    marks = [Mark(start, end, 0, "solid", "f", "own", Target("span", "k")) for start, end in sorted(ranges)]
    lanes = lanes_of(marks)
    for (one, a), (two, b) in combinations(zip(marks, lanes, strict=True), 2):
        assert a != b or one.end <= two.start or two.end <= one.start
    depth = max((sum(m.start <= x < m.end for m in marks) for x in range(45)), default=0)
    assert max(lanes, default=-1) + 1 == depth, "no more lanes than are needed"


def test_a_mark_for_each_category():
    span = Span(track="prediction 1", start=0, end=9, categories=["Irrelevant", "gone", "Unverifiable"])
    editor = ItemEditor(samples.items()[0], samples.schema(), ItemLabels({"span:x": span}))
    assert [mark.tag for mark in marks_of(editor)] == ["i", "u"], "a category that was given up is not drawn"


def test_rewards_are_summed_for_each_sentence():
    editor = ItemEditor(samples.items()[0], samples.schema())
    found = rewards_of(samples.suggestions(), editor.schema, editor.track, editor.cursor.map.sentences)
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    assert found[0] == (pytest.approx(-0.01), "C1 +0.30, C2 −0.31")
    assert rewards_of(None, editor.schema, editor.track, editor.cursor.map.sentences) == {}


def test_words():
    assert progress_words(samples.schema(), samples.progress()) == "held-out F1 C1 .64 C2 .58 ↗"
    assert progress_words(samples.schema(), None) == ""
    pinned = replace(samples.progress(), pinned="r12")
    assert progress_words(samples.schema(), pinned) == "held-out F1 C1 .64 C2 .58 ↗, pinned to r12"
    assert [time_words(seconds) for seconds in (0, 59.9, 130)] == ["0:00 min", "0:59 min", "2:10 min"]
    assert saved_words(0, True) == ("saved", "good")
    assert saved_words(1, False) == ("1 step waiting", "warn")
    assert [short_head(samples.schema(), head) for head in ("relevance", "what")] == ["C1", "what"]
    assert short_head(samples.schema("mqm"), "fluency") == "Fluency"
    assert [score_text(score) for score in (0.714, 0.05, 1.0)] == [".71", ".05", "1.0"]
    assert [signed(value) for value in (0.5, -0.126, 0.0)] == ["+0.50", "−0.13", "+0.00"]
    assert excerpt("one two", 0, 7) == "“one two”"
    assert excerpt("word " * 40, 0, 199, 20) == "“word word … word word”"


def test_the_hint_says_what_a_label_still_needs():
    editor = ItemEditor(samples.items()[0], samples.schema())
    editor.cursor.to(45, 52)
    for letter, words in (("f", "proves"), ("r", "repeat"), ("c", "Under 5 words"), ("m", "proves")):
        category = editor.category_of(letter)
        assert category is not None
        editor.take(ItemLabels(), {})
        editor.target = None
        values = {change.key: change.value for change in editor.mark(category)}
        editor.take(ItemLabels(values), {})  # type: ignore[arg-type]
        assert words in hint_words(editor)
