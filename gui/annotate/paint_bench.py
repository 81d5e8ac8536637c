"""How long it takes from a key to what it paints, on a long answer with many spans; nothing of this runs in a session.

A view is driven without a window system. Each key is a command of the registry, as a person would press it, and its
time ends when everything that it changed in the view is painted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtWidgets import QApplication, QMainWindow

from gui.actions import Registry
from gui.annotate import commands
from gui.annotate.project_state import ProjectState
from gui.annotate.samples import schema
from gui.annotate.view import AnnotateView
from gui.annotate.workbench import Workbench
from gui.theme import Theme
from hitl.annotation.items import Item, Output
from hitl.annotation.schema import Schema
from hitl.annotation_messages import Counts, ItemOpened, OpenItem, OpenProject, ProjectOpened
from hitl.clock import SystemClock

KEYS = ("mark.next_word", "mark.extend_word", "i", "mark.extend_word", "f", "mark.remove", "mark.next_sentence",
        "mark.next_span", "label.undo", "label.redo", "mark.previous_word")  # fmt: skip


def paint_times_ms(
    app: QApplication, *, characters: int = 20_000, spans: int = 500, rounds: int = 10, keys: Sequence[str] = KEYS
) -> list[tuple[str, float]]:  # fmt: skip
    """(key, milliseconds) of every key that was pressed. A single letter is that of a category."""
    window = QMainWindow()
    registry = Registry(window)
    bench = Workbench(ProjectState("bench", "bench"), lambda label: None, SystemClock())
    view = AnnotateView(Theme("light"), registry, bench)
    commands.bind(view, registry, lambda order: None)
    window.setCentralWidget(view)
    window.resize(1280, 800)
    window.show()
    registry.show_view("annotate")
    _open(view, characters)
    _mark(view, spans)
    view.refresh()
    app.processEvents()
    times = []
    for key in list(keys) * rounds:
        began = time.perf_counter()
        _press(view, registry, key)
        app.processEvents()
        times.append((key, (time.perf_counter() - began) * 1000))
    window.close()
    return times


def _press(view: AnnotateView, registry: Registry, key: str) -> None:
    editor = view.bench.editor
    assert editor is not None
    if len(key) == 1:
        view.make("mark", editor.category_of(key))
    else:
        registry.trigger(key)


def _open(view: AnnotateView, characters: int) -> None:
    sentence = "The tower of the harbour was built, mended and painted again by hand, year after year. "
    text = (sentence * (characters // len(sentence) + 1))[:characters]
    item = Item(id="bench", prompt="What was built?", outputs=[Output(track="a", text=text)])
    open_item(view, item, schema())


def open_item(view: AnnotateView, item: Item, asked: Schema) -> None:
    """Answer what the view asks, as a backend does whose only project asks `asked` of this item."""
    state = view.bench.state
    state.link(True)
    for _round in range(2):
        for question in state.asks(1 << 60):
            if isinstance(question, OpenProject):
                view.bench.receive([ProjectOpened(
                    id=question.id, project="bench", projects=["bench"], schema=asked,
                    items=[Counts(item=item.id, state="new")])])  # fmt: skip
            elif isinstance(question, OpenItem):
                view.bench.receive([ItemOpened(id=question.id, project="bench", item=item)])


def _mark(view: AnnotateView, spans: int) -> None:
    editor = view.bench.editor
    assert editor is not None
    words = editor.cursor.map.words
    categories = [category for category in editor.schema.categories if category.where == "span"]
    for number in range(spans):
        first = number * (len(words) - 12) // spans
        editor.select(words[first].start, words[first + 3 + number % 7].end)
        view.bench.do(editor.mark(categories[number % len(categories)]))
    editor.select_sentence(len(editor.cursor.map.sentences) // 2)
