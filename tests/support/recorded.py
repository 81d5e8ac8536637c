"""Recorded sessions with commands, as items of a project are made of, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hitl.messages import CommandStatus
from hitl.sessions.catalog import Session
from hitl.sessions.recording import Recorder
from tests.support.narrated import CAMERAS, Move, record

S = 1_000_000_000


def command(text: str, by: str = "policy", name: str = "") -> CommandStatus:
    """by: "policy", "none" or a person's name."""
    source = by if by in ("policy", "none") else "person"
    author = by if source == "person" else ""
    return CommandStatus(command_id=name or text, text=text, source=source, author=author)  # type: ignore[arg-type]


def session_with_commands(
    data: Path,
    told: Sequence[tuple[float, CommandStatus]],
    seconds: float = 4.0,
    moves: Sequence[Move] = (),
    borders_s: Sequence[float] = (),
    cameras: dict[str, tuple[int, int]] = CAMERAS,
) -> Session:
    """Recorded, with commands that begin at so many seconds; another episode begins at each border."""
    begun, left = Recorder.state, list(told)

    def state(self: Recorder, session_ns: int, *rest: object) -> bool:
        while left and left[0][0] * S <= session_ns:
            at_s, status = left.pop(0)
            self.message("/command", round(at_s * S), status)
        return begun(self, session_ns, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "state", state)
        return record(data, [], moves, seconds, borders_s=borders_s, cameras=cameras)
