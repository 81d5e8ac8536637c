from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from hitl import kinematics
from hitl.backend.controller import Controller, Rules, Seen, StopWanted
from hitl.clock import ManualClock, new_ulid
from hitl.events import CorrectionEvent, OutcomeEvent
from hitl.messages import CommandStatus, CorrectionStatus, Mode, Observation
from tests.support.controlled import HOME, PICTURES, World, chunks, correction
from tests.support.scripted import ScriptedPolicy

# -- the high level ---------------------------------------------------------------------------------------------------


def test_the_first_observation_starts_the_command_that_the_high_level_wants() -> None:
    world = World(ScriptedPolicy("go left"))
    (chunk,) = chunks(world.observe())
    status = world.controller.status()
    assert status.text == "go left" and status.source == "policy" and status.probability == pytest.approx(0.8)
    assert chunk.header.command_id == status.command_id
    assert chunk.header.start_tick == world.tick and chunk.header.episode == "e"
    assert chunk.rows.shape == (50, 14)
    assert [alternative.text for alternative in status.alternatives][0] == "go left"


def test_one_chunk_an_observation_and_the_high_level_at_its_rate() -> None:
    world = World(high_level_hz=2.0)
    assert len(chunks(world.observe(20))) == 20
    assert world.policy.remembered == 20
    assert world.policy.asked == 4


def test_a_finished_command_is_followed_by_another_one_at_once() -> None:
    world = World(ScriptedPolicy("go left", done_after_s=0.5), high_level_hz=1.0, done_observations=3)
    world.observe()
    first = world.controller.status().command_id
    world.policy.wants = "go right"
    world.observe(8)
    assert world.controller.status().text == "go right"
    assert world.controller.status().command_id != first
    assert world.policy.started == ["go left", "go right"]


def test_a_finished_command_that_is_chosen_again_is_the_same_one_tried_anew() -> None:
    world = World(ScriptedPolicy("go home", done_after_s=0.5))
    world.observe()
    first = world.controller.status()
    world.observe(20)
    assert world.policy.started == ["go home"] * len(world.policy.started) and len(world.policy.started) > 1
    status = world.controller.status()
    assert (status.command_id, status.since_ns) == (first.command_id, first.since_ns)
    event = world.correct("go higher", hold_s=0.5)
    world.take()
    world.observe(8)
    assert world.outcomes() == [(event.id, "expired")]
    assert world.controller.status().command_id not in (first.command_id, event.id), "somebody else's came between"


def test_the_high_level_replaces_its_own_command_only_when_it_is_sure() -> None:
    world = World(ScriptedPolicy("go left"), switch_probability=0.9)
    world.observe(10)
    world.policy.wants = "go right"
    world.observe(20)
    assert world.controller.status().text == "go left"
    sure = World(ScriptedPolicy("go left"), switch_probability=0.7, switch_asks=1)
    sure.observe(10)
    sure.policy.wants = "go right"
    sure.observe(10)
    assert sure.controller.status().text == "go right"


def test_it_must_want_the_same_other_command_several_times_in_a_row() -> None:
    world = World(ScriptedPolicy("put it in the box"), high_level_hz=2.0, switch_asks=2)
    world.observe(10)
    for wanted in ("go home", "put it in the box", "go home", "go left"):  # each is wanted once
        world.policy.wants = wanted
        world.observe(5)
    assert world.policy.started == ["put it in the box"]
    world.observe(5)
    assert world.policy.started == ["put it in the box", "go left"]


def test_done_must_be_said_several_times_in_a_row_and_not_at_the_start() -> None:
    world = World(ScriptedPolicy("go left", done_after_s=0.0), min_command_s=1.0, done_observations=3)
    world.observe(10)
    assert world.policy.started == ["go left"]
    world.observe(4)
    assert world.policy.started == ["go left", "go left"]


# -- corrections ------------------------------------------------------------------------------------------------------


