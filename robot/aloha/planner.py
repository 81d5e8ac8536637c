"""What to do next in the packing cell, from the simulator's state: the order of commands that packs the box.

The generator narrates demonstrations with it, and the oracle corrector knows from it what a person would want.
`script` is the same order written down beforehand, for who does not look what becomes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from robot.aloha import layout, scene
from robot.aloha.cell import AlohaCell

PUT_IN_BOX = "put it in the box"
PUT_DOWN = "put it down"
HAND_LEFT = "hand it to the left arm"
GO_HOME = "go home"


def next_command(cell: AlohaCell, order: Sequence[int]) -> str:
    """The canonical command that a person would give now to pack the kinds of `order`, first to last.

    Where the order is a wish, a thing that is held before its turn goes back to the table.
    """
    left, right = cell.held_in(0), cell.held_in(1)
    if left is not None and left == right:
        return HAND_LEFT  # until the right hand has let go
    for held, onwards in ((left, PUT_IN_BOX), (right, HAND_LEFT)):
        if held is not None:
            return onwards if held in order and _may_follow(cell, held, order) else PUT_DOWN
    for kind in order:
        if not cell.in_box(kind) and is_reachable(cell, kind):
            return f"pick up the {scene.KINDS[kind].name}"
    return GO_HOME


def script(cell: AlohaCell) -> list[str]:
    """The canonical commands from the start of an episode to its end, as they are where each does what it should.

    What a person writes down who knows which objects lie on which side of the table, and nothing of wishes.
    """
    commands = []
    for placement in cell.placements:
        passed = [HAND_LEFT] if layout.arm_for(placement.x) == 1 else []
        commands += [f"pick up the {scene.KINDS[placement.kind].name}", *passed, PUT_IN_BOX]
    return [*commands, GO_HOME]


def _may_follow(cell: AlohaCell, kind: int, order: Sequence[int]) -> bool:
    """Whether `kind` may be packed now: in any order, or where all that is wished before it is in the box."""
    return not cell.order_matters or all(cell.in_box(before) for before in order[: list(order).index(kind)])


def is_reachable(cell: AlohaCell, kind: int) -> bool:
    """Whether an object lies on the table where one of the arms can grasp it."""
    x, y, z = cell.position(kind)
    (x0, _), (y0, y1) = layout.LEFT_ZONE
    x1 = layout.RIGHT_ZONE[0][1]
    return bool(x0 - 0.03 <= x <= x1 + 0.02 and y0 - 0.04 <= y <= y1 + 0.04 and -0.01 < z < 0.08)
