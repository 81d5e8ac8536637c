"""What can be counted about a segment without a model: how far it repeats sources, question and the answer so far.

Factuality and redundancy show in copying: words, numbers and names that no source holds, the longest run that one
does, and text that came before. Names are words with a capital that open no sentence. Knows nothing of labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from math import log1p

from policies.rewards.documents import Document, Span

_WORD = re.compile(r"\w+(?:['’.,]\w+)*")
_FUNCTION_WORDS = frozenset(
    "a an and are as at be been but by did do does for from had has have he her him his how in into is it its many"
    " much no not of on or she so than that the their them then there these they this those to was were what when"
    " where which who whom whose why will with would".split()
)
_QUESTION_WORDS = ("who", "when", "where", "how many", "how", "what", "which", "why")

LEXICAL_FEATURES = (
    *(
        "words",
        "begins at",
        "ends at",
        "index",
        "segments",
        "first",
        "last",
        "opens lower",
        "ends sentence",
        "brackets",
    ),
    *("words in sources", "content in sources", "content not in sources", "numbers not in sources"),
    *(
        "names not in sources",
        "pairs in sources",
        "triples in sources",
        "fours in sources",
        "copied run",
        "copied share",
    ),
    *(
        "content in best",
        "pairs in best",
        "second best",
        "numbers not in best",
        "names not in best",
        "best opens passage",
    ),
    *("best at", "best passage", "best on question", "question in segment", "segment in question", "title in segment"),
    *("triples before", "content before", "content before, best", "best used before", "new content"),
    *("has number", "has name", *(f"asks {word}" for word in _QUESTION_WORDS)),
    *("who and name", "when and number", "how many and number", "where and name"),
)


class Words:
    """The words of a text, lower-cased, with their characters, content words, numbers, names and n-grams."""

    def __init__(self, text: str) -> None:
        matches = list(_WORD.finditer(text))
        self.spans: list[Span] = [match.span() for match in matches]
        self.lower = [match.group().lower() for match in matches]
        opens = [not text[: span[0]].rstrip() or text[: span[0]].rstrip()[-1] in '.?!"' for span in self.spans]
        self.names = [match.group()[0].isupper() and not first for match, first in zip(matches, opens, strict=True)]

    def within(self, span: Span) -> range:
        """Indices of the words that begin in `span`."""
        inside = [at for at, (start, _) in enumerate(self.spans) if span[0] <= start < span[1]]
        return range(inside[0], inside[-1] + 1) if inside else range(0)

    @cached_property
    def known(self) -> frozenset[str]:
        return frozenset(self.lower)

    @cached_property
    def content(self) -> frozenset[str]:
        return content(self.lower)

    def grams(self, n: int) -> frozenset[tuple[str, ...]]:
        return _grams(self.lower, n)


def asked(question: str) -> list[float]:
    """Which of who, when, where, how many, how, what, which, why a question asks: one 1 at most."""
    low = f" {question.lower()} "
    found = next((word for word in _QUESTION_WORDS if f" {word} " in low), "")
    return [float(word == found) for word in _QUESTION_WORDS]


def content(words: Sequence[str]) -> frozenset[str]:
    """The words that carry meaning."""
    return frozenset(words) - _FUNCTION_WORDS


def _grams(words: Sequence[str], n: int) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def share(part: frozenset, whole: frozenset) -> float:
    """How much of `part` is in `whole`; 1 for nothing, which lacks nothing."""
    return len(part & whole) / len(part) if part else 1.0


class Sources:
    """The sentences of a document's sources, indexed once for all answers."""

    def __init__(self, sources: Sequence[Sequence[str]]) -> None:
        self.places = [
            (passage, index, len(sentences) - 1)
            for passage, sentences in enumerate(sources)
            for index in range(len(sentences) - 1)
        ]
        self.sentences = [Words(sentence) for passage in sources for sentence in passage[1:]]
        self.titles = content([word for passage in sources if passage for word in Words(passage[0]).lower])
        self.known = frozenset().union(*(words.known for words in self.sentences)) | self.titles
        self.grams = {n: frozenset().union(*(words.grams(n) for words in self.sentences)) for n in range(2, 5)}
        self.pairs = [words.grams(2) for words in self.sentences]


