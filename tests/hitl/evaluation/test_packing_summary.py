from __future__ import annotations

import json

import msgspec
import pytest

from hitl.evaluation.packing_summary import Episode, Learner, LowLevelUpdate, print_table, summarize


def episode(mode: str, condition: str, number: int, success: bool, **fields: object) -> Episode:
    stage = 3 if success else 1
    return Episode(
        mode=mode, condition=condition, number=number, stage=stage, stages=3, success=success, seconds=20.0,
        corrections=int(fields.pop("corrections", 0)), **fields,  # type: ignore[arg-type,call-overload]
    )  # fmt: skip


def learner(condition: str, counts: list[list[int]], seed: int = 0, variant: str = "default") -> Learner:
    rounds = [[episode("corrected", condition, 500, True, corrections=n) for n in each] for each in counts]
    given = sum(map(sum, counts))
    return Learner(
        condition=condition, seed=seed, variant=variant, budget=60, rounds=rounds, given=given, taught=min(60, given),
        versions=4, refused=1, seconds=[1.0, 2.0, 3.0], scores={"base": 0.94},
    )  # fmt: skip


def results() -> list[Episode]:
    made = []
    for number in range(10):
        made.append(episode("base", "nominal", number, number > 0))
        made.append(episode("base", "box-moved", number, False))
        made.append(episode("base", "push", number, number < 8))
        made.append(episode("corrected", "box-moved", number, number < 8, corrections=20))
        made.append(episode("learned", "box-moved", number, number < 5, learner="box-moved"))
        made.append(episode("learned", "push", number, number < 9, learner="push"))
        made.append(episode("learned", "nominal", number, number > 1, learner="box-moved"))
        made.append(episode("learned", "box-moved", number, number < 2, learner="box-moved", variant="no-replay"))
    return made


def test_what_learning_adds_is_counted_over_the_shifts() -> None:
    result = summarize(
        results(), [learner("box-moved", [[20, 20], [10, 6], [4, 4]]), learner("push", [[1], [0], [0]])]
    )
    assert result["base"]["mean"] == 0.4 and result["learned"]["mean"] == 0.7
    assert result["gain_points"] == 30.0
    assert result["gain_by_shift"] == {"box-moved": 50.0, "push": 10.0, "mean_over_shifts": 30.0}
    low, high = result["gain_interval"]
    assert 0 < low < 30.0 < high < 60
    assert result["gain"] == {"box-moved": 80.0, "mean_over_shifts": 80.0}
    assert result["corrections"] == {"box-moved": 60.0, "push": 1.0}
    assert result["learners"]["box-moved"]["interventions"] == [20.0, 8.0, 4.0]
    assert result["learned"]["box-moved"]["success"]["n"] == 10, "nominal episodes of a learner are no shift"
    assert result["learned"]["box-moved"]["reached_stage"] == [1.0, 0.5, 0.5]
    json.dumps(result)


def test_what_became_of_the_low_level_is_told() -> None:
    updates = [
        LowLevelUpdate(guided=1, learned=False),
        LowLevelUpdate(guided=6, learned=True, passed=True, base=[0.04, 0.044], new=[0.2, 0.1], seconds=100.0),
        LowLevelUpdate(guided=8, learned=True, passed=False, base=[0.04, 0.06], new=[0.2, 0.1], seconds=120.0),
    ]
    learned = msgspec.structs.replace(learner("box-moved", [[3], [2], [1]]), low_level=updates)
    found = summarize(results(), [learned])["learners"]["box-moved"]["low_level"]
    assert found == {"learned": 2, "passed": 1, "base_rise": 0.3, "seconds": 110.0}
    none = summarize(results(), [learner("push", [[1]])])["learners"]["push"]["low_level"]
    assert none == {"learned": 0, "passed": 0, "base_rise": None, "seconds": None}


def test_nominal_success_is_compared_on_the_same_layouts() -> None:
    kept = summarize(results())["nominal_after"]
    assert kept["box-moved"]["rate"] == 0.8 and kept["box-moved"]["before"] == 0.9
    assert kept["box-moved"]["lost_points"] == kept["all"]["lost_points"] == 10.0


