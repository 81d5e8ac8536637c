"""Where a cursor may stand and how it moves, in texts of any script."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gui.annotate.cursor import Cursor
from gui.annotate.moves import TextMap
from hitl.annotation.text import is_grapheme_boundary

TEXT = "One two three. Four five, six! Seven."
FAMILY = "👩‍👩‍👧‍👦"
SCRIPTS = f"Naïve cafe\u0301 {FAMILY} says ברוכים הבאים. مرحبا 🏖️ ok."
texts = st.text(
    alphabet=st.sampled_from([*"ab .,!?\n", "é", "e", "\u0301", "א", "ب", "中", "👩", "\u200d", "👧", "🏖", "\ufe0f"]),
    min_size=1, max_size=60,
)  # fmt: skip


def words(cursor: Cursor) -> str:
    start, end = cursor.selection
    return cursor.map.text[start:end]


def test_it_begins_with_the_first_sentence_and_walks():
    cursor = Cursor(TextMap(TEXT))
    assert (words(cursor), cursor.whole) == ("One two three.", True)
    cursor.to_sentence(1)
    assert words(cursor) == "Four five, six!"
    cursor.to_sentence(99)
    assert words(cursor) == "Seven." and cursor.sentence == 2


def test_words_one_after_the_other():
    cursor = Cursor(TextMap(TEXT))
    seen = []
    for _ in range(5):
        cursor.word(1)
        seen.append(words(cursor))
    assert seen == ["One", "two", "three", ".", "Four"]
    cursor.word(-1)
    cursor.word(-1)
    assert words(cursor) == "three"
    for _ in range(9):
        cursor.word(-1)
    assert words(cursor) == "One"


def test_extending_turns_around_at_the_anchor():
    cursor = Cursor(TextMap(TEXT))
    cursor.to(4, 7)
    cursor.extend_word(1)
    assert words(cursor) == "two three"
    cursor.extend_word(-1)
    assert words(cursor) == "two"
    cursor.extend_word(-1)
    assert words(cursor) == "One two"
    cursor.extend_word(1)
    assert words(cursor) == "two"


def test_a_whole_sentence_shrinks_from_its_end():
    cursor = Cursor(TextMap(TEXT))
    cursor.extend_word(-1)
    assert words(cursor) == "One two three"
    cursor.extend_sentence(1)
    assert words(cursor) == "One two three. Four five, six!"
    cursor.extend_sentence(-1)
    assert words(cursor) == "One two three."


def test_exact_ends_move_by_what_a_reader_takes_for_one_character():
    cursor = Cursor(TextMap(SCRIPTS))
    start = SCRIPTS.index(FAMILY)
    cursor.to(start, start + len(FAMILY))
    cursor.nudge(-1, start=False)
    assert words(cursor) == FAMILY, "at least one character stays selected"
    cursor.nudge(1, start=False)
    assert words(cursor) == f"{FAMILY} "
    cursor.nudge(-1, start=True)
    assert words(cursor) == f" {FAMILY} "
    accent = SCRIPTS.index("cafe\u0301")
    cursor.to(accent, accent + 5)
    cursor.nudge(-1, start=False)
    assert words(cursor) == "caf"


def test_a_drag_snaps_to_words_and_exact_to_characters():
    text = TextMap(TEXT)
    assert text.snapped(5, 9) == (4, 13)
    assert text.snapped(9, 5) == (4, 13), "backwards as forwards"
    assert text.snapped(5, 9, exact=True) == (5, 9)
    assert text.snapped(7, 8) == (7, 7), "a blank alone is nothing"
    family = SCRIPTS.index(FAMILY)
    assert TextMap(SCRIPTS).snapped(family + 1, family + 2, exact=True) == (family, family + len(FAMILY))


def test_the_same_words_before():
    text = TextMap("It was lit in 1911. It is high. It was lit in 1911.")
    assert text.place_of_same_text(32, 51) == (0, 19)
    assert text.place_of_same_text(0, 19) is None


@given(texts, st.lists(st.sampled_from(["word+", "word-", "more", "less", "down", "up", "end+", "end-", "start+",
                                        "start-", "home", "end", "sentence+", "sentence-"]), max_size=12))  # fmt: skip
@example("?\n?", ["word+", "word+", "start-", "sentence-"])
def test_whatever_is_pressed_the_selection_is_in_the_text_and_cuts_no_character(text, keys):
    cursor = Cursor(TextMap(text))
    moves = {
        "word+": lambda: cursor.word(1), "word-": lambda: cursor.word(-1), "more": lambda: cursor.extend_word(1),
        "less": lambda: cursor.extend_word(-1), "down": lambda: cursor.to_sentence(cursor.sentence + 1),
        "up": lambda: cursor.to_sentence(cursor.sentence - 1), "end+": lambda: cursor.nudge(1, start=False),
        "end-": lambda: cursor.nudge(-1, start=False), "start+": lambda: cursor.nudge(1, start=True),
        "start-": lambda: cursor.nudge(-1, start=True), "home": lambda: cursor.end_word(-1),
        "end": lambda: cursor.end_word(1), "sentence+": lambda: cursor.extend_sentence(1),
        "sentence-": lambda: cursor.extend_sentence(-1),
    }  # fmt: skip
    for key in keys:
        moves[key]()
        start, end = cursor.selection
        assert 0 <= start < end <= len(text)
        assert is_grapheme_boundary(text, start) and is_grapheme_boundary(text, end)


@given(texts, st.integers(0, 70), st.integers(0, 70), st.booleans())
def test_a_drag_anywhere_selects_whole_characters(text, one, other, exact):
    start, end = TextMap(text).snapped(one, other, exact=exact)
    assert 0 <= start <= end <= len(text)
    assert is_grapheme_boundary(text, start) or not exact
    low, high = sorted((min(one, len(text)), min(other, len(text))))
    if exact:
        assert start <= low and end >= high
