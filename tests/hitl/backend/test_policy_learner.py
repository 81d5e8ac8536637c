from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hitl.backend.policy_learner import GateRules, PolicyLearner
from hitl.correction_examples import CorrectionExample
from policies.errors import PolicyError
from policies.hierarchy import base_moments
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy
from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings
from policies.hierarchy.high_level_training import Moments

SIZE = 10
TEXTS = ("pick", "put", "home")


def moments(seed: int, held_out: bool) -> Moments:
    generator = torch.Generator().manual_seed(seed)
    command = torch.arange(10).repeat_interleave(5) % 2
    features = torch.where(command[:, None] > 0, 2.0, -2.0) + 0.3 * torch.randn(50, SIZE, generator=generator)
    episode = torch.arange(10).repeat_interleave(5)
    return Moments(
        features.half(), episode, command, torch.searchsorted(episode, episode), torch.full((50,), held_out), per_s=1
    )


def learner(margin: float = 0.05, *, output: str = "codes") -> PolicyLearner:
    torch.manual_seed(0)
    base = base_moments.join(moments(1, False), moments(2, True))
    codes = functional.normalize(torch.randn(3, 64), dim=1)
    commands = len(TEXTS) if output == "one-hot" else 0
    model = HighLevelPolicy(HighLevelConfig(SIZE, width=32, output=output, commands=commands))
    model.fit_scales(base.features.float())
    rows = (~base.held_out).nonzero().squeeze(1)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(40):
        loss = functional.cross_entropy(
            model.logits(model(base.features[base.histories(rows)].float()), codes), base.command[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    settings = LearnerSettings(rate=3e-3, batch=16, steps=30, anew_steps=60, most_steps=80)
    inner = HighLevelLearner(model.eval(), dict(zip(TEXTS, codes, strict=True)), base, settings)

    def embed(text: str) -> Tensor:
        return torch.randn(64, generator=torch.Generator().manual_seed(len(text)))

    return PolicyLearner(inner, embed, GateRules(margin))


def taught(correction: str, command: str, where: float = 6.0, count: int = 6) -> list[CorrectionExample]:
    rng = np.random.default_rng([len(correction), round(abs(where))])
    place = where * (-1) ** np.arange(SIZE)
    rows = [(place + 0.3 * rng.normal(size=(4, SIZE))).astype(np.float16) for _ in range(count)]
    return [CorrectionExample(correction, "e", at, row, command, "pick", 1.0) for at, row in enumerate(rows)]


def weights(model: HighLevelPolicy) -> Tensor:
    return torch.cat([weight.flatten() for weight in model.state_dict().values()])


def test_a_correction_is_learned_and_passes_the_gate() -> None:
    policy = learner()
    learnt = policy.learn(taught("c1", "home"), {"c1": "light"})
    assert learnt is not None and learnt.verdict.passed and learnt.fresh == learnt.corrections == ("c1",)
    scores = learnt.verdict.scores
    assert scores["new"] == scores["corrections"] == scores["task/light"] == 1.0 and scores["new_before"] < 0.5
    assert abs(scores["base"] - scores["base_before"]) <= 0.05
    assert policy.promoted is learnt.model and not policy.behind(taught("c1", "home"))
    assert policy.behind(taught("c2", "home"))


def test_a_one_hot_high_level_learns_its_commands_and_no_new_wording() -> None:
    policy = learner(output="one-hot")
    assert policy.learn(taught("c0", "dance")) is None and not policy.behind(taught("c0", "dance"))
    learnt = policy.learn(taught("c1", "home") + taught("c0", "dance"))
    assert learnt is not None and learnt.verdict.passed and learnt.corrections == ("c1",) and learnt.added == ()
    assert learnt.verdict.scores["new"] == 1.0 and learnt.model(torch.zeros(1, 4, SIZE)).shape == (1, 3)
    with pytest.raises(PolicyError, match="high level: 'dance' cannot join its commands"):
        policy.learner.add_command("dance", torch.ones(64))


def test_what_forgets_too_much_is_kept_back_and_says_why() -> None:
    policy = learner()
    before = weights(policy.promoted)
    against = [  # the base data's own places, with another command, far more often than replay can hold against
        CorrectionExample("bad", "e", at, np.full((4, SIZE), value, np.float16), "home", "", 20.0)
        for at, value in enumerate((-2.0, 2.0) * 20)
    ]
    learnt = policy.learn(against)
    assert learnt is not None and not learnt.verdict.passed
    assert "too much forgotten" in " ".join(learnt.verdict.reasons)
    assert torch.equal(weights(policy.promoted), before)
    good = policy.learn(taught("c1", "home"))
    assert good is not None and good.verdict.passed and good.corrections == ("c1",)


def test_what_is_not_answered_better_is_kept_back() -> None:
    policy = learner()
    policy.learner.settings = replace(policy.learner.settings, rate=0.0)
    learnt = policy.learn(taught("c1", "home"))
    assert learnt is not None and not learnt.verdict.passed
    assert "not answered better" in " ".join(learnt.verdict.reasons)


def test_undo_is_learned_anew_and_leaves_no_trace() -> None:
    policy, other = learner(), learner()
    policy.learn(taught("c1", "home") + taught("c22", "put", where=-6.0))
    undone = policy.learn(taught("c1", "home"))
    never = other.learn(taught("c1", "home"), anew=True)
    assert undone is not None and never is not None and undone.anew and undone.verdict.passed
    assert undone.corrections == ("c1",) and torch.equal(weights(undone.model), weights(never.model))


def test_when_everything_is_undone_the_base_weights_come_back() -> None:
    policy = learner()
    base = weights(policy.promoted)
    assert policy.learn([]) is None
    policy.learn(taught("c1", "home"))
    gone = policy.learn([])
    assert gone is not None and gone.verdict.passed and torch.equal(weights(policy.promoted), base)


def test_new_wording_joins_the_bank_and_leaves_it_with_its_correction() -> None:
    policy = learner()
    learnt = policy.learn(taught("c1", "wipe the table"))
    assert learnt is not None and learnt.added == ("wipe the table",) and learnt.verdict.passed
    assert "wipe the table" in policy.learner.bank
    gone = policy.learn(taught("c22", "home"))
    assert gone is not None and gone.added == () and "wipe the table" not in policy.learner.bank


def test_what_guides_a_hand_is_what_the_base_data_never_has_and_new_wording_is_not() -> None:
    policy = learner()
    assert policy.learner.guiding == {"home"}, "the base data has the other two commands alone"
    policy.learn(taught("c1", "wipe the table"))
    assert policy.learner.guiding == {"home"}


def test_an_earlier_version_can_be_learned_on_from() -> None:
    policy = learner()
    first = policy.promoted
    learnt = policy.learn(taught("c1", "home"))
    assert learnt is not None
    policy.take(first, ())
    assert policy.promoted is first and policy.behind(taught("c1", "home"))


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_the_margin_decides_how_much_may_be_forgotten(margin: float) -> None:
    policy = learner(margin)
    against = [
        CorrectionExample("bad", "e", at, np.full((4, SIZE), 2.0, np.float16), "home", "put", 20.0) for at in range(40)
    ]
    learnt = policy.learn(against)
    assert learnt is not None and learnt.verdict.passed == (margin == 0.5)
