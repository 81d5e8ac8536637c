"""The encoder itself trained on labels: low-rank corrections (LoRA, Hu et al. 2021, arXiv:2106.09685) or all weights.

One pass over prompt, sources and answer; each head is a linear layer on the state at a segment's end and the segment's
mean, with a masked loss, so that what is unknown for one head still teaches the others. Meant for a GPU; a small model
trains on a CPU, too. What it saves is a folder that `load_backbone` reads, so that a RewardLearner goes on from there.
Knows nothing of files of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.errors import CheckpointError, PolicyError
from policies.hierarchy.checkpoint import write_tensors
from policies.rewards.backbone import Backbone
from policies.rewards.documents import Document, HeadSpec, Label, Preferred, SegmentLabels, Span
from policies.rewards.model import Prediction
from policies.rewards.packing import Packed, Part

HEADS_FILE = "reward_heads.safetensors"
_TARGETS = ("q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "Wqkv", "c_attn")
"""Names of the attention layers that take corrections, as the common architectures call them."""


class LowRank(nn.Module):
    """A linear layer and a correction of low rank, nothing at first: y = W x + B A x * 2."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        place = base.weight
        self.down = nn.Parameter(torch.randn(rank, base.in_features, device=place.device) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=place.device))

    def forward(self, x: Tensor) -> Tensor:
        """`(…, in)` -> `(…, out)`."""
        correction = F.linear(F.linear(x.float(), self.down), self.up) * 2.0
        out: Tensor = self.base(x) + correction.to(x.dtype)
        return out

    def merged(self) -> nn.Linear:
        """One layer that does the same."""
        with torch.no_grad():
            self.base.weight += (self.up @ self.down * 2.0).to(self.base.weight.dtype)
        return self.base.requires_grad_(True)


@dataclass(frozen=True)
class Tuning:
    """How it is trained. batch: questions a step; rank: of the corrections; rate: of AdamW, lower for all weights."""

    mode: Literal["lora", "full"] = "lora"
    epochs: int = 3
    batch: int = 4
    rank: int = 8
    rate: float = 2e-4
    head_rate: float = 1e-3
    seed: int = 0


class RewardNetwork(nn.Module):
    """A backbone and a linear layer for each head: `(2 d,)` -> a logit, or a score for heads of whole answers.

    An encoder of short contexts sees question and answer alone here: give it heads that need no sources.
    """

    def __init__(self, backbone: Backbone, heads: Sequence[HeadSpec]) -> None:
        super().__init__()
        self.backbone = backbone
        self._specs = tuple(heads)
        place = next(backbone.parameters()).device
        self.layers = nn.ModuleDict({head.name: nn.Linear(2 * backbone.size, 1, device=place) for head in heads})
        for parameter in self.layers.parameters():
            nn.init.zeros_(parameter)

    @property
    def heads(self) -> tuple[HeadSpec, ...]:
        """In the order of their rewards."""
        return self._specs

    def logits(self, documents: Sequence[Document]) -> list[dict[str, Tensor]]:
        """documents: of one group. For each, head -> `(segments,)`."""
        if self.backbone.layout == "blocks":
            # An answer's block never sees the sources' blocks, so they are left out at no loss.
            documents = [replace(document, sources=()) for document in documents]
        packed: Packed = self.backbone.pack(documents)
        kind = next(self.backbone.parameters()).device.type
        # On a GPU the arithmetic is bfloat16 and the weights stay float32: small steps would be lost otherwise.
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            states = self.backbone.states(packed)
        states = states.float()
        return [
            {head.name: self._head(head, states, part, document.spans(head.density)) for head in self._specs}
            for document, part in zip(documents, packed.answers, strict=True)
        ]

    def _head(self, head: HeadSpec, states: Tensor, part: Part, spans: Sequence[Span]) -> Tensor:
        rows = []
        for start, end in spans:
            inside = [p for p, (s, e) in zip(part.places, part.offsets, strict=True) if s < end and e > start]
            # A segment without a token of its own is read at the nearest token before it.
            inside = inside or [p for p, (s, _) in zip(part.places, part.offsets, strict=True) if s < end][-1:]
            rows.append(
                torch.cat([states[inside[-1]], states[inside].mean(0)])
                if inside
                else states.new_zeros(2 * states.shape[1])
            )
        if not rows:
            return states.new_zeros(0)
        found: Tensor = self.layers[head.name](torch.stack(rows)).squeeze(-1)
        return found

    @torch.inference_mode()
    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """As RewardModel says; chances are not calibrated here."""
        return [_prediction(self._specs, self.logits([document])[0]) for document in documents]


def _prediction(heads: Sequence[HeadSpec], logits: Mapping[str, Tensor]) -> Prediction:
    chances, scores, rewards, errors = {}, {}, {}, {}
    doubts: list[float] = []
    for head in heads:
        values = [float(x) for x in logits[head.name]]
        if head.kind != "error":
            scores[head.name] = values[0] if values else 0.0
            rewards[head.name] = tuple(head.weight * x for x in values)
            continue
        found = tuple(float(torch.tensor(x).sigmoid()) for x in values)
        chances[head.name], errors[head.name] = found, tuple(x > 0.5 for x in found)
        rewards[head.name] = tuple(head.weight * (1 - 2 * x) for x in found)
        doubts += [1 - abs(2 * x - 1) for x in found]
    return Prediction(chances, scores, rewards, errors, float(np.mean(doubts)) if doubts else 0.0)


