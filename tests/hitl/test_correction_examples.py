from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.correction_examples import CorrectionExample, ExampleRules, examples_of, why_not
from hitl.events import CorrectionEvent
from hitl.messages import Alternative
from hitl.sessions.feedback_log import CorrectionView
from hitl.sessions.moments import Moment

HZ = 2


def moments(
    *stretches: tuple[float, str, str], waits: tuple[float, float] = (-1, -1), stage: Any = None
) -> list[Moment]:
    """Twice a second: (seconds, command id, command); ids that begin with "p" are the policy's."""
    made: list[Moment] = []
    at_s = 0.0
    for seconds, name, command in stretches:
        end = at_s + seconds
        while at_s < end:
            made.append(
                Moment(
                    "e", round(at_s * 50), round(at_s * 1e9), stage(at_s) if stage else 0, name, command,
                    "policy" if name.startswith("p") else "person", waits[0] <= at_s < waits[1],
                    [Alternative(text=command, probability=1.0)], np.full((4, 3), at_s, np.float16),
                )
            )  # fmt: skip
            at_s += 1 / HZ
    return made


def view(name: str, at_s: float, command: str, overruled: str = "go home", **changes: Any) -> CorrectionView:
    event = CorrectionEvent(
        id=name, session="s", episode="e", session_ns=round(at_s * 1e9), author="ada", source="typed", text=command,
        command=command, grounding="exact", similarity=1.0, policy_command=overruled, policy_probability=0.9,
        observations=[], hold_s=8.0,
    )  # fmt: skip
    return replace(CorrectionView(event, False, "done", command, True), **changes)


def by_time(examples: list[CorrectionExample]) -> dict[float, tuple[str, str, str]]:
    return {e.session_ns / 1e9: (e.command, e.rejected, e.correction) for e in examples}


def test_the_seconds_before_a_correction_get_its_command_and_what_was_overruled_as_negative() -> None:
    track = moments((6.0, "p1", "go home"), (2.0, "c1", "pick it up"), (2.0, "p2", "put it down"))
    found = by_time(examples_of([view("c1", 6.0, "pick it up")], track)[0])
    for at in (4.0, 4.5, 5.0, 5.5):
        assert found[at] == ("pick it up", "go home", "c1")
    assert all(at not in found for at in (0.0, 2.0, 3.5)), "what led to the mistake teaches nothing"


def test_while_a_correction_runs_its_command_is_wanted_and_half_a_second_before_its_end_the_next() -> None:
    parts = [(3.0, "p1", "go home"), (2.0, "c1", "pick it up"), (3.0, "p2", "put it down"), (1.0, "p3", "rest")]
    track = moments(*parts, (1.0, "p4", "go home"))
    found = by_time(examples_of([view("c1", 3.0, "pick it up")], track)[0])
    assert found[3.5][0] == found[4.0][0] == "pick it up"
    assert found[4.5][0] == "put it down"
    assert found[5.0] == ("put it down", "", "") and found[7.5][0] == "rest"


def test_what_still_runs_is_not_yet_let_run() -> None:
    track = moments((3.0, "p1", "go home"), (2.0, "c1", "pick it up"), (3.0, "p2", "put it down"))
    found = by_time(examples_of([view("c1", 3.0, "pick it up")], track)[0])
    assert found[3.5][0] == "pick it up" and not [at for at in found if at >= 4.5]


@pytest.mark.parametrize(
    ("seconds", "stage", "taught"),
    [
        (9.0, None, False),
        (7.0, None, True),
        (9.0, lambda at_s: int(at_s >= 8.0), True),
        (9.0, lambda at_s: int(at_s >= 12.0), True),  # what it did shows a moment later
    ],
)
def test_what_came_to_nothing_for_long_was_not_right(seconds: float, stage: Any, taught: bool) -> None:
    parts = [(3.0, "p1", "go home"), (seconds, "p2", "pick it up"), (2.0, "p3", "put it down")]
    end_s = 3.0 + seconds + 2.0
    track = moments(*parts, (1.0, "c1", "rest"), (1.0, "p4", "go home"), (1.0, "p5", "rest"), stage=stage)
    found = by_time(examples_of([view("c1", end_s, "rest", "put it down")], track)[0])
    assert any(command == "pick it up" for command, _, _ in found.values()) == taught
    assert found[0.0][0] == "go home"


def test_a_correction_teaches_in_the_moment_in_which_it_is_given() -> None:
    track = moments((3.0, "p1", "go home"))
    found = by_time(examples_of([view("c1", 3.0, "pick it up", outcome=None)], track)[0])
    assert set(found) == {1.0, 1.5, 2.0, 2.5} and found[2.5] == ("pick it up", "go home", "c1")


def test_the_moment_of_waiting_learns_what_came_next() -> None:
    track = moments((2.0, "p1", "x"), (3.0, "c1", "go left"), (2.0, "c2", "go up"), (1.0, "p2", "y"), waits=(4.0, 5.0))
    views = [view("c1", 2.0, "go left", "x"), view("c2", 5.0, "go up", "x")]
    found = by_time(examples_of(views, track)[0])
    assert found[4.0][0] == found[4.5][0] == "go up"


