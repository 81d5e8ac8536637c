"""Label Studio's tasks with annotations, as it exports and imports them, and the labeling config that fits a schema.

Format: https://labelstud.io/guide/task_format, results as its tags define them (https://labelstud.io/tags/labels and
choices, textarea, pairwise). Offsets of its Text tag count code points, as ours do, since the editor's
`fixCodePointsInRange` of October 2021 (HumanSignal/label-studio #1008, #1559); before it counted UTF-16 units, and
such offsets are known by the text that stands beside them. This file writes; `label_studio_reader.py` reads.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.interchange.exchange import Exported, Report, lose_what_is_not
from hitl.interchange.files import as_json, write_whole
from hitl.labels import Missing, Preference, Review, Rewrite, Span

NAME = "label-studio"
OWN = "hitl"
"""Under this name a task's data hold what Label Studio has no place for."""
STATES = ("open", "done", "skipped", "flagged")
_HELD = (
    "span", "span.severity", "span.note", "span.evidence", "span.repeats", "span.suggested_by", "missing",
    "missing.evidence", "missing.note", "rewrite", "preference", "review", "review.note", "review.state",
)  # fmt: skip
_COLOURS = ("#0072b2", "#56b4e9", "#cc79a7", "#d55e00", "#e69f00", "#009e73", "#f0e442", "#999999")
"""Of Okabe and Ito, which people with colour blindness tell apart."""


def config_path(path: Path) -> Path:
    """Where the labeling config of an export is."""
    return path.with_suffix(".config.xml")


def write(exported: Exported, path: Path) -> Report:
    """Tasks, one for each item, with an annotation for each person; and the labeling config beside them."""
    report, labels, tasks = Report(), exported.labels(), []
    outputs = max((len(item.outputs) for item in exported.items), default=1)
    for place, item in enumerate(exported.items, start=1):
        if item.recording:
            report.lose("recordings", item.id)
            continue
        annotations = []
        for author, found in labels.get(item.id, {}).items():
            lose_what_is_not(_HELD, ItemLabels(found.values), item.id, report)
            report.count(found)
            lead_time = {"lead_time": found.spent_s} if found.spent_s else {}
            annotations.append({"result": _results(item, author, found), **lead_time})
        tasks.append({"id": place, "data": _data(item, outputs), "annotations": annotations})
    write_whole(path, as_json(tasks))
    write_whole(config_path(path), labeling_config(exported.schema, outputs))
    return report


def _data(item: Item, outputs: int) -> dict[str, Any]:
    """Texts to show, and the rest of the item. Every task has as many outputs as the config shows."""
    sources = ["\n".join((source.title, *source.sentences)) for source in item.sources]
    shown = {f"output_{n}": "" for n in range(1, outputs + 1)}
    shown |= {f"output_{n}": output.text for n, output in enumerate(item.outputs, start=1)}
    own = {
        "id": item.id,
        "outputs": [{"track": output.track, "origin": output.origin} for output in item.outputs],
        "sources": item.sources,
        "reference": item.reference,
        "extra": item.extra,
    }
    return {"prompt": item.prompt, "source_text": "\n\n".join(sources), **shown, OWN: own}


def _results(item: Item, author: str, labels: ItemLabels) -> list[dict[str, Any]]:
    number = {output.track: n for n, output in enumerate(item.outputs, start=1)}
    results = [_result("annotator", "output_1", "textarea", {"text": [author]})]
    for key, span in labels.of(Span).items():
        results += _span(item, key.removeprefix("span:"), span, number[span.track])
    missing: dict[str, list[str]] = {}
    for value in labels.of(Missing).values():
        missing.setdefault(value.track, []).append(told_missing(value))
    for track, lines in missing.items():
        n = number[track]
        results.append(_result(f"missing_{n}", f"output_{n}", "textarea", {"text": lines}))
    for rewrite in labels.of(Rewrite).values():
        n = number[rewrite.track]
        results.append(_result(f"rewrite_{n}", f"output_{n}", "textarea", {"text": [rewrite.text]}))
    for preference in labels.of(Preference).values():
        results.append(_preference(preference, number))
    for review in labels.of(Review).values():
        results.append(_result("review", "output_1", "choices", {"choices": [review.state]}))
        if review.note:
            results.append(_result("review_note", "output_1", "textarea", {"text": [review.note]}))
    return results


def _result(name: str, about: str, kind: str, value: dict[str, Any], region: str = "") -> dict[str, Any]:
    return {"id": region or name, "from_name": name, "to_name": about, "type": kind, "value": value}


