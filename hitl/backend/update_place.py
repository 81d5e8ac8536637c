"""The gradient work of the high level's updates at another place: weights and examples go there, weights come back.

The learner's process stays what it is: it reads the log, chooses examples, judges and writes versions. What an update
depends on besides the base goes with each call, so a worker that is lost is made anew with the base weights and base
data, and the same call gives the same weights. Needs torch. Knows no places but by their interface.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import Tensor

from hitl.jobs import Kept, Place
from policies.hierarchy.examples import Example
from policies.hierarchy.high_level import HighLevelPolicy
from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings, Update
from policies.hierarchy.high_level_training import Moments


class UpdateWorker:
    """At the other place: a learner of the same base, which is given everything else with each call."""

    def __init__(
        self, high_level: HighLevelPolicy, bank: Mapping[str, Tensor], base: Moments, settings: LearnerSettings
    ) -> None:
        self._learner = HighLevelLearner(high_level, bank, base, settings)

    def update(
        self,
        newest: dict[str, Tensor] | None,
        bank: Mapping[str, Tensor],
        examples: Sequence[Example],
        anew: bool,
        fresh: Collection[str],
        stop: Callable[[], bool],
    ) -> tuple[dict[str, Tensor], float]:
        """The new weights and the loss, as `HighLevelLearner.update`; newest: to learn on from."""
        learner = self._learner
        learner.take_bank(bank)
        if newest is not None:
            learner.start_from(_model(learner, newest))
        update = learner.update(examples, anew=anew, fresh=fresh, stop=stop)
        return update.model.state_dict(), update.loss


class UpdatesThere:
    """Called as `HighLevelLearner.update` is, with the same result; `learner` has the newest weights and the bank."""

    def __init__(self, learner: HighLevelLearner, kept: Kept) -> None:
        self._learner, self._kept = learner, kept

    @classmethod
    def at(cls, place: Place, learner: HighLevelLearner, *made_of: Any) -> UpdatesThere:
        """made_of: what `learner` was made of, which goes there once."""
        return cls(learner, place.keep(UpdateWorker, *made_of))

    def __call__(
        self,
        examples: Sequence[Example],
        *,
        anew: bool,
        fresh: Collection[str] = (),
        stop: Callable[[], bool] = lambda: False,
    ) -> Update:
        """Raises UnavailableError where the place is gone; then nothing was learned."""
        begun, learner = time.monotonic(), self._learner
        newest = None if anew else learner.first_and_newest()[1].state_dict()
        weights, loss = self._kept.call("update", newest, learner.bank, list(examples), anew, tuple(fresh), stop=stop)
        model = _model(learner, weights)
        learner.start_from(model)
        return Update(model, loss, anew, time.monotonic() - begun)

    def close(self) -> None:
        """Let the worker go."""
        self._kept.close()


def _model(learner: HighLevelLearner, weights: Mapping[str, Tensor]) -> HighLevelPolicy:
    made = copy.deepcopy(learner.first_and_newest()[0])
    made.load_state_dict(weights)
    return made