def test_a_correction_acts_in_the_call_that_brings_it() -> None:
    world = World()
    world.observe(3)
    event = world.correct("go higher")
    (chunk,) = chunks(world.take())
    assert chunk.header.command_id == event.id
    assert world.states(event.id) == ["saved", "acting"]
    status = world.controller.status()
    assert (status.text, status.source, status.author, status.said) == ("go higher", "person", "ann", "go higher")


def test_its_first_chunk_starts_at_the_robots_present_target() -> None:
    world = World()
    world.observe(3)
    ahead = HOME.copy()
    ahead[0] += 0.2
    world.state(world.tick + 3, targets=ahead)
    world.correct("hold still")
    (chunk,) = chunks(world.take())
    assert chunk.header.start_tick == world.tick + 4
    np.testing.assert_allclose(
        kinematics.pose_of(chunk.rows[0]), kinematics.pose_of(ahead), atol=1e-9, err_msg="it would jump"
    )
    assert world.policy.acted[-1][3] == 0.0


def test_without_an_observation_it_waits_for_the_first_one() -> None:
    world = World()
    event = world.correct()
    assert chunks(world.take()) == [] and world.states(event.id) == ["saved"]
    (chunk,) = chunks(world.observe())
    assert chunk.header.command_id == event.id and world.states(event.id) == ["saved", "acting"]


def test_before_the_first_episode_it_waits_and_its_time_does_not_run() -> None:
    world = World(started=False)
    event = world.correct(hold_s=2.0)
    world.clock.advance(60.0)
    world.controller.expire()
    assert world.controller.status().held_until_ns == 0
    world.controller.new_episode("e")
    assert world.controller.status().held_until_ns == world.clock.now_ns() + 2 * 10**9
    (chunk,) = chunks(world.observe())
    assert chunk.header.command_id == event.id and world.states(event.id) == ["saved", "acting"]
    world.observe(20)
    assert world.outcomes() == [(event.id, "expired")]


def test_it_holds_until_it_is_done_and_then_the_high_level_goes_on() -> None:
    world = World(ScriptedPolicy("hold still", done_after_s=1.0), high_level_hz=1.0, pause_s=0.0)
    world.observe()
    event = world.correct()
    world.take()
    world.observe(11)
    assert world.controller.status().command_id == event.id
    world.observe(5)
    assert world.outcomes() == [(event.id, "done")]
    assert world.controller.status().source == "policy"
    assert world.states(event.id) == ["saved", "acting", "done"]


def paused() -> tuple[World, CorrectionEvent]:
    """A world in which a correction has just become done."""
    world = World(ScriptedPolicy("go left", done_after_s=1.0), pause_s=0.8)
    world.observe()
    event = world.correct("go higher")
    world.take()
    while not world.outcomes():
        world.observe()
    return world, event


def test_when_it_is_done_the_robot_stands_and_waits_for_the_next_words() -> None:
    world, event = paused()
    done_ns, acted = world.clock.now_ns(), len(world.policy.acted)
    assert world.outcomes() == [(event.id, "done")] and world.states(event.id) == ["saved", "acting", "done"]
    here = HOME + 0.01
    for chunk in chunks(world.observe(6, joints=here)):
        assert chunk.header.command_id == event.id and chunk.rows.shape == (50, 14)
        assert (chunk.rows == here).all(), "it moves though it waits"
    assert len(world.policy.acted) == acted
    assert world.controller.status().held_until_ns == done_ns + 800_000_000
    world.observe(3)
    assert world.controller.status().source == "policy" and world.controller.status().text == "go left"
    assert world.outcomes() == [(event.id, "done")]


def test_the_next_words_act_at_once_while_it_waits() -> None:
    world, first = paused()
    second = world.correct("go lower")
    (chunk,) = chunks(world.take())
    assert chunk.header.command_id == second.id and world.policy.started[-1] == "go lower"
    assert world.outcomes() == [(first.id, "done")]


