"""`hitl evaluate segments`: does a reward model that learned from marked segments know them in new recordings?

Recordings of the simulated cell are made (or taken, where they are there), a scripted person marks them, and the model
learns from those of three of four parts and is asked about all segments of the fourth, in turn, so that every episode
is asked about once by a model that has not seen it. What is asked about is what a person who misses nothing would have
marked; what is learned from has gaps, forgotten marks and rough ends. Beside it: the same model with less to see, what
the policy says of itself, and a constant.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hitl.annotation.presets import preset
from hitl.config import Settings
from hitl.evaluation import segments_data
from hitl.evaluation.segment_scores import CATEGORIES, Asked, learning_point, measured, tables
from hitl.evaluation.segments_annotator import Habits, annotate
from hitl.evaluation.segments_data import EpisodeFolder
from hitl.moment_features import features_of
from hitl.time_labels import time_heads, time_labels
from policies.rewards.trajectory.features import GROUPS, Features
from policies.rewards.trajectory.labels import TimeLabel
from policies.rewards.trajectory.learner import TrajectoryLearner

PARTS = 4
SIZES = (4, 8, 16, 32)
"""Episodes that are learned from, beside all, in the learning curve."""
CAREFUL = Habits(looked=1.0, forgotten=0.0, jitter_ms=0.0)
MODEL, OWN, CONSTANT = "reward model", "policy's own signals", "constant"
METHODS: Mapping[str, tuple[str, ...]] = {
    MODEL: GROUPS,
    "without pictures": tuple(group for group in GROUPS if group != "vision"),
    "time under commands": ("elapsed",),
}
_SCHEMA = preset("segments")

Labels = dict[str, TimeLabel]


@dataclass(frozen=True)
class Case:
    """One episode: its features, what a person marked, and what there is to ask. signals: `(L, 3)` time in ms, and the
    policy's own chances that its command is done and that it is the right one."""

    name: str
    condition: str
    part: int
    features: Features
    marked: Labels
    asked: tuple[TimeLabel, ...]
    signals: np.ndarray


