"""Named shifts of the packing cell that nobody trains on: what each changes, drawn at random per episode.

They are where corrections earn their keep. Pure description plus the forces of a push; the cell applies the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot.aloha.layout import Placement
from robot.aloha.scene import KINDS

SHIFTS = ("arm-off", "unseen-object", "box-moved", "slippery", "push", "light-camera", "wish")


@dataclass(frozen=True)
class Shift:
    """What differs from the nominal cell in one episode.

    waist_offsets: error of each arm's waist encoder [rad]; box_move: of the box `(2,)` [m]; grip_friction and light:
    factors; camera_moves: for overhead and front dx, dy, dz [m] and roll [rad]; pushes: how many times at most a held
    object is knocked; wanted: kinds in the order a person wishes (those left out must stay out).
    """

    name: str = "nominal"
    note: str = ""
    waist_offsets: tuple[float, float] = (0.0, 0.0)
    box_move: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    grip_friction: float = 1.0
    light: float = 1.0
    camera_moves: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 4)))
    pushes: int = 0
    push_seed: int = 0
    wanted: tuple[int, ...] = ()


def make_shift(name: str, rng: np.random.Generator, placements: list[Placement], taste: int | None = None) -> Shift:
    """The shift `name` for one episode; "nominal" changes nothing.

    taste: a seed for what lasts over episodes, so that it can be learned: what a person wishes, and where the box
    stands; None draws both for this one.
    """
    sign = rng.choice([-1.0, 1.0], size=4)
    if name == "arm-off":
        # 8 to 15 mm at 0.42 m from the base, where the objects are
        offset = float(rng.uniform(0.008, 0.015)) / 0.42 * sign[0]
        arm = int(rng.integers(2))
        return Shift(name, "one arm is off", waist_offsets=(offset, 0.0) if arm == 0 else (0.0, offset))
    if name == "unseen-object":
        return Shift(name, "an object nobody trained on")
    if name == "box-moved":
        if taste is not None:
            rng = np.random.default_rng(taste)
            sign = rng.choice([-1.0, 1.0], size=4)
        move = np.array([float(rng.uniform(0.0, 0.02)), sign[0] * float(rng.uniform(0.06, 0.10))])
        return Shift(name, "the box stands elsewhere", box_move=move)
    if name == "slippery":
        return Shift(name, "slippery grippers", grip_friction=float(rng.uniform(0.18, 0.25)))
    if name == "push":
        return Shift(name, "somebody pushes", pushes=2, push_seed=int(rng.integers(2**31)))
    if name == "light-camera":
        moves = np.zeros((2, 4))
        moves[:, :3] = rng.uniform(0.008, 0.018, (2, 3)) * rng.choice([-1.0, 1.0], (2, 3))
        moves[:, 3] = rng.uniform(0.02, 0.05, 2) * sign[:2]
        return Shift(name, "other light and camera pose", light=float(rng.uniform(0.5, 0.65)), camera_moves=moves)
    if name == "wish":
        return _wish(rng, placements) if taste is None else _lasting_wish(np.random.default_rng(taste), placements)
    return Shift()


def _wish(rng: np.random.Generator, placements: list[Placement]) -> Shift:
    """Another order than the canonical one, or (every other time) one object left out."""
    kinds = [placement.kind for placement in placements]
    if rng.random() < 0.5:
        left_out = int(rng.integers(len(kinds) - 1))
        wanted = tuple(kind for kind in kinds if kind != kinds[left_out])
        return Shift("wish", f"leave the {KINDS[kinds[left_out]].name} out", wanted=wanted)
    order = list(kinds)
    while order[0] == kinds[0]:
        order = [kinds[i] for i in rng.permutation(len(kinds))]
    names = ", ".join(KINDS[kind].name for kind in order)
    return Shift("wish", f"in this order: {names}", wanted=tuple(order))


def _lasting_wish(rng: np.random.Generator, placements: list[Placement]) -> Shift:
    """What one person always wishes: an order of all kinds in which no kind stands where it stands in the canonical
    one, or (every other time) one kind left out wherever it lies, the others in the canonical order."""
    kinds = [placement.kind for placement in placements]
    if rng.random() < 0.5:
        left_out = int(rng.integers(len(KINDS) - 1))
        return Shift(
            "wish", f"always leave the {KINDS[left_out].name} out", wanted=tuple(k for k in kinds if k != left_out)
        )
    order = list(range(len(KINDS)))
    while any(kind == place for place, kind in enumerate(order)):
        order = [int(kind) for kind in rng.permutation(len(KINDS))]
    names = ", ".join(KINDS[kind].name for kind in order)
    return Shift("wish", f"always in this order: {names}", wanted=tuple(kind for kind in order if kind in kinds))


class Disturbances:
    """Pushes of one episode: at a random moment of carrying, a held object is knocked out of the hand.

    A blow strong enough to beat the grip would shoot the object off the table; so for the time of the push (0.3 s, or
    until the object is out of the hand) the contact slides, and a small force pulls the object down and aside.
    """

    FORCE_N = 2.0
    SECONDS = 0.3
    RATE_PER_S = 0.4
    SLIDING = 0.03
    """Factor of the friction of finger pads and object during a push."""

    def __init__(self, shift: Shift) -> None:
        self._left = shift.pushes
        self._rng = np.random.default_rng(shift.push_seed)
        self._until_s = -1.0
        self._body = self._kind = -1
        self._friction: NDArray[np.float64] | None = None

    def apply(self, model: mujoco.MjModel, data: mujoco.MjData, held: list[int], time_s: float) -> None:
        """Begin or end a push; to be called before each tick of 20 ms."""
        if self._body >= 0 and (time_s >= self._until_s or self._kind not in held):
            self._end(model, data)
        if self._left and held and self._body < 0 and self._rng.random() < self.RATE_PER_S * 0.02:
            self._begin(model, data, held[0], time_s)

    def _begin(self, model: mujoco.MjModel, data: mujoco.MjData, kind: int, time_s: float) -> None:
        self._left -= 1
        self._kind, self._until_s = kind, time_s + self.SECONDS
        self._body = model.body(KINDS[kind].name).id
        aside = self._rng.uniform(-0.5, 0.5, 2)
        data.xfrc_applied[self._body, :3] = np.array([*aside, -1.0]) * self.FORCE_N
        self._friction = model.geom_friction.copy()
        pads = [geom for geom in range(model.ngeom) if (model.geom(geom).name or "").endswith("/pad")]
        model.geom_friction[pads] *= self.SLIDING
        model.geom_friction[model.geom_bodyid == self._body] *= self.SLIDING

    def _end(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        data.xfrc_applied[self._body] = 0.0
        if self._friction is not None:
            model.geom_friction[:] = self._friction
        self._body = self._kind = -1
