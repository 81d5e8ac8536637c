from __future__ import annotations

import threading

import pytest

from hitl.backend import ledger as module
from hitl.backend.ledger import Entry, Ledger, Written
from hitl.clock import new_ulid
from hitl.errors import StorageError
from hitl.events import LogEvent, OutcomeEvent


def outcome(id_: str | None = None) -> OutcomeEvent:
    return OutcomeEvent(
        id=id_ or new_ulid(), session="s", episode="e", session_ns=0, correction=new_ulid(), state="done"
    )


class FakeLog:
    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self.full = False
        self.failed = threading.Event()

    def append(self, event: LogEvent) -> bool:
        if self.full:
            self.failed.set()
            raise StorageError("no space left")
        new = all(event.id != known.id for known in self.events)
        if new:
            self.events.append(event)
        return new


class Delivered:
    def __init__(self) -> None:
        self.items: list[Written] = []
        self._arrived = threading.Condition()

    def __call__(self, written: Written) -> None:
        with self._arrived:
            self.items.append(written)
            self._arrived.notify()

    def wait(self, count: int) -> list[Written]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.items) >= count, 20)
            return self.items


def test_what_follows_an_event_is_told_after_it_and_in_order() -> None:
    log, delivered = FakeLog(), Delivered()
    ledger = Ledger(log, delivered)
    ledger.start()
    event = outcome()
    for entry in (Entry(event, ("ack",)), Entry(None, ("status",)), Entry(event, ("again",))):
        ledger.put(entry)
    told = [(written.entry.then, written.new) for written in delivered.wait(3)]
    ledger.close()
    assert told == [(("ack",), True), (("status",), True), (("again",), False)]
    assert log.events == [event] and ledger.saved == 1


def test_a_full_disk_is_told_nothing_is_acknowledged_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    log, delivered = FakeLog(), Delivered()
    log.full = True
    ledger = Ledger(log, delivered)
    ledger.start()
    events = [outcome(), outcome()]
    for event in events:
        ledger.put(Entry(event, (event.id,)))
    assert log.failed.wait(20)
    while not ledger.error:
        pass
    assert delivered.items == [] and "no space" in ledger.error
    log.full = False
    assert [written.entry.then for written in delivered.wait(2)] == [(events[0].id,), (events[1].id,)]
    ledger.close()
    assert log.events == events and ledger.error == ""


def test_closing_writes_what_is_queued() -> None:
    log, delivered = FakeLog(), Delivered()
    ledger = Ledger(log, delivered)
    for _ in range(5):
        ledger.put(Entry(outcome()))
    ledger.start()
    ledger.close()
    assert len(log.events) == 5


def test_closing_does_not_wait_for_a_disk_that_stays_full() -> None:
    log = FakeLog()
    log.full = True
    ledger = Ledger(log, Delivered())
    ledger.start()
    ledger.put(Entry(outcome()))
    assert log.failed.wait(20)
    ledger.close()
    assert log.events == []
