"""The commands that the ALOHA cell understands, as data: what each means, and how people say it.

Every canonical command has structured fields, so that the scripted expert and the judge never parse words, and
paraphrases built from templates and synonyms. `train` phrases are for learning; the wording of `held_out` phrases
(a template or a synonym of them) never occurs in the train phrases of the same command, so that they measure what
happens with words nobody trained on. Every phrase belongs to exactly one command.

Pure data: knows nothing of robots, simulation, models or numpy. Directions are the viewer's: left = -x, right = +x,
forward = +y (away from the viewer), back = -y, up = +z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from robot.aloha.wording import Unseen, wider_phrases
from robot.aloha.words import (
    FAR_AFTER,
    FAR_BEFORE,
    NAMES,
    RAISE,
    SMALL,
    VERBS,
    WAYS,
    Words,
    arm_words,
    hand_words,
    phrases_of,
    split,
)

Family = Literal["pick", "place", "handover", "home", "motion", "gripper", "reach", "still"]
Skill = Literal["pick", "box", "down", "handover", "home", "move", "grip", "turn", "tilt", "above", "still"]
Arm = Literal["left", "right", "both", "auto"]
Vector = tuple[float, float, float]

KINDS = ("red block", "green cylinder", "blue ball", "yellow bar", "purple capsule", "orange cross")
UNSEEN_KIND = "pink ring"
"""An object kind of the shift "unseen object": no command names it."""

DIRECTIONS: dict[str, Vector] = {
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "forward": (0.0, 1.0, 0.0),
    "back": (0.0, -1.0, 0.0),
    "up": (0.0, 0.0, 1.0),
    "down": (0.0, 0.0, -1.0),
}
SMALL_M, PLAIN_M, FAR_M, ARMLESS_M = 0.02, 0.05, 0.10, 0.03
GRIP_LITTLE, GRIP_FULL = 0.25, 1.0
TURN_RAD, TILT_RAD = 0.35, 0.25


@dataclass(frozen=True)
class Command:
    """One canonical command.

    arm: "auto" leaves the choice to the situation: the arm that holds something for box, down and handover, the arm
        nearer to the object for pick and above, else the arm whose pose is farther from its home pose. For handover
        it names the arm that receives.
    kind: object kind, or "".
    direction: unit vector for skill "move", else None.
    size: metres for "move" (always positive); change of the opening for "grip" (+ opens, - closes; full is 1, clipped
        by the reader); radians of roll for "turn" (+ is clockwise, looking along the fingers) and of pitch for "tilt"
        (+ is up); 0 elsewhere.
    """

    text: str
    family: Family
    skill: Skill
    arm: Arm
    kind: str = ""
    direction: Vector | None = None
    size: float = 0.0
    train: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()


# -- families ---------------------------------------------------------------------------------------------------------


def _pick_and_reach() -> Iterator[Command]:
    pick = split(
        "pick up the {name} | pick the {name} up | grab the {name} | take the {name} | get the {name}"
        " | fetch the {name} | grasp the {name} | lift the {name} | could you take the {name} please"
        " | go for the {name}"
        " | I want you to pick up the {name} | now the {name} | get hold of the {name}"
        " | reach for the {name} and take it | pick up that {name} | take hold of the {name}"
        " | pick {name} | the {name} please | the {name} | go and get the {name} | can you grab the {name}"
        " | take the {name} in your hand | retrieve the {name} | capture the {name}",
        "collect the {name} | snatch the {name} | I need the {name} in your hand"
        " | would you mind picking up the {name}"
        " | next up is the {name} | seize that {name} for me",
    )
    above = split(
        "move above the {name} | go above the {name} | hover over the {name} | hover above the {name}"
        " | move over the {name} | go over the {name} | position yourself above the {name} | get above the {name}"
        " | move to a spot above the {name} | stay above the {name} without touching it"
        " | place the arm above the {name}",
        "float over the {name} | bring the hand over the top of the {name} | line up above the {name}"
        " | park right above the {name}",
    )
    for kind, names in NAMES.items():
        text = f"pick up the {kind}"
        train, held_out = phrases_of(text, pick, name=names)
        yield Command(text, "pick", "pick", "auto", kind, train=train, held_out=held_out)
        text = f"move above the {kind}"
        train, held_out = phrases_of(text, above, name=names)
        yield Command(text, "reach", "above", "auto", kind, train=train, held_out=held_out)


def _place() -> Iterator[Command]:
    it = split("it | that | this | the object | the thing you hold", "your load | what you are holding")
    box = split("the box | the container | the open box", "the crate | the carton")
    text = "put it in the box"
    templates = split(
        "put {it} in {box} | put {it} into {box} | place {it} in {box} | drop {it} into {box} | pack {it} into {box}"
        " | lay {it} in {box} | release {it} in {box} | in {box} please | {it} goes in {box} | box it | pack it"
        " | into {box} with it",
        "stow {it} in {box} | deposit {it} inside {box} | {box} is where {it} belongs | load {it} into {box}",
    )
    train, held_out = phrases_of(text, templates, it=it, box=box)
    yield Command(text, "place", "box", "auto", train=train, held_out=held_out)
    text = "put it down"
    table = split("the table | the table top", "the surface | the tabletop")
    templates = split(
        "put {it} down | put {it} back down | set {it} down | lay {it} down | place {it} down | put {it} on {table}"
        " | put {it} back on {table} | place {it} on {table} | set {it} on {table} | down on {table} with it",
        "leave {it} on {table} | rest {it} on {table} | return {it} to {table} | just plonk {it} down",
    )
    train, held_out = phrases_of(text, templates, it=it, table=table)
    yield Command(text, "place", "down", "auto", train=train, held_out=held_out)


def _handover() -> Iterator[Command]:
    templates = split(
        "hand it to {arm} | hand it over to {arm} | pass it to {arm} | pass it over to {arm} | give it to {arm}"
        " | transfer it to {arm} | let {arm} take it | give the object to {arm} | pass the object to {arm}"
        " | move it over into {arm} | hand that to {arm} | pass that over to {arm} | let {arm} have it"
        " | hand off to {arm} | {arm} takes it | get it over to {arm} | change over to {arm}",
        "switch it over to {arm} | {arm} should have it now | deliver it to {arm} | swap it across to {arm}",
    )
    for side in ("left", "right"):
        text = f"hand it to the {side} arm"
        arm = split(
            f"the {side} arm | your {side} arm | the {side} hand | the {side} gripper | the arm on the {side}"
            f" | your {side} hand",
            f"the {side} robot arm | the {side} side",
        )
        train, held_out = phrases_of(text, templates, arm=arm)
        yield Command(text, "handover", "handover", side, train=train, held_out=held_out)


def _home() -> Iterator[Command]:
    place = split(
        "home | back home | to the home position | back to the start | to the start position | to the initial pose"
        " | to the resting position | back to base | where it started",
        "to the rest pose | back to where it began",
    )
    text = "go home"
    templates = split(
        "go {place} | return {place} | move {place} | both arms {place} | move both arms {place}"
        " | send both arms {place} | all arms {place} | take both arms {place} | {place} please",
        "retreat {place} | bring everything {place} | the two arms {place} now | withdraw {place}",
    )
    train, held_out = phrases_of(text, templates, place=place)
    yield Command(text, "home", "home", "both", train=train, held_out=held_out)
    templates = split(
        "move {arm} {place} | send {arm} {place} | bring {arm} {place} | take {arm} {place} | return {arm} {place}"
        " | {arm} {place} | {arm} should go {place}",
        "retract {arm} {place} | park {arm}: {place} | get {arm} {place}",
    )
    for side in ("left", "right"):
        text = f"move the {side} arm home"
        train, held_out = phrases_of(text, templates, arm=arm_words(side), place=place)
        yield Command(text, "home", "home", side, train=train, held_out=held_out)


def _moves() -> Iterator[Command]:
    """Both arms, six directions, three sizes."""
    for side in ("left", "right"):
        for way in DIRECTIONS:
            for make in (_move_small, _move_plain, _move_far):
                yield make(side, way)


def _move_small(side: str, way: str) -> Command:
    templates = split(
        "{verb} {arm} {bit} {way} | {verb} {arm} {way} {bit} | {arm} {bit} {way} | {arm}: {way} {bit}"
        " | nudge {arm} {way} | {bit} {way} with {arm} | {way} {bit} with {arm}",
        "{arm} wants to go {bit} {way} | jog {arm} {way} {bit} | with {arm} go {bit} {way} | inch {arm} {way}",
    )
    templates = _with_raise(templates, way, "{raise_} {arm} {bit}")
    return _move(f"move the {side} arm a bit {way}", side, way, SMALL_M, templates, bit=SMALL)


def _move_plain(side: str, way: str) -> Command:
    templates = split(
        "{verb} {arm} {way} | {arm} {way} | {arm}: {way} | {way} with {arm} | go {way} with {arm}"
        " | {arm} needs to go {way} | have {arm} move {way} | a step {way} with {arm}"
        " | {arm} should go {way}",
        "{arm} has to travel {way} | using {arm}, go {way} | let {arm} go {way} | a move {way} of {arm}",
    )
    templates = _with_raise(templates, way, "{raise_} {arm}")
    return _move(f"move the {side} arm {way}", side, way, PLAIN_M, templates)


def _move_far(side: str, way: str) -> Command:
    templates = split(
        "{verb} {arm} {far} {way} | {verb} {arm} {way} {lots} | {arm} {far} {way} | {arm}: {way} {lots}"
        " | {far} {way} with {arm} | {way} {lots} with {arm}",
        "a big move {way} with {arm} | {arm} needs to go {far} {way} | with {arm} go {way} {lots}",
    )
    templates = _with_raise(templates, way, "{raise_} {arm} {lots}")
    text = f"move the {side} arm far {way}"
    return _move(text, side, way, FAR_M, templates, far=FAR_BEFORE, lots=FAR_AFTER)


def _with_raise(templates: Words, way: str, template: str) -> Words:
    return Words((*templates.known, template), templates.unseen) if way in RAISE else templates


def _move(text: str, side: str, way: str, size: float, templates: Words, **slots: Words) -> Command:
    slots |= {"arm": arm_words(side), "way": WAYS[way], "verb": VERBS[way], "raise_": split(RAISE.get(way, ""))}
    train, held_out = phrases_of(text, templates, **slots)
    arm: Arm = "left" if side == "left" else "right"
    return Command(text, "motion", "move", arm, "", DIRECTIONS[way], size, train, held_out)


def _armless_moves() -> Iterator[Command]:
    """Six short moves of the arm that is at work; no arm and no size is said."""
    texts = {
        "up": ("go higher", "up | higher | upwards | further up", "upward | a notch higher", "raise it | lift it up"),
        "down": ("go lower", "down | lower | downwards | further down", "downward | a notch lower", "lower it"),
        "left": (
            "go left",
            "left | to the left | more to the left | further left | leftwards",
            "leftward | to the left side",
            "",
        ),
        "right": (
            "go right",
            "right | to the right | more to the right | further right | right a bit more | rightwards",
            "rightward | to the right side",
            "",
        ),
        "forward": ("go forward", "forward | forwards | ahead | further forward | away from me", "to the front", ""),
        "back": ("go back", "back | backwards | backward | further back | toward me", "closer to me", ""),
    }
    templates = split(
        "go {way} | move {way} | shift {way} | {way} | {way} a bit | move it {way} | a little {way}"
        " | go {way} a little | a bit {way} | keep going {way} | step {way} | drift {way} | come {way} | run {way}"
        " | a step {way} | make it go {way}",
        "you need to be {way} | head {way} | travel {way} | try {way}",
    )
    for way, (text, known, unseen, more) in texts.items():
        every = Words((*templates.known, *split(more).known), templates.unseen)
        train, held_out = phrases_of(text, every, way=split(known, unseen))
        yield Command(text, "motion", "move", "auto", "", DIRECTIONS[way], ARMLESS_M, train, held_out)


_OPEN = split(
    "open {hand} | open up {hand} | open {hand} fully | open {hand} all the way | {hand} open | {hand}: open"
    " | let go with {hand} | release with {hand} | spread {hand}"
    " | relax {hand} completely | free {hand} | unlock {hand} | {hand} lets go",
    "unclench {hand} | {hand} should release | have {hand} open up",
)
_CLOSE = split(
    "close {hand} | shut {hand} | close up {hand} | close {hand} fully | close {hand} all the way | {hand} closed"
    " | {hand}: close | grip with {hand} | squeeze {hand} shut"
    " | lock {hand} | pinch with {hand} | grasp with {hand} | {hand} should close",
    "clench {hand} | clamp {hand} | have {hand} close up",
)
_WIDER = split(
    "open {hand} wider | open {hand} a bit wider | open {hand} a little | open {hand} a bit more | widen {hand}"
    " | {hand} a bit wider | {hand} a little more open | open {hand} slightly"
    " | relax {hand} a little | ease {hand} open a bit | slacken {hand} | release {hand} slightly"
    " | {hand}: open a little",
    "loosen {hand} a touch | make {hand} wider | {hand}: open a smidge",
)
_NARROWER = split(
    "close {hand} a little | close {hand} a bit | close {hand} slightly | close {hand} a bit more | narrow {hand}"
    " | {hand} a bit narrower | {hand} a little more closed | {hand}: close a little"
    " | squeeze {hand} a little | close {hand} just a touch | firm up {hand}",
    "tighten {hand} a touch | make {hand} narrower | {hand}: close a smidge",
)


def _grippers() -> Iterator[Command]:
    both = split(
        "both grippers | both hands | both your grippers | the two grippers | the grippers",
        "both claws | the two claws",
    )
    auto = split("the gripper | your gripper | the hand | gripper | your hand", "the claw | the jaws")
    hands: dict[Arm, tuple[str, Words]] = {
        "left": ("the left gripper", hand_words("left")),
        "right": ("the right gripper", hand_words("right")),
        "both": ("both grippers", both),
        "auto": ("the gripper", auto),
    }
    extra = {
        ("open", "auto"): "let go | let go of it | drop it | release it",
        ("close", "auto"): "grip it | squeeze it",
    }
    for arm, (name, words) in hands.items():
        kinds = [("open", f"open {name}", _OPEN, GRIP_FULL), ("close", f"close {name}", _CLOSE, -GRIP_FULL)]
        if arm != "both":
            kinds.append(("wider", f"open {name} wider", _WIDER, GRIP_LITTLE))
            kinds.append(("narrower", f"close {name} a little", _NARROWER, -GRIP_LITTLE))
        for kind, text, templates, size in kinds:
            every = Words((*templates.known, *split(extra.get((kind, arm), "")).known), templates.unseen)
            train, held_out = phrases_of(text, every, hand=words)
            yield Command(text, "gripper", "grip", arm, size=size, train=train, held_out=held_out)


def _wrists() -> Iterator[Command]:
    """Turning (roll) and tilting (pitch) of one gripper."""
    turn = split(
        "turn {hand} {way} | rotate {hand} {way} | twist {hand} {way} | spin {hand} {way} | {hand} {way}"
        " | turn {hand} a bit {way} | rotate {hand} {way} a little",
        "swivel {hand} {way} | give {hand} a {way} turn | wind {hand} {way}",
    )
    tilt = split(
        "tilt {hand} {way} | angle {hand} {way} | point {hand} {way} | pitch {hand} {way} | tip {hand} {way}"
        " | tilt {hand} a bit {way} | tilt {hand} {way} a little",
        "incline {hand} {way} | aim {hand} {way} | lean {hand} {way}",
    )
    turns = {
        "clockwise": split(
            "clockwise | in clockwise direction | the way a clock goes | like the hands of a clock", "with the clock"
        ),
        "counterclockwise": split(
            "counterclockwise | anticlockwise | counter clockwise | anti-clockwise | opposite to a clock"
            " | in counterclockwise direction",
            "against the clock",
        ),
    }
    tilts = {
        "up": split("up | upwards", "upward | skywards"),
        "down": split("down | downwards", "downward | at the floor"),
    }
    arms: tuple[Arm, ...] = ("left", "right")
    for arm in arms:
        wrist = split(f"the {arm} wrist | your {arm} wrist", f"the wrist on the {arm}")
        hand = Words((*hand_words(arm).known, *wrist.known), (*hand_words(arm).unseen, *wrist.unseen))
        for way, words in turns.items():
            text = f"turn the {arm} gripper {way}"
            train, held_out = phrases_of(text, turn, hand=hand, way=words)
            size = TURN_RAD if way == "clockwise" else -TURN_RAD
            yield Command(text, "motion", "turn", arm, size=size, train=train, held_out=held_out)
        for way, words in tilts.items():
            text = f"tilt the {arm} gripper {way}"
            train, held_out = phrases_of(text, tilt, hand=hand, way=words)
            size = TILT_RAD if way == "up" else -TILT_RAD
            yield Command(text, "motion", "tilt", arm, size=size, train=train, held_out=held_out)


def _still() -> Iterator[Command]:
    text = "hold still"
    templates = split(
        "hold still | stay still | keep still | stand still | don't move | do not move | stay where you are"
        " | stay there | hold it there | wait a moment | wait there | do nothing | hold your position"
        " | stay put | hold that pose | keep your position | remain still | stay as you are"
        " | hold the arms still | no movement | stay in place | keep both arms still | keep everything still"
        " | wait a minute | hold on | hold your pose | don't do anything | stay right there | keep that position"
        " | be still | stay motionless",
        "don't budge | remain where you are | keep the arms motionless | not another inch | wait for me"
        " | maintain your position | hang on a second",
    )
    train, held_out = phrases_of(text, templates)
    yield Command(text, "still", "still", "both", train=train, held_out=held_out)


def _wider_key(command: Command) -> str:
    """Which of the wider templates say this command."""
    if command.skill == "grip":
        opens, full = command.size > 0, abs(command.size) == GRIP_FULL
        return ("open" if full else "wider") if opens else ("close" if full else "narrower")
    if command.skill == "home":
        return "home" if command.arm == "both" else "home arm"
    if command.skill == "move":
        if command.arm == "auto":
            return "armless"
        return {SMALL_M: "move small", PLAIN_M: "move", FAR_M: "move far"}[command.size]
    return command.skill


def _widened(command: Command) -> Command:
    """The command with more phrases to learn from."""
    side = command.arm if command.arm != "auto" else ""
    way = command.text.split()[-1] if command.skill in ("move", "turn", "tilt") else ""
    way = {"higher": "up", "lower": "down"}.get(way, way)
    key = _wider_key(command)
    unseen = Unseen(command.held_out, command.train)
    more = wider_phrases(command.text, key, unseen, kind=command.kind, side=side, way=way)
    if command.skill == "grip" and command.arm == "auto" and key in ("open", "close"):
        more += wider_phrases(command.text, f"{key} auto", unseen)
    return replace(command, train=tuple(dict.fromkeys((*command.train, *more))))


COMMANDS: tuple[Command, ...] = tuple(
    _widened(command)
    for family in (_pick_and_reach, _place, _handover, _home, _moves, _armless_moves, _grippers, _wrists, _still)
    for command in family()
)


@cache
def _table() -> dict[str, Command]:
    return {command.text: command for command in COMMANDS}


def by_text(text: str) -> Command:
    """The command with this canonical text; KeyError for any other, paraphrases included."""
    return _table()[text]


def as_records() -> list[dict[str, object]]:
    """The commands as they stand in a dataset's `meta.json`: text, family, train and held-out phrases."""
    return [
        {"text": c.text, "family": c.family, "train": list(c.train), "held_out": list(c.held_out)} for c in COMMANDS
    ]
