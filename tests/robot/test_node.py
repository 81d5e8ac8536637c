"""The node with a real driver and real threads, and a link without sockets. Nothing asserts how long things take."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from hitl.bus import Received
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError, RobotError
from hitl.messages import Ack, ActionChunk, Frame, NewEpisode, Observation, Resume, RobotState, Stop, StopAck
from robot.driver import CameraSpec
from robot.node import Pacer, RobotNode, _Outgoing, run_robot, spec_json
from robot.synthetic import SyntheticDriver

CAMERAS = (CameraSpec("front", 24, 32, 12, 16),)
PATIENCE_S = 20.0


class FakeLink:
    """What the node needs of a Link: a queue in, a list out."""

    offset_ns = 5_000_000_000

    def __init__(self) -> None:
        self.incoming: deque[Received] = deque()
        self.sent: list[tuple[Any, list[bytes]]] = []
        self.refusing = False
        self.closed = False
        self._woken = threading.Event()

    def poll(self, timeout_ms: int) -> list[Received]:
        self._woken.wait(timeout_ms / 1000)
        self._woken.clear()
        return [self.incoming.popleft() for _ in range(len(self.incoming))]

    def send(self, message: Any, payloads: Any = ()) -> bool:
        if self.refusing and isinstance(message, Frame):
            return False
        self.sent.append((message, [bytes(payload) for payload in payloads]))
        return True

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self.closed = True

    # -- for tests

    def give(self, message: Any, payloads: Any = ()) -> None:
        self.incoming.append(Received("robot", b"", message, list(payloads)))
        self.wake()

    def newest(self, kind: type) -> Any:
        return next((message for message, _ in reversed(self.sent) if isinstance(message, kind)), None)


def test_all_leaves_in_the_order_in_which_it_was_put() -> None:
    """A state from before an episode behind the episode's ack would look like a robot that lost its episode."""
    out = _Outgoing()

    def state(tick: int) -> RobotState:
        return RobotState(tick=tick, stamp_ns=0, episode="", mode="holding")

    out.put("state", state(1), [])
    out.put("state", state(2), [])
    out.ack(Ack(id="1"))
    out.put("frame front", Frame(camera="front", tick=2, stamp_ns=0, height=1, width=1), [])
    out.put("state", state(3), [])
    out.ack(Ack(id="2"))
    sent = [message for message, _ in out.take().values()]
    assert [type(message) for message in sent] == [Ack, Frame, RobotState, Ack]
    assert out.dropped == {"state": 2} and not out.take()


class Running:
    """A node in a thread."""

    def __init__(self, driver: SyntheticDriver, settings: Settings | None = None) -> None:
        self.driver = driver
        self.link = FakeLink()
        self.node = RobotNode(driver, self.link, settings or Settings())  # type: ignore[arg-type]
        self.thread = threading.Thread(target=self.node.run)
        self.thread.start()

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            found = true()
            if found:
                return found
            time.sleep(0.002)
        raise AssertionError("it did not happen")

    def state(self) -> RobotState:
        return self.until(lambda: self.link.newest(RobotState))

    def begin(self, episode: str = "e") -> None:
        request = NewEpisode(id=new_ulid(), author="t", stamp_ns=0, episode=episode, seed=1)
        self.link.give(request)
        self.until(lambda: self.state().episode == episode)

    def act(self, command: str = "c", steps: int = 50, rows: np.ndarray | None = None) -> None:
        """One chunk of still targets for the ticks from now on."""
        state = self.state()
        rows = np.tile(self.driver.read().targets, (steps, 1)) if rows is None else rows
        header = ActionChunk(
            chunk=1, episode=state.episode, command_id=command, start_tick=state.tick, steps=len(rows), stamp_ns=0
        )
        self.link.give(header, [rows.tobytes()])

    def close(self) -> None:
        self.node.close()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def running() -> Iterator[Running]:
    started = Running(SyntheticDriver(CAMERAS, seed=1))
    yield started
    started.close()


def test_every_tick_is_told_with_its_numbers(running: Running) -> None:
    running.until(lambda: running.state().tick > 5)
    state, payloads = next((m, p) for m, p in reversed(running.link.sent) if isinstance(m, RobotState))
    assert state.mode == "holding" and state.command_id == "" and state.nominal_hz == 50.0
    assert [len(payload) for payload in payloads] == [14 * 8, 14 * 8]


