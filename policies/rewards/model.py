"""What a reward model is to those who use it: documents in, chances, rewards and doubt out. Knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.rewards.documents import Document, HeadSpec, Span
from policies.rewards.placement import place_rewards


@dataclass(frozen=True)
class Prediction:
    """Of one document.

    chances: head of kind `error` -> the chance of an error in each segment. scores: other heads -> a score of the
    whole answer, higher is better. rewards: every head -> what each of its segments earns. errors: where the chance
    is above the head's threshold. uncertainty: 0 to 1, how little is known about this answer: what to
    ask a person about first. categories: of heads that tell categories apart the likeliest one of each segment, if it
    has an error.
    """

    chances: Mapping[str, tuple[float, ...]]
    scores: Mapping[str, float]
    rewards: Mapping[str, tuple[float, ...]]
    errors: Mapping[str, tuple[bool, ...]]
    uncertainty: float
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class RewardModel(Protocol):
    """Anything that scores documents, at any density, with any heads."""

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """In the order of their rewards."""
        ...

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """One for each document, in order; what is next to a document in the list makes no difference to it."""
        ...


def token_rewards(
    heads: Sequence[HeadSpec], document: Document, prediction: Prediction, offsets: Sequence[Span]
) -> NDArray[np.float64]:
    """The dense reward `(tokens,)` of a policy's answer, whose tokens have these characters."""
    ends = (
        (end, value)
        for head in heads
        for (_, end), value in zip(document.spans(head.density), prediction.rewards[head.name], strict=True)
    )
    return place_rewards(offsets, ends)
