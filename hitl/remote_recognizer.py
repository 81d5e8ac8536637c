"""A recognizer on the backend's computer, as the process that listens sees it: asks over a link of its own.

A thread owns the link and polls it; `hear` waits for its answer in the thread of who asks, one question at a time, so
that questions never pile up on the other side. Nothing is kept or resent: what is not recognized at once is said again
or typed. While nobody speaks the thread asks every two seconds about a moment of silence, so that people are told when
the recognizer goes away and when it is back. Knows nothing of microphones, utterances or what the words ask for.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Timeout
from dataclasses import dataclass, field

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of
from hitl.bus.codec import check_recognize
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.messages import AUDIO_RATE, Ack
from hitl.recognizer_messages import RECOGNIZE_S, Recognize, Recognized, patience_s
from hitl.speech.audio import Audio, to_int16
from hitl.speech.ear_messages import Ready, Trouble
from hitl.speech.heard import Heard, Hypothesis, Word

TYPING = "Typing and stop words work without it."
_CONNECT_S = 2.0
"""How long a link that has just been opened may take to find the backend before that counts as away: less than anybody
waits for an answer, so that the right reason is told."""
_ASK_NS = 2_000_000_000
_POLL_MS = 50
_SILENCE = bytes(2 * AUDIO_RATE // 100)


@dataclass(frozen=True)
class _Asked:
    """A question under way."""

    message: Recognize
    sound: bytes
    answer: Future[Recognized] = field(default_factory=Future)

    def succeed(self, answer: Recognized) -> None:
        with contextlib.suppress(InvalidStateError):  # who asked gave up at this moment
            self.answer.set_result(answer)

    def fail(self, why: UnavailableError) -> None:
        with contextlib.suppress(InvalidStateError):
            self.answer.set_exception(why)


class RemoteRecognizer:
    """See `hitl.speech.heard.Recognizer`. `told`, called from the thread of the link, hears when it comes and goes."""

    def __init__(
        self, link: Link, *, told: Callable[[Ready | Trouble], None] | None = None, clock: Clock | None = None
    ) -> None:
        self._link, self._told = link, told
        self._clock = clock or SystemClock()
        self._opened_ns = self._clock.now_ns()
        self._lock = threading.Lock()
        self._waiting: _Asked | None = None  # not sent yet
        self._sent: _Asked | None = None
        self._silence: tuple[str, int] = ("", 0)  # id and time of the last question about silence
        self._silence_due_ns = 0
        self._state: str | None = None  # why it is away, empty where it is there; None before that is known
        self._recognizer = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote recognizer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def name(self) -> str:
        """For people: what answers there; empty before anything has."""
        return f"{self._recognizer} at the backend" if self._recognizer else ""

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        """See `Recognizer.hear`; waits at most 3 s and as long as the sound lasts.

        Raises InputError for more than a minute of sound, ten readings or some hundred hints; UnavailableError where
        the backend or its recognizer is not there, fails or does not answer in time.
        """
        sound = to_int16(audio)
        if not any(sound):
            return Heard(())
        request = Recognize(id=new_ulid(), best=best, words=words, hints=list(hints))
        check_recognize(request, [sound])
        return _heard(self._ask(_Asked(request, sound)))

    def ask_name(self) -> str:
        """What answers there, asked now. Raises UnavailableError as `hear` does."""
        return self._ask(_Asked(Recognize(id=new_ulid()), _SILENCE)).recognizer

    def close(self) -> None:
        """Leave; may be called twice."""
        atexit.unregister(self.close)
        self._closing.set()
        self._link.wake()
        self._thread.join()
        self._link.close()

    def _ask(self, asked: _Asked) -> Recognized:
        with self._lock:
            self._waiting = asked
        self._link.wake()
        try:
            answer = asked.answer.result(patience_s(len(asked.sound)))
        except Timeout:
            asked.fail(_silent())
            raise _silent() from None
        if answer.error:
            raise UnavailableError(answer.error, field=answer.field or "recognizer", hint=answer.hint)
        return answer

    # -- the thread of the link -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            for received in self._link.poll(_POLL_MS):
                self._take(received.message)
            self._send()
            self._watch()
        gone = UnavailableError("it was closed.", field="recognizer")
        for asked in (self._waiting, self._sent):
            if asked is not None:
                asked.fail(gone)

    def _take(self, message: object) -> None:
        if isinstance(message, Ack) and message.error:
            message = Recognized(id=message.id, error=message.error, field="recognizer", hint=TYPING)
        if not isinstance(message, Recognized):
            return
        sent = self._sent
        if sent is not None and message.id == sent.message.id:
            self._sent = None
            sent.succeed(message)
        elif message.id and message.id == self._silence[0]:
            self._silence = ("", 0)
        else:
            return  # whoever asked has given up
        if message.recognizer:  # it answers, be it that it cannot hear this sound
            self._recognizer = message.recognizer
            self._now("")
        else:
            self._lost(UnavailableError(message.error, hint=message.hint))

    def _send(self) -> None:
        """Send what waits; what cannot be answered any more fails."""
        if self._sent is not None and self._sent.answer.done():  # who asked has lost patience
            self._sent = None
            self._lost(_silent())
        away = self._away()
        with self._lock:
            asked = self._waiting
            if asked is not None and away is not None and self._connecting():
                return
            self._waiting = None
        if away is not None and self._sent is not None:
            self._sent.fail(away)
            self._sent = None
        if asked is None or asked.answer.done():
            return
        if away is not None:
            asked.fail(away)
        elif self._link.send(asked.message, [asked.sound]):
            self._sent, self._silence = asked, ("", 0)
        else:
            asked.fail(UnavailableError("the backend takes no sound now.", field="recognizer", hint=TYPING))

    def _watch(self) -> None:
        """Find out whether a recognizer is there, and tell where that has changed."""
        now_ns = self._clock.now_ns()
        away = self._away()
        if away is not None:
            self._silence, self._silence_due_ns = ("", 0), 0
            if not self._connecting():
                self._lost(away)
            return
        id_, since_ns = self._silence
        if id_ and now_ns - since_ns > RECOGNIZE_S * 1e9:
            self._silence = ("", 0)
            self._lost(_silent())
        elif not id_ and self._sent is None and now_ns >= self._silence_due_ns:
            question = Recognize(id=new_ulid())
            if self._link.send(question, [_SILENCE]):
                self._silence, self._silence_due_ns = (question.id, now_ns), now_ns + _ASK_NS

    def _away(self) -> UnavailableError | None:
        """Why the backend cannot be asked; None where it can."""
        if self._link.refused:
            return UnavailableError(f"the backend refuses: {self._link.refused}.", field="recognizer", hint=TYPING)
        if not self._link.connected:
            why = "the backend, which is to recognize speech, is not there."
            return UnavailableError(why, field="recognizer", hint="Start it, or set recognizer_at to here.")
        return None

    def _connecting(self) -> bool:
        """Whether the link is so new that it need not have found the backend yet."""
        found = self._state is not None or self._link.refused
        return not found and self._clock.now_ns() - self._opened_ns < _CONNECT_S * 1e9

    def _lost(self, why: UnavailableError) -> None:
        self._now(f"{why.message} {why.hint}".strip())

    def _now(self, why: str) -> None:
        """Tell where it has changed: why it is away, empty where it is there."""
        if why == self._state:
            return
        self._state = why
        if self._told is not None:
            self._told(Trouble(part="recognizer", why=why) if why else Ready(recognizer=self.name))


def remote_recognizer_of(
    settings: Settings, told: Callable[[Ready | Trouble], None] | None = None
) -> RemoteRecognizer:
    """The recognizer at the backend of the settings, which need not be there. Raises ConfigError where keys are
    needed."""
    link = Link(endpoints_of(settings), "ear", settings.author_name, keys=client_keys_of(settings))
    return RemoteRecognizer(link, told=told)


def _silent() -> UnavailableError:
    return UnavailableError("the backend's recognizer does not answer.", field="recognizer", hint=TYPING)


def _heard(answer: Recognized) -> Heard:
    return Heard(
        tuple(Hypothesis(found.text, found.log_probability) for found in answer.hypotheses),
        answer.no_speech,
        tuple(Word(word.text, word.start_s, word.end_s, word.probability) for word in answer.words),
    )
