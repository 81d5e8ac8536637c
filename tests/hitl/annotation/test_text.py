"""Where texts are cut: exact offsets, nothing lost, in any script."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hitl.annotation.text import (
    Range,
    graphemes,
    is_grapheme_boundary,
    sentences,
    spaced_words,
    sub_sentences,
    touching,
    trimmed,
    words,
)

FAMILY = "👩\u200d👩\u200d👧"
TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from(list("ab ,;!?.。\n\u0301\u200dé👩👧שא")), st.characters()), max_size=80
)


def cut(text: str, ranges: list[Range]) -> list[str]:
    return [text[start:end] for start, end in ranges]


@settings(deadline=None)
@given(TEXTS)
def test_every_character_that_is_no_space_is_in_one_sentence_and_one_piece_of_it(text):
    for found in (sentences(text), sub_sentences(text)):
        assert all(one.end <= two.start for one, two in pairwise(found))
        assert all(piece and not piece[0].isspace() and not piece[-1].isspace() for piece in cut(text, found))
        assert "".join("".join(cut(text, found)).split()) == "".join(text.split())


@settings(deadline=None)
@given(TEXTS)
def test_words_and_graphemes_are_ordered_and_lose_nothing_but_spaces(text):
    assert "".join("".join(cut(text, words(text))).split()) == "".join(text.split())
    assert "".join(cut(text, graphemes(text))) == text
    edges = {0, len(text), *(start for start, _ in graphemes(text))}
    assert {offset for offset in range(len(text) + 1) if is_grapheme_boundary(text, offset)} == edges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith left. He was 3.5 m tall!", ["Dr. Smith left.", "He was 3.5 m tall!"]),
        ("It is written by J. K. Rowling and was published in 1998. It won.",
         ["It is written by J. K. Rowling and was published in 1998.", "It won."]),
        ("One line\n\nand another", ["One line", "and another"]),
        ("你好。吗？好", ["你好。", "吗？", "好"]),
        ("   ", []),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(text, expected):
    assert cut(text, sentences(text)) == expected


def test_sub_sentences_follow_the_published_rule():
    text = "In the book of this name, the hero, Anna, goes home to her mother and the dog; now all of it is well then."
    assert cut(text, sub_sentences(text)) == [
        "In the book of this name, the hero, Anna,",  # short pieces join the one before them
        "goes home to her mother and the dog;",
        "now all of it is well then.",
    ]
    text = "In May, when all was over, nobody of them went home again."
    assert cut(text, sub_sentences(text)) == ["In May, when all was over,", "nobody of them went home again."]
    assert cut("Yes, it is.", sub_sentences("Yes, it is.")) == ["Yes, it is."]


def published_starts(tokens: list[str]) -> list[int]:
    """`get_subsentence_starts` of allenai/FineGrainedRLHF."""
    starts = [True]
    previous, begun = tokens[0], 0
    for at, token in enumerate(tokens[1:], 1):
        if previous[-1] in ",;!?" and at + 5 < len(tokens):
            if at - begun < 5:
                starts.append(begun > 0)
                if begun > 0:
                    starts[begun] = False
                    begun = at
            else:
                starts.append(True)
                begun = at
        else:
            starts.append(False)
        previous = token
    return [at for at, begins in enumerate(starts) if begins]


@given(st.lists(st.sampled_from(["so", "so,", "so;"]), min_size=1, max_size=40))
def test_sub_sentences_are_those_of_the_published_code(tokens):
    text = " ".join(tokens)
    assume(len(sentences(text)) == 1)
    starts = published_starts(tokens)
    ends = [*starts[1:], len(tokens)]
    expected = [" ".join(tokens[start:end]) for start, end in zip(starts, ends, strict=True)]
    assert cut(text, sub_sentences(text)) == expected


def test_exactly_five_words_may_be_cut_off_but_not_before_five():
    text = "one two three four five, one two three four five six"
    assert cut(text, sub_sentences(text)) == ["one two three four five,", "one two three four five six"]
    assert len(sub_sentences("one two three four five, one two three four five")) == 1
    assert len(sub_sentences("one two three four, one two three four five six")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't pay 3.5 for a-b, no", ["don't", "pay", "3.5", "for", "a-b", ",", "no"]),
        (f"{FAMILY} ok", [FAMILY, "ok"]),
        ("你好 ok", ["你", "好", "ok"]),
        ("cafe\u0301 ouvert", ["cafe\u0301", "ouvert"]),
        ("שלום עולם", ["שלום", "עולם"]),
    ],
)
def test_words(text, expected):
    assert cut(text, words(text)) == expected


def test_an_emoji_of_several_code_points_is_never_cut():
    assert [is_grapheme_boundary(FAMILY, offset) for offset in range(6)] == [True, False, False, False, False, True]


def test_touching_finds_what_shares_a_character():
    found = sentences("One. Two is here. Three.")
    assert list(touching(found, 4, 6)) == [1] and list(touching(found, 0, 24)) == [0, 1, 2]
    assert list(touching(found, 4, 5)) == []
    assert trimmed("  a ", 0, 4) == Range(2, 3) and trimmed("   ", 0, 3) == Range(3, 3)
    assert spaced_words("a,b c", (0, 3)) == [Range(0, 3)]


def test_a_long_line_without_a_full_stop_is_cut_at_spaces():
    found = sentences("word " * 9_000)
    assert len(found) > 1 and all(end - start <= 20_000 for start, end in found)
