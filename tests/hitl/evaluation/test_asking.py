"""Whether doubt points at mistakes: the arithmetic, and decisions of the shipped policy in the cell."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hitl.backend.doubt import Decision
from hitl.backend.parts import Rules
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import asking, calibration, decisions
from hitl.evaluation.decisions import Decided
from hitl.messages import Alternative

BANK = ["a", "b", "c"]


def decided(best: str, lead: float, wanted: str, episode: int = 0, **changes: object) -> Decided:
    """`best` leads the second by `lead` logits."""
    logits = np.zeros(3, np.float16)
    logits[BANK.index(best)] = lead
    given = {"condition": "nominal", "seed": 1, "tried": 1, "label": "", **changes}
    return Decided(episode=episode, at_s=0.0, best=best, logits=logits, wanted=(wanted,), **given)  # type: ignore[arg-type]


def test_probabilities_that_mean_what_they_say_have_no_calibration_error() -> None:
    confidence = np.array([0.75] * 8)
    assert calibration.expected_calibration_error(confidence, np.array([True] * 6 + [False] * 2)) == pytest.approx(0.0)
    assert calibration.expected_calibration_error(confidence, np.array([False] * 8)) == pytest.approx(0.75)
    assert calibration.expected_calibration_error(np.array([1.0]), np.array([True])) == 0.0
    assert calibration.expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_the_temperature_undoes_what_made_logits_too_bold() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    shares = calibration.softmax(logits)
    drawn = np.array([rng.choice(5, p=row) for row in shares])
    right = np.eye(5, dtype=bool)[drawn]
    assert calibration.fitted_temperature(logits * 3, right) == pytest.approx(3.0, rel=0.1)
    assert calibration.fitted_temperature(logits, np.zeros_like(right)) == 1.0
    before, after = calibration.softmax(logits * 3), calibration.softmax(logits * 3, 3.0)
    hits = right[np.arange(4000), logits.argmax(1)]
    assert calibration.expected_calibration_error(after.max(1), hits) < 0.03
    assert calibration.expected_calibration_error(before.max(1), hits) > 0.1


def test_margins_of_both_kinds() -> None:
    shares = np.array([[0.6, 0.3, 0.1]])
    assert calibration.difference(shares)[0] == pytest.approx(0.3)
    assert calibration.log_odds(shares)[0] == pytest.approx(np.log(2))


def test_errors_in_the_lowest_margins_and_how_well_margins_part_them() -> None:
    margins = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    errors = np.isin(np.arange(10), (0, 5))
    assert calibration.errors_within(margins, errors, 0.2) == (1, 2)
    assert calibration.separation(margins, np.arange(10) < 3) == 1.0
    assert calibration.separation(margins, np.zeros(10, bool)) == 0.5
    assert calibration.separation(np.zeros(10), errors) == 0.5
    assert calibration.threshold(margins, 0.2) == pytest.approx(0.28)
    assert calibration.threshold(np.zeros(0), 0.2) == 0.0


def test_what_is_reported_is_not_what_was_chosen_on() -> None:
    chosen = [decided("a", lead, "a") for lead in np.linspace(0.0, 8.0, 50)]
    reported = [decided("a", 0.1, "b"), decided("a", 0.2, "b"), *(decided("b", 6.0, "b") for _ in range(8))]
    result = asking.summarize(chosen, reported, BANK)
    assert result["all"]["errors_in_lowest_20"] == {"rate": 1.0, "interval": [0.342, 1.0], "n": 2}
    assert result["all"]["error_rate"]["rate"] == 0.2 and result["all"]["decisions"] == 10
    assert result["all"]["asks"]["of_decisions"]["rate"] == 0.2, "that many have a margin as small"
    assert result["all"]["asks"]["errors_asked_about"]["rate"] == 1.0
    assert result["curve"]["all"][:2] == [0.5, 1.0] and result["conditions"] == ["nominal"]
    assert result["chosen_on"] == 50 and 0.0 < result["ask_margin"] < 0.9


def test_labels_and_repeats_are_counted_where_there_are_some() -> None:
    rows = [decided("a", 3.0, "a", label="a"), decided("a", 0.0, "b", label="b"), decided("a", 4.0, "b", tried=3)]
    result = asking.summarize(rows, rows, BANK)
    assert result["all"]["errors_in_lowest_20_by_label"]["n"] == 1 and result["all"]["decisions"] == 2
    assert result["tried_three_times"] == {"rate": 1.0, "interval": [0.207, 1.0], "n": 1}


def test_the_picture_and_the_table_are_of_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [decided("a", 0.1, "b"), decided("a", 6.0, "a")]
    result = asking.summarize(rows, rows, BANK)
    asking.draw(result, tmp_path / "curve.png")
    assert cv2.imread(str(tmp_path / "curve.png")) is not None
    asking.print_table(result)
    assert "nominal" in capsys.readouterr().out


def test_a_decision_is_right_where_its_command_is_wanted_a_moment_later() -> None:
    times = [0.1 * step for step in range(40)]
    wishes = ["a"] * 15 + ["b"] * 25
    assert decisions.wanted_within(times, wishes, 0.0) == ("a",)
    assert decisions.wanted_within(times, wishes, 0.8) == ("a", "b")
    assert decisions.wanted_within(times, wishes, 9.0) == ()


def test_tries_in_a_row_are_noted() -> None:
    noting = decisions._Noting(Rules())
    first, second = Alternative(text="a", probability=0.9), Alternative(text="b", probability=0.1)
    for now_ns in range(3):
        assert not noting.asks(Decision(now_ns, first, second, 0), heard=False)
        noting.policy_begins("a", 0)
    noting.asks(Decision(3, first, second, 1), heard=False)
    assert noting.noted == [(0, 1), (1, 2), (2, 3), (3, 1)]


def test_decisions_of_the_shipped_policy_know_what_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robot.aloha.cell.SECONDS_PER_OBJECT", -2.5)  # a few seconds are enough
    bench = decisions._Bench(Settings())
    (first, *_) = bench.play("nominal", 1, 0)
    assert first.at_s == 0.0 and first.tried == 1 and first.wanted
    assert first.best == bench._policy.bank.texts[int(first.logits.argmax())]
    assert first.wanted[0].startswith("pick up the") and not first.error
    bench._loop.cell.close()


def test_an_unknown_shift_is_named() -> None:
    with pytest.raises(InputError, match="sideways"):
        asking.run(Settings(), conditions=["sideways"], episodes=1, seed=0, workers=1, moments=None)
