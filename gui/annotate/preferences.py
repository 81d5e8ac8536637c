"""Pairwise preferences between the outputs of an item: which pairs are open, cycles, and the ranks that follow.

A tie says that two are equally good. Preferences are at odds where following “better or equal” leads from an output
back to itself over at least one “better”. Knows nothing of windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from hitl.labels import Preference

Pair = tuple[str, str]


@dataclass(frozen=True)
class Edge:
    """`better` was preferred to `worse`, or, where `tie`, they were called equal."""

    better: str
    worse: str
    tie: bool = False


def pairs(tracks: Sequence[str]) -> list[Pair]:
    """All pairs, in the order of the item."""
    return list(combinations(tracks, 2))


def edges(preferences: Mapping[Pair, Preference]) -> list[Edge]:
    """One edge for each preference."""
    found = []
    for (first, second), preference in preferences.items():
        better, worse = (second, first) if preference.winner == "second" else (first, second)
        found.append(Edge(better, worse, preference.winner == "tie"))
    return found


def cycle(preferences: Mapping[Pair, Preference]) -> list[Edge]:
    """The shortest chain of preferences that contradicts itself; empty where all is well."""
    onward: dict[str, list[Edge]] = {}
    strict = []
    for edge in edges(preferences):
        onward.setdefault(edge.better, []).append(edge)
        if edge.tie:
            onward.setdefault(edge.worse, []).append(Edge(edge.worse, edge.better, True))
        else:
            strict.append(edge)
    chains = [[edge, *back] for edge in strict if (back := _path(onward, edge.worse, edge.better))]
    return min(chains, key=len, default=[])


def cycle_words(chain: Sequence[Edge], names: Mapping[str, str]) -> str:
    """The cycle in a sentence."""
    if not chain:
        return ""
    steps = ", ".join(
        f"{names[edge.better]} {'equals' if edge.tie else 'beats'} {names[edge.worse]}" for edge in chain
    )
    return f"These contradict each other: {steps}. Change one of them."


def ranks(tracks: Sequence[str], preferences: Mapping[Pair, Preference]) -> dict[str, int]:
    """Rank of each output from 1, the best; equals share one. Empty where there is a cycle, or a pair is open."""
    if cycle(preferences) or any(pair not in preferences for pair in pairs(tracks)):
        return {}
    beaten_by = {track: 0 for track in tracks}
    for edge in edges(preferences):
        if not edge.tie:
            beaten_by[edge.worse] += 1
    return {track: 1 + count for track, count in beaten_by.items()}


def chance(first: float | None, second: float | None) -> float | None:
    """Of two scores of a model: how likely it is that people prefer the first (Bradley and Terry, 1952)."""
    if first is None or second is None:
        return None
    return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, first - second))))


def opinion_words(first: str, second: str, likely: float | None, agrees: float | None = None) -> str:
    """What a model thinks of a pair, in a sentence or two; empty where it thinks nothing.

    first, second: names; likely: chance of the first; agrees: share of held-out pairs that it orders as people do.
    """
    if likely is None:
        return ""
    sure = max(likely, 1.0 - likely)
    if round(sure, 2) <= 0.5:
        says = "no difference"
    else:
        says = f"{first if likely > 0.5 else second} is better, {min(sure, 0.99):.0%} sure"
    known = f" Of pairs that it did not learn from it orders {agrees:.0%} as people do." if agrees is not None else ""
    return f"The model’s opinion: {says}.{known}"


def _path(onward: Mapping[str, list[Edge]], start: str, goal: str) -> list[Edge]:
    """The shortest way from `start` to `goal`, breadth first; empty where there is none."""
    came: dict[str, Edge] = {}
    border = [start]
    while border and goal not in came:
        reached = []
        for place in border:
            for edge in onward.get(place, ()):
                if edge.worse not in came and edge.worse != start:
                    came[edge.worse] = edge
                    reached.append(edge.worse)
        border = reached
    if goal not in came:
        return []
    chain = [came[goal]]
    while chain[0].better != start:
        chain.insert(0, came[chain[0].better])
    return chain
