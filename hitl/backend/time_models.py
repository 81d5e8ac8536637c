"""The reward models of a project's recordings, as its learner needs them: `policies.rewards.trajectory` behind the
interface `TimeRewards`. With torch.

    <data>/projects/<name>/rewards/t<number>/    promoted versions, the latest few
    <data>/features/moments/                     what the low level sees, for all projects

Features are made by the frozen low level of the policy that the settings name. Knows nothing of sockets, threads or
people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hitl.annotation.items import Item
from hitl.annotation.project import Project
from hitl.backend.kept_versions import KeptVersions
from hitl.backend.models import model_folder
from hitl.backend.pinned_rewards import Pin
from hitl.backend.reward_versions import RewardVersions
from hitl.backend.rewards import SegmentEstimate, TimeEstimate, Trained
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.moment_features import episode_features
from hitl.sessions.catalog import Catalog
from hitl.sessions.finding import find_recording
from hitl.time_labels import time_heads
from policies.errors import PolicyError
from policies.rewards.trajectory.features import Features
from policies.rewards.trajectory.labels import TimeLabel
from policies.rewards.trajectory.learner import TrajectoryLearner, Update
from policies.rewards.trajectory.model import TrajectoryRewards, entropy

if TYPE_CHECKING:
    from policies.hierarchy.policy import HierarchicalPolicy

FEATURES = Path("features") / "moments"
"""In the data folder."""


class LearnedTimes:
    """See `TimeRewards`. features: of an item that is a recording; versions: where promoted ones are kept, and which
    one a person rolled back to; policy: the id of what sees, once it is known."""

    def __init__(
        self,
        learner: TrajectoryLearner,
        features: Callable[[Item], Features],
        versions: RewardVersions,
        policy: Callable[[], str] = str,
    ) -> None:
        self._learner = learner
        self._read = features
        self._policy = policy
        self._features: dict[str, Features] = {}
        self._model: TrajectoryRewards | None = None
        self._promoted: TrajectoryRewards | None = None
        self._kept = KeptVersions(versions.folder, versions.letter, self._save, versions.newest(), versions.pinned)
        self._pin = Pin(versions, lambda name: TrajectoryRewards.load(versions.folder / name))

    def encode(self, item: Item) -> None:
        """See `TimeRewards.encode`."""
        features = self._read(item)
        self._features[item.id] = features
        self._learner.add(item.id, features)

    def put(self, item: str, labels: Mapping[str, TimeLabel]) -> None:
        """See `TimeRewards.put`."""
        self._learner.put(item, labels)

    def update(self) -> Trained | None:
        """See `TimeRewards.update`."""
        made = self._learner.update()
        self._model = self._learner.model
        if self._model is None:
            self._promoted = None
            return None
        about = {"policy": self._policy(), "f1": dict(made.f1), "auroc": dict(made.auroc)}
        self._model = replace(self._model, about=about)
        return self._trained(made)

    def _trained(self, made: Update) -> Trained:
        ranked = ", ".join(f"{head} {area:.2f}" for head, area in made.auroc.items())
        return Trained(
            version=self._kept.new(),
            f1=made.f1,
            pairwise={},
            calibration=made.calibration,
            labelled=len(made.recordings),
            held_out=len(made.recordings) if made.f1 else 0,
            seconds=made.seconds,
            remark=f"AUROC there: {ranked}" if ranked else "",
        )

    def revert(self) -> None:
        """See `TimeRewards.revert`."""
        self._model = self._promoted

    def promote(self) -> None:
        """See `TimeRewards.promote`."""
        self._promoted = self._model
        self._kept.promote()

    def close(self) -> None:
        """See `TimeRewards.close`."""
        self._kept.close()

    def _save(self, folder: Path) -> None:
        if self._promoted is not None:
            self._promoted.save(folder)

    def estimate(self, item: str, segments: Sequence[tuple[int, int]]) -> TimeEstimate | None:
        """See `TimeRewards.estimate`."""
        model = self._pin.model() or self._model
        if model is None or item not in self._features:
            return None
        features = self._features[item]
        curve, scores = model.curve(features), model.score(features, segments) if segments else []
        weight = {head.key: head.weight if head.praise else -head.weight for head in model.heads}
        thresholds = {head: model.thresholds[head] for head in model.known}
        doubts = [float(entropy(curve.chances[head]).mean()) for head in model.known]
        return TimeEstimate(
            segments={
                head: [
                    SegmentEstimate(
                        score.start_ms, score.end_ms, chance := score.chances[head], chance > thresholds[head],
                        weight[head] * chance,
                    )
                    for score in scores
                ]
                for head in model.known
            },
            curves={head: curve.chances[head].tolist() for head in model.known},
            thresholds=thresholds,
            step_ms=round(1000 / features.rate_hz),
            uncertainty=float(np.mean(doubts)) if doubts else 1.0,
        )  # fmt: skip


class PolicyFeatures:
    """Features of recordings by the policy that the settings name, which is loaded when the first is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catalog = Catalog(settings.data_folder)
        self._policy: HierarchicalPolicy | None = None

    def __call__(self, item: Item) -> Features:
        """Raises InputError where the recording cannot be read, UnavailableError where the policy cannot be loaded."""
        path, episode = find_recording(self._catalog, item.recording, item.extra)
        try:
            policy = self._loaded()
            return episode_features(path, episode, policy, self._settings.data_folder / FEATURES)
        except PolicyError as problem:
            raise UnavailableError(problem.message, field=problem.field, hint=problem.hint) from problem

    def policy(self) -> str:
        """The id of the policy; empty before it is loaded."""
        return str(self._policy.description.get("id", "")) if self._policy is not None else ""

    def _loaded(self) -> HierarchicalPolicy:
        from policies.hierarchy.policy import HierarchicalPolicy

        if self._policy is None:
            self._policy = HierarchicalPolicy.load(model_folder(self._settings)[1], self._settings.device)
        return self._policy


def load_times(project: Project, settings: Settings, versions: RewardVersions) -> LearnedTimes:
    """The reward models of a project's recordings, with nothing learned: that comes from the labels in the log."""
    import torch

    torch.set_num_threads(1)  # it shares the cores with the robot's policy and the window
    features = PolicyFeatures(settings)
    learner = TrajectoryLearner(time_heads(project.schema))
    return LearnedTimes(learner, features, versions, features.policy)
