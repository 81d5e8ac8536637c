"""Poses to joints and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.kinematics import LOWER, UPPER, joints_of, pose_of

LEFT = st.tuples(st.floats(-0.27, 0.02), st.floats(0.36, 0.64), st.floats(0.02, 0.18))
RIGHT = st.tuples(st.floats(0.10, 0.27), st.floats(0.36, 0.64), st.floats(0.02, 0.18))


def _pose(left: tuple, right: tuple, pitch: float = -np.pi / 2, roll: float = 0.0, opening: float = 0.5) -> np.ndarray:
    return np.array([*left, pitch, roll, opening, *right, pitch, roll, opening])


@given(LEFT, RIGHT, st.floats(-0.5, 0.5), st.floats(0, 1))
def test_joints_of_a_reachable_pose_lead_to_it(left: tuple, right: tuple, roll: float, opening: float) -> None:
    pose = _pose(left, right, roll=roll, opening=opening)
    assert np.abs(pose_of(joints_of(pose)) - pose).max() < 1e-6


@given(st.lists(st.floats(-3, 3), min_size=12, max_size=12))
def test_any_finite_pose_gives_joints_within_their_limits(pose: list[float]) -> None:
    joints = joints_of(np.array(pose))
    assert (joints >= LOWER).all() and (joints <= UPPER).all()


def test_many_poses_at_once_are_the_same_as_one_by_one() -> None:
    poses = np.stack([_pose((-0.1, 0.4, 0.1), (0.2, 0.6, 0.05)), _pose((0.0, 0.5, 0.2), (0.15, 0.5, 0.1), pitch=-1.0)])
    assert np.array_equal(joints_of(poses), np.stack([joints_of(pose) for pose in poses]))


def test_a_pose_out_of_reach_is_approached_along_its_arm() -> None:
    far = _pose((0.6, 0.5, 0.05), (0.2, 0.5, 0.05))
    reached = pose_of(joints_of(far))
    assert 0.0 < reached[0] < 0.6
    assert abs(reached[1] - 0.5) < 1e-9


def test_a_pose_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="pose"):
        joints_of(np.full(12, np.nan))
