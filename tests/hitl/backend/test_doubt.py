"""When the policy asks: the rules alone, and what the controller makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.backend.doubt import Decision, Doubt, Tries
from hitl.backend.parts import Rules
from hitl.events import DoubtEvent
from hitl.messages import Alternative, CommandStatus, Mode, RobotState, Task
from tests.support.controlled import HOME, World, chunks
from tests.support.scripted import ScriptedPolicy, Torn

S = 1_000_000_000
RULES = Rules(ask_margin=0.3, ask_repeats=3, unsure_s=3.0, ask_every_s=10.0)


def decision(margin: float = 0.1, at_s: float = 0.0, stage: int = 0, texts: tuple[str, str] = ("a", "b")) -> Decision:
    best = Alternative(text=texts[0], probability=0.5 + margin / 2)
    second = Alternative(text=texts[1], probability=0.5 - margin / 2)
    return Decision(round(at_s * S), best, second, stage)


# -- the rules --------------------------------------------------------------------------------------------------------


def test_it_asks_where_the_margin_is_small_and_somebody_hears_it() -> None:
    assert not Doubt(RULES).asks(decision(0.1), heard=False)
    assert not Doubt(RULES).asks(decision(0.31), heard=True)
    doubt = Doubt(RULES)
    assert doubt.asks(decision(0.29), heard=True)
    assert doubt.question is not None
    assert (doubt.question.commands, doubt.question.reason, doubt.question.until_ns) == (("a", "b"), "margin", 3 * S)


def test_a_margin_of_zero_never_asks() -> None:
    assert not Doubt(Rules(ask_margin=0.0)).asks(decision(0.0), heard=True)


def test_it_asks_the_same_pair_once_where_the_task_stands() -> None:
    doubt = Doubt(RULES)
    assert doubt.asks(decision(at_s=0), heard=True)
    doubt.close(3 * S)
    assert not doubt.asks(decision(at_s=20), heard=True)
    assert not doubt.asks(decision(at_s=20, texts=("b", "a")), heard=True), "whichever is first"
    assert doubt.asks(decision(at_s=20, stage=1), heard=True)


def test_it_rests_after_a_question() -> None:
    doubt = Doubt(RULES)
    doubt.asks(decision(at_s=0), heard=True)
    doubt.close(2 * S)
    assert not doubt.asks(decision(at_s=11.9, texts=("a", "c")), heard=True)
    assert doubt.asks(decision(at_s=12, texts=("a", "c")), heard=True)


def test_a_question_goes_away_when_it_is_sure_twice_and_not_at_the_edge() -> None:
    doubt = Doubt(RULES)
    doubt.asks(decision(0.29), heard=True)
    assert doubt.asks(decision(0.59), heard=True) and doubt.asks(decision(0.59), heard=True)
    assert doubt.asks(decision(0.61), heard=True)
    assert doubt.asks(decision(0.2), heard=True), "it must be sure twice in a row"
    assert doubt.asks(decision(0.61), heard=True)
    assert not doubt.asks(decision(0.61), heard=True)


def test_what_is_tried_again_without_effect_is_asked_about_however_sure_it_is() -> None:
    doubt = Doubt(RULES)
    for tried in range(3):
        assert not doubt.asks(decision(0.9), heard=True), tried
        doubt.policy_begins("a", stage=0)
    assert not doubt.asks(decision(0.9, texts=("b", "a")), heard=True), "it wants something else now"
    assert doubt.asks(decision(0.9), heard=True)
    assert doubt.question is not None and (doubt.question.about, doubt.question.tried) == ("a", 3)
    assert doubt.asks(decision(0.9), heard=True) and doubt.asks(decision(0.9), heard=True), "being sure does not help"
    doubt.close(3 * S)
    for _ in range(5):
        doubt.policy_begins("a", stage=0)
    assert not doubt.asks(decision(0.9, at_s=60), heard=True), "it was asked about while the task stands there"
    for tried in range(3):
        assert not doubt.asks(decision(0.9, at_s=60, stage=1), heard=True), f"it counts anew: {tried}"
        doubt.policy_begins("a", stage=1)
    assert doubt.asks(decision(0.9, at_s=60, stage=1), heard=True)


def test_a_task_that_got_on_is_no_repeat() -> None:
    doubt = Doubt(RULES)
    for stage in (0, 0, 1):
        doubt.policy_begins("a", stage)
    assert not doubt.asks(decision(0.9, stage=1), heard=True)
    doubt.policy_begins("a", 1)
    doubt.policy_begins("a", 1)
    assert not doubt.asks(decision(0.9, stage=2), heard=True), "it got on with the last try"
    assert doubt.asks(decision(0.9, stage=1), heard=True)


def test_a_persons_repeats_count_where_the_hand_did_not_move() -> None:
    tries, pose = Tries(), np.zeros(12)
    assert [tries.begun("go left", 0, pose + 0.1 * step) for step in range(4)] == [1, 1, 1, 1]
    assert [tries.begun("go left", 0, pose + 0.3) for _ in range(3)] == [2, 3, 4]
    assert tries.begun("go right", 0, pose) == 1


def test_after_a_persons_command_without_effect_the_policy_asks_once() -> None:
    doubt = Doubt(RULES)
    for _ in range(3):
        doubt.person_begins("c", 0, np.zeros(12))
    assert doubt.asks(decision(0.9), heard=True)
    assert doubt.question is not None and doubt.question.about == "c"
    again = Doubt(RULES)
    for _ in range(3):
        again.person_begins("c", 0, np.zeros(12))
    again.policy_begins("a", 0)
    assert not again.asks(decision(0.9), heard=True), "its moment is over"


@given(
    st.lists(
        st.tuples(
            st.floats(0.05, 8.0), st.floats(0.0, 1.0), st.sampled_from("abc"), st.integers(0, 2), st.booleans(),
            st.booleans(),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_questions_are_rare_and_never_the_same(steps: list[tuple[float, float, str, int, bool, bool]]) -> None:
    doubt, now_s, closed_ns, asked = Doubt(RULES), 0.0, None, []
    for pause_s, margin, other, stage, heard, closes in steps:
        now_s += pause_s
        made = decision(margin, now_s, stage, ("z", other))
        was_open = doubt.question is not None
        if doubt.asks(made, heard=heard) and not was_open:
            assert heard and margin < RULES.ask_margin
            assert closed_ns is None or made.now_ns >= closed_ns + RULES.ask_every_s * S
            assert made.pair not in asked
            asked.append(made.pair)
        if doubt.question is not None and (closes or doubt.is_over(made.now_ns)):
            closed_ns = made.now_ns
            doubt.close(closed_ns)
            assert doubt.question is None


# -- the controller ---------------------------------------------------------------------------------------------------


def watched(policy: ScriptedPolicy, **rules: Any) -> World:
    world = World(policy, **{"ask_margin": 0.3, "unsure_s": 3.0, "ask_every_s": 10.0, **rules})
    world.controller.watched = True
    return world


def doubts(world: World) -> list[DoubtEvent]:
    return [item for item in world.out if isinstance(item, DoubtEvent)]


def task_state(world: World, stage: int, *, finished: bool = False, mode: Mode = "running") -> None:
    task = Task(name="t", stage=stage, stages=3, finished=finished, success=finished)
    state = RobotState(tick=world.tick, stamp_ns=0, episode="e", mode=mode, task=task)
    world.controller.robot_state(state, HOME, HOME)


def test_unsure_it_asks_and_stands_still_and_goes_on_after_the_time() -> None:
    world = watched(Torn())
    out = world.observe(29)
    status = world.controller.status()
    assert status.unsure == ["go left", "go right"] and status.text == "go left" and status.source == "policy"
    assert status.unsure_until_ns == world.clock.now_ns() + round(0.2 * S)
    assert world.policy.started == [] and len(chunks(out)) == 29
    assert all(np.array_equal(row, HOME) for chunk in chunks(out) for row in chunk.rows)
    world.observe(3)
    status = world.controller.status()
    assert (status.text, status.unsure, world.policy.started) == ("go left", [], ["go left"])
    (event,) = doubts(world)
    assert (event.ended, event.commands, event.asked_s) == ("time", ["go left", "go right"], pytest.approx(3.0))
    assert event.margin == pytest.approx(0.1) and event.reason == "margin" and event.session_ns > 0


def test_where_nobody_can_answer_it_asks_nothing() -> None:
    world = World(Torn(), ask_margin=0.3)
    world.observe(1)
    assert world.policy.started == ["go left"] and world.controller.status().unsure == []


def test_an_answer_acts_at_once_and_the_log_knows_to_what() -> None:
    world = watched(Torn())
    world.observe(5)
    event = world.correct("go right", source="answer")
    world.take()
    assert world.controller.status().source == "person" and world.controller.status().unsure == []
    assert world.policy.started == ["go right"]
    (doubt,) = doubts(world)
    assert (doubt.ended, doubt.correction) == ("answered", event.id)
    first = next(item for item in world.out if isinstance(item, CommandStatus) and item.unsure)
    assert all(item.command_id for item in world.out[world.out.index(first) :] if isinstance(item, CommandStatus))


def test_other_words_end_the_question_too() -> None:
    world = watched(Torn())
    world.observe(5)
    event = world.correct("go higher")
    world.take()
    assert [(doubt.ended, doubt.correction) for doubt in doubts(world)] == [("other words", event.id)]


def test_the_moments_of_a_question_show_what_it_would_have_done() -> None:
    world = watched(Torn())
    world.observe(12)
    from hitl.sessions.moments import Moment

    moments = [item for item in world.out if isinstance(item, Moment)]
    assert {(moment.command, moment.source, moment.waits) for moment in moments} == {("go left", "policy", False)}
    assert world.controller.wanted()[0] == "go left"


def test_it_keeps_its_running_command_while_it_asks_about_leaving_it() -> None:
    world = watched(Torn("go left", margin=0.9), switch_probability=0.5, switch_asks=2)
    world.observe(10)
    world.policy.wants, world.policy.second, world.policy.margin = "go lower", "go left", 0.1
    world.observe(15)
    status = world.controller.status()
    assert (status.text, status.unsure) == ("go left", ["go lower", "go left"])
    assert chunks(world.out)[-1].rows.std() > 0, "it moves"
    world.observe(30)
    assert world.controller.status().text == "go lower" and doubts(world)[0].ended == "time"


def test_when_it_becomes_sure_it_goes_on_before_the_time() -> None:
    world = watched(Torn())
    world.observe(5)
    world.policy.margin = 0.9
    world.observe(12)
    assert world.policy.started == ["go left"] and [doubt.ended for doubt in doubts(world)] == ["sure"]


def test_a_stop_ends_the_question_and_none_is_asked_while_it_lasts() -> None:
    world = watched(Torn())
    world.observe(5)
    world.state(world.tick, mode="paused")
    world.observe(5)
    assert world.controller.status().unsure == [] and [doubt.ended for doubt in doubts(world)] == ["stopped"]
    world.policy.second = "go higher"
    world.observe(200)
    assert len(doubts(world)) == 1


def test_a_new_episode_ends_the_question() -> None:
    world = watched(Torn())
    world.observe(5)
    world.controller.new_episode("f")
    world.take()
    assert [doubt.ended for doubt in doubts(world)] == ["new episode"]
    assert world.controller.status().source == "none"


def test_a_finished_task_leaves_nothing_to_ask() -> None:
    world = watched(Torn())
    task_state(world, 3, finished=True)
    world.observe(5)
    assert world.controller.status().unsure == [] and world.policy.started == ["go left"]


def test_its_own_command_again_and_again_without_effect_is_asked_about() -> None:
    world = watched(Torn("go left", margin=0.9, done_after_s=0.5), ask_repeats=3)
    task_state(world, 0)
    for _ in range(80):
        world.observe()
        if world.controller.status().unsure:
            break
    status = world.controller.status()
    assert (status.failing, status.tried, status.unsure) == ("go left", 3, ["go left", "go right"])
    assert world.policy.started == ["go left"] * 3
    world.observe(32)
    assert doubts(world)[0].reason == "repeat" and doubts(world)[0].about == "go left"
    assert world.policy.started == ["go left"] * 4


def test_a_persons_command_without_effect_is_told_while_it_runs_and_asked_about_after_it() -> None:
    world = watched(Torn("go left", margin=0.9), ask_repeats=2, pause_s=0.0)
    world.observe(2)
    world.correct("go higher", hold_s=0.5)
    world.observe(2)
    assert world.controller.status().failing == ""
    world.correct("go higher", hold_s=0.5)
    world.observe(2)
    status = world.controller.status()
    assert (status.failing, status.tried, status.unsure) == ("go higher", 2, [])
    world.observe(6)
    status = world.controller.status()
    assert (status.failing, status.unsure) == ("go higher", ["go left", "go right"])


ACTIONS = st.one_of(
    st.tuples(st.just("observe"), st.integers(1, 12)),
    st.tuples(st.just("margin"), st.sampled_from([0.0, 0.1, 0.5, 0.9])),
    st.tuples(st.just("wants"), st.sampled_from(["go left", "go lower", "hold still"])),
    st.tuples(st.just("correct"), st.sampled_from(["go higher", "go right"])),
    st.tuples(st.just("ask about"), st.just(0)),
    st.tuples(st.just("release"), st.just(0)),
    st.tuples(st.just("mode"), st.sampled_from(["running", "paused", "stopped"])),
    st.tuples(st.just("watched"), st.booleans()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=25))
def test_whatever_happens_no_question_is_open_while_a_person_decides_or_too_long(actions: list[Any]) -> None:
    world = watched(Torn(done_after_s=0.6), hold_s=1.0)
    opened: list[int] = []
    ended_ns: int | None = None
    for what, value in actions:
        if what == "observe":
            for _ in range(value):
                world.observe()
                ended_ns = _check(world, opened, ended_ns)
        elif what == "margin":
            world.policy.margin = value
        elif what == "wants":
            world.policy.wants = value
        elif what == "correct":
            world.correct(value)
        elif what == "ask about":
            world.correct("go lower", certainty="low", choices=["go lower", "go left"])
        elif what == "release":
            world.controller.release()
        elif what == "mode":
            world.state(world.tick, mode=value)
            world.observe()
        else:
            world.controller.watched = value
        world.take()
        ended_ns = _check(world, opened, ended_ns)


def _check(world: World, opened: list[int], ended_ns: int | None) -> int | None:
    status, now_ns = world.controller.status(), world.clock.now_ns()
    if status.unsure:
        assert status.source == "policy"
        assert status.unsure_until_ns > now_ns
        asked_ns = status.unsure_until_ns - 3 * S
        if asked_ns not in opened:
            assert world.controller.watched, "nobody was there to answer"
            assert ended_ns is None or asked_ns >= ended_ns + 10 * S, "too soon after the one before"
            opened.append(asked_ns)
        assert world.controller._state is None or world.controller._state[0].mode == "running"
        return ended_ns
    if doubts(world):
        assert len(doubts(world)) <= len(opened)
        return doubts(world)[-1].session_ns + 10**12
    return ended_ns
