"""What comes to nothing for long is given up: the next best is tried, and everything is free when the task gets on."""

from __future__ import annotations

from typing import Any

import pytest

from hitl.events import DoubtEvent
from hitl.messages import CommandStatus, Mode, RobotState, Task
from tests.support.controlled import HOME, World
from tests.support.scripted import ScriptedPolicy, Torn

RULES: dict[str, Any] = {"give_up_s": 8.0, "aside_s": 20.0, "ask_margin": 0.0, "unsure_s": 3.0}
TWO = ("go left", "go right")


class Cell:
    """A controller of a robot that tells how far its task is."""

    def __init__(self, policy: ScriptedPolicy | None = None, **rules: Any) -> None:
        self.world = World(policy or Torn(*TWO, margin=0.9), **{**RULES, **rules})
        self.stage, self.finished = 0, False

    def run(self, seconds: float, mode: Mode = "running", *, told: bool = True) -> list[str]:
        """Play so long; the commands that ran, in order."""
        seen: list[str] = []
        for _ in range(round(seconds * 10)):
            if told:
                task = Task(name="t", stage=self.stage, stages=3, finished=self.finished, success=self.finished)
                state = RobotState(tick=self.world.tick, stamp_ns=0, episode="e", mode=mode, task=task)
                self.world.controller.robot_state(state, HOME, HOME)
            self.world.observe(1)
            text = self.now.text
            if not seen or seen[-1] != text:
                seen.append(text)
        return seen

    @property
    def now(self) -> CommandStatus:
        return self.world.controller.status()


def test_what_comes_to_nothing_is_given_up_for_the_next_best_and_tried_again_later() -> None:
    cell = Cell()
    assert cell.run(7.9) == ["go left"]
    assert cell.run(1.5)[-1] == "go right"
    shown = [one.text for one in cell.now.alternatives]
    assert shown == ["go right", "go left"], "what people are shown as next is what comes next"
    assert cell.run(7.0) == ["go right"]
    assert cell.run(14) == ["go right", "go left"], "both are set aside: it stays, until the first is free again"


@pytest.mark.parametrize("probability", [0.04, 0.06])
def test_what_guides_a_hand_comes_last_unless_it_is_wanted(probability: float) -> None:
    policy = Torn("go left", "go right", margin=1.0)
    policy.others = {"go up a bit": probability, "hold still": 0.0}
    policy.guiding = {"go up a bit"}
    cell = Cell(policy)
    assert cell.run(1.0) == ["go left"]
    assert [one.text for one in cell.now.alternatives] == ["go left", "go right", "go up a bit", "hold still"]
    wanted = (
        ["go right", "go up a bit", "hold still"] if probability > 0.05 else ["go right", "hold still", "go up a bit"]
    )
    assert cell.run(9.0)[-1] == "go right"
    assert [one.text for one in cell.now.alternatives] == [*wanted, "go left"]
    assert cell.run(9.0)[-1] == wanted[1]


def test_when_the_task_gets_on_everything_is_free_again() -> None:
    cell = Cell()
    assert cell.run(9.5) == ["go left", "go right"]
    cell.stage = 1
    assert cell.run(2.5) == ["go right", "go left"], "left as any command that is no longer the best"
    cell.stage = 2
    assert cell.run(7.4) == ["go left"], "and time counts from where the task got on"


def test_a_command_that_is_done_and_chosen_again_is_the_same_one() -> None:
    cell = Cell(Torn(*TWO, margin=0.9, done_after_s=2.0))
    assert cell.run(10.5)[:2] == ["go left", "go right"]


@pytest.mark.parametrize("why", ["never", "no task", "finished", "stopped"])
def test_it_goes_on_where_nobody_can_say_that_it_comes_to_nothing(why: str) -> None:
    cell = Cell(**({"give_up_s": 0.0} if why == "never" else {}))
    cell.finished = why == "finished"
    assert cell.run(1.0, told=why != "no task") == ["go left"]
    cell.run(15.0, "paused" if why == "stopped" else "running", told=why != "no task")
    assert cell.run(4.0 if why == "stopped" else 0.5, told=why != "no task") == ["go left"]


def test_a_person_s_command_is_not_given_up_and_frees_the_others() -> None:
    cell = Cell(hold_s=0.0)
    assert cell.run(9.5)[-1] == "go right"
    cell.world.correct("go higher", hold_s=0.0)
    assert cell.run(12.0) == ["go higher"]
    cell.world.controller.release()
    assert cell.run(1.0) == ["go left"]


def test_another_episode_begins_with_all_of_them() -> None:
    cell = Cell()
    assert cell.run(9.5)[-1] == "go right"
    cell.world.controller.new_episode("e")
    assert cell.run(1.0) == ["go left"]


def test_somebody_who_watches_is_asked_first() -> None:
    cell = Cell()
    cell.world.controller.watched = True
    cell.run(9.0)
    assert (cell.now.text, cell.now.failing, cell.now.tried) == ("go left", "go left", 1)
    assert cell.now.unsure == ["go right", "go left"], "the best that is left first"
    assert cell.run(3.5) == ["go left", "go right"], "without an answer it goes on with that"
    (doubt,) = [item for item in cell.world.out if isinstance(item, DoubtEvent)]
    assert (doubt.reason, doubt.about, doubt.ended) == ("repeat", "go left", "time")
