"""Reads Label Studio's tasks: those that `label_studio.py` wrote, and those of other projects as far as they can be
understood. See there for the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.schema import Schema
from hitl.errors import InputError
from hitl.interchange.exchange import Imported, Reading, Report, Steps
from hitl.interchange.files import read_json
from hitl.interchange.fitting import fitting_schema
from hitl.interchange.label_studio_parts import NAME, OWN, STATES
from hitl.interchange.label_studio_recordings import LABELS, SERIES, is_recording, time_item
from hitl.labels import TIME_TRACK, Evidence, Missing, Preference, Review, Rewrite, Span, Value

_MISSING = re.compile(r"([^\[\]]+?) \[((?:\d{1,9}\.\d{1,9}(?:, ?)?)*)\] ?(.*)", re.DOTALL)
_NUMBERED = re.compile(r"(prefer|tie)_(\d{1,4})_(\d{1,4})")
_PROMPTS = ("prompt", "question")
_NO_TEXTS = (*_PROMPTS, "source_text", "id")


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    id: str = ""
    from_name: str = ""
    to_name: str = ""
    value: dict[str, Any] = {}
    meta: dict[str, Any] = {}

    def texts(self, field: str) -> list[str]:
        """The texts under a field of the value, of which there may be one or a list."""
        found = self.value.get(field, [])
        return [str(text) for text in (found if isinstance(found, list) else [found])]


class _Annotation(msgspec.Struct, frozen=True, kw_only=True):
    result: list[_Result]
    completed_by: Any = None
    was_cancelled: bool = False
    model_version: str | None = None
    lead_time: float | None = None


class _Task(msgspec.Struct, frozen=True, kw_only=True):
    data: dict[str, Any]
    id: Any = None
    annotations: list[_Annotation] = []
    predictions: list[_Annotation] = []

    def results(self) -> Iterator[_Result]:
        """Of all annotations and predictions."""
        for annotation in (*self.annotations, *self.predictions):
            yield from annotation.result


class _OwnOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    track: str
    origin: str = ""


class _Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    outputs: list[_OwnOutput]
    sources: list[SourceText]
    reference: str
    extra: dict[str, Any]


class _Beside(msgspec.Struct, frozen=True, kw_only=True):
    evidence: list[Evidence] = []
    repeats: tuple[int, int] | None = None
    suggested_by: str = ""


def read(path: Path, reading: Reading) -> Imported:
    """Items, and a step for each annotation; predictions are of an author who is named as their model. Raises
    InputError that names the task."""
    tasks, report = read_json(path, list[_Task]), Report()
    schema = reading.schema or _schema(tasks)
    steps = Steps(reading, schema, f"{NAME} {path.name}")
    items: dict[str, Item] = {}
    for place, task in enumerate(tasks):
        where = f"{path}: $[{place}]"
        item, names = _item(task, place, tasks, where)
        if item.id in items:
            raise InputError(f"{item.id!r} is there twice", field=f"{where}.id", hint="Give each task its own.")
        items[item.id] = item
        for number, annotation in enumerate((*task.annotations, *task.predictions)):
            predicted = number >= len(task.annotations)
            author = _author(annotation, predicted, reading.author)
            at = f"{where}.{'predictions' if predicted else 'annotations'}"
            _read_annotation(_Place(steps, item, names, author, at, report), annotation)
    return Imported(list(items.values()), steps.events(report), schema, report)


def _schema(tasks: Sequence[_Task]) -> Schema:
    spans: dict[str, None] = {}
    missing: dict[str, None] = {}
    severities: dict[str, None] = {}
    for task in tasks:
        for result in task.results():
            if result.type in ("labels", LABELS):
                spans |= dict.fromkeys(result.texts(result.type))
            elif result.from_name.startswith("severity"):
                severities |= dict.fromkeys(result.texts("choices"))
            elif result.from_name.startswith("missing_"):
                found = (_MISSING.fullmatch(text) for text in result.texts("text"))
                missing |= dict.fromkeys(match[1] for match in found if match)
    recordings = bool(tasks) and all(is_recording(task.data) for task in tasks)
    return fitting_schema(spans, missing, severities, recordings=recordings)


# -- the item -----------------------------------------------------------------------------------------------------


def _item(task: _Task, place: int, tasks: Sequence[_Task], where: str) -> tuple[Item, dict[str, str]]:
    """The item, and its tracks by the names of Label Studio's objects."""
    if is_recording(task.data):
        return time_item(task.data, where), {SERIES: TIME_TRACK}
    if OWN in task.data:
        return _own_item(task, where)
    keys = _text_keys(task, tasks, where)
    prompt = next((str(task.data[key]) for key in _PROMPTS if key in task.data), "")
    outputs = [Output(track=key.replace(":", "_"), text=task.data[key]) for key in keys]
    beside = {key: value for key, value in task.data.items() if key not in (*keys, *_PROMPTS)}
    item = Item(
        id=f"task-{task.id if task.id is not None else place + 1}", prompt=prompt, outputs=outputs, extra=beside
    )
    return item, {key: output.track for key, output in zip(keys, outputs, strict=True)}


