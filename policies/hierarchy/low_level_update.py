"""Trains a low level further from a few new segments, under a strategy against forgetting, and measures both sides.

All of it learns, what sees as well: a thing that stands elsewhere, or that nobody trained on, must first be seen as
such. The high level goes on seeing as before, by a copy of what it was trained with (`low_level.perception`).

The base's examples are what the strategy is to keep: they are its first stretch, the new ones the next. Their targets
are not the base's but what the low level itself answered before (dark experience replay, Buzzega et al. 2020, arXiv
2004.07211): a few base episodes would be learned by heart otherwise, at the cost of all that it knows beside them. So
are answers to the new pictures under commands to which no hand was guided (learning without forgetting, Li and Hoiem
2016, arXiv 1606.09282): where the box has been moved, blocks are picked up as ever.

Ways to where the low level would go by itself are not learned: what failed there was something else, and a few ways
to things that lie elsewhere each time cost more than they teach (`low_level_aims`).

How well new segments are fitted is measured on episodes that were kept out, by turns, since there are few of them. Can
be stopped after each pass over the examples and goes on there. Knows nothing of sessions, versions or gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from policies.errors import DatasetError
from policies.hierarchy.checkpoint import TrainingState, load_training_state, save_training_state, write_tensors
from policies.hierarchy.dataset import GUIDED, Recordings
from policies.hierarchy.low_level import LowLevelPolicy, Prediction, Targets, each_loss
from policies.hierarchy.low_level_aims import Aim, Beside, aims_of, beside, medians, unlearned
from policies.hierarchy.low_level_examples import AT_ONCE, Example, draw, parts_of, together, unpacked
from policies.hierarchy.low_level_training import disturbed
from policies.hierarchy.sampling import low_level_samples
from policies.learning.importance import Classp
from policies.learning.replay import ExperienceReplay
from policies.learning.strategies import strategy
from policies.learning.strategy import Examples, Settings, Strategy, passes

BASE_SHARE = 2 / 3
"""Of a step's examples, where the strategy replays."""
OTHER_SHARE = 0.2
"""Of what is kept, answers to new pictures."""
_PARTS = 4
"""Of the new episodes, one such part is kept out in a turn."""
_HELD_OUT_EVERY = 8
"""Of the base's episodes, where too few are held out by their names."""
_FEWEST_HELD_OUT = 8
_STATE = "strategy.safetensors"

Says = Callable[[int, int], None]
"""How much is done, of how much."""
Report = Callable[[str, int, int, float], None]
"""What is going on, how much is done, of how much, and the loss, NaN where there is none."""
_BeforeAfter = tuple[dict[str, float], dict[str, float]]
"""Scores by name."""


@dataclass(frozen=True)
class Plan:
    """How an update learns. steps: each of `batch` new examples and, where the strategy replays, twice as many that
    are to be kept; drawn, base_drawn, checked: how many are drawn of the new segments, to keep, to measure on; turns:
    at most so many times a part of the new episodes is kept out to measure on; 0: measured is on what is learned;
    least_guided: below so many guided ways that are to be learned nothing is."""

    strategy: str = ExperienceReplay.name
    steps: int = 500
    batch: int = 16
    rate: float = 2e-4
    drawn: int = 3072
    base_drawn: int = 4096
    checked: int = 1024
    turns: int = 2
    seed: int = 0
    least_guided: int = 0


@dataclass(frozen=True)
class Fitted:
    """What an update measured: mean losses by part, "loss" being their sum, and "done_accuracy".

    base, new: before and after, on the base's held-out episodes, and on new episodes kept out by turns; folds: the
    losses on the new ones, before and after, turn by turn; aims: of each command under which hands were led to where
    they took hold of something.
    """

    base: tuple[dict[str, float], dict[str, float]]
    new: tuple[dict[str, float], dict[str, float]]
    folds: list[tuple[float, float]]
    aims: list[Aim] = field(default_factory=list)