def tune(
    network: RewardNetwork,
    documents: Mapping[str, Document],
    labels: Mapping[str, Label],
    settings: Tuning = Tuning(),  # noqa: B008 - frozen
    progress: Callable[[int, int, float], None] | None = None,
) -> list[float]:
    """Train in place; returns the mean loss of each epoch. progress: steps done, of all, the loss.

    Raises PolicyError where no label can be learned from. Labels of what is wanted are not used here.
    """
    torch.manual_seed(settings.seed)
    groups = _by_group(documents, labels)
    if not groups:
        raise PolicyError("there are none that these heads can learn from.", field="labels")
    _prepare(network.backbone, settings)
    steps = -(-len(groups) // settings.batch)
    every = settings.epochs * steps
    optimizer, schedule = _optimizer(network, settings, every)
    network.train()
    order = np.random.default_rng(settings.seed)
    history = []
    for epoch in range(settings.epochs):
        shuffled = [groups[i] for i in order.permutation(len(groups))]
        losses = []
        for step in range(steps):
            part = shuffled[step * settings.batch : (step + 1) * settings.batch]
            optimizer.zero_grad()
            total = 0.0
            for members in part:
                loss = _loss(network, members, documents) / len(part)
                loss.backward()
                total += float(loss.detach())
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(total)
            if progress is not None:
                progress(epoch * steps + step + 1, every, total)
        history.append(float(np.mean(losses)))
    network.eval()
    return history


def _optimizer(
    network: RewardNetwork, settings: Tuning, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    bodies = [p for p in network.backbone.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": bodies, "lr": settings.rate}, {"params": network.layers.parameters(), "lr": settings.head_rate}],
        weight_decay=0.01,
    )
    # A short warm-up, then down to nothing.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / max(1, steps // 10), 1 - step / steps)
    )
    return optimizer, schedule


def _by_group(documents: Mapping[str, Document], labels: Mapping[str, Label]) -> list[list[Label]]:
    groups: dict[str, list[Label]] = {}
    for _, label in sorted(labels.items()):
        if isinstance(label, SegmentLabels | Preferred):
            name = label.document if isinstance(label, SegmentLabels) else label.better
            groups.setdefault(documents[name].group, []).append(label)
    return [groups[key] for key in sorted(groups)]


def _loss(network: RewardNetwork, labels: Sequence[Label], documents: Mapping[str, Document]) -> Tensor:
    """The sum over heads of the mean loss of what is known. labels: of one group."""
    names: dict[str, None] = {}
    for label in labels:
        names.update(dict.fromkeys((label.better, label.worse) if isinstance(label, Preferred) else (label.document,)))
    logits = dict(zip(names, network.logits([documents[name] for name in names]), strict=True))
    terms: dict[str, list[Tensor]] = {}
    for label in labels:
        if isinstance(label, Preferred):
            margin = logits[label.better][label.head] - logits[label.worse][label.head]
            terms.setdefault(label.head, []).append(F.softplus(-margin).reshape(-1))
        elif isinstance(label, SegmentLabels):
            found = logits[label.document][label.head]
            known = [at for at, value in enumerate(label.values) if value is not None]
            if known:
                targets = torch.tensor([float(label.values[at] or 0) for at in known], device=found.device)
                losses = F.binary_cross_entropy_with_logits(found[known], targets, reduction="none")
                terms.setdefault(label.head, []).append(losses)
    zero = next(iter(network.layers.parameters())).sum() * 0
    return sum((torch.cat(losses).mean() for losses in terms.values()), zero)


def _prepare(backbone: Backbone, settings: Tuning) -> None:
    """Choose what is trained; low-rank corrections are put in where there are none yet."""
    if settings.mode == "full":
        backbone.model.requires_grad_(True)
        return
    backbone.requires_grad_(False)
    if any(isinstance(module, LowRank) for module in backbone.modules()):
        for module in backbone.modules():
            if isinstance(module, LowRank):
                module.down.requires_grad_(True)
                module.up.requires_grad_(True)
        return
    found = [
        (parent, name, child)
        for parent in backbone.model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) and name in _TARGETS
    ]
    if not found:
        raise PolicyError(
            "has no attention layers of a known name.", field=backbone.name, hint="Train all weights instead: full."
        )
    for parent, name, child in found:
        setattr(parent, name, LowRank(child, settings.rank))


def save_network(network: RewardNetwork, folder: Path) -> None:
    """Corrections are merged into the weights. The folder is one that transformers and `load_backbone` read."""
    for parent in list(network.backbone.model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LowRank):
                setattr(parent, name, child.merged())
    folder.mkdir(parents=True, exist_ok=True)
    network.backbone.save(folder)
    write_tensors(folder / HEADS_FILE, network.layers.state_dict(), "hitl reward heads")


def load_heads(network: RewardNetwork, folder: Path) -> None:
    """Heads of `save_network`. Raises CheckpointError where they are missing, damaged or others."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / HEADS_FILE
    try:
        network.layers.load_state_dict(load_file(str(path)))
    except (OSError, SafetensorError, RuntimeError) as problem:
        raise CheckpointError(f"holds no such heads ({str(problem).splitlines()[0]}).", field=str(path)) from problem
