"""An update of the low level: what is new is learned, what was answered stays, it can be stopped, and too little is
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
from policies.hierarchy.loop import Phase, run_phase
from policies.hierarchy.low_level import LowLevelConfig, LowLevelPolicy
from policies.hierarchy.low_level_aims import NEAR_M, aims_of, beside, unlearned
from policies.hierarchy.low_level_examples import draw
from policies.hierarchy.low_level_training import LowLevelObjective, PhraseCodes
from policies.hierarchy.low_level_update import (
    Plan,
    SeenAndDone,
    folds_of,
    held_out_of,
    keep,
    update,
)
from policies.learning.strategies import STRATEGIES

PLAN = Plan(steps=30, batch=24, drawn=192, base_drawn=256, checked=256, rate=1e-3)
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
    assert new_then["loss"] < new["loss"] and len(fitted.folds) == 2
    assert base_then["loss"] < 1.1 * base["loss"]
    forgetful, _ = updated(cell, tmp_path / "none", replace(PLAN, steps=90, strategy="none"))
    everything = torch.ones(len(cell.base.held_out), dtype=torch.bool)
    example = draw(fresh(cell), cell.base, everything, cell.codes, 256, 9, plain=True)
    with torch.no_grad():
        before, after, worse = (SeenAndDone(one.eval()).output(example) for one in (fresh(cell), model, forgetful))
    assert (after - before).abs().mean() < 0.8 * (worse - before).abs().mean(), "without a strategy more is forgotten"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_what_a_processor_learns(cell: Any, tmp_path: Path) -> None:
    _, here = updated(cell, tmp_path / "here")
    model = fresh(cell).to("cuda")
    there = update(
        model, cell.new, cell.groups, cell.base, cell.codes, PLAN, tmp_path / "there", {"run": 1}, lambda *_: None
    )
    assert next(model.parameters()).device.type == "cuda"
    for ours, theirs in zip((*here.base, *here.new), (*there.base, *there.new), strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=0.05)


def test_what_sees_learns_too(cell: Any, tmp_path: Path) -> None:
    model = updated(cell, tmp_path)[0]
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, cell.weights[name])}
    assert {"trunks.overhead.stem.weight", "command_heat.wrist.weight", "layer_1.weight", "path_head.bias"} <= changed


def test_what_is_kept_is_what_was_answered(cell: Any) -> None:
    model = fresh(cell)
    segments = cell.new.segments
    flags = torch.where(segments.command == FAR, segments.flags | GUIDED, segments.flags)
    new = replace(cell.new, segments=replace(segments, flags=flags))
    kept = keep(model, cell.base, new, torch.ones(32, dtype=torch.bool), cell.codes, PLAN, lambda *_: None)
    task = SeenAndDone(model)
    assert kept.answered.all() and len(kept.done) == 256
    with torch.no_grad():
        parts, new_parts = task.parts(kept), task.parts(kept._replace(path=kept.path.flip(0), goal=kept.goal.flip(0)))
    assert float(parts["goal"].max()) < 1e-5, "nothing pulls at it before it has changed"
    assert float(parts["path"].mean()) < 0.1 * float(new_parts["path"].mean()), "but where an opening is out of range"
    seen = task.view(kept, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(seen, kept, strict=True)), "and its state stays what it was"
    strange = kept.code[-round(0.2 * 256) :]
    nearest = (strange @ cell.codes.T).argmax(1)
    assert FAR not in nearest.tolist() and len(set(nearest.tolist())) > 2, "other commands than hands were guided to"


def test_pictures_and_light_reach_the_answer(cell: Any) -> None:
    model = fresh(cell)
    held = torch.ones(len(cell.base.held_out), dtype=torch.bool)
    example = draw(model, cell.base, held, cell.codes, 48, 3, plain=True)
    again = draw(model, cell.base, held, cell.codes, 48, 3, plain=True)
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(example, again, strict=True))
    task = SeenAndDone(model)
    found = task.predict(example)
    output = task.output(example)
    assert torch.equal(output, torch.cat((found.path.flatten(1), found.done[:, None]), 1))
    for changed in (example._replace(pictures=255 - example.pictures), example._replace(light=0.5 * example.light)):
        assert not torch.allclose(task.output(changed), output)
    moved = task.view(example, torch.Generator().manual_seed(0))
    assert not torch.equal(moved[3], example.pose) and torch.equal(moved[0], example.pictures)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_does_it_and_goes_on_where_it_was_stopped(cell: Any, tmp_path: Path, name: str) -> None:
    plan = replace(PLAN, strategy=name, steps=14, turns=1)
    whole, _ = updated(cell, tmp_path / "whole", plan)
    stops = iter([False, True])

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
    assert ("turn 1 of 1", 8) not in seen, "what was done is not done again"
    for key, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[key]), key


def test_without_turns_it_is_measured_on_what_is_learned(cell: Any, tmp_path: Path) -> None:
    seen: list[str] = []
    model, fitted = updated(
        cell, tmp_path, replace(PLAN, turns=0), report=lambda what, *_: seen.append(what) if what not in seen else None
    )
    assert fitted.folds == [] and fitted.new[1]["loss"] < fitted.new[0]["loss"]
    assert seen == ["what it must keep", "learning"]


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


def led(cell: Any, command: int, away: float) -> Recordings:
    """The new segments with those of one command guided, to `away` m beside where the low level would go."""
    segments, model = cell.new.segments, fresh(cell)
    chosen = segments.command == command
    flags = torch.where(chosen, segments.flags | GUIDED, segments.flags)
    data = replace(cell.new, segments=replace(segments, flags=flags))
    everything = torch.ones(len(data.held_out), dtype=torch.bool)
    where = torch.zeros(len(chosen), 3)
    for at in chosen.nonzero().flatten().tolist():
        one = torch.zeros_like(chosen)
        one[at] = True
        moments = draw(model, data, everything, cell.codes, 48, 0, plain=True, favoured=one, share=1.0)
        with torch.no_grad():
            where[at] = SeenAndDone(model).predict(moments).goal.median(0).values
    where[:, 0] += away
    goal = torch.where(chosen[:, None], where, torch.nan)
    return replace(data, segments=replace(data.segments, goal=goal))


def test_where_it_would_go_is_compared_with_where_hands_were_led(cell: Any) -> None:
    model = fresh(cell)
    everything = torch.ones(len(cell.new.held_out), dtype=torch.bool)
    text = cell.new.meta.commands[FAR].text
    for away, known in ((0.0, True), (0.08, False)):
        data = led(cell, FAR, away)
        (aim,) = aims_of(data, beside(model, SeenAndDone(model).predict, data, everything, cell.codes, 0))
        assert aim.command == text and aim.ways > 1 and aim.known == known
        assert aim.before == pytest.approx(away, abs=NEAR_M)
        left = unlearned(data, [aim]).segments.flags
        guided = data.segments.command == FAR
        assert bool((left[guided] == 0).all()) == known and torch.equal(left[~guided], data.segments.flags[~guided])
    assert aims_of(cell.new, beside(model, SeenAndDone(model).predict, cell.new, everything, cell.codes, 0)) == []


def test_only_ways_that_it_does_not_know_are_learned(cell: Any, tmp_path: Path) -> None:
    known, strange = led(cell, FAR, 0.0), led(cell, FAR, 0.05)
    plan = replace(PLAN, strategy="none", steps=120, turns=1, rate=3e-3, least_guided=1)  # the base says otherwise
    with pytest.raises(DatasetError, match="guided 0 times to where the low level would not go by itself; 1 are"):
        updated(cell, tmp_path / "known", plan, new=known)
    _, without = updated(cell, tmp_path / "known", replace(plan, least_guided=0, steps=8), new=known)
    assert without.aims[0].known and without.aims[0].after is None
    ways = strange.segments.episode[strange.segments.command == FAR].tolist()
    groups = [f"{'a' if at == ways[0] else 'b'}{at}" for at in range(12)]  # the first is kept out
    _, fitted = updated(cell, tmp_path / "strange", plan, new=strange, groups=groups)
    (aim,) = fitted.aims
    assert aim.after is not None
    assert aim.after < 0.7 * aim.before, "measured on ways that were kept out"
    _, all_learned = updated(cell, tmp_path / "all", replace(plan, turns=0, steps=8), new=strange)
    assert all_learned.aims[0].after is not None


def only(data: Recordings, episodes: int) -> Recordings:
    """The data with nothing to learn from behind the first episodes."""
    flags = torch.where(data.segments.episode < episodes, data.segments.flags, 0)
    return replace(data, segments=replace(data.segments, flags=flags))


def test_parts_of_one_episode_are_kept_out_together(cell: Any) -> None:
    turns = folds_of(cell.new, ["a", "a", "b", "b", "b", "c"] * 2, 4)
    assert len(turns) == 3 and torch.stack(turns).sum(0).eq(1).all()
    assert turns[0].nonzero().flatten().tolist() == [0, 1, 6, 7]
    assert len(folds_of(only(cell.new, 2), cell.groups, 4)) == 2
    assert [len(folds_of(cell.new, cell.groups, most)) for most in (1, 2, 9)] == [1, 2, 4]
    assert folds_of(cell.new, cell.groups, 1)[0].sum() == 3, "a quarter, however many turns there are"
    with pytest.raises(DatasetError, match="only one episode"):
        folds_of(only(cell.new, 1), cell.groups, 2)
    with pytest.raises(DatasetError, match="only one episode"):
        folds_of(cell.new, ["a"] * 12, 2)


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
