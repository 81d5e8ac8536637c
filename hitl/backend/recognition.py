"""Which ear asked what, and which recognizer has it: what passes between them through the backend, decided without
sockets, threads or clocks.

Sound goes on to the recognizer as it came and nothing here waits, so that the control loop is never delayed. A new
question of an ear takes the place of its last one: who asks again has given up on that. Knows nothing of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hitl.recognizer_messages import Recognize, Recognized

MOST = 16
"""Ears whose questions are under way at the same time: that many minutes of sound fit easily into memory."""
_FORGET_NS = 120_000_000_000
"""Twice the longest sound: who asked has long given up."""


@dataclass(frozen=True)
class _Asked:
    id: str
    recognizer: bytes
    asked_ns: int


class RecognitionDesk:
    """State of all questions under way, at most one for each ear."""

    def __init__(self) -> None:
        self._asked: dict[bytes, _Asked] = {}

    def ask(self, ear: bytes, request: Recognize, recognizers: Sequence[bytes], now_ns: int) -> bytes | Recognized:
        """The recognizer that is to get the question, of those that are there the one that came last; or the answer
        that says why none gets it."""
        self._asked = {key: asked for key, asked in self._asked.items() if now_ns - asked.asked_ns < _FORGET_NS}
        self._asked.pop(ear, None)
        if not recognizers:
            return nobody(request.id)
        if len(self._asked) >= MOST:
            return Recognized(
                id=request.id, error="the recognizer is busy.", field="recognizer", hint="Say it again, or type it."
            )
        self._asked[ear] = _Asked(request.id, recognizers[-1], now_ns)
        return recognizers[-1]

    def answered(self, recognizer: bytes, answer: Recognized) -> bytes | None:
        """The ear that waits for this answer of this recognizer; None where nobody does."""
        for ear, asked in self._asked.items():
            if (asked.id, asked.recognizer) == (answer.id, recognizer):
                del self._asked[ear]
                return ear
        return None

    def came(self, recognizer: bytes) -> list[tuple[bytes, Recognized]]:
        """A recognizer is there anew. Returns what is to be told to the ears that waited for another one, which has
        most probably ended: they need not wait until their patience does."""
        lost = {ear: asked for ear, asked in self._asked.items() if asked.recognizer != recognizer}
        for ear in lost:
            del self._asked[ear]
        why = "the recognizer was started anew in the middle."
        return [
            (ear, Recognized(id=asked.id, error=why, field="recognizer", hint="Say it again."))
            for ear, asked in lost.items()
        ]

    def forget(self, ear: bytes) -> None:
        """The question of this ear could not be handed on."""
        self._asked.pop(ear, None)


def nobody(request_id: str) -> Recognized:
    """The answer where no recognizer is there."""
    return Recognized(
        id=request_id,
        error="no recognizer is connected.",
        field="recognizer",
        hint="Start `hitl recognizer` on the backend's computer.",
    )
