"""Wishes: what people want done in another order than the base data has it, or left out, told from their corrections.

A wish is no mistake of seeing: base data says the opposite in the same place, and must not hold against it. More than
that, base data can say what is wished: where an episode did what is wished later, it could have been done at once, and
the moment gets that label in hindsight. So a few corrections about an order teach it in all the layouts that the base
data has. Knows no words: commands are numbers, and what can be wished is told by their order in base episodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.hierarchy.high_level_training import Moments

Pair = tuple[int, int]
"""(a command of the expert, the one that is wished in its place)."""

_FIRM, _LEAST_TOGETHER = 0.95, 3
_VOTES = 2
_LEFT_OUT_IN = 2
_OFTEN = 0.1
_NONE = -1


@dataclass(frozen=True)
class Told:
    """What one example says: its episode, what was wanted, what was overruled there (None: nothing), and the
    correction that it belongs to ("" for what was let run)."""

    episode: str
    command: int
    rejected: int | None
    group: str


class Wishes:
    """base: what may be wished is told by it: of two commands that (nearly) always come in the same order there, the
    later one first."""

    def __init__(self, base: Moments) -> None:
        self._base = base
        self._sequences = _sequences(base)
        together: Counter[Pair] = Counter()
        for sequence in self._sequences.values():
            together.update(pair[::-1] for pair in _inverted(sequence))
        self._kinds = _alternatives(base)
        self._usual = {
            (a, b)
            for (a, b), count in together.items()
            if count >= _LEAST_TOGETHER and count >= _FIRM * (count + together[b, a]) and self._alternative(a, b)
        }

    def of(self, told: Iterable[Told]) -> set[Pair]:
        """What people wish, from what they said and let run in episodes that look as usual, in order of time."""
        sequences: dict[str, list[int]] = defaultdict(list)
        said: dict[Pair, set[str]] = defaultdict(set)
        said_in: set[tuple[str, Pair]] = set()
        overruled: dict[int, set[str]] = defaultdict(set)
        for one in told:
            if one.command not in sequences[one.episode]:
                sequences[one.episode].append(one.command)
            if one.rejected is not None and one.group:
                pair = one.rejected, one.command
                said[pair].add(one.group)
                said_in.add((one.episode, pair))
                overruled[one.rejected].add(one.episode)
        votes = Counter({pair: len(groups) for pair, groups in said.items()})
        for name, sequence in sequences.items():
            # A correction and the order that came of it are one vote.
            votes.update(pair for pair in _inverted(sequence) if (name, pair) not in said_in)
        against = Counter(pair[::-1] for sequence in sequences.values() for pair in _inverted(sequence))
        found = set()
        for pair in said.keys() & self._usual:
            firmly = len(said[pair]) >= max(_VOTES, against[pair])  # what nobody stopped in time was let run, too
            if firmly or votes[pair] >= max(_VOTES, 2 * against[pair] + 1):
                found.add(pair)
        approved = {command for sequence in sequences.values() for command in sequence}
        for command, episodes in overruled.items():
            if len(episodes) >= _LEFT_OUT_IN and command not in approved:
                found |= {pair for pair in self._usual if pair[0] == command}
        if not found:
            return set()
        kept = {
            pair[::-1]
            for pair, seen in against.items()
            if seen and not against[pair[::-1]] and not said[pair] and self._alternative(*pair)
        }
        return found | {pair for pair in _closed(found | kept) & self._usual if not against[pair]}

    def _alternative(self, first: int, second: int) -> bool:
        return first in self._kinds and self._kinds[first] == self._kinds.get(second)

    def relabelled(self, wishes: set[Pair], rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of the base moments `rows`: which of them a wish is about, and what is wished there."""
        better: dict[int, set[int]] = defaultdict(set)
        for expert, wanted in wishes:
            better[expert].add(wanted)
        command, episode = self._base.command.tolist(), self._base.episode.tolist()
        last: dict[int, dict[int, int]] = defaultdict(dict)
        for at, (number, name) in enumerate(zip(command, episode, strict=True)):
            last[name][number] = at
        chosen, labels = [], []
        for row in rows.tolist():
            if command[row] not in better:
                continue
            name, sooner = episode[row], better[command[row]]
            later = [c for c in self._sequences[name] if c in sooner and last[name][c] > row]
            best = [c for c in later if not better[c] & set(later)]
            if best:
                chosen.append(row)
                labels.append(best[0])
        return torch.tensor(chosen, dtype=torch.long), torch.tensor(labels, dtype=torch.long)


def _sequences(base: Moments) -> dict[int, list[int]]:
    """The commands of each base episode, each once, in the order in which they came first."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, name in zip(base.command.tolist(), base.episode.tolist(), strict=True):
        if number >= 0 and number not in found[name]:
            found[name].append(number)
    return found


def _inverted(sequence: list[int]) -> Iterator[Pair]:
    """(later, first) of all that came one after the other."""
    for at, first in enumerate(sequence):
        for later in sequence[at + 1 :]:
            yield later, first


def _alternatives(base: Moments) -> dict[int, int]:
    """The kind of each command: those of one kind can follow the same command, or begin an episode, and so on from one
    to the next. They are what can be chosen among; what is done with a thing in the hand is of another kind."""
    before: dict[int, Counter[int]] = defaultdict(Counter)
    running: dict[int, int] = {}
    for number, name in zip(base.command.tolist(), base.episode.tolist(), strict=True):
        previous = running.get(name, _NONE)
        if number >= 0 and number != previous:
            before[number][previous] += 1
            running[name] = number
    often = {
        number: {other for other, times in found.items() if times >= _OFTEN * found.total()}
        for number, found in before.items()
    }
    kinds: dict[int, int] = {}
    for number in often:
        same = {kinds[other] for other in kinds if often[other] & often[number]}
        kinds[number] = number
        kinds = {other: number if kind in same else kind for other, kind in kinds.items()}
    return kinds


def _closed(order: set[Pair]) -> set[Pair]:
    """With what follows: where b comes before a, and c before b, c comes before a."""
    found = set(order)
    while more := {(a, c) for a, b in found for also, c in found if b == also and a != c} - found:
        found |= more
    return found
