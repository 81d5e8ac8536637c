"""Demonstrations of the scripted expert, narrated with commands: what an episode of a dataset is, and its tape.

Two kinds of episode: "task" packs the whole box in canonical order, with misses, drops and pushes and the recoveries
from them; "drill" practises what packing alone shows rarely: random commands of the whole grammar from anywhere, the
small motions of a person's corrections, picking guided by them, passing a thing to and fro, and fetching things from
home, as sessions begin. In drills commands are often cut short by the next one, as corrections do. Knows nothing of
files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hitl.kinematics import joints_of, pose_of
from robot.aloha import layout
from robot.aloha.cell import AlohaCell
from robot.aloha.expert import Expert
from robot.aloha.grammar import COMMANDS, Command, by_text
from robot.aloha.oracle import Oracle
from robot.aloha.planner import GO_HOME, PUT_IN_BOX, next_command
from robot.aloha.shifts import Shift

T = TypeVar("T")

FRAME_EVERY = 5
WELL, MISTAKE = 1, 2
PUSH_SHARE = 0.45
CUT_SHARE = 0.3
"""How often another command interrupts one in mid-motion: a policy that never saw that goes on with what it began."""
PUSH_TICKS = 7
PUSH_M = 0.008
"""Greatest way that a push moves a hand in a tick [m]; seven ticks of it are most of what an arm can do."""
_INDEX = {command.text: index for index, command in enumerate(COMMANDS)}
_DRILL_WEIGHTS = {
    "pick": 2.4, "box": 3.0, "down": 1.5, "handover": 3.0, "home": 0.5, "move": 4.2, "grip": 1.3, "turn": 0.6,
    "tilt": 0.6, "above": 0.7, "still": 0.15,
}  # fmt: skip
_MOTION_WEIGHTS = {"move": 3.5, "grip": 3.5, "above": 1.2, "turn": 0.9, "tilt": 0.9, "home": 0.5}
_AUTO_ARM_WEIGHT = 2.5
"""More for words that name no arm: which one is meant is the hardest thing about a motion."""
_SKILL_LIMIT_S = 9.0


@dataclass
class Tape:
    """What one episode records."""

    frames: dict[str, list[NDArray]] = field(default_factory=dict)
    ticks: list[int] = field(default_factory=list)
    pose: list[NDArray] = field(default_factory=list)
    pose_target: list[NDArray] = field(default_factory=list)
    xyz: list[NDArray] = field(default_factory=list)
    pixels: dict[str, list[NDArray]] = field(default_factory=dict)
    where: list[list[int]] = field(default_factory=list)
    segments: list[list[int]] = field(default_factory=list)
    disturbed: list[int] = field(default_factory=list)


class Demonstrator:
    """Performs commands in one cell and records them."""

    def __init__(self, cell: AlohaCell, rng: np.random.Generator) -> None:
        self.cell, self.rng, self.tape = cell, rng, Tape()

    def tick(self, pose_target: NDArray[np.float64]) -> None:
        """Record the present moment, then act for one tick."""
        cell, tape = self.cell, self.tape
        tick = len(tape.pose)
        tape.pose.append(cell.pose())
        tape.pose_target.append(cell.pose_target())
        if tick % FRAME_EVERY == 0:
            for name, picture in cell.policy_pictures().items():
                tape.frames.setdefault(name, []).append(picture)
                tape.pixels.setdefault(name, []).append(cell.object_pixels(name))
            tape.ticks.append(tick)
            tape.xyz.append(np.array([cell.position(kind) for kind in cell.kinds]))
            tape.where.append([_where(cell, kind) for kind in cell.kinds])
        cell.act(joints_of(pose_target))

    def perform(
        self,
        command: Command,
        settle: int,
        *,
        offset: NDArray | None = None,
        drop: bool = False,
        push: bool = False,
        cut: int | None = None,
    ) -> bool:
        """One segment. `offset`: a deliberate miss [m]; `drop`: lose the object underway; `push`: disturb the hand;
        `cut`: after so many ticks another command interrupts."""
        first = len(self.tape.pose)
        expert = Expert(self.cell, command, offset)
        begin = int(self.rng.integers(10, 45)) if drop else -1
        pushes = _push_ticks(self.rng) if push else {}
        done = False
        for count in range(int(_SKILL_LIMIT_S * 50)):
            target, done = expert.step()
            if done or offset is not None and self._missed(expert.arm, count):
                break
            if cut is not None and count >= cut and not self._both_hold():
                break
            if count in pushes:
                target = self._pushed(target, expert.arm, pushes[count])
            if drop and count >= begin:
                target[6 * expert.arm + 5] = 1.0
                if self.cell.held_in(expert.arm) is None and self.cell.pose()[6 * expert.arm + 5] > 0.8:
                    break
            self.tick(target)
        done_tick = len(self.tape.pose)
        target = self.cell.pose_target()
        for _ in range(settle if done or cut is None else 0):
            self.tick(target)
        mistake = MISTAKE if offset is not None or drop else 0
        well = WELL if done and not mistake else 0
        if len(self.tape.pose) > first:  # a miss by a hand that is closed already is over before it began
            self.tape.segments.append([_INDEX[command.text], first, done_tick, len(self.tape.pose), well | mistake])
        return done

    def _both_hold(self) -> bool:
        """Whether a thing is being passed: then nobody interrupts."""
        return self.cell.held_in(0) is not None and self.cell.held_in(0) == self.cell.held_in(1)

    def _missed(self, arm: int, count: int) -> bool:
        pose, target = self.cell.pose(), self.cell.pose_target()
        closed = target[6 * arm + 5] < 0.02 and pose[6 * arm + 5] < 0.05
        return count > 150 or closed and self.cell.held_in(arm) is None

    def _pushed(self, target: NDArray, arm: int, first: bool) -> NDArray:
        if first:
            self._push = self.rng.normal(0.0, 1.0, 3)
            self._push *= self.rng.uniform(0.001, PUSH_M) / np.linalg.norm(self._push)
            self.tape.disturbed.append(len(self.tape.pose))
        pushed = target.copy()
        pushed[6 * arm : 6 * arm + 3] += self._push
        pushed[6 * arm + 2] = max(pushed[6 * arm + 2], 0.02)
        return pushed


def _push_ticks(rng: np.random.Generator) -> dict[int, bool]:
    """The ticks of a segment in which one or two pushes act; True at the first of each. At any stage of a skill, so
    that the way back is known from wherever a policy's own errors lead."""
    starts = np.sort(rng.integers(2, 90, 1 + int(rng.random() < 0.4)))
    return {int(start) + tick: tick == 0 for start in starts for tick in range(PUSH_TICKS)}


