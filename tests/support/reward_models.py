"""What every RewardModel promises, as a test class that any implementation runs; and small things to test with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.encoders import text_model_path
from policies.rewards.backbone import Backbone, load_backbone
from policies.rewards.documents import Document
from policies.rewards.model import RewardModel, token_rewards

SOURCES = (
    ("Battle of Princeton", "It was fought on January 3, 1777.", "Washington led the Americans to a small victory."),
    ("Charles Mawhood", "Mawhood led the British regiments in Princeton."),
)


def document(
    answer: str, cuts: Sequence[int] = (), *, name: str = "", prompt: str = "Who led the British?"
) -> Document:
    """An answer cut into sub-sentences at `cuts`; it is one sentence."""
    edges = [0, *cuts, len(answer)]
    pieces = tuple((a, b) for a, b in zip(edges, edges[1:], strict=False) if b > a)
    segments = {"sub_sentence": pieces, "sentence": ((0, len(answer)),) if answer else ()}
    return Document(name or answer, prompt, SOURCES, answer, segments)  # type: ignore[arg-type]


def tiny_encoder(folder: Path) -> Backbone:
    """A BERT of random weights with 128 positions and MiniLM's words."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=128
    )
    return _kept(BertModel(config, add_pooling_layer=False), folder)


def tiny_decoder(folder: Path) -> Backbone:
    """A Llama of random weights with 4096 positions and MiniLM's words."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, max_position_embeddings=4096, bos_token_id=101, eos_token_id=102, pad_token_id=0,
    )  # fmt: skip
    return _kept(LlamaForCausalLM(config), folder)


def _kept(model: torch.nn.Module, folder: Path) -> Backbone:
    from transformers import AutoTokenizer

    model.save_pretrained(folder)  # type: ignore[operator]
    AutoTokenizer.from_pretrained(text_model_path()).save_pretrained(folder)
    return load_backbone(str(folder), "cpu")


class RewardModelConformance:
    """Subclasses give a fixture `model`."""

    def test_one_prediction_a_document_in_order(self, model: RewardModel) -> None:
        documents = [document("Mawhood led them, and he lost.", [17]), document("Nobody."), document("A. B", [2])]
        predicted = model.predict(documents)
        for head in model.heads:
            for one, found in zip(documents, predicted, strict=True):
                count = len(one.spans(head.density))
                assert len(found.rewards[head.name]) == count
                if head.kind == "error":
                    assert len(found.chances[head.name]) == len(found.errors[head.name]) == count
                    assert all(0 <= chance <= 1 for chance in found.chances[head.name])
                else:
                    assert np.isfinite(found.scores[head.name])
        assert all(0 <= found.uncertainty <= 1 for found in predicted)

    def test_neighbours_make_no_difference(self, model: RewardModel) -> None:
        documents = [
            document("Mawhood led them, and he lost.", [17]),
            document("Washington did."),
            document("Nobody."),
        ]
        together = model.predict(documents)
        for one, found in zip(documents, together, strict=True):
            alone = model.predict([document(one.answer, [s[0] for s in one.spans("sub_sentence")][1:])])[0]
            for name, chances in found.chances.items():
                np.testing.assert_allclose(chances, alone.chances[name], atol=1e-4)
            for name, score in found.scores.items():
                assert score == pytest.approx(alone.scores[name], abs=1e-4)

    def test_an_empty_answer_and_one_without_sources(self, model: RewardModel) -> None:
        empty = model.predict([document("")])[0]
        assert all(not rewards for rewards in empty.rewards.values())
        bare = Document("bare", "Who?", (), "Mawhood.", {"sentence": ((0, 8),), "sub_sentence": ((0, 8),)})
        assert all(np.isfinite(r).all() for r in model.predict([bare])[0].rewards.values())

    def test_no_documents(self, model: RewardModel) -> None:
        assert model.predict([]) == []

    def test_rewards_on_tokens_add_up_to_those_of_segments(self, model: RewardModel) -> None:
        one = document("Mawhood led them, and he lost.", [17])
        found = model.predict([one])[0]
        offsets = [(at, at + 3) for at in range(0, len(one.answer), 3)]
        placed = token_rewards(model.heads, one, found, offsets)
        assert placed.shape == (len(offsets),)
        assert placed.sum() == pytest.approx(sum(sum(rewards) for rewards in found.rewards.values()), abs=1e-6)
