"""How episodes look other than the base data, told from features: other light, a camera that was moved.

Knows nothing of learning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from policies.hierarchy.examples import Example
from policies.hierarchy.high_level_training import Moments

_LEAST_SEEN = 12
"""Moments of an episode, at least, before it is said how it looks."""
_UNUSUAL = 1.25
"""An episode looks otherwise when it differs by so many times what one of twenty base episodes differs."""


class LooksElsewhere:
    """How an episode looks other than the base data: the mean difference of its features from those of base moments
    with the same command, as other light or another camera pose makes it (an offset of statistics, as in AdaBN, Li et
    al. 2016, arXiv 1603.04779). Where things lie differs between any two episodes: only what is more than that counts.
    """

    def __init__(self, base: Moments, scale: Tensor) -> None:
        self._scale = scale
        known = (base.command >= 0) & ~base.held_out
        features = base.features.float()
        self._means = {
            command: features[known & (base.command == command)].mean(0)
            for command in base.command[known].unique().tolist()
        }
        self._most = 0.0
        found = []
        for episode in base.episode[known].unique():
            rows = (known & (base.episode == episode)).nonzero().squeeze(1)
            offset = self._offset(features[rows], base.command[rows].tolist())
            if offset is not None:
                found.append(self._size(offset))
        if found:
            self._most = _UNUSUAL * float(torch.tensor(found).quantile(0.95))

    def moves(self, examples: Sequence[Example], places: Mapping[str, int]) -> list[Tensor]:
        """The offsets `(features,)` of those episodes that look otherwise. places: numbers of commands in the base."""
        return list(self.episodes(examples, places).values())

    def episodes(self, examples: Sequence[Example], places: Mapping[str, int]) -> dict[str, Tensor]:
        """Episodes that look otherwise, and their offsets."""
        by_name: dict[str, list[Example]] = {}
        for example in examples:
            by_name.setdefault(example.episode, []).append(example)
        found = {}
        for name, these in by_name.items():
            newest = torch.stack([example.history[0].float() for example in these])
            offset = self._offset(newest, [places[example.command] for example in these])
            if offset is not None and self._size(offset) > self._most:
                found[name] = offset
        return found

    def _offset(self, features: Tensor, commands: Sequence[int]) -> Tensor | None:
        rows = [
            row - self._means[command]
            for row, command in zip(features, commands, strict=True)
            if command in self._means
        ]
        return torch.stack(rows).mean(0) if len(rows) >= _LEAST_SEEN else None

    def _size(self, offset: Tensor) -> float:
        return float((offset / self._scale).abs().mean())
