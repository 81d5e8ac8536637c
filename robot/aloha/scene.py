"""The MuJoCo scene of the packing cell: two ViperX arms, a table, an open box, objects and four cameras.

Arms and table come from gym-aloha's assets (a dependency, MIT). What differs here, and why:
- dense meshes are thinned by vertex clustering, since drawing them without a GPU is bound by triangles;
- only hands and fingers collide, with box pads at the finger tips: stable grasps and cheap contacts;
- friction loss and gains of the joints are our own: gym-aloha's leave a dead band of about 1 rad at the wrists;
- shadows, reflections and sky are off (three times faster, see `docs/measurements.md`).
It knows nothing of tasks, commands or policies.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from hitl.errors import MissingPackageError
from robot.driver import CameraSpec

TABLE_HEIGHT = 0.0
BOX_POSITION = (-0.20, 0.5)
BOX_INSIDE = 0.066
"""Half the inner side of the box [m]."""
BOX_WALL = 0.05
"""Height of the box's walls [m]."""
PARKING = (0.0, -4.0)
"""Objects that an episode does not use stand on a shelf here, out of every camera's sight."""

CAMERAS = (
    CameraSpec("overhead", 480, 640, 96, 128),
    CameraSpec("front", 240, 320, 48, 64),
    CameraSpec("left_wrist", 240, 320, 48, 64),
    CameraSpec("right_wrist", 240, 320, 48, 64),
)


@dataclass(frozen=True)
class ObjectKind:
    """One kind of object. `height`: of its resting centre above the table; `grip`: of a grasp above that centre."""

    name: str
    rgba: tuple[float, float, float, float]
    height: float
    grip: float = 0.004
    yaw: float = 0.3
    """It is placed within ± this yaw [rad]."""


KINDS: tuple[ObjectKind, ...] = (
    ObjectKind("red block", (0.85, 0.13, 0.12, 1), 0.022, yaw=0.5),
    ObjectKind("green cylinder", (0.13, 0.62, 0.22, 1), 0.024),
    ObjectKind("blue ball", (0.12, 0.32, 0.85, 1), 0.020, grip=0.0),
    ObjectKind("yellow bar", (0.95, 0.80, 0.10, 1), 0.018),
    ObjectKind("purple capsule", (0.52, 0.20, 0.70, 1), 0.016, grip=0.0),
    ObjectKind("orange cross", (0.96, 0.48, 0.08, 1), 0.018, yaw=0.15),
    ObjectKind("pink ring", (0.95, 0.45, 0.65, 1), 0.014, grip=0.0),
)
"""The last kind is never trained on; it belongs to the shift "unseen object"."""


def _thin(vertices: NDArray[np.float64], faces: NDArray[np.int64], cell: float) -> tuple[NDArray, NDArray]:
    """Merge the vertices inside each cube of side `cell` [m]; drop triangles that vanish (vertex clustering)."""
    keys = np.round(vertices / cell).astype(np.int64)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[faces]
    alive = (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 0] != merged[:, 2])
    return vertices[first], np.unique(merged[alive], axis=0)


def _read_stl(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices [file units] and triangles of a binary STL file."""
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    corners = np.frombuffer(data, record, count, 84)["corners"].reshape(-1, 3).astype(np.float64)
    return corners, np.arange(len(corners), dtype=np.int64).reshape(-1, 3)


def _stl_bytes(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> bytes:
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    out = np.zeros(len(faces), record)
    out["corners"] = vertices[faces]
    return b"\0" * 80 + len(faces).to_bytes(4, "little") + out.tobytes()


def _asset_folder() -> Path:
    """gym-aloha's assets, found without importing it (it would import gymnasium)."""
    found = importlib.util.find_spec("gym_aloha")
    if found is None or found.origin is None:
        raise MissingPackageError(
            "the cell needs the meshes of gym-aloha, which is not installed.",
            field="gym-aloha",
            hint="Run: pip install 'hitl[robot]', or make setup.",
        )
    return Path(found.origin).parent / "assets"


def _assets(folder: Path) -> dict[str, bytes]:
    """gym-aloha's meshes by file name, thinned to 4 mm where they are dense (STL units there are millimetres)."""
    assets = {}
    for path in sorted(folder.glob("*.stl")):
        vertices, faces = _read_stl(path)
        if path.name == "tabletop.stl":
            assets[path.name] = path.read_bytes()
            continue
        cell = 1.0 if "finger" in path.name else 4.0
        assets[path.name] = _stl_bytes(*_thin(vertices, faces, cell))
    return assets


def _add_box(spec: mujoco.MjSpec) -> None:
    body = spec.worldbody.add_body(name="box", pos=[*BOX_POSITION, 0.0])
    side, wall = BOX_INSIDE, 0.003
    colour = [0.78, 0.70, 0.58, 1]
    plates = [
        ([0, 0, wall], [side, side, wall]),
        ([side + wall, 0, BOX_WALL / 2], [wall, side + 2 * wall, BOX_WALL / 2]),
        ([-side - wall, 0, BOX_WALL / 2], [wall, side + 2 * wall, BOX_WALL / 2]),
        ([0, side + wall, BOX_WALL / 2], [side, wall, BOX_WALL / 2]),
        ([0, -side - wall, BOX_WALL / 2], [side, wall, BOX_WALL / 2]),
    ]
    for pos, size in plates:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size, rgba=colour, friction=[0.6, 0.005, 0.0001])


