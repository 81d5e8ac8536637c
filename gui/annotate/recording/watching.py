"""Marking while a recording plays: a category's key where something begins, the same key where it ends.

Several may be under way at once. Nothing is labelled before its end is known. Knows nothing of Qt.
"""

from __future__ import annotations

from gui.annotate.editor import ItemEditor
from gui.annotate.moves import TENTH_MS, TimeMap
from hitl.annotation.schema import Category
from hitl.labels import Change


class Watching:
    """What has begun and not ended: key of a category -> the moment, milliseconds."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}

    def press(self, editor: ItemEditor, category: Category, ms: float) -> list[Change]:
        """The key of a category at this moment: it begins here, or ends here and is a span."""
        if category.where != "span":
            return editor.mark(category)
        began = self.begun.pop(category.key, None)
        here = _edge(editor, ms)
        if began is None:
            self.begun[category.key] = here
            editor.said = f"“{category.name}” begins here. Press {category.shortcut} again where it ends."
            return []
        start, end = sorted((began, here))
        if start == end:
            start, end = _at_least_a_tenth(start, editor.cursor.map.length)
        editor.select(start, end)
        known = [span for span in editor.labels.spans(editor.track).values() if (span.start, span.end) == (start, end)]
        if any(category.key in span.categories for span in known):
            return []  # it says so already
        return editor.mark(category)

    def forget(self) -> bool:
        """What has begun is not meant; returns whether there was anything."""
        there = bool(self.begun)
        self.begun.clear()
        return there


def set_edge(editor: ItemEditor, ms: float, *, start: bool) -> list[Change]:
    """The current span, or what is selected, begins (or ends) at this moment; beyond its other end it is a tenth."""
    here, now = _edge(editor, ms), editor.cursor.selection
    low, high = (here, now.end) if start else (now.start, here)
    if low >= high:
        length = editor.cursor.map.length
        low, high = (here, min(here + TENTH_MS, length)) if start else (max(0, here - TENTH_MS), here)
        if low >= high:
            low, high = _at_least_a_tenth(here, length)
    return editor.extend(lambda cursor: cursor.to(low, high))


def _edge(editor: ItemEditor, ms: float) -> int:
    track = editor.cursor.map
    return track.nearest_edge(round(ms)) if isinstance(track, TimeMap) else round(ms)


def _at_least_a_tenth(ms: int, length: int) -> tuple[int, int]:
    start = max(0, min(ms, length - TENTH_MS))
    return start, min(start + TENTH_MS, length)
