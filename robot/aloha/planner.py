"""What to do next in the packing cell, from the simulator's state: the order of commands that packs the box.

The generator narrates demonstrations with it, and the oracle corrector knows from it what a person would want.
"""

from __future__ import annotations

from collections.abc import Sequence

from robot.aloha import layout, scene
from robot.aloha.cell import AlohaCell

PUT_IN_BOX = "put it in the box"
HAND_LEFT = "hand it to the left arm"
GO_HOME = "go home"


def next_command(cell: AlohaCell, order: Sequence[int]) -> str:
    """The canonical command that a person would give now to pack the kinds of `order`, first to last."""
    left, right = cell.held_in(0), cell.held_in(1)
    if left is not None:
        return PUT_IN_BOX if left in order else "put it down"
    if right is not None:
        return HAND_LEFT if right in order else "put it down"
    for kind in order:
        if not cell.in_box(kind) and is_reachable(cell, kind):
            return f"pick up the {scene.KINDS[kind].name}"
    return GO_HOME


def is_reachable(cell: AlohaCell, kind: int) -> bool:
    """Whether an object lies on the table where one of the arms can grasp it."""
    x, y, z = cell.position(kind)
    (x0, _), (y0, y1) = layout.LEFT_ZONE
    x1 = layout.RIGHT_ZONE[0][1]
    return bool(x0 - 0.03 <= x <= x1 + 0.02 and y0 - 0.04 <= y <= y1 + 0.04 and -0.01 < z < 0.08)