def _where(cell: AlohaCell, kind: int) -> int:
    holder = cell.held_by(kind)
    if holder is not None:
        return 1 + holder
    return 3 if cell.in_box(kind) else 0


def _nominal_variation(rng: np.random.Generator) -> Shift:
    """The small differences between one nominal episode and the next."""
    moves = np.zeros((2, 4))
    moves[:, :3] = rng.normal(0.0, 0.0015, (2, 3))
    return Shift(box_move=rng.uniform(-0.004, 0.004, 2), light=float(rng.uniform(0.92, 1.08)), camera_moves=moves)


def task_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """Pack the whole box in canonical order; stop when all is packed or nothing more can be reached."""
    cell.begin(layout.sample_placements(rng), _nominal_variation(rng))
    demonstrator = Demonstrator(cell, rng)
    for _ in range(4 * len(cell.kinds)):
        text = next_command(cell, cell.kinds)
        if text == GO_HOME:
            break
        command = by_text(text)
        settle = int(rng.integers(4, 16))
        luck = rng.random()
        if command.skill == "pick" and luck < 0.12:
            offset = rng.normal(0.0, 1.0, 2)
            offset *= rng.uniform(0.02, 0.03) / np.linalg.norm(offset)
            demonstrator.perform(command, 0, offset=offset)
            demonstrator.perform(command, settle)
        elif command.skill in ("box", "handover") and luck < 0.08:
            demonstrator.perform(command, 0, drop=True)
        else:
            demonstrator.perform(command, settle, push=bool(rng.random() < PUSH_SHARE))
    demonstrator.perform(by_text(GO_HOME), int(rng.integers(20, 50)))
    return demonstrator.tape


