"""`hitl say TEXT`: one correction from a shell, kept on disk until the backend has saved it.

What could not be delivered stays in the outbox that windows share, and goes out once with the next `hitl say` or
window. Words that steer the loop are no correction: "stop" in any spelling goes to the robot through the stop socket
and is never delivered late; "go on" ends what words stopped; "scratch that" takes back this person's newest
correction. It knows nothing of grounding, robots or policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of, outbox_path
from hitl.bus.codec import check_text
from hitl.bus.outbox import Outbox
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Ack, Correction, Message, Request, Resume, Stop, StopAck, Undo, Welcome, undo_changes
from hitl.speech.intents import intent_of

_POLL_MS = 50


def say(text: str, settings: Settings, *, hold_s: float | None = None, wait_s: float = 3.0) -> str:
    """Send `text` as a correction, or steer the loop as it asks, and return what became of it in one sentence.

    Raises InputError for text that cannot be a correction, that the backend refused, or that takes back nothing;
    StorageError where it could not be kept; UnavailableError where a stop reached no robot, or nobody knew what to
    take back, within `wait_s` seconds.
    """
    text = check_text(text)
    outbox = Outbox(outbox_path(settings))
    try:
        link = Link(endpoints_of(settings), "say", settings.author_name, keys=client_keys_of(settings), outbox=outbox)
        try:
            return _Speaker(link, outbox, settings.author_name, wait_s).say(text, hold_s)
        finally:
            link.close()
    finally:
        outbox.close()


@dataclass
class _Speaker:
    """One person at one link, who waits `wait_s` seconds for each answer."""

    link: Link
    outbox: Outbox
    author: str
    wait_s: float
    clock: Clock = SystemClock()

    def say(self, text: str, hold_s: float | None) -> str:
        """Do what the words ask for; what became of it."""
        match intent_of(text):
            case "stop":
                return self._stop()
            case "go on":
                return self._go_on()
            case "undo":
                target, words = self._newest()
                return self._ask(Undo(**self._stamp(), target=target), f'taken back "{words}"')
            case _:
                return self._ask(Correction(**self._stamp(), text=text, hold_s=hold_s), f'"{text}"')

    def _stamp(self) -> dict[str, Any]:
        return {"id": new_ulid(), "author": self.author, "stamp_ns": self.clock.now_ns()}

    def _go_on(self) -> str:
        """Like a stop, it is not delivered late: nobody stands by then."""
        answer = None
        if self._welcome() is not None:
            answer = self._submit(Resume(**self._stamp(), by_words=True))
        if answer is None:
            why = self.link.refused or f"no backend answered within {self.wait_s:g} s"
            raise UnavailableError(f"the robot does not go on: {why}.", field="resume", hint="Say it again later.")
        if answer.error:
            raise InputError(answer.error, field="resume")
        return "told the robot to go on; a pressed STOP and a fault wait for Resume"

    def _ask(self, request: Correction | Undo, words: str) -> str:
        answer = self._submit(request)
        if answer is None:
            why = f" ({self.link.refused})" if self.link.refused else ""
            return (
                f"no backend saved {words} within {self.wait_s:g} s{why}: it is kept ({self.link.unsaved} waiting) "
                "and goes out once, with the next hitl say or window that meets the backend"
            )
        if answer.error:
            raise InputError(answer.error, field="text" if isinstance(request, Correction) else "")
        return f"saved: {words}"

    def _submit(self, request: Request) -> Ack | None:
        """Send it, and older words of the outbox meanwhile; None where it was not answered."""
        self.link.submit(request)
        answer: Ack | None = None

        def done(message: Message) -> bool:
            nonlocal answer
            if isinstance(message, Ack) and message.id == request.id:
                answer = message
            return answer is not None and not self.link.unsaved

        self._until(done)
        return answer

    def _welcome(self) -> Welcome | None:
        """What a backend says when it is met; None where there is none."""
        welcome: Welcome | None = None

        def told(message: Message) -> bool:
            nonlocal welcome
            welcome = message if isinstance(message, Welcome) else welcome
            return welcome is not None

        self._until(told)
        return welcome

    def _newest(self) -> tuple[str, str]:
        """Id and words of this person's newest correction that can still be undone, also one that waits here."""
        waiting = self.outbox.pending()
        undone = {request.target for request in waiting if isinstance(request, Undo)}
        mine = {r.id: r.text for r in waiting if isinstance(r, Correction) and r.author == self.author}
        welcome = self._welcome()
        if welcome is None:
            why = self.link.refused or "no backend said what there is"
            raise UnavailableError(f"nothing is taken back: {why}.", field="undo", hint="Start it: hitl backend.")
        for status in welcome.corrections:
            if status.author == self.author and undo_changes(status.state, status.choices):
                mine[status.id] = status.text
        left = sorted(set(mine) - undone)
        if not left:
            raise InputError(
                f"{self.author} has no correction in this session that can still be taken back.",
                field="undo",
                hint="Only one's own are meant; the window undoes those of others.",
            )
        return left[-1], mine[left[-1]]

    def _stop(self) -> str:
        stop = Stop(**self._stamp(), reason="hitl say", by_words=True)
        self.link.stop(stop)
        tick = -1

        def answered(message: Message) -> bool:
            nonlocal tick
            if isinstance(message, StopAck) and message.id == stop.id:
                tick = message.tick
            return tick >= 0

        self._until(answered)
        if tick >= 0:
            return f'stopped in tick {tick}; only "go on" or Resume lets it move again'
        raise UnavailableError(
            f"no robot answered the stop within {self.wait_s:g} s.",
            field="stop",
            hint="Use the robot's own emergency stop.",
        )

    def _until(self, done: Callable[[Message], bool]) -> None:
        """Look at what comes until `done` says so, or the time is over."""
        end_ns = self.clock.now_ns() + round(self.wait_s * 1e9)
        while self.clock.now_ns() < end_ns:
            if any([done(received.message) for received in self.link.poll(_POLL_MS)]):
                return
