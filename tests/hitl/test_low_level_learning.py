"""`hitl train low-level`: from a session to a version, its gate and lineage; stopped, gone on with, and refused."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from hitl import cli, low_level_learning
from hitl.backend.registry import ModelRegistry
from hitl.config import Settings
from hitl.errors import DatasetError, InputError, StorageError
from hitl.hindsight import Rules
from hitl.low_level_learning import Gate, Learned, Options, as_text, learn_low_level
from policies.errors import PolicyError
from policies.hierarchy.checkpoint import read_model
from policies.hierarchy.low_level_aims import Aim
from policies.hierarchy.low_level_update import Fitted, Plan
from tests.support.watched import base_data, small_model, watched_session

PLAN = Plan(steps=8, batch=8, drawn=32, base_drawn=48, checked=32)
OPEN = Gate(rise=10.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_data(tmp_path_factory.mktemp("base"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"), model=str(small_model(tmp_path / "model")))


@pytest.fixture
def names(settings: Settings) -> list[str]:
    return watched_session(settings.data_folder)[1]


def learned(settings: Settings, base: Path, **fields: Any) -> Learned:
    progress = fields.pop("progress", lambda *_: None)
    options = Options(["last"], base, PLAN, gate=OPEN)
    return learn_low_level(settings, replace(options, **fields), command="hitl train low-level", progress=progress)


def test_a_session_becomes_a_version_with_its_lineage(settings: Settings, base: Path, names: list[str]) -> None:
    told: list[Any] = []
    (Path(settings.model) / "base_moments.safetensors").write_bytes(b"a sample")
    found = learn_low_level(settings, Options(["last"], base, PLAN, gate=OPEN), told=told.append)
    assert (found.version, found.promoted) == ("l0001", False) and len(told) == 1
    registry = ModelRegistry(settings.data_folder)
    assert [version.name for version in registry.versions()] == ["packaged", "l0001"]
    assert registry.current().name == "packaged", "nobody asked to promote it"
    parent, child = read_model(Path(settings.model)), read_model(found.folder)
    for part in ("high_level", "command_encoder"):
        assert all(torch.equal(tensor, child.parts[part][name]) for name, tensor in parent.parts[part].items())
    assert any(not torch.equal(t, child.parts["low_level"][name]) for name, t in parent.parts["low_level"].items())
    for name, tensor in child.parts["eyes"].items():
        assert torch.equal(tensor, parent.parts["low_level"][name]), "the high level sees as it did"
    assert (found.folder / "base_moments.safetensors").read_bytes() == b"a sample", "the high level can learn on, too"
    assert child.parts["eyes"].keys() < parent.parts["low_level"].keys()
    assert child.description["id"] != parent.description["id"] and child.description["scores"] == {}
    assert child.description["command"] == "made for a test\nhitl train low-level"
    lineage = json.loads((found.folder / "lineage.json").read_text())
    assert lineage == found.lineage
    assert lineage["format"] == "hitl-lineage-1" and lineage["part"] == "low_level"
    assert (lineage["parent"], lineage["strategy"], lineage["seed"]) == ("model", "replay", 0)
    assert lineage["events"] == names and lineage["sessions"] == [told[0].session.id]
    assert lineage["counts"]["segments"] == 3 and lineage["counts"]["correction"] == 3
    scores = lineage["gate"]["scores"]
    assert scores.keys() == {"base_before", "base_after", "new_before", "new_after", "new_by_turn", "aims"}
    assert scores["aims"] == [], "no hand was led to where it took hold of something"
    assert not (settings.data_folder / "low-level").exists() or not any((settings.data_folder / "low-level").iterdir())


def test_the_same_again_is_the_same_and_another_seed_is_not(settings: Settings, base: Path, names: list[str]) -> None:
    first, again = learned(settings, base), learned(settings, base)
    assert again.version == "l0002"
    assert read_model(first.folder).description["id"] == read_model(again.folder).description["id"]
    other = learned(settings, base, plan=replace(PLAN, seed=1))
    assert read_model(other.folder).description["id"] != read_model(first.folder).description["id"]


def test_a_version_is_promoted_where_the_gate_lets_it_pass(settings: Settings, base: Path, names: list[str]) -> None:
    registry = ModelRegistry(settings.data_folder)
    refused = learned(settings, base, promote=True, gate=Gate(rise=-1.0))
    assert not refused.promoted and "rose by" in refused.reasons[0] and "gate: the loss" in as_text(refused)
    assert registry.current().name == "packaged" and refused.version == "l0001", "it is kept"
    assert json.loads((refused.folder / "lineage.json").read_text())["gate"]["passed"] is False
    passed = learned(settings, base, promote=True, plan=replace(PLAN, steps=40, rate=3e-3))
    assert passed.promoted and not passed.reasons and "gate: passed" in as_text(passed)
    assert registry.current().name == "l0002" and registry.roll_back().name == "packaged"


def fitted(base: tuple[float, float], new: tuple[float, float]) -> Fitted:
    (a, b), (c, d) = base, new
    return Fitted(({"loss": a}, {"loss": b}), ({"loss": c}, {"loss": d}), [])


@pytest.mark.parametrize(
    ("base", "new", "said"),
    [
        ((0.10, 0.1249), (0.2, 0.14), []),
        ((0.10, 0.1249), (0.2, 0.16), ["more is lost than won: the loss on base segments rose by 24.9%"]),
        ((0.10, 0.1251), (0.2, 0.14), ["rose by 25.1%, more than 25.0%"]),
        ((0.10, 0.09), (0.2, 0.2), ["not fitted better (0.2000 → 0.2000)"]),
        ((0.10, 0.20), (0.2, 0.3), ["rose by 100.0%", "not fitted better"]),
        ((0.10, math.nan), (0.2, math.nan), ["rose by", "not fitted better"]),
    ],
)
def test_the_gate_looks_at_what_was_known_and_at_what_is_new(
    base: tuple[float, float], new: tuple[float, float], said: list[str]
) -> None:
    reasons = Gate().reasons(fitted(base, new))
    assert len(reasons) == len(said) and all(part in reason for part, reason in zip(said, reasons, strict=True))


def test_the_gate_wants_hands_to_go_where_they_were_led() -> None:
    won = fitted((0.1, 0.1), (0.2, 0.1))
    near = Aim("grab the ring", 3, 0.06, 0.014)
    kept_out_nowhere = Aim("pick up the red block", 1, 0.06)
    assert Gate().reasons(replace(won, aims=[near, kept_out_nowhere])) == []
    (reason,) = Gate().reasons(replace(won, aims=[near, replace(near, after=0.021)]))
    assert reason == "under “grab the ring” it would go 2.1 cm beside where hands were led, on ways that were kept out"
    assert len(Gate().reasons(replace(won, aims=[replace(near, after=math.nan)]))) == 1


def test_what_was_stopped_goes_on_and_can_begin_anew(settings: Settings, base: Path, names: list[str]) -> None:
    whole = read_model(learned(settings, base).folder).description["id"]

    def seen(stop_after: int | None = None, **fields: Any) -> list[tuple[str, int]]:
        passes: list[tuple[str, int]] = []

        def progress(what: str, done: int, _count: int, loss: float) -> None:
            if math.isfinite(loss):
                passes.append((what, done))
                if len(passes) == stop_after:
                    raise KeyboardInterrupt

        if stop_after is None:
            assert read_model(learned(settings, base, progress=progress, **fields).folder).description["id"] == whole
        else:
            with pytest.raises(KeyboardInterrupt):
                learned(settings, base, progress=progress, **fields)
        return passes

    everything = seen()
    begun = seen(4)
    assert begun == everything[:4] and any((settings.data_folder / "low-level").iterdir())
    assert seen() == everything[4:]
    seen(4)
    assert seen(restart=True) == everything
    seen(2)
    assert len(ModelRegistry(settings.data_folder).versions()) == 5, "the packaged one, and those that were finished"


def test_a_model_may_be_written_elsewhere(settings: Settings, base: Path, names: list[str], tmp_path: Path) -> None:
    found = learned(settings, base, out=tmp_path / "mine")
    assert (found.version, found.folder) == ("", tmp_path / "mine") and (tmp_path / "mine" / "lineage.json").is_file()
    assert len(ModelRegistry(settings.data_folder).versions()) == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        learned(settings, base, out=tmp_path / "file")


def test_what_cannot_be_used_is_said_before_anything_takes_time(
    settings: Settings, base: Path, names: list[str], tmp_path: Path
) -> None:
    with pytest.raises(PolicyError, match="strategy: 'hope' is none. Use one of none, replay"):
        learned(settings, base, plan=replace(PLAN, strategy="hope"))
    with pytest.raises(InputError, match="session: 'nope' is none"):
        learned(settings, base, sessions=["nope"])
    with pytest.raises(PolicyError, match="no such file"):
        learned(settings, tmp_path / "nothing")
    with pytest.raises(PolicyError, match="model.json"):
        learned(msgspec.structs.replace(settings, model=str(tmp_path)), base)
    with pytest.raises(InputError, match="dataset: is missing"):
        learned(settings, base, dataset=None)
    meta = json.loads((base / "meta.json").read_text())
    for key, value, said in (
        ("cameras", {"front": [8, 8]}, "has other cameras than the model"),
        ("kinds", ["a", "b"], "has other number of kinds"),
        ("frame_every", 10, "has other rate"),
        ("commands", [*meta["commands"], {"text": "dance", "family": "x", "train": []}], "has other commands.*dance"),
    ):
        folder = tmp_path / f"base-{key}"
        folder.mkdir()
        (folder / "meta.json").write_text(json.dumps(meta | {key: value}))
        with pytest.raises(DatasetError, match=said):
            learned(settings, folder)
    assert len(ModelRegistry(settings.data_folder).versions()) == 1


def test_one_episode_is_too_few_to_see_whether_it_was_learned(settings: Settings, base: Path) -> None:
    watched_session(settings.data_folder, episodes=1)
    with pytest.raises(PolicyError, match="from: only one episode teaches anything"):
        learned(settings, base)


def test_a_damaged_recording_is_said(settings: Settings, base: Path) -> None:
    session, _ = watched_session(settings.data_folder)
    session.recording.write_bytes(b"no recording")
    with pytest.raises(InputError, match="recording.mcap"):
        learned(settings, base)


def test_base_data_is_made_where_none_is_given(settings: Settings, base: Path, names: list[str]) -> None:
    asked: list[tuple[Path, list[str]]] = []

    def make(folder: Path, bank: Any) -> None:
        asked.append((folder, list(bank)))
        if not folder.exists():
            folder.symlink_to(base)

    options = Options(["last"], None, PLAN, gate=OPEN)
    learn_low_level(settings, options, make_base=make)
    assert asked == [(settings.data_folder / "base-data", read_model(Path(settings.model)).description["bank"])]


def test_the_command_says_what_it_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Options] = []
    aims = [Aim("grab the ring", 3, 0.061, 0.014), Aim("pick up the red block", 4, 0.003), Aim("grasp it", 1, 0.04)]
    scores = replace(fitted((0.1, 0.1), (0.2, 0.1)), aims=aims)

    def learn(_settings: Settings, options: Options, **_: Any) -> Learned:
        asked.append(options)
        return Learned("l0001", Path("models/l0001"), True, scores, [], {"format": "hitl-lineage-1"})

    monkeypatch.setattr(low_level_learning, "learn_low_level", learn)
    arguments = ["train", "low-level", "--from", "a", "b", "--steps", "5", "--strategy", "mas", "--margin", "1.5"]
    monkeypatch.setattr(sys, "argv", ["hitl", *arguments])
    assert cli.main([*arguments, "--promote", "--restart", "--json", "--seed", "3"]) == 0
    (options,) = asked
    assert options == Options(
        ["a", "b"], None, Plan("mas", 5, seed=3), Rules(margin_s=1.5), promote=True, restart=True
    )
    out = capsys.readouterr().out
    assert "new segments" in out and "l0001 acts from now on" in out
    rows = [line.rsplit(maxsplit=3) for line in out.splitlines() if line.startswith(("grab", "pick up", "grasp"))]
    assert rows == [
        ["grab the ring", "6.1", "1.4", "3"],
        ["pick up the red block", "0.3", "known", "4"],
        ["grasp it", "4.0", "-", "1"],
    ]
    assert json.loads(out.splitlines()[-1]) == {"format": "hitl-lineage-1"}
    assert cli.main([*arguments, "--promote", "--out", "x"]) == 2
    assert cli.main(["train", "--out", "x"]) == 2 and "--dataset: is needed" in capsys.readouterr().err
    assert cli.main(["train", "--dataset", "x"]) == 2 and "--out: is needed" in capsys.readouterr().err


def test_base_data_is_the_packing_cell_s_alone(tmp_path: Path) -> None:
    from hitl.cli_training import _make_base

    with pytest.raises(InputError, match="--dataset: is needed: the model is not of the packing cell"):
        _make_base(lambda *_: None, tmp_path, ["dance"])
    assert not list(tmp_path.iterdir())
