"""From moments of a recording to numbers that a reward model reads, by the frozen low level of a policy.

Five groups: what is seen (what the low level's camera networks believe of the scene and of the goal under the
command), the hands, their motion, the command, and how long it has run. Groups can be left out, to see what each is
worth.
The places in the pictures that the low level looks at, 336 numbers, are left out: with a few dozen recordings a reward
model learned them by heart.
Knows nothing of recordings, labels and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from policies.errors import PolicyError
from policies.hierarchy.low_level import LowLevelPolicy, State

GROUPS = ("vision", "hands", "motion", "command", "elapsed")
VERSION = 3
"""Grows when the numbers change their meaning: features of another version are computed anew."""
BATCH = 32
_WHERE = 5
"""Classes of where a kind of object is: absent, table, left hand, right hand, box."""
_ELAPSED_LIMIT_S = 30.0
_MOTION_S = (0.4, 1.0)
_HANDS = (slice(0, 3), slice(6, 9))


@dataclass(frozen=True)
class Moments:
    """T moments of one recording, `rate_hz` of them a second, from 0 ms on.

    images: camera -> uint8 `(T, h, w, 3)`; pose, target, start: `(T, 12)` measured, commanded, and commanded when the
    command began; codes: `(T, 64)`, the command's; elapsed_s: `(T,)` since it began.
    """

    rate_hz: float
    images: Mapping[str, NDArray[np.uint8]]
    pose: NDArray[np.float64]
    target: NDArray[np.float64]
    start: NDArray[np.float64]
    codes: NDArray[np.float32]
    elapsed_s: NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Of one recording. groups: name -> float32 `(T, d)`; seen: `(T,)` bool, whether pictures are of that moment."""

    rate_hz: float
    groups: Mapping[str, NDArray[np.float32]]
    seen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.seen)

    def rows(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """Groups side by side: `(T, sum of d)`. Raises PolicyError for a group that is not there."""
        missing = [name for name in names if name not in self.groups]
        if missing:
            raise PolicyError(f"lack {', '.join(missing)}.", field="features", hint="Compute them anew.")
        return np.concatenate([self.groups[name] for name in names], 1)

    def between(self, start_ms: float, end_ms: float) -> tuple[int, int]:
        """First and end of the moments in `[start_ms, end_ms)`; at least one, where the recording has any there."""
        first = int(np.ceil(start_ms / 1000 * self.rate_hz))
        end = int(np.ceil(end_ms / 1000 * self.rate_hz))
        first = min(max(first, 0), max(0, len(self) - 1))
        return first, min(max(end, first + 1), len(self))


@torch.inference_mode()
def describe_moments(low_level: LowLevelPolicy, moments: Moments, seen: NDArray[np.bool_]) -> Features:
    """Features of a recording; about 6 ms a moment on one core."""
    parts = [_seen(low_level, moments, slice(at, at + BATCH)) for at in range(0, len(moments.pose), BATCH)]
    elapsed = np.clip(moments.elapsed_s, 0.0, _ELAPSED_LIMIT_S)
    groups = {
        "vision": np.concatenate(parts),
        "hands": _hands(moments),
        "motion": _motion(moments),
        "command": np.concatenate((moments.codes, moments.target - moments.start), 1),
        "elapsed": np.stack((elapsed / 10, np.log1p(elapsed)), 1),
    }
    return Features(moments.rate_hz, {name: np.asarray(x, np.float32) for name, x in groups.items()}, seen)


def _seen(low_level: LowLevelPolicy, moments: Moments, part: slice) -> NDArray[np.float32]:
    """What the low level makes of the pictures under the command: `(n, d)`."""
    device = low_level.rest.device

    def rows(values: NDArray[np.floating]) -> torch.Tensor:
        return torch.tensor(values[part], dtype=torch.float32, device=device)

    sight = low_level.look({name: torch.tensor(x[part], device=device) for name, x in moments.images.items()})
    code = rows(moments.codes)
    pose, target = rows(moments.pose), rows(moments.target)
    prediction = low_level(sight, State(pose, target, rows(moments.start), rows(moments.elapsed_s)), code)
    scene = prediction.scene
    where, spot = scene[..., :_WHERE].softmax(2), scene[..., _WHERE:]
    ways = [prediction.goal - pose[:, hand] for hand in _HANDS]
    way = 10 * torch.cat((*ways, *(w.norm(dim=1, keepdim=True) for w in ways)), 1)
    done = prediction.done.sigmoid()[:, None]
    out = torch.cat((where.flatten(1), spot.flatten(1), prediction.goal, way, done), 1)
    numbers: NDArray[np.float32] = out.float().cpu().numpy()
    return numbers


def _hands(moments: Moments) -> NDArray[np.float64]:
    """Poses, how far the hands are from where they are sent, whichever way that is (as hands that press on something
    are), and from each other."""
    left, right = (moments.pose[:, hand] for hand in _HANDS)
    gap = np.linalg.norm(left - right, axis=1, keepdims=True)
    lag = 10 * (moments.target - moments.pose)
    held_back = np.stack([np.linalg.norm(lag[:, hand], axis=1) for hand in _HANDS], 1)
    return np.concatenate((moments.pose, lag, held_back, left - right, gap), 1)


def _motion(moments: Moments) -> NDArray[np.float64]:
    """How the poses have changed over a moment and over a second, and the way that the hands have gone in it."""
    pose = moments.pose
    changes = []
    for seconds in _MOTION_S:
        back = max(1, round(seconds * moments.rate_hz))
        before = pose[np.maximum(np.arange(len(pose)) - back, 0)]
        changes.append(10 * (pose - before))
    step = np.abs(np.diff(pose, axis=0, prepend=pose[:1]))
    total = np.cumsum(step, axis=0)
    second = max(1, round(moments.rate_hz))
    way = total - total[np.maximum(np.arange(len(pose)) - second, 0)]
    return np.concatenate((*changes, 10 * way), 1)
