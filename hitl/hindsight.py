"""What a watched session teaches the low level: stretches that count, after the fact, as a command carried out.

Four things do. A person's correction that acted to its end. A command of the policy's own that nobody objected to.
What somebody marked as good. And a hand that was guided by small corrections to where one of the policy's skills
should have led: the whole way is then an example of that skill (hindsight relabelling, Andrychowicz et al. 2017). What
is marked as a mistake or unsafe, was undone or cut off, or came just before somebody objected, teaches nothing.

Pure: knows nothing of files, pictures and models. Times are nanoseconds of the session clock, stretches `[from, to)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hitl.messages import CommandStatus
from hitl.speech.narration import Episode, LeftOut, Segment, Stretch

Why = Literal["correction", "let run", "marked good", "guided"]
MARGIN_S = 2.0
"""So long before a correction the policy was going wrong already; the published system's margin."""
LOOK_AHEAD_S = 0.8
"""The low level answers with the way of so many seconds: what it learns from at a moment reaches that far."""
RISE_S = 1.5
"""A thing that was let go of has landed, and the task knows it, within this."""
SKILL_FAMILIES = frozenset({"pick", "place", "handover"})
PLACE_FAMILIES = frozenset({"place"})
PICK_FAMILIES = frozenset({"pick"})
SMALL_FAMILIES = frozenset({"motion", "gripper"})


@dataclass(frozen=True)
class Rules:
    """margin_s: a command of the policy's own is left out where somebody objected until so long after its end;
    shortest_s: a shorter segment is left out; longest_s: and so is a command of the policy's own that went on for
    longer, since it was tried again and again; nothing_s: and one that went on so long without the task getting on,
    where the robot tells how far that is; pause_s: longest pause between two words of somebody who guides."""

    margin_s: float = MARGIN_S
    shortest_s: float = 0.5
    longest_s: float = 12.0
    nothing_s: float = 7.5
    pause_s: float = 1.5


@dataclass(frozen=True)
class Ran:
    """A command while it ran, in one episode. id: of the command, a correction's where a person gave it."""

    start_ns: int
    end_ns: int
    id: str
    text: str
    by_person: bool
    episode: str


@dataclass(frozen=True)
class Given:
    """A correction as it stands now. at_ns: when it was given; overruled: what the policy wanted then; known: whether
    the command is one of the policy's; near: the one of these that a new one is nearest to; done_ns: when it came to
    its end, None where it did not."""

    id: str
    author: str
    at_ns: int
    said: str
    command: str
    overruled: str = ""
    known: bool = True
    near: str = ""
    acted: bool = True
    undone: bool = False
    outcome: str = "done"
    done_ns: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the robot did it, and nobody took it back."""
        return self.acted and not self.undone


@dataclass(frozen=True)
class Watched(Episode):
    """An episode; rises_ns: when the task was one stage further, in order; tells: whether the robot told how far the
    task was."""

    rises_ns: tuple[int, ...] = ()
    tells: bool = False


@dataclass(frozen=True)
class Marks:
    """What people marked on the recording's time track: good, and mistakes or what was unsafe; in any order."""

    good: tuple[Stretch, ...] = ()
    bad: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Families:
    """skills: commands that a hand may be guided to, as "pick up the red block"; places: those of them by which the
    task goes on by a stage; picks: those by which a hand takes hold of something; small: what people guide with."""

    skills: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    picks: frozenset[str] = frozenset()
    small: frozenset[str] = frozenset()

    def with_new(self, near: Mapping[str, str]) -> Families:
        """And new wordings, each of the families of the command that it is near to."""
        return Families(
            *(
                family | {text for text, known in near.items() if known in family}
                for family in (self.skills, self.places, self.picks, self.small)
            )
        )


@dataclass(frozen=True)
class Hindsight(Segment):
    """A segment that the low level learns from, and why. moments: those that it may learn from, each with the way that
    follows it; disjoint, in order; events: corrections that say so; rests: whether the hand's rests belong to it;
    straight: where each moment leads to, instead of the way that it went, those of what was overruled before, too: to
    where the hand let go, or took hold; empty: none does."""

    why: Why = "correction"
    moments: tuple[Stretch, ...] = ()
    events: tuple[str, ...] = ()
    rests: bool = True
    straight: Literal["", "let go", "take hold"] = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True)
