"""One encoder pass and what is counted, as rows of numbers that heads learn from in a moment.

For each segment: `LEXICAL_FEATURES`; how alike its tokens are to those of the question, of the sources and of what
came before (`SIMILARITY_FEATURES`); how much a decoder was surprised; and its mean state, projected at random to
`PROJECTED` values (Johnson and Lindenstrauss 1984), so that a fit takes milliseconds whatever the encoder's size. For
each source sentence: how it stands to the question. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from policies.rewards.backbone import Encoded
from policies.rewards.documents import Density, Document, Span
from policies.rewards.lexical import LEXICAL_FEATURES, LexicalReader, Sources, Words, asked, share

Array = NDArray[np.float32]

PROJECTED = 96
SIMILARITY_FEATURES = (
    *(
        "to question",
        "to nearest source",
        "to second source",
        "to sources",
        "nearest source to question",
        "nearest at",
    ),
    *("tokens to sources, mean", "tokens to sources, least", "tokens to sources, 10 %", "tokens to sources, spread"),
    *("tokens to question", "question to tokens", "question to tokens, least", "to what came before"),
    *("surprise, mean", "surprise, most", "surprise, 90 %", "surprise, first"),
)
_RELATIVE = [SIMILARITY_FEATURES.index(name) for name in (
    "to question", "to nearest source", "nearest source to question", "tokens to sources, mean",
    "tokens to sources, 10 %", "surprise, mean",
)]  # fmt: skip
"""Those of which a segment's distance from the answer's mean is a feature, too."""
COUNTED = len(LEXICAL_FEATURES) + len(SIMILARITY_FEATURES) + len(_RELATIVE)
"""So many columns of a segment's row are counts and similarities; the projected state follows."""
FEATURES_VERSION = 1
"""Raised whenever the meaning of a column changes, so that no old cache is read."""


@dataclass(frozen=True)
class Features:
    """segments: density -> `(segments, COUNTED + PROJECTED)`; sources `(sentences, SOURCE_FEATURES)`: how each stands
    to the question; covered `(sentences,)` in [0, 1]: whether the answer says it; whole `(COUNTED + PROJECTED,)`."""

    segments: dict[Density, Array]
    sources: Array
    covered: Array
    whole: Array


