"""More ways of saying commands: they are many, always the same ones, and leave what is kept from learning unseen."""

from __future__ import annotations

import pytest

from robot.aloha.grammar import COMMANDS, Command
from robot.aloha.wording import Unseen, wider_phrases


def test_a_phrase_that_would_teach_the_last_new_words_is_not_taken() -> None:
    unseen = Unseen(["loosen the left hand"], ["open the left hand", "ease it"])
    assert not unseen.stays_so_with("loosen the left hand")
    again = Unseen(["loosen the left hand"], ["open the left hand"])
    assert again.stays_so_with("please loosen the right hand"), "one new pair is left: it begins with the word"
    assert not again.stays_so_with("loosen it")


def test_phrases_are_many_and_always_the_same() -> None:
    nothing_kept = [wider_phrases("go left", "armless", Unseen([], []), way="left") for _ in range(2)]
    assert nothing_kept[0] == nothing_kept[1]
    assert len(set(nothing_kept[0])) == len(nothing_kept[0]) >= 40
    assert all("left" in phrase for phrase in nothing_kept[0])


def test_unknown_templates_are_an_error() -> None:
    with pytest.raises(KeyError):
        wider_phrases("dance", "dance", Unseen([], []))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_every_command_has_more_ways_of_being_said_than_its_grammar_gives(command: Command) -> None:
    assert len(command.train) >= 80
    assert not [phrase for phrase in command.train if "{" in phrase or "  " in phrase]
