"""What the high level learns from: whole-task episodes, as cached features of the frozen low level.

The label of a moment is the command that is active half a second later: with the command of the moment itself, the
policy clings to a command that is nearly done. Knows nothing of optimizers, files or budgets (see `loop.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.errors import DatasetError
from policies.hierarchy.dataset import Recordings
from policies.hierarchy.high_level import HISTORY_S, HighLevelPolicy, describe, high_level_loss
from policies.hierarchy.low_level import LowLevelPolicy

LOOK_AHEAD_S = 0.5
MOMENTS_PER_S = 5
_FEATURE_NOISE = 0.1  # in units of each feature's deviation
_SHORT_HISTORY_SHARE = 0.15
_DESCRIBE_AT_ONCE = 64


@dataclass(frozen=True)
class Moments:
    """N moments of task episodes: features `(N, D)` float16, episode `(N,)`, command half a second later `(N,)`
    (-1: none), first: position of the episode's first moment `(N,)`, held_out `(N,)` bool; per_s: moments a second."""

    features: Tensor
    episode: Tensor
    command: Tensor
    first: Tensor
    held_out: Tensor
    per_s: int = MOMENTS_PER_S

    def histories(self, at: Tensor, jitter: Tensor | None = None, longest: Tensor | None = None) -> Tensor:
        """Positions of the four moments of each history `(B, 4)`, newest first; too early ones are repeated.

        jitter: `(B, 4)` moments added to each; longest: `(B,)` how many moments back may be looked at.
        """
        back = (torch.tensor(HISTORY_S) * self.per_s).long().expand(len(at), -1)
        if jitter is not None:
            back = (back + jitter).clamp(min=0)
        if longest is not None:
            back = torch.minimum(back, longest[:, None])
        return torch.maximum(at[:, None] - back, self.first[at][:, None])


def active_commands(data: Recordings, tick: Tensor, episode: Tensor) -> Tensor:
    """The command whose segment holds each tick `(N,)` of the given episode; -1 where none does."""
    segments = data.segments
    order = torch.argsort(segments.first)
    at = torch.searchsorted(segments.first[order], tick, right=True) - 1
    chosen = order[at.clamp(min=0)]
    inside = (at >= 0) & (tick < segments.end[chosen]) & (segments.episode[chosen] == episode)
    return torch.where(inside, segments.command[chosen], torch.full_like(tick, -1))


def collect_moments(
    data: Recordings,
    low_level: LowLevelPolicy,
    probes: Tensor,
    device: torch.device,
    report: Callable[[int, int], None] | None = None,
    per_s: int = MOMENTS_PER_S,
) -> Moments:
    """Describe `per_s` moments a second of every task episode once. DatasetError when there is no such episode."""
    every = max(1, round(data.meta.rate_hz / data.meta.frame_every / per_s))
    starts = torch.searchsorted(data.frame_episode, data.frame_episode)
    place = torch.arange(data.frames) - starts
    chosen = (data.is_task[data.frame_episode] & (place % every == 0)).nonzero().squeeze(1)
    if not len(chosen):
        raise DatasetError("no episode is of kind 'task'; the high level needs whole tasks.", field="shards")
    rows = []
    for part in chosen.split(_DESCRIBE_AT_ONCE):
        tick = data.frame_tick[part]
        images = {name: store.index_select(0, part).to(device) for name, store in data.images.items()}
        with torch.no_grad():
            sight = low_level.look(images)
        rows.append(describe(low_level, sight, data.pose[tick].to(device), probes.to(device)).half().cpu())
        if report is not None:
            report(sum(map(len, rows)), len(chosen))
    episode = data.frame_episode[chosen]
    ahead = data.frame_tick[chosen] + round(LOOK_AHEAD_S * data.meta.rate_hz)
    return Moments(
        features=torch.cat(rows),
        episode=episode,
        command=active_commands(data, ahead, episode),
        first=torch.searchsorted(episode, episode),
        held_out=data.held_out[episode],
        per_s=per_s,
    )


class HighLevelObjective:
    """`loop.Objective` of the high level. bank: unit codes `(C, 64)` of all commands, in the order of meta.json."""

    def __init__(
        self, model: HighLevelPolicy, moments: Moments, bank: Tensor, device: torch.device, seed: int
    ) -> None:
        self._model, self._moments, self._device = model, moments, device
        self._bank = bank.to(device)
        self._generator = torch.Generator().manual_seed(seed)
        known = moments.command >= 0
        self._train = (known & ~moments.held_out).nonzero().squeeze(1)
        self._check = (known & moments.held_out).nonzero().squeeze(1)
        if not len(self._train):
            raise DatasetError("no moment of a task episode lies in a segment.", field="shards")

    def fit_scales(self) -> None:
        rows = torch.randperm(len(self._train), generator=self._generator)[:8192]
        self._model.fit_scales(self._moments.features[self._train[rows]].float())

    def draw(self, size: int) -> tuple[Tensor, Tensor]:
        at = self._train[torch.randint(len(self._train), (size,), generator=self._generator)]
        jitter = torch.randint(-1, 2, (size, len(HISTORY_S)), generator=self._generator)
        jitter[:, 0] = 0
        short = torch.rand(size, generator=self._generator) < _SHORT_HISTORY_SHARE
        length = torch.randint(0, MOMENTS_PER_S * 3, (size,), generator=self._generator)
        rows = self._moments.histories(at, jitter, torch.where(short, length, 10**6))
        history = self._moments.features[rows].float()
        noise = torch.randn(history.shape, generator=self._generator) * self._model.scale.cpu() * _FEATURE_NOISE
        return history + noise, self._moments.command[at]

    def slices(self, batch: tuple[Tensor, Tensor], count: int) -> Sequence[tuple[Tensor, Tensor]]:
        return list(zip(batch[0].chunk(count), batch[1].chunk(count), strict=True))

    def loss(self, part: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        history, command = (tensor.to(self._device) for tensor in part)
        return high_level_loss(self._model, history, command, self._bank).mean(), {}

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Accuracy of the nearest command on held-out episodes; empty when nothing was held out."""
        if not len(self._check):
            return {}
        self._model.eval()
        right = 0
        for at in self._check.split(512):
            history = self._moments.features[self._moments.histories(at)].float().to(self._device)
            logits = self._model.logits(self._model(history), self._bank)
            right += int((logits.argmax(1).cpu() == self._moments.command[at]).sum())
        return {"held_out_accuracy": round(right / len(self._check), 4), "held_out_moments": len(self._check)}
