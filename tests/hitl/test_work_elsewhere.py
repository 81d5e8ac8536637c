"""What the commands run at another place: training and the packing experiment, with a worker killed in the middle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from hitl import cli
from hitl.cli_training import low_level_job, train_job
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import packing
from hitl.jobs import Place, place_of
from hitl.low_level_learning import Gate, Options
from policies.hierarchy.checkpoint import read_description
from policies.hierarchy.low_level_update import Plan
from policies.hierarchy.train import Budget
from tests.policies.conftest import write_dataset
from tests.support import jobs
from tests.support.together import hash_language
from tests.support.watched import base_data, small_model, watched_session

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Place]:
    with place_of("ray", 2) as place:
        yield place


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {
        "data": write_dataset(tmp_path / "data", 6),
        "budget": Budget(low_level_steps=3, high_level_steps=300, low_level_batch=4, high_level_batch=4),
        "device": "cpu",
        "threads": 1,
        "language_trainer": hash_language,
    }


def working() -> list[psutil.Process]:
    """Workers of the cluster that carry out a job."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(part.startswith("ray::_carry_out") for part in process.cmdline()):
                found.append(process)
    return found


def test_training_whose_worker_is_killed_goes_on_and_gives_the_same_model(
    given: dict[str, Any], cluster: Place, tmp_path: Path
) -> None:
    phases: list[str] = []

    def told(now: Any) -> None:
        if now.phase == "high_level" and "high_level" not in phases:
            for process in working():
                process.kill()
        if not phases or phases[-1] != now.phase:
            phases.append(now.phase)

    train_job(given | {"out": tmp_path / "here"}, lambda _: None)
    cluster.run(train_job, given | {"out": tmp_path / "there"}, told=told)
    # The low level was saved when its phase was over, and is not trained again.
    assert phases == ["data", "low_level", "features", "high_level", "data", "features", "high_level"]
    here, there = (read_description(tmp_path / name) for name in ("here", "there"))
    assert here["id"] == there["id"] and here["files"] == there["files"]


def test_sessions_teach_the_low_level_there_as_here(tmp_path: Path, cluster: Place) -> None:
    base = base_data(tmp_path / "base")
    found, said = [], []
    for name, place in (("here", place_of("here")), ("there", cluster)):
        settings = Settings(data=str(tmp_path / name), model=str(small_model(tmp_path / f"{name}-model")))
        watched_session(settings.data_folder)
        plan = Plan(steps=8, batch=8, drawn=32, base_drawn=48, checked=32)
        options = Options(["last"], base, plan, gate=Gate(rise=10.0))
        told: list[tuple[str, Any]] = []
        found.append(place.run(low_level_job, settings, options, "hitl train low-level", told=told.append))
        said.append(told)
        assert (settings.data_folder / "models" / "l0001" / "lineage.json").is_file()
    assert found[0].fitted == found[1].fitted and found[0].version == found[1].version == "l0001"
    for told in said:
        assert [kind for kind, _ in told].count("lesson") == 1
    here, there = ([repr(what) for kind, what in told if kind == "progress"] for told in said)
    assert here == there and here


@pytest.mark.parametrize("on", ["processes", "ray"])
def test_every_episode_is_kept_once_whoever_dies(
    on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if on == "ray":  # the one that is there
        cluster = request.getfixturevalue("cluster")
        monkeypatch.setattr(packing, "place_of", lambda *_: nullcontext(cluster))
    monkeypatch.setattr(packing, "_work", jobs.episode)
    seen: list[tuple[str, int, int]] = []
    plan = packing.Plan(["base"], ["push"], episodes=5, out=tmp_path / "out", workers=2, on=on)
    result = packing.run(Settings(data=str(tmp_path)), plan, lambda *now: seen.append(now))
    assert result["base"]["push"]["success"]["n"] == 5
    lines = [json.loads(line) for line in (tmp_path / "out" / packing.EPISODES).read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == [0, 1, 2, 3, 4]
    assert seen == [("episodes", done, 5) for done in range(1, 6)] and (tmp_path / "mark").exists()


class Elsewhere:
    """A cluster whose other machine answers something else."""

    other_machines = True

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer

    def check_shared(self, folders: Any, files: Any = ()) -> None:
        self.folders, self.files = folders, files

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        return {"one": function(*arguments), "two": self._answer(*arguments)}


def test_another_shipped_model_elsewhere_is_refused(tmp_path: Path) -> None:
    place: Any = Elsewhere(lambda: "other")
    with pytest.raises(InputError, match="another model ships with hitl on two"):
        packing._checked_place(place, Settings(data=str(tmp_path)), tmp_path)
    same: Any = Elsewhere(packing._shipped)
    found = packing._checked_place(same, Settings(data=str(tmp_path / "mine")), tmp_path)
    assert found.data == str(tmp_path) and same.folders == [tmp_path]


def test_the_model_goes_along_by_its_folder(tmp_path: Path) -> None:
    place: Any = Elsewhere(lambda: "other")
    model = small_model(tmp_path / "model")
    found = packing._checked_place(place, Settings(model=str(model)), tmp_path)
    assert found.model == str(model) and place.files == [model / "model.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--dataset", "d", "--out", "o", "--on", "cloud"], "on: 'cloud' is no place"),
        (["train", "low-level", "--from", "last", "--on", "ray://"], "on: 'ray://' is no place"),
        (["evaluate", "packing", "--on", "cloud", "--mode", "base"], "on: 'cloud' is no place"),
        (["evaluate", "packing", "--on", "ray", "--record"], "--on: does not go with --record"),
        (["evaluate", "packing", "--picture", "a.png", "--record"], "--picture: does not go with --record"),
        (["backend", "--learn-on", "cloud"], "learn_on: Expected `str` matching"),
        (["bench", "update", "--learn-on", "cloud"], "learn_on: Expected `str` matching"),
    ],
)
def test_a_place_that_cannot_be_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main([*arguments, "--data", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_several_processes_have_one_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["train", "--dataset", "d", "--out", str(tmp_path), "--on", "ray"]) == 2
    assert "--on: does not go with several processes" in capsys.readouterr().err
