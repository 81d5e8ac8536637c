"""The reward models of recordings behind the learner's interface, and versions on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hitl.annotation.items import Item
from hitl.backend import kept_versions
from hitl.backend.kept_versions import KEPT, KeptVersions
from hitl.backend.reward_versions import RECORDINGS, TEXTS, RewardVersions
from hitl.backend.time_models import FEATURES, LearnedTimes, PolicyFeatures
from hitl.config import Settings as HitlSettings
from hitl.errors import InputError, UnavailableError
from hitl.sessions.finding import PATH
from policies.rewards.trajectory.fitting import Settings
from policies.rewards.trajectory.learner import TrajectoryLearner
from policies.rewards.trajectory.model import TrajectoryRewards
from tests.policies.rewards.trajectory.test_learner import GROUPS, HEADS, toy
from tests.support.recorded import session_with_commands


def item(number: int) -> Item:
    return Item(id=f"r{number}", recording=f"s/r{number}", duration_ms=20_000)


def features_of(one: Item):
    if one.id == "r13":
        raise InputError("the recording is gone", field="recording", hint="Put it back.")
    return toy(int(one.id[1:]))[0]


@pytest.fixture
def models(tmp_path: Path) -> LearnedTimes:
    learner = TrajectoryLearner(HEADS, groups=GROUPS, settings=Settings(steps=40, members=3))
    versions = RewardVersions(tmp_path / "rewards", RECORDINGS)
    made = LearnedTimes(learner, features_of, versions, lambda: "the policy")
    for number in range(1, 7):
        made.encode(item(number))
    return made


def test_it_learns_estimates_and_forgets(models: LearnedTimes, tmp_path: Path) -> None:
    assert models.update() is None and models.estimate("r1", [(0, 1000)]) is None
    for number in range(1, 6):
        models.put(f"r{number}", toy(number)[1])
    trained = models.update()
    assert trained is not None and (trained.version, trained.labelled, trained.held_out) == ("t1", 5, 5)
    assert trained.f1["progress"] > 0.8 and set(trained.f1) == {"progress", "done"} and "AUROC" in trained.remark
    assert set(trained.calibration) == set(trained.f1)
    models.promote()
    found = models.estimate("r6", [(0, 2000), (2000, 4000)])
    assert found is not None and set(found.curves) == {"progress", "done"}, "of safety nobody said anything"
    bad, good = found.segments["progress"]
    assert bad.error and not good.error and bad.probability > good.probability and bad.reward == -bad.probability
    assert found.segments["done"][0].reward == found.segments["done"][0].probability
    assert found.step_ms == 200 and len(found.curves["progress"]) == 100 and 0 < found.uncertainty < 1
    saved = TrajectoryRewards.load(tmp_path / "rewards" / "t1")
    assert saved.about["policy"] == "the policy" and saved.about["f1"]["progress"] == trained.f1["progress"]
    for number in range(1, 6):
        models.put(f"r{number}", {})
    assert models.update() is None and models.estimate("r6", []) is None


def test_a_version_is_taken_back(models: LearnedTimes) -> None:
    for number in range(1, 4):
        models.put(f"r{number}", toy(number)[1])
    models.update()
    models.promote()
    before = models.estimate("r6", [(0, 2000)])
    models.put("r4", toy(4)[1])
    models.update()
    assert models.estimate("r6", [(0, 2000)]) != before
    models.revert()
    assert models.estimate("r6", [(0, 2000)]) == before


def test_an_earlier_version_answers_while_it_is_pinned(models: LearnedTimes, tmp_path: Path) -> None:
    versions = RewardVersions(tmp_path / "rewards", RECORDINGS)
    for number in range(1, 4):
        models.put(f"r{number}", toy(number)[1])
    models.update()
    models.promote()
    before = models.estimate("r6", [(0, 2000)])
    versions.pin("t1")
    assert RewardVersions(versions.folder, TEXTS).pinned() == "", "texts have a pin of their own"
    models.put("r4", toy(4)[1])
    models.update()
    models.promote()
    assert models.estimate("r6", [(0, 2000)]) == before
    versions.unpin()
    assert models.estimate("r6", [(0, 2000)]) != before
    with pytest.raises(InputError, match="'r1' is not kept"):
        versions.pin("r1")


def test_what_cannot_be_read_is_an_error_and_is_not_known(models: LearnedTimes) -> None:
    with pytest.raises(InputError, match="is gone"):
        models.encode(item(13))
    assert models.estimate("r13", []) is None


def test_features_are_of_the_episode_and_kept(tmp_path: Path) -> None:
    session = session_with_commands(tmp_path / "sessions", [], 2.0, borders_s=(1.0,))
    read = PolicyFeatures(HitlSettings(data=str(tmp_path / "data")))
    one = Item(
        id="i", recording=f"{session.id}/e1", duration_ms=1000, extra={PATH: str(session.recording)}
    )  # outside of the data folder
    assert read.policy() == ""
    first = read(one)
    assert len(first) == 5 and read.policy() != ""
    (kept,) = (tmp_path / "data" / FEATURES).glob("*.safetensors")
    written = kept.stat().st_mtime_ns
    again = read(one)
    assert all(np.array_equal(x, again.groups[name]) for name, x in first.groups.items())
    assert kept.stat().st_mtime_ns == written
    with pytest.raises(InputError, match="no episode e7"):
        read(Item(id="i", recording=f"{session.id}/e7", duration_ms=1000, extra=one.extra))
    broken = PolicyFeatures(HitlSettings(data=str(tmp_path / "data"), model=str(tmp_path / "none")))
    with pytest.raises(UnavailableError):
        broken(one)


def test_versions_are_numbered_and_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_versions, "_SAVE_S", 0.0)
    for letter in ("r", "t"):
        versions = KeptVersions(tmp_path, letter, lambda into: into.mkdir(parents=True))
        for _ in range(KEPT + 3):
            versions.new()
            versions.promote()
        versions.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{letter}{number}" for letter in ("r", "t") for number in range(4, KEPT + 4)
    )
    assert KeptVersions(tmp_path, "t", lambda into: None).new() == f"t{KEPT + 4}", "it goes on counting"


def test_only_what_was_promoted_is_written_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    written: list[str] = []
    versions = KeptVersions(tmp_path, "t", lambda into: written.append(into.name))
    versions.new()
    versions.promote()
    versions.new()
    versions.promote()
    versions.new()  # which was not
    assert written == ["t1"]
    versions.close()
    versions.close()
    assert written == ["t1", "t2"]


def test_a_full_disk_costs_the_copy_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def full(into: Path) -> None:
        raise OSError(28, "No space left on device")

    versions = KeptVersions(tmp_path, "t", full)
    versions.new()
    versions.promote()
    assert "t1 could not be kept" in caplog.text
