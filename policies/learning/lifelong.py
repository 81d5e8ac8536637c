"""The lifelong-learning metrics of New et al. 2022 (arXiv 2201.08278), from a log of learning and evaluation blocks.

They are also those of Baker et al. 2023 (arXiv 2301.07799), whatever is learned.

Definitions and defaults are those of the package that its authors published (`l2metrics` 3.1.0), and the tests compare
with it; the code is our own. Where the two differ on purpose:

- Transfer is the contrast here and in that package's class for it, while its report and its command line say "ratio".
- Where several tasks were learned between two evaluations of another, the package keeps the transfer of only one of
  them, the one that appears last in the log; here each has its own.
- Where a curve first reaches its highest value, or an earlier one, the package asks for equality to the last bit,
  which rounding decides on a plateau; here what is within 1e-9 of a value has reached it, and a slope within 1e-9 of
  level does not fall.
- What would be divided by zero is left out; the package writes infinity for relative performance and efficiency.

What is followed although it surprises: an odd window lags by one experience; saturation smooths the smoothed curve
again, across the borders of blocks; who is best at the first experience has no sample efficiency, as the count is from
0; a pair's later transfers do not count in the mean over pairs; `normalize="task"` takes the range from this log, so
that such figures of two logs are not comparable. Knows nothing of models: performance is any number that is better
when it is higher, from 0 on for ratios to mean something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from policies.errors import PolicyError

Kind = Literal["learning", "evaluation"]
Transfer = Literal["contrast", "ratio"]
Maintenance = Literal["mrlep", "mrtlp"]
Normalize = Literal["task", "none"]
Curve = NDArray[np.float64]

_WINDOW_SHARE, _WINDOW_LIMIT = 0.2, 100
_TERMINAL_SHARE = 0.1
_SCALE, _OFFSET = 100.0, 1.0
"""Normalized performance is from 1 to 101, so that nothing is divided by zero."""
_LOWEST_SATURATION = 0.2
_NEAR = 1e-9


@dataclass(frozen=True)
class Block:
    """What was done with one task in a row. number: never falls; an evaluation of several tasks is several of these
    with the same number. values: the performance of each experience, `(n,)`, at least one, all finite."""

    number: int
    kind: Kind
    task: str
    values: Sequence[float]


Log = Sequence[Block]
"""In order of time; its experiences are numbered through, those of evaluations included."""


@dataclass(frozen=True)
class OfTask:
    """The metrics of one task, NaN where the log does not tell; `recovery_times` in experiences."""

    maintenance: float
    recovery: float
    relative: float
    efficiency: float
    recovery_times: tuple[float, ...] = ()


Pairs = dict[tuple[str, str], tuple[float, ...]]
"""(task learned, task evaluated) -> transfer at each time that there was one."""


@dataclass(frozen=True)
class Lifelong:
    """maintenance (PM): mean change of evaluations since the first one after the task was last learned, 0 where
    nothing is forgotten; forward (FT), backward (BT): how learning one task changed another that was not yet, or was
    already, learned: contrast from -1 to 1, 0 for no change, or ratio, 1 for no change; recovery (PR): how much
    shorter each relearning is than the one before, experiences; relative (RP): performance while learning over that of
    a single-task expert; efficiency (SE): level over the expert's, times the expert's experiences to it over ours.
    Means over tasks or pairs; NaN where there are none."""

    maintenance: float
    forward: float
    backward: float
    recovery: float
    relative: float
    efficiency: float
    tasks: dict[str, OfTask] = field(default_factory=dict)
    forward_pairs: Pairs = field(default_factory=dict)
    backward_pairs: Pairs = field(default_factory=dict)


def lifelong(
    log: Log,
    experts: Mapping[str, Sequence[Log]] | None = None,
    *,
    transfer: Transfer = "contrast",
    maintenance: Maintenance = "mrlep",
    normalize: Normalize = "task",
) -> Lifelong:
    """All metrics of a log.

    experts: task -> logs of learners that learned this task alone, of which only learning blocks are read; without
    them relative and efficiency are NaN. maintenance: compared with the first evaluation after learning (mrlep) or
    with the end of learning (mrtlp). normalize: each task to 1..101 by its lowest and highest performance in the log
    and its experts' logs, or as it is. Raises PolicyError for a log or an option that is not as said above.
    """
    options = (("transfer", transfer, Transfer), ("maintenance", maintenance, Maintenance))
    for name, value, known in (*options, ("normalize", normalize, Normalize)):
        if value not in get_args(known):
            raise PolicyError(f"is {value!r}.", field=name, hint=f"Use one of {', '.join(get_args(known))}.")
    parts = _parts(log, "log")
    tasks = list(dict.fromkeys(part.task for part in parts))
    given = {task: [_expert(task, one) for one in (experts or {}).get(task, ())] for task in tasks}
    if normalize == "task":
        parts, given = _normalized(parts, given)
    found = {task: _of_task(task, parts, given[task], maintenance) for task in tasks}
    forward, backward = _transfers(parts, tasks, transfer)
    return Lifelong(
        maintenance=_mean(one.maintenance for one in found.values()),
        forward=_mean(values[0] for values in forward.values()),
        backward=_mean(values[0] for values in backward.values()),
        recovery=_mean(one.recovery for one in found.values()),
        relative=_mean(one.relative for one in found.values()),
        efficiency=_mean(one.efficiency for one in found.values()),
        tasks=found,
        forward_pairs=forward,
        backward_pairs=backward,
    )


def smoothed(values: Sequence[float] | Curve) -> Curve:
    """The moving average `(n,)` over a fifth of n, at most 100, mirrored at both ends; as it is below 15 values."""
    curve = np.asarray(values, np.float64)
    window = min(int(len(curve) * _WINDOW_SHARE), _WINDOW_LIMIT)
    if window < 3:
        return curve
    mirrored = np.concatenate([curve[1:window][::-1], curve, curve[-window:-1][::-1]])
    means = np.convolve(mirrored, np.full(window, 1.0 / window), mode="valid")
    first = window // 2 - 1
    return means[first : first + len(curve)]


def terminal(values: Sequence[float] | Curve, kind: Kind) -> float:
    """Mean of the last tenth of what was learned, at least one value; of all of an evaluation."""
    curve = np.asarray(values, np.float64)
    return float(curve[int((1 - _TERMINAL_SHARE) * len(curve)) :].mean() if kind == "learning" else curve.mean())


def saturation(curve: Curve) -> tuple[float, int]:
    """The highest value of the moving average, and the first experience, from 0 on, at which it is reached."""
    means = smoothed(curve)
    highest = float(means.max())
    return highest, int(np.argmax(_reached(means, highest)))


@dataclass(frozen=True)
class _Part:
    """A block as it is counted; curve: smoothed if learned; first: number of its first experience."""

    kind: Kind
    task: str
    curve: Curve
    first: int

    @property
    def terminal(self) -> float:
        return terminal(self.curve, self.kind)


def _parts(log: Log, name: str) -> list[_Part]:
    found: list[_Part] = []
    first, last_number = 0, 0
    for place, block in enumerate(_joined(log)):
        at = f"{name}[{place}]"
        values = np.asarray(block.values, np.float64)
        if block.kind not in get_args(Kind):
            raise PolicyError(f"has the kind {block.kind!r}.", field=at, hint="Use 'learning' or 'evaluation'.")
        if block.number < last_number:
            raise PolicyError(f"has number {block.number} after {last_number}.", field=at, hint="Order them by time.")
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise PolicyError("needs a list of finite performances, at least one.", field=f"{at}.values")
        curve = smoothed(values) if block.kind == "learning" else values
        found.append(_Part(block.kind, block.task, curve, first))
        first, last_number = first + len(values), block.number
    if not found:
        raise PolicyError("has no block.", field=name, hint="Log at least one learning or evaluation block.")
    return found


def _joined(log: Log) -> list[Block]:
    """Neighbours with the same number, kind and task are one block."""
    found: list[Block] = []
    for block in log:
        if found and (block.number, block.kind, block.task) == (found[-1].number, found[-1].kind, found[-1].task):
            found[-1] = Block(block.number, block.kind, block.task, [*found[-1].values, *block.values])
        else:
            found.append(block)
    return found


def _expert(task: str, log: Log) -> Curve:
    """What an expert did while it learned, block by block smoothed."""
    name = f"experts[{task!r}]"
    parts = [part for part in _parts(log, name) if part.kind == "learning"]
    if {part.task for part in parts} != {task}:
        learned = ", ".join(sorted({part.task for part in parts})) or "nothing"
        raise PolicyError(f"learned {learned}.", field=name, hint="An expert's log learns its one task.")
    return np.concatenate([part.curve for part in parts])


def _normalized(
    parts: Sequence[_Part], experts: Mapping[str, Sequence[Curve]]
) -> tuple[list[_Part], dict[str, list[Curve]]]:
    ranges = {}
    for task, curves in experts.items():
        every = np.concatenate([*(part.curve for part in parts if part.task == task), *curves])
        ranges[task] = float(every.min()), float(every.max())

    def scaled(task: str, curve: Curve) -> Curve:
        low, high = ranges[task]
        if low == high:
            return np.full_like(curve, _OFFSET)
        return (curve - low) / (high - low) * _SCALE + _OFFSET

    return (
        [_Part(part.kind, part.task, scaled(part.task, part.curve), part.first) for part in parts],
        {task: [scaled(task, curve) for curve in curves] for task, curves in experts.items()},
    )


def _of_task(task: str, parts: Sequence[_Part], experts: Sequence[Curve], maintenance: Maintenance) -> OfTask:
    learned = [part for part in parts if part.task == task and part.kind == "learning"]
    times = tuple(_recovery_time(earlier, later) for earlier, later in pairwise(learned))
    slopes = [(times[b] - times[a]) / (b - a) for a, b in combinations(range(len(times)), 2)]
    return OfTask(
        maintenance=_maintenance(task, parts, maintenance),
        recovery=-float(np.median(slopes)) if slopes else float("nan"),  # Theil-Sen: robust against a single bad one
        relative=_relative(learned, experts),
        efficiency=_efficiency(learned, experts),
        recovery_times=times,
    )


def _maintenance(task: str, parts: Sequence[_Part], method: Maintenance) -> float:
    """Each evaluation but the first after learning, less what it is compared with."""
    changes = []
    learned, evaluated = None, None
    for part in parts:
        if part.task != task:
            continue
        if part.kind == "learning":
            learned, evaluated = part, None
        elif learned is None:
            continue
        elif evaluated is None:
            evaluated = part
        else:
            changes.append(part.terminal - (evaluated if method == "mrlep" else learned).terminal)
    return _mean(changes)


def _transfers(parts: Sequence[_Part], tasks: Sequence[str], method: Transfer) -> tuple[Pairs, Pairs]:
    """Forward and backward; of the evaluations of a task, two in a row are before and after what was learned between
    them."""
    forward: Pairs = {}
    backward: Pairs = {}
    for evaluated in tasks:
        places = [place for place, part in enumerate(parts) if part.task == evaluated and part.kind == "evaluation"]
        began = next(
            (place for place, part in enumerate(parts) if part.task == evaluated and part.kind == "learning"),
            len(parts),
        )
        for before, after in pairwise(places):
            value = _change(parts[before].terminal, parts[after].terminal, method)
            if value is None:
                continue
            for into, span in ((forward, (before, min(after, began))), (backward, (max(before, began), after))):
                between = parts[span[0] + 1 : span[1]]
                for task in dict.fromkeys(part.task for part in between if part.kind == "learning"):
                    if task != evaluated:
                        into[task, evaluated] = (*into.get((task, evaluated), ()), value)
    return forward, backward


def _change(before: float, after: float, method: Transfer) -> float | None:
    below = before if method == "ratio" else before + after
    if below == 0:
        return None
    return (after if method == "ratio" else after - before) / below


def _recovery_time(earlier: _Part, later: _Part) -> float:
    """Experiences until the level at the end of `earlier`, from 0 on; where it is not reached, one more than all."""
    reached = _reached(later.curve, earlier.terminal)
    return float(np.argmax(reached)) if reached.any() else float(len(later.curve) + 1)


def _relative(learned: Sequence[_Part], experts: Sequence[Curve]) -> float:
    if not learned:
        return float("nan")
    curve = np.concatenate([part.curve for part in learned])
    ratios = []
    for expert in experts:
        count = min(len(curve), len(expert))
        theirs = float(expert[:count].sum())
        if theirs != 0:
            ratios.append(float(curve[:count].sum()) / theirs)
    return _mean(ratios)


def _efficiency(learned: Sequence[_Part], experts: Sequence[Curve]) -> float:
    """0 where learning made it worse, or did not come to a fifth of the expert's level."""
    if not learned:
        return float("nan")
    curve = np.concatenate([part.curve for part in learned])
    numbers = np.concatenate([part.first + np.arange(len(part.curve)) for part in learned])
    level, count = saturation(curve)
    if count == 0:
        return float("nan")
    worse = _falls(numbers, curve)
    found = []
    for expert in experts:
        theirs, needed = saturation(expert)
        if needed == 0 or theirs == 0:
            continue
        failed = worse or level < theirs * _LOWEST_SATURATION
        found.append(0.0 if failed else (level / theirs) * (needed / count))
    return _mean(found)


def _falls(numbers: NDArray[np.int64], curve: Curve) -> bool:
    """Whether the line of least squares through the performance over the numbers of experiences does."""
    x = numbers - numbers.mean()
    slope = float((x * (curve - curve.mean())).sum() / max(float((x * x).sum()), 1.0))
    return slope * (numbers[-1] - numbers[0]) < -_NEAR * max(1.0, float(np.abs(curve).max()))


def _reached(values: Curve, level: float) -> NDArray[np.bool_]:
    return values >= level - _NEAR * max(1.0, abs(level))


def _mean(values: Iterable[float]) -> float:
    """Of those that are known; NaN for none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
