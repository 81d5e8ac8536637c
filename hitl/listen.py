"""`hitl listen`: talk to the robot from a shell. `hitl say --wav FILE`: the same with recorded words.

An ear in this process, a link, and captions as lines: what is heard while it is said, what came of it, what is wrong.
A stop word goes out from the ear's own thread. Everything heard goes into the recording. Knows nothing of grounding.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import msgspec

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of, outbox_path
from hitl.bus.outbox import Outbox
from hitl.clock import SystemClock
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.hearing import chosen_recognizer, ear_of, suited
from hitl.messages import (
    Ack,
    CommandStatus,
    Correction,
    CorrectionStatus,
    Reading,
    Resume,
    Stop,
    StopAck,
    Undo,
    Welcome,
    undo_changes,
)
from hitl.speech.answering import Answering
from hitl.speech.audio import RATE, read_wav, to_int16
from hitl.speech.ear_messages import (
    DeviceHere,
    DeviceLost,
    Dropped,
    Finished,
    FromEar,
    Partial,
    Ready,
    StopHeard,
    Trouble,
)
from hitl.speech.recognition import READINGS
from hitl.speech.text import plain

Line = Callable[[str], None]
Asked = Correction | Resume | Undo | Stop
_POLL_MS = 20
_SETTLED = ("acting", "asked", "ignored", "done", "refused", "undone", "expired", "replaced", "released")


class Conversation:
    """One person's spoken words at one link. `line` gets what there is to read."""

    def __init__(self, settings: Settings, link: Link, line: Line) -> None:
        self._author, self._link, self._line = settings.author_name, link, line
        self._answering = Answering(self._author, narrates=settings.narrate)
        self._mine: dict[str, CorrectionStatus] = {}
        self._asked: list[str] = []
        self._corrections: set[str] = set()  # they wait for their status, all else for its acknowledgement
        self.waiting: dict[str, Asked] = {}
        """What nobody has answered yet, by its id."""

    @property
    def doing(self) -> str:
        """What becomes of words, in words."""
        return "narrating: words are recorded, not obeyed; heard" if self._answering.narrates else "listening"

    def stop(self, words: str) -> None:
        """Stop the robot now, since `words` were said; safe from any thread."""
        self._stop(self._answering.stop(words))

    def heard(self, said: Finished) -> UnavailableError | None:
        """Do what the words ask for, and keep their sound; what could not be done."""
        words = bool(plain(said.text))
        self._line(f"you: {said.text}" if words else said.note)
        request = self._answering.request(said, self._newest, self._asked)
        if words and request is None:  # they narrate, or are the words of taking back
            self._line("recorded" if self._answering.narrates else "there is nothing to take back")
        problem, made = None, ""
        try:
            made = self._send(request) if request is not None else ""
        except UnavailableError as why:  # "go on" with no backend: it is not delivered late
            problem = why
        utterance = self._answering.utterance(said, made, self._link.offset_ns)
        if utterance is not None:
            self._link.submit(utterance)
        return problem

    def poll(self, timeout_ms: int = _POLL_MS) -> None:
        """Take in what the backend tells."""
        for received in self._link.poll(timeout_ms):
            message = received.message
            if isinstance(message, CorrectionStatus):
                self._status(message)
            elif isinstance(message, CommandStatus):
                self._ask(message.unsure)
            elif isinstance(message, Welcome):
                self._mine |= {s.id: s for s in message.corrections if s.author == self._author}
            elif isinstance(message, Ack) and message.error:
                self.waiting.pop(message.id, None)
                self._line(f"refused: {message.error}")
            elif isinstance(message, Ack) and message.id not in self._corrections:
                self.waiting.pop(message.id, None)
            elif isinstance(message, StopAck):
                self.waiting.pop(message.id, None)
                self._line('the robot stands still; "go on" lets it move')

    def _ask(self, commands: list[str]) -> None:
        """Which command is right, where the policy asks that."""
        if commands and commands != self._asked:
            self._line(f"the robot is unsure: first, {commands[0]}, or second, {commands[1]}?")
        self._asked = commands

    def _send(self, request: Asked) -> str:
        """Returns the id of what went out."""
        if isinstance(request, Stop):
            self._stop(request)
            return request.id
        self._link.submit(request)
        if isinstance(request, Correction):
            self._corrections.add(request.id)
        self.waiting[request.id] = request
        return request.id

    def _stop(self, stop: Stop) -> None:
        self.waiting[stop.id] = stop
        self._link.stop(stop)

    def _status(self, status: CorrectionStatus) -> None:
        if status.author == self._author:
            self._mine[status.id] = status
        if status.id not in self.waiting or status.state not in _SETTLED:
            return
        self.waiting.pop(status.id, None)
        self._line(meaning(status))

    def _newest(self) -> str | None:
        left = [key for key, status in self._mine.items() if undo_changes(status.state, status.choices)]
        return max(left, default=None)


