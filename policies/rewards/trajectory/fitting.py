"""Training: labelled recordings -> networks that each left a part of the recordings out, and what they say of it.

Every member of the ensemble is trained without one fold of the recordings. What it says of that fold calibrates the
heads (a slope and an offset on the logit, Platt 1999), so that nothing is held out for good. Nobody's answer is no
loss; both answers of a head weigh the same, however rare one is. The same data give the same weights, in whatever
order they come. Knows nothing of files and features.
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

from policies.rewards.trajectory.network import NetworkConfig, TrajectoryNetwork, pooled

LEAST = 2
"""So many answers of each kind a head must have to learn from."""
_MOST_WEIGHT = 10.0
_MOMENT_WEIGHT = 0.5
"""Of the loss of single moments, beside that of whole segments: it is what makes the curve over time follow."""


@dataclass(frozen=True)
class Settings:
    """How long and how: steps of `batch` recordings each; members of the ensemble."""

    steps: int = 100
    batch: int = 8
    rate: float = 3e-3
    decay: float = 0.1
    members: int = 4
    width: int = 32


@dataclass(frozen=True)
class Example:
    """One labelled recording.

    rows: `(T, inputs)`; first, end: `(S,)` moments of its segments; head: `(S,)`; value: `(S,)` 0 or 1.
    """

    key: str
    rows: Tensor
    first: Tensor
    end: Tensor
    head: Tensor
    value: Tensor


@dataclass(frozen=True)
class Calibration:
    """Of one head: the chance is the sigmoid of `slope * logit + offset`; known: false where it has nothing to learn
    from. positives, negatives: answers that it learned from."""

    slope: float = 1.0
    offset: float = 0.0
    known: bool = False
    positives: int = 0
    negatives: int = 0


@dataclass(frozen=True)
class Fitted:
    """members: the ensemble; calibrations: one a head; unseen: for every label in order of examples, the logit of the
    member that had not seen its recording (NaN where there was none)."""

    members: tuple[TrajectoryNetwork, ...]
    calibrations: tuple[Calibration, ...]
    unseen: NDArray[np.float64]


def _shuffled(key: str) -> bytes:
    """An order of recordings that has nothing to do with when they were made."""
    return hashlib.sha256(f"fold {key}".encode()).digest()


def fit(examples: Sequence[Example], heads: int, settings: Settings, seed: int = 0) -> Fitted:
    """Train on examples, of which there is at least one; their order makes no difference."""
    order = sorted(range(len(examples)), key=lambda at: examples[at].key)
    ordered = [examples[at] for at in order]
    ranks = {key: rank for rank, key in enumerate(sorted((e.key for e in ordered), key=_shuffled))}
    members, logits = [], {example.key: np.full(len(example.value), np.nan) for example in ordered}
    for member in range(settings.members):
        held = [e for e in ordered if len(ordered) > 1 and ranks[e.key] % settings.members == member]
        train = [e for e in ordered if e not in held] if held else ordered
        network = _train(train, heads, settings, seed * 1000 + member)
        members.append(network)
        for example in held:
            logits[example.key] = segment_logits(network, example).numpy()
    calibrations = tuple(_calibrated(ordered, logits, head) for head in range(heads))
    return Fitted(tuple(members), calibrations, np.concatenate([logits[e.key] for e in examples]))


@torch.inference_mode()
def segment_logits(network: TrajectoryNetwork, example: Example) -> Tensor:
    """Of every label its own head's: `(S,)`."""
    found = pooled(network(example.rows[None])[0], example.first, example.end)
    return found.gather(1, example.head[:, None])[:, 0]


