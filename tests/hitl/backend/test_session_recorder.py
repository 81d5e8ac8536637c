"""What a session's recorder keeps, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitl.backend.session_recorder import SessionRecorder
from hitl.sessions.catalog import Catalog
from hitl.sessions.recording import read_recording


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["", "", ""], ["all runs"]),
        (["a robot to connect", "a robot to connect", ""], ["waiting for a robot to connect", "all runs"]),
        (["", "the robot, which is silent", ""], ["all runs", "waiting for the robot, which is silent", "all runs"]),
    ],
)
def test_what_is_waited_for_is_recorded_first_and_where_it_changed(
    tmp_path: Path, told: list[str], kept: list[str]
) -> None:
    session = Catalog(tmp_path).new_session()
    recorder = SessionRecorder(session, jpeg_quality=80)
    for at_ns, text in enumerate(told):
        recorder.waiting(at_ns, text)
    recorder.close()
    lines = [record.data.decode() for record in read_recording(session.recording) if record.topic == "/log"]
    assert len(lines) == len(kept) and all(text in line for text, line in zip(kept, lines, strict=True))
