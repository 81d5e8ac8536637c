"""Strategies that keep new gradients out of the way of what was learned before.

Gradient projection memory (Saha et al. 2021, the base of CUBER, Lin et al. 2022): the inputs that earlier examples put
into each layer span a subspace; a gradient without its part in there leaves what the layer answers to them as it was.
Adaptive SVD ("Sculpting Subspaces", 2025; the PEFT library calls it OSF): the large singular directions of each weight
are kept as they are, and it needs no example at all.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policies.errors import PolicyError
from policies.learning.layers import inputs_of, linear_maps, other_parameters
from policies.learning.strategy import Examples, Learnable, Strategy, take


class GradientProjection(Strategy):
    """threshold: the share of the inputs' energy that the subspace of a layer holds; samples: examples whose inputs
    are looked at after a stretch. What is in no linear map is not moved any more once there is something to keep."""

    name = "gpm"

    def __init__(self, threshold: float = 0.99, samples: int = 300) -> None:
        if not 0 < threshold <= 1:
            raise PolicyError(f"must lie between 0 and 1, got {threshold}.", field="threshold")
        self._threshold, self._samples = threshold, samples
        self.bases: dict[str, Tensor] = {}
        """Name of a map -> orthonormal columns `(size, k)`."""
        self._start: dict[str, Tensor] = {}

    @torch.no_grad()
    def begin(self, learnable: Learnable) -> None:
        """Note where the weights are: what may be changed counts from here."""
        self._start = {one.name: one.matrix() for one in linear_maps(learnable.model)} if self.bases else {}

    def project(self, learnable: Learnable) -> None:
        """Take the part in the subspace out of every gradient."""
        if not self.bases:
            return
        for one in linear_maps(learnable.model):
            gradient, basis = one.gradient(), self.bases.get(one.name)
            if gradient is not None and basis is not None:
                one.set_gradient(gradient - gradient @ basis @ basis.T)
        for weight in other_parameters(learnable.model):
            weight.grad = None  # an optimizer leaves alone what has none, decay included

    @torch.no_grad()
    def stepped(self, learnable: Learnable) -> None:
        """An optimizer with momentum or decay may leave the allowed directions: bring the weights back."""
        for one in linear_maps(learnable.model):
            basis, start = self.bases.get(one.name), self._start.get(one.name)
            if basis is not None and start is not None:
                change = one.matrix() - start
                one.set_matrix(start + change - change @ basis @ basis.T)

    @torch.no_grad()
    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """Add the directions that these examples use and the basis lacks."""
        rows = torch.randperm(len(examples[0]), generator=generator)[: self._samples]
        with inputs_of(learnable.model) as seen:
            learnable.output(take(examples, rows))
        for name, values in seen.items():
            self.bases[name] = _wider(self.bases.get(name), torch.cat(values), self._threshold)

    def state(self) -> dict[str, Tensor]:
        """The bases."""
        return dict(self.bases)

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Strategy.restore`."""
        self.bases = dict(state)


def _wider(basis: Tensor | None, rows: Tensor, threshold: float) -> Tensor:
    """basis `(size, k)` and as few new directions as hold `threshold` of the energy of rows `(n, size)`."""
    total = float((rows**2).sum())
    rest = rows if basis is None else rows - rows @ basis @ basis.T
    held = total - float((rest**2).sum())
    _, values, directions = torch.linalg.svd(rest, full_matrices=False)
    energy = held + torch.cumsum(values.double() ** 2, 0)
    missing = int((energy < threshold * total).sum())
    count = 0 if held >= threshold * total else min(missing + 1, len(values))
    new = directions[:count].T
    both = new if basis is None else torch.cat((basis, new), 1)
    return torch.linalg.qr(both)[0] if both.shape[1] else both


class SubspaceFineTuning(Strategy):
    """kept: the share of the singular directions of a weight that stay; adaptive: layers whose output is like their
    input, which are those that carry on what is known, keep more, up to `most`.

    A step may only move what is left of a weight beside its large directions, on both sides, which is what training
    the small factors alone amounts to; also where the optimizer has a memory of its own. Biases and what is in no map
    stay free: they hold little.
    """

    name = "osf"

    def __init__(self, kept: float = 0.5, adaptive: bool = True, most: float = 0.8) -> None:
        if not 0 < kept <= most <= 1:
            raise PolicyError(f"must lie between 0 and {most}, got {kept}.", field="kept")
        self._kept, self._adaptive, self._most = kept, adaptive, most
        self._importance: dict[str, Tensor] = {}
        self._frames: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        """Of this stretch: left `(out, k)` and right `(k, in)` directions, and the weight at its beginning."""

    @torch.no_grad()
    def begin(self, learnable: Learnable) -> None:
        """Decompose every weight as it is now. The very first stretch has nothing to keep."""
        self._frames = {}
        if not self._importance:
            return
        for one in linear_maps(learnable.model):
            left, _, right = torch.linalg.svd(one.weight.float(), full_matrices=False)
            share = min(self._most, self._kept * float(self._importance.get(one.name, torch.ones(()))))
            count = max(1, round(share * min(one.weight.shape)))
            self._frames[one.name] = left[:, :count], right[:count], one.weight.clone()

    def project(self, learnable: Learnable) -> None:
        """Only what lies beside the large directions moves."""
        for one in linear_maps(learnable.model):
            if one.name in self._frames and one.weight.grad is not None:
                one.weight.grad.copy_(self._beside(one.name, one.weight.grad))

    @torch.no_grad()
    def stepped(self, learnable: Learnable) -> None:
        """An optimizer with momentum or decay may leave the allowed directions: bring the weights back."""
        for one in linear_maps(learnable.model):
            if one.name in self._frames:
                start = self._frames[one.name][2]
                one.weight.copy_(start + self._beside(one.name, one.weight - start))

    def _beside(self, name: str, change: Tensor) -> Tensor:
        left, right, _ = self._frames[name]
        change = change - left @ (left.T @ change)
        return change - (change @ right.T) @ right

    @torch.no_grad()
    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """Note how like their inputs the outputs of layers are: that says how much each keeps next time."""
        maps = linear_maps(learnable.model)
        if not self._adaptive:
            self._importance = {one.name: torch.ones(()) for one in maps}
            return
        rows = torch.randperm(len(examples[0]), generator=generator)[:200]
        with inputs_of(learnable.model) as seen:
            learnable.output(take(examples, rows))
        alike = {}
        for one in maps:
            if one.name in seen and one.weight.shape[0] == one.weight.shape[1]:
                values = torch.cat(seen[one.name])[:, : one.weight.shape[1]]
                answers = nn.functional.linear(values, one.weight, one.bias)
                alike[one.name] = nn.functional.cosine_similarity(values, answers, 1).mean().clamp(min=0.05)
        mean = torch.stack(list(alike.values())).mean() if alike else torch.ones(())
        self._importance = {one.name: alike[one.name] / mean if one.name in alike else torch.ones(()) for one in maps}

    def state(self) -> dict[str, Tensor]:
        """Importance of layers."""
        return dict(self._importance)

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Strategy.restore`."""
        self._importance = dict(state)
