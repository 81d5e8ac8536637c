"""Puts what a file came to into a project and the feedback log, and takes it out again.

Items first, then all labels at once. What was interrupted is finished by doing it again, since nothing is added twice.
Knows nothing of formats, windows or models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitl.annotation.items import checked_item
from hitl.annotation.presets import PRESETS, preset
from hitl.annotation.project import Project, Projects
from hitl.annotation.schema import Schema, checked
from hitl.annotation.state import by_item, labels_of
from hitl.errors import InputError
from hitl.events import LabelEvent
from hitl.interchange.exchange import DEFAULT_AUTHOR, Exported, Reading, Report
from hitl.interchange.files import read_json
from hitl.interchange.registry import format_of
from hitl.labels import Missing, Rejected, Span
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog


@dataclass(frozen=True)
class Stored:
    """What an import did."""

    project: str
    made: bool
    """Whether the project is new."""
    items: int
    new_items: int
    steps: int
    new_steps: int
    authors: list[str]
    schema: str
    report: Report


@dataclass(frozen=True)
class Listed:
    """One project. labelled: items with labels of anybody; steps: of everybody."""

    name: str
    items: int
    labelled: int
    steps: int
    authors: list[str]
    schema: str
    version: int


def import_file(
    data: Path, format_name: str, path: Path, project: str = "", author: str = "", schema: Schema | None = None
) -> Stored:
    """Read a file into a project, which is made where there is none. project: empty: named like the file, or as the
    format says. schema: of a new project; None: that which fits. Raises InputError, with nothing changed;
    StorageError."""
    entry = format_of(format_name)
    read = entry.reader()
    projects, name = Projects(data), project or entry.project or _name_of(path)
    there = projects.open(name) if name in projects.names() else None
    try:
        if there is not None and schema is not None:
            raise InputError(f"{name!r} has a schema", field="schema", hint="Change it: hitl projects schema.")
        found, fitting = (there.item, there.schema) if there is not None else (None, schema)
        reading = Reading(name, author or DEFAULT_AUTHOR, fitting, found, data)
        imported = read(path, reading)
        for item in imported.items:
            checked_item(item)
        made = there is None
        there = there or projects.create(name, imported.schema)
        new_items = there.add(imported.items)
        with closing(FeedbackLog(Catalog(data).log_file)) as log:
            new_steps = log.extend(imported.events)
        authors = list(dict.fromkeys(event.author for event in imported.events))
        return Stored(
            name, made, len(imported.items), new_items, len(imported.events), new_steps, authors,
            there.schema.name, imported.report,
        )  # fmt: skip
    finally:
        if there is not None:
            there.close()


def _name_of(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100] or "imported"


def export_project(data: Path, format_name: str, name: str, path: Path, author: str = "") -> Report:
    """Write a project into a file, of one author where that is said. Raises InputError; OSError that names a file."""
    write = format_of(format_name).writer()
    with opened(data, name) as (project, events):
        authors = list(dict.fromkeys(event.author for event in events))
        if author and author not in authors:
            known = ", ".join(authors) or "nobody"
            raise InputError(f"{author!r} has not labelled in {name!r}", field="author", hint=f"It was: {known}.")
        chosen = [event for event in events if not author or event.author == author]
        return write(Exported(name, project.schema, list(project.items()), chosen), path)


@contextmanager
def opened(data: Path, name: str) -> Iterator[tuple[Project, list[LabelEvent]]]:
    """A project and its steps in the log."""
    with closing(Projects(data).open(name)) as project:
        yield project, _steps(data, name)


def _steps(data: Path, name: str) -> list[LabelEvent]:
    path = Catalog(data).log_file
    if not path.is_file():
        return []
    with closing(FeedbackLog(path)) as log:
        return log.labels(name)


def list_projects(data: Path) -> list[Listed]:
    """All projects of a data folder."""
    found = []
    for name in Projects(data).names():
        with opened(data, name) as (project, events):
            labelled = {item for (item, _), steps in by_item(events).items() if labels_of(steps).values}
            authors = sorted({event.author for event in events})
            schema = project.schema
            found.append(Listed(name, len(project), len(labelled), len(events), authors, schema.name, schema.version))
    return found


def change_schema(data: Path, name: str, new: Schema, renames: Mapping[str, str]) -> Schema:
    """Give a project another schema. Raises InputError where labels would be lost that `renames` does not mention."""
    with opened(data, name) as (project, events):
        project.change_schema(new, used_categories(events), renames)
        return project.schema


def used_categories(events: Iterable[LabelEvent]) -> dict[str, int]:
    """Category, as it was called when it was marked -> number of labels that have it now."""
    used: Counter[str] = Counter()
    for steps in by_item(events).values():
        for value in labels_of(steps).values.values():
            if isinstance(value, Span):
                used.update(value.categories)
            elif isinstance(value, Missing | Rejected):
                used[value.category] += 1
    return dict(used)


def schema_of(text: str) -> Schema:
    """A preset of this name, or the schema in a JSON file. Raises InputError."""
    if text in PRESETS:
        return preset(text)
    path = Path(text)
    if not path.is_file():
        raise InputError(
            f"{text[:120]!r} is neither a preset nor a file",
            field="schema",
            hint=f"Presets: {', '.join(PRESETS)}; or write one: hitl projects schema PROJECT > FILE.",
        )
    return checked(read_json(path, Schema))


def schema_as_json(schema: Schema) -> str:
    """As a file for `schema_of`, to be edited."""
    return msgspec.json.format(msgspec.json.encode(schema)).decode()
