from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from policies.hierarchy.high_level_training import Moments
from policies.hierarchy.wishes import Told, Wishes

RED, GREEN, BLUE, YELLOW, PUT, HOME = range(6)


def packed(*kinds: int) -> list[int]:
    """A base episode: two moments of each pick and one of each put, then home."""
    return [command for kind in kinds for command in (kind, kind, PUT)] + [HOME]


def moments(*episodes: Sequence[int]) -> Moments:
    command = torch.tensor([number for episode in episodes for number in episode])
    episode = torch.cat([torch.full((len(numbers),), at) for at, numbers in enumerate(episodes)])
    return Moments(
        torch.zeros(len(command), 3).half(), episode, command, torch.searchsorted(episode, episode),
        torch.zeros(len(command), dtype=torch.bool), per_s=1,
    )  # fmt: skip


@pytest.fixture
def base() -> Moments:
    """Always the canonical order; each kind is missing sometimes."""
    return moments(
        *[packed(RED, GREEN, BLUE, YELLOW)] * 3, *[packed(RED, BLUE, YELLOW)] * 2,
        *[packed(GREEN, BLUE, YELLOW)] * 2, *[packed(RED, GREEN, YELLOW)] * 2,
    )  # fmt: skip


class Person:
    """Collects what is said and let run."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._count = 0

    def episode(self, name: str, *steps: int | tuple[int, int]) -> Person:
        """Steps: a command that was let run, or (overruled, wanted)."""
        for step in steps:
            if isinstance(step, tuple):
                self._count += 1
                self.told.append(Told(name, step[1], step[0], f"c{self._count}"))
            else:
                self.told.append(Told(name, step, None, ""))
        return self


def test_nobody_wishes_anything_who_lets_the_usual_order_run(base: Moments) -> None:
    person = Person().episode("a", RED, PUT, GREEN, PUT, HOME).episode("b", GREEN, PUT, BLUE, PUT, HOME)
    assert Wishes(base).of(person.told) == set()


def test_two_corrections_make_a_wish_and_one_does_not(base: Moments) -> None:
    person = Person().episode("a", (RED, BLUE), PUT, RED, PUT, HOME)
    assert Wishes(base).of(person.told) == set()
    assert (RED, BLUE) in Wishes(base).of(person.episode("b", (RED, BLUE), PUT, RED, PUT, HOME).told)


def test_an_order_is_completed_by_what_was_seen(base: Moments) -> None:
    """Blue before red was said twice, red before green was seen: so blue comes before green."""
    person = Person().episode("a", (RED, BLUE), PUT, RED, PUT, GREEN, PUT).episode("b", (RED, BLUE), PUT, RED)
    assert Wishes(base).of(person.told) == {(RED, BLUE), (GREEN, BLUE)}


def test_what_is_always_overruled_is_to_be_left_out(base: Moments) -> None:
    person = Person().episode("a", (RED, GREEN), PUT, BLUE, HOME).episode("b", (RED, YELLOW), PUT, HOME)
    assert Wishes(base).of(person.told) == {(RED, other) for other in (GREEN, BLUE, YELLOW, HOME)}


def test_a_slip_that_is_done_again_is_no_wish(base: Moments) -> None:
    """The policy goes on with the box though the thing fell: that is no order that anybody wishes."""
    person = Person()
    for name in "abc":
        person.episode(name, RED, (PUT, RED), PUT, (HOME, GREEN), PUT, (GREEN, PUT), HOME)
    assert Wishes(base).of(person.told) == set()


def test_the_usual_order_that_is_mostly_let_run_outvotes_two_corrections(base: Moments) -> None:
    person = Person().episode("a", (RED, BLUE), PUT).episode("b", (RED, BLUE), PUT)
    for name in "cdefg":
        person.episode(name, RED, PUT, BLUE, PUT, HOME)
    assert Wishes(base).of(person.told) == set()


def test_base_moments_are_given_what_is_wished_where_their_episode_did_it_later() -> None:
    base = moments(*[packed(RED, BLUE, YELLOW)] * 3)
    rows, labels = Wishes(base).relabelled({(RED, BLUE), (RED, YELLOW), (BLUE, YELLOW)}, torch.arange(10))
    # red, red, put, blue, blue, put, yellow, yellow, put, home: yellow, which all wait for, is wanted first
    assert rows.tolist() == [0, 1, 3, 4] and labels.tolist() == [YELLOW] * 4


def test_what_does_not_come_later_in_the_episode_cannot_be_done_there() -> None:
    base = moments(*[packed(RED, YELLOW)] * 3, *[packed(RED, BLUE, YELLOW)] * 3)
    rows, _ = Wishes(base).relabelled({(RED, BLUE)}, torch.arange(len(base.command)))
    assert set(base.episode[rows].tolist()) == {3, 4, 5}
    nothing, none = Wishes(base).relabelled(set(), torch.arange(len(base.command)))
    assert len(nothing) == len(none) == 0


def test_what_is_left_out_last_means_to_go_home() -> None:
    base = moments(*[packed(RED, YELLOW)] * 3)
    rows, labels = Wishes(base).relabelled({(YELLOW, HOME)}, torch.arange(7))
    assert rows.tolist() == [3, 4] and labels.tolist() == [HOME, HOME]
