from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from hitl.bus import Endpoints, Hub, Link, Outbox, ServerKeys, codec
from hitl.clock import ManualClock, SystemClock, new_ulid
from hitl.errors import ConfigError, InputError, PortInUseError, StorageError, UnavailableError
from hitl.events import RequestEvent
from hitl.messages import (
    AUDIO_RATE,
    PROTOCOL,
    Ack,
    ActionChunk,
    BackendStatus,
    Correction,
    CorrectionStatus,
    Frame,
    Hello,
    ImageInfo,
    NewEpisode,
    Observation,
    Ping,
    Pong,
    RobotState,
    Utterance,
    Welcome,
)
from hitl.sessions.feedback_log import FeedbackLog


def raw_client(endpoints: Endpoints, plane: str = "control") -> zmq.Socket:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.rcvtimeo = 5_000
    socket.connect(getattr(endpoints, plane))
    return socket


def answer(socket: zmq.Socket, hub: Hub) -> Ack:
    deadline = time.monotonic() + 10
    while not socket.poll(0):
        assert time.monotonic() < deadline, "the hub did not answer"
        hub.poll(2)
    message = codec.decode(socket.recv())
    assert isinstance(message, Ack)
    return message


def test_twenty_seconds_of_speech_go_through_the_outbox_and_the_link(bus, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 20 * AUDIO_RATE, dtype=np.int16)
    spoken = Utterance(
        id=new_ulid(), author="ada", stamp_ns=2, began_ns=1, text="go left", audio=samples.astype("<i2").tobytes()
    )
    bus.link(outbox=Outbox(tmp_path / "o.sqlite")).submit(spoken)
    bus.close(next(iter(bus.got)))
    outbox = Outbox(tmp_path / "o.sqlite")
    assert outbox.pending() == [spoken], "it waits on disk for a backend"
    hub, link = bus.hub(), bus.link(outbox=outbox)
    bus.until(lambda: not link.unsaved)
    (received,) = bus.messages(hub, Utterance)
    assert np.array_equal(np.frombuffer(received.audio, "<i2"), samples) and received == spoken
    assert len(outbox) == 0


def test_a_correction_arrives_is_acknowledged_and_leaves_the_outbox(bus, correction, tmp_path: Path) -> None:
    hub, link = bus.hub(), bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    bus.until(lambda: link.connected)
    request = correction("Höher, bitte 🙂")
    link.submit(request)
    assert link.unsaved == 1
    bus.until(lambda: bus.messages(link, Ack))
    assert bus.messages(hub, Correction) == [request]
    assert bus.messages(link, Ack) == [Ack(id=request.id)]
    assert link.unsaved == 0 and Outbox(tmp_path / "o.sqlite").pending() == []


def test_requests_keep_their_order(bus, correction) -> None:
    hub, link = bus.hub(), bus.link()
    requests = [correction(f"go {number}") for number in range(100)]
    for request in requests:
        link.submit(request)
    bus.until(lambda: link.unsaved == 0)
    assert bus.messages(hub, Correction) == requests


def test_a_refusal_reaches_the_sender_and_ends_the_resending(bus, correction, tmp_path: Path) -> None:
    bus.auto_ack = False
    hub, link = bus.hub(), bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    request = correction()
    link.submit(request)
    bus.until(lambda: bus.messages(hub, Correction))
    (peer,) = hub.peers("gui")
    hub.send("control", peer, Ack(id=request.id, error="shift: unknown"))
    bus.until(lambda: bus.messages(link, Ack))
    assert bus.messages(link, Ack) == [Ack(id=request.id, error="shift: unknown")]
    assert link.unsaved == 0 and len(Outbox(tmp_path / "o.sqlite")) == 0


