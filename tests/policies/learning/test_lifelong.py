"""The lifelong-learning metrics: known answers, what the published package says of the same logs, and bad logs.

`data/lifelong_reference.json` is made by `tools/lifelong_reference.py`, which says how.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import PolicyError
from policies.learning.lifelong import Block, lifelong, saturation, smoothed, terminal

REFERENCE = json.loads((Path(__file__).parent / "data" / "lifelong_reference.json").read_text())
LOGS = REFERENCE["logs"]
SAME = 1e-9
OURS = {
    "maintenance": "perf_maintenance_{maintenance}",
    "recovery": "perf_recovery",
    "relative": "ste_rel_perf",
    "efficiency": "sample_efficiency",
}


def blocks(given):
    return [Block(**block) for block in given]


def experts(log):
    return {task: [blocks(run) for run in runs] for task, runs in log["experts"].items()}


def same(ours: float, theirs: float | None) -> bool:
    """NaN is their null."""
    return math.isnan(ours) if theirs is None else math.isclose(ours, theirs, rel_tol=SAME, abs_tol=SAME)


def theirs_of_pairs(tasks, name):
    return {
        (task, other): tuple(values) for task, found in tasks.items() for other, values in (found[name] or {}).items()
    }


def test_the_reference_is_of_the_published_packages():
    assert REFERENCE["versions"]["l2metrics"] == "3.1.0" and REFERENCE["versions"]["l2logger"] == "1.8.2"
    assert set(LOGS) == {"by hand", "three tasks", "ties", "odd windows", "learned between"}


@pytest.mark.parametrize("normalize", ["task", "none"])
@pytest.mark.parametrize("maintenance", ["mrlep", "mrtlp"])
@pytest.mark.parametrize("name", LOGS)
def test_tasks_are_judged_as_the_published_package_does(name, maintenance, normalize):
    log = LOGS[name]
    theirs = log["found"][normalize]
    found = lifelong(blocks(log["blocks"]), experts(log), maintenance=maintenance, normalize=normalize)
    assert list(theirs["tasks"]) and set(theirs["tasks"]) == set(found.tasks)
    for ours, key in OURS.items():
        key = key.format(maintenance=maintenance)
        assert same(getattr(found, ours), theirs["lifetime"][key]), (ours, getattr(found, ours))
        for task, values in theirs["tasks"].items():
            assert same(getattr(found.tasks[task], ours), values[key]), (task, ours)
    for task, values in theirs["tasks"].items():
        assert list(found.tasks[task].recovery_times) == (values["recovery_times"] or [])


@pytest.mark.parametrize("normalize", ["task", "none"])
@pytest.mark.parametrize("transfer", ["contrast", "ratio"])
@pytest.mark.parametrize("name", [name for name in LOGS if name != "learned between"])
def test_pairs_are_judged_as_the_published_package_does(name, transfer, normalize):
    log = LOGS[name]
    theirs = log["found"][normalize]
    found = lifelong(blocks(log["blocks"]), experts(log), transfer=transfer, normalize=normalize)
    for way in ("forward", "backward"):
        assert same(getattr(found, way), theirs["lifetime"][f"{way}_transfer_{transfer}"])
        ours, pairs = getattr(found, f"{way}_pairs"), theirs_of_pairs(theirs["tasks"], f"{way}_transfer_{transfer}")
        assert set(ours) == set(pairs)
        for pair, values in pairs.items():
            np.testing.assert_allclose(ours[pair], values, rtol=SAME, atol=SAME)


def test_the_reference_has_every_metric_so_that_nothing_is_compared_with_nothing():
    for key in LOGS["three tasks"]["found"]["task"]["lifetime"].values():
        assert key is not None
    assert all(values["sample_efficiency"] for values in LOGS["three tasks"]["found"]["task"]["tasks"].values())
    assert LOGS["odd windows"]["found"]["none"]["tasks"]["worse_1"]["sample_efficiency"] == 0
    assert LOGS["odd windows"]["found"]["none"]["tasks"]["far_1"]["sample_efficiency"] == 0


def test_where_two_tasks_were_learned_between_two_evaluations_each_has_its_transfer():
    log = LOGS["learned between"]
    found = lifelong(blocks(log["blocks"]), normalize="none")
    assert found.backward_pairs == {("b_1", "a_1"): (-0.2,), ("c_1", "a_1"): (-0.2,), ("c_1", "b_1"): (1 / 3,)}
    theirs = theirs_of_pairs(log["found"]["none"]["tasks"], "backward_transfer_contrast")
    assert theirs == {pair: found.backward_pairs[pair] for pair in (("c_1", "a_1"), ("c_1", "b_1"))}


def test_a_task_that_falls_while_another_is_learned():
    log = LOGS["by hand"]
    found = lifelong(blocks(log["blocks"]), experts(log), normalize="none")
    assert found.tasks["a_1"].maintenance == pytest.approx(0.6 - 0.8)
    assert found.backward_pairs == {("b_1", "a_1"): (pytest.approx(-0.2 / 1.4),)}
    assert found.forward_pairs == {("a_1", "b_1"): (pytest.approx(0.1 / 0.3),)}
    assert found.tasks["a_1"].relative == pytest.approx(1) and found.tasks["a_1"].efficiency == pytest.approx(1)
    assert found.tasks["b_1"].relative == pytest.approx(2.6 / 1.2)
    assert found.tasks["b_1"].efficiency == pytest.approx(0.9 / 0.6)
    assert math.isnan(found.recovery)


def test_relearning_that_takes_less_each_time_is_recovery():
    def learned(number, below):
        return Block(number, "learning", "a", [0.1] * below + [0.9])

    found = lifelong([learned(0, 8), learned(1, 6), learned(2, 4), learned(3, 1)], normalize="none")
    assert found.tasks["a"].recovery_times == (6, 4, 1)
    assert found.recovery == pytest.approx(2.5)  # of the slopes -2, -3 and -2.5
    never = lifelong([learned(0, 8), Block(1, "learning", "a", [0.1, 0.2])], normalize="none")
    assert never.tasks["a"].recovery_times == (3,) and math.isnan(never.recovery)


def test_smoothing_keeps_short_curves_and_flat_ones_and_lags_by_one_with_odd_windows():
    assert list(smoothed([1.0, 5.0] * 7)) == [1.0, 5.0] * 7
    np.testing.assert_allclose(smoothed([0.3] * 600), 0.3)
    step = np.r_[np.zeros(7), np.ones(8)]
    np.testing.assert_allclose(smoothed(step)[6:11], [0, 1 / 3, 2 / 3, 1, 1])
    assert smoothed(np.arange(1000.0))[500] == pytest.approx(499.5)  # windows of 100


@given(st.lists(st.floats(0, 1), min_size=1, max_size=130))
def test_smoothing_keeps_length_and_range(values):
    curve = smoothed(values)
    assert len(curve) == len(values)
    assert min(values) - 1e-9 <= curve.min() and curve.max() <= max(values) + 1e-9


def test_the_end_of_learning_is_its_last_tenth():
    assert terminal(np.arange(20.0), "learning") == 18.5
    assert terminal([0.2, 0.4], "learning") == 0.4 and terminal([0.2, 0.4], "evaluation") == pytest.approx(0.3)


def test_a_plateau_is_reached_where_it_begins_whatever_rounding_says():
    """The package says 39, 91 or 96 of these, as their means differ in the last bits."""
    rising = np.r_[np.linspace(0.1, 0.7, 30), np.tile([0.7, 0.8, 0.6, 0.75, 0.65], 14)]
    for shift in range(12):
        value, place = saturation(rising + 0.013 * shift)
        assert value == pytest.approx(0.7025 + 0.013 * shift) and place == 39


def test_a_level_curve_does_not_fall():
    level = np.full(40, 0.7)
    level[:2] = 0.7 - 1e-11
    log = [Block(0, "learning", "a", level + 1e-13 * np.arange(40)[::-1])]
    expert = {"a": [[Block(0, "learning", "a", np.linspace(0.1, 0.7, 40))]]}
    found = lifelong(log, expert, normalize="none").efficiency
    assert math.isnan(found)  # at its best from the first experience on
    falling = [Block(0, "learning", "a", np.r_[0.6, 0.9, np.linspace(0.8, 0.1, 8)])]
    assert lifelong(falling, expert, normalize="none").efficiency == 0


def test_what_would_be_divided_by_zero_is_left_out():
    log = [
        Block(0, "evaluation", "b", [0.0]),
        Block(1, "learning", "a", [0.0, 0.5]),
        Block(2, "evaluation", "b", [0.0]),
        Block(3, "learning", "a", [0.5, 0.6]),
        Block(4, "evaluation", "b", [0.5]),
    ]
    expert = {"a": [[Block(0, "learning", "a", [0.0, 0.0, 0.0])]]}
    found = lifelong(log, expert, normalize="none")
    assert found.forward_pairs == {("a", "b"): (1.0,)}
    assert math.isnan(found.relative) and math.isnan(found.efficiency)
    assert math.isnan(lifelong(log, normalize="none", transfer="ratio").forward)


def test_neighbours_of_one_block_are_one():
    whole = [Block(0, "learning", "a", np.linspace(0, 1, 40)), Block(1, "evaluation", "a", [1.0, 0.5])]
    parts = [
        *(Block(0, "learning", "a", part) for part in np.split(np.linspace(0, 1, 40), 4)),
        *(Block(1, "evaluation", "a", [value]) for value in (1.0, 0.5)),
    ]
    expert = {"a": [whole]}
    assert str(lifelong(parts, expert)) == str(lifelong(whole, expert))  # in words, as NaN equals nothing


@pytest.mark.parametrize(
    ("log", "options", "message"),
    [
        ([], {}, "log: has no block"),
        ([Block(0, "train", "a", [1.0])], {}, r"log\[0\]: has the kind 'train'.*'learning' or 'evaluation'"),
        ([Block(0, "learning", "a", [])], {}, r"log\[0\].values: needs a list of finite"),
        ([Block(0, "learning", "a", [1.0, math.nan])], {}, r"log\[0\].values"),
        ([Block(1, "learning", "a", [1.0]), Block(0, "learning", "b", [1.0])], {}, "number 0 after 1"),
        ([Block(0, "learning", "a", [1.0])], {"transfer": "difference"}, "transfer: is 'difference'.*contrast, ratio"),
        ([Block(0, "learning", "a", [1.0])], {"maintenance": "last"}, "maintenance: .*mrlep, mrtlp"),
        ([Block(0, "learning", "a", [1.0])], {"normalize": "run"}, "normalize: .*task, none"),
        (
            [Block(0, "learning", "a", [1.0])],
            {"experts": {"a": [[Block(0, "learning", "b", [1.0])]]}},
            r"experts\['a'\]: learned b",
        ),
        (
            [Block(0, "learning", "a", [1.0])],
            {"experts": {"a": [[Block(0, "evaluation", "a", [1.0])]]}},
            r"experts\['a'\]: learned nothing",
        ),
    ],
)
def test_bad_logs_are_named(log, options, message):
    with pytest.raises(PolicyError, match=message):
        lifelong(log, **options)
