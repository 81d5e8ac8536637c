"""A resume by words is for the connection of now: it is refused, or dropped, where it would come late."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitl.bus import Outbox
from hitl.clock import new_ulid
from hitl.errors import UnavailableError
from hitl.messages import Ack, Resume


def go_on(by_words: bool = True) -> Resume:
    return Resume(id=new_ulid(), author="ada", stamp_ns=1, by_words=by_words)


def test_without_a_backend_it_is_refused_and_not_kept(bus, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    link = bus.link(outbox=outbox)
    with pytest.raises(UnavailableError, match="does not go on"):
        link.submit(go_on())
    assert outbox.pending() == [] and not link.unsaved
    pressed = go_on(by_words=False)
    link.submit(pressed)
    assert outbox.pending() == [pressed], "a pressed Resume is a request like others"


def test_with_a_backend_it_arrives_and_is_never_on_disk(bus, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    hub, link = bus.hub(), bus.link(outbox=outbox)
    bus.until(lambda: link.connected)
    request = go_on()
    link.submit(request)
    assert outbox.pending() == []
    bus.until(lambda: bus.messages(link, Ack))
    assert bus.messages(hub, Resume) == [request]


def test_a_backend_that_goes_away_before_it_answers_is_not_asked_when_it_is_back(bus, tmp_path: Path) -> None:
    hub, link = bus.hub(), bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    bus.until(lambda: link.connected)
    bus.auto_ack = False
    link.submit(go_on())
    bus.until(lambda: bus.messages(hub, Resume))
    bus.close(hub)
    bus.auto_ack = True
    again = bus.hub()
    bus.until(lambda: link.connected and not link.unsaved)
    bus.for_a_while(0.4)
    assert bus.messages(again, Resume) == []


def test_one_that_an_earlier_version_kept_is_not_sent(bus, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(go_on())
    hub, link = bus.hub(), bus.link(outbox=outbox)
    bus.until(lambda: link.connected)
    bus.for_a_while(0.2)
    assert bus.messages(hub, Resume) == [] and outbox.pending() == []