def test_release_undo_and_a_new_episode_end_the_waiting() -> None:
    world, first = paused()
    world.controller.release()
    assert len(chunks(world.take())) == 1 and world.controller.status().source == "policy"
    assert world.outcomes() == [(first.id, "done")]
    world, first = paused()
    world.controller.undo(first.id)
    assert len(chunks(world.take())) == 1 and world.controller.status().source == "policy"
    assert world.outcomes() == [(first.id, "done"), (first.id, "undone")]
    world, first = paused()
    world.controller.new_episode("e2")
    world.take()
    assert world.outcomes() == [(first.id, "done")]
    assert chunks(world.observe(episode="e2"))[0].header.command_id != first.id


def test_the_high_level_is_asked_but_not_followed_meanwhile() -> None:
    world = World(ScriptedPolicy("go left"))
    world.observe()
    event = world.correct("go higher", hold_s=0.0)
    asked = world.policy.asked
    world.observe(40)
    assert world.policy.asked > asked
    assert world.controller.status().command_id == event.id
    assert world.controller.wanted() == ("go left", pytest.approx(0.8))


def test_it_ends_when_its_time_is_over_also_without_observations() -> None:
    world = World()
    world.observe()
    event = world.correct(hold_s=2.0)
    assert world.controller.status().held_until_ns == world.clock.now_ns() + 2 * 10**9
    world.clock.advance(1.9)
    world.controller.expire()
    assert world.outcomes() == []
    world.clock.advance(0.2)
    world.controller.expire()
    world.take()
    assert world.outcomes() == [(event.id, "expired")]


def test_hold_zero_never_expires() -> None:
    world = World()
    event = world.correct(hold_s=0.0)
    world.clock.advance(10_000)
    world.controller.expire()
    assert world.controller.status().command_id == event.id and world.controller.status().held_until_ns == 0


def test_a_changed_hold_time_counts_from_the_start_of_the_running_correction() -> None:
    world = World()
    world.correct(hold_s=8.0)
    start_ns = world.clock.now_ns()
    world.clock.advance(1)
    world.controller.set_hold(3.0)
    assert world.controller.hold_s == 3.0
    assert world.controller.status().held_until_ns == start_ns + 3 * 10**9


def test_a_second_correction_replaces_the_first_and_both_are_kept() -> None:
    world = World()
    world.observe()
    first, second = world.correct("go higher"), world.correct("go lower")
    world.take()
    assert world.outcomes() == [(first.id, "replaced")]
    assert world.states(first.id) == ["saved", "acting", "replaced"]
    assert world.states(second.id) == ["saved", "acting"]
    assert world.controller.status().command_id == second.id


def test_release_hands_back_at_once() -> None:
    world = World(ScriptedPolicy("go left"))
    world.observe()
    event = world.correct()
    world.take()
    world.controller.release()
    (chunk,) = chunks(world.take())
    assert world.outcomes() == [(event.id, "released")]
    assert chunk.header.command_id == world.controller.status().command_id != event.id
    assert world.controller.status().text == "go left"


def test_release_without_a_correction_does_nothing() -> None:
    world = World()
    world.observe()
    world.controller.release()
    assert world.take() == []


def test_undo_of_an_acting_correction_ends_its_effect_at_once() -> None:
    world = World(ScriptedPolicy("go left"))
    world.observe()
    event = world.correct()
    world.take()
    world.controller.undo(event.id)
    (chunk,) = chunks(world.take())
    assert chunk.header.command_id != event.id
    assert world.outcomes() == [(event.id, "undone")]


def test_undo_of_an_ended_correction_marks_it_once_and_leaves_the_running_one() -> None:
    world = World()
    world.observe()
    first, second = world.correct("go higher"), world.correct("go lower")
    for _ in range(2):
        world.controller.undo(first.id)
    world.take()
    assert world.outcomes() == [(first.id, "replaced"), (first.id, "undone")]
    assert world.controller.status().command_id == second.id


