"""Real processes that are killed, restarted, stopped and broken. Waiting has an end, but nothing asserts a speed."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl.bus import Link, Outbox
from hitl.bus.addresses import endpoints_of
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.events import CorrectionEvent
from hitl.launch import System
from hitl.messages import Ack, BackendStatus, Correction, CorrectionStatus, Resume, RobotState, Stop, StopAck
from hitl.messages import NewEpisode as NewEpisodeRequest
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from robot.driver import CameraSpec
from robot.node import RobotNode, spec_json
from robot.synthetic import SyntheticDriver

SUPPORT = Path(__file__).resolve().parents[1] / "support"
BACKEND = [sys.executable, str(SUPPORT / "scripted.py")]
PATIENCE_S = 60.0


class Window:
    """A person's side of a system of real processes."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.link = Link(endpoints_of(system.settings), "gui", "test", outbox=self.outbox)
        self.got: list[Any] = []

    def step(self, timeout_ms: int = 20) -> None:
        self.system.supervisor.poll()
        self.got += [received.message for received in self.link.poll(timeout_ms)]

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            self.step()
            found = true()
            if found:
                return found
        raise AssertionError("it did not happen")

    def newest(self, kind: type) -> Any:
        return next((message for message in reversed(self.got) if isinstance(message, kind)), None)

    def ready(self) -> None:
        self.until(lambda: (status := self.newest(BackendStatus)) and not status.waiting_for)
        self.until(lambda: (state := self.newest(RobotState)) and state.mode == "running")

    def correct(self, text: str = "go higher", hold_s: float = 0.0) -> str:
        correction = Correction(id=new_ulid(), author="t", stamp_ns=time.monotonic_ns(), text=text, hold_s=hold_s)
        self.link.submit(correction)
        return correction.id

    def acts(self, id_: str) -> Callable[[], bool]:
        return lambda: self.newest(RobotState).command_id == id_

    def close(self) -> None:
        self.link.close()
        self.outbox.close()


def child(system: System, name: str) -> Any:
    return next(found for found in system.supervisor.children if found.name == name)


def kill(system: System, name: str) -> None:
    process = child(system, name).process
    process.kill()
    process.wait()


def logged(system: System) -> Counter[str]:
    log = FeedbackLog(Catalog(Path(system.settings.data)).log_file)
    try:
        return Counter(event.id for event in log.events(kind=CorrectionEvent))
    finally:
        log.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    settings = Settings(data=str(tmp_path / "data"), driver="synthetic", seed=1, record=False, log_level="warning")
    with System(settings, commands={"backend": BACKEND}) as made:
        yield made


@pytest.fixture
def window(system: System, tmp_path: Path) -> Iterator[Window]:
    made = Window(system, tmp_path)
    yield made
    made.close()


def test_no_word_is_lost_or_doubled_when_the_backend_is_killed_while_people_correct(
    system: System, window: Window
) -> None:
    window.ready()
    sent = []
    for killing in range(3):
        for number in range(20):
            sent.append(window.correct(f"go higher {killing} {number}"))
            window.step(10)
            if number == 10:
                kill(system, "backend")
        # The next one is killed in the midst of what has piled up: as soon as it acknowledged some of it.
        acked = sum(isinstance(m, Ack) for m in window.got)
        window.until(lambda acked=acked: sum(isinstance(m, Ack) for m in window.got) > acked)
    window.until(lambda: window.link.unsaved == 0)
    assert logged(system) == Counter(sent)
    acted = Counter(m.id for m in window.got if isinstance(m, CorrectionStatus) and m.state == "acting")
    assert max(acted.values()) == 1
    fresh = window.correct("go lower")
    window.until(window.acts(fresh))


def test_the_robot_goes_on_with_its_episode_after_the_backend_was_killed(system: System, window: Window) -> None:
    window.ready()
    episode = window.newest(RobotState).episode
    session = window.newest(BackendStatus).session
    kill(system, "backend")
    window.until(lambda: window.newest(BackendStatus).session != session)
    window.until(lambda: window.newest(BackendStatus).episode == episode)
    window.until(lambda: window.newest(RobotState).mode == "running")
    assert window.newest(RobotState).episode == episode


def test_a_robot_that_was_killed_comes_back_with_a_new_episode(system: System, window: Window) -> None:
    window.ready()
    episode = window.newest(RobotState).episode
    kill(system, "robot")
    window.until(lambda: window.newest(RobotState).episode not in ("", episode))
    id_ = window.correct("go lower")
    window.until(window.acts(id_))


