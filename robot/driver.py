"""The Driver protocol: anything that can be observed and acted on.

A driver knows one robot (or simulator, or desktop) and nothing of sockets, policies, people or safety limits beyond
those it declares. `robot/node.py` runs it: one control thread calls `read`, `act`, `hold` and `reset`; one camera
thread calls `capture`. A driver must allow these two threads at once and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CameraSpec:
    """One camera, in pixels: what a person sees (`height` x `width`), and what policies see."""

    name: str
    height: int
    width: int
    policy_height: int
    policy_width: int


@dataclass(frozen=True)
class RobotSpec:
    """What a driver is, usable before it is started.

    action_names, lower, upper: `(action_size,)`; joint positions in radians, grippers 0 (closed) to 1 (open).
    max_speed: `(action_size,)`, greatest change of a target in one second.
    shifts: names that `reset` accepts beside "nominal".
    """

    name: str
    rate_hz: float
    capture_hz: float
    action_names: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    max_speed: NDArray[np.float64]
    cameras: tuple[CameraSpec, ...]
    shifts: tuple[str, ...] = ()
    kinematics: str = ""


@dataclass(frozen=True)
class TaskStatus:
    """How far the task is, as judged by the driver: `stage` of `stages`, e.g. objects packed of objects wanted."""

    name: str
    stage: int
    stages: int
    finished: bool
    success: bool
    note: str = ""


@dataclass(frozen=True)
class Reading:
    """The state at one control tick.

    joints: `(action_size,)` measured; targets: `(action_size,)` last commanded; both in the units of `RobotSpec`.
    """

    joints: NDArray[np.float64]
    targets: NDArray[np.float64]
    task: TaskStatus | None = None


@dataclass(frozen=True)
class Capture:
    """Pictures of one moment: `views` for people and `policy` for policies, camera name -> uint8 RGB `(h, w, 3)`."""

    views: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    policy: dict[str, NDArray[np.uint8]] = field(default_factory=dict)


class Driver(Protocol):
    """Anything that can be observed and acted on at a fixed rate."""

    spec: RobotSpec

    def reset(self, seed: int | None = None, shift: str = "nominal") -> None:
        """Begin a new episode. An unknown shift raises InputError that lists the known ones."""
        ...

    def read(self) -> Reading:
        """The present state; cheap, never blocks."""
        ...

    def act(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Send `(action_size,)` absolute targets for one tick of `1 / rate_hz` s; returns what was really sent.

        A simulator advances by one tick and does not sleep. Raises RobotError where the robot refuses.
        """
        ...

    def hold(self) -> None:
        """Keep the present pose for one tick (a simulator advances by one tick)."""
        ...

    def capture(self) -> Capture:
        """Pictures of the present moment, from the camera thread."""
        ...

    def close(self) -> None:
        """Release the robot; it holds still. May be called twice."""
        ...
