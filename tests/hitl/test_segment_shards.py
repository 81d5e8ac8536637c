"""Segments as training data: what each level may learn from them, pictures of their moment, folders that are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from hitl.errors import DatasetError
from hitl.kinematics import pose_of
from hitl.segment_shards import OTHER_FAMILY, Template, Written, write_shards
from hitl.sessions.catalog import Session
from hitl.sessions.recorded import read_recorded
from hitl.speech.narration import Segment
from policies.hierarchy.dataset import UNKNOWN, load_recordings
from policies.hierarchy.high_level_training import active_commands
from policies.hierarchy.sampling import low_level_samples
from tests.support.narrated import CAMERAS, HOME, Move, record

S = 1_000_000_000
COMMANDS = [
    {"text": "pick up the red block", "family": "pick", "train": ["take it"], "held_out": []},
    {"text": "hold still", "family": "still", "train": [], "held_out": []},
]
TEMPLATE = Template(CAMERAS, ["red block"], COMMANDS)


def segment(from_s: float, to_s: float, command: str = "pick up the red block", **fields: Any) -> Segment:
    return Segment(round(from_s * S), round(to_s * S), command, command, **{"episode": "e0", **fields})


def written(out: Path, session: Session, segments: Sequence[Segment], template: Template = TEMPLATE) -> Written:
    found = read_recorded(session.recording)
    return write_shards(out, session.id, session.recording, found.episodes, segments, template)


def shard(out: Path, number: int = 0) -> dict[str, np.ndarray]:
    (path,) = out.glob(f"shards/*-{number:03d}.safetensors")
    return load_file(path)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Ten seconds; the hand goes up from 2 s to 3 s and down from 6 s to 7 s. Another episode begins at 8 s."""
    moves = [Move(2, 3), Move(6, 7, (0, 0, -0.08))]
    return record(tmp_path_factory.mktemp("data"), [], moves, 10.0, borders_s=(8.0,))


def test_the_low_level_learns_the_motion_and_the_high_level_also_what_came_before(
    tmp_path: Path, session: Session
) -> None:
    told = written(tmp_path, session, [segment(1.0, 5.0)])
    assert (told.shards, told.segments, told.left_out, told.new_commands) == (1, 1, [], [])
    before, motion = shard(tmp_path)["segments"]
    assert before.tolist() == [0, 50, before[2], before[2], 0] and motion[1] == before[2]
    assert motion[1] == pytest.approx(100, abs=4) and motion[2] == pytest.approx(150, abs=4)
    assert motion[3] == motion[2] + 25 and motion[4] == 1, "half a second of rest behind it"
    data = load_recordings(tmp_path)
    learned = data.frame_tick[low_level_samples(data, held_out=False).frame]
    assert motion[1] <= learned.min() and learned.max() < motion[3]
    moments = data.frame_tick
    active = active_commands(data, moments, data.frame_episode)
    assert moments[active == 0].min() == 50 and moments[active == 0].max() < motion[3]
    assert data.is_task.all() and (data.where == UNKNOWN).all()


def test_numbers_and_pictures_are_of_their_moment(tmp_path: Path, session: Session) -> None:
    written(tmp_path, session, [segment(1.0, 5.0)])
    found = shard(tmp_path)
    assert found["pose"].shape == (400, 12) and found["pose"].dtype == np.float32
    assert np.allclose(found["pose_target"][0], HOME, atol=1e-5)
    assert found["pose_target"][200, 2] - HOME[2] == pytest.approx(0.08, abs=1e-5)
    assert found["pose"][125, 2] < found["pose_target"][125, 2], "what is measured lags behind what is commanded"
    assert found["frame_tick"].tolist() == list(range(0, 400, 5)) and found["frame_clean"].all()
    for name, size in CAMERAS.items():
        pictures = found[f"image.{name}"]
        assert pictures.shape == (80, *size, 3)
        assert np.abs(pictures[:, 5, 5, 0].astype(int) - np.arange(80)).max() <= 3, "JPEG is not exact"
    assert found["object_where"].shape == (80, 0)


def test_where_nothing_moves_nothing_is_taught_but_to_hold_still(tmp_path: Path, session: Session) -> None:
    told = written(tmp_path, session, [segment(3.5, 4.5), segment(4.5, 5.5, "hold still"), segment(5.5, 6.1)])
    left = [(left.start_ns / S, left.reason) for left in told.left_out]
    assert left == [(3.5, "the robot did not move"), (5.5, "the robot did not move")], "it began for the next command"
    assert shard(tmp_path)["segments"].tolist() == [[1, 225, 275, 275, 1]]


def test_a_way_of_hardly_more_than_rest_ends_no_earlier_than_it_begins(tmp_path: Path) -> None:
    short = record(tmp_path, [], [Move(2, 3, (0, 0, 0.005))], 5.0)
    written(tmp_path / "set", short, [segment(1.0, 4.5)])
    _, first, done, end, _ = shard(tmp_path / "set")["segments"][-1]
    assert 100 < first <= done < end
    load_recordings(tmp_path / "set")


