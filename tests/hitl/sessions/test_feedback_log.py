from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hitl.clock import new_ulid
from hitl.errors import InputError, StorageError
from hitl.events import CorrectionEvent, EpisodeEvent, LabelEvent, LogEvent, OutcomeEvent, RequestEvent
from hitl.labels import Change, Review
from hitl.sessions import feedback_log
from hitl.sessions.feedback_log import FeedbackLog

WRITER = """
import sys
from pathlib import Path
from hitl.clock import new_ulid
from hitl.events import RequestEvent
from hitl.sessions.feedback_log import FeedbackLog
log = FeedbackLog(Path(sys.argv[1]))
while True:
    event = RequestEvent(id=new_ulid(), session="s", episode="e", session_ns=0, author="ada", kind="release")
    for _ in range(2):  # every event arrives twice
        log.append(event)
    print(event.id, flush=True)
"""


def correction(session: str = "s1", text: str = "go up", **fields: Any) -> CorrectionEvent:
    return CorrectionEvent(
        id=fields.pop("id", new_ulid()),
        session=session,
        episode="e1",
        session_ns=5,
        author="ada",
        source="typed",
        text=text,
        command="go higher",
        grounding="near",
        similarity=0.9,
        policy_command="go lower",
        policy_probability=0.6,
        observations=["e1/1", "e1/2"],
        hold_s=8.0,
        **fields,
    )


def undo(target: str, session: str = "s1") -> RequestEvent:
    return RequestEvent(
        id=new_ulid(), session=session, episode="e1", session_ns=6, author="ada", kind="undo", target=target
    )


def outcome(target: str, state: Any, session: str = "s1", acted: bool | None = None) -> OutcomeEvent:
    return OutcomeEvent(
        id=new_ulid(), session=session, episode="e1", session_ns=7, correction=target, state=state, acted=acted
    )


@pytest.fixture
def log(tmp_path: Path) -> FeedbackLog:
    return FeedbackLog(tmp_path / "data" / "feedback.sqlite")


def test_events_come_back_in_order_after_reopening(log: FeedbackLog) -> None:
    episode = EpisodeEvent(
        id=new_ulid(), session="s1", episode="e1", session_ns=9, stage=2, stages=3, success=False, shift="nominal"
    )
    events: list[LogEvent] = [correction(text="höher 🙂"), undo("x"), outcome("x", "done"), episode]
    assert [log.append(event) for event in events] == [True] * 4
    log.close()
    log.close()
    again = FeedbackLog(log.path)
    assert again.events() == events and len(again) == 4 and events[0].id in again and "x" not in again


def test_an_id_is_stored_once(log: FeedbackLog) -> None:
    first = correction()
    assert log.append(first) is True
    assert log.append(first) is False
    assert log.append(correction(id=first.id, text="other words")) is False
    assert log.events() == [first]


def test_events_of_one_session_kind_or_since_a_row(log: FeedbackLog) -> None:
    events = [correction("s1"), undo("x"), correction("s2")]
    for event in events:
        log.append(event)
    assert log.events(session="s1") == events[:2]
    assert log.events(kind=CorrectionEvent) == [events[0], events[2]]
    assert log.events(session="s1", kind="RequestEvent") == [events[1]]
    assert log.events(after=2) == [events[2]]
    assert log.events(session="none") == []


def test_what_is_true_now_follows_from_the_events(log: FeedbackLog) -> None:
    corrections = [correction(), correction(), correction(), correction()]
    for event in corrections:
        log.append(event)
    log.append(outcome(corrections[0].id, "acting"))
    log.append(outcome(corrections[0].id, "done"))
    log.append(undo(corrections[1].id))
    log.append(outcome(corrections[1].id, "done"))
    log.append(outcome(corrections[2].id, "undone"))
    log.append(undo("a correction of another log"))
    views = log.corrections()
    assert [view.event for view in views] == corrections
    assert [(view.undone, view.outcome) for view in views] == [
        (False, "done"),
        (True, "undone"),
        (True, "undone"),
        (False, None),
    ]
    assert log.corrections("other") == []


ASKED = {"certainty": "low", "choices": ["go left", "go right"]}


def chosen(target: str) -> RequestEvent:
    return msgspec.structs.replace(undo(target), kind="choose", detail="go right")


