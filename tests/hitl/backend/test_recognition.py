from __future__ import annotations

from hitl.backend.recognition import MOST, RecognitionDesk
from hitl.recognizer_messages import Recognize, Recognized

EAR, OTHER, FIRST, SECOND = b"ear", b"other", b"first", b"second"
MINUTES_NS = 3 * 60 * 1_000_000_000


def error(answer: bytes | Recognized) -> str:
    assert isinstance(answer, Recognized) and answer.error and answer.field == "recognizer" and answer.hint
    return f"{answer.error} {answer.hint}"


def test_without_a_recognizer_it_is_said_how_to_start_one() -> None:
    answer = RecognitionDesk().ask(EAR, Recognize(id="a"), [], 0)
    assert "no recognizer is connected" in error(answer) and "hitl recognizer" in error(answer)
    assert isinstance(answer, Recognized) and answer.id == "a"


def test_each_ear_gets_its_own_answer_once() -> None:
    desk = RecognitionDesk()
    assert desk.ask(EAR, Recognize(id="a"), [FIRST], 0) == FIRST
    assert desk.ask(OTHER, Recognize(id="b"), [FIRST], 0) == FIRST
    assert desk.answered(FIRST, Recognized(id="b")) == OTHER
    assert desk.answered(FIRST, Recognized(id="a")) == EAR
    assert desk.answered(FIRST, Recognized(id="a")) is None


def test_the_recognizer_that_came_last_is_asked_and_no_other_may_answer() -> None:
    desk = RecognitionDesk()
    assert desk.ask(EAR, Recognize(id="a"), [FIRST, SECOND], 0) == SECOND
    assert desk.answered(FIRST, Recognized(id="a")) is None
    assert desk.answered(SECOND, Recognized(id="a")) == EAR


def test_a_new_question_of_an_ear_takes_the_place_of_its_last_one() -> None:
    desk = RecognitionDesk()
    desk.ask(EAR, Recognize(id="a"), [FIRST], 0)
    desk.ask(EAR, Recognize(id="b"), [FIRST], 0)
    assert desk.answered(FIRST, Recognized(id="a")) is None
    assert desk.answered(FIRST, Recognized(id="b")) == EAR


def test_only_so_much_is_under_way_and_what_is_forgotten_makes_room() -> None:
    desk = RecognitionDesk()
    for number in range(MOST):
        assert desk.ask(b"%d" % number, Recognize(id=f"{number}"), [FIRST], 0) == FIRST
    assert "busy" in error(desk.ask(EAR, Recognize(id="a"), [FIRST], 0))
    assert desk.ask(b"0", Recognize(id="again"), [FIRST], 0) == FIRST, "its own last question makes room"
    desk.forget(b"1")
    assert desk.ask(EAR, Recognize(id="b"), [FIRST], 0) == FIRST
    assert "busy" in error(desk.ask(OTHER, Recognize(id="c"), [FIRST], 0))
    assert desk.ask(OTHER, Recognize(id="d"), [FIRST], MINUTES_NS) == FIRST


def test_a_recognizer_that_starts_anew_ends_the_waiting_for_the_one_before() -> None:
    desk = RecognitionDesk()
    desk.ask(EAR, Recognize(id="a"), [FIRST], 0)
    ((ear, answer),) = desk.came(SECOND)
    assert ear == EAR and answer.id == "a" and "anew" in error(answer)
    assert desk.answered(FIRST, Recognized(id="a")) is None
    desk.ask(EAR, Recognize(id="b"), [SECOND], 0)
    assert desk.came(SECOND) == [], "it only said Hello again"
    assert desk.answered(SECOND, Recognized(id="b")) == EAR
