"""What corrections tell the high level: from events of the feedback log and cached moments to examples.

The label of a moment is the command that should be under way half a second later, as in training. A person's command
holds while it runs; what the policy did and nobody stopped holds, too, in an episode in which somebody corrects; the
last `margin_s` before a correction are given the person's command, and what the policy had wanted there is its
negative (Shi et al. 2024, section on relabelling). Before that margin, what led to the mistake teaches nothing.
A command given several times in a row without progress is one change of mind and counts as one; a correction that was
undone, asked about and never answered, or taken back by other words at once teaches nothing or little. That somebody
spoke shows all the same that the policy's command was not simply let run: it was perhaps the words that were wrong.
Pure: no files, no models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from hitl.sessions.feedback_log import CorrectionView
from hitl.sessions.moments import Moment


@dataclass(frozen=True)
class ExampleRules:
    """margin_s: before a correction that is relabelled; look_ahead_s: what a label looks ahead; let_run: weight of
    what a person let run, 0 for none; negatives: whether overruled commands are pushed down; one_label: whether
    repeats of a command share one weight."""

    margin_s: float = 2.0
    look_ahead_s: float = 0.5
    let_run: float = 0.5
    negatives: bool = True
    one_label: bool = True
    misspoken_s: float = 1.0
    """Other words so soon after a correction take it back."""
    misspoken: float = 0.25
    """What such a correction weighs."""
    nothing_s: float = 7.5
    """What the policy did for so long without the task getting on came to nothing, and was not let run as right."""
    gap_s: float = 3.0
    """A command further ahead than this does not label a moment, as after a stop."""


@dataclass(frozen=True)
class CorrectionExample:
    """correction: id of the event that taught it, "" for what was let run; episode, session_ns: of its moment;
    history: `(moments, features)`; rejected: what was overruled there, or ""; weight: of its loss."""

    correction: str
    episode: str
    session_ns: int
    history: NDArray[np.float16]
    command: str
    rejected: str
    weight: float


@dataclass(frozen=True)
class Lacking:
    """A correction that could teach nothing, and why, in words."""

    correction: str
    reason: str


@dataclass
class _Label:
    command: str
    correction: str
    rejected: str
    weight: float


def examples_of(
    corrections: Sequence[CorrectionView], moments: Sequence[Moment], rules: ExampleRules | None = None
) -> tuple[list[CorrectionExample], list[Lacking]]:
    """Examples of one episode, in order of time, and the corrections that left none.

    corrections, moments: of this episode, in order of time; those after the newest moment teach by what lies before.
    """
    rules = rules or ExampleRules()
    valid = [view for view in corrections if teaches(view)]
    lacking = [Lacking(view.event.id, why) for view in corrections if (why := why_not(view))]
    if not valid:
        return [], lacking
    weights = _weights(valid, moments, rules)
    approved = _approved(valid, moments, weights, rules, _doubted(corrections, moments))
    found = []
    for at, moment in enumerate(moments):
        label = approved[at]
        if label is None or not label.rejected:
            label = _ahead(at, moments, approved, valid, weights, rules)
        if label is None or label.weight <= 0:
            continue
        found.append(
            CorrectionExample(
                label.correction,
                moment.episode,
                moment.session_ns,
                moment.history,
                label.command,
                label.rejected if rules.negatives and label.rejected != label.command else "",
                label.weight,
            )
        )
    taught = {example.correction for example in found}
    lacking += [
        Lacking(view.event.id, "no moments were kept of the seconds before it")
        for view in valid
        if view.event.id not in taught and weights[view.event.id] > 0
    ]
    return found, lacking


def teaches(view: CorrectionView) -> bool:
    """Whether a correction is to be learned from."""
    return not why_not(view)


def why_not(view: CorrectionView) -> str:
    """Why a correction is not to be learned from, in words; empty where it is."""
    if view.undone:
        return "it was undone"
    if view.event.grounding == "stop":
        return "it was a stop"
    if not view.acted:
        return "it never acted"
    return "" if view.command else "it has no command"


def _weights(
    corrections: Sequence[CorrectionView], moments: Sequence[Moment], rules: ExampleRules
) -> dict[str, float]:
    """How much each correction counts: a run of the same command without progress counts as one."""
    weights: dict[str, float] = {}
    run: list[str] = []
    for at, view in enumerate(corrections):
        weights[view.event.id] = 1.0
        before = corrections[at - 1] if at else None
        same = before is not None and before.command == view.command
        if not same or not rules.one_label or _progress(before, view, moments):
            run = []
        run.append(view.event.id)
        for name in run:
            weights[name] = 1.0 / len(run)
        if before is not None and not same:
            soon = view.event.session_ns - before.event.session_ns < rules.misspoken_s * 1e9
            if soon and before.outcome == "replaced":
                weights[before.event.id] *= rules.misspoken
    return weights


def _progress(before: CorrectionView | None, view: CorrectionView, moments: Sequence[Moment]) -> bool:
    """Whether the task got on, or the policy did something else, between two corrections."""
    if before is None:
        return True
    between = [m for m in moments if before.event.session_ns <= m.session_ns < view.event.session_ns]
    return bool(between) and between[-1].stage > between[0].stage


def _approved(
    corrections: Sequence[CorrectionView],
    moments: Sequence[Moment],
    weights: dict[str, float],
    rules: ExampleRules,
    doubted: set[str],
) -> list[_Label | None]:
    """The command that should have been under way at each moment; None where nobody knows. doubted: ids of commands
    that were not let run as right."""
    by_id = {view.event.id: view for view in corrections}
    labels: list[_Label | None] = []
    ended = {moment.command_id for moment in moments if moment.source == "policy"}
    if moments and moments[-1].source == "policy":
        ended.discard(moments[-1].command_id)  # it still runs: nobody knows yet
    overruled = _overruled(corrections, moments)
    ended -= _came_to_nothing(moments, rules) | doubted
    for at, moment in enumerate(moments):
        later = overruled.get(at)
        if later is not None:
            inside = later.event.session_ns - moment.session_ns <= rules.margin_s * 1e9
            labels.append(
                _Label(later.command, later.event.id, moment.command, weights[later.event.id]) if inside else None
            )
        elif moment.waits:
            labels.append(None)
        elif moment.command_id in by_id:
            view = by_id[moment.command_id]
            labels.append(_Label(view.command, view.event.id, "", weights[view.event.id]))
        elif moment.source == "policy" and moment.command_id in ended and rules.let_run:
            labels.append(_Label(moment.command, "", "", rules.let_run))
        else:
            labels.append(None)
    return labels


def _overruled(corrections: Sequence[CorrectionView], moments: Sequence[Moment]) -> dict[int, CorrectionView]:
    """Moments of the policy's commands that a person ended, by the correction that ended them."""
    found: dict[int, CorrectionView] = {}
    for view in corrections:
        running = _interrupted(view, moments)
        for at, moment in enumerate(moments):
            if running and moment.command_id == running and moment.session_ns <= view.event.session_ns:
                found[at] = view
    return found


