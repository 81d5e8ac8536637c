"""Ways straight to where a hand let go: found in a longer way, as fast as policies go, and as it was from there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.shortcuts import ABOVE_M, SPEED_M_S, SPEED_RAD_S, Turn, let_go, shortcut, took_hold

RATE_HZ = 50.0
X, Y, Z, OPENING, OTHER_X, OTHER_OPENING = 0, 1, 2, 5, 6, 11
OPENS = 150


def guided() -> NDArray[np.float64]:
    """The left hand goes 10 cm right in a second, rests for one, goes 10 cm forward in the next, and opens in half of
    one; the right hand goes home all the while."""
    targets = np.zeros((200, 12))
    targets[:, X] = 0.1 * np.clip(np.arange(200) / 50, 0, 1)
    targets[:, Y] = 0.1 * np.clip((np.arange(200) - 100) / 50, 0, 1)
    targets[:, OPENING] = np.clip((np.arange(200) - OPENS) / 25, 0.0, 1.0)
    targets[:, OTHER_X] = 0.001 * np.arange(200)
    targets[:, OTHER_OPENING] = 0.6
    return targets


def test_the_last_time_that_a_closed_hand_opened_is_found() -> None:
    assert let_go(guided()) == Turn(0, OPENS, OPENS)
    swapped = np.roll(guided(), 6, axis=1)
    assert let_go(swapped) == Turn(1, OPENS, OPENS)
    twice = guided()
    twice[:40, OPENING] = np.linspace(1.0, 0.0, 40)
    assert let_go(twice) == Turn(0, OPENS, OPENS), "a hand that closed first let go later"


def test_a_hand_that_stays_as_it_is_or_closes_lets_go_of_nothing() -> None:
    for closes in (0.1, 1.0):
        targets = guided()
        targets[:, OPENING] = np.linspace(1.0, 1.0 - closes, 200)
        assert let_go(targets) is None and let_go(targets[:0]) is None
        assert (took_hold(targets) is None) == (closes < 0.2) and took_hold(guided()) is None


def test_the_way_down_to_a_thing_that_a_hand_takes_hold_of_begins_above_it() -> None:
    targets = guided()
    targets[:, OPENING] = 1 - np.clip((np.arange(200) - 150) / 25, 0, 0.9)
    targets[:, Z] = np.interp(np.arange(200), [0, 60, 90, 140, 180, 199], [0.2, 0.05, 0.15, 0.02, 0.02, 0.1])
    found = took_hold(targets)
    assert found is not None and (found.arm, found.at) == (0, 150)
    assert 90 < found.joins < 140, "the last time that it came down"
    assert targets[found.joins, Z] == pytest.approx(0.02 + ABOVE_M, abs=0.003)
    targets[:, Z] = 0.02
    assert took_hold(targets) == Turn(0, 150, 0)


def test_a_way_leads_straight_there_and_then_on_as_it_was() -> None:
    targets = guided()
    way = shortcut(targets, targets[OPENS:], 0, 30, 120, RATE_HZ)
    arrives = round(np.hypot(0.1, 0.1) / SPEED_M_S * RATE_HZ)
    assert np.allclose(way.targets[0], targets[0])
    speed = np.linalg.norm(np.diff(way.targets[:arrives, :3], axis=0), axis=1) * RATE_HZ
    assert np.allclose(speed, SPEED_M_S, rtol=0.02)
    assert np.allclose(way.targets[:arrives, X], way.targets[:arrives, Y]), "not one after the other"
    assert (way.targets[:arrives, OPENING] == 0).all(), "it lets go there, not on the way"
    assert np.allclose(
        way.targets[arrives:, :6], np.pad(targets[OPENS:], ((0, 50), (0, 0)), "edge")[: 120 - arrives, :6]
    )
    assert np.allclose(way.targets[:, OTHER_X], targets[:120, OTHER_X]), "the other arm does what it did"
    assert way.done == arrives + 30


def test_a_hand_is_as_open_on_its_way_as_where_it_comes_to() -> None:
    track, there = np.zeros((50, 12)), np.full((50, 12), 0.1)
    track[:, OPENING], there[:, OPENING] = 0.6, 1.0
    way = shortcut(track, there, 0, 50, 41, RATE_HZ)
    assert way.targets[0, OPENING] == 0.6 and (way.targets[1:, OPENING] == 1.0).all()


def test_what_turns_further_than_it_goes_takes_as_long_as_turning_takes() -> None:
    targets = guided()
    targets[:, 3] = np.clip(np.arange(200) / OPENS, 0, 1) * 1.2
    way = shortcut(targets, targets[OPENS:], 0, 30, 120, RATE_HZ)
    arrives = round(1.2 / SPEED_RAD_S * RATE_HZ)
    assert way.done == arrives + 30 and way.targets[arrives // 2, 3] == pytest.approx(0.6)


def test_a_way_is_as_long_as_wanted_and_done_no_later_than_its_end() -> None:
    targets = guided()
    short = shortcut(targets, targets[OPENS:], 0, 30, 20, RATE_HZ)
    assert short.targets.shape == (20, 12) and short.done == 20
    there = shortcut(targets[OPENS:], targets[OPENS:], 0, 5, 100, RATE_HZ)
    assert there.done == 5 and np.allclose(there.targets[:50, :6], targets[OPENS:, :6]), "no way is left"
    assert np.allclose(there.targets[50:, :6], targets[-1, :6]), "what is over stays"
