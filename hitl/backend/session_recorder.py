"""What of a session goes into its recording, and on which topics. The writing is hitl.sessions.recording's.

    /camera/<name>    pictures, at most `PICTURES_HZ` of each camera
    /robot/state      every tick: joints, targets, mode, command
    /command          each change of the running command
    /correction       each change of a correction
    /feedback         each event of the feedback log
    /voice            what was said, from its first sound on
    /log              what the backend waits for, in words

A recording that cannot be made or written is an error that is shown; the loop goes on without it.
"""

from __future__ import annotations

import logging

from numpy.typing import NDArray

from hitl.bus import Received
from hitl.errors import StorageError
from hitl.events import LogEvent
from hitl.messages import CommandStatus, CorrectionStatus, Frame, RobotState
from hitl.sessions.catalog import Session
from hitl.sessions.recording import Recorder

log = logging.getLogger("hitl.backend")

PICTURES_HZ = 10.0
"""Enough to see what happened; at 30 Hz and three cameras, encoding would take a third of a core."""


class SessionRecorder:
    """Records one session; every method returns at once. `session_ns` is time on the session clock."""

    def __init__(self, session: Session, *, jpeg_quality: int) -> None:
        self.path = str(session.recording)
        self._failed = ""
        self._recorder: Recorder | None = None
        self._due_ns: dict[str, int] = {}
        self._command = ""
        self._waiting: str | None = None
        try:
            self._recorder = Recorder(
                session.recording,
                session.id,
                started_unix_ns=session.info.started_unix_ns,
                jpeg_quality=jpeg_quality,
            )
        except StorageError as error:
            log.error("%s", error)
            self._failed = str(error)

    @property
    def error(self) -> str:
        """Why nothing is recorded; empty where all is well."""
        return self._recorder.error if self._recorder is not None else self._failed

    def frame(self, session_ns: int, frame: Frame, received: Received) -> None:
        """A picture, unless this camera had one a moment ago."""
        if self._recorder is None or session_ns < self._due_ns.get(frame.camera, 0):
            return
        # A tenth earlier than the period, or the jitter of a 10 Hz camera would drop every other picture.
        self._due_ns[frame.camera] = session_ns + round(0.9e9 / PICTURES_HZ)
        self._recorder.frame(frame.camera, session_ns, frame.height, frame.width, received.payloads[0], frame.encoding)

    def state(self, session_ns: int, state: RobotState, joints: NDArray, targets: NDArray) -> None:
        """One tick; joints and targets `(n,)`."""
        if self._recorder is not None:
            self._recorder.state(session_ns, state, joints, targets)

    def command(self, session_ns: int, status: CommandStatus) -> None:
        """The running command, where it is another one than before."""
        if self._recorder is not None and status.command_id != self._command:
            self._command = status.command_id
            self._recorder.message("/command", session_ns, status)

    def correction(self, session_ns: int, status: CorrectionStatus) -> None:
        """A change of a correction."""
        if self._recorder is not None:
            self._recorder.message("/correction", session_ns, status)

    def event(self, event: LogEvent) -> None:
        """What was written to the feedback log."""
        if self._recorder is not None:
            self._recorder.message("/feedback", event.session_ns, event)

    def voice(self, session_ns: int, utterance_id: str, samples: bytes) -> None:
        """The sound of an utterance that begins at `session_ns`: int16, mono, 16 kHz."""
        if self._recorder is not None:
            self._recorder.voice(session_ns, utterance_id, samples)

    def waiting(self, session_ns: int, text: str) -> None:
        """What the backend waits for, first and where that changed; empty where all runs."""
        if self._recorder is not None and text != self._waiting:
            self._waiting = text
            self._recorder.log(session_ns, f"waiting for {text}" if text else "all runs")

    def close(self) -> None:
        """Write what is queued."""
        if self._recorder is not None:
            self._recorder.close()
