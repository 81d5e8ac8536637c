"""A recorded session with a narrator, for tests: hands that move when they are told to, pictures, and voices."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hitl.clock import new_ulid
from hitl.events import UtteranceEvent
from hitl.kinematics import joints_of, pose_of
from hitl.messages import AUDIO_RATE, Mode, RobotState, TimedWord
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.recording import Recorder

RATE_HZ = 50
TICK_NS = 1_000_000_000 // RATE_HZ
HOME = pose_of(np.array([0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 0.5] * 2))
CAMERAS = {"overhead": (96, 128), "front": (48, 64), "left_wrist": (48, 64), "right_wrist": (48, 64)}


@dataclass(frozen=True)
class Move:
    """The left hand goes this way, metres, and opens by so much, between two moments, seconds."""

    from_s: float
    to_s: float
    way: tuple[float, float, float] = (0.0, 0.0, 0.08)
    opens: float = 0.0


@dataclass(frozen=True)
class Said:
    """What was said from a moment on: sound, or words with their times."""

    at_s: float
    text: str
    sound: np.ndarray = field(default_factory=lambda: np.full(AUDIO_RATE, 0.1, np.float32))
    words: tuple[TimedWord, ...] = ()
    author: str = "ann"
    narration: bool = True


def timed(at_s: float, text: str, **fields: Any) -> Said:
    """Words that a recognizer gave times for, a quarter of a second each."""
    times = [(word, 0.25 * at) for at, word in enumerate(text.split())]
    words = tuple(TimedWord(text=word, start_s=start_s, end_s=start_s + 0.25) for word, start_s in times)
    return Said(at_s, text, np.full(round(0.25 * len(times) * AUDIO_RATE), 0.1, np.float32), words, **fields)


def record(
    data: Path,
    said: Sequence[Said],
    moves: Sequence[Move],
    seconds: float,
    *,
    borders_s: Sequence[float] = (),
    mode: Callable[[float], Mode] = lambda _at_s: "running",
    lost: Callable[[float], bool] = lambda _at_s: False,
    cameras: dict[str, tuple[int, int]] = CAMERAS,
    rate_hz: float = RATE_HZ,
) -> Session:
    """Record a session. borders_s: where another episode begins; lost: at which moments no state is recorded."""
    session = Catalog(data).new_session()
    with Recorder(session.recording, session.id, started_unix_ns=session.info.started_unix_ns) as recorder:
        for one in said:
            _speak(recorder, session.id, one)
        for tick in range(round(seconds * RATE_HZ)):
            at_s = tick / RATE_HZ
            if tick % 5 == 0:
                _look(recorder, tick, cameras)
            if not lost(at_s):
                state = RobotState(
                    tick=tick, stamp_ns=0, episode=f"e{sum(at_s >= border for border in borders_s)}", mode=mode(at_s),
                    nominal_hz=rate_hz,
                )  # fmt: skip
                recorder.state(tick * TICK_NS, state, _joints(moves, at_s - 0.1), _joints(moves, at_s))
    assert not recorder.error and not recorder.dropped
    return session


def _joints(moves: Sequence[Move], at_s: float) -> np.ndarray:
    pose = HOME.copy()
    for move in moves:
        part = np.clip((at_s - move.from_s) / (move.to_s - move.from_s), 0, 1)
        pose[:3] += np.multiply(move.way, part)
        pose[5] += move.opens * part
    return joints_of(pose)


def _look(recorder: Recorder, tick: int, cameras: dict[str, tuple[int, int]]) -> None:
    """The red of a picture is its frame's number."""
    for camera, (height, width) in cameras.items():
        picture = np.full((2 * height, 2 * width, 3), 60, np.uint8)
        picture[..., 0] = tick // 5 % 256
        while recorder._pictures > 30:  # a test is faster than any camera
            time.sleep(0.001)
        recorder.frame(camera, tick * TICK_NS, 2 * height, 2 * width, picture)


def _speak(recorder: Recorder, session: str, said: Said) -> None:
    begins_ns, seconds = round(said.at_s * 1e9), len(said.sound) / AUDIO_RATE
    event = UtteranceEvent(
        id=new_ulid(), session=session, episode="", session_ns=begins_ns + round(seconds * 1e9), author=said.author,
        text=said.text, correction="", recognizer="test", duration_s=seconds, narration=said.narration,
        words=list(said.words),
    )  # fmt: skip
    recorder.voice(begins_ns, event.id, (said.sound * 32767).astype("<i2").tobytes())
    recorder.message("/feedback", event.session_ns, event)