def test_variants_stand_beside_the_default() -> None:
    variants = summarize(results(), [learner("box-moved", [[1]], variant="no-replay")])["variants"]
    assert list(variants) == ["no-replay"]
    assert variants["no-replay"]["learned"]["box-moved"]["success"]["rate"] == 0.2
    assert variants["no-replay"]["gain_points"] == 20.0


def test_the_tables_say_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(summarize(results(), [learner("box-moved", [[20, 20], [8]])]))
    said = capsys.readouterr().out
    assert "no-replay" in said and "20.0 8.0" in said and "nominal after learning under box-moved: 0.80" in said
    assert "learned: +30.0 points" in said


def test_policies_stand_beside_the_hierarchy(capsys: pytest.CaptureFixture[str]) -> None:
    scripted = [episode("base", "nominal", number, number < 4, policy="scripted") for number in range(5)]
    scripted += [episode("base", "push", number, number < 2, policy="scripted") for number in range(10)]
    scripted += [episode("base", "wish", number, True, policy="scripted") for number in range(10)]
    result = summarize(results() + scripted)
    assert result["base"] == summarize(results())["base"], "the hierarchy's figures are its own"
    part = result["policies"]["scripted"]
    assert part["base"]["push"]["success"]["rate"] == 0.2 and part["base"]["mean"] == 0.6
    against = part["against_hierarchy"]
    assert against["nominal"]["points"] == 0.0 and against["nominal"]["hierarchy"]["rate"] == 0.8, (
        "of the same layouts"
    )
    assert against["push"]["points"] == against["shifts"]["points"] == -60.0
    assert "wish" not in against, "the hierarchy has not played it"
    assert against["shifts"]["success"]["n"] == 10
    print_table(result)
    said = capsys.readouterr().out
    assert "scripted, base" in said and "scripted: -60.0 points against the hierarchy" in said
    json.dumps(result)
    alone = summarize(scripted)
    assert "base" not in alone and "against_hierarchy" not in alone["policies"]["scripted"]
    print_table(alone)
    assert "scripted, base" in capsys.readouterr().out


def test_learners_of_a_policy_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    one_hot = [episode("learned", "push", number, True, learner="push", policy="one-hot") for number in range(4)]
    one_hot += [episode("base", "push", number, False, policy="one-hot") for number in range(4)]
    theirs = msgspec.structs.replace(learner("push", [[9], [3]]), policy="one-hot")
    result = summarize(results() + one_hot, [learner("push", [[1], [0]]), theirs])
    assert result["learners"]["push"]["interventions"] == [1.0, 0.0]
    part = result["policies"]["one-hot"]
    assert part["learners"]["push"]["interventions"] == [9.0, 3.0] and part["gain_points"] == 100.0
    print_table(result)
    assert "9.0 3.0" in capsys.readouterr().out


def test_the_gains_interval_knows_that_learners_differ() -> None:
    played = [(seed, number) for seed in range(4) for number in range(10)]
    before = [episode("base", "push", number, False, seed=seed) for seed, number in played]
    alike = [episode("learned", "push", n, n < 5, seed=seed, learner="push") for seed, n in played]
    unlike = [episode("learned", "push", n, seed < 2, seed=seed, learner="push") for seed, n in played]
    learners = [learner("push", [[1]])]
    (low, high), (wide_low, wide_high) = (
        summarize(before + after, learners)["gain_interval"] for after in (alike, unlike)
    )
    assert wide_low < low < 50.0 < high < wide_high
    other_layouts = [episode("learned", "push", n + 10, True, seed=seed, learner="push") for seed, n in played]
    assert "gain_interval" not in summarize(before + other_layouts, learners)


def test_the_gain_is_of_layouts_that_were_played_before_and_after() -> None:
    before = [episode("base", "push", number, number < 2) for number in range(3)]
    after = [episode("learned", "push", number, number < 3, learner="push") for number in range(9)]
    result = summarize(before + after, [learner("push", [[1]])])
    assert result["gain_by_shift"]["push"] == 33.3 and result["learned"]["push"]["success"]["rate"] == 0.333
    low, high = result["gain_interval"]
    assert 0.0 <= low <= 33.3 <= high
