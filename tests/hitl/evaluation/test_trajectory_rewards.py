"""`hitl evaluate segments`: the whole command on two short episodes, and its arithmetic on made-up ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hitl import cli
from hitl.errors import DatasetError
from hitl.evaluation import segments_data, trajectory_rewards
from hitl.evaluation.segment_scores import Asked, measured
from hitl.evaluation.segments_data import episode_folder, finished
from hitl.evaluation.trajectory_rewards import CONSTANT, OWN, Case, evaluate
from hitl.recorded_moments import read_moments
from policies.rewards.trajectory.features import GROUPS, Features
from policies.rewards.trajectory.fitting import Settings
from policies.rewards.trajectory.labels import TimeLabel
from tests.support.narrated import CAMERAS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that learn in a moment."""
    monkeypatch.setattr(
        trajectory_rewards,
        "TrajectoryLearner",
        _with(trajectory_rewards.TrajectoryLearner, Settings(steps=30, members=2)),
    )


def _with(learner: type, settings: Settings) -> object:
    return lambda *arguments, **fields: learner(*arguments, settings=settings, **fields)


@pytest.mark.timeout(400)
def test_the_command_makes_recordings_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "segments", "--data", str(tmp_path), "--seconds", "3", "--workers", "1", "--episodes", "2"]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    result = json.loads(printed.splitlines()[-1])
    assert result["episodes"] == 2 and result["marked"]["good"]["asked"] > 0 and "AUROC" in printed
    data = tmp_path / "experiments" / "segments"
    made = finished(data)
    assert [episode.name for episode in made] == ["0000-nominal", "0001-arm-off"]
    (moments,) = read_moments(made[0].recording, CAMERAS)
    truth = made[0].truth()
    assert truth.length_ms == 3000 and 0 <= truth.length_ms - moments.length_ms <= 100 and moments.seen.all()
    assert [moments.texts[at] for at in moments.command[[1, 13]]] == [
        truth.texts[at] for at in truth["command"][[2, 26]]
    ]
    assert np.abs(moments.pose - truth["pose"][::2][: len(moments.pose)]).max() < 0.02, (
        "nominal encoders tell the truth"
    )

    before = {path: path.stat().st_mtime_ns for path in data.rglob("*.mcap")}
    (made[1].folder / "truth.safetensors").unlink()  # as if it had been stopped there
    assert cli.main(command) == 0
    after = {path: path.stat().st_mtime_ns for path in data.rglob("*.mcap")}
    assert after[made[0].recording] == before[made[0].recording]
    assert after[made[1].recording] != before[made[1].recording]
    assert cli.main([*command, "--seed", "1"]) == 2, "episodes of another seed are not mixed in"


def test_a_folder_of_another_seed_is_refused(tmp_path: Path) -> None:
    segments_data._check(tmp_path, 0, 40.0)
    segments_data._check(tmp_path, 0, 40.0)
    with pytest.raises(DatasetError, match="wanted"):
        segments_data._check(tmp_path, 1, 40.0)


def test_four_kinds_of_episode_are_in_every_part() -> None:
    made = [episode_folder(Path("x"), number) for number in range(16)]
    assert len({episode.name for episode in made}) == 16
    for part in range(4):
        mine = {one.kind for one in made if int(one.name[:4]) // 4 % 4 == part}
        assert mine == {"nominal", "nominal, meddled", "shifted", "shifted, meddled"}
    assert {one.condition for one in made[1::2]} == set(segments_data.SHIFTS)


def case(number: int) -> Case:
    """Segments of a second each, of which every other is a mistake, which "hands" tell."""
    rng = np.random.default_rng(number)
    groups = {name: rng.normal(0, 1, (100, 3)).astype(np.float32) for name in GROUPS}
    bad = np.arange(100) // 5 % 2 == 0
    groups["hands"][:, 0] += 4 * bad
    labels = {f"{number}:{at}": TimeLabel(1000 * at, 1000 * at + 1000, "progress", at % 2 == 0) for at in range(20)}
    signals = np.stack((np.arange(200) * 100.0, np.zeros(200), np.where(np.repeat(bad, 2), 0.2, 0.9)), 1)
    features = Features(5.0, groups, np.ones(100, bool))
    return Case(f"{number:04d}", "nominal", number // 4 % 4, features, labels, tuple(labels.values()), signals)


def test_every_episode_is_asked_about_by_a_model_that_has_not_seen_it() -> None:
    result = evaluate([case(number) for number in range(8)])
    methods = result["methods"]
    assert methods["reward model"]["mistake"]["n"] == 80
    assert methods["reward model"]["mistake"]["auroc"] > 0.95
    assert methods["time under commands"]["mistake"]["auroc"] < 0.75, "nothing is to be known from what it sees"
    assert methods[OWN]["mistake"]["auroc"] == 1.0, "the policy doubts its mistakes"
    assert methods[CONSTANT]["mistake"] == {
        **methods[CONSTANT]["mistake"], "auroc": 0.5, "precision": 0.5, "ece": 0.0,
    }  # fmt: skip
    assert methods["reward model"]["unsafe"]["auroc"] is None, "nobody marked any"
    assert methods["reward model"]["good"]["auroc"] == methods["reward model"]["mistake"]["auroc"]
    assert result["conditions"]["nominal"]["mistake"] == methods["reward model"]["mistake"]
    assert [point["episodes"] for point in result["learning_curve"]] == [4]


def test_intervals_are_over_episodes() -> None:
    asked = [
        Asked(f"e{episode}", "nominal", "progress", value, chance)
        for episode in range(10)
        for value, chance in ((True, 0.9), (False, 0.1 if episode < 9 else 0.95))
    ]
    found = measured(asked)["mistake"]
    assert found["auroc"] == pytest.approx(0.9) and found["auroc_interval"][0] < 0.9 <= found["auroc_interval"][1]
    assert found["auroc_interval"][0] > 0.6 and found["n"] == found["others"] == 10
    assert measured([])["mistake"]["auroc"] is None


def test_what_different_models_say_is_not_ranked_against_each_other() -> None:
    asked = [
        Asked(f"e{part}", "nominal", "safety", value, chance, part)
        for part, high in ((0, 0.9), (1, 0.2))
        for value, chance in ((True, high), (False, high - 0.1), (False, high - 0.15))
    ]
    found = measured(asked)["unsafe"]
    assert found["auroc"] == found["precision"] == 1.0, "although one model is sure of what the other doubts"
    flat = [Asked(one.episode, one.condition, one.head, one.value, 0.1 * one.part, one.part) for one in asked]
    assert measured(flat)["unsafe"]["auroc"] == 0.5
