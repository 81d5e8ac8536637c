"""Words -> command code: a small learned net over the token states of a frozen sentence encoder.

Sentence embeddings alone hardly tell left from right ("... a bit left" and "... a bit right" have a cosine of 0.98).
Here learned queries read the states of the words (attention pooling), and a code is trained so that all wordings of
one command fall together and different commands fall apart. The target of a command is a sum of learned vectors, one
for every word and word pair of its canonical text, so that what tells left from right is shared by all commands that
have it. A second output says whether the words are any of the commands at all, learned from sentences that are not.

Knows nothing of robots, banks or grounding. Commands are plain records: canonical text, train and held-out phrases.
Use: `encoder, report = train_command_encoder(commands, text_encoder)`, then `encoder.encode(texts, text_encoder)`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.encoders import SENTENCE_SIZE, TextEncoder
from policies.errors import PolicyError
from policies.hierarchy.statistics import wilson_interval
from policies.hierarchy.wording import other_sentences, sample_phrases

CODE_SIZE = 64
QUERIES, QUERY_SIZE, HIDDEN = 8, 64, 256
READERS = 3

TEMPERATURE = 0.07
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 12, 128, 2e-3, 0.02
LEAST_STEPS = 250
"""A handful of commands needs as many steps as this, however many epochs they are."""
STATE_NOISE = 1.0
"""Standard deviations of noise on the (standardised) token states: what lets words nobody trained on pass."""
WORD_DROP = 0.15
LABEL_SMOOTHING = 0.02
PULL = 1.0
"""Weight of the distance to the command's target: the low level is conditioned on the code, so wordings must agree."""
VERSIONS = 1
OTHERS_SHARE = 0.3


class Codes(NamedTuple):
    """codes `(n, 64)` of unit length; known `(n,)`: logit that the words are one of the trained commands."""

    codes: Tensor
    known: Tensor


class _Reader(nn.Module):
    """One net: standardised token states to a code and a logit; 0.2 M numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Linear(SENTENCE_SIZE, 2 * QUERY_SIZE)
        self.keys = nn.Linear(2 * QUERY_SIZE, QUERY_SIZE)
        self.values = nn.Linear(2 * QUERY_SIZE, QUERY_SIZE)
        self.queries = nn.Parameter(torch.randn(QUERIES, QUERY_SIZE) * 0.1)
        self.hidden = nn.Linear(QUERIES * QUERY_SIZE, HIDDEN)
        self.code = nn.Linear(HIDDEN, CODE_SIZE)
        self.known = nn.Linear(HIDDEN, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, standard: Tensor, mask: Tensor) -> Codes:
        words = F.gelu(self.words(self.dropout(standard)))
        scores = self.queries @ self.keys(words).transpose(1, 2) / QUERY_SIZE**0.25
        weights = scores.masked_fill(~mask[:, None], -1e4).softmax(-1)
        hidden = self.dropout(F.gelu(self.hidden((weights @ self.values(words)).flatten(1))))
        return Codes(F.normalize(self.code(hidden), dim=-1), self.known(hidden)[:, 0])


class CommandEncoder(nn.Module):
    """Several nets that learned the same from other beginnings, and their mean: what only one of them makes of words
    that nobody trained on counts less. Deterministic in eval mode, and made in eval mode by `from_tensors`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, readers: int = READERS) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SENTENCE_SIZE))
        self.register_buffer("std", torch.ones(SENTENCE_SIZE))
        self.readers = nn.ModuleList(_Reader() for _ in range(readers))

    def forward(self, states: Tensor, mask: Tensor) -> Codes:
        """states: `(n, tokens, 384)` of `TextEncoder.words`; mask: `(n, tokens)`, true where a token is."""
        standard = (states - self.mean) / self.std
        found = [reader(standard, mask) for reader in self.readers]
        codes = torch.stack([codes for codes, _ in found]).mean(0)
        known = torch.stack([known for _, known in found]).mean(0)
        return Codes(F.normalize(codes, dim=-1), known)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], text_encoder: TextEncoder) -> Codes:
        """Codes of any words, on the CPU."""
        parts = [self(*text_encoder.words(texts[at : at + 256])) for at in range(0, len(texts), 256)]
        if not parts:
            return Codes(torch.zeros(0, CODE_SIZE), torch.zeros(0))
        return Codes(torch.cat([part.codes for part in parts]), torch.cat([part.known for part in parts]))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> CommandEncoder:
        """The nets of a saved `state_dict()`, as many as there are; a single one may be saved by its own names.

        PolicyError names the tensor that is missing, extra or misshapen.
        """
        if "queries" in tensors:
            tensors = {n if n in ("mean", "std") else f"readers.0.{n}": tensor for n, tensor in tensors.items()}
        numbers = [int(name.split(".")[1]) for name in tensors if re.match(r"readers\.[0-9]+\.", name)]
        encoder = cls(max(numbers, default=0) + 1)
        wanted = encoder.state_dict()
        for name in sorted(wanted.keys() | tensors.keys()):
            if name not in tensors or name not in wanted:
                raise PolicyError(f"the tensor is {'missing' if name in wanted else 'unknown'}.", field=name)
            if tensors[name].shape != wanted[name].shape:
                shapes = f"{tuple(tensors[name].shape)}, expected {tuple(wanted[name].shape)}"
                raise PolicyError(f"the tensor has shape {shapes}.", field=name)
        encoder.load_state_dict(dict(tensors))
        return encoder.eval()


