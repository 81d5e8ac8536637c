"""What goes into the controller and comes out: a policy and a robot's body as protocols, rules, observations, chunks.

Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from hitl.events import CorrectionEvent
from hitl.messages import (
    ActionChunk,
    CorrectionSource,
    CorrectionState,
    CorrectionStatus,
    Observation,
)

Array = NDArray[np.float64]
Images = dict[str, NDArray[np.uint8]]


class LowLevelOutput(Protocol):
    """What the low level answers: `pose_chunk` float `(steps, 12)`, absolute targets; `done` probability."""

    @property
    def pose_chunk(self) -> Any: ...

    @property
    def done(self) -> float: ...


class Proposal(Protocol):
    """What the high level would do next: texts with probabilities, most probable first."""

    @property
    def texts(self) -> Sequence[str]: ...

    @property
    def probabilities(self) -> Sequence[float]: ...

    @property
    def guiding(self) -> Collection[str]:
        """Commands that it was never taught to choose: with them people guide a hand by small motions."""
        ...

    @property
    def history(self) -> Any:
        """What it was made from, `(moments, features)` numbers, for learning; None where it cannot be learned from."""
        ...


class Policy(Protocol):
    """What the controller needs of a hierarchical policy (policies/hierarchy/policy.py is one)."""

    def start(self, text: str, pose_target: Array) -> Any:
        """Begin a command at `(12,)` commanded pose; the result is passed back to `act`."""
        ...

    def act(self, images: Images, pose: Array, pose_target: Array, command: Any, elapsed_s: float) -> LowLevelOutput:
        """Low level: one chunk from the newest pictures and poses."""
        ...

    def remember(self, images: Images, pose: Array, stamp_ns: int) -> None:
        """Take an observation into the high level's history."""
        ...

    def propose(self) -> Proposal:
        """High level: the next command, from the history."""
        ...

    def forget(self) -> None:
        """Empty the history, at the start of an episode."""
        ...


class Embodiment(Protocol):
    """Joints of one robot to poses and back."""

    def pose_of(self, joints: Array) -> Array:
        """`(..., action_size)` -> `(..., 12)`."""
        ...

    def joints_of(self, pose: Array) -> Array:
        """`(..., 12)` -> `(..., action_size)`; not finite raises ValueError."""
        ...


@dataclass(frozen=True)
class Rules:
    """When commands end and change; the settings of the same names say more."""

    hold_s: float = 8.0
    high_level_hz: float = 2.0
    done_threshold: float = 0.5
    done_observations: int = 3
    min_command_s: float = 0.5
    pause_s: float = 0.8
    switch_probability: float = 0.5
    switch_asks: int = 2
    ask_s: float = 8.0
    ask_margin: float = 0.5
    ask_repeats: int = 3
    ask_every_s: float = 15.0
    unsure_s: float = 3.0
    give_up_s: float = 8.0
    aside_s: float = 20.0


@dataclass(frozen=True)
class Seen:
    """One observation with its payloads."""

    observation: Observation
    joints: Array
    targets: Array
    images: Images


@dataclass(frozen=True)
class Chunk:
    """Actions for the robot: `rows` float64 `(steps, action_size)`, made from pictures of `captured_ns`."""

    header: ActionChunk
    rows: Array
    captured_ns: int


@dataclass(frozen=True)
class StopWanted:
    """A person said "stop": the correction `id` asks for a stop by words, which latches."""

    id: str
    author: str
    said: str


def status_of(event: CorrectionEvent, state: CorrectionState) -> CorrectionStatus:
    """What is told of a correction while its state is `state`."""
    return CorrectionStatus(
        id=event.id,
        text=event.text,
        command=event.command,
        grounding=event.grounding,
        similarity=event.similarity,
        state=state,
        author=event.author,
        session_ns=event.session_ns,
        episode=event.episode,
        source=cast(CorrectionSource, event.source),
        certainty=event.certainty,
        choices=event.choices,
    )