@pytest.mark.parametrize(
    ("fields", "to_s", "flags"),
    [({"cut_short": True}, 2.6, 0), ({"cut_short": True}, 4.0, 1), ({"resumed": True}, 5.0, 0), ({}, 2.6, 1)],
    ids=["stopped in motion", "stopped when it had come to rest", "the rest of it after a stop", "whole"],
)
def test_the_low_level_learns_no_half_of_a_command(
    tmp_path: Path, session: Session, fields: dict[str, bool], to_s: float, flags: int
) -> None:
    written(tmp_path, session, [segment(1.0, to_s, **fields)])
    assert shard(tmp_path)["segments"][-1, 4] == flags


def test_new_commands_get_words_of_their_own_and_the_family_of_their_neighbour(
    tmp_path: Path, session: Session
) -> None:
    new = {"known": False, "near": "pick up the red block"}
    told = written(tmp_path, session, [segment(1, 4, "grab the mug", **new), segment(5, 8, "wave", known=False)])
    assert told.new_commands == ["grab the mug", "wave"]
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["commands"][:2] == COMMANDS
    assert meta["commands"][2:] == [
        {"text": "grab the mug", "family": "pick", "train": ["grab the mug"], "held_out": []},
        {"text": "wave", "family": OTHER_FAMILY, "train": ["wave"], "held_out": []},
    ]
    assert {row[0] for row in shard(tmp_path)["segments"].tolist()} == {2, 3}
    assert written(tmp_path, session, [segment(5, 8, "wave", known=False)]).new_commands == []


def test_sessions_gather_in_a_folder_and_one_that_comes_again_is_replaced(tmp_path: Path, session: Session) -> None:
    other = record(tmp_path / "data", [], [Move(1, 2), Move(4, 5)], 6.0, borders_s=(3.0,))
    out = tmp_path / "set"
    written(out, session, [segment(1, 5)])
    both = [segment(0.5, 3.0), segment(3.5, 6.0, episode="e1")]
    assert written(out, other, both).shards == 2
    data = load_recordings(out)
    assert len(data.held_out) == 3 and int((data.segments.flags > 0).sum()) == 3
    written(out, other, both[1:])
    names = sorted(path.name for path in (out / "shards").iterdir())
    assert names == sorted([f"{session.id}-000.safetensors", f"{other.id}-001.safetensors"])


def test_ticks_that_were_lost_are_filled_in(tmp_path: Path) -> None:
    gap = record(tmp_path, [], [Move(2, 3)], 5.0, lost=lambda at_s: 2.2 <= at_s < 2.4)
    written(tmp_path / "set", gap, [segment(1.0, 4.5)])
    found = shard(tmp_path / "set")
    assert found["pose_target"].shape == (250, 12)
    heights = found["pose_target"][:, 2] - HOME[2]
    assert heights[115] == pytest.approx(0.08 * 0.3, abs=0.002) and (np.diff(heights) > -1e-6).all()


def test_pictures_that_are_missing(tmp_path: Path, session: Session) -> None:
    with pytest.raises(DatasetError, match="no pictures of side"):
        written(tmp_path, session, [segment(1, 5)], Template({"side": (8, 8)}, [], COMMANDS))
    early = record(tmp_path / "data", [], [Move(2, 3)], 5.0, cameras={"front": (48, 64)})
    with pytest.raises(DatasetError, match="left_wrist, overhead, right_wrist"):
        written(tmp_path / "set", early, [segment(1, 5)])
    assert not list((tmp_path / "set" / "shards").iterdir())


def meta_with(**fields: Any) -> str:
    good = {
        "format": "hitl-segments-1",
        "rate_hz": 50,
        "frame_every": 5,
        "cameras": CAMERAS,
        "kinds": [],
        "commands": [],
    }
    return json.dumps(good | fields)


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "no data set of the format"),
        (meta_with(format="x"), "no data set of the format"),
        (meta_with(commands=[{"text": "go"}]), "a key is missing"),
        (meta_with(cameras={"front": 3}), "a key is missing"),
        (meta_with(rate_hz=30), "30 ticks a second, the recording 50"),
    ],
)
def test_a_folder_of_another_kind_is_left_as_it_is(tmp_path: Path, session: Session, meta: str, said: str) -> None:
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(DatasetError, match=said) as caught:
        written(tmp_path, session, [segment(1, 5)])
    assert "meta.json" in str(caught.value) and "--out" in str(caught.value)
    assert (tmp_path / "meta.json").read_text() == meta and not list((tmp_path / "shards").iterdir())


def test_hands_that_are_not_alohas_have_no_pose(tmp_path: Path, session: Session) -> None:
    found = read_recorded(session.recording)
    (first, *_) = found.episodes
    short = type(first)(
        first.id, first.rate_hz, first.tick, first.tick_ns, first.joints[:, :6], first.targets[:, :6], first.stopped
    )
    with pytest.raises(DatasetError, match="6 joints"):
        write_shards(tmp_path, session.id, session.recording, [short], [segment(1, 5)], TEMPLATE)
    assert pose_of(first.joints).shape == (400, 12)
