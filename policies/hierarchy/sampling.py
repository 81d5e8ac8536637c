"""Which (frame, segment) pairs the low level learns from, how often, and the numbers of one batch.

A sample is a frame inside a segment that was executed well, with no sudden disturbance ahead. Families of commands are
drawn in fixed shares, because a packing episode is mostly picks while a person's corrections are mostly small
motions. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.errors import DatasetError
from policies.hierarchy.dataset import ABSENT, EXECUTED_WELL, HAS_MISTAKE, HELD, Recordings

FAMILY_SHARES = {
    "pick": 0.27,
    "motion": 0.22,
    "handover": 0.13,
    "place": 0.11,
    "gripper": 0.11,
    "home": 0.06,
    "reach": 0.08,
    "still": 0.02,
}
# Commands whose goal lies in the scene, not in how far the arm has gone or for how long.
GOAL_FAMILIES = frozenset({"pick", "place", "handover", "home", "reach", "task"})
DONE_LEAD_TICKS = 2
DECISION_TICKS = 3
DECISION_WEIGHT = 6.0
"""Before a command moves anything, only the pictures tell which arm goes where; a moment later the arms themselves do.
Such frames are one in thirty: without the weight the policy learned to follow its own hands, and stayed at home."""
_CARRYING_FAMILIES = frozenset({"place", "handover"})
_FORGOTTEN_S = 4.0


@dataclass(frozen=True)
class Samples:
    """N pairs of a frame and a segment it lies in, with the weight each is drawn with; all `(N,)`."""

    frame: Tensor
    segment: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Batch:
    """B samples.

    images: camera -> uint8 `(B, h, w, 3)`; command: `(B,)`; pose, pose_target, start: `(B, 12)`; elapsed: `(B,)` s;
    path: `(B, K, 12)` absolute targets at the knots; done: `(B,)` 0 or 1; where: `(B, kinds)`; xy: `(B, kinds, 2)`;
    pixels: camera -> `(B, kinds, 2)`; goal: `(B, 3)` m and goal_pixels: camera -> `(B, 1, 2)`, where the object is
    that the command is about, NaN where it is about none.
    """

    images: dict[str, Tensor]
    command: Tensor
    pose: Tensor
    pose_target: Tensor
    start: Tensor
    elapsed: Tensor
    path: Tensor
    done: Tensor
    where: Tensor
    xy: Tensor
    pixels: dict[str, Tensor]
    goal: Tensor
    goal_pixels: dict[str, Tensor]


def pairs_in_segments(data: Recordings, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs (frame, segment) with the frame's tick inside [first, end) of a segment of `wanted` `(S,)` bool."""
    segments = data.segments
    chosen = wanted.nonzero().squeeze(1)
    low = torch.searchsorted(data.frame_tick, segments.first[chosen])
    high = torch.searchsorted(data.frame_tick, segments.end[chosen])
    count = (high - low).clamp(min=0)
    segment = chosen.repeat_interleave(count)
    begin = torch.cumsum(count, 0) - count
    frame = torch.arange(int(count.sum())) - begin.repeat_interleave(count) + low.repeat_interleave(count)
    return frame, segment


def low_level_samples(data: Recordings, held_out: bool) -> Samples:
    """Samples of well executed segments of the training (or held-out) episodes, weighted by family.

    Raises DatasetError when there is none: then no episode has a segment with the flag "executed well".
    """
    segments = data.segments
    good = ((segments.flags & EXECUTED_WELL) > 0) & ((segments.flags & HAS_MISTAKE) == 0)
    frame, segment = pairs_in_segments(data, good & (data.held_out[segments.episode] == held_out))
    clean = data.clean[frame]
    frame, segment = frame[clean], segment[clean]
    if not len(frame) and not held_out:
        raise DatasetError("no segment is marked as executed well.", field="segments")
    weight = _weights(data, segment)
    return Samples(frame, segment, _favour(weight, _decision_weights(data, frame, segment), data, segment))


def _weights(data: Recordings, segment: Tensor) -> Tensor:
    """Family shares, then the square root of the count among a family's commands: rare ones often, never alone."""
    command = data.segments.command[segment]
    counts = torch.bincount(command, minlength=len(data.meta.commands)).double()
    share = torch.zeros(len(counts), dtype=torch.double)
    families = [words.family for words in data.meta.commands]
    for family in set(families):
        members = torch.tensor([name == family for name in families]) & (counts > 0)
        if members.any():
            roots = counts[members].sqrt()
            share[members] = FAMILY_SHARES.get(family, 0.05) * roots / roots.sum()
    return (share / counts.clamp(min=1))[command]


def _decision_weights(data: Recordings, frame: Tensor, segment: Tensor) -> Tensor:
    """More for the frames in which a goal in the scene is first looked for."""
    early = data.frame_tick[frame] - data.segments.first[segment] < DECISION_TICKS
    goal = torch.tensor([words.family in GOAL_FAMILIES for words in data.meta.commands])
    return torch.where(early & goal[data.segments.command[segment]], DECISION_WEIGHT, 1.0).double()


