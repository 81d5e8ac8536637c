"""One item being annotated: what each command changes about its labels.

Every command that labels returns the changes of one step, or nothing; `take` takes the labels in that come of it. So
undo, the log and other windows all come in by the same door. Knows nothing of windows or sockets.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gui.annotate.chooser import Chooser, Target
from gui.annotate.cursor import Cursor
from gui.annotate.decisions import decision
from gui.annotate.proposals import rejection
from hitl.annotation.agreement import Cluster
from hitl.annotation.schema import Category
from hitl.labels import (
    Change,
    Evidence,
    Missing,
    Preference,
    Review,
    ReviewState,
    Rewrite,
    Span,
    Unsure,
    Value,
    Winner,
    key_of,
)


class ItemEditor(Chooser):
    """Makes changes out of commands."""

    # -- walking ----------------------------------------------------------------------------------------------------

    def next_sentence(self, step: int) -> list[Change]:
        """To the next sentence; the one that is left behind counts as judged. With -1 back, which judges nothing."""
        here = self.cursor.sentence
        last = len(self.cursor.map.sentences) - 1
        changes = []
        if step > 0 and not self.picking:
            key = self.judged_key(here)
            if key not in self.labels.values and self.cursor.map.length and not self.unsure(here):
                changes = [Change(key=key, value=self.judgement(here))]
            if here == last:
                self.said = f"That was the last {self.cursor.map.unit}."
        self.leave()
        self.cursor.to_sentence(here + step)
        return changes

    def enter(self) -> list[Change]:
        """Accept the current proposal; else go to the next one in the sentence; else to the next sentence."""
        if self.picking:
            return self.pick()
        if self.proposal is not None:
            return self.accept()
        before = self.cursor.sentence
        onward = self.proposal_in(before, self.cursor.selection.start)
        if onward is not None:
            self.choose(Target("proposal", onward.id))
            return []
        changes = self.next_sentence(1)
        onward = self.proposal_in(self.cursor.sentence, -1) if self.cursor.sentence != before else None
        if onward is not None:
            self.choose(Target("proposal", onward.id))
        return changes

    def toggle_unsure(self) -> list[Change]:
        """Nobody can say what the current sentence is, so nothing is to be learned of it; again takes that back."""
        if not self.cursor.map.length:
            return []
        here = self.cursor.sentence
        key, place = self.unsure_key(here), self.cursor.map.sentences[here]
        value = None if self.unsure(here) else Unsure(track=self.track, start=place.start, end=place.end)
        return [Change(key=key, value=value)]

    # -- spans ------------------------------------------------------------------------------------------------------

    def mark(self, category: Category) -> list[Change]:
        """Say that what is selected is of this category; on a current span it is added, or taken away again."""
        self.picking = ""
        if category.where == "missing":
            return self._add_missing(category)
        span = self.span
        if span is not None and self.target is not None:
            return self._toggle(self.target.key, span, category.key)
        changes = []
        if self.proposal is not None and self.proposal.span.categories == [category.key]:
            return self.accept()
        if self.proposal is not None and not self.proposal.author:
            changes = [Change(key=key, value=value) for key, value in [rejection(self.proposal.span)]]
        selected = self.cursor.selection
        if selected.start >= selected.end:
            self.said = "Select something first."
            return []
        for key, known in self.labels.spans(self.track).items():
            if (known.start, known.end) == selected:
                return changes + self._toggle(key, known, category.key)
        repeats = self.cursor.map.place_of_same_text(*selected) if category.needs == "earlier" else None
        new = Span(track=self.track, start=selected.start, end=selected.end, categories=[category.key],
                   repeats=(repeats.start, repeats.end) if repeats is not None else None)  # fmt: skip
        return changes + [self._new(new)]

    def _toggle(self, key: str, span: Span, category: str) -> list[Change]:
        self.target = Target("span", key)
        if category not in span.categories:
            return [_put(key, span, categories=[*span.categories, category])]
        left = [entry for entry in span.categories if entry != category]
        if left:
            return [_put(key, span, categories=left)]
        self.target = None
        return [Change(key=key, value=None)]

    def _new(self, value: Span | Missing) -> Change:
        key = key_of(value, self.new_name())
        self.target = Target("span" if isinstance(value, Span) else "missing", key)
        return Change(key=key, value=value)

    def _add_missing(self, category: Category) -> list[Change]:
        if self.timed:
            self.said = "Only an answer can lack something. Mark what is seen."
            return []
        return [self._new(Missing(track=self.track, category=category.key))]

    def extend(self, move: Callable[[Cursor], None]) -> list[Change]:
        """Move the edges of the selection with a method of the cursor; a current span follows."""
        before = self.cursor.selection
        if self.span is None and not self.picking:
            self.target = None
        move(self.cursor)
        span, now = self.span, self.cursor.selection
        if span is None or self.picking or self.target is None or now == before:
            return []
        return self.resize(self.target.key, now.start, now.end)

    def resize(self, key: str, start: int, end: int) -> list[Change]:
        """Give a span of this person other ends; only this one, whatever lies around it."""
        span = self.labels.values.get(key)
        if not isinstance(span, Span) or start >= end or (start, end) == (span.start, span.end):
            return []
        repeats = span.repeats if span.repeats is not None and span.repeats[0] < start else None
        self.target = Target("span", key)
        self.cursor.to(start, end)
        return [_put(key, span, start=start, end=end, repeats=repeats)]

    def accept(self) -> list[Change]:
        """Take the current proposal over."""
        proposal = self.proposal
        if proposal is None:
            self.said = "No suggestion is chosen. Ctrl+Right goes to the next one."
            return []
        for key, known in self.labels.spans(self.track).items():
            if (known.start, known.end) == (proposal.span.start, proposal.span.end):
                both = list(dict.fromkeys([*known.categories, *proposal.span.categories]))
                self.target = Target("span", key)
                return [_put(key, known, categories=both)]
        return [self._new(proposal.span)]

    def remove(self) -> list[Change]:
        """Reject the current suggestion, or take the current label away."""
        self.picking = ""
        proposal, target = self.proposal, self.target
        if proposal is not None and not proposal.author:
            self.target = None
            key, value = rejection(proposal.span)
            return [Change(key=key, value=value)]
        if proposal is not None:
            self.said = f"This is {proposal.author}’s. Enter takes it over; leave it to say nothing about it."
            return []
        if target is None or target.key not in self.labels.values:
            self.said = "Nothing is chosen that could be taken away."
            return []
        self.target = None
        return [Change(key=target.key, value=None)]

    def set_severity(self, severity: str) -> list[Change]:
        """How bad the current span is; the same again takes it away."""
        if self.span is None or self.target is None:
            self.said = "Choose a span first."
            return []
        return [_put(self.target.key, self.span, severity="" if self.span.severity == severity else severity)]

    def next_severity(self) -> list[Change]:
        """The next severity of the schema, and behind the last none."""
        if self.span is None or not self.schema.severities:
            return self.set_severity("")
        keys = ["", *(severity.key for severity in self.schema.severities)]
        onward = keys[(keys.index(self.span.severity) + 1) % len(keys)] if self.span.severity in keys else keys[1]
        return self.set_severity(onward or self.span.severity)

    def set_note(self, note: str) -> list[Change]:
        """A note on the current label, or on the item where none is current."""
        value: Value = self.span or self.missing or self.labels.review
        if value.note == note.strip():  # type: ignore[union-attr]
            return []
        key = self.target.key if self.target is not None and not isinstance(value, Review) else "review"
        return [_put(key, value, note=note.strip())]

    def toggle_evidence(self, source: int, sentence: int) -> list[Change]:
        """This sentence of a source speaks for the current label, or no longer."""
        value = self.span or self.missing
        if value is None or self.target is None:
            self.said = "Mark something first; then click the sentence that proves it, or press Ctrl+E."
            return []
        chosen = Evidence(source=source, sentence=sentence)
        left = [entry for entry in value.evidence if entry != chosen]
        if len(left) == len(value.evidence):
            left.append(chosen)
            left.sort(key=lambda entry: (entry.source, entry.sentence))
        return [_put(self.target.key, value, evidence=left)]

    def start_picking(self) -> None:
        """Choose the earlier text that the current span repeats; again leaves it as it was."""
        if self.picking:
            self.said, key, self.picking = "", self.picking, ""
            self.choose(Target("span", key))  # which is selected again
            return
        if self.span is None or self.target is None or self.timed:
            self.said = "Mark the repeated text first."
            return
        self.picking = self.target.key
        if self.span.repeats is not None:
            self.cursor.to(*self.span.repeats)
        else:
            self.cursor.to_sentence(self.cursor.sentence - 1)

    def pick(self) -> list[Change]:
        """What is selected is the earlier text."""
        span, picked = self.labels.values.get(self.picking), self.cursor.selection
        key, self.picking = self.picking, ""
        if not isinstance(span, Span):
            return []
        if picked.start >= span.start or picked.start >= picked.end:
            self.picking = key
            self.said = "That is not earlier than the span. Choose text before it."
            return []
        self.choose(Target("span", key))
        return [_put(key, span, repeats=(picked.start, picked.end))]

    def decide(self, cluster: Cluster, author: str, chosen: str) -> list[Change]:
        """What `chosen` marked here counts, of all that people marked; `author` is this person."""
        self.leave()
        return decision(cluster, author, chosen, self.labels, self.new_name)

    # -- the output and the item as a whole -------------------------------------------------------------------------

    def rewrite(self, text: str, track: str = "") -> list[Change]:
        """The corrected text of an output; the output itself takes the correction away."""
        track = track or self.track
        before = self.labels.rewrite(track)
        original = self.item.output(track).text
        if text == (original if before is None else before):
            return []
        value = None if text == original else Rewrite(track=track, text=text)
        return [Change(key=f"rewrite:{track}", value=value)]

    def prefer(self, first: str, second: str, winner: Winner) -> list[Change]:
        """Which of a pair is better; the same again opens the pair."""
        value = Preference(first=first, second=second, winner=winner)
        known = self.labels.values.get(key_of(value)) == value
        return [Change(key=key_of(value), value=None if known else value)]

    def review(self, state: ReviewState) -> list[Change]:
        """How far the person is with the item."""
        now = self.labels.review
        return [] if now.state == state else [_put("review", now, state=state)]


def _put(key: str, value: Value, **changes: object) -> Change:
    return Change(key=key, value=msgspec.structs.replace(value, **changes))
