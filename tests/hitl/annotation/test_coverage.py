"""Which source sentences a text says: the published similarity, exactly."""

from __future__ import annotations

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.annotation.coverage import plain, said, similarity
from hitl.annotation.text import sub_sentences

SOURCES = ("The cat sat on the red mat in the hall.", "It rained for days in the whole county.")


def published(sentence: str, piece: str) -> float:
    """`find_best_p_sents` and `_find_approximate_matching_sequence` of allenai/FineGrainedRLHF, for one pair."""
    words = len(piece.split())
    length = words + int(0.05 * words)
    filled = length - len(sentence.split()) + 1
    if filled > 0:
        sentence += " #" * filled
    if piece in sentence:
        return 1.0
    matcher, best = SequenceMatcher(), 0.0
    matcher.set_seq2(piece)
    tokens = sentence.split()
    for start in range(len(tokens) - length + 1):
        matcher.set_seq1(" ".join(tokens[start : start + length]))
        best = max(best, matcher.quick_ratio())
    return best


WORDS = st.lists(st.text("abc#é", min_size=1, max_size=4), min_size=1, max_size=30).map(" ".join)


@given(WORDS, WORDS)
def test_similarity_is_the_published_one(sentence: str, piece: str) -> None:
    assert similarity(sentence, piece) == published(sentence, piece)


@pytest.mark.parametrize("piece", ["1,400 British troops were under Mawhood,", "Cornwallis had left", "long ago"])
def test_similarity_of_real_sentences(piece: str) -> None:
    sentence = "General Lord Cornwallis had left 1,400 British troops under the command of Mawhood in Princeton."
    assert similarity(sentence, piece) == published(sentence, piece)
    assert similarity("Short one.", piece) == published("Short one.", piece)


def test_what_is_said_has_its_place() -> None:
    text = "The cat sat on  the red mat in the hall. Nobody knows why. It rained for days in a whole county."
    found = said(text, SOURCES)
    assert [(plain(text)[piece.start : piece.end], place) for piece, place in found] == [
        ("The cat sat on the red mat in the hall.", 0),
        ("It rained for days in a whole county.", 1),
    ]
    assert len(sub_sentences(plain(text))) == 3


def test_of_equal_sentences_the_first_is_said() -> None:
    assert [place for _, place in said("It rained for days.", ("It rained for days.", "It rained for days."))] == [0]


def test_without_sources_or_text_nothing_is_said() -> None:
    assert said("It rained.", ()) == [] and said("", SOURCES) == [] and said("It rained for days.", ("",)) == []