def _favour(weight: Tensor, factor: Tensor, data: Recordings, segment: Tensor) -> Tensor:
    """`weight * factor`, with each command's total kept as it was."""
    command = data.segments.command[segment]
    size = len(data.meta.commands)
    before = torch.zeros(size, dtype=torch.double).index_add(0, command, weight)
    after = torch.zeros(size, dtype=torch.double).index_add(0, command, weight * factor)
    return weight * factor * (before / after.clamp(min=1e-12))[command]


def _named_kind(text: str, kinds: Sequence[str]) -> int:
    return next((number for number, kind in enumerate(kinds) if kind in text), -1)


class Batches:
    """Draws batches; a seeded generator makes a run repeatable."""

    def __init__(
        self, data: Recordings, samples: Samples, knots: int, generator: torch.Generator, augment: bool
    ) -> None:
        self.data = data
        self.samples = samples
        self.knots = knots
        self.generator = generator
        self.augment = augment
        self._cumulative = samples.weight.cumsum(0)
        goal = [words.family in GOAL_FAMILIES for words in data.meta.commands]
        self.has_goal = torch.tensor(goal)
        """Per command, whether its goal lies in the scene; `(C,)` bool."""
        self._carries = torch.tensor([words.family in _CARRYING_FAMILIES for words in data.meta.commands])
        self._named = torch.tensor([_named_kind(words.text, data.meta.kinds) for words in data.meta.commands])

    def draw(self, size: int) -> Batch:
        """`size` samples drawn by weight, with replacement."""
        at = torch.rand(size, generator=self.generator, dtype=torch.double) * self._cumulative[-1]
        return self.take(torch.searchsorted(self._cumulative, at).clamp(max=len(self._cumulative) - 1))

    def take(self, chosen: Tensor) -> Batch:
        """The samples with the given positions `(B,)`."""
        data, segments = self.data, self.data.segments
        frame, segment = self.samples.frame[chosen], self.samples.segment[chosen]
        tick, end = data.frame_tick[frame], segments.end[segment]
        command = segments.command[segment]
        start, elapsed = self._beginning(segments.first[segment], tick, command)
        steps = data.meta.frame_every * torch.arange(1, self.knots + 1)
        path_ticks = torch.minimum(tick[:, None] + steps, end[:, None] - 1).clamp(min=0)
        kind = self._goal_kind(command, frame)
        rows, none = kind.clamp(min=0), kind < 0
        told = segments.goal[segment]
        return Batch(
            images={name: store.index_select(0, frame) for name, store in data.images.items()},
            command=command,
            pose=data.pose[tick],
            pose_target=data.pose_target[tick],
            start=start,
            elapsed=elapsed,
            path=data.pose_target[path_ticks],
            done=(tick >= segments.done[segment] - DONE_LEAD_TICKS).float(),
            where=data.where[frame],
            xy=data.xyz[frame, :, :2],
            pixels={name: store[frame] for name, store in data.pixels.items()},
            goal=torch.where(told.isfinite(), told, data.xyz[frame, rows].masked_fill(none[:, None], torch.nan)),
            goal_pixels={
                name: store[frame, rows].masked_fill(none[:, None], torch.nan)[:, None]
                for name, store in data.pixels.items()
            },
        )

    def _goal_kind(self, command: Tensor, frame: Tensor) -> Tensor:
        """The kind that a command names, or that it carries; -1 where it is about none. `(B,)`."""
        where = self.data.where[frame]
        held = (where == HELD[0]) | (where == HELD[1])
        carried = torch.where(held.any(1), held.float().argmax(1), -1)
        named = self._named[command]
        present = where.gather(1, named.clamp(min=0)[:, None])[:, 0] > ABSENT  # and known to be
        named = torch.where(present, named, -1)
        return torch.where(self._carries[command], carried, named)

    def _beginning(self, first: Tensor, tick: Tensor, command: Tensor) -> tuple[Tensor, Tensor]:
        """Where `(B, 12)` and how long ago `(B,)` each command began; for goals in the scene made up.

        An expert's pace tells when it will arrive, and a policy that leans on that closes its hand too early when it
        is late itself, or when a person's command finds it anywhere. So goals must be read from the pictures.
        """
        start, elapsed = self.data.pose_target[first], (tick - first) / self.data.meta.rate_hz
        if not self.augment:
            return start, elapsed
        forget = self.has_goal[command]
        others = torch.randperm(len(first), generator=self.generator)
        made_up = torch.rand(len(first), generator=self.generator) * _FORGOTTEN_S
        return torch.where(forget[:, None], start[others], start), torch.where(forget, made_up, elapsed)