class Found:
    """Segments and what was left out, each in order of time. Guided segments lie over the corrections they are of."""

    segments: tuple[Hindsight, ...]
    left_out: tuple[LeftOut, ...]


def families_of(families: Mapping[str, str]) -> Families:
    """From command -> name of its family."""

    def of(chosen: frozenset[str]) -> frozenset[str]:
        return frozenset(text for text, family in families.items() if family in chosen)

    return Families(of(SKILL_FAMILIES), of(PLACE_FAMILIES), of(PICK_FAMILIES), of(SMALL_FAMILIES))


def runs_of(
    commands: Sequence[tuple[int, CommandStatus]], episodes: Sequence[Episode], given: Iterable[Given] = ()
) -> list[Ran]:
    """Commands, each with when it began, in order, as they ran: until the next one, the end of the episode, or the
    moment a correction was done. What was told before an episode has no part in it."""
    done_ns = {one.id: one.done_ns for one in given if one.done_ns is not None}
    found = []
    for episode in episodes:
        mine = [(at_ns, told) for at_ns, told in commands if episode.start_ns <= at_ns < episode.end_ns]
        ends = [at_ns for at_ns, _ in mine[1:]] + [episode.end_ns] * bool(mine)
        for (at_ns, told), next_ns in zip(mine, ends, strict=True):
            end_ns = min(next_ns, max(at_ns, done_ns.get(told.command_id, next_ns)))
            if told.text and end_ns > at_ns:
                found.append(Ran(at_ns, end_ns, told.command_id, told.text, told.source == "person", episode.id))
    return found


def hindsight(
    episodes: Sequence[Watched],
    runs: Sequence[Ran],
    given: Sequence[Given],
    marks: Marks | None = None,
    families: Families | None = None,
    rules: Rules | None = None,
) -> Found:
    """What the session teaches. runs: in order, those of an episode disjoint."""
    look = _Looking(given, marks or Marks(), families or Families(), rules or Rules())
    for episode in episodes:
        look.at(episode, [run for run in runs if run.episode == episode.id])
    return Found(
        tuple(sorted(look.segments, key=lambda one: (one.start_ns, one.end_ns))),
        tuple(sorted(look.left_out, key=lambda one: (one.start_ns, one.end_ns))),
    )


