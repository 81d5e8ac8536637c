"""Where tensors live and in which numbers they are fast. Knows nothing of models."""

from __future__ import annotations

import torch

from policies.errors import PolicyError


def resolve_device(device: str) -> torch.device:
    """ "auto" is CUDA where there is one, else the CPU. Raises PolicyError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise PolicyError(
            f"{device!r} is not there ({str(problem).splitlines()[0]}).", field="device", hint="Use auto or cpu."
        ) from problem
    return found


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 here: on CUDA and on CPUs with instructions for it."""
    if device.type == "cuda":
        return True
    if device.type != "cpu":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
