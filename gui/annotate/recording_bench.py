"""How long the time track takes to paint while a long recording plays, and after a key; nothing of this runs in a
session.

A view is driven without a window system, at 1280x800. A time is the processor's time of this process's main thread
from a step of the playhead, or a key, until all that it changed in the view is painted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication, QMainWindow

from gui.actions import Registry
from gui.annotate import commands
from gui.annotate.paint_bench import open_item
from gui.annotate.project_state import ProjectState
from gui.annotate.recording_samples import schema
from gui.annotate.view import AnnotateView
from gui.annotate.workbench import Workbench
from gui.theme import Theme
from hitl.annotation.items import Item, Stretch
from hitl.annotation_messages import ChanceCurve, Suggestions
from hitl.clock import ManualClock

_STRETCH_MS = 4_300


def playing_times_ms(
    app: QApplication, *, minutes: int = 60, spans: int = 500, ticks: int = 200
) -> list[tuple[str, float]]:
    """(what was done, milliseconds of CPU time) of every step: `ticks` of playing with all of it in sight and as many
    near by, and keys between them."""
    window, clock = QMainWindow(), ManualClock(1)
    registry = Registry(window)
    view = AnnotateView(Theme("light"), registry, Workbench(ProjectState("b", "bench"), lambda label: None, clock))
    commands.bind(view, registry, lambda order: None)
    window.setCentralWidget(view)
    window.resize(1280, 800)
    window.show()
    registry.show_view("recording")
    _open(view, minutes * 60_000)
    _mark(view, spans)
    view.refresh()
    app.processEvents()
    found: list[tuple[str, float]] = []

    def timed(name: str, step: Callable[[], object]) -> None:
        began = time.thread_time()
        step()
        app.processEvents()
        found.append((name, (time.thread_time() - began) * 1000))

    def tick() -> None:
        clock.advance(0.016)
        view.recording.tick()

    view.recording.seek(1_000)
    registry.trigger("play.toggle")
    for _ in range(ticks):
        timed("playing", tick)
    for _ in range(8):
        timed("zoom", lambda: registry.trigger("track.zoom_in"))
    for _ in range(ticks):
        timed("playing", tick)
    for _ in range(max(3, ticks // 20)):
        timed("page", lambda: view.recording.seek(view.recording.head.ms + view.recording.track.axis.seen_ms))
    registry.trigger("play.toggle")
    registry.trigger("track.fit")
    for _ in range(max(3, ticks // 20)):
        timed("move", lambda: registry.trigger("mark.next_word"))
        timed("mark", lambda: registry.trigger("mark.next_sentence"))
        timed("mark", lambda: view.make("mark", schema().categories[1]))
    view.recording.close_threads()
    window.close()
    return found


def _open(view: AnnotateView, duration_ms: int) -> None:
    edges = [*range(0, duration_ms, _STRETCH_MS), duration_ms]
    stretches = [Stretch(start_ms=start, end_ms=end, text="pick up the red block", by="policy")
                 for start, end in zip(edges, edges[1:], strict=False)]  # fmt: skip
    item = Item(id="bench", recording="s/e", duration_ms=duration_ms, stretches=stretches)
    open_item(view, item, schema())
    chances = [(place * 37 % 101) / 101 for place in range(duration_ms // 200)]
    curves = [ChanceCurve(head=head.key, step_ms=200, probability=chances) for head in schema().heads]
    view.bench.receive([Suggestions(project="bench", item="bench", version="t1", curves=curves)])


def _mark(view: AnnotateView, spans: int) -> None:
    editor = view.bench.editor
    assert editor is not None
    categories = editor.schema.categories
    for number in range(spans):
        start = number * (editor.item.duration_ms - 5_000) // spans
        editor.select(start, start + 700 + number % 7 * 600)
        view.bench.do(editor.mark(categories[number % len(categories)]))
    editor.select_sentence(0)
