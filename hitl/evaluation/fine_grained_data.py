"""Reads the published JSON of Fine-Grained RLHF (allenai/FineGrainedRLHF, tasks/qa_feedback) and is strict about it.

A list of objects with question, passages ([title, sentence, …] each), gold, "prediction 1" to "prediction 4", feedback
(errors, missing-info, corrected-prediction) and preference (six of 0, 1, 2). Raises InputError that names the field.
Knows nothing of labels' meaning and of models; `gold` is checked and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hitl.annotation.text import sentences, sub_sentences
from hitl.errors import InputError
from policies.rewards.documents import Document

PREDICTIONS = 4
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Which predictions the six preferences compare, in their order."""

C1 = ("Irrelevant", "Redundant", "Incoherent")
C2 = ("Wrong-Grounding", "Unverifiable")
_Offset = Annotated[int, msgspec.Meta(ge=0)]


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A span of prediction 1, `[start, end)`."""

    type: Literal["Irrelevant", "Redundant", "Incoherent", "Wrong-Grounding", "Unverifiable"] = msgspec.field(
        name="error type"
    )
    explanation: str
    start: _Offset
    end: _Offset


class Missing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sentences of a passage that prediction 1 lacks; both count from 1, sentence 0 is the title."""

    type: Literal["Missing-Answer", "Missing-Major-Auxiliary", "Missing-Minor-Auxiliary"] = msgspec.field(
        name="error type"
    )
    passage_id: Annotated[int, msgspec.Meta(ge=1)]
    sentence_id: list[_Offset]


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one person said about prediction 1."""

    errors: list[Error]
    missing: list[Missing] = msgspec.field(name="missing-info")
    corrected: str = msgspec.field(name="corrected-prediction")


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    passages: list[list[str]]
    gold: str
    one: str = msgspec.field(name="prediction 1")
    two: str = msgspec.field(name="prediction 2")
    three: str = msgspec.field(name="prediction 3")
    four: str = msgspec.field(name="prediction 4")
    feedback: Feedback
    preference: Annotated[list[Literal[0, 1, 2]], msgspec.Meta(min_length=6, max_length=6)]


@dataclass(frozen=True)
class Example:
    """One question with its answers and what was said about them."""

    question: str
    passages: tuple[tuple[str, ...], ...]
    predictions: tuple[str, ...]
    feedback: Feedback
    preference: tuple[int, ...]

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """The four predictions, cut into sentences and sub-sentences. Nothing of the feedback is in them."""
        return tuple(
            Document(
                f"{self.question}#{number}",
                self.question,
                self.passages,
                text,
                {
                    "sub_sentence": tuple((s.start, s.end) for s in sub_sentences(text)),
                    "sentence": tuple((s.start, s.end) for s in sentences(text)),
                },
            )
            for number, text in enumerate(self.predictions, 1)
        )


def read_examples(path: Path) -> list[Example]:
    """All examples of a file. Raises InputError naming file, example and field."""
    try:
        records = msgspec.json.decode(path.read_bytes(), type=list[_Record])
    except FileNotFoundError:
        raise InputError(
            "there is no such file.", field=str(path), hint="Give feedback in the published JSON."
        ) from None
    except OSError as problem:
        raise InputError(f"cannot be read ({problem.strerror}).", field=str(path)) from problem
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise InputError(
            f"is no feedback in the published format: {problem}.",
            field=str(path),
            hint="See tasks/qa_feedback/data of allenai/FineGrainedRLHF.",
        ) from problem
    if not records:
        raise InputError("holds no examples.", field=str(path))
    seen: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.question in seen:
            raise InputError(
                f"is the question of example {seen[record.question]}, too.", field=f"{path}: [{index}].question"
            )
        seen[record.question] = index
        _check(record, f"{path}: [{index}]")
    return [
        Example(
            record.question,
            tuple(tuple(passage) for passage in record.passages),
            (record.one, record.two, record.three, record.four),
            record.feedback,
            tuple(record.preference),
        )
        for record in records
    ]


def _check(record: _Record, field: str) -> None:
    for index, error in enumerate(record.feedback.errors):
        where = f"{field}.feedback.errors[{index}]"
        if error.start >= error.end:
            raise InputError(f"ends at {error.end}, before it starts at {error.start}.", field=where)
        if error.end > len(record.one):
            raise InputError(f"ends at {error.end}; prediction 1 has {len(record.one)} characters.", field=where)
    for index, passage in enumerate(record.passages):
        if not passage:
            raise InputError("has no title.", field=f"{field}.passages[{index}]")
    for index, missing in enumerate(record.feedback.missing):
        where = f"{field}.feedback.missing-info[{index}]"
        if missing.passage_id > len(record.passages):
            raise InputError(f"names passage {missing.passage_id} of {len(record.passages)}.", field=where)
        last = len(record.passages[missing.passage_id - 1]) - 1
        if any(sentence > last for sentence in missing.sentence_id):
            raise InputError(f"names a sentence behind the last one, {last}.", field=where)
