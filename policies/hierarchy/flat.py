"""A flat policy, without commands: the low level's network under one constant code, from the start of a task to its
end. The published ablation of the hierarchy (Shi et al. 2024). Nobody can tell it anything.

`flat_recordings` makes its data: task episodes as long segments, whose paths run on where one command ends and the
next begins. Deliberate mistakes stay out, as they do for the low level. Knows nothing of how the data was made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from policies.devices import resolve_device
from policies.errors import CheckpointError, DatasetError, PolicyError
from policies.hierarchy.acting import Acting, ActiveCommand, Images, pose_row
from policies.hierarchy.checkpoint import FLAT, read_model, restore
from policies.hierarchy.dataset import EXECUTED_WELL, HAS_MISTAKE, CommandWords, Recordings, Segments
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy

TASK = "pack the box"
TASK_FAMILY = "task"


def flat_code(size: int) -> Tensor:
    """The constant unit code `(size,)`."""
    return torch.full((size,), size**-0.5)


@dataclass(frozen=True)
class FlatProposal:
    """The whole task, always; history: None, as nothing can be learned from it."""

    texts: tuple[str, ...] = (TASK,)
    probabilities: tuple[float, ...] = (1.0,)
    history: None = None
    guiding: frozenset[str] = frozenset()


class FlatPolicy(Acting):
    """A policy for a controller that has one command, the whole task. Made by `load`."""

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> FlatPolicy:
        """Load a folder that `train_flat` wrote. Raises CheckpointError naming the file that cannot be used."""
        model = read_model(Path(folder), FLAT)
        path = model.folder / "low_level.safetensors"
        if "low_level" not in model.parts:
            raise CheckpointError(f"lists no {path.name}.", field=str(model.folder / "model.json"))
        try:
            config = LowLevelConfig.from_json(model.description["low_level"])
        except (KeyError, TypeError, ValueError) as problem:
            raise CheckpointError(
                f"a key is missing or wrong ({problem!r}).", field=str(model.folder / "model.json")
            ) from problem
        low_level = LowLevelPolicy(config)
        restore(low_level, model.parts["low_level"], path)
        return cls(low_level, resolve_device(device))

    def start(self, text: str, pose_target: ArrayLike) -> ActiveCommand:
        """Begin the task at the pose target `(12,)` that is in force. Raises PolicyError for any other words."""
        if text != TASK:
            raise PolicyError(
                f"{text!r} means nothing to it.",
                field="flat policy",
                hint="It was trained without commands and cannot be spoken to. Use a hierarchy.",
            )
        code = flat_code(self.low_level.config.code).numpy()
        return ActiveCommand(text, code, pose_row(pose_target, "pose_target"))

    def remember(self, images: Images, pose: ArrayLike, stamp_ns: int) -> None:
        """Nothing: there is no high level that would look back."""

    def propose(self) -> FlatProposal:
        """The task."""
        return FlatProposal()

    def forget(self) -> None:
        """At the start of an episode."""
        self._seen = None


def flat_recordings(data: Recordings, path_ticks: int) -> Recordings:
    """The same recordings with one command, the task, and a segment for each run of segments that were done well one
    after another in a task episode. path_ticks: how far a path looks ahead; frames from which it would run into a
    mistake are not clean. Raises DatasetError where no episode is of a whole task.
    """
    runs = _runs(data)
    if not runs:
        raise DatasetError("no episode is of kind 'task'; a flat policy needs whole tasks.", field="shards")
    clean = data.clean.clone()
    for run in runs:
        if not run.is_last:
            clean &= (data.frame_tick < run.end - path_ticks) | (data.frame_tick >= run.end)
    segments = Segments(
        command=torch.zeros(len(runs), dtype=torch.int64),
        first=torch.tensor([run.first for run in runs]),
        done=torch.tensor([run.done if run.is_last else run.end for run in runs]),
        end=torch.tensor([run.end for run in runs]),
        flags=torch.full((len(runs),), EXECUTED_WELL),
        episode=torch.tensor([run.episode for run in runs]),
        goal=torch.full((len(runs), 3), torch.nan),
    )
    meta = replace(data.meta, commands=(CommandWords(TASK, TASK_FAMILY, (TASK,)),))
    return replace(data, meta=meta, segments=segments, clean=clean)


class _Run(NamedTuple):
    """Segments that were done well, one after another. done: of the last of them; is_last: its episode ends so."""

    episode: int
    first: int
    done: int
    end: int
    is_last: bool


def _runs(data: Recordings) -> list[_Run]:
    """All runs of task episodes, in order."""
    segments = data.segments
    good = ((segments.flags & EXECUTED_WELL) > 0) & ((segments.flags & HAS_MISTAKE) == 0)
    good &= data.is_task[segments.episode]
    order = torch.argsort(segments.first).tolist()
    ends = {int(segments.episode[at]): int(segments.end[at]) for at in order}
    runs: list[_Run] = []
    for at in order:
        if not bool(good[at]):
            continue
        episode, first, done, end = (
            int(column[at]) for column in (segments.episode, segments.first, segments.done, segments.end)
        )
        is_last = end == ends[episode]
        if runs and runs[-1].episode == episode and runs[-1].end == first:
            runs[-1] = runs[-1]._replace(done=done, end=end, is_last=is_last)
        else:
            runs.append(_Run(episode, first, done, end, is_last))
    return runs
