from __future__ import annotations

import time

from hitl.bus import Link
from hitl.clock import new_ulid
from hitl.messages import Correction, Stop, StopAck


def a_stop() -> Stop:
    return Stop(id=new_ulid(), author="ada", stamp_ns=1, reason="test")


def obey(bus, robots: list[Link]):
    """One step in which every robot acknowledges what reached it."""

    def step() -> None:
        for robot in robots:
            for stop in bus.messages(robot, Stop):
                robot.send(StopAck(id=stop.id, tick=7, stamp_ns=1))
            bus.stopped.setdefault(robot, []).extend(bus.messages(robot, Stop))
            bus.got[robot].clear()

    bus.stopped = {}
    return step


def until(bus, step, true) -> None:
    bus.until(lambda: (step(), true())[1])


def test_stop_reaches_the_robot_and_its_answer_the_person(bus) -> None:
    hub, window, robot = bus.hub(), bus.link("gui"), bus.link("robot")
    bus.until(lambda: window.connected and robot.connected)
    stop = a_stop()
    window.stop(stop)
    step = obey(bus, [robot])
    until(bus, step, lambda: bus.messages(window, StopAck))
    assert set(bus.stopped[robot]) == {stop}
    assert bus.messages(window, StopAck)[0].tick == 7
    assert bus.messages(hub, Stop) == [stop]
    bus.until(lambda: bus.messages(hub, StopAck))
    count = len(bus.stopped[robot])
    for _ in range(100):
        bus.step()
        step()
    assert len(bus.stopped[robot]) == count, "an acknowledged stop is not sent again"
    assert len(bus.messages(hub, Stop)) == len(bus.messages(hub, StopAck)) == 1


def test_stop_needs_no_work_of_the_backend(bus) -> None:
    hub, window, robot = bus.hub(), bus.link("gui"), bus.link("robot")
    bus.until(lambda: window.connected and robot.connected)
    bus.for_a_while(0.1)
    busy = bus.got.pop(hub)  # the backend's thread is stuck: nobody polls the hub any more
    window.stop(a_stop())
    until(bus, obey(bus, [robot]), lambda: bus.messages(window, StopAck))
    bus.got[hub] = busy


def test_stop_comes_before_everything_else_that_waits(bus, correction) -> None:
    hub, window, robot = bus.hub(), bus.link("gui"), bus.link("robot")
    bus.until(lambda: window.connected and robot.connected)
    for _ in range(20):
        window.submit(correction())
    window.stop(a_stop())
    while not (received := [one.message for one in hub.poll(1000)]):
        window.poll(5)
    deadline = time.monotonic() + 10
    while len([one for one in received if isinstance(one, Correction | Stop)]) < 21 and time.monotonic() < deadline:
        window.poll(5)
        received += [one.message for one in hub.poll(20)]
    kinds = [type(one) for one in received if isinstance(one, Correction | Stop)]
    assert kinds[0] is Stop and len(kinds) == 21


def test_a_stop_waits_for_a_robot_that_comes_later(bus) -> None:
    window = bus.link("gui")
    stop = a_stop()
    window.stop(stop)
    bus.for_a_while(0.1)
    bus.hub()
    bus.until(lambda: window.connected)
    robot = bus.link("robot")
    until(bus, obey(bus, [robot]), lambda: bus.messages(window, StopAck))
    assert set(bus.stopped[robot]) == {stop}


def test_a_lost_answer_is_asked_for_again(bus) -> None:
    bus.hub()
    window, robot = bus.link("gui"), bus.link("robot")
    bus.until(lambda: window.connected and robot.connected)
    window.stop(a_stop())
    bus.until(lambda: len(bus.messages(robot, Stop)) >= 3)
    assert len(set(bus.messages(robot, Stop))) == 1


def test_all_robots_have_stopped_before_the_person_is_told(bus) -> None:
    bus.hub()
    window, robots = bus.link("gui"), [bus.link("robot", "a"), bus.link("robot", "b")]
    bus.until(lambda: all(end.connected for end in (window, *robots)))
    bus.for_a_while(0.1)
    window.stop(a_stop())
    step = obey(bus, robots[:1])
    for _ in range(60):
        bus.step()
        step()
    assert bus.messages(window, StopAck) == []
    until(bus, obey(bus, robots), lambda: bus.messages(window, StopAck))


def test_a_robot_that_starts_after_a_stop_is_not_stopped_by_it(bus) -> None:
    hub, window, first = bus.hub(), bus.link("gui"), bus.link("robot", "a")
    bus.until(lambda: window.connected and first.connected)
    bus.for_a_while(0.1)
    window.stop(a_stop())
    until(bus, obey(bus, [first]), lambda: bus.messages(window, StopAck))
    bus.close(first)
    second = bus.link("robot", "b")
    bus.until(lambda: hub.peers("robot") and second.connected)
    bus.for_a_while(0.7)
    assert bus.messages(second, Stop) == []


def test_the_backend_itself_stops_all_robots(bus) -> None:
    hub, robot = bus.hub(), bus.link("robot")
    bus.until(lambda: robot.connected)
    stop = a_stop()
    hub.stop(stop)
    until(bus, obey(bus, [robot]), lambda: bus.messages(hub, StopAck))
    assert set(bus.stopped[robot]) == {stop}
    direct = a_stop()
    assert hub.send("stop", hub.peers("robot")[0], direct)
    bus.until(lambda: bus.messages(robot, Stop))
    assert bus.messages(robot, Stop) == [direct]


def test_a_stop_survives_a_restart_of_the_backend(bus) -> None:
    hub, window, robot = bus.hub(), bus.link("gui"), bus.link("robot")
    bus.until(lambda: window.connected and robot.connected)
    bus.close(hub)
    bus.until(lambda: not window.connected)
    window.stop(a_stop())
    bus.hub()
    until(bus, obey(bus, [robot]), lambda: bus.messages(window, StopAck))
