"""Narration: what people say while something is done, as segments of the session clock, each with its command.

Timed words become phrases, phrases commands, and commands segments. All of it goes by time and nothing by order: a
phrase that was missed or is one too many costs itself and moves no other. (Yell At Your Robot, arXiv:2403.12910, gave
the k-th phrase to the k-th mark.) Pure: knows nothing of recordings, recognizers, models and pictures; what a phrase
means is asked of `Understand`. Times are nanoseconds of the session clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hitl.messages import TimedWord
from hitl.speech.certainty import Decided
from hitl.speech.intents import as_meant, intent_of
from hitl.speech.text import plain, without_fillers

Spoken = Literal["before", "after"]
"""before: people say it, then it is done; after: it is done, then they say what it was."""
Stretch = tuple[int, int]
"""From the first to before the second [ns]."""

HESITATION_S = 2.0
"""So long a phrase may pause behind a word that cannot be its last."""
_SENTENCE_PAUSE_S = 0.2
"""A pause that ends a phrase where the recognizer wrote the end of a sentence."""
_OPEN = frozenset("a an and from into my of onto the then to toward towards very with your".split())
"""Words that no phrase ends with."""
_DONE = re.compile(
    r"(?:(?:all|it's|it is|that's|that is|this is) )?(?:done|finished|complete)|that's (?:it|all)|that is it"
)


@dataclass(frozen=True)
class SaidWord:
    """A word on the session clock."""

    text: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Phrase:
    """One person's words of one breath, or of one half of "this, then that"; at least one."""

    words: tuple[SaidWord, ...]
    author: str = ""

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(word.text for word in self.words)

    @property
    def start_ns(self) -> int:
        """When its first word began."""
        return self.words[0].start_ns

    @property
    def end_ns(self) -> int:
        """When its last word ended."""
        return max(word.end_ns for word in self.words)


Understand = Callable[[Phrase], Decided]
"""What a phrase is taken for; `certainty.decide` with a bank of commands, or what stands for it."""


@dataclass(frozen=True)
class Rules:
    """spoken: the narrator's habit; pause_s: silence that ends a phrase; shortest_s: a shorter segment is dropped."""

    spoken: Spoken = "before"
    pause_s: float = 0.6
    shortest_s: float = 0.5


@dataclass(frozen=True)
class Episode:
    """When an episode went on. `away`: stretches of it that teach nothing, in order: the robot was stopped, paused or
    not heard. `cut_off`: it went on, but what is known of it ends here."""

    id: str
    start_ns: int
    end_ns: int
    away: tuple[Stretch, ...] = ()
    cut_off: bool = False


@dataclass(frozen=True)
class Segment:
    """A stretch in which one command was carried out; never empty, inside one episode, outside of what is away."""

    start_ns: int
    end_ns: int
    command: str
    said: str
    episode: str
    author: str = ""
    known: bool = True
    """Whether the command was in the bank."""
    near: str = ""
    """The bank's command that is nearest to a new one; empty where there is none."""
    resumed: bool = False
    """It goes on with a command that a stop interrupted, and does not show how that begins."""
    cut_short: bool = False
    """A stop, or the end of what is known, came before its own end."""


@dataclass(frozen=True)
class LeftOut:
    """Words, or a stretch of a command, that make no segment, and why."""

    start_ns: int
    end_ns: int
    said: str
    reason: str


@dataclass(frozen=True)
class Alignment:
    """Segments in order of time, none over another, and what made none."""

    segments: tuple[Segment, ...]
    left_out: tuple[LeftOut, ...]


def on_session_clock(words: Iterable[TimedWord], begins_ns: int) -> list[SaidWord]:
    """The words of a sound whose first sample is at `begins_ns`."""
    return [
        SaidWord(word.text, begins_ns + round(word.start_s * 1e9), begins_ns + round(word.end_s * 1e9))
        for word in words
    ]


def phrases_of(words: Iterable[SaidWord], author: str = "", pause_s: float = Rules.pause_s) -> list[Phrase]:
    """One person's words as phrases, in order of time. They end at pauses, before "then" and "and then", and at the
    end of a sentence; never behind a word such as "the", unless nothing comes for `HESITATION_S`."""
    ordered = sorted((word for word in words if plain(word.text)), key=lambda word: (word.start_ns, word.end_ns))
    runs: list[list[SaidWord]] = []
    for at, word in enumerate(ordered):
        following = plain(ordered[at + 1].text) if at + 1 < len(ordered) else ""
        if not runs or _begins(runs[-1][-1], word, following, pause_s):
            runs.append([])
        runs[-1].append(word)
    return [Phrase(tuple(run), author) for run in runs if not all(plain(word.text) in _OPEN for word in run)]


def _begins(last: SaidWord, word: SaidWord, following: str, pause_s: float) -> bool:
    gap_s = (word.start_ns - last.end_ns) / 1e9
    if plain(last.text) in _OPEN:
        return gap_s > HESITATION_S
    if gap_s > pause_s or gap_s > _SENTENCE_PAUSE_S and last.text.rstrip().endswith((".", "!", "?")):
        return True
    said = plain(word.text)
    return said == "then" or said == "and" and following == "then"


@dataclass(frozen=True)
class _Meant:
    """What a phrase is. A `bound` ends what was done before it, whether or not it is a command that is used."""

    phrase: Phrase
    kind: Literal["command", "done", "undo", "nothing"]
    reason: str = ""
    bound: bool = False
    command: str = ""
    known: bool = True
    near: str = ""


