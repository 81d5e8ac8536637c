"""The high level learns from corrections: a few gradient steps on cached histories, beside a sample of its base data.

An example is a history, the command that was wanted there, and perhaps the one that a person overruled, which is
pushed down. A strategy against forgetting (`policies/learning`) has the base sample as its first stretch; the
corrections are the next. Learning on from the newest weights takes a moment; learning anew from the base weights gives
weights that depend on nothing but the examples, so that what was undone leaves no trace. Knows no events and no files.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from policies.errors import PolicyError
from policies.hierarchy.examples import Example
from policies.hierarchy.high_level import HighLevelPolicy, closed
from policies.hierarchy.high_level_training import Moments
from policies.hierarchy.looks import LooksElsewhere
from policies.hierarchy.wishes import Told, Wishes
from policies.learning.strategies import DEFAULT, strategy
from policies.learning.strategy import Examples, Settings, Strategy, joined, learn, take

_NOISE = 0.1  # in units of each feature's deviation, as in training
_NONE = -1
_AT_ONCE = 512
_LEAST_MOVED, _MOST_MOVED, _MOVED_WEIGHT = 0.25, 2000, 0.5
_WAY = (0.5, 0.75)
_LOOK_EVERY = 8
"""Steps between two looks at whether the fresh examples are answered."""


@dataclass(frozen=True)
class LearnerSettings:
    """How an update learns. steps: at most, of one that learns on; it ends when the fresh examples are answered, each
    with a probability of `sure`. anew_rate, anew_steps: of one from the base weights, and steps_an_example more for
    each example; share: of replay in a batch; fresh_share: of fresh examples among the others."""

    strategy: str = DEFAULT
    rate: float = 1e-4
    anew_rate: float = 2.5e-4
    batch: int = 32
    steps: int = 32
    sure: float = 0.5
    fresh_share: float = 0.3
    anew_steps: int = 120
    steps_an_example: float = 0.25
    most_steps: int = 240
    negative: float = 0.5
    """Weight of pushing down what was overruled."""
    kept: int = 4096
    """Base histories that replay draws from."""
    share: float = 0.5
    moved: float = 3.0
    """Base moments, as they would look in the episodes that were corrected, for each example; 0: none."""
    wished: float = 1.0
    """Weight of base moments that are given the label that people wish there, in hindsight; 0: none."""
    least_change: float = 0.98
    """Learned anew, weights go no further from the base's than it takes to answer this share of the corrections that
    they answer in the end, in steps of `_WAY` (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903); 0: all the way.
    Where people wish something it is always all the way: a wish is about more layouts than were corrected."""
    seed: int = 0


@dataclass(frozen=True)
class Update:
    """New weights. loss: mean of the last epoch; anew: learned from the base weights; steps, seconds: taken."""

    model: HighLevelPolicy
    loss: float
    anew: bool
    seconds: float


@dataclass
class _Task:
    """`Learnable` of the high level: examples are history, command, rejected, weight, and whether it is base data, for
    which every command of its row of `allowed` is right."""

    model: HighLevelPolicy
    bank: Tensor
    negative: float
    allowed: Tensor
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def output(self, examples: Examples) -> Tensor:
        # Not the vector: it has length one whatever the weights are, and MAS asks how they change the output's length.
        return self.model.logits(self.model(examples[0].to(self.device).float()), self.bank)

    def losses(self, examples: Examples) -> Tensor:
        history, command, rejected, weight, is_base = (tensor.to(self.device) for tensor in examples)
        logits = self.model.logits(self.model(history.float()), self.bank)
        right = functional.one_hot(command, len(self.bank)).bool() | (self.allowed[command] & is_base[:, None])
        loss = logits.logsumexp(1) - logits.masked_fill(~right, -torch.inf).logsumexp(1)
        known = rejected >= 0
        if self.negative and bool(known.any()):
            share = logits.softmax(1).gather(1, rejected.clamp(min=0)[:, None])[:, 0]
            loss = loss - self.negative * known * torch.log1p(-share.clamp(max=0.999))
        return loss * weight

    def view(self, examples: Examples, generator: torch.Generator) -> Examples:
        history = examples[0].float()
        noise = torch.randn(history.shape, generator=generator) * self.model.scale.cpu() * _NOISE
        return (history + noise, *examples[1:])


class HighLevelLearner:
    """Learns from all examples that there are, again and again. base: moments with commands counted through `bank`,
    the texts and unit codes `(commands, 64)` of the commands known from the beginning."""

    def __init__(
        self,
        high_level: HighLevelPolicy,
        bank: Mapping[str, Tensor],
        base: Moments,
        settings: LearnerSettings | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.settings = settings or LearnerSettings()
        self.device = device or torch.device("cpu")
        self._first = copy.deepcopy(high_level).to(self.device).eval()
        self._newest = self._first
        self._bank = dict(bank)
        self._known_first = tuple(bank)
        self._base = base
        known = base.command >= 0
        self._held_out = (known & base.held_out).nonzero().squeeze(1)
        learned = (known & ~base.held_out).nonzero().squeeze(1)
        if not len(learned) or not len(self._held_out):
            raise PolicyError("has no moments to replay, or none to measure on.", field="base")
        generator = torch.Generator().manual_seed(self.settings.seed)
        chosen = learned[torch.randperm(len(learned), generator=generator)[: self.settings.kept]]
        self._replay = self._base_examples(chosen)
        self._looks = LooksElsewhere(base, self._first.scale.cpu())
        self._wishes = Wishes(base)
        self._learned = learned
        self._primed: dict[str, Tensor] | None = None

    @property
    def bank(self) -> dict[str, Tensor]:
        """Texts and codes of all commands that it can answer with."""
        return dict(self._bank)

    @property
    def held_out(self) -> int:
        """On how many base moments agreement is measured."""
        return len(self._held_out)

    @property
    def guiding(self) -> frozenset[str]:
        """Commands that the high level knew from the beginning and that its base data never has: small motions, with
        which people guide a hand."""
        of_base = set(self._base.command.unique().tolist())
        return frozenset(text for at, text in enumerate(self._known_first) if at not in of_base)

    @property
    def is_open(self) -> bool:
        """Whether new wording can join the bank."""
        return self._first.config.is_open

    def add_command(self, text: str, code: Tensor) -> None:
        """New wording joins the bank; codes `(64,)` of commands that are known stay. Raises PolicyError where the
        high level's commands are fixed (`is_open`)."""
        if text not in self._bank and not self.is_open:
            raise closed(f"{text!r} cannot join its commands.")
        self._bank.setdefault(text, functional.normalize(code.float(), dim=0))

    def remove_command(self, text: str) -> None:
        """Forget wording that joined earlier."""
        self._bank.pop(text, None)

    def take_bank(self, bank: Mapping[str, Tensor]) -> None:
        """Take the bank of another learner of the same base as it is."""
        self._bank = dict(bank)

    def start_from(self, model: HighLevelPolicy) -> None:
        """Take these weights for the newest, such as those of a version that was promoted."""
        self._newest = copy.deepcopy(model).to(self.device).eval()

    def update(
        self,
        examples: Sequence[Example],
        *,
        anew: bool,
        fresh: Collection[str] = (),
        stop: Callable[[], bool] = lambda: False,
    ) -> Update:
        """Learn from all `examples`, on from the newest weights, or anew from the base weights.

        anew: the same examples give the same weights. fresh: groups that are new, which learning on sees more often.
        stop: asked before every step. Raises PolicyError where a history does not fit, or where there is no example.
        """
        begun = time.monotonic()
        self._check(examples)
        wishes = self._wished_pairs(examples)
        news = [] if anew else [at for at, example in enumerate(examples) if example.group in fresh]
        rows = self._rows(examples, news, wishes)
        answered = self._examples([examples[at] for at in news]) if news else None
        model = copy.deepcopy(self._first if anew else self._newest)
        settings = self.settings
        task = _Task(model, self._codes(), settings.negative, self._allowed(wishes), self.device)
        generator = torch.Generator().manual_seed(settings.seed + 1)
        chosen = self._strategy()
        steps = settings.steps
        if anew:
            steps = min(settings.most_steps, settings.anew_steps + round(settings.steps_an_example * len(examples)))
        epochs = -(-steps * settings.batch // len(rows[0])) + 1
        done = 0

        def enough() -> bool:
            nonlocal done
            known = answered is not None and done and done % _LOOK_EVERY == 0 and self._sure_of(model, answered)
            done += 1
            return bool(known) or done > steps or stop()

        torch.manual_seed(settings.seed + 2)  # dropout
        loss = learn(
            task,
            rows,
            chosen,
            Settings(
                epochs=epochs,
                batch=settings.batch,
                rate=settings.anew_rate if anew else settings.rate,
                adam=True,
                gradient_limit=1.0,
                decay_steps=steps if anew else 0,
            ),
            generator,
            enough,
        )
        model.eval()
        if anew and settings.least_change and not wishes:
            model = self._least_change(model, examples)
        self._newest = model
        return Update(model, loss, anew, time.monotonic() - begun)

    @torch.no_grad()
    def base_agreement(self, model: HighLevelPolicy, examples: Sequence[Example] = ()) -> float:
        """Share of held-out base moments that `model` answers as the expert did. Between commands that people's wishes
        in `examples` are about (see `superseded`) another answer than the expert's is no disagreement."""
        history, command, *_ = self._base_examples(self._held_out)
        answers = self._answers(model, history)
        allowed = self._allowed(self._wished_pairs(examples)).cpu()
        return float(allowed[command, answers].float().mean())

    def superseded(self, examples: Sequence[Example]) -> set[tuple[str, str]]:
        """(expert's command, the one that people wish in its place): see `wishes.py`. Of episodes that look as usual
        only: elsewhere it is a mistake of seeing."""
        texts = list(self._bank)
        return {(texts[expert], texts[wanted]) for expert, wanted in self._wished_pairs(examples)}

    @torch.no_grad()
    def agreement(self, model: HighLevelPolicy, examples: Sequence[Example]) -> float:
        """Share of the examples, by weight, that `model` answers as people did; NaN without examples."""
        if not examples:
            return float("nan")
        history, command, _, weight, _ = self._examples(examples)
        right = (self._answers(model, history) == command).float()
        return float((right * weight).sum() / weight.sum().clamp(min=1e-9))

    def _least_change(self, model: HighLevelPolicy, examples: Sequence[Example]) -> HighLevelPolicy:
        taught = [example for example in examples if example.group]
        if not taught:
            return model
        enough = self.settings.least_change * self.agreement(model, taught)
        for share in _WAY:
            part = copy.deepcopy(self._first)
            whole = model.state_dict()
            part.load_state_dict({name: start.lerp(whole[name], share) for name, start in part.state_dict().items()})
            if self.agreement(part, taught) >= enough:
                return part
        return model

    @torch.no_grad()
    def _sure_of(self, model: HighLevelPolicy, examples: Examples) -> bool:
        """Whether all of these are answered, and surely."""
        model.eval()
        logits = model.logits(model(examples[0].to(self.device).float()), self._codes()).cpu()
        model.train()
        share = logits.softmax(1).gather(1, examples[1][:, None])
        return bool((share >= self.settings.sure).all())

    def first_and_newest(self) -> tuple[HighLevelPolicy, HighLevelPolicy]:
        """The base weights, and the newest."""
        return self._first, self._newest

    def _rows(self, examples: Sequence[Example], news: Sequence[int], wishes: set[tuple[int, int]]) -> Examples:
        """What an update learns from beside replay: the examples, those at `news` more often, and base moments as they
        would look in these episodes or with what is wished there. A batch at least."""
        rows = self._examples(examples)
        if news:
            rows = _more_often(rows, news, self.settings.fresh_share)
        for part in (self._moved(examples), self._hindsight(wishes)):
            if part is not None:
                rows = joined(rows, part)
        batch = self.settings.batch
        if len(rows[0]) < batch:
            rows = tuple(torch.cat([part] * -(-batch // len(part)))[:batch] for part in rows)
        return rows

    def _wished_pairs(self, examples: Sequence[Example]) -> set[tuple[int, int]]:
        places = {text: at for at, text in enumerate(self._bank)}
        strange = self._looks.episodes(examples, places)
        return self._wishes.of(
            Told(one.episode, places[one.command], places.get(one.rejected), one.group)
            for one in examples
            if one.episode not in strange
        )

    def _allowed(self, wishes: set[tuple[int, int]]) -> Tensor:
        """`(commands, commands)`: which answers are right where the expert gave the command of the row."""
        allowed = torch.eye(len(self._bank), dtype=torch.bool)
        for expert, wanted in wishes:
            allowed[expert, wanted] = True
        return allowed.to(self.device)

    def _hindsight(self, wishes: set[tuple[int, int]]) -> Examples | None:
        """Base moments that a wish is about, with what is wished there; what the expert did there is overruled."""
        if not wishes or not self.settings.wished:
            return None
        rows, wanted = self._wishes.relabelled(wishes, self._learned)
        if not len(rows):
            return None
        history, command, _, ones, is_base = self._base_examples(rows)
        return history, wanted, command, ones * self.settings.wished, ~is_base

    def _answers(self, model: HighLevelPolicy, history: Tensor) -> Tensor:
        codes = self._codes()
        parts = [
            model.logits(model(part.to(self.device).float()), codes).argmax(1).cpu()
            for part in history.split(_AT_ONCE)
        ]
        return torch.cat(parts)

    def _strategy(self) -> Strategy:
        """A strategy that has the base sample behind it, under the commands of the beginning whatever joined since."""
        made = strategy(self.settings.strategy, **self._options())
        if self._primed is None:
            codes = torch.stack([self._bank[text] for text in self._known_first]).to(self.device)
            allowed = torch.eye(len(codes), dtype=torch.bool, device=self.device)
            task = _Task(copy.deepcopy(self._first), codes, 0.0, allowed, self.device)
            made.begin(task)
            made.end(task, self._replay, torch.Generator().manual_seed(self.settings.seed))
            self._primed = made.state()
            return made
        made.restore(self._primed)
        return made

    def _options(self) -> dict[str, float]:
        if self.settings.strategy in ("replay", "view-batch"):
            return {"size": self.settings.kept, "share": self.settings.share}
        return {}

    def _moved(self, examples: Sequence[Example]) -> Examples | None:
        """Base moments as they would look in the episodes of the examples, where those look otherwise at all."""
        wanted = round(self.settings.moved * len(examples))
        places = {text: at for at, text in enumerate(self._bank)}
        moves = self._looks.moves(examples, places) if wanted else []
        if not moves:
            return None
        generator = torch.Generator().manual_seed(self.settings.seed + 3)
        history, command, rejected, weight, is_base = self._replay
        chosen = torch.randint(len(history), (min(wanted, _MOST_MOVED),), generator=generator)
        which = torch.randint(len(moves), (len(chosen),), generator=generator)
        far = torch.rand(len(chosen), generator=generator) + _LEAST_MOVED
        offset = torch.stack(moves)[which] * far[:, None]
        seen = (history[chosen].float() + offset[:, None]).half()
        return seen, command[chosen], rejected[chosen], weight[chosen] * _MOVED_WEIGHT, is_base[chosen]

    def _codes(self) -> Tensor:
        return torch.stack(list(self._bank.values())).to(self.device)

    def _base_examples(self, rows: Tensor) -> Examples:
        history = self._base.features[self._base.histories(rows)]
        nothing = torch.full((len(rows),), _NONE)
        ones = torch.ones(len(rows))
        return history, self._base.command[rows], nothing, ones, ones.bool()

    def _check(self, examples: Sequence[Example]) -> None:
        if not examples:
            raise PolicyError("there are none.", field="examples", hint="Correct the policy first.")
        shape = (4, self._first.config.features)
        for example in examples:
            if tuple(example.history.shape) != shape:
                raise PolicyError(f"has shape {tuple(example.history.shape)}, expected {shape}.", field="history")
            if example.command not in self._bank:
                raise PolicyError(f"{example.command!r} is not in the command bank.", field="command")

    def _examples(self, examples: Sequence[Example]) -> Examples:
        self._check(examples)
        places = {text: at for at, text in enumerate(self._bank)}
        return (
            torch.stack([example.history.half() for example in examples]),
            torch.tensor([places[example.command] for example in examples]),
            torch.tensor([places.get(example.rejected, _NONE) for example in examples]),
            torch.tensor([example.weight for example in examples]),
            torch.zeros(len(examples), dtype=torch.bool),
        )


def _more_often(examples: Examples, news: Sequence[int], share: float) -> Examples:
    """The examples with the new ones repeated, so that they are about `share` of all."""
    count = len(examples[0])
    times = max(1, round(share / (1 - share) * (count - len(news)) / len(news)))
    rows = torch.cat((torch.arange(count), torch.tensor(list(news) * (times - 1), dtype=torch.long)))
    return take(examples, rows)
