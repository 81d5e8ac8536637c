"""What a rewrite changes, word by word. Knows nothing of windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal

Kind = Literal["same", "out", "in"]
_PIECE = re.compile(r"\s+|\w+|[^\w\s]", re.UNICODE)
MAX_PIECES = 4_000
"""Longer texts are compared without looking for the best match, which would take seconds."""


@dataclass(frozen=True)
class Piece:
    """Text that stayed, was taken out, or was put in."""

    kind: Kind
    text: str


@lru_cache(maxsize=16)
def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Pieces in order: `same` and `out` make up `before`, `same` and `in` make up `after`."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old = _PIECE.findall(before[head : len(before) - tail])
    new = _PIECE.findall(after[head : len(after) - tail])
    found: list[Piece] = [Piece("same", before[:head])]
    if len(old) + len(new) > MAX_PIECES:
        found += [Piece("out", "".join(old)), Piece("in", "".join(new))]
    else:
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                found.append(Piece("same", "".join(old[a:b])))
            else:
                found += [Piece("out", "".join(old[a:b])), Piece("in", "".join(new[c:d]))]
    found.append(Piece("same", before[len(before) - tail :]))
    return tuple(_joined([piece for piece in found if piece.text]))


def changed_words(pieces: tuple[Piece, ...]) -> tuple[int, int]:
    """How many words were taken out and put in."""
    counts = {"out": 0, "in": 0, "same": 0}
    for piece in pieces:
        counts[piece.kind] += len(re.findall(r"\w+", piece.text))
    return counts["out"], counts["in"]


def _common(one: str, other: str) -> int:
    """Length of what both begin with, cut back to behind a space so that no word is cut."""
    count = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if count == len(one) == len(other):
        return count
    while count and not one[count - 1].isspace():
        count -= 1
    return count


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].kind == piece.kind:
            joined[-1] = Piece(piece.kind, joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined
