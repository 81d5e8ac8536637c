"""What stands on the time track: stretches, marks in lanes, the chances of each head; and what is at a moment.

Made of an editor after each step. Knows nothing of Qt or of where things are on the screen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gui.annotate.chooser import Target
from gui.annotate.editor import ItemEditor
from gui.annotate.marks import Mark, in_order, lanes_of, score_text, signed, spans_and_marks
from gui.annotate.moves import TrackMap
from gui.annotate.times import span_words, time_words
from hitl.annotation.items import Stretch
from hitl.annotation.schema import Category, Schema
from hitl.annotation_messages import Suggestions
from hitl.labels import TIME_TRACK, Judged, Span, Unsure, key_of


@dataclass(frozen=True)
class Plot:
    """The chance of something at every moment. name: of what; colour: which of the theme's."""

    name: str
    colour: int
    step_ms: int
    probability: Sequence[float]

    def at(self, ms: float) -> float | None:
        """The chance at a moment; None behind the last one."""
        place = round(ms / self.step_ms)
        return self.probability[place] if 0 <= place < len(self.probability) else None

    def points(self, start_ms: float, end_ms: float, ms_per_px: float) -> list[tuple[float, float]]:
        """(moment, chance) to draw between two moments: one a pixel at most, which then is the highest there."""
        first = max(0, int(start_ms // self.step_ms))
        last = min(len(self.probability), int(end_ms // self.step_ms) + 2)
        together = max(1, int(ms_per_px // self.step_ms))
        first -= first % together
        return [(place * self.step_ms, max(self.probability[place : place + together]))
                for place in range(first, last, together)]  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """All of it. lanes: of each mark; judged, unsure, rewards: by the place of a stretch."""

    duration_ms: int = 1
    stretches: Sequence[Stretch] = ()
    marks: Sequence[Mark] = ()
    lanes: Sequence[int] = ()
    plots: Sequence[Plot] = ()
    judged: frozenset[int] = frozenset()
    unsure: frozenset[int] = frozenset()
    rewards: Mapping[int, tuple[float, str]] = field(default_factory=dict)
    magnets: Sequence[int] = ()
    """Where a drag likes to end: ends of stretches, spans and suggestions, in order."""

    @property
    def lane_count(self) -> int:
        """How many lanes the marks take."""
        return max(self.lanes, default=-1) + 1

    def words_at(self, ms: int, schema: Schema) -> list[str]:
        """What is to be said of a moment: when it is, what is done, the chances, the marks."""
        found = [time_words(ms)]
        place = self.stretch_at(ms)
        if place is not None:
            stretch = self.stretches[place]
            what = stretch.text or "no command"
            found.append(f"{place + 1}  {what}" + (f", by {stretch.by}" if stretch.by else ""))
            if place in self.rewards:
                value, parts = self.rewards[place]
                found.append(f"{signed(value)} for this stretch ({parts})")
        chances = [(plot.name, plot.at(ms)) for plot in self.plots]
        found += [f"{name} {score_text(chance)}" for name, chance in chances if chance is not None]
        found += [f"{_mark_words(mark, schema)}, {span_words(mark.start, mark.end)}" for mark in self.marks
                  if mark.start <= ms < mark.end]  # fmt: skip
        return found

    def stretch_at(self, ms: int) -> int | None:
        """The stretch that a moment is in."""
        place = bisect_left(self.stretches, ms + 1, key=lambda stretch: stretch.end_ms)
        return place if place < len(self.stretches) else None


def _mark_words(mark: Mark, schema: Schema) -> str:
    letter, _, rest = mark.tag.partition(" ")
    name = next((category.name for category in schema.categories if category.shortcut == letter), letter)
    match mark.kind:
        case "model":
            return f"{name} suggested {rest}"
        case "person":
            return f"{name} of {rest}"
    return f"{name} {rest}".strip()


class Scenes:
    """Makes the scene of an editor that shows a recording; a step costs what it changes, but for looking at it all."""

    def __init__(self) -> None:
        self._known: dict[Target, tuple[Span, tuple[Mark, ...]]] = {}

    def scene(
        self, editor: ItemEditor, rewards: Mapping[int, tuple[float, str]], suggestions: Suggestions | None = None
    ) -> Scene:  # fmt: skip
        """The scene as it is now."""
        self._known = spans_and_marks(editor, self._known)
        marks = sorted((mark for _, found in self._known.values() for mark in found), key=in_order)
        values, whole = editor.labels.values, editor.whole
        keys = _keys(editor.cursor.map)
        ends = {end for stretch in editor.item.stretches for end in (stretch.start_ms, stretch.end_ms)}
        ends |= {end for mark in marks for end in (mark.start, mark.end)}
        return Scene(
            duration_ms=editor.item.duration_ms,
            stretches=editor.item.stretches,
            marks=marks,
            lanes=lanes_of(marks),
            plots=plots_of(suggestions, editor.schema),
            judged=frozenset(place for place, (judged, _) in enumerate(keys) if whole or judged in values),
            unsure=frozenset(place for place, (_, unsure) in enumerate(keys) if unsure in values),
            rewards=rewards,
            magnets=sorted(ends | {0, editor.item.duration_ms}),
        )


@lru_cache(maxsize=8)
def _keys(track: TrackMap) -> list[tuple[str, str]]:
    """Of each stretch, the keys under which it is judged, or nobody can say."""
    return [(key_of(Judged(track=TIME_TRACK, start=start, end=end)), key_of(Unsure(track=TIME_TRACK, start=start,
             end=end))) for start, end in track.sentences]  # fmt: skip


def plots_of(suggestions: Suggestions | None, schema: Schema) -> list[Plot]:
    """The curves of a model, in the order of the schema's heads; those of heads that are no more are left out."""
    if suggestions is None:
        return []
    order = [head.key for head in schema.heads]
    known = [curve for curve in suggestions.curves if curve.head in order and curve.step_ms > 0]
    plots = []
    for curve in sorted(known, key=lambda curve: order.index(curve.head)):
        category = _said_by(schema.of_head(curve.head))
        if category is not None:
            plots.append(Plot(category.name, category.colour, curve.step_ms, curve.probability))
    return plots


def _said_by(categories: Sequence[Category]) -> Category | None:
    """What a head's chance is about: what it finds fault with, or praises where it does nothing else."""
    return next((category for category in categories if not category.good), next(iter(categories), None))


def target_at(scene: Scene, ms: int, lane: int, now: Target | None) -> Target | None:
    """What a click on a lane chooses: the mark that is there; where that is current, the one around it."""
    here = [(mark, place) for mark, place in zip(scene.marks, scene.lanes, strict=True) if mark.start <= ms < mark.end]
    pointed = next((mark.target for mark, place in here if place == lane), None)
    if pointed is None or pointed != now:
        return pointed
    inside_out = sorted((mark for mark, _ in here), key=lambda mark: (mark.end - mark.start, mark.target.key))
    targets = list(dict.fromkeys(mark.target for mark in inside_out))
    return targets[(targets.index(pointed) + 1) % len(targets)]


def chance_words(scene: Scene, ms: float) -> str:
    """The chances of a moment, in a line: “mistake .71, unsafe .03”."""
    known = [(plot.name, plot.at(ms)) for plot in scene.plots]
    return ", ".join(f"{name} {score_text(chance)}" for name, chance in known if chance is not None)
