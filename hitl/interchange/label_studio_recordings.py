"""Recordings as tasks of Label Studio: a time series with labels (https://labelstud.io/tags/timeseries and
timeserieslabels), in milliseconds from the beginning.

What it shows is the number of the stretch at every tenth of a second; the pictures stay in the recording, which Label
Studio cannot read.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as Xml

import msgspec

from hitl.annotation.items import Item, SourceText, Stretch
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.errors import InputError
from hitl.interchange.label_studio_parts import (
    OWN,
    add_categories,
    add_review,
    add_text,
    as_xml,
    region,
    result,
    review_results,
)
from hitl.labels import Span

SERIES = "recording"
LABELS = "timeserieslabels"
_STEP_MS = 100


class _Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Label Studio has no place for."""

    id: str
    recording: str
    duration_ms: int
    stretches: list[Stretch]
    sources: list[SourceText]
    reference: str
    extra: dict[str, Any]


def time_data(item: Item) -> dict[str, Any]:
    """The series, and the rest of the item."""
    times = [*range(0, item.duration_ms, _STEP_MS), item.duration_ms]
    ends = [stretch.end_ms for stretch in item.stretches[:-1]]
    numbers, at = [], 0
    for time in times:
        while at < len(ends) and time >= ends[at]:
            at += 1
        numbers.append(at + 1)
    own = _Own(
        id=item.id, recording=item.recording, duration_ms=item.duration_ms, stretches=item.stretches,
        sources=item.sources, reference=item.reference, extra=item.extra,
    )  # fmt: skip
    commands = "\n".join(
        f"{number} {stretch.start_ms / 1000:.1f} s {stretch.text or '-'}"
        for number, stretch in enumerate(item.stretches, start=1)
    )
    return {"prompt": item.prompt, "commands": commands, SERIES: {"time": times, "stretch": numbers}, OWN: own}


def time_results(author: str, labels: ItemLabels) -> list[dict[str, Any]]:
    """What one person said of a recording."""
    results = [result("annotator", SERIES, "textarea", {"text": [author]})]
    for key, span in labels.of(Span).items():
        place = {"start": span.start, "end": span.end, "instant": False}
        results += region(place, SERIES, 1, LABELS, key.removeprefix("span:"), span, {})
    return [*results, *review_results(labels, SERIES)]


def time_config(schema: Schema) -> bytes:
    """XML for Label Studio's settings."""
    view = Xml.Element("View")
    add_text(view, "prompt")
    add_text(view, "commands")
    series = Xml.SubElement(view, "TimeSeries", name=SERIES, value=f"${SERIES}", valueType="json", timeColumn="time")
    Xml.SubElement(series, "Channel", column="stretch", legend="command", displayFormat=",.0f")
    add_categories(view, schema, "TimeSeriesLabels", SERIES, 1)
    add_review(view, SERIES)
    return as_xml(view)


def is_recording(data: dict[str, Any]) -> bool:
    """Whether a task's data are of a recording of ours."""
    own = data.get(OWN)
    return isinstance(own, dict) and "recording" in own


def time_item(data: dict[str, Any], where: str) -> Item:
    """The item of a task. Raises InputError that names the place."""
    try:
        own = msgspec.convert(data[OWN], _Own)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", field=f"{where}.data.{OWN}", hint="Leave it as it was exported.") from error
    return Item(
        id=own.id, prompt=str(data.get("prompt", "")), sources=own.sources, reference=own.reference,
        recording=own.recording, duration_ms=own.duration_ms, stretches=own.stretches, extra=own.extra,
    )  # fmt: skip
