"""Reading a session back: episodes, where the robot was away, voices, pictures, and recordings that were cut off."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from hitl.errors import InputError
from hitl.events import UtteranceEvent
from hitl.messages import Mode, RobotState
from hitl.sessions.recorded import read_recorded, recorded_pictures
from hitl.sessions.recording import Recorder, is_whole

TICK_NS = 20_000_000


def state(tick: int, episode: str = "e1", mode: Mode = "running") -> RobotState:
    return RobotState(tick=tick, stamp_ns=0, episode=episode, mode=mode, nominal_hz=50.0)


def put(recorder: Recorder, at: int, **fields: object) -> None:
    recorder.state(at * TICK_NS, state(at, **fields), np.full(14, float(at)), np.full(14, at + 0.5))  # type: ignore[arg-type]


def spoken(number: str, **fields: object) -> UtteranceEvent:
    base: dict[str, object] = dict(
        id=number, session="s", episode="e1", session_ns=3, author="ann", text="go left", correction="",
        recognizer="r", duration_s=0.1, narration=True,
    )  # fmt: skip
    return UtteranceEvent(**{**base, **fields})  # type: ignore[arg-type]


def test_episodes_their_ticks_and_where_the_robot_was_away(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with Recorder(path, "s") as recorder:
        put(recorder, 0, episode="")
        for at in range(1, 10):
            put(recorder, at, mode="paused" if 3 <= at < 5 else "stopped" if at == 5 else "holding")
        put(recorder, 4)  # late, and so of no use
        put(recorder, 50, mode="fault")
        for at in range(60, 63):
            put(recorder, at, episode="e2")
    found = read_recorded(path)
    assert found.whole and [episode.id for episode in found.episodes] == ["e1", "e2"]
    first, second = found.episodes
    assert first.tick.tolist() == [*range(1, 10), 50] and first.rate_hz == 50.0
    assert first.joints.shape == (10, 14) and first.targets[0, 0] == 1.5
    assert (first.start_ns, first.end_ns) == (TICK_NS, 51 * TICK_NS)
    assert first.away() == ((3 * TICK_NS, 6 * TICK_NS), (9 * TICK_NS, 51 * TICK_NS)), (
        "stopped, then silent, then at fault"
    )
    assert second.away() == () and found.end_ns == 62 * TICK_NS


def test_voices_with_what_the_log_says_of_them(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with Recorder(path, "s") as recorder:
        recorder.voice(900, "b", b"\2\0")
        recorder.voice(500, "a", b"\1\0")
        recorder.message("/feedback", 1000, spoken("a"))
    first, second = read_recorded(path).voices
    assert (first.id, first.begins_ns, first.samples, second.id) == ("a", 500, b"\1\0", "b")
    assert first.event is not None and first.event.narration and second.event is None


def test_events_of_before_there_was_narration_still_read(tmp_path: Path) -> None:
    path, now = tmp_path / "r.mcap", msgspec.structs.asdict(spoken("a"))
    before = {name: value for name, value in now.items() if name not in ("narration", "words")}
    kind = msgspec.defstruct("UtteranceEvent", list(before), tag="UtteranceEvent")
    with Recorder(path, "s") as recorder:
        recorder.voice(5, "a", b"\1\0")
        recorder.message("/feedback", 9, kind(**before))
    (voice,) = read_recorded(path).voices
    assert voice.event is not None and not voice.event.narration and voice.event.words == []


def test_pictures_of_the_cameras_that_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with Recorder(path, "s") as recorder:
        for at, camera in enumerate(("front", "overhead", "front")):
            recorder.frame(camera, at, 4, 4, np.zeros((4, 4, 3), np.uint8))
    found = list(recorded_pictures(path, {"front"}))
    assert [(camera, at) for camera, at, _ in found] == [("front", 0), ("front", 2)]
    assert found[0][2].startswith(b"\xff\xd8"), "JPEG"


def test_a_recording_without_its_end_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with Recorder(path, "s") as recorder:
        for at in range(1, 2000):
            put(recorder, at)
    assert is_whole(path) and not is_whole(tmp_path / "none.mcap")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    found = read_recorded(path)
    assert not found.whole and 100 < len(found.episodes[0].tick) < 1999


def test_what_is_no_recording_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with pytest.raises(InputError, match="r.mcap"):
        read_recorded(path)
    with Recorder(path, "s") as recorder:
        recorder.message("/robot/state", 0, state(1))
    with pytest.raises(InputError, match="/robot/state cannot be read"):
        read_recorded(path)
