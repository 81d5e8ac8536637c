"""From published feedback to what a RewardLearner takes: documents, and labels with ids.

Files are read as an import reads them, and labels are made of them as of what people mark in the window, so that the
models that are evaluated are the ones that learn while people label. Knows nothing of heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hitl.annotation.presets import preset
from hitl.annotation.state import by_item
from hitl.annotation.state import labels_of as said_in
from hitl.errors import InputError
from hitl.interchange import fine_grained
from hitl.interchange.exchange import Reading
from hitl.reward_examples import documents_of, heads_of, labels_of
from policies.rewards.backbone import load_backbone
from policies.rewards.documents import Document, HeadSpec, Label, Preferred, SegmentLabels
from policies.rewards.encoder import RewardEncoder
from policies.rewards.ensemble import Ensemble
from policies.rewards.learner import RewardLearner
from policies.rewards.tuning import RewardNetwork, Tuning, tune

HEADS: tuple[HeadSpec, ...] = heads_of(preset(fine_grained.NAME))
"""Those of a project with the published schema."""


@dataclass(frozen=True)
class Question:
    """One question with its answers and everything that is known of them, by id. Only `documents` are ever inputs."""

    documents: tuple[Document, ...]
    labels: Mapping[str, Label]

    def segments(self, head: str) -> SegmentLabels | None:
        """What is known of the first answer, the only one that has spans."""
        found = self.labels.get(f"{head}@{self.documents[0].id}")
        return found if isinstance(found, SegmentLabels) else None

    def pairs(self, head: str) -> list[tuple[int, int]]:
        """(better, worse) as places among `documents`; ties are left out."""
        at = {document.id: place for place, document in enumerate(self.documents)}
        pairs = [x for x in self.labels.values() if isinstance(x, Preferred) and x.head == head]
        return [(at[pair.better], at[pair.worse]) for pair in pairs]


def read_questions(path: Path) -> list[Question]:
    """All examples of a file of feedback. Raises InputError naming file, example and field."""
    found = fine_grained.read(path, Reading(project=fine_grained.NAME))
    if not found.items:
        raise InputError("holds no examples.", field=str(path), hint="Give feedback in the published JSON.")
    if not found.events:
        raise InputError(
            "holds prompts and no feedback.", field=str(path), hint="Give train_feedback.json or dev_feedback.json."
        )
    said = {item: said_in(steps) for (item, _), steps in by_item(found.events).items()}
    return [
        Question(tuple(documents_of(found.schema, item)), labels_of(found.schema, item, [said[item.id]]))
        for item in found.items
    ]


def taught(encoder: RewardEncoder, questions: Sequence[Question], *, held_out: float = 0.0) -> RewardLearner:
    """A learner that has learned all labels of these questions."""
    learner = RewardLearner(encoder, HEADS, held_out=held_out)
    for question in questions:
        learner.add(question.documents)
        for label_id, label in question.labels.items():
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
        for label_id, label in question.labels.items()
        if label.head in wanted
    }
    tune(network, documents, labels, Tuning(mode="full", epochs=epochs, batch=8, rate=5e-5, seed=seed))
    return Ensemble((learner, network))
