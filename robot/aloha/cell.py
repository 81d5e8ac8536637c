"""The simulated ALOHA packing cell as a Driver: MuJoCo physics at 50 Hz, four cameras, episodes with named shifts.

Knows the scene and the state of the physics; knows nothing of commands, policies or the network. Judging (what is
held, what is packed) reads contacts and positions only, never intentions.
"""

from __future__ import annotations

import threading

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from hitl.errors import InputError, RobotError
from hitl.kinematics import ARMS, LOWER, UPPER, joints_of, pose_of
from robot.aloha import layout, scene
from robot.aloha.shifts import SHIFTS, Disturbances, Shift, make_shift
from robot.driver import Capture, Reading, RobotSpec, TaskStatus

RATE_HZ = 50.0
SUBSTEPS = 10
FINGER_CLOSED, FINGER_TRAVEL = 0.021, 0.036
"""Finger joint position when closed, and its way to fully open [m]."""
SECONDS_PER_OBJECT = 15.0
_MAX_SPEED = np.array([2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 6.0] * 2)
_NAMES = tuple(
    f"{side}_{joint}"
    for side in ARMS
    for joint in ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")
)

SPEC = RobotSpec(
    name="aloha",
    rate_hz=RATE_HZ,
    capture_hz=10.0,
    action_names=_NAMES,
    lower=LOWER,
    upper=UPPER,
    max_speed=_MAX_SPEED,
    cameras=scene.CAMERAS,
    shifts=SHIFTS,
    kinematics="viperx300s-pair",
)


