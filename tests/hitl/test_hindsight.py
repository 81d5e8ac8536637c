"""What a watched session teaches the low level: four kinds of segment, what is left out and why, whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from hitl.hindsight import (
    Families,
    Found,
    Given,
    Hindsight,
    Marks,
    Ran,
    Rules,
    Watched,
    families_of,
    hindsight,
    runs_of,
)
from hitl.messages import CommandStatus

S = 1_000_000_000
PICK, PICK_BALL, PUT = "pick up the red block", "pick up the blue ball", "put it in the box"
LEFT, OPEN = "move the left arm left", "open the left gripper"
FAMILIES = families_of(
    {PICK: "pick", PICK_BALL: "pick", PUT: "place", LEFT: "motion", OPEN: "gripper", "go home": "home"}
)


def ns(seconds: float) -> int:
    return round(seconds * S)


def stretch(from_s: float, to_s: float) -> tuple[int, int]:
    return ns(from_s), ns(to_s)


def ran(from_s: float, to_s: float, text: str, by: str = "", episode: str = "e") -> Ran:
    """by: id of the correction; empty for the policy."""
    return Ran(*stretch(from_s, to_s), by or f"p{from_s}", text, bool(by), episode)


def said(name: str, at_s: float, text: str = LEFT, **fields: Any) -> Given:
    return Given(name, fields.pop("author", "ann"), ns(at_s), text, text, **fields)


def episode(
    to_s: float = 60.0, *, away: tuple[tuple[float, float], ...] = (), rises: tuple[float, ...] = ()
) -> Watched:
    return Watched("e", 0, ns(to_s), tuple(stretch(*one) for one in away), rises_ns=tuple(map(ns, rises)))


def look(runs: list[Ran], given: list[Given] = [], at: Watched | None = None, **more: Any) -> Found:  # noqa: B006
    marks = Marks(*(tuple(stretch(*one) for one in more.get(name, ())) for name in ("good", "bad")))
    return hindsight([at or episode()], runs, given, marks, FAMILIES, more.get("rules"))


def kept(found: Found) -> list[tuple[float, float, str, str]]:
    return [(one.start_ns / S, one.end_ns / S, one.command, one.why) for one in found.segments]


def reasons(found: Found) -> list[str]:
    return [one.reason for one in found.left_out]


# -- the four kinds ---------------------------------------------------------------------------------------------------


def test_a_correction_that_came_to_its_end_is_a_segment_of_its_command() -> None:
    found = look([ran(1, 3, LEFT, "a")], [said("a", 1)])
    assert kept(found) == [(1, 3, LEFT, "correction")] and found.segments[0].events == ("a",)
    assert found.segments[0].moments == (stretch(1, 3),) and not found.left_out


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"undone": True}, "it was undone"),
        ({"acted": False}, "it never acted"),
        ({"outcome": "replaced"}, "it was cut off (replaced)"),
        ({"outcome": "expired"}, "it was cut off (expired)"),
        ({"outcome": ""}, "it was cut off (not ended)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_correction_that_did_not_is_left_out(fields: dict[str, Any], reason: str) -> None:
    found = look([ran(1, 3, LEFT, "a")], [said("a", 1, **fields)])
    assert not found.segments and reasons(found) == [reason]


def test_a_correction_of_another_log_is_left_out() -> None:
    assert reasons(look([ran(1, 3, LEFT, "a")])) == ["the log does not know this correction"]


def test_what_the_policy_did_and_nobody_objected_to_is_a_segment_of_its_command() -> None:
    found = look([ran(1, 4, PICK), ran(4, 8, PUT), ran(8, 60, "go home")])
    assert kept(found) == [(1, 4, PICK, "let run"), (4, 8, PUT, "let run")]
    assert reasons(found) == ["the episode ended before it did"]


def test_an_objection_leaves_out_what_it_overruled_and_what_had_just_ended() -> None:
    runs = [ran(1, 4, PICK), ran(4, 8, PUT), ran(8, 9, "go home"), ran(9, 11, LEFT, "a"), ran(11, 13, PICK)]
    found = look(runs, [said("a", 9)])
    assert kept(found) == [(1, 4, PICK, "let run"), (9, 11, LEFT, "correction")]
    expected = [f"“{LEFT}” came 1.0 s after it", f"“{LEFT}” overruled it", "the episode ended before it did"]
    assert reasons(found) == expected
    assert len(look(runs, [said("a", 9)], rules=Rules(margin_s=0.5)).segments) == 3


def test_an_objection_in_the_next_episode_is_none() -> None:
    runs = [ran(1, 4, PICK), ran(4, 5, PUT), ran(6, 8, LEFT, "a", "f")]
    found = hindsight([episode(5), Watched("f", ns(5), ns(20))], runs, [said("a", 6)])
    assert [one.start_ns / S for one in found.segments] == [1, 6]
    assert reasons(found) == ["the episode ended before it did"]


@pytest.mark.parametrize("fields", [{"undone": True}, {"acted": False}], ids=["undone", "never acted"])
def test_a_correction_that_does_not_count_is_no_objection_but_cuts_off_all_the_same(fields: dict[str, Any]) -> None:
    runs = [ran(1, 4, PICK), ran(4, 5, PUT), ran(5, 6, LEFT, "a"), ran(6, 7, PICK), ran(7, 9, PUT)]
    found = look(runs, [said("a", 5, **fields)])
    assert [one.start_ns / S for one in found.segments] == [1, 6]
    assert "a correction cut it off" in reasons(found)


def test_a_command_that_is_tried_again_and_again_is_no_example() -> None:
    found = look([ran(0, 20, PICK), ran(20, 24, PUT), ran(24, 60, "go home")])
    assert kept(found) == [(20, 24, PUT, "let run")] and "over 12 s" in reasons(found)[0]


@pytest.mark.parametrize(
    ("tells", "rises", "taught"),
    [(True, (), False), (True, (7.0,), True), (True, (10.5,), True), (True, (30.0,), False), (False, (), True)],
)
def test_what_came_to_nothing_for_long_is_no_example(tells: bool, rises: tuple[float, ...], taught: bool) -> None:
    runs = [ran(0, 8, PICK), ran(8, 11, PUT), ran(11, 60, "go home")]
    found = look(runs, at=replace(episode(rises=rises), tells=tells))
    assert ((0, 8, PICK, "let run") in kept(found)) == taught and (8, 11, PUT, "let run") in kept(found)
    assert ("the task did not get on for 7.5 s" in reasons(found)) != taught


def test_what_is_marked_good_counts_even_where_something_else_would_leave_it_out() -> None:
    runs, given = [ran(1, 9, PICK), ran(9, 11, LEFT, "a")], [said("a", 9, undone=True)]
    found = look(runs, given, good=[(2, 6)])
    (one,) = found.segments
    assert (one.why, one.command, one.cut_short, one.start_ns) == ("marked good", PICK, True, ns(1))
    assert one.moments == (stretch(2, 5.2),), "the way of each moment lies in what is good"


def test_what_is_marked_as_a_mistake_is_left_out_of_what_else_counts() -> None:
    found = look([ran(1, 9, PICK), ran(9, 60, PUT)], bad=[(3, 4)], good=[(3.5, 6)])
    (one,) = found.segments
    assert one.moments == (stretch(1, 2.2), stretch(4, 9)) and one.why == "let run"
    nothing = look([ran(1, 9, PICK), ran(9, 60, PUT)], bad=[(0, 8.8)])
    assert not nothing.segments and "less than 0.5 s" in reasons(nothing)[0]
    assert reasons(look([ran(1, 9, PICK), ran(9, 60, PUT)], bad=[(0, 10)]))[0] == "it is marked as a mistake or unsafe"


def test_a_command_that_was_stopped_is_left_out_but_for_what_is_good_of_it() -> None:
    runs, at = [ran(1, 9, PICK), ran(9, 60, PUT)], episode(away=((4, 5),))
    assert "stopped" in reasons(look(runs, at=at))[0]
    found = look(runs, at=at, good=[(1, 7)])
    assert found.segments[0].moments == (stretch(1, 3.2), stretch(5, 6.2))


def test_a_short_one_is_left_out() -> None:
    found = look([ran(1, 1.3, LEFT, "a")], [said("a", 1)])
    assert not found.segments and reasons(found) == ["less than 0.5 s of it can be used"]


# -- guided by hand ---------------------------------------------------------------------------------------------------


def guided(
    *,
    overruled: str = PUT,
    rises: tuple[float, ...] = (6.5,),
    asked: Given | None = None,
    after: str = PICK_BALL,
    **fields: Any,
) -> Found:
    """The hand goes left twice and opens, from 2 s to 6 s, against what the policy wanted; then the policy goes on."""
    runs = [
        ran(0, 2, PUT),
        ran(2, 3, LEFT, "a"),
        ran(3.5, 5, LEFT, "b"),
        ran(5, 6, OPEN, "c"),
        ran(6.8, 60, after),
    ]
    given = [said("a", 2), said("b", 3.5), said("c", 5, OPEN)]
    given = [Given(**{**vars(one), "overruled": overruled, **fields}) for one in given]
    if asked is not None:
        runs[0] = ran(0, 2, asked.command, asked.id)
        given = [asked, *given]
    runs.append(ran(60, 61, PUT if after != PUT else PICK))
    return hindsight([episode(70, rises=rises)], runs, given, Marks(), FAMILIES, Rules(longest_s=100))


def of_guidance(found: Found) -> list[Hindsight]:
    return [one for one in found.segments if one.why == "guided"]


def test_a_hand_that_was_guided_to_where_a_stage_was_won_is_an_example_of_the_skill_that_was_overruled() -> None:
    (one,) = of_guidance(guided())
    assert (one.command, one.start_ns, one.end_ns, one.events) == (PUT, ns(2), ns(6), ("a", "b", "c"))
    assert not one.rests and one.author == "ann"
    assert one.straight == "let go" and one.moments == ((0, ns(2)), (ns(2), ns(6))), (
        "what was overruled should have led there, too"
    )
    assert len(guided().segments) > 3, "each word that came to its end is an example of its own, too"


def test_guidance_that_won_nothing_or_against_something_else_is_left_out() -> None:
    for found, reason in (
        (guided(rises=()), "guided by hand, but nothing shows that it came off"),
        (guided(rises=(9.0,)), "guided by hand, but nothing shows that it came off"),
        (guided(overruled=PICK_BALL), "guided by hand, but nothing shows that it came off"),
        (guided(overruled="go home"), "guided by hand, but it is not known to what"),
    ):
        assert not of_guidance(found) and reason in reasons(found)


def test_a_pick_that_was_asked_for_and_did_not_come_off_is_what_the_hand_was_guided_to() -> None:
    asked = said("x", 0, PICK, outcome="replaced")
    (one,) = of_guidance(guided(overruled=PICK, rises=(), asked=asked, after=PUT))
    assert (one.command, one.start_ns) == (PICK, ns(2)), (
        "the policy went on with what is done with a thing in the hand"
    )
    assert not of_guidance(guided(overruled=PICK, rises=(), asked=asked)), "it goes for another: its hand is empty"
    done = of_guidance(guided(overruled="go home", rises=(), asked=said("x", 0, PICK), after=PUT))
    assert not done, "what came to its end needs no guidance"
    other = said("x", 0, PICK, outcome="replaced", author="bob")
    assert not of_guidance(guided(overruled="go home", rises=(), asked=other, after=PUT)), "somebody else's wish"


def test_a_pick_that_the_policy_wanted_all_the_while_is_what_the_hand_was_guided_to() -> None:
    (one,) = of_guidance(guided(overruled=PICK, rises=(), after=PUT))
    assert one.straight == "take hold" and one.moments == ((ns(2), ns(6)),)
    assert (one.command, one.start_ns, one.events) == (PICK, ns(2), ("a", "b", "c"))
    runs = [ran(2, 3, LEFT, "a"), ran(3, 4, LEFT, "b"), ran(4, 5, OPEN, "c"), ran(6, 9, PUT), ran(9, 12, PICK)]
    given = [said("a", 2, overruled=PICK), said("b", 3, overruled="go home"), said("c", 4, OPEN, overruled=PICK)]
    assert len(of_guidance(look(runs, given, episode(rises=())))) == 1
    given[2] = said("c", 4, OPEN, overruled=PICK_BALL)
    found = look(runs, given, episode(rises=()))
    assert not of_guidance(found) and "guided by hand, but it is not known to what" in reasons(found)


def test_what_the_policy_wants_to_do_with_the_thing_later_does_not_make_a_pick_a_place() -> None:
    runs = [ran(2, 3, LEFT, "a"), ran(3, 4, LEFT, "b"), ran(4, 5, OPEN, "c"), ran(6, 9, PUT), ran(9, 12, PICK)]
    given = [said("a", 2, overruled=PICK), said("b", 3, overruled=PUT), said("c", 4, OPEN, overruled=PUT)]
    (one,) = of_guidance(look(runs, given, episode(rises=())))
    assert one.command == PICK
    (one,) = of_guidance(look(runs, given, episode(rises=(4.9,))))
    assert (one.command, one.events) == (PUT, ("b", "c")), "but where the task was a stage further"


def test_that_somebody_asks_for_the_next_step_shows_that_a_pick_came_off() -> None:
    runs = [ran(2, 3, LEFT, "a"), ran(3, 4, OPEN, "b"), ran(4, 6, "go home"), ran(6, 9, PUT, "c"), ran(9, 12, PICK)]
    given = [said("a", 2, overruled=PICK), said("b", 3, OPEN, overruled=PICK), said("c", 6, PUT)]
    (one,) = of_guidance(look(runs, given, episode(rises=())))
    assert one.command == PICK, "whatever the policy did in between"
    given[2] = said("c", 6, PICK_BALL)
    runs[3] = ran(6, 9, PICK_BALL, "c")
    assert not of_guidance(look(runs, given, episode(rises=()))), "another thing was asked for: the hand is empty"


def test_new_wording_is_of_the_family_of_what_it_is_near_to() -> None:
    grab = "grab the ring"
    runs = [ran(0, 2, grab, "x"), ran(2, 3, LEFT, "a"), ran(3, 4, OPEN, "b"), ran(4, 6, PUT), ran(6, 9, PICK)]
    given = [said("x", 0, grab, outcome="replaced", known=False, near=PICK)]
    given += [said("a", 2, overruled="go home"), said("b", 3, OPEN, overruled="go home")]
    (one,) = of_guidance(look(runs, given, episode(rises=())))
    assert (one.command, one.known, one.near, one.straight) == (grab, False, PICK, "take hold")
    assert one.moments[0] == (0, ns(2)), "what it did at first, too"
    given[0] = said("x", 0, grab, outcome="replaced", known=False)
    assert not of_guidance(look(runs, given, episode(rises=()))), "near to nothing"


def test_what_was_overruled_leads_to_the_place_only_where_it_ran_just_before_and_nothing_was_wrong() -> None:
    two = [ran(2.2, 3, LEFT, "a"), ran(3.2, 5.5, OPEN, "b")]
    both = [said("a", 2.2, overruled=PUT), said("b", 3.2, OPEN, overruled=PUT)]
    stretch = ns(2.2), ns(5.5)

    def moments(before: Ran, **more: Any) -> tuple[tuple[int, int], ...]:
        (one,) = of_guidance(look([before, *two], both, **{"at": episode(rises=(6.0,)), **more}))
        return one.moments

    assert moments(ran(0, 2, PUT)) == ((0, ns(2)), stretch)
    assert moments(ran(0, 2, PICK)) == (stretch,), "another command"
    assert moments(ran(0, 0.4, PUT)) == (stretch,), "long before"
    assert moments(ran(0, 2, PUT), bad=[(1, 1.1)]) == (stretch,), "a mistake is marked in it"
    assert moments(ran(0, 2, PUT), at=episode(rises=(6.0,), away=((1.0, 1.2),))) == (stretch,), "the robot was stopped"


def test_what_comes_after_a_stage_is_guidance_of_its_own() -> None:
    (one,) = of_guidance(guided(rises=(4.0,)))
    assert one.events == ("a", "b")


def test_guidance_begins_where_the_place_was_wished() -> None:
    runs = [ran(2, 3, LEFT, "a"), ran(3, 4, LEFT, "b"), ran(4, 5, OPEN, "c"), ran(6, 9, PICK)]
    given = [said("a", 2, overruled=PICK), said("b", 3, overruled=PUT), said("c", 4, OPEN, overruled=PICK)]
    (one,) = of_guidance(look(runs, given, episode(rises=(4.9,))))
    assert one.events == ("b", "c"), "and what the policy wishes later does not matter"


def test_one_word_is_no_guidance_nor_are_words_of_two_people_or_far_apart() -> None:
    at = episode(rises=(6.0,))
    two = [ran(2, 3, LEFT, "a"), ran(3.2, 5.5, OPEN, "b")]
    both = [said("a", 2, overruled=PUT), said("b", 3.2, OPEN, overruled=PUT)]
    assert len(of_guidance(look(two, both, at))) == 1
    assert not of_guidance(look(two, [both[0], said("b", 3.2, OPEN, overruled=PUT, author="bob")], at))
    assert not of_guidance(look([two[0], ran(4.6, 5.5, OPEN, "b")], both, at))
    assert not of_guidance(look(two[:1], both[:1], at))
    assert not of_guidance(look(two, [both[0], said("b", 3.2, OPEN, overruled=PUT, undone=True)], at))


@pytest.mark.parametrize("more", [{"bad": [(4, 4.2)]}, {"at": episode(rises=(6.0,), away=((3.1, 3.2),))}])
def test_guidance_with_a_mistake_or_a_stop_in_it_is_left_out(more: dict[str, Any]) -> None:
    two = [ran(2, 3, LEFT, "a"), ran(3.2, 5.5, OPEN, "b")]
    given = [said("a", 2, overruled=PUT), said("b", 3.2, OPEN, overruled=PUT)]
    found = look(two, given, **{"at": episode(rises=(6.0,)), **more})
    assert not of_guidance(found) and any(reason.startswith("guided by hand, but") for reason in reasons(found))


# -- from a recording -------------------------------------------------------------------------------------------------


def status(text: str, name: str, source: Any = "policy") -> CommandStatus:
    return CommandStatus(command_id=name, text=text, source=source)


def test_commands_run_until_the_next_one_the_end_of_the_episode_or_until_they_are_done() -> None:
    told = [(ns(-1), status(PICK, "0")), (ns(1), status(PICK, "1")), (ns(3), status(LEFT, "a", "person"))]
    told += [(ns(6), status("", "", "none")), (ns(7), status(PUT, "2")), (ns(12), status(PICK, "3"))]
    episodes = [Watched("e", 0, ns(10)), Watched("f", ns(11), ns(13)), Watched("g", ns(14), ns(15))]
    found = runs_of(told, episodes, [said("a", 3, done_ns=ns(5))])
    assert [(one.start_ns / S, one.end_ns / S, one.text, one.by_person, one.episode) for one in found] == [
        (1, 3, PICK, False, "e"), (3, 5, LEFT, True, "e"), (7, 10, PUT, False, "e"), (12, 13, PICK, False, "f"),
    ]  # fmt: skip


# -- whatever happens -------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from([PICK, PICK_BALL, PUT, LEFT, OPEN, "go home", "wave"])
OUTCOMES = st.sampled_from(["done", "replaced", "released", "expired", ""])


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    """An episode of commands by anybody, with marks, stops and stages anywhere; tenths of a second."""
    cuts = sorted(draw(st.sets(st.integers(0, 600), min_size=2, max_size=24)))
    runs, given = [], []
    for at, (first, end) in enumerate(zip(cuts, cuts[1:], strict=False)):
        text, by_person = draw(TEXTS), draw(st.booleans())
        runs.append(Ran(first * S // 10, end * S // 10, f"c{at}", text, by_person, "e"))
        if by_person:
            given.append(
                Given(
                    f"c{at}", draw(st.sampled_from(["ann", "bob"])), first * S // 10, text, text, draw(TEXTS),
                    acted=draw(st.booleans()), undone=draw(st.booleans()), outcome=draw(OUTCOMES),
                )
            )  # fmt: skip
    stretches = st.lists(st.tuples(st.integers(0, 600), st.integers(1, 80)), max_size=4)

    def drawn() -> list[tuple[float, float]]:
        return [(at / 10, (at + length) / 10) for at, length in draw(stretches)]

    away = draw(st.one_of(st.just(()), st.tuples(st.tuples(st.integers(0, 300), st.integers(301, 600)))))
    rises = sorted(draw(st.sets(st.integers(0, 600), max_size=4)))
    at = episode(60, away=tuple((a / 10, b / 10) for a, b in away), rises=tuple(rise / 10 for rise in rises))
    return {"runs": runs, "given": given, "at": at, "good": drawn(), "bad": drawn()}


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@any_of(sessions())
def test_nothing_is_taught_that_must_not_be(session: dict[str, Any]) -> None:
    found = look(**session)
    runs = {run.id: run for run in session["runs"]}
    given = {one.id: one for one in session["given"]}
    bad = [stretch(*one) for one in session["bad"]]
    for one in found.segments:
        assert one.moments and one.start_ns < one.end_ns
        for before, after in zip(one.moments, one.moments[1:], strict=False):
            assert before[1] <= after[0]
        for moment in one.moments:
            assert one.start_ns <= moment[0] < moment[1] <= one.end_ns
            assert not any(overlap(moment, mark) for mark in bad)
            assert not any(overlap(moment, stop) for stop in session["at"].away)
        if one.why in ("correction", "guided"):
            assert all(given[event].counts for event in one.events)
        if one.why == "guided":
            assert len(one.events) > 1 and one.command in FAMILIES.skills
            assert all(runs[event].text in FAMILIES.small for event in one.events)
        if one.why == "let run":
            objections = [other for other in session["given"] if other.counts]
            assert not any(one.start_ns < other.at_ns < one.end_ns + 2 * S for other in objections)


@any_of(sessions())
def test_every_command_is_kept_or_left_out_with_a_reason(session: dict[str, Any]) -> None:
    found = look(**session)
    single = sorted(
        [(one.start_ns, one.end_ns) for one in found.segments if one.why != "guided"]
        + [(one.start_ns, one.end_ns) for one in found.left_out if not one.reason.startswith("guided")]
    )
    assert single == sorted((run.start_ns, run.end_ns) for run in session["runs"])
    assert all(one.reason for one in found.left_out)


def taught_ns(found: Found) -> int:
    return sum(end - start for one in found.segments for start, end in one.moments)


@any_of(sessions(), st.integers(0, 600), st.integers(1, 80))
def test_another_mistake_never_teaches_more_and_praise_never_less(
    session: dict[str, Any], at: int, length: int
) -> None:
    mark, before = (at / 10, (at + length) / 10), taught_ns(look(**session))
    assert taught_ns(look(**{**session, "bad": [*session["bad"], mark]})) <= before
    assert taught_ns(look(**{**session, "good": [*session["good"], mark]})) >= before


def test_without_families_nobody_is_guided() -> None:
    runs = [ran(2, 3, LEFT, "a"), ran(3, 4, OPEN, "b")]
    given = [said("a", 2, overruled=PUT), said("b", 3, OPEN, overruled=PUT)]
    found = hindsight([episode(rises=(4.5,))], runs, given, families=Families())
    assert not of_guidance(found) and len(found.segments) == 2
