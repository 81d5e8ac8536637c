"""Examples of what a low level is to do, drawn from recordings as training draws them, for updates with few segments.

Knows nothing of strategies, versions or gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from policies.hierarchy.dataset import Recordings
from policies.hierarchy.low_level import LowLevelPolicy, State
from policies.hierarchy.low_level_training import PhraseCodes, shift_pictures
from policies.hierarchy.sampling import Batches, Samples, low_level_samples

FAVOURED_SHARE = 0.5
"""Of the new examples, those that a person guided: what the policy did by itself can teach it little new. And of the
base's, those of the commands that are guided, which are the first to be forgotten."""
AT_ONCE = 64
"""So many are drawn or answered at once."""


class Example(NamedTuple):
    """n moments under a command, as a strategy takes them.

    pictures: uint8 `(n, bytes)`, those of all cameras end to end; light: `(n, 3)` factors per colour; code: `(n, 64)`;
    pose, pose_target, start: `(n, 12)`; elapsed: `(n,)` s; path: `(n, K, 12)` absolute targets; done: `(n,)`, 0 to 1;
    goal: `(n, 3)` m, NaN where unknown; by_amount: `(n,)` bool, words that say by how much; answered: `(n,)` bool,
    whether path, done and goal are what a low level answered to just this state.
    """

    pictures: Tensor
    light: Tensor
    code: Tensor
    pose: Tensor
    pose_target: Tensor
    start: Tensor
    elapsed: Tensor
    path: Tensor
    done: Tensor
    goal: Tensor
    by_amount: Tensor
    answered: Tensor

    @property
    def state(self) -> State:
        """Of the arms."""
        return State(self.pose, self.pose_target, self.start, self.elapsed)


def draw(
    model: LowLevelPolicy,
    data: Recordings,
    episodes: Tensor,
    codes: Tensor,
    count: int,
    seed: int,
    *,
    plain: bool = False,
    favoured: Tensor | None = None,
    share: float = FAVOURED_SHARE,
    other: Tensor | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Example:
    """`count` examples of these episodes `(E,)` bool, drawn as training draws them.

    codes: `(commands, 64)` in the order of the data's commands; plain: pictures, words and beginnings as they are, to
    measure on; favoured: `(segments,)` bool, those that get this share of the whole; other: positions of commands,
    one of which, drawn at random, takes the place of what was commanded. Raises DatasetError where nothing in the
    episodes teaches.
    """
    generator = torch.Generator().manual_seed(seed)
    samples = low_level_samples(replace(data, held_out=~episodes), held_out=False)
    if favoured is not None:
        samples = _favouring(samples, favoured[samples.segment], share)
    batches = Batches(data, samples, model.config.knots, generator, augment=not plain)
    phrases = PhraseCodes(codes, torch.arange(len(codes)), torch.ones(len(codes), dtype=torch.long))
    found: list[Example] = []
    for done in range(0, count, AT_ONCE):
        batch = batches.draw(min(AT_ONCE, count - done))
        size, command = len(batch.command), batch.command
        if other is not None:
            command = other[torch.randint(len(other), (size,), generator=generator)]
        code, light = codes[command], torch.ones(size, 3)
        if not plain:
            shift_pictures(batch.images, (), generator)
            code = phrases.draw(command, generator)
            light = 0.75 + 0.5 * torch.rand(size, 1, generator=generator)
            light = light * (1 + 0.06 * torch.randn(size, 3, generator=generator))
        pictures = packed(batch.images, model.config.cameras)
        state = batch.pose, batch.pose_target, batch.start, batch.elapsed
        by_amount = ~batches.has_goal[command]
        found.append(
            Example(
                pictures,
                light,
                code,
                *state,
                batch.path,
                batch.done,
                batch.goal,
                by_amount,
                torch.zeros_like(by_amount),
            )
        )
        if report is not None:
            report(min(done + AT_ONCE, count), count)
    return together(found)


def _favouring(samples: Samples, chosen: Tensor, share: float) -> Samples:
    """The samples with the chosen ones `(N,)` bool at this share of the whole, where there are such and others."""
    if not chosen.any() or chosen.all():
        return samples
    weight = samples.weight.clone()
    weight[chosen] *= share / float(weight[chosen].sum())
    weight[~chosen] *= (1 - share) / float(weight[~chosen].sum())
    return replace(samples, weight=weight)


def parts_of(example: Example, size: int) -> Iterator[Example]:
    for rows in torch.arange(len(example.done)).split(size):
        yield Example(*(tensor[rows] for tensor in example))


def together(parts: Sequence[Example]) -> Example:
    return Example(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def packed(images: dict[str, Tensor], cameras: dict[str, tuple[int, int]]) -> Tensor:
    """Camera -> uint8 `(n, h, w, 3)` -> `(n, bytes)`."""
    return torch.cat([images[name].flatten(1) for name in cameras], 1)


def unpacked(pictures: Tensor, cameras: dict[str, tuple[int, int]]) -> dict[str, Tensor]:
    """The inverse of `_packed`."""
    sizes = [height * width * 3 for height, width in cameras.values()]
    parts = pictures.split(sizes, 1)
    return {name: part.unflatten(1, (*cameras[name], 3)) for name, part in zip(cameras, parts, strict=True)}