def _finger_ctrl(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints `(14,)` -> MuJoCo's 16 position targets: both fingers of a hand mirror each other."""
    ctrl = np.zeros(16)
    for arm in range(2):
        finger = FINGER_CLOSED + FINGER_TRAVEL * joints[7 * arm + 6]
        ctrl[8 * arm : 8 * arm + 6] = joints[7 * arm : 7 * arm + 6]
        ctrl[8 * arm + 6 : 8 * arm + 8] = finger, -finger
    return ctrl


class AlohaCell:
    """The packing cell. `seed`: of the first episode. Positions in metres, world frame."""

    def __init__(self, seed: int | None = None) -> None:
        self.spec = SPEC
        self.model = scene.build()
        self.data = mujoco.MjData(self.model)
        self._view = mujoco.MjData(self.model)
        self._nominal = _Nominal(self.model)
        self._renderer: scene.Renderer | None = None
        self._lock = threading.Lock()
        self._objects = [self.model.joint(kind.name) for kind in scene.KINDS]
        self._object_bodies = {self.model.body(kind.name).id: index for index, kind in enumerate(scene.KINDS)}
        self._pads = {
            self.model.geom(f"vx300s_{side}/{finger}_finger_link/pad").id: (arm, finger)
            for arm, side in enumerate(ARMS)
            for finger in ("left", "right")
        }
        self._targets = joints_of(layout.HOME)
        self.reset(seed)

    # -- Driver -------------------------------------------------------------------------------------------------------

    def reset(self, seed: int | None = None, shift: str = "nominal", taste: int | None = None) -> None:
        """A new random episode; `seed` makes it reproducible. See `shifts.SHIFTS` for the names, and `make_shift` for
        `taste`."""
        if shift != "nominal" and shift not in SHIFTS:
            known = ", ".join(("nominal", *SHIFTS))
            raise InputError(f"there is no shift {shift!r}.", field="shift", hint=f"Use one of: {known}.")
        rng = np.random.default_rng(seed)
        placements = layout.sample_placements(rng, unseen=shift == "unseen-object")
        self.begin(placements, make_shift(shift, rng, placements, taste))

    def begin(
        self, placements: list[layout.Placement], shift: Shift | None = None, pose: NDArray[np.float64] | None = None
    ) -> None:
        """Start an episode with these objects, under `shift`, with the hands at `pose` (default: home)."""
        with self._lock:
            self.shift = shift or Shift()
            self.placements = placements
            self.tick = 0
            self._offset = np.zeros(14)
            self._offset[[0, 7]] = self.shift.waist_offsets
            self._disturbances = Disturbances(self.shift)
            self._nominal.apply(self.model, self.shift)
            mujoco.mj_resetData(self.model, self.data)
            self._targets = np.clip(joints_of(layout.HOME if pose is None else pose), LOWER, UPPER)
            self.data.qpos[:16] = self.data.ctrl[:] = _finger_ctrl(self._targets + self._offset)
            for placement in placements:
                kind = scene.KINDS[placement.kind]
                turn = [np.cos(placement.yaw / 2), 0, 0, np.sin(placement.yaw / 2)]
                address = self._objects[placement.kind].qposadr[0]
                self.data.qpos[address : address + 7] = [placement.x, placement.y, kind.height, *turn]
            mujoco.mj_forward(self.model, self.data)
            self.wanted = list(self.shift.wanted or [placement.kind for placement in placements])
            self._packed_order: list[int] = []

    def read(self) -> Reading:
        """The present state; joints as the arm's own encoders report them (an arm that is off does not know it)."""
        with self._lock:
            return Reading(joints=self._joints(), targets=self._targets.copy(), task=self._task())

    def act(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Send `(14,)` joint targets and simulate 20 ms. RobotError for targets of another shape or not finite."""
        targets = np.asarray(targets, dtype=np.float64)
        if targets.shape != (14,) or not np.isfinite(targets).all():
            raise RobotError("the action must be 14 finite numbers.", field="targets", hint="Nothing was sent.")
        with self._lock:
            self._targets = np.clip(targets, LOWER, UPPER)
            self._advance()
            return self._targets.copy()

    def hold(self) -> None:
        """Keep the last targets for 20 ms."""
        with self._lock:
            self._advance()

    def capture(self) -> Capture:
        """Draw all cameras now, for people and for policies. The first call binds drawing to the calling thread."""
        policy = self.policy_pictures()
        assert self._renderer is not None
        views = {camera.name: self._renderer.draw(self._view, camera.name) for camera in self.spec.cameras}
        return Capture(views=views, policy=policy)

    def policy_pictures(self) -> dict[str, NDArray[np.uint8]]:
        """What policies see: camera name -> uint8 RGB, drawn at twice its size and averaged, which smooths edges.

        Drawn apart from the larger views since the time of software drawing grows with the pixels.
        """
        if self._renderer is None:
            self._renderer = scene.Renderer(self.model)
        with self._lock:
            self._view.qpos[:] = self.data.qpos
        mujoco.mj_kinematics(self.model, self._view)
        mujoco.mj_comPos(self.model, self._view)
        mujoco.mj_camlight(self.model, self._view)
        pictures: dict[str, NDArray[np.uint8]] = {}
        for camera in self.spec.cameras:
            height, width = camera.policy_height, camera.policy_width
            picture = self._renderer.draw(self._view, camera.name, (2 * height, 2 * width))
            pictures[camera.name] = np.asarray(
                cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8
            )
        return pictures

    def object_pixels(self, camera: str) -> NDArray[np.float32]:
        """Where the centres of this episode's objects lie in the policy picture drawn last: column, row `(N, 2)`.

        Pixels; outside the picture where the camera does not see that far, NaN behind the camera.
        """
        number = self.model.camera(camera).id
        points = np.array([self.position(kind) for kind in self.kinds]) - self._view.cam_xpos[number]
        x, y, z = (points @ self._view.cam_xmat[number].reshape(3, 3)).T
        size = next(spec for spec in self.spec.cameras if spec.name == camera)
        focal = size.policy_height / 2 / np.tan(np.deg2rad(self.model.cam_fovy[number]) / 2)
        depth = np.where(z < -1e-3, -z, np.nan)  # cameras look along their own -z
        columns = size.policy_width / 2 + focal * x / depth
        rows = size.policy_height / 2 - focal * y / depth
        return np.stack((columns, rows), 1).astype(np.float32)

    def close(self) -> None:
        """Free the graphics contexts."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # -- state, for experts, oracles and judges -----------------------------------------------------------------------

    @property
    def time_s(self) -> float:
        """Simulated seconds of this episode."""
        return self.tick / RATE_HZ

    @property
    def limit_s(self) -> float:
        """Simulated seconds after which the task is over."""
        return 10.0 + SECONDS_PER_OBJECT * len(self.placements)

    @property
    def kinds(self) -> list[int]:
        """Kind indices of the objects of this episode, in canonical order."""
        return [placement.kind for placement in self.placements]

    @property
    def order_matters(self) -> bool:
        """Whether a person wished an order: then things count in that order only."""
        return self.shift.name == "wish"

    @property
    def box_xy(self) -> NDArray[np.float64]:
        """Centre of the box `(2,)`."""
        return self.model.body("box").pos[:2].copy()

    def pose(self) -> NDArray[np.float64]:
        """Measured pose `(12,)` as the encoders report it."""
        return pose_of(self._joints())

    def true_pose(self) -> NDArray[np.float64]:
        """Where the hands really are `(12,)`."""
        return pose_of(self._joints() + self._offset)

    def pose_target(self) -> NDArray[np.float64]:
        """Commanded pose `(12,)`."""
        return pose_of(self._targets)

    def position(self, kind: int) -> NDArray[np.float64]:
        """Centre of an object `(3,)`."""
        address = self._objects[kind].qposadr[0]
        return self.data.qpos[address : address + 3].copy()

    def held_by(self, kind: int) -> int | None:
        """The arm whose both finger pads touch the object, or None; the left one where both arms hold it."""
        touching = self._touches().get(kind, set())
        for arm in (0, 1):
            if (arm, "left") in touching and (arm, "right") in touching:
                return arm
        return None

    def held_in(self, arm: int) -> int | None:
        """The kind that both finger pads of this arm touch, or None."""
        for kind, touching in self._touches().items():
            if (arm, "left") in touching and (arm, "right") in touching:
                return kind
        return None

    def in_box(self, kind: int) -> bool:
        """Inside the box's walls, below their upper edge, and in no hand."""
        position = self.position(kind)
        inside = np.abs(position[:2] - self.box_xy).max() < scene.BOX_INSIDE + 0.004
        return bool(inside and position[2] < scene.BOX_WALL + 0.03 and self.held_by(kind) is None)

    def on_table(self, kind: int) -> bool:
        """Resting on the table outside the box, in no hand."""
        position = self.position(kind)
        resting = 0.0 < position[2] < scene.KINDS[kind].height + 0.02
        return bool(resting and not self.in_box(kind) and self.held_by(kind) is None)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _joints(self) -> NDArray[np.float64]:
        joints = np.zeros(14)
        for arm in range(2):
            joints[7 * arm : 7 * arm + 6] = self.data.qpos[8 * arm : 8 * arm + 6]
            fingers = (self.data.qpos[8 * arm + 6] - self.data.qpos[8 * arm + 7]) / 2
            joints[7 * arm + 6] = (fingers - FINGER_CLOSED) / FINGER_TRAVEL
        return joints - self._offset

    def _touches(self) -> dict[int, set[tuple[int, str]]]:
        touches: dict[int, set[tuple[int, str]]] = {}
        contact = self.data.contact
        bodies = self.model.geom_bodyid
        for one, two in zip(contact.geom1, contact.geom2, strict=True):
            for pad, other in ((one, two), (two, one)):
                if pad in self._pads and bodies[other] in self._object_bodies:
                    touches.setdefault(self._object_bodies[bodies[other]], set()).add(self._pads[pad])
        return touches

    def _advance(self) -> None:
        self.data.ctrl[:] = _finger_ctrl(self._targets + self._offset)
        self._disturbances.apply(self.model, self.data, self._held_now(), self.time_s)
        mujoco.mj_step(self.model, self.data, SUBSTEPS)
        self.tick += 1
        if self.tick % 10 == 0:
            self._note_packed()

    def _held_now(self) -> list[int]:
        return [kind for kind in (self.held_in(0), self.held_in(1)) if kind is not None]

    def _note_packed(self) -> None:
        for kind in self.kinds:
            inside = self.in_box(kind)
            if inside and kind not in self._packed_order:
                self._packed_order.append(kind)
            elif not inside and kind in self._packed_order:
                self._packed_order.remove(kind)

    def _task(self) -> TaskStatus:
        """Objects packed of objects wanted. Under a person's wish only the wished order counts."""
        if self.order_matters:
            stage = 0
            while stage < min(len(self._packed_order), len(self.wanted)):
                if self._packed_order[stage] != self.wanted[stage]:
                    break
                stage += 1
            spoiled = any(kind not in self.wanted for kind in self._packed_order)
            success = stage == len(self.wanted) and not spoiled
        else:
            stage = sum(kind in self._packed_order for kind in self.wanted)
            success = stage == len(self.wanted)
        return TaskStatus(
            name="pack the box",
            stage=stage,
            stages=len(self.wanted),
            finished=success or self.time_s >= self.limit_s,
            success=success,
            note=self.shift.note,
        )


class _Nominal:
    """The model's values that shifts change, kept so that each episode starts from the nominal ones."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.box = model.body("box").pos.copy()
        self.friction = model.geom_friction.copy()
        self.diffuse = model.light_diffuse.copy()
        self.head = model.vis.headlight.diffuse.copy(), model.vis.headlight.ambient.copy()
        self.camera_pos = model.cam_pos.copy()
        self.camera_quat = model.cam_quat.copy()
        self._grip = [
            geom
            for geom in range(model.ngeom)
            if "pad" in (model.geom(geom).name or "") or model.geom(geom).condim[0] == 6
        ]

    def apply(self, model: mujoco.MjModel, shift: Shift) -> None:
        """Nominal values, then those of `shift`."""
        model.body("box").pos[:2] = self.box[:2] + shift.box_move
        model.geom_friction[:] = self.friction
        model.geom_friction[self._grip, 0] *= shift.grip_friction
        model.light_diffuse[:] = self.diffuse * shift.light
        model.vis.headlight.diffuse[:] = self.head[0] * shift.light
        model.vis.headlight.ambient[:] = self.head[1] * shift.light
        model.cam_pos[:] = self.camera_pos
        model.cam_quat[:] = self.camera_quat
        overhead, front = model.camera("overhead").id, model.camera("front").id
        for camera, move in ((overhead, shift.camera_moves[0]), (front, shift.camera_moves[1])):
            model.cam_pos[camera] += move[:3]
            turn = np.zeros(4)
            mujoco.mju_axisAngle2Quat(turn, np.array([0.0, 0.0, 1.0]), float(move[3]))
            mujoco.mju_mulQuat(model.cam_quat[camera], self.camera_quat[camera], turn)