def meaning(status: CorrectionStatus) -> str:
    """What became of spoken words, in one line."""
    if status.state == "asked":
        return f"which did you mean: {' or '.join(status.choices)}? Say it again in its words."
    if status.state == "ignored":
        return "that is no command"
    if status.state == "refused":
        return "refused"
    return f"robot: {status.command}" if status.grounding != "new" else f"robot, in these words: {status.command}"


def listen(settings: Settings, line: Line, ended: Callable[[], bool] = lambda: False) -> None:
    """Listen until `ended` or Ctrl-C. Raises StorageError where the outbox cannot be written, UnavailableError where
    listening fails."""
    heard: queue.SimpleQueue[FromEar] = queue.SimpleQueue()
    outbox = Outbox(outbox_path(settings))
    link = Link(endpoints_of(settings), "say", settings.author_name, keys=client_keys_of(settings), outbox=outbox)
    talk = Conversation(settings, link, line)

    def tell(message: FromEar) -> None:
        if isinstance(message, StopHeard):
            talk.stop(message.word)
        heard.put(message)

    ear = ear_of(settings, tell)
    ear.start()
    try:
        while not ended():
            if ear.wait(0):
                raise UnavailableError("it ended (it said why above).", field="ear", hint="Start it again.")
            talk.poll()
            while not heard.empty():
                _caption(heard.get(), talk, line)
    finally:
        ear.close()
        link.close()
        outbox.close()


def _caption(message: FromEar, talk: Conversation, line: Line) -> None:
    match message:
        case Ready():
            line(f"{talk.doing} by {message.recognizer}")
        case Trouble():
            line(f"{message.part}: {message.why}")
        case DeviceHere():
            line(f"microphone: {message.device}")
        case DeviceLost():
            line(f"no microphone: {message.why}")
        case Partial():
            line(f"     {message.text} ...")
        case StopHeard():
            line(f"stop word: {message.word}")
        case Dropped() if message.reason == "no speech":
            line("nobody spoke")
        case Finished():
            if problem := talk.heard(message):
                line(str(problem))


def say_file(path: Path, settings: Settings, line: Line, wait_s: float) -> None:
    """Hear a WAV file and send what is said in it. Raises InputError where it is no WAV file or nothing is heard,
    UnavailableError where nobody answers within `wait_s` seconds; what was heard is then kept and sent later."""
    audio = read_wav(path)
    recognizer = chosen_recognizer(suited(settings, len(audio) / RATE))
    heard = recognizer.hear(audio, best=READINGS)
    if not plain(heard.text):
        raise InputError("no words are heard in it.", field=str(path), hint="Is it English, and loud enough?")
    now_ns = SystemClock().now_ns()
    said = Finished(
        number=1,
        text=heard.text,
        heard=heard.probability,
        readings=[Reading(text=text, probability=share) for text, share in heard.shares()],
        recognizer=recognizer.name,
        audio=to_int16(audio),
        began_ns=now_ns - len(audio) * 1_000_000_000 // RATE,
        spoken_ns=now_ns,
    )
    outbox = Outbox(outbox_path(settings))
    link = Link(endpoints_of(settings), "say", settings.author_name, keys=client_keys_of(settings), outbox=outbox)
    try:
        talk = Conversation(settings, link, line)
        for _ in range(round(min(1.0, wait_s) * 1000 / _POLL_MS)):
            talk.poll()  # for what can be taken back
            if link.connected:
                break
        if problem := talk.heard(said):
            raise problem
        end_ns = SystemClock().now_ns() + round(wait_s * 1e9)
        while (talk.waiting or link.unsaved) and SystemClock().now_ns() < end_ns:
            talk.poll()
        if talk.waiting:
            raise _unanswered(next(iter(talk.waiting.values())), wait_s)
    finally:
        link.close()
        outbox.close()


def _unanswered(asked: Asked, wait_s: float) -> UnavailableError:
    """What to say of it; a stop and going on are never delivered late."""
    if isinstance(asked, Stop):
        hint = "Use the robot's own emergency stop."
        return UnavailableError(f"no robot answered the stop within {wait_s:g} s.", field="stop", hint=hint)
    if isinstance(asked, Resume):
        why = f"the robot does not go on: nobody answered within {wait_s:g} s."
        return UnavailableError(why, field="resume", hint="Say it again later.")
    why = f"nobody answered within {wait_s:g} s; it is kept and goes out once."
    return UnavailableError(why, field="say", hint="Start the backend: hitl")


def hands_free(settings: Settings) -> Settings:
    """Without a window there is no key to hold."""
    return msgspec.structs.replace(settings, talk="hands-free", sounds=False)
