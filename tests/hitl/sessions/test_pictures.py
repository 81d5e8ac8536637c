"""Pictures of a part of a recording, and where recordings are."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hitl.errors import InputError
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.finding import PATH, find_recording
from hitl.sessions.pictures import picture_times, pictures_between
from hitl.sessions.recorded import recorded_pictures
from tests.support.recorded import S, session_with_commands

CAMERAS = {"overhead": (24, 32), "front": (24, 32)}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return session_with_commands(tmp_path_factory.mktemp("data"), [], 3.0, borders_s=(2.0,), cameras=CAMERAS)


def test_a_part_is_what_is_in_it_and_no_more(session: Session) -> None:
    found = list(pictures_between(session.recording, S, 2 * S, {"front"}))
    assert [at_ns for _, at_ns, _ in found] == [S + at * S // 10 for at in range(10)]
    assert {camera for camera, _, _ in found} == {"front"}
    every = {(camera, at_ns): jpeg for camera, at_ns, jpeg in recorded_pictures(session.recording, set(CAMERAS))}
    assert all(every[camera, at_ns] == jpeg for camera, at_ns, jpeg in found)
    picture = cv2.imdecode(np.frombuffer(found[3][2], np.uint8), cv2.IMREAD_COLOR)
    assert abs(int(picture[5, 5, 2]) - 13) <= 3, "the red is the number of the frame"
    both = list(pictures_between(session.recording, 0, 10 * S))
    assert len(both) == 60 and both == sorted(both, key=lambda one: one[1])
    assert not list(pictures_between(session.recording, 5 * S, 9 * S))
    assert not list(pictures_between(session.recording, 0, S, {"belly"}))


def test_the_times_of_all_cameras(session: Session) -> None:
    found = picture_times(session.recording, 2 * S, 3 * S)
    assert list(found) == ["front", "overhead"] and found["front"] == found["overhead"]
    assert found["front"][0] == 2 * S and len(found["front"]) == 10


def test_without_an_index_it_says_so(session: Session, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(session.recording.read_bytes()[:-2000])
    with pytest.raises(InputError, match="cut off"):
        list(pictures_between(cut, 0, S))
    with pytest.raises(InputError, match="No such file"):
        picture_times(tmp_path / "none.mcap", 0, S)
    other = tmp_path / "other.mcap"
    other.write_bytes(b"no recording at all")
    with pytest.raises(InputError, match="no recording of hitl"):
        picture_times(other, 0, S)


def test_a_recording_is_found_by_its_session_or_where_it_was(session: Session, tmp_path: Path) -> None:
    here, elsewhere = Catalog(session.folder.parents[1]), Catalog(tmp_path)
    name = f"{session.id}/e1"
    assert find_recording(here, name, {}) == (session.recording, "e1")
    assert find_recording(elsewhere, name, {PATH: str(session.recording)}) == (session.recording, "e1")
    assert find_recording(here, name, {PATH: str(tmp_path / "gone.mcap")})[0] == session.recording, "it came home"
    with pytest.raises(InputError, match=r"is gone: .*gone\.mcap"):
        find_recording(elsewhere, name, {PATH: str(tmp_path / "gone.mcap")})
    with pytest.raises(InputError, match="is gone: session"):
        find_recording(elsewhere, name, {PATH: 7})
    for bad in ("", "e1", f"{session.id}/"):
        with pytest.raises(InputError, match="no recording"):
            find_recording(here, bad, {})


def test_a_path_to_something_else_is_refused(session: Session, tmp_path: Path) -> None:
    other = session_with_commands(tmp_path, [], 0.5, cameras=CAMERAS)
    catalog = Catalog(tmp_path / "empty")
    with pytest.raises(InputError, match=f"is the recording of session {other.id}, not of {session.id}"):
        find_recording(catalog, f"{session.id}/e0", {PATH: str(other.recording)})
    secret = tmp_path / "secret.txt"
    secret.write_text("words")
    with pytest.raises(InputError, match="no recording of hitl"):
        find_recording(catalog, f"{session.id}/e0", {PATH: str(secret)})
    cut = tmp_path / "cut.mcap"
    shutil.copy(session.recording, cut)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size - 100)
    with pytest.raises(InputError, match="cut off"):
        find_recording(catalog, f"{session.id}/e0", {PATH: str(cut)})
