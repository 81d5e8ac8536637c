"""What reward models are given: an answer to a prompt, cut into segments, and what people said about it.

Offsets are characters of the answer, `[start, end)`. Segments come from outside; so do labels, each with an id, so
that one can be changed or taken back. Knows nothing of models, files or windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from policies.errors import PolicyError

Density = Literal["token", "sub_sentence", "sentence", "whole"]
Kind = Literal["error", "preference", "coverage"]
Span = tuple[int, int]


@dataclass(frozen=True)
class HeadSpec:
    """One category, or a group of them, that a reward model scores.

    kind: `error` says for every segment whether there is an error; `preference` says of two answers which is better;
    `coverage` says how much of what was wanted from the sources is in the answer. The latter two have density `whole`.
    weight: the size of its reward, as the published 0.3, 0.5 and 0.3. categories: of errors, which a head of kind
    `error` tells apart; none for a head that does not.
    """

    name: str
    density: Density
    kind: Kind
    weight: float = 1.0
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind != "error" and self.density != "whole":
            raise PolicyError(f"of kind {self.kind} needs the density whole, not {self.density}.", field=self.name)


FINE_GRAINED = (
    HeadSpec("relevance", "sub_sentence", "error", 0.3, ("Irrelevant", "Redundant", "Incoherent")),
    HeadSpec("factuality", "sentence", "error", 0.5, ("Wrong-Grounding", "Unverifiable")),
    HeadSpec("completeness", "whole", "coverage", 0.3),
    HeadSpec("preference", "whole", "preference", 0.0),
)
"""The heads of Fine-Grained RLHF (arXiv 2306.01693), with its weights; what people prefer is learned, but pays nothing
unless it is given a weight, since there it is the baseline."""


@dataclass(frozen=True)
class Document:
    """An answer with what it answers. sources: passages as tuples of sentences, the title first or empty.

    segments: for each density its spans in order, without overlap. The whole answer needs no entry.
    Raises PolicyError where a span is outside of the answer, empty or out of order.
    """

    id: str
    prompt: str
    sources: tuple[tuple[str, ...], ...]
    answer: str
    segments: Mapping[Density, tuple[Span, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for density, spans in self.segments.items():
            last = 0
            for at, (start, end) in enumerate(spans):
                if not last <= start < end <= len(self.answer):
                    raise PolicyError(
                        f"[{start}, {end}) is empty, overlaps the one before or leaves the answer.",
                        field=f"{self.id}: {density}[{at}]",
                    )
                last = end

    def spans(self, density: Density) -> tuple[Span, ...]:
        """The spans of one density; the whole answer is one span, none where it is empty."""
        if density == "whole":
            return ((0, len(self.answer)),) if self.answer else ()
        return tuple(self.segments.get(density, ()))

    @cached_property
    def group(self) -> str:
        """Equal for all answers to one prompt over one set of sources."""
        return _digest((self.prompt, self.sources))

    @cached_property
    def content(self) -> str:
        """A digest of everything but the id."""
        return _digest((self.prompt, self.sources, self.answer, sorted(self.segments.items())))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class SegmentLabels:
    """Of one head of kind `error`: for every segment of a document 1 (error), 0 (none) or None (not known).

    categories: for every segment which errors there are; empty where that is not known of any.
    """

    head: str
    document: str
    values: tuple[int | None, ...]
    categories: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Preferred:
    """One answer is better than another, for a head of kind `preference` or `coverage`. Ties are not labels."""

    head: str
    better: str
    worse: str


@dataclass(frozen=True)
class Wanted:
    """For a head of kind `coverage`: which sentences of a document's sources a good answer holds, in their order,
    titles left out; None: not known. It holds for every answer to the same prompt."""

    head: str
    document: str
    values: tuple[bool | None, ...]


Label = SegmentLabels | Preferred | Wanted
