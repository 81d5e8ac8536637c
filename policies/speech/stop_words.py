"""The network that hears stop words in a second of sound, and how it is trained. `hitl/speech/spotter.py` runs it.

Small convolutions over time on normalised log-mel frames, mean and maximum over time, one linear layer: the shape that
works for keyword spotting on small machines (Sainath and Parada 2015, "Convolutional neural networks for
small-footprint keyword spotting"). Sound and labels are drawn from a source that is given.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from policies.hierarchy.loop import Phase, Progress, run_phase

Windows = Callable[[int], tuple[NDArray[np.float32], NDArray[np.int64]]]

CHANNELS = (64, 96, 128, 128)
DROPOUT = 0.3
WIDTHS = (5, 3, 3, 3)


class StopWordNetwork(nn.Module):
    """Frames `(b, t, bands)` -> logits `(b, 1 + words)`, the first for none."""

    def __init__(self, bands: int, words: int) -> None:
        super().__init__()
        sizes = (bands, *CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, width, stride=2)
            for before, after, width in zip(sizes, sizes[1:], WIDTHS, strict=False)
        )
        self.out = nn.Linear(2 * CHANNELS[-1], 1 + words)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        x = frames.transpose(1, 2)
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return self.out(F.dropout(torch.cat((x.mean(-1), x.amax(-1)), -1), DROPOUT, self.training))


class StopWordObjective:
    """Cross-entropy; what is no stop word weighs `none_weight` times as much, since it is nearly all that is heard."""

    def __init__(self, model: StopWordNetwork, source: Windows, device: torch.device, none_weight: float) -> None:
        self._model, self._source, self._device = model, source, device
        self._weights = torch.ones(model.out.out_features, device=device)
        self._weights[0] = none_weight

    def draw(self, size: int) -> tuple[Tensor, Tensor]:
        """Frames and labels."""
        frames, labels = self._source(size)
        return torch.from_numpy(frames).to(self._device), torch.from_numpy(labels).to(self._device)

    def slices(self, batch: tuple[Tensor, Tensor], count: int) -> list[tuple[Tensor, ...]]:
        """The batch in `count` parts."""
        return [tuple(parts) for parts in zip(*(tensor.chunk(count) for tensor in batch), strict=True)]

    def loss(self, part: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss, the share of words that are found, and of others taken for words."""
        frames, labels = part
        logits = self._model(frames)
        loss = F.cross_entropy(logits, labels, self._weights, label_smoothing=0.02)
        with torch.no_grad():
            found = logits.argmax(-1)
            word = labels > 0
            right = (found == labels)[word].float().mean() if word.any() else loss.new_ones(())
            false = (found > 0)[~word].float().mean() if (~word).any() else loss.new_zeros(())
        return loss, {"found": right, "false": false}


def train_stop_words(
    model: StopWordNetwork,
    source: Windows,
    folder: Path,
    *,
    steps: int,
    minutes: float | None,
    device: torch.device,
    threads: int,
    batch: int = 256,
    learning_rate: float = 2e-3,
    none_weight: float = 2.0,
    settings: dict[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train until the budget is spent; goes on with what `folder` holds. Returns a summary for the model card."""
    model.to(device)
    phase = Phase("stop words", folder, steps, minutes, learning_rate, batch, settings or {})
    objective = StopWordObjective(model, source, device, none_weight)
    return run_phase(phase, model, objective, device=device, threads=threads, resume=True, progress=progress)