def _train(examples: Sequence[Example], heads: int, settings: Settings, seed: int) -> TrajectoryNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = NetworkConfig(inputs=examples[0].rows.shape[1], heads=heads, width=settings.width)
        network = TrajectoryNetwork(config)
        network.fit_scales(torch.cat([example.rows for example in examples]))
        optimizer = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=0.2)
        weights = _weights(examples, heads)
        queue: list[int] = []
        network.train()
        for _ in range(settings.steps):
            if len(queue) < min(settings.batch, len(examples)):
                queue += torch.randperm(len(examples)).tolist()
            batch = [examples[queue.pop(0)] for _ in range(min(settings.batch, len(examples)))]
            loss = _loss(network, batch, weights)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def _weights(examples: Sequence[Example], heads: int) -> Tensor:
    """What one answer weighs, `(heads, 2)`: no and yes the same in all, and every head the same; 0 for heads with too
    few answers of either kind."""
    head = torch.cat([example.head for example in examples])
    value = torch.cat([example.value for example in examples]).long()
    counts = torch.zeros(heads, 2).index_put_((head, value), torch.ones(len(head)), accumulate=True)
    enough = (counts >= LEAST).all(1, keepdim=True)
    share = counts.sum(1, keepdim=True) / (2 * counts.clamp(min=1))
    per_head = len(head) / (heads * counts.sum(1, keepdim=True).clamp(min=1))
    return share.clamp(max=_MOST_WEIGHT) * per_head.clamp(max=_MOST_WEIGHT) * enough


def _loss(network: TrajectoryNetwork, batch: Sequence[Example], weights: Tensor) -> Tensor:
    """Of segments and of the moments in them; both are weighted by segment."""
    rows = torch.nn.utils.rnn.pad_sequence([example.rows for example in batch], batch_first=True)
    logits = network(rows)
    losses, total = [], torch.zeros(())
    for found, example in zip(logits, batch, strict=True):
        weight = weights[example.head, example.value.long()]
        mean = pooled(found, example.first, example.end).gather(1, example.head[:, None])[:, 0]
        of_segments = functional.binary_cross_entropy_with_logits(mean, example.value, reduction="none")
        # The loss of a moment for both answers, so that overlapping segments can be gathered alike.
        yes, no = functional.softplus(-found), functional.softplus(found)
        both = torch.stack((pooled(no, example.first, example.end), pooled(yes, example.first, example.end)), 2)
        of_moments = both[torch.arange(len(example.head)), example.head, example.value.long()]
        losses.append((weight * (of_segments + _MOMENT_WEIGHT * of_moments)).sum())
        total = total + weight.sum()
    return torch.stack(losses).sum() / total.clamp(min=1.0)


def _calibrated(examples: Sequence[Example], logits: dict[str, NDArray[np.float64]], head: int) -> Calibration:
    """Slope and offset of a head by what members say of recordings that they have not seen."""
    mine = [example.head.numpy() == head for example in examples]
    values = np.concatenate([e.value.numpy()[m] for e, m in zip(examples, mine, strict=True)]).astype(np.float64)
    found = np.concatenate([logits[e.key][m] for e, m in zip(examples, mine, strict=True)])
    positives, negatives = int(values.sum()), int((1 - values).sum())
    if min(positives, negatives) < LEAST:
        return Calibration(positives=positives, negatives=negatives)
    known = np.isfinite(found)
    slope, offset = platt(found[known], values[known])
    return Calibration(slope, offset, True, positives, negatives)


def platt(logits: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """Slope (never below 0.05) and offset with the highest likelihood, targets softened as Platt has it; (1, 0) where
    there is only one kind of answer."""
    positives = float(values.sum())
    if not 0 < positives < len(values):
        return 1.0, 0.0
    targets = np.where(values > 0.5, (positives + 1) / (positives + 2), 1 / (len(values) - positives + 2))
    weights = np.array([1.0, 0.0])
    inputs = np.stack((logits, np.ones_like(logits)), 1)
    for _ in range(50):
        chances = 0.5 * (1 + np.tanh(0.5 * (inputs @ weights)))
        gradient = inputs.T @ (chances - targets) + 1e-3 * weights
        curvature = (inputs.T * np.maximum(chances * (1 - chances), 1e-6)) @ inputs + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-8:
            break
    return max(0.05, float(weights[0])), float(weights[1])