def test_a_correction_that_was_undone_before_it_arrived_is_kept_and_never_acts() -> None:
    world = World()
    world.observe()
    event = correction()
    world.controller.undo(event.id)
    world.controller.correct(event)
    assert chunks(world.take()) == []
    assert world.states(event.id) == ["saved", "undone"] and world.controller.status().source == "policy"


def test_a_new_episode_ends_the_running_correction_and_ignores_old_observations() -> None:
    world = World()
    world.observe()
    event = world.correct()
    world.controller.new_episode("e2")
    world.take()
    assert world.outcomes() == [(event.id, "expired")]
    outcome = next(out for out in world.out if isinstance(out, OutcomeEvent))
    assert outcome.episode == "e", "it belongs to the episode in which it was given"
    assert world.observe(episode="e") == []
    assert chunks(world.observe(episode="e2"))
    assert world.policy.forgotten == 2


def test_a_correction_between_two_episodes_acts_in_the_new_one() -> None:
    world = World()
    world.observe()
    world.controller.new_episode("e2")
    event = world.correct()
    (chunk,) = chunks(world.observe(episode="e2"))
    assert chunk.header.command_id == event.id and chunk.header.episode == "e2"


def test_stop_asks_for_the_stop_and_is_no_command() -> None:
    world = World()
    world.observe()
    before = world.controller.status().command_id
    event = world.correct("stop!", grounding="stop")
    out = world.take()
    assert [item for item in out if isinstance(item, StopWanted)] == [StopWanted(event.id, "ann", "stop!")]
    assert chunks(out) == [] and world.controller.status().command_id == before
    assert world.outcomes() == [(event.id, "done")]


# -- asking what was meant, and ignoring ------------------------------------------------------------------------------


def unsure(**fields: Any) -> dict[str, Any]:
    return {"grounding": "near", "certainty": "low", "choices": ["go left", "go right"], "source": "voice", **fields}


def test_low_certainty_asks_and_leaves_the_running_command_alone() -> None:
    world = World(ask_s=8.0)
    world.observe()
    before = world.controller.status()
    event = world.correct("go left", **unsure())
    out = world.take()
    assert chunks(out) == [] and not any(isinstance(item, CommandStatus) for item in out)
    assert world.states(event.id) == ["saved", "asked"]
    asked = next(item for item in reversed(out) if isinstance(item, CorrectionStatus))
    assert (asked.choices, asked.certainty, asked.source) == (["go left", "go right"], "low", "voice")
    world.observe(20)
    assert world.controller.status().command_id == before.command_id
    assert world.outcomes() == []


def test_a_persons_running_command_goes_on_while_another_is_asked_about() -> None:
    world = World()
    world.observe()
    running = world.correct("go higher")
    world.correct("go left", **unsure())
    world.take()
    world.observe(3)
    assert world.controller.status().command_id == running.id and world.states(running.id) == ["saved", "acting"]


def test_a_choice_acts_in_the_call_that_brings_it() -> None:
    world = World()
    world.observe()
    event = world.correct("go left", **unsure())
    world.take()
    assert world.controller.choose(event.id, "go right") == ""
    out = world.take()
    (chunk,) = chunks(out)
    assert chunk.header.command_id == event.id and world.policy.started[-1] == "go right"
    assert world.states(event.id) == ["saved", "asked", "saved", "acting"]
    status = next(item for item in reversed(out) if isinstance(item, CorrectionStatus))
    assert (status.command, status.text, status.choices) == ("go right", "go left", [])
    assert "acting" in world.controller.choose(event.id, "go left"), "it is asked once"


def test_a_choice_replaces_what_runs_and_its_time_begins_with_it() -> None:
    world = World(ask_s=8.0)
    world.observe()
    asked = world.correct("go left", **unsure(hold_s=1.0))
    other = world.correct("go higher", author="eve")
    world.observe(20)
    assert world.controller.choose(asked.id, "go left") == ""
    world.take()
    assert (other.id, "replaced") in world.outcomes()
    world.observe(9)
    assert world.states(asked.id)[-1] == "acting"
    world.observe(2)
    assert world.states(asked.id)[-1] == "expired"


