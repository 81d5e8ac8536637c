"""A reward model that learns while people label: documents and labels in, new heads in a moment, predictions out.

The encoder stays as it is and every answer is read once, so an update fits heads on features that are there already.
Labels have ids and can be changed and taken back. A fixed share of the questions is never learned from and shows how
good the heads are. Equal labels give equal heads, in whatever order they came. Knows nothing of logs and windows.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from policies.errors import PolicyError
from policies.rewards.documents import FINE_GRAINED, Document, HeadSpec, Label, Preferred, SegmentLabels, Wanted
from policies.rewards.encoder import RewardEncoder
from policies.rewards.features import Features
from policies.rewards.fitting import SegmentData, SegmentHead, WholeData, WholeHead, fit_segment_head, fit_whole_head
from policies.rewards.heads import FOLDS, Floats, calibration_error, f1
from policies.rewards.model import Prediction

Head = SegmentHead | WholeHead
HELD_OUT = 0.2


@dataclass(frozen=True)
class Score:
    """On the questions held out. f1: of errors, and accuracy, of `n` segments; for heads that compare answers: f1 is
    None and accuracy is the share of `n` pairs. calibration_error: of the chances, None where answers are compared."""

    f1: float | None
    accuracy: float
    calibration_error: float | None
    n: int


@dataclass(frozen=True)
class Update:
    """version: counts updates; labels: ids that were learned from, sorted; scores: by head, where some is held out."""

    version: int
    labels: tuple[str, ...]
    seconds: float
    scores: Mapping[str, Score] = field(default_factory=dict)


class RewardLearner:
    """heads: what is scored. held_out: the share of questions that only measure, chosen by their content; 0 for none.

    Methods may be called from several threads. `predict` uses the heads of the latest update.
    """

    def __init__(
        self,
        encoder: RewardEncoder,
        heads: Sequence[HeadSpec] = FINE_GRAINED,
        *,
        held_out: float = HELD_OUT,
        seed: int = 0,
    ) -> None:
        self.encoder = encoder
        self.held_out = held_out
        self.seed = seed
        self.fitted: dict[str, Head] = {}
        self.latest = Update(0, (), 0.0)
        self._heads = tuple(heads)
        self._by_name = {head.name: head for head in heads}
        self._documents: dict[str, Document] = {}
        self._labels: dict[str, Label] = {}
        self._lock = threading.Lock()

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """In the order of their rewards."""
        return self._heads

    def add(self, documents: Sequence[Document]) -> None:
        """Documents that labels can speak of; the encoder reads them at the next update or prediction.

        Raises PolicyError where a labelled document would become another one under its id.
        """
        with self._lock:
            labelled = {name for label in self._labels.values() for name in _named(label)}
            for document in documents:
                known = self._documents.get(document.id)
                if known is not None and document.id in labelled and known.content != document.content:
                    raise PolicyError(
                        "has labels and is another text now.", field=document.id, hint="Remove them first."
                    )
            self._documents.update({document.id: document for document in documents})

    def put(self, label_id: str, label: Label) -> None:
        """Add a label, or replace the one of that id. Raises PolicyError where it fits no document or head."""
        with self._lock:
            self._check(label_id, label)
            self._labels[label_id] = label

    def remove(self, label_id: str) -> None:
        """Take a label back; from the next update on it is as if it never was. One that is not there is no error."""
        with self._lock:
            self._labels.pop(label_id, None)

    def is_held_out(self, document: Document) -> bool:
        """Whether a document only measures. All answers to one question go the same way."""
        return _fraction(f"{self.seed} {document.group}") < self.held_out

    def update(self) -> Update:
        """Fit all heads to the labels there are now."""
        began = time.perf_counter()
        with self._lock:
            labels = dict(sorted(self._labels.items()))
            documents = dict(self._documents)
        used = {name for label in labels.values() for name in _named(label)}
        ordered = [documents[name] for name in sorted(used)]
        features = dict(zip(sorted(used), self.encoder.features(ordered), strict=True))
        train = {i: x for i, x in labels.items() if not self.is_held_out(documents[_named(x)[0]])}
        measure = {i: x for i, x in labels.items() if i not in train}
        fitted = {}
        for head in self._heads:
            made = self._fit(head, [x for x in train.values() if x.head == head.name], documents, features)
            if made is not None:
                fitted[head.name] = made
        scores = {}
        for head in self._heads:
            held = [x for x in measure.values() if x.head == head.name]
            score = _score(fitted.get(head.name), head, held, features)
            if score is not None:
                scores[head.name] = score
        with self._lock:
            self.fitted = fitted
            seconds = time.perf_counter() - began
            self.latest = Update(self.latest.version + 1, tuple(train), seconds, scores)
            return self.latest

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """A head that has learned nothing yet says a half, pays nothing and is wholly uncertain."""
        fitted = self.fitted
        return [
            predict_one(self._heads, fitted, document, features)
            for document, features in zip(documents, self.encoder.features(documents), strict=True)
        ]

    def _fit(
        self, head: HeadSpec, labels: list[Label], documents: Mapping[str, Document], features: Mapping[str, Features]
    ) -> Head | None:
        before = self.fitted.get(head.name)
        if head.kind == "error":
            start = before if isinstance(before, SegmentHead) else None
            return fit_segment_head(segment_data(head, labels, documents, features), start)
        return fit_whole_head(
            whole_data(labels, documents, features), before if isinstance(before, WholeHead) else None
        )

    def _check(self, label_id: str, label: Label) -> None:
        head = self._by_name.get(label.head)
        if head is None:
            raise PolicyError(f"is of the head {label.head!r}, which is not there.", field=label_id)
        for name in _named(label):
            if name not in self._documents:
                raise PolicyError(f"speaks of the document {name!r}, which is not there.", field=label_id)
        kinds = {SegmentLabels: ("error",), Preferred: ("preference", "coverage"), Wanted: ("coverage",)}
        if head.kind not in kinds[type(label)]:
            raise PolicyError(f"does not fit the head {head.name}, which is of kind {head.kind}.", field=label_id)
        document = self._documents[_named(label)[0]]
        if isinstance(label, SegmentLabels):
            self._check_categories(label_id, label, head)
            expected = len(document.spans(head.density))
        elif isinstance(label, Wanted):
            expected = sum(len(passage) - 1 for passage in document.sources)
        else:
            return
        if len(label.values) != expected:
            raise PolicyError(f"has {len(label.values)} values, its document {expected} places.", field=label_id)

    def _check_categories(self, label_id: str, label: SegmentLabels, head: HeadSpec) -> None:
        if label.categories and len(label.categories) != len(label.values):
            raise PolicyError(
                f"has {len(label.categories)} categories and {len(label.values)} values.", field=label_id
            )
        unknown = sorted({name for has in label.categories for name in has} - set(head.categories))
        if unknown:
            raise PolicyError(f"has the category {unknown[0]!r}, which {head.name} does not have.", field=label_id)


def predict_one(
    heads: Sequence[HeadSpec], fitted: Mapping[str, Head], document: Document, features: Features
) -> Prediction:
    """What the heads say of one document."""
    chances: dict[str, tuple[float, ...]] = {}
    scores: dict[str, float] = {}
    rewards: dict[str, tuple[float, ...]] = {}
    errors: dict[str, tuple[bool, ...]] = {}
    categories: dict[str, tuple[str, ...]] = {}
    doubts: list[float] = []
    for head in heads:
        made, count = fitted.get(head.name), len(document.spans(head.density))
        if head.kind != "error":
            score = made.score(features) if isinstance(made, WholeHead) else 0.0
            scores[head.name] = score
            level = (score - made.middle) / made.spread if isinstance(made, WholeHead) else 0.0
            rewards[head.name] = (head.weight * level,) * count
            continue
        found = np.full(count, 0.5)
        if isinstance(made, SegmentHead) and count:
            rows = segment_rows(head, features)
            found = made.chances(rows)
            categories[head.name] = made.likeliest(rows)
        limit = made.threshold if isinstance(made, SegmentHead) else 0.5
        chances[head.name] = tuple(float(x) for x in found)
        errors[head.name] = tuple(bool(x > limit) for x in found)
        # The mean of the published plus or minus weight, by the chance of each.
        rewards[head.name] = tuple(float(head.weight * (1 - 2 * x)) for x in found)
        doubts += [1.0 - abs(2 * float(x) - 1) for x in found]
    doubt = float(np.mean(doubts)) if doubts else 0.0
    return Prediction(chances, scores, rewards, errors, doubt, categories)


def segment_rows(head: HeadSpec, features: Features) -> np.ndarray:
    """`(segments, d)` of a head's density."""
    return features.whole[None] if head.density == "whole" else features.segments[head.density]