def _begun(
    cell: AlohaCell,
    rng: np.random.Generator,
    placements: list[layout.Placement],
    variation: Shift,
    pose: NDArray[np.float64] | None,
) -> Demonstrator:
    """A drill's beginning: everything at rest, and nothing recorded yet."""
    cell.begin(placements, variation, pose)
    for _ in range(5):
        cell.hold()
    return Demonstrator(cell, rng)


def _drill_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """Begin anywhere; perform about a dozen random commands that make sense at their moment."""
    placements = layout.sample_placements(rng, count=int(rng.integers(2, 6)), right=None)
    pose = random_pose(rng, placements) if rng.random() < 0.8 else None
    demonstrator = _begun(cell, rng, placements, _nominal_variation(rng), pose)
    for _ in range(12):
        command = _random_command(cell, rng)
        push = bool(_can_push(command) and rng.random() < PUSH_SHARE)
        cut = _cut(rng, command) if rng.random() < CUT_SHARE else None
        demonstrator.perform(command, int(rng.integers(8, 18)), push=push, cut=cut)
        if len(demonstrator.tape.pose) > 1300:
            break
    return demonstrator.tape


def _motion_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """Begin anywhere, or at home; a row of small motions, as a person guides a hand."""
    placements = layout.sample_placements(rng, count=int(rng.integers(2, 6)), right=None)
    variation = _nominal_variation(rng)
    pose = None if rng.random() < 0.3 else random_pose(rng, placements)
    demonstrator = _begun(cell, rng, placements, variation, pose)
    for _ in range(14):
        demonstrator.perform(_random_command(cell, rng, _MOTION_WEIGHTS), int(rng.integers(8, 14)))
    return demonstrator.tape


def guided_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """A thing is picked by small motions, as a person guides a policy that cannot do it, and put in the box by them or
    by a skill."""
    placements = layout.sample_placements(rng, count=int(rng.integers(2, 6)), right=None)
    demonstrator = _begun(cell, rng, placements, _nominal_variation(rng), random_pose(rng, placements))
    oracle = Oracle(cell)
    picks = [c for c in COMMANDS if c.skill == "pick" and makes_sense(cell, c)]
    if not picks:
        return _motion_episode(cell, rng)
    pick = picks[int(rng.integers(len(picks)))]
    kind = layout.ALL_KINDS.index(pick.kind)
    luck = rng.random()
    if luck < 0.4:  # after a miss, as it often happens
        offset = rng.normal(0.0, 1.0, 2)
        offset *= rng.uniform(0.015, 0.04) / np.linalg.norm(offset)
        demonstrator.perform(pick, 0, offset=offset)
    elif luck < 0.7:
        demonstrator.perform(pick, 0, cut=_cut(rng, pick))
    for _ in range(20):
        if cell.held_by(kind) == 1 or not (cell.on_table(kind) or cell.held_by(kind) == 0):
            break  # the right hand has it, or it is in the box
        held = cell.held_by(kind) is not None
        if held and rng.random() < 0.5:
            break
        wanted = PUT_IN_BOX if held else pick.text
        demonstrator.perform(by_text(oracle.guidance(wanted)), int(rng.integers(8, 14)))
    onwards = [c for c in COMMANDS if c.skill in ("box", "handover", "down") and makes_sense(cell, c)]
    if onwards:  # without lifting it first, as a pick would
        demonstrator.perform(onwards[int(rng.integers(len(onwards)))], int(rng.integers(8, 14)))
    return demonstrator.tape


