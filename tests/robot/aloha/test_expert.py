"""The expert does what commands say, the judge agrees only then, and the planner packs the box."""

from __future__ import annotations

import numpy as np
import pytest

from hitl.kinematics import joints_of
from robot.aloha import layout
from robot.aloha.cell import AlohaCell
from robot.aloha.expert import Expert
from robot.aloha.grammar import COMMANDS, Command, by_text
from robot.aloha.judge import Judge
from robot.aloha.layout import Placement
from robot.aloha.oracle import LOW_M, Oracle, Running
from robot.aloha.planner import GO_HOME, next_command, script
from robot.aloha.shifts import Shift

LEFT_BLOCK, RIGHT_BALL = Placement(0, 0.0, 0.5, 0.2), Placement(2, 0.18, 0.45, 0.0)


def perform(cell: AlohaCell, command: Command, limit_s: float = 9.0) -> bool:
    expert = Expert(cell, command)
    for _ in range(int(limit_s * 50)):
        target, done = expert.step()
        if done:
            for _ in range(10):
                cell.hold()
            return True
        cell.act(joints_of(target))
    return False


@pytest.mark.parametrize("kind", range(len(layout.TRAINED_KINDS)))
@pytest.mark.parametrize("x", [-0.05, 0.18])
def test_every_kind_is_picked_by_either_arm_and_packed(cell: AlohaCell, kind: int, x: float) -> None:
    cell.begin([Placement(kind, x, 0.55, 0.1)])
    for _ in range(6):
        text = next_command(cell, cell.kinds)
        if text == GO_HOME:
            break
        judge = Judge(cell, by_text(text))
        assert not judge.done()
        assert perform(cell, by_text(text)), text
        assert judge.done(), text
    assert cell.in_box(kind)


CHANGES = [c for c in COMMANDS if c.skill in ("move", "grip", "turn", "tilt", "above", "home", "still")]


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command.text)
def test_small_commands_are_done_and_judged_done(cell: AlohaCell, command: Command) -> None:
    pose = np.array([-0.12, 0.5, 0.16, -1.4, 0.0, 0.5, 0.16, 0.5, 0.16, -1.4, 0.0, 0.5])
    cell.begin([Placement(kind, 0.02, 0.38 + 0.05 * kind, 0.0) for kind in range(6)], pose=pose)
    for _ in range(5):
        cell.hold()
    judge = Judge(cell, command)
    assert judge.done() == (command.skill == "still")
    assert perform(cell, command)
    assert judge.done()


def test_the_judge_refuses_the_wrong_way_the_wrong_arm_and_the_wrong_amount(cell: AlohaCell) -> None:
    pose = np.array([-0.12, 0.5, 0.16, -1.4, 0.0, 0.5, 0.16, 0.5, 0.16, -1.4, 0.0, 0.5])
    asked = by_text("move the left arm up")
    for given in (
        "move the left arm down",
        "move the right arm up",
        "move the left arm far up",
        "move the left arm a bit up",
    ):
        cell.begin([LEFT_BLOCK], pose=pose)
        cell.hold()
        judge = Judge(cell, asked)
        assert perform(cell, by_text(given))
        assert not judge.done(), given


def test_put_down_and_both_hand_overs(cell: AlohaCell) -> None:
    cell.begin([RIGHT_BALL, LEFT_BLOCK])
    for text in ("pick up the blue ball", "hand it to the left arm", "hand it to the right arm", "put it down"):
        judge = Judge(cell, by_text(text))
        assert perform(cell, by_text(text)), text
        assert judge.done(), text


def test_the_expert_recovers_from_a_miss(cell: AlohaCell) -> None:
    cell.begin([LEFT_BLOCK])
    missing = Expert(cell, by_text("pick up the red block"), offset=np.array([0.0, 0.035]))
    for _ in range(160):
        target, _ = missing.step()
        cell.act(joints_of(target))
    assert cell.held_in(0) is None
    assert perform(cell, by_text("pick up the red block"))
    assert cell.held_in(0) == 0


def test_the_oracle_is_silent_while_the_right_command_runs_and_speaks_after_a_while_of_a_wrong_one(
    cell: AlohaCell,
) -> None:
    cell.begin([LEFT_BLOCK, RIGHT_BALL])
    oracle = Oracle(cell)
    right = Running("pick up the red block", False, 1.0)
    wrong = Running("pick up the blue ball", False, 1.0)
    for _ in range(50):
        assert oracle.say(right) is None
        cell.hold()
    said = []
    for _ in range(75):  # 1.5 s: longer than its patience, shorter than twice that
        words = oracle.say(wrong)
        if words:
            said.append(words)
        cell.hold()
    assert said == ["pick up the red block"]


def test_the_oracle_lets_the_policy_go_on_after_its_words(cell: AlohaCell) -> None:
    cell.begin([LEFT_BLOCK, RIGHT_BALL])
    oracle = Oracle(cell)
    for _ in range(200):
        assert oracle.say(Running("move the left arm up", False, 3.0, waits=True)) is None
        cell.hold()


def test_the_oracle_says_nothing_where_what_is_left_is_out_of_reach(cell: AlohaCell) -> None:
    running = Running("pick up the blue ball", False, 3.0)
    cell.begin([Placement(0, 0.0, 0.9, 0.0)])
    assert next_command(cell, cell.wanted) == GO_HOME and not cell.in_box(0)
    oracle = Oracle(cell)
    for _ in range(150):
        assert oracle.say(running) is None
        cell.hold()
    x, y = cell.box_xy
    cell.begin([Placement(0, float(x), float(y), 0.0)])
    oracle, said = Oracle(cell), set()
    for _ in range(150):
        said.add(oracle.say(running))
        cell.hold()
    assert said == {None, GO_HOME}, "all is in the box"


