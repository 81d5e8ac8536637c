"""The high-level policy: four moments, a second apart -> a vector in command space -> the nearest command.

Each moment is described by features of the frozen low level: what it would look at under a handful of probe commands,
what it believes about the scene, and the pose. A small transformer reads the four and answers with a 64-D vector whose
cosines with the codes of a command bank, times a learned scale, are the logits; so the bank stays open.
With the output "one-hot", the published ablation (Shi et al. 2024), it answers with one logit a command instead: a
plain classifier, whose commands are fixed. Knows nothing of words, files or training loops.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.errors import PolicyError
from policies.hierarchy.low_level import POSE_SIZE, LowLevelPolicy, Sight

HISTORY_S = (0.0, 1.0, 2.0, 3.0)  # seconds before now, newest first
OUTPUTS = ("codes", "one-hot")


@dataclass(frozen=True)
class HighLevelConfig:
    """Sizes. features: length of one moment's description (see `feature_size`); output: "codes", a vector in command
    space, or "one-hot", a logit for each of `commands` commands. Raises PolicyError for another output."""

    features: int
    code: int = 64
    width: int = 192
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    output: str = "codes"
    commands: int = 0

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise PolicyError(
                f"there is no output {self.output!r}.", field="high_level.output", hint=f"Use {' or '.join(OUTPUTS)}."
            )
        if self.is_open == (self.commands > 0):
            raise PolicyError(
                f"{self.commands} does not fit the output {self.output!r}.",
                field="high_level.commands",
                hint='Give how many commands there are with "one-hot", and 0 with "codes".',
            )

    @property
    def is_open(self) -> bool:
        """Whether commands may join the bank later."""
        return self.output == "codes"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def feature_size(low_level: LowLevelPolicy, probes: int) -> int:
    """Length of `describe`'s rows for so many probe commands."""
    config = low_level.config
    places = 3 * len(config.cameras)
    return places * (probes * config.keypoints + config.scene_keypoints) + config.scene_size + POSE_SIZE


@torch.no_grad()
def describe(low_level: LowLevelPolicy, sight: Sight, pose: Tensor, probes: Tensor) -> Tensor:
    """Features of B moments, `(B, feature_size)` float32. pose: `(B, 12)`; probes: codes `(Q, 64)`."""
    if len(pose) == 1:  # all probes at once, which is six times as fast; many moments would take too much memory so
        seen = [low_level.attend(sight, probes).places.flatten()[None]]
    else:
        seen = [low_level.attend(sight, probe[None]).places for probe in probes]
    scene = low_level.scene(sight).flatten(1)
    return torch.cat((*seen, sight.places, scene, pose), 1).float()


class HighLevelPolicy(nn.Module):
    """See the module's docstring. `fit_scales` must be called once before training."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: HighLevelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.enter = nn.Linear(config.features, width)
        self.moment = nn.Parameter(torch.randn(len(HISTORY_S), width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, config.heads, 2 * width, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.mix = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        answers = config.code if config.is_open else config.commands
        self.answer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256), nn.GELU(), nn.Linear(256, answers))
        if config.is_open:
            self.log_scale = nn.Parameter(torch.tensor(14.0).log())
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("scale", torch.ones(config.features))

    def fit_scales(self, features: Tensor) -> None:
        """Set the features' scales from `(N, features)` moments of the training data."""
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp(min=0.02))

    def forward(self, history: Tensor) -> Tensor:
        """`(B, 4, features)`, newest first -> unit vectors `(B, 64)` in command space; with the output "one-hot"
        logits `(B, commands)`."""
        x = ((history - self.mean) / self.scale).clamp(-5, 5)
        x = self.mix(functional.gelu(self.enter(x)) + self.moment)
        answer: Tensor = self.answer(x[:, 0])
        return functional.normalize(answer, dim=1) if self.config.is_open else answer

    def logits(self, answer: Tensor, bank: Tensor) -> Tensor:
        """What `forward` answered `(B, n)` against unit codes of a bank `(C, 64)` -> `(B, C)`.

        Raises PolicyError where the output is "one-hot" and the bank has more or fewer commands than it knows.
        """
        if self.config.is_open:
            return self.log_scale.clamp(max=4.6).exp() * answer @ bank.T
        if len(bank) != self.config.commands:
            raise closed(f"it knows {self.config.commands} commands, the bank has {len(bank)}.")
        return answer


def closed(why: str) -> PolicyError:
    """The error of who would give other commands to a high level whose output is "one-hot"."""
    return PolicyError(
        why,
        field="high level",
        hint='Its output is "one-hot": no wording can join it or leave it. Use one with the output "codes".',
    )


def high_level_loss(model: HighLevelPolicy, history: Tensor, command: Tensor, bank: Tensor) -> Tensor:
    """Cross entropy `(B,)` of the commands wanted, positions `(B,)` in the bank `(C, 64)`. Also for online updates."""
    return functional.cross_entropy(model.logits(model(history), bank), command, reduction="none")
