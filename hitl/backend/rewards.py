"""What a learner needs of reward models, of texts and of recordings, and what they say: interfaces and plain data.

Knows nothing of projects, sockets or how models are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.annotation.items import Item
from policies.rewards.documents import Document, Label
from policies.rewards.trajectory.labels import TimeLabel

GATE_MARGIN = 0.05
"""A new version may have so much less F1 on labels that it has not seen, in the mean over heads, and is promoted."""
GATE_ITEMS = 20
"""With fewer items to compare by, the difference is noise, and every version is promoted."""


@dataclass(frozen=True)
class SegmentEstimate:
    """What a head thinks of one segment. probability: calibrated, that it has an error, or of a head of praise, that
    it is so; error: whether that is to be suggested; reward: what it earns, weights included; category: the likeliest
    one, if it is so; empty where the head tells none apart."""

    start: int
    end: int
    probability: float
    error: bool
    reward: float
    category: str = ""


@dataclass(frozen=True)
class Estimate:
    """What the models think of one document. segments: head -> its segments in order; scores: head that compares whole
    outputs -> its score, the higher the better; uncertainty: 0 to 1."""

    segments: Mapping[str, Sequence[SegmentEstimate]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    uncertainty: float = 0.0


@dataclass(frozen=True)
class TimeEstimate:
    """What the models think of one recording, by the heads that have learned something. segments: head -> what it
    thinks of each that was asked about; curves: head -> the chance at every moment, which are `step_ms` apart;
    thresholds: head -> from which chance on it is a yes; uncertainty: 0 to 1."""

    segments: Mapping[str, Sequence[SegmentEstimate]]
    curves: Mapping[str, Sequence[float]]
    thresholds: Mapping[str, float]
    step_ms: int
    uncertainty: float


@dataclass(frozen=True)
class Trained:
    """A new version and how it does on what it has not seen. f1, pairwise, calibration: head -> value; labelled,
    held_out: how many items it learned from, and was measured on; remark: what else there is to say."""

    version: str
    f1: Mapping[str, float]
    pairwise: Mapping[str, float]
    calibration: Mapping[str, float]
    labelled: int
    held_out: int
    seconds: float
    remark: str = ""


class Versions(Protocol):
    """Reward models whose new versions can be kept or taken back."""

    def update(self) -> Trained | None:
        """Learn from all labels; None where there are too few. The new version answers until `revert`."""
        ...

    def revert(self) -> None:
        """Let the promoted version answer again, which is the one before the last update."""
        ...

    def promote(self) -> None:
        """Keep what `update` made, on disk as well."""
        ...

    def close(self) -> None:
        """Keep the promoted version on disk."""
        ...


class Rewards(Versions, Protocol):
    """The reward models of a project's texts. Features of documents are computed once and kept."""

    def put(self, name: str, label: Label) -> None:
        """A label is true from now on."""
        ...

    def remove(self, name: str) -> None:
        """It is not true any more."""
        ...

    def encode(self, documents: Sequence[Document]) -> None:
        """Compute the features of documents of one item, where they are not there yet."""
        ...

    def estimate(self, documents: Sequence[Document]) -> list[Estimate]:
        """What the version that answers thinks of each; nothing before the first one."""
        ...


class TimeRewards(Versions, Protocol):
    """The reward models of a project's recordings. Features of recordings are computed once and kept."""

    def encode(self, item: Item) -> None:
        """Compute the features of a recording. Raises HitlError where it cannot be read."""
        ...

    def put(self, item: str, labels: Mapping[str, TimeLabel]) -> None:
        """These, under their ids, are the labels of an item that is encoded; in place of those before."""
        ...

    def estimate(self, item: str, segments: Sequence[tuple[int, int]]) -> TimeEstimate | None:
        """What the version that answers thinks of an item that is encoded; None before the first one. segments:
        milliseconds."""
        ...


class Gate:
    """Whether a new version may answer: not where it is clearly worse on what it has not seen. of: what is counted
    there, in words."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._mean_f1: float | None = None

    def passes(self, trained: Trained) -> tuple[bool, str]:
        """Whether, and why, in words. What passes is what the next one is compared with."""
        measured = [value for value in trained.f1.values() if value == value]  # without what could not be measured
        mean = sum(measured) / len(measured) if measured else None
        of = f"{trained.held_out} {self._of}"
        if mean is None or trained.held_out < GATE_ITEMS or self._mean_f1 is None:
            self._mean_f1 = mean
            return True, f"promoted; {of}, too few to compare versions"
        if mean < self._mean_f1 - GATE_MARGIN:
            return False, f"not promoted: F1 on {of} fell from {self._mean_f1:.2f} to {mean:.2f}"
        before, self._mean_f1 = self._mean_f1, mean
        return True, f"promoted: F1 on {of} is {mean:.2f}, it was {before:.2f}"
