"""Labels as a table: CSV, one row for each value, for spreadsheets and statistics. Items are not in it.

Columns: item, author, key, kind, track, start, end, categories, severity, text, note, evidence, repeats,
suggested_by, first, second, winner, state. `text` is the marked text, or a rewrite; lists are divided by `|`,
evidence is `source.sentence` (sources from 0, sentences from 1, 0 is the title), a repeated part `start-end`. Reading
takes the same rows; the items must be in the project already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hitl.annotation.items import Item
from hitl.annotation.presets import preset
from hitl.annotation.state import kind_of
from hitl.errors import InputError
from hitl.interchange.exchange import Exported, Imported, Reading, Report, Steps, lose_time
from hitl.interchange.files import as_table, read_table, write_whole
from hitl.labels import (
    Evidence,
    Judged,
    Missing,
    Rejected,
    Span,
    Unsure,
    Value,
)

NAME = "csv"
COLUMNS = (
    "item", "author", "key", "kind", "track", "start", "end", "categories", "severity", "text", "note", "evidence",
    "repeats", "suggested_by", "first", "second", "winner", "state",
)  # fmt: skip
_EVIDENCE = re.compile(r"(\d{1,9})\.(\d{1,9})")
_REPEATS = re.compile(r"(\d{1,9})-(\d{1,9})")


def write(exported: Exported, path: Path) -> Report:
    """One row a value."""
    report, rows = Report(), [list(COLUMNS)]
    items = {item.id: item for item in exported.items}
    for item_id, found in exported.labels().items():
        for author, labels in found.items():
            report.count(labels)
            for key, value in labels.values.items():
                cells = {"item": item_id, "author": author, "key": key, "kind": kind_of(value)}
                cells |= _cells(items[item_id], value)
                rows.append([cells.get(column, "") for column in COLUMNS])
            lose_time(labels, item_id, report)
    write_whole(path, as_table(rows, tabs=False))
    return report


def _cells(item: Item, value: Value) -> dict[str, str]:
    """What a row says of a value, by its column."""
    cells = {}
    fields: dict[str, Any] = msgspec.structs.asdict(value)
    for name in ("track", "severity", "text", "note", "suggested_by", "first", "second", "winner", "state"):
        cells[name] = str(fields.get(name, ""))
    for name in ("start", "end"):
        cells[name] = str(fields[name]) if name in fields else ""
    cells["categories"] = "|".join(fields.get("categories") or fields.get("heads") or [fields.get("category", "")])
    cells["evidence"] = "|".join(f"{entry.source}.{entry.sentence}" for entry in fields.get("evidence", []))
    repeats = fields.get("repeats")
    cells["repeats"] = f"{repeats[0]}-{repeats[1]}" if repeats is not None else ""
    if isinstance(value, Span | Judged | Unsure | Rejected) and not item.recording:
        cells["text"] = item.output(value.track).text[value.start : value.end]
    return cells


def read(path: Path, reading: Reading) -> Imported:
    """The labels of such a table, on items of the project."""
    schema, report = reading.schema or preset("fine-grained-rlhf"), Report()
    steps = Steps(reading, schema, f"{NAME} {path.name}")
    seen: set[tuple[str, str, str]] = set()
    for line, row in read_table(path, COLUMNS, tabs=False, optional=()):
        where = f"{path}:{line}"
        if (place := (row["item"], row["author"], row["key"])) in seen:
            raise InputError(f"{row['key']!r} is there twice", field=where, hint="Give each value its own key.")
        seen.add(place)
        item = reading.item(row["item"], where)
        value = _value(row, where)
        _check_text(item, value, row["text"], where)
        name = row["key"].partition(":")[2] if isinstance(value, Span | Missing) else ""
        steps.add(item, row["author"] or reading.author, value, where, name)
    return Imported([], steps.events(report), schema, report)


def _value(row: Mapping[str, str], where: str) -> Value:
    make = _KINDS.get(row["kind"])
    if make is None:
        raise InputError(f"{row['kind'][:80]!r} is no kind", field=f"{where}.kind", hint=f"Use {', '.join(_KINDS)}.")
    try:
        value: Value = msgspec.convert({"is": row["kind"], **make(row, where)}, Value)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", field=where, hint="Look at the columns of the row.") from error
    return value


def _check_text(item: Item, value: Value, text: str, where: str) -> None:
    """A cut or shifted table is found out by its texts."""
    if isinstance(value, Span) and text and not item.recording:
        there = item.output(value.track).text[value.start : value.end]
        if there != text:
            why = f"{value.start} to {value.end} is {there[:80]!r}, not {text[:80]!r}"
            raise InputError(why, field=f"{where}.text", hint="Offsets count code points from 0.")


def _number(row: Mapping[str, str], name: str, where: str) -> int:
    if not (row[name].isascii() and row[name].isdigit() and len(row[name]) < 10):
        raise InputError(f"{row[name][:80]!r} is no number", field=f"{where}.{name}", hint="Give one from 0 on.")
    return int(row[name])


def _part(row: Mapping[str, str], where: str) -> dict[str, Any]:
    return {"track": row["track"], "start": _number(row, "start", where), "end": _number(row, "end", where)}


def _list(text: str) -> list[str]:
    return text.split("|") if text else []


def _evidence(row: Mapping[str, str], where: str) -> list[Evidence]:
    found = []
    for text in _list(row["evidence"]):
        match = _EVIDENCE.fullmatch(text)
        if match is None:
            raise InputError(f"{text[:80]!r} is no sentence", field=f"{where}.evidence", hint="Like 0.2, or 0.2|1.1.")
        found.append(Evidence(source=int(match[1]), sentence=int(match[2])))
    return found


def _span(row: Mapping[str, str], where: str) -> dict[str, Any]:
    match = _REPEATS.fullmatch(row["repeats"])
    if row["repeats"] and match is None:
        raise InputError(f"{row['repeats'][:80]!r} is no part", field=f"{where}.repeats", hint="Like 10-25.")
    return {
        **_part(row, where),
        "categories": _list(row["categories"]),
        "severity": row["severity"],
        "note": row["note"],
        "evidence": msgspec.to_builtins(_evidence(row, where)),
        "repeats": [int(match[1]), int(match[2])] if match else None,
        "suggested_by": row["suggested_by"],
    }


def _missing(row: Mapping[str, str], where: str) -> dict[str, Any]:
    evidence = msgspec.to_builtins(_evidence(row, where))
    return {"track": row["track"], "category": row["categories"], "evidence": evidence, "note": row["note"]}


_KINDS: dict[str, Callable[[Mapping[str, str], str], dict[str, Any]]] = {
    "span": _span,
    "missing": _missing,
    "rewrite": lambda row, _: {"track": row["track"], "text": row["text"]},
    "preference": lambda row, _: {name: row[name] for name in ("first", "second", "winner")},
    "judged": lambda row, where: {**_part(row, where), "heads": _list(row["categories"])},
    "unsure": lambda row, where: {**_part(row, where), "heads": _list(row["categories"])},
    "rejected": lambda row, where: {**_part(row, where), "category": row["categories"]},
    "review": lambda row, _: {"state": row["state"], "note": row["note"]},
}
