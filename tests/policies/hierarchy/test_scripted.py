"""A scripted order in the place of the high level: when it goes on, and that it does not look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from policies.errors import PolicyError
from policies.hierarchy.scripted import ScriptedOrder

POSE = np.zeros(12)
SCRIPT = ("pick up the red block", "put it in the box", "pick up the blue ball", "put it in the box", "go home")
OBSERVATION_S = 0.1


class Hands:
    """A low level that says what it is told to say about being done."""

    def __init__(self) -> None:
        self.done, self.told = 0.0, ""

    def start(self, text: str, pose_target: Any) -> SimpleNamespace:
        return SimpleNamespace(text=text)

    def act(self, images: Any, pose: Any, pose_target: Any, command: Any, elapsed_s: float) -> SimpleNamespace:
        self.told = command.text
        return SimpleNamespace(pose_chunk=np.zeros((40, 12)), done=self.done)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def scripted(hands: Hands) -> ScriptedOrder:
    policy: Any = hands
    return ScriptedOrder(policy, lambda: SCRIPT, done_threshold=0.5, done_observations=3, least_s=0.5, limit_s=4.0)


def run(scripted: ScriptedOrder, text: str, seconds: float) -> int:
    """Act under `text`; returns how many observations passed until the script went on, or all."""
    command, due = scripted.start(text, POSE), scripted.due
    for count in range(round(seconds / OBSERVATION_S)):
        scripted.act({}, POSE, POSE, command, count * OBSERVATION_S)
        if scripted.due != due:
            return count + 1
    return round(seconds / OBSERVATION_S)


def test_it_says_the_commands_in_order_each_until_it_is_done(scripted: ScriptedOrder, hands: Hands) -> None:
    said = []
    for _ in SCRIPT:
        proposal = scripted.propose()
        assert proposal.probabilities == (1.0,) and proposal.history is None
        said.append(proposal.texts[0])
        hands.done = 0.0
        assert run(scripted, scripted.due, 1.0) == 10, "it waits until the low level says so"
        hands.done = 0.9
        run(scripted, scripted.due, 3.0)
        assert hands.told == said[-1]
    assert tuple(said) == SCRIPT
    assert scripted.due == "go home", "the last command stays"


def test_done_counts_as_the_controller_counts(scripted: ScriptedOrder, hands: Hands) -> None:
    hands.done = 0.9
    assert run(scripted, SCRIPT[0], 3.0) == 8, "three observations after the least time of half a second"
    command = scripted.start(scripted.due, POSE)
    for count, done in enumerate((0.9, 0.9, 0.1, 0.9, 0.9)):
        hands.done = done
        scripted.act({}, POSE, POSE, command, 1.0 + count * OBSERVATION_S)
    assert scripted.due == SCRIPT[1], "three in a row"


def test_it_goes_on_when_the_time_of_a_command_is_over(scripted: ScriptedOrder) -> None:
    assert run(scripted, SCRIPT[0], 9.0) == 41
    assert scripted.propose().texts == (SCRIPT[1],)


def test_a_persons_words_do_not_move_it_unless_they_are_what_is_due(scripted: ScriptedOrder, hands: Hands) -> None:
    hands.done = 0.9
    run(scripted, "move the left arm up", 8.0)
    assert scripted.due == SCRIPT[0]
    run(scripted, SCRIPT[0], 3.0)
    assert scripted.due == SCRIPT[1]


def test_an_episode_begins_with_the_first_command_of_its_own_script(hands: Hands) -> None:
    policy: Any = hands
    scripts = iter((["a", "b"], ["c"], []))
    scripted = ScriptedOrder(policy, lambda: next(scripts), done_threshold=0.5, done_observations=3, least_s=0.5)
    hands.done = 0.9
    run(scripted, "a", 3.0)
    assert scripted.due == "b"
    scripted.forget()
    assert scripted.due == "c"
    with pytest.raises(PolicyError, match="script: is empty"):
        scripted.forget()
