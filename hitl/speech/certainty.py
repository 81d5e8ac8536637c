"""How sure it is what was said and meant, and so what follows: act, act and show it, ask first, or ignore it.

A recognizer gives several readings of the same sound, each with a probability. Each reading is grounded, and readings
that ground to the same command add up: "go left" and "go lift" may both be one command. What is typed is certain.

    confidence = (sum over the readings of a command: probability * nearness) * factor of `heard`

- nearness: 1 for the very words of a command, its similarity for a near one, `Limits.new` for new words;
- factor of `heard`: 1 where the recognizer is sure, falling in a straight line to 1 - `Limits.doubt` where it is not
  at all sure: the readings share out the probability of their sound, so they cannot say that it was no speech.

Doubt about stopping is resolved towards stopping: that is never asked about. Knows nothing of models or robots; the
lookups are those of `grounding.py`. Only words that are no command's own cost an encoder's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hitl.messages import Certainty, Reading
from hitl.speech.grounding import BankLike, Grounded, Thresholds, ground, ground_exactly
from hitl.speech.intents import as_meant
from hitl.speech.text import plain, without_fillers

MOST_READINGS = 5
"""Grounding a reading takes about 10 ms; the sixth changes nothing that a person would notice."""
MOST_ENCODED = 3
"""Of those, how many may ask the encoder, the most probable first."""
MOST_CHOICES = 2


@dataclass(frozen=True)
class Limits:
    """From where on it acts, asks or ignores.

    `middle`, `rival` and the familiarity of grounding were chosen together on 569 utterances of other wording and
    voices than those of `hitl bench speech`: against middle 0.2, rival 0.75 and familiarity 0.7, commands that act
    rightly rose from 0.917, 0.903 and 0.848 (clean, 20 dB, 10 dB) to 0.931, 0.920 and 0.871, and sentences that are no
    command and act from 0.058 at each level to 0.058, 0.075 and 0.083.
    """

    high: float = 0.6
    """Confidence from which it acts."""
    middle: float = 0.15
    """Confidence from which it acts and says what it understood; below, it asks."""
    rival: float = 0.9
    """Share of the winner's weight from which another command is a rival: it then asks."""
    ignored: float = 0.35
    """Familiarity below which new words are no command but other talk."""
    new: float = 0.3
    """How near words count that are new to it."""
    sure: float = 0.5
    """Probability above which the very words of a command need no other reading."""
    doubt: float = 0.5
    """How much of the confidence goes where the recognizer has heard nothing for sure."""
    grounding: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True)
class Decided:
    """What words were taken for. `text`: the reading that was taken; `choices`: the commands to ask about, where
    certainty is low; `ignored`: it was no command, and nothing follows."""

    grounded: Grounded
    text: str
    certainty: Certainty = "high"
    choices: tuple[str, ...] = ()
    ignored: bool = False


@dataclass
class _Meaning:
    """One command, or new words, with the readings that mean it: the nearest stands for all."""

    grounded: Grounded
    text: str
    score: float


def decide(
    text: str,
    heard: float,
    readings: Sequence[Reading],
    bank: BankLike,
    *,
    spoken: bool,
    thresholds: Limits | None = None,
) -> Decided:
    """What `text` means and how sure that is.

    `text` is the most probable reading, `heard` how sure the recognizer is of it (0 to 1). What is not `spoken` is
    grounded as it is, with high certainty. Raises InputError (field "text") where it has no words.
    """
    limits = thresholds or Limits()
    if not spoken:
        return Decided(ground(text, bank, limits.grounding), text)
    text = as_meant(text)
    top = ground_exactly(text, bank)
    if top is not None and top.kind == "stop":
        return Decided(top, text)
    meanings = _meanings(_distinct(text, readings), bank, limits)
    best = meanings[0]
    if best.grounded.kind == "stop":
        return Decided(best.grounded, best.text)
    if all(meaning.grounded.kind == "new" for meaning in meanings):
        best = next(meaning for meaning in meanings if meaning.text == text)
        if best.grounded.familiarity < limits.ignored:
            return Decided(best.grounded, text, "low", ignored=True)
    confidence = best.score * (1.0 - limits.doubt * (1.0 - min(1.0, max(0.0, heard))))
    certainty: Certainty = "high" if confidence >= limits.high else "middle" if confidence >= limits.middle else "low"
    if best.grounded.kind == "new" or (certainty == "middle" and _rivalled(meanings, limits)):
        certainty = "low"
    choices = _choices(best, meanings) if certainty == "low" else ()
    if certainty == "low" and not choices:
        certainty = "middle"  # an empty bank: nothing could be asked
    return Decided(best.grounded, best.text, certainty, choices)


def _rivalled(meanings: Sequence[_Meaning], limits: Limits) -> bool:
    """Whether another command is about as likely as the best."""
    best, *others = (meaning for meaning in meanings if meaning.grounded.kind != "new")
    return any(other.score >= limits.rival * best.score for other in others)


def _distinct(text: str, readings: Sequence[Reading]) -> list[Reading]:
    """`text` and the most probable other readings; those with the same words are one. `text` takes what is left of
    the probability where it is not among them."""
    found: dict[str, Reading] = {without_fillers(plain(text)): Reading(text=text, probability=0.0)}
    listed = False
    for reading in sorted(readings, key=lambda reading: -reading.probability):
        words = without_fillers(plain(reading.text))
        if not words:
            continue
        listed = listed or next(iter(found)) == words
        known = found.setdefault(words, Reading(text=reading.text, probability=0.0))
        found[words] = Reading(text=known.text, probability=known.probability + reading.probability)
    first, *others = found.values()
    if not listed:
        rest = 1.0 - sum(reading.probability for reading in others)
        first = Reading(text=text, probability=max(0.0, rest))
    return [first, *others][:MOST_READINGS]


def _meanings(readings: Sequence[Reading], bank: BankLike, limits: Limits) -> list[_Meaning]:
    """What the readings mean, best first. Where the first is surely a command's own words no encoder is asked."""
    exactly = {reading.text: ground_exactly(reading.text, bank) for reading in readings}
    first = readings[0]
    settled = exactly[first.text] is not None and first.probability > limits.sure
    found: dict[str, _Meaning] = {}
    encoded = 0
    for reading in readings:
        grounded = exactly[reading.text]
        if grounded is None and (settled or encoded == MOST_ENCODED):
            continue
        encoded += grounded is None
        grounded = grounded or ground(reading.text, bank, limits.grounding)
        near = _nearness(grounded, limits)
        known = found.setdefault(grounded.command, _Meaning(grounded, reading.text, 0.0))
        known.score += reading.probability * near
        if near > _nearness(known.grounded, limits):
            known.grounded, known.text = grounded, reading.text
    return sorted(found.values(), key=lambda meaning: -meaning.score)


def _nearness(grounded: Grounded, limits: Limits) -> float:
    if grounded.kind == "near":
        return grounded.similarity
    return limits.new if grounded.kind == "new" else 1.0


def _choices(best: _Meaning, meanings: Sequence[_Meaning]) -> tuple[str, ...]:
    """The best command, those of other readings, and what is near them; only commands of the bank."""
    ordered = [best, *(meaning for meaning in meanings if meaning is not best)]
    commands = [meaning.grounded.command for meaning in ordered if meaning.grounded.kind in ("exact", "near")]
    near = [command for meaning in ordered for command, _ in meaning.grounded.alternatives]
    return tuple(dict.fromkeys(commands + near))[:MOST_CHOICES]
