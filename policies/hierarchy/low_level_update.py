"""Trains a low level further from a few new segments, under a strategy against forgetting, and measures both sides.

Only what decides is learned; what sees stays as it is (`low_level.PERCEPTION`). The high level reads what the low
level sees, so it goes on as before, to the last digit. And what is seen of a frame need be computed only once: an
example is the places found in it, and the update takes seconds where training took an hour.

The base's examples are what the strategy is to keep: they are its first stretch, the new ones the next. How well new
segments are fitted is measured on episodes that were kept out, by turns, since there are few of them. Can be stopped
after each pass over the examples and goes on there. Knows nothing of sessions, versions or gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from policies.errors import DatasetError
from policies.hierarchy.checkpoint import TrainingState, load_training_state, save_training_state, write_tensors
from policies.hierarchy.dataset import GUIDED, Recordings
from policies.hierarchy.low_level import PERCEPTION, LowLevelPolicy, State, Targets, each_loss
from policies.hierarchy.low_level_training import PhraseCodes, disturbed, shift_pictures
from policies.hierarchy.sampling import Batches, Samples, low_level_samples
from policies.learning.importance import Classp
from policies.learning.replay import ExperienceReplay
from policies.learning.strategies import strategy
from policies.learning.strategy import Examples, Settings, Strategy, passes

FOLDS = 4
FAVOURED_SHARE = 0.5
"""Of the new examples, those that a person guided: what the policy did by itself can teach it little new. And of the
base's, those of the commands that are guided, which are the first to be forgotten."""
BASE_SHARE = 0.75
"""Of a step's examples, where the strategy replays."""
_AT_ONCE = 64
_HELD_OUT_EVERY = 8
"""Of the base's episodes, where too few are held out by their names."""
_FEWEST_HELD_OUT = 8
_STATE = "strategy.safetensors"

Report = Callable[[str, int, int, float], None]
"""What is going on, how much is done, of how much, and the loss, NaN where there is none."""


class Example(NamedTuple):
    """n moments under a command, as a strategy takes them.

    seen: places under the command and of the scene `(n, s)`; code: `(n, 64)`; pose, pose_target, start: `(n, 12)`;
    elapsed: `(n,)` s; path: `(n, K, 12)` absolute targets; done: `(n,)`; goal: `(n, 3)` m, NaN where unknown;
    by_amount: `(n,)` bool, words that say by how much.
    """

    seen: Tensor
    code: Tensor
    pose: Tensor
    pose_target: Tensor
    start: Tensor
    elapsed: Tensor
    path: Tensor
    done: Tensor
    goal: Tensor
    by_amount: Tensor

    @property
    def state(self) -> State:
        """Of the arms."""
        return State(self.pose, self.pose_target, self.start, self.elapsed)


@dataclass(frozen=True)
class Plan:
    """How an update learns. steps: each of `batch` new examples and, where the strategy replays, three times as many
    of the base's; drawn, base_drawn, checked: how many are drawn of the new segments, the base, to measure on."""

    strategy: str = ExperienceReplay.name
    steps: int = 400
    batch: int = 32
    rate: float = 1e-4
    drawn: int = 3072
    base_drawn: int = 5120
    checked: int = 1536
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """What an update measured: mean losses by part, "loss" being their sum, and "done_accuracy".

    base, new: before and after, on the base's held-out episodes, and on new episodes kept out by turns; folds: the
    losses on the new ones, before and after, turn by turn.
    """

    base: tuple[dict[str, float], dict[str, float]]
    new: tuple[dict[str, float], dict[str, float]]
    folds: list[tuple[float, float]]


class Decider:
    """`Learnable`: what of a low level decides."""

    def __init__(self, model: LowLevelPolicy) -> None:
        self._model = model
        for name, weight in model.named_parameters():
            weight.requires_grad_(name.split(".")[0] not in PERCEPTION)

    @property
    def model(self) -> LowLevelPolicy:
        """The whole low level; what sees requires no gradient."""
        return self._model

    def output(self, examples: Examples) -> Tensor:
        """Path in network units and done, `(n, 12 K + 1)`."""
        path, done, _ = self._decide(Example(*examples))
        return torch.cat((path.flatten(1), done[:, None]), 1)

    def losses(self, examples: Examples) -> Tensor:
        """`(n,)`."""
        return torch.stack(list(self.parts(Example(*examples)).values())).sum(0)

    def view(self, examples: Examples, generator: torch.Generator) -> Examples:
        """The same with other small errors in the state."""
        example = Example(*examples)
        state, done = disturbed(example.state, example.done, example.by_amount, generator)
        return example._replace(done=done, **vars(state))

    def parts(self, example: Example) -> dict[str, Tensor]:
        """What the losses are made of, each `(n,)`."""
        path, done, goal = self._decide(example)
        none: dict[str, Tensor] = {}
        wanted = Targets(
            self._model.encode_path(example.path, example.pose_target),
            example.done,
            done,
            done,
            example.goal,
            none,
            none,
        )
        return each_loss(path, done, goal, wanted)

    def _decide(self, example: Example) -> tuple[Tensor, Tensor, Tensor]:
        return self._model.decide(example.seen, example.state, example.code)

    @torch.no_grad()
    def scores(self, example: Example) -> dict[str, float]:
        """Mean losses, and the share of moments at which "done" is said rightly."""
        self._model.eval()
        found = {name: float(part.mean()) for name, part in self.parts(example).items()}
        _, done, _ = self._decide(example)
        right = float(((done > 0) == (example.done > 0.5)).float().mean())
        return {"loss": sum(found.values()), **found, "done_accuracy": right}


