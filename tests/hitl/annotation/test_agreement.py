"""Agreement against values that were computed by hand or published, and clusters to decide about."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.annotation.agreement import agreement_of, clusters_of, krippendorff_alpha
from hitl.annotation.items import Item, Output
from hitl.annotation.judged import categories_in, judged_segments, judged_whole, segments_of
from hitl.annotation.presets import preset
from hitl.annotation.state import ItemLabels
from hitl.interchange.exchange import Exported, Reading
from hitl.interchange.registry import FORMATS
from hitl.labels import Judged, Missing, Review, Span, Value, key_of

ONE = "This first sentence here says nothing useful. The second sentence is fine here. A third one ends it now."
ITEM = Item(id="one", outputs=[Output(track="1", text=ONE), Output(track="2", text="Another text.")])
SCHEMA = preset("fine-grained-rlhf")
FIRST, SECOND, THIRD = (slice(*found) for found in segments_of(ITEM, "1", "sentence"))
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def labels(*values: Value, done: bool = True) -> ItemLabels:
    found = [*values, *([Review(state="done")] if done else [])]
    return ItemLabels({key_of(value, str(n)): value for n, value in enumerate(found)})


def span(part: slice, *categories: str, track: str = "1") -> Span:
    return Span(track=track, start=part.start, end=part.stop, categories=list(categories))


def test_alpha_is_that_of_the_published_example() -> None:
    """Three coders, fifteen units, four values, of which many are missing: nominal alpha is 0.691 (the example of
    https://en.wikipedia.org/wiki/Krippendorff%27s_alpha)."""
    coders = ("*****34121133*3", "1*213343*******", "**21344*21133*4")
    units = [[coder[n] for coder in coders if coder[n] != "*"] for n in range(15)]
    found = krippendorff_alpha(units)
    assert found.value == pytest.approx(0.691358, abs=1e-6)
    assert found.units == 12


def test_alpha_by_hand() -> None:
    """Four units of two people, one of them disagreed on: D_o = 2/8; of 3 and 5 values D_e = 30/56."""
    found = krippendorff_alpha([[True, True], [False, False], [True, False], [False, False]])
    assert found.value == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert krippendorff_alpha([[True, True], [True]]).value is None  # nothing varies
    assert krippendorff_alpha([]).value is None
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]).value == pytest.approx(-0.5)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=8))
def test_alpha_is_one_only_where_all_agree(units: list[list[str]]) -> None:
    value = krippendorff_alpha(units).value
    shared = [unit for unit in units if len(unit) > 1]
    if value is not None:
        assert value <= 1 and (value == 1) == all(len(set(unit)) == 1 for unit in shared)


def test_only_what_was_judged_counts() -> None:
    relevance, factuality = SCHEMA.head("relevance"), SCHEMA.head("factuality")
    assert judged_whole(ITEM, labels(span(FIRST, "Irrelevant"))) == ["1"]
    assert judged_whole(ITEM, labels(Missing(track="2", category="Missing-Answer"))) == ["1", "2"]
    assert judged_whole(ITEM, labels(span(FIRST, "Irrelevant"), done=False)) == []
    part = Judged(track="1", start=SECOND.start, end=SECOND.stop, heads=["factuality"])
    partly = labels(part, done=False)
    assert [(s.start, s.end) for s in judged_segments(ITEM, partly, "1", factuality)] == [(SECOND.start, SECOND.stop)]
    assert judged_segments(ITEM, partly, "1", relevance) == []


def test_short_spans_do_not_count_where_a_category_says_so() -> None:
    head, segment = SCHEMA.head("relevance"), segments_of(ITEM, "1", "sentence")[0]
    short, long = span(slice(0, 10), "Irrelevant"), span(slice(0, 32), "Irrelevant")
    assert categories_in(SCHEMA, ITEM, labels(short), "1", head, segment) == set()
    assert categories_in(SCHEMA, ITEM, labels(long), "1", head, segment) == {"Irrelevant"}


def test_recordings_are_cut_into_seconds() -> None:
    recording = Item(id="r", recording="s/e", duration_ms=2500)
    assert [tuple(s) for s in segments_of(recording, "time", "time")] == [(0, 1000), (1000, 2000), (2000, 2500)]
    assert segments_of(recording, "time", "sentence") == []
    found = agreement_of(
        preset("segments"),
        [recording],
        {
            "r": {
                "ann": labels(Span(track="time", start=0, end=1200, categories=["mistake"])),
                "bob": labels(Span(track="time", start=500, end=900, categories=["mistake"])),
            }
        },
    )
    assert found.overall.heads["progress"].units == 3
    # Seconds: ann 1 1 0, bob 1 0 0. D_o = 2/6, three of each: D_e = 18/30.
    assert found.overall.heads["progress"].value == pytest.approx(1 - (2 / 6) / (18 / 30))
    (pair,) = found.overall.pairs
    assert (pair.exact, pair.overlap) == (0.0, 2 * 400 / 1600)


