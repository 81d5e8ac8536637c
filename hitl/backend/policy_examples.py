"""What all corrections of a data folder teach now: feedback log and moments on disk -> examples, read again and again.

Of each episode the examples are kept until something about its corrections changes; only the newest episode, which
may still go on, is always read anew. A damaged or missing file costs the corrections of its session, and no others.
Knows nothing of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hitl.correction_examples import CorrectionExample, ExampleRules, Lacking, examples_of, teaches
from hitl.errors import HitlError
from hitl.events import EpisodeEvent, LogEvent
from hitl.sessions import moments
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import CorrectionView, FeedbackLog, views_of
from hitl.sessions.moments import MomentStore

MOST_EXAMPLES = 20_000
"""The newest; older episodes are left out whole. As many histories take 200 MB."""

_State = tuple[tuple[str, bool, str | None, str, bool], ...]


@dataclass(frozen=True)
class TaughtNow:
    """examples: in order of time; commands: correction -> what was meant by it, of those that teach; tasks:
    correction -> shift of its episode, where that has ended; sessions: of those examples; lacking: corrections that
    teach nothing, and why; problems: files that could not be read, and why; newest: the session of the newest
    correction; of_newest: its corrections that are to be learned from."""

    examples: list[CorrectionExample]
    commands: dict[str, str]
    tasks: dict[str, str]
    sessions: list[str]
    lacking: list[Lacking]
    problems: list[str]
    newest: str = ""
    of_newest: frozenset[str] = frozenset()


@dataclass
class _Episode:
    state: _State
    examples: list[CorrectionExample]
    lacking: list[Lacking]
    problem: str = ""


@dataclass
class _Read:
    """What of one feature name was read, by session and episode."""

    features: str
    episodes: dict[tuple[str, str], _Episode] = field(default_factory=dict)


class TaughtExamples:
    """Not safe from several threads."""

    def __init__(self, log: FeedbackLog, catalog: Catalog, rules: ExampleRules) -> None:
        self._log, self._catalog, self._rules = log, catalog, rules
        self._events: list[LogEvent] = []
        self._row = 0
        self._read = _Read("")

    def read(self, features: str) -> TaughtNow:
        """All that is taught now to a high level whose features are called `features`. Raises StorageError or
        InputError where the feedback log cannot be read."""
        newer, self._row = self._log.teaching(self._row)
        self._events += newer
        if features != self._read.features:
            self._read = _Read(features)
        by_episode: dict[tuple[str, str], list[CorrectionView]] = {}
        for view in views_of(self._events):
            by_episode.setdefault((view.event.session, view.event.episode), []).append(view)
        newest = next(reversed(by_episode), None)
        for where, views in by_episode.items():
            known = self._read.episodes.get(where)
            if known is None or where == newest or known.problem or known.state != _state(views):
                self._read.episodes[where] = self._episode(where, views, features)
        return self._together(by_episode)

    def _episode(self, where: tuple[str, str], views: list[CorrectionView], features: str) -> _Episode:
        session, episode = where
        found = _Episode(_state(views), [], [])
        teaching = [view for view in views if teaches(view)]
        if not teaching:
            found.lacking = examples_of(views, [], self._rules)[1]
            return found
        path = self._catalog.data / "sessions" / session / moments.FILE
        if not path.is_file():
            found.lacking = [Lacking(v.event.id, f"no moments of its session were kept ({path})") for v in teaching]
            return found
        try:
            store = MomentStore(path)
            try:
                read = store.of(episode, features)
            finally:
                store.close()
        except HitlError as error:
            found.problem = str(error)
            found.lacking = [Lacking(view.event.id, "the moments of its session cannot be read") for view in teaching]
            return found
        found.examples, found.lacking = examples_of(views, read.moments, self._rules)
        if read.damaged:
            found.lacking.append(Lacking("", f"{read.damaged} damaged moments of {path} are left out"))
        if read.other and not read.moments:
            found.lacking = [Lacking(v.event.id, "its moments are of another low level") for v in teaching]
        return found

    def _together(self, by_episode: dict[tuple[str, str], list[CorrectionView]]) -> TaughtNow:
        kept: list[tuple[str, str]] = []
        count = 0
        for where in reversed(by_episode):
            count += len(self._read.episodes[where].examples)
            if count > MOST_EXAMPLES and kept:
                break
            kept.append(where)
        kept.reverse()
        episodes = [self._read.episodes[where] for where in kept]
        shifts = {(e.session, e.episode): e.shift for e in self._events if isinstance(e, EpisodeEvent)}
        taught = {example.correction for episode in episodes for example in episode.examples}
        newest = kept[-1][0] if kept else ""
        of_newest = [view for where in kept if where[0] == newest for view in by_episode[where]]
        return TaughtNow(
            examples=[example for episode in episodes for example in episode.examples],
            commands={v.event.id: v.command for where in kept for v in by_episode[where] if v.event.id in taught},
            tasks={
                view.event.id: shifts[where]
                for where in kept
                if where in shifts
                for view in by_episode[where]
                if view.event.id in taught
            },
            sessions=list(dict.fromkeys(where[0] for where in kept if self._read.episodes[where].examples)),
            lacking=[lacking for episode in episodes for lacking in episode.lacking],
            problems=list(dict.fromkeys(episode.problem for episode in episodes if episode.problem)),
            newest=newest,
            of_newest=frozenset(view.event.id for view in of_newest if teaches(view)),
        )


def _state(views: Sequence[CorrectionView]) -> _State:
    return tuple((view.event.id, view.undone, view.outcome, view.command, view.acted) for view in views)
