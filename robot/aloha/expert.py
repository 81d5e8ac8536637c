"""The scripted expert: performs any command of the grammar in the packing cell, from any state, by feedback.

Each skill is a function of the present state (and of the pose in which the command began), so that a policy without
memory can learn it, and so that the expert recovers by itself after a slip or a push. It sees the simulator's state.
Knows nothing of images, policies, sockets or datasets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.aloha import layout, scene
from robot.aloha.cell import RATE_HZ, AlohaCell
from robot.aloha.grammar import Command

Array = NDArray[np.float64]

SPEED = 0.30
"""Greatest speed of a hand [m/s]."""
TURN_SPEED = 2.2
GRIP_SPEED = 3.0
CARRY_HEIGHT = 0.15
HOVER_HEIGHT = 0.11
MEETING = np.array([0.0, 0.5, 0.24])
"""Where the hands meet for a hand-over [m]."""
_SLOTS = np.array(
    [[-0.028, -0.036], [0.028, 0.036], [-0.028, 0.036], [0.028, -0.036], [0.0, 0.0], [0.03, 0.0], [-0.03, 0]]
)
"""Where in the box each kind is put, from the box's centre [m], so that five objects do not pile up."""
_X, _Y, _Z, _PITCH, _ROLL, _OPEN = range(6)


@dataclass
class Goal:
    """What one arm is to reach `(6,)`, at `speed` [m/s]."""

    pose: Array
    speed: float = SPEED