def test_a_backend_that_does_not_answer_is_asked_again_and_then_once_only(bus, correction) -> None:
    bus.auto_ack = False
    hub, link = bus.hub(), bus.link()
    request = correction()
    link.submit(request)
    bus.until(lambda: len(bus.messages(hub, Correction)) == 2)
    hub.send("control", hub.peers("gui")[0], Ack(id=request.id))
    bus.until(lambda: link.unsaved == 0)
    other = bus.link(name="other")  # the same request again, as from a sender that crashed before it saw the answer
    other.submit(request)
    bus.until(lambda: other.unsaved == 0)
    assert bus.messages(other, Ack) == [Ack(id=request.id, duplicate=True)]
    assert len(bus.messages(hub, Correction)) == 2


def test_words_said_before_there_is_a_backend_are_delivered_once_by_a_later_process(
    bus, correction, tmp_path: Path
) -> None:
    requests = [correction(), correction("go lower")]
    for request in requests:
        link = bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
        bus.for_a_while(0.05)
        link.submit(request)
        bus.for_a_while(0.05)
        assert not link.connected
        bus.close(link)  # its process ends without having met a backend
    last = bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    assert last.unsaved == 2
    hub = bus.hub()
    bus.until(lambda: last.unsaved == 0)
    bus.for_a_while(0.5)
    assert bus.messages(hub, Correction) == requests


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_hub_that_restarts_gets_the_pending_request_and_no_other(
    bus, correction, tmp_path: Path, base_port: int, transport: str
) -> None:
    bus.auto_ack = False
    endpoints = bus.endpoints if transport == "ipc" else Endpoints.tcp("127.0.0.1", base_port)
    hub = bus.hub(endpoints=endpoints)
    link = bus.link(endpoints=endpoints, outbox=Outbox(tmp_path / "o.sqlite"))
    acked, pending = correction(), correction("go lower")
    link.submit(acked)
    bus.until(lambda: bus.messages(hub, Correction))
    hub.send("control", hub.peers("gui")[0], Ack(id=acked.id))
    bus.until(lambda: link.unsaved == 0)
    bus.close(hub)
    bus.until(lambda: not link.connected)
    link.submit(pending)
    bus.for_a_while(0.1)
    bus.auto_ack = True
    again = bus.hub(endpoints=endpoints)
    bus.until(lambda: link.unsaved == 0 and link.connected)
    bus.for_a_while(0.5)
    assert bus.messages(again, Correction) == [pending]

    def published() -> list[BackendStatus]:
        again.publish(BackendStatus(session="s", session_ns=1, robot="missing"))
        return bus.messages(link, BackendStatus)

    bus.until(published)


def test_any_order_of_restarts_delivers_every_word_into_the_log_once(bus, correction, tmp_path: Path) -> None:
    dice = random.Random(7)
    log = FeedbackLog(tmp_path / "feedback.sqlite")
    hub, link = bus.hub(), bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    bus.auto_ack = False
    said: list[str] = []
    new: list[str] = []

    def work() -> None:
        bus.step()
        for received in bus.got.get(hub, []):
            request = received.message
            if isinstance(request, Correction):
                event = RequestEvent(
                    id=request.id, session="s", episode="e", session_ns=0, author="ada", kind="release"
                )
                if log.append(event):
                    new.append(request.id)
                if dice.random() < 0.7:  # else the backend dies between the log and the answer
                    hub.send("control", received.peer, Ack(id=request.id))
        bus.got[hub] = []

    for _ in range(60):
        action = dice.choice(["say", "say", "say", "hub", "link", "work", "work"])
        if action == "say":
            request = correction()
            link.submit(request)
            said.append(request.id)
        elif action == "hub":
            bus.close(hub)
            hub = bus.hub()
        elif action == "link":
            bus.close(link)
            link = bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
        for _ in range(dice.randrange(20)):
            work()
    bus.until(lambda: (work(), link.unsaved == 0)[1], seconds=60)
    assert new == [event.id for event in log.events()]
    assert sorted(new) == sorted(said)


