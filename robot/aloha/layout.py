"""Where things go in the packing cell: poses to rest in, zones objects lie in, and the random start of an episode.

Pure numbers; knows nothing of MuJoCo. Metres and radians, world frame (left = -x, forward = +y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.aloha.scene import BOX_POSITION, KINDS

TRAINED_KINDS = tuple(kind.name for kind in KINDS[:-1])
ALL_KINDS = tuple(kind.name for kind in KINDS)

DOWN = -np.pi / 2
HOME = np.array([-0.25, 0.32, 0.20, -1.3, 0.0, 0.6, 0.25, 0.32, 0.20, -1.3, 0.0, 0.6])
"""The rest pose: hands beside the work, out of the overhead camera's way."""

LEFT_ZONE = ((-0.08, 0.05), (0.37, 0.65))
"""(x, y) ranges that the left arm reaches; the box stands on its side of the table."""
RIGHT_ZONE = ((0.13, 0.22), (0.37, 0.64))
"""(x, y) ranges out of the left arm's reach: packing needs a hand-over."""
DIVIDE_X = 0.09
"""Objects left of this belong to the left arm."""
SPACING = 0.085
"""Least distance between two objects [m], so that an open hand fits between them."""


@dataclass(frozen=True)
class Placement:
    """One object at the start: kind index into `scene.KINDS`, position on the table [m] and yaw [rad]."""

    kind: int
    x: float
    y: float
    yaw: float


def sample_placements(
    rng: np.random.Generator, count: int | None = None, unseen: bool = False, right: int | None = None
) -> list[Placement]:
    """3 to 5 objects (or `count`) of different kinds, 1 or 2 of them (or `right`) only in reach of the right arm."""
    count = int(rng.integers(3, 6)) if count is None else count
    kinds = list(rng.permutation(len(TRAINED_KINDS))[:count])
    if unseen:
        kinds[int(rng.integers(count))] = len(KINDS) - 1
    if right is None:
        right = int(rng.integers(1, 3)) if count > 3 else 1
    zones = [RIGHT_ZONE] * right + [LEFT_ZONE] * (count - right)
    while True:
        placed: list[Placement] = []
        for kind, zone in zip(kinds, zones, strict=True):
            spot = _free_spot(rng, zone, placed)
            if spot is None:
                break
            yaw = float(rng.uniform(-1, 1)) * KINDS[kind].yaw
            placed.append(Placement(int(kind), spot[0], spot[1], yaw))
        if len(placed) == count:
            return sorted(placed, key=lambda placement: placement.kind)


def _free_spot(rng: np.random.Generator, zone: tuple, placed: list[Placement]) -> tuple[float, float] | None:
    (x0, x1), (y0, y1) = zone
    for _ in range(40):
        x, y = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
        if all(np.hypot(x - other.x, y - other.y) >= SPACING for other in placed):
            return x, y
    return None


def arm_for(x: float) -> int:
    """The arm (0 left, 1 right) that picks what lies at `x`."""
    return 0 if x < DIVIDE_X else 1


def busy_arm(pose: NDArray[np.float64]) -> int:
    """The arm meant by "go higher": the one farther from its home position (the right one where equal)."""
    away = [float(np.linalg.norm(pose[6 * arm : 6 * arm + 3] - HOME[6 * arm : 6 * arm + 3])) for arm in (0, 1)]
    return 0 if away[0] > away[1] else 1


BOX_XY = np.array(BOX_POSITION)