@pytest.mark.parametrize(
    ("events", "acted"),
    [
        pytest.param([correction(id="c"), outcome("c", "done", acted=True)], True, id="at once"),
        pytest.param([correction(id="c")], True, id="at once, still running"),
        pytest.param([correction(id="c"), outcome("c", "replaced", acted=False)], False, id="the robot was stopped"),
        pytest.param(
            [correction(id="c", **ASKED), chosen("c"), outcome("c", "done", acted=True)], True, id="asked, then chosen"
        ),
        pytest.param([correction(id="c", **ASKED)], False, id="asked, still open"),
        pytest.param([correction(id="c", **ASKED), outcome("c", "expired", acted=False)], False, id="never answered"),
        pytest.param([correction(id="c", certainty="low"), outcome("c", "ignored", acted=False)], False, id="ignored"),
        pytest.param([correction(id="c"), outcome("c", "refused", acted=False)], False, id="refused"),
        pytest.param([undo("c"), correction(id="c"), outcome("c", "undone", acted=False)], False, id="undone before"),
        pytest.param(
            [correction(id="c", **ASKED), undo("c"), outcome("c", "undone", acted=False)], False, id="undone, asked"
        ),
        pytest.param([correction(id="c"), undo("c"), outcome("c", "undone", acted=True)], True, id="undone while"),
        pytest.param(
            [correction(id="c"), outcome("c", "done", acted=True), undo("c"), outcome("c", "undone", acted=True)],
            True,
            id="undone after",
        ),
    ],
)
@pytest.mark.parametrize("old", [False, True], ids=["", "as logs of before have it"])
def test_whether_the_robot_ever_executed_it(log: FeedbackLog, events: list[LogEvent], acted: bool, old: bool) -> None:
    if old and any(isinstance(event, OutcomeEvent) and event.state == "replaced" for event in events):
        return  # they cannot tell
    for event in events:
        log.append(msgspec.structs.replace(event, acted=None) if old and isinstance(event, OutcomeEvent) else event)
    (view,) = log.corrections()
    assert view.acted is acted


def test_a_correction_that_was_asked_about_means_what_was_chosen(log: FeedbackLog) -> None:
    asked, other = correction(), correction()
    for event in (asked, other):
        log.append(event)
    choice = msgspec.structs.replace(undo(asked.id), kind="choose", detail="go right")
    log.append(choice)
    assert [view.command for view in log.corrections()] == ["go right", other.command]
    assert [view.undone for view in log.corrections()] == [False, False]


