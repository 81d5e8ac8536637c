from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hitl.bus import Outbox
from hitl.clock import new_ulid
from hitl.errors import StorageError
from hitl.messages import Correction, Release, Undo

WRITER = """
import sys
from pathlib import Path
from hitl.bus import Outbox
from hitl.clock import new_ulid
from hitl.messages import Correction
outbox = Outbox(Path(sys.argv[1]))
while True:
    request = Correction(id=new_ulid(), author="ada", stamp_ns=0, text="go up")
    outbox.put(request)
    print(request.id, flush=True)
"""


def make(text: str = "go up") -> Correction:
    return Correction(id=new_ulid(), author="ada", stamp_ns=0, text=text)


def test_requests_come_back_in_order_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "outbox.sqlite"
    requests = [make(), Release(id=new_ulid(), author="ada", stamp_ns=1), make("höher 🙂")]
    outbox = Outbox(path)
    assert [outbox.put(request) for request in requests] == [True, True, True]
    assert outbox.put(requests[0]) is False
    outbox.close()
    again = Outbox(path)
    assert again.pending() == requests and len(again) == 3
    assert again.remove(requests[0].id) and not again.remove(requests[0].id)
    assert again.pending() == requests[1:]
    again.close()
    again.close()


def test_two_processes_worth_of_threads_may_write(tmp_path: Path) -> None:
    boxes = [Outbox(tmp_path / "o.sqlite") for _ in range(2)]
    threads = [threading.Thread(target=lambda box=box: [box.put(make()) for _ in range(50)]) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(boxes[0]) == 100


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    path.write_bytes(b"holiday pictures" * 100)
    with pytest.raises(StorageError, match="o.sqlite"):
        Outbox(path)
    assert path.read_bytes() == b"holiday pictures" * 100


def test_a_request_of_another_version_stays_in_the_file(tmp_path: Path) -> None:
    import sqlite3

    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(make())
    with sqlite3.connect(tmp_path / "o.sqlite") as db:
        db.execute("INSERT INTO outbox (id, body) VALUES ('x', '{\"type\":\"Dance\"}')")
    assert len(outbox.pending()) == 1
    assert outbox.unreadable == 1 and len(outbox) == 2


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    kept = [make() for _ in range(10)]
    for request in kept:
        outbox.put(request)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(StorageError, match="o.sqlite"):
            for _ in range(1_000):
                request = make("a" * 400)
                outbox.put(request)
                kept.append(request)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert outbox.pending() == kept
    assert outbox.put(make()) is True
    outbox.close()
    assert Outbox(tmp_path / "o.sqlite").pending()[:-1] == kept


def test_what_was_said_to_be_stored_survives_kill_nine(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    dice = random.Random(2)
    acked: list[str] = []
    for _ in range(10):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acked.append(writer.stdout.readline().strip())
        time.sleep(dice.uniform(0, 0.1))
        writer.kill()
        acked += [line.strip() for line in writer.stdout if len(line) == 27]
        writer.wait()
    outbox = Outbox(path)
    stored = [request.id for request in outbox.pending()]
    assert set(acked) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(acked) > 10


class OutboxMachine(RuleBasedStateMachine):
    """The outbox against a dictionary, with reopening at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp()) / "o.sqlite"
        self.outbox = Outbox(self.path)
        self.model: dict[str, object] = {}
        self.ids = [new_ulid() for _ in range(5)]

    @rule(number=st.integers(0, 4), text=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
    def put(self, number: int, text: str) -> None:
        request = Undo(id=self.ids[number], author=text, stamp_ns=number, target=text)
        assert self.outbox.put(request) == (request.id not in self.model)
        self.model.setdefault(request.id, request)

    @rule(number=st.integers(0, 4))
    def remove(self, number: int) -> None:
        assert self.outbox.remove(self.ids[number]) == (self.ids[number] in self.model)
        self.model.pop(self.ids[number], None)

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path)

    @invariant()
    def holds_what_was_put(self) -> None:
        assert self.outbox.pending() == list(self.model.values())
        assert len(self.outbox) == len(self.model)

    def teardown(self) -> None:
        self.outbox.close()
        for file in self.path.parent.iterdir():
            file.unlink()
        self.path.parent.rmdir()


OutboxMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestOutbox = OutboxMachine.TestCase


def test_many_may_open_a_new_outbox_at_the_same_moment(tmp_path: Path) -> None:
    for number in range(5):
        path, failures = tmp_path / f"{number}.sqlite", []
        start = threading.Barrier(6)

        def open_and_put(path: Path = path, start: threading.Barrier = start, failures: list = failures) -> None:
            start.wait()
            try:
                Outbox(path).put(make())
            except StorageError as error:
                failures.append(error)

        threads = [threading.Thread(target=open_and_put) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [] and len(Outbox(path)) == 6
