"""The network: a row of moments -> a logit for every moment and head, from that moment and three seconds before it.

Causal convolutions over time with growing steps (van den Oord et al. 2016, arXiv:1609.03499; as a plain sequence model
Bai et al. 2018, arXiv:1803.01271), so that the same network follows a running session. A segment's logit is the mean
of its moments'. All members of an ensemble are one module, since one product of many matrices is done sooner than many
products. Knows nothing of labels, calibration and files.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_CLAMP = 5.0


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes. inputs: numbers of a moment; heads: questions; members: of the ensemble; dilations: how many moments
    before the present one the second tap of each layer is."""

    inputs: int
    heads: int
    members: int = 4
    width: int = 32
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    drop_inputs: float = 0.3
    drop: float = 0.2

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "dilations": list(self.dilations)}

    @staticmethod
    def from_json(raw: dict[str, Any]) -> NetworkConfig:
        return NetworkConfig(**{**raw, "dilations": tuple(raw["dilations"])})

    @property
    def reach(self) -> int:
        """How many moments before the present one are seen."""
        return sum(self.dilations)


class TrajectoryNetwork(nn.Module):
    """M members side by side; see the module's docstring. `fit_scales` must be called once before training."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        members, width = config.members, config.width
        self.enter = _Linear(members, config.inputs, width)
        self.layers = nn.ModuleList(_Layer(config, step) for step in config.dilations)
        self.answer = _Linear(members, width, config.heads)
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(config.inputs))

    def fit_scales(self, rows: Tensor) -> None:
        """Set the inputs' scales from `(n, inputs)` moments."""
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0, correction=0).clamp(min=1e-2))

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows `(..., inputs)` as `answers` takes them."""
        return ((rows - self.mean) / self.scale).clamp(-_CLAMP, _CLAMP)

    def forward(self, rows: Tensor) -> Tensor:
        """`(B, T, inputs)` -> logits `(M, B, T, heads)`."""
        return self.answers(self.scaled(rows))

    def answers(self, scaled: Tensor) -> Tensor:
        """The same of rows that are scaled. All members see the same."""
        batch, time, _ = scaled.shape
        members, width = self.config.members, self.config.width
        x = _dropped(scaled, self.config.drop_inputs, self.training).reshape(1, batch * time, -1)
        x = functional.relu(self.enter(x)).view(members, batch, time, width)
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.answer(x.view(members, batch * time, width))
        return out.view(members, batch, time, -1)


class _Linear(nn.Module):
    """Rows `(M, n, inputs)`, or one row for all members `(1, n, inputs)` -> `(M, n, outputs)`."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        members, inputs, outputs = self.weight.shape
        if len(x) == 1 < members:  # one product with all members' columns side by side
            both = x[0] @ self.weight.permute(1, 0, 2).reshape(inputs, members * outputs)
            return both.view(-1, members, outputs).transpose(0, 1) + self.bias
        return torch.baddbmm(self.bias, x, self.weight)


class _Layer(nn.Module):
    """A causal convolution with two taps, added to what comes in: `(M, B, T, width)`."""

    def __init__(self, config: NetworkConfig, step: int) -> None:
        super().__init__()
        self.step, self.share = step, config.drop
        bound = 1 / math.sqrt(2 * config.width)
        members, width = config.members, config.width
        self.taps = nn.Parameter(torch.empty(members, width, 2 * width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, 1, width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        members, batch, time, width = x.shape
        normed = functional.layer_norm(x, (width,))  # with no gain of its own, since the taps have one
        both = (normed.view(members, batch * time, width) @ self.taps).view(members, batch, time, 2 * width)
        now, before = both.split(width, 3)
        past = functional.pad(before[:, :, : max(0, time - self.step)], (0, 0, min(self.step, time), 0))
        return x + _dropped(functional.relu(now + past + self.bias), self.share, self.training)


def _dropped(x: Tensor, share: float, training: bool) -> Tensor:
    """Leave some of the numbers `(..., T, n)` out, of a whole recording at a time: a number that is there at the next
    moment would tell what it was."""
    return functional.dropout(torch.ones_like(x[..., :1, :]), share) * x if training else x


def pooled(logits: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """The mean over `[first, end)` of moments' logits `(..., T, heads)`, for S segments: `(..., S, heads)`."""
    total = functional.pad(logits.cumsum(-2), (0, 0, 1, 0))
    return (total[..., end, :] - total[..., first, :]) / (end - first).clamp(min=1)[:, None]
