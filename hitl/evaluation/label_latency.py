"""`hitl bench label`: how long a label takes to change what is suggested.

Backend and learner run as processes of their own, this process is the window's side. All items of the project are
labelled before, so that the models are as large as they will be; then labels are put on items one at a time, each
turning over what is known of one sentence, or of what a robot did under one command. Two delays of each: from the
step's submission to its Ack (it is on disk), and from there to the suggestions for the item that a version made which
knows the step. The first few labels are put while the learner still reads the other items, as it does once after an
import; they are told apart.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from hitl.annotation.items import Item, Output, SourceText, Stretch
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.annotation.text import sentences
from hitl.annotation_messages import OpenItem, OpenProject, Progress, Suggestions
from hitl.bus import Link
from hitl.bus.addresses import endpoints_of
from hitl.clock import SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.events import LabelEvent
from hitl.interchange.exchange import Reading
from hitl.interchange.registry import FORMATS
from hitl.interchange.store import import_file
from hitl.labels import TIME_TRACK, Change, Judged, Review, Span, Value, key_of
from hitl.launch import System
from hitl.messages import Ack, Label
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog

PROJECT = "bench"
READY_S = 1_800.0
"""Every labelled item is read once, which takes a second or so for each where nothing else keeps the cores busy."""
PATIENCE_S = 30.0
WHILE_READING = 10
"""Labels that are put before all items are read."""
_AUTHOR = "bench"
_SUBJECTS = ("The mill", "The bridge", "The old tower", "The harbour", "The library", "The garden")
_VERBS = ("was built in", "was sold in", "burned down in", "was opened in", "was last painted in", "was moved in")


def made_up_items(count: int, rng: random.Random) -> list[Item]:
    """Items as long as those of the published data: three passages, one output of five sentences."""
    return [_made_up(number, rng) for number in range(count)]


def _made_up(number: int, rng: random.Random) -> Item:
    def text(count: int) -> list[str]:
        return [f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.randrange(1700, 2000)}." for _ in range(count)]

    sources = [SourceText(title=rng.choice(_SUBJECTS), sentences=text(9)) for _ in range(3)]
    output = Output(track="1", text=" ".join(text(5)))
    return Item(
        id=f"made-{number}", prompt=f"What happened to {rng.choice(_SUBJECTS)}?", sources=sources, outputs=[output]
    )


class Person:
    """The window's side: labels, and notes what comes back."""

    def __init__(self, system: System, link: Link) -> None:
        self._system, self._link = system, link
        self._clock = SystemClock()
        self._acked: dict[str, int] = {}
        self._suggested: dict[str, int] = {}
        self._learned: dict[str, int] = {}
        self.progress: Progress | None = None
        self.errors: list[str] = []

    def open(self) -> None:
        """Open the project, and wait for a first version. Raises UnavailableError."""
        self._until(lambda: self._link.connected, READY_S, "the backend")
        ask = OpenProject(id=new_ulid(), project=PROJECT, author=_AUTHOR)
        end_s = time.monotonic() + 60
        while not self._link.send(ask) and time.monotonic() < end_s:
            self._step(20)
        self._until(lambda: self.progress is not None, READY_S, "the learner")

    def wait_until_read(self) -> None:
        """Until every item is read and every label learned: only then is there an order. Raises UnavailableError."""
        self._until(lambda: bool(self.progress and self.progress.order), READY_S, "the order of all items")

    def label(self, item: Item, changes: list[Change]) -> tuple[float, float] | None:
        """One step; milliseconds to its Ack and from there to the suggestions, None where they did not come."""
        self._link.send(OpenItem(id=new_ulid(), project=PROJECT, item=item.id, author=_AUTHOR))
        self._until(lambda: item.id in self._suggested, PATIENCE_S, "suggestions")
        step = Label(
            id=new_ulid(),
            author=_AUTHOR,
            stamp_ns=self._clock.now_ns(),
            project=PROJECT,
            item=item.id,
            changes=changes,
        )
        self._link.submit(step)
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if step.id in self._acked and self._learned.get(step.id, 0):
                acked_ns, shown_ns = self._acked[step.id], self._learned[step.id]
                return (acked_ns - step.stamp_ns) / 1e6, (shown_ns - acked_ns) / 1e6
            self._step(5)
        return None

    def _until(self, true: Any, patience_s: float, what: str) -> None:
        end_s = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > end_s:
                raise UnavailableError(f"{what} did not come in {patience_s:g} s.", field="bench label")
            self._step(20)

    def _step(self, wait_ms: int) -> None:
        self._system.check()
        for received in self._link.poll(wait_ms):
            message, now_ns = received.message, self._clock.now_ns()
            if isinstance(message, Ack):
                self._acked[message.id] = now_ns
                if message.error:
                    self.errors.append(message.error)
            elif isinstance(message, Suggestions):
                self._suggested[message.item] = now_ns
            elif isinstance(message, Progress):
                self.progress = message
                self._learned.setdefault(message.learned_from, now_ns)  # its suggestions came just before it