def _own_item(task: _Task, where: str) -> tuple[Item, dict[str, str]]:
    try:
        own = msgspec.convert(task.data[OWN], _Own)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", field=f"{where}.data.{OWN}", hint="Leave it as it was exported.") from error
    outputs = []
    for n, output in enumerate(own.outputs, start=1):
        text = task.data.get(f"output_{n}")
        if not isinstance(text, str):
            raise InputError("is missing", field=f"{where}.data.output_{n}", hint="Leave the data as exported.")
        outputs.append(Output(track=output.track, text=text, origin=output.origin))
    item = Item(
        id=own.id, prompt=str(task.data.get("prompt", "")), sources=own.sources, outputs=outputs,
        reference=own.reference, extra=own.extra,
    )  # fmt: skip
    return item, {f"output_{n}": output.track for n, output in enumerate(outputs, start=1)}


def _text_keys(task: _Task, tasks: Sequence[_Task], where: str) -> list[str]:
    """Which of the data are judged: what results are about, else `text`, else the only text."""
    texts = [key for key, value in task.data.items() if isinstance(value, str) and key not in _NO_TEXTS]
    about = dict.fromkeys(name for other in tasks for result in other.results() for name in result.to_name.split(","))
    named = [key for key in texts if key in about]
    if any(result.type == "pairwise" for other in tasks for result in other.results()) and len(texts) == 2:
        return texts
    if named:
        return named
    if "text" in texts:
        return ["text"]
    if len(texts) != 1:
        why = f"which of {', '.join(texts) or 'no texts'} is judged is not known"
        raise InputError(why, field=f"{where}.data", hint="Name it text, and what is asked prompt.")
    return texts


# -- labels -------------------------------------------------------------------------------------------------------


def _author(annotation: _Annotation, predicted: bool, nobody: str) -> str:
    if predicted:
        return annotation.model_version or "prediction"
    for result in annotation.result:
        if result.from_name == "annotator" and result.texts("text"):
            return result.texts("text")[0]
    who = annotation.completed_by
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    if isinstance(who, int):
        return f"annotator-{who}"
    return str(who) if who else nobody


class _Place:
    """Where results go."""

    def __init__(
        self, steps: Steps, item: Item, names: dict[str, str], author: str, where: str, report: Report
    ) -> None:
        self._steps, self.item, self._names, self._author = steps, item, names, author
        self.where, self.report = where, report

    def track(self, name: str) -> str:
        """The output of an object. Raises InputError."""
        if name in self._names:
            return self._names[name]
        if len(self._names) == 1:
            return next(iter(self._names.values()))
        known = ", ".join(self._names)
        raise InputError(f"{name!r} is no text of the task", field=f"{self.where}.to_name", hint=f"Known: {known}.")

    def add(self, value: Value, name: str = "") -> None:
        """One value."""
        self._steps.add(self.item, self._author, value, self.where, name)

    def spent(self, seconds: float) -> None:
        """How long it took."""
        self._steps.spent(self.item, self._author, seconds)


def _read_annotation(place: _Place, annotation: _Annotation) -> None:
    regions: dict[str, list[_Result]] = {}
    for result in annotation.result:
        if result.id and result.type != "relation":
            regions.setdefault(result.id, []).append(result)
    state, note = ("skipped" if annotation.was_cancelled else ""), ""
    for result in annotation.result:
        if result.type in ("labels", LABELS):
            _read_span(place, result, regions.get(result.id, []))
        elif result.from_name == "review" and result.texts("choices")[:1] in ([s] for s in STATES):
            state = result.texts("choices")[0]
        elif result.from_name == "review_note":
            note = "\n".join(result.texts("text"))
        else:
            _read_other(place, result)
    if state:
        place.add(msgspec.convert({"is": "review", "state": state, "note": note}, Review))
    if annotation.lead_time:
        place.spent(annotation.lead_time)


