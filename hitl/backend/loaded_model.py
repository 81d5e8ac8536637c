"""A loaded model as the engine uses it: the policy, how words are understood, what it is called; and another version
of it that takes its place while it runs. Protocols and data; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.backend.parts import Policy
from hitl.messages import Certainty, Grounding, Reading


class Grounded(Protocol):
    """What a text was understood as (hitl/speech/grounding.py makes them)."""

    @property
    def kind(self) -> Grounding: ...

    @property
    def command(self) -> str: ...

    @property
    def similarity(self) -> float: ...


class Decided(Protocol):
    """What a correction was taken for, and how surely (hitl/speech/certainty.py makes them)."""

    @property
    def grounded(self) -> Grounded: ...

    @property
    def text(self) -> str: ...

    @property
    def certainty(self) -> Certainty: ...

    @property
    def choices(self) -> Sequence[str]: ...

    @property
    def ignored(self) -> bool: ...


class Decide(Protocol):
    """Takes a correction's words, all readings of them where they were spoken, and says what they are taken for."""

    def __call__(self, text: str, heard: float, readings: Sequence[Reading], *, spoken: bool) -> Decided: ...


@dataclass(frozen=True)
class Model:
    """A loaded model: the policy, how texts are grounded in its command bank, and what it is called.

    `decide`: None takes every correction for what its text is grounded in, without doubt.
    """

    policy: Policy
    ground: Callable[[str], Grounded]
    commands: Sequence[str]
    name: str
    device: str
    decide: Decide | None = None
    cameras: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Camera -> height and width, pixels, of the pictures that the policy sees."""
    features: str = ""
    """Names what makes the features of the high level's history: the weights of the low level."""


@dataclass(frozen=True)
class Swap:
    """Another version, ready to act. adopt: puts its weights into the policy that acts, between two ticks; None where
    `model` has a policy of its own, which then begins anew."""

    model: Model
    adopt: Callable[[], None] | None = None


@dataclass(frozen=True)
class Swapped:
    """The version acts now; `error`: why not, and the one before goes on."""

    model: Model
    error: str = ""


@dataclass(frozen=True)
class Answered:
    """The version of this name has been asked for the first time."""

    version: str
