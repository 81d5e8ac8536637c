"""Who may ask a recognizer and who may answer for one, and that sound travels as it is."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zmq

from hitl.bus import Hub, Link, codec
from hitl.messages import Ack, Correction
from hitl.recognizer_messages import Recognize, Recognized

SOUND = bytes(range(256)) * 100


def refused(bus: Any, hub: Hub, link: Link, message: Any, sound: bytes | None = None) -> str:
    """The error with which the hub answers a message that nobody gets."""
    bus.until(lambda: link.connected)
    assert link.send(message, [] if sound is None else [sound])
    bus.until(lambda: any(ack.id == message.id for ack in bus.messages(link, Ack)))
    assert not bus.messages(hub, type(message))
    return next(ack.error for ack in bus.messages(link, Ack) if ack.id == message.id)


def test_sound_goes_through_the_hub_as_it_is_and_so_does_the_answer(bus: Any) -> None:
    hub, ear, recognizer = bus.hub(), bus.link("ear"), bus.link("recognizer")
    bus.until(lambda: ear.connected and recognizer.connected and hub.peers("recognizer"))
    question = Recognize(id="q", best=5, hints=["go left"])
    assert ear.send(question, [SOUND])
    bus.until(lambda: bus.messages(hub, Recognize))
    (asked,) = [received for received in bus.got[hub] if isinstance(received.message, Recognize)]
    assert hub.send("control", hub.peers("recognizer")[0], asked.message, asked.payloads)
    bus.until(lambda: bus.messages(recognizer, Recognize))
    (got,) = [received for received in bus.got[recognizer] if isinstance(received.message, Recognize)]
    assert got.message == question and bytes(got.payloads[0]) == SOUND
    assert recognizer.send(Recognized(id="q"))
    bus.until(lambda: bus.messages(hub, Recognized))


def test_every_question_of_an_ear_is_handed_on_not_only_the_newest(bus: Any) -> None:
    hub, ear = bus.hub(), bus.link("ear")
    bus.until(lambda: ear.connected)
    for number in range(5):
        ear.send(Recognize(id=str(number)), [SOUND])
    bus.until(lambda: len(bus.messages(hub, Recognize)) == 5)
    assert [question.id for question in bus.messages(hub, Recognize)] == list("01234")


@pytest.mark.parametrize("role", ["gui", "say", "recognizer"])
def test_only_an_ear_may_ask(bus: Any, role: Any) -> None:
    error = refused(bus, bus.hub(), bus.link(role), Recognize(id="q"), SOUND)
    assert error.startswith("role:") and role in error and "Recognize" in error


@pytest.mark.parametrize("role", ["gui", "say", "ear"])
def test_only_a_recognizer_may_answer(bus: Any, role: Any) -> None:
    error = refused(bus, bus.hub(), bus.link(role), Recognized(id="q"))
    assert error.startswith("role:") and role in error and "Recognized" in error


@pytest.mark.parametrize("role", ["ear", "recognizer"])
def test_neither_may_ask_anything_of_the_robot(bus: Any, correction: Any, role: Any) -> None:
    hub, link = bus.hub(), bus.link(role)
    bus.until(lambda: link.connected)
    request = correction()
    link.submit(request)
    bus.until(lambda: bus.messages(link, Ack))
    (ack,) = bus.messages(link, Ack)
    assert ack.id == request.id and ack.error.startswith("role:")
    assert not bus.messages(hub, Correction)


def test_who_has_not_said_hello_is_no_ear(bus: Any) -> None:
    hub = bus.hub()
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(hub.endpoints.control)
    socket.send_multipart([codec.encode(Recognize(id="q")), SOUND])
    deadline = time.monotonic() + 10
    while not socket.poll(0):
        assert time.monotonic() < deadline
        bus.step()
    ack = codec.decode(socket.recv())
    socket.close()
    assert isinstance(ack, Ack) and ack.error.startswith("role:") and not bus.messages(hub, Recognize)


def test_a_robot_cannot_ask_on_its_own_plane(bus: Any) -> None:
    error = refused(bus, bus.hub(), bus.link("robot"), Recognize(id="q"), SOUND)
    assert "robot plane" in error


def test_a_sound_of_over_a_minute_is_refused_by_name(bus: Any) -> None:
    error = refused(bus, bus.hub(), bus.link("ear"), Recognize(id="q"), bytes(2_000_000))
    assert error.startswith("audio:") and "2000000" in error


def test_without_a_backend_a_question_is_not_kept(bus: Any) -> None:
    ear = bus.link("ear")
    bus.for_a_while(0.05)
    assert not ear.send(Recognize(id="q"), [SOUND])
    hub = bus.hub()
    bus.until(lambda: ear.connected)
    bus.for_a_while(0.3)
    assert not bus.messages(hub, Recognize)
