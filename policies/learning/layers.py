"""The linear maps of a model, and what goes into them: where gradients are projected.

A map is a weight `(out, in)` and perhaps a bias; its input is taken with a 1 behind it, so that weight and bias are
one matrix `(out, in + 1)` that moves as one. Attention's joint projection of queries, keys and values is such a map
too (self-attention: all three read the same). Knows nothing of strategies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LinearMap:
    """name: in the model; weight `(out, in)`; bias `(out,)` or None."""

    name: str
    weight: Tensor
    bias: Tensor | None

    @property
    def size(self) -> int:
        """Length of its input, the 1 included where it has a bias."""
        return int(self.weight.shape[1]) + (self.bias is not None)

    def matrix(self) -> Tensor:
        """A copy of weight and bias, `(out, size)`."""
        if self.bias is None:
            return self.weight.detach().clone()
        return torch.cat((self.weight.detach(), self.bias.detach()[:, None]), 1)

    def set_matrix(self, matrix: Tensor) -> None:
        """Put one of `matrix`'s shape in its place."""
        inputs = self.weight.shape[1]
        self.weight.copy_(matrix[:, :inputs])
        if self.bias is not None:
            self.bias.copy_(matrix[:, inputs])

    def gradient(self) -> Tensor | None:
        """`(out, size)`; None where there is none."""
        if self.weight.grad is None:
            return None
        if self.bias is None or self.bias.grad is None:
            return self.weight.grad
        return torch.cat((self.weight.grad, self.bias.grad[:, None]), 1)

    def set_gradient(self, gradient: Tensor) -> None:
        """Put one of `gradient`'s shape in its place."""
        inputs = self.weight.shape[1]
        assert self.weight.grad is not None
        self.weight.grad.copy_(gradient[:, :inputs])
        if self.bias is not None and self.bias.grad is not None:
            self.bias.grad.copy_(gradient[:, inputs])


def linear_maps(model: nn.Module) -> list[LinearMap]:
    """All of a model that learn, in order; the inner parts of an attention module count once."""
    found = []
    inside: set[str] = set()
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention) and isinstance(module.in_proj_weight, nn.Parameter):
            found.append(LinearMap(f"{name}.in_proj", module.in_proj_weight, module.in_proj_bias))
            inside.add(f"{name}.out_proj")
        elif isinstance(module, nn.Linear) and name not in inside:
            found.append(LinearMap(name, module.weight, module.bias))
    return [one for one in found if one.weight.requires_grad]


def other_parameters(model: nn.Module) -> list[nn.Parameter]:
    """What learns and is in no map: scales, positions, the output of attention."""
    known = {id(part) for one in linear_maps(model) for part in (one.weight, one.bias) if part is not None}
    return [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in known]


@contextmanager
def inputs_of(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """While this is open, what goes into each map is noted: name -> `(rows, size)` of every pass."""
    seen: dict[str, list[Tensor]] = {}
    sizes = {one.name: one.size for one in linear_maps(model)}

    def note(name: str, value: Tensor) -> None:
        rows = value.detach().reshape(-1, value.shape[-1])
        if sizes[name] > rows.shape[1]:
            rows = torch.cat((rows, torch.ones(len(rows), 1, dtype=rows.dtype, device=rows.device)), 1)
        seen.setdefault(name, []).append(rows)

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention) and f"{name}.in_proj" in sizes:

            def attended(
                _module: nn.Module, values: tuple[Tensor, ...], named: dict[str, Tensor], where: str = name
            ) -> None:
                note(f"{where}.in_proj", values[0] if values else named["query"])

            handles.append(module.register_forward_pre_hook(attended, with_kwargs=True))
        elif isinstance(module, nn.Linear) and name in sizes:

            def entered(_module: nn.Module, values: tuple[Tensor, ...], where: str = name) -> None:
                note(where, values[0])

            handles.append(module.register_forward_pre_hook(entered))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it passes the modules by
    try:
        yield seen
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