def pass_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """Fetch a thing and pass it from hand to hand a few times; then away with it."""
    placements = layout.sample_placements(rng, count=int(rng.integers(2, 6)), right=int(rng.integers(0, 2)))
    variation = _nominal_variation(rng)
    pose = random_pose(rng, placements) if rng.random() < 0.5 else None
    demonstrator = _begun(cell, rng, placements, variation, pose)
    for skill in ("pick", "handover", "handover", "handover", "box" if rng.random() < 0.5 else "down"):
        choices = [c for c in COMMANDS if c.skill == skill and makes_sense(cell, c)]
        if choices:
            push = bool(skill == "pick" and rng.random() < PUSH_SHARE)
            demonstrator.perform(choices[int(rng.integers(len(choices)))], int(rng.integers(8, 18)), push=push)
    return demonstrator.tape


def _fetch_episode(cell: AlohaCell, rng: np.random.Generator) -> Tape:
    """From home (mostly), some commands about objects: when an arm is chosen. The first ones are often interrupted, as
    a person does who wants another thing."""
    placements = layout.sample_placements(rng, count=int(rng.integers(2, 6)), right=min(int(rng.integers(0, 3)), 2))
    variation = _nominal_variation(rng)
    pose = None if rng.random() < 0.75 else random_pose(rng, placements)
    demonstrator = _begun(cell, rng, placements, variation, pose)
    interrupted = int(rng.choice(3, p=(0.35, 0.4, 0.25)))
    for count in range(interrupted + 1):
        choices = [c for c in COMMANDS if c.skill in ("pick", "above") and makes_sense(cell, c)]
        picks = [c for c in choices if c.skill == "pick"]
        wanted = picks if rng.random() < 0.75 else choices
        if not wanted:
            break
        command = wanted[int(rng.integers(len(wanted)))]
        push = bool(rng.random() < PUSH_SHARE)
        cut = _cut(rng, command) if count < interrupted else None
        demonstrator.perform(command, int(rng.integers(4, 12)), push=push, cut=cut)
    if rng.random() < 0.3:
        demonstrator.perform(_random_command(cell, rng), int(rng.integers(4, 12)))
    return demonstrator.tape


_CUT_TICKS = {"pick": 110, "above": 60, "box": 80, "home": 60, "handover": 80}
"""The latest moment at which a skill is interrupted."""


def _cut(rng: np.random.Generator, command: Command) -> int | None:
    """After how many ticks a command is interrupted; None for what is over in a moment."""
    latest = _CUT_TICKS.get(command.skill)
    return None if latest is None else int(rng.integers(8, latest))


def _can_push(command: Command) -> bool:
    return command.skill in ("pick", "box", "home", "above")


def random_pose(rng: np.random.Generator, placements: list[layout.Placement]) -> NDArray[np.float64]:
    """Both hands anywhere they can reach, clear of the table, of the objects and of each other."""
    while True:
        pose = layout.HOME.copy()
        for arm, (x0, x1) in enumerate(((-0.27, 0.06), (0.08, 0.26))):
            part = pose[6 * arm : 6 * arm + 6]
            part[:3] = rng.uniform((x0, 0.33, 0.05), (x1, 0.67, 0.26))
            part[3] = rng.normal(layout.DOWN, 0.1) if rng.random() < 0.75 else rng.uniform(-1.5, 0.05)
            part[4] = rng.uniform(-0.6, 0.6)
            part[5] = rng.choice([0.0, 1.0, rng.uniform()])
        if is_feasible(pose, placements):
            return pose


def is_feasible(pose: NDArray[np.float64], placements: list[layout.Placement], clearance: float = 0.10) -> bool:
    """Whether both hands reach `pose`, keep apart, and stay `clearance` [m] above objects and box below them."""
    reached = pose_of(joints_of(pose))
    if np.abs(reached - pose).max() > 0.002 or pose[6] - pose[0] < 0.13:
        return False
    for arm in (0, 1):
        x, y, z = pose[6 * arm : 6 * arm + 3]
        if z < 0.015 or abs(y - 0.5) > 0.19 or abs(x) > 0.30:
            return False
        near = [np.hypot(x - p.x, y - p.y) < 0.06 for p in placements]
        over_box = np.abs(np.array([x, y]) - layout.BOX_XY).max() < 0.10
        if z < clearance and (any(near) or over_box):
            return False
        if pose[6 * arm + 3] > -1.2 and z < 0.16:
            return False
    return True


