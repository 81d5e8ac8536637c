from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.clock import new_ulid
from hitl.messages import ActionChunk
from robot.driver import RobotSpec
from robot.safety import BLEND_TICKS, MAX_AHEAD_TICKS, Refusal, SafetyCore

LEASE_S = 0.3
TICK_NS = 20_000_000
SPEC = RobotSpec(
    name="two joints",
    rate_hz=50.0,
    capture_hz=10.0,
    action_names=("a", "b"),
    lower=np.array([-1.0, 0.0]),
    upper=np.array([1.0, 2.0]),
    max_speed=np.array([5.0, 1.0]),
    cameras=(),
)
STEP = SPEC.max_speed / SPEC.rate_hz


def core() -> SafetyCore:
    made = SafetyCore(SPEC, lease_s=LEASE_S)
    made.begin_episode("e", np.array([0.0, 1.0]))
    return made


def chunk(rows: np.ndarray, start: int = 0, command: str = "c", episode: str = "e") -> tuple[ActionChunk, bytes]:
    header = ActionChunk(chunk=1, episode=episode, command_id=command, start_tick=start, steps=len(rows), stamp_ns=0)
    return header, np.asarray(rows, dtype=np.float64).tobytes()


def still(steps: int = 50) -> np.ndarray:
    return np.tile([0.0, 1.0], (steps, 1))


def run_tick(safety: SafetyCore, now_ns: int) -> np.ndarray | None:
    decision = safety.decide(now_ns)
    sent = decision.targets
    if sent is None:
        safety.sent(safety._sent)
    else:
        safety.sent(sent)
    return sent


def test_without_a_chunk_the_robot_holds() -> None:
    decision = core().decide(0)
    assert decision.targets is None and decision.mode == "holding" and decision.command_id == ""


def test_a_chunk_runs_under_its_command() -> None:
    safety = core()
    assert safety.accept(*chunk(still(), command="up"), 0) is None
    decision = safety.decide(0)
    assert decision.mode == "running" and decision.command_id == "up" and decision.chunk == 1


def test_the_lease_ends_a_chunk_that_has_rows_left() -> None:
    safety = core()
    safety.accept(*chunk(still()), 0)
    assert safety.decide(round(LEASE_S * 1e9)).targets is not None
    late = safety.decide(round(LEASE_S * 1e9) + 1)
    assert late.targets is None and late.mode == "holding" and "lease" in late.reason


def test_why_it_holds_is_said_until_something_else_is_true() -> None:
    safety = core()
    assert safety.decide(0).reason == "no actions yet"
    safety.accept(*chunk(still()), 0)
    assert all("lease" in safety.decide(10**9 + tick).reason for tick in range(3))
    safety.begin_episode("e2", np.array([0.0, 1.0]))
    assert safety.decide(2 * 10**9).reason == "no actions yet"


def test_the_robot_stays_still_after_the_lease_until_a_fresh_chunk_comes() -> None:
    safety = core()
    safety.accept(*chunk(still()), 0)
    safety.decide(10**9)
    assert safety.decide(0).targets is None
    safety.accept(*chunk(still()), 10**9)
    assert safety.decide(10**9).targets is not None


def test_a_chunk_that_ran_out_holds() -> None:
    safety = core()
    safety.accept(*chunk(still(2)), 0)
    assert [run_tick(safety, 0) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("header_and_payload", "reason"),
    [
        (chunk(np.array([[0.0, np.nan]])), Refusal.NOT_FINITE),
        (chunk(np.array([[np.inf, 1.0]])), Refusal.NOT_FINITE),
        (chunk(np.zeros((3, 3))), Refusal.SHAPE),
        (chunk(np.zeros((3, 1))), Refusal.SHAPE),
        ((chunk(still(3))[0], b""), Refusal.SHAPE),
        (chunk(np.zeros((0, 2))), Refusal.SHAPE),
        (chunk(still(), episode="old"), Refusal.EPISODE),
        (chunk(still(3), start=-3), Refusal.LATE),
        (chunk(still(3), start=MAX_AHEAD_TICKS + 1), Refusal.EARLY),
    ],
)
def test_a_bad_chunk_is_refused_with_its_reason_and_moves_nothing(
    header_and_payload: tuple[ActionChunk, bytes], reason: Refusal
) -> None:
    safety = core()
    assert safety.accept(*header_and_payload, 0) == reason
    assert safety.refused[reason] == 1
    assert safety.decide(0).targets is None


