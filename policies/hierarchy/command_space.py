"""The command space: any words to codes, and the commands of a bank near them. What grounding looks things up in.

Joins the frozen sentence encoder, the learned command encoder and the open command bank. It has the lookups of
grounding (`exact`, `nearest`, `familiarity`) and of training (`codes`, `tensors`). Knows nothing of robots, of people,
or of what is decided with its answers.

    space = CommandSpace(CommandEncoder.from_tensors(tensors), TextEncoder(), bank)
    space.embed("grab the red cube")           # (64,) unit code, for the low level
    ground("grab the red cube", space)         # hitl.speech.grounding
    space.add("wipe the table")                # open: a new command, from its words alone
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from policies.encoders import TextEncoder
from policies.hierarchy.command_bank import CommandBank
from policies.hierarchy.command_encoder import CODE_SIZE, CommandEncoder


@dataclass(frozen=True)
class NearCommand:
    """A command near some words. cosine: of the codes; probability: among all of the bank; sentence: cosine of the
    plain sentence embeddings."""

    text: str
    cosine: float
    probability: float
    sentence: float


class CommandSpace:
    """One space for words and commands. Safe from several threads as long as one of them at a time adds."""

    def __init__(self, encoder: CommandEncoder, text_encoder: TextEncoder, bank: CommandBank | None = None) -> None:
        self._encoder = encoder.eval()
        self._text_encoder = text_encoder
        self.bank = CommandBank([], np.zeros((0, CODE_SIZE), np.float32)) if bank is None else bank

    def codes(self, texts: Sequence[str]) -> Tensor:
        """Unit codes `(n, 64)` of any words, float32 on the CPU."""
        return self._encoder.encode(texts, self._text_encoder).codes

    def embed(self, text: str) -> NDArray[np.float32]:
        """The unit code `(64,)` of any words."""
        code: NDArray[np.float32] = self.codes([text])[0].numpy()
        return code

    def tensors(self) -> dict[str, Tensor]:
        """What a model folder keeps: the command encoder's weights, for `CommandEncoder.from_tensors`."""
        return {name: tensor.detach().clone().contiguous() for name, tensor in self._encoder.state_dict().items()}

    def add(self, text: str) -> None:
        """Make a new command of these words."""
        self.bank.add(text, self.embed(text))

    def exact(self, text: str) -> str | None:
        """The command of the bank with these words, give or take case and punctuation; None where there is none."""
        wanted = _plain(text)
        return next((known for known in self.bank.texts if _plain(known) == wanted), None)

    def nearest(self, text: str, k: int) -> list[NearCommand]:
        """Up to `k` commands of the bank near these words, most probable first."""
        found = self.bank.nearest(self.embed(text), k)
        sentences = self._text_encoder.encode([text, *(known for known, _, _ in found)])
        alike = sentences[1:] @ sentences[0]
        return [
            NearCommand(known, cosine, probability, float(sentence))
            for (known, cosine, probability), sentence in zip(found, alike, strict=True)
        ]

    def familiarity(self, text: str) -> float:
        """Probability that these words are of the kind the encoder was trained on, and no other talk."""
        return float(torch.sigmoid(self._encoder.encode([text], self._text_encoder).known[0]))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
