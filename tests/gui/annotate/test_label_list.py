"""The list of labels, short and long."""

from __future__ import annotations

from gui.annotate import samples
from gui.annotate.editor import ItemEditor
from gui.annotate.label_list import LabelList
from gui.theme import Theme
from hitl.annotation.state import ItemLabels
from hitl.labels import Span, key_of


def long_labels(count: int) -> ItemLabels:
    spans = [Span(track="prediction 1", start=4 * n, end=4 * n + 3, categories=["Irrelevant"]) for n in range(count)]
    return ItemLabels({key_of(span, f"{n:03}"): span for n, span in enumerate(spans)})


def test_a_long_list_is_there_at_once_and_later_steps_follow(qtbot):
    item = samples.items()[2]
    shown = LabelList(Theme())
    qtbot.addWidget(shown)
    editor = ItemEditor(item, samples.schema())
    shown.show_editor(editor)
    editor.take(long_labels(500), {})
    shown.show_editor(editor)
    assert len(shown.texts()) == 500, "nothing was listed before, so there is nothing to wait for"
    editor.take(long_labels(400), {})
    shown.show_editor(editor)
    qtbot.waitUntil(lambda: len(shown.texts()) == 400)
    another = ItemEditor(item, samples.schema(), long_labels(300))
    shown.show_editor(another)
    assert len(shown.texts()) == 300, "another item is not drawn with the labels of the one before"
