"""The grammar: complete, unambiguous, and with held-out wording that is really held out."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from robot.aloha.grammar import COMMANDS, DIRECTIONS, KINDS, UNSEEN_KIND, Command, as_records, by_text


def words(phrase: str) -> list[str]:
    return re.findall(r"[a-z]+", phrase.lower().replace("'", ""))


def pairs(phrase: str) -> set[tuple[str, str]]:
    marked = ["<", *words(phrase), ">"]
    return set(zip(marked, marked[1:], strict=False))


def test_every_phrase_belongs_to_exactly_one_command() -> None:
    owners: dict[str, set[str]] = {}
    for command in COMMANDS:
        for phrase in (*command.train, *command.held_out):
            owners.setdefault(" ".join(words(phrase)), set()).add(command.text)
    assert {phrase: texts for phrase, texts in owners.items() if len(texts) > 1} == {}


def test_there_are_eighty_commands_and_their_texts_differ() -> None:
    assert len({command.text for command in COMMANDS}) == len(COMMANDS) >= 80


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_phrases_are_many_and_held_out_wording_is_new(command: Command) -> None:
    assert command.train[0] == command.text
    assert len(command.train) >= 20 and len(command.held_out) >= 5
    assert not {" ".join(words(p)) for p in command.train} & {" ".join(words(p)) for p in command.held_out}
    known = set().union(*(pairs(phrase) for phrase in command.train))
    for phrase in command.held_out:
        assert pairs(phrase) - known, f"{phrase!r} is only a new mixture of trained wording"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_phrases_name_the_arm_and_the_object_they_mean(command: Command) -> None:
    colours = {kind.split()[0] for kind in KINDS}
    for phrase in (*command.train, *command.held_out):
        said = set(words(phrase))
        assert not said & set(words(UNSEEN_KIND))
        if command.kind:
            assert not said & (colours - {command.kind.split()[0]})
        if command.skill in ("move", "grip", "turn", "tilt", "handover", "home") and command.arm in ("left", "right"):
            assert command.arm in said


def test_fields_follow_the_text() -> None:
    up = by_text("move the left arm far up")
    assert (up.skill, up.arm, up.direction, up.size) == ("move", "left", DIRECTIONS["up"], 0.10)
    assert by_text("move the right arm a bit back").size == 0.02
    assert by_text("move the right arm back").size == 0.05
    assert (by_text("go left").arm, by_text("go left").size, by_text("go left").direction) == (
        "auto",
        0.03,
        (-1, 0, 0),
    )
    assert by_text("close the right gripper a little").size == -0.25
    assert by_text("open the left gripper").size == 1.0
    assert by_text("turn the left gripper clockwise").size == 0.35
    assert by_text("tilt the left gripper down").size == -0.25
    assert by_text("hand it to the right arm").arm == "right"
    assert by_text("pick up the orange cross").kind == "orange cross"


def test_every_kind_arm_direction_and_size_has_its_command() -> None:
    moves = [c for c in COMMANDS if c.skill == "move" and c.arm in ("left", "right")]
    assert len({(c.arm, c.direction, c.size) for c in moves}) == len(moves) == 36
    for skill in ("pick", "above"):
        assert sorted(c.kind for c in COMMANDS if c.skill == skill) == sorted(KINDS)
    assert Counter(c.family for c in COMMANDS) == {
        "pick": 6,
        "reach": 6,
        "place": 2,
        "handover": 2,
        "home": 3,
        "motion": 50,
        "gripper": 14,
        "still": 1,
    }


def test_only_moves_have_a_direction_and_it_is_a_unit_vector() -> None:
    for command in COMMANDS:
        assert (command.direction is not None) == (command.skill == "move")
        if command.direction is not None:
            assert sum(x * x for x in command.direction) == 1.0 and command.size > 0


def test_paraphrases_are_no_canonical_texts() -> None:
    with pytest.raises(KeyError):
        by_text("grab the red cube")


def test_records_carry_what_training_needs() -> None:
    records = as_records()
    assert [record["text"] for record in records] == [command.text for command in COMMANDS]
    assert all(set(record) == {"text", "family", "train", "held_out"} for record in records)
