"""Experience replay, and a schedule that lets examples rest: earlier examples are learned beside the new ones.

The buffer is a reservoir (Vitter 1985): every example ever seen is in it with the same chance, without anybody saying
where a task ends. The view-batch schedule ("Do Your Best and Get Enough Rest", CVPR 2025) shows an example several
times at once, in several views, and then leaves it for as many epochs; the number of visits stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from policies.errors import PolicyError
from policies.learning.strategy import Examples, Learnable, Settings, Strategy, joined, take


class Reservoir:
    """At most `size` examples, each of all that were offered with the same chance."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.examples: Examples = ()
        self.offered = 0

    def __len__(self) -> int:
        return len(self.examples[0]) if self.examples else 0

    def offer(self, examples: Examples, generator: torch.Generator) -> None:
        """Take in new examples; each may take the place of one that is there."""
        kept = [tensor.clone() for tensor in self.examples] or [tensor[:0] for tensor in examples]
        free = min(self.size - len(self), len(examples[0]))
        if free > 0:
            kept = [torch.cat((old, new[:free])) for old, new in zip(kept, examples, strict=True)]
        for row in range(max(0, free), len(examples[0])):
            place = int(torch.randint(self.offered + row + 1, (1,), generator=generator))
            if place < self.size:
                for old, new in zip(kept, examples, strict=True):
                    old[place] = new[row]
        self.offered += len(examples[0])
        self.examples = tuple(kept)

    def draw(self, count: int, generator: torch.Generator) -> Examples:
        """`count` of them, with replacement."""
        return take(self.examples, torch.randint(len(self), (count,), generator=generator))


class ExperienceReplay(Strategy):
    """Beside the new examples of every step stand earlier ones, `share` of the step's examples."""

    name = "replay"
    needs_examples = True

    def __init__(self, size: int = 200, share: float = 0.5) -> None:
        if not 0 < share < 1:
            raise PolicyError(f"must lie between 0 and 1, got {share}.", field="share")
        self._share = share
        self._buffer = Reservoir(size)

    def mix(self, learnable: Learnable, batch: Examples, generator: torch.Generator) -> Examples:
        """New ones and earlier ones, which may look otherwise than they did."""
        if not len(self._buffer):
            return batch
        count = max(1, round(len(batch[0]) * self._share / (1 - self._share)))
        return joined(batch, learnable.view(self._buffer.draw(count, generator), generator))

    def end(self, learnable: Learnable, examples: Examples, generator: torch.Generator) -> None:
        """What was new may be replayed from now on."""
        self._buffer.offer(examples, generator)

    def state(self) -> dict[str, Tensor]:
        """The examples, and how many there have been."""
        kept = {f"examples.{at}": tensor for at, tensor in enumerate(self._buffer.examples)}
        return kept | {"offered": torch.tensor(self._buffer.offered)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Strategy.restore`."""
        if "offered" not in state:
            raise PolicyError("is not of replay.", field="strategy", hint="Use the one that wrote it.")
        self._buffer.offered = int(state["offered"])
        self._buffer.examples = tuple(state[f"examples.{at}"] for at in range(len(state) - 1))


class ViewBatchReplay(ExperienceReplay):
    """Experience replay whose new examples come `repeats` times in one step and then rest for as many epochs."""

    name = "view-batch"

    def __init__(self, size: int = 200, share: float = 0.5, repeats: int = 4) -> None:
        super().__init__(size, share)
        self._repeats = repeats

    def order(self, count: int, settings: Settings, generator: torch.Generator) -> Iterator[Tensor]:
        """Of every `repeats` epochs, each example is in one alone, `repeats` times in the same step."""
        epochs = -(-settings.epochs // self._repeats) * self._repeats
        distinct = max(1, settings.batch // self._repeats)
        for _ in range(epochs // self._repeats):
            for rows in torch.randperm(count, generator=generator).split(distinct):
                yield rows.repeat_interleave(self._repeats)

    def mix(self, learnable: Learnable, batch: Examples, generator: torch.Generator) -> Examples:
        """Earlier examples, too, come in several views."""
        if not len(self._buffer):
            return batch
        count = max(1, round(len(batch[0]) * self._share / (1 - self._share) / self._repeats))
        drawn = self._buffer.draw(count, generator)
        several = tuple(tensor.repeat_interleave(self._repeats, 0) for tensor in drawn)
        return joined(batch, learnable.view(several, generator))
