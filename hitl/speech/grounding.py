"""What a person's words mean among the commands that the policy knows: exactly one, one near in meaning, a new one,
or stop.

- stop: the words ask to stop, in any spelling, or to wait (`intents.py`); decided first and without any model.
- exact: the words of a command, give or take case, punctuation and politeness.
- near: the words are of the kind the encoder was trained on (familiarity), one command is close to them in code space,
  and none other about as close. Or they are nearly the sentence of a command that was added later.
- new: anything else; the policy gets the words as they are.

Lookups are injected (`BankLike`); nothing of models, torch or the robot is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hitl.errors import InputError
from hitl.messages import MAX_TEXT_CHARS, Grounding
from hitl.speech.intents import intent_of
from hitl.speech.text import clean, plain, without_fillers

__all__ = ["BankLike", "Candidate", "Grounded", "Thresholds", "ground", "ground_exactly"]

STOP_COMMAND = "stop"
_FORBIDDING = frozenset("don't dont not never no cannot can't mustn't without".split())


class Candidate(Protocol):
    """A command that the words may mean."""

    @property
    def text(self) -> str:
        """The command."""
        ...

    @property
    def cosine(self) -> float:
        """Between the codes of the words and of the command."""
        ...

    @property
    def probability(self) -> float:
        """Among all commands of the bank."""
        ...

    @property
    def sentence(self) -> float:
        """Cosine between the plain sentence embeddings, before anything was learned about commands."""
        ...


class BankLike(Protocol):
    """The lookups that grounding needs; `policies.hierarchy.command_space.CommandSpace` has them."""

    def exact(self, text: str) -> str | None:
        """The command with these plain words, if there is one."""
        ...

    def nearest(self, text: str, k: int) -> Sequence[Candidate]:
        """Up to `k` commands, most probable first."""
        ...

    def familiarity(self, text: str) -> float:
        """Probability, 0 to 1, that the words are of the kind that commands are made of."""
        ...


@dataclass(frozen=True)
class Thresholds:
    """From where on words are near a command.

    Chosen on wording that no training set holds (`certainty.py`). With the command encoders that ship, 97 % of 1,003
    held-out phrases of the grammar and 94 % of 435 phrases written by somebody who knew only the commands' texts are
    near and right; of 120 sentences beside them that are no command, 3 are near one. Some templates were written
    after reading what of the 435 failed.
    """

    familiarity: float = 0.6
    cosine: float = 0.6
    probability: float = 0.3
    sentence: float = 0.93


@dataclass(frozen=True)
class Grounded:
    """kind; command: the text to act on; similarity: 1 for exact and stop, else how near the best command is, 0 to 1.

    alternatives: the next commands with their probabilities, best first (the command itself is not among them).
    familiarity: probability that the words are of the kind that commands are made of; 1 where nobody was asked.
    """

    kind: Grounding
    command: str
    similarity: float
    alternatives: tuple[tuple[str, float], ...] = ()
    familiarity: float = field(default=1.0, compare=False)


def ground(text: str, bank: BankLike, thresholds: Thresholds | None = None, alternatives: int = 3) -> Grounded:
    """What `text` means. Raises InputError (field "text") where it has no words."""
    exactly = ground_exactly(text, bank)
    if exactly is not None:
        return exactly
    limits = thresholds or Thresholds()
    said = _said(text)
    words = plain(said)
    found = bank.nearest(without_fillers(words), alternatives + 1)
    if not found:
        return Grounded("new", said, 0.0)
    best, familiarity = found[0], bank.familiarity(without_fillers(words))
    others = tuple((candidate.text, candidate.probability) for candidate in found)
    familiar = (
        familiarity >= limits.familiarity and best.cosine >= limits.cosine and best.probability >= limits.probability
    )
    same_sentence = best.sentence >= limits.sentence and _forbids(words) == _forbids(plain(best.text))
    if familiar or same_sentence:
        return Grounded("near", best.text, _share(max(best.cosine, best.sentence)), others[1:], familiarity)
    return Grounded("new", said, _share(min(best.cosine, familiarity)), others[:alternatives], familiarity)


def ground_exactly(text: str, bank: BankLike) -> Grounded | None:
    """Stop or the command with these very words; None for what only a model can tell. Errors as `ground`."""
    said = _said(text)
    words = plain(said)
    if not words:
        raise InputError("has no words.", field="text", hint="Say what the robot should do.")
    if intent_of(said) == "stop":
        return Grounded("stop", STOP_COMMAND, 1.0)
    for form in dict.fromkeys((words, without_fillers(words))):
        command = bank.exact(form)
        if command is not None:
            return Grounded("exact", command, 1.0)
    return None


def _said(text: str) -> str:
    return clean(text[: 4 * MAX_TEXT_CHARS])[:MAX_TEXT_CHARS]


def _forbids(words: str) -> bool:
    """Sentence embeddings hardly see the difference that one "not" makes."""
    return not _FORBIDDING.isdisjoint(words.split())


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
