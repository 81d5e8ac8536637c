"""The published files of Fine-Grained RLHF: `train_feedback.json`, `dev_feedback.json`, and prompts as in `dev.json`.

Format: https://github.com/allenai/FineGrainedRLHF, `tasks/qa_feedback/data/README.md` (arXiv 2306.01693). Four
outputs, spans and a corrected text of the first, six preferences. Passages and their sentences are counted from 1
there, 0 is the title. Reading and writing gives the same JSON. Knows nothing of logs or projects on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation.text import sentences, spaced_words
from hitl.errors import InputError
from hitl.interchange.exchange import Exported, Imported, Reading, Report, Steps, lose_what_is_not
from hitl.interchange.files import as_json, read_json, write_whole
from hitl.labels import Evidence, Missing, Preference, Review, Rewrite, Span, Unsure

NAME = "fine-grained-rlhf"
_TRACKS = ("1", "2", "3", "4")
_PAIRS = list(combinations(_TRACKS, 2))
"""In the order of the file: 12, 13, 14, 23, 24, 34."""
_HELD = (
    "span", "span.note", "span.evidence", "span.repeats", "missing", "missing.evidence", "rewrite", "preference",
    "unsure", "review",
)  # fmt: skip
_LACKS = ("Missing-Answer", "Missing-Major-Auxiliary", "Missing-Minor-Auxiliary")
_SPANS = ("Irrelevant", "Redundant", "Incoherent", "Wrong-Grounding", "Unverifiable")


class _Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    passage_id: Annotated[int, msgspec.Meta(ge=1)]
    sentence_id: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(min_length=1)]


class _Error(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["Irrelevant", "Redundant", "Incoherent", "Wrong-Grounding", "Unverifiable"] = msgspec.field(
        name="error type"
    )
    explanation: str
    start: int
    end: int


class _Lack(_Where, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["Missing-Answer", "Missing-Major-Auxiliary", "Missing-Minor-Auxiliary"] = msgspec.field(
        name="error type"
    )


class _Feedback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    errors: list[_Error]
    missing: list[_Lack] = msgspec.field(name="missing-info")
    corrected: str = msgspec.field(name="corrected-prediction")


class _Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    question: str
    passages: list[Annotated[list[str], msgspec.Meta(min_length=1)]]
    gold: str
    prediction_1: str = msgspec.field(name="prediction 1")
    prediction_2: str = msgspec.field(name="prediction 2")
    prediction_3: str = msgspec.field(name="prediction 3")
    prediction_4: str = msgspec.field(name="prediction 4")
    feedback: _Feedback
    preference: Annotated[list[Literal[0, 1, 2]], msgspec.Meta(min_length=6, max_length=6)] | None = None


class _Passage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    content: str
    wikipage: str


class _Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str
    answer: Annotated[list[str], msgspec.Meta(min_length=1)]
    passages: list[_Passage]
    question: str


# -- reading ------------------------------------------------------------------------------------------------------


def read(path: Path, reading: Reading) -> Imported:
    """Feedback or prompts, whichever the file holds. Raises InputError that names the place."""
    schema, report = reading.schema or preset(NAME), Report()
    entries = read_json(path, list[dict[str, Any]])
    if entries and "answer" in entries[0]:
        return Imported(_prompts(path, report), [], schema, report)
    examples = read_json(path, list[_Example])
    _check_questions([example.question for example in examples], path)
    steps = Steps(reading, schema, f"{NAME} {path.name}")
    items = []
    for place, example in enumerate(examples):
        item = _item(example)
        items.append(item)
        _read_feedback(steps, item, reading.author, example, f"{path}: $[{place}]", report)
    return Imported(items, steps.events(report), schema, report)


def _check_questions(questions: Sequence[str], path: Path) -> None:
    seen: dict[str, int] = {}
    for place, question in enumerate(questions):
        if question in seen:
            why = f"asks the same as $[{seen[question]}]: {question[:80]!r}"
            raise InputError(why, field=f"{path}: $[{place}].question", hint="Every question may be there once.")
        seen[question] = place


def _id(kind: str, question: str) -> str:
    return f"{kind}-{hashlib.sha256(question.encode(errors='surrogatepass')).hexdigest()[:12]}"


def _item(example: _Example) -> Item:
    texts = (example.prediction_1, example.prediction_2, example.prediction_3, example.prediction_4)
    return Item(
        id=_id("qa", example.question),
        prompt=example.question,
        sources=[SourceText(title=passage[0], sentences=passage[1:]) for passage in example.passages],
        outputs=[Output(track=track, text=text) for track, text in zip(_TRACKS, texts, strict=True)],
        reference=example.gold,
    )


def _read_feedback(steps: Steps, item: Item, author: str, example: _Example, where: str, report: Report) -> None:
    for place, error in enumerate(example.feedback.errors):
        at = f"{where}.feedback.errors[{place}]"
        steps.add(item, author, _span(item, error, at, report), at)
    for place, lack in enumerate(example.feedback.missing):
        at = f"{where}.feedback.missing-info[{place}]"
        steps.add(item, author, Missing(track="1", category=lack.kind, evidence=_evidence(lack)), at)
    steps.add(item, author, Rewrite(track="1", text=example.feedback.corrected), f"{where}.feedback")
    if example.preference is None:
        report.note("no preferences", item.id)
    else:
        winners: tuple[Literal["tie", "first", "second"], ...] = ("tie", "first", "second")
        for (first, second), winner in zip(_PAIRS, example.preference, strict=True):
            value = Preference(first=first, second=second, winner=winners[winner])
            steps.add(item, author, value, f"{where}.preference")
    marks = [(e.start, e.end, e.kind) for e in example.feedback.errors]
    for unsure in _hidden(item.output("1").text, marks, steps.schema):
        steps.add(item, author, unsure, where)
    steps.add(item, author, Review(state="done"), where)


def _hidden(text: str, marks: Sequence[tuple[int, int, str]], schema: Schema) -> list[Unsure]:
    """Sentences of which the files say nothing of C2: a span has one type there, and C1 goes first, so that where
    there is only C1 a wrong fact may be hidden. `create_rel_fact_rm_files.py` leaves these out, too, and passes over
    the same short spans of C1. marks: begin, end and category of the spans."""
    told = []
    for start, end, key in marks:
        category = schema.category(key)
        if len(spaced_words(text, (start, end))) >= category.min_words:
            told.append((start, end, category.head))
    found = []
    for sentence in sentences(text):
        heads = {head for start, end, head in told if sentence.touches((start, end))}
        if heads == {"relevance"} and any(head.key == "factuality" for head in schema.heads):
            found.append(Unsure(track="1", start=sentence.start, end=sentence.end, heads=["factuality"]))
    return found


def _span(item: Item, error: _Error, where: str, report: Report) -> Span:
    """What `explanation` means depends on the type; where it cannot be understood, it is kept as the note."""
    evidence: list[Evidence] = []
    repeats = None
    note = error.explanation
    if error.kind == "Wrong-Grounding":
        evidence = _grounding(error.explanation, where)
        note = "" if _explained(evidence) == error.explanation else error.explanation
    elif error.kind == "Redundant":
        before = item.output("1").text[: error.start]
        found = before.find(note) if note else -1
        if found >= 0:
            repeats, note = (found, found + len(note)), ""
            if before.count(error.explanation) > 1:
                report.note("what is repeated is there several times; the first is taken", where)
        else:
            report.note("what is repeated is not found before the span; kept as its note", where)
    elif note:
        report.note("an explanation where none is expected; kept as the note", where)
    return Span(
        track="1", start=error.start, end=error.end, categories=[error.kind], note=note, evidence=evidence,
        repeats=repeats,
    )  # fmt: skip


def _grounding(explanation: str, where: str) -> list[Evidence]:
    """The explanation of Wrong-Grounding is JSON inside JSON."""
    try:
        return _evidence(msgspec.json.decode(explanation, type=_Where))
    except msgspec.DecodeError as error:
        raise InputError(
            f"{error}", field=f"{where}.explanation", hint='Like {"passage_id":1,"sentence_id":[2]}, as a string.'
        ) from error


def _evidence(where: _Where) -> list[Evidence]:
    return [Evidence(source=where.passage_id - 1, sentence=sentence) for sentence in where.sentence_id]


def _prompts(path: Path, report: Report) -> list[Item]:
    """Items of a prompt file. It has no outputs, so its reference stands as the one to look at."""
    prompts = read_json(path, list[_Prompt])
    _check_questions([prompt.question for prompt in prompts], path)
    items = []
    for prompt in prompts:
        item = Item(
            id=_id("prompt", prompt.question),
            prompt=prompt.question,
            sources=[SourceText(title=p.wikipage, sentences=[p.content]) for p in prompt.passages],
            outputs=[Output(track="1", text=prompt.answer[0], origin="reference")],
            reference=prompt.answer[0],
            extra={"text": prompt.text, "answer": prompt.answer},
        )
        report.note("a prompt without outputs: its reference stands as the output", item.id)
        items.append(item)
    return items


# -- writing ------------------------------------------------------------------------------------------------------


def write(exported: Exported, path: Path) -> Report:
    """A feedback file with one entry for each labelled item. Raises InputError where several people labelled."""
    report, labels, entries = Report(), exported.of_one(), []
    questions: set[str] = set()
    exported.lose_authors(report)
    for item in exported.items:
        if item.id not in labels:
            report.note("items without labels are left out", item.id)
        elif tuple(output.track for output in item.outputs) != _TRACKS or item.recording:
            report.lose("items that have not the four outputs 1 to 4", item.id)
        elif item.prompt in questions:
            report.lose("items that ask the same as another", item.id)
        else:
            questions.add(item.prompt)
            report.count(labels[item.id])
            entries.append(_entry(item, labels[item.id], exported.schema, report))
            if item.extra or any(output.origin for output in item.outputs):
                report.lose("where outputs come from, and what an item has beside", item.id)
    write_whole(path, as_json(entries))
    return report


def _entry(item: Item, labels: ItemLabels, schema: Schema, report: Report) -> dict[str, Any]:
    lose_what_is_not(_HELD, labels, item.id, report)
    _note_overlaps(item, labels, report)
    _lose_unsure(item, labels, schema, report)
    rewrite = labels.rewrite("1")
    if rewrite is None:
        report.lose("that nothing was rewritten (an empty text is written)", item.id)
    for value in labels.of(Rewrite).values():
        if value.track != "1":
            report.lose("rewrites of other outputs than the first", item.id)
    if not labels.of(Review):
        report.lose("that a review is not done", item.id)
    entry: dict[str, Any] = {
        "question": item.prompt,
        "passages": [[source.title, *source.sentences] for source in item.sources],
        "gold": item.reference,
        **{f"prediction {output.track}": output.text for output in item.outputs},
        "feedback": {
            "errors": [error for span in labels.of(Span).values() for error in _errors(item, span, report)],
            "missing-info": [m for value in labels.of(Missing).values() for m in _lacks(item, value, report)],
            "corrected-prediction": rewrite or "",
        },
    }
    preferences = labels.preferences()
    if all(pair in preferences for pair in _PAIRS):
        entry["preference"] = [("tie", "first", "second").index(preferences[pair].winner) for pair in _PAIRS]
    elif preferences:
        report.lose("preferences, where not all six are there", item.id)
    else:
        report.note("no preferences", item.id)
    return entry


def _lose_unsure(item: Item, labels: ItemLabels, schema: Schema, report: Report) -> None:
    """The format does not say where somebody is unsure; what follows from its spans comes back by itself."""
    marks = [
        (span.start, span.end, key) for span in labels.spans("1").values() for key in span.categories if key in _SPANS
    ]
    follow = _hidden(item.output("1").text, marks, schema)
    for value in labels.of(Unsure).values():
        if value not in follow:
            report.lose("parts that nobody is sure of, but for those that follow from the spans", item.id)


def _note_overlaps(item: Item, labels: ItemLabels, report: Report) -> None:
    """The format can hold spans that overlap, but the published files have none, and their readers may expect none."""
    spans = list(labels.spans("1").values())
    if any(first.end > second.start for first, second in pairwise(spans)):
        report.note("spans overlap, which they never do in the published files", item.id)


def _errors(item: Item, span: Span, report: Report) -> list[dict[str, Any]]:
    """One error a category, since the format has one for each span."""
    if span.track != "1":
        report.lose("spans of other outputs than the first", item.id)
        return []
    if len(span.categories) > 1:
        report.lose("that several categories are of one span (each is written as one of its own)", item.id)
    made = []
    for category in span.categories:
        if category in _SPANS:
            explanation = _explanation(item, span, category, report)
            made.append({"error type": category, "explanation": explanation, "start": span.start, "end": span.end})
        else:
            report.lose(f"spans of the category {category}", item.id)
    return made


def _explanation(item: Item, span: Span, category: str, report: Report) -> str:
    """As the type has it: where the sources say otherwise, what is repeated, else nothing; a note where it fits."""
    told, held = span.note, {"note"}
    if category == "Redundant" and span.repeats is not None:
        told, held = item.output("1").text[slice(*span.repeats)], {"repeats"}
    elif category == "Wrong-Grounding" and not _same_grounding(span):
        told, held = _explained(span.evidence), {"evidence"}
        if len({entry.source for entry in span.evidence}) != 1:
            report.lose("evidence of a wrong fact in none or several passages", item.id)
    elif category == "Wrong-Grounding":
        held = {"note", "evidence"}
    for name in ("note", "evidence", "repeats"):
        if getattr(span, name) and name not in held:
            report.lose(f"{name} of spans of the category {category}", item.id)
    return told


def _same_grounding(span: Span) -> bool:
    """Whether the note is the very JSON that the evidence was read from, spaced otherwise."""
    try:
        return _evidence(msgspec.json.decode(span.note, type=_Where)) == span.evidence
    except msgspec.DecodeError:
        return False


def _explained(evidence: Sequence[Evidence]) -> str:
    """Like `{"passage_id":1,"sentence_id":[2]}`, of the first passage that is named, or of the first of all."""
    source = evidence[0].source if evidence else 0
    sentences = [entry.sentence for entry in evidence if entry.source == source]
    return msgspec.json.encode({"passage_id": source + 1, "sentence_id": sentences}).decode()


def _lacks(item: Item, value: Missing, report: Report) -> list[dict[str, Any]]:
    """One entry a passage."""
    if value.track != "1":
        report.lose("what is missing in other outputs than the first", item.id)
        return []
    if value.category not in _LACKS:
        report.lose(f"what is missing of the category {value.category}", item.id)
        return []
    sources = list(dict.fromkeys(entry.source for entry in value.evidence))
    if not sources:
        report.lose("what is missing without a sentence that says it", item.id)
    if len(sources) > 1:
        report.lose("that what is missing is in several passages (each is written as one of its own)", item.id)
    return [
        {
            "error type": value.category,
            "passage_id": source + 1,
            "sentence_id": [entry.sentence for entry in value.evidence if entry.source == source],
        }
        for source in sources
    ]
