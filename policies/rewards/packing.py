"""Puts a prompt, its sources and all answers to it into one row of tokens, so that one encoder pass reads them all.

Two layouts. `tree`, for encoders with long contexts: prompt and sources stand once at the front, and each answer sees
them and itself, but no other answer. `blocks`, for short ones (MiniLM has 512 positions): prompt, each source sentence
and each answer (with the prompt before it) are blocks that see only themselves. Nothing is padded, and what answers
share is read once. Knows nothing of models and labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from policies.errors import PolicyError
from policies.rewards.documents import Document, Span

Layout = Literal["tree", "blocks"]


@dataclass(frozen=True)
class Part:
    """Some text and its tokens. places: of the tokens in the row; offsets: the characters of each in the text."""

    text: str
    places: list[int]
    offsets: list[Span]


@dataclass
class Row:
    """One row of tokens: ids, positions and block of each. `parent` of a block is what it sees besides itself."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)

    def open_block(self, parent: int = -1) -> int:
        self.parents.append(parent)
        return len(self.parents) - 1

    def add(self, block: int, ids: Sequence[int], start: int) -> list[int]:
        """Append tokens at positions from `start` on; returns their places in the row."""
        places = list(range(len(self.ids), len(self.ids) + len(ids)))
        self.ids.extend(ids)
        self.positions.extend(range(start, start + len(ids)))
        self.blocks.extend([block] * len(ids))
        return places

    def mask(self, causal: bool) -> Tensor:
        """Which token sees which: bool `(1, 1, tokens, tokens)`."""
        blocks = torch.tensor(self.blocks)
        parents = torch.tensor(self.parents)[blocks]
        seen = (blocks[:, None] == blocks[None, :]) | (parents[:, None] == blocks[None, :])
        if causal:
            places = torch.arange(len(self.ids))
            seen &= places[:, None] >= places[None, :]
        return seen[None, None]


@dataclass(frozen=True)
class Packed:
    """A row and where its parts are: the prompt, the sources' sentences in order (without titles) and the answers.

    before: for each answer the places of the tokens before each of its tokens, from which a decoder foretells them.
    """

    row: Row
    prompt: Part
    sources: list[Part]
    answers: list[Part]
    before: list[list[int]]


class Packer:
    """Packs documents of one group. tokenizer: a fast one of transformers; limit: positions of the encoder."""

    def __init__(self, tokenizer: Any, layout: Layout, limit: int) -> None:
        self._tokenizer = tokenizer
        self._layout = layout
        self._limit = limit
        plain = tokenizer("", add_special_tokens=True)["input_ids"]
        self._first: list[int] = plain[:1] or ([tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else [])
        self._last: list[int] = plain[1:]

    def pack(self, documents: Sequence[Document]) -> Packed:
        """documents: with equal prompt and sources. Raises PolicyError where they are too long for the encoder."""
        packed = self._tree(documents) if self._layout == "tree" else self._blocks(documents)
        longest = max(packed.row.positions, default=0) + 1
        if longest > self._limit:
            raise PolicyError(
                f"needs {longest} tokens, and the encoder reads {self._limit}.",
                field=documents[0].id,
                hint="Shorten its sources, or choose an encoder with a longer context.",
            )
        return packed

    def _tokens(self, text: str) -> tuple[list[int], list[Span]]:
        found = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return found["input_ids"], [(int(start), int(end)) for start, end in found["offset_mapping"]]

    def _tree(self, documents: Sequence[Document]) -> Packed:
        row, at = Row(), 0
        shared = row.open_block()

        def add(before: str, text: str, after: str = "") -> Part:
            nonlocal at
            ids, offsets = self._tokens(before + text + after)
            part = _part(text, row.add(shared, ids, at), offsets, len(before))
            at += len(ids)
            return part

        at += len(row.add(shared, self._first, 0))
        prompt = add("question: ", documents[0].prompt.strip(), "\n")
        sources = []
        for title, *sentences in documents[0].sources:
            add("\ncontext: ", title, "\n")
            sources += [add(" ", sentence) for sentence in sentences]
        # Once more, so that a decoder still knows it when it reads the answer.
        add("\n\nquestion: ", documents[0].prompt.strip(), "\nanswer:")
        answers, before = [], []
        for document in documents:
            ids, offsets = self._tokens(" " + document.answer)
            places = row.add(row.open_block(shared), ids, at)
            answers.append(Part(document.answer, places, _shifted(offsets, 1)))
            before.append([at - 1, *places[:-1]] if places else [])
        return Packed(row, prompt, sources, answers, before)

    def _blocks(self, documents: Sequence[Document]) -> Packed:
        row = Row()
        prompt = self._block(row, [], documents[0].prompt)
        sources = [self._block(row, [], s) for passage in documents[0].sources for s in passage[1:]]
        answers, before = [], []
        head = [row.ids[place] for place in prompt.places]
        for document in documents:
            answer = self._block(row, head, document.answer)
            answers.append(answer)
            before.append([max(0, place - 1) for place in answer.places])
        return Packed(row, prompt, sources, answers, before)

    def _block(self, row: Row, head: list[int], text: str) -> Part:
        """Text in blocks of its own: one, or as many as its length needs, each with the prompt before it."""
        ids, offsets = self._tokens(text)
        lead = [*self._first, *head, *(self._last[:1] if head else [])]
        room = self._limit - len(lead) - len(self._last)
        if room < 1:
            lead, room = lead[: self._limit // 2], self._limit - self._limit // 2 - len(self._last)
        places: list[int] = []
        for start in range(0, max(1, len(ids)), room):
            block, piece = row.open_block(), ids[start : start + room]
            first = row.add(block, [*lead, *piece, *self._last], 0)
            places += first[len(lead) : len(lead) + len(piece)]
        return Part(text, places, offsets)


def _shifted(offsets: Sequence[Span], by: int) -> list[Span]:
    return [(max(0, start - by), max(0, end - by)) for start, end in offsets]


def _part(text: str, places: list[int], offsets: Sequence[Span], lead: int) -> Part:
    """The tokens of `text` alone, without those of the words around it."""
    kept = [
        (place, (max(0, start - lead), min(len(text), end - lead)))
        for place, (start, end) in zip(places, offsets, strict=True)
        if end > lead and start < lead + len(text)
    ]
    return Part(text, [place for place, _ in kept], [span for _, span in kept])
