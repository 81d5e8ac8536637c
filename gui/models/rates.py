"""How much help the policies needed, episode by episode: the intervention rate and its moving mean. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hitl.model_messages import EpisodePoint

MEAN_OF = 5
"""Episodes in the moving mean."""


@dataclass(frozen=True)
class Rate:
    """One episode. rate, mean: corrections a minute, of the episode and of all time in the last MEAN_OF episodes;
    version: the one that acted from here on, where it changed; first: whether a session begins here."""

    point: EpisodePoint
    rate: float
    mean: float
    version: str = ""
    first: bool = False


def rates_of(points: Sequence[EpisodePoint]) -> tuple[Rate, ...]:
    """The rate of each episode, oldest first as they come; episodes that took no time are left out."""
    taken = [point for point in points if point.seconds > 0]
    found = []
    for place, point in enumerate(taken):
        last = taken[max(0, place - MEAN_OF + 1) : place + 1]
        before = taken[place - 1] if place else None
        found.append(Rate(
            point=point,
            rate=_a_minute([point]),
            mean=_a_minute(last),
            version=point.version if before is None or before.version != point.version else "",
            first=before is None or before.session != point.session,
        ))  # fmt: skip
    return tuple(found)


def _a_minute(points: Sequence[EpisodePoint]) -> float:
    return 60 * sum(point.corrections for point in points) / sum(point.seconds for point in points)


def top_of(rates: Sequence[Rate]) -> float:
    """Upper end of the axis, corrections a minute: a round number that no episode exceeds, at least 1."""
    most = max((rate.rate for rate in rates), default=0.0)
    step = 1.0
    while True:
        for factor in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0):
            if factor * step >= most:
                return factor * step
        step *= 10


def trend_of(rates: Sequence[Rate]) -> tuple[float, float] | None:
    """Corrections a minute over the first and over the last MEAN_OF episodes; None where those would overlap."""
    if len(rates) < 2 * MEAN_OF:
        return None
    points = [rate.point for rate in rates]
    return _a_minute(points[:MEAN_OF]), _a_minute(points[-MEAN_OF:])
