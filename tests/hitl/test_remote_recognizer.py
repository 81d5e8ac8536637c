"""Asking a recognizer at the backend: a real backend and its sockets, and a recognizer that hears how loud it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl import doctor, hearing
from hitl.backend.server import Backend
from hitl.bus import Hub, Link
from hitl.bus.addresses import endpoints_of
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Welcome
from hitl.recognizer_messages import Recognize, Recognized, ScoredText
from hitl.recognizing import MOST_WAITING, Recognizing
from hitl.remote_recognizer import RemoteRecognizer, remote_recognizer_of
from hitl.speech.audio import RATE, Audio, to_int16
from hitl.speech.ear_messages import FromEar, Ready, Trouble
from hitl.speech.heard import Heard, Hypothesis, Word
from tests.support.quiet_ear import Activity, Deaf, Source
from tests.support.scripted import load_scripted

PATIENCE_S = 30.0


def sound(level: float = 0.5, seconds: float = 0.1) -> Audio:
    return np.full(round(seconds * RATE), level, np.float32)


class Loudness:
    """Hears how loud a sound is; waits for `go` where it is not set."""

    name = "loudness"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.hearing = threading.Semaphore(0)
        self.heard: list[Audio] = []
        self.fails: Exception | None = None

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        if not audio.any():
            return Heard(())
        self.hearing.release()
        assert self.go.wait(PATIENCE_S)
        self.heard.append(audio)
        if self.fails is not None:
            raise self.fails
        text = f"{audio[0]:.2f}"
        timed = (Word(text, 0.0, len(audio) / RATE, 0.9),) if words else ()
        return Heard(tuple(Hypothesis(f"{text} {n}", -0.5 * n) for n in range(best)), 0.125, timed)


class Room:
    """A backend, recognizers at it and ears that ask."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data=str(folder / "data"), sockets=str(folder / "s"), record=False, recognizer_at="backend"
        )
        self._closing: list[Callable[[], None]] = []
        self.backend: Backend | None = None
        self.told: list[Ready | Trouble] = []

    def open_backend(self) -> Callable[[], None]:
        self.backend = Backend(self.settings, load_scripted)
        return self._run(self.backend)

    def open_recognizer(self, recognizer: Loudness) -> Callable[[], None]:
        """Returns what ends it, its link included."""
        link = self.link("recognizer")
        end = self._run(Recognizing(link, recognizer), link.close)
        self.until(lambda: link.connected)
        return end

    def _run(self, part: Any, then: Callable[[], None] = lambda: None) -> Callable[[], None]:
        thread = threading.Thread(target=part.run)
        thread.start()

        def end() -> None:
            part.close()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
            then()

        self._closing.append(end)
        return end

    def link(self, role: Any) -> Link:
        link = Link(endpoints_of(self.settings), role, "test")
        self._closing.insert(0, link.close)
        return link

    def ear(self) -> RemoteRecognizer:
        remote = remote_recognizer_of(self.settings, self.told.append)
        self._closing.append(remote.close)
        return remote

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if found := true():
                return found
            time.sleep(0.01)
        raise AssertionError(f"it did not happen; told {self.told}")

    def close(self) -> None:
        for end in reversed(self._closing):
            end()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def loudness() -> Iterator[Loudness]:
    made = Loudness()
    yield made
    made.go.set()


