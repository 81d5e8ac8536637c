"""Where a cursor may stand in a text and how it moves: by grapheme, word and sentence; snapping of what was dragged.

A place is a range of code points of the text as it is. Everything is found once for a text and then looked up, so that
a key costs the same in a long text. Knows nothing of labels or windows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property, lru_cache

from hitl.annotation.text import Range, graphemes, sentences, touching, trimmed, words


class TextMap:
    """The graphemes, words and sentences of one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def edges(self) -> list[int]:
        """Every offset at which no grapheme is cut, 0 and the length among them."""
        return [0, *(found.end for found in graphemes(self.text))]

    @cached_property
    def words(self) -> list[Range]:
        """Words in order."""
        return words(self.text)

    @cached_property
    def sentences(self) -> list[Range]:
        """Sentences in order; a text without any is one."""
        return sentences(self.text) or [Range(0, len(self.text))]

    def sentence_at(self, offset: int) -> int:
        """Index of the sentence that `offset` is in, or of the one before the gap it is in."""
        return max(0, bisect_right(self.sentences, offset, key=lambda r: r.start) - 1)

    def word_at(self, offset: int) -> int:
        """Index of the word that `offset` is in, or of the next one; the last one behind all."""
        place = bisect_right(self.words, offset, key=lambda r: r.end)
        return min(place, len(self.words) - 1)

    def word(self, index: int) -> Range:
        """The word at `index`, kept within the text; the whole text where it has no words."""
        if not self.words:
            return Range(0, len(self.text))
        return self.words[max(0, min(index, len(self.words) - 1))]

    def words_in(self, start: int, end: int) -> range:
        """Indices of the words that share a character with the range."""
        return touching(self.words, start, end)

    def edge(self, offset: int, *, up: bool = False) -> int:
        """`offset`, moved down (or up) to where no grapheme is cut."""
        if up:
            return self.edges[min(bisect_left(self.edges, offset), len(self.edges) - 1)]
        return self.edges[max(0, bisect_right(self.edges, offset) - 1)]

    def step(self, offset: int, count: int) -> int:
        """`offset`, moved by `count` graphemes and kept within the text."""
        place = bisect_left(self.edges, self.edge(offset))
        return self.edges[max(0, min(place + count, len(self.edges) - 1))]

    def next_word_end(self, offset: int) -> int:
        """The nearest end of a word behind `offset`; the end of the last one."""
        place = bisect_right(self.words, offset, key=lambda r: r.end)
        return self.word(place).end

    def word_end_before(self, offset: int) -> int:
        """The nearest end of a word before `offset`; the end of the first one."""
        return self.word(bisect_left(self.words, offset, key=lambda r: r.end) - 1).end

    def snapped(self, one: int, other: int, *, exact: bool = False) -> Range:
        """What a drag between two offsets selects: whole words that it touches, or graphemes where it is exact.

        A drag over nothing but spaces selects nothing: an empty range.
        """
        low, high = sorted((max(0, one), min(max(0, other), len(self.text))))
        if exact:
            return Range(self.edge(low), self.edge(high, up=True))
        touched = self.words_in(low, max(high, low + 1))
        if not touched or (low == high and not self.words[touched[0]].start <= low):
            return Range(low, low)
        return Range(self.words[touched[0]].start, self.words[touched[-1]].end)

    def place_of_same_text(self, start: int, end: int) -> Range | None:
        """The nearest earlier place at which the same words stand; None where there is none."""
        piece = trimmed(self.text, start, end)
        found = self.text.rfind(self.text[piece.start : piece.end], 0, piece.start)
        return Range(found, found + piece.end - piece.start) if found >= 0 and piece.end > piece.start else None


@lru_cache(maxsize=32)
def text_map(text: str) -> TextMap:
    """The map of a text, made once."""
    return TextMap(text)


def hull(ranges: Sequence[tuple[int, int]]) -> Range:
    """The smallest range around all of them."""
    return Range(min(start for start, _ in ranges), max(end for _, end in ranges))