def test_a_command_that_was_not_offered_is_refused_and_the_question_stays() -> None:
    world = World()
    event = world.correct("go left", **unsure())
    why = world.controller.choose(event.id, "open the gripper")
    assert "not offered" in why and "go right" in why
    assert world.controller.choose(event.id, "go right") == ""
    assert "not known" in world.controller.choose(new_ulid(), "go right")


def test_a_question_ends_after_its_time_also_while_the_robot_is_stopped_or_silent() -> None:
    world = World(ask_s=2.0)
    world.observe()
    first = world.correct("go left", **unsure())
    world.observe(19)
    assert world.outcomes() == []
    world.observe(1)
    assert world.outcomes() == [(first.id, "expired")]
    second = world.correct("go left", **unsure())
    world.state(world.tick, mode="paused")
    world.observe(21)
    third = world.correct("go left", **unsure())
    world.clock.advance(2.0)
    world.controller.expire()
    world.take()
    assert world.outcomes()[1:] == [(second.id, "expired"), (third.id, "expired")]
    assert "expired" in world.controller.choose(third.id, "go left")


def test_a_choice_that_comes_too_late_is_refused_before_anybody_noticed_the_time() -> None:
    world = World(ask_s=2.0)
    event = world.correct("go left", **unsure())
    world.clock.advance(2.0)
    assert "expired" in world.controller.choose(event.id, "go left")


@pytest.mark.parametrize("later", [{}, unsure(), {"grounding": "stop"}], ids=["sure", "unsure", "stop"])
def test_another_correction_of_the_same_person_replaces_a_question(later: dict[str, Any]) -> None:
    world = World()
    world.observe()
    mine, others = world.correct("go left", **unsure()), world.correct("go left", **unsure(author="eve"))
    world.correct("go higher", **later)
    world.take()
    assert [state for id_, state in world.outcomes() if id_ == mine.id] == ["replaced"]
    assert world.states(others.id)[-1] == "asked"


def test_undo_ends_a_question() -> None:
    world = World()
    world.observe()
    event = world.correct("go left", **unsure())
    world.controller.undo(event.id)
    assert "undone" in world.controller.choose(event.id, "go left")
    world.take()
    assert world.outcomes() == [(event.id, "undone")]


def test_a_new_episode_ends_questions() -> None:
    world = World()
    event = world.correct("go left", **unsure())
    world.controller.new_episode("e2")
    world.take()
    assert world.outcomes() == [(event.id, "expired")] and world.controller.choose(event.id, "go left")


def test_ignored_words_are_kept_and_nothing_follows() -> None:
    world = World()
    world.observe()
    before = world.controller.status()
    asked = world.correct("go left", **unsure())
    event = correction("what is for lunch", grounding="new", certainty="low")
    world.controller.ignore(event)
    assert chunks(world.take()) == []
    assert world.states(event.id) == ["ignored"] and world.outcomes() == [(event.id, "ignored")]
    assert world.controller.status().command_id == before.command_id
    assert world.states(asked.id)[-1] == "asked"
    assert "target: “what is for lunch” had no effect (it is ignored)" in world.controller.undo(event.id)
    assert world.take() == []


def test_a_question_that_nobody_answered_cannot_be_undone_and_never_acted() -> None:
    world = World(ask_s=2.0)
    world.observe()
    event = world.correct("go left", **unsure())
    world.clock.advance(2.0)
    world.controller.expire()
    assert "had no effect (it is expired)" in world.controller.undo(event.id)
    world.take()
    assert world.acted() == [(event.id, False)]


