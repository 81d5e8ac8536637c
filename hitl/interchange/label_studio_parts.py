"""What all of Label Studio's tasks and labeling configs are made of. See `label_studio.py` for the format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as Xml

from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.labels import Review, Span

NAME = "label-studio"
OWN = "hitl"
"""Under this name a task's data hold what Label Studio has no place for."""
STATES = ("open", "done", "skipped", "flagged")
COLOURS = ("#0072b2", "#56b4e9", "#cc79a7", "#d55e00", "#e69f00", "#009e73", "#f0e442", "#999999")
"""Of Okabe and Ito, which people with colour blindness tell apart."""


def result(name: str, about: str, kind: str, value: dict[str, Any], region: str = "") -> dict[str, Any]:
    """One thing that is said, about an object of the task."""
    return {"id": region or name, "from_name": name, "to_name": about, "type": kind, "value": value}


def region(
    place: dict[str, Any], about: str, n: int, tag: str, name: str, span: Span, text: dict[str, Any]
) -> list[dict[str, Any]]:
    """A span, and what is said of it under the same id. place: its ends; tag: the type of its labels; text: what the
    result with the labels says beside."""
    marked = result(f"spans_{n}", about, tag, {**place, **text, tag: span.categories}, name)
    beside: dict[str, Any] = {"evidence": span.evidence, "repeats": span.repeats, "suggested_by": span.suggested_by}
    if beside := {field: value for field, value in beside.items() if value}:
        marked["meta"] = {OWN: beside}
    results = [marked]
    if span.severity:
        severity = {**place, **text, "choices": [span.severity]}
        results.append(result(f"severity_{n}", about, "choices", severity, name))
    if span.note:
        results.append(result(f"note_{n}", about, "textarea", {**place, "text": [span.note]}, name))
    return results


def review_results(labels: ItemLabels, about: str) -> list[dict[str, Any]]:
    """How far somebody is with a task."""
    results = []
    for review in labels.of(Review).values():
        results.append(result("review", about, "choices", {"choices": [review.state]}))
        if review.note:
            results.append(result("review_note", about, "textarea", {"text": [review.note]}))
    return results


# -- the labeling config ------------------------------------------------------------------------------------------


def as_xml(view: Xml.Element) -> bytes:
    """The file."""
    Xml.indent(view)
    return Xml.tostring(view, encoding="utf-8") + b"\n"


def add_categories(view: Xml.Element, schema: Schema, tag: str, about: str, n: int) -> None:
    """What may be said of a part of an object, with severity and note."""
    labels = Xml.SubElement(view, tag, name=f"spans_{n}", toName=about, choice="multiple")
    for category in schema.categories:
        if category.where == "span":
            label = Xml.SubElement(labels, "Label", value=category.key, background=COLOURS[category.colour])
            if n == 1:  # a key can do one thing only
                label.set("hotkey", category.shortcut)
    if schema.severities:
        keys = [severity.key for severity in schema.severities]
        add_choices(view, f"severity_{n}", about, keys, per_region=True)
    add_area(view, f"note_{n}", about, per_region=True)


def add_review(view: Xml.Element, about: str) -> None:
    """How far somebody is, and who."""
    add_choices(view, "review", about, STATES)
    add_area(view, "review_note", about)
    add_area(view, "annotator", about)


def add_text(view: Xml.Element, name: str) -> None:
    """A text of the task's data."""
    Xml.SubElement(view, "Text", name=name, value=f"${name}", granularity="symbol")


def add_choices(view: Xml.Element, name: str, about: str, values: Iterable[str], per_region: bool = False) -> None:
    """One of several."""
    choices = Xml.SubElement(view, "Choices", name=name, toName=about, choice="single-radio")
    if per_region:
        choices.set("perRegion", "true")
    for value in values:
        Xml.SubElement(choices, "Choice", value=value)


def add_area(view: Xml.Element, name: str, about: str, per_region: bool = False) -> None:
    """A field for words."""
    area = Xml.SubElement(view, "TextArea", name=name, toName=about, editable="true")
    if per_region:
        area.set("perRegion", "true")
