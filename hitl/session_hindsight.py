"""What recorded sessions teach the low level: from recording, feedback log and labels to segments, and to a dataset.

Reads; what follows from it is decided in `hitl/hindsight.py`. Knows nothing of models and training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hitl.annotation.project import Projects
from hitl.annotation.schema import Schema
from hitl.annotation.state import by_item, labels_of
from hitl.errors import DatasetError, InputError
from hitl.events import OutcomeEvent
from hitl.hindsight import Families, Found, Given, Hindsight, Marks, Rules, Watched, hindsight, runs_of
from hitl.labels import TIME_TRACK, Span
from hitl.segment_shards import Template, Written, write_shards
from hitl.sessions.catalog import Catalog, Session, find_session
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recorded import Recorded, RecordedEpisode, read_recorded
from hitl.speech.narration import LeftOut, Stretch

_SHOWN = 6


@dataclass(frozen=True)
class Lesson:
    """A session's recording and what it teaches."""

    session: Session
    recorded: Recorded
    found: Found

    @property
    def corrections(self) -> list[str]:
        """Ids of the corrections that segments are of, each once, in order."""
        return list(dict.fromkeys(event for one in self.found.segments for event in one.events))

    @property
    def counts(self) -> dict[str, int]:
        """How many segments there are of each kind, and how many were left out."""
        kinds = Counter(one.why for one in self.found.segments)
        return {**{kind: kinds[kind] for kind in sorted(kinds)}, "left out": len(self.found.left_out)}


def lessons_of(
    data: Path,
    names: Sequence[str],
    bank: Iterable[str],
    families: Families,
    rules: Rules,
    near: Callable[[str], str] = lambda _text: "",
) -> list[Lesson]:
    """What these sessions teach: ids, or "last"; each once. bank: commands that the policy knows; near: which of them
    new wording is nearest to, empty where that is not known.

    Raises InputError where there is no such session, no recording or log, a recording cannot be read, or none of them
    teaches anything: then it says why.
    """
    catalog = Catalog(data)
    sessions = {session.id: session for session in (find_session(catalog, name) for name in names)}
    if not catalog.log_file.is_file():
        why = "there is no feedback log, so nobody knows what people thought of the sessions."
        raise InputError(why, field=str(catalog.log_file), hint="Put the data folder's log back.")
    log = FeedbackLog(catalog.log_file)
    try:
        lessons = [_lesson(data, log, session, set(bank), families, rules, near) for session in sessions.values()]
    finally:
        log.close()
    if not any(lesson.found.segments for lesson in lessons):
        reasons = reasons_of(left for lesson in lessons for left in lesson.found.left_out)
        why = f"nothing in {', '.join(sessions)} can be learned from ({reasons or 'no command ran'})."
        raise InputError(why, field="from", hint="Mark stretches as good (hitl import recordings), or correct more.")
    return lessons


def _lesson(
    data: Path,
    log: FeedbackLog,
    session: Session,
    bank: set[str],
    families: Families,
    rules: Rules,
    near: Callable[[str], str],
) -> Lesson:
    if not session.recording.is_file():
        why = f"the session has none ({session.recording})."
        raise InputError(why, field="recording", hint="Sessions are recorded where the setting record is true.")
    recorded = read_recorded(session.recording)
    if not recorded.episodes:
        cut = "" if recorded.whole else f" (it is cut off after {recorded.end_ns / 1e9:.0f} s, or still being written)"
        why = f"no episode of a robot is in its recording{cut}."
        raise InputError(why, field=f"session {session.id}", hint="Choose a session in which a robot ran.")
    episodes = watched(recorded)
    given = [one if one.known else replace(one, near=near(one.command)) for one in given_in(log, session.id, bank)]
    marks = marks_of(data, log, session.id, recorded.episodes)
    runs = runs_of(recorded.commands, episodes, given)
    return Lesson(session, recorded, hindsight(episodes, runs, given, marks, families, rules))


def watched(recorded: Recorded) -> list[Watched]:
    """The recorded episodes; the last one of a recording without its end is cut off."""
    last = len(recorded.episodes) - 1
    return [
        Watched(
            e.id, e.start_ns, e.end_ns, e.away(), at == last and not recorded.whole, e.rises_ns, e.task is not None
        )
        for at, e in enumerate(recorded.episodes)
    ]


def given_in(log: FeedbackLog, session: str, bank: set[str]) -> list[Given]:
    """A session's corrections as they stand now. bank: commands that the policy knows."""
    outcomes = (event for event in log.events(session, OutcomeEvent) if isinstance(event, OutcomeEvent))
    done_ns = {event.correction: event.session_ns for event in outcomes if event.state == "done"}
    return [
        Given(
            view.event.id, view.event.author, view.event.session_ns, view.event.text, view.command,
            overruled=view.event.policy_command, known=view.command in bank, acted=view.acted, undone=view.undone,
            outcome=view.outcome or "", done_ns=done_ns.get(view.event.id),
        )
        for view in log.corrections(session)
    ]  # fmt: skip


