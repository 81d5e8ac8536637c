"""WMT's MQM ratings as a table: a row for each error that a rater found in a segment, or one that says there is none.

Format: https://github.com/google/wmt-mqm-human-evaluation (Freitag et al. 2021, arXiv 2104.14478), with the headings
of 2020 to 2022 and those of https://github.com/google-research/google-research/tree/master/mqm_viewer. Tabs divide
cells and nothing is quoted; `<v>…</v>` encloses the error in the target, or in the source where something was left
out. An item is one system's translation of one segment. Knows nothing of logs or projects on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.errors import InputError
from hitl.interchange.exchange import Exported, Imported, Reading, Report, Steps, lose_what_is_not
from hitl.interchange.files import as_table, read_table, write_whole
from hitl.labels import Review, Span

NAME = "mqm-tsv"
TRACK = "target"
COLUMNS = ("system", "doc", "doc_id", "seg_id", "rater", "source", "target", "category", "severity")
_OTHER_NAMES = {
    "docSegId": "doc_id", "doc_seg_id": "doc_id", "globalSegId": "seg_id", "global_seg_id": "seg_id",
}  # fmt: skip
_OPTIONAL = ("metadata", "note")
_NO_ERROR = "no-error"
_OPEN, _CLOSE = "<v>", "</v>"


def read(path: Path, reading: Reading) -> Imported:
    """Items and every rater's spans. Raises InputError that names the line."""
    schema, report = reading.schema or preset(NAME.removesuffix("-tsv")), Report()
    reader = _Reader(schema, Steps(reading, schema, f"{NAME} {path.name}"), report)
    rows = read_table(path, COLUMNS, tabs=True, quoted=False, other_names=_OTHER_NAMES, optional=_OPTIONAL)
    for line, row in rows:
        reader.take(row, f"{path}:{line}", reading.author)
    return reader.imported()


class _Reader:
    """Rows of one segment may stand anywhere; its texts must be the same in all of them."""

    def __init__(self, schema: Schema, steps: Steps, report: Report) -> None:
        self._schema, self._steps, self._report = schema, steps, report
        self._items: dict[str, Item] = {}
        self._raters: dict[tuple[str, str], None] = {}
        self._categories = {category.key.casefold(): category.key for category in schema.categories}
        self._severities = {severity.key.casefold(): severity.key for severity in schema.severities}

    def take(self, row: Mapping[str, str], where: str, nobody: str) -> None:
        """One row."""
        target, span = _unmarked(row["target"], f"{where}.target", self._report)
        source, source_span = _unmarked(row["source"], f"{where}.source", self._report)
        item = self._item(row, source, target, where)
        author = row["rater"] or nobody
        self._raters[item.id, author] = None
        for name in _OPTIONAL:
            if row.get(name):
                self._report.lose(f"the column {name}", where)
        if row["category"].casefold() == _NO_ERROR:
            if span is not None:
                self._report.lose("marks in a row that says there is no error", where)
            return
        category = self._known(self._categories, row["category"], f"{where}.category")
        severity = self._known(self._severities, row["severity"], f"{where}.severity")
        if span is not None:
            value = Span(track=TRACK, start=span[0], end=span[1], categories=[category], severity=severity)
            self._steps.add(item, author, value, where)
        else:
            marked = "an error that is marked in the source" if source_span else "an error that is marked nowhere"
            self._report.lose(f"{marked}: kept with the item, not as a label", where)
            entry = {"rater": author, "category": category, "severity": severity, "source": row["source"]}
            item.extra.setdefault("unmarked", []).append(entry)

    def _item(self, row: Mapping[str, str], source: str, target: str, where: str) -> Item:
        name = "/".join(row[column] for column in ("system", "doc", "seg_id"))
        item = self._items.get(name)
        if item is None:
            item = Item(
                id=name,
                sources=[SourceText(title="", sentences=[source])],
                outputs=[Output(track=TRACK, text=target, origin=row["system"])],
                extra={column: row[column] for column in ("doc", "doc_id", "seg_id")},
            )
            self._items[name] = item
        elif (item.sources[0].sentences[0], item.outputs[0].text) != (source, target):
            raise InputError(
                f"has another text than an earlier row of {name}", field=where, hint="Give it another seg_id."
            )
        return item

    def _known(self, known: Mapping[str, str], key: str, field: str) -> str:
        found = known.get(key.casefold())
        if found is None:
            hint = f"Known: {', '.join(known.values())}. Or give a schema that has it: --schema FILE."
            raise InputError(f"{key[:80]!r} is not known", field=field, hint=hint)
        if found != key:
            self._report.note(f"{key} is read as {found}", field)
        return found

    def imported(self) -> Imported:
        """All of it. Who rated a segment looked at all of it."""
        for item_id, author in self._raters:
            self._steps.add(self._items[item_id], author, Review(state="done"), item_id)
        return Imported(list(self._items.values()), self._steps.events(self._report), self._schema, self._report)