def test_the_newest_wins_for_each_camera_and_nothing_else_is_lost(bus) -> None:
    hub, robot = bus.hub(), bus.link("robot", "arm", robot_json='{"joints": 14}')
    bus.until(lambda: robot.connected)
    assert bus.messages(hub, Hello)[0].robot == '{"joints": 14}'
    bus.got[hub].clear()
    pixels = np.arange(18, dtype=np.uint8)
    for tick in range(5):
        assert robot.send(state(tick), [np.full(14, tick).tobytes(), bytes(112)])
        for camera in ("front", "top"):
            assert robot.send(frame(camera, tick), [pixels + tick])
    robot.send(Ack(id="one"))
    robot.send(Ack(id="two"))
    time.sleep(0.2)
    received = hub.poll(1000)
    kinds = [(type(one.message).__name__, getattr(one.message, "tick", None)) for one in received]
    assert sorted(kinds, key=str) == [("Ack", None), ("Ack", None), ("Frame", 4), ("Frame", 4), ("RobotState", 4)]
    picture = next(one for one in received if isinstance(one.message, Frame))
    assert picture.plane == "robot" and bytes(picture.payloads[0]) == (pixels + 4).tobytes()
    assert isinstance(picture.payloads[0], memoryview)


def test_a_picture_passes_from_robot_to_window_unchanged(bus) -> None:
    hub, robot, window = bus.hub(), bus.link("robot"), bus.link("gui")
    bus.until(lambda: robot.connected and window.connected)
    picture = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    message = Frame(camera="front", tick=3, stamp_ns=9, height=480, width=640)

    def relayed() -> bool:
        robot.send(message, [memoryview(picture).cast("B")])
        for received in bus.got[hub]:
            if isinstance(received.message, Frame):
                hub.publish(received.message, received.payloads)
        bus.got[hub].clear()
        return bool(bus.messages(window, Frame))

    bus.until(relayed)
    received = next(one for one in bus.got[window] if isinstance(one.message, Frame))
    assert received.plane == "stream" and received.message == message
    assert np.array_equal(np.frombuffer(received.payloads[0], np.uint8).reshape(480, 640, 3), picture)


def test_a_sender_may_reuse_its_buffer_at_once(bus) -> None:
    hub, robot = bus.hub(), bus.link("robot")
    bus.until(lambda: robot.connected)
    buffer = np.full((480, 640, 3), 7, np.uint8)
    robot.send(Frame(camera="front", tick=1, stamp_ns=1, height=480, width=640), [buffer])
    buffer[:] = 0
    bus.until(lambda: bus.messages(hub, Frame))
    received = next(one for one in bus.got[hub] if isinstance(one.message, Frame))
    assert np.all(np.frombuffer(received.payloads[0], np.uint8) == 7)


def test_the_backend_commands_the_robot_and_hears_its_answers(bus) -> None:
    hub, robot = bus.hub(), bus.link("robot")
    bus.until(lambda: hub.peers("robot"))
    (peer,) = hub.peers("robot")
    for number in range(3):
        chunk = ActionChunk(chunk=number, episode="e", command_id="c", start_tick=0, steps=2, stamp_ns=0)
        assert hub.send("robot", peer, chunk, [np.full((2, 14), number, np.float64).tobytes()])
    episode = NewEpisode(id=new_ulid(), author="ada", stamp_ns=0, seed=4, episode="e2")
    assert hub.send("robot", peer, episode)
    time.sleep(0.2)
    bus.until(lambda: bus.messages(robot, NewEpisode))
    assert bus.messages(robot, NewEpisode) == [episode]
    assert [chunk.chunk for chunk in bus.messages(robot, ActionChunk)] == [2]
    robot.send(Ack(id=episode.id))
    bus.until(lambda: bus.messages(hub, Ack))
    assert bus.messages(hub, Ack) == [Ack(id=episode.id)]


