"""An update of the low level: only what decides changes, what was known stays, it can be stopped, and too little is
said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file, save_file

from policies.errors import CheckpointError, DatasetError, PolicyError
from policies.hierarchy.dataset import GUIDED, Recordings, load_recordings
from policies.hierarchy.high_level import describe
from policies.hierarchy.loop import Phase, run_phase
from policies.hierarchy.low_level import PERCEPTION, LowLevelConfig, LowLevelPolicy
from policies.hierarchy.low_level_training import LowLevelObjective, PhraseCodes
from policies.hierarchy.low_level_update import (
    Decider,
    Plan,
    draw,
    folds_of,
    held_out_of,
    update,
)
from policies.learning.strategies import STRATEGIES

PLAN = Plan(steps=30, batch=32, drawn=192, base_drawn=256, checked=256, rate=1e-3)
FAR = 5
"""The command that means another distance in the new segments."""


def slower(folder: Path) -> None:
    """In new segments the arm goes only half as far under "move the left arm far right"."""
    for path in folder.glob("shards/*.safetensors"):
        tensors = load_file(path)
        for command, first, _, end, _ in tensors["segments"]:
            if command == FAR:
                for key in ("pose", "pose_target"):
                    start = tensors[key][first, 0]
                    tensors[key][first:end, 0] = start + (tensors[key][first:end, 0] - start) / 2
        save_file(tensors, path, metadata={"episode": path.stem, "kind": "task"})


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory, toy_writer: Callable[[Path, int], Path], word_hash: Any) -> Any:
    """A low level that knows a little of the toy cell, its base, and new segments that want something else."""
    folder = tmp_path_factory.mktemp("update")
    base = load_recordings(toy_writer(folder / "base", 32))
    new_folder = toy_writer(folder / "new", 12)
    slower(new_folder)
    new = load_recordings(new_folder)
    codes = word_hash.codes([words.text for words in base.meta.commands]).clone()
    torch.manual_seed(0)
    model = LowLevelPolicy(
        LowLevelConfig(base.meta.cameras, len(base.meta.kinds), channels=8, film_channels=16, keypoints=6, hidden=64)
    )
    phrases = PhraseCodes(codes, torch.arange(len(codes)), torch.ones(len(codes), dtype=torch.long))
    objective = LowLevelObjective(model, base, phrases, torch.device("cpu"), 0)
    objective.fit_scales()
    phase = Phase("low_level", folder / "training", 120, None, 1e-3, 32)
    run_phase(phase, model, objective, device=torch.device("cpu"), threads=1, resume=False, progress=None)
    groups = [f"e{at}" for at in range(12)]
    return SimpleNamespace(
        base=base, new=new, codes=codes, weights=model.state_dict(), groups=groups, config=model.config
    )


def fresh(cell: Any) -> LowLevelPolicy:
    model = LowLevelPolicy(cell.config)
    model.load_state_dict(cell.weights)
    return model


def updated(cell: Any, folder: Path, plan: Plan = PLAN, **more: Any) -> tuple[LowLevelPolicy, Any]:
    model = fresh(cell)
    given = {"new": cell.new, "groups": cell.groups, "base": cell.base, **more}
    settings = given.pop("settings", {"run": 1})
    report = given.pop("report", lambda *_: None)
    return model, update(model, **given, codes=cell.codes, plan=plan, folder=folder, settings=settings, report=report)


def test_new_segments_are_learned_and_what_was_known_stays(cell: Any, tmp_path: Path) -> None:
    model, fitted = updated(cell, tmp_path, replace(PLAN, steps=90))
    (base, base_then), (new, new_then) = fitted.base, fitted.new
    assert new_then["loss"] < new["loss"] and len(fitted.folds) == 4
    assert base_then["loss"] < 1.1 * base["loss"]
    _, worse = updated(cell, tmp_path / "none", replace(PLAN, steps=90, strategy="none"))
    assert worse.base[1]["loss"] > base_then["loss"], "without a strategy more is forgotten"
    assert not any(weight.requires_grad for name, weight in model.named_parameters() if name.startswith("trunks"))


def test_the_high_level_sees_what_it_saw_before(cell: Any, tmp_path: Path) -> None:
    model, before = updated(cell, tmp_path)[0], fresh(cell)
    changed = {
        name.split(".")[0]
        for name, weight in model.state_dict().items()
        if not torch.equal(weight, cell.weights[name])
    }
    assert {"layer_1", "layer_2", "layer_3", "path_head", "done_head", "goal_line"} <= changed
    assert not changed & set(PERCEPTION)
    images = {name: store[:8] for name, store in cell.base.images.items()}
    pose = cell.base.pose[cell.base.frame_tick[:8]]
    rows = [describe(one, one.look(images), pose, cell.codes[:3]) for one in (before, model)]
    assert torch.equal(*rows)


def test_what_decides_answers_alike_from_places_kept_and_from_pictures(cell: Any) -> None:
    model = fresh(cell)
    held = torch.ones(len(cell.base.held_out), dtype=torch.bool)
    example = draw(model, cell.base, held, cell.codes, 48, 3, plain=True)
    path, done, _ = model.decide(example.seen, example.state, example.code)
    again = draw(model, cell.base, held, cell.codes, 48, 3, plain=True)
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(example, again, strict=True))
    output = Decider(model).output(example)
    assert torch.equal(output, torch.cat((path.flatten(1), done[:, None]), 1))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_does_it_and_goes_on_where_it_was_stopped(cell: Any, tmp_path: Path, name: str) -> None:
    plan = replace(PLAN, strategy=name, steps=14)
    whole, _ = updated(cell, tmp_path / "whole", plan)
    stops = iter([False] * 3 + [True])

    def stop(what: str, done: int, count: int, loss: float) -> None:
        if loss == loss and next(stops, False):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        updated(cell, tmp_path / "parts", plan, report=stop)
    seen: list[tuple[str, int]] = []
    resumed, _ = updated(
        cell,
        tmp_path / "parts",
        plan,
        report=lambda what, done, _count, loss: seen.append((what, done)) if loss == loss else None,
    )
    assert ("turn 1 of 4", 6) not in seen, "what was done is not done again"
    for key, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[key]), key


def test_another_run_s_state_is_refused(cell: Any, tmp_path: Path) -> None:
    updated(cell, tmp_path)
    with pytest.raises(CheckpointError, match="another run"):
        updated(cell, tmp_path, settings={"run": 2})


def test_guided_segments_are_half_of_what_is_drawn(cell: Any) -> None:
    segments = cell.new.segments
    flags = segments.flags.clone()
    flags[segments.command == FAR] |= GUIDED
    data = replace(cell.new, segments=replace(segments, flags=flags))
    everything = torch.ones(len(data.held_out), dtype=torch.bool)
    favoured = (flags & GUIDED) > 0
    example = draw(fresh(cell), data, everything, cell.codes, 600, 0, plain=True, favoured=favoured)
    far = (example.code - cell.codes[FAR]).abs().amax(1) < 1e-6
    assert 0.42 < float(far.float().mean()) < 0.58


def only(data: Recordings, episodes: int) -> Recordings:
    """The data with nothing to learn from behind the first episodes."""
    flags = torch.where(data.segments.episode < episodes, data.segments.flags, 0)
    return replace(data, segments=replace(data.segments, flags=flags))


def test_parts_of_one_episode_are_kept_out_together(cell: Any) -> None:
    turns = folds_of(cell.new, ["a", "a", "b", "b", "b", "c"] * 2)
    assert len(turns) == 3 and torch.stack(turns).sum(0).eq(1).all()
    assert turns[0].nonzero().flatten().tolist() == [0, 1, 6, 7]
    assert len(folds_of(only(cell.new, 2), cell.groups)) == 2
    with pytest.raises(DatasetError, match="only one episode"):
        folds_of(only(cell.new, 1), cell.groups)
    with pytest.raises(DatasetError, match="only one episode"):
        folds_of(cell.new, ["a"] * 12)


def test_a_base_that_is_too_small_or_an_unknown_strategy_is_said(cell: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="12 episodes, too few"):
        held_out_of(replace(cell.new, held_out=torch.zeros(12, dtype=torch.bool)))
    assert int(held_out_of(replace(cell.base, held_out=torch.zeros(32, dtype=torch.bool))).sum()) == 4
    with pytest.raises(PolicyError, match="hope"):
        updated(cell, tmp_path, replace(PLAN, strategy="hope"))


def test_of_more_shards_than_wanted_some_are_read_from_everywhere(tmp_path: Path, toy_writer: Any) -> None:
    folder = toy_writer(tmp_path / "data", 8)
    few = load_recordings(folder, most=2)
    assert len(few.held_out) == 2
    assert few.frames == sum(
        len(load_file(folder / "shards" / f"00000{at}.safetensors")["frame_tick"]) for at in (0, 4)
    )
