"""What Annotate says in words: heads, rewards, progress, saving. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Sequence

from gui.annotate.editor import ItemEditor
from gui.annotate.marks import score_text, signed
from gui.annotate.queue import FILTER_WORDS, ORDER_WORDS, Queue
from gui.annotate.times import length_words, span_words
from hitl.annotation.schema import Schema
from hitl.annotation.text import Range
from hitl.annotation_messages import Progress, Suggestions
from hitl.errors import InputError
from hitl.labels import TIME_TRACK


def short_head(schema: Schema | None, key: str) -> str:
    """A head in a word: what stands in parentheses in its name, else the name."""
    if schema is None:
        return key
    try:
        name = schema.head(key).name
    except InputError:
        return key
    return name[name.index("(") + 1 : name.rindex(")")] if "(" in name and name.endswith(")") else name


def rewards_of(
    suggestions: Suggestions | None, schema: Schema, track: str, sentences: Sequence[Range]
) -> dict[int, tuple[float, str]]:  # fmt: skip
    """Sentence -> what the model gives it in all, and the parts of that in words."""
    if suggestions is None:
        return {}
    totals: dict[int, dict[str, float]] = {}
    starts = {place.start: number for number, place in enumerate(sentences)}
    for entry in suggestions.segments:
        if entry.track != track:
            continue
        number = starts.get(entry.start)
        if number is None:
            number = next((i for i, place in enumerate(sentences) if place.start <= entry.start < place.end), None)
        if number is not None:
            parts = totals.setdefault(number, {})
            parts[entry.head] = parts.get(entry.head, 0.0) + entry.reward
    return {
        number: (sum(parts.values()), ", ".join(f"{short_head(schema, h)} {signed(r)}" for h, r in parts.items()))
        for number, parts in totals.items()
    }


def progress_words(schema: Schema | None, progress: Progress | None) -> str:
    """How well the model does: “held-out F1 C1 .64 C2 .58 ↗”."""
    if progress is None or not progress.f1:
        return ""
    scores = " ".join(f"{short_head(schema, head)} {score_text(f1)}" for head, f1 in progress.f1.items())
    pinned = f", pinned to {progress.pinned}" if progress.pinned else ""
    return f"held-out F1 {scores} {_trend(progress)}".rstrip() + pinned


def _trend(progress: Progress) -> str:
    if len(progress.curve) < 2:
        return ""
    now, then = progress.curve[-1].f1, progress.curve[-2].f1
    shared = now.keys() & then.keys()
    change = sum(now[head] - then[head] for head in shared) / max(1, len(shared))
    return "↗" if change > 0.005 else "↘" if change < -0.005 else "→"


def time_words(seconds: float) -> str:
    """Time at work: 2:10 min."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02} min"


def queue_words(queue: Queue, item: str) -> str:
    """Where the person is: “37 of 415, 12 done”."""
    place, count = queue.place(item)
    return f"{place} of {count}, {queue.done} done"


def order_words(queue: Queue) -> str:
    """What comes next, in words."""
    order = ORDER_WORDS[queue.order]
    return f"next: {order}" if queue.filter == "open" else f"next: {order}, {FILTER_WORDS[queue.filter]}"


def saved_words(waiting: int, connected: bool) -> tuple[str, str]:
    """Whether all steps are saved, and the tone of that."""
    if not waiting:
        return ("saved", "good") if connected else ("all saved, backend away", "warn")
    steps = "1 step" if waiting == 1 else f"{waiting} steps"
    return f"{steps} waiting", "warn" if not connected else "soft"


def hint_words(editor: ItemEditor) -> str:
    """What the current label still needs, or what the keys do now."""
    if editor.picking:
        return "Select the earlier text, then press Enter. Ctrl+J leaves it as it is."
    if editor.proposal is not None:
        whose = f"{editor.proposal.author} marked this." if editor.proposal.author else "The model suggests this."
        return f"{whose} Enter takes it over{'' if editor.proposal.author else ', Backspace rejects it'}."
    label = editor.span or editor.missing
    if label is None:
        return ""
    keys = editor.span.categories if editor.span is not None else [editor.missing.category] if editor.missing else []
    for key in keys:
        category = editor.schema.category(key)
        if category.needs == "source" and not label.evidence and editor.item.sources:
            return "Which sentence proves it? Click it in the sources, or press Ctrl+E."
        if editor.timed:
            continue
        if category.needs == "earlier" and editor.span is not None and editor.span.repeats is None:
            return "Which earlier text does it repeat? Press Ctrl+J and select it."
        if editor.span is not None and category.min_words:
            words = len(editor.cursor.map.words_in(editor.span.start, editor.span.end))
            if words < category.min_words:
                return f"Under {category.min_words} words, “{category.name}” teaches the model nothing."
    return ""


def excerpt(text: str, start: int, end: int, most: int = 90) -> str:
    """A part of a text in quotes, its middle left out where it is long."""
    piece = " ".join(text[start:end].split())
    if len(piece) > most:
        head, tail = piece[: most // 2], piece[-most // 2 :]
        piece = f"{head.rpartition(' ')[0] or head} … {tail.partition(' ')[2] or tail}"
    return f"“{piece}”"


def quoted(editor: ItemEditor, track: str, start: int, end: int, most: int = 90) -> str:
    """What a span covers: the text in quotes, or from when to when and what was done then."""
    if track != TIME_TRACK:
        return excerpt(editor.item.output(track).text, start, end, most)
    what = next((stretch.text for stretch in editor.item.stretches if stretch.end_ms > start), "")
    words = f"{span_words(start, end)}, {length_words(end - start)}"
    return f"{words} · {what}" if what else words


def place_words(editor: ItemEditor) -> str:
    """Which sentence or stretch the selection begins in: “sentence 3 of 6”, “stretch 3 of 12 · 0:14.2–0:17.9”."""
    cursor = editor.cursor
    here, places = cursor.sentence, cursor.map.sentences
    if not editor.timed:
        return f"sentence {here + 1} of {len(places)}"
    times = span_words(*places[here])
    return f"stretch {here + 1} of {len(places)} · {times}" if editor.item.stretches else times
