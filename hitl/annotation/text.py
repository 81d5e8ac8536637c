"""Where texts may be cut: graphemes, words, sentences and sub-sentences, as exact character offsets.

A range is `[start, end)` in code points of the text as it is; nothing is normalised, so offsets of files carry over.
Sentences come from `syntok`; other scripts' full stops and line ends are added here. Sub-sentences follow the
published rule of Fine-Grained RLHF (arXiv 2306.01693; `fgrlhf/reward_utils.py`): within a sentence, a piece ends
behind a word that ends in one of , ; ! ? where more than five words remain; one of under five words joins the piece
before it, or where it is the first, the piece behind it. Knows nothing of labels, windows or models.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import regex
import syntok.segmenter

MIN_SUB_SENTENCE_WORDS = 5
"""`min_subsent_words` of the published code."""
_BLOCK_CHARS = 20_000
"""A long line is handed to the splitter in blocks of about this length: its time grows faster than that."""

_GRAPHEME = regex.compile(r"\X")
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(
    rf"(?:(?=[{_SPACELESS}])\X)"  # scripts without spaces: a grapheme is a step
    rf"|(?:[^\W{_SPACELESS}]\p{{M}}*)(?:[^\W{_SPACELESS}]|[\p{{M}}\u200d]|['’.,:·\-‐/@&+](?=[^\W{_SPACELESS}]))*"
    r"|\X(?<=\S)"  # what is neither space nor letter: one grapheme, such as an emoji
)
_GAP = regex.compile(r"\n\s*\n|[\r\n]+")
_FOREIGN_END = regex.compile(r"[。！？؟۔।॥︒]+[\"'”’»」』）)]*")


class Range(NamedTuple):
    """Characters `start` to `end` of a text, `end` not among them."""

    start: int
    end: int

    def touches(self, other: tuple[int, int]) -> bool:
        """Whether they share a character."""
        return self.start < other[1] and other[0] < self.end


def sentences(text: str) -> list[Range]:
    """Sentences in order, without the spaces around them. Every character that is no space is in exactly one."""
    return list(_sentences(text))


def sub_sentences(text: str, min_words: int = MIN_SUB_SENTENCE_WORDS) -> list[Range]:
    """Sentences, cut at commas by the published rule. Every character that is no space is in exactly one."""
    return [piece for sentence in _sentences(text) for piece in _pieces(text, sentence, min_words)]


def words(text: str) -> list[Range]:
    """Words in order: letters and digits with what joins them ("don't", "3.5"), single graphemes of scripts that are
    written without spaces, and every other grapheme that is no space by itself."""
    return [Range(*match.span()) for match in _WORD.finditer(text) if not match.group().isspace()]


def spaced_words(text: str, within: tuple[int, int] | None = None) -> list[Range]:
    """Words as the published data counts them: what stands between spaces."""
    start, end = within or (0, len(text))
    return [Range(*match.span()) for match in regex.finditer(r"\S+", text, pos=start, endpos=end)]


def graphemes(text: str) -> list[Range]:
    """What a reader takes for single characters (UAX #29): an emoji with its joiners, a letter with its accents."""
    return [Range(*match.span()) for match in _GRAPHEME.finditer(text)]


def is_grapheme_boundary(text: str, offset: int) -> bool:
    """Whether `offset` cuts no grapheme. Looks at few characters around it, not at the whole text."""
    if offset <= 0 or offset >= len(text):
        return 0 <= offset <= len(text)
    start = max(0, offset - 64)
    edges = {match.start() for match in _GRAPHEME.finditer(text, pos=start, endpos=min(len(text), offset + 64))}
    return offset in edges


def trimmed(text: str, start: int, end: int) -> Range:
    """The range without spaces at its ends; empty at `start` where there is nothing else. A space that bears an accent
    is no space."""
    while start < end and text[start].isspace() and is_grapheme_boundary(text, start + 1):
        start += 1
    while end > start and text[end - 1].isspace() and is_grapheme_boundary(text, end):
        end -= 1
    return Range(start, end)


def touching(ranges: Sequence[Range], start: int, end: int) -> range:
    """Indices of those of ordered, disjoint `ranges` that share a character with `[start, end)`."""
    first = bisect_right(ranges, start, key=lambda r: r.end)
    return range(first, bisect_left(ranges, end, lo=first, key=lambda r: r.start))


@lru_cache(maxsize=64)
def _sentences(text: str) -> tuple[Range, ...]:
    return tuple(
        piece
        for block in _blocks(text)
        for found in _split(text[block.start : block.end])
        for piece in _foreign(text, Range(block.start + found.start, block.start + found.end))
    )


def _blocks(text: str) -> list[Range]:
    """Lines, since no sentence goes on behind a line's end; longer ones cut at spaces."""
    edges = [0, *(match.end() for match in _GAP.finditer(text)), len(text)]
    blocks = []
    for start, end in zip(edges, edges[1:], strict=False):
        while end - start > _BLOCK_CHARS:
            cut = text.rfind(". ", start + _BLOCK_CHARS // 2, start + _BLOCK_CHARS) + 1
            cut = cut or text.rfind(" ", start + 1, start + _BLOCK_CHARS) or 0
            cut = cut if cut > start else _boundary_at(text, start + _BLOCK_CHARS)
            blocks.append(trimmed(text, start, cut))
            start = cut
        blocks.append(trimmed(text, start, end))
    return [block for block in blocks if block.end > block.start]


def _boundary_at(text: str, offset: int) -> int:
    while not is_grapheme_boundary(text, offset):
        offset += 1
    return offset


def _split(block: str) -> list[Range]:
    """`syntok` on one line, its offsets mended: what it leaves between two sentences belongs to the first."""
    starts = [
        sentence[0].offset for paragraph in syntok.segmenter.analyze(block) for sentence in paragraph if sentence
    ]
    edges = [0, *sorted(set(starts[1:])), len(block)]
    found = [trimmed(block, start, end) for start, end in zip(edges, edges[1:], strict=False)]
    return [piece for piece in found if piece.end > piece.start]


def _foreign(text: str, sentence: Range) -> list[Range]:
    """Cut behind the full stops of scripts that `syntok` does not know."""
    edges = [match.end() for match in _FOREIGN_END.finditer(text, pos=sentence.start, endpos=sentence.end)]
    cuts = [sentence.start, *(edge for edge in edges if edge < sentence.end), sentence.end]
    return [trimmed(text, start, end) for start, end in zip(cuts, cuts[1:], strict=False)]


def _pieces(text: str, sentence: Range, min_words: int) -> list[Range]:
    found = spaced_words(text, sentence)
    starts = [0]
    for index in range(1, len(found) - min_words):
        if text[found[index - 1].end - 1] not in ",;!?":
            continue
        if index - starts[-1] >= min_words:
            starts.append(index)
        elif starts[-1]:
            starts[-1] = index  # a short piece in the middle belongs to the one before it
    ends = [found[start - 1].end for start in starts[1:]] + [sentence.end]
    return [Range(found[start].start, end) for start, end in zip(starts, ends, strict=True)]
