"""When the policy asks what to do next: where its two best commands are close, or where what it does has no effect.

It is asked about a decision, that is where another command is about to begin, and not while one runs. Each question is
open for a while only; it closes before that where the high level has become sure, which takes twice the margin twice
in a row, so that a number at the edge does not make it flicker. Questions are rare: some seconds lie between two, and
the same two commands, or the same one that has no effect, are not asked about again while the task stands where it
stood: a robot that waits at home begins "go home" anew every second.
Pure: is told the time and the task's stage; knows nothing of policies, robots or people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from hitl.backend.parts import Array, Rules
from hitl.clock import new_ulid
from hitl.events import DoubtEvent
from hitl.messages import Alternative, CommandStatus

Reason = Literal["margin", "repeat"]
Ended = Literal["answered", "other words", "time", "sure", "stopped", "new episode"]
SURE_ASKS = 2
MOST_SURE = 0.95
STILL = 0.01
"""Metres, radians and share of opening: a hand that moved less between two corrections was not moved by the first."""


@dataclass(frozen=True)
class Decision:
    """Another command is about to begin. stage: how far the task is."""

    now_ns: int
    best: Alternative
    second: Alternative
    stage: int

    @property
    def margin(self) -> float:
        """How far the best is ahead, as a difference of probabilities."""
        return self.best.probability - self.second.probability

    @property
    def pair(self) -> tuple[frozenset[str], int]:
        """What is asked about at most once: these two commands where the task stands now."""
        return frozenset((self.best.text, self.second.text)), self.stage


@dataclass(frozen=True)
class Question:
    """What is asked now. commands: the best first; about: the command that does not seem to work, "" where the margin
    is small, and how many times it was tried; until_ns: when it goes on by itself."""

    commands: tuple[str, str]
    about: str
    tried: int
    margin: float
    asked_ns: int
    until_ns: int

    @property
    def reason(self) -> Reason:
        """Why it is asked."""
        return "repeat" if self.about else "margin"

    def event(
        self, session: str, episode: str, session_ns: int, asked_s: float, ended: Ended, correction: str
    ) -> DoubtEvent:
        """What the log keeps of it when it ends. correction: id of what a person said then, or ""."""
        return DoubtEvent(
            id=new_ulid(),
            session=session,
            episode=episode,
            session_ns=session_ns,
            commands=list(self.commands),
            reason=self.reason,
            margin=self.margin,
            about=self.about,
            asked_s=asked_s,
            ended=ended,
            correction=correction,
        )


class Tries:
    """How many times in a row the same command began without the task getting on."""

    def __init__(self) -> None:
        self.text, self.count = "", 0
        self._stage = 0
        self._pose: Array | None = None

    def begun(self, text: str, stage: int, pose: Array | None = None) -> int:
        """A command begins; returns its count. pose: `(12,)` commanded, where a hand that moved is an effect, too."""
        moved = pose is not None and self._pose is not None and float(np.abs(pose - self._pose).max()) >= STILL
        without_effect = text == self.text and stage <= self._stage and not moved
        self.count = self.count + 1 if without_effect else 1
        self.text, self._stage, self._pose = text, stage, pose
        return self.count

    def stands_at(self, stage: int) -> bool:
        """Whether the task is no further than when the command began last."""
        return bool(self.text) and stage <= self._stage

    def forget(self) -> None:
        """Count anew."""
        self.text, self.count, self._stage, self._pose = "", 0, 0, None


class Doubt:
    """The question that is open, if any, and what was asked in this episode."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.question: Question | None = None
        self._own, self._persons = Tries(), Tries()
        self._after_person = False
        self._asked: set[tuple[frozenset[str], int]] = set()
        self._rest_until_ns = 0
        self._sure = 0

    def asks(self, decision: Decision, *, heard: bool, given_up: str = "") -> bool:
        """Whether a question is open about this decision, or is to be opened now.

        heard: whether somebody could answer; else none is opened; given_up: the command that the policy gives up now,
        or "". False where the high level has become sure: the question is then to be closed.
        """
        if self.question is not None:
            return not self._becomes_sure(decision)
        if not heard or decision.now_ns < self._rest_until_ns:
            return False
        failing = self.without_effect(decision)
        about, tried = (failing.text, failing.count) if failing is not None else (given_up, min(1, len(given_up)))
        small = decision.margin < self._rules.ask_margin and decision.pair not in self._asked
        if not about and not small:
            return False
        self._asked.add((frozenset((about,)), decision.stage) if about else decision.pair)
        self._sure = 0
        self.question = Question(
            (decision.best.text, decision.second.text),
            about,
            tried,
            decision.margin,
            decision.now_ns,
            decision.now_ns + round(self._rules.unsure_s * 1e9),
        )
        return True

    def without_effect(self, decision: Decision) -> Tries | None:
        """What was tried again and again: by the policy, which wants it once more, or just before by a person."""
        for tries, counts in ((self._persons, self._after_person), (self._own, decision.best.text == self._own.text)):
            known = (frozenset((tries.text,)), decision.stage) in self._asked
            if counts and not known and self._fails(tries) and tries.stands_at(decision.stage):
                return tries
        return None

    def _fails(self, tries: Tries) -> bool:
        return 0 < self._rules.ask_repeats <= tries.count

    def _becomes_sure(self, decision: Decision) -> bool:
        """A doubt about what has no effect does not go away by being sure."""
        asked = self.question
        least = min(MOST_SURE, 2 * self._rules.ask_margin)
        sure = asked is not None and asked.reason == "margin" and decision.margin >= least
        self._sure = self._sure + 1 if sure else 0
        return self._sure >= SURE_ASKS

    def policy_begins(self, text: str, stage: int) -> None:
        """A command of the policy begins, or begins anew."""
        self._own.begun(text, stage)
        self._after_person = False

    def person_begins(self, text: str, stage: int, pose: Array | None) -> None:
        """A person's command begins. pose: `(12,)` commanded then, None where that is not known."""
        self._own.forget()
        self._persons.begun(text, stage, pose)
        self._after_person = True

    def offers(self, text: str) -> bool:
        """Whether this command is one of those that are asked about."""
        return self.question is not None and text in self.question.commands

    def is_over(self, now_ns: int) -> bool:
        """Whether the open question was asked for long enough."""
        return self.question is not None and self.question.until_ns <= now_ns

    def close(self, now_ns: int) -> Question | None:
        """Ask no longer; what was asked, None where nothing was."""
        closed, self.question = self.question, None
        if closed is not None:
            self._rest_until_ns = now_ns + round(self._rules.ask_every_s * 1e9)
            if closed.about:
                self._own.forget()
                self._persons.forget()
        return closed

    def forget(self) -> None:
        """Another episode begins."""
        self.question = None
        self._own.forget()
        self._persons.forget()
        self._after_person = False
        self._asked.clear()
        self._rest_until_ns = 0

    def told(self, status: CommandStatus) -> CommandStatus:
        """The status of the running command with what is asked, and with a person's command that has no effect."""
        asked, said = self.question, self._persons
        if asked is not None:
            return msgspec.structs.replace(
                status,
                unsure=list(asked.commands),
                unsure_until_ns=asked.until_ns,
                failing=asked.about,
                tried=asked.tried,
            )
        if status.source == "person" and status.text == said.text and self._fails(said):
            return msgspec.structs.replace(status, failing=said.text, tried=said.count)
        return status
