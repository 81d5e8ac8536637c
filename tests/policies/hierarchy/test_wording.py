"""Variations of phrases keep what they mean; other sentences never are the phrases themselves."""

from __future__ import annotations

import random

from policies.hierarchy.wording import other_sentences, sample_phrases, vary

PHRASES = ["move the left arm a bit up", "pick up the red block", "don't move", "close your right hand"]


def test_variations_keep_the_words_that_carry_the_meaning() -> None:
    rng = random.Random(0)
    variations = {vary("move the left arm a bit up", rng) for _ in range(200)}
    assert len(variations) > 100
    for variation in variations:
        said = variation.lower().replace(",", "").strip("!.?").split()
        assert {"move", "left", "arm", "up"} <= set(said), variation


def test_the_same_seed_gives_the_same_words() -> None:
    first = sample_phrases(PHRASES, 3, random.Random(4))
    assert first == sample_phrases(PHRASES, 3, random.Random(4)) != sample_phrases(PHRASES, 3, random.Random(5))
    assert first[: len(PHRASES)] == PHRASES and len(first) == 4 * len(PHRASES)


def test_other_sentences_forbid_commands_but_never_a_rest() -> None:
    others = other_sentences(3000, PHRASES, random.Random(1))
    lowered = {sentence.lower() for sentence in others}
    assert not lowered & set(PHRASES)
    assert any("red block" in sentence for sentence in lowered), "forbidden commands are among them"
    assert not any("don't move" in sentence for sentence in lowered)
    assert len(lowered) > 1000
