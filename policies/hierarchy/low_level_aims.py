"""Where a low level would go, against where people led a hand: what it knows already, and what it has learned.

Known only of ways that end where the hand took hold of something: the place is told with them, and the low level says
where it believes its goal to be. Knows nothing of how it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from policies.hierarchy.dataset import GUIDED, Recordings
from policies.hierarchy.low_level import LowLevelPolicy, Prediction
from policies.hierarchy.low_level_examples import AT_ONCE, Example, draw, parts_of

NEAR_M = 0.015
"""So far beside a thing the gripper still takes hold of it."""
_DRAWN = 96
"""Moments under each command that are looked at."""

Beside = dict[int, Tensor]
"""By a command's position: how far beside the place the low level would go, `(n,)` m, horizontally."""


@dataclass(frozen=True)
class Aim:
    """command: in words; ways: on how many people led a hand under it to where it took hold of something; before,
    after: how far beside that place the low level would go, m, at the median moment. After an update on ways that were
    kept out; None where they were not to be learned, or none was kept out."""

    command: str
    ways: int
    before: float
    after: float | None = None

    @property
    def known(self) -> bool:
        """Whether the low level would go there by itself."""
        return self.before <= NEAR_M


def beside(
    model: LowLevelPolicy,
    answer: Callable[[Example], Prediction],
    data: Recordings,
    episodes: Tensor,
    codes: Tensor,
    seed: int,
) -> Beside:
    """How far `answer` would go beside the places to which hands were led in these episodes `(E,)` bool."""
    segments = data.segments
    led = ((segments.flags & GUIDED) > 0) & segments.goal.isfinite().all(1) & episodes[segments.episode]
    found: Beside = {}
    model.eval()
    for command in sorted(set(segments.command[led].tolist())):
        under = led & (segments.command == command)
        moments = draw(model, data, episodes, codes, _DRAWN, seed, plain=True, favoured=under, share=1.0)
        with torch.no_grad():
            away = [(answer(part).goal.cpu() - part.goal)[:, :2].norm(dim=1) for part in parts_of(moments, AT_ONCE)]
        told = torch.cat(away)
        if len(told := told[told.isfinite()]):
            found[command] = told
    return found


def medians(found: Iterable[Beside]) -> dict[int, float]:
    """By a command's position, of all that was found for it."""
    together: dict[int, list[Tensor]] = {}
    for one in found:
        for command, away in one.items():
            together.setdefault(command, []).append(away)
    return {command: float(torch.cat(away).median()) for command, away in together.items()}


def aims_of(data: Recordings, before: Beside) -> list[Aim]:
    """Of each command under which hands were led, in the order of the commands."""
    segments = data.segments
    led = ((segments.flags & GUIDED) > 0) & segments.goal.isfinite().all(1)
    found = []
    for command, metres in medians([before]).items():
        ways = len(set(segments.episode[led & (segments.command == command)].tolist()))
        found.append(Aim(data.meta.commands[command].text, ways, metres))
    return found


def unlearned(data: Recordings, aims: Iterable[Aim]) -> Recordings:
    """The data without the guided ways of commands under which the low level knows where to go."""
    known = {aim.command for aim in aims if aim.known}
    at = [command for command, words in enumerate(data.meta.commands) if words.text in known]
    segments = data.segments
    gone = ((segments.flags & GUIDED) > 0) & torch.isin(segments.command, torch.tensor(at, dtype=torch.long))
    return replace(data, segments=replace(segments, flags=torch.where(gone, 0, segments.flags)))
