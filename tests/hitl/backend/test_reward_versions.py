"""Versions of reward models: what is listed, rolling back and forward, and what a learner makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from hitl import cli
from hitl.annotation.project import Projects
from hitl.backend.pinned_rewards import PinnedRewards
from hitl.backend.reward_project import RewardProject
from hitl.backend.reward_versions import RewardVersions
from hitl.backend.rewards import Estimate
from hitl.config import Settings
from hitl.errors import CheckpointError, InputError
from tests.hitl.backend.test_reward_project import DONE, Counting, say
from tests.support.labelled import PROJECT, item, project, put, span

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def keep(versions: RewardVersions, name: str) -> None:
    (versions.folder / name).mkdir(parents=True)
    (versions.folder / name / "model.json").write_text("{}")


def note(versions: RewardVersions, name: str, *, promoted: bool = True, reason: str = "promoted") -> None:
    versions.record(name, labelled=5, held_out=2, f1={"factuality": 0.5, "relevance": float("nan")}, pairwise={},
                    promoted=promoted, reason=reason)  # fmt: skip


@pytest.fixture
def versions(tmp_path):
    return RewardVersions(tmp_path / "rewards", now=lambda: NOON)


def test_versions_are_listed_with_what_the_gate_said(versions):
    assert (versions.listed(), versions.kept(), versions.newest(), versions.pinned()) == ([], [], 0, "")
    for name in ("r2", "r10", "r9"):
        note(versions, name, promoted=name != "r9", reason=f"about {name}")
    keep(versions, "r10")
    (versions.folder / "r11").mkdir()  # never finished
    with (versions.folder / "versions.jsonl").open("ab") as file:
        file.write(b'{"version": "r12", "ma')
    found = versions.listed()
    assert [(entry.version, entry.promoted, entry.kept) for entry in found] == [
        ("r2", True, False), ("r9", False, False), ("r10", True, True)
    ]  # fmt: skip
    assert (found[0].made, found[0].f1, found[0].reason) == ("2026-03-04T12:00:00Z", {"factuality": 0.5}, "about r2")
    assert versions.newest() == 10


def test_only_what_is_kept_can_be_pinned(versions):
    with pytest.raises(InputError, match="None is kept"):
        versions.pin("r1")
    keep(versions, "r1")
    with pytest.raises(InputError, match="Kept are r1"):
        versions.pin("../r1")
    versions.pin("r1")
    assert versions.pinned() == RewardVersions(versions.folder).pinned() == "r1"
    versions.unpin()
    versions.unpin()
    assert versions.pinned() == ""
    (versions.folder / "pinned-r").write_bytes(b"\xff\x00 rm -rf")
    assert versions.pinned() == ""


class Old:
    """A version that answers the same about everything."""

    def estimate(self, documents):
        return [Estimate(scores={"preference": -7.0}) for _ in documents]


@pytest.fixture
def learned(tmp_path, versions):
    made = project(tmp_path)
    models = Counting()

    def load(version):
        if version == "r3":
            raise CheckpointError("is damaged", field=version)
        return Old()

    found = RewardProject(made, [], PinnedRewards(models, versions, load), versions=versions)
    found.models = models
    yield found
    made.close()


def test_a_pinned_version_answers_while_learning_goes_on_and_lets_go_again(learned, versions):
    say(learned, put(span()))
    learned.update()
    assert learned.suggestions("one").preferences == [71.0, 54.0]
    keep(versions, "r12")
    versions.pin("r12")
    assert learned.pin_moved() and not learned.pin_moved()
    pinned = learned.suggestions("one")
    assert (pinned.version, pinned.preferences, pinned.spans) == ("r12", [-7.0, -7.0], [])
    say(learned, put(span(), "b"), about="two")
    progress = learned.update()
    assert learned.models.promoted == 2, "what is learned meanwhile is there when the pin goes"
    assert (progress.version, progress.pinned) == ("r12", "r12") and progress.reason.startswith(
        "pinned to r12; promoted"
    )
    versions.unpin()
    assert learned.pin_moved()
    now = learned.suggestions("one")
    assert (now.version, now.preferences) == ("r2", [71.0, 54.0])
    assert (learned.progress().version, learned.progress().pinned) == ("r2", "")


def test_a_pinned_version_that_cannot_be_read_says_so_and_the_newest_answers(learned, versions):
    say(learned, put(span()))
    learned.update()
    keep(versions, "r3")
    versions.pin("r3")
    found = learned.suggestions("one")
    assert (found.version, found.preferences) == ("r1", [71.0, 54.0])
    progress = learned.progress()
    assert progress.pinned == "" and "r3, which cannot answer" in progress.reason and "damaged" in progress.reason


def test_every_version_is_noted_also_those_that_the_gate_turned_down(learned, versions):
    say(learned, put(span()))
    learned.update()
    learned.models.f1 = 0.2
    say(learned, put(span(), "b"), about="two")
    learned.update()
    assert [(entry.version, entry.promoted) for entry in versions.listed()] == [("r1", True), ("r2", False)]
    assert versions.listed()[1].reason.startswith("not promoted: F1")


# -- with the real models -----------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path):
    """A project with labels, real models on it, and where their versions are."""
    from hitl.backend.reward_models import load_rewards

    asked = [replace(item(f"i{number}"), prompt=f"When was pond {number} dug?") for number in range(8)]
    project(tmp_path, asked).close()
    made = Projects(tmp_path).open(PROJECT)
    versions = RewardVersions(made.folder / "rewards")
    models = load_rewards(made, Settings(data=str(tmp_path), device="cpu"), versions)
    found = RewardProject(made, [], models, versions=versions)
    for number in range(8):
        say(found, put(span(0, 25) if number % 2 else span(26, 54)), DONE, about=f"i{number}")
    found.update()
    found.close()  # which keeps it
    yield tmp_path, versions
    made.close()


def opened_again(folder, versions):
    from hitl.backend.reward_models import load_rewards

    made = Projects(folder).open(PROJECT)
    return RewardProject(
        made, [], load_rewards(made, Settings(data=str(folder), device="cpu"), versions), versions=versions
    )


def test_an_older_version_on_disk_answers_as_it_did(trained):
    folder, versions = trained
    (first,) = versions.kept()
    versions.pin(first)
    early = opened_again(folder, versions)
    before = early.suggestions("i0")
    assert before.version == first and before.segments
    for number in range(8):
        say(early, put(span(0, 25)), DONE, about=f"i{number}")
    early.update()
    assert early.suggestions("i0").segments == before.segments, "the pinned one answers as it did"
    versions.unpin()
    after = early.suggestions("i0")
    assert after.segments != before.segments and after.version != first
    early.close()
    assert len(versions.kept()) == 2 and first in versions.kept()
    versions.pin(first)
    again = opened_again(folder, versions)
    assert again.suggestions("i0").segments == before.segments, "after a restart, too"
    again.close()


def test_the_commands(trained, capsys):
    folder, versions = trained
    (name,) = versions.kept()

    def run(*words):
        status = cli.main(["projects", *words, "--data", str(folder)])
        out = capsys.readouterr()
        return status, out.out, out.err

    status, out, _ = run("versions", PROJECT)
    assert status == 0 and name in out and "promoted; " in out and "pinned" not in out
    assert run("rollback", PROJECT, name)[0] == 0
    (entry,) = [json.loads(line) for line in run("versions", PROJECT, "--json")[1].splitlines()]
    assert (entry["version"], entry["pinned"], entry["kept"], entry["promoted"]) == (name, True, True, True)
    assert f"pinned to {name}" in run("versions", PROJECT)[1]
    assert run("rollback", PROJECT, "--latest")[0] == 0 and versions.pinned() == ""
    for words in (("rollback", PROJECT), ("rollback", PROJECT, name, "--latest"), ("rollback", PROJECT, "r99")):
        status, _, problem = run(*words)
        assert status == 2 and "version" in problem
    assert run("versions", "nowhere")[0] == 2