def _shapes(kind: ObjectKind) -> list[dict]:
    """Geoms of one object, around its centre; sizes in metres."""
    box, cylinder = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    lying = [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]
    if kind.name == "red block":
        return [dict(type=box, size=[0.016, 0.016, 0.022])]
    if kind.name == "green cylinder":
        return [dict(type=cylinder, size=[0.017, 0.024, 0])]
    if kind.name == "blue ball":
        return [dict(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.020, 0, 0])]
    if kind.name == "yellow bar":
        return [dict(type=box, size=[0.026, 0.011, 0.018])]
    if kind.name == "purple capsule":
        return [dict(type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[0.016, 0.016, 0], quat=lying)]
    if kind.name == "orange cross":
        return [dict(type=box, size=[0.026, 0.010, 0.018]), dict(type=box, size=[0.010, 0.026, 0.018])]
    angles = np.arange(8) * np.pi / 4
    return [
        dict(
            type=box,
            size=[0.0055, 0.0105, 0.014],
            pos=[0.021 * np.cos(a), 0.021 * np.sin(a), 0],
            quat=[np.cos(a / 2), 0, 0, np.sin(a / 2)],
        )
        for a in angles
    ]


def _add_objects(spec: mujoco.MjSpec) -> None:
    shelf = spec.worldbody.add_body(name="shelf", pos=[*PARKING, -0.05])
    shelf.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[1.5, 0.3, 0.05])
    for index, kind in enumerate(KINDS):
        body = spec.worldbody.add_body(name=kind.name, pos=[PARKING[0] + 0.3 * index, PARKING[1], kind.height])
        body.add_freejoint(name=kind.name)
        shapes = _shapes(kind)
        for shape in shapes:
            body.add_geom(
                **shape,
                rgba=kind.rgba,
                mass=0.05 / len(shapes),
                condim=6,
                friction=[1.0, 0.02, 0.002],
                solref=[0.008, 1.0],
            )


_GAINS = {  # position gain, damping, friction loss, greatest force: chosen so that tracking errs by under 3 mm
    "waist": (900.0, 40.0, 1.0, 150.0),
    "shoulder": (1800.0, 60.0, 1.0, 300.0),
    "elbow": (1200.0, 40.0, 1.0, 150.0),
    "forearm_roll": (250.0, 8.0, 0.2, 60.0),
    "wrist_angle": (300.0, 8.0, 0.2, 60.0),
    "wrist_rotate": (100.0, 3.0, 0.1, 30.0),
    "finger": (350.0, 12.0, 0.1, 10.0),
}


def _tune_arms(spec: mujoco.MjSpec) -> None:
    """Our own gains, friction and collision geometry; see the module's docstring."""
    for joint in spec.joints:
        name = joint.name.split("/")[-1]
        if "vx300s" not in joint.name:
            continue
        gain = _GAINS["finger" if "finger" in name else name]
        joint.damping = [gain[1], 0, 0]
        joint.frictionloss, joint.armature = gain[2], 0.02
        if "finger" in name:
            joint.armature = 0.1
    for actuator in spec.actuators:
        name = actuator.target.split("/")[-1]
        gain = _GAINS["finger" if "finger" in name else name]
        actuator.gainprm[0], actuator.biasprm[1] = gain[0], -gain[0]
        actuator.forcelimited, actuator.forcerange = True, [-gain[3], gain[3]]
    for body in spec.bodies:
        if "vx300s" not in body.name:
            continue
        body.gravcomp = 1.0  # the real arms' controller holds them against gravity too
        for geom in body.geoms:
            geom.contype, geom.conaffinity = 0, 0
        side = {"left_finger_link": -1.0, "right_finger_link": 1.0}.get(body.name.split("/")[-1])
        if side is not None:
            body.add_geom(
                name=f"{body.name}/pad",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[0.0615, side * 0.0184, 0],
                size=[0.0235, 0.004, 0.008],
                group=4,
                condim=4,
                friction=[1.2, 0.02, 0.0005],
                solref=[0.008, 1.0],
                mass=0.0,
            )
        if body.name.endswith("gripper_link"):
            body.add_geom(
                name=f"{body.name}/palm",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[0.055, 0, 0],
                size=[0.035, 0.06, 0.025],
                group=4,
                mass=0.0,
            )