def test_a_refused_chunk_leaves_the_running_one_alone() -> None:
    safety = core()
    safety.accept(*chunk(still(), command="good"), 0)
    safety.accept(*chunk(np.full((5, 2), np.nan), command="bad"), 0)
    assert safety.decide(0).command_id == "good"


def test_rows_of_past_ticks_are_skipped() -> None:
    safety = core()
    for _ in range(10):
        run_tick(safety, 0)
    ramp = np.column_stack([np.linspace(0.0, 0.4, 21), np.ones(21)])
    safety.accept(*chunk(ramp, start=5), 0)
    sent = [run_tick(safety, 0) for _ in range(BLEND_TICKS + 3)]
    np.testing.assert_allclose(sent[-1], ramp[10 - 5 + BLEND_TICKS + 2])


@given(
    rows=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=12),
    starts=st.lists(st.integers(-8, 8), min_size=1, max_size=4),
)
def test_no_sequence_of_chunks_moves_faster_than_allowed_or_beyond_the_limits(
    rows: list[tuple[float, float]], starts: list[int]
) -> None:
    safety = core()
    before = np.array([0.0, 1.0])
    for number, start in enumerate(starts):
        safety.accept(*chunk(np.array(rows), start=safety.tick + start, command=str(number)), 0)
        for _ in range(6):
            sent = run_tick(safety, 0)
            if sent is not None:
                assert (np.abs(sent - before) <= STEP + 1e-12).all()
                assert (sent >= SPEC.lower).all() and (sent <= SPEC.upper).all()
                before = sent


def test_a_new_command_is_blended_from_the_present_target() -> None:
    safety = core()
    far = np.tile([0.09, 1.0], (50, 1))
    safety.accept(*chunk(far), 0)
    sent = np.array([run_tick(safety, 0) for _ in range(BLEND_TICKS)])
    np.testing.assert_allclose(sent[:, 0], 0.09 * np.arange(1, BLEND_TICKS + 1) / BLEND_TICKS)


def test_the_same_plan_sent_again_changes_nothing() -> None:
    """Planning a command anew each 100 ms must not make the robot lag behind the plan."""
    ramp = np.column_stack([np.arange(1, 51) * 0.01, np.ones(50)])
    once, again = core(), core()
    once.accept(*chunk(ramp), 0)
    again.accept(*chunk(ramp), 0)
    for tick in range(30):
        if tick and tick % 5 == 0:
            again.accept(*chunk(ramp[tick:], start=tick), 0)
        np.testing.assert_allclose(run_tick(once, 0), run_tick(again, 0), atol=1e-12)


def test_stop_is_latched_while_chunks_keep_coming() -> None:
    safety = core()
    safety.accept(*chunk(still()), 0)
    assert safety.stop(new_ulid(), "stop") == safety.tick
    for tick in range(100):
        assert safety.accept(*chunk(still(), start=tick), tick * TICK_NS) == Refusal.STOPPED
        decision = safety.decide(tick * TICK_NS)
        assert decision.targets is None and decision.mode == "stopped"
        safety.sent(np.array([0.0, 1.0]))


def test_a_resume_clears_the_stop_and_needs_a_fresh_chunk() -> None:
    safety = core()
    safety.accept(*chunk(still()), 0)
    safety.stop(new_ulid(), "stop")
    assert safety.resume(new_ulid()) == ""
    assert safety.decide(0).mode == "holding"
    assert safety.accept(*chunk(still()), 0) is None
    assert safety.decide(0).mode == "running"


def test_a_resume_from_before_the_stop_does_not_clear_it() -> None:
    safety = core()
    old = new_ulid()
    safety.stop(new_ulid(), "stop")
    assert "stopped again" in safety.resume(old)
    assert safety.latched and safety.decide(0).mode == "stopped"