def test_where_an_order_is_wished_a_thing_before_its_turn_goes_back(cell: AlohaCell) -> None:
    cell.begin([LEFT_BLOCK, RIGHT_BALL], Shift(name="wish", wanted=(RIGHT_BALL.kind, LEFT_BLOCK.kind)))
    assert next_command(cell, cell.wanted) == "pick up the blue ball"
    assert perform(cell, by_text("pick up the red block"))
    assert next_command(cell, cell.wanted) == "put it down"
    assert next_command(cell, [LEFT_BLOCK.kind]) == "put it in the box"
    cell.begin([LEFT_BLOCK, RIGHT_BALL])
    assert perform(cell, by_text("pick up the red block"))
    assert next_command(cell, [RIGHT_BALL.kind, LEFT_BLOCK.kind]) == "put it in the box", "nobody wished an order"


def test_a_hand_over_is_wanted_until_the_giver_has_let_go(cell: AlohaCell) -> None:
    cell.begin([RIGHT_BALL])
    assert perform(cell, by_text("pick up the blue ball"))
    expert, both = Expert(cell, by_text("hand it to the left arm")), 0
    for _ in range(450):
        target, done = expert.step()
        if done:
            break
        if cell.held_in(0) is not None and cell.held_in(1) is not None:
            both += 1
            assert next_command(cell, cell.kinds) == "hand it to the left arm"
        cell.act(joints_of(target))
    assert both > 3
    assert next_command(cell, cell.kinds) == "put it in the box"


def lowered(cell: AlohaCell, over: np.ndarray, tilt: float = 0.0) -> list[tuple[float, str]]:
    """What is said, and how high the hand is then, while it carries a block over to a place and comes down there."""
    cell.begin([LEFT_BLOCK], Shift(name="box-moved", box_move=np.array([0.0, 0.08])))
    assert perform(cell, by_text("pick up the red block"))
    oracle, running = Oracle(cell), Running("put it in the box", False, 2.0)
    pose, said = cell.pose_target(), []
    for goal in ((*over, 0.18), (*over, 0.1)):
        start = pose.copy()
        for part in np.linspace(0, 1, 60):
            pose[:3] = start[:3] + part * (np.array(goal) - start[:3])
            pose[3] = layout.DOWN + tilt
            cell.act(joints_of(pose))
            words = oracle.say(running)
            said += [(float(cell.true_pose()[2]), words)] if words else []
    return said


def test_the_oracle_guides_a_hand_that_comes_down_beside_a_moved_box(cell: AlohaCell) -> None:
    said = lowered(cell, layout.BOX_XY)
    assert said[0][1].startswith("move the left arm")
    assert said[0][0] < LOW_M, "as long as the hand is high it may yet go where it should"
    assert not lowered(cell, layout.BOX_XY, tilt=0.5), "the policy knows best how to turn a hand down"


def test_the_oracle_lets_a_hand_come_down_over_a_moved_box(cell: AlohaCell) -> None:
    assert not lowered(cell, layout.BOX_XY + [0.0, 0.08])


def test_the_oracle_guides_to_an_object_that_nobody_trained_on_in_words_of_the_grammar(cell: AlohaCell) -> None:
    cell.begin([Placement(6, -0.02, 0.45, 0.0)], Shift(name="unseen-object"))
    oracle, running, said = Oracle(cell), Running(GO_HOME, False, 1.0), list[str]()
    for _ in range(80):
        words = oracle.say(running)
        if cell.held_in(0) == 6:
            break
        if words == "grab the pink ring":
            running = Running(words, True, 4.0)  # and nothing comes of it
        elif words:
            assert perform(cell, by_text(words)), words
        if words:
            said.append(words)
        else:
            for _ in range(25):
                cell.hold()
    assert cell.held_in(0) == 6
    assert said[0] == "grab the pink ring" and said.count(said[0]) == 1 and len(said) > 3, (
        "its name first, then the way"
    )


@pytest.mark.parametrize(("text", "opening"), [("open both grippers", 1.0), ("close both grippers", 0.0)])
def test_both_grippers_are_two(cell: AlohaCell, text: str, opening: float) -> None:
    placements = layout.sample_placements(np.random.default_rng(3))
    pose = layout.HOME.copy()
    pose[[5, 11]] = 0.6, 0.5
    cell.begin(placements, pose=pose)
    expert, judge = Expert(cell, by_text(text)), Judge(cell, by_text(text))
    assert not judge.done()
    done = False
    for _ in range(100):
        target, done = expert.step()
        if done:
            break
        cell.act(joints_of(target))
    for _ in range(15):
        cell.hold()
    assert done and judge.done()
    assert np.abs(cell.pose()[[5, 11]] - opening).max() < 0.1


def test_a_script_is_the_order_of_commands_where_each_does_what_it_should(cell: AlohaCell) -> None:
    cell.begin([LEFT_BLOCK, RIGHT_BALL])
    written, said = script(cell), []
    while not said or said[-1] != GO_HOME:
        said.append(next_command(cell, cell.kinds))
        assert perform(cell, by_text(said[-1])), said[-1]
    assert said == written and len(written) == 6
    cell.begin([LEFT_BLOCK, RIGHT_BALL], Shift("wish", wanted=(2,)))
    assert script(cell) == written, "it knows nothing of wishes"