class _Looking:
    """Goes through episodes and gathers."""

    def __init__(self, given: Sequence[Given], marks: Marks, families: Families, rules: Rules) -> None:
        self._given = {one.id: one for one in given}
        self._objections = sorted((one for one in given if one.counts), key=lambda one: one.at_ns)
        self._good, self._bad = _joined(marks.good), _joined(marks.bad)
        self._near = {one.command: one.near for one in given if not one.known}
        self._families, self._rules = families.with_new(self._near), rules
        self.segments: list[Hindsight] = []
        self.left_out: list[LeftOut] = []

    def at(self, episode: Watched, runs: Sequence[Ran]) -> None:
        """One episode and its runs."""
        let_run = set()
        for at, run in enumerate(runs):
            following = runs[at + 1] if at + 1 < len(runs) else None
            problem = self._of_person(run) if run.by_person else self._of_policy(episode, run, following)
            if not problem and not run.by_person:
                let_run.add(run.id)
            self._take(episode, run, problem)
        for group in self._guidance(runs):
            for piece, rose in _pieces(group, episode.rises_ns):
                self._take_guided(episode, piece, self._skill(piece, runs, let_run, rose), runs)

    # -- one command ----------------------------------------------------------------------------------------------

    def _of_person(self, run: Ran) -> str:
        """Why a correction does not count by how it ran; empty where it does."""
        correction = self._given.get(run.id)
        if correction is None:
            return "the log does not know this correction"
        if correction.undone:
            return "it was undone"
        if not correction.acted:
            return "it never acted"
        return "" if correction.outcome == "done" else f"it was cut off ({correction.outcome or 'not ended'})"

    def _of_policy(self, episode: Watched, run: Ran, following: Ran | None) -> str:
        """The same of a command of the policy's own."""
        margin_ns = round(self._rules.margin_s * 1e9)
        for one in self._objections:
            if run.start_ns < one.at_ns <= run.end_ns:
                return f"“{one.said}” overruled it"
            if run.end_ns < one.at_ns < min(run.end_ns + margin_ns, episode.end_ns):
                return f"“{one.said}” came {(one.at_ns - run.end_ns) / 1e9:.1f} s after it"
        if following is None:
            return "the episode ended before it did"
        if following.by_person:
            return "a correction cut it off"
        if run.end_ns - run.start_ns > self._rules.longest_s * 1e9:
            return f"it went on for over {self._rules.longest_s:g} s"
        got_on = any(run.start_ns < rise_ns <= following.end_ns for rise_ns in episode.rises_ns)
        if episode.tells and not got_on and run.end_ns - run.start_ns >= self._rules.nothing_s * 1e9:
            return f"the task did not get on for {self._rules.nothing_s:g} s"
        return ""

    def _take(self, episode: Watched, run: Ran, problem: str) -> None:
        """Make a segment of what counts of a run, or say why nothing does."""
        whole = (run.start_ns, run.end_ns)
        away = _within(whole, episode.away)
        if away and not problem:
            problem = "the robot was stopped or not heard meanwhile"
        bad = _within(whole, self._bad)
        good = _without(_within(whole, self._good), [*away, *bad])
        counts = good if problem else _joined([*good, *_without([whole], bad)])
        if not counts:
            self._leave(run, problem or "it is marked as a mistake or unsafe")
            return
        moments = _moments(counts, None if problem else run.end_ns)
        if not moments or sum(end - start for start, end in counts) < self._rules.shortest_s * 1e9:
            self._leave(run, f"less than {self._rules.shortest_s:g} s of it can be used")
            return
        correction = self._given.get(run.id)
        self.segments.append(
            Hindsight(
                *whole,
                run.text,
                correction.said if correction else run.text,
                run.episode,
                author=correction.author if correction else "",
                known=correction.known if correction else True,
                near=correction.near if correction else "",
                cut_short=bool(problem),
                why="marked good" if problem else "correction" if run.by_person else "let run",
                moments=moments,
                events=(run.id,) if correction else (),
            )
        )

    def _leave(self, run: Ran, reason: str) -> None:
        self.left_out.append(LeftOut(run.start_ns, run.end_ns, run.text, reason))

    # -- guided by hand -------------------------------------------------------------------------------------------

    def _guidance(self, runs: Sequence[Ran]) -> Iterator[list[Ran]]:
        """Runs of one person's small corrections with hardly a pause between them."""
        group: list[Ran] = []
        for run in runs:
            small = run.by_person and self._is_small(run)
            if group and run.by_person and not (small and self._goes_on(group[-1], run)):
                yield group
                group = []
            if small:
                group.append(run)
        if group:
            yield group

    def _is_small(self, run: Ran) -> bool:
        correction = self._given.get(run.id)
        return correction is not None and correction.counts and run.text in self._families.small

    def _goes_on(self, before: Ran, run: Ran) -> bool:
        soon = run.start_ns - before.end_ns <= self._rules.pause_s * 1e9
        return soon and self._given[before.id].author == self._given[run.id].author

    def _skill(self, piece: Sequence[Ran], runs: Sequence[Ran], let_run: set[str], rose: bool) -> tuple[int, str, str]:
        """From which run of the piece on a hand was guided to which skill, or why that is not known.

        To one that the same person had just asked for, and that had not come to its end. Else to a place that the
        policy wanted and was overruled in, where the task was a stage further; or to another skill, where it wanted no
        other beside places.
        """
        families, first = self._families, self._given[piece[0].id]
        earlier = [run for run in runs if run.by_person and run.end_ns <= piece[0].start_ns]
        asked = self._given.get(earlier[-1].id) if earlier else None
        if asked is not None and asked.counts and asked.outcome != "done" and asked.author == first.author:
            soon = piece[0].start_ns - earlier[-1].end_ns <= self._rules.pause_s * 1e9
            if soon and asked.command in families.skills:
                return 0, asked.command, self._came_off(asked.command, piece, runs, let_run, rose)
        wishes = [self._given[run.id].overruled for run in piece]
        others = {wish for wish in wishes if wish in families.skills - families.places}
        place = next((wish for wish in wishes if wish in families.places), "")
        wanted = place if place and (rose or not others) else ""
        if not wanted and len(others) == 1:
            wanted = others.pop()
        if not wanted:
            return 0, "", "it is not known to what"
        return wishes.index(wanted), wanted, self._came_off(wanted, piece, runs, let_run, rose)

    def _came_off(self, command: str, piece: Sequence[Ran], runs: Sequence[Ran], let_run: set[str], rose: bool) -> str:
        """Why nothing shows that a hand was guided to what `command` says; empty where something does: the task is a
        stage further, or what is done with a thing in the hand follows, as somebody asked, or nobody objected."""
        if command not in self._families.places:
            rose = False
            for run in (run for run in runs if run.start_ns >= piece[-1].end_ns):
                onwards = run.text in self._families.skills - self._families.picks and run.text != command
                rose = onwards and (run.by_person or run.id in let_run)
                if rose or run.by_person or run.text in self._families.picks:
                    break
        return "" if rose else "nothing shows that it came off"

    def _take_guided(
        self, episode: Watched, piece: Sequence[Ran], skill: tuple[int, str, str], runs: Sequence[Ran]
    ) -> None:
        begin, command, problem = skill
        if len(piece) < 2:
            return
        piece = piece[begin:]
        stretch = (piece[0].start_ns, piece[-1].end_ns)
        said = ", ".join(self._given[run.id].said for run in piece)
        if not problem and len(piece) < 2:
            return  # one word is no guidance, and counts by itself
        if not problem and _within(stretch, episode.away):
            problem = "the robot was stopped or not heard meanwhile"
        if not problem and _within(stretch, self._bad):
            problem = "a mistake or something unsafe is marked in it"
        if problem:
            self.left_out.append(LeftOut(*stretch, said, f"guided by hand, but {problem}"))
            return
        author = self._given[piece[0].id].author
        events = tuple(run.id for run in piece)
        straight: Literal["", "let go", "take hold"] = "let go" if command in self._families.places else ""
        if command in self._families.picks:
            straight = "take hold"
        before = self._overruled(episode, piece[0], command, runs) if straight else ()
        self.segments.append(
            Hindsight(
                *stretch, command, said, episode.id, author=author, why="guided", moments=(*before, stretch),
                events=events, rests=False, straight=straight, known=command not in self._near,
                near=self._near.get(command, ""),
            )
        )  # fmt: skip

    def _overruled(self, episode: Watched, first: Ran, command: str, runs: Sequence[Ran]) -> tuple[Stretch, ...]:
        """When `command` ran just before the first word that guided: it should have led where that led."""
        before = [run for run in runs if run.end_ns <= first.start_ns]
        if not before or before[-1].text != command:
            return ()
        if first.start_ns - before[-1].end_ns > self._rules.pause_s * 1e9:
            return ()
        stretch = before[-1].start_ns, before[-1].end_ns
        return () if _within(stretch, [*episode.away, *self._bad]) else (stretch,)


