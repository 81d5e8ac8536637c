"""What every strategy must do, and what each of them promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from policies.errors import PolicyError
from policies.learning.importance import Classp, MemoryAwareSynapses
from policies.learning.layers import inputs_of, linear_maps, other_parameters
from policies.learning.measures import continual
from policies.learning.projection import GradientProjection, SubspaceFineTuning
from policies.learning.replay import ExperienceReplay, Reservoir, ViewBatchReplay
from policies.learning.strategies import STRATEGIES, strategy
from policies.learning.strategy import Settings, learn

SETTINGS = Settings(epochs=8, batch=16, rate=0.1)


class Sorting:
    """Which half of the inputs is larger; every task looks at other inputs, and turns the answer round."""

    def __init__(self, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))

    def output(self, examples):
        return self.model(examples[0])

    def losses(self, examples):
        return functional.cross_entropy(self.output(examples), examples[1], reduction="none")

    def view(self, examples, generator):
        return examples

    def accuracy(self, examples) -> float:
        return float((self.output(examples).argmax(1) == examples[1]).float().mean())


def task(number: int, count: int = 400):
    """Inputs of the first half for task 0, of the second for task 1, both with a little of everything."""
    generator = torch.Generator().manual_seed(number)
    inputs = torch.randn(count, 16, generator=generator) * 0.15
    side = 8 * number
    inputs[:, side : side + 8] += torch.randn(count, 8, generator=generator)
    larger = inputs[:, side : side + 4].sum(1) > inputs[:, side + 4 : side + 8].sum(1)
    return inputs, (larger ^ bool(number)).long()


def two_tasks(name: str):
    """Accuracy on the first task after it and after the second, and on the second; the learnable, the strategy."""
    learnable, chosen, generator = Sorting(), strategy(name), torch.Generator().manual_seed(0)
    learn(learnable, task(0), chosen, SETTINGS, generator)
    learned = learnable.accuracy(task(0))
    learn(learnable, task(1), chosen, SETTINGS, generator)
    return learned, learnable.accuracy(task(0)), learnable.accuracy(task(1)), learnable, chosen


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_learns_and_the_same_gives_the_same(name):
    learned, kept, second, learnable, _ = two_tasks(name)
    assert learned > 0.85 and second > 0.6
    again = two_tasks(name)
    assert (learned, kept, second) == again[:3]
    for one, other in zip(learnable.model.parameters(), again[3].model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "none"])
def test_each_forgets_less_than_none(name):
    _, kept, _, _, _ = two_tasks(name)
    assert kept > two_tasks("none")[1] + 0.02


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_it_remembers_can_be_kept_and_restored(name):
    learnable, chosen, generator = Sorting(), strategy(name), torch.Generator().manual_seed(0)
    learn(learnable, task(0), chosen, SETTINGS, generator)
    state = {key: value.clone() for key, value in chosen.state().items()}
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    weights = {key: value.clone() for key, value in learnable.model.state_dict().items()}
    learn(learnable, task(1), chosen, SETTINGS, torch.Generator().manual_seed(1))
    other, restored = Sorting(seed=9), strategy(name)
    other.model.load_state_dict(weights)
    restored.restore(state)
    learn(other, task(1), restored, SETTINGS, torch.Generator().manual_seed(1))
    for one, two in zip(learnable.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_other_names_options_and_states_are_refused():
    with pytest.raises(PolicyError, match="Use one of none, replay"):
        strategy("ewc")
    with pytest.raises(PolicyError, match="cannot be made of"):
        strategy("gpm", size=3)
    for name in ("none", "replay", "mas"):
        with pytest.raises(PolicyError):
            strategy(name).restore({"foreign": torch.zeros(1)})


def test_learning_can_be_stopped():
    learnable = Sorting()
    asked = iter([False, False, True])
    learn(learnable, task(0), strategy("none"), SETTINGS, torch.Generator(), lambda: next(asked))
    assert next(asked, None) is None


def test_learning_can_be_watched_and_is_the_same():
    watched, alone, seen = Sorting(), Sorting(), list[int]()
    for learnable, after in ((watched, seen.append), (alone, lambda visits: None)):
        learn(learnable, task(0), strategy("replay"), SETTINGS, torch.Generator().manual_seed(0), after=after)
    assert seen == list(range(16, 400 * SETTINGS.epochs + 1, 16))
    assert all(torch.equal(a, b) for a, b in zip(watched.model.parameters(), alone.model.parameters(), strict=True))


def test_every_example_is_in_the_reservoir_with_the_same_chance():
    counts = np.zeros(60)
    for seed in range(300):
        kept, generator = Reservoir(20), torch.Generator().manual_seed(seed)
        for part in torch.arange(60).split(7):
            kept.offer((part,), generator)
        assert len(kept) == 20
        counts[kept.examples[0].numpy()] += 1
    assert abs(counts[:20].mean() - counts[40:].mean()) < 12  # of 100; a buffer of the latest would give 0 and 300
    assert counts.min() > 60


@given(count=st.integers(1, 40), repeats=st.integers(2, 5), epochs=st.integers(1, 6), batch=st.integers(1, 12))
def test_a_view_batch_shows_each_example_several_times_at_once_and_then_lets_it_rest(count, repeats, epochs, batch):
    chosen = ViewBatchReplay(repeats=repeats)
    settings = Settings(epochs=epochs * repeats, batch=batch)
    steps = list(chosen.order(count, settings, torch.Generator().manual_seed(0)))
    visits = torch.cat(steps).bincount(minlength=count)
    assert (visits == epochs * repeats).all(), "as many visits as without the schedule"
    for rows in steps:
        assert (rows.bincount()[rows.unique()] == repeats).all()


def test_replayed_examples_are_earlier_ones_in_their_share():
    chosen, learnable, generator = ExperienceReplay(size=50, share=0.25), Sorting(), torch.Generator().manual_seed(0)
    new = task(1, 12)
    assert chosen.mix(learnable, new, generator) is new
    old = task(0, 80)
    chosen.end(learnable, old, generator)
    mixed = chosen.mix(learnable, new, generator)
    assert torch.equal(mixed[0][:12], new[0]) and len(mixed[0]) == 16
    assert all(bool((old[0] == row).all(1).any()) for row in mixed[0][12:])


def test_projected_gradients_leave_the_answers_to_earlier_inputs_alone():
    learnable, chosen = Sorting(), GradientProjection(threshold=1.0)
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(6, 16, generator=generator), torch.zeros(6, dtype=torch.long)  # fewer than inputs
    chosen.end(learnable, first, generator)
    before = learnable.output(first).detach()
    for settings in (SETTINGS, Settings(epochs=4, rate=0.01, adam=True, weight_decay=0.1)):
        learn(learnable, task(1), chosen_copy(chosen), settings, generator)
        assert torch.allclose(learnable.output(first), before, atol=2e-4)
    assert learnable.accuracy(task(1)) > 0.7, "and it learns all the same"


def chosen_copy(chosen):
    copy = GradientProjection(threshold=1.0)
    copy.restore(chosen.state())
    return copy


def test_large_directions_of_weights_stay():
    learnable, chosen, generator = Sorting(), SubspaceFineTuning(kept=0.5), torch.Generator().manual_seed(0)
    learn(learnable, task(0), chosen, SETTINGS, generator)
    before = [one.weight.detach().clone() for one in linear_maps(learnable.model)]
    learn(learnable, task(1), chosen, Settings(epochs=4, rate=0.01, adam=True, weight_decay=0.1), generator)
    for start, one in zip(before, linear_maps(learnable.model), strict=True):
        left, _, right = torch.linalg.svd(start, full_matrices=False)
        change = one.weight.detach() - start
        count = max(1, round(0.2 * min(start.shape)))
        assert change.abs().max() > 1e-4
        assert (left[:, :count].T @ change).abs().max() < 1e-5 and (change @ right[:count].T).abs().max() < 1e-5


class Line:
    def __init__(self):
        self.model = nn.Linear(2, 1, bias=False)
        self.model.weight.data = torch.tensor([[2.0, 1.0]])

    def output(self, examples):
        return self.model(examples[0])


def test_importance_is_the_mean_size_of_gradients():
    chosen = MemoryAwareSynapses(strength=0.5)
    inputs = torch.tensor([[1.0, 0.0], [-3.0, 0.0]])
    chosen.end(Line(), (inputs,), torch.Generator())
    # d(wx)^2/dw = 2 (wx) x: 4 and 36 for the first weight, nothing for the second
    assert chosen.importance["weight"].tolist() == [[20.0, 0.0]]
    moved = Line()
    moved.model.weight.data = torch.tensor([[2.1, 9.0]])
    assert float(chosen.penalty(moved).detach()) == pytest.approx(0.5 * 20 * 0.1**2, rel=1e-4)


def test_classp_moves_single_weights_and_less_each_time():
    model = nn.Linear(2, 1, bias=False)
    model.weight.data.zero_()

    class Of:
        def __init__(self):
            self.model = model

    chosen = Classp(rate=0.1, threshold=0.25, power=1.0)
    optimizer = chosen.optimizer(Of(), Settings())
    model.weight.grad = torch.tensor([[1.0, 0.4]])
    optimizer.step()
    assert model.weight[0, 1] == 0, "0.4 squared is below the threshold, whatever its neighbour is"
    first = -model.weight[0, 0].item()
    assert first == pytest.approx(0.1, rel=1e-3)
    optimizer.step()
    assert -model.weight[0, 0].item() - first == pytest.approx(0.05, rel=1e-3), "half the step after twice the way"
    assert chosen.state()["weight"].tolist() == [[2.0, 0.0]]


def test_classp_is_stiff_where_another_optimizer_learned():
    chosen, inputs = Classp(rate=0.1, threshold=0.0), torch.tensor([[1.0, 0.0], [-3.0, 0.0]])
    chosen.end(Line(), (inputs,), torch.Generator())
    assert chosen.state()["weight"].tolist() == [[40.0, 0.0]], "4 and 36, see above"
    again = Classp(rate=0.1, threshold=0.0)
    again.restore(chosen.state())
    line = Line()
    optimizer, before = again.optimizer(line, Settings()), line.model.weight.detach().clone()
    line.model.weight.grad = torch.ones(1, 2)
    optimizer.step()
    assert (before - line.model.weight).tolist()[0] == pytest.approx([0.1 / 41, 0.1], rel=1e-3)
    again.end(line, (inputs,), torch.Generator())
    assert again.state()["weight"].tolist() == [[41.0, 1.0]], "what it learned itself it has summed"


def test_inputs_of_attention_are_seen_and_the_rest_is_known():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True).eval()
    names = [one.name for one in linear_maps(layer)]
    assert names == ["self_attn.in_proj", "linear1", "linear2"]
    rest = {id(weight) for weight in other_parameters(layer)}
    assert id(layer.self_attn.out_proj.weight) in rest and id(layer.norm1.weight) in rest
    values = torch.randn(3, 5, 8)
    with inputs_of(layer) as seen, torch.no_grad():
        layer(values)
        normed = layer.norm1(values)
    assert seen["self_attn.in_proj"][0].shape == (15, 9) and (seen["self_attn.in_proj"][0][:, 8] == 1).all()
    assert torch.allclose(seen["self_attn.in_proj"][0][:, :8], normed.reshape(15, 8), atol=1e-6)
    assert seen["linear2"][0].shape == (15, 17)


def test_measures_of_a_small_matrix():
    found = continual([[0.9, 0.2, 0.1], [0.7, 0.8, 0.3], [0.6, 0.9, 0.8]], before=[0.1, 0.1, 0.2])
    assert found.average == pytest.approx((0.6 + 0.9 + 0.8) / 3)
    assert found.backward == pytest.approx(((0.6 - 0.9) + (0.9 - 0.8)) / 2)
    assert found.forward == pytest.approx(((0.2 - 0.1) + (0.3 - 0.2)) / 2)
    assert found.forgetting == pytest.approx(((0.9 - 0.6) + (0.8 - 0.9)) / 2)
    assert found.learned == pytest.approx((0.9 + 0.8 + 0.8) / 3)
    assert np.isnan(continual([[0.5]]).forward)
    with pytest.raises(PolicyError, match="one row and column a task"):
        continual([[0.1, 0.2]])
