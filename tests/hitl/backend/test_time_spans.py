"""Chances over time, made into spans that may be suggested."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hitl.backend.time_spans import LEAST_MS, smoothed, suggested_spans, unanswered

STEP_MS = 200


def chances(*runs: tuple[float, int]) -> list[float]:
    """(chance, moments), one after another."""
    return [chance for chance, count in runs for _ in range(count)]


def spans(values: list[float], threshold: float = 0.5, borders: tuple[int, ...] = ()) -> list[tuple[int, int]]:
    return suggested_spans(values, threshold, STEP_MS, STEP_MS * len(values) + 150, borders)


def test_a_run_of_high_chances_is_a_span() -> None:
    assert spans(chances((0.1, 10), (0.9, 10), (0.1, 10))) == [(2000, 4000)]
    assert spans(chances((0.9, 5))) == [(0, 1150)], "up to the end of the recording"
    assert spans(chances((0.1, 30))) == [] and spans([]) == []


def test_one_moment_alone_is_no_reason_and_a_short_gap_no_end() -> None:
    assert spans(chances((0.1, 10), (0.9, 1), (0.1, 10))) == []
    assert spans(chances((0.1, 10), (0.9, 5), (0.1, 2), (0.9, 5), (0.1, 10))) == [(2000, 4400)]


def test_spans_are_cut_where_another_command_began() -> None:
    values = chances((0.1, 10), (0.9, 20), (0.1, 10))
    assert spans(values, borders=(0, 4000, 8000)) == [(2000, 4000), (4000, 6000)]
    assert spans(values, borders=(2200, 5800)) == [(2200, 5800)], "what is left over says nothing of a command"
    assert spans(chances((0.1, 10), (0.9, 4), (0.1, 10)), borders=(2400,)) == [(2000, 2800)], (
        "it would be nothing else"
    )


def test_means_are_over_what_is_there() -> None:
    assert smoothed([1.0, 0.0, 0.0, 1.0], 3).tolist() == [0.5, 1 / 3, 1 / 3, 0.5]
    assert smoothed([0.3, 0.7], 1).tolist() == [0.3, 0.7]


@given(st.lists(st.floats(0, 1), max_size=80), st.floats(0.05, 0.95), st.lists(st.integers(0, 16_000), max_size=5))
def test_spans_are_long_enough_disjoint_inside_and_high(
    values: list[float], threshold: float, borders: list[int]
) -> None:
    length = STEP_MS * len(values)
    found = suggested_spans(values, threshold, STEP_MS, length, borders)
    assert all(0 <= start and end <= length and end - start >= LEAST_MS for start, end in found)
    assert all(one[1] <= two[0] for one, two in zip(found, found[1:], strict=False))
    high = smoothed(values, 3) > threshold if values else np.zeros(0, bool)
    assert not found or high.any()


def test_what_is_answered_is_not_suggested_again() -> None:
    assert unanswered([(0, 2000)], [(0, 1000)]) == [], "half of it is said"
    assert unanswered([(0, 4000)], [(1000, 1800)]) == [(0, 1000), (1800, 4000)]
    assert unanswered([(0, 4000)], [(0, 800), (3700, 5000)]) == [(800, 3700)]
    assert unanswered([(0, 1200)], [(400, 700)]) == [(700, 1200)], "the rest is too short"
    assert unanswered([(0, 1000), (3000, 4000)], [(1500, 2500)]) == [(0, 1000), (3000, 4000)]


PARTS = st.tuples(st.integers(0, 9000), st.integers(1, 4000)).map(lambda part: (part[0], part[0] + part[1]))


@given(st.lists(PARTS, max_size=4), st.lists(PARTS, max_size=4))
def test_nothing_that_is_answered_is_left(suggested: list[tuple[int, int]], answered: list[tuple[int, int]]) -> None:
    for start, end in unanswered(suggested, answered):
        assert end - start >= LEAST_MS and any(a <= start and end <= b for a, b in suggested)
        assert all(end <= first or last <= start for first, last in answered)