def align(
    phrases: Iterable[Phrase], episodes: Sequence[Episode], understand: Understand, rules: Rules | None = None
) -> Alignment:
    """Segments of what several people narrated. `episodes` are in order and do not overlap.

    With `before` a command's segment goes from the first word of its phrase to the first of the next, to "done" or to
    the episode's end; with `after` from the end of the phrase before, or the episode's begin, to its own first word.
    """
    rules = rules or Rules()
    ordered = sorted(phrases, key=lambda phrase: (phrase.start_ns, phrase.end_ns))
    meant = _without_taken_back([_meaning(phrase, understand) for phrase in ordered])
    segments: list[Segment] = []
    left_out: list[LeftOut] = []
    before_ns = 0
    for at, one in enumerate(meant):
        if one.kind == "command":
            after_ns = next((later.phrase.start_ns for later in meant[at + 1 :] if later.bound), None)
            made, dropped = _segments(one, episodes, before_ns, after_ns, rules)
            segments += made
            left_out += dropped
        elif one.reason:
            left_out.append(LeftOut(one.phrase.start_ns, one.phrase.end_ns, one.phrase.text, one.reason))
        if one.bound:
            before_ns = max(before_ns, one.phrase.end_ns)
    return Alignment(tuple(segments), tuple(left_out))


def _meaning(phrase: Phrase, understand: Understand) -> _Meant:
    words = without_fillers(plain(phrase.text))
    if _DONE.fullmatch(words) or _DONE.fullmatch(plain(phrase.text)):
        return _Meant(phrase, "done", bound=True)
    intent = intent_of(as_meant(phrase.text))
    if intent == "undo":
        return _Meant(phrase, "undo", "takes back what was said before")
    if intent != "say":
        return _Meant(phrase, "nothing", "stops the robot" if intent == "stop" else "lets the robot go on")
    decided = understand(phrase)
    grounded = decided.grounded
    if grounded.kind == "stop":
        return _Meant(phrase, "nothing", "stops the robot")
    if decided.ignored:
        return _Meant(phrase, "nothing", "no command")
    if grounded.kind == "new":
        near = decided.choices[0] if decided.choices else ""
        text = without_fillers(plain(decided.text))
        return _Meant(phrase, "command", bound=True, command=text, known=False, near=near)
    if decided.certainty == "low":
        choices = " or ".join(f"“{choice}”" for choice in decided.choices)
        return _Meant(phrase, "nothing", f"not clear: {choices}", bound=True)
    return _Meant(phrase, "command", bound=True, command=grounded.command)


def _without_taken_back(meant: Sequence[_Meant]) -> list[_Meant]:
    """ "Scratch that" makes the same person's command before it unsaid."""
    kept = list(meant)
    for at, one in enumerate(meant):
        if one.kind != "undo":
            continue
        author = one.phrase.author
        earlier = (i for i in range(at - 1, -1, -1) if kept[i].phrase.author == author and kept[i].kind == "command")
        target = next(earlier, None)
        if target is not None:
            kept[target] = _Meant(kept[target].phrase, "nothing", "taken back")
    return kept


def _segments(
    one: _Meant, episodes: Sequence[Episode], before_ns: int, after_ns: int | None, rules: Rules
) -> tuple[list[Segment], list[LeftOut]]:
    """Of one command, in pieces where the robot was away; and the pieces that are dropped."""
    phrase = one.phrase
    episode = next((e for e in episodes if e.start_ns <= phrase.start_ns < e.end_ns), None)
    if episode is None:
        return [], [LeftOut(phrase.start_ns, phrase.end_ns, phrase.text, "said outside of an episode")]
    if rules.spoken == "before":
        whole = phrase.start_ns, episode.end_ns if after_ns is None else min(after_ns, episode.end_ns)
    else:
        whole = max(before_ns, episode.start_ns), phrase.start_ns
    pieces = _outside(whole, episode.away)
    made, dropped = [], []
    for at, (start_ns, end_ns) in enumerate(pieces):
        if end_ns - start_ns < rules.shortest_s * 1e9:
            why = f"too short: {(end_ns - start_ns) / 1e9:.1f} s"
            dropped.append(LeftOut(start_ns, end_ns, phrase.text, why))
            continue
        last = at == len(pieces) - 1 and end_ns == whole[1]
        made.append(
            Segment(
                start_ns, end_ns, one.command, phrase.text, episode.id, phrase.author, one.known, one.near,
                resumed=start_ns > whole[0],
                cut_short=not last or episode.cut_off and end_ns == episode.end_ns,
            )
        )  # fmt: skip
    if not pieces:
        why = "the robot was stopped" if whole[1] > whole[0] else "nothing came between it and the phrase beside it"
        dropped.append(LeftOut(phrase.start_ns, phrase.end_ns, phrase.text, why))
    return made, dropped


def _outside(whole: Stretch, away: Iterable[Stretch]) -> list[Stretch]:
    """The parts of a stretch that lie in none of `away` (in order), none empty."""
    start_ns, end_ns = whole
    parts = []
    for away_start_ns, away_end_ns in away:
        if start_ns < min(away_start_ns, end_ns):
            parts.append((start_ns, min(away_start_ns, end_ns)))
        start_ns = max(start_ns, away_end_ns)
    if start_ns < end_ns:
        parts.append((start_ns, end_ns))
    return parts
