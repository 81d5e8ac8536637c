"""The processes that train one model together: this one alone, or those that `accelerate launch` or `torchrun` start.

Each takes its share of every batch, their gradients are averaged, and so their weights stay equal. The first one, the
main one, reads and writes files and talks. Knows nothing of what is trained.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from policies.devices import resolve_device
from policies.errors import PolicyError

if TYPE_CHECKING:
    from accelerate import PartialState

_Value = TypeVar("_Value")


class Processes:
    """index: of this one, from 0; count: of all; beside: how many share this machine; device: of this one."""

    def __init__(self, device: torch.device, state: PartialState | None = None) -> None:
        self.device, self._state = device, state
        self.index = state.process_index if state is not None else 0
        self.count = state.num_processes if state is not None else 1
        self.beside = int(os.environ.get("LOCAL_WORLD_SIZE", self.count)) if state is not None else 1

    @property
    def main(self) -> bool:
        """Whether this is the one that reads, writes and talks."""
        return self.index == 0

    def share(self, size: int) -> int:
        """How many of a batch of `size` are this one's. Raises PolicyError where there are fewer than processes."""
        if size < self.count:
            hint = "Start fewer processes."
            raise PolicyError(f"{size} is less than {self.count} processes.", field="batch", hint=hint)
        return size // self.count + (self.index < size % self.count)

    def same(self, value: _Value) -> _Value:
        """The main process's value, in all of them; every process must call this."""
        if self._state is None:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def average(self, tensors: Sequence[Tensor], weight: float = 1.0) -> None:
        """Put into these tensors their mean over all processes, each times its `weight`; all must call it."""
        if self._state is None:
            return
        from accelerate.utils import reduce

        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).to(self.device)  # where GPUs can reach it
        parts = reduce(flat * weight, "mean").split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))  # keeps how the tensor lies in memory


def processes_of(device: str) -> Processes:
    """Those that were started together, else this one; its device is `device`, or the GPU that is its own."""
    count = os.environ.get("WORLD_SIZE", "1")
    if not count.isdigit() or int(count) < 2:
        return Processes(resolve_device(device))
    from accelerate import PartialState

    chosen = resolve_device(device).type
    state = PartialState(cpu=chosen == "cpu")
    return Processes(torch.device("cpu") if chosen == "cpu" else state.device, state)
