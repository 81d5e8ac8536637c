"""Plain forms of text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.speech.text import clauses, clean, plain, without_fillers


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("  Move the LEFT arm,\tup!! ", "move the left arm up"),
        ("don\u2019t move", "don't move"),
        ("\uff27\uff2f home", "go home"),
        ("caf\u00e9 'now'", "cafe now"),
        ("go\x00home\x1b[31m", "go home 31m"),
        ("anti-clockwise", "anti clockwise"),
        ("!?\u200b", ""),
    ],
)
def test_plain(said: str, words: str) -> None:
    assert plain(said) == words


@pytest.mark.parametrize(
    ("words", "core"),
    [
        ("could you please go home now", "go home"),
        ("ok robot go higher for me please", "go higher"),
        ("nowhere near", "nowhere near"),
        ("please", "please"),
        ("please now", "now"),
    ],
)
def test_fillers_go_but_never_all_of_it(words: str, core: str) -> None:
    assert without_fillers(words) == core


def test_clauses() -> None:
    assert clauses("left, left; stop! now") == ["left", "left", "stop", "now"]
    assert clauses("...") == []


@given(st.text())
def test_plain_is_stable_and_printable(text: str) -> None:
    words = plain(text)
    assert "  " not in words and words == words.strip()
    assert not any(unicodedata.category(c) == "Cc" for c in clean(text))
    assert plain(words) == words
    assert without_fillers(words) or not words
