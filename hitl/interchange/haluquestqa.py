"""HaluQuestQA: questions with two answers, what experts say is wrong in them, and which is better.

Format: https://github.com/UKPLab/arxiv2024-lfqa-hallucination, `src/data/HaluQuestQA.csv` (arXiv 2407.11930): tabs
divide cells in spite of the name; spans and reasons are Python lists of texts. A span is found again where its text,
with letters and spaces folded, stands in the answer that the file names, or else in the other. Knows nothing of logs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from hitl.annotation.items import Item, Output
from hitl.annotation.schema import Category, Head, Schema
from hitl.errors import InputError
from hitl.interchange.exchange import Imported, Reading, Report, Steps
from hitl.interchange.files import read_table
from hitl.labels import Preference, Review, Span

NAME = "haluquestqa"
_TRACKS = ("1", "2")
_KINDS = {
    "factuality": "factuality", "irrelevance": "irrelevance", "incomplete_ans": "incomplete",
    "reference_example": "reference",
}  # fmt: skip
"""Beginning of the columns -> category."""
_NEEDED = (
    "source_file", "annotator", "question_text", "ans1_text", "ans2_text", "ans_preference", "ans_preference_reason",
    "ans1_label", "ans2_label", "category", "ques_misconception_span", "ques_misconception_reason",
    *(f"{kind}_{part}" for kind in _KINDS for part in ("span", "reason", "label")),
)  # fmt: skip
_CLOSING = ".,;:!?\"'”’) "
"""The annotation tool put a full stop or an ellipsis behind some spans; without these they may be found."""


def schema() -> Schema:
    """The four error types that are marked in answers. Examples that help are praise or not as the file says, so
    they are a head without weight."""
    return Schema(
        name=NAME,
        heads=[
            Head(key="factuality", name="Factuality", density="sentence", weight=0.5),
            Head(key="relevance", name="Relevance", density="sub_sentence", weight=0.3),
            Head(key="completeness", name="Completeness", density="sentence", weight=0.3),
            Head(key="references", name="References and examples", density="sentence", weight=0.0),
        ],
        categories=[
            Category(key="factuality", name="wrong fact", head="factuality", shortcut="f", colour=3, pattern="dashes"),
            Category(key="irrelevance", name="irrelevant", head="relevance", shortcut="i", colour=0),
            Category(key="incomplete", name="incomplete", head="completeness", shortcut="c", colour=5,
                     pattern="hatch"),
            Category(key="reference", name="reference or example", head="references", shortcut="r", colour=6,
                     pattern="dots"),
        ],
        preferences=True,
    )  # fmt: skip


def read(path: Path, reading: Reading) -> Imported:
    """Items with two answers, each with one annotator's labels. Raises InputError that names the line."""
    fitting, report = reading.schema or schema(), Report()
    steps = Steps(reading, fitting, f"{NAME} {path.name}")
    items: dict[str, Item] = {}
    for line, row in read_table(path, _NEEDED, tabs=True):
        where = f"{path}:{line}"
        item = _item(row)
        if item.id in items:
            raise InputError(f"{item.id} is there twice", field=f"{where}.source_file", hint="Give each its own.")
        items[item.id] = item
        _read_row(steps, item, row, where, reading.author, report)
    return Imported(list(items.values()), steps.events(report), fitting, report)


def _item(row: Mapping[str, str]) -> Item:
    outputs = [Output(track=t, text=row[f"ans{t}_text"], origin=row[f"ans{t}_label"]) for t in _TRACKS]
    held = {f"{kind}_{part}" for kind in _KINDS for part in ("span", "reason", "label")}
    held |= {"annotator", "question_text", "ans1_text", "ans2_text", "ans1_label", "ans2_label", "source_file"}
    extra = {name or "row": text for name, text in row.items() if text and name not in held}
    return Item(id=row["source_file"].removesuffix(".txt"), prompt=row["question_text"], outputs=outputs, extra=extra)


def _read_row(steps: Steps, item: Item, row: Mapping[str, str], where: str, nobody: str, report: Report) -> None:
    author = row["annotator"] or nobody
    for kind, category in _KINDS.items():
        texts = _list(row, f"{kind}_span", where)
        reasons, answers = _list(row, f"{kind}_reason", where), _list(row, f"{kind}_label", where)
        for place, text in enumerate(texts):
            named = answers[place] if place < len(answers) else ""
            track, start, end = _found(item, str(text), named.removeprefix("answer"))
            if not track:
                report.lose(f"{category} spans that are in neither answer", f"{where}.{kind}_span[{place}]")
                continue
            if named and named != f"answer{track}":
                report.note("a span that is in the other answer than the one that is named", f"{where}.{kind}_span")
            note = str(reasons[place]) if place < len(reasons) else ""
            value = Span(track=track, start=start, end=end, categories=[category], note=note)
            steps.add(item, author, value, f"{where}.{kind}_span[{place}]")
    if row["ques_misconception_span"]:
        report.lose("misconceptions of the question (kept with the item)", where)
    if row["ans_preference"] not in ("Answer 1", "Answer 2"):
        raise InputError(
            f"is {row['ans_preference'][:80]!r}", field=f"{where}.ans_preference", hint="Answer 1 or Answer 2."
        )
    first = row["ans_preference"] == "Answer 1"
    preference = Preference(first="1", second="2", winner="first" if first else "second")
    steps.add(item, author, preference, f"{where}.ans_preference")
    steps.add(item, author, Review(state="done", note=row["ans_preference_reason"]), where)


def _list(row: Mapping[str, str], column: str, where: str) -> list[str]:
    """A Python list of texts, or nothing."""
    if not row[column].strip():
        return []
    try:
        found = ast.literal_eval(row[column])
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(
            f"is no list: {row[column][:80]!r}", field=f"{where}.{column}", hint="Is the file whole?"
        ) from error
    if not isinstance(found, list):
        raise InputError(f"is no list: {row[column][:80]!r}", field=f"{where}.{column}", hint="Like ['a', 'b'].")
    return [str(text) for text in found]


def _found(item: Item, text: str, named: str) -> tuple[str, int, int]:
    """Track and offsets; no track where the text is in neither answer."""
    tracks = sorted(_TRACKS, key=lambda track: track != named)
    for wanted in dict.fromkeys((text, text.rstrip(_CLOSING))):
        for track in tracks:
            place = _folded_find(item.output(track).text, wanted)
            if place is not None:
                return track, *place
    return "", 0, 0


def _folded_find(text: str, wanted: str) -> tuple[int, int] | None:
    """Where `wanted` stands in `text`, if cases and spaces are passed over."""
    folded, places = _folded(text)
    needle, _ = _folded(wanted)
    start = folded.find(needle) if needle else -1
    return None if start < 0 else (places[start], places[start + len(needle) - 1] + 1)


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in small letters without spaces, and where each of its characters was."""
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if not character.isspace():
            small = character.casefold()
            letters.append(small)
            places.extend([place] * len(small))
    return "".join(letters), places