class Expert:
    """Performs one command. `offset`: error of its idea of where things are `(2,)` [m], for deliberate misses."""

    def __init__(self, cell: AlohaCell, command: Command, offset: Array | None = None) -> None:
        self._cell = cell
        self._command = command
        self._start = cell.pose_target()
        self._offset = np.zeros(2) if offset is None else offset
        self._ticks = 0
        self.arm = self._choose_arm()

    def step(self) -> tuple[Array, bool]:
        """The next pose target `(12,)` for one tick of 20 ms, and whether the command is done."""
        self._ticks += 1
        target = self._cell.pose_target()
        goals, done = getattr(self, f"_{self._command.skill}")(target)
        return _approach(target, goals), bool(done)

    # -- arms ---------------------------------------------------------------------------------------------------------

    def _choose_arm(self) -> int:
        command, cell = self._command, self._cell
        if command.skill == "handover":
            return 0 if command.arm == "left" else 1
        if command.arm in ("left", "right"):
            return 0 if command.arm == "left" else 1
        if command.kind:
            return layout.arm_for(float(cell.position(_kind(command.kind))[0]))
        if command.skill in ("box", "down"):
            for arm in (0, 1):
                if cell.held_in(arm) is not None:
                    return arm
        return layout.busy_arm(self._start)

    def _hold(self, target: Array) -> list[Goal]:
        return [Goal(target[:6].copy()), Goal(target[6:].copy())]

    def _idle_home(self, target: Array, arm: int) -> list[Goal]:
        """Goals in which the arm that does not work goes home, unless it carries something."""
        goals = self._hold(target)
        other = 1 - arm
        if self._cell.held_in(other) is None:
            goals[other] = self._transit(target, other, layout.HOME[6 * other : 6 * other + 6])
        return goals

    def _transit(self, target: Array, arm: int, pose: Array) -> Goal:
        """Go to `pose`, first up if low, and turning the hand down before coming near the own base."""
        now = target[6 * arm : 6 * arm + 6]
        goal = pose.copy()
        far = np.hypot(*(now[:2] - pose[:2])) > 0.03
        if far and now[_Z] < 0.09:
            goal[:2], goal[_Z] = now[:2], max(pose[_Z], 0.13)
        if now[_PITCH] - pose[_PITCH] > 0.35:
            goal[:2], goal[_Z] = now[:2], max(now[_Z], 0.22)
        return Goal(goal)

    # -- skills: goals for both arms, and whether the command is done -------------------------------------------------

    def _pick(self, target: Array) -> tuple[list[Goal], bool]:
        cell, kind = self._cell, _kind(self._command.kind)
        holder = cell.held_by(kind)
        if holder is None and cell.on_table(kind) or holder is None and cell.in_box(kind):
            self.arm = layout.arm_for(float(cell.position(kind)[0]))
        arm = self.arm if holder is None else holder
        now = target[6 * arm : 6 * arm + 6]
        goals = self._idle_home(target, arm)
        if holder is not None and now[_OPEN] < 0.05:
            lifted = now.copy()
            lifted[_Z] = max(now[_Z], CARRY_HEIGHT)
            goals[arm] = Goal(lifted)
            return goals, now[_Z] > CARRY_HEIGHT - 0.004
        goals[arm] = self._grasp(target, arm, kind)
        return goals, False

    def _grasp(self, target: Array, arm: int, kind: int) -> Goal:
        """Down a funnel onto the object, close, and open again if nothing was caught."""
        now = target[6 * arm : 6 * arm + 6]
        position = self._cell.position(kind)
        where = position[:2] + self._offset
        grip_z = max(position[2] + scene.KINDS[kind].grip, 0.014)
        error = float(np.hypot(*(now[:2] - where)))
        at = error < 0.007 and abs(now[_Z] - grip_z) < 0.006
        closing = now[_OPEN] < 0.9 and error < 0.02 and abs(now[_Z] - grip_z) < 0.015
        measured = self._cell.pose()[6 * arm + _OPEN]
        pose = np.array([*where, grip_z, layout.DOWN, _square(arm, where), 1.0])
        if closing and measured < 0.03 and now[_OPEN] < 0.02:
            pose[_Z] = HOVER_HEIGHT  # caught nothing: up and open
            return Goal(pose)
        if at or closing:
            pose[:3] = now[:3]
            pose[_OPEN] = 0.0
            return Goal(pose)
        if now[_Z] < HOVER_HEIGHT - 0.02 and (error > 0.03 or measured < 0.75):
            pose[:2] = now[:2]
            pose[_Z] = HOVER_HEIGHT
            return Goal(pose)
        if now[_PITCH] - layout.DOWN > 0.35:
            return self._transit(target, arm, pose)
        wide_open = 0.0 if measured > 0.75 else 0.06
        pose[_Z] = grip_z + min(HOVER_HEIGHT - grip_z, 4.0 * max(0.0, error - 0.006) + wide_open)
        return Goal(pose)

    def _box(self, target: Array) -> tuple[list[Goal], bool]:
        cell, arm = self._cell, self.arm
        held = cell.held_in(arm)
        now = target[6 * arm : 6 * arm + 6]
        goals = self._idle_home(target, arm)
        slot = cell.box_xy + (_SLOTS[held] if held is not None else now[:2] - cell.box_xy)
        over = np.hypot(*(now[:2] - slot)) < 0.012
        if held is None or now[_OPEN] > 0.3 and over:  # let go: open fully, then up
            goals[arm] = Goal(
                np.array([*now[:2], now[_Z] if now[_OPEN] < 0.8 else 0.17, now[_PITCH], now[_ROLL], 1.0])
            )
            return goals, held is None and now[_OPEN] > 0.95 and now[_Z] > 0.155
        pose = np.array([*slot, CARRY_HEIGHT, layout.DOWN, _square(arm, slot), now[_OPEN]])
        error = float(np.hypot(*(now[:2] - slot)))
        pose[_Z] = 0.085 + min(CARRY_HEIGHT - 0.085, 3.0 * max(0.0, error - 0.01))
        if over and now[_Z] < 0.095:
            pose[:3] = now[:3]
            pose[_OPEN] = 1.0
        if error > 0.05 and now[_Z] < CARRY_HEIGHT - 0.03:
            pose[:2] = now[:2]
        if now[_PITCH] - layout.DOWN > 0.35:
            goals[arm] = self._transit(target, arm, pose)
        else:
            goals[arm] = Goal(pose)
        return goals, False

    def _down(self, target: Array) -> tuple[list[Goal], bool]:
        cell, arm = self._cell, self.arm
        held = cell.held_in(arm)
        now = target[6 * arm : 6 * arm + 6]
        goals = self._hold(target)
        if held is None:
            goals[arm] = Goal(
                np.array([*now[:2], now[_Z] if now[_OPEN] < 0.8 else 0.13, now[_PITCH], now[_ROLL], 1.0])
            )
            return goals, now[_OPEN] > 0.95 and now[_Z] > 0.12
        spot = self._free_spot(now[:2], arm, held)
        error = float(np.hypot(*(now[:2] - spot)))
        # the object may hang lower or higher in the hand than where it was gripped
        below = float(cell.pose()[6 * arm + _Z] - cell.position(held)[2])
        floor = scene.KINDS[held].height + below + 0.003
        pose = np.array([*spot, floor, layout.DOWN, _square(arm, spot), now[_OPEN]])
        pose[_Z] = floor + min(CARRY_HEIGHT - floor, 4.0 * max(0.0, error - 0.006)) if error > 0.01 else floor
        if error < 0.012 and now[_Z] < floor + 0.005:
            pose[:3] = now[:3]
            pose[_OPEN] = 1.0
        goals[arm] = self._transit(target, arm, pose) if now[_PITCH] - layout.DOWN > 0.35 else Goal(pose)
        return goals, False

    def _free_spot(self, xy: Array, arm: int, held: int) -> Array:
        """The nearest place of the arm's zone that is clear of other objects."""
        (x0, x1), (y0, y1) = layout.LEFT_ZONE if arm == 0 else layout.RIGHT_ZONE
        grid = np.array([(x, y) for x in np.linspace(x0, x1, 5) for y in np.linspace(y0, y1, 9)])
        here = np.clip(xy, [x0, y0], [x1, y1])
        candidates = np.vstack([here, grid])
        others = [self._cell.position(k)[:2] for k in self._cell.kinds if k != held]
        clear = np.array([all(np.hypot(*(spot - other)) > 0.075 for other in others) for spot in candidates])
        distance = np.hypot(*(candidates - xy).T) + np.where(clear, 0.0, 10.0)
        return candidates[int(np.argmin(distance))]

    def _handover(self, target: Array) -> tuple[list[Goal], bool]:
        cell, taker = self._cell, self.arm
        giver = 1 - taker
        side = -1.0 if taker == 0 else 1.0
        meeting = MEETING
        give, take = target[6 * giver : 6 * giver + 6], target[6 * taker : 6 * taker + 6]
        held_by_taker = cell.held_in(taker) is not None and take[_OPEN] < 0.05
        give_pose = np.array([*meeting, 0.0, 0.0, give[_OPEN]])
        take_pose = np.array([meeting[0] + side * 0.11, *meeting[1:], 0.0, np.pi / 2, 1.0])
        goals = [Goal(give_pose), Goal(take_pose)] if giver == 0 else [Goal(take_pose), Goal(give_pose)]
        if held_by_taker:
            take_pose[:] = take
            give_pose[:] = give
            give_pose[_OPEN] = 1.0
            if give[_OPEN] > 0.75:
                give_pose[0] = meeting[0] - side * 0.13
            return goals, cell.held_in(giver) is None and abs(give[0] - meeting[0]) > 0.12
        if give[_PITCH] < -0.35 and give[_Z] < 0.13:
            give_pose[:2], give_pose[_Z], give_pose[_PITCH] = give[:2], 0.18, give[_PITCH]
        if take[_PITCH] < -0.35 and take[_Z] < 0.13:
            take_pose[:2], take_pose[_Z], take_pose[_PITCH] = take[:2], 0.18, take[_PITCH]
        ready = np.linalg.norm(give[:3] - meeting) < 0.008 and abs(give[_PITCH]) < 0.06
        taker_ready = abs(take[_PITCH]) < 0.06 and abs(take[_ROLL] - np.pi / 2) < 0.08
        if ready and taker_ready:
            self._reach(take, take_pose, meeting, side)
        return goals, False

    def _reach(self, take: Array, take_pose: Array, meeting: Array, side: float) -> None:
        """The taking hand goes along its axis onto the object, then closes."""
        held = self._cell.held_in(1 - self.arm)
        where = self._cell.position(held) if held is not None else meeting
        lateral = float(np.hypot(take[1] - where[1], take[2] - where[2]))
        ahead = where[0] + side * (0.004 + min(0.10, 5.0 * max(0.0, lateral - 0.004)))
        take_pose[:3] = ahead, where[1], where[2]
        if abs(take[0] - where[0]) < 0.010 and lateral < 0.008 or take[_OPEN] < 0.9:
            take_pose[:3] = take[:3]
            take_pose[_OPEN] = 0.0

    def _home(self, target: Array) -> tuple[list[Goal], bool]:
        goals = self._hold(target)
        arms = (0, 1) if self._command.arm in ("both", "auto") else (self.arm,)
        for arm in arms:
            pose = layout.HOME[6 * arm : 6 * arm + 6].copy()
            if self._cell.held_in(arm) is not None:
                pose[_OPEN] = target[6 * arm + _OPEN]
            goals[arm] = self._transit(target, arm, pose)
        away = max(np.linalg.norm(target[6 * a : 6 * a + 3] - layout.HOME[6 * a : 6 * a + 3]) for a in arms)
        return goals, bool(away < 0.004)

    def _above(self, target: Array) -> tuple[list[Goal], bool]:
        kind, arm = _kind(self._command.kind), self.arm
        where = self._cell.position(kind)[:2]
        goals = self._idle_home(target, arm)
        now = target[6 * arm : 6 * arm + 6]
        pose = np.array([*where, 0.13, layout.DOWN, _square(arm, where), now[_OPEN]])
        goals[arm] = self._transit(target, arm, pose)
        near = np.linalg.norm(now[:3] - pose[:3]) < 0.004
        return goals, bool(near and abs(now[_PITCH] - layout.DOWN) < 0.05)

    def _move(self, target: Array) -> tuple[list[Goal], bool]:
        assert self._command.direction is not None
        return self._change(target, np.array([*np.multiply(self._command.direction, self._command.size), 0, 0, 0]))

    def _grip(self, target: Array) -> tuple[list[Goal], bool]:
        goals = self._hold(target)
        left = 0.0
        for arm in (0, 1) if self._command.arm == "both" else (self.arm,):
            now = target[6 * arm + _OPEN]
            wanted = float(np.clip(self._start[6 * arm + _OPEN] + self._command.size, 0.0, 1.0))
            goals[arm].pose[_OPEN] = wanted
            left = max(left, abs(wanted - now))
        return goals, left < 0.02

    def _turn(self, target: Array) -> tuple[list[Goal], bool]:
        return self._change(target, np.array([0, 0, 0, 0, self._command.size, 0]))

    def _tilt(self, target: Array) -> tuple[list[Goal], bool]:
        return self._change(target, np.array([0, 0, 0, self._command.size, 0, 0]))

    def _change(self, target: Array, change: Array) -> tuple[list[Goal], bool]:
        """From where the command began, by a fixed amount."""
        goals = self._hold(target)
        pose = self._start[6 * self.arm : 6 * self.arm + 6] + change
        pose[_OPEN] = np.clip(pose[_OPEN], 0.0, 1.0)
        goals[self.arm] = Goal(pose, speed=0.15)
        left = pose - target[6 * self.arm : 6 * self.arm + 6]
        return goals, bool(np.abs(left[:3]).max() < 0.0015 and np.abs(left[3:]).max() < 0.02)

    def _still(self, target: Array) -> tuple[list[Goal], bool]:
        return self._hold(target), self._ticks > 40


