"""Moments of recordings: pictures, poses and commands of their time; and recordings that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hitl import moment_features
from hitl.errors import InputError
from hitl.moment_features import features_of, fingerprint
from hitl.recorded_moments import NO_COMMAND, RecordedMoments, read_moments
from hitl.sessions.catalog import Session
from hitl.sessions.recording import Recorder
from policies.hierarchy.policy import HierarchicalPolicy
from tests.support.narrated import CAMERAS, Move
from tests.support.recorded import command, session_with_commands

SHIPPED = Path(__file__).parents[2] / "assets" / "models" / "aloha-packing"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Eight seconds; another episode begins at 4 s. The hand goes up from 1 s to 2 s. Commands begin at 0.5 s, at 2 s
    and at 5 s."""
    told = [(0.5, command("go home", name="1")), (2.0, command("put it down")), (5.0, command("go home", name="2"))]
    return session_with_commands(tmp_path_factory.mktemp("data"), told, 8.0, [Move(1, 2)], borders_s=(4.0,))


@pytest.fixture(scope="module")
def moments(session: Session) -> list[RecordedMoments]:
    return read_moments(session.recording, CAMERAS)


def test_an_episode_is_a_row_of_moments(session: Session, moments: list[RecordedMoments]) -> None:
    assert [one.key for one in moments] == [f"{session.id}/e0", f"{session.id}/e1"]
    first = moments[0]
    assert first.length_ms == 4000 and first.time_ms.tolist() == list(range(0, 4000, 200))
    assert first.pose.shape == first.target.shape == first.start.shape == (20, 12)
    assert first.seen.all() and {name: x.shape for name, x in first.images.items()} == {
        name: (20, *size, 3) for name, size in CAMERAS.items()
    }


def test_pictures_and_poses_are_of_their_moment(moments: list[RecordedMoments]) -> None:
    reds = moments[0].images["overhead"][:, 48, 64, 0].astype(int)
    assert np.abs(reds - np.arange(0, 40, 2)).max() <= 3, "the red is the number of the frame, ten a second"
    reds = moments[1].images["front"][:, 24, 32, 0].astype(int)
    assert np.abs(reds - np.arange(40, 80, 2)).max() <= 3
    rise = moments[0].target[:, 2] - moments[0].target[0, 2]
    assert rise[5] == pytest.approx(0.0, abs=1e-6) and rise[10] == pytest.approx(0.08, abs=2e-3)
    assert (moments[0].pose[6:10, 2] < moments[0].target[6:10, 2]).all(), "what is measured lags behind"


def test_the_command_of_a_moment_is_the_last_that_began(moments: list[RecordedMoments]) -> None:
    first, second = moments
    assert first.texts == ("go home", "put it down")
    assert first.command.tolist() == [NO_COMMAND] * 3 + [0] * 7 + [1] * 10
    assert first.begun_ms[[0, 5, 19]].tolist() == [0, 500, 2000]
    assert np.allclose(first.start[19], first.target[10]), "the target pose when it began"
    assert second.command.tolist() == [NO_COMMAND] * 5 + [0] * 15, "what began in another episode has no part in it"
    assert second.begun_ms[[0, 19]].tolist() == [0, 1000]


def test_features_are_computed_once(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = HierarchicalPolicy.load(SHIPPED, "cpu")
    told: list[tuple[int, int]] = []
    (first,) = features_of([session.recording], policy, tmp_path, lambda done, of: told.append((done, of)))
    assert told == [(1, 1)] and list(first) == [f"{session.id}/e0", f"{session.id}/e1"]
    groups = first[f"{session.id}/e0"].groups
    assert all(np.isfinite(x).all() and len(x) == 20 for x in groups.values())
    assert not groups["command"][0].any() and groups["command"][19].any(), "no command, no code"
    assert groups["elapsed"][19, 0] == pytest.approx(0.18), "1.8 s, in tens"
    monkeypatch.setattr(moment_features, "read_moments", None)
    (again,) = features_of([session.recording], policy, tmp_path)
    for key, one in first.items():
        assert all(np.array_equal(x, again[key].groups[name]) for name, x in one.groups.items())
        assert np.array_equal(one.seen, again[key].seen)


def test_half_a_file_is_computed_anew(session: Session, tmp_path: Path) -> None:
    policy = HierarchicalPolicy.load(SHIPPED, "cpu")
    (first,) = features_of([session.recording], policy, tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    (again,) = features_of([session.recording], policy, tmp_path)
    assert list(again) == list(first)


def test_another_recording_has_another_name(session: Session, tmp_path: Path) -> None:
    policy = HierarchicalPolicy.load(SHIPPED, "cpu")
    copy = tmp_path / "copy.mcap"
    copy.write_bytes(session.recording.read_bytes())
    assert fingerprint(copy, policy) == fingerprint(session.recording, policy)
    copy.write_bytes(copy.read_bytes()[:-1])
    assert fingerprint(copy, policy) != fingerprint(session.recording, policy)


def test_a_recording_that_is_cut_is_refused(session: Session, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(session.recording.read_bytes()[:-1000])
    with pytest.raises(InputError, match="cut off") as caught:
        read_moments(cut, CAMERAS)
    assert caught.value.field == str(cut)


def test_a_camera_that_nobody_recorded_is_named(session: Session) -> None:
    with pytest.raises(InputError, match="no pictures of belly"):
        read_moments(session.recording, {**CAMERAS, "belly": (48, 64)})


def test_what_is_no_recording_of_an_episode_is_refused(tmp_path: Path) -> None:
    empty, other, nameless = tmp_path / "empty.mcap", tmp_path / "other.mcap", tmp_path / "nameless.mcap"
    Recorder(empty, "01ARZ3NDEKTSV4RRFFQ69G5FAV").close()
    other.write_bytes(b"something else")
    Recorder(nameless, "").close()
    for path, why in ((empty, "no episode"), (other, "no recording of hitl"), (nameless, "no session")):
        with pytest.raises(InputError, match=why):
            read_moments(path, CAMERAS)
    with pytest.raises(InputError, match="No such file"):
        read_moments(tmp_path / "none.mcap", CAMERAS)