@dataclass(frozen=True)
class CommandEncoderReport:
    """How well words find their command. Shares with 95 % Wilson intervals; cosines to the canonical text's code."""

    commands: int
    train_phrases: int
    held_out_phrases: int
    held_out_top1: float
    held_out_interval: tuple[float, float]
    held_out_known: float
    raw_nearest_top1: float
    """The same phrases by the nearest train phrase in sentence-embedding space, nothing learned."""
    raw_nearest_interval: tuple[float, float]
    train_top1: float
    train_cosine_mean: float
    train_cosine_p05: float
    held_out_cosine_mean: float
    held_out_cosine_p05: float
    between_cosine_max: float
    """Greatest cosine between the codes of two different commands."""
    misunderstood: tuple[tuple[str, str, str], ...]
    """Held-out phrase, what it was taken for, what it means."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for a model's `model.json`."""
        return asdict(self)


class _Examples(NamedTuple):
    """Standardised token states float16 `(n, tokens, 384)`, mask, and command index (-1: no command)."""

    states: Tensor
    mask: Tensor
    labels: Tensor


def train_command_encoder(
    commands: Sequence[Mapping[str, Any]],
    text_encoder: TextEncoder,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    codes: Tensor | None = None,
) -> tuple[CommandEncoder, CommandEncoderReport]:
    """Learn the codes of `commands`: records with "text", "train" and "held_out" phrases, as in a dataset's meta.json.

    The same seed gives the same net. progress: called with the share done, 0 to 1. Minutes on one core.
    codes: unit codes `(commands, 64)` that the commands keep, where policies know them already; without them the
    codes are learned, too.
    Raises PolicyError where there are fewer than two commands, two of them have the same text, or codes do not fit.
    """
    texts = [str(command["text"]) for command in commands]
    if len(texts) < 2 or len(set(texts)) != len(texts):
        raise PolicyError("needs two or more different commands.", field="commands")
    if codes is not None and codes.shape != (len(texts), CODE_SIZE):
        raise PolicyError(f"has shape {tuple(codes.shape)}, expected ({len(texts)}, {CODE_SIZE}).", field="codes")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = CommandEncoder()
        examples = _examples(commands, text_encoder, encoder, random.Random(seed))
        targets: nn.Module = _Targets(texts) if codes is None else _Kept(codes)
        for number, reader in enumerate(encoder.readers):
            _fit(reader, targets, examples, _part_of(progress, number, len(encoder.readers)))
            targets = _Kept(targets().detach())  # the others learn the codes that the first has found
    encoder.eval()
    return encoder, measure(encoder, commands, text_encoder)


def _examples(
    commands: Sequence[Mapping[str, Any]], text_encoder: TextEncoder, encoder: CommandEncoder, rng: random.Random
) -> _Examples:
    """Encode all phrases once; sets the encoder's mean and std."""
    texts: list[str] = []
    labels: list[int] = []
    for at, command in enumerate(commands):
        varied = sample_phrases(list(dict.fromkeys([str(command["text"]), *command["train"]])), VERSIONS, rng)
        texts += varied
        labels += [at] * len(varied)
    own = {text.lower() for text in texts}
    others = [text for text in other_sentences(int(OTHERS_SHARE * len(texts)), texts, rng) if text.lower() not in own]
    words = text_encoder.words([*texts, *others])
    seen = words.states[words.mask]
    encoder.mean.copy_(seen.mean(0))
    encoder.std.copy_(seen.std(0).clamp_min(1e-3))
    states = ((words.states - encoder.mean) / encoder.std).half()
    return _Examples(states, words.mask, torch.tensor(labels + [-1] * len(others)))


class _Targets(nn.Module):
    """Unit target codes of the commands, put together from the words and word pairs of their canonical texts."""

    member: Tensor

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__()
        parts = [self._parts(text) for text in texts]
        names = sorted(set().union(*parts))
        self.register_buffer("member", torch.tensor([[float(name in part) for name in names] for part in parts]))
        self.parts = nn.Parameter(torch.randn(len(names), CODE_SIZE) * 0.2)
        self.own = nn.Parameter(torch.randn(len(texts), CODE_SIZE) * 0.05)

    @staticmethod
    def _parts(text: str) -> set[str]:
        words = ["<", *text.lower().split(), ">"]
        return set(words[1:-1]) | {f"{first} {second}" for first, second in zip(words, words[1:], strict=False)}

    def forward(self) -> Tensor:
        return F.normalize(self.member @ self.parts + self.own, dim=-1)


