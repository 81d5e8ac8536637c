"""A learner in the packing experiment, whole and small: real cell, shipped policy, one short round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from hitl.backend.models import load_model
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation import packing, packing_learning
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_episode import LearnJob, run_episode
from hitl.evaluation.packing_learning import (
    VARIANTS,
    OnlineLearning,
    Weights,
    learn,
    save_weights,
    use_weights,
    weights_of,
)
from hitl.evaluation.packing_low_level import LowLevelLearning
from hitl.evaluation.packing_summary import Episode, Learner
from policies.hierarchy.low_level import LowLevelPolicy
from policies.hierarchy.policy import HierarchicalPolicy
from robot.aloha.cell import AlohaCell


@pytest.fixture(scope="module")
def loop() -> Lockstep:
    return Lockstep(load_model(Settings(device="cpu")), AlohaCell(0))


def same(loop: Lockstep, weights: Weights) -> bool:
    now = weights_of(loop)
    alike = all(torch.equal(weight, weights.tensors[name]) for name, weight in now.tensors.items())
    return alike and list(now.bank) == list(weights.bank)


def test_a_learner_is_corrected_learns_and_its_weights_can_be_used_again(loop: Lockstep, tmp_path: Path) -> None:
    first = weights_of(loop)
    path = tmp_path / "w.safetensors"
    learner = learn(Settings(device="cpu"), loop, LearnJob("light-camera", 0, "default", 1, 1, 4, str(path)))
    assert learner.given >= 1 and learner.taught == min(4, learner.given)
    assert learner.versions + learner.refused >= 1 and len(learner.rounds) == 1
    assert learner.versions == 0 or not same(loop, first)
    learned = weights_of(loop)
    use_weights(loop, None, first)
    assert same(loop, first)
    use_weights(loop, path, first)
    assert same(loop, learned)
    use_weights(loop, None, first)
    assert msgspec.json.decode(msgspec.json.encode(learner), type=Learner) == learner


@pytest.mark.parametrize(
    ("variant", "strategy", "gated"),
    [("default", "replay", True), ("no-replay", "none", False), ("no-gate", "replay", False), ("mas", "mas", True)],
)
def test_strategy_and_gate_of_a_variant_are_those_of_both_levels(
    loop: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, strategy: str, gated: bool
) -> None:
    told: list[tuple[str, bool]] = []

    class Told(LowLevelLearning):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            told.append((self._plan.strategy, self._gated))

    monkeypatch.setattr(packing_learning, "LowLevelLearning", Told)
    weights, base = str(tmp_path / "w.safetensors"), str(tmp_path / "base")
    job = LearnJob("light-camera", 0, variant, rounds=0, weights=weights, base=base)
    learn(Settings(device="cpu"), loop, job)
    learner = OnlineLearning(loop, VARIANTS[variant], 60).learner
    assert told == [(strategy, gated)] and learner.learner.settings.strategy == strategy
    assert (learner._gate.base_margin < 1) == gated


def test_new_wording_and_another_low_level_go_with_the_weights(loop: Lockstep, tmp_path: Path) -> None:
    first, policy = weights_of(loop), loop.model.policy
    assert isinstance(policy, HierarchicalPolicy)
    policy.adopt(policy.high_level, {"grab the pink ring": policy.embed("grab the pink ring")})
    acting = LowLevelPolicy(policy.low_level.config)
    policy.adopt_low_level(acting)
    learned = weights_of(loop)
    save_weights(loop, tmp_path / "w.safetensors")
    use_weights(loop, None, first)
    assert same(loop, first) and "grab the pink ring" not in policy.bank
    use_weights(loop, tmp_path / "w.safetensors", first)
    assert same(loop, learned) and torch.equal(
        learned.bank["grab the pink ring"], weights_of(loop).bank["grab the pink ring"]
    )
    old = {name: weight for name, weight in learned.tensors.items() if not name.startswith("low_level.")}
    names = {f"command.{at}": text for at, text in enumerate(first.bank)}
    save_file(old | {"bank": torch.stack(list(first.bank.values()))}, str(tmp_path / "old.safetensors"), names)
    use_weights(loop, tmp_path / "old.safetensors", first)
    assert same(loop, first), "what is not in the file is as it was"


def test_wrong_words_are_said_in_the_share_of_the_variant(loop: Lockstep) -> None:
    learning = OnlineLearning(loop, VARIANTS["wrong"], 60, seed=1)
    said = [learning.said("go home") for _ in range(300)]
    assert 0.2 < sum(words != "go home" for words in said) / 300 < 0.4
    assert all(OnlineLearning(loop, VARIANTS["default"], 60).said("go home") == "go home" for _ in range(3))


@pytest.mark.parametrize(("variant", "taught"), [("default", {"pick up the blue ball"}), ("guided", None)])
def test_what_guides_a_hand_teaches_only_where_that_is_wanted(
    loop: Lockstep, variant: str, taught: set[str] | None
) -> None:
    loop.cell.reset(seed=1)
    loop.restart()
    loop.events.clear()
    for words in ("move the left arm up", "pick up the blue ball"):
        for _ in range(75):
            loop.tick()
        loop.correct(words)
    for _ in range(50):
        loop.tick()
    learning = OnlineLearning(loop, VARIANTS[variant], 60)
    examples = learning._examples(loop.events, loop.moments)
    found = {example.command for example in examples if example.correction}
    assert found == (taught or {"move the left arm up", "pick up the blue ball"})


def test_a_lasting_wish_is_the_same_in_every_episode(loop: Lockstep) -> None:
    cell = loop.cell
    notes = set()
    for seed in range(4):
        cell.reset(seed=seed, shift="wish", taste=2)
        notes.add(cell.shift.note)
    assert len(notes) == 1 and "always" in notes.pop()


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = packing.Plan(modes=["base"], conditions=["push"], episodes=2, out=tmp_path, workers=1)
    asked: list[int] = []

    def all_of(settings, jobs, path, place, what, progress):  # type: ignore[no-untyped-def]
        rest = {"stage": 1, "stages": 3, "success": False, "seconds": 1.0, "corrections": 0}
        done = [Episode(mode=j.mode, condition=j.condition, number=j.number, **rest) for j in jobs]
        asked.append(len(done))
        with path.open("ab") as file:
            for episode in done:
                file.write(msgspec.json.encode(episode) + b"\n")
        return done

    monkeypatch.setattr(packing, "_all", all_of)
    packing.run(Settings(), plan)
    with (tmp_path / packing.EPISODES).open("ab") as file:
        file.write(b'{"mode": "ba')  # killed while it wrote
    packing.run(Settings(), replace(plan, episodes=3))
    result = packing.run(Settings(), replace(plan, episodes=3))
    assert asked == [0, 2, 0, 1, 0, 0] and result["base"]["push"]["success"]["n"] == 3
    (tmp_path / packing.EPISODES).write_bytes(b"nonsense\n" + b'{"mode": "ba')
    with pytest.raises(InputError, match="line 1"):
        packing.run(Settings(), plan)


def test_what_another_policy_did_is_kept_apart_and_told_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[tuple[str, int]]] = []

    def all_of(settings, jobs, path, workers, what, progress):  # type: ignore[no-untyped-def]
        rest = {"stage": 1, "stages": 3, "seconds": 1.0, "corrections": 0}
        done = []
        for job in jobs:
            what = {"mode": job.mode, "condition": job.condition, "number": job.number, "policy": job.policy}
            done.append(Episode(**what, success=job.policy == "hierarchy" or job.number == 0, **rest))
        asked.append([(job.policy, job.number) for job in jobs])
        with path.open("ab") as file:
            for episode in done:
                file.write(msgspec.json.encode(episode) + b"\n")
        return done

    monkeypatch.setattr(packing, "_all", all_of)
    plan = packing.Plan(modes=["base"], conditions=["push"], episodes=2, out=tmp_path)
    # As files of before are, without the field.
    old = (
        '{"mode":"base","condition":"push","number":0,"stage":3,"stages":3,"success":true,"seconds":9,"corrections":0}'
    )
    (tmp_path / packing.EPISODES).write_text(old + "\n")
    first = packing.run(Settings(), plan)
    both = packing.run(Settings(), replace(plan, policy="scripted"))
    again = packing.run(Settings(), replace(plan, policy="scripted"))
    assert asked == [[], [("hierarchy", 1)], [], [("scripted", 0), ("scripted", 1)], [], []]
    assert "policies" not in first and first["base"] == both["base"] and both == again
    assert both["policies"]["scripted"]["base"]["push"]["success"]["rate"] == 0.5
    more = packing.run(Settings(), replace(plan, policy="scripted", episodes=1))
    assert more["policies"]["scripted"]["base"]["push"]["success"]["n"] == 1, "the same layouts as asked for"


def test_results_are_told_without_weights_and_what_they_are_needed_for_is_said(tmp_path: Path) -> None:
    plan = packing.Plan(modes=["learned"], conditions=["push"], episodes=2, nominal_after=0, out=tmp_path, workers=1)
    taught = Episode(
        mode="corrected", condition="push", number=500, stage=3, stages=3, success=True, seconds=1.0, corrections=1
    )
    learner = Learner(
        condition="push", seed=0, variant="default", budget=60, rounds=[[taught]] * 3, given=1, taught=1, versions=1,
        refused=0, seconds=[0.5],
    )  # fmt: skip
    (tmp_path / packing.LEARNERS).write_bytes(msgspec.json.encode(learner) + b"\n")
    rest = {"stage": 3, "stages": 3, "success": True, "seconds": 1.0, "corrections": 0, "learner": "push"}
    with (tmp_path / packing.EPISODES).open("ab") as file:
        for number in range(2):
            episode = Episode(mode="learned", condition="push", number=number, **rest)
            file.write(msgspec.json.encode(episode) + b"\n")
    with (tmp_path / packing.EPISODES).open("ab") as file:
        for number in range(4):
            episode = Episode(mode="base", condition="push", number=number, **rest | {"success": False, "learner": ""})
            file.write(msgspec.json.encode(episode) + b"\n")
    told = packing.run(Settings(), plan)
    assert told["learned"]["push"]["success"]["n"] == 2
    assert told["base"]["push"]["success"]["n"] == 2 and told["gain_points"] == 100.0, "in the other mode, told beside"
    with pytest.raises(InputError, match="weights are not there") as caught:
        packing.run(Settings(), replace(plan, episodes=3))
    assert caught.value.field == str(tmp_path / "default-push-0.safetensors") and packing.LEARNERS in caught.value.hint


def test_learners_of_another_policy_have_weights_of_their_own(tmp_path: Path) -> None:
    plan = packing.Plan(modes=["learned"], conditions=["push"], episodes=1, nominal_after=1, out=tmp_path)
    (mine,), (other,) = (packing.learn_jobs(p, tmp_path) for p in (plan, replace(plan, policy="one-hot")))
    assert mine.policy == "hierarchy" and other.policy == "one-hot" and mine.weights != other.weights
    jobs = packing.episode_jobs(replace(plan, policy="one-hot"), tmp_path)
    assert {job.policy for job in jobs} == {"one-hot"} and {job.weights for job in jobs} == {other.weights}


def test_an_episode_without_help_knows_no_learner(loop: Lockstep) -> None:
    episode = run_episode(loop, "base", "nominal", 0, 1)
    assert episode.corrections == 0 and episode.learner == "" and loop.moments
    assert loop.moments[0].history.shape == (4, loop.model.policy.high_level.config.features)  # type: ignore[attr-defined]