def test_welcome_and_correction_states_travel_on_the_plane_that_drops_nothing(bus) -> None:
    hub, window, say = bus.hub(), bus.link("gui"), bus.link("say")
    bus.until(lambda: window.connected and say.connected)
    welcome = Welcome(id="w", protocol=PROTOCOL, session="s", session_start_ns=0, commands=["go"], corrections=[])
    hub.send("control", hub.peers("gui")[0], welcome)
    states = ("saved", "acting", "done")
    for name in states:
        hub.publish(correction_status(name))
    bus.until(lambda: len(bus.messages(window, CorrectionStatus)) == 3 and bus.messages(window, Welcome))
    bus.until(lambda: len(bus.messages(say, CorrectionStatus)) == 3)
    assert [status.state for status in bus.messages(window, CorrectionStatus)] == list(states)


def test_streams_reach_every_window_and_not_say(bus) -> None:
    hub, windows, say = bus.hub(), [bus.link("gui"), bus.link("gui")], bus.link("say")
    status = BackendStatus(session="s", session_ns=1, robot="missing")

    def published() -> bool:
        hub.publish(status)
        return all(bus.messages(window, BackendStatus) for window in windows)

    bus.until(published)
    assert bus.messages(say, BackendStatus) == []


def test_sending_to_a_peer_that_left_is_false_and_to_a_missing_backend_too(bus) -> None:
    hub, robot = bus.hub(), bus.link("robot")
    bus.until(lambda: hub.peers("robot"))
    (peer,) = hub.peers("robot")
    bus.close(robot)
    bus.until(lambda: not hub.send("robot", peer, Ack(id="x")))
    assert hub.send("control", b"nobody", Ack(id="x")) is False
    bus.close(hub)
    other = bus.link("robot")
    assert other.send(state(1), [b"", b""]) is False


def test_peers_are_alive_while_they_say_something(bus) -> None:
    clock = ManualClock(10**12)
    hub, link = bus.hub(clock=clock), bus.link("gui")
    bus.until(lambda: hub.peers("gui"))
    (peer,) = hub.peers("gui")
    assert peer.startswith(b"gui:test:") and hub.alive(peer) and hub.peers("robot") == []
    clock.advance(3.1)
    assert not hub.alive(peer) and hub.peers("gui") == []
    bus.until(lambda: hub.alive(peer))  # its next heartbeat
    bus.close(link)
    assert not hub.alive(b"nobody")


def test_the_offset_between_two_clocks_is_found(bus) -> None:
    class Ahead(SystemClock):
        def now_ns(self) -> int:
            return super().now_ns() + 5_000_000_000

    bus.hub(clock=Ahead())
    link = bus.link()
    bus.until(lambda: link.round_trip_ms > 0)
    assert abs(link.offset_ns - 5_000_000_000) <= link.round_trip_ms * 1e6


def test_a_silent_backend_is_not_connected_and_comes_back(bus, correction) -> None:
    hub, link = bus.hub(), bus.link()
    bus.until(lambda: link.connected)
    quiet = bus.got.pop(hub)  # as if it were stopped: the connection stands, nobody answers
    link.submit(correction())
    bus.until(lambda: not link.connected)
    assert link.unsaved == 1
    bus.got[hub] = quiet
    bus.until(lambda: link.connected and link.unsaved == 0)
    bus.for_a_while(0.3)
    assert len(bus.messages(hub, Correction)) == 1


# -- bad input ---------------------------------------------------------------------------------------------------


def test_a_hello_of_another_version_is_answered_with_both_versions(bus) -> None:
    hub, client = bus.hub(), raw_client(bus.endpoints)
    client.send(codec.encode(Hello(id="h", protocol=PROTOCOL + 1, role="gui", name="old")))
    ack = answer(client, hub)
    assert ack.id == "h" and f"protocol {PROTOCOL + 1}" in ack.error and f"protocol {PROTOCOL}" in ack.error
    assert hub.peers("gui") == []
    client.close()


