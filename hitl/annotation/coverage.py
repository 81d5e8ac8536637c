"""Which sentences of the sources a text says, by the published rule of Fine-Grained RLHF.

Each sub-sentence of the text belongs to the most similar source sentence, if it is similar enough: the highest
`quick_ratio` of difflib with any run of as many words, 5 % more (`create_comp_rm_files.py` of
allenai/FineGrainedRLHF). That ratio counts characters in common whatever their order, so it is computed here for all
runs at once. Knows nothing of labels and models.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hitl.annotation.text import Range, sub_sentences

MIN_SIMILARITY = 0.85
_SURPLUS = 0.05


def said(text: str, sentences: Sequence[str]) -> list[tuple[Range, int]]:
    """Each sub-sentence of `text` that some sentence holds, with the place of the most similar one; the first of equal
    ones. The range is of `text` with runs of spaces made single, see `plain`."""
    return list(_said(plain(text), tuple(sentences)))


def plain(text: str) -> str:
    """The text with single spaces, as the published code compares it."""
    return " ".join(text.split())


@lru_cache(maxsize=64)
def _said(text: str, sentences: tuple[str, ...]) -> tuple[tuple[Range, int], ...]:
    runs = [_runs(sentence) for sentence in sentences]
    found = []
    for piece in sub_sentences(text):
        words = text[piece.start : piece.end]
        scores = [one.similarity(words) for one in runs]
        best = max(range(len(scores)), key=scores.__getitem__, default=-1)
        if best >= 0 and scores[best] >= MIN_SIMILARITY:
            found.append((piece, best))
    return tuple(found)


def similarity(sentence: str, piece: str) -> float:
    """0 to 1: the highest `quick_ratio` of `piece` and a run of words of `sentence`; short sentences are filled up."""
    return _runs(sentence).similarity(piece)


class _Runs:
    """One sentence, and how often each character is in each run of its words."""

    def __init__(self, sentence: str) -> None:
        self._words = sentence.split()
        self._text = " ".join(self._words)
        self._columns = {character: at for at, character in enumerate(sorted({*self._text, "#", " "}))}
        counts = [self._count(word) for word in self._words]
        self._before = np.cumsum([np.zeros(len(self._columns), np.int64), *counts], axis=0)

    def similarity(self, piece: str) -> float:
        """See `similarity` of the module."""
        length = len(piece.split())
        length += int(_SURPLUS * length)
        filled = max(0, length - len(self._words) + 1)
        if piece in self._text + " #" * filled:
            return 1.0
        before = self._before
        if filled:
            marks = np.arange(1, filled + 1)[:, None] * self._count("#")
            before = np.concatenate([before, before[-1] + marks])
        runs = before[length:] - before[:-length]
        runs[:, self._columns[" "]] += length - 1
        shared = np.minimum(runs, self._count(piece)).sum(1)
        return float((2.0 * shared / (runs.sum(1) + len(piece))).max())

    def _count(self, text: str) -> NDArray[np.int64]:
        """How often each known character is in a text."""
        counts = np.zeros(len(self._columns), np.int64)
        for character in text:
            at = self._columns.get(character)
            if at is not None:
                counts[at] += 1
        return counts


@lru_cache(maxsize=256)
def _runs(sentence: str) -> _Runs:
    return _Runs(sentence)
