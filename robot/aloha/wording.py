"""Phrases for a command from the wider templates (`wider.py`): which templates say it, and what fills their slots."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from itertools import pairwise
from string import Formatter

from robot.aloha.wider import SLOTS, TEMPLATES

MAX_WIDER = 64
"""Phrases drawn for a command."""

_ARM = "the {0} arm|your {0} arm|the {0} hand|{0} arm|the arm on the {0}|the {0} one|my {0} arm"
_HAND = "the {0} gripper|your {0} gripper|the {0} hand|{0} gripper|the gripper on the {0}|{0} hand|the {0} fingers"
_BOTH = (
    "both grippers|both hands|the grippers|both your hands|the two grippers|your grippers|all the fingers"
    "|the left and the right gripper|left and right hands|the right hand and the left hand|both of them"
)
_AUTO = "the gripper|your gripper|the hand|gripper|your hand|your fingers|the fingers"
_IT = "it|that|this|the object|the thing|that one|this one"
_HIGHER = {"up": "higher|further up|up", "down": "lower|further down|down"}


def _parts(line: str) -> list[str]:
    return [" ".join(part.split()) for part in line.split("|") if part.strip()]


def _slots(kind: str, side: str, way: str) -> dict[str, list[str]]:
    other = {"left": "right", "right": "left"}.get(side, side)
    hand = _HAND if side in ("left", "right") else _BOTH if side == "both" else _AUTO
    return {
        "name": _parts(SLOTS.get(f"name {kind}", kind)),
        "arm": _parts(_ARM.format(side)),
        "other": _parts(_ARM.format(other)),
        "hand": _parts(hand.format(side)),
        "way": _parts(SLOTS.get(way, way)),
        "small": _parts(SLOTS["small"]),
        "far_before": _parts(SLOTS["far_before"]),
        "lots_after": _parts(SLOTS["lots_after"]),
        "it": _parts(_IT),
        "box": _parts(SLOTS["box"]),
        "table": _parts(SLOTS["table"]),
    }


class Unseen:
    """Phrases that are kept from learning: each is to have two words in a row that no learned phrase has."""

    def __init__(self, held_out: Iterable[str], learned: Iterable[str]) -> None:
        known = set[tuple[str, str]]().union(*(_pairs(phrase) for phrase in learned))
        self._new = [new for phrase in held_out if (new := _pairs(phrase) - known)]

    def stays_so_with(self, phrase: str) -> bool:
        """Whether all of them are new still when this phrase is learned, too; if so it counts as learned."""
        pairs = _pairs(phrase)
        if any(new <= pairs for new in self._new):
            return False
        for new in self._new:
            new -= pairs
        return True


def _pairs(phrase: str) -> set[tuple[str, str]]:
    words = ["<", *re.findall("[a-z]+", phrase.lower().replace("'", "")), ">"]
    return set(pairwise(words))


def wider_phrases(
    text: str, key: str, unseen: Unseen, *, kind: str = "", side: str = "", way: str = ""
) -> tuple[str, ...]:
    """Up to MAX_WIDER phrases of the templates `key` for the command `text`, drawn at random but always the same ones.

    kind: of the object; side: of the arm or hand, "both", or "" for the one at work; way: a direction. What is
    `unseen` stays so. Raises KeyError for a key that has no templates.
    """
    rng = random.Random(f"wider: {text}")
    templates = _parts(TEMPLATES[key])
    rng.shuffle(templates)
    slots = _slots(kind, side, way)
    if key == "armless":
        slots["way"] = _parts(f"{_HIGHER.get(way, way)}|{SLOTS[way]}")
    found: dict[str, None] = {}
    for number in range(3 * MAX_WIDER):
        template = templates[number % len(templates)]
        names = {name for _, name, _, _ in Formatter().parse(template) if name}
        phrase = template.format(**{name: rng.choice(slots[name]) for name in sorted(names)})
        if phrase not in found and phrase.lower() != text and unseen.stays_so_with(phrase):
            found[phrase] = None
        if len(found) == MAX_WIDER:
            break
    return tuple(found)
