"""A driver without physics: first-order joints and moving test pictures, for benches and tests of everything else.

Joints follow their targets with a time constant of 60 ms. Pictures are a fixed gradient with a bar that moves with the
time and a block whose place is the first joint, so that a viewer sees that frames are fresh and that the robot moves.
It has ALOHA's joints and cameras by default, so that the packaged policies run on it (and do nothing sensible there).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hitl.errors import InputError, RobotError
from hitl.kinematics import LOWER, UPPER
from robot.driver import CameraSpec, Capture, Reading, RobotSpec, TaskStatus

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

TIME_CONSTANT_S = 0.06
ALOHA_CAMERAS = (
    CameraSpec("overhead", 480, 640, 96, 128),
    CameraSpec("front", 480, 640, 48, 64),
    CameraSpec("left_wrist", 240, 320, 48, 64),
    CameraSpec("right_wrist", 240, 320, 48, 64),
)
_ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")
_HOME = np.array([0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 0.5] * 2)


class SyntheticDriver:
    """First-order joints and synthetic pictures; implements `robot.driver.Driver`."""

    def __init__(
        self,
        cameras: Sequence[CameraSpec] = ALOHA_CAMERAS,
        *,
        rate_hz: float = 50.0,
        capture_hz: float = 10.0,
        seed: int | None = None,
    ) -> None:
        self.spec = RobotSpec(
            name="synthetic",
            rate_hz=rate_hz,
            capture_hz=capture_hz,
            action_names=tuple(f"{arm}_{joint}" for arm in ("left", "right") for joint in _ARM),
            lower=LOWER.copy(),
            upper=UPPER.copy(),
            max_speed=np.full(14, 3.0),
            cameras=tuple(cameras),
            shifts=("offset",),
            kinematics="aloha",
        )
        self._backgrounds = {camera.name: _gradient(camera.height, camera.width) for camera in cameras}
        self._closed = threading.Event()
        self._follow = 1.0 - np.exp(-1.0 / rate_hz / TIME_CONSTANT_S)
        self.reset(seed)

    def reset(self, seed: int | None = None, shift: str = "nominal") -> None:
        """Back to a pose drawn from `seed`; "offset" moves the pose that joints settle at by 0.02 rad."""
        if shift not in ("nominal", *self.spec.shifts):
            known = ", ".join(("nominal", *self.spec.shifts))
            raise InputError(f"no shift {shift!r}.", field="shift", hint=f"Known: {known}.")
        spread = np.random.default_rng(seed).uniform(-0.05, 0.05, 14)
        self._joints = np.clip(_HOME + spread, self.spec.lower, self.spec.upper)
        self._targets = self._joints.copy()
        self._offset = 0.02 if shift == "offset" else 0.0
        self._ticks = 0

    def read(self) -> Reading:
        """The present state; the task never finishes."""
        return Reading(self._joints.copy(), self._targets.copy(), TaskStatus("none", 0, 1, False, False))

    def act(self, targets: Array) -> Array:
        """Move by one tick towards `(14,)` targets, clipped to the limits."""
        if self._closed.is_set():
            raise RobotError("the synthetic robot is closed.", field="act")
        if np.shape(targets) != (14,) or not np.isfinite(targets).all():
            raise RobotError("targets must be 14 finite numbers.", field="act")
        self._targets = np.clip(targets, self.spec.lower, self.spec.upper)
        self._step()
        return self._targets.copy()

    def hold(self) -> None:
        """Keep the present targets for one tick."""
        self._step()

    def capture(self) -> Capture:
        """Pictures of the present moment; policy pictures are the views, thinned."""
        views: dict[str, Picture] = {}
        policy: dict[str, Picture] = {}
        phase = time.monotonic() % 2.0 / 2.0
        for camera in self.spec.cameras:
            view = self._backgrounds[camera.name].copy()
            bar = int(phase * (camera.width - 8))
            view[:, bar : bar + 8] = (255, 210, 60)
            place = int((self._joints[0] / 6.2 + 0.5) * (camera.height - 16))
            view[place : place + 16, 16:48] = (60, 130, 255)
            views[camera.name] = view
            policy[camera.name] = _thinned(view, camera.policy_height, camera.policy_width)
        return Capture(views, policy)

    def close(self) -> None:
        """No further actions are taken."""
        self._closed.set()

    def _step(self) -> None:
        self._joints = self._joints + self._follow * (self._targets + self._offset - self._joints)
        self._ticks += 1


def _gradient(height: int, width: int) -> Picture:
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(20, 90, width, dtype=np.uint8)
    picture[..., 1] = np.linspace(30, 110, height, dtype=np.uint8)[:, None]
    picture[..., 2] = 70
    return picture


def _thinned(picture: Picture, height: int, width: int) -> Picture:
    rows = np.linspace(0, picture.shape[0] - 1, height).astype(int)
    columns = np.linspace(0, picture.shape[1] - 1, width).astype(int)
    return np.ascontiguousarray(picture[rows][:, columns])