def marks_of(data: Path, log: FeedbackLog, session: str, episodes: Sequence[RecordedEpisode]) -> Marks:
    """What anybody marked on a session's time track, in any project."""
    begins = {f"{session}/{episode.id}": episode.start_ns for episode in episodes}
    good: list[Stretch] = []
    bad: list[Stretch] = []
    projects = Projects(data)
    for name in projects.names():
        project = projects.open(name)
        try:
            praise, blame = categories_of(project.schema)
            if not praise | blame:
                continue
            steps = [event for event in log.labels(name) if event.item in begins]
            for (item, _), mine in by_item(steps).items():
                for span in labels_of(mine).spans(TIME_TRACK).values():
                    kinds = {project.schema.current(key) for key in span.categories}
                    stretch = _stretch(begins[item], span)
                    good += [stretch] if kinds & praise else []
                    bad += [stretch] if kinds & blame else []
        finally:
            project.close()
    return Marks(tuple(good), tuple(bad))


def categories_of(schema: Schema) -> tuple[set[str], set[str]]:
    """The praise and the blame of a schema's time track. Praise of a head without blame, as "done", says when
    something was, and not that it was good."""
    praise: set[str] = set()
    blame: set[str] = set()
    for head in schema.heads:
        categories = schema.of_head(head.key) if head.density == "time" else []
        bad = {category.key for category in categories if not category.good}
        blame |= bad
        praise |= {category.key for category in categories if category.good} if bad else set()
    return praise, blame


def _stretch(begin_ns: int, span: Span) -> Stretch:
    return begin_ns + span.start * 1_000_000, begin_ns + span.end * 1_000_000


def write_lessons(out: Path, lessons: Sequence[Lesson], template: Template) -> Written:
    """Write the segments of all sessions into a dataset folder, new or begun; raises as `write_shards`, and
    DatasetError where no segment has pictures and a motion."""
    total = Written()
    for lesson in lessons:
        session, found = lesson.session, lesson.found
        written = write_shards(out, session.id, session.recording, lesson.recorded.episodes, found.segments, template)
        total.shards += written.shards
        total.frames += written.frames
        total.segments += written.segments
        total.new_commands += written.new_commands
        total.left_out += written.left_out
    if not total.shards:
        why = f"none of the segments can be used ({reasons_of(total.left_out)})."
        raise DatasetError(why, field="from", hint="Record with the cameras that the policies see.")
    return total


def reasons_of(left_out: Iterable[LeftOut]) -> str:
    """The commonest reasons, with how often each was given."""
    counts = Counter(_without_words(left.reason) for left in left_out)
    return ", ".join(f"{reason}: {count}" for reason, count in counts.most_common(_SHOWN))


def _without_words(reason: str) -> str:
    """A reason without what was said, so that equal ones are counted together."""
    before, quote, after = reason.partition("“")
    if not quote:
        return reason
    rest = after.partition("”")[2]
    return f"{before}a correction{' came soon after it' if ' after it' in rest else rest}"


def as_records(lesson: Lesson) -> list[dict[str, object]]:
    """One JSON object a segment and one for what was left out, in order of time; seconds of the session clock."""
    kept = [_record(one) for one in lesson.found.segments]
    left = [
        {"kind": "left_out", **_times(one.start_ns, one.end_ns), "command": one.said, "reason": one.reason}
        for one in lesson.found.left_out
    ]
    return sorted([*kept, *left], key=lambda record: (record["start_s"], record["end_s"]))


def _record(one: Hindsight) -> dict[str, object]:
    return {
        "kind": "segment", **_times(one.start_ns, one.end_ns), "command": one.command, "said": one.said,
        "author": one.author, "episode": one.episode, "why": one.why, "corrections": list(one.events),
    }  # fmt: skip


def _times(start_ns: int, end_ns: int) -> dict[str, float]:
    return {"start_s": round(start_ns / 1e9, 3), "end_s": round(end_ns / 1e9, 3)}


def as_table(lesson: Lesson) -> str:
    """The same for people."""
    lines = [f"session {lesson.session.id}", f"{'from [s]':>9} {'to [s]':>9}  {'command':<34}  why"]
    for record in as_records(lesson):
        command = str(record["command"]) if record["kind"] == "segment" else "-"
        why = record["why"] if record["kind"] == "segment" else f"“{record['command']}”: {record['reason']}"
        lines.append(f"{record['start_s']:9.2f} {record['end_s']:9.2f}  {command:<34}  {why}")
    counts: Mapping[str, int] = lesson.counts
    return "\n".join([*lines, ", ".join(f"{name}: {count}" for name, count in counts.items())])


def warning(lesson: Lesson) -> str:
    """What is not as it should be with the recording; empty where all is well."""
    if lesson.recorded.whole:
        return ""
    end_s = lesson.recorded.end_ns / 1e9
    return f"session {lesson.session.id}: its recording is cut off after {end_s:.0f} s; what is there is used"