def test_observations_have_the_policy_pictures_and_frames_the_views(running: Running) -> None:
    observation = running.until(lambda: running.link.newest(Observation))
    assert [(i.camera, i.height, i.width) for i in observation.images] == [("front", 12, 16)]
    frame, payloads = running.until(lambda: next(((m, p) for m, p in running.link.sent if isinstance(m, Frame)), None))
    assert (frame.camera, frame.encoding, len(payloads[0])) == ("front", "raw", 24 * 32 * 3)


def test_off_this_machine_frames_are_jpeg_and_stamps_on_the_backends_clock() -> None:
    started = Running(SyntheticDriver(CAMERAS, seed=1), Settings(host="robot.example"))
    try:
        frame, payloads = started.until(
            lambda: next(((m, p) for m, p in started.link.sent if isinstance(m, Frame)), None)
        )
        assert frame.encoding == "jpeg" and payloads[0][:2] == b"\xff\xd8"
        assert frame.stamp_ns > time.monotonic_ns() + FakeLink.offset_ns // 2
    finally:
        started.close()


def test_a_chunk_runs_and_when_no_more_come_the_robot_holds(running: Running) -> None:
    running.begin()
    running.act("up")
    running.until(lambda: running.state().command_id == "up")
    running.until(lambda: running.state().mode == "holding")
    assert "lease" in running.state().reason


def test_a_stop_is_acknowledged_and_latched_while_chunks_keep_coming(running: Running) -> None:
    running.begin()
    running.act()
    running.until(lambda: running.state().mode == "running")
    stop = Stop(id=new_ulid(), author="t", stamp_ns=0)
    running.link.give(stop)
    ack = running.until(lambda: running.link.newest(StopAck))
    assert ack.id == stop.id
    stopped_at = running.until(lambda: running.state().mode == "stopped" and running.state().tick)
    while running.state().tick < stopped_at + 20:
        running.act()
        time.sleep(0.01)
    after = [m for m, _ in running.link.sent if isinstance(m, RobotState) and m.tick >= ack.tick + 1]
    assert after and all(state.mode == "stopped" and state.command_id == "" for state in after)


def test_only_a_resume_after_the_stop_clears_it_and_a_resent_one_is_a_duplicate(running: Running) -> None:
    running.begin()
    old = Resume(id=new_ulid(), author="t", stamp_ns=0)
    running.link.give(Stop(id=new_ulid(), author="t", stamp_ns=0))
    running.until(lambda: running.state().mode == "stopped")
    running.link.give(old)
    refused = running.until(
        lambda: next((m for m, _ in running.link.sent if isinstance(m, Ack) and m.id == old.id), 0)
    )
    assert refused.error and running.state().mode == "stopped"
    fresh = Resume(id=new_ulid(), author="t", stamp_ns=0)
    running.link.give(fresh)
    running.until(lambda: running.state().mode == "holding")
    running.link.give(fresh)
    acks = running.until(
        lambda: (
            (a := [m for m, _ in running.link.sent if isinstance(m, Ack) and m.id == fresh.id]) and len(a) == 2 and a
        )
    )
    assert [ack.duplicate for ack in acks] == [False, True]


def test_words_resume_what_words_paused_and_no_pressed_stop(running: Running) -> None:
    running.begin()

    def resumed() -> Ack:
        resume = Resume(id=new_ulid(), author="t", stamp_ns=0, by_words=True)
        running.link.give(resume)
        return running.until(
            lambda: next((m for m, _ in running.link.sent if isinstance(m, Ack) and m.id == resume.id), 0)
        )

    running.link.give(Stop(id=new_ulid(), author="t", stamp_ns=0, by_words=True))
    running.until(lambda: running.state().mode == "paused")
    assert resumed().error == ""
    running.until(lambda: running.state().mode == "holding")
    running.link.give(Stop(id=new_ulid(), author="t", stamp_ns=0))
    running.until(lambda: running.state().mode == "stopped")
    assert "press Resume" in resumed().error and running.state().mode == "stopped"


def test_a_new_episode_is_reset_once_however_often_it_is_sent(running: Running) -> None:
    resets = []
    really = running.driver.reset
    running.driver.reset = lambda *a, **k: (resets.append(a), really(*a, **k))  # type: ignore[method-assign]
    request = NewEpisode(id=new_ulid(), author="t", stamp_ns=0, episode="e1", seed=3)
    for _ in range(3):
        running.link.give(request)
    running.until(lambda: running.state().episode == "e1")
    running.link.give(request)
    running.until(lambda: any(isinstance(m, Ack) and m.duplicate for m, _ in running.link.sent))
    assert resets == [(3, "nominal")]


