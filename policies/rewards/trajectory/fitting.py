"""Training: labelled recordings -> networks that each left a part of the recordings out, and what they say of it.

Every member of the ensemble is trained without one fold of the recordings. What it says of that fold calibrates the
heads, so that nothing is held out for good. All members see the same windows in the same steps, each with the labels
that it learns from. Nobody's answer is no loss; both answers of a head weigh the same, however rare one is. The same
data give the same weights, in whatever order they come. Knows nothing of files and features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from policies.rewards.trajectory.calibration import Calibration, calibrated
from policies.rewards.trajectory.network import NetworkConfig, TrajectoryNetwork, pooled
from policies.rewards.trajectory.windows import Example, Windows, label_weights, windows_of

_MOMENT_WEIGHT = 0.5
"""Of the loss of single moments, beside that of whole segments: it is what makes the curve over time follow."""


@dataclass(frozen=True)
class Settings:
    """How long and how: steps of `batch` windows each; members of the ensemble."""

    steps: int = 80
    batch: int = 4
    rate: float = 5e-3
    decay: float = 0.1
    members: int = 4
    width: int = 32


@dataclass(frozen=True)
class Fitted:
    """network: the ensemble; calibrations: one a head; unseen: for every label in order of examples, the logit of the
    member that had not seen its recording (NaN where there was none)."""

    network: TrajectoryNetwork
    calibrations: tuple[Calibration, ...]
    unseen: NDArray[np.float64]


def _shuffled(key: str) -> bytes:
    """An order of recordings that has nothing to do with when they were made."""
    return hashlib.sha256(f"fold {key}".encode()).digest()


def fit(examples: Sequence[Example], heads: int, settings: Settings, seed: int = 0) -> Fitted:
    """Train on examples, of which one at least has a label; their order makes no difference."""
    ordered = sorted(examples, key=lambda example: example.key)
    ranks = {key: rank for rank, key in enumerate(sorted((e.key for e in ordered), key=_shuffled))}
    folds = torch.tensor([ranks[example.key] % settings.members for example in ordered])
    train = torch.ones(settings.members, len(ordered))
    if len(ordered) > 1:
        train[folds, torch.arange(len(ordered))] = 0.0
    network = _train(ordered, train, heads, settings, seed)
    logits = {
        example.key: _unseen(network, example, int(fold)) if len(ordered) > 1 else np.full(len(example.value), np.nan)
        for example, fold in zip(ordered, folds, strict=True)
    }
    unseen = np.concatenate([logits[example.key] for example in examples])
    values = torch.cat([example.value for example in examples]).numpy().astype(np.float64)
    head = torch.cat([example.head for example in examples]).numpy()
    of = np.concatenate([np.full(len(e.value), ranks[e.key] % settings.members) for e in examples])
    mine = [head == at for at in range(heads)]
    calibrations = tuple(calibrated(unseen[rows], values[rows], of[rows]) for rows in mine)
    return Fitted(network, calibrations, unseen)


@torch.inference_mode()
def _unseen(network: TrajectoryNetwork, example: Example, member: int) -> NDArray[np.float64]:
    """Of every label its own head's logit, by one member: `(S,)`."""
    found = pooled(network(example.rows[None])[member, 0], example.first, example.end)
    logits: NDArray[np.float64] = found.gather(1, example.head[:, None])[:, 0].double().numpy()
    return logits


def _train(examples: Sequence[Example], train: Tensor, heads: int, settings: Settings, seed: int) -> TrajectoryNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = examples[0].rows.shape[1]
        network = TrajectoryNetwork(NetworkConfig(inputs, heads, settings.members, settings.width))
        network.fit_scales(torch.cat([example.rows for example in examples]))
        windows = windows_of(examples, network.config.reach)
        scaled, weights = network.scaled(windows.rows), label_weights(windows, train, heads)
        optimizer = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay, foreach=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=0.2)
        batch = min(settings.batch, len(windows))
        queue: list[int] = []
        network.train()
        for _ in range(settings.steps):
            if len(queue) < batch:
                queue += torch.randperm(len(windows)).tolist()
            chosen, queue = torch.tensor(queue[:batch]), queue[batch:]
            loss = _loss(network.answers(scaled[chosen]), windows, chosen, weights[:, chosen])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.members**0.5)
            optimizer.step()
            schedule.step()
    return network.eval()


def _loss(logits: Tensor, windows: Windows, chosen: Tensor, weights: Tensor) -> Tensor:
    """Of segments and of the moments in them, all members together. logits: `(M, B, L, heads)`; weights:
    `(M, B, S)`."""
    heads = logits.shape[3]
    # The loss of a moment for a yes; that for a no is more by the logit, whose mean is there anyway.
    means = windows.pooling(chosen) @ torch.cat((logits, functional.softplus(-logits)), 3)
    head = windows.head[chosen][None, :, :, None].expand(len(logits), -1, -1, 1)
    mean, yes = means.gather(3, head)[..., 0], means.gather(3, head + heads)[..., 0]
    value = windows.value[chosen].expand_as(mean)
    of_segments = functional.binary_cross_entropy_with_logits(mean, value, reduction="none")
    of_moments = yes + (1 - value) * mean
    losses = (weights * (of_segments + _MOMENT_WEIGHT * of_moments)).sum((1, 2))
    return (losses / weights.sum((1, 2)).clamp(min=1.0)).sum()