def held_out_of(data: Recordings) -> Tensor:
    """Which episodes `(E,)` of a base an update is measured on. DatasetError where there are too few."""
    if int(data.held_out.sum()) >= _FEWEST_HELD_OUT:
        return data.held_out
    episodes = len(data.held_out)
    if episodes < 2 * _HELD_OUT_EVERY:
        why = f"has {episodes} episodes, too few to see whether anything is forgotten."
        raise DatasetError(why, field="dataset", hint=f"Give one with {2 * _HELD_OUT_EVERY} or more: hitl generate.")
    return torch.arange(episodes) % _HELD_OUT_EVERY == 0


def folds_of(data: Recordings, groups: Sequence[str]) -> list[Tensor]:
    """Episodes to keep out by turns, `(E,)` bool each. groups: names of what must not be torn apart, one an episode,
    since a guided segment lies in another episode's time. DatasetError where there is only one that teaches."""
    teaches = torch.zeros(len(groups), dtype=torch.bool)
    samples = low_level_samples(replace(data, held_out=~teaches), held_out=True)
    teaches[data.segments.episode[samples.segment]] = True
    names = sorted({name for name, used in zip(groups, teaches.tolist(), strict=True) if used})
    if len(names) < 2:
        why = "only one episode teaches anything, so nothing can be kept out to see whether it was learned."
        raise DatasetError(why, field="from", hint="Add another session, or one with more episodes.")
    turns = min(FOLDS, len(names))
    return [torch.tensor([name in names[turn::turns] for name in groups]) for turn in range(turns)]


