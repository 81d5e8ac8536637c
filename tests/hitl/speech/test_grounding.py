"""Grounding with a bank whose answers are given: which rule decides what."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hitl.errors import InputError
from hitl.messages import MAX_TEXT_CHARS
from hitl.speech.grounding import Grounded, Thresholds, ground


@dataclass(frozen=True)
class Near:
    text: str
    cosine: float
    probability: float
    sentence: float = 0.5


@dataclass
class GivenBank:
    """Two commands; `found` and `familiar` are what it answers to anything."""

    found: list[Near] = field(default_factory=lambda: [Near("go home", 0.95, 0.9), Near("go higher", 0.2, 0.1)])
    familiar: float = 0.99
    asked: list[str] = field(default_factory=list)

    def exact(self, text: str) -> str | None:
        return text if text in ("go home", "go higher", "please") else None

    def nearest(self, text: str, k: int) -> list[Near]:
        self.asked.append(text)
        return self.found[:k]

    def familiarity(self, text: str) -> float:
        return self.familiar


@pytest.mark.parametrize(
    "text", ["go home", "GO HOME!", "  go\nhome ", "Could you go home, please?", "ok robot, go home now"]
)
def test_exact_give_or_take_case_punctuation_and_politeness(text: str) -> None:
    bank = GivenBank()
    assert ground(text, bank) == Grounded("exact", "go home", 1.0)
    assert bank.asked == []


def test_words_of_a_command_are_exact_even_where_they_are_polite_ones() -> None:
    assert ground("please", GivenBank()).kind == "exact"


def test_stop_is_decided_before_anything_is_looked_up() -> None:
    bank = GivenBank()
    assert ground("STOPP!!", bank) == Grounded("stop", "stop", 1.0)
    assert ground("don't stop", bank).kind != "stop"
    assert bank.asked == ["don't stop"]


def test_near_has_the_command_its_similarity_and_the_others() -> None:
    bank = GivenBank()
    grounded = ground("please, back to base!", bank)
    assert grounded == Grounded("near", "go home", 0.95, (("go higher", 0.1),))
    assert bank.asked == ["back to base"]


@pytest.mark.parametrize(
    "bank",
    [
        GivenBank(familiar=0.2),
        GivenBank(found=[Near("go home", 0.4, 0.9)]),
        GivenBank(found=[Near("go home", 0.9, 0.2), Near("go higher", 0.9, 0.2)]),
        GivenBank(found=[]),
    ],
    ids=["unfamiliar", "far in code space", "ambiguous", "empty bank"],
)
def test_new_keeps_the_words_as_they_were_said(bank: GivenBank) -> None:
    grounded = ground("  Wiggle it\tloose ", bank)
    assert (grounded.kind, grounded.command) == ("new", "Wiggle it loose")
    assert 0 <= grounded.similarity < 0.95
    assert [text for text, _ in grounded.alternatives] == [near.text for near in bank.found]


def test_nearly_the_sentence_of_an_added_command_is_near_unless_it_forbids() -> None:
    bank = GivenBank(found=[Near("wipe the table", 0.9, 0.2, sentence=0.97)], familiar=0.1)
    assert ground("wipe that table", bank).command == "wipe the table"
    assert ground("don't wipe the table", bank).kind == "new"


def test_thresholds_are_the_callers() -> None:
    assert ground("back to base", GivenBank(), Thresholds(cosine=0.96)).kind == "new"


@pytest.mark.parametrize("text", ["", "  \n", "!?", "\x00\x07", "\u200b"])
def test_no_words_is_an_error_that_names_the_field(text: str) -> None:
    with pytest.raises(InputError, match="text: has no words"):
        ground(text, GivenBank())


def test_a_huge_text_is_cut() -> None:
    grounded = ground("wiggle " * 200_000, GivenBank(familiar=0.0))
    assert grounded.kind == "new" and len(grounded.command) <= MAX_TEXT_CHARS
