"""Teaches a trained policy more ways of saying its commands: another command encoder, to the codes its levels know.

The low and the high level and the codes of the commands stay as they are, to the last digit, so that what the policy
does under a command is the same as before; only what words lead there changes. Minutes where a training takes an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from policies.encoders import TextEncoder
from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.checkpoint import add_scores, read_model, write_model
from policies.hierarchy.command_encoder import train_command_encoder
from policies.hierarchy.dataset import CommandWords

_WRITTEN = ("format", "format_version", "kind", "id", "files", "scores")


def reword(
    model: Path,
    out: Path,
    commands: Sequence[CommandWords],
    *,
    seed: int = 0,
    command: str = "hitl train-words",
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Write `out`: the model of folder `model` with words learned from `commands`; returns what its `model.json` says.

    progress: called with the share done, 0 to 1. Scores stay, since both levels do. Raises CheckpointError for a
    folder that is no model, PolicyError where `commands` are not those of its bank.
    """
    folder = read_model(model)
    texts = [words.text for words in commands]
    known = list(folder.description.get("bank", ()))
    codes = folder.parts.get("high_level", {}).get("bank")
    if codes is None or len(codes) != len(known):
        raise CheckpointError("its bank does not fit the commands of model.json.", field=str(model))
    if sorted(texts) != sorted(known):
        other = sorted(set(texts) ^ set(known))
        raise PolicyError(
            f"the model's commands are others: {', '.join(other[:3])}.",
            field="commands",
            hint="Give the wording of exactly the commands that the model knows.",
        )
    kept = codes[[known.index(text) for text in texts]]
    records = [asdict(words) for words in commands]
    encoder, report = train_command_encoder(records, TextEncoder(), seed, progress, kept)
    description = {name: value for name, value in folder.description.items() if name not in _WRITTEN}
    description["command"] = "\n".join(part for part in (description.get("command", ""), command) if part)
    description["training"] = {**description.get("training", {}), "language": report.to_json()}
    written = write_model(out, {**folder.parts, "command_encoder": encoder.state_dict()}, description)
    add_scores(out, folder.description.get("scores", {}))
    return written
