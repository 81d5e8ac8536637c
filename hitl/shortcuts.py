"""Ways straight to where a hand let go or took hold, from every moment of a longer way there.

A person guides a hand to another place step by step, and before that the policy went to the wrong one. Whatever the
hand did, it should have gone straight to where it let go in the end: so each of these moments gets the way that it
should have had (hindsight relabelling of what the policy did by itself, as DAgger labels what a learner visits; Ross
et al. 2011, arXiv 1011.0686). How a hand comes to a thing that it takes hold of matters, so from a little above the
thing on the way is as it was.

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
"""So much wider than it was, a hand lets go; so much narrower, it takes hold."""
ABOVE_M = 0.04
"""So far above a thing the way to it begins that is kept as it was."""


@dataclass(frozen=True)
class Shortcut:
    """A way from one moment on: targets `(n, 12)`, the first being that of the moment; done: from which of these ticks
    on the command is done, n where that comes later."""

    targets: NDArray[np.float64]
    done: int


@dataclass(frozen=True)
class Turn:
    """Where a hand let go or took hold on a way: arm 0 or 1; at: the tick at which it began to; joins: the tick from
    which on the way stays as it was."""

    arm: int
    at: int
    joins: int


def let_go(targets: NDArray[np.float64]) -> Turn | None:
    """Where a hand let go on a way of targets `(n, 12)`; None where none did. The hand that is open at the end and was
    most closed before, and the last time that it opened."""
    found = _turned(targets, 1)
    return Turn(*found, found[1]) if found else None


def took_hold(targets: NDArray[np.float64]) -> Turn | None:
    """Where a hand took hold of something; None where none did. The hand that is closed at the end and was widest open
    before; its way stays as it was from when it was last `ABOVE_M` above where it closed."""
    found = _turned(targets, -1)
    if found is None:
        return None
    arm, at = found
    height = targets[: at + 1, 6 * arm + 2]
    above = np.flatnonzero(height >= height[at] + ABOVE_M)
    return Turn(arm, at, int(above[-1]) if len(above) else 0)


def _turned(targets: NDArray[np.float64], way: int) -> tuple[int, int] | None:
    """Which arm opened (way 1) or closed (-1) last, and at which tick it began to."""
    openings = way * targets[:, _OPENING::6]
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
    track: NDArray[np.float64], way: NDArray[np.float64], arm: int, done: int, length: int, rate_hz: float
) -> Shortcut:
    """The way of `length` ticks from a moment straight to where `way` `(m, 12)` begins, and along it. track: what the
    hands did from that moment on `(n, 12)`, which the other arm does here, too; done: from which tick of `way` on."""
    ticks = np.arange(length)
    mine, found = _ARMS[arm], track[np.minimum(ticks, len(track) - 1)].copy()
    here, there = track[0, mine][:_OPENING], way[0, mine][:_OPENING]
    away = there - here
    seconds = max(float(np.linalg.norm(away[:3])) / SPEED_M_S, float(np.abs(away[3:]).max()) / SPEED_RAD_S)
    arrives = round(seconds * rate_hz)
    found[:, mine][:, :_OPENING] = here + np.minimum(ticks / max(arrives, 1), 1.0)[:, None] * away
    found[:, mine][:, _OPENING] = way[0, mine][_OPENING]
    found[0, mine] = track[0, mine]
    behind = ticks >= max(arrives, 1)
    found[behind, mine] = way[np.minimum(ticks[behind] - arrives, len(way) - 1), mine]
    return Shortcut(found, min(length, arrives + done))