def _random_command(
    cell: AlohaCell, rng: np.random.Generator, skill_weights: dict[str, float] = _DRILL_WEIGHTS
) -> Command:
    by_skill: dict[str, list[Command]] = {}
    for command in COMMANDS:
        if command.skill in skill_weights and makes_sense(cell, command):
            by_skill.setdefault(command.skill, []).append(command)
    skill = _drawn(rng, sorted(by_skill), [skill_weights[skill] for skill in sorted(by_skill)])
    choices = by_skill[skill]
    if skill == "grip":  # hands are mostly open, so that opening makes sense more rarely than closing
        opens = bool(rng.random() < 0.5)
        choices = [command for command in choices if (command.size > 0) == opens] or choices
    return _drawn(rng, choices, [_AUTO_ARM_WEIGHT if command.arm == "auto" else 1.0 for command in choices])


def _drawn(rng: np.random.Generator, choices: Sequence[T], weights: Sequence[float]) -> T:
    return choices[int(rng.choice(len(choices), p=np.array(weights) / sum(weights)))]


def makes_sense(cell: AlohaCell, command: Command) -> bool:
    """Whether a person could give this command now and expect it to work."""
    held = (cell.held_in(0), cell.held_in(1))
    if command.kind:
        kind = layout.ALL_KINDS.index(command.kind)
        if kind not in cell.kinds or not cell.on_table(kind):
            return False
        x, y, _ = cell.position(kind)
        arm = layout.arm_for(float(x))
        inside = -0.11 < x < 0.24 and 0.35 < y < 0.67
        return inside and (held[arm] is None if command.skill == "pick" else True)
    if command.skill == "box":
        return held[0] is not None and held[1] is None
    if command.skill == "down":
        return sum(kind is not None for kind in held) == 1
    if command.skill == "handover":
        taker = 0 if command.arm == "left" else 1
        return held[taker] is None and held[1 - taker] is not None
    if command.skill in ("home", "still"):
        return True
    return _change_fits(cell, command, held)


def _change_fits(cell: AlohaCell, command: Command, held: tuple[int | None, int | None]) -> bool:
    expert = Expert(cell, command)
    arm = expert.arm
    pose = cell.pose_target()
    part = pose[6 * arm : 6 * arm + 6]
    if command.skill == "grip":
        return _grip_fits(command, pose, held, (0, 1) if command.arm == "both" else (arm,))
    if command.direction is not None:
        part[:3] += np.multiply(command.direction, command.size)
    elif command.skill == "turn":
        part[4] += command.size
    else:
        part[3] += command.size
    if abs(part[4]) > 1.9 or not -2.0 < part[3] < 0.4:
        return False
    others = [p for p in cell.placements if p.kind not in held and not cell.in_box(p.kind)]
    return is_feasible(pose, others, 0.05)


def _grip_fits(
    command: Command, pose: NDArray[np.float64], held: tuple[int | None, int | None], arms: Sequence[int]
) -> bool:
    """Whether a hand has some way to open or close; nobody asks to drop a thing from high up."""
    if command.size > 0 and any(held[arm] is not None and pose[6 * arm + 2] > 0.05 for arm in arms):
        return False
    least = np.sign(command.size) * min(abs(command.size), 0.2)
    return any(held[arm] is not None or -0.01 <= pose[6 * arm + 5] + least <= 1.01 for arm in arms)


_EPISODES: tuple[tuple[Callable[[AlohaCell, np.random.Generator], Tape], float], ...] = (
    (task_episode, 0.21),
    (_drill_episode, 0.23),
    (_motion_episode, 0.15),
    (guided_episode, 0.13),
    (pass_episode, 0.12),
    (_fetch_episode, 0.16),
)
"""What an episode may be, and how often it is."""


def plan(seed: int, episode: int) -> tuple[np.random.Generator, Callable[[AlohaCell, np.random.Generator], Tape]]:
    """What an episode is, by its number alone, and the randomness that it goes on with."""
    rng = np.random.default_rng([seed, episode])
    return rng, _drawn(rng, [perform for perform, _ in _EPISODES], [share for _, share in _EPISODES])
