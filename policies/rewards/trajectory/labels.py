"""What people say of stretches of time, and what a reward model is asked of them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimeHead:
    """One question about a segment, to which a label says yes or no.

    weight: what a segment earns or loses by it. praise: yes is good ("done"), where otherwise yes is bad ("mistake",
    "unsafe").
    """

    key: str
    weight: float = 1.0
    praise: bool = False


@dataclass(frozen=True)
class TimeLabel:
    """`[start_ms, end_ms)` of a recording: the answer to the question of a head. Where nobody answered is no label."""

    start_ms: int
    end_ms: int
    head: str
    value: bool