def in_thread(ask: Callable[[], Any]) -> Callable[[], Any]:
    """Begin `ask`; what is returned waits for what comes of it, an exception included."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(ask())
        except Exception as problem:
            found.append(problem)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(PATIENCE_S)
        return found[0]

    return result


def test_sound_goes_in_and_all_that_was_heard_comes_out(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    room.open_recognizer(loudness)
    ear = room.ear()
    heard = ear.hear(sound(0.25, 0.5), best=3, words=True)
    assert [h.text for h in heard.hypotheses] == ["0.25 0", "0.25 1", "0.25 2"]
    assert [h.log_probability for h in heard.hypotheses] == [0.0, -0.5, -1.0]
    assert heard.no_speech == 0.125 and heard.words == (Word("0.25", 0.0, 0.5, 0.9),)
    assert ear.name == "loudness at the backend" and ear.ask_name() == "loudness"
    assert np.abs(loudness.heard[0] - sound(0.25, 0.5)).max() <= 1 / 2**15


def test_silence_is_answered_here(room: Room) -> None:
    ear = room.ear()  # no backend is there
    assert ear.hear(np.zeros(RATE, np.float32)) == Heard(()) == ear.hear(np.zeros(0, np.float32))
    assert ear.name == ""


def test_two_ears_at_once_get_their_own_answers(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    room.open_recognizer(loudness)
    ears = [room.ear(), room.ear()]
    for ear in ears:
        ear.ask_name()
    loudness.go.clear()
    results = [in_thread(partial(ear.hear, sound(level))) for ear, level in zip(ears, (0.2, 0.6), strict=True)]
    loudness.hearing.acquire(timeout=PATIENCE_S)
    loudness.go.set()
    assert [result().text for result in results] == ["0.20 0", "0.60 0"]


def test_more_sound_than_a_minute_is_refused_by_name_before_it_is_sent(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    room.open_recognizer(loudness)
    ear = room.ear()
    ear.ask_name()
    with pytest.raises(InputError) as caught:
        ear.hear(sound(0.1, 60.1))
    assert caught.value.field == "audio" and "60 s" in caught.value.hint
    assert ear.hear(sound(0.1)).text and len(loudness.heard) == 1


def test_without_a_recognizer_it_says_so_at_once_and_how_to_start_one(room: Room) -> None:
    room.open_backend()
    ear = room.ear()
    room.until(lambda: room.told)
    with pytest.raises(UnavailableError, match="no recognizer is connected.*hitl recognizer") as caught:
        ear.hear(sound())
    assert caught.value.field == "recognizer"
    (trouble,) = room.told
    assert isinstance(trouble, Trouble) and trouble.part == "recognizer" and "hitl recognizer" in trouble.why


def test_without_a_backend_it_says_so_at_once_and_goes_on_when_there_is_one(room: Room, loudness: Loudness) -> None:
    ear = room.ear()
    with pytest.raises(UnavailableError, match="backend.*not there"):
        ear.hear(sound())
    room.until(lambda: [told for told in room.told if isinstance(told, Trouble)])
    end = room.open_backend()
    room.open_recognizer(loudness)
    ready = room.until(lambda: [told for told in room.told if isinstance(told, Ready)])
    assert ready[0].recognizer == "loudness at the backend"
    assert ear.hear(sound()).text == "0.50 0"
    end()
    with pytest.raises(UnavailableError, match="backend"):
        ear.hear(sound())
    room.until(lambda: isinstance(room.told[-1], Trouble))


def test_a_recognizer_that_comes_and_goes_is_told_without_a_word_being_said(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    room.ear()
    for _ in range(2):
        end = room.open_recognizer(loudness)
        room.until(lambda: room.told and isinstance(room.told[-1], Ready))
        end()
        room.until(lambda: isinstance(room.told[-1], Trouble))
    assert not loudness.heard


def test_a_recognizer_that_hangs_is_given_up_and_told_and_may_come_back(
    room: Room, loudness: Loudness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.recognizer_messages.RECOGNIZE_S", 0.3)
    room.open_backend()
    room.open_recognizer(loudness)
    ear = room.ear()
    room.until(lambda: room.told)
    loudness.go.clear()
    with pytest.raises(UnavailableError, match="does not answer"):
        ear.hear(sound())
    room.until(lambda: isinstance(room.told[-1], Trouble))
    loudness.go.set()
    room.until(lambda: isinstance(room.told[-1], Ready))
    assert ear.hear(sound(0.75)).text == "0.75 0", "not the late answer to what was asked before"


def test_an_answer_to_another_question_is_not_taken_for_ones_own(room: Room) -> None:
    hub = Hub(endpoints_of(room.settings))
    ear = room.ear()

    def answers(question: Recognize, text: str) -> Recognized:
        hypotheses = [ScoredText(text=text, log_probability=-0.1)]
        return Recognized(id=question.id, hypotheses=hypotheses, recognizer="mine")

    asking = in_thread(lambda: ear.hear(sound()).text)
    question = room.until(
        lambda: next((got.message for got in hub.poll(5) if isinstance(got.message, Recognize)), None)
    )
    (peer,) = hub.peers("ear")
    hub.send("control", peer, answers(Recognize(id="late"), "go right"))
    hub.send("control", peer, answers(question, "go left"))
    assert asking() == "go left"
    hub.close()


def test_a_recognizer_that_fails_is_an_error_for_who_asked_and_no_trouble(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    room.open_recognizer(loudness)
    ear = room.ear()
    room.until(lambda: room.told)
    loudness.fails = RuntimeError("out of memory")
    with pytest.raises(UnavailableError, match="out of memory"):
        ear.hear(sound())
    loudness.fails = None
    assert ear.hear(sound()).text
    assert [type(told) for told in room.told] == [Ready]


def test_a_recognizer_that_is_asked_too_much_answers_the_newest_and_refuses_the_rest(
    room: Room, loudness: Loudness
) -> None:
    room.open_backend()
    room.open_recognizer(loudness)
    first = room.ear()
    first.ask_name()
    loudness.go.clear()
    begun = in_thread(lambda: first.hear(sound(0.01)).text)
    assert loudness.hearing.acquire(timeout=PATIENCE_S)
    raw = [room.link("ear") for _ in range(MOST_WAITING + 2)]
    for number, link in enumerate(raw):
        room.until(lambda link=link: link.poll(1) or link.connected)
        assert link.send(Recognize(id=f"{number}"), [to_int16(sound(0.1 + number / 100))])
        time.sleep(0.02)  # in this order
    answers: dict[str, Recognized] = {}

    def collect() -> int:
        for link in raw:
            for received in link.poll(1):
                if isinstance(received.message, Recognized):
                    answers[received.message.id] = received.message
        return len(answers)

    room.until(lambda: collect() >= 2)
    assert {id_ for id_, answer in answers.items() if "too much" in answer.error} == {"0", "1"}
    loudness.go.set()
    room.until(lambda: collect() == len(raw))
    assert begun() == "0.01 0"
    order = [f"{audio[0]:.2f}" for audio in loudness.heard]
    assert order == ["0.01", *(f"{0.1 + number / 100:.2f}" for number in reversed(range(2, MOST_WAITING + 2)))]


def test_an_ear_and_a_recognizer_are_not_told_of_the_session(room: Room) -> None:
    room.open_backend()
    window, *others = [room.link(role) for role in ("gui", "ear", "recognizer")]
    got: dict[Link, list[Any]] = {link: [] for link in (window, *others)}

    def all_connected() -> bool:
        for link, messages in got.items():
            messages += [received.message for received in link.poll(5)]
        return all(link.connected for link in got) and any(isinstance(m, Welcome) for m in got[window])

    room.until(all_connected)
    assert not any(isinstance(message, Welcome) for link in others for message in got[link])


def test_an_ear_of_these_settings_is_ready_when_somebody_answers(
    room: Room, loudness: Loudness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "Microphone", Source)
    monkeypatch.setattr(hearing, "VoiceActivity", Activity)
    monkeypatch.setattr(hearing, "Spotter", Deaf)
    told: list[FromEar] = []
    room.open_backend()
    ear = hearing.ear_of(room.settings, told.append)
    ear.start()
    try:
        room.until(lambda: [message for message in told if isinstance(message, Trouble)])
        assert not [message for message in told if isinstance(message, Ready)]
        room.open_recognizer(loudness)
        room.until(lambda: Ready(recognizer="loudness at the backend") in told)
    finally:
        ear.close()


def test_the_doctor_says_whether_it_answers(room: Room, loudness: Loudness) -> None:
    room.open_backend()
    (check,) = doctor.check_remote_recognizer(room.settings)
    assert check.status == "warn" and "no recognizer is connected" in check.detail
    assert "hitl recognizer" in check.mend
    room.open_recognizer(loudness)
    (check,) = doctor.check_remote_recognizer(room.settings)
    assert check.status == "ok" and "backend's computer" in check.detail and "loudness answers" in check.detail


def test_where_words_are_recognized_follows_the_settings(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(hearing, "open_recognizer", lambda kind, *_, **__: opened.append(kind))
    remote = hearing.chosen_recognizer(room.settings)
    assert isinstance(remote, RemoteRecognizer) and not opened
    remote.close()
    hearing.chosen_recognizer(Settings())
    assert opened == ["commands"]