def test_a_stop_stays_while_corrections_and_chunks_keep_coming(system: System, window: Window) -> None:
    window.ready()
    stop = Stop(id=new_ulid(), author="t", stamp_ns=time.monotonic_ns())
    window.link.stop(stop)
    ack = window.until(lambda: next((m for m in window.got if isinstance(m, StopAck) and m.id == stop.id), None))
    window.until(lambda: window.newest(RobotState).mode == "stopped")
    for _ in range(5):
        id_ = window.correct("go lower")
        window.until(lambda id_=id_: any(isinstance(m, Ack) and m.id == id_ for m in window.got))
    window.link.submit(NewEpisodeRequest(id=new_ulid(), author="t", stamp_ns=0))
    episode = window.newest(RobotState).episode
    window.until(lambda: window.newest(RobotState).episode != episode)
    seen = [m for m in window.got if isinstance(m, RobotState) and m.tick > ack.tick]
    assert seen and {(state.mode, state.command_id) for state in seen} == {("stopped", "")}
    window.link.submit(Resume(id=new_ulid(), author="t", stamp_ns=time.monotonic_ns()))
    window.until(lambda: window.newest(RobotState).mode == "running")


def test_a_stop_stays_when_the_backend_is_killed_and_comes_back(system: System, window: Window) -> None:
    window.ready()
    window.link.stop(Stop(id=new_ulid(), author="t", stamp_ns=time.monotonic_ns()))
    window.until(lambda: window.newest(RobotState).mode == "stopped")
    session = window.newest(BackendStatus).session
    kill(system, "backend")
    window.until(lambda: window.newest(BackendStatus).session != session)
    window.got.clear()
    window.until(lambda: window.newest(RobotState))
    assert window.newest(RobotState).mode == "stopped"


def test_a_driver_that_fails_is_reported_and_the_robot_holds_until_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = tmp_path / "break"
    monkeypatch.setenv("TEST_BREAK_FILE", str(breaks))
    settings = Settings(data=str(tmp_path / "data"), seed=1, record=False, log_level="error")
    commands = {"backend": BACKEND, "robot": [sys.executable, str(SUPPORT / "failing_robot.py")]}
    with System(settings, commands=commands) as system:
        window = Window(system, tmp_path)
        try:
            window.ready()
            breaks.touch()
            state = window.until(lambda: (s := window.newest(RobotState)).mode == "fault" and s)
            assert "a motor does not answer" in state.reason and state.command_id == ""
            breaks.unlink()
            id_ = window.correct("go lower")
            window.until(lambda: window.link.unsaved == 0)
            assert window.newest(RobotState).mode == "fault", "only a resume clears a fault"
            window.link.submit(Resume(id=new_ulid(), author="t", stamp_ns=time.monotonic_ns()))
            window.until(window.acts(id_))
        finally:
            window.close()


class CountingDriver(SyntheticDriver):
    """Notes whether each tick acted or held."""

    def __init__(self) -> None:
        self.ticks: list[str] = []
        super().__init__((CameraSpec("front", 24, 32, 12, 16),), seed=1)

    def act(self, targets: np.ndarray) -> np.ndarray:
        self.ticks.append("act")
        return super().act(targets)

    def hold(self) -> None:
        self.ticks.append("hold")
        super().hold()


def test_without_its_backend_the_robot_holds_within_the_lease_by_itself(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"), seed=1, record=False, log_level="error")
    driver = CountingDriver()
    system = System(settings, commands={"backend": BACKEND})
    link = Link(endpoints_of(system.settings), "robot", "t", robot_json=spec_json(driver.spec, settings))
    node = RobotNode(driver, link, system.settings)
    thread = threading.Thread(target=node.run)
    try:
        system.start("backend")
        thread.start()
        _wait(lambda: driver.ticks[-20:].count("act") == 20)
        kill(system, "backend")
        since = len(driver.ticks)
        _wait(lambda: len(driver.ticks) > since + 100)
        lease_ticks = round(settings.lease_s * driver.spec.rate_hz)
        after = driver.ticks[since:]
        assert after.count("act") <= lease_ticks + 2
        assert after[lease_ticks + 2 :].count("act") == 0
        child(system, "backend").due_s = 0.0
        system.supervisor.poll()
        time.sleep(0.6)
        system.supervisor.poll()
        _wait(lambda: driver.ticks[-20:].count("act") == 20)
    finally:
        node.close()
        thread.join()
        system.close()


def _wait(true: Callable[[], Any]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)
