"""Data sets that TRL trains on, as JSON lines, one example a line, with the columns that its trainers name.

Format: https://huggingface.co/docs/trl/dataset_formats. Preference: prompt, chosen, rejected. Unpaired preference:
prompt, completion, label. Stepwise supervision: prompt, completions, labels. Beside these, which no trainer of TRL
takes: spans and segments with their offsets. Preferences can be read, too, also conversational ones. Knows nothing of
logs or projects on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hitl.annotation.items import Item, Output
from hitl.annotation.judged import categories_in, judged_segments, judged_whole, segments_of
from hitl.annotation.presets import preset
from hitl.annotation.schema import Schema
from hitl.annotation.state import ItemLabels
from hitl.errors import InputError
from hitl.interchange.exchange import Exported, Imported, Reading, Report, Steps, lose_what_is_not
from hitl.interchange.files import as_lines, read_lines, write_whole
from hitl.labels import Preference, Span, Winner

NAME = "trl-preference"
_FIRST, _SECOND = "1", "2"
Rows = Iterator[dict[str, Any]]


# -- reading preferences ------------------------------------------------------------------------------------------


def read_preferences(path: Path, reading: Reading) -> Imported:
    """One item and one preference a line. Which output comes first follows from the texts, so that the better one is
    not always the first. Other columns are kept with the item. Raises InputError that names the line."""
    schema, report = reading.schema or preset("good-span"), Report()
    steps = Steps(reading, schema, f"{NAME} {path.name}")
    items: dict[str, Item] = {}
    for line, row in read_lines(path, dict[str, Any]):
        where = f"{path}:{line}"
        chosen, rejected, prompt = (_text(row, name, where) for name in ("chosen", "rejected", "prompt"))
        if isinstance(row["chosen"], list) and isinstance(row.get("rejected"), list):
            report.note("conversations are read as text, a line for each turn", where)
            if "prompt" not in row:
                prompt, chosen, rejected = _implicit(row["chosen"], row["rejected"], where)
        item = _item(prompt, chosen, rejected, row)
        if item.id in items:
            report.note("an example that was there before", where)
            continue
        if item.extra:
            report.note("columns that are kept with the item", where)
        items[item.id] = item
        winner: Winner = "first" if item.outputs[0].text == chosen else "second"
        steps.add(item, reading.author, Preference(first=_FIRST, second=_SECOND, winner=winner), where)
    return Imported(list(items.values()), steps.events(report), schema, report)


def _text(row: dict[str, Any], name: str, where: str) -> str:
    """A text, or the turns of a conversation as one."""
    value = row.get(name, "" if name == "prompt" else None)
    if isinstance(value, str):
        return value
    if value is None:
        raise InputError("is missing", field=f"{where}.{name}", hint="An example has prompt, chosen and rejected.")
    return "\n".join(_turn(turn, f"{where}.{name}") for turn in _turns(value, f"{where}.{name}"))


def _turns(value: Any, where: str) -> list[dict[str, str]]:
    try:
        return msgspec.convert(value, list[dict[str, str]])
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", field=where, hint='A text, or a list of {"role":…,"content":…}.') from error


def _turn(turn: dict[str, str], where: str) -> str:
    if "content" not in turn:
        raise InputError("a turn without content", field=where, hint='Like {"role":"user","content":"…"}.')
    return turn["content"]


def _implicit(chosen: Any, rejected: Any, where: str) -> tuple[str, str, str]:
    """Prompt and outputs of two conversations that begin alike: what is the same in both is the prompt."""
    one, other = _turns(chosen, where), _turns(rejected, where)
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    parts = (one[:same], one[same:], other[same:])
    prompt, better, worse = ("\n".join(_turn(turn, where) for turn in part) for part in parts)
    return prompt, better, worse


def _item(prompt: str, chosen: str, rejected: str, row: dict[str, Any]) -> Item:
    texts = sorted((chosen, rejected), key=lambda text: hashlib.sha256(f"{prompt}\0{text}".encode()).digest())
    digest = hashlib.sha256("\0".join((prompt, chosen, rejected)).encode(errors="surrogatepass")).hexdigest()
    extra = {name: value for name, value in row.items() if name not in ("prompt", "chosen", "rejected")}
    outputs = [Output(track=track, text=text) for track, text in zip((_FIRST, _SECOND), texts, strict=True)]
    return Item(id=f"pair-{digest[:12]}", prompt=prompt, outputs=outputs, extra=extra)


# -- writing ------------------------------------------------------------------------------------------------------


def prompt_of(item: Item) -> str:
    """The sources, if there are any, and the prompt behind them."""
    sources = ["\n".join(filter(None, (s.title, " ".join(s.sentences)))) for s in item.sources]
    return "\n\n".join(filter(None, (*sources, item.prompt)))


def write_preferences(exported: Exported, path: Path) -> Report:
    """One example for each preference of each person that is no tie."""
    return _write(exported, path, _preferences, ("preference",))


def write_unpaired(exported: Exported, path: Path) -> Report:
    """One example for each output that was judged whole; its label is whether nothing is wrong with it."""
    return _write(exported, path, _unpaired, ("review",))


def write_stepwise(exported: Exported, path: Path) -> Report:
    """One example for each output that was judged whole, its sentences as steps; a step's label is whether nothing is
    wrong with it."""
    return _write(exported, path, _stepwise, ("review",))


def write_segments(exported: Exported, path: Path) -> Report:
    """One example for each output that was judged whole: its spans, and every head's segments with a label that says
    whether one of its categories is marked there."""
    return _write(exported, path, _segments, ("review", "span", "span.severity", "missing"))


def _write(
    exported: Exported,
    path: Path,
    make: Callable[[Schema, Item, ItemLabels, Report], Rows],
    held: tuple[str, ...],
) -> Report:
    report, rows, labels = Report(), [], exported.labels()
    exported.lose_authors(report)
    for item in exported.items:
        found = labels.get(item.id, {})
        if item.recording:
            report.lose("recordings", item.id)
            continue
        if found and _beside(item):
            report.lose("of items all but prompt and outputs; sources stand before the prompt", item.id)
        for of_author in found.values():
            lose_what_is_not(held, of_author, item.id, report)
            rows += list(make(exported.schema, item, of_author, report))
        if not found:
            report.note("items without labels are left out", item.id)
    report.done["example"] = len(rows)
    write_whole(path, as_lines(rows))
    return report


def _beside(item: Item) -> bool:
    return bool(item.sources or item.reference or item.extra or any(output.origin for output in item.outputs))


def _preferences(schema: Schema, item: Item, labels: ItemLabels, report: Report) -> Rows:
    told = {track for pair in labels.preferences() for track in pair}
    if labels.preferences() and len(item.outputs) != 2:
        report.lose("that more than two outputs belong together", item.id)
    if told and not told >= {output.track for output in item.outputs}:
        report.lose("outputs that no preference is about", item.id)
    for value in labels.preferences().values():
        if value.winner == "tie":
            report.lose("ties", item.id)
            continue
        texts = [item.output(value.first).text, item.output(value.second).text]
        chosen, rejected = texts if value.winner == "first" else reversed(texts)
        yield {"prompt": prompt_of(item), "chosen": chosen, "rejected": rejected}


def _judged(item: Item, labels: ItemLabels, report: Report) -> list[str]:
    tracks = judged_whole(item, labels)
    if not tracks:
        report.lose("labels of items that are not done", item.id)
    return tracks


def _bad(schema: Schema, labels: ItemLabels, track: str) -> list[Span]:
    return [
        span for span in labels.spans(track).values() if not all(schema.category(key).good for key in span.categories)
    ]


def _unpaired(schema: Schema, item: Item, labels: ItemLabels, report: Report) -> Rows:
    for track in _judged(item, labels, report):
        wrong = bool(_bad(schema, labels, track) or labels.missing(track))
        yield {"prompt": prompt_of(item), "completion": item.output(track).text, "label": not wrong}


def _stepwise(schema: Schema, item: Item, labels: ItemLabels, report: Report) -> Rows:
    for track in _judged(item, labels, report):
        text, bad = item.output(track).text, _bad(schema, labels, track)
        steps = segments_of(item, track, "sentence")
        right = [not any(step.touches((span.start, span.end)) for span in bad) for step in steps]
        if steps:
            completions = [text[step.start : step.end] for step in steps]
            yield {"prompt": prompt_of(item), "completions": completions, "labels": right}


def _segments(schema: Schema, item: Item, labels: ItemLabels, report: Report) -> Rows:
    for track in _judged(item, labels, report):
        spans = [
            {"start": span.start, "end": span.end, "category": category, "severity": span.severity}
            for span in labels.spans(track).values()
            for category in span.categories
        ]
        segments = [
            {"head": head.key, "start": s.start, "end": s.end,
             "label": bool(categories_in(schema, item, labels, track, head, s))}
            for head in schema.heads
            for s in judged_segments(item, labels, track, head)
        ]  # fmt: skip
        yield {
            "prompt": prompt_of(item), "completion": item.output(track).text, "spans": spans, "segments": segments,
        }  # fmt: skip