def test_a_new_episode_clears_neither_stop_nor_fault() -> None:
    for latch in (lambda s: s.stop(new_ulid(), ""), lambda s: s.fault("broken")):
        safety = core()
        latch(safety)
        safety.begin_episode("e2", np.array([0.0, 1.0]))
        assert safety.decide(0).targets is None and safety.latched


def test_a_stop_does_not_hide_a_fault() -> None:
    safety = core()
    safety.fault("the motor is hot")
    safety.stop(new_ulid(), "stop")
    assert safety.decide(0).mode == "fault" and "motor" in safety.decide(0).reason


def test_a_stop_by_words_pauses_and_words_resume_it() -> None:
    safety = core()
    safety.accept(*chunk(still()), 0)
    safety.stop(new_ulid(), "ann said 'wait'", by_words=True)
    assert safety.latched and safety.accept(*chunk(still()), 0) == Refusal.STOPPED
    decision = safety.decide(0)
    assert (decision.targets, decision.mode, decision.reason) == (None, "paused", "ann said 'wait'")
    assert safety.resume(new_ulid(), by_words=True) == ""
    assert safety.decide(0).mode == "holding", "it needs a fresh chunk"


def test_words_from_before_the_pause_do_not_end_it() -> None:
    safety = core()
    old = new_ulid()
    safety.stop(new_ulid(), "wait", by_words=True)
    assert "stopped again" in safety.resume(old, by_words=True)
    assert safety.decide(0).mode == "paused"
    assert safety.resume(new_ulid()) == "" and not safety.latched, "a pressed Resume ends a pause, too"


@pytest.mark.parametrize("words_first", [True, False])
@pytest.mark.parametrize(
    ("latch", "mode", "why"),
    [
        (lambda s: s.stop(new_ulid(), "a person pressed STOP"), "stopped", "STOP was pressed; press Resume."),
        (lambda s: s.fault("the motor is hot"), "fault", "the motor is hot"),
    ],
    ids=["stop", "fault"],
)
def test_a_pressed_stop_or_a_fault_wins_over_words(
    latch: Callable[[SafetyCore], object], mode: str, why: str, words_first: bool
) -> None:
    safety = core()
    latches = [lambda s: s.stop(new_ulid(), "wait", by_words=True), latch]
    for make in latches if words_first else reversed(latches):
        make(safety)
    assert safety.decide(0).mode == mode and safety.decide(0).reason != "wait"
    assert safety.resume(new_ulid(), by_words=True) == why
    assert safety.decide(0).mode == mode
    assert safety.resume(new_ulid()) == "" and not safety.latched


@given(st.lists(st.sampled_from(["pause", "press", "fault", "go on", "episode", "chunk"]), max_size=12))
def test_no_sequence_of_words_clears_a_pressed_stop_or_a_fault(steps: list[str]) -> None:
    safety = core()
    pressed = broken = False
    for step in steps:
        match step:
            case "pause":
                safety.stop(new_ulid(), "wait", by_words=True)
            case "press":
                safety.stop(new_ulid(), "a person pressed STOP")
                pressed = True
            case "fault":
                safety.fault("the motor is hot")
                broken = True
            case "go on":
                refused = safety.resume(new_ulid(), by_words=True)
                assert bool(refused) == (pressed or broken)
            case "episode":
                safety.begin_episode("e", np.array([0.0, 1.0]))
            case "chunk":
                safety.accept(*chunk(still(), start=safety.tick), 0)
        decision = safety.decide(0)
        if broken or pressed:
            assert decision.targets is None and decision.mode == ("fault" if broken else "stopped")
    assert safety.resume(new_ulid()) == "" and not safety.latched


@given(st.lists(st.sampled_from(["press", "fault", "pause"]), min_size=1, max_size=4), st.integers(0, 4))
def test_a_resume_older_than_any_stop_is_refused_by_words_and_pressed(kinds: list[str], at: int) -> None:
    safety = core()
    old = ""
    for number, kind in enumerate([*kinds, "pause"]):
        if number == min(at, len(kinds)):
            old = new_ulid()
        if kind == "fault":
            safety.fault("hot")
        else:
            safety.stop(new_ulid(), kind, by_words=kind == "pause")
    assert safety.resume(old) and safety.resume(old, by_words=True)
    assert safety.latched
