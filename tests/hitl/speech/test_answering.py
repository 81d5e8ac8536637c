"""What follows from whole utterances."""

from __future__ import annotations

import itertools

import pytest

from hitl.messages import MAX_AUDIO_BYTES, Correction, Reading, Resume, Stop, Undo
from hitl.speech.answering import Answering
from hitl.speech.ear_messages import Finished

NUMBERS = itertools.count()
ANSWERING = Answering("ann", new_id=lambda: f"id{next(NUMBERS)}", hold_s=4.0)


def said(text: str, audio: bytes = b"\0\0") -> Finished:
    return Finished(
        number=1,
        text=text,
        heard=0.9,
        readings=[Reading(text=text, probability=1.0)],
        audio=audio,
        began_ns=50,
        spoken_ns=80,
        recognizer="r",
    )


def nothing() -> None:
    return None


def test_words_are_a_spoken_correction_with_what_may_have_been_heard() -> None:
    made = ANSWERING.request(said("go higher"), nothing)
    assert isinstance(made, Correction)
    assert (made.source, made.author, made.heard, made.hold_s) == ("voice", "ann", 0.9, 4.0)
    assert [reading.text for reading in made.readings] == ["go higher"]


@pytest.mark.parametrize("text", ["stop", "please stop", "wait"])
def test_a_stop_by_words_may_be_ended_by_words(text: str) -> None:
    made = ANSWERING.request(said(text), nothing)
    assert isinstance(made, Stop) and made.by_words and text in made.reason


def test_go_on_undo_and_nothing() -> None:
    resume = ANSWERING.request(said("go on"), nothing)
    assert isinstance(resume, Resume) and resume.by_words
    undo = ANSWERING.request(said("scratch that"), lambda: "c7")
    assert isinstance(undo, Undo) and undo.target == "c7"
    assert ANSWERING.request(said("scratch that"), nothing) is None
    assert ANSWERING.request(said(" ... "), nothing) is None


def test_narration_asks_for_nothing_but_to_stop_and_to_go_on() -> None:
    narrating = Answering("ann", narrates=True)
    assert isinstance(narrating.request(said("wait"), nothing), Stop)
    assert isinstance(narrating.request(said("go on"), nothing), Resume)
    for text in ("go left", "scratch that"):
        assert narrating.request(said(text), lambda: "c7") is None
    kept = narrating.utterance(said("go left"), "")
    assert kept is not None and kept.narration
    assert not ANSWERING.utterance(said("go left"), "").narration  # type: ignore[union-attr]


def test_the_newest_is_asked_for_only_to_take_it_back() -> None:
    def newest() -> str:
        raise AssertionError("asked")

    assert ANSWERING.request(said("go left"), newest) is not None


def test_sound_is_kept_with_its_words_and_never_too_much_of_it() -> None:
    kept = ANSWERING.utterance(said("go left"), "c1")
    assert kept is not None
    assert (kept.correction, kept.stamp_ns, kept.began_ns, kept.audio) == ("c1", 80, 50, b"\0\0")
    assert ANSWERING.utterance(said("go left", b""), "c1") is None
    assert ANSWERING.utterance(said("go left", bytes(MAX_AUDIO_BYTES + 2)), "c1") is None


def test_counting_answers_what_the_policy_asks_and_else_says_what_it_says() -> None:
    asked = ["go left", "go right"]
    made = ANSWERING.request(said("the second one"), nothing, asked)
    assert isinstance(made, Correction)
    assert (made.text, made.source, made.readings, made.hold_s) == ("go right", "answer", [], 4.0)
    named = ANSWERING.request(said("go right"), nothing, asked)
    assert isinstance(named, Correction) and (named.text, named.source) == ("go right", "voice")
    unasked = ANSWERING.request(said("the second one"), nothing)
    assert isinstance(unasked, Correction) and (unasked.text, unasked.source) == ("the second one", "voice")
    assert Answering("ann", narrates=True).request(said("the second one"), nothing, asked) is None
