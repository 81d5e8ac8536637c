"""Recordings from import to suggestions and back, with a real backend and learner as processes of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl import cli
from hitl.annotation.items import Item
from hitl.annotation_messages import (
    ItemOpened,
    OpenItem,
    OpenProject,
    OpenRecording,
    Pictures,
    Progress,
    ProjectOpened,
    RecordingOpened,
    ShowPictures,
    Suggestions,
)
from hitl.bus import Link
from hitl.bus.addresses import endpoints_of
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.labels import Change, Judged, Span, key_of
from hitl.launch import System
from hitl.messages import Ack, Label
from tests.support.narrated import Move
from tests.support.recorded import command, session_with_commands

PROJECT = "recordings"
PATIENCE_S = 240.0
PARTS = ((0.0, "go up"), (2.0, "go home"))


class Window:
    """The window's side: asks, and keeps what comes."""

    def __init__(self, system: System, link: Link) -> None:
        self._system, self.link = system, link
        self.got: list[Any] = []
        self.pictures: list[tuple[Pictures, list[bytes]]] = []

    def until(self, found: Callable[[], Any], what: str) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if (there := found()) is not None:
                return there
            self._system.check()
            for received in self.link.poll(20):
                self.got.append(received.message)
                if isinstance(received.message, Pictures):
                    self.pictures.append((received.message, [bytes(p) for p in received.payloads]))
        raise AssertionError(f"{what} did not come: {[type(m).__name__ for m in self.got[-20:]]}")

    def newest(self, kind: type, true: Callable[[Any], bool] = lambda _: True) -> Any:
        return next((m for m in reversed(self.got) if isinstance(m, kind) and true(m)), None)

    def ask(self, message: Any, kind: type) -> Any:
        self.until(lambda: self.link.send(message) or None, "a connection")
        return self.until(lambda: self.newest(kind, lambda m: m.id == message.id), kind.__name__)

    def label(self, item: str, *changes: Change, undoes: str = "") -> Label:
        step = Label(
            id=new_ulid(), author="ann", stamp_ns=time.monotonic_ns(), project=PROJECT, item=item,
            changes=list(changes), undoes=undoes,
        )  # fmt: skip
        self.link.submit(step)
        ack = self.until(lambda: self.newest(Ack, lambda m: m.id == step.id), "the Ack")
        assert not ack.error
        return step

    def learned(self, step: Label) -> Progress:
        """The version that knows a step; its suggestions came just before."""
        return self.until(lambda: self.newest(Progress, lambda m: m.learned_from == step.id), "a version")


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    settings = Settings(
        data=str(tmp_path / "data"), sockets=str(tmp_path / "s"), policy=False, learner=True, record=False
    )
    for _ in range(3):  # up in one half of the time, at rest in the other
        told = [(at_s, command(text)) for at_s, text in PARTS]
        session_with_commands(tmp_path / "data", told, 4.0, [Move(0.2, 1.9)])
    away = session_with_commands(tmp_path / "away", [], 1.0)
    data = ["--data", str(tmp_path / "data")]
    assert cli.main(["import", "recordings", str(tmp_path / "data" / "sessions"), *data]) == 0
    assert cli.main(["import", "recordings", str(away.recording), "--project", PROJECT, *data]) == 0
    away.recording.unlink()
    with System(settings, parts=("backend",)) as system, Link(endpoints_of(system.settings), "gui", "ann") as link:
        yield Window(system, link)


def marked(item: Item) -> list[Change]:
    """Going up is a mistake, being at rest is good; nothing is unsafe."""
    values = [
        Span(track="time", start=0, end=2000, categories=["mistake"]),
        Span(track="time", start=2000, end=item.duration_ms, categories=["good"]),
        Judged(track="time", start=0, end=item.duration_ms, heads=["safety"]),
    ]
    return [Change(key=key_of(value, new_ulid()), value=value) for value in values]


@pytest.mark.timeout(900)
def test_recordings_are_imported_shown_labelled_and_learned_from(window: Window) -> None:
    opened = window.ask(OpenProject(id=new_ulid(), project=PROJECT, author="ann"), ProjectOpened)
    assert opened.schema is not None and opened.schema.name == "segments" and len(opened.items) == 4
    *here, gone = (counts.item for counts in opened.items)
    items = [
        window.ask(OpenItem(id=new_ulid(), project=PROJECT, item=name, author="ann"), ItemOpened).item for name in here
    ]
    assert [stretch.text for stretch in items[0].stretches] == ["go up", "go home"]

    recording = window.ask(OpenRecording(id=new_ulid(), project=PROJECT, item=here[0]), RecordingOpened)
    assert {camera.name: len(camera.times_ms) for camera in recording.cameras}["front"] == 40
    show = ShowPictures(id=new_ulid(), project=PROJECT, item=here[0], camera="front", start_ms=1000, end_ms=2000)
    window.ask(show, Pictures)
    window.until(lambda: True if any(m.finished for m, _ in window.pictures) else None, "the last pictures")
    assert [at for m, _ in window.pictures for at in m.times_ms] == list(range(1000, 2000, 100))
    assert all(jpeg.startswith(b"\xff\xd8") for _, payloads in window.pictures for jpeg in payloads)
    lost = window.ask(OpenRecording(id=new_ulid(), project=PROJECT, item=gone), RecordingOpened)
    assert "is gone" in lost.error and not lost.cameras

    first = window.label(here[0], *marked(items[0]))
    step = window.label(here[1], *marked(items[1]))
    window.ask(OpenItem(id=new_ulid(), project=PROJECT, item=here[2], author="ann"), ItemOpened)
    progress = window.learned(step)
    assert progress.version.startswith("t") and progress.labelled == 2 and "progress" in progress.f1

    found = window.until(
        lambda: window.newest(Suggestions, lambda m: m.item == here[2] and m.version == progress.version),
        "suggestions for the third",
    )
    curve = next(one for one in found.curves if one.head == "progress")
    assert (curve.step_ms, len(curve.probability)) == (200, 20) and found.error == ""
    assert [(s.start, s.end) for s in found.segments if s.head == "progress"] == [(0, 2000), (2000, 4000)]
    up, rest = (s for s in found.segments if s.head == "progress")
    assert up.probability > rest.probability and up.reward < rest.reward
    assert "safety" not in {one.head for one in found.curves}, "it has answers of one kind only"

    window.ask(OpenItem(id=new_ulid(), project=PROJECT, item=gone, author="ann"), ItemOpened)
    error = window.until(lambda: window.newest(Suggestions, lambda m: m.item == gone), "why it cannot be read").error
    assert "is gone" in error
    window.ask(OpenItem(id=new_ulid(), project=PROJECT, item=here[2], author="ann"), ItemOpened)

    for done, item in ((step, items[1]), (first, items[0])):
        undo = window.label(item.id, *(Change(key=c.key, value=None) for c in done.changes), undoes=done.id)
    progress = window.learned(undo)
    assert progress.labelled == 0 and progress.version == ""
    after = window.until(
        lambda: window.newest(Suggestions, lambda m: m.item == here[2] and not m.version), "what is left of it"
    )
    assert not after.curves and not after.spans and not after.segments
