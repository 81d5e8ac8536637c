"""The generator: reproducible, resumable, and shards that hold what the format says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from hitl.errors import DatasetError, InputError
from robot.aloha import demonstrations
from robot.aloha.cell import AlohaCell
from robot.aloha.demonstrations import MISTAKE, WELL, is_feasible
from robot.aloha.generate import generate, meta
from robot.aloha.grammar import COMMANDS, by_text
from robot.aloha.layout import HOME, Placement, sample_placements


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data")
    generate(out, 3, seed=5, workers=2)
    return out


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").glob("*.safetensors"))


def test_shards_hold_what_the_format_says(made: Path) -> None:
    facts = json.loads((made / "meta.json").read_text())
    assert facts == meta(5)
    assert len(shards(made)) == 3
    for path in shards(made):
        shard = load_file(path)
        frames, ticks = len(shard["frame_tick"]), len(shard["pose"])
        for camera, (height, width) in facts["cameras"].items():
            assert shard[f"image.{camera}"].shape == (frames, height, width, 3)
            assert shard[f"object_px.{camera}"].shape == (frames, len(shard["object_kind"]), 2)
        assert shard["pose"].shape == shard["pose_target"].shape == (ticks, 12)
        assert np.array_equal(shard["frame_tick"], np.arange(0, ticks, facts["frame_every"]))
        command, first, done, end, flags = shard["segments"].T
        assert (first <= done).all() and (done <= end).all() and (end <= ticks).all() and (first < end).all()
        assert (first[1:] == end[:-1]).all()
        assert set(flags) <= {0, WELL, MISTAKE}
        assert (flags == WELL).mean() > 0.5
        assert command.max() < len(facts["commands"])
        with safe_open(path, "numpy") as opened:
            assert opened.metadata()["kind"] in ("task", "drill")


def content(path: Path) -> dict[str, bytes]:
    """Tensors and metadata; the file's own order of metadata is left to chance by its library."""
    with safe_open(path, "numpy") as opened:
        facts = repr(sorted(opened.metadata().items())).encode()
    return {"metadata": facts, **{name: array.tobytes() for name, array in load_file(path).items()}}


def test_the_same_seed_gives_the_same_episodes_and_goes_on_where_it_was(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, 1, seed=5, workers=1)
    first = shards(tmp_path)[0]
    assert content(first) == content(shards(made)[0])
    stamp = first.stat().st_mtime_ns
    (tmp_path / "shards" / "000001.part99").write_bytes(b"half")
    counted = generate(tmp_path, 2, seed=5, workers=1)
    assert counted["episodes"] == 1
    assert first.stat().st_mtime_ns == stamp
    assert [content(path) for path in shards(tmp_path)] == [content(path) for path in shards(made)[:2]]
    assert not list((tmp_path / "shards").glob("*.part*"))


def test_another_seed_or_broken_meta_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="seed"):
        generate(made, 4, seed=6)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(DatasetError, match="JSON"):
        generate(tmp_path, 1, seed=5)
    with pytest.raises(InputError, match="episodes"):
        generate(tmp_path, 0)


def test_feasible_poses_keep_the_hands_apart_and_off_the_table() -> None:
    placements = sample_placements(np.random.default_rng(0))
    assert is_feasible(HOME, placements)
    crossed = HOME.copy()
    crossed[0], crossed[6] = 0.05, 0.08
    low = HOME.copy()
    low[2] = 0.0
    assert not is_feasible(crossed, placements)
    assert not is_feasible(low, placements)


def test_layouts_keep_their_distance_and_need_a_hand_over() -> None:
    for seed in range(50):
        placements = sample_placements(np.random.default_rng(seed))
        assert 3 <= len(placements) <= 5
        assert len({p.kind for p in placements}) == len(placements)
        assert any(p.x > 0.1 for p in placements) and any(p.x < 0.1 for p in placements)
        for index, one in enumerate(placements):
            for other in placements[index + 1 :]:
                assert np.hypot(one.x - other.x, one.y - other.y) >= 0.08


def test_a_miss_that_is_over_before_it_began_is_no_segment(cell: AlohaCell) -> None:
    closed = HOME.copy()
    closed[[5, 11]] = 0.0
    cell.begin([Placement(0, 0.0, 0.5, 0.0)], pose=closed)
    demonstrator = demonstrations.Demonstrator(cell, np.random.default_rng(0))
    demonstrator.perform(by_text("pick up the red block"), 0, offset=np.array([0.02, 0.0]))
    assert demonstrator.tape.segments == []


def test_guiding_picks_by_small_motions_and_goes_on_by_them_or_by_a_skill(cell: AlohaCell) -> None:
    """Of six things at most one is lost on the way; a few steps each, and only what people say when they guide."""
    came_off, said = 0, set()
    for seed in range(6):
        tape = demonstrations.guided_episode(cell, np.random.default_rng([1, seed]))
        rows = [(COMMANDS[row[0]], row[4]) for row in tape.segments]
        said |= {command.skill for command, flags in rows if flags == WELL}
        came_off += (
            any(cell.held_in(arm) is not None for arm in (0, 1))
            or any(cell.in_box(kind) for kind in cell.kinds)
            or any(command.skill == "down" and flags == WELL for command, flags in rows)
        )
        assert 1 <= len(rows) <= 22
    onwards = {"box", "handover", "down"}
    assert came_off >= 5 and {"move", "grip"} <= said <= {"move", "grip", "tilt", "home"} | onwards and said & onwards


def test_passing_goes_both_ways(cell: AlohaCell) -> None:
    texts = set()
    for seed in range(3):
        tape = demonstrations.pass_episode(cell, np.random.default_rng([2, seed]))
        texts |= {COMMANDS[row[0]].text for row in tape.segments if row[4] == WELL}
    assert {"hand it to the left arm", "hand it to the right arm"} <= texts


def test_a_command_that_is_cut_short_is_no_example_and_the_next_one_begins_in_mid_motion(cell: AlohaCell) -> None:
    cell.begin([Placement(0, -0.02, 0.5, 0.0), Placement(2, 0.02, 0.6, 0.0)])
    demonstrator = demonstrations.Demonstrator(cell, np.random.default_rng(0))
    assert not demonstrator.perform(by_text("pick up the red block"), 6, cut=30)
    assert demonstrator.perform(by_text("pick up the blue ball"), 6)
    (_, _, _, end, flags), (_, first, _, _, after) = demonstrator.tape.segments
    assert (end, flags, after) == (30, 0, WELL)
    assert first == end
    moving = np.linalg.norm(demonstrator.tape.pose_target[first] - demonstrator.tape.pose_target[first - 1])
    assert moving > 0.003
    assert cell.held_in(0) == 2
