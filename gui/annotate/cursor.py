"""What is selected on a track, and how keys and the mouse change it. The selection is exactly what a label would mark.

A selection is an anchor word and an edge: extending moves the edge by words, and past the anchor it turns around.
Knows nothing of labels or windows.
"""

from __future__ import annotations

from gui.annotate.moves import TrackMap
from hitl.annotation.text import Range


class Cursor:
    """The selection on one track; at first the whole of the first sentence."""

    def __init__(self, track_map: TrackMap) -> None:
        self.map = track_map
        self.whole = True
        """Whether the selection is a sentence that was walked to, rather than words that were chosen."""
        self._anchor = Range(0, 0)
        self._edge = 0
        self.to_sentence(0)

    @property
    def selection(self) -> Range:
        """What is selected; never reversed."""
        if self._edge > self._anchor.start:
            return Range(self._anchor.start, self._edge)
        return Range(self._edge, self._anchor.end)

    @property
    def sentence(self) -> int:
        """Index of the sentence that the selection begins in."""
        return self.map.sentence_at(self.selection.start)

    def to(self, start: int, end: int) -> None:
        """Select this range."""
        first = self.map.word(self.map.word_at(start))
        self._anchor = Range(start, min(max(first.end, start), end))
        self._edge = end
        self.whole = False

    def to_sentence(self, index: int) -> None:
        """Select a whole sentence, kept within the track."""
        sentences = self.map.sentences
        self.to(*sentences[max(0, min(index, len(sentences) - 1))])
        self.whole = True

    def word(self, step: int) -> None:
        """Select the next word (or, with -1, the one before). From a whole sentence, its first word."""
        now = self.selection
        if self.whole and step > 0:
            self.to(*self.map.word(self.map.word_at(now.start)))
        elif step > 0:
            self.to(*self.map.word(self.map.word_at(now.end)))
        else:
            self.to(*self.map.word(self.map.word_at(now.start) - 1))

    def end_word(self, step: int) -> None:
        """Select the first (-1) or last (1) word of the sentence."""
        sentence = self.map.sentences[self.sentence]
        places = self.map.words_in(*sentence)
        if places:
            self.to(*self.map.word(places[0] if step < 0 else places[-1]))

    def extend_word(self, step: int) -> None:
        """Move the edge by a word: further, back, and past the anchor to its other side."""
        self.whole = False
        forward = self._edge > self._anchor.start
        if step > 0 and forward:
            self._edge = self.map.next_word_end(self._edge)
        elif step > 0:
            onward = self.map.word(self.map.word_at(self._edge) + 1).start
            self._edge = onward if onward < self._anchor.start else self._anchor.end
        elif forward and self.map.word_end_before(self._edge) > self._anchor.start:
            self._edge = max(self.map.word_end_before(self._edge), self._anchor.start + 1)
        elif forward:
            self._edge = min(self.map.word(self.map.word_at(self._anchor.start) - 1).start, self._anchor.start)
        else:
            self._edge = min(self.map.word(self.map.word_at(self._edge) - 1).start, self._edge)

    def extend_sentence(self, step: int) -> None:
        """Move the end by a sentence; not before the first one that is selected."""
        now = self.selection
        last = self.map.sentence_at(max(now.start, now.end - 1))
        first = self.map.sentence_at(now.start)
        to = max(first, min(last + step, len(self.map.sentences) - 1))
        start = min(now.start, self.map.sentences[to].start) if step > 0 else now.start
        if self.map.sentences[to].end > start:  # else it begins behind that sentence
            self.to(start, self.map.sentences[to].end)

    def nudge(self, step: int, *, start: bool) -> None:
        """Move the end (or the start) by one grapheme; at least one stays selected."""
        now = self.selection
        if start:
            low = min(self.map.step(now.start, step), self.map.step(now.end, -1))
            self.to(low, now.end)
        else:
            high = max(self.map.step(now.end, step), self.map.step(now.start, 1))
            self.to(now.start, high)