def test_a_message_of_another_version_is_answered_with_both_versions(bus) -> None:
    hub, client = bus.hub(), raw_client(bus.endpoints)
    head = bytearray(codec.encode(Hello(id="h", protocol=9, role="gui", name="old")))
    head[3] = 9
    client.send(bytes(head))
    ack = answer(client, hub)
    assert ack.id == "h" and "protocol 9" in ack.error and f"protocol {PROTOCOL}" in ack.error
    client.close()


def test_a_link_tells_once_that_its_backend_has_another_version(bus, correction, tmp_path: Path) -> None:
    context = zmq.Context()
    backend = context.socket(zmq.ROUTER)
    backend.linger = 0
    backend.bind(bus.endpoints.control)
    link = bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    link.submit(correction())
    foreign = codec.encode(Ack(id="x"))[:3] + bytes([9]) + b"\x80"

    def refused() -> bool:
        if backend.poll(0):
            peer, _ = backend.recv_multipart()
            backend.send_multipart([peer, foreign])
        return bool(link.refused)

    bus.until(refused)
    for _ in range(3):
        refused()
        bus.for_a_while(0.3)
    (told,) = bus.messages(link, Ack)
    assert told.id == "" and "protocol 9" in told.error
    assert not link.connected and link.unsaved == 1 and len(Outbox(tmp_path / "o.sqlite")) == 1
    context.destroy(linger=0)


@pytest.mark.parametrize("plane", ["control", "robot", "stop"])
def test_garbage_is_answered_counted_and_harmless(bus, correction, plane: str) -> None:
    hub, client = bus.hub(), raw_client(bus.endpoints, plane)
    for garbage in (b"", b"\xff" * 100, b"HTL", codec.encode(Ping(t0=1))[:-1], codec.encode(Ping(t0=1)) + b"x"):
        client.send(garbage)
        ack = answer(client, hub)
        assert ack.error and ack.id == ""
    client.send_multipart([codec.encode(Ping(t0=1))] + [b"x"] * 40)
    assert "payloads" in answer(client, hub).error
    assert (hub.rejected if plane != "stop" else hub.stop_rejected) == 6
    link = bus.link()
    link.submit(correction())
    bus.until(lambda: link.unsaved == 0)
    client.close()


def test_a_message_on_the_wrong_plane_is_refused(bus) -> None:
    hub, client = bus.hub(), raw_client(bus.endpoints)
    client.send_multipart([codec.encode(state(1)), b"", b""])
    assert "RobotState is not taken on the control plane" in answer(client, hub).error
    client.send(codec.encode(Hello(id="h", protocol=PROTOCOL, role="robot", name="arm")))
    assert "role" in answer(client, hub).error
    client.close()


def test_payloads_that_do_not_fit_are_refused(bus) -> None:
    hub, client = bus.hub(), raw_client(bus.endpoints, "robot")
    image = ImageInfo(camera="a", height=4, width=4)
    wrong = Observation(tick=1, stamp_ns=1, episode="e", images=[image])
    client.send_multipart([codec.encode(wrong), bytes(112), bytes(112), bytes(47)])
    assert "payloads" in answer(client, hub).error
    client.close()


@pytest.mark.parametrize("text", ["", "a" * 1_000_000, "go\x00up"])
def test_bad_text_is_refused_by_name_at_the_sender_and_again_at_the_hub(bus, correction, text: str) -> None:
    hub, link, client = bus.hub(), bus.link(), raw_client(bus.endpoints)
    request = correction(text)
    with pytest.raises(InputError, match="^text: "):
        link.submit(request)
    assert link.unsaved == 0
    client.send(codec.encode(request))
    ack = answer(client, hub)
    assert ack.id == request.id and ack.error.startswith("text: ")
    client.close()


def test_a_full_outbox_disk_is_told_to_the_sender_and_nothing_is_sent(bus, correction, tmp_path: Path) -> None:
    class Full(Outbox):
        def put(self, request: object) -> bool:
            raise StorageError("full", field="outbox")

    hub, link = bus.hub(), bus.link(outbox=Full(tmp_path / "o.sqlite"))
    with pytest.raises(StorageError):
        link.submit(correction())
    bus.until(lambda: link.connected)
    assert link.unsaved == 0 and bus.messages(hub, Correction) == []


