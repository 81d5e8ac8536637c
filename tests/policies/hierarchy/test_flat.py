"""A flat policy: the data it is made of, its training, its folder, and that nobody can tell it anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from policies.errors import CheckpointError, DatasetError, PolicyError
from policies.hierarchy.checkpoint import write_model
from policies.hierarchy.dataset import HAS_MISTAKE, Recordings, load_recordings
from policies.hierarchy.flat import TASK, FlatPolicy, flat_code, flat_recordings
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy
from policies.hierarchy.sampling import Batches, low_level_samples
from policies.hierarchy.train_flat import Plan, train_flat

KNOTS, PATH_TICKS = 8, 40
POSE = np.linspace(0.0, 0.5, 12)
pytestmark = pytest.mark.timeout(900)  # a quarter of a minute of one core, but cores may be shared


@pytest.fixture
def data(small_data: Path) -> Recordings:
    """Four episodes, of which the first and the third are of the whole task: four commands each."""
    return replace(load_recordings(small_data), held_out=torch.zeros(4, dtype=torch.bool))


def with_mistake(data: Recordings, at: int) -> Recordings:
    flags = data.segments.flags.clone()
    flags[at] = HAS_MISTAKE
    return replace(data, segments=replace(data.segments, flags=flags))


def test_a_task_is_one_segment_from_its_start_to_its_end(data: Recordings) -> None:
    flat, segments = flat_recordings(data, PATH_TICKS).segments, data.segments
    assert flat.episode.tolist() == [0, 2] and flat.command.tolist() == [0, 0]
    for row, episode in enumerate((0, 2)):
        of_episode = (segments.episode == episode).nonzero().squeeze(1)
        assert int(flat.first[row]) == int(segments.first[of_episode[0]])
        assert int(flat.end[row]) == int(segments.end[of_episode[-1]])
        assert int(flat.done[row]) == int(segments.done[of_episode[-1]]), "done when the last command is done"


def test_paths_run_on_over_the_borders_of_commands(data: Recordings) -> None:
    flat = flat_recordings(data, PATH_TICKS)
    samples = low_level_samples(flat, held_out=False)
    border = int(data.segments.end[0])
    before = border - 10
    at = int((data.frame_tick[samples.frame] - before).abs().argmin())
    batch = Batches(flat, samples, KNOTS, torch.Generator().manual_seed(0), augment=False).take(torch.tensor([at]))
    tick = int(data.frame_tick[samples.frame[at]])
    assert tick < border < tick + PATH_TICKS
    assert torch.equal(batch.path[0], data.pose_target[tick + 5 * torch.arange(1, KNOTS + 1)])
    assert batch.goal.isnan().all(), "no command, no goal"


def test_mistakes_are_left_out_and_so_is_what_runs_into_them(data: Recordings) -> None:
    spoilt = with_mistake(data, 1)  # the second command of the first episode
    flat = flat_recordings(spoilt, PATH_TICKS)
    assert flat.segments.episode.tolist() == [0, 0, 2]
    first, end = int(data.segments.first[1]), int(data.segments.end[1])
    assert int(flat.segments.done[0]) == int(flat.segments.end[0]) == first, "not done, for all that"
    ticks = data.frame_tick[low_level_samples(flat, held_out=False).frame]
    assert not ((ticks >= first - PATH_TICKS) & (ticks < end)).any()
    whole = data.frame_tick[low_level_samples(flat_recordings(data, PATH_TICKS), held_out=False).frame]
    kept = ((whole < first - PATH_TICKS) | (whole >= end)).sum()
    assert len(ticks) == int(kept), "and nothing else is"


def test_without_whole_tasks_there_is_nothing_to_learn_from(data: Recordings) -> None:
    with pytest.raises(DatasetError, match="no episode is of kind 'task'"):
        flat_recordings(replace(data, is_task=torch.zeros(4, dtype=torch.bool)), PATH_TICKS)


def test_it_learns_and_goes_on_where_it_was_stopped(toy_data: Path, toy_world: Any, tmp_path: Path) -> None:
    short = Plan(steps=100, batch=48)
    train_flat(toy_data, tmp_path / "flat", short, device="cpu", threads=1)
    begun = (tmp_path / "flat" / "low_level.safetensors").read_bytes()
    made = train_flat(toy_data, tmp_path / "flat", replace(short, steps=400), device="cpu", threads=1)
    summary = made["training"]["low_level"]
    assert summary["steps"] == 400 and made["data"]["task_episodes"] == 60
    losses = list(summary["loss_by_step"].values())
    assert losses[-1] < 0.5 * losses[0] and summary["held_out"]["path"] > 0
    assert (tmp_path / "flat" / "low_level.safetensors").read_bytes() != begun
    policy = FlatPolicy.load(tmp_path / "flat", device="cpu")
    world = toy_world.new(30_000)
    command = policy.start(policy.propose().texts[0], world.pose)
    output = policy.act(world.pictures(), world.pose, world.pose, command, 0.0)
    assert np.isfinite(output.pose_chunk).all() and not np.allclose(output.pose_chunk[-1], world.pose, atol=1e-3)


def test_it_can_begin_with_the_low_level_of_a_model(toy_data: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    low_level = LowLevelPolicy(LowLevelConfig({"overhead": (32, 32), "left_wrist": (16, 16)}, 2))
    base = tmp_path / "base"
    write_model(base, {"low_level": low_level.state_dict()}, {"low_level": low_level.config.to_json()})
    plan = Plan(steps=1, batch=16)
    train_flat(toy_data, tmp_path / "flat", plan, start_from=base, device="cpu", threads=1)
    begun = FlatPolicy.load(tmp_path / "flat", device="cpu").low_level.state_dict()
    # One step of the first hundred, at a hundredth of the rate, moves a weight by a hundredth of a thousandth.
    away = [float((weight - begun[name]).abs().max()) for name, weight in low_level.state_dict().items()]
    assert 0 < max(away) < 1e-4
    with pytest.raises(CheckpointError, match=r"state\.json: was made with another base"):
        train_flat(toy_data, tmp_path / "flat", plan, device="cpu", threads=1)
    with pytest.raises(CheckpointError, match=r"model\.json: there is no such file"):
        train_flat(toy_data, tmp_path / "other", plan, start_from=tmp_path / "nothing", device="cpu", threads=1)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(kind: str) -> Path:
        low_level = LowLevelPolicy(LowLevelConfig({"overhead": (24, 32)}, 2, hidden=32))
        parts, about = {"low_level": low_level.state_dict()}, {"low_level": low_level.config.to_json()}
        write_model(tmp_path / kind, parts, about, kind)
        return tmp_path / kind

    return written


def test_it_knows_one_command_and_refuses_all_others(write: Callable[[str], Path]) -> None:
    policy = FlatPolicy.load(write("flat"), device="cpu")
    proposal = policy.propose()
    assert proposal.texts == (TASK,) and proposal.history is None
    command = policy.start(TASK, POSE)
    assert np.allclose(command.code, flat_code(64).numpy()) and np.linalg.norm(command.code) == pytest.approx(1)
    picture = {"overhead": np.zeros((24, 32, 3), np.uint8)}
    assert policy.act(picture, POSE, POSE, command, 0.0).pose_chunk.shape == (40, 12)
    policy.remember(picture, POSE, 0)
    policy.forget()
    with pytest.raises(PolicyError, match="flat policy: 'go home' means nothing to it.*cannot be spoken to"):
        policy.start("go home", POSE)


def test_flat_and_hierarchy_are_not_taken_for_each_other(write: Callable[[str], Path]) -> None:
    with pytest.raises(CheckpointError, match="is of kind 'hierarchy', expected 'flat'"):
        FlatPolicy.load(write("hierarchy"), device="cpu")
    with pytest.raises(CheckpointError, match="is of kind 'flat', expected 'hierarchy'.*--policy flat"):
        HierarchicalPolicy.load(write("flat"), device="cpu")