def _part_of(progress: Callable[[float], None] | None, part: int, parts: int) -> Callable[[float], None]:
    def told(done: float) -> None:
        if progress is not None:
            progress((part + done) / parts)

    return told


class _Kept(nn.Module):
    """Target codes that stay."""

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", F.normalize(codes.float(), dim=-1))

    def forward(self) -> Tensor:
        return self.codes


def _fit(reader: nn.Module, targets: nn.Module, examples: _Examples, progress: Callable[[float], None]) -> None:
    reader.train()
    parameters = [*reader.parameters(), *targets.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    count = len(examples.labels)
    batches = -(-count // BATCH)
    epochs = max(EPOCHS, -(-LEAST_STEPS // batches))
    steps = epochs * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    step = 0
    for _ in range(epochs):
        for rows in torch.randperm(count).split(BATCH):
            loss = _loss(reader, targets(), *_noisy(examples, rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            progress(step / steps)


def _noisy(examples: _Examples, rows: Tensor) -> _Examples:
    """A batch with noise on its token states and some words left out."""
    mask = examples.mask[rows]
    longest = int(mask.sum(1).max())
    mask = mask[:, :longest]
    states = examples.states[rows, :longest].float()
    states += STATE_NOISE * torch.randn_like(states)
    keep = mask & (torch.rand(mask.shape) > WORD_DROP * torch.rand(len(rows), 1))
    keep[:, 0] = True
    return _Examples(states, keep, examples.labels[rows])


def _loss(reader: nn.Module, targets: Tensor, states: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    codes, known = reader(states, mask)
    is_command = labels >= 0
    loss = F.binary_cross_entropy_with_logits(known, is_command.float())
    if not is_command.any():
        return loss
    codes, labels = codes[is_command], labels[is_command]
    cosines = codes @ targets.T
    loss = loss + F.cross_entropy(cosines / TEMPERATURE, labels, label_smoothing=LABEL_SMOOTHING)
    return loss + PULL * (1 - cosines.gather(1, labels[:, None])).mean()


def measure(
    encoder: CommandEncoder, commands: Sequence[Mapping[str, Any]], text_encoder: TextEncoder
) -> CommandEncoderReport:
    """How well the trained and the held-out phrases of `commands` find their command by the nearest canonical code."""
    bank = encoder.encode([str(command["text"]) for command in commands], text_encoder).codes
    train = [(str(phrase), at) for at, command in enumerate(commands) for phrase in command["train"]]
    held_out = [(str(phrase), at) for at, command in enumerate(commands) for phrase in command["held_out"]]
    seen = _nearest(encoder, train, bank, text_encoder)
    unseen = _nearest(encoder, held_out, bank, text_encoder)
    sentences = torch.from_numpy(text_encoder.encode([phrase for phrase, _ in train]))
    asked = torch.from_numpy(text_encoder.encode([phrase for phrase, _ in held_out]))
    owners = torch.tensor([at for _, at in train])
    raw = int((owners[(asked @ sentences.T).argmax(1)] == unseen.wanted).sum()) if held_out else 0
    right = unseen.found == unseen.wanted
    between = bank @ bank.T - 2 * torch.eye(len(bank))
    wrong = [at for at, good in enumerate(right.tolist()) if not good]
    name = [str(command["text"]) for command in commands]
    return CommandEncoderReport(
        commands=len(commands),
        train_phrases=len(train),
        held_out_phrases=len(held_out),
        held_out_top1=_mean(right),
        held_out_interval=wilson_interval(int(right.sum()), len(held_out)),
        held_out_known=_mean(unseen.known > 0),
        raw_nearest_top1=raw / max(len(held_out), 1),
        raw_nearest_interval=wilson_interval(raw, len(held_out)),
        train_top1=_mean(seen.found == seen.wanted),
        train_cosine_mean=_mean(seen.cosine),
        train_cosine_p05=_low(seen.cosine),
        held_out_cosine_mean=_mean(unseen.cosine),
        held_out_cosine_p05=_low(unseen.cosine),
        between_cosine_max=float(between.max()),
        misunderstood=tuple((held_out[at][0], name[int(unseen.found[at])], name[held_out[at][1]]) for at in wrong),
    )


class _Found(NamedTuple):
    """Per phrase: the command found and wanted, the cosine to the wanted one's code, the logit of `known`."""

    found: Tensor
    wanted: Tensor
    cosine: Tensor
    known: Tensor


def _nearest(
    encoder: CommandEncoder, phrases: Sequence[tuple[str, int]], bank: Tensor, text_encoder: TextEncoder
) -> _Found:
    codes, known = encoder.encode([phrase for phrase, _ in phrases], text_encoder)
    wanted = torch.tensor([at for _, at in phrases], dtype=torch.long)
    cosines = codes @ bank.T
    return _Found(cosines.argmax(1), wanted, cosines.gather(1, wanted[:, None])[:, 0], known)


def _mean(values: Tensor) -> float:
    return float(values.float().mean()) if len(values) else 0.0


def _low(values: Tensor) -> float:
    return float(values.quantile(0.05)) if len(values) else 0.0
