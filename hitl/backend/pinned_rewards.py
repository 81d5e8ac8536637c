"""Reward models of which an earlier version answers while a person has pinned it; the others learn on behind it.

Everything but `estimate` goes to the models that learn, so that the newest version is there when the pin is taken
away. Knows nothing of sockets, threads or people.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from hitl.backend.reward_versions import RewardVersions
from hitl.backend.rewards import Estimate, Rewards, Trained
from hitl.errors import HitlError
from policies.errors import PolicyError
from policies.rewards.documents import Document, Label

log = logging.getLogger("hitl.learner")

Model = TypeVar("Model")


class Answers(Protocol):
    """What a pinned version can do."""

    def estimate(self, documents: Sequence[Document]) -> list[Estimate]:
        """See `Rewards.estimate`."""
        ...


class Pin(Generic[Model]):
    """The pinned version, loaded when it is asked for. load: one by its name; raises CheckpointError of either
    kind."""

    def __init__(self, versions: RewardVersions, load: Callable[[str], Model]) -> None:
        self._versions, self._load = versions, load
        self._name = ""
        self._model: Model | None = None

    def model(self) -> Model | None:
        """None where nobody rolled back, or where that version cannot be loaded, which `versions.problem` says."""
        name = self._versions.pinned()
        if name != self._name:
            self._name, self._model, self._versions.problem = name, None, ""
            if name:
                try:
                    self._model = self._load(name)
                except (HitlError, PolicyError) as error:
                    self._versions.problem = str(error)
                    log.error("the pinned version %s cannot answer: %s", name, error)
        return self._model


class PinnedRewards:
    """See `Rewards`. load: a version by its name, to answer alone; raises CheckpointError of either kind."""

    def __init__(self, learning: Rewards, versions: RewardVersions, load: Callable[[str], Answers]) -> None:
        self._learning = learning
        self._pin = Pin(versions, load)

    def put(self, name: str, label: Label) -> None:
        """See `Rewards.put`."""
        self._learning.put(name, label)

    def remove(self, name: str) -> None:
        """See `Rewards.remove`."""
        self._learning.remove(name)

    def encode(self, documents: Sequence[Document]) -> None:
        """See `Rewards.encode`."""
        self._learning.encode(documents)

    def update(self) -> Trained | None:
        """See `Rewards.update`."""
        return self._learning.update()

    def revert(self) -> None:
        """See `Rewards.revert`."""
        self._learning.revert()

    def promote(self) -> None:
        """See `Rewards.promote`."""
        self._learning.promote()

    def estimate(self, documents: Sequence[Document]) -> list[Estimate]:
        """See `Rewards.estimate`: of the pinned version where there is one that can be loaded."""
        return (self._pin.model() or self._learning).estimate(documents)

    def close(self) -> None:
        """See `Rewards.close`."""
        self._learning.close()
