"""The words of the grammar: how phrases are put together from templates, and the synonyms that fill them.

Each list has words that may be trained on and words that are kept for held-out phrases. Pure data; what the commands
mean stands in `grammar.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from string import Formatter
from typing import NamedTuple

MAX_TRAIN, MAX_HELD_OUT = 64, 12
"""Phrases kept per command beside the canonical text; more of the same templates teach nothing new."""


class Words(NamedTuple):
    """Alternatives for a template or a slot: `known` may be trained on, `unseen` is kept for the held-out phrases."""

    known: tuple[str, ...]
    unseen: tuple[str, ...] = ()


def split(known: str, unseen: str = "") -> Words:
    """Both lists from "a | b | c" strings."""

    def parts(line: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in line.split("|") if part.strip())

    return Words(parts(known), parts(unseen))


def _fill(template: str, slots: dict[str, Words]) -> Iterator[tuple[str, bool]]:
    """Every filling of a template, with whether all its words are known ones."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    choices = [[(w, True) for w in slots[n].known] + [(w, False) for w in slots[n].unseen] for n in names]
    for picked in product(*choices):
        words = dict(zip(names, (word for word, _ in picked), strict=True))
        yield template.format(**words), all(known for _, known in picked)


def phrases_of(text: str, templates: Words, **slots: Words) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Train and held-out phrases of the command `text`, chosen at random but always the same ones."""
    train: list[str] = []
    held_out: list[str] = []
    for template in templates.known:
        for phrase, known in _fill(template, slots):
            (train if known else held_out).append(phrase)
    for template in templates.unseen:
        held_out += [phrase for phrase, known in _fill(template, slots) if known]
    chosen = random.Random(text)
    train = [phrase for phrase in dict.fromkeys(train) if phrase != text]
    held_out = list(dict.fromkeys(held_out))
    chosen.shuffle(train)
    chosen.shuffle(held_out)
    return (text, *train[:MAX_TRAIN]), tuple(held_out[:MAX_HELD_OUT])


# -- words ------------------------------------------------------------------------------------------------------------

NAMES: dict[str, Words] = {
    "red block": split(
        "red block | red cube | red one | red thing | red object | red square | scarlet block | ruby cube",
        "crimson cube | red brick",
    ),
    "green cylinder": split(
        "green cylinder | green can | green one | green thing | green object | green tin | jade cylinder | lime can",
        "green tube | emerald cylinder",
    ),
    "blue ball": split(
        "blue ball | blue sphere | blue one | blue thing | blue object | blue marble | azure ball | cobalt sphere",
        "blue orb | navy ball",
    ),
    "yellow bar": split(
        "yellow bar | yellow stick | yellow one | yellow thing | yellow object | yellow beam | gold stick | lemon bar",
        "yellow rod | golden bar",
    ),
    "purple capsule": split(
        "purple capsule | purple pill | purple one | purple thing | purple object | plum capsule | lavender pill"
        " | mauve capsule",
        "violet capsule | lilac pill",
    ),
    "orange cross": split(
        "orange cross | orange plus | orange one | orange thing | orange object | orange x | tangerine cross"
        " | apricot cross",
        "orange plus sign | amber cross",
    ),
}

WAYS: dict[str, Words] = {
    "left": split(
        "left | to the left | leftwards | toward the left | over to the left | further left | to your left",
        "leftward | to the left side",
    ),
    "right": split(
        "right | to the right | rightwards | toward the right | over to the right | further right | to your right",
        "rightward | to the right side",
    ),
    "forward": split(
        "forward | forwards | ahead | away from me | straight ahead | frontwards | further away | in front",
        "to the front | away from us",
    ),
    "back": split(
        "back | backwards | backward | toward me | rearwards | nearer to me | close to me | to the back",
        "closer to me | to the rear",
    ),
    "up": split(
        "up | upwards | higher | higher up | toward the ceiling | into the air | to the top | up high",
        "upward | skywards",
    ),
    "down": split(
        "down | downwards | lower | lower down | toward the floor | to the ground | to the bottom | down low"
        " | toward the desk",
        "downward | toward the table",
    ),
}

VERBS: dict[str, Words] = {
    "left": split("move | shift | slide | bring | take | steer", "scoot"),
    "right": split("move | shift | slide | bring | take | steer", "scoot"),
    "forward": split("move | shift | push | bring | send | reach", "extend"),
    "back": split("move | shift | pull | bring | send | tug", "draw"),
    "up": split("move | shift | bring | send | hoist", "take"),
    "down": split("move | shift | bring | send | sink", "take"),
}

RAISE: dict[str, str] = {"up": "raise | lift", "down": "lower | let down"}

SMALL = split(
    "a bit | a little | slightly | a little bit | a tad | a touch | a tiny bit | a fraction | just a little | a speck",
    "a smidge | a hair | ever so slightly",
)
FAR_BEFORE = split("far | a long way | way | very far | a lot further | much further", "really far | quite far")
FAR_AFTER = split(
    "a lot | by a lot | a long way | very far | lots | by a large amount | a big step | a long distance | a whole lot"
    " | massively | by quite a lot | a great way",
    "a great deal | quite a distance",
)


def arm_words(side: str) -> Words:
    return split(
        f"the {side} arm | your {side} arm | the {side} hand | {side} arm | the arm on the {side} | {side} hand"
        f" | the {side} one | the {side} limb",
        f"the {side} robot arm | that {side} arm of yours",
    )


def hand_words(side: str) -> Words:
    return split(
        f"the {side} gripper | your {side} gripper | the {side} hand | {side} gripper | the gripper on the {side}"
        f" | {side} hand | your {side} hand | the {side} fingers | the {side} pincers",
        f"the {side} claw | the {side} jaws",
    )