class SeenAndDone:
    """`Learnable`: a low level from pictures to path and done, all of it. Examples stay where they are and go to the
    model's device a step at a time; what it answers is there."""

    def __init__(self, model: LowLevelPolicy) -> None:
        self._model = model
        self._device = next(model.parameters()).device

    def _there(self, example: Example) -> Example:
        return Example(*(tensor.to(self._device) for tensor in example))

    @property
    def model(self) -> LowLevelPolicy:
        """The low level that learns."""
        return self._model

    def output(self, examples: Examples) -> Tensor:
        """Path in network units and done, `(n, 12 K + 1)`."""
        found = self.predict(Example(*examples))
        return torch.cat((found.path.flatten(1), found.done[:, None]), 1)

    def losses(self, examples: Examples) -> Tensor:
        """`(n,)`."""
        return torch.stack(list(self.parts(Example(*examples)).values())).sum(0)

    def view(self, examples: Examples, generator: torch.Generator) -> Examples:
        """The same with other small errors in the state. What was answered to a state is kept as it is."""
        example = Example(*examples)
        state, done = disturbed(example.state, example.done, example.by_amount, generator)
        new = {**vars(state), "done": done}
        same = example.answered
        for name, values in new.items():
            old = getattr(example, name)
            new[name] = torch.where(same[:, None] if old.dim() > 1 else same, old, values)
        return example._replace(**new)

    def predict(self, example: Example) -> Prediction:
        """What it answers now."""
        example = self._there(example)
        images = unpacked(example.pictures, self._model.config.cameras)
        return self._model(self._model.look(images, example.light), example.state, example.code)

    def parts(self, example: Example) -> dict[str, Tensor]:
        """What the losses are made of, each `(n,)`."""
        example = self._there(example)
        found = self.predict(example)
        none: dict[str, Tensor] = {}
        path = self._model.encode_path(example.path, example.pose_target)
        wanted = Targets(path, example.done, example.done, example.done, example.goal, none, none)
        return each_loss(found.path, found.done, found.goal, wanted)

    @torch.no_grad()
    def scores(self, example: Example) -> dict[str, float]:
        """Mean losses, and the share of moments at which "done" is said rightly."""
        self._model.eval()
        sums: dict[str, float] = {}
        for part in parts_of(example, AT_ONCE):
            found = {name: float(values.sum()) for name, values in self.parts(part).items()}
            right = (self.predict(part).done.cpu() > 0) == (part.done > 0.5)
            for name, value in {"loss": sum(found.values()), **found, "done_accuracy": float(right.sum())}.items():
                sums[name] = sums.get(name, 0.0) + value / len(example.done)
        return sums

    @torch.no_grad()
    def answered(self, example: Example) -> Example:
        """The same with what it answers now as targets."""
        self._model.eval()
        found = []
        for part in parts_of(example, AT_ONCE):
            said = self.predict(part)
            path = self._model.decode_path(said.path, self._there(part).pose_target)
            here = torch.ones_like(part.answered)
            answers = {"path": path.cpu(), "done": said.done.sigmoid().cpu(), "goal": said.goal.cpu()}
            found.append(part._replace(**answers, answered=here))
        return together(found)


def held_out_of(data: Recordings) -> Tensor:
    """Which episodes `(E,)` of a base an update is measured on. DatasetError where there are too few."""
    if int(data.held_out.sum()) >= _FEWEST_HELD_OUT:
        return data.held_out
    episodes = len(data.held_out)
    if episodes < 2 * _HELD_OUT_EVERY:
        why = f"has {episodes} episodes, too few to see whether anything is forgotten."
        raise DatasetError(why, field="dataset", hint=f"Give one with {2 * _HELD_OUT_EVERY} or more: hitl generate.")
    return torch.arange(episodes) % _HELD_OUT_EVERY == 0