class FeatureReader:
    """Turns encoded documents into Features. seed: of the random projection."""

    def __init__(self, size: int, *, centred: bool, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._projection = torch.randn(size, PROJECTED, generator=generator) / PROJECTED**0.5
        self._centred = centred

    def read(self, document: Document, encoded: Encoded, sources: Sources | None = None) -> Features:
        """sources: of the document, where they have been indexed already."""
        lexical = LexicalReader(document, sources)
        states = _States(encoded, self._centred)
        segments = {density: self._rows(document.segments[density], lexical, states) for density in document.segments}
        whole = self._rows(document.spans("whole"), lexical, states)
        return Features(
            segments,
            _source_rows(document, lexical.sources, states),
            _covered(document, lexical),
            whole[0] if len(whole) else np.zeros(COUNTED + PROJECTED, np.float32),
        )

    def _rows(self, spans: Sequence[Span], lexical: LexicalReader, states: _States) -> Array:
        if not spans:
            return np.zeros((0, COUNTED + PROJECTED), np.float32)
        alike, means = states.segments(spans)
        relative = (alike - alike.mean(0))[:, _RELATIVE]
        projected = means @ self._projection
        counted = np.asarray(lexical.features(spans), np.float32)
        return np.concatenate([counted, alike.numpy(), relative.numpy(), projected.numpy()], 1).astype(np.float32)


class _States:
    """Unit token states and means of one document. Decoders' states share a large mean, which is taken out."""

    def __init__(self, encoded: Encoded, centred: bool) -> None:
        size = encoded.answer.shape[1]
        context = torch.cat([encoded.prompt, *encoded.sources]) if len(encoded.prompt) else torch.zeros(1, size)
        centre = context.mean(0) if centred else torch.zeros(size)
        self.answer = encoded.answer - centre
        self.offsets = encoded.offsets
        self.surprise = encoded.surprise if encoded.surprise is not None else torch.zeros(len(encoded.answer))
        filled = [s - centre if len(s) else torch.zeros(1, size) for s in encoded.sources]
        self.sources = [F.normalize(s, dim=-1) for s in filled]
        self.source_means = (
            F.normalize(torch.stack([s.mean(0) for s in filled]), dim=-1) if filled else torch.zeros(0, size)
        )
        prompt = encoded.prompt - centre if len(encoded.prompt) else torch.zeros(1, size)
        self.prompt = F.normalize(prompt, dim=-1)
        self.prompt_mean = F.normalize(prompt.mean(0), dim=0)

    def segments(self, spans: Sequence[Span]) -> tuple[Tensor, Tensor]:
        """`(segments, SIMILARITY_FEATURES)` and mean states `(segments, d)`."""
        tokens = F.normalize(self.answer, dim=-1)
        every = torch.cat(self.sources) if self.sources else torch.zeros(1, self.answer.shape[1])
        to_sources, to_prompt = (tokens @ every.T).amax(1), tokens @ self.prompt.T
        rows: list[list[float]] = []
        means: list[Tensor] = []
        earlier: list[Tensor] = []
        for start, end in spans:
            inside = [at for at, (first, last) in enumerate(self.offsets) if first < end and last > start]
            if not inside:
                rows.append([0.0] * len(SIMILARITY_FEATURES))
                means.append(torch.zeros(self.answer.shape[1]))
                continue
            mean = self.answer[inside].mean(0)
            unit = F.normalize(mean, dim=0)
            row = self._near(unit) + _spread(to_sources[inside]) + _question(to_prompt[inside])
            row.append(max((float(unit @ one) for one in earlier), default=0.0))
            surprise = self.surprise[inside]
            row += [float(x) for x in (surprise.mean(), surprise.max(), surprise.quantile(0.9), surprise[0])]
            rows.append(row)
            means.append(mean)
            earlier.append(unit)
        return torch.tensor(rows), torch.stack(means)

    def _near(self, unit: Tensor) -> list[float]:
        to_question = float(unit @ self.prompt_mean)
        if not len(self.source_means):
            return [to_question, 0.0, 0.0, 0.0, 0.0, 0.0]
        alike = self.source_means @ unit
        best = alike.sort(descending=True).values
        top = int(alike.argmax())
        second = float(best[min(1, len(best) - 1)])
        on_question = float(self.source_means[top] @ self.prompt_mean)
        return [to_question, float(best[0]), second, float(alike.mean()), on_question, top / len(best)]


def _spread(values: Tensor) -> list[float]:
    return [float(x) for x in (values.mean(), values.min(), values.quantile(0.1), values.std(unbiased=False))]


def _question(to_prompt: Tensor) -> list[float]:
    """to_prompt `(tokens, tokens of the prompt)`."""
    return [float(to_prompt.amax(1).mean()), float(to_prompt.amax(0).mean()), float(to_prompt.amax(0).min())]


def _source_rows(document: Document, sources: Sources, states: _States) -> Array:
    """How each source sentence stands to the question: alike in meaning and words, its rank in that, its place."""
    count = len(sources.sentences)
    if not count:
        return np.zeros((0, SOURCE_FEATURES), np.float32)
    question = Words(document.prompt)
    alike = (states.source_means @ states.prompt_mean).numpy()
    tokens = np.array([float((states.prompt @ s.T).amax(1).mean()) for s in states.sources])
    words = np.array([share(question.content, s.content) for s in sources.sentences])
    asks = asked(document.prompt)
    titles = [Words(passage[0] if passage else "").content for passage in document.sources]
    rows = []
    for at, sentence in enumerate(sources.sentences):
        passage, index, length = sources.places[at]
        number = float(any(word[0].isdigit() for word in sentence.lower))
        title = titles[passage]
        rows.append([
            alike[at], _rank(alike, at), alike[at] - alike.mean(), tokens[at], tokens[at] - tokens.mean(),
            words[at], _rank(words, at), words[at] - words.mean(), share(sentence.content, question.content),
            share(question.content, title), share(title, sentence.content), *_place(index, length, passage),
            log1p(len(sentence.lower)), number, log1p(sum(sentence.names)), log1p(count), log1p(len(titles)),
            alike[at - 1] if index else 0.0, alike[at + 1] if index + 1 < length else 0.0,
            *asks, number * asks[1], number * asks[3], float(any(sentence.names)) * asks[0],
        ])  # fmt: skip
    return np.asarray(rows, np.float32)


SOURCE_FEATURES = 33


def _rank(values: NDArray[np.floating], at: int) -> float:
    return float((values > values[at]).sum()) / max(1, len(values) - 1)


def _place(index: int, length: int, passage: int) -> list[float]:
    return [float(index == 0), index / max(1, length), log1p(index), log1p(passage)]


def _covered(document: Document, lexical: LexicalReader) -> Array:
    """For each source sentence whether some piece of the answer says it: the piece is mostly copied from it, and from
    no other one more. 0 to 1, a half where the piece shares 70 % of its words and word pairs with the sentence."""
    covered = np.zeros(len(lexical.sources.sentences), np.float32)
    pieces = document.spans("sub_sentence") or document.spans("sentence") or document.spans("whole")
    for span in pieces:
        shared = np.array(lexical.shared(span))
        if len(shared):
            best = int(shared.argmax())
            covered[best] = max(covered[best], 1 / (1 + np.exp(-15 * (shared[best] - 0.7))))
    return covered
