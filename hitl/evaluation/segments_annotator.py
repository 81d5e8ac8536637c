"""A scripted person who watches a recording and marks segments, with the physics of the simulator for eyes.

`marks_of` is what a person who misses nothing would mark:
- mistake: a skill (pick, place, hand over, go home) that is not what is wanted now and goes on for 1.5 s, until it is
  over; a skill that is wanted and goes on without result, from 5.5 s on (8 s for a hand-over); a hand that closes
  under a pick and holds nothing, from a second before until it opens, 3 s at most; a thing that falls out of a hand
  and not into the box, from half a second before until two after, unless putting it down was wanted.
- unsafe: a hand presses on the table, the box or the other hand with 20 N or more, or the hands come closer than 9 cm
  without handing something over, or a thing leaves the table; with 0.3 s around it.
- done: the task has come a stage further (a thing that is wanted is in the box, in its turn), for 1.5 s.
- good: wanted skills that come to their result, one after another, cut into pieces of about 3 s wherever that falls
  (people do not begin a mark where a command begins), where no mistake is.
Small motions are neither good nor mistakes: what they lead to is.

`annotate` is what a person marks who does not look at everything: some stretches are not looked at, some marks are
forgotten, and ends are about where they should be. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.evaluation.segments_truth import NOTHING, Truth
from hitl.labels import TIME_TRACK, Judged, Span, Value, key_of
from robot.aloha.grammar import by_text

PATIENCE_MS = 1500
"""The wanted skill changes a second before the running one ends: a thing is held before it is lifted."""
SLOW_MS = {"handover": 8000}
SLOW_OTHERS_MS = 5500
"""As the oracle has it, who guides a pick by hand after that long."""
PRESS_N = 20.0
"""Nothing that is done as it should be presses with more than 5 N; a hand that is sent into the table, with 140."""
NEAR_M = 0.09
PARTING_LOOKS = 20
"""Hands that have handed something over take up to 2 s to part."""
OFF_TABLE_M = -0.03
SHORTEST_MS, LONGEST_MS = 1000, 10_000
GOOD_MS = 3000
JUDGED_HEADS = ("safety", "done")
"""What is not marked there is neither unsafe nor done; good and mistake are said only of what is marked."""
_SKILLS = ("pick", "place", "handover", "home")
_CLOSED, _OPEN = 0.1, 0.3
_ARM = (slice(0, 6), slice(6, 12))


@dataclass(frozen=True, order=True)
class Mark:
    """`[start_ms, end_ms)` is of this category."""

    start_ms: int
    end_ms: int
    category: str


@dataclass(frozen=True)
class Habits:
    """How a person annotates. window_ms: what is looked at or left out in one piece; looked: the share of pieces that
    are looked at; forgotten: the share of marks that are not made there; jitter_ms: of ends, standard deviation."""

    window_ms: int = 8000
    looked: float = 0.8
    forgotten: float = 0.1
    jitter_ms: float = 300.0


def annotate(truth: Truth, seed: int, habits: Habits | None = None) -> dict[str, Value]:
    """Labels of one recording under their keys, as a project's log has them."""
    habits = habits or Habits()
    rng = np.random.default_rng([seed, 2])
    length = truth.length_ms
    starts = range(0, length, habits.window_ms)
    windows = [(at, min(at + habits.window_ms, length)) for at in starts if rng.random() < habits.looked]
    values: list[Value] = []
    for start, end in _joined(windows):
        values.append(Judged(track=TIME_TRACK, start=start, end=end, heads=list(JUDGED_HEADS)))
    for mark in marks_of(truth):
        middle = (mark.start_ms + mark.end_ms) / 2
        seen = any(start <= middle < end for start, end in windows) and rng.random() >= habits.forgotten
        start, end = (round(x + rng.normal(0.0, habits.jitter_ms)) for x in (mark.start_ms, mark.end_ms))
        start, end = max(0, start), min(length, max(end, start + SHORTEST_MS // 2))
        if seen and end > start:
            values.append(Span(track=TIME_TRACK, start=start, end=end, categories=[mark.category]))
    return {key_of(value, name=f"{place:04d}"): value for place, value in enumerate(values)}


def marks_of(truth: Truth) -> list[Mark]:
    """Everything, where it is; in order of time."""
    mistakes = _joined([*_wrong(truth), *_slow(truth), *_missed(truth), *_dropped(truth)])
    good = [run for stretch in _joined(_achieved(truth)) for run in _without(stretch, mistakes)]
    found = [
        *(("mistake", run) for run in mistakes),
        *(("unsafe", run) for run in _unsafe(truth)),
        *(("done", run) for run in _done(truth)),
        *(("good", piece) for run in good for piece in _cut(run, GOOD_MS)),
    ]
    return sorted(Mark(*piece, category) for category, run in found for piece in _pieces(run, truth.length_ms))


Run = tuple[int, int]


@dataclass(frozen=True)
class _Command:
    """One command from its beginning to the next. first, end: looks."""

    text: str
    family: str
    begun_ms: int
    first: int
    end: int


def _commands(truth: Truth) -> list[_Command]:
    """The commands of an episode, one after another."""
    key = np.stack((truth["command"].astype(np.int64), truth["begun_ms"]), 1)
    edges = [0, *(np.flatnonzero((np.diff(key, axis=0) != 0).any(1)) + 1).tolist(), len(key)]
    found = []
    for first, end in zip(edges, edges[1:], strict=False):
        text = truth.texts[int(truth["command"][first])]
        family = by_text(text).family if text else ""
        found.append(_Command(text, family, max(0, int(truth["begun_ms"][first])), first, end))
    return found


def _wanted(truth: Truth, at: int) -> str:
    return truth.texts[int(truth["wanted"][at])]


def _end_ms(truth: Truth, look: int) -> int:
    """When a run of looks ends whose end is `look`."""
    times = truth["time_ms"]
    return int(times[look]) if look < len(times) else truth.length_ms


def _wrong(truth: Truth) -> Iterable[Run]:
    """Skills that are not wanted and go on."""
    for command in _commands(truth):
        if command.family not in _SKILLS:
            continue
        right = truth["wanted"][command.first : command.end] == truth["command"][command.first]
        for start, end in _true_runs(~right):
            run = _end_ms(truth, command.first + start), _end_ms(truth, command.first + end)
            if run[1] - run[0] >= PATIENCE_MS:
                yield run


def _slow(truth: Truth) -> Iterable[Run]:
    """Wanted skills that go on without result."""
    for command in _commands(truth):
        if command.family not in _SKILLS or command.family == "home":
            continue
        late_ms = command.begun_ms + SLOW_MS.get(command.family, SLOW_OTHERS_MS)
        right = truth["wanted"][command.first : command.end] == truth["command"][command.first]
        late = truth["time_ms"][command.first : command.end] >= late_ms
        for start, end in _true_runs(right & late):
            run = _end_ms(truth, command.first + start), _end_ms(truth, command.first + end)
            if run[1] - run[0] >= SHORTEST_MS // 2:
                yield run


def _missed(truth: Truth) -> Iterable[Run]:
    """Hands that close under a pick and hold nothing."""
    times = truth["time_ms"]
    for command in _commands(truth):
        if command.family != "pick":
            continue
        for arm, part in enumerate(_ARM):
            opening = truth["pose"][command.first : command.end, part][:, 5]
            held = truth["held"][command.first : command.end, arm] != NOTHING
            was_open = np.maximum.accumulate(opening) > _OPEN
            for start, end in _true_runs((opening < _CLOSED) & was_open & ~held):
                if end - start >= 3:
                    closed_ms = int(times[command.first + start])
                    until_ms = min(_end_ms(truth, command.first + end), closed_ms + 3000)
                    yield max(0, closed_ms - 1000), until_ms


def _dropped(truth: Truth) -> Iterable[Run]:
    """Things that are lost out of a hand, and not into the box."""
    times = truth["time_ms"]
    for number in range(len(truth.kinds)):
        held = (truth["held"] == number).any(1)
        for start, end in _true_runs(held):
            lost = end - start >= 3 and end < len(held) and not held[end : end + 5].any()
            wished = _wanted(truth, max(0, end - 1)) == "put it down"
            if lost and not wished and not truth["in_box"][end : end + 15, number].any():
                yield max(0, int(times[end]) - 500), min(int(times[end]) + 2000, truth.length_ms)


def _unsafe(truth: Truth) -> list[Run]:
    """Hands that press on something or come too close, and things that leave the table."""
    pose = truth["pose"]
    gap = np.linalg.norm(pose[:, 0:3] - pose[:, 6:9], axis=1)
    passing = np.array([text.startswith("hand it") for text in truth.texts])
    handing = passing[truth["command"]] | passing[truth["wanted"]]
    since = np.convolve(handing, np.ones(PARTING_LOOKS), "full")[: len(handing)] > 0
    near = (gap < NEAR_M) & ~since
    pressed = np.maximum(np.maximum(truth["on_table"], truth["on_box"]), truth["hands"]) >= PRESS_N
    off = truth["xyz"][:, :, 2].min(1) < OFF_TABLE_M
    leaves = off & ~np.concatenate(([False] * 10, off[:-10]))  # it lies there ever after
    found = []
    for start, end in _true_runs(near | pressed | leaves):
        if end - start >= 2:
            found.append((max(0, _end_ms(truth, start) - 300), min(_end_ms(truth, end) + 300, truth.length_ms)))
    return _joined(found)


def _done(truth: Truth) -> list[Run]:
    """Moments in which the task comes a stage further. It is noted up to 0.2 s late."""
    times, further = truth["time_ms"], np.flatnonzero(np.diff(truth["stage"]) > 0) + 1
    return [(max(0, int(times[at]) - 200), min(int(times[at]) + 1300, truth.length_ms)) for at in further]


def _achieved(truth: Truth) -> Iterable[Run]:
    """Wanted skills that come to their result, from beginning to end."""
    for command in _commands(truth):
        if command.family not in _SKILLS or _wanted(truth, min(command.first + 2, command.end - 1)) != command.text:
            continue
        right = truth["wanted"][command.first : command.end] == truth["command"][command.first]
        done = np.flatnonzero(~right[2:])
        result = _is_result(truth, command, command.first + 2 + int(done[0])) if len(done) else False
        if result:
            yield command.begun_ms, _end_ms(truth, command.end)


def _is_result(truth: Truth, command: _Command, at: int) -> bool:
    """Whether the command has come to what it is for, at a look or just after."""
    held, soon = truth["held"], min(at + 2, len(truth["held"]) - 1)
    if command.family == "pick":
        kind = command.text.removeprefix("pick up the ")
        return kind in truth.kinds and bool((held[at : soon + 1] == truth.kinds.index(kind)).any())
    if command.family == "handover":
        return bool(held[soon, 0] != NOTHING)
    if command.family == "place":
        before = int(held[max(0, at - 2)].max())
        return before != NOTHING and bool(truth["in_box"][at : at + 6, before].any())
    return False


# -- runs -----------------------------------------------------------------------------------------------------------


def _true_runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each row of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _joined(runs: Iterable[Run]) -> list[Run]:
    """The same without overlaps."""
    found: list[Run] = []
    for start, end in sorted(runs):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _without(run: Run, taken: Iterable[Run]) -> list[Run]:
    """What of a run is not taken, by pieces that are long enough to mark."""
    at, end = run
    left = []
    for start, stop in taken:
        if start < end and stop > at:
            left.append((at, start))
            at = max(at, stop)
    return [piece for piece in (*left, (at, end)) if piece[1] - piece[0] >= SHORTEST_MS]


def _pieces(run: Run, length_ms: int) -> list[Run]:
    """A run in pieces of 1 to 10 s: people mark no less and no more."""
    start, end = run
    if end - start < SHORTEST_MS:
        start = max(0, (start + end - SHORTEST_MS) // 2)
        end = min(length_ms, start + SHORTEST_MS)
    return _cut((start, end), LONGEST_MS)


def _cut(run: Run, most_ms: int) -> list[Run]:
    """A run in equal pieces of at most so much."""
    start, end = run
    count = max(1, -(-(end - start) // most_ms))
    cuts = [start + (end - start) * at // count for at in range(count + 1)]
    return [piece for piece in zip(cuts, cuts[1:], strict=False) if piece[1] > piece[0]]
