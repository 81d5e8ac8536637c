"""An example that a correction, or what was let run, leaves for the high level."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Example:
    """history: `(4, features)` float16; command: what was wanted; rejected: what a person overruled there, or "";
    weight: of its loss; group: what it belongs to, such as a correction; episode: in which it was seen."""

    history: Tensor
    command: str
    rejected: str = ""
    weight: float = 1.0
    group: str = ""
    episode: str = ""