def _add_cameras(spec: mujoco.MjSpec) -> None:
    for camera in list(spec.cameras):
        spec.delete(camera)
    world = spec.worldbody
    world.add_camera(name="overhead", pos=[0, 0.5, 1.0], xyaxes=[1, 0, 0, 0, 1, 0], fovy=32)
    forward = np.array([0, 0.75, -0.5]) / np.hypot(0.75, 0.5)
    world.add_camera(name="front", pos=[0, -0.25, 0.56], xyaxes=[1, 0, 0, 0, -forward[2], forward[1]], fovy=40)
    for side in ("left", "right"):
        hand = spec.body(f"vx300s_{side}/gripper_link")
        look = np.array([0.20, 0, -0.13]) / np.hypot(0.20, 0.13)
        hand.add_camera(name=f"{side}_wrist", pos=[-0.06, 0, 0.13], xyaxes=[0, -1, 0, -look[2], 0, look[0]], fovy=60)


def build() -> mujoco.MjModel:
    """The compiled model; the same each time."""
    folder = _asset_folder()
    spec = mujoco.MjSpec.from_file(str(folder / "bimanual_viperx_transfer_cube.xml"))
    spec.assets = _assets(folder)
    spec.delete(spec.body("box"))
    for key in list(spec.keys):
        spec.delete(key)
    spec.compiler.inertiagrouprange = [0, 5]
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = 0
    spec.visual.headlight.ambient = [0.32, 0.32, 0.32]
    spec.visual.headlight.diffuse = [0.25, 0.25, 0.25]
    spec.stat.extent, spec.stat.center = 1.0, [0, 0.5, 0.1]  # near and far planes scale with the extent
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 10.0
    for light in spec.lights:
        light.diffuse, light.specular = [0.22, 0.22, 0.22], [0.1, 0.1, 0.1]
    spec.geom("table").rgba = [0.33, 0.35, 0.38, 1]
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3, 3, 1],
        pos=[0, 0.5, -0.2],
        rgba=[0.52, 0.54, 0.57, 1],
        contype=0,
        conaffinity=0,
    )
    _add_box(spec)
    _add_objects(spec)
    _tune_arms(spec)
    _add_cameras(spec)
    return spec.compile()


class Renderer:
    """Draws the four cameras of one model; belongs to the thread that made it.

    `light` scales all lights (1 = nominal).
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._sizes = {camera.name: (camera.height, camera.width) for camera in CAMERAS}
        model.vis.global_.offheight = max(height for height, _ in self._sizes.values())
        model.vis.global_.offwidth = max(width for _, width in self._sizes.values())
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._model = model

    def draw(self, data: mujoco.MjData, camera: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """One uint8 RGB picture `(h, w, 3)` of `size` (default: the camera's own)."""
        size = size or self._sizes[camera]
        renderer = self._renderers.get(size)
        if renderer is None:
            renderer = mujoco.Renderer(self._model, *size)
            self._close_at_exit()
            for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
                renderer.scene.flags[flag] = 0
            renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0
            self._renderers[size] = renderer
        renderer.update_scene(data, camera)
        return renderer.render()

    def _close_at_exit(self) -> None:
        """Left to the interpreter's end, EGL would complain of contexts already gone; and so it would where what ends
        EGL, registered with the first context, came first."""
        atexit.unregister(self.close)
        atexit.register(self.close)

    def close(self) -> None:
        """Free the graphics contexts; may be called twice, and from another thread than the one that drew."""
        atexit.unregister(self.close)
        for renderer in self._renderers.values():
            with contextlib.suppress(Exception):  # a context made in a thread that has ended is gone already
                renderer.close()
        self._renderers.clear()