def _doubted(corrections: Sequence[CorrectionView], moments: Sequence[Moment]) -> set[str]:
    """Ids of the policy's commands during which somebody spoke to the robot and it came to nothing: words that were
    undone, misheard or never carried out, or a stop."""
    spoken = (view for view in corrections if not teaches(view) and view.outcome != "ignored")
    return {running for view in spoken if (running := _interrupted(view, moments))}


def _interrupted(view: CorrectionView, moments: Sequence[Moment]) -> str:
    """Id of the policy's command that ran when a correction was given; empty where none did."""
    before = [m for m in moments if m.session_ns <= view.event.session_ns and m.command_id != view.event.id]
    return before[-1].command_id if before and before[-1].source == "policy" else ""


def _came_to_nothing(moments: Sequence[Moment], rules: ExampleRules) -> set[str]:
    """Ids of commands that ran for long while the task did not get on, neither under them nor right after them."""
    first: dict[str, Moment] = {}
    found: set[str] = set()
    for moment, following in zip_longest(moments, moments[1:]):
        begun = first.setdefault(moment.command_id, moment)
        if following is not None and following.command_id == moment.command_id:
            continue
        stage = following.stage if following is not None else moment.stage
        if moment.session_ns - begun.session_ns >= rules.nothing_s * 1e9 and stage <= begun.stage:
            found.add(moment.command_id)
    return found


def _ahead(
    at: int,
    moments: Sequence[Moment],
    approved: Sequence[_Label | None],
    corrections: Sequence[CorrectionView],
    weights: dict[str, float],
    rules: ExampleRules,
) -> _Label | None:
    """The label of the first moment at least `look_ahead_s` later in which the robot does not wait, or of a correction
    that came before it."""
    moment = moments[at]
    if approved[at] is None and not moment.waits:
        return None  # it led to a mistake
    due = moment.session_ns + rules.look_ahead_s * 0.9e9
    last = moment.session_ns + rules.gap_s * 1e9
    for later in range(at, len(moments)):
        if moments[later].session_ns < due or moments[later].waits:
            continue
        if moments[later].session_ns > last:
            break
        return approved[later]
    for view in corrections:  # given since the newest moment: it runs now
        if max(moment.session_ns, moments[-1].session_ns) <= view.event.session_ns <= last:
            return _Label(view.command, view.event.id, "", weights[view.event.id])
    return None
