"""Corrections that wait for a person to say what was meant: one of each author at most, and each for a while only.

Decides nothing about robots; is told the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from hitl.events import CorrectionEvent


@dataclass(frozen=True)
class _Open:
    event: CorrectionEvent
    until_ns: int


class Questions:
    """The open questions, by the id of their correction."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def ask(self, event: CorrectionEvent, until_ns: int) -> None:
        """Ask what `event` meant, until `until_ns`."""
        self._open[event.id] = _Open(event, until_ns)

    def __bool__(self) -> bool:
        return bool(self._open)

    def get(self, correction_id: str) -> CorrectionEvent | None:
        """The correction that is asked about, if it is."""
        found = self._open.get(correction_id)
        return found.event if found is not None else None

    def close(self, correction_id: str) -> bool:
        """Ask no longer; False where nobody asked."""
        return self._open.pop(correction_id, None) is not None

    def close_of(self, author: str) -> list[str]:
        """Ask `author` no longer; ids of what was asked."""
        return self._close(lambda question: question.event.author == author)

    def close_over(self, now_ns: int) -> list[str]:
        """Ask no longer what was asked for long enough; ids of it."""
        return self._close(lambda question: question.until_ns <= now_ns)

    def close_all(self) -> list[str]:
        """Ask nothing any more; ids of what was asked."""
        return self._close(lambda _: True)

    def _close(self, which: Callable[[_Open], bool]) -> list[str]:
        over = [correction_id for correction_id, question in self._open.items() if which(question)]
        for correction_id in over:
            del self._open[correction_id]
        return over


def chosen_as(event: CorrectionEvent, command: str) -> CorrectionEvent:
    """The correction as a person has chosen it."""
    return msgspec.structs.replace(
        event, command=command, grounding="near", similarity=1.0, certainty="high", choices=[]
    )


def not_offered(event: CorrectionEvent, command: str) -> str:
    """Why `command` cannot be chosen for it, in words."""
    known = " or ".join(f"“{choice}”" for choice in event.choices)
    return f"“{command}” was not offered. Choose {known}, or say it anew."
