"""From corrections on disk to a version that acts, with the policy that ships; and everything that may go wrong."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hitl.backend.policy_examples import TaughtExamples
from hitl.backend.policy_part import LearningOptions, PolicyPart
from hitl.backend.registry import PACKAGED, ModelRegistry
from hitl.errors import CheckpointError, StorageError
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from policies.hierarchy import base_moments
from policies.hierarchy.policy import HierarchicalPolicy
from tests.support.taught import WANTED, Session, Taught, make_model

FIRST, SECOND, NEW = "pick up the red block", "open the left gripper", "wipe the table with the sponge"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return make_model(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
def session(tmp_path: Path, taught: Taught) -> Iterator[Session]:
    made = Session(tmp_path, taught)
    yield made
    made.close()


def registry(data: Path, taught: Taught) -> ModelRegistry:
    return ModelRegistry(data, packaged=taught.folder)


def part(data: Path, taught: Taught, **options: float) -> PolicyPart:
    """As the learner's process makes it; a second one is a process that was started anew. The gate lets nearly all
    pass: the base sample is noise, of which no learning keeps everything."""
    found = LearningOptions(**{"gate_margin": 1.0, "learn_guidance": True, **options})  # type: ignore[arg-type]
    log = FeedbackLog(Catalog(data).log_file)
    return PolicyPart(registry(data, taught), TaughtExamples(log, Catalog(data), found.rules), found)


def answer(folder: Path, taught: Taught, place: int) -> str:
    """What the high level of a version wants at a place."""
    import torch

    policy = HierarchicalPolicy.load(folder, device="cpu")
    with torch.no_grad():
        vector = policy.high_level(torch.from_numpy(taught.history(place, 99)).float()[None])
        logits = policy.high_level.logits(vector, torch.from_numpy(policy.bank.codes.copy()))
    return policy.bank.texts[int(logits.argmax())]


def test_a_correction_becomes_a_version_that_acts(tmp_path: Path, taught: Taught, session: Session) -> None:
    given = session.correct(NEW, 1)
    learned = part(tmp_path, taught).update(anew=False)
    assert learned is not None and learned.promoted and learned.newest_event == given.id and not learned.error
    version = learned.version
    assert (version.name, version.parent, version.part) == ("v0001", PACKAGED, "high_level")
    assert version.corrections == 1 and version.examples > 4 and version.sessions == [session.session.id]
    assert version.new_commands == [NEW] and version.scores["corrections"] > version.scores["new_before"]
    assert version.counts["base"] == 80 and version.strategy == "replay" and version.seconds > 0
    found = registry(tmp_path, taught)
    assert found.current().name == "v0001" and found.lineage("v0001").events == [given.id]
    folder = found.current().folder
    assert answer(folder, taught, 1) == NEW
    for name in ("low_level", "command_encoder"):  # not read again, and not kept twice
        assert (folder / f"{name}.safetensors").samefile(taught.folder / f"{name}.safetensors")


def test_nothing_new_makes_no_version(tmp_path: Path, taught: Taught, session: Session) -> None:
    learner = part(tmp_path, taught)
    assert learner.update(anew=False) is None and not learner.missed()
    session.correct(FIRST, 1)
    assert learner.update(anew=False) is not None
    assert learner.update(anew=False) is None
    assert learner.update(anew=True) is not None
    assert learner.update(anew=True) is None


def test_learning_on_knows_what_came_meanwhile(tmp_path: Path, taught: Taught, session: Session) -> None:
    learner = part(tmp_path, taught)
    session.correct(FIRST, 1)
    first = learner.update(anew=False)
    given = [session.correct(SECOND, 2), session.correct(NEW, 3)]
    second = learner.update(anew=False)
    assert first is not None and second is not None
    assert second.version.corrections == 3 and second.newest_event == given[-1].id
    assert second.version.parent == first.version.name


def test_what_was_undone_leaves_no_trace(tmp_path: Path, taught: Taught) -> None:
    weights = []
    for number, wrong in enumerate((True, False)):
        data = tmp_path / str(number)
        session = Session(data, taught)
        learner = part(data, taught)
        session.correct(FIRST, 1)
        learner.update(anew=False)
        if wrong:
            undone = session.correct("polish the lamp", 2)
            known = learner.update(anew=False)
            assert known is not None and known.version.corrections == 2
            session.undo(undone)
        else:
            session._now_ns += 7_000_000_000
        session.correct(NEW, 3)
        learned = learner.update(anew=wrong is False)
        assert learned is not None
        lineage = registry(data, taught).lineage(learned.version.name)
        assert len(lineage.events) == 2 and lineage.new_commands == [NEW] and lineage.parent == PACKAGED
        weights.append(
            load_file(registry(data, taught).version(learned.version.name).folder / "high_level.safetensors")
        )
        session.close()
    assert weights[0].keys() == weights[1].keys()
    assert all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])


def test_with_nothing_left_the_base_weights_act(tmp_path: Path, taught: Taught, session: Session) -> None:
    learner = part(tmp_path, taught)
    given = session.correct(FIRST, 1)
    learner.update(anew=False)
    session.undo(given)
    learned = learner.update(anew=False)
    assert learned is not None and learned.promoted and learned.version.corrections == 0
    found = registry(tmp_path, taught)
    weights, base = (load_file(x / "high_level.safetensors") for x in (found.current().folder, taught.folder))
    assert (weights.pop("bank") - base.pop("bank")).abs().max() < 1e-6  # made unit once more
    assert all(bool((weights[name] == base[name]).all()) for name in base)


def test_what_the_gate_holds_back_is_kept_and_does_not_act(tmp_path: Path, taught: Taught, session: Session) -> None:
    session.correct(FIRST, 1)
    learned = part(tmp_path, taught, gate_margin=-1.0).update(anew=False)
    assert learned is not None and not learned.promoted and not learned.version.passed
    assert "too much forgotten" in " ".join(learned.version.reasons)
    found = registry(tmp_path, taught)
    assert found.current().name == PACKAGED and found.version("v0001").folder.is_dir()


def test_a_disk_that_is_full_promotes_nothing_and_loses_nothing(
    tmp_path: Path, taught: Taught, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = part(tmp_path, taught)
    session.correct(FIRST, 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("hitl.backend.version_folder.os.fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            learner.update(anew=False)
    found = registry(tmp_path, taught)
    assert [version.name for version in found.versions()] == [PACKAGED] and found.current().name == PACKAGED
    assert learner.missed()
    session.correct(NEW, 2)
    learned = learner.update(anew=False)
    assert learned is not None and learned.promoted and learned.version.corrections == 2
    assert learned.version.parent == PACKAGED


def test_after_a_restart_what_was_missed_is_learned(tmp_path: Path, taught: Taught, session: Session) -> None:
    session.correct(FIRST, 1)
    part(tmp_path, taught).update(anew=False)
    again = part(tmp_path, taught)
    assert not again.missed()
    session.correct(NEW, 2)
    third = part(tmp_path, taught)
    assert third.missed()
    learned = third.update(anew=True)
    assert learned is not None and learned.version.name == "v0002" and learned.version.corrections == 2


def test_what_people_rolled_back_is_not_learned_by_itself(tmp_path: Path, taught: Taught, session: Session) -> None:
    learner = part(tmp_path, taught)
    session.correct(FIRST, 1)
    learner.update(anew=False)
    registry(tmp_path, taught).roll_back()
    assert not learner.missed() and not part(tmp_path, taught).missed()
    session.correct(NEW, 2)
    learned = learner.update(anew=False)
    assert learned is not None and learned.version.parent == PACKAGED and learned.version.corrections == 2


def test_an_interrupted_update_changes_nothing(tmp_path: Path, taught: Taught, session: Session) -> None:
    learner = part(tmp_path, taught)
    session.correct(FIRST, 1)
    assert learner.update(anew=True, stop=lambda: True) is None
    assert [version.name for version in registry(tmp_path, taught).versions()] == [PACKAGED]
    assert learner.update(anew=True) is not None


def test_corrections_without_moments_teach_nothing_and_are_said(
    tmp_path: Path, taught: Taught, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    learner = part(tmp_path, taught)
    lost = session.correct(FIRST, 1, kept=False)
    other = session.correct(SECOND, 2, features="another low level")
    assert learner.update(anew=False) is None
    assert f"{lost.id} teaches the high level nothing" in caplog.text
    assert f"{other.id} teaches the high level nothing" in caplog.text
    assert "another low level" in caplog.text
    told = learner.silent
    assert told.session == session.session.id and set(told.reasons) == {lost.id, other.id}
    given = session.correct(NEW, 3)
    learned = learner.update(anew=False)
    assert learned is not None and registry(tmp_path, taught).lineage("v0001").events == [given.id]


def test_flipped_bytes_cost_the_moments_they_are_in(
    tmp_path: Path, taught: Taught, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    session.correct(FIRST, 1)
    database = sqlite3.connect(session.path)
    (body,) = database.execute("SELECT history FROM moments WHERE seq = 6").fetchone()
    flipped = bytes([body[0] ^ 255]) + body[1:]
    database.execute("UPDATE moments SET history = ? WHERE seq = 6", (flipped,))
    database.commit()
    database.close()
    learned = part(tmp_path, taught).update(anew=False)
    assert learned is not None and "1 damaged moments" in caplog.text


def test_a_damaged_file_costs_its_session_alone(
    tmp_path: Path, taught: Taught, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    session.correct(FIRST, 1)
    other = Session(tmp_path, taught)
    given = other.correct(NEW, 2)
    sqlite3.connect(session.path).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    whole = session.path.read_bytes()
    session.path.write_bytes(whole[:5000])
    learned = part(tmp_path, taught).update(anew=False)
    assert learned is not None and registry(tmp_path, taught).lineage("v0001").events == [given.id]
    assert str(session.path) in caplog.text
    other.close()


def test_a_damaged_base_sample_is_named_and_can_be_mended(tmp_path: Path, taught: Taught, session: Session) -> None:
    folder = tmp_path / "model"
    shutil.copytree(taught.folder, folder)
    sample = folder / base_moments.FILE
    whole = sample.read_bytes()
    sample.write_bytes(whole[:100])
    session.correct(FIRST, 1)
    learner = part(tmp_path, Taught(folder, taught.features, taught.mean, taught.scale))
    with pytest.raises(CheckpointError, match=base_moments.FILE):
        learner.update(anew=False)
    sample.write_bytes(whole)
    learned = learner.update(anew=False)
    assert learned is not None and learned.promoted


def test_what_the_policy_wanted_is_no_longer_wanted(tmp_path: Path, taught: Taught, session: Session) -> None:
    for place in (1, 2, 3):
        session.correct(FIRST, place)
    learned = part(tmp_path, taught).update(anew=True)
    assert learned is not None
    folder = registry(tmp_path, taught).version(learned.version.name).folder
    assert [answer(folder, taught, place) for place in (1, 2, 3)] == [FIRST] * 3
    assert WANTED in HierarchicalPolicy.load(folder, device="cpu").bank.texts


def test_small_motions_that_guide_a_hand_are_in_no_version(tmp_path: Path, taught: Taught, session: Session) -> None:
    policy = part(tmp_path, taught, learn_guidance=False)
    policy.prepare()
    assert policy._loaded is not None and SECOND in policy._loaded.learner.learner.guiding
    guiding = session.correct(SECOND, 2)
    assert not policy.missed() and policy.update(anew=False) is None
    assert list(policy.silent.reasons) == [guiding.id] and "guides a hand" in policy.silent.reasons[guiding.id]
    given = session.correct(NEW, 1)
    learned = policy.update(anew=False)
    assert learned is not None and learned.promoted and learned.version.corrections == 1
    assert registry(tmp_path, taught).lineage(learned.version.name).events == [given.id]
    assert not policy.missed() and list(policy.silent.reasons) == [guiding.id]
    session.undo(guiding)
    policy.update(anew=False)
    assert policy.silent.reasons == {}