def run(
    settings: Settings,
    *,
    episodes: int,
    seed: int = 0,
    seconds: float = segments_data.MOST_S,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Everything; returns what the JSON line holds. progress: what is under way, how far, of how many."""
    say = progress or (lambda what, done, of: None)
    data = settings.data_folder / "experiments" / "segments"
    made = segments_data.make(
        settings, data, episodes=episodes, seed=seed, seconds=seconds, workers=workers,
        progress=lambda done, of: say("episodes", done, of),
    )  # fmt: skip
    cases = _cases(settings, made, data, lambda done, of: say("features", done, of))
    return evaluate(cases, seed, lambda done, of: say("models", done, of))


def _cases(
    settings: Settings, episodes: Sequence[EpisodeFolder], data: Path, progress: Callable[[int, int], None]
) -> list[Case]:
    import torch

    from hitl.backend.models import model_folder
    from policies.hierarchy.policy import HierarchicalPolicy

    torch.set_num_threads(1)
    policy = HierarchicalPolicy.load(model_folder(settings)[1], settings.device)
    found = features_of([episode.recording for episode in episodes], policy, data / "features", progress)
    return [case_of(episode, next(iter(features.values()))) for episode, features in zip(episodes, found, strict=True)]


def case_of(episode: EpisodeFolder, features: Features) -> Case:
    """An episode with its labels. Its number says in which part it is: each part has every kind of episode."""
    truth = episode.truth()
    seed, length = int(truth.about["seed"]), truth.length_ms
    marked = time_labels(_SCHEMA, annotate(truth, seed), length)
    asked = time_labels(_SCHEMA, annotate(truth, seed, CAREFUL), length)
    return Case(
        name=episode.name,
        condition=episode.kind,
        part=int(episode.name[:4]) // PARTS % PARTS,
        features=features,
        marked={f"{episode.name}:{key}": label for key, label in marked.items()},
        asked=tuple(asked.values()),
        signals=np.stack((truth["time_ms"].astype(np.float64), truth["done"], truth["sure"]), 1),
    )


def evaluate(
    cases: Sequence[Case], seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Train and ask; see the module's docstring."""
    if len({case.part for case in cases}) < 2:  # of fewer than five episodes all would be in one
        cases = [replace(case, part=at % PARTS) for at, case in enumerate(cases)]
    parts = sorted({case.part for case in cases})
    most = len(cases) - max(sum(case.part == part for case in cases) for part in parts)
    jobs = [(name, groups, most) for name, groups in METHODS.items()]
    jobs += [(_size(size), GROUPS, size) for size in SIZES if size < most]
    answers: dict[str, list[Asked]] = {}
    seconds = []
    for at, part in enumerate(parts):
        train = [case for case in cases if case.part != part]
        test = [case for case in cases if case.part == part]
        for done, (name, groups, size) in enumerate(jobs, 1):
            learner = _learned(train if size == most else _some(train, size, seed), groups, seed)
            answers.setdefault(name, []).extend(asked for case in test for asked in _asked(learner, case))
            if name == MODEL:
                seconds.append(learner.latest.seconds)
            if progress is not None:
                progress(at * len(jobs) + done, len(parts) * len(jobs))
        answers.setdefault(OWN, []).extend(asked for case in test for asked in _own(case))
        answers.setdefault(CONSTANT, []).extend(asked for case in test for asked in _constant(case, train))
    curve = {size: answers[_size(size)] for size in SIZES if size < most} | {most: answers[MODEL]}
    return {
        "episodes": len(cases),
        "marked": _counts(cases),
        "methods": {name: measured(answers[name], seed) for name in (*METHODS, OWN, CONSTANT)},
        "conditions": _by_condition(answers[MODEL], seed),
        "learning_curve": [learning_point(size, asked, seed) for size, asked in curve.items()],
        "update_s": round(float(np.median(seconds)), 1),
    }


def _size(episodes: int) -> str:
    return f"{episodes} episodes"


def _by_condition(asked: Sequence[Asked], seed: int) -> dict[str, Any]:
    kinds = sorted({one.condition for one in asked})
    return {kind: measured([one for one in asked if one.condition == kind], seed) for kind in kinds}


def _some(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """So many of them, drawn at random; a smaller draw is a part of a larger one."""
    order = np.random.default_rng([seed, 3]).permutation(len(cases))
    return [cases[at] for at in order[:size]]


def _learned(cases: Sequence[Case], groups: Sequence[str], seed: int) -> TrajectoryLearner:
    learner = TrajectoryLearner(time_heads(_SCHEMA), groups=groups, seed=seed)
    for case in cases:
        learner.add(case.name, case.features)
        learner.put(case.name, case.marked)
    learner.update()
    return learner


def _asked(learner: TrajectoryLearner, case: Case) -> list[Asked]:
    segments = [(label.start_ms, label.end_ms) for label in case.asked]
    if learner.model is None:  # nobody marked anything
        return [Asked(case.name, case.condition, label.head, label.value, 0.5, case.part) for label in case.asked]
    scores = learner.model.score(case.features, segments)
    return [
        Asked(case.name, case.condition, label.head, label.value, score.chances[label.head], case.part)
        for label, score in zip(case.asked, scores, strict=True)
    ]


def _own(case: Case) -> list[Asked]:
    """What the policy says while it acts: that its command is done; and of mistakes and danger, that it doubts it."""
    found = []
    for label in case.asked:
        times = case.signals[:, 0]
        inside = (times >= label.start_ms) & (times < label.end_ms)
        rows = case.signals[inside] if inside.any() else case.signals[:1]
        chance = float(rows[:, 1].max()) if label.head == "done" else 1.0 - float(rows[:, 2].mean())
        found.append(Asked(case.name, case.condition, label.head, label.value, min(max(chance, 0.0), 1.0), case.part))
    return found


def _constant(case: Case, train: Sequence[Case]) -> list[Asked]:
    """The share of yes in what was learned from."""
    shares = {}
    for head in {label.head for label in case.asked}:
        values = [label.value for one in train for label in one.marked.values() if label.head == head]
        shares[head] = float(np.mean(values)) if values else 0.5
    return [
        Asked(case.name, case.condition, label.head, label.value, shares[label.head], case.part)
        for label in case.asked
    ]


def _counts(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """Labels that were learned from and segments that were asked about, by category."""
    found = {}
    for category, (head, value) in CATEGORIES.items():
        marked = sum(one.head == head and one.value == value for case in cases for one in case.marked.values())
        asked = sum(one.head == head and one.value == value for case in cases for one in case.asked)
        found[category] = {"marked": marked, "asked": asked}
    return found


def main(settings: Settings, *, episodes: int, seed: int, seconds: float, workers: int | None) -> dict[str, Any]:
    """The command: progress to standard error, tables, and the JSON object as the last line."""

    def progress(what: str, done: int, of: int) -> None:
        print(f"\r{what}: {done}/{of}", end="" if done < of else "\n", file=sys.stderr, flush=True)

    result = run(settings, episodes=episodes, seed=seed, seconds=seconds, workers=workers, progress=progress)
    print(tables(result))
    print(json.dumps(result))
    return result