def _span(item: Item, name: str, span: Span, n: int) -> list[dict[str, Any]]:
    """A region, and what is said of it under the same id."""
    text = item.output(span.track).text[span.start : span.end]
    place = {"start": span.start, "end": span.end, "text": text}
    marked = _result(f"spans_{n}", f"output_{n}", "labels", {**place, "labels": span.categories}, name)
    beside: dict[str, Any] = {"evidence": span.evidence, "repeats": span.repeats, "suggested_by": span.suggested_by}
    if beside := {field: value for field, value in beside.items() if value}:
        marked["meta"] = {OWN: beside}
    results = [marked]
    if span.severity:
        results.append(_result(f"severity_{n}", f"output_{n}", "choices", {**place, "choices": [span.severity]}, name))
    if span.note:
        noted = {"start": span.start, "end": span.end, "text": [span.note]}
        results.append(_result(f"note_{n}", f"output_{n}", "textarea", noted, name))
    return results


def told_missing(value: Missing) -> str:
    """`category [source.sentence, …] note`, as people may write it there, too."""
    evidence = ", ".join(f"{entry.source}.{entry.sentence}" for entry in value.evidence)
    return f"{value.category} [{evidence}] {value.note}"


def _preference(value: Preference, number: dict[str, int]) -> dict[str, Any]:
    """Pairwise knows left and right, and names itself as what it is about; that neither is better is a choice of its
    own."""
    first, second = number[value.first], number[value.second]
    if value.winner == "tie":
        return _result(f"tie_{first}_{second}", f"output_{first}", "choices", {"choices": ["tie"]})
    side = "left" if value.winner == "first" else "right"
    name = f"prefer_{first}_{second}"
    return _result(name, name, "pairwise", {"selected": side})


# -- the labeling config ------------------------------------------------------------------------------------------


def labeling_config(schema: Schema, outputs: int) -> bytes:
    """XML for Label Studio's settings: what a task shows and what may be said of it."""
    view = Xml.Element("View")
    Xml.SubElement(view, "Style").text = ".htx-text{white-space: pre-wrap;}"  # else it trims spaces, and offsets move
    _text(view, "prompt")
    _text(view, "source_text")
    for n in range(1, outputs + 1):
        _add_output(view, schema, n)
    if schema.preferences:
        for first, second in combinations(range(1, outputs + 1), 2):
            about = f"output_{first},output_{second}"
            Xml.SubElement(view, "Pairwise", name=f"prefer_{first}_{second}", toName=about)
            _choices(view, f"tie_{first}_{second}", first, ["tie"])
    _choices(view, "review", 1, STATES)
    _area(view, "review_note", 1)
    _area(view, "annotator", 1)
    Xml.indent(view)
    return Xml.tostring(view, encoding="utf-8") + b"\n"


def _add_output(view: Xml.Element, schema: Schema, n: int) -> None:
    _text(view, f"output_{n}")
    labels = Xml.SubElement(view, "Labels", name=f"spans_{n}", toName=f"output_{n}", choice="multiple")
    for category in schema.categories:
        if category.where == "span":
            label = Xml.SubElement(labels, "Label", value=category.key, background=_COLOURS[category.colour])
            if n == 1:  # a key can do one thing only
                label.set("hotkey", category.shortcut)
    if schema.severities:
        _choices(view, f"severity_{n}", n, [severity.key for severity in schema.severities], per_region=True)
    _area(view, f"note_{n}", n, per_region=True)
    if any(category.where == "missing" for category in schema.categories):
        _area(view, f"missing_{n}", n)
    if schema.rewrites:
        _area(view, f"rewrite_{n}", n)


def _text(view: Xml.Element, name: str) -> None:
    Xml.SubElement(view, "Text", name=name, value=f"${name}", granularity="symbol")


def _choices(view: Xml.Element, name: str, n: int, values: Any, per_region: bool = False) -> None:
    choices = Xml.SubElement(view, "Choices", name=name, toName=f"output_{n}", choice="single-radio")
    if per_region:
        choices.set("perRegion", "true")
    for value in values:
        Xml.SubElement(choices, "Choice", value=value)


def _area(view: Xml.Element, name: str, n: int, per_region: bool = False) -> None:
    area = Xml.SubElement(view, "TextArea", name=name, toName=f"output_{n}", editable="true")
    if per_region:
        area.set("perRegion", "true")