def test_an_unknown_shift_is_refused_and_the_old_episode_goes_on(running: Running) -> None:
    running.begin("e1")
    request = NewEpisode(id=new_ulid(), author="t", stamp_ns=0, episode="e2", shift="upside down")
    running.link.give(request)
    ack = running.until(
        lambda: next((m for m, _ in running.link.sent if isinstance(m, Ack) and m.id == request.id), None)
    )
    assert "upside down" in ack.error and "offset" in ack.error
    tick = running.state().tick
    running.until(lambda: running.state().tick > tick + 2)
    assert running.state().episode == "e1"


def test_a_driver_that_raises_makes_the_robot_hold_and_say_why(running: Running) -> None:
    running.begin()
    held = []
    really = running.driver.hold
    running.driver.hold = lambda: (held.append(1), really())  # type: ignore[method-assign]

    def broken(targets: np.ndarray) -> np.ndarray:
        raise RobotError("the gripper is too hot")

    running.driver.act = broken  # type: ignore[method-assign]
    before = len(held)
    running.act()
    state = running.until(lambda: running.state().mode == "fault" and running.state())
    assert "gripper is too hot" in state.reason and state.command_id == ""
    running.until(lambda: len(held) > before)
    del running.driver.act
    running.act()
    tick = running.state().tick
    running.until(lambda: running.state().tick > tick + 5)
    assert running.state().mode == "fault", "only a resume clears a fault"
    running.link.give(Resume(id=new_ulid(), author="t", stamp_ns=0))
    running.until(lambda: running.state().mode == "holding")


def test_a_camera_that_fails_is_named_while_the_robot_goes_on(running: Running) -> None:
    def broken() -> Any:
        raise OSError("no picture")

    running.driver.capture = broken  # type: ignore[method-assign]
    state = running.until(lambda: "no picture" in running.state().reason and running.state())
    assert state.mode == "holding"
    del running.driver.capture
    running.until(lambda: "no picture" not in running.state().reason)


def test_frames_that_could_not_be_sent_are_counted(running: Running) -> None:
    running.link.refusing = True
    time.sleep(0.35)
    running.link.refusing = False
    count = len(running.link.sent)
    frame = running.until(lambda: next((m for m, _ in running.link.sent[count:] if isinstance(m, Frame)), None))
    assert frame.dropped >= 1


def test_closing_holds_still_and_closes_driver_and_link() -> None:
    started = Running(SyntheticDriver(CAMERAS))
    started.begin()
    held = []
    started.driver.hold = lambda: held.append(1)  # type: ignore[method-assign]
    started.act()
    started.until(lambda: started.state().mode == "running")
    before = len(held)
    started.close()
    assert len(held) > before and started.link.closed
    with pytest.raises(RobotError):
        started.driver.act(np.zeros(14))


def test_a_chunk_of_another_robot_is_ignored(running: Running) -> None:
    running.begin()
    running.act(rows=np.zeros((50, 7)))
    tick = running.state().tick
    running.until(lambda: running.state().tick > tick + 3)
    assert running.state().mode == "holding"


def test_the_pacer_catches_up_jitter_and_skips_whole_missed_periods() -> None:
    pacer = Pacer(50.0, 0)
    pacer.begin(0)
    pacer.begin(25_000_000)  # 5 ms late: the grid stays
    assert pacer.wait_s(30_000_000) == pytest.approx(0.010) and pacer.late == 0
    pacer.begin(105_000_000)  # three periods late: one late tick, no burst
    assert pacer.late == 1 and pacer.wait_s(105_000_000) == pytest.approx(0.015)
    pacer.restart(10**9)
    pacer.begin(10**9)
    assert pacer.late == 1


def test_a_robot_describes_itself_whole() -> None:
    described = msgspec.json.decode(spec_json(SyntheticDriver().spec, Settings(seed=3, shift="offset")))
    assert described["name"] == "synthetic" and len(described["action_names"]) == 14
    assert described["cameras"][0]["policy_width"] == 128
    assert (described["first_seed"], described["first_shift"]) == (3, "offset")


def test_a_first_shift_that_the_robot_does_not_have_is_refused_at_the_start() -> None:
    with pytest.raises(InputError, match="offset"):
        run_robot(lambda settings: SyntheticDriver(), Settings(shift="upside down"))
