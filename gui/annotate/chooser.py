"""What is selected and what is current in one item, and how keys and the mouse move between labels and suggestions.

Nothing here labels anything; `editor.py` does. Knows nothing of windows or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from gui.annotate.cursor import Cursor
from gui.annotate.moves import text_map, time_map
from gui.annotate.proposals import Proposal, of_model, of_people
from hitl.annotation.items import Item
from hitl.annotation.judged import judged_whole
from hitl.annotation.schema import Category, Schema
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import Suggestions
from hitl.clock import new_ulid
from hitl.labels import TIME_TRACK, Change, Judged, Missing, Rewrite, Span, Unsure, Value, key_of

Kind = Literal["span", "missing", "proposal"]


class Target(NamedTuple):
    """What details and keys are about: a label of this person by its key, or a proposal by its id."""

    kind: Kind
    key: str


class Chooser:
    """One item and one person. `labels` are this person's, `others` everybody else's."""

    def __init__(
        self, item: Item, schema: Schema, labels: ItemLabels | None = None,
        others: Mapping[str, ItemLabels] | None = None, new_name: Callable[[], str] = new_ulid,
    ) -> None:  # fmt: skip
        self.item = item
        self.schema = schema
        self.labels = labels or ItemLabels()
        self.others: Mapping[str, ItemLabels] = others or {}
        self.suggestions: Suggestions | None = None
        self.shows_others = False
        """Whether spans of other people are among what can be chosen and taken over."""
        self.target: Target | None = None
        self.picking = ""
        """Key of the span whose earlier text is being chosen; empty at other times."""
        self.said = ""
        """What to tell the person about the last command, where it did nothing."""
        self.new_name = new_name
        self._proposed: tuple[tuple[object, ...], list[Proposal]] | None = None
        self._cursors = {output.track: Cursor(text_map(output.text)) for output in item.outputs}
        if item.recording:
            self._cursors[TIME_TRACK] = Cursor(time_map(item))
        self.track = next(iter(self._cursors), "")

    # -- what there is ----------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> Cursor:
        """The selection on the track that is shown."""
        return self._cursors[self.track]

    @property
    def text(self) -> str:
        """The output that is shown; empty for a recording."""
        return self.cursor.map.text

    @property
    def timed(self) -> bool:
        """Whether the track that is shown is time."""
        return self.track == TIME_TRACK

    def proposals(self) -> list[Proposal]:
        """What can be accepted in this output, in the order of the text."""
        known = (self.labels, self.others, self.suggestions, self.track, self.shows_others)
        if self._proposed is not None and all(a is b for a, b in zip(self._proposed[0], known, strict=True)):
            return self._proposed[1]
        found = of_model(self.suggestions, self.labels, self.track)
        if self.shows_others:
            found += of_people(self.others, self.labels, self.track)
            found.sort(key=lambda proposal: (proposal.span.start, -proposal.span.end))
        self._proposed = (known, found)
        return found

    @property
    def proposal(self) -> Proposal | None:
        """The current proposal."""
        if self.target is None or self.target.kind != "proposal":
            return None
        return next((entry for entry in self.proposals() if entry.id == self.target.key), None)

    @property
    def span(self) -> Span | None:
        """The current span of this person."""
        value = self.labels.values.get(self.target.key) if self.target is not None else None
        return value if isinstance(value, Span) else None

    @property
    def missing(self) -> Missing | None:
        """The current missing item of this person."""
        value = self.labels.values.get(self.target.key) if self.target is not None else None
        return value if isinstance(value, Missing) else None

    def judged(self, sentence: int) -> bool:
        """Whether this person has looked at a sentence of this output."""
        return self.judged_key(sentence) in self.labels.values or self.whole

    @property
    def whole(self) -> bool:
        """Whether this output is judged from beginning to end, since the item is done."""
        return self.track in judged_whole(self.item, self.labels)

    def unsure(self, sentence: int) -> bool:
        """Whether this person said that nobody can say what a sentence is."""
        return self.unsure_key(sentence) in self.labels.values

    def unsure_key(self, sentence: int) -> str:
        """The key under which that is said."""
        place = self.cursor.map.sentences[sentence]
        return key_of(Unsure(track=self.track, start=place.start, end=place.end))

    def judgement(self, sentence: int) -> Judged:
        """What says that a sentence was looked at."""
        return Judged(track=self.track, start=self.cursor.map.sentences[sentence].start,
                      end=self.cursor.map.sentences[sentence].end)  # fmt: skip

    def judged_key(self, sentence: int) -> str:
        """The key of its judgement."""
        return key_of(self.judgement(sentence))

    def proposal_in(self, sentence: int, behind: int) -> Proposal | None:
        """The first proposal in a sentence that does not begin before `behind`."""
        place = self.cursor.map.sentences[sentence]
        return next((entry for entry in self.proposals()
                     if place.start <= entry.span.start < place.end and entry.span.start >= behind), None)  # fmt: skip

    def category_of(self, shortcut: str) -> Category | None:
        """The category on this letter or digit."""
        return next((entry for entry in self.schema.categories if entry.shortcut == shortcut), None)

    # -- moving: nothing is labelled ----------------------------------------------------------------------------------

    def show_track(self, step: int) -> None:
        """Show the next output (or the one before)."""
        tracks = list(self._cursors)
        self.go_to_track(tracks[(tracks.index(self.track) + step) % len(tracks)])

    def go_to_track(self, track: str) -> None:
        """Show this output."""
        self.track, self.target, self.picking = track, None, ""

    def move_word(self, step: int) -> None:
        """To the next word, leaving what is current."""
        self.leave()
        self.cursor.word(step)

    def move_end(self, step: int) -> None:
        """To the first or last word of the sentence."""
        self.leave()
        self.cursor.end_word(step)

    def select(self, start: int, end: int) -> None:
        """Select what was dragged over."""
        self.leave()
        self.cursor.to(start, end)

    def select_sentence(self, index: int) -> None:
        """Select a sentence, and propose what is suggested in it."""
        self.leave()
        self.cursor.to_sentence(index)

    def choose(self, target: Target | None) -> None:
        """Make something current, and select what it covers."""
        self.target = target
        span = self.span or (self.proposal.span if self.proposal is not None else None)
        if span is not None:
            if span.track != self.track:
                self.track = span.track
            self.cursor.to(span.start, span.end)

    def at(self, offset: int) -> list[Target]:
        """Spans and proposals at a place, the innermost first."""
        found = [(span.end - span.start, Target("span", key)) for key, span in self.labels.spans(self.track).items()
                 if span.start <= offset < span.end]  # fmt: skip
        found += [(entry.span.end - entry.span.start, Target("proposal", entry.id)) for entry in self.proposals()
                  if entry.span.start <= offset < entry.span.end]  # fmt: skip
        return [target for _, target in sorted(found, key=lambda entry: (entry[0], entry[1].key))]

    def step_target(self, step: int) -> None:
        """To the next span or proposal (or the one before), from what is current or selected."""
        found = [(span.start, -span.end, key, Target("span", key))
                 for key, span in self.labels.spans(self.track).items()]  # fmt: skip
        found += [(p.span.start, -p.span.end, p.id, Target("proposal", p.id)) for p in self.proposals()]
        found.sort(key=lambda entry: entry[:3])
        if not found:
            self.said = "Nothing is marked or suggested here yet."
            return
        now = self.cursor.selection
        here = (now.start, -now.end, self.target.key if self.target is not None else "")
        if step > 0:
            onward = next((entry for entry in found if entry[:3] > here), found[0])
        else:
            onward = next((entry for entry in reversed(found) if entry[:3] < here), found[-1])
        self.picking = ""
        self.choose(onward[3])

    def leave(self) -> None:
        """Nothing is current any more, but for a span whose earlier text is chosen."""
        if not self.picking:
            self.target = None

    # -- what came ----------------------------------------------------------------------------------------------------

    def take(self, labels: ItemLabels, others: Mapping[str, ItemLabels]) -> None:
        """Labels are these now; what is current stays where it is still there."""
        self.labels, self.others = labels, others
        target = self.target
        if target is None:
            return
        gone = self.proposal is None if target.kind == "proposal" else target.key not in labels.values
        if gone:
            self.target, self.picking = None, ""
        elif target.kind == "span" and self.span is not None and not self.picking:
            if self.cursor.selection != (self.span.start, self.span.end):
                self.cursor.to(self.span.start, self.span.end)

    def show_change(self, change: Change, before: Mapping[str, Value]) -> None:
        """Go to where a step of undo or redo changed something."""
        value = change.value or before.get(change.key)
        match value:
            case Span():
                self.go_to_track(value.track)
                self.cursor.to(value.start, value.end)
                if change.value is not None:
                    self.target = Target("span", change.key)
            case Judged() | Unsure():
                self.go_to_track(value.track)
                self.cursor.to(value.start, value.end)
                self.cursor.whole = True
            case Missing() | Rewrite():
                self.go_to_track(value.track)
                if isinstance(change.value, Missing):
                    self.target = Target("missing", change.key)
