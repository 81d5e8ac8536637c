"""Label Studio's tasks with annotations, as it exports and imports them, and the labeling config that fits a schema.

Format: https://labelstud.io/guide/task_format, results as its tags define them (https://labelstud.io/tags/labels and
choices, textarea, pairwise). Offsets of its Text tag count code points, as ours do, since the editor's
`fixCodePointsInRange` of October 2021 (HumanSignal/label-studio #1008, #1559); before it counted UTF-16 units, and
such offsets are known by the text that stands beside them. This file writes; `label_studio_reader.py` reads. Projects
of recordings are time series there: `label_studio_recordings.py`.
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
from hitl.interchange.label_studio_parts import (
    OWN,
    add_area,
    add_categories,
    add_choices,
    add_review,
    add_text,
    as_xml,
    region,
    result,
    review_results,
)
from hitl.interchange.label_studio_recordings import time_config, time_data, time_results
from hitl.labels import Missing, Preference, Rewrite, Span

_HELD = (
    "span", "span.severity", "span.note", "span.evidence", "span.repeats", "span.suggested_by", "missing",
    "missing.evidence", "missing.note", "rewrite", "preference", "review", "review.note", "review.state",
)  # fmt: skip


def config_path(path: Path) -> Path:
    """Where the labeling config of an export is."""
    return path.with_suffix(".config.xml")


def write(exported: Exported, path: Path) -> Report:
    """Tasks, one for each item, with an annotation for each person; and the labeling config beside them."""
    report, labels, tasks = Report(), exported.labels(), []
    outputs = max((len(item.outputs) for item in exported.items), default=1)
    recordings = bool(exported.items) and all(item.recording for item in exported.items)
    for place, item in enumerate(exported.items, start=1):
        if item.recording and not recordings:  # a project of Label Studio shows all its tasks alike
            report.lose("recordings beside texts", item.id)
            continue
        annotations = []
        for author, found in labels.get(item.id, {}).items():
            lose_what_is_not(_HELD, ItemLabels(found.values), item.id, report)
            report.count(found)
            lead_time = {"lead_time": found.spent_s} if found.spent_s else {}
            results = time_results(author, found) if recordings else _results(item, author, found)
            annotations.append({"result": results, **lead_time})
        data = time_data(item) if recordings else _data(item, outputs)
        tasks.append({"id": place, "data": data, "annotations": annotations})
    config = time_config(exported.schema) if recordings else labeling_config(exported.schema, outputs)
    write_whole(path, as_json(tasks))
    write_whole(config_path(path), config)
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
    results = [result("annotator", "output_1", "textarea", {"text": [author]})]
    for key, span in labels.of(Span).items():
        results += _span(item, key.removeprefix("span:"), span, number[span.track])
    missing: dict[str, list[str]] = {}
    for value in labels.of(Missing).values():
        missing.setdefault(value.track, []).append(told_missing(value))
    for track, lines in missing.items():
        n = number[track]
        results.append(result(f"missing_{n}", f"output_{n}", "textarea", {"text": lines}))
    for rewrite in labels.of(Rewrite).values():
        n = number[rewrite.track]
        results.append(result(f"rewrite_{n}", f"output_{n}", "textarea", {"text": [rewrite.text]}))
    for preference in labels.of(Preference).values():
        results.append(_preference(preference, number))
    return [*results, *review_results(labels, "output_1")]


def _span(item: Item, name: str, span: Span, n: int) -> list[dict[str, Any]]:
    """A region, and what is said of it under the same id."""
    text = item.output(span.track).text[span.start : span.end]
    place = {"start": span.start, "end": span.end}
    return region(place, f"output_{n}", n, "labels", name, span, {"text": text})


def told_missing(value: Missing) -> str:
    """`category [source.sentence, …] note`, as people may write it there, too."""
    evidence = ", ".join(f"{entry.source}.{entry.sentence}" for entry in value.evidence)
    return f"{value.category} [{evidence}] {value.note}"


def _preference(value: Preference, number: dict[str, int]) -> dict[str, Any]:
    """Pairwise knows left and right, and names itself as what it is about; that neither is better is a choice of its
    own."""
    first, second = number[value.first], number[value.second]
    if value.winner == "tie":
        return result(f"tie_{first}_{second}", f"output_{first}", "choices", {"choices": ["tie"]})
    side = "left" if value.winner == "first" else "right"
    name = f"prefer_{first}_{second}"
    return result(name, name, "pairwise", {"selected": side})


# -- the labeling config ------------------------------------------------------------------------------------------


def labeling_config(schema: Schema, outputs: int) -> bytes:
    """XML for Label Studio's settings: what a task shows and what may be said of it."""
    view = Xml.Element("View")
    Xml.SubElement(view, "Style").text = ".htx-text{white-space: pre-wrap;}"  # else it trims spaces, and offsets move
    add_text(view, "prompt")
    add_text(view, "source_text")
    for n in range(1, outputs + 1):
        _add_output(view, schema, n)
    if schema.preferences:
        for first, second in combinations(range(1, outputs + 1), 2):
            about = f"output_{first},output_{second}"
            Xml.SubElement(view, "Pairwise", name=f"prefer_{first}_{second}", toName=about)
            add_choices(view, f"tie_{first}_{second}", f"output_{first}", ["tie"])
    add_review(view, "output_1")
    return as_xml(view)


def _add_output(view: Xml.Element, schema: Schema, n: int) -> None:
    add_text(view, f"output_{n}")
    add_categories(view, schema, "Labels", f"output_{n}", n)
    if any(category.where == "missing" for category in schema.categories):
        add_area(view, f"missing_{n}", f"output_{n}")
    if schema.rewrites:
        add_area(view, f"rewrite_{n}", f"output_{n}")