def test_what_the_robot_executed_is_told_with_its_end() -> None:
    world = World()
    world.observe()
    first = world.correct("go left")
    world.state(world.tick, mode="stopped")
    second = world.correct("go higher")
    world.controller.release()
    stop = world.correct("stop", grounding="stop")
    asked = world.correct("go left", **unsure())
    assert world.controller.undo(asked.id) == ""
    world.take()
    assert world.acted() == [(first.id, True), (second.id, False), (stop.id, True), (asked.id, False)]


# -- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stopped", "paused", "fault"])
def test_a_stopped_robot_gets_no_chunks_and_commands_do_not_end_meanwhile(mode: Mode) -> None:
    world = World(ScriptedPolicy("go left", done_after_s=0.0), min_command_s=0.0)
    world.observe()
    world.state(world.tick, mode=mode)
    assert chunks(world.observe(10)) == []
    event = world.correct()
    assert chunks(world.take()) == [] and world.states(event.id) == ["saved"]
    world.state(world.tick, mode="holding")
    assert chunks(world.observe())[0].header.command_id == event.id


def test_observations_of_the_last_two_seconds_belong_to_a_correction() -> None:
    world = World()
    world.observe(40)
    recent = world.controller.recent_observations()
    assert recent[-1] == f"e/{world.tick}" and len(recent) == 21
    world.clock.advance(5)
    assert world.controller.recent_observations() == []


def test_without_a_policy_corrections_are_kept_and_end_as_they_should() -> None:
    clock = ManualClock()
    controller = Controller(None, kinematics, clock, Rules(), session="s", session_start_ns=0)
    controller.new_episode("e")
    event = correction(hold_s=1.0)
    controller.correct(event)
    assert chunks(controller.drain()) == []
    clock.advance(2)
    controller.expire()
    assert [out.state for out in controller.drain() if isinstance(out, OutcomeEvent)] == ["expired"]


def test_another_policy_takes_over_between_two_observations() -> None:
    world = World(ScriptedPolicy("go left"))
    world.observe(3)
    event = world.correct("go higher", hold_s=0.0)
    later = ScriptedPolicy("go right")
    world.controller.use(later)
    world.observe()
    assert later.started == ["go higher"] and later.forgotten == 1
    assert world.controller.status().command_id == event.id


def test_numbers_that_are_not_finite_never_become_a_chunk() -> None:
    world = World()
    world.policy.act = lambda *a: type("Bad", (), {"pose_chunk": np.full((5, 12), np.nan), "done": 0.0})()  # type: ignore
    with pytest.raises(ValueError, match="finite"):
        world.observe()
    assert chunks(world.take()) == []


def test_status_changes_are_told() -> None:
    world = World()
    statuses = [out for out in world.observe() if isinstance(out, CommandStatus)]
    assert statuses[-1] == msgspec.structs.replace(world.controller.status(), done_probability=0.0)


def test_seeing_acts_before_the_slow_rest_and_thinking_is_done_in_steps() -> None:
    world = World(high_level_hz=1.0)
    world.observe(2)
    remembered = world.policy.remembered
    world.clock.advance(2.0)
    world.tick += 5
    observation = Observation(tick=world.tick, stamp_ns=world.clock.now_ns(), episode="e", images=[])
    asked = world.policy.asked
    world.controller.see(Seen(observation, HOME, HOME, PICTURES))
    assert len(chunks(world.take())) == 1
    assert (world.policy.remembered, world.policy.asked) == (remembered, asked)
    assert world.controller.think() and world.policy.remembered == remembered + 1
    assert not world.controller.think() and world.policy.asked == asked + 1


def test_a_command_that_the_high_level_changes_gets_its_chunk_at_once() -> None:
    world = World(ScriptedPolicy("go left"), switch_asks=1, high_level_hz=1.0)
    world.observe(10)
    world.policy.wants = "go right"
    out = world.observe(2)
    started = next(i for i, item in enumerate(out) if isinstance(item, CommandStatus) and item.text == "go right")
    assert chunks(out[started:])[0].header.command_id == world.controller.status().command_id
