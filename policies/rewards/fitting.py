"""From features and labels to heads. Pure functions of arrays; knows nothing of documents, ids and files.

Heads of segments are logistic regressions. Heads of whole answers compare: `coverage` first learns how much each
source sentence is wanted, given the question, and then weighs how much of that the answer says; both kinds end in a
Bradley-Terry score. What a head is calibrated with comes from fits that did not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from policies.rewards.features import COUNTED, PROJECTED, Features
from policies.rewards.heads import FOLDS, Floats, Linear, fit, out_of_fold, sigmoid, temperature, threshold

RIDGE = np.concatenate([np.full(COUNTED, 50.0), np.full(PROJECTED, 700.0)])
"""Chosen by cross-validation on qa-feedback: what is counted tells most, and states little with few answers."""
_SOURCE_RIDGE = 10.0
_WHOLE_RIDGE = 10.0
COVERAGE_FEATURES = ("wanted and said", "wanted and said, softly", "said", "sentences said")


@dataclass(frozen=True)
class SegmentHead:
    """chance = sigmoid(logit / temperature); an error where it is above `threshold`. categories: of errors, each with
    how likely it is of a segment that has one."""

    linear: Linear
    temperature: float
    threshold: float
    categories: Mapping[str, Linear] = field(default_factory=dict)

    def chances(self, rows: NDArray[np.floating]) -> Floats:
        """rows `(segments, COUNTED + PROJECTED)` -> `(segments,)`."""
        return sigmoid(self.linear.logits(rows) / self.temperature)

    def likeliest(self, rows: NDArray[np.floating]) -> tuple[str, ...]:
        """The category of each segment, if it has an error; nothing where the head tells none apart."""
        if not self.categories:
            return ()
        names = list(self.categories)
        logits = np.stack([linear.logits(rows) for linear in self.categories.values()])
        return tuple(names[at] for at in logits.argmax(0))


@dataclass(frozen=True)
class WholeHead:
    """Scores answers. wanted: of a coverage head. middle and spread: of the scores of the answers it learned from."""

    linear: Linear
    temperature: float
    wanted: Linear | None
    middle: float
    spread: float

    def score(self, features: Features) -> float:
        """The difference of two scores is the log-odds that the first answer is better."""
        return float(self.scores([features])[0])

    def scores(self, features: Sequence[Features]) -> Floats:
        """Of several answers at once: `(answers,)`."""
        lengths = np.cumsum([len(one.sources) for one in features])[:-1]
        chances = _wanted(self.wanted, np.concatenate([one.sources for one in features]))
        return self.linear.logits(whole_rows(features, np.split(chances, lengths))) / self.temperature


@dataclass(frozen=True)
class SegmentData:
    """rows `(n, d)`, targets `(n,)` in {0, 1}, folds `(n,)`: equal for one question. categories: each with `(n,)`
    in {0, 1}, nan where there is no error or its category is not known."""

    rows: NDArray[np.float32]
    targets: Floats
    folds: NDArray[np.int64]
    categories: Mapping[str, Floats] = field(default_factory=dict)


def fit_segment_head(data: SegmentData, start: SegmentHead | None = None) -> SegmentHead | None:
    """None where there is one class alone to learn from."""
    if len(np.unique(data.targets)) < 2:
        return None
    linear = fit(data.rows, data.targets, RIDGE, start=start.linear if start else None)
    unseen = out_of_fold(data.rows, data.targets, RIDGE, data.folds, start=linear)
    heat = temperature(unseen, data.targets)
    return SegmentHead(linear, heat, threshold(sigmoid(unseen / heat), data.targets), _fit_categories(data, start))


def _fit_categories(data: SegmentData, start: SegmentHead | None) -> dict[str, Linear]:
    """One regression for each category that was marked, on the errors alone."""
    fitted = {}
    for name, values in data.categories.items():
        known = np.isfinite(values)
        if (values[known] > 0.5).any():
            before = start.categories.get(name) if start else None
            fitted[name] = fit(data.rows[known], values[known], RIDGE, start=before)
    return fitted


@dataclass(frozen=True)
class WholeData:
    """features of answers with the fold of each; pairs (better, worse) of them; wanted: what is known of the source
    sentences of some answers, by index: 1, 0 or nan."""

    features: Sequence[Features]
    folds: NDArray[np.int64]
    pairs: Sequence[tuple[int, int]]
    wanted: Sequence[tuple[int, Floats]] = ()


def fit_whole_head(data: WholeData, start: WholeHead | None = None) -> WholeHead | None:
    """None where there is no pair to learn from."""
    if not data.pairs:
        return None
    wanted, chances = _fit_wanted(data, start)
    rows = whole_rows(data.features, chances)
    pairs = np.array(data.pairs)
    differences = rows[pairs[:, 0]] - rows[pairs[:, 1]]
    folds = data.folds[pairs[:, 0]]
    ridge = np.full(rows.shape[1], _WHOLE_RIDGE)
    ridge[len(COVERAGE_FEATURES) :] = 100.0

    def compare(kept: NDArray[np.bool_], begin: Linear | None) -> Linear:
        return fit(differences[kept], np.ones(int(kept.sum())), ridge, differences=True, start=begin)

    linear = compare(np.ones(len(pairs), bool), start.linear if start else None)
    unseen = np.zeros(len(pairs))
    for fold in range(FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            unseen[held] = compare(~held, linear).logits(differences[held])
    heat = temperature(unseen, np.ones(len(unseen)))
    scores = linear.logits(rows) / heat
    return WholeHead(linear, heat, wanted, float(scores.mean()), float(scores.std()) or 1.0)


def _fit_wanted(data: WholeData, start: WholeHead | None) -> tuple[Linear | None, list[Floats]]:
    """What is wanted of sources, and the chances for each answer by a fit that did not see its question."""
    known = [(at, values) for at, values in data.wanted if np.isfinite(values).any()]
    if not known or len(np.unique(np.concatenate([v[np.isfinite(v)] for _, v in known]))) < 2:
        return None, [_wanted(None, one.sources) for one in data.features]
    rows = np.concatenate([data.features[at].sources[np.isfinite(values)] for at, values in known])
    targets = np.concatenate([values[np.isfinite(values)] for _, values in known])
    folds = np.concatenate([np.full(int(np.isfinite(values).sum()), data.folds[at]) for at, values in known])
    ridge = np.full(rows.shape[1], _SOURCE_RIDGE)
    linear = fit(rows, targets, ridge, start=start.wanted if start else None)
    by_fold = [
        fit(rows[folds != fold], targets[folds != fold], ridge, start=linear)
        if len(np.unique(targets[folds != fold])) == 2
        else linear
        for fold in range(FOLDS)
    ]
    lengths = [len(one.sources) for one in data.features]
    sources = np.concatenate([one.sources for one in data.features])
    owner = np.repeat(data.folds, lengths)
    chances = np.zeros(len(sources))
    for fold, one in enumerate(by_fold):
        chances[owner == fold] = sigmoid(one.logits(sources[owner == fold]))
    return linear, np.split(chances, np.cumsum(lengths)[:-1])


def _wanted(linear: Linear | None, sources: NDArray[np.floating]) -> Floats:
    """How much each source sentence is wanted: rows `(sentences, SOURCE_FEATURES)` -> `(sentences,)`."""
    if linear is None:
        return np.full(len(sources), 0.5)
    return sigmoid(linear.logits(sources)) if len(sources) else np.zeros(0)


def whole_rows(features: Sequence[Features], wanted: Sequence[Floats]) -> Floats:
    """`(answers, COVERAGE_FEATURES + COUNTED)`. The root of a chance is a softer weight than the chance."""
    count = len(features)
    if not count:
        return np.zeros((0, len(COVERAGE_FEATURES) + COUNTED))
    lengths = [len(one.covered) for one in features]
    owner = np.repeat(np.arange(count), lengths)
    said, chances = np.concatenate([one.covered for one in features]), np.concatenate(wanted)

    def total(values: Floats) -> Floats:
        return np.bincount(owner, values, minlength=count).astype(np.float64)

    columns = [total(w * said) / np.maximum(total(w), 1e-9) for w in (chances, np.sqrt(chances))]
    columns += [total(said) / np.maximum(lengths, 1), np.log1p(total(said))]
    counted = np.stack([one.whole[:COUNTED] for one in features]).astype(np.float64)
    return np.concatenate([np.stack(columns, 1), counted], 1)
