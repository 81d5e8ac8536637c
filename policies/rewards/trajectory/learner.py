"""A trajectory reward model that learns while people mark: features and labels of recordings in, a new version in a
second or two, scores out.

Equal labels give equal weights, in whatever order they came. Knows nothing of logs, windows and recordings' files.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from policies.errors import PolicyError
from policies.rewards.trajectory.features import GROUPS, Features
from policies.rewards.trajectory.fitting import Fitted, Settings, fit
from policies.rewards.trajectory.labels import TimeHead, TimeLabel
from policies.rewards.trajectory.model import TrajectoryRewards
from policies.rewards.trajectory.ranking import auroc, calibration_error
from policies.rewards.trajectory.windows import Example


@dataclass(frozen=True)
class Update:
    """version: counts updates; labels: ids that were learned from, sorted; recordings: those that they speak of.

    By head that learns, of members on labels of recordings that they have not seen: auroc, how well they rank; f1, of
    the yes at the head's threshold; calibration: expected calibration error of the chances.
    """

    version: int
    labels: tuple[str, ...]
    seconds: float
    recordings: tuple[str, ...] = ()
    auroc: Mapping[str, float] = field(default_factory=dict)
    f1: Mapping[str, float] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)


class TrajectoryLearner:
    """heads: what is asked; groups: of features that are read. Methods may be called from several threads."""

    def __init__(
        self,
        heads: Sequence[TimeHead],
        *,
        groups: Sequence[str] = GROUPS,
        settings: Settings | None = None,
        seed: int = 0,
    ) -> None:
        self.heads, self.groups = tuple(heads), tuple(groups)
        self.model: TrajectoryRewards | None = None
        """The latest version; None before the first update that had something to learn from."""
        self.latest = Update(0, (), 0.0)
        self._settings, self._seed = settings or Settings(), seed
        self._features: dict[str, Features] = {}
        self._labels: dict[str, dict[str, TimeLabel]] = {}
        self._lock = threading.Lock()

    def add(self, recording: str, features: Features) -> None:
        """A recording that labels can speak of."""
        with self._lock:
            self._features[recording] = features

    def put(self, recording: str, labels: Mapping[str, TimeLabel]) -> None:
        """The labels of a recording as they are now, under their ids; they take the place of those before. Raises
        PolicyError where one does not fit a head or its recording is not there."""
        known = {head.key for head in self.heads}
        for name, label in labels.items():
            if label.head not in known:
                raise PolicyError(f"is of the head {label.head!r}, which is not there.", field=name)
            if not 0 <= label.start_ms < label.end_ms:
                raise PolicyError(f"{label.start_ms} to {label.end_ms} ms is empty.", field=name)
        with self._lock:
            if recording not in self._features:
                raise PolicyError("has no features.", field=recording, hint="Add them first.")
            self._labels[recording] = dict(labels)

    def remove(self, recording: str) -> None:
        """Take all labels of a recording back; from the next update on it is as if they never were. One that has none
        is no error."""
        with self._lock:
            self._labels.pop(recording, None)

    def update(self) -> Update:
        """Learn from the labels there are now."""
        began = time.perf_counter()
        with self._lock:
            labels = {name: dict(sorted(mine.items())) for name, mine in sorted(self._labels.items()) if mine}
            features = {name: self._features[name] for name in labels}
        examples, ids = [], []
        for name, mine in labels.items():
            example, used = self._example(name, features[name], mine)
            if used:
                examples.append(example)
                ids += used
        model, update = None, Update(0, (), 0.0)
        if examples:
            fitted = fit(examples, len(self.heads), self._settings, self._seed)
            model = TrajectoryRewards.of(fitted, self.heads, self.groups, ids)
            update = self._measured(examples, fitted)
        with self._lock:
            self.model = model
            self.latest = replace(
                update,
                version=self.latest.version + 1,
                labels=tuple(sorted(ids)),
                recordings=tuple(example.key for example in examples),
                seconds=time.perf_counter() - began,
            )
            return self.latest

    def _example(self, name: str, features: Features, labels: Mapping[str, TimeLabel]) -> tuple[Example, list[str]]:
        """A recording with those of its labels that have a moment with pictures; and their ids."""
        number = {head.key: at for at, head in enumerate(self.heads)}
        rows, used = [], []
        for label_id, label in labels.items():
            first, end = features.between(label.start_ms, label.end_ms)
            if first < end and features.seen[first:end].any():
                rows.append((first, end, number[label.head], int(label.value)))
                used.append(label_id)
        columns = torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).unbind(1)
        inputs = torch.from_numpy(features.rows(self.groups))
        return Example(name, inputs, columns[0], columns[1], columns[2], columns[3].float()), used

    def _measured(self, examples: Sequence[Example], fitted: Fitted) -> Update:
        head = torch.cat([example.head for example in examples]).numpy()
        value = torch.cat([example.value for example in examples]).numpy() > 0.5
        areas, f1s, errors = {}, {}, {}
        for at, (one, calibration) in enumerate(zip(self.heads, fitted.calibrations, strict=True)):
            mine = (head == at) & np.isfinite(fitted.unseen)
            logits, values = fitted.unseen[mine], value[mine]
            if (area := auroc(values, logits)) is not None:
                areas[one.key] = area
            if calibration.f1 is not None:
                f1s[one.key] = calibration.f1
                errors[one.key] = calibration_error(values, calibration.chances(logits)) or 0.0
        return Update(0, (), 0.0, (), areas, f1s, errors)
