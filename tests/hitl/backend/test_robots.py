from __future__ import annotations

import msgspec
import pytest

from hitl.backend.robots import GONE_NS, STALE_NS, RobotDesk
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError
from hitl.messages import NewEpisode, Resume, RobotState, Task
from robot.node import spec_json
from robot.synthetic import SyntheticDriver

DESCRIBED = spec_json(SyntheticDriver().spec, Settings(seed=3))


def state(episode: str = "", **fields: object) -> RobotState:
    return msgspec.structs.replace(RobotState(tick=1, stamp_ns=0, episode=episode, mode="holding"), **fields)


def desk() -> RobotDesk:
    made = RobotDesk()
    made.hello(b"r1", DESCRIBED, 0)
    return made


def new_episode(episode: str = "e1") -> NewEpisode:
    return NewEpisode(id=new_ulid(), author="t", stamp_ns=0, episode=episode)


def test_the_description_that_the_node_sends_is_understood() -> None:
    info = desk().info
    assert info is not None and info.name == "synthetic" and info.first_seed == 3 and info.shifts == ["offset"]


def test_a_description_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match="name"):
        RobotDesk().hello(b"r1", "{}", 0)


def test_condition_follows_the_states() -> None:
    made = RobotDesk()
    assert made.condition(0) == "missing"
    made.hello(b"r1", DESCRIBED, 0)
    assert made.condition(0) == "stale"
    made.take_state(b"r1", state(), 0)
    assert made.condition(STALE_NS - 1) == "connected"
    assert made.condition(STALE_NS) == "stale"


def test_a_robot_without_an_episode_begins_one_and_only_once() -> None:
    made = desk()
    assert made.take_state(b"r1", state(), 0) == "begin"
    made.forward(new_episode("e1"), 0)
    assert made.take_state(b"r1", state(), 1) == "none"
    assert made.take_state(b"r1", state("e1"), 2) == "none"


def test_a_running_episode_is_adopted_by_a_backend_that_begins() -> None:
    made = desk()
    assert made.take_state(b"r1", state("theirs"), 0) == "adopt"
    made.adopt("theirs", 0)
    assert made.take_state(b"r1", state("theirs"), 1) == "none"


def test_a_robot_that_restarted_begins_a_new_episode() -> None:
    made = desk()
    made.adopt("e1", 0)
    made.hello(b"r2", DESCRIBED, STALE_NS * 2)
    assert made.peer == b"r2"
    assert made.take_state(b"r2", state(""), STALE_NS * 2) == "begin"


def test_a_second_robot_does_not_take_over_from_one_that_acts() -> None:
    made = desk()
    made.take_state(b"r1", state("e"), 0)
    made.hello(b"r2", DESCRIBED, STALE_NS - 1)
    assert made.peer == b"r1"
    assert made.take_state(b"r2", state("x"), STALE_NS - 1) == "none"
    assert made.state is not None and made.state.episode == "e"


def test_a_robot_that_waits_takes_over_with_a_state_once_the_first_has_gone() -> None:
    """A robot that restarts at once says Hello, only once, while the one before it still counts as there."""
    made = desk()
    made.take_state(b"r1", state("e1"), 0)
    made.adopt("e1", 0)
    made.hello(b"r2", DESCRIBED, STALE_NS - 1)
    assert made.take_state(b"r2", state(""), GONE_NS - 1) == "none"
    assert made.take_state(b"r2", state(""), GONE_NS) == "begin"
    assert made.peer == b"r2" and made.first and not made.others
    assert made.take_state(b"r1", state("e1"), GONE_NS + 1) == "none", "the first one is too late"


def test_a_robot_that_waits_never_takes_over_from_one_that_is_there() -> None:
    made = desk()
    made.hello(b"r2", DESCRIBED, 0)
    made.hello(b"r1", DESCRIBED, 0)
    made.take_state(b"r1", state("e1"), 0)
    made.hello(b"r2", DESCRIBED, 1)
    for seconds in range(1, 20):
        made.take_state(b"r1", state("e1"), seconds * 10**9 - 1)
        made.take_state(b"r2", state(""), seconds * 10**9)
    assert made.peer == b"r1"


def test_an_episode_that_the_first_robot_did_not_begin_is_kept_for_the_next() -> None:
    made = desk()
    asked = msgspec.structs.replace(new_episode("e1"), seed=9)
    made.forward(asked, 0)
    made.hello(b"r2", DESCRIBED, STALE_NS)
    assert made.take_state(b"r2", state(""), STALE_NS) == "begin" and made.unbegun == asked
    assert made.unacknowledged() == [], "the id of the first robot's episode is not used again"
    made.forward(msgspec.structs.replace(asked, episode="e2"), STALE_NS)
    assert made.unbegun is None and made.take_state(b"r2", state("e2"), STALE_NS + 1) == "none"


def test_requests_are_repeated_until_the_robot_answers() -> None:
    made = desk()
    request = new_episode()
    made.forward(request, 0)
    assert [message for _, message in made.waiting.due(0)] == [request]
    made.waiting.sent(request.id, 0)
    assert made.waiting.due(1) == []
    assert [message for _, message in made.waiting.due(10**10)] == [request]
    made.acknowledged(request.id, "no such shift")
    assert made.waiting.due(10**10) == [] and made.error == "no such shift"


def test_a_stop_takes_back_a_resume_that_has_not_arrived() -> None:
    made = desk()
    made.forward(Resume(id=new_ulid(), author="t", stamp_ns=0), 0)
    made.forward(new_episode(), 0)
    made.stopped()
    assert [type(message) for message in made.unacknowledged()] == [NewEpisode]


def test_of_two_new_episodes_only_the_later_one_is_sent() -> None:
    made = desk()
    made.forward(new_episode("e1"), 0)
    made.forward(new_episode("e2"), 0)
    (message,) = made.unacknowledged()
    assert isinstance(message, NewEpisode) and message.episode == made.episode == "e2"


def test_shifts_are_checked_where_the_robot_is_known() -> None:
    RobotDesk().check_shift("anything")
    made = desk()
    made.check_shift("nominal")
    made.check_shift("offset")
    with pytest.raises(InputError, match="nominal, offset"):
        made.check_shift("sideways")


def test_how_an_episode_ended_is_what_the_robot_said_last() -> None:
    made = desk()
    made.forward(msgspec.structs.replace(new_episode("e1"), shift="offset"), 0)
    assert made.ended("i", "s", 5) is None, "nothing was seen of it"
    task = Task(name="pack", stage=2, stages=3, finished=True, success=False)
    made.take_state(b"r1", state("e1", task=task), 1)
    event = made.ended("i", "s", 5)
    assert event is not None
    assert (event.episode, event.stage, event.stages, event.success, event.shift) == ("e1", 2, 3, False, "offset")
