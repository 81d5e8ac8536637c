"""hitl's own file of a project: everything, one JSON object a line. Reading and writing lose nothing.

{"is":"project","format":"hitl-labels-1","name":…,"schema":…}    first
{"is":"item","item":…}                                           one a line, in order
{"is":"step","event":…}                                          one a line, in the order of the log
{"is":"end","items":…,"steps":…}                                 last, so that half a file is known for what it is

Items and events are written as `hitl/annotation/items.py` and `hitl/events.py` define them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from hitl.annotation.items import Item
from hitl.annotation.schema import Schema, checked
from hitl.annotation.state import by_item, check_changes, labels_of
from hitl.clock import is_ulid
from hitl.errors import InputError
from hitl.events import LabelEvent
from hitl.interchange.exchange import Exported, Imported, Reading, Report, moved_id
from hitl.interchange.files import as_lines, read_lines, write_whole

NAME = "jsonl"
_HINT = "Write it again with hitl export jsonl."


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"):
    """Base of all lines."""


class _Project(_Line, frozen=True, kw_only=True, tag="project"):
    format: Literal["hitl-labels-1"] = "hitl-labels-1"
    name: str
    schema: Schema


class _Item(_Line, frozen=True, kw_only=True, tag="item"):
    item: Item


class _Step(_Line, frozen=True, kw_only=True, tag="step"):
    event: LabelEvent


class _End(_Line, frozen=True, kw_only=True, tag="end"):
    items: int
    steps: int


def read(path: Path, reading: Reading) -> Imported:
    """All of it. Under another project name, steps get other ids, the same at every import."""
    items: dict[str, Item] = {}
    events: list[LabelEvent] = []
    ids: set[str] = set()
    project: _Project | None = None
    end: _End | None = None
    for number, line in read_lines(path, _Project | _Item | _Step | _End):  # type: ignore[arg-type]
        where = f"{path}:{number}"
        if end is not None or (project is None) != isinstance(line, _Project):
            raise InputError("is not where it belongs", field=where, hint=_HINT)
        if isinstance(line, _Project):
            project = line
            checked(line.schema)
        elif isinstance(line, _Item):
            if line.item.id in items:
                raise InputError(f"item {line.item.id!r} is there twice", field=where, hint=_HINT)
            items[line.item.id] = line.item
        elif isinstance(line, _Step):
            assert project is not None
            events.append(_checked(line.event, items, project.name, ids, where))
        else:
            end = line
    if project is None or end is None or (end.items, end.steps) != (len(items), len(events)):
        raise InputError("its end is missing", field=str(path), hint="Is the file whole? Copy it again.")
    return _imported(project, list(items.values()), events, reading, path)


def _checked(event: LabelEvent, items: dict[str, Item], project: str, ids: set[str], where: str) -> LabelEvent:
    if not is_ulid(event.id):
        raise InputError(f"{event.id!r} is no ULID", field=f"{where}.event.id", hint=_HINT)
    if event.item not in items:
        raise InputError(f"{event.item!r} is no item of the file", field=f"{where}.event.item", hint=_HINT)
    if event.project != project:
        raise InputError(f"{event.project!r} is not {project!r}", field=f"{where}.event.project", hint=_HINT)
    if event.id in ids:
        raise InputError(f"{event.id} is there twice", field=f"{where}.event.id", hint=_HINT)
    ids.add(event.id)
    return event


def _imported(
    project: _Project, items: Sequence[Item], events: Sequence[LabelEvent], reading: Reading, path: Path
) -> Imported:
    schema, report = reading.schema or project.schema, Report()
    known = {item.id: item for item in items}
    for event in events:
        try:
            check_changes(known[event.item], _of_then(schema), event.changes)
        except InputError as error:
            raise InputError(error.message, field=f"{path}: step {event.id}.{error.field}", hint=error.hint) from error
    for steps in by_item(events).values():
        report.count(labels_of(steps))
    return Imported(list(items), [_moved(event, project.name, reading.project) for event in events], schema, report)


def _of_then(schema: Schema) -> Schema:
    """The schema that also knows what was given up: steps of then may say it, and are not lost."""
    gone = [key for key in schema.renamed if schema.current(key) is None]
    stand_in = schema.categories[0]
    categories = [msgspec.structs.replace(stand_in, key=key) for key in gone]
    kept = {key: to for key, to in schema.renamed.items() if key not in gone}
    return msgspec.structs.replace(schema, categories=[*schema.categories, *categories], renamed=kept)


def _moved(event: LabelEvent, old: str, new: str) -> LabelEvent:
    if old == new:
        return event
    undoes = moved_id(event.undoes, new) if event.undoes else ""
    return msgspec.structs.replace(event, project=new, id=moved_id(event.id, new), undoes=undoes)


def write(exported: Exported, path: Path) -> Report:
    """All of it."""
    report = Report()
    for found in exported.labels().values():
        for labels in found.values():
            report.count(labels)
    lines: list[_Line] = [_Project(name=exported.name, schema=exported.schema)]
    lines += [_Item(item=item) for item in exported.items]
    lines += [_Step(event=event) for event in exported.events]
    lines.append(_End(items=len(exported.items), steps=len(exported.events)))
    write_whole(path, as_lines(lines))
    return report