def test_a_foreign_or_newer_file_is_refused_and_left_alone(tmp_path: Path, log: FeedbackLog) -> None:
    picture = tmp_path / "picture.sqlite"
    picture.write_bytes(b"holiday pictures" * 100)
    with pytest.raises(InputError, match="picture"):
        FeedbackLog(picture)
    assert picture.read_bytes() == b"holiday pictures" * 100
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("PRAGMA application_id=7")
    with pytest.raises(InputError, match="no feedback log"):
        FeedbackLog(other)
    log.close()
    with sqlite3.connect(log.path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="format 99"):
        FeedbackLog(log.path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        FeedbackLog(tmp_path / "file" / "feedback.sqlite")


def test_an_event_of_a_newer_version_is_an_error_and_never_silence(log: FeedbackLog) -> None:
    log.append(correction())
    with sqlite3.connect(log.path) as db:
        db.execute(
            "INSERT INTO events (id, session, kind, session_ns, body)"
            " VALUES ('x', 's1', 'Dance', 1, '{\"type\": \"Dance\"}')"
        )
    with pytest.raises(InputError, match="cannot be read"):
        log.events()


def test_a_full_disk_is_said_and_loses_nothing(log: FeedbackLog) -> None:
    kept = [correction() for _ in range(10)]
    for event in kept:
        log.append(event)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        with pytest.raises(StorageError, match=r"feedback\.sqlite"):
            for _ in range(1_000):
                event = correction(text="a" * 500)
                log.append(event)
                kept.append(event)
        assert log.events() == kept  # still readable while the disk is full
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    more = correction()
    assert log.append(more) is True
    log.close()
    assert FeedbackLog(log.path).events() == [*kept, more]


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    path = tmp_path / "feedback.sqlite"
    dice = random.Random(1)
    acked: list[str] = []
    for _ in range(10):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acked.append(writer.stdout.readline().strip())
        time.sleep(dice.uniform(0, 0.1))
        writer.kill()
        acked += [line.strip() for line in writer.stdout if len(line) == 27]
        writer.wait()
    stored = [event.id for event in FeedbackLog(path).events()]
    assert set(acked) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(acked) > 10


def test_threads_write_and_another_connection_reads_meanwhile(log: FeedbackLog) -> None:
    threads = [threading.Thread(target=lambda: [log.append(correction()) for _ in range(50)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    reader = FeedbackLog(log.path)
    counts = []
    while any(thread.is_alive() for thread in threads):
        counts.append(len(reader.events()))
    for thread in threads:
        thread.join()
    assert counts == sorted(counts) and len(reader) == 100


class LogMachine(RuleBasedStateMachine):
    """The log against a dictionary, with events that come twice and reopening at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp()) / "feedback.sqlite"
        self.log = FeedbackLog(self.path)
        self.model: dict[str, LogEvent] = {}
        self.given = [correction(id=new_ulid()) for _ in range(3)]

    def append(self, event: LogEvent) -> None:
        assert self.log.append(event) == (event.id not in self.model)
        self.model.setdefault(event.id, event)

    @rule(number=st.integers(0, 2))
    def correct(self, number: int) -> None:
        self.append(self.given[number])

    @rule(number=st.integers(0, 2))
    def undo(self, number: int) -> None:
        self.append(undo(self.given[number].id))

    @rule(number=st.integers(0, 2), state=st.sampled_from(["acting", "done", "expired"]))
    def end(self, number: int, state: str) -> None:
        self.append(outcome(self.given[number].id, state))

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = FeedbackLog(self.path)

    @invariant()
    def holds_the_events_and_what_follows(self) -> None:
        events = list(self.model.values())
        assert self.log.events() == events
        undone = {event.target for event in events if isinstance(event, RequestEvent)}
        views = self.log.corrections()
        assert [view.event for view in views] == [event for event in events if isinstance(event, CorrectionEvent)]
        assert {view.event.id for view in views if view.undone} == undone & {view.event.id for view in views}

    def teardown(self) -> None:
        self.log.close()
        for file in self.path.parent.iterdir():
            file.unlink()
        self.path.parent.rmdir()


LogMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestLog = LogMachine.TestCase


# -- labels -------------------------------------------------------------------------------------------------------


def label(project: str = "p", **fields: Any) -> LabelEvent:
    change = Change(key="review", value=Review(state="done"))
    return LabelEvent(
        id=fields.pop("id", new_ulid()), session="s", session_ns=0, author="ann", project=project, item="one",
        changes=[change], **fields,
    )  # fmt: skip


def test_many_events_are_stored_at_once_and_known_ones_are_passed_over(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "f.sqlite")
    first, second, third = label(), label(), label()
    log.append(second)
    assert log.extend([first, second, third, first]) == 2
    assert log.extend([first, second, third]) == 0
    assert log.events() == [second, first, third]
    assert log.extend([]) == 0
    log.close()


def test_of_many_events_all_are_stored_or_none(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "f.sqlite")
    log.append(label())
    log._db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.id = 'last' BEGIN SELECT RAISE(FAIL, 'x'); END"
    )
    with pytest.raises(StorageError):
        log.extend([label(), label(), label(id="last")])
    assert len(log) == 1
    assert log.append(label()) and log.extend([label()]) == 1  # the transaction is over
    log.close()


def test_labels_of_a_project_are_read_alone(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "f.sqlite")
    events = [label("p"), correction(), label("q"), label("p"), label('p"')]
    log.extend(events)
    assert log.labels("p") == [events[0], events[3]]
    assert log.labels("p", after=1) == [events[3]]
    assert log.labels('p"') == [events[4]] and log.labels("P") == []
    plan = log._db.execute(f"EXPLAIN QUERY PLAN {feedback_log._LABELS}", ("p", 0)).fetchall()
    assert "USING INDEX events_labels" in str(plan)
    log.close()


def test_a_log_of_before_labels_were_indexed_is_read_and_indexed(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    log = FeedbackLog(path)
    events = [label("p"), correction(), label("q")]
    log.extend(events)
    log._db.execute("DROP INDEX events_labels")
    log.close()
    old = sqlite3.connect(path)
    assert old.execute("PRAGMA user_version").fetchone()[0] == 1  # what older versions of hitl open
    old.close()
    again = FeedbackLog(path)
    assert again.labels("p") == [events[0]] and again.events() == events
    assert again._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events_labels'").fetchone()
    again.close()