def test_in_an_episode_without_corrections_nothing_is_learned() -> None:
    track = moments((3.0, "p1", "go home"), (3.0, "p2", "rest"))
    assert examples_of([], track) == ([], [])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"undone": True}, "undone"),
        ({"acted": False}, "never acted"),
        ({"command": ""}, "no command"),
    ],
)
def test_what_does_not_teach_says_why(changes: dict, why: str) -> None:
    odd = replace(view("c1", 3.0, "pick it up"), **changes)
    track = moments((3.0, "p1", "go home"), (2.0, "c1", "pick it up"), (2.0, "p2", "rest"))
    found, lacking = examples_of([odd], track)
    assert found == [] and [each.correction for each in lacking] == ["c1"] and why in lacking[0].reason
    assert why in why_not(odd)


def test_an_undone_correction_leaves_no_trace_beside_another_one() -> None:
    track = moments((2.0, "p1", "x"), (2.0, "c1", "wrong"), (2.0, "p2", "x"), (2.0, "c2", "right"), (2.0, "p3", "x"))
    views = [view("c1", 2.0, "wrong", "x", undone=True), view("c2", 6.0, "right", "x")]
    found = examples_of(views, track)[0]
    assert found and all(example.command != "wrong" and example.correction != "c1" for example in found)


@pytest.mark.parametrize(
    ("changes", "let_run"),
    [
        ({"undone": True, "outcome": "undone"}, False),
        ({"acted": False, "outcome": "asked"}, False),
        ({"acted": False, "outcome": "ignored"}, True),  # they spoke to somebody else
    ],
)
def test_what_somebody_spoke_against_was_not_let_run_though_the_words_teach_nothing(
    changes: dict[str, Any], let_run: bool
) -> None:
    acts = changes.get("acted", True)
    parts = [(2.0, "p1", "y"), (2.0, "p2", "x"), *([(2.0, "c1", "wrong")] if acts else [(2.0, "p2", "x")])]
    track = moments(*parts, (2.0, "p3", "z"), (2.0, "c2", "right"), (2.0, "p4", "y"))
    views = [replace(view("c1", 4.0, "wrong", "x"), **changes), view("c2", 8.0, "right", "z")]
    found = by_time(examples_of(views, track)[0])
    assert ("x" in {command for command, _, _ in found.values()}) == let_run
    assert found[0.0] == ("y", "", "") and found[8.5][0] == "right"


def test_a_stop_says_that_the_command_was_not_let_run() -> None:
    track = moments((2.0, "p1", "y"), (2.0, "p2", "x"), (2.0, "p3", "z"), (2.0, "c2", "right"), (2.0, "p4", "y"))
    stop = view("c1", 3.0, "", "x")
    stop = replace(stop, event=msgspec.structs.replace(stop.event, grounding="stop"))
    found = by_time(examples_of([stop, view("c2", 6.0, "right", "z")], track)[0])
    assert "x" not in {command for command, _, _ in found.values()} and found[0.0][0] == "y"


def test_repeats_without_progress_count_as_one_change_of_mind() -> None:
    parts = [(2.0, "p0", "x")]
    for at in range(4):
        parts += [(1.0, f"c{at}", "close it")]
    views = [view(f"c{at}", 2.0 + at, "close it", "x") for at in range(4)]
    found = examples_of(views, moments(*parts))[0]
    assert {e.weight for e in found if e.correction} == {0.25}
    every = examples_of(views, moments(*parts), ExampleRules(one_label=False))[0]
    assert {e.weight for e in every if e.correction} == {1.0}


def test_repeats_with_progress_in_between_count_each() -> None:
    parts = [(2.0, "p0", "x"), (2.0, "c0", "go on"), (2.0, "c1", "go on")]
    views = [view("c0", 2.0, "go on", "x"), view("c1", 4.0, "go on", "x")]
    found = examples_of(views, moments(*parts, stage=lambda s: int(s >= 3.0)))[0]
    assert {e.weight for e in found if e.correction} == {1.0}


def test_words_that_others_took_back_at_once_weigh_little() -> None:
    track = moments((2.0, "p1", "x"), (0.5, "c1", "oops"), (2.0, "c2", "right"), (1.0, "p2", "x"))
    views = [view("c1", 2.0, "oops", "x", outcome="replaced"), view("c2", 2.5, "right", "x")]
    weights = {e.correction: e.weight for e in examples_of(views, track)[0] if e.correction}
    assert weights["c1"] == 0.25 and weights["c2"] == 1.0


def test_a_correction_whose_moments_were_not_kept_is_named() -> None:
    found, lacking = examples_of([view("c1", 50.0, "pick it up")], moments((3.0, "p1", "go home")))
    assert not [e for e in found if e.correction] and "no moments were kept" in lacking[0].reason


@given(
    cuts=st.lists(st.floats(0.5, 4.0), min_size=1, max_size=8),
    people=st.lists(st.booleans(), min_size=8, max_size=8),
    margin=st.floats(0.0, 4.0),
)
def test_every_example_is_a_moment_once_and_no_label_comes_from_nowhere(
    cuts: list[float], people: list[bool], margin: float
) -> None:
    parts = [(s, f"{'c' if people[at] and at else 'p'}{at}", f"command {at}") for at, s in enumerate(cuts)]
    track = moments(*parts)
    starts = {name: next(m.session_ns for m in track if m.command_id == name) for _, name, _ in parts}
    views = [view(n, starts[n] / 1e9, text) for _, n, text in parts if n.startswith("c")]
    found = examples_of(views, track, ExampleRules(margin_s=margin))[0]
    assert len({e.session_ns for e in found}) == len(found) <= len(track)
    said = {v.command for v in views}
    for example in found:
        assert example.weight > 0 and example.command.startswith("command ")
        assert example.rejected != example.command
        if example.correction:
            assert example.command in said
        else:
            assert example.command not in said
    if not views:
        assert found == []
