"""`hitl recognizer`: hears for others. A process of its own on the backend's computer that answers what ears ask.

The main thread owns the link, which must beat whatever is being recognized; another one recognizes. What waits is
answered newest first, since the newest is what somebody waits for, and what has waited longer than who asked would is
refused without a look. Nothing is kept. Knows nothing of robots, corrections or windows.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of
from hitl.clock import Clock, SystemClock
from hitl.config import Settings
from hitl.errors import HitlError, MessageError, UnavailableError
from hitl.hearing import recognizer_of
from hitl.messages import Ack
from hitl.recognizer_messages import HeardWord, Recognize, Recognized, ScoredText, patience_s
from hitl.speech.audio import RATE, Audio, from_int16
from hitl.speech.heard import Heard, Recognizer

log = logging.getLogger("hitl.recognizer")

MOST_WAITING = 8
_POLL_MS = 100
_WARM_UP_S = 1.0


@dataclass(frozen=True)
class Question:
    """What is asked about `sound`, int16 samples at 16 kHz, and until when somebody waits for the answer."""

    request: Recognize
    sound: bytes | memoryview
    until_ns: int


class Waiting:
    """Questions that wait, at most `most`; the newest comes first. No threads, no clock."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._questions: deque[Question] = deque()

    def __len__(self) -> int:
        return len(self._questions)

    def put(self, question: Question) -> Question | None:
        """Take one in; returns the oldest, which nobody will look at, where there are too many."""
        self._questions.append(question)
        return self._questions.popleft() if len(self._questions) > self._most else None

    def take(self, now_ns: int) -> tuple[Question | None, list[Question]]:
        """The newest, and all that nobody waits for any more."""
        late = [question for question in self._questions if question.until_ns < now_ns]
        self._questions = deque(question for question in self._questions if question.until_ns >= now_ns)
        return (self._questions.pop() if self._questions else None), late


class Recognizing:
    """One recognizer at one link. `run` blocks; the thread that calls it owns the link."""

    def __init__(self, link: Link, recognizer: Recognizer, clock: Clock | None = None) -> None:
        self._link, self._recognizer = link, recognizer
        self._clock = clock or SystemClock()
        self._condition = threading.Condition()
        self._waiting = Waiting()
        self._answers: deque[Recognized] = deque()
        self._closing = threading.Event()
        self._worker = threading.Thread(target=self._recognize, name="recognizing", daemon=True)

    def run(self) -> None:
        """Answer until `close`."""
        self._worker.start()
        refused = ""
        while not self._closing.is_set():
            for received in self._link.poll(_POLL_MS):
                if isinstance(received.message, Recognize):
                    self._asked(received.message, received.payloads[0])
                elif isinstance(received.message, Ack) and received.message.error:
                    log.error("the backend refused an answer: %s", received.message.error)
            if self._link.refused != refused:
                refused = self._link.refused
                log.error("%s", refused or "the backend takes this recognizer again")
            while self._answers:
                self._send(self._answers.popleft())
        with self._condition:
            self._condition.notify()

    def close(self) -> None:
        """End `run`; safe from any thread and from a signal handler."""
        self._closing.set()
        self._link.wake()

    def _send(self, answer: Recognized) -> None:
        try:
            self._link.send(answer)
        except MessageError as problem:  # a server gave text that is none
            self._link.send(_failed(answer.id, answer.recognizer, problem))

    def _asked(self, request: Recognize, sound: bytes | memoryview) -> None:
        until_ns = self._clock.now_ns() + round(patience_s(memoryview(sound).nbytes) * 1e9)
        question = Question(request, sound, until_ns)
        with self._condition:
            pushed_out = self._waiting.put(question)
            self._condition.notify()
        if pushed_out is not None:
            self._refuse(pushed_out, "too much is asked of the recognizer at once.")

    def _recognize(self) -> None:
        while (question := self._next()) is not None:
            self._answer(answered(question, self._recognizer))

    def _next(self) -> Question | None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: len(self._waiting) or self._closing.is_set())
                if self._closing.is_set():
                    return None
                question, late = self._waiting.take(self._clock.now_ns())
            for gone in late:
                self._refuse(gone, "the recognizer was busy for too long.")
            if question is not None:
                return question

    def _refuse(self, question: Question, why: str) -> None:
        problem = UnavailableError(why, hint="Say it again.")
        self._answer(_failed(question.request.id, self._recognizer.name, problem))

    def _answer(self, answer: Recognized) -> None:
        self._answers.append(answer)
        self._link.wake()


def answered(question: Question, recognizer: Recognizer) -> Recognized:
    """What the recognizer makes of a question; never raises."""
    request = question.request
    try:
        heard = recognizer.hear(
            from_int16(question.sound), best=request.best, words=request.words, hints=request.hints
        )
    except HitlError as problem:
        return _failed(request.id, recognizer.name, problem)
    except Exception as problem:  # whatever its libraries raise: who asked is told, and the next one is answered
        log.exception("the recognizer failed")
        return _failed(request.id, recognizer.name, HitlError(f"the recognizer failed: {problem}."))
    return _message(request.id, heard, recognizer.name)


def _failed(id_: str, recognizer: str, problem: HitlError) -> Recognized:
    field = problem.field or "recognizer"
    return Recognized(id=id_, recognizer=recognizer, error=problem.message, field=field, hint=problem.hint)


def _message(id_: str, heard: Heard, recognizer: str) -> Recognized:
    return Recognized(
        id=id_,
        hypotheses=[
            ScoredText(text=found.text, log_probability=float(found.log_probability)) for found in heard.hypotheses
        ],
        no_speech=float(heard.no_speech),
        words=[
            HeardWord(
                text=word.text,
                start_s=float(word.start_s),
                end_s=float(word.end_s),
                probability=float(word.probability),
            )
            for word in heard.words
        ],
        recognizer=recognizer,
    )


def warm_up(recognizer: Recognizer) -> None:
    """Hear soft noise, since the first call takes longer, and may show that the device cannot be used.

    Raises UnavailableError then.
    """
    noise: Audio = np.random.default_rng(0).normal(0, 0.01, round(_WARM_UP_S * RATE)).astype(np.float32)
    try:
        recognizer.hear(noise)
    except RuntimeError as problem:  # of CUDA libraries that are missing, for instance
        raise UnavailableError(
            f"{recognizer.name} does not work ({problem}).", field="recognizer", hint="Try --device cpu."
        ) from problem


def run_recognizer(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises HitlError where the recognizer of the settings cannot be opened or does
    not work, ConfigError where keys are needed."""
    recognizer = recognizer_of(settings)
    warm_up(recognizer)
    link = Link(endpoints_of(settings), "recognizer", recognizer.name, keys=client_keys_of(settings))
    with link:
        serving = Recognizing(link, recognizer)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: serving.close())
        log.info("%s hears for the backend at %s", recognizer.name, settings.host or "this computer")
        serving.run()