def _kind(name: str) -> int:
    return layout.ALL_KINDS.index(name)


def _square(arm: int, xy: Array) -> float:
    """The roll that keeps a downward hand's fingers opening along the world's y axis at `xy` [rad]."""
    base = np.array([-0.469, 0.5]) if arm == 0 else np.array([0.469, 0.5])
    facing = 1.0 if arm == 0 else -1.0
    waist = np.arctan2(facing * (xy[1] - base[1]), facing * (xy[0] - base[0]))
    return float(np.clip(waist, -0.8, 0.8))


def _approach(target: Array, goals: list[Goal]) -> Array:
    """One tick from `target` towards the goals: bounded speed, slower near the goal."""
    dt = 1.0 / RATE_HZ
    new = target.copy()
    for arm, goal in enumerate(goals):
        now, left = target[6 * arm : 6 * arm + 6], goal.pose - target[6 * arm : 6 * arm + 6]
        distance = float(np.linalg.norm(left[:3]))
        if distance > 1e-9:
            speed = min(goal.speed, max(7.0 * distance, 0.03))
            new[6 * arm : 6 * arm + 3] = now[:3] + left[:3] * min(1.0, speed * dt / distance)
        for axis, limit in ((_PITCH, TURN_SPEED), (_ROLL, TURN_SPEED), (_OPEN, GRIP_SPEED)):
            speed = min(limit, max(7.0 * abs(left[axis]), 0.25))
            step = np.clip(left[axis], -speed * dt, speed * dt)
            new[6 * arm + axis] = now[axis] + step
    return new
