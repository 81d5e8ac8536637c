"""The reward models of a project's texts, as its learner needs them: `policies.rewards` behind the interface
`Rewards`. With torch.

    <data>/projects/<name>/rewards/r<number>/   promoted versions, the latest few
    <data>/features/                             what encoders read, for all projects

Knows nothing of sockets, threads or people.
"""

from __future__ import annotations

from collections.abc import Sequence

from hitl.annotation.project import Project
from hitl.backend.kept_versions import KeptVersions
from hitl.backend.pinned_rewards import PinnedRewards
from hitl.backend.reward_versions import RewardVersions
from hitl.backend.rewards import Estimate, SegmentEstimate, Trained
from hitl.config import Settings
from hitl.errors import CheckpointError, UnavailableError
from hitl.reward_examples import heads_of, item_of
from policies.errors import PolicyError
from policies.rewards.checkpoint import load_learner, save_learner
from policies.rewards.documents import Document, Label, Preferred
from policies.rewards.encoder import RewardEncoder
from policies.rewards.learner import RewardLearner, Update
from policies.rewards.model import Prediction


class LearnedRewards:
    """See `Rewards`. versions: where promoted ones are kept."""

    def __init__(self, learner: RewardLearner, versions: RewardVersions) -> None:
        self._learner = learner
        self._kept = KeptVersions(
            versions.folder, "r", lambda into: save_learner(learner, into), versions.newest(), versions.pinned
        )
        self._labels: dict[str, Label] = {}
        self._documents: dict[str, Document] = {}
        self._promoted = dict(learner.fitted)

    def put(self, name: str, label: Label) -> None:
        """See `Rewards.put`."""
        self._learner.put(name, label)
        self._labels[name] = label

    def remove(self, name: str) -> None:
        """See `Rewards.remove`."""
        self._learner.remove(name)
        self._labels.pop(name, None)

    def encode(self, documents: Sequence[Document]) -> None:
        """See `Rewards.encode`. Raises UnavailableError where the encoder cannot be loaded."""
        self._learner.add(documents)
        self._documents.update({document.id: document for document in documents})
        try:
            self._learner.encoder.features(documents)
        except PolicyError as problem:
            raise UnavailableError(problem.message, field=problem.field, hint=problem.hint) from problem

    def update(self) -> Trained | None:
        """See `Rewards.update`."""
        made = self._learner.update()
        if not self._learner.fitted:
            return None
        return self._trained(made)

    def _trained(self, made: Update) -> Trained:
        learned: set[str] = set()
        held: set[str] = set()
        for label in self._labels.values():
            name = label.better if isinstance(label, Preferred) else label.document
            (held if self._learner.is_held_out(self._documents[name]) else learned).add(item_of(name))
        scores = made.scores
        return Trained(
            version=self._kept.new(),
            f1={head: score.f1 for head, score in scores.items() if score.f1 is not None},
            pairwise={head: score.accuracy for head, score in scores.items() if score.f1 is None},
            calibration={h: s.calibration_error for h, s in scores.items() if s.calibration_error is not None},
            labelled=len(learned),
            held_out=len(held),
            seconds=made.seconds,
        )

    def revert(self) -> None:
        """See `Rewards.revert`."""
        self._learner.fitted = dict(self._promoted)

    def promote(self) -> None:
        """See `Rewards.promote`."""
        self._promoted = dict(self._learner.fitted)
        self._kept.promote()

    def close(self) -> None:
        """See `Rewards.close`."""
        self._kept.close()

    def estimate(self, documents: Sequence[Document]) -> list[Estimate]:
        """See `Rewards.estimate`."""
        if not self._learner.fitted:
            return []
        found = self._learner.predict(documents)
        return [self._estimate(document, one) for document, one in zip(documents, found, strict=True)]

    def _estimate(self, document: Document, found: Prediction) -> Estimate:
        segments = {}
        for head in self._learner.heads:
            if head.kind == "error" and head.name in self._learner.fitted:
                spans = document.spans(head.density)
                rows = zip(
                    spans, found.chances[head.name], found.errors[head.name], found.rewards[head.name],
                    found.categories.get(head.name) or [""] * len(spans), strict=True,
                )  # fmt: skip
                segments[head.name] = [
                    SegmentEstimate(*span, chance, error, reward, category)
                    for span, chance, error, reward, category in rows
                ]
        scores = {name: score for name, score in found.scores.items() if name in self._learner.fitted}
        return Estimate(segments, scores, found.uncertainty)


def load_rewards(project: Project, settings: Settings, versions: RewardVersions) -> PinnedRewards:
    """The reward models of a project's texts, with nothing learned: that comes from the labels in the log. A version
    that a person rolled back to answers as it did."""
    import torch

    torch.set_num_threads(1)  # it shares the cores with the robot's policy and the window
    encoder = RewardEncoder(
        settings.encoder or "minilm", device=settings.device, cache=settings.data_folder / "features"
    )
    heads = heads_of(project.schema)

    def load(version: str) -> LearnedRewards:
        saved = load_learner(versions.folder / version, encoder)
        if {head.name for head in saved.heads} != {head.name for head in heads}:
            raise CheckpointError(f"{version} learned other heads", hint="Let the newest answer: --latest.")
        return LearnedRewards(saved, versions)

    return PinnedRewards(LearnedRewards(RewardLearner(encoder, heads), versions), versions, load)