def test_agreement_by_hand() -> None:
    """Sentences of factuality: ann 1 0 0, bob 1 1 0; spans of 45, 45 and 35 characters, one of them shared."""
    said = {
        "ann": labels(span(FIRST, "Unverifiable")),
        "bob": labels(span(FIRST, "Unverifiable"), span(SECOND, "Wrong-Grounding")),
        "cyd": labels(done=False),
    }
    found = agreement_of(SCHEMA, [ITEM, ITEM_ALONE], {"one": said, "alone": {"ann": labels()}})
    assert found.authors == ["ann", "bob", "cyd"] and list(found.items) == ["one"]
    assert found.items["one"] == found.overall
    factuality = found.overall.heads["factuality"]
    assert factuality.units == 3
    assert factuality.value == pytest.approx(1 - (2 / 6) / (18 / 30))
    assert found.overall.categories["Unverifiable"].value == 1.0
    assert found.overall.categories["Wrong-Grounding"].value == pytest.approx(0.0)
    assert found.overall.heads["completeness"].value is None
    (pair,) = found.overall.pairs  # cyd judged nothing whole
    length, other = FIRST.stop - FIRST.start, SECOND.stop - SECOND.start
    assert pair.exact == pytest.approx(2 * 1 / 3)
    assert pair.overlap == pytest.approx(2 * length / (2 * length + other))


ITEM_ALONE = Item(id="alone", outputs=[Output(track="1", text="Text.")])


def test_overall_is_of_all_segments_and_not_a_mean_of_items() -> None:
    other = Item(id="two", outputs=[Output(track="1", text="Only one sentence.")])
    whole = slice(0, len("Only one sentence."))
    found = agreement_of(
        SCHEMA,
        [ITEM, other],
        {
            "one": {"ann": labels(span(FIRST, "Unverifiable")), "bob": labels()},
            "two": {"ann": labels(span(whole, "Unverifiable")), "bob": labels(span(whole, "Unverifiable"))},
        },
    )
    # Four sentences: 1 0 0 1 and 0 0 0 1. D_o = 2/8, three and five: D_e = 30/56.
    assert found.overall.heads["factuality"].value == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert found.items["two"].heads["factuality"].value is None
    assert found.overall.pairs[0].items == 2


def test_spans_that_touch_are_one_thing_to_decide() -> None:
    said = {
        "ann": labels(span(slice(0, 10), "Irrelevant"), span(slice(40, 50), "Unverifiable")),
        "bob": labels(span(slice(8, 20), "Irrelevant"), span(slice(40, 50), "Unverifiable")),
        "cyd": labels(span(slice(19, 30), "Irrelevant"), span(slice(40, 50), "Unverifiable"), done=False),
        "dan": labels(),
    }
    first, second = clusters_of(ITEM, said)
    assert (first.track, first.start, first.end, first.agree) == ("1", 0, 30, False)
    assert {author: list(spans) for author, spans in first.said.items()} == {
        "ann": ["span:0"], "bob": ["span:0"], "cyd": ["span:0"], "dan": [],
    }  # fmt: skip
    assert (second.start, second.end, second.agree) == (40, 50, False)  # dan judged it and marked nothing
    del said["dan"]
    assert [cluster.agree for cluster in clusters_of(ITEM, said)] == [False, True]
    said["bob"] = labels(span(slice(40, 50), "Wrong-Grounding"))
    assert [cluster.agree for cluster in clusters_of(ITEM, said)] == [False, False, False]


def test_spans_side_by_side_do_not_touch() -> None:
    said = {"ann": labels(span(slice(0, 10), "Irrelevant"), span(slice(10, 20), "Irrelevant"))}
    assert [(c.start, c.end) for c in clusters_of(ITEM, said)] == [(0, 10), (10, 20)]


def test_raters_of_the_same_translation() -> None:
    """In the published ratings every system's translation of a segment has one rater; but systems that translate
    alike were rated by several. Their agreement is low, as is known of MQM."""
    path = SHARED / "mqm_ted" / "mqm_ted_zhen.tsv"
    if not path.is_file():
        pytest.skip("the published file is not there")
    read = FORMATS["mqm-tsv"].reader()(path, Reading("p"))
    found = Exported("p", read.schema, read.items, read.events).labels()
    assert agreement_of(read.schema, read.items, found).items == {}
    alike: dict[tuple[str, str, str], Item] = {}
    merged: dict[str, dict[str, ItemLabels]] = {}
    for item in read.items:
        first = alike.setdefault((item.extra["doc"], item.extra["seg_id"], item.outputs[0].text), item)
        for author, of_author in found[item.id].items():
            merged.setdefault(first.id, {}).setdefault(author, of_author)
    agreement = agreement_of(read.schema, alike.values(), merged)
    assert len(agreement.items) == 891 and len(agreement.overall.pairs) == 36
    assert agreement.overall.heads["accuracy"].units == 917
    assert agreement.overall.heads["accuracy"].value == pytest.approx(0.165, abs=5e-4)
    assert agreement.overall.heads["fluency"].value == pytest.approx(0.185, abs=5e-4)