# -- addresses ---------------------------------------------------------------------------------------------------


def test_a_second_hub_on_private_sockets_is_refused_and_the_first_lives(bus, correction) -> None:
    bus.hub()
    with pytest.raises(PortInUseError, match="in use"):
        Hub(bus.endpoints)
    link = bus.link()
    link.submit(correction())
    bus.until(lambda: link.unsaved == 0)


def test_a_port_in_use_is_named(bus, correction, base_port: int) -> None:
    endpoints = Endpoints.tcp("127.0.0.1", base_port)
    bus.hub(endpoints=endpoints)
    with pytest.raises(PortInUseError, match=str(base_port)):
        Hub(endpoints)
    link = bus.link(endpoints=endpoints)
    link.submit(correction())
    bus.until(lambda: link.unsaved == 0)


def test_an_address_of_another_host_cannot_be_bound(base_port: int) -> None:
    keys = ServerKeys(*zmq.curve_keypair(), frozenset())
    with pytest.raises(UnavailableError, match="cannot be bound"):
        Hub(Endpoints.tcp("192.0.2.1", base_port), keys)


def test_without_keys_only_this_machine_is_served(base_port: int) -> None:
    with pytest.raises(ConfigError, match="keys"):
        Hub(Endpoints.tcp("0.0.0.0", base_port))
    with pytest.raises(ConfigError, match="keys"):
        Link(Endpoints.tcp("192.0.2.1", base_port), "gui", "x")


# -- threads -----------------------------------------------------------------------------------------------------


def test_poll_ends_when_another_thread_wakes_it(bus) -> None:
    hub, link = bus.hub(), bus.link()
    for end in (hub, link):
        bus.until(lambda: link.connected)
        bus.for_a_while(0.05)
        waker = threading.Timer(0.2, end.wake)
        waker.start()
        began = time.monotonic()
        while end.poll(60_000) or time.monotonic() - began < 0.15:
            pass
        assert time.monotonic() - began < 30
        waker.join()
    hub.wake_socket().wake()
    assert hub.poll(60_000) == []


def test_submit_is_safe_from_many_threads(bus, correction, tmp_path: Path) -> None:
    hub, link = bus.hub(), bus.link(outbox=Outbox(tmp_path / "o.sqlite"))
    requests = [[correction() for _ in range(25)] for _ in range(4)]
    threads = [threading.Thread(target=lambda some=some: [link.submit(one) for one in some]) for some in requests]
    for thread in threads:
        thread.start()
    bus.until(lambda: len(bus.messages(hub, Correction)) == 100 and link.unsaved == 0)
    for thread in threads:
        thread.join()
    assert {one.id for one in bus.messages(hub, Correction)} == {one.id for some in requests for one in some}


def test_closing_twice_is_harmless_and_waking_after_it_too(bus) -> None:
    hub, link = Hub(bus.endpoints), Link(bus.endpoints, "gui", "x")
    for end in (link, hub):
        end.close()
        end.close()
        end.wake()


def state(tick: int) -> RobotState:
    return RobotState(tick=tick, stamp_ns=tick, episode="e", mode="running")


def frame(camera: str, tick: int) -> Frame:
    return Frame(camera=camera, tick=tick, stamp_ns=tick, height=2, width=3)


def correction_status(name: str) -> CorrectionStatus:
    status = CorrectionStatus(
        id="1", text="", command="", grounding="new", similarity=0, state="saved", author="", session_ns=0, episode=""
    )
    return msgspec.structs.replace(status, state=name)


def test_a_pong_is_no_business_of_the_user(bus) -> None:
    hub, link = bus.hub(), bus.link()
    bus.until(lambda: link.round_trip_ms > 0)
    assert bus.messages(link, Pong) == [] and bus.messages(hub, Ping) == []
