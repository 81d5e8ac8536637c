"""The packing cell: the Driver contract, what it judges, and what each shift changes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from hitl.errors import RobotError
from hitl.kinematics import joints_of, pose_of
from robot.aloha import layout, scene
from robot.aloha.cell import AlohaCell
from robot.aloha.layout import Placement
from robot.aloha.shifts import SHIFTS, Shift
from robot.conformance import DriverConformance


class TestAlohaCell(DriverConformance):
    def make(self) -> AlohaCell:
        return AlohaCell(3)


def test_the_kinematics_agree_with_the_physics(cell: AlohaCell) -> None:
    cell.reset(1)
    for side, arm in (("left", 0), ("right", 1)):
        hand = cell.model.body(f"vx300s_{side}/gripper_link").id
        between = cell.data.xpos[hand] + cell.data.xmat[hand].reshape(3, 3) @ [0.145, 0, 0]
        assert np.abs(between - cell.pose()[6 * arm : 6 * arm + 3]).max() < 1e-4


def test_the_arms_follow_their_targets_within_five_millimetres(cell: AlohaCell) -> None:
    cell.reset(1)
    target = cell.pose_target()
    for _ in range(60):
        target[0] += 0.003
        cell.act(joints_of(target))
    for _ in range(15):
        cell.hold()
    assert np.abs((cell.pose() - target)[:3]).max() < 0.005


@pytest.mark.parametrize("targets", [np.zeros(13), np.full(14, np.nan)])
def test_actions_that_are_no_actions_are_refused(cell: AlohaCell, targets: np.ndarray) -> None:
    cell.reset(1)
    before = cell.read().targets
    with pytest.raises(RobotError, match="targets"):
        cell.act(targets)
    assert np.array_equal(cell.read().targets, before)


def test_pictures_have_the_sizes_of_the_spec_and_show_different_things(cell: AlohaCell) -> None:
    cell.reset(1)
    captured = cell.capture()
    for camera in cell.spec.cameras:
        assert captured.views[camera.name].shape == (camera.height, camera.width, 3)
        assert captured.policy[camera.name].shape == (camera.policy_height, camera.policy_width, 3)
        assert captured.views[camera.name].std() > 10


def test_a_process_that_ends_without_closing_says_nothing() -> None:
    drawn = "from robot.aloha.cell import AlohaCell; cell = AlohaCell(0); print(len(cell.policy_pictures()))"
    ended = subprocess.run([sys.executable, "-c", drawn], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "4\n", "")


def test_object_pixels_point_at_the_objects(cell: AlohaCell) -> None:
    cell.begin([Placement(0, 0.02, 0.45, 0.0), Placement(2, -0.05, 0.6, 0.0)])
    picture = cell.policy_pictures()["overhead"].astype(int)
    for (column, row), channel in zip(cell.object_pixels("overhead"), (0, 2), strict=True):
        colour = picture[int(row), int(column)]
        assert colour[channel] > 1.5 * np.delete(colour, channel).max()


def test_an_object_dropped_into_the_box_is_packed(cell: AlohaCell) -> None:
    cell.begin([Placement(2, float(layout.BOX_XY[0]), float(layout.BOX_XY[1]), 0.0), Placement(0, 0.0, 0.5, 0.0)])
    address = cell._objects[2].qposadr[0]
    cell.data.qpos[address + 2] = 0.12
    assert not cell.in_box(2)
    for _ in range(60):
        cell.hold()
    task = cell.read().task
    assert cell.in_box(2) and cell.on_table(0)
    assert task is not None and (task.stage, task.stages, task.success) == (1, 2, False)


def test_only_the_wished_order_counts(cell: AlohaCell) -> None:
    box = [float(value) for value in layout.BOX_XY]
    placements = [Placement(0, box[0], box[1], 0.0), Placement(1, 0.0, 0.5, 0.0)]
    for wanted, stage in (((1, 0), 0), ((0, 1), 1)):
        cell.begin(placements, Shift(name="wish", wanted=wanted))
        for _ in range(20):
            cell.hold()
        task = cell.read().task
        assert task is not None and task.stage == stage


def test_an_arm_that_is_off_reports_where_it_believes_to_be(cell: AlohaCell) -> None:
    cell.begin([Placement(0, 0.0, 0.5, 0.0)], Shift(name="arm-off", waist_offsets=(0.03, 0.0)))
    for _ in range(10):
        cell.hold()
    off = np.linalg.norm((cell.true_pose() - cell.pose())[:3])
    assert 0.004 < off < 0.02
    assert np.abs(cell.pose() - pose_of(cell.read().targets)).max() < 0.01


@pytest.mark.parametrize("shift", SHIFTS)
def test_each_shift_changes_something_and_a_nominal_episode_changes_it_back(cell: AlohaCell, shift: str) -> None:
    def signature() -> list[np.ndarray]:
        model = cell.model
        return [
            model.body("box").pos.copy(),
            model.geom_friction.copy(),
            model.light_diffuse.copy(),
            model.cam_pos.copy(),
            np.array(cell.shift.waist_offsets),
            np.array([cell.shift.pushes, len(scene.KINDS) - 1 in cell.kinds, cell.wanted == cell.kinds]),
        ]

    cell.reset(11)
    nominal = signature()
    cell.reset(11, shift)
    changed = [not np.array_equal(a, b) for a, b in zip(nominal, signature(), strict=True)]
    assert any(changed)
    cell.reset(11)
    assert all(np.array_equal(a, b) for a, b in zip(nominal, signature(), strict=True))


def test_a_push_knocks_a_held_object_out_of_the_hand(cell: AlohaCell) -> None:
    from robot.aloha.expert import Expert
    from robot.aloha.grammar import by_text

    cell.begin([Placement(0, 0.0, 0.5, 0.0)], Shift(name="push", pushes=1, push_seed=0))
    expert = Expert(cell, by_text("pick up the red block"))
    losses, held = 0, False
    for _ in range(900):
        target, _ = expert.step()
        cell.act(joints_of(target))
        losses += held and cell.held_in(0) is None
        held = cell.held_in(0) is not None
    assert losses == 1  # one push, after which the expert picks it up again
    assert held
