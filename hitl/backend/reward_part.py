"""A part of a project that has reward models of its own: its texts, or its recordings. The interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hitl.annotation.items import Item
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import ChanceCurve, SegmentScore, Suggestion
from hitl.backend.rewards import Versions


@dataclass(frozen=True)
class Suggested:
    """What `Suggestions` says of one item, but whose and which version."""

    spans: list[Suggestion] = field(default_factory=list)
    segments: list[SegmentScore] = field(default_factory=list)
    curves: list[ChanceCurve] = field(default_factory=list)
    preferences: list[float | None] = field(default_factory=list)
    uncertainty: float = 0.0
    error: str = ""


class Part(Protocol):
    """People are given as author -> labels."""

    @property
    def rewards(self) -> Versions:
        """Its models."""
        ...

    def encode(self, item: Item) -> str:
        """See to it that the features of an item are there; why they cannot be, or nothing."""
        ...

    def put(self, item: Item, people: Mapping[str, ItemLabels]) -> bool:
        """Tell the models what is true of an item that is encoded; whether anything changed."""
        ...

    def doubts(self) -> Mapping[str, float]:
        """Item -> how uncertain it is, 0 to 1; of those that are encoded, where anything is known."""
        ...

    def suggested(self, item: Item, people: Mapping[str, ItemLabels], usual: Callable[[str], str]) -> Suggested | None:
        """What the version that answers thinks of an item that is encoded; None where there is none. usual: head ->
        the category that people mark most often."""
        ...
