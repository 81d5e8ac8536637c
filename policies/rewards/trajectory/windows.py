"""Labelled recordings as one batch: windows of one length with their labels, and what each label weighs for whom.

Long recordings are cut, so that one of an hour costs no more than its labels; each window begins with what the network
looks back on. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from policies.rewards.trajectory.calibration import LEAST

MOMENTS = 200
"""Of one window, beside what it looks back on: 40 s."""
_MOST_WEIGHT = 10.0


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
class Windows:
    """N windows of L moments with up to S labels each. rows: `(N, L, inputs)`; first, end, head, value: `(N, S)`;
    share: `(N, S)` how much of a segment is in the window, 0 where there is no label; of: `(N,)` which example."""

    rows: Tensor
    first: Tensor
    end: Tensor
    head: Tensor
    value: Tensor
    share: Tensor
    of: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def pooling(self, chosen: Tensor) -> Tensor:
        """For some of them `(B, S, L)`: multiplied with numbers of moments it gives their mean in every segment."""
        moment = torch.arange(self.rows.shape[1])
        first, end = self.first[chosen, :, None], self.end[chosen, :, None]
        return ((moment >= first) & (moment < end)) / (end - first).clamp(min=1)


def windows_of(examples: Sequence[Example], reach: int) -> Windows:
    """Cut examples, of which one at least has a label. reach: how many moments are looked back on."""
    parts = [part for at, example in enumerate(examples) for part in _cut(at, example, reach)]
    longest = max(len(rows) for _, rows, _ in parts)
    rows = torch.stack([functional.pad(rows, (0, 0, 0, longest - len(rows))) for _, rows, _ in parts])
    most = max(len(labels) for _, _, labels in parts)
    table = torch.stack([functional.pad(labels, (0, 0, 0, most - len(labels))) for _, _, labels in parts])
    first, end, head, value, share = table.unbind(2)
    of = torch.tensor([at for at, _, _ in parts])
    return Windows(rows, first.long(), end.long(), head.long(), value, share, of)


def _cut(at: int, example: Example, reach: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Example, rows and labels `(S, 5)` of every window with a label: first, end, head, value, share."""
    length = len(example.rows)
    count = max(1, -(-length // MOMENTS))
    for part in range(count):
        start, stop = length * part // count, length * (part + 1) // count
        before = max(0, start - reach)
        first, end = example.first.clamp(min=start), example.end.clamp(max=stop)
        inside = first < end
        if inside.any():
            share = (end - first) / (example.end - example.first)
            columns = [first - before, end - before, example.head, example.value, share]
            yield at, example.rows[before:stop], torch.stack([column[inside].float() for column in columns], 1)


def label_weights(windows: Windows, train: Tensor, heads: int) -> Tensor:
    """What one label weighs for each member, `(M, N, S)`: no and yes the same in all, and every head the same; 0 for
    heads with too few answers of either kind. train: `(M, examples)`, 1 where a member learns from an example."""
    members = len(train)
    seen = train[:, windows.of]
    kind = windows.head * 2 + windows.value.long()
    one_hot = functional.one_hot(kind, heads * 2) * windows.share[..., None]
    counts = torch.einsum("mn,nsk->mk", seen, one_hot).view(members, heads, 2)
    enough = (counts > LEAST - 0.01).all(2, keepdim=True)  # shares of cut segments add up to nearly one
    of_head = counts.sum(2, keepdim=True)
    share = of_head / (2 * counts.clamp(min=1))
    per_head = counts.sum((1, 2))[:, None, None] / (heads * of_head.clamp(min=1))
    weights = share.clamp(max=_MOST_WEIGHT) * per_head.clamp(max=_MOST_WEIGHT) * enough
    return weights.view(members, -1)[:, kind] * windows.share * seen[:, :, None]
