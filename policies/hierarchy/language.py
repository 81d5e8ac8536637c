"""Words to command codes, as the policies use them, from training and from a model folder.

Knows nothing of grammars or grounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from policies.encoders import TextEncoder
from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.command_bank import CommandBank
from policies.hierarchy.command_encoder import CommandEncoder, train_command_encoder
from policies.hierarchy.command_space import CommandSpace
from policies.hierarchy.dataset import CommandWords


class Language(Protocol):
    """Turns any words into unit codes. `CommandSpace` is one."""

    def codes(self, texts: Sequence[str]) -> Tensor:
        """Unit codes `(n, 64)`, float32 on the CPU."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a model folder keeps of it."""
        ...


def train_language(commands: Sequence[CommandWords], seed: int) -> tuple[Language, dict[str, Any]]:
    """Learn the codes of a dataset's commands; returns them with the report for the model card.

    Raises PolicyError where the sentence model is not installed.
    """
    text_encoder = TextEncoder()
    encoder, report = train_command_encoder([asdict(words) for words in commands], text_encoder, seed)
    return CommandSpace(encoder, text_encoder), report.to_json()


def restore_language(tensors: dict[str, Tensor], path: Path, bank: CommandBank) -> CommandSpace:
    """The command space of a model folder. CheckpointError names the file and the tensor that does not fit."""
    try:
        encoder = CommandEncoder.from_tensors(tensors)
    except PolicyError as problem:
        raise CheckpointError(str(problem), field=str(path)) from problem
    return CommandSpace(encoder, TextEncoder(), bank)
