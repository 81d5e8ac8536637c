"""What the low level learns from: batches of segments, made harder to lean on, against paths, done and helper targets.

Knows nothing of optimizers, files or budgets (see `loop.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from policies.devices import fast_bfloat16
from policies.hierarchy.dataset import Recordings
from policies.hierarchy.low_level import OPENINGS, LowLevelPolicy, State, Targets, low_level_loss
from policies.hierarchy.sampling import Batch, Batches, low_level_samples

_START_NOISE_M = 0.0005
_ELAPSED_NOISE_S = 0.08
_POSE_NOISE = 0.001
_TARGET_NOISE = (0.0015, 0.0015, 0.0015, 0.015, 0.015, 0.05) * 2  # m, rad, opening
_OPENING_NOISE, _OPENING_NOISE_SHARE = 0.25, 0.4  # more, under commands that say by how much
_OPENING_DONE = 0.1  # nothing is done while fingers are so far from where they should be
_CODE_NOISE = 0.12  # length of the noise added to a unit code
_SHIFT_SHARE = 0.3
_SHIFT_PIXELS = 2


@dataclass(frozen=True)
class PhraseCodes:
    """Unit codes `(P, 64)` of all training phrases, command by command: `first[c]` .. `first[c] + count[c]`."""

    codes: Tensor
    first: Tensor
    count: Tensor

    def draw(self, command: Tensor, generator: torch.Generator) -> Tensor:
        """A random wording of each command `(B,)`, a little moved: `(B, 64)` unit vectors."""
        part = torch.rand(len(command), generator=generator)
        row = self.first[command] + (part * self.count[command]).long().clamp(max=self.count[command] - 1)
        noise = torch.randn(len(command), self.codes.shape[1], generator=generator)
        return functional.normalize(self.codes[row] + noise * (_CODE_NOISE / self.codes.shape[1] ** 0.5), dim=1)


@dataclass(frozen=True)
class LowLevelBatch:
    """A drawn batch with the codes `(B, 64)` of its commands and the light `(B, 3)` its pictures are seen in."""

    batch: Batch
    code: Tensor
    light: Tensor


class LowLevelObjective:
    """`loop.Objective` of the low level. Images travel to `device` as bytes."""

    def __init__(
        self, model: LowLevelPolicy, data: Recordings, phrases: PhraseCodes, device: torch.device, seed: int
    ) -> None:
        self._model, self._phrases, self._device = model, phrases, device
        self._generator = torch.Generator().manual_seed(seed)
        knots = model.config.knots
        self.batches = Batches(data, low_level_samples(data, held_out=False), knots, self._generator, augment=True)
        checks = low_level_samples(data, held_out=True)
        self.checks = Batches(data, checks, knots, torch.Generator().manual_seed(seed), augment=False)

    def fit_scales(self) -> None:
        """Set the scales of the state from 4,096 samples."""
        sample = without_pictures(self.batches, 4096)
        self._model.fit_scales(sample.pose_target, sample.start)

    def draw(self, size: int) -> LowLevelBatch:
        batch = self.batches.draw(size)
        shift_pictures(batch.images, (batch.pixels, batch.goal_pixels), self._generator)
        light = 0.75 + 0.5 * torch.rand(size, 1, generator=self._generator)
        colour = 1 + 0.06 * torch.randn(size, 3, generator=self._generator)
        return LowLevelBatch(
            self._disturbed(batch), self._phrases.draw(batch.command, self._generator), light * colour
        )

    def slices(self, batch: LowLevelBatch, count: int) -> Sequence[LowLevelBatch]:
        bounds = torch.linspace(0, len(batch.code), count + 1).long().tolist()
        return [
            LowLevelBatch(_rows(batch.batch, a, b), batch.code[a:b], batch.light[a:b])
            for a, b in zip(bounds, bounds[1:], strict=False)
        ]

    def loss(self, part: LowLevelBatch) -> tuple[Tensor, dict[str, Tensor]]:
        batch, code, light = _moved(part.batch, self._device), part.code.to(self._device), part.light.to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=fast_bfloat16(self._device)):
            sight = self._model.look(batch.images, light)
            state = State(batch.pose, batch.pose_target, batch.start, batch.elapsed)
            prediction = self._model(sight, state, code)
        return low_level_loss(prediction, self._targets(batch), self._model.config.cameras)

    @torch.inference_mode()
    def check(self, size: int = 1024, piece: int = 128) -> dict[str, float]:
        """Losses on held-out episodes, canonical words' codes unmoved; empty when nothing was held out."""
        if not len(self.checks.samples.frame):
            return {}
        self._model.eval()
        sums: dict[str, float] = {}
        for _ in range(size // piece):
            batch = _moved(self.checks.draw(piece), self._device)
            code = self._phrases.codes[self._phrases.first[batch.command.cpu()]].to(self._device)
            state = State(batch.pose, batch.pose_target, batch.start, batch.elapsed)
            prediction = self._model(self._model.look(batch.images), state, code)
            _, parts = low_level_loss(prediction, self._targets(batch), self._model.config.cameras)
            right = ((prediction.done > 0) == (batch.done > 0.5)).float().mean()
            for name, value in {**parts, "done_accuracy": right}.items():
                sums[name] = sums.get(name, 0.0) + value.item() * piece / size
        return {name: round(value, 4) for name, value in sums.items()}

    def _targets(self, batch: Batch) -> Targets:
        path = self._model.encode_path(batch.path, batch.pose_target)
        return Targets(path, batch.done, batch.where, batch.xy, batch.goal, batch.pixels, batch.goal_pixels)

    def _disturbed(self, batch: Batch) -> Batch:
        state = State(batch.pose, batch.pose_target, batch.start, batch.elapsed)
        by_amount = ~self.batches.has_goal[batch.command]
        state, done = disturbed(state, batch.done, by_amount, self._generator)
        return replace(batch, done=done, **vars(state))


def disturbed(state: State, done: Tensor, by_amount: Tensor, generator: torch.Generator) -> tuple[State, Tensor]:
    """Small errors in the state, and what is done `(B,)` then. The path stays, so that the policy learns the way back.

    Without them, the policy's own small errors add up: an opening that sags a little looks like one that is closing.
    by_amount: `(B,)` bool, words such as "a little wider". There openings are moved further: the goal depends on where
    the command began and not on where the fingers are, and a policy that mixes them up goes on and on.
    """

    def noise(shape: torch.Size, size: float | Tensor) -> Tensor:
        return torch.randn(shape, generator=generator) * size

    error = noise(state.pose_target.shape, torch.tensor(_TARGET_NOISE))
    astray = torch.rand(len(error), generator=generator) < _OPENING_NOISE_SHARE
    astray &= by_amount
    error[:, list(OPENINGS)] += noise(torch.Size((len(error), 2)), _OPENING_NOISE) * astray[:, None]
    target = state.pose_target + error
    target[:, list(OPENINGS)] = target[:, list(OPENINGS)].clamp(0, 1)
    far = astray & ((target - state.pose_target)[:, list(OPENINGS)].abs() > _OPENING_DONE).any(1)
    return State(
        pose=state.pose + error + noise(state.pose.shape, _POSE_NOISE),
        pose_target=target,
        start=state.start + noise(state.start.shape, _START_NOISE_M),
        elapsed=(state.elapsed + noise(state.elapsed.shape, _ELAPSED_NOISE_S)).clamp(min=0),
    ), done * ~far


def shift_pictures(images: dict[str, Tensor], places: Sequence[dict[str, Tensor]], generator: torch.Generator) -> None:
    """Move some pictures, and what lies in them, by up to two pixels, in place, a quarter of the batch at a time.

    Not the first camera's: there a pixel is half a centimetre of table and the place itself is what is learned.
    """
    for name in list(images)[1:]:
        quarters = zip(images[name].chunk(4), *(pixels[name].chunk(4) for pixels in places), strict=True)
        for rows, *moved in quarters:
            if float(torch.rand((), generator=generator)) < _SHIFT_SHARE:
                dy, dx = torch.randint(-_SHIFT_PIXELS, _SHIFT_PIXELS + 1, (2,), generator=generator).tolist()
                rows.copy_(rows.roll((dy, dx), (1, 2)))
                for pixels in moved:
                    pixels += torch.tensor([float(dx), float(dy)])


def without_pictures(batches: Batches, size: int) -> Batch:
    """A batch without its pictures, for statistics."""
    blind = Batches(
        replace(batches.data, images={}), batches.samples, batches.knots, batches.generator, batches.augment
    )
    return blind.draw(size)


def _rows(batch: Batch, first: int, end: int) -> Batch:
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return Batch(**{name: _each(value, lambda tensor: tensor[first:end]) for name, value in values.items()})


def _moved(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    values = {f.name: getattr(batch, f.name) for f in fields(batch)}
    return Batch(**{name: _each(value, lambda t: t.to(device, non_blocking=True)) for name, value in values.items()})


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """`change` applied to a tensor, or to every tensor of a dict."""
    return {name: change(tensor) for name, tensor in value.items()} if isinstance(value, dict) else change(value)