def draw(
    model: LowLevelPolicy,
    data: Recordings,
    episodes: Tensor,
    codes: Tensor,
    count: int,
    seed: int,
    *,
    plain: bool = False,
    favoured: Tensor | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Example:
    """`count` examples of these episodes `(E,)` bool, drawn as training draws them, with what `model` sees in them.

    codes: `(commands, 64)` in the order of the data's commands; plain: pictures, words and beginnings as they are, to
    measure on; favoured: `(segments,)` bool, those that get their share of the whole. Raises DatasetError where
    nothing in the episodes teaches.
    """
    generator = torch.Generator().manual_seed(seed)
    samples = low_level_samples(replace(data, held_out=~episodes), held_out=False)
    if favoured is not None:
        samples = _favouring(samples, favoured[samples.segment])
    batches = Batches(data, samples, model.config.knots, generator, augment=not plain)
    phrases = PhraseCodes(codes, torch.arange(len(codes)), torch.ones(len(codes), dtype=torch.long))
    model.eval()
    found: list[Example] = []
    for done in range(0, count, _AT_ONCE):
        batch = batches.draw(min(_AT_ONCE, count - done))
        code, light = codes[batch.command], None
        if not plain:
            shift_pictures(batch.images, (), generator)
            code = phrases.draw(batch.command, generator)
            light = 0.75 + 0.5 * torch.rand(len(code), 1, generator=generator)
            light = light * (1 + 0.06 * torch.randn(len(code), 3, generator=generator))
        with torch.no_grad():
            sight = model.look(batch.images, light)
            seen = torch.cat((model.attend(sight, code).places, sight.places), 1)
        by_amount = ~batches.has_goal[batch.command]
        state = batch.pose, batch.pose_target, batch.start, batch.elapsed
        found.append(Example(seen, code, *state, batch.path, batch.done, batch.goal, by_amount))
        if report is not None:
            report(min(done + _AT_ONCE, count), count)
    return Example(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _favouring(samples: Samples, chosen: Tensor) -> Samples:
    """The samples with the chosen ones `(N,)` bool at their share of the whole, where there are such and others."""
    if not chosen.any() or chosen.all():
        return samples
    weight = samples.weight.clone()
    weight[chosen] *= FAVOURED_SHARE / float(weight[chosen].sum())
    weight[~chosen] *= (1 - FAVOURED_SHARE) / float(weight[~chosen].sum())
    return replace(samples, weight=weight)


def update(
    model: LowLevelPolicy,
    new: Recordings,
    groups: Sequence[str],
    base: Recordings,
    codes: Tensor,
    plan: Plan,
    folder: Path,
    settings: dict[str, Any],
    report: Report = lambda *_: None,
) -> Fitted:
    """Train `model` further, in place; returns what was measured before and after.

    codes: of the commands of `new`, `(commands, 64)`, of which the base's are the first. folder: keeps states, so that
    a run with the same `settings` goes on. Raises DatasetError where there is too little to learn from or to measure
    on, CheckpointError where `folder` holds a run of other settings, PolicyError for an unknown strategy.
    """
    strategy(plan.strategy)  # before anything takes time
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    held, turns = held_out_of(base), folds_of(new, groups)
    guided = (new.segments.flags & GUIDED) > 0
    alike = torch.isin(base.segments.command, new.segments.command[guided])
    known = codes[: len(base.meta.commands)]

    def looking(what: str) -> Callable[[int, int], None]:
        return lambda done, count: report(what, done, count, float("nan"))

    say = looking("what it must keep")
    kept = draw(model, base, ~held, known, plan.base_drawn, plan.seed, favoured=alike, report=say)
    kept_check = draw(model, base, held, known, plan.checked, plan.seed, plain=True, report=say)
    decider = Decider(model)
    base_before = decider.scores(kept_check)
    checks: list[tuple[dict[str, float], dict[str, float]]] = []
    for turn, out in enumerate(turns):
        model.load_state_dict(before)
        what = f"turn {turn + 1} of {len(turns)}"
        say, checked = looking(what), plan.checked // len(turns)
        check = draw(model, new, out, codes, checked, plan.seed, plain=True, favoured=guided, report=say)
        taught = draw(model, new, ~out, codes, plan.drawn, plan.seed + 1 + turn, favoured=guided, report=say)
        first = decider.scores(check)
        _learn(decider, taught, kept, plan, folder / f"turn-{turn}", settings, what, report)
        checks.append((first, decider.scores(check)))
    model.load_state_dict(before)
    everything = torch.ones(len(groups), dtype=torch.bool)
    say = looking("the new segments")
    taught = draw(model, new, everything, codes, plan.drawn, plan.seed, favoured=guided, report=say)
    _learn(decider, taught, kept, plan, folder / "all", settings, "learning", report)
    return Fitted(
        (base_before, decider.scores(kept_check)),
        (_mean([first for first, _ in checks]), _mean([then for _, then in checks])),
        [(first["loss"], then["loss"]) for first, then in checks],
    )


def _mean(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(one[name] for one in scores) / len(scores) for name in scores[0]}


def _learn(
    decider: Decider,
    new: Example,
    kept: Example,
    plan: Plan,
    folder: Path,
    settings: dict[str, Any],
    what: str,
    report: Report,
) -> None:
    """One stretch: the new examples, where the kept ones were the stretch before. Saved after each pass."""
    model = decider.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    saved = load_training_state(folder, model, None, settings)
    step = saved.step if saved is not None else 0
    model.load_state_dict(before)  # a strategy counts from where the stretch began
    method = _prepared(decider, kept, plan)
    if step and isinstance(method, Classp):
        method.restore(load_file(folder / f"{step}-{_STATE}"))
    learning = Settings(epochs=1, batch=plan.batch, rate=plan.rate, adam=True, weight_decay=1e-4, gradient_limit=1.0)
    optimizer = method.optimizer(decider, learning)
    method.begin(decider)
    rates = [group["lr"] for group in optimizer.param_groups]
    load_training_state(folder, model, optimizer, settings)
    while step < plan.steps:
        # A generator of its own for each pass, so that a run that was stopped goes on as it would have.
        generator = torch.Generator().manual_seed(1_000_003 * (plan.seed + 1) + step)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, 2 * (1 - step / plan.steps))
        left = iter(range(plan.steps - step))
        losses = passes(decider, new, method, learning, generator, optimizer, partial(_is_over, left))
        step += len(losses)
        _save(folder, model, method, optimizer, TrainingState(step, 0.0, settings))
        report(what, step, plan.steps, sum(losses) / len(losses))


def _is_over(left: Iterator[int]) -> bool:
    return next(left, None) is None


def _save(
    folder: Path, model: LowLevelPolicy, method: Strategy, optimizer: torch.optim.Optimizer, state: TrainingState
) -> None:
    """All that another run needs to go on. What a strategy remembers follows from the kept examples, but for one."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(method, Classp):
        write_tensors(folder / f"{state.step}-{_STATE}", method.state(), "hitl-strategy")
    save_training_state(folder, model, optimizer, state)
    for old in folder.glob(f"*-{_STATE}"):
        if old.name != f"{state.step}-{_STATE}":
            old.unlink()


def _prepared(decider: Decider, kept: Example, plan: Plan) -> Strategy:
    """The strategy with the kept examples behind it; one that replays has them all."""
    method = strategy(plan.strategy)
    if isinstance(method, ExperienceReplay):
        method = strategy(plan.strategy, size=len(kept.done), share=BASE_SHARE)
    decider.model.eval()
    method.end(decider, kept, torch.Generator().manual_seed(plan.seed))
    return method