def run(
    settings: Settings,
    *,
    data: Path | None = None,
    recordings: Path | None = None,
    items: int = 200,
    n: int = 50,
    seed: int = 0,
    commands: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Measure `n` labels; prints a table, returns what JSON shows. data: a file in the published format of
    Fine-Grained RLHF, whose labels are known before; recordings: a folder of recordings, with random labels; without
    either `items` made-up answers. Raises UnavailableError where a part fails."""
    rng = random.Random(seed)
    with TemporaryDirectory(prefix="hitl-bench-") as folder:
        bench = msgspec.structs.replace(settings, data=folder, policy=False, learner=True, record=False)
        given = prepare_recordings(bench, recordings, rng) if recordings else prepare(bench, data, items, rng)
        with System(bench, commands=commands, parts=("backend",)) as system:
            with Link(endpoints_of(system.settings), "gui", _AUTHOR) as link:
                person = Person(system, link)
                began_s = time.monotonic()
                person.open()
                first = [person.label(item, turned_over(item, rng)) for item in rng.choices(given, k=WHILE_READING)]
                person.wait_until_read()
                ready_s = time.monotonic() - began_s
                found = [person.label(item, turned_over(item, rng)) for item in rng.choices(given, k=n)]
    result = _summary(_delays(found), n, ready_s, person)
    reading = _delays(first)
    result |= {
        "reading_p50_ms": _at(reading[:, 1], 50),
        "reading_p95_ms": _at(reading[:, 1], 95),
        "reading_lost": WHILE_READING - len(reading),
    }
    print(_table(result))
    return result


def prepare(settings: Settings, data: Path | None, items: int, rng: random.Random) -> list[Item]:
    """Make the project with its labels. Returns its items."""
    if data is not None:
        read = FORMATS["fine-grained-rlhf"].reader()(data, Reading(PROJECT))
        given, events = read.items, read.events
    else:
        given = made_up_items(items, rng)
        events = [_labelled(item, rng) for item in given]
    project = Projects(settings.data_folder).create(PROJECT, preset("fine-grained-rlhf"))
    project.add(given)
    project.close()
    log = FeedbackLog(Catalog(settings.data_folder).log_file)
    log.extend(events)
    log.close()
    return list(given)


def prepare_recordings(settings: Settings, folder: Path, rng: random.Random) -> list[Item]:
    """Make the project of recordings, with what somebody said of every stretch at random. Returns its items. Raises
    InputError where there is none."""
    import_file(settings.data_folder, "recordings", folder.absolute(), PROJECT)
    project = Projects(settings.data_folder).open(PROJECT)
    given = list(project.items())
    project.close()
    log = FeedbackLog(Catalog(settings.data_folder).log_file)
    log.extend([_marked(item, rng) for item in given])
    log.close()
    return given


def _marked(item: Item, rng: random.Random) -> LabelEvent:
    values: list[Value] = [Judged(track=TIME_TRACK, start=0, end=item.duration_ms, heads=["safety", "done"])]
    for stretch in _stretches(item):
        category = rng.choices(("mistake", "good", "done", "unsafe"), (3, 7, 4, 1))[0]
        values.append(_over(stretch, category))
    return _event(item, [Change(key=key_of(value, new_ulid()), value=value) for value in values])


def _stretches(item: Item) -> list[Stretch]:
    return item.stretches or [Stretch(start_ms=0, end_ms=item.duration_ms)]


def _over(stretch: Stretch, category: str) -> Span:
    return Span(track=TIME_TRACK, start=stretch.start_ms, end=stretch.end_ms, categories=[category])


def _event(item: Item, changes: list[Change]) -> LabelEvent:
    return LabelEvent(
        id=new_ulid(), session="", session_ns=0, author="earlier", project=PROJECT, item=item.id, changes=changes
    )


def _labelled(item: Item, rng: random.Random) -> LabelEvent:
    values: list[Value] = [
        Span(track="1", start=s.start, end=s.end, categories=[rng.choice(["Irrelevant", "Wrong-Grounding"])])
        for s in sentences(item.outputs[0].text)
        if rng.random() < 0.4
    ]
    values.append(Review(state="done"))
    changes = [Change(key=key_of(value, new_ulid()), value=value) for value in values]
    return _event(item, changes)


def turned_over(item: Item, rng: random.Random) -> list[Change]:
    """A span over one sentence, alone: with it that sentence is wrong for this person, whatever it was before. Of a
    recording, over one stretch."""
    if item.recording:
        marked = _over(rng.choice(_stretches(item)), rng.choice(("mistake", "unsafe", "done")))
        return [Change(key=key_of(marked, new_ulid()), value=marked)]
    text = item.outputs[0].text
    place = rng.choice(sentences(text))
    category = rng.choice(["Irrelevant", "Wrong-Grounding", "Unverifiable"])
    value = Span(track="1", start=place.start, end=place.end, categories=[category])
    return [Change(key=key_of(value, new_ulid()), value=value)]


def _delays(found: Sequence[tuple[float, float] | None]) -> np.ndarray:
    """`(n, 2)`, without those that did not come."""
    return np.array([pair for pair in found if pair is not None]).reshape(-1, 2)


def _at(delays: np.ndarray, share: float) -> float:
    return round(float(np.percentile(delays, share)), 1) if len(delays) else float("nan")


def _summary(delays: np.ndarray, n: int, ready_s: float, person: Person) -> dict[str, Any]:
    progress = person.progress
    return {
        "ack_p50_ms": _at(delays[:, 0], 50),
        "ack_p95_ms": _at(delays[:, 0], 95),
        "suggestions_p50_ms": _at(delays[:, 1], 50),
        "suggestions_p95_ms": _at(delays[:, 1], 95),
        "labels": n,
        "lost": n - len(delays),
        "refused": len(person.errors),
        "ready_s": round(ready_s, 1),
        "learned_from": progress.labelled if progress else 0,
        "held_out": progress.held_out if progress else 0,
    }


def _table(result: Mapping[str, Any]) -> str:
    return (
        f"{'from':<28}{'to':<28}{'p50':>9}{'p95':>9}\n"
        f"{'submitted':<28}{'on disk (Ack)':<28}{result['ack_p50_ms']:>6} ms{result['ack_p95_ms']:>6} ms\n"
        f"{'on disk (Ack)':<28}{'refreshed suggestions':<28}"
        f"{result['suggestions_p50_ms']:>6} ms{result['suggestions_p95_ms']:>6} ms\n"
        f"{'the same while all is read':<28}{'':<28}{result['reading_p50_ms']:>6} ms{result['reading_p95_ms']:>6} ms\n"
        f"{result['labels']} labels, {result['lost']} without suggestions, {result['refused']} refused; "
        f"{result['learned_from']} labelled items, all read after {result['ready_s']} s"
    )
