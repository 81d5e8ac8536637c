"""A trained low level at run time: pictures, poses and a code in, pose targets out.

Knows nothing of words, of high levels, or of who decides what is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from policies.errors import PolicyError
from policies.hierarchy.low_level import POSE_SIZE, LowLevelPolicy, Sight, State

Images = dict[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class ActiveCommand:
    """A command being executed: its words, unit code `(64,)`, and the pose target `(12,)` when it began."""

    text: str
    code: NDArray[np.float32]
    start: NDArray[np.float64]


@dataclass(frozen=True)
class LowLevelOutput:
    """pose_chunk: `(steps, 12)` absolute targets, row 0 one control tick ahead; done: probability of being done."""

    pose_chunk: NDArray[np.float64]
    done: float


class Acting:
    """A low level that acts, in evaluation mode on `device`. One thread owns it."""

    def __init__(self, low_level: LowLevelPolicy, device: torch.device) -> None:
        self.low_level = low_level.to(device).eval()
        self.device = device
        self._seen: tuple[dict[str, Tensor], Sight] | None = None

    @property
    def cameras(self) -> dict[str, tuple[int, int]]:
        """Camera -> (height, width) in pixels of the pictures that `act` and `remember` take."""
        return dict(self.low_level.config.cameras)

    @torch.inference_mode()
    def act(
        self, images: Images, pose: ArrayLike, pose_target: ArrayLike, command: ActiveCommand, elapsed_s: float
    ) -> LowLevelOutput:
        """The next targets under `command`, begun `elapsed_s` ago, from pictures and the poses measured and commanded.

        The chunk goes on from `pose_target` without a jump. Raises PolicyError naming the picture or pose that is
        missing or has a wrong shape.
        """
        now = pose_row(pose_target, "pose_target")
        state = State(
            pose=self._row(pose_row(pose, "pose")),
            pose_target=self._row(now),
            start=self._row(command.start),
            elapsed=torch.tensor([elapsed_s], dtype=torch.float32, device=self.device),
        )
        sight = self._look(images)
        prediction = self.low_level(sight, state, self._row(command.code))
        knots = self.low_level.decode_path(prediction.path, state.pose_target)[0].double().cpu().numpy()
        chunk = interpolate(now, knots, self.low_level.config.frame_every)
        return LowLevelOutput(chunk, float(prediction.done.sigmoid()))

    @torch.no_grad()
    def _look(self, images: Images) -> Sight:
        """What the low level sees; computed once where `act` and `remember` are given the same pictures."""
        pictures = self._pictures(images)
        if self._seen is None or not all(torch.equal(pictures[name], self._seen[0][name]) for name in pictures):
            self._seen = (pictures, self.low_level.look(pictures))
        return self._seen[1]

    def _pictures(self, images: Images) -> dict[str, Tensor]:
        return {name: self._picture(images, name) for name in self.cameras}

    def _picture(self, images: Images, name: str) -> Tensor:
        if name not in images:
            raise PolicyError(f"there is no picture; got {sorted(images)}.", field=f"camera {name}")
        picture = np.ascontiguousarray(images[name])
        if picture.dtype != np.uint8 or picture.shape != (*self.cameras[name], 3):
            raise PolicyError(
                f"the picture is {picture.dtype} {picture.shape}, expected uint8 {(*self.cameras[name], 3)}.",
                field=f"camera {name}",
            )
        return torch.tensor(picture, device=self.device)[None]

    def _row(self, values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)[None]


def interpolate(
    pose_target: NDArray[np.float64], knots: NDArray[np.float64], ticks_per_knot: int
) -> NDArray[np.float64]:
    """Straight lines from `pose_target` `(12,)` through `knots` `(K, 12)`: one row a tick, `(K * ticks, 12)`."""
    corners = np.concatenate((pose_target[None], knots))
    part = (np.arange(1, ticks_per_knot + 1) / ticks_per_knot)[None, :, None]
    lines = corners[:-1, None] + part * (corners[1:, None] - corners[:-1, None])
    chunk: NDArray[np.float64] = lines.reshape(-1, pose_target.shape[0])
    return chunk


def pose_row(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Twelve finite numbers, float64. Raises PolicyError naming `name`."""
    pose = np.array(values, np.float64)
    if pose.shape != (POSE_SIZE,) or not np.isfinite(pose).all():
        raise PolicyError(f"expected {POSE_SIZE} finite numbers, got shape {pose.shape}.", field=name)
    return pose