class LexicalReader:
    """Features of segments of one document. sources may be shared by documents with the same ones."""

    def __init__(self, document: Document, sources: Sources | None = None) -> None:
        self.sources = sources or Sources(document.sources)
        self._document = document
        self._answer = Words(document.answer)
        self._question = Words(document.prompt)
        self._asks = asked(document.prompt)
        self._on_question = [share(self._question.content, words.content) for words in self.sources.sentences]

    def features(self, spans: Sequence[Span]) -> list[list[float]]:
        """One row of `LEXICAL_FEATURES` a span; spans are in order."""
        used: list[int] = []
        earlier: list[frozenset[str]] = []
        rows = []
        for index in range(len(spans)):
            inside = self._answer.within(spans[index])
            words = [self._answer.lower[at] for at in inside]
            best = self._best(words)
            row = self._place(spans, index, words) + self._copied(inside, words) + self._best_sentence(inside, best)
            row += self._question_and_title(words) + self._repeated(inside, words, earlier, best[:1], used)
            rows.append(row + self._kind(inside, words))
            used += best[:1]
            earlier.append(content(words))
        return rows

    def shared(self, span: Span) -> list[float]:
        """How much of the words and word pairs of `span` each source sentence holds, 0 to 1."""
        words = [self._answer.lower[at] for at in self._answer.within(span)]
        known, pairs = frozenset(words), _grams(words, 2)
        return [
            (share(known, sentence.known) + share(pairs, grams)) / 2
            for sentence, grams in zip(self.sources.sentences, self.sources.pairs, strict=True)
        ]

    def _place(self, spans: Sequence[Span], index: int, words: list[str]) -> list[float]:
        text, (start, end) = self._document.answer, spans[index]
        size = max(1, len(text))
        piece = text[start:end]
        return [
            log1p(len(words)), start / size, end / size, log1p(index), log1p(len(spans)),
            float(index == 0), float(index == len(spans) - 1), float(piece[:1].islower()),
            float(piece.rstrip()[-1:] in (".", "!", "?")), float("(" in piece),
        ]  # fmt: skip

    def _copied(self, inside: range, words: list[str]) -> list[float]:
        known, meaning = self.sources.known, content(words)
        missing = [at for at in inside if self._answer.lower[at] not in known]
        run = self._longest_run(words)
        return [
            share(frozenset(words), known), share(meaning, known), log1p(len(meaning - known)),
            log1p(sum(self._answer.lower[at][0].isdigit() for at in missing)),
            log1p(sum(self._answer.names[at] for at in missing)),
            *(share(_grams(words, n), self.sources.grams[n]) for n in (2, 3, 4)),
            log1p(run), run / max(1, len(words)),
        ]  # fmt: skip

    def _longest_run(self, words: list[str]) -> int:
        """Words in a row that stand so in one source sentence."""
        longest = 0
        for sentence in self.sources.sentences:
            before = [0] * (len(sentence.lower) + 1)
            for word in words:
                now = [0] * len(before)
                for at, other in enumerate(sentence.lower):
                    if word == other:
                        now[at + 1] = before[at] + 1
                longest = max(longest, max(now))
                before = now
        return longest

    def _best(self, words: list[str]) -> list[int]:
        """Source sentences by how much of the segment they hold, the best two."""
        meaning, pairs = content(words), _grams(words, 2)
        scores = [
            share(meaning, sentence.content) + share(pairs, grams)
            for sentence, grams in zip(self.sources.sentences, self.sources.pairs, strict=True)
        ]
        return sorted(range(len(scores)), key=lambda at: -scores[at])[:2]

    def _best_sentence(self, inside: range, best: list[int]) -> list[float]:
        words = [self._answer.lower[at] for at in inside]
        if not best:
            return [0.0] * 9
        meaning, first = content(words), self.sources.sentences[best[0]]
        passage, index, length = self.sources.places[best[0]]
        missing = [at for at in inside if self._answer.lower[at] not in first.known]
        return [
            share(meaning, first.content), share(_grams(words, 2), self.sources.pairs[best[0]]),
            share(meaning, self.sources.sentences[best[-1]].content),
            log1p(sum(self._answer.lower[at][0].isdigit() for at in missing)),
            log1p(sum(self._answer.names[at] for at in missing)),
            float(index == 0), index / max(1, length), log1p(passage), self._on_question[best[0]],
        ]  # fmt: skip

    def _question_and_title(self, words: list[str]) -> list[float]:
        meaning = content(words)
        return [
            share(self._question.content, meaning), share(meaning, self._question.content),
            share(self.sources.titles, meaning),
        ]  # fmt: skip

    def _repeated(
        self, inside: range, words: list[str], earlier: list[frozenset[str]], best: list[int], used: list[int]
    ) -> list[float]:
        before = self._answer.lower[: inside.start] if inside else []
        meaning, said = content(words), content(before)
        triples = _grams(words, 3)
        return [
            share(triples, _grams(before, 3)) if triples else 0.0, share(meaning, said) if meaning else 0.0,
            max((share(meaning, one) for one in earlier), default=0.0), float(bool(set(best) & set(used))),
            log1p(len(meaning - said - self._question.content)),
        ]  # fmt: skip

    def _kind(self, inside: range, words: list[str]) -> list[float]:
        number = float(any(word[0].isdigit() for word in words))
        name = float(any(self._answer.names[at] for at in inside))
        who, when, where, how_many = (
            self._asks[_QUESTION_WORDS.index(w)] for w in ("who", "when", "where", "how many")
        )
        return [number, name, *self._asks, who * name, when * number, how_many * number, where * name]
