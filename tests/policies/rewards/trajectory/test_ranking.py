"""Ranking and calibration against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rewards.trajectory.ranking import auroc, average_precision, calibration_error

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


@given(PAIRS)
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[bool, int]]) -> None:
    values, scores = np.array([v for v, _ in pairs]), np.array([s for _, s in pairs], float)
    yes, no = scores[values], scores[~values]
    found = auroc(values, scores)
    if not len(yes) or not len(no):
        assert found is None
    else:
        wins = (yes[:, None] > no[None]).mean() + 0.5 * (yes[:, None] == no[None]).mean()
        assert found == pytest.approx(wins)


@given(PAIRS)
def test_average_precision_is_the_mean_precision_at_the_score_of_each_yes(pairs: list[tuple[bool, int]]) -> None:
    values, scores = np.array([v for v, _ in pairs]), np.array([s for _, s in pairs], float)
    found = average_precision(values, scores)
    if not values.any():
        assert found is None
    else:
        assert found == pytest.approx(np.mean([values[scores >= at].mean() for at in scores[values]]))


def test_average_precision_of_a_known_order() -> None:
    values = np.array([True, False, True, False])
    assert average_precision(values, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx((1 + 2 / 3) / 2)


def test_calibration_error() -> None:
    values = np.array([True, True, False, False])
    assert calibration_error(values, np.full(4, 0.5)) == pytest.approx(0.0)
    assert calibration_error(values, np.array([0.95, 0.95, 0.95, 0.95])) == pytest.approx(0.45)
    assert calibration_error(values[:0], np.zeros(0)) is None
