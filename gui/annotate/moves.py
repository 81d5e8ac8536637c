"""Where a cursor may stand on a track and how it moves: by character, word and sentence of a text; by tenth, half
second and stretch of a recording; snapping of what was dragged.

A place is a range of code points of the text as it is, or of milliseconds. Everything is found once for a track and
then looked up, so that a key costs the same on a long one. Knows nothing of labels or windows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property, lru_cache

from hitl.annotation.items import Item
from hitl.annotation.text import Range, graphemes, sentences, touching, trimmed, words

TENTH_MS = 100
"""The smallest step on a recording."""
WORD_MS = 500
"""The step of the arrow keys on a recording; with a tenth, what lies between two commands is quickly marked."""
_SLIVER_MS = 200
"""A shorter rest of a stretch belongs to the half second beside it."""


class TrackMap(ABC):
    """What every track has: edges, words and sentences, whatever they are on it. text: empty on a recording."""

    text = ""
    unit = "sentence"
    """What a sentence is called on this track."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Where the track ends."""

    @property
    @abstractmethod
    def edges(self) -> Sequence[int]:
        """Every offset at which the smallest piece begins or ends, 0 and the length among them."""

    @property
    @abstractmethod
    def words(self) -> Sequence[Range]:
        """Words in order."""

    @property
    @abstractmethod
    def sentences(self) -> Sequence[Range]:
        """Sentences in order, at least one."""

    @abstractmethod
    def snapped(self, one: int, other: int, *, exact: bool = False) -> Range:
        """What a drag between two offsets selects; nothing where the range is empty."""

    def place_of_same_text(self, start: int, end: int) -> Range | None:
        """The nearest earlier place at which the same words stand; None where there is none."""
        return None

    def sentence_at(self, offset: int) -> int:
        """Index of the sentence that `offset` is in, or of the one before the gap it is in."""
        return max(0, bisect_right(self.sentences, offset, key=lambda r: r.start) - 1)

    def word_at(self, offset: int) -> int:
        """Index of the word that `offset` is in, or of the next one; the last one behind all."""
        place = bisect_right(self.words, offset, key=lambda r: r.end)
        return min(place, len(self.words) - 1)

    def word(self, index: int) -> Range:
        """The word at `index`, kept within the track; the whole track where it has no words."""
        if not self.words:
            return Range(0, self.length)
        return self.words[max(0, min(index, len(self.words) - 1))]

    def words_in(self, start: int, end: int) -> range:
        """Indices of the words that share a character with the range."""
        return touching(self.words, start, end)

    def edge(self, offset: int, *, up: bool = False) -> int:
        """`offset`, moved down (or up) to the nearest edge."""
        if up:
            return self.edges[min(bisect_left(self.edges, offset), len(self.edges) - 1)]
        return self.edges[max(0, bisect_right(self.edges, offset) - 1)]

    def step(self, offset: int, count: int) -> int:
        """`offset`, moved by `count` edges and kept within the track."""
        place = bisect_left(self.edges, offset)
        if count > 0 and place < len(self.edges) and self.edges[place] != offset:
            count -= 1  # from between two edges, the next one is a step away
        return self.edges[max(0, min(place + count, len(self.edges) - 1))]

    def next_word_end(self, offset: int) -> int:
        """The nearest end of a word behind `offset`; the end of the last one."""
        place = bisect_right(self.words, offset, key=lambda r: r.end)
        return self.word(place).end

    def word_end_before(self, offset: int) -> int:
        """The nearest end of a word before `offset`; the end of the first one."""
        return self.word(bisect_left(self.words, offset, key=lambda r: r.end) - 1).end


class TextMap(TrackMap):
    """The graphemes, words and sentences of one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def length(self) -> int:
        """Its code points."""
        return len(self.text)

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


class TimeMap(TrackMap):
    """A recording in milliseconds: tenths of a second, half seconds, and the stretches in which something was done."""

    unit = "stretch"

    def __init__(self, duration_ms: int, stretches: Sequence[tuple[int, int]] = ()) -> None:
        self._duration_ms = duration_ms
        self._stretches = [Range(*place) for place in stretches] or [Range(0, duration_ms)]

    @property
    def length(self) -> int:
        """Its milliseconds."""
        return self._duration_ms

    @cached_property
    def edges(self) -> list[int]:
        """Tenths of a second, and where stretches begin and end."""
        return sorted({*range(0, self.length, TENTH_MS), *(place.end for place in self._stretches), self.length})

    @cached_property
    def words(self) -> list[Range]:
        """Half seconds by the clock; at the ends of a stretch they are as much shorter or longer as it takes."""
        return [piece for place in self._stretches for piece in _half_seconds(place)]

    @property
    def sentences(self) -> list[Range]:
        """Stretches in order; a recording without any is one."""
        return self._stretches

    def snapped(self, one: int, other: int, *, exact: bool = False) -> Range:
        """What a drag between two moments selects: from the nearest edge to the nearest edge, or just that."""
        low, high = sorted((max(0, one), min(max(0, other), self.length)))
        return Range(low, high) if exact else Range(self.nearest_edge(low), self.nearest_edge(high))

    def nearest_edge(self, offset: int) -> int:
        """The tenth, or the end of a stretch, that is nearest to a moment."""
        low, high = self.edge(offset), self.edge(offset, up=True)
        return low if offset - low < high - offset else high


def _half_seconds(place: Range) -> list[Range]:
    first = -(-(place.start + _SLIVER_MS) // WORD_MS) * WORD_MS
    cuts = [place.start, *range(first, place.end - _SLIVER_MS + 1, WORD_MS), place.end]
    return [Range(start, end) for start, end in zip(cuts, cuts[1:], strict=False)]


@lru_cache(maxsize=32)
def text_map(text: str) -> TextMap:
    """The map of a text, made once."""
    return TextMap(text)


@lru_cache(maxsize=32)
def _time_map(duration_ms: int, stretches: tuple[tuple[int, int], ...]) -> TimeMap:
    return TimeMap(duration_ms, stretches)


def time_map(item: Item) -> TimeMap:
    """The map of a recording, made once."""
    return _time_map(item.duration_ms, tuple((stretch.start_ms, stretch.end_ms) for stretch in item.stretches))


def hull(ranges: Sequence[tuple[int, int]]) -> Range:
    """The smallest range around all of them."""
    return Range(min(start for start, _ in ranges), max(end for _, end in ranges))
