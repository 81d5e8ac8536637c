"""Teaches Whisper a way of speaking and a set of words, without moving its weights (`whisper.py`).

Sounds and their texts are drawn from a source that is given; targets are plain words, so that what is learned is to
write them as commands are written: no capitals, no punctuation. Knows nothing of where sounds come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from policies.devices import fast_bfloat16
from policies.errors import CheckpointError
from policies.hierarchy.loop import Phase, Progress, run_phase
from policies.speech.whisper import LogMel, Whisper

Source = Callable[[int], tuple[NDArray[np.float32], list[str]]]
IGNORED = -100
SPECIAL = ("<|startoftranscript|>", "<|notimestamps|>", "<|endoftext|>")


@dataclass(frozen=True)
class Wording:
    """Texts to Whisper's tokens. `start`: what comes before the first word."""

    tokenizer: Tokenizer
    start: tuple[int, ...]
    end: int

    @classmethod
    def of(cls, file: Path) -> Wording:
        """From the tokenizer file of an English-only Whisper."""
        tokenizer = Tokenizer.from_file(str(file))
        ids = [token for name in SPECIAL if (token := tokenizer.token_to_id(name)) is not None]
        if len(ids) < len(SPECIAL):
            raise CheckpointError("is no tokenizer of an English-only Whisper.", field=str(file))
        return cls(tokenizer, tuple(ids[:-1]), ids[-1])

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokens given `(b, t)` and tokens wanted `(b, t)`, the latter IGNORED where nothing is to be learned."""
        rows = [self.tokenizer.encode(f" {text}", add_special_tokens=False).ids if text else [] for text in texts]
        longest = max(len(row) for row in rows) + len(self.start)
        given = torch.full((len(rows), longest), self.end)
        wanted = torch.full((len(rows), longest), IGNORED)
        for at, row in enumerate(rows):
            tokens = [*self.start, *row]
            given[at, : len(tokens)] = torch.tensor(tokens)
            after = [*row, self.end]
            wanted[at, len(self.start) - 1 : len(self.start) - 1 + len(after)] = torch.tensor(after)
        return given, wanted


OTHER_TOKENS = 2048


class RecognitionObjective:
    """Cross-entropy of the words, mean over tokens.

    Taken over the tokens of the batch and OTHER_TOKENS others, new ones for each batch, since most of the 51,864 are
    as unlikely before as after (sampled softmax; Jean et al. 2015, arXiv:1412.2007).
    """

    def __init__(self, model: Whisper, mel: LogMel, wording: Wording, source: Source, device: torch.device) -> None:
        self._model, self._mel, self._wording, self._source, self._device = model, mel, wording, source, device
        self._bfloat16 = fast_bfloat16(device)
        self._vocabulary = wording.tokenizer.get_vocab_size()

    def draw(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features, tokens given and tokens wanted."""
        sounds, texts = self._source(size)
        given, wanted = self._wording.encode(texts)
        mel = self._mel(torch.from_numpy(sounds).to(self._device))
        return mel[..., : mel.shape[-1] // 2 * 2], given.to(self._device), wanted.to(self._device)

    def slices(self, batch: tuple[Tensor, Tensor, Tensor], count: int) -> list[tuple[Tensor, ...]]:
        """The batch in `count` parts."""
        return [tuple(parts) for parts in zip(*(tensor.chunk(count) for tensor in batch), strict=True)]

    def loss(self, part: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss a token, and the share of tokens that are right."""
        mel, given, wanted = part
        known = wanted.flatten() != IGNORED
        others = torch.randint(self._vocabulary, (OTHER_TOKENS,)).to(self._device)
        among = torch.unique(torch.cat((wanted.flatten()[known], others)))
        goal = torch.searchsorted(among, wanted.flatten()[known])
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            logits = self._model(mel, given, among)
        logits = logits.flatten(0, 1)[known].float()
        loss = F.cross_entropy(logits, goal)
        with torch.no_grad():
            right = (logits.argmax(-1) == goal).float().mean()
        return loss, {"tokens_right": right}


def train_recognition(
    model: Whisper,
    mel: LogMel,
    wording: Wording,
    source: Source,
    folder: Path,
    *,
    steps: int,
    minutes: float | None,
    device: torch.device,
    threads: int,
    batch: int = 32,
    learning_rate: float = 7e-4,
    settings: dict[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train until the budget is spent; goes on with what `folder` holds. Returns a summary for the model card."""
    model.to(device)
    mel.to(device)
    phase = Phase("recognition", folder, steps, minutes, learning_rate, batch, settings or {})
    objective = RecognitionObjective(model, mel, wording, source, device)
    return run_phase(phase, model, objective, device=device, threads=threads, resume=True, progress=progress)
