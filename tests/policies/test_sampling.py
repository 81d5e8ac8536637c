"""Which samples are drawn and what a batch says about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from policies.errors import DatasetError
from policies.hierarchy.dataset import ABSENT, HELD, UNKNOWN, Recordings, load_recordings
from policies.hierarchy.sampling import FAMILY_SHARES, GOAL_FAMILIES, Batches, low_level_samples


@pytest.fixture(scope="module")
def data(toy_data: Path) -> Recordings:
    return load_recordings(toy_data)


def batches(data: Recordings, augment: bool = False) -> Batches:
    return Batches(data, low_level_samples(data, held_out=False), 8, torch.Generator().manual_seed(0), augment)


def with_flags(data: Recordings, flags: torch.Tensor) -> Recordings:
    return replace(data, segments=replace(data.segments, flags=flags))


def test_every_sample_lies_in_its_segment(data: Recordings) -> None:
    samples = low_level_samples(data, held_out=False)
    tick, segments = data.frame_tick[samples.frame], data.segments
    assert (tick >= segments.first[samples.segment]).all() and (tick < segments.end[samples.segment]).all()
    assert not data.held_out[segments.episode[samples.segment]].any()
    expected = sum(
        int(((data.frame_tick >= first) & (data.frame_tick < end)).sum())
        for first, end, episode in zip(segments.first, segments.end, segments.episode, strict=True)
        if not data.held_out[episode]
    )
    assert len(samples.frame) == expected


def test_only_segments_that_went_well(data: Recordings) -> None:
    flags = torch.arange(len(data.segments.flags)) % 4  # 0 failed, 1 well, 2 mistake, 3 well but with a mistake
    samples = low_level_samples(with_flags(data, flags), held_out=False)
    assert set(flags[samples.segment].tolist()) == {1}


def test_disturbed_frames_are_left_out(data: Recordings) -> None:
    clean = torch.rand(data.frames) < 0.5
    samples = low_level_samples(replace(data, clean=clean), held_out=False)
    assert len(samples.frame) and clean[samples.frame].all()


def test_nothing_executed_well_is_an_error(data: Recordings) -> None:
    with pytest.raises(DatasetError, match="executed well"):
        low_level_samples(with_flags(data, torch.zeros_like(data.segments.flags)), held_out=False)


def test_families_are_drawn_in_their_shares(data: Recordings) -> None:
    command = batches(data).draw(8000).command
    families = [data.meta.commands[c].family for c in command.tolist()]
    total = sum(FAMILY_SHARES[family] for family in set(families))
    for family, count in Counter(families).items():
        assert count / 8000 == pytest.approx(FAMILY_SHARES[family] / total, abs=0.02)


def test_path_follows_the_targets_and_stops_at_the_segments_end(data: Recordings) -> None:
    source = batches(data)
    chosen = torch.arange(0, len(source.samples.frame), 7)
    batch = source.take(chosen)
    for row, at in enumerate(chosen.tolist()):
        tick = int(data.frame_tick[source.samples.frame[at]])
        end = int(data.segments.end[source.samples.segment[at]])
        wanted = [data.pose_target[min(tick + 5 * k, end - 1)] for k in range(1, 9)]
        assert torch.equal(batch.path[row], torch.stack(wanted))


def test_done_begins_two_ticks_early(data: Recordings) -> None:
    source = batches(data)
    batch = source.take(torch.arange(len(source.samples.frame)))
    tick = data.frame_tick[source.samples.frame]
    assert torch.equal(batch.done, (tick >= data.segments.done[source.samples.segment] - 2).float())
    assert 0 < batch.done.mean() < 0.6


def test_only_goals_forget_where_they_began(data: Recordings) -> None:
    plain, forgetful = batches(data), batches(data, augment=True)
    everything = torch.arange(len(plain.samples.frame))
    kept, changed = plain.take(everything), forgetful.take(everything)
    goal = torch.tensor([data.meta.commands[c].family in GOAL_FAMILIES for c in kept.command.tolist()])
    assert torch.equal(kept.elapsed[~goal], changed.elapsed[~goal])
    assert torch.equal(kept.start[~goal], changed.start[~goal])
    other = changed.elapsed[goal] != kept.elapsed[goal]
    assert other.float().mean() > 0.97
    moved = (changed.start[goal] != kept.start[goal]).any(1)
    assert moved.float().mean() > 0.97
    assert torch.equal(kept.path, changed.path) and torch.equal(kept.done, changed.done)


def test_the_goal_is_the_object_that_is_named(data: Recordings) -> None:
    source = batches(data)
    batch = source.take(torch.arange(len(source.samples.frame)))
    for command, kind in ((0, 0), (1, 1)):
        rows = batch.command == command
        assert torch.equal(batch.goal[rows, :2], batch.xy[rows, kind])
        assert torch.equal(batch.goal_pixels["overhead"][rows, 0], batch.pixels["overhead"][rows, kind])
    assert batch.goal[batch.command >= 2].isnan().all()


def test_the_goal_of_carrying_is_what_is_held(data: Recordings) -> None:
    where = data.where.clone()
    where[:, 1] = HELD[0]
    source = batches(replace(data, where=where))
    batch = source.take(torch.arange(len(source.samples.frame)))
    places = batch.command == 2
    assert places.any() and torch.equal(batch.goal[places, :2], batch.xy[places, 1])
    assert batch.goal[batch.command == 3].isnan().all()


@pytest.mark.parametrize("where", [ABSENT, UNKNOWN], ids=["not there", "nobody knows"])
def test_a_named_object_that_is_not_there_is_no_goal(data: Recordings, where: int) -> None:
    source = batches(replace(data, where=torch.full_like(data.where, where)))
    batch = source.take(torch.arange(len(source.samples.frame)))
    assert batch.goal.isnan().all() and batch.goal_pixels["left_wrist"].isnan().all()


def test_the_same_seed_draws_the_same(data: Recordings) -> None:
    assert torch.equal(batches(data).draw(32).pose, batches(data).draw(32).pose)
