"""Words that steer the loop, and the commands that only begin like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.speech.intents import intent_of, place_of

STOPS = "stop|Please stop!|wait|Wait!|wait wait|wait, wait, wait|hold it|Hold it!|no wait|wait, no|ok, wait please"
GO_ON = (
    "go on|Go on.|continue|please continue|carry on|resume|go ahead|keep going|ok, go on|now continue|go on, go on"
    "|robot, carry on please|all right, keep going|go on then"
)
UNDO = (
    "scratch that|Undo!|undo that|take that back|forget that|never mind|nevermind|no, scratch that|sorry, undo that"
    "|actually, never mind|please undo that"
)
SAID = (
    "keep going left|keep going forward|go on top|go ahead of the box|continue to the left|wait a moment|wait there"
    "|wait for me|hold on|hold it there|hold still|don't go on|do not undo that|undo the lid|never mind the red block"
    "|take that back to the box|wait and then go left|forget the blue ball|resume the search|don't wait||!!!"
)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        (text, intent)
        for texts, intent in ((STOPS, "stop"), (GO_ON, "go on"), (UNDO, "undo"), (SAID, "say"))
        for text in texts.split("|")
    ],
)
def test_intents(text: str, intent: str) -> None:
    assert intent_of(text) == intent


def test_every_phrase_of_the_grammar_is_said_to_the_policy() -> None:
    from robot.aloha.grammar import COMMANDS

    phrases = [phrase for command in COMMANDS for phrase in (*command.train, *command.held_out)]
    assert [phrase for phrase in phrases if intent_of(phrase) != "say"] == []


@given(st.text(max_size=3000))
def test_any_text_has_an_intent(text: str) -> None:
    assert intent_of(text) in ("stop", "go on", "undo", "say")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("the first one", 0), ("First.", 0), ("one", 0), ("number one, please", 0), ("1", 0), ("the former", 0),
        ("The second one!", 1), ("second option", 1), ("two", 1), ("number 2", 1), ("um, the second command", 1),
        ("the second drawer", None), ("go left", None), ("", None), ("the first one on the left", None),
        ("not the first one", None), ("stop", None),
    ],
)  # fmt: skip
def test_words_that_count_out_what_is_asked(text: str, place: int | None) -> None:
    assert place_of(text) == place
