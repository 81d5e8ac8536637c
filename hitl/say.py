"""`hitl say TEXT`: one correction from a shell, kept on disk until the backend has saved it.

What could not be delivered stays in the outbox that windows share, and goes out once with the next `hitl say` or
window.
"stop" in any spelling goes to the robot through the stop socket instead, and is never delivered late. It knows nothing
of grounding, robots or policies.
"""

from __future__ import annotations

from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of, outbox_path
from hitl.bus.codec import check_text
from hitl.bus.outbox import Outbox
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import InputError, UnavailableError
from hitl.messages import Ack, Correction, Stop, StopAck
from hitl.speech.grounding import is_stop

_POLL_MS = 50


def say(text: str, settings: Settings, *, hold_s: float | None = None, wait_s: float = 3.0) -> str:
    """Send `text` as a correction, or stop the robot, and return what became of it in one sentence.

    Raises InputError for text that cannot be a correction or that the backend refused, StorageError where it could not
    be kept, UnavailableError where a stop reached no robot within `wait_s` seconds.
    """
    text = check_text(text)
    outbox = Outbox(outbox_path(settings))
    try:
        link = Link(endpoints_of(settings), "say", settings.author_name, keys=client_keys_of(settings), outbox=outbox)
        try:
            return _stop(link, settings, wait_s) if is_stop(text) else _correct(link, settings, text, hold_s, wait_s)
        finally:
            link.close()
    finally:
        outbox.close()


def _correct(link: Link, settings: Settings, text: str, hold_s: float | None, wait_s: float) -> str:
    clock = SystemClock()
    correction = Correction(
        id=new_ulid(), author=settings.author_name, stamp_ns=clock.now_ns(), text=text, hold_s=hold_s
    )
    link.submit(correction)
    answer = _wait_for_ack(link, correction.id, clock, wait_s)
    if answer is None:
        why = f" ({link.refused})" if link.refused else ""
        return (
            f'no backend saved "{text}" within {wait_s:g} s{why}: it is kept ({link.unsaved} waiting) and goes out '
            "once, with the next hitl say or window that meets the backend"
        )
    if answer.error:
        raise InputError(answer.error, field="text")
    return f'saved: "{text}"'


def _wait_for_ack(link: Link, request_id: str, clock: Clock, wait_s: float) -> Ack | None:
    """The answer to `request_id`; waits on for older words of the outbox while time is left."""
    answer: Ack | None = None
    end_ns = clock.now_ns() + round(wait_s * 1e9)
    while clock.now_ns() < end_ns and (answer is None or link.unsaved):
        for received in link.poll(_POLL_MS):
            if isinstance(received.message, Ack) and received.message.id == request_id:
                answer = received.message
    return answer


def _stop(link: Link, settings: Settings, wait_s: float) -> str:
    clock = SystemClock()
    stop = Stop(id=new_ulid(), author=settings.author_name, stamp_ns=clock.now_ns(), reason="hitl say")
    link.stop(stop)
    end_ns = clock.now_ns() + round(wait_s * 1e9)
    while clock.now_ns() < end_ns:
        for received in link.poll(_POLL_MS):
            if isinstance(received.message, StopAck) and received.message.id == stop.id:
                return f"stopped in tick {received.message.tick}; only an explicit resume lets it move again"
    raise UnavailableError(
        f"no robot answered the stop within {wait_s:g} s.", field="stop", hint="Use the robot's own emergency stop."
    )
