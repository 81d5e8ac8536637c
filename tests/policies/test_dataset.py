"""The dataset reader: what it reads, and what it says about files that it cannot read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from policies.errors import DatasetError
from policies.hierarchy.dataset import ABSENT, UNKNOWN, fingerprint, load_recordings, read_meta


def rewrite(path: Path, change: Callable[[dict[str, Any]], None], about: dict[str, str] | None = None) -> None:
    """Write a shard again with some tensors changed and more said `about` it."""
    with safe_open(str(path), "numpy") as shard:
        metadata = shard.metadata()
        tensors = {key: shard.get_tensor(key).copy() for key in shard.keys()}  # noqa: SIM118
    change(tensors)
    save_file(tensors, path, metadata={**metadata, **(about or {})})


def first_shard(data: Path) -> Path:
    return data / "shards" / "000000.safetensors"


def test_episodes_are_laid_end_to_end(small_data: Path) -> None:
    data = load_recordings(small_data)
    with safe_open(str(small_data / "shards" / "000001.safetensors"), "numpy") as shard:
        images, ticks, poses = (shard.get_tensor(k) for k in ("image.overhead", "frame_tick", "pose"))
    mine = (data.frame_episode == 1).nonzero().squeeze(1)
    assert torch.equal(data.images["overhead"][mine], torch.from_numpy(images))
    offset = int(data.frame_tick[mine[0]]) - int(ticks[0])
    assert torch.equal(data.frame_tick[mine] - offset, torch.from_numpy(ticks).long())
    assert np.array_equal(data.pose[offset : offset + len(poses)].numpy(), poses)
    assert len(data.segments.command) == 16
    assert data.is_task.tolist() == [True, False, True, False]


def test_progress_counts_shards(small_data: Path) -> None:
    seen: list[tuple[int, int]] = []
    load_recordings(small_data, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_fingerprint_follows_the_shards(small_data: Path) -> None:
    before = fingerprint(small_data)
    assert before == fingerprint(small_data)
    first_shard(small_data).unlink()
    assert fingerprint(small_data) != before


def test_missing_folder_says_how_to_make_data(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"meta\.json: there is no such file.*hitl generate"):
        load_recordings(tmp_path / "nothing")


def test_folder_without_shards(small_data: Path) -> None:
    for path in (small_data / "shards").glob("*"):
        path.unlink()
    with pytest.raises(DatasetError, match="shards: holds no"):
        load_recordings(small_data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"format": "other"}', "format is 'other'"),
        ("[]", "format is 'list'"),
        ('{"format": "hitl-segments-1", "rate_hz": 50}', "'frame_every'"),
    ],
)
def test_foreign_meta(small_data: Path, text: str, message: str) -> None:
    (small_data / "meta.json").write_text(text)
    with pytest.raises(DatasetError, match=r"meta\.json") as caught:
        read_meta(small_data)
    assert message in str(caught.value)


@pytest.mark.parametrize("kept", [0, 4, 100, 5000])
def test_truncated_shard_is_named(small_data: Path, kept: int) -> None:
    path = first_shard(small_data)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DatasetError, match=r"000000\.safetensors: is truncated"):
        load_recordings(small_data)


def test_foreign_shard_is_named(small_data: Path) -> None:
    save_file({"weights": np.zeros(3)}, first_shard(small_data))
    with pytest.raises(DatasetError, match=r"000000\.safetensors: is no episode shard"):
        load_recordings(small_data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pose", None, "lacks pose"),
        ("image.overhead", np.zeros((3, 8, 8, 3), np.uint8), "image.overhead is uint8"),
        ("pose_target", np.zeros((5, 12), np.float32), "pose_target is float32"),
        ("segments", np.array([[99, 0, 5, 9, 1]], np.int32), "name a command outside the 6"),
        ("segments", np.array([[1, 8, 5, 9, 1]], np.int32), "0 <= first <= done <= end"),
        ("segments", np.array([[1, 0, 5, 10**6, 1]], np.int32), "0 <= first <= done <= end"),
        ("object_where", np.zeros((1, 2), np.float32), "object_where is float32"),
    ],
)
def test_shard_that_does_not_fit(small_data: Path, key: str, value: Any, message: str) -> None:
    def change(tensors: dict[str, Any]) -> None:
        if value is None:
            del tensors[key]
        else:
            tensors[key] = value

    rewrite(first_shard(small_data), change)
    with pytest.raises(DatasetError, match=r"000000\.safetensors") as caught:
        load_recordings(small_data)
    assert message in str(caught.value)


def test_not_finite_pose_is_refused(small_data: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors["pose"][3, 2] = np.nan

    rewrite(first_shard(small_data), change)
    with pytest.raises(DatasetError, match="not finite"):
        load_recordings(small_data)


def test_kinds_that_nobody_trains_on_are_left_out(small_data: Path) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors["object_kind"] = np.array([0, 7], np.int32)

    rewrite(first_shard(small_data), change)
    data = load_recordings(small_data)
    where = data.where[data.frame_episode == 0]
    assert (where[:, 0] == 1).all() and (where[:, 1] == 0).all()


def without_objects(tensors: dict[str, Any]) -> None:
    """As a recorded session is: nobody knows what lies where."""
    frames = len(tensors["frame_tick"])
    tensors["object_kind"] = np.zeros(0, np.int32)
    tensors["object_xyz"] = np.zeros((frames, 0, 3), np.float32)
    tensors["object_where"] = np.zeros((frames, 0), np.int8)
    for name in ("overhead", "left_wrist"):
        tensors[f"object_px.{name}"] = np.zeros((frames, 0, 2), np.float32)


@pytest.mark.parametrize(("about", "where"), [({"objects": "unknown"}, UNKNOWN), ({}, ABSENT)])
def test_objects_that_nobody_recorded_are_unknown_and_not_absent(
    small_data: Path, about: dict[str, str], where: int
) -> None:
    rewrite(first_shard(small_data), without_objects, about)
    data = load_recordings(small_data)
    first = data.frame_episode == 0
    assert (data.where[first] == where).all() and (data.where[~first] == 1).all()
    assert data.pixels["overhead"][first].isnan().all()


def test_of_few_episodes_none_is_held_out(small_data: Path) -> None:
    """Else nothing might be left to learn from."""
    first, *others = sorted((small_data / "shards").glob("*.safetensors"))
    for path in others:
        path.unlink()
    for number in range(100):  # one name in 25 is held out
        first = first.rename(first.with_name(f"{number}.safetensors"))
        assert not load_recordings(small_data).held_out.any()


def test_meta_keeps_words_and_sizes(small_data: Path) -> None:
    meta = read_meta(small_data)
    raw = json.loads((small_data / "meta.json").read_text())
    assert meta.cameras == {"overhead": (32, 32), "left_wrist": (16, 16)}
    assert [words.text for words in meta.commands] == [entry["text"] for entry in raw["commands"]]
    assert meta.commands[0].train == ("take the red block", "grab red")
