"""Several reward models as one: their log-odds are averaged. A trained encoder and heads on counts err apart.

A model need not have every head: a head's verdict is that of the models that have it. Rewards, thresholds and doubt
follow from the joint chance. Knows nothing of what the models are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from policies.rewards.documents import Document, HeadSpec
from policies.rewards.model import Prediction, RewardModel

_LEAST = 1e-6


class Ensemble:
    """models: the first one gives the heads, the scores of whole answers, and what no other model has.

    shares: head -> how much each other model's log-odds count beside the first one's; 1 where it is not named.
    """

    def __init__(self, models: Sequence[RewardModel], shares: Mapping[str, float] | None = None) -> None:
        self._first, *self._others = models
        self._shares = dict(shares or {})

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """Those of the first model."""
        return self._first.heads

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """As RewardModel says. The joint error is one where the joint chance is above a half."""
        firsts = self._first.predict(documents)
        others = [model.predict(documents) for model in self._others]
        return [self._joined(first, [other[at] for other in others]) for at, first in enumerate(firsts)]

    def _joined(self, first: Prediction, others: Sequence[Prediction]) -> Prediction:
        chances, errors, rewards = dict(first.chances), dict(first.errors), dict(first.rewards)
        for head in self.heads:
            beside = [other.chances[head.name] for other in others if head.name in other.chances]
            if head.kind != "error" or not beside:
                continue
            share = self._shares.get(head.name, 1.0)
            total = _log_odds(first.chances[head.name]) + share * sum(_log_odds(values) for values in beside)
            odds = total / (1 + share * len(beside))
            joint = 0.5 * (1 + np.tanh(odds / 2))
            chances[head.name] = tuple(float(x) for x in joint)
            errors[head.name] = tuple(bool(x > 0.5) for x in joint)
            rewards[head.name] = tuple(float(head.weight * (1 - 2 * x)) for x in joint)
        doubts = [1 - abs(2 * x - 1) for values in chances.values() for x in values]
        doubt = float(np.mean(doubts)) if doubts else 0.0
        return Prediction(chances, first.scores, rewards, errors, doubt, first.categories)


def _log_odds(chances: Sequence[float]) -> np.ndarray:
    clipped = np.clip(np.asarray(chances, np.float64), _LEAST, 1 - _LEAST)
    odds: np.ndarray = np.log(clipped / (1 - clipped))
    return odds
