"""How sure it is: readings that agree add up, exact words cost no encoder, talk is ignored, stop is never asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import InputError
from hitl.messages import Reading
from hitl.speech.certainty import MOST_ENCODED, Limits, decide
from hitl.speech.grounding import ground

COMMANDS = ("go left", "go right", "go higher", "go home")


@dataclass(frozen=True)
class Near:
    text: str
    cosine: float
    probability: float
    sentence: float = 0.5


@dataclass
class Bank:
    """`near`: words -> command and its cosine; other words are new to it, as familiar as `familiar` says."""

    near: dict[str, tuple[str, float]] = field(default_factory=dict)
    familiar: float = 0.9
    asked: list[str] = field(default_factory=list)

    def exact(self, text: str) -> str | None:
        return text if text in COMMANDS else None

    def nearest(self, text: str, k: int) -> list[Near]:
        self.asked.append(text)
        command, cosine = self.near.get(text, ("go higher", 0.2))
        first = Near(command, cosine, 0.9 if text in self.near else 0.1)
        return [first, *(Near(other, 0.1, 0.05) for other in COMMANDS if other != command)][:k]

    def familiarity(self, text: str) -> float:
        return 0.99 if text in self.near else self.familiar


def said(*pairs: tuple[str, float]) -> list[Reading]:
    return [Reading(text=text, probability=probability) for text, probability in pairs]


def spoken(bank: Bank, *pairs: tuple[str, float], heard: float = 1.0):  # type: ignore[no-untyped-def]
    return decide(pairs[0][0], heard, said(*pairs), bank, spoken=True)


@pytest.mark.parametrize("text", ["go left", "over to the port side", "what is for lunch", "stop", "wait"])
def test_what_is_typed_is_grounded_and_never_doubted(text: str) -> None:
    bank = Bank({"over to the port side": ("go left", 0.7)}, familiar=0.01)
    decided = decide(text, 0.1, said(("go right", 1.0)), bank, spoken=False)
    assert decided.grounded == ground(text, bank)
    assert (decided.text, decided.certainty, decided.choices, decided.ignored) == (text, "high", (), False)


def test_exact_words_that_were_surely_heard_act_and_cost_no_encoder() -> None:
    bank = Bank()
    decided = spoken(bank, ("Go left, please!", 0.7), ("go lift", 0.2), ("glow left", 0.1))
    assert (decided.grounded.command, decided.certainty, decided.text) == ("go left", "high", "Go left, please!")
    assert bank.asked == []


def test_readings_of_one_command_add_up() -> None:
    bank = Bank({"go lift": ("go left", 0.8)})
    alone = spoken(bank, ("go left", 0.45), ("blow left", 0.1), ("glow laughed", 0.1))
    together = spoken(bank, ("go left", 0.45), ("go lift", 0.45), ("glow laughed", 0.1))
    assert (alone.certainty, together.certainty) == ("middle", "high")
    assert together.grounded.kind == "exact" and together.text == "go left"


def test_the_same_words_with_other_politeness_add_up_without_an_encoder() -> None:
    bank = Bank()
    decided = spoken(bank, ("go left", 0.51), ("go left please", 0.4), ("mumble", 0.09))
    assert decided.certainty == "high" and bank.asked == []


def test_a_less_probable_reading_that_is_a_command_wins_over_new_words() -> None:
    decided = spoken(Bank(), ("bow left", 0.5), ("go left", 0.4))
    assert (decided.grounded.command, decided.text, decided.certainty) == ("go left", "go left", "middle")


def test_near_words_count_as_much_as_they_are_near() -> None:
    assert spoken(Bank({"go lift": ("go left", 0.95)}), ("go lift", 0.9)).certainty == "high"
    assert spoken(Bank({"go lift": ("go left", 0.62)}), ("go lift", 0.9)).certainty == "middle"


@pytest.mark.parametrize(("heard", "certainty"), [(1.0, "high"), (0.6, "middle"), (0.0, "middle")])
def test_what_was_badly_heard_is_less_certain(heard: float, certainty: str) -> None:
    assert spoken(Bank(), ("go left", 0.7), heard=heard).certainty == certainty


def test_low_certainty_asks_with_the_winner_first_and_then_other_readings() -> None:
    decided = spoken(Bank(), ("go right", 0.29), ("go home", 0.28), ("go left", 0.27))
    assert (decided.certainty, decided.choices) == ("low", ("go right", "go home")) and not decided.ignored


def test_choices_are_filled_up_from_what_is_near() -> None:
    decided = spoken(Bank({"go lift": ("go left", 0.7)}), ("go lift", 0.2))
    assert (decided.certainty, decided.choices) == ("low", ("go left", "go right"))


def test_new_words_that_sound_like_commands_are_asked_about() -> None:
    decided = spoken(Bank(familiar=0.9), ("wiggle it loose", 0.9))
    assert decided.grounded.kind == "new" and decided.certainty == "low"
    assert decided.choices == ("go higher", "go left") and not decided.ignored


def test_talk_is_ignored_however_well_it_was_heard() -> None:
    decided = spoken(Bank(familiar=0.2), ("what is for lunch", 0.9), ("what is four lunch", 0.1))
    assert decided.ignored and decided.choices == () and decided.text == "what is for lunch"


def test_talk_of_which_one_reading_is_a_command_is_not_ignored() -> None:
    decided = spoken(Bank(familiar=0.2), ("what is for lunch", 0.9), ("go home", 0.1))
    assert not decided.ignored and decided.certainty == "low" and decided.choices[0] == "go home"


@pytest.mark.parametrize("text", ["stop", "Wait!", "no, stop"])
def test_a_stop_is_a_stop_however_badly_it_was_heard(text: str) -> None:
    bank = Bank()
    decided = spoken(bank, (text, 0.1), ("go left", 0.9), heard=0.0)
    assert (decided.grounded.kind, decided.certainty, decided.text) == ("stop", "high", text)
    assert bank.asked == []


def test_a_stop_in_the_other_readings_wins_where_it_weighs_most() -> None:
    assert spoken(Bank(), ("pop", 0.4), ("stopp", 0.2), ("halt", 0.15)).grounded.kind == "stop"
    assert "stop" not in spoken(Bank(), ("go left", 0.28), ("stop", 0.27)).choices


def test_at_most_three_readings_ask_the_encoder() -> None:
    bank = Bank()
    spoken(bank, *((f"mumble {number}", 0.1) for number in range(10)))
    assert len(bank.asked) == MOST_ENCODED == 3


def test_words_without_readings_have_all_the_probability() -> None:
    assert decide("go left", 1.0, [], Bank(), spoken=True).certainty == "high"
    unlisted = decide("go left", 1.0, said(("go right", 0.7)), Bank(), spoken=True)
    assert (unlisted.grounded.command, unlisted.certainty) == ("go right", "high")


def test_with_an_empty_bank_there_is_nothing_to_ask() -> None:
    class Empty(Bank):
        def nearest(self, text: str, k: int) -> list[Near]:
            return []

    decided = decide("wiggle", 1.0, [], Empty(), spoken=True)
    assert (decided.grounded.kind, decided.certainty, decided.ignored) == ("new", "middle", False)


def test_limits_are_the_callers() -> None:
    limits = Limits(high=0.2, ignored=0.0)
    assert decide("go left", 0.0, said(("go left", 0.5)), Bank(), spoken=True, thresholds=limits).certainty == "high"
    talk = decide("what is for lunch", 1.0, [], Bank(familiar=0.2), spoken=True, thresholds=limits)
    assert not talk.ignored


def test_no_words_is_an_error() -> None:
    with pytest.raises(InputError, match="text"):
        decide("...", 1.0, said(("...", 1.0)), Bank(), spoken=True)


@given(
    st.lists(
        st.tuples(st.sampled_from([*COMMANDS, "go lift", "lunch", "stop", "...", "go left please"]), st.floats(0, 1)),
        max_size=10,
    ),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_question_has_commands_of_the_bank_and_only_low_certainty_asks(
    pairs: list[tuple[str, float]], heard: float, familiar: float
) -> None:
    bank = Bank({"go lift": ("go left", 0.8)}, familiar)
    decided = decide("go lift", heard, said(*pairs), bank, spoken=True)
    assert set(decided.choices) <= set(COMMANDS) and len(decided.choices) == len(set(decided.choices)) <= 2
    assert bool(decided.choices) == (decided.certainty == "low" and not decided.ignored)
    assert len(bank.asked) <= MOST_ENCODED
