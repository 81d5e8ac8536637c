"""All strategies by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policies.errors import PolicyError
from policies.learning.importance import Classp, MemoryAwareSynapses
from policies.learning.projection import GradientProjection, SubspaceFineTuning
from policies.learning.replay import ExperienceReplay, ViewBatchReplay
from policies.learning.strategy import Strategy

DEFAULT = ExperienceReplay.name
STRATEGIES: dict[str, Callable[..., Strategy]] = {
    kind.name: kind
    for kind in (
        Strategy, ExperienceReplay, ViewBatchReplay, MemoryAwareSynapses, GradientProjection, SubspaceFineTuning,
        Classp,
    )
}  # fmt: skip


def strategy(name: str, **options: Any) -> Strategy:
    """A new strategy of this name. Raises PolicyError for another name, or an option that it does not have."""
    if name not in STRATEGIES:
        raise PolicyError(f"{name!r} is none.", field="strategy", hint=f"Use one of {', '.join(STRATEGIES)}.")
    try:
        return STRATEGIES[name](**options)
    except TypeError as problem:
        raise PolicyError(f"{name} cannot be made of {options}: {problem}.", field="strategy") from problem
