"""Fits, calibration and the place of rewards, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rewards.heads import calibration_error, f1, fit, out_of_fold, sigmoid, temperature, threshold
from policies.rewards.placement import place_rewards


def data(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3))
    return rows, (rng.random(n) < sigmoid(2 * rows[:, 0] - rows[:, 1] + 0.5)).astype(float)


def test_a_fit_is_where_the_gradient_is_nothing() -> None:
    rows, targets = data()
    ridge = np.array([1.0, 5.0, 0.5])
    linear = fit(rows, targets, ridge)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    gradient = scaled.T @ (sigmoid(linear.logits(rows)) - targets) + ridge * linear.weights
    assert np.abs(gradient).max() < 1e-6
    assert sigmoid(linear.logits(rows)).mean() == pytest.approx(targets.mean(), abs=1e-6)


def test_order_and_start_of_a_fit_make_no_difference() -> None:
    rows, targets = data()
    order = np.random.default_rng(1).permutation(len(rows))
    one = fit(rows, targets, np.ones(3))
    two = fit(rows[order], targets[order], np.ones(3), start=fit(*data(seed=5), np.ones(3)))
    np.testing.assert_allclose(one.logits(rows), two.logits(rows), atol=1e-6)


def test_differences_know_no_side() -> None:
    rows, targets = data()
    better = np.where(targets[:, None] > 0, rows, -rows)
    linear = fit(better, np.ones(len(better)), np.ones(3), differences=True)
    assert linear.bias == 0.0 and not linear.mean.any()
    np.testing.assert_allclose(linear.logits(-rows), -linear.logits(rows))
    assert (linear.logits(better) > 0).mean() > 0.75


def test_out_of_fold_never_sees_its_own_label() -> None:
    rows, targets = data(60)
    folds = np.arange(60) % 3
    before = out_of_fold(rows, targets, np.ones(3), folds)
    flipped = targets.copy()
    flipped[folds == 1] = 1 - flipped[folds == 1]
    after = out_of_fold(rows, flipped, np.ones(3), folds)
    np.testing.assert_allclose(before[folds == 1], after[folds == 1], atol=1e-9)
    assert np.abs(before[folds == 0] - after[folds == 0]).max() > 0.1


def test_temperature_cools_what_is_too_sure() -> None:
    rows, targets = data(2000)
    logits = 2 * rows[:, 0] - rows[:, 1] + 0.5
    assert temperature(logits, targets) == pytest.approx(1.0, abs=0.15)
    assert temperature(3 * logits, targets) == pytest.approx(3.0, abs=0.45)


def test_calibration_error_by_hand() -> None:
    chances = np.array([0.15, 0.15, 0.85, 0.85])
    assert calibration_error(chances, np.array([0, 0, 1, 1])) == pytest.approx(0.15)
    assert calibration_error(chances, np.array([1, 1, 0, 0])) == pytest.approx(0.85)


def test_f1_and_threshold_by_hand() -> None:
    targets = np.array([1.0, 1.0, 0.0, 0.0])
    assert f1(targets, np.array([True, False, True, False])) == pytest.approx(0.5)
    assert f1(targets, np.zeros(4, bool)) == 0
    assert 0.4 <= threshold(np.array([0.8, 0.7, 0.4, 0.1]), targets) < 0.7
    assert threshold(np.array([0.8, 0.7]), np.array([1.0, 1.0])) == 0.5


def test_rewards_of_segments_that_end_in_one_token_add_up() -> None:
    placed = place_rewards([(0, 3), (3, 7), (7, 8)], [(7, 0.3), (7, -0.5), (8, 0.2)])
    np.testing.assert_allclose(placed, [0, -0.2, 0.2])


def test_a_segment_without_a_token_of_its_own_goes_to_the_nearest_earlier_one() -> None:
    offsets = [(0, 4), (4, 12), (0, 0)]  # the last one is the end mark
    np.testing.assert_allclose(place_rewards(offsets, [(6, 1.0), (9, 2.0), (12, 4.0), (2, 8.0)]), [8, 7, 0])
    np.testing.assert_allclose(place_rewards([(5, 9)], [(3, 1.0)]), [1.0])
    assert place_rewards([(0, 0)], [(3, 1.0)]).tolist() == [0.0]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=20), st.data())
def test_no_reward_is_lost_and_none_comes_after_its_segment(sizes: list[int], drawn: st.DataObject) -> None:
    edges = np.cumsum([0, *sizes])
    offsets = [(int(a), int(b)) for a, b in zip(edges, edges[1:], strict=False)]
    ends = drawn.draw(st.lists(st.integers(1, int(edges[-1])), max_size=10))
    placed = place_rewards(offsets, [(end, 1.0) for end in ends])
    assert placed.sum() == len(ends)
    for end in ends:
        token = next(at for at, (start, stop) in enumerate(offsets) if start < end <= stop)
        assert placed[token] >= 1.0