def segment_data(
    head: HeadSpec, labels: Sequence[Label], documents: Mapping[str, Document], features: Mapping[str, Features]
) -> SegmentData:
    """All segments whose label is known."""
    rows, targets, folds = [np.zeros((0, 0), np.float32)], [np.zeros(0)], [np.zeros(0, np.int64)]
    named: list[np.ndarray] = [np.zeros((0, len(head.categories)))]
    for label in labels:
        if not isinstance(label, SegmentLabels):
            continue
        values = np.array([np.nan if v is None else float(v) for v in label.values])
        known = np.isfinite(values)
        rows.append(segment_rows(head, features[label.document])[known])
        targets.append(values[known])
        folds.append(np.full(int(known.sum()), _fold(documents[label.document])))
        named.append(_categories(head, label)[known])
    categories = np.concatenate(named)
    return SegmentData(
        np.concatenate(rows[1:] or rows),
        np.concatenate(targets),
        np.concatenate(folds),
        {name: categories[:, at] for at, name in enumerate(head.categories)},
    )


def _categories(head: HeadSpec, label: SegmentLabels) -> np.ndarray:
    """`(segments, categories)`: whether a segment has an error of this category; nan where it is not known."""
    rows = [
        [float(name in has) for name in head.categories] if has else [np.nan] * len(head.categories)
        for has in label.categories or [()] * len(label.values)
    ]
    return np.array(rows, np.float64).reshape(len(label.values), len(head.categories))


