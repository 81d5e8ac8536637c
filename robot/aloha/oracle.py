"""The oracle corrector: sees the simulator's state and says what a person who watches would type, and no more often.

It lets the policy work, and speaks when the running command is not what it would want for a while, or when a skill
does not come off: then it guides the hand with small motions, as people do ("a bit to the left", "go lower", "close
the left gripper"). Knows nothing of the network; whoever runs it sends its words the way a person's words go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.kinematics import ARMS
from robot.aloha import layout, scene
from robot.aloha.cell import AlohaCell
from robot.aloha.planner import GO_HOME, PUT_IN_BOX, next_command

PATIENCE_S = 1.0
"""A wrong command must run this long before the oracle speaks: seeing, deciding and typing take a person as long."""
PICK_PATIENCE_S = 5.5
"""A skill that goes on this long without result is guided by hand."""
NEW_PATIENCE_S = 4.0
"""And one with a thing that the robot never saw, this long."""
LOW_M = 0.14
"""A hand so low with a thing in it is about to let go."""
BESIDE_M = 0.05
"""And so far from the middle of the box, beside it."""
BETWEEN_S = 0.4
SURE_S = 0.25
"""What is wanted must be the same for this long: a thing that slips in a hand is lost for a moment and found again."""
LET_DO_S = 2.5
"""So long the policy may do by itself what a person would guide it to."""
MISSES = 2
"""After so many graspings by hand that caught nothing the skill is asked for again."""
_PICK, _GRAB = "pick up the ", "grab the "
_SIZES = ((0.075, "far ", ""), (0.035, "", ""), (0.0, "", " a bit"))


@dataclass(frozen=True)
class Running:
    """What a person sees: the running command, whether it is a person's correction, for how long it has run [s],
    whether the robot waits for the next words since a correction is done, and what the policy would do next."""

    text: str
    is_correction: bool
    seconds: float
    waits: bool = False
    following: str = ""


class Oracle:
    """Decides what to type. One per episode; call `say` some five times a second of simulated time."""

    def __init__(self, cell: AlohaCell) -> None:
        self._cell = cell
        self._disagreed_s: float | None = None
        self._wanted = self._looks_wanted = ""
        self._looks_since_s = 0.0
        self._wanted_since_s = 0.0
        self._guiding = False
        self._last_s = -10.0
        self._last_target: np.ndarray | None = None
        self._moved_s = 0.0
        self._last_words = ""
        self._misses = 0
        self._named = False
        """Whether what is wanted was begun, or asked for."""
        self._let_do = ""
        """What the policy began while it was guided, and was the right step then."""
        self._let_until_s = 0.0

    def say(self, running: Running) -> str | None:
        """The words to type now, or None."""
        now_s = self._cell.time_s
        self._watch(now_s)
        wanted = self._what_is_wanted(now_s)
        if self._looks_wanted != wanted:
            return None  # it looks as if something else were wanted now; a moment will tell
        if wanted == GO_HOME and not all(self._cell.in_box(kind) for kind in self._cell.wanted):
            return None  # what is left lies out of reach: nobody can help, and "go home" would teach to leave things
        if running.is_correction and running.text != wanted and not self._guiding:
            stuck = now_s - self._moved_s > PATIENCE_S and running.seconds > PATIENCE_S
            return self._speak(wanted, now_s) if stuck else None
        self._named = self._named or wanted in (running.text, self._last_words)
        if self._must_guide(wanted, running, now_s):
            self._guiding = True
        if self._guiding:
            # People who guide by hand say the next word when the hand comes to rest, not when the machine is sure.
            ready = not running.is_correction or (running.seconds > 0.4 and now_s > self._moved_s)
            if not ready or self._does(running, now_s):
                return None
            words = self.guidance(wanted)
            return None if self._would_do(running, words, now_s) else self._speak(words, now_s)
        lift = self._lift() if running.waits else None
        if lift is not None:
            return self._speak(lift, now_s)
        if running.waits and running.following not in ("", wanted):
            return self._speak(wanted, now_s)
        if running.text == wanted or running.is_correction or running.waits:
            self._disagreed_s = None
            return None
        if self._disagreed_s is None:
            self._disagreed_s = now_s
        if now_s - self._disagreed_s < PATIENCE_S:
            return None
        return self._speak(wanted, now_s)

    def _what_is_wanted(self, now_s: float) -> str:
        wanted = _as_said(next_command(self._cell, self._cell.wanted))
        if wanted != self._looks_wanted:
            self._looks_wanted, self._looks_since_s = wanted, now_s
        if wanted != self._wanted and (not self._wanted or now_s - self._looks_since_s >= SURE_S):
            self._wanted, self._wanted_since_s, self._guiding, self._misses = wanted, now_s, False, 0
            self._named = False
        return self._wanted

    def _does(self, running: Running, now_s: float) -> bool:
        """Whether the policy guides itself: what it began of its own was the right step, and is under way."""
        own = not running.is_correction and not running.waits
        return own and running.text == self._let_do and now_s < self._let_until_s

    def _would_do(self, running: Running, words: str, now_s: float) -> bool:
        """Whether the policy does, or is about to do, what would be said, however far: nobody says that."""
        own = running.following if running.waits else running.text
        if running.is_correction or not own or _plain(own) != _plain(words):
            self._let_do = ""
            return False
        if own != self._let_do:
            self._let_do, self._let_until_s = own, now_s + LET_DO_S
        return now_s < self._let_until_s

    def _speak(self, words: str | None, now_s: float) -> str | None:
        if words is None or now_s - self._last_s < BETWEEN_S:
            return None
        self._last_s = now_s
        self._disagreed_s = None
        self._last_words = words
        return words

    def _lift(self) -> str | None:
        """Up, with a thing that was just grasped by hand."""
        for arm, side in enumerate(ARMS):
            if self._last_words == f"close the {side} gripper" and self._cell.held_in(arm) is not None:
                return _move(side, "up", 0.08)
        return None

    def _watch(self, now_s: float) -> None:
        """Notes when the hands moved last."""
        target, before = self._cell.pose_target(), self._last_target
        self._last_target = target
        if before is None or float(np.abs(target - before).max()) >= 0.002:
            self._moved_s = now_s

    def _must_guide(self, wanted: str, running: Running, now_s: float) -> bool:
        slow = now_s - self._wanted_since_s > PICK_PATIENCE_S
        if not self._named:
            return False  # nobody guides a hand that is after something else before saying so
        if wanted.startswith(_GRAB):
            return slow or running.text == wanted and running.seconds > NEW_PATIENCE_S
        if wanted.startswith(_PICK):
            return slow
        if wanted == PUT_IN_BOX:
            hand = self._cell.true_pose()[:6]
            if hand[3] > layout.DOWN + 0.35:
                return False  # the policy knows best how to turn a hand down after a hand-over
            beside = float(np.abs(self._cell.box_xy - hand[:2]).max()) > BESIDE_M
            comes_down = running.text == wanted and running.seconds > PATIENCE_S and hand[2] < LOW_M
            return slow or comes_down and beside
        return False

    def guidance(self, wanted: str) -> str:
        """The small motion that leads to "pick up the …" or "put it in the box" from where the hand is now."""
        if wanted == PUT_IN_BOX:
            return self._guide_to_box()
        return self._guide_to_object(layout.ALL_KINDS.index(wanted.removeprefix(_PICK).removeprefix(_GRAB)))

    def _guide_to_object(self, kind: int) -> str:
        """Upright, open, over the object, down, close, up."""
        cell = self._cell
        position = cell.position(kind)
        arm = layout.arm_for(float(position[0]))
        side = ARMS[arm]
        hand = cell.true_pose()[6 * arm : 6 * arm + 6]
        error = position[:2] - hand[:2]
        above = hand[2] - max(position[2] + scene.KINDS[kind].grip, 0.014)
        around = bool(np.abs(error).max() < 0.013)
        if self._last_words == f"close the {side} gripper":  # and it caught nothing, or guiding would be over
            self._misses += 1
            known = scene.KINDS[kind].name in layout.TRAINED_KINDS
            again = known and self._misses % MISSES == 0
            return f"pick up the {scene.KINDS[kind].name}" if again else _move(side, "up", 0.05)
        if hand[3] > layout.DOWN + 0.7:
            return f"move the {side} arm home"  # quicker than tilting it a little six times
        if hand[3] > layout.DOWN + (0.2 if self._misses else 0.35):  # after a miss with more care
            return f"tilt the {side} gripper down"
        missed = hand[5] < 0.05
        if hand[5] < 0.8 and (missed or not (around and above < 0.012)):
            if above < 0.04 and not around:
                return _move(side, "up", 0.05)
            return _open(side)
        if not around and above < 0.06:
            return _move(side, "up", 0.05)
        if not around:
            return _move_towards(side, error)
        if above > 0.012:
            return _move(side, "down", above)
        return f"close the {side} gripper"

    def _guide_to_box(self) -> str:
        cell = self._cell
        hand = cell.true_pose()[:6]
        error = cell.box_xy - hand[:2]
        if hand[3] > layout.DOWN + 0.35:
            return "tilt the left gripper down"
        if np.abs(error).max() > 0.03:
            return _move("left", "up", 0.05) if hand[2] < 0.11 else _move_towards("left", error)
        if hand[2] > 0.13:
            return _move("left", "down", hand[2] - 0.10)
        return _open("left")


def _as_said(command: str) -> str:
    """A command as a person says it: of a thing that no command names in words of their own."""
    kind = command.removeprefix(_PICK)
    return command if kind == command or kind in layout.TRAINED_KINDS else f"{_GRAB}{kind}"


def _plain(words: str) -> str:
    """A motion without how far it goes."""
    return " ".join(word for word in words.split() if word not in ("far", "a", "bit"))


def _open(side: str) -> str:
    return f"open the {side} gripper"


def _move_towards(side: str, error: np.ndarray) -> str:
    if abs(error[0]) >= abs(error[1]):
        return _move(side, "right" if error[0] > 0 else "left", float(abs(error[0])))
    return _move(side, "forward" if error[1] > 0 else "back", float(abs(error[1])))


def _move(side: str, way: str, distance: float) -> str:
    """The motion of the grammar that comes nearest to `distance` [m]."""
    for least, before, after in _SIZES:
        if distance >= least:
            return f"move the {side} arm {before}{way}{after}" if before else f"move the {side} arm{after} {way}"
    raise AssertionError("distances are not negative")
