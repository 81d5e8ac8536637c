"""`hitl listen`: talk to the robot from a shell. `hitl say --wav FILE`: the same with recorded words.

An ear in this process, a link, and captions as lines: what is heard while it is said, what came of it, what is wrong.
A stop word goes out from the ear's own thread. Everything heard goes into the recording. Knows nothing of grounding.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of, outbox_path
from hitl.bus.outbox import Outbox
from hitl.clock import SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.hearing import configure_of, parts_of, recognizer_of
from hitl.messages import (
    MAX_AUDIO_BYTES,
    Ack,
    Correction,
    CorrectionStatus,
    Reading,
    Resume,
    Stop,
    StopAck,
    Undo,
    Utterance,
    Welcome,
)
from hitl.speech.audio import RATE, read_wav, to_int16
from hitl.speech.ear import READINGS, Ear
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
from hitl.speech.intents import as_meant, intent_of
from hitl.speech.text import plain

Line = Callable[[str], None]
_POLL_MS = 20
_SETTLED = ("acting", "asked", "ignored", "done", "refused", "undone", "expired", "replaced", "released")
_GONE = ("undone", "refused", "ignored")


class Conversation:
    """One person's spoken words at one link. `line` gets what there is to read."""

    def __init__(self, settings: Settings, link: Link, line: Line) -> None:
        self._settings, self._link, self._line = settings, link, line
        self._clock = SystemClock()
        self._mine: dict[str, CorrectionStatus] = {}
        self._corrections: set[str] = set()  # they wait for their status, all else for its acknowledgement
        self.waiting: set[str] = set()
        """Requests that nobody has answered yet."""

    def stop(self, reason: str) -> str:
        """Stop the robot now; safe from any thread. Returns the request's id."""
        stop = Stop(**self._stamp(), reason=reason, by_words=True)
        self._link.stop(stop)
        self.waiting.add(stop.id)
        return stop.id

    def heard(self, said: Finished) -> None:
        """Do what the words ask for, and keep their sound."""
        self._line(f"you: {said.text}" if plain(said.text) else said.note)
        made = self._do(said) if plain(said.text) else ""
        if said.audio and len(said.audio) <= MAX_AUDIO_BYTES:
            stamp = self._stamp() | {"stamp_ns": said.spoken_ns + self._link.offset_ns}
            began_ns = min(said.began_ns, said.spoken_ns) + self._link.offset_ns
            self._link.submit(
                Utterance(
                    **stamp,
                    began_ns=began_ns,
                    text=said.text,
                    correction=made,
                    recognizer=said.recognizer,
                    audio=said.audio,
                )
            )

    def poll(self, timeout_ms: int = _POLL_MS) -> None:
        """Take in what the backend tells."""
        for received in self._link.poll(timeout_ms):
            message = received.message
            if isinstance(message, CorrectionStatus):
                self._status(message)
            elif isinstance(message, Welcome):
                self._mine |= {s.id: s for s in message.corrections if s.author == self._settings.author_name}
            elif isinstance(message, Ack) and message.error:
                self.waiting.discard(message.id)
                self._line(f"refused: {message.error}")
            elif isinstance(message, Ack) and message.id not in self._corrections:
                self.waiting.discard(message.id)
            elif isinstance(message, StopAck):
                self.waiting.discard(message.id)
                self._line('the robot stands still; "go on" lets it move')

    def _do(self, said: Finished) -> str:
        match intent_of(as_meant(said.text)):
            case "stop":
                return self.stop(f"{self._settings.author_name} said {said.text!r}")
            case "go on":
                request: Resume | Undo | Correction = Resume(**self._stamp(), by_words=True)
            case "undo":
                target = self._newest()
                if target is None:
                    self._line("there is nothing to take back")
                    return ""
                request = Undo(**self._stamp(), target=target)
            case _:
                request = Correction(
                    **self._stamp(), text=said.text, source="voice", heard=said.heard, readings=said.readings
                )
                self._corrections.add(request.id)
        self._link.submit(request)
        self.waiting.add(request.id)
        return request.id

    def _status(self, status: CorrectionStatus) -> None:
        if status.author == self._settings.author_name:
            self._mine[status.id] = status
        if status.id not in self.waiting or status.state not in _SETTLED:
            return
        self.waiting.discard(status.id)
        self._line(meaning(status))

    def _newest(self) -> str | None:
        left = [key for key, status in self._mine.items() if status.state not in _GONE]
        return max(left, default=None)

    def _stamp(self) -> dict[str, Any]:
        return {"id": new_ulid(), "author": self._settings.author_name, "stamp_ns": self._clock.now_ns()}


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
    """Listen until `ended` or Ctrl-C. Raises StorageError where the outbox cannot be written."""
    heard: queue.SimpleQueue[FromEar] = queue.SimpleQueue()
    outbox = Outbox(outbox_path(settings))
    link = Link(endpoints_of(settings), "say", settings.author_name, keys=client_keys_of(settings), outbox=outbox)
    talk = Conversation(settings, link, line)

    def tell(message: FromEar) -> None:
        if isinstance(message, StopHeard):
            talk.stop(f"{settings.author_name} said {message.word!r}")
        heard.put(message)

    ear = Ear(parts_of(settings), tell, configure_of(settings))
    ear.start()
    try:
        while not ended():
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
            line(f"listening by {message.recognizer}")
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
            talk.heard(message)


def say_file(path: Path, settings: Settings, line: Line, wait_s: float) -> None:
    """Hear a WAV file and send what is said in it. Raises InputError where it is no WAV file or nothing is heard,
    UnavailableError where nobody answers within `wait_s` seconds; what was heard is then kept and sent later."""
    audio = read_wav(path)
    recognizer = recognizer_of(settings)
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
        talk.heard(said)
        end_ns = SystemClock().now_ns() + round(wait_s * 1e9)
        while (talk.waiting or link.unsaved) and SystemClock().now_ns() < end_ns:
            talk.poll()
        if talk.waiting:
            why = f"nobody answered within {wait_s:g} s; it is kept and goes out once."
            raise UnavailableError(why, field="say", hint="Start the backend: hitl")
    finally:
        link.close()
        outbox.close()


def hands_free(settings: Settings) -> Settings:
    """Without a window there is no key to hold."""
    return msgspec.structs.replace(settings, talk="hands-free", sounds=False)