def _pieces(group: Sequence[Ran], rises_ns: Sequence[int]) -> Iterator[tuple[list[Ran], bool]]:
    """A group cut where the task was a stage further: what was said before, and whether it rose by that."""
    left = list(group)
    for rise_ns in rises_ns:
        piece = [run for run in left if run.start_ns < rise_ns]
        if piece and rise_ns <= piece[-1].end_ns + round(RISE_S * 1e9):
            yield piece, True
            left = left[len(piece) :]
    if left:
        yield left, False


# -- stretches ----------------------------------------------------------------------------------------------------


def _moments(counts: Sequence[Stretch], whole_ns: int | None) -> tuple[Stretch, ...]:
    """The moments whose way lies in what counts. whole_ns: where the command came to its end and stood still."""
    ahead_ns = round(LOOK_AHEAD_S * 1e9)
    shrunk = [(start, end if end == whole_ns else end - ahead_ns) for start, end in counts]
    return tuple((start, end) for start, end in shrunk if start < end)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same moments as disjoint stretches in order."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        elif start < end:
            found.append((start, end))
    return found


def _within(whole: Stretch, stretches: Iterable[Stretch]) -> list[Stretch]:
    """What of the stretches, disjoint and in order, lies in `whole`."""
    cut = ((max(start, whole[0]), min(end, whole[1])) for start, end in stretches)
    return [(start, end) for start, end in cut if start < end]


def _without(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """The stretches without what is taken."""
    gone = _joined(taken)
    found = []
    for start, end in stretches:
        edges = [start, *(edge for stretch in _within((start, end), gone) for edge in stretch), end]
        found += [(a, b) for a, b in list(pairwise(edges))[::2] if a < b]
    return found
