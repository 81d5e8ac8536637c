"""A sample of what the high level learned from, small enough to ship: for replay, and to measure forgetting on.

One moment a second of task episodes that it learned from, and of others that it never saw. Each feature is one byte
(127 steps to five deviations, below the noise that training adds). It is `base_moments.safetensors` of a model folder.
Knows nothing of pictures or corrections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from policies.errors import CheckpointError, DatasetError
from policies.hierarchy.dataset import load_recordings
from policies.hierarchy.high_level import HighLevelPolicy
from policies.hierarchy.high_level_learner import HighLevelLearner
from policies.hierarchy.high_level_training import Moments, collect_moments
from policies.hierarchy.policy import HierarchicalPolicy

FILE = "base_moments.safetensors"
FORMAT = "hitl-base-moments-1"
PER_S = 1
_STEPS = 127 / 5


def join(learned: Moments, held_out: Moments) -> Moments:
    """A sample of both kinds: moments that the high level learned from, and moments of episodes that it never saw.

    Both `PER_S` a second, with commands counted alike. Raises DatasetError where one of them has no command.
    """
    for moments, name in ((learned, "learned from"), (held_out, "held out")):
        if moments.per_s != PER_S:
            raise DatasetError(f"has {moments.per_s} moments a second, expected {PER_S}.", field=name)
        if not bool((moments.command >= 0).any()):
            raise DatasetError("has no moment with a command.", field=name)
    episode = torch.cat((learned.episode, held_out.episode + int(learned.episode.max()) + 1))
    return Moments(
        features=torch.cat((learned.features, held_out.features)),
        episode=episode,
        command=torch.cat((learned.command, held_out.command)),
        first=torch.searchsorted(episode, episode),
        held_out=torch.arange(len(episode)) >= len(learned.episode),
        per_s=PER_S,
    )


def make(model: Path, learned: Path, held_out: Path, out: Path) -> dict[str, float]:
    """The base sample of a model folder: what of the dataset folder `learned` its training used, and all task episodes
    of `held_out`, which must be none that it saw (another seed of `hitl generate`). Returns how many moments of each
    there are, and how far the model agrees with those held out. DatasetError and CheckpointError name what is wrong.
    """
    policy = HierarchicalPolicy.load(model, "cpu")
    probes = policy.probes
    parts, commands = [], None
    for folder in (learned, held_out):
        data = load_recordings(folder)
        texts = [words.text for words in data.meta.commands]
        if commands is not None and texts != commands:
            raise DatasetError("its commands are not those of the other data set.", field=str(folder))
        commands = texts
        parts.append(collect_moments(data, policy.eyes, probes, policy.device, per_s=PER_S))
    assert commands is not None
    sample = join(only(parts[0], False), parts[1])
    save(out, sample, commands, policy.high_level)
    read, names = load(out)
    bank = {text: torch.from_numpy(policy.bank.code(text)) for text in policy.bank.texts}
    learner = HighLevelLearner(policy.high_level, bank, renumbered(read, names, policy.bank.texts))
    counts = {"learned": int((~read.held_out).sum()), "held_out": int(read.held_out.sum())}
    return {**counts, "agreement": round(learner.base_agreement(policy.high_level), 4)}


def only(moments: Moments, held_out: bool) -> Moments:
    """Those of the episodes that were held out from training, or the others."""
    kept = moments.held_out == held_out
    episode = moments.episode[kept]
    return replace(
        moments,
        features=moments.features[kept],
        episode=episode,
        command=moments.command[kept],
        first=torch.searchsorted(episode, episode),
        held_out=moments.held_out[kept],
    )


def save(path: Path, moments: Moments, commands: Sequence[str], high_level: HighLevelPolicy) -> None:
    """Write the file. commands: texts that `moments.command` counts through; the scales are the high level's."""
    mean, scale = high_level.mean.cpu(), high_level.scale.cpu()
    steps = ((moments.features.float() - mean) / scale * _STEPS).round().clamp(-127, 127)
    tensors = {
        "features": steps.to(torch.int8),
        "episode": moments.episode.to(torch.int32),
        "command": moments.command.to(torch.int32),
        "held_out": moments.held_out,
        "mean": mean.clone(),
        "scale": scale.clone(),
    }
    names = {f"command.{at}": text for at, text in enumerate(commands)}
    save_file(tensors, str(path), {"format": FORMAT, "per_s": str(moments.per_s), **names})


def load(path: Path) -> tuple[Moments, list[str]]:
    """The moments and the texts of their commands. CheckpointError names the file that is missing or damaged."""
    try:
        with safe_open(str(path), "pt") as file:
            about = file.metadata() or {}
            parts: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.get("format") != FORMAT:
            raise CheckpointError(f"has format {about.get('format')!r}, expected {FORMAT!r}.", field=str(path))
        commands = [about[f"command.{at}"] for at in range(sum(name.startswith("command.") for name in about))]
        features = (parts["features"].float() / _STEPS * parts["scale"] + parts["mean"]).half()
        episode = parts["episode"].long()
        moments = Moments(
            features=features,
            episode=episode,
            command=parts["command"].long(),
            first=torch.searchsorted(episode, episode),
            held_out=parts["held_out"],
            per_s=int(about["per_s"]),
        )
        whole = len(features) == len(episode) == len(moments.command) == len(moments.held_out) > 0
        if not whole or int(moments.command.max()) >= len(commands):
            raise CheckpointError("its parts do not fit each other.", field=str(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as problem:
        hint = "Restore the file, or make it anew: hitl sample-moments."
        raise CheckpointError(f"is no base sample ({problem}).", field=str(path), hint=hint) from problem
    return moments, commands


def renumbered(moments: Moments, commands: Sequence[str], bank: Sequence[str]) -> Moments:
    """The same with commands counted through `bank`; those that it lacks are none."""
    places = {text: at for at, text in enumerate(bank)}
    table = torch.tensor([*(places.get(text, -1) for text in commands), -1])
    return replace(moments, command=table[moments.command])
