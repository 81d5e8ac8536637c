"""Stop in any spelling; and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.speech.stop_words import is_stop

STOPS = (
    "stop|STOP!!|stopp|st0p|halt|freeze|emergency stop|stop it now|Stop.|please stop|s-t-o-p|S T O P|s.t.o.p|stooooop"
    "|sotp|stpo|tsop|5top|$top|e-stop|E-STOP!|stop stop stop|no, stop!|no stop|left left stop|wait, stop"
    "|could you stop please|robot stop|stop moving the left arm|stop and go home|freeze!|HALT|\uff33\uff34\uff2f\uff30"
    "|stop\u200b|abort|everything stop|emergency|stop the robot|oh no stop|stahp|don't go there, stop|sttop|stop?"
    "|now stop|I said stop|ha1t|whoa|just stop|st op|stopstop|please, stop the arm|stop\x00"
).split("|")
OTHERS = (
    "don't stop|put the stopper in the box|do not stop|never stop|keep going, don't stop|nonstop|non stop|step left"
    "|top|the bus stop|hold still|go on top|shop|put it on top|unstoppable|dont stop|why did you stop|stopper|go home"
    "|pick up the red block|stopwatch|do not ever stop|don't freeze|move the left arm up|you can't stop|stepping"
    "|drop it|without stopping|spot on|pick up the doorstop||   |!!!"
).split("|")


@pytest.mark.parametrize("text", STOPS)
def test_stops(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize("text", OTHERS)
def test_is_no_stop(text: str) -> None:
    assert not is_stop(text)


def test_no_phrase_of_the_grammar_is_a_stop() -> None:
    from robot.aloha.grammar import COMMANDS

    phrases = [phrase for command in COMMANDS for phrase in (*command.train, *command.held_out)]
    assert [phrase for phrase in phrases if is_stop(phrase)] == []


@given(st.text(max_size=3000))
def test_any_text_has_an_answer(text: str) -> None:
    assert is_stop(text) in (True, False)


@given(
    st.lists(st.sampled_from(["", " ", "!", "  ", "?!", "...", "\n", "\t"]), min_size=2, max_size=2),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.lists(st.integers(1, 4), min_size=4, max_size=4),
)
def test_case_noise_and_held_letters_do_not_matter(around: list[str], upper: list[bool], times: list[int]) -> None:
    letters = (c.upper() * n if up else c * n for c, up, n in zip("stop", upper, times, strict=True))
    assert is_stop(around[0] + "".join(letters) + around[1])
