"""From published feedback to what a RewardLearner takes: documents, and labels with ids. Knows nothing of heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hitl.evaluation.fine_grained_data import Example
from hitl.evaluation.fine_grained_labels import (
    Coverage,
    coverages,
    factuality_labels,
    preference_pairs,
    relevance_labels,
)
from hitl.evaluation.progress import Progress
from policies.rewards.backbone import load_backbone
from policies.rewards.documents import Document, Label, Preferred, SegmentLabels, Wanted
from policies.rewards.encoder import RewardEncoder
from policies.rewards.ensemble import Ensemble
from policies.rewards.learner import RewardLearner
from policies.rewards.tuning import RewardNetwork, Tuning, tune


@dataclass(frozen=True)
class Question:
    """One question with its four answers and everything that is known of them. Only `documents` are ever inputs."""

    documents: tuple[Document, ...]
    relevance: tuple[int | None, ...]
    factuality: tuple[int | None, ...]
    coverage: Coverage
    preferred: tuple[tuple[int, int], ...]

    def labels(self) -> dict[str, Label]:
        """What a learner may learn from, by id."""
        first, made = self.documents[0].id, dict[str, Label]()
        made[f"{first} relevance"] = SegmentLabels("relevance", first, self.relevance)
        made[f"{first} factuality"] = SegmentLabels("factuality", first, self.factuality)
        if self.coverage.wanted:
            made[f"{first} wanted"] = Wanted("completeness", first, self._wanted())
        for head, pairs in (("completeness", self.coverage.pairs), ("preference", self.preferred)):
            for better, worse in pairs:
                label = Preferred(head, self.documents[better].id, self.documents[worse].id)
                made[f"{first} {head} {better + 1}>{worse + 1}"] = label
        return made

    def _wanted(self) -> tuple[bool, ...]:
        sources = self.documents[0].sources
        return tuple(
            (p, s) in self.coverage.wanted for p, passage in enumerate(sources, 1) for s in range(1, len(passage))
        )


def questions_of(examples: Sequence[Example], cache: Path | None, progress: Progress) -> list[Question]:
    """Labels by the published rules. cache: folder that keeps the slow ones."""
    found = coverages(examples, cache / "coverage.json" if cache else None, progress.of("labels"))
    return [
        Question(
            example.documents,
            relevance_labels(example),
            factuality_labels(example),
            coverage,
            tuple(preference_pairs(example)),
        )
        for example, coverage in zip(examples, found, strict=True)
    ]


def taught(encoder: RewardEncoder, questions: Sequence[Question], *, held_out: float = 0.0) -> RewardLearner:
    """A learner that has learned all labels of these questions."""
    learner = RewardLearner(encoder, held_out=held_out)
    for question in questions:
        learner.add(question.documents)
        for label_id, label in question.labels().items():
            learner.put(label_id, label)
    learner.update()
    return learner


def tuned(encoder: RewardEncoder, questions: Sequence[Question], epochs: int, seed: int) -> Ensemble:
    """The heads of a learner, and beside them the encoder itself trained on all weights.

    An encoder of short contexts is trained on relevance alone, for which question and answer are enough.
    """
    learner = taught(encoder, questions)
    backbone = load_backbone(encoder.name, encoder.device, torch.float32)
    wanted = {"relevance"} if backbone.layout == "blocks" else {"relevance", "factuality"}
    network = RewardNetwork(backbone, [head for head in learner.heads if head.name in wanted])
    documents = {document.id: document for question in questions for document in question.documents}
    labels = {
        label_id: label
        for question in questions
        for label_id, label in question.labels().items()
        if label.head in wanted
    }
    tune(network, documents, labels, Tuning(mode="full", epochs=epochs, batch=8, rate=5e-5, seed=seed))
    return Ensemble((learner, network))
