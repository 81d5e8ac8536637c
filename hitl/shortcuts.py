"""Ways straight to where a hand let go, from every moment of a longer way there.

A person guides a hand to another place step by step, and before that the policy went to the wrong one. Whatever the
hand did, it should have gone straight to where it let go in the end: so each of these moments gets the way that it
should have had (hindsight relabelling of what the policy did by itself, as DAgger labels what a learner visits; Ross
et al. 2011, arXiv 1011.0686). To take hold of something, how a hand comes there matters, and no such way is made up.

Pure: arrays of poses, ticks. A pose is `(12,)`: of each arm x, y, z [m], pitch, roll [rad], opening 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEED_M_S, SPEED_RAD_S = 0.2, 1.5
"""Of a hand on its way: about what the policies' demonstrations have."""
_ARMS = (slice(0, 6), slice(6, 12))
_OPENING = 5
_OPENS = 0.2
"""So much wider than it was, a hand lets go."""


@dataclass(frozen=True)
class Shortcut:
    """A way from one moment on: targets `(n, 12)`, the first being that of the moment; done: from which of these ticks
    on the command is done, n where that comes later."""

    targets: NDArray[np.float64]
    done: int


def let_go(targets: NDArray[np.float64]) -> tuple[int, int] | None:
    """Which arm, 0 or 1, let go on a way of targets `(n, 12)`, and at which tick it began to open; None where none
    did. The hand that is open at the end and was most closed before, and the last time that it opened."""
    openings = targets[:, _OPENING::6]
    if not len(openings):
        return None
    arm = int((openings[-1] - openings.min(0)).argmax())
    opening = openings[:, arm]
    if opening[-1] - opening.min() < _OPENS:
        return None
    at = int(np.flatnonzero(opening < (opening[-1] + opening.min()) / 2)[-1]) + 1
    while at > 0 and opening[at - 1] < opening[at]:
        at -= 1
    return arm, at


def shortcut(
    targets: NDArray[np.float64], at: int, arm: int, opens: int, done: int, length: int, rate_hz: float
) -> Shortcut:
    """The way of `length` ticks from tick `at` of a way `(n, 12)` on which `arm` began to let go at tick `opens`, and
    that was done at tick `done`. From there on all is as it was; the other arm does what it did anyway."""
    ticks = np.arange(length)
    found = targets[np.minimum(at + ticks, len(targets) - 1)].copy()
    if at >= opens:
        return Shortcut(found, min(length, max(0, done - at)))
    mine = _ARMS[arm]
    here, there = targets[at, mine][:_OPENING], targets[opens, mine][:_OPENING]
    away = there - here
    seconds = max(float(np.linalg.norm(away[:3])) / SPEED_M_S, float(np.abs(away[3:]).max()) / SPEED_RAD_S)
    arrives = max(1, round(seconds * rate_hz))
    part = np.minimum(ticks / arrives, 1.0)[:, None]
    found[:, mine][:, :_OPENING] = here + part * away
    found[:, mine][:, _OPENING] = targets[at, mine][_OPENING]
    behind = ticks >= arrives
    found[behind, mine] = targets[np.minimum(opens + ticks[behind] - arrives, len(targets) - 1), mine]
    return Shortcut(found, min(length, arrives + max(0, done - opens)))
