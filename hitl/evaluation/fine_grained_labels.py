"""The labels of Fine-Grained RLHF's reward models, by the published rules (create_rel_fact_rm_files.py and
create_comp_rm_files.py of allenai/FineGrainedRLHF).

R1, relevance: a sub-sentence is wrong where a C1 span of five words or more touches it. R2, factuality: a sentence is
wrong where a C2 span touches it, unknown where only such a C1 span does. R3, completeness: which passage sentences the
corrected text says is wanted, and a prediction is better that says more of them. Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from hitl.annotation.text import sub_sentences
from hitl.evaluation.fine_grained_data import C1, C2, PAIRS, Example

MIN_SPAN_WORDS = 5
MIN_SIMILARITY = 0.85
_CACHE_VERSION = 1

Place = tuple[int, int]
"""Passage and sentence, both from 1 on."""


def relevance_labels(example: Example) -> tuple[int | None, ...]:
    """R1: one for each sub-sentence of prediction 1, 1 for an error."""
    spans = _long_spans(example)
    return tuple(int(_touched(span, spans)) for span in example.documents[0].spans("sub_sentence"))


def factuality_labels(example: Example) -> tuple[int | None, ...]:
    """R2: one for each sentence of prediction 1, 1 for an error, None where it is not known."""
    facts = [(error.start, error.end) for error in example.feedback.errors if error.type in C2]
    others = _long_spans(example)
    return tuple(
        1 if _touched(span, facts) else None if _touched(span, others) else 0
        for span in example.documents[0].spans("sentence")
    )


def _long_spans(example: Example) -> list[tuple[int, int]]:
    text = example.predictions[0]
    return [
        (error.start, error.end)
        for error in example.feedback.errors
        if error.type in C1 and len(text[error.start : error.end].split()) >= MIN_SPAN_WORDS
    ]


def _touched(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)


def preference_pairs(example: Example) -> list[tuple[int, int]]:
    """What the person preferred, as (better, worse) from 0 on; ties are left out."""
    return [
        (first, second) if value == 1 else (second, first)
        for (first, second), value in zip(PAIRS, example.preference, strict=True)
        if value
    ]


@dataclass(frozen=True)
class Coverage:
    """R3: the passage sentences that are wanted, and how much of them each prediction says. Empty where none is."""

    wanted: frozenset[Place]
    scores: tuple[float, ...]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(better, worse) from 0 on; ties are left out."""
        if not self.scores:
            return []
        return [
            (first, second) if self.scores[first] > self.scores[second] else (second, first)
            for first, second in PAIRS
            if self.scores[first] != self.scores[second]
        ]


def coverage_of(example: Example) -> Coverage:
    """The heuristic of create_comp_rm_files.py. It reads the corrected text: a label, never an input."""
    places = {
        (p, s): " ".join(sentence.split())
        for p, passage in enumerate(example.passages, 1)
        for s, sentence in enumerate(passage[1:], 1)
    }
    minor = {
        (missing.passage_id, sentence)
        for missing in example.feedback.missing
        if missing.type == "Missing-Minor-Auxiliary"
        for sentence in missing.sentence_id
    }
    wanted: set[Place] = set()
    only_minor: set[Place] = set()
    first = example.predictions[0].lower()
    for piece, place in _said(example.feedback.corrected, places):
        wanted.add(place)
        if place in minor:
            only_minor.add(place)
            if piece.lower() in first:
                only_minor.discard(place)
    wanted -= only_minor
    if not wanted:
        return Coverage(frozenset(), ())
    said = [{place for _, place in _said(text, places)} for text in example.predictions]
    return Coverage(frozenset(wanted), tuple(len(found & wanted) / len(wanted) for found in said))


def _said(text: str, places: dict[Place, str]) -> list[tuple[str, Place]]:
    """Each sub-sentence with the passage sentence that holds it, where one does."""
    plain = " ".join(text.split())
    found = []
    for piece in (plain[span.start : span.end] for span in sub_sentences(plain)):
        best, best_place = -1.0, None
        for place, sentence in places.items():
            score = similarity(sentence, piece)
            if score > best:
                best, best_place = score, place
        if best_place is not None and best >= MIN_SIMILARITY:
            found.append((piece, best_place))
    return found


def similarity(sentence: str, piece: str) -> float:
    """The highest `quick_ratio` of `piece` and a run of words of `sentence`, 5 % longer; short ones are filled up."""
    length = len(piece.split())
    length += int(0.05 * length)
    padding = length - len(sentence.split()) + 1
    if padding > 0:
        sentence += " #" * padding
    if piece in sentence:
        return 1.0
    matcher = SequenceMatcher()
    matcher.set_seq2(piece)
    words, best = sentence.split(), 0.0
    for start in range(len(words) - length + 1):
        matcher.set_seq1(" ".join(words[start : start + length]))
        if matcher.real_quick_ratio() > best:  # an upper bound, and much faster
            best = max(best, matcher.quick_ratio())
        if best == 1.0:
            break
    return best


def coverages(
    examples: Sequence[Example], cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Coverage]:
    """`coverage_of` for all, which takes a sixth of a second each; kept in the JSON file `cache`, by content."""
    known = _read_cache(cache)
    found = []
    for done, example in enumerate(examples, 1):
        key = _key(example)
        if key not in known:
            made = coverage_of(example)
            known[key] = {"wanted": sorted(map(list, made.wanted)), "scores": list(made.scores)}
        entry = known[key]
        found.append(Coverage(frozenset((p, s) for p, s in entry["wanted"]), tuple(entry["scores"])))
        if progress is not None:
            progress(done, len(examples))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f"{cache.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps({"version": _CACHE_VERSION, "coverage": known}), encoding="utf-8")
        os.replace(partial, cache)
    return found


def _key(example: Example) -> str:
    feedback = example.feedback
    content = (example.passages, example.predictions, feedback.corrected, feedback.missing)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:24]


def _read_cache(path: Path | None) -> dict[str, dict]:
    """What was kept; nothing where it is missing or damaged, since it can be made again."""
    if path is None or not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return dict(record["coverage"]) if record["version"] == _CACHE_VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