def folds_of(data: Recordings, groups: Sequence[str], most: int) -> list[Tensor]:
    """Episodes to keep out by turns, `(E,)` bool each, in `most` turns a quarter or more of those that teach. groups:
    names of what must not be torn apart, one an episode, since a guided segment lies in another episode's time.
    DatasetError where there is only one that teaches."""
    teaches = torch.zeros(len(groups), dtype=torch.bool)
    samples = low_level_samples(replace(data, held_out=~teaches), held_out=True)
    teaches[data.segments.episode[samples.segment]] = True
    names = sorted({name for name, used in zip(groups, teaches.tolist(), strict=True) if used})
    if len(names) < 2:
        why = "only one episode teaches anything, so nothing can be kept out to see whether it was learned."
        raise DatasetError(why, field="from", hint="Add another session, or one with more episodes.")
    parts = min(_PARTS, len(names))
    return [torch.tensor([name in names[turn::parts] for name in groups]) for turn in range(min(most, parts))]


def keep(
    model: LowLevelPolicy, base: Recordings, new: Recordings, episodes: Tensor, codes: Tensor, plan: Plan, say: Says
) -> Example:
    """What the strategy is to keep: what `model` answers to the base's episodes `(E,)` bool, more often under commands
    to which hands were guided, and to new pictures under other commands than these.

    codes: of the commands of `new`, of which the base's are the first."""
    known = codes[: len(base.meta.commands)]
    guided = (new.segments.flags & GUIDED) > 0
    by_hand = new.segments.command[guided] if guided.any() else new.segments.command
    alike = torch.isin(base.segments.command, by_hand)
    untaught = (~torch.isin(torch.arange(len(known)), by_hand)).nonzero().squeeze(1)
    others = round(plan.base_drawn * OTHER_SHARE) if len(untaught) else 0
    kept = draw(model, base, episodes, known, plan.base_drawn - others, plan.seed, favoured=alike, report=say)
    if others:
        everything = torch.ones(len(new.held_out), dtype=torch.bool)
        strange = draw(model, new, everything, codes, others, plan.seed + 1, favoured=guided, other=untaught)
        kept = together([kept, strange])
    task = SeenAndDone(model)
    generator = torch.Generator().manual_seed(plan.seed + 2)
    return task.answered(Example(*task.view(kept, generator)))


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
    task, everything = SeenAndDone(model), torch.ones(len(groups), dtype=torch.bool)

    def places(episodes: Tensor) -> Beside:
        return beside(model, task.predict, new, episodes, codes, plan.seed)

    aims = aims_of(new, places(everything))
    new = unlearned(new, aims)
    _expect_guided(new.segments.episode[(new.segments.flags & GUIDED) > 0], plan.least_guided)
    held, turns = held_out_of(base), folds_of(new, groups, plan.turns)
    say = _saying(report, "what it must keep")
    kept = keep(model, base, new, ~held, codes, plan, say)
    known = codes[: len(base.meta.commands)]
    kept_check = draw(model, base, held, known, plan.checked, plan.seed, plain=True, report=say)
    base_before = task.scores(kept_check)
    learning = _Learning(task, new, codes, kept, plan, folder, settings, report)
    checks: list[_BeforeAfter] = []
    then: list[Beside] = []
    for turn, out in enumerate(turns):
        what = f"turn {turn + 1} of {len(turns)}"
        checks.append(learning.fit(f"turn-{turn}", what, ~out, out, plan.seed + 1 + turn, plan.checked // len(turns)))
        then.append(places(out))
    whole = learning.fit("all", "learning", everything, everything, plan.seed, plan.checked)
    checks = checks or [whole]
    after = medians(then or [places(everything)])
    by_text = {new.meta.commands[command].text: metres for command, metres in after.items()}
    return Fitted(
        (base_before, task.scores(kept_check)),
        (_mean([first for first, _ in checks]), _mean([then for _, then in checks])),
        [(first["loss"], then["loss"]) for first, then in checks] if turns else [],
        [replace(aim, after=by_text.get(aim.command)) for aim in aims],
    )


class _Learning:
    """What the turns of an update have in common; each begins with the weights that the model has now."""

    def __init__(
        self,
        task: SeenAndDone,
        new: Recordings,
        codes: Tensor,
        kept: Example,
        plan: Plan,
        folder: Path,
        settings: dict[str, Any],
        report: Report,
    ) -> None:
        self._task, self._new, self._codes, self._kept = task, new, codes, kept
        self._plan, self._folder, self._settings, self._report = plan, folder, settings, report
        self._guided = (new.segments.flags & GUIDED) > 0
        self._begin = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}

    def fit(self, part: str, what: str, learned: Tensor, measured: Tensor, seed: int, count: int) -> _BeforeAfter:
        """Learn from the `learned` episodes `(E,)`; what `count` examples of the `measured` ones score before and
        after. part: names the folder of its state."""
        model, plan = self._task.model, self._plan
        model.load_state_dict(self._begin)

        def drawn(episodes: Tensor, number: int, seed: int, plain: bool) -> Example:
            say = _saying(self._report, what)
            new, codes, guided = self._new, self._codes, self._guided
            return draw(model, new, episodes, codes, number, seed, plain=plain, favoured=guided, report=say)

        check, taught = drawn(measured, count, plan.seed, True), drawn(learned, plan.drawn, seed, False)
        first = self._task.scores(check)
        _learn(self._task, taught, self._kept, plan, self._folder / part, self._settings, what, self._report)
        return first, self._task.scores(check)


def _saying(report: Report, what: str) -> Says:
    return lambda done, count: report(what, done, count, float("nan"))


def _expect_guided(episodes: Tensor, least: int) -> None:
    """DatasetError where fewer ways than these are to be learned; one is a shard, or episode `(n,)`, of its own."""
    ways = len(set(episodes.tolist()))
    if ways < least:
        why = f"hands were guided {ways} times to where the low level would not go by itself; {least} are needed."
        raise DatasetError(why, field="from", hint="Add sessions in which hands were guided.")


def _mean(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(one[name] for one in scores) / len(scores) for name in scores[0]}


def _learn(
    task: SeenAndDone,
    new: Example,
    kept: Example,
    plan: Plan,
    folder: Path,
    settings: dict[str, Any],
    what: str,
    report: Report,
) -> None:
    """One stretch: the new examples, where the kept ones were the stretch before. Saved after each pass."""
    model = task.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    saved = load_training_state(folder, model, None, settings)
    step = saved.step if saved is not None else 0
    model.load_state_dict(before)  # a strategy counts from where the stretch began
    method = _prepared(task, kept, plan)
    if step and isinstance(method, Classp):
        method.restore(load_file(folder / f"{step}-{_STATE}"))
    learning = Settings(epochs=1, batch=plan.batch, rate=plan.rate, adam=True, weight_decay=1e-4, gradient_limit=1.0)
    optimizer = method.optimizer(task, learning)
    method.begin(task)
    rates = [group["lr"] for group in optimizer.param_groups]
    load_training_state(folder, model, optimizer, settings)
    while step < plan.steps:
        # A generator of its own for each pass, so that a run that was stopped goes on as it would have.
        generator = torch.Generator().manual_seed(1_000_003 * (plan.seed + 1) + step)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, 2 * (1 - step / plan.steps))
        left = iter(range(plan.steps - step))
        losses = passes(task, new, method, learning, generator, optimizer, partial(_is_over, left))
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


def _prepared(task: SeenAndDone, kept: Example, plan: Plan) -> Strategy:
    """The strategy with the kept examples behind it; one that replays has them all."""
    method = strategy(plan.strategy)
    if isinstance(method, ExperienceReplay):
        method = strategy(plan.strategy, size=len(kept.done), share=BASE_SHARE)
    task.model.eval()
    method.end(task, kept, torch.Generator().manual_seed(plan.seed))
    return method