def _read_span(place: _Place, result: _Result, region: Sequence[_Result]) -> None:
    track = place.track(result.to_name)
    start, end = result.value.get("start"), result.value.get("end")
    if track == TIME_TRACK and isinstance(start, int | float) and isinstance(end, int | float):
        start, end = round(start), round(end)  # it may have been drawn there
    elif track == TIME_TRACK or not isinstance(start, int) or not isinstance(end, int):
        place.report.lose("regions without offsets", place.where)
        return
    else:
        start, end = _offsets(place, place.item.output(track).text, start, end, result.value.get("text"))
    severity = [text for other in region if other.from_name.startswith("severity") for text in other.texts("choices")]
    notes = [text for other in region if other.from_name.startswith("note") for text in other.texts("text")]
    try:
        beside = msgspec.convert(result.meta.get(OWN, {}), _Beside)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}", field=f"{place.where}.meta", hint="Leave it as it was exported.") from error
    if not (labels := result.texts(result.type)):
        place.report.lose("regions without a label", place.where)
        return
    value = Span(
        track=track, start=start, end=end, categories=labels, severity=severity[0] if severity else "",
        note="\n".join(notes), evidence=beside.evidence, repeats=beside.repeats, suggested_by=beside.suggested_by,
    )  # fmt: skip
    place.add(value, result.id)


def _offsets(place: _Place, text: str, start: int, end: int, marked: Any) -> tuple[int, int]:
    """Code points. What old versions wrote is known by its text, if that is there."""
    if not isinstance(marked, str) or not 0 <= start <= end or _same(text[start:end], marked):
        return start, end
    units = text.encode("utf-16-le", errors="surrogatepass")
    before, inside = units[: 2 * start], units[2 * start : 2 * end]
    if 2 * end <= len(units) and _same(inside.decode("utf-16-le", errors="replace"), marked):
        place.report.note("offsets that count UTF-16 units, as Label Studio did until 2021", place.where)
        first = len(before.decode("utf-16-le", errors="replace"))
        return first, first + len(inside.decode("utf-16-le", errors="replace"))
    place.report.note("the text that stands beside a region is another than at its offsets", place.where)
    return start, end


def _same(text: str, marked: str) -> bool:
    return text == marked or text == marked.replace("\\n", "\n")


def _read_other(place: _Place, result: _Result) -> None:
    """What is about an output or two as a whole; what is not understood is reported."""
    name, numbered = result.from_name, _NUMBERED.fullmatch(result.from_name)
    if result.type == "pairwise":
        first, second = _pair(place, result)
        if (side := result.value.get("selected")) in ("left", "right"):
            place.add(Preference(first=first, second=second, winner="first" if side == "left" else "second"))
        else:
            place.report.lose("comparisons without a choice", place.where)
    elif numbered and numbered[1] == "tie" and result.texts("choices") == ["tie"]:
        first, second = (place.track(f"output_{n}") for n in numbered.groups()[1:])
        place.add(Preference(first=first, second=second, winner="tie"))
    elif name.startswith("missing_"):
        for text in result.texts("text"):
            _read_missing(place, place.track(result.to_name), text)
    elif result.type == "textarea" and name.startswith(("rewrite", "correct")) and "start" not in result.value:
        text = "\n".join(result.texts("text"))
        place.add(Rewrite(track=place.track(result.to_name), text=text))
    elif name != "annotator" and not ("start" in result.value and name.startswith(("severity", "note"))):
        place.report.lose(f"results {result.type} of {name or 'nothing'}", place.where)


def _pair(place: _Place, result: _Result) -> tuple[str, str]:
    numbered = _NUMBERED.fullmatch(result.from_name)
    names = [f"output_{n}" for n in numbered.groups()[1:]] if numbered else result.to_name.split(",")
    if len(names) == 2:
        return place.track(names[0]), place.track(names[1])
    if len(place.item.outputs) != 2:
        raise InputError("which two are compared is not known", field=place.where, hint="Name both in to_name.")
    return place.item.outputs[0].track, place.item.outputs[1].track


def _read_missing(place: _Place, track: str, text: str) -> None:
    match = _MISSING.fullmatch(text)
    if match is None:
        why = f"{text[:80]!r} does not say what is missing"
        raise InputError(why, field=place.where, hint="Like: Missing-Answer [0.2, 1.1] a note.")
    found = [entry.split(".") for entry in match[2].replace(" ", "").split(",") if entry]
    evidence = [Evidence(source=int(source), sentence=int(sentence)) for source, sentence in found]
    place.add(Missing(track=track, category=match[1], evidence=evidence, note=match[3]))
