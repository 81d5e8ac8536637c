"""Training the encoder itself, with tiny ones: what moves, what is masked, and that the result is read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.errors import CheckpointError, PolicyError
from policies.rewards.backbone import Backbone, load_backbone
from policies.rewards.documents import FINE_GRAINED, Document, HeadSpec, Label, Preferred, SegmentLabels
from policies.rewards.encoder import RewardEncoder
from policies.rewards.ensemble import Ensemble
from policies.rewards.learner import RewardLearner
from policies.rewards.model import Prediction
from policies.rewards.tuning import RewardNetwork, Tuning, load_heads, save_network, tune
from tests.support.reward_models import RewardModelConformance, document

DOCUMENTS = {
    d.id: d for d in (document("Mawhood led them, the end.", [17]), document("Bananas."), document("It was."))
}
NAMES = list(DOCUMENTS)
LABELS: dict[str, Label] = {
    "a": SegmentLabels("relevance", NAMES[0], (0, 1)),
    "b": SegmentLabels("factuality", NAMES[0], (None,)),
    "c": Preferred("preference", NAMES[0], NAMES[1]),
}


def fresh(backbone: Backbone) -> RewardNetwork:
    return RewardNetwork(load_backbone(backbone.name, "cpu"), FINE_GRAINED)


class TestConformance(RewardModelConformance):
    @pytest.fixture(params=["encoder", "decoder"])
    def model(self, request: pytest.FixtureRequest) -> RewardNetwork:
        network = fresh(request.getfixturevalue(request.param))
        tune(network, DOCUMENTS, LABELS, Tuning(epochs=2))
        return network


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("mode", ["lora", "full"])
def test_it_learns_and_moves_what_it_should(kind: str, mode: str, request: pytest.FixtureRequest) -> None:
    network = fresh(request.getfixturevalue(kind))
    before = {name: p.detach().clone() for name, p in network.backbone.model.named_parameters()}
    settings = Tuning(mode=mode, epochs=30, rate=3e-3, head_rate=1e-2)  # type: ignore[arg-type]
    losses = tune(network, DOCUMENTS, LABELS, settings)
    assert losses[-1] < 0.5 * losses[0]
    found = network.predict([DOCUMENTS[NAMES[0]], DOCUMENTS[NAMES[1]]])
    assert found[0].errors["relevance"] == (False, True)
    assert found[0].scores["preference"] > found[1].scores["preference"]
    after = dict(network.backbone.model.named_parameters())
    moved = {name for name, old in before.items() if name in after and not torch.equal(old, after[name])}
    assert bool(moved) == (mode == "full")


def test_what_is_unknown_moves_no_weight_of_its_head(encoder: Backbone) -> None:
    network = fresh(encoder)
    tune(network, DOCUMENTS, LABELS, Tuning(epochs=2))
    assert network.layers["relevance"].weight.abs().max() > 0
    assert network.layers["factuality"].weight.abs().max() == 0


def test_equal_seeds_give_equal_weights(encoder: Backbone) -> None:
    one, two = fresh(encoder), fresh(encoder)
    for network in (one, two):
        tune(network, DOCUMENTS, LABELS, Tuning(epochs=2, seed=4))
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        if "pooler" not in name:  # this file has none, so that it is drawn at random and never used
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_what_it_saves_is_an_encoder_for_a_learner(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    network = fresh(request.getfixturevalue(kind))
    tune(network, DOCUMENTS, LABELS, Tuning(epochs=10, rate=3e-3))
    expected = network.predict(list(DOCUMENTS.values()))
    save_network(network, tmp_path)
    again = RewardNetwork(load_backbone(str(tmp_path), "cpu"), FINE_GRAINED)
    load_heads(again, tmp_path)
    for a, b in zip(expected, again.predict(list(DOCUMENTS.values())), strict=True):
        np.testing.assert_allclose(a.chances["relevance"], b.chances["relevance"], atol=1e-4)
    tuned, plain = RewardEncoder(str(tmp_path), device="cpu"), RewardEncoder(backbone=request.getfixturevalue(kind))
    one, other = (reader.features([DOCUMENTS[NAMES[0]]])[0].whole for reader in (tuned, plain))
    assert np.abs(one - other).max() > 1e-3


def test_nothing_to_learn_from_and_heads_that_are_not_there(encoder: Backbone, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="labels"):
        tune(fresh(encoder), DOCUMENTS, {})
    with pytest.raises(CheckpointError, match="reward_heads"):
        load_heads(fresh(encoder), tmp_path)


class Fixed:
    """A model that says what it was told."""

    def __init__(self, heads: tuple[HeadSpec, ...], chances: dict[str, tuple[float, ...]]) -> None:
        self.heads, self._chances = heads, chances

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        errors = {name: tuple(x > 0.5 for x in values) for name, values in self._chances.items()}
        return [Prediction(self._chances, {}, dict(self._chances), errors, 0.0) for _ in documents]


def test_an_ensemble_averages_log_odds_where_both_have_a_head() -> None:
    relevance, factuality = FINE_GRAINED[:2]
    one = Fixed((relevance, factuality), {"relevance": (0.8, 0.4), "factuality": (0.9,)})
    two = Fixed((relevance,), {"relevance": (0.2, 0.1)})
    found = Ensemble((one, two)).predict([DOCUMENTS[NAMES[0]]])[0]
    assert found.chances["relevance"][0] == pytest.approx(0.5)
    assert found.chances["relevance"][1] == pytest.approx(1 / (1 + (1.5 * 9) ** 0.5))
    assert found.chances["factuality"] == (0.9,) and found.errors["factuality"] == (True,)
    assert found.rewards["relevance"][1] == pytest.approx(0.3 * (1 - 2 * found.chances["relevance"][1]))
    alone = Ensemble((one, two), {"relevance": 0.0}).predict([DOCUMENTS[NAMES[0]]])[0]
    assert alone.chances["relevance"] == pytest.approx((0.8, 0.4))


class TestEnsembleConformance(RewardModelConformance):
    @pytest.fixture
    def model(self, encoder: Backbone) -> Ensemble:
        return Ensemble((RewardLearner(RewardEncoder(backbone=encoder)), fresh(encoder)))