def whole_data(
    labels: Sequence[Label], documents: Mapping[str, Document], features: Mapping[str, Features]
) -> WholeData:
    """Pairs, and what is wanted of the sources of one answer a question."""
    names = sorted({name for label in labels for name in _named(label)})
    at = {name: index for index, name in enumerate(names)}
    pairs = sorted((at[x.better], at[x.worse]) for x in labels if isinstance(x, Preferred))
    wanted = [
        (at[x.document], np.array([np.nan if v is None else float(v) for v in x.values]))
        for x in labels
        if isinstance(x, Wanted)
    ]
    folds = np.array([_fold(documents[name]) for name in names], np.int64)
    return WholeData([features[name] for name in names], folds, pairs, wanted)


def _named(label: Label) -> tuple[str, ...]:
    return (label.better, label.worse) if isinstance(label, Preferred) else (label.document,)


@lru_cache(maxsize=1 << 16)
def _fraction(text: str) -> float:
    """A fixed number in [0, 1) for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def _fold(document: Document) -> int:
    return int(_fraction(f"fold {document.group}") * FOLDS)


def _score(
    made: Head | None, head: HeadSpec, labels: Sequence[Label], features: Mapping[str, Features]
) -> Score | None:
    if isinstance(made, SegmentHead):
        held = [x for x in labels if isinstance(x, SegmentLabels)]
        pairs = [
            (value, chance)
            for label in held
            for value, chance in zip(
                label.values, made.chances(segment_rows(head, features[label.document])), strict=True
            )
            if value is not None
        ]
        if not pairs:
            return None
        targets: Floats = np.array([value for value, _ in pairs], np.float64)
        chances: Floats = np.array([chance for _, chance in pairs], np.float64)
        said = chances > made.threshold
        right = float((said == (targets > 0.5)).mean())
        return Score(f1(targets, said), right, calibration_error(chances, targets), len(pairs))
    compared = [x for x in labels if isinstance(x, Preferred)]
    if not isinstance(made, WholeHead) or not compared:
        return None
    names = sorted({name for label in compared for name in _named(label)})
    scores = dict(zip(names, made.scores([features[name] for name in names]), strict=True))
    margins = [scores[x.better] - scores[x.worse] for x in compared]
    return Score(None, float(np.mean([0.5 if m == 0 else float(m > 0) for m in margins])), None, len(margins))