def _unmarked(text: str, where: str, report: Report) -> tuple[str, tuple[int, int] | None]:
    """The text without `<v>` and `</v>`, and where they were. An error that does not end goes on to the end."""
    start, marks = text.find(_OPEN), text.count(_OPEN)
    if not marks and _CLOSE not in text:
        return text, None
    end = text.find(_CLOSE, start + len(_OPEN))
    if marks != 1 or text.count(_CLOSE) > 1 or (end < 0 and _CLOSE in text):
        why = f"has {marks} {_OPEN} and {text.count(_CLOSE)} {_CLOSE}, in this order: {text[:80]!r}"
        raise InputError(why, field=where, hint="A row marks one error.")
    if end < 0:
        report.note(f"{_CLOSE} is missing; the error goes on to the end", where)
        end = len(text)
    plain = text[:start] + text[start + len(_OPEN) : end] + text[end + len(_CLOSE) :]
    found = (start, end - len(_OPEN))
    if found[0] == found[1]:
        report.note("nothing is between <v> and </v>", where)
        return plain, None
    return plain, found


def write(exported: Exported, path: Path) -> Report:
    """One row for each category of each span, or one without an error, for each rater of each item."""
    report, rows, labels = Report(), [list(COLUMNS)], exported.labels()
    for item in exported.items:
        if item.recording or len(item.outputs) != 1 or not _plain(item):
            report.lose("items that are not one plain text, or hold tabs, line ends or <v>", item.id)
            continue
        found = labels.get(item.id, {})
        if not found:
            report.note("items without labels are left out", item.id)
        elif _about_item(item) != item:
            report.lose("of items all but source, text, system, document and segment", item.id)
        for author, of_author in found.items():
            report.count(of_author)
            rows += _rows(item, author, of_author, report)
    write_whole(path, as_table(rows, tabs=True, quoted=False))
    return report


def _plain(item: Item) -> bool:
    texts = [output.text for output in item.outputs] + [text for source in item.sources for text in source.sentences]
    texts += [item.id, item.outputs[0].origin, *(str(value) for value in _about(item).values())]
    return not any(mark in text for text in texts for mark in ("\t", "\n", "\r", _OPEN, _CLOSE))


def _about(item: Item) -> dict[str, str]:
    return {name: str(item.extra.get(name, "")) for name in ("doc", "doc_id", "seg_id")}


def _about_item(item: Item) -> Item:
    """What reading gives of an item."""
    about: dict[str, Any] = {**_about(item)}
    if "unmarked" in item.extra:
        about["unmarked"] = item.extra["unmarked"]
    sources = [SourceText(sentences=[_source(item)])]
    output = Output(track=TRACK, text=item.outputs[0].text, origin=item.outputs[0].origin)
    name = "/".join((output.origin, about["doc"], about["seg_id"]))
    return Item(id=name, sources=sources, outputs=[output], extra=about)


def _source(item: Item) -> str:
    return " ".join(text for source in item.sources for text in source.sentences)


def _rows(item: Item, author: str, labels: ItemLabels, report: Report) -> list[list[str]]:
    lose_what_is_not(("span", "span.severity", "review"), labels, item.id, report)
    about, text, source = _about(item), item.outputs[0].text, _source(item)
    begin = [item.outputs[0].origin, about["doc"], about["doc_id"], about["seg_id"] or item.id, author]
    rows = []
    for span in labels.of(Span).values():
        if len(span.categories) > 1:
            report.lose("that several categories are of one span (each is written as one of its own)", item.id)
        marked = f"{text[: span.start]}{_OPEN}{text[span.start : span.end]}{_CLOSE}{text[span.end :]}"
        rows += [[*begin, source, marked, category, span.severity] for category in span.categories]
    for entry in item.extra.get("unmarked", []):
        if entry["rater"] == author:
            rows.append([*begin, entry["source"], text, entry["category"], entry["severity"]])
    return rows or [[*begin, source, text, "No-error", "No-error"]]
