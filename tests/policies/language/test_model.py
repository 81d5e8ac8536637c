"""The embedded language model writes; slowly, so once for all tests."""

from __future__ import annotations

import pytest

from policies.errors import PolicyError
from policies.language.model import EMBEDDED, Sampling, embedded_path, load

PROMPT = "The pond was dug in 1912.\n\nAnswer in a few words, from the text above alone: when was the pond dug?"


@pytest.fixture(scope="module")
def model():
    return load(device="cpu")


def test_the_embedded_model_is_in_a_package(model):
    assert embedded_path().suffix == ".gguf" and model.name == EMBEDDED


def test_it_reads_its_prompt(model):
    (text,) = model.write(PROMPT, 1, Sampling(max_tokens=12, temperature=0))
    assert "1912" in text


def test_the_same_seed_gives_the_same_words_and_another_seed_others(model):
    def write(seed):
        return model.write("Tell me something about ponds.", 2, Sampling(max_tokens=8, temperature=1.0, seed=seed))

    first = write(1)
    assert len(first) == 2 and first[0] != first[1]
    assert write(1) == first and write(2) != first


def test_it_tells_what_it_has_so_far_and_can_be_stopped(model):
    told = []
    sampling = Sampling(max_tokens=30, temperature=0)
    (text,) = model.write(PROMPT, 1, sampling, told=told.append, stopped=lambda: len(told) >= 3)
    assert len(told) == 3 and told[-1] == [text] and told[0][0] == text[: len(told[0][0])]


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(PolicyError, match="cannot be loaded"):
        load(str(tmp_path), "cpu")
