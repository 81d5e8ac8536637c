"""Whether a command was done, judged by the physics alone: what is held, where things and hands are.

Knows nothing of policies. A judge is made when the command begins and asked when it has ended.
"""

from __future__ import annotations

import numpy as np

from robot.aloha import layout
from robot.aloha.cell import AlohaCell
from robot.aloha.expert import Expert
from robot.aloha.grammar import Command

OTHER_ARM_M = 0.02
"""The arm that a motion does not mean may move this far at most [m]."""


class Judge:
    """Judges one command from the state in which it began."""

    def __init__(self, cell: AlohaCell, command: Command) -> None:
        self._cell = cell
        self._command = command
        self.arm = Expert(cell, command).arm
        self._pose = cell.true_pose()
        self._targets = cell.pose_target()
        self._held = (cell.held_in(0), cell.held_in(1))

    def done(self) -> bool:
        """Whether the present state is what the command asked for."""
        return bool(getattr(self, f"_{self._command.skill}")())

    @property
    def _kind(self) -> int:
        return layout.ALL_KINDS.index(self._command.kind)

    def _change(self) -> np.ndarray:
        """Change of the meant arm's measured pose since the beginning `(6,)`."""
        return (self._cell.true_pose() - self._pose)[6 * self.arm : 6 * self.arm + 6]

    def _other_moved(self) -> float:
        other = 1 - self.arm
        return float(np.linalg.norm((self._cell.true_pose() - self._pose)[6 * other : 6 * other + 3]))

    def _pick(self) -> bool:
        return self._cell.held_by(self._kind) is not None and self._cell.position(self._kind)[2] > 0.07

    def _box(self) -> bool:
        held = self._held[self.arm]
        return held is not None and self._cell.in_box(held)

    def _down(self) -> bool:
        held = self._held[self.arm]
        return held is not None and self._cell.on_table(held)

    def _handover(self) -> bool:
        held = self._held[1 - self.arm]
        return held is not None and self._cell.held_in(self.arm) == held and self._cell.held_in(1 - self.arm) is None

    def _home(self) -> bool:
        arms = (0, 1) if self._command.arm in ("both", "auto") else (self.arm,)
        pose = self._cell.true_pose()
        return all(np.linalg.norm((pose - layout.HOME)[6 * arm : 6 * arm + 3]) < 0.025 for arm in arms)

    def _move(self) -> bool:
        """Between 60 and 150 % of the way, off its line by no more than 12 mm or a fifth of the way."""
        change = self._change()[:3]
        along = float(change @ np.array(self._command.direction))
        off = float(np.linalg.norm(change - along * np.array(self._command.direction)))
        size = self._command.size
        straight = off < max(0.012, 0.2 * size)
        return 0.6 * size <= along <= 1.5 * size and straight and self._other_moved() < OTHER_ARM_M

    def _grip(self) -> bool:
        """Opened or closed (or closed on something), or changed by about the amount asked for."""
        return all(self._gripped(arm) for arm in ((0, 1) if self._command.arm == "both" else (self.arm,)))

    def _gripped(self, arm: int) -> bool:
        opening, size = float(self._cell.true_pose()[6 * arm + 5]), self._command.size
        if size >= 1.0:
            return opening > 0.85
        if size < 0 and self._cell.held_in(arm) is not None:
            return True
        if size <= -1.0:
            return opening < 0.12
        before = float(self._targets[6 * arm + 5])
        wanted = float(np.clip(before + size, 0.0, 1.0)) - before
        return bool(abs(opening - self._pose[6 * arm + 5] - wanted) < max(0.12, 0.5 * abs(wanted)))

    def _turn(self) -> bool:
        return bool(0.5 < self._change()[4] / self._command.size < 1.5) and self._other_moved() < OTHER_ARM_M

    def _tilt(self) -> bool:
        return bool(0.5 < self._change()[3] / self._command.size < 1.5) and self._other_moved() < OTHER_ARM_M

    def _above(self) -> bool:
        hand = self._cell.true_pose()[6 * self.arm : 6 * self.arm + 3]
        position = self._cell.position(self._kind)
        return bool(np.hypot(*(hand[:2] - position[:2])) < 0.02 and 0.09 < hand[2] < 0.18)

    def _still(self) -> bool:
        return bool(np.abs(self._change()[:3]).max() < 0.01 and self._other_moved() < 0.01)
