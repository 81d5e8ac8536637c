"""The network: a row of moments -> a logit for every moment and head, from that moment and the six seconds before it.

Causal convolutions over time with growing steps (van den Oord et al. 2016, arXiv:1609.03499; as a plain sequence model
Bai et al. 2018, arXiv:1803.01271), so that the same network follows a running session. A segment's logit is the mean
of its moments'. Knows nothing of labels, calibration and files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_KERNEL = 3
_CLAMP = 5.0


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes. inputs: numbers of a moment; heads: questions; dilations: moments between the taps of each layer."""

    inputs: int
    heads: int
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
        return (_KERNEL - 1) * sum(self.dilations)


class TrajectoryNetwork(nn.Module):
    """See the module's docstring. `fit_scales` must be called once before training."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.enter = nn.Linear(config.inputs, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, _KERNEL, dilation=step) for step in config.dilations)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in config.dilations)
        self.answer = nn.Linear(width, config.heads)
        self.register_buffer("mean", torch.zeros(config.inputs))
        self.register_buffer("scale", torch.ones(config.inputs))

    def fit_scales(self, rows: Tensor) -> None:
        """Set the inputs' scales from `(n, inputs)` moments."""
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0, correction=0).clamp(min=1e-2))

    def forward(self, rows: Tensor) -> Tensor:
        """`(B, T, inputs)` -> logits `(B, T, heads)`."""
        x = ((rows - self.mean) / self.scale).clamp(-_CLAMP, _CLAMP)
        x = functional.relu(self.enter(self._dropped(x, self.config.drop_inputs)))
        for layer, norm, step in zip(self.layers, self.norms, self.config.dilations, strict=True):
            past = functional.pad(norm(x).transpose(1, 2), ((_KERNEL - 1) * step, 0))
            x = x + self._dropped(functional.relu(layer(past)).transpose(1, 2), self.config.drop)
        out: Tensor = self.answer(x)
        return out

    def _dropped(self, x: Tensor, share: float) -> Tensor:
        """Leave some of the numbers `(B, T, n)` out, of a whole recording at a time: a number that is there at the
        next moment would tell what it was."""
        return functional.dropout(torch.ones_like(x[:, :1]), share, self.training) * x


def pooled(logits: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """The mean over `[first, end)` of moments' logits `(T, heads)`, for S segments: `(S, heads)`."""
    total = torch.cat((logits.new_zeros(1, logits.shape[1]), logits.cumsum(0)))
    return (total[end] - total[first]) / (end - first).clamp(min=1)[:, None]
