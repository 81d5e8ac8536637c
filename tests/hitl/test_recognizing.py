"""What `hitl recognizer` does with what it is asked, without sockets and models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hitl.errors import UnavailableError
from hitl.recognizer_messages import HeardWord, Recognize, ScoredText
from hitl.recognizing import Question, Waiting, answered, warm_up
from hitl.speech.audio import Audio, from_int16, to_int16
from hitl.speech.heard import Heard, Hypothesis, Word

SOUND = np.linspace(-1, 1, 400, dtype=np.float32)


class Recognizer:
    name = "scripted"

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.asked: list[tuple[Audio, int, bool, Sequence[str]]] = []

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        self.asked.append((audio, best, words, hints))
        if self.fails is not None:
            raise self.fails
        timed = (Word("go", np.float64(0.1), 0.2, np.float32(0.5)),)  # type: ignore[arg-type]
        return Heard((Hypothesis("go left", np.float32(-0.5)), Hypothesis("go lift", -3.0)), 0.25, timed)  # type: ignore[arg-type]


def question(name: str = "q", until_ns: int = 100, **fields: object) -> Question:
    return Question(Recognize(id=name, **fields), to_int16(SOUND), until_ns)  # type: ignore[arg-type]


def names(questions: Sequence[Question]) -> list[str]:
    return [question.request.id for question in questions]


def test_the_newest_question_is_answered_first() -> None:
    waiting = Waiting()
    for name in "abc":
        assert waiting.put(question(name)) is None
    taken = [waiting.take(0)[0] for _ in range(4)]
    assert names([found for found in taken if found is not None]) == ["c", "b", "a"] and taken[3] is None


def test_the_oldest_one_gives_way_where_there_are_too_many() -> None:
    waiting = Waiting(2)
    assert [waiting.put(question(name)) for name in "ab"] == [None, None]
    gone = waiting.put(question("c"))
    assert gone is not None and gone.request.id == "a" and len(waiting) == 2


def test_what_nobody_waits_for_any_more_is_not_looked_at() -> None:
    waiting = Waiting()
    waiting.put(question("late", until_ns=9))
    waiting.put(question("there", until_ns=10))
    waiting.put(question("late too", until_ns=1))
    found, late = waiting.take(10)
    assert found is not None and found.request.id == "there"
    assert names(late) == ["late", "late too"] and len(waiting) == 0


def test_it_hears_the_sound_as_it_was_asked_and_answers_all_of_it() -> None:
    recognizer = Recognizer()
    answer = answered(question("q", best=5, words=True, hints=["go left"]), recognizer)
    ((audio, best, words, hints),) = recognizer.asked
    assert np.array_equal(audio, from_int16(to_int16(SOUND))) and np.abs(audio - SOUND).max() <= 1 / 2**15
    assert (best, words, list(hints)) == (5, True, ["go left"])
    assert (answer.id, answer.recognizer, answer.error, answer.no_speech) == ("q", "scripted", "", 0.25)
    assert answer.hypotheses == [
        ScoredText(text="go left", log_probability=-0.5),
        ScoredText(text="go lift", log_probability=-3.0),
    ]
    assert answer.words == [HeardWord(text="go", start_s=0.1, end_s=0.2, probability=0.5)]
    assert type(answer.words[0].probability) is float, "NumPy's numbers cannot be sent"


@pytest.mark.parametrize("problem", [UnavailableError("no server.", field="h", hint="Wait."), MemoryError("full")])
def test_a_recognizer_that_fails_is_an_answer(problem: Exception) -> None:
    answer = answered(question(), Recognizer(problem))
    assert answer.id == "q" and not answer.hypotheses and answer.recognizer == "scripted"
    if isinstance(problem, UnavailableError):
        assert (answer.error, answer.field, answer.hint) == ("no server.", "h", "Wait.")
    else:
        assert "full" in answer.error and answer.field == "recognizer"


def test_a_device_that_does_not_work_is_said_before_anybody_asks() -> None:
    recognizer = Recognizer()
    warm_up(recognizer)
    assert recognizer.asked[0][0].any(), "silence is answered without a look"
    with pytest.raises(UnavailableError, match="libcublas.*cpu"):
        warm_up(Recognizer(RuntimeError("libcublas.so.12 is not found")))
