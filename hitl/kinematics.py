"""Forward and inverse kinematics of two ViperX 300 S arms that face each other, as on ALOHA. NumPy only.

Policies speak poses, the robot speaks joints; robot and backend share this module to convert. It knows nothing of
simulators, policies or messages.

A pose is `(12,)`: for the left then the right arm x, y, z of the point between the finger tips [m, world frame],
pitch [rad, 0 = horizontal, -pi/2 = straight down], roll about the hand's own axis [rad], opening [0 closed .. 1 open].
Joints are `(14,)`: for each arm waist, shoulder, elbow, forearm_roll, wrist_angle, wrist_rotate [rad] and gripper
[0 .. 1].
forearm_roll stays 0, so each hand lies in its arm's vertical plane and the inverse is exact and closed-form (law of
cosines for the two links, elbow up). Lengths: the joint offsets in gym-aloha's `vx300s_left.xml`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BASES: Array = np.array([[-0.469, 0.5, 0.0], [0.469, 0.5, 0.0]])
"""Arm bases, left then right [m]; the left faces +x, the right -x."""
FACING: Array = np.array([1.0, -1.0])
SHOULDER_HEIGHT = 0.079 + 0.04805
_UPPER = (0.05955, 0.3)
UPPER_LENGTH = float(np.hypot(*_UPPER))
_UPPER_ANGLE = float(np.arctan2(_UPPER[0], _UPPER[1]))
"""The elbow sits in front of the shoulder's axis by this angle when the shoulder is at zero."""
FOREARM_LENGTH = 0.3
HAND_LENGTH = 0.069744 + 0.145
"""Wrist axis to the point between the finger tips, 9 mm before the tips' end."""

LOWER: Array = np.array([-3.1, -1.85, -1.76, -3.1, -1.86, -3.1, 0.0] * 2)
UPPER: Array = np.array([3.1, 1.25, 1.6, 3.1, 2.23, 3.1, 1.0] * 2)
ARMS = ("left", "right")
_REACH = 0.998 * (UPPER_LENGTH + FOREARM_LENGTH)


def pose_of(joints: Array) -> Array:
    """Pose `(..., 12)` of joints `(..., 14)`."""
    joints = np.asarray(joints, dtype=np.float64)
    pose = np.empty(joints.shape[:-1] + (12,))
    for arm in range(2):
        waist, shoulder, elbow, _, wrist, roll, opening = np.moveaxis(joints[..., 7 * arm : 7 * arm + 7], -1, 0)
        lift = shoulder + elbow
        pitch = -(lift + wrist)
        radius = (
            UPPER_LENGTH * np.sin(shoulder + _UPPER_ANGLE)
            + FOREARM_LENGTH * np.cos(lift)
            + HAND_LENGTH * np.cos(pitch)
        )
        height = (
            SHOULDER_HEIGHT
            + UPPER_LENGTH * np.cos(shoulder + _UPPER_ANGLE)
            - FOREARM_LENGTH * np.sin(lift)
            + HAND_LENGTH * np.sin(pitch)
        )
        part = pose[..., 6 * arm : 6 * arm + 6]
        part[..., 0] = BASES[arm, 0] + FACING[arm] * radius * np.cos(waist)
        part[..., 1] = BASES[arm, 1] + FACING[arm] * radius * np.sin(waist)
        part[..., 2] = height
        part[..., 3], part[..., 4], part[..., 5] = pitch, roll, opening
    return pose


def joints_of(pose: Array) -> Array:
    """Joints `(..., 14)` that bring the hands to pose `(..., 12)`; one out of reach becomes the nearest along its arm.

    Joint limits are applied last, so the result is always executable. Non-finite poses raise ValueError.
    """
    pose = np.asarray(pose, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise ValueError("pose: has a value that is not finite")
    joints = np.zeros(pose.shape[:-1] + (14,))
    for arm in range(2):
        x, y, z, pitch, roll, opening = np.moveaxis(pose[..., 6 * arm : 6 * arm + 6], -1, 0)
        ahead = FACING[arm] * (x - BASES[arm, 0])
        aside = FACING[arm] * (y - BASES[arm, 1])
        radius = np.hypot(ahead, aside) - HAND_LENGTH * np.cos(pitch)
        height = z - SHOULDER_HEIGHT - HAND_LENGTH * np.sin(pitch)
        distance = np.clip(np.hypot(radius, height), 0.08, None)
        shrink = np.minimum(1.0, _REACH / distance)
        radius, height, distance = radius * shrink, height * shrink, distance * shrink
        inner = (UPPER_LENGTH**2 + distance**2 - FOREARM_LENGTH**2) / (2 * UPPER_LENGTH * distance)
        upper_elevation = np.arctan2(height, radius) + np.arccos(np.clip(inner, -1.0, 1.0))
        shoulder = np.pi / 2 - upper_elevation - _UPPER_ANGLE
        elbow_r = radius - UPPER_LENGTH * np.cos(upper_elevation)
        elbow_z = height - UPPER_LENGTH * np.sin(upper_elevation)
        lift = -np.arctan2(elbow_z, elbow_r)
        part = joints[..., 7 * arm : 7 * arm + 7]
        part[..., 0] = np.arctan2(aside, ahead)
        part[..., 1] = shoulder
        part[..., 2] = lift - shoulder
        part[..., 4] = -pitch - lift
        part[..., 5], part[..., 6] = roll, opening
    return np.clip(joints, LOWER, UPPER)
