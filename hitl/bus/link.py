"""The other end of the bus, for windows, `hitl say` and robots: connects, reconnects, resends, keeps the newest.

One thread owns a link and polls it; `submit`, `stop`, `wake` and the properties are safe from any thread. A request is
on disk (outbox) before `submit` returns and is resent until the backend acknowledged it, whatever restarts meanwhile.
Only "go on" is not: it is for the connection of now, since nobody may stand by when it comes late.
Knows nothing of Qt, policies or robots.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

from hitl.bus import codec, transport
from hitl.bus.codec import FROM_LEARNER, FROM_WINDOW, AnyMessage, Payload
from hitl.bus.delivery import OffsetFilter, Resender, earliest
from hitl.bus.endpoints import Endpoints
from hitl.bus.keys import ClientKeys, protect_client
from hitl.bus.outbox import Outbox
from hitl.bus.transport import Newest, Plane, Received, Waker
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.errors import ConfigError, MessageError, StorageError, UnavailableError
from hitl.messages import (
    PROTOCOL,
    Ack,
    ActionChunk,
    Hello,
    Observation,
    Ping,
    Pong,
    Request,
    Resume,
    RobotState,
    Role,
    Stop,
    StopAck,
)
from hitl.messages import Frame as CameraFrame
from hitl.recognizer_messages import Recognize, Recognized

_ALIVE_NS = 3_000_000_000
_BEAT_NS = 500_000_000
_HELLO_NS = 500_000_000
_RETRY_NS = 2_000_000
"""A socket may refuse the first message for a moment after its handshake."""
_LONGEST_WAIT_MS = 250
_DROPPABLE = (
    RobotState,
    Observation,
    CameraFrame,
    ActionChunk,
    Recognize,
    Recognized,
    *FROM_WINDOW,
    *FROM_LEARNER,
)
_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_FAILED = (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)


class Link:
    """One connection to a backend, which need not exist yet.

    Without an outbox requests are resent as well, but die with this process. Raises ConfigError where keys are needed.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        role: Role,
        name: str,
        *,
        keys: ClientKeys | None = None,
        outbox: Outbox | None = None,
        robot_json: str = "",
        clock: Clock | None = None,
    ) -> None:
        if keys is None and endpoints.needs_keys:
            raise ConfigError(
                "a backend on another host needs keys", field="endpoints", hint="Give client keys and server.key."
            )
        self.refused = ""
        """Why the backend does not take this link (version, keys); empty where it does."""
        self._clock = clock or SystemClock()
        self._outbox = outbox
        self._role = role
        self._name = name
        self._robot_json = robot_json
        self._plane: Plane = "robot" if role == "robot" else "control"
        self._greeted = False
        self._hello_id = ""
        self._heard_ns = -_ALIVE_NS
        self._up = {"main": False, "stop": False}
        self._due = {"hello": 0, "main": 0, "stop": 0}
        self._offset = OffsetFilter()
        self._requests: Resender[Request] = Resender(first_s=0.25, longest_s=5.0)
        self._stops: Resender[Stop] = Resender(first_s=0.05, longest_s=1.0)
        self._submitted: deque[Request] = deque()
        self._asked_stops: deque[Stop] = deque()
        self._answers: deque[AnyMessage] = deque()
        self._woken = False
        self._waker = Waker()
        self._open(endpoints, keys)
        for request in outbox.pending() if outbox else []:
            if _is_for_now(request):
                self._forget(request.id)  # an earlier version kept it
            else:
                self._submitted.append(request)

    def _open(self, endpoints: Endpoints, keys: ClientKeys | None) -> None:
        self._context: zmq.Context[transport.Socket] = zmq.Context()
        self._routing_id = f"{self._role}:{self._name[:100]}:{os.urandom(6).hex()}".encode()
        main = endpoints.robot if self._role == "robot" else endpoints.control
        self._main = self._dealer(main, keys, queue=24 if self._role == "robot" else 1_000)
        self._stop = self._dealer(endpoints.stop, keys, queue=1_000)
        self._monitors = {"main": self._monitor(self._main), "stop": self._monitor(self._stop)}
        self._stream = self._subscriber(endpoints.stream, keys) if self._role == "gui" else None
        self._main.connect(main)
        self._stop.connect(endpoints.stop)
        self._poller = zmq.Poller()
        for socket in (self._main, self._stop, self._stream, *self._monitors.values()):
            if socket is not None:
                self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._waker.fileno(), zmq.POLLIN)

    def _dealer(self, address: str, keys: ClientKeys | None, queue: int) -> transport.Socket:
        socket = self._prepare(zmq.DEALER, keys)
        socket.sndhwm = queue
        socket.setsockopt(zmq.ROUTING_ID, self._routing_id)
        socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for a backend that is not there
        return socket

    def _subscriber(self, address: str, keys: ClientKeys | None) -> transport.Socket:
        socket = self._prepare(zmq.SUB, keys)
        socket.rcvhwm = 24
        socket.subscribe(b"")
        socket.connect(address)
        return socket

    def _prepare(self, kind: int, keys: ClientKeys | None) -> transport.Socket:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        if keys:
            protect_client(socket, keys)
        return socket

    @staticmethod
    def _monitor(socket: transport.Socket) -> transport.Socket:
        return socket.get_monitor_socket(_EVENTS)

    # -- from any thread --------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Deliver once, even if this process or the backend restarts meanwhile; the Ack comes out of `poll`.

        Writes to disk, which takes about a millisecond. Raises InputError (it names the field), StorageError, or for
        a resume by words where no backend is connected UnavailableError; then the request was not taken.
        """
        codec.check_request(request)
        if _is_for_now(request):
            if not self.connected:
                why = "the robot does not go on: no backend is connected."
                raise UnavailableError(why, field="resume", hint="Say it again when it is.")
        elif self._outbox is not None:
            self._outbox.put(request)
        self._submitted.append(request)
        self._waker.wake()

    def stop(self, stop: Stop) -> None:
        """Stop all robots, before anything else that waits to be sent; resent until a StopAck comes."""
        self._asked_stops.append(stop)
        self._waker.wake()

    def wake(self) -> None:
        """Make `poll` return."""
        self._woken = True
        self._waker.wake()

    @property
    def connected(self) -> bool:
        """Whether a backend of the same protocol answered during the last 3 s."""
        return self._greeted and self._up["main"] and self._clock.now_ns() - self._heard_ns < _ALIVE_NS

    @property
    def offset_ns(self) -> int:
        """The backend's clock minus this one's [ns]."""
        return self._offset.offset_ns

    @property
    def round_trip_ms(self) -> float:
        """Of the last heartbeat."""
        return self._offset.round_trip_ms

    @property
    def unsaved(self) -> int:
        """Requests that the backend has not acknowledged yet."""
        return len(self._requests) + len(self._submitted)

    # -- from the owner's thread ------------------------------------------------------------------------------

    def send(self, message: AnyMessage, payloads: Sequence[Payload] = ()) -> bool:
        """Send to the backend without waiting.

        States, observations, frames, and what is asked and answered about a sound, are dropped (False) where the
        backend is not there or does not keep up; answers (Ack, StopAck) are kept until they can be sent.
        """
        if isinstance(message, _DROPPABLE):
            return self._up["main"] and transport.send(self._main, (codec.encode(message),), payloads)
        self._answers.append(message)
        self._send_answers()
        return not self._answers

    def poll(self, timeout_ms: int) -> list[Received]:
        """What arrived: stop messages first, then acks and requests in order, then the newest of each stream.

        Returns as soon as there is something, after `wake`, or empty after `timeout_ms`. Also sends what is due, so
        call it at least every 100 ms.
        """
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            self._waker.clear()
            self._watch()
            self._send_due()
            received = self._collect()
            if received or self._woken:
                self._woken = False
                return received
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                return []
            self._poller.poll(math.ceil(min(left_ms, self._wait_ms())))

    def close(self) -> None:
        """Leave; what was not acknowledged stays in the outbox. May be called twice."""
        if self._context.closed:
            return
        for socket in (self._main, self._stop):
            socket.disable_monitor()
        for monitor in self._monitors.values():
            monitor.close(linger=0)
        if self._stream is not None:
            self._stream.close(linger=0)
        transport.close_all(self._context, (self._main, self._stop), linger_ms=100)
        self._waker.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- sending ----------------------------------------------------------------------------------------------

    def _send_due(self) -> None:
        now_ns = self._clock.now_ns()
        while self._asked_stops:
            stop = self._asked_stops.popleft()
            self._stops.add(stop.id, stop, now_ns)
        while self._submitted:
            request = self._submitted.popleft()
            self._requests.add(request.id, request, now_ns)
        if self._up["stop"]:
            self._send_resenders(self._stops, self._stop, now_ns)
            self._beat("stop", self._stop, now_ns)
        if self._up["main"]:
            self._greet(now_ns)
            self._send_resenders(self._requests, self._main, now_ns)
            self._beat("main", self._main, now_ns)
        self._send_answers()

    @staticmethod
    def _send_resenders(waiting: Resender[Any], socket: transport.Socket, now_ns: int) -> None:
        for key, message in waiting.due(now_ns):
            if not transport.send(socket, (codec.encode(message),)):
                return
            waiting.sent(key, now_ns)

    def _greet(self, now_ns: int) -> None:
        silent = self._greeted and now_ns - self._heard_ns >= _ALIVE_NS
        if self._greeted and not silent or now_ns < self._due["hello"]:
            return
        self._hello_id = new_ulid()
        hello = Hello(id=self._hello_id, protocol=PROTOCOL, role=self._role, name=self._name, robot=self._robot_json)
        went = transport.send(self._main, (codec.encode(hello),))
        self._due["hello"] = now_ns + (_HELLO_NS if went else _RETRY_NS)

    def _beat(self, name: str, socket: transport.Socket, now_ns: int) -> None:
        if now_ns >= self._due[name]:
            went = transport.send(socket, (codec.encode(Ping(t0=self._clock.now_ns())),))
            self._due[name] = now_ns + (_BEAT_NS if went else _RETRY_NS)

    def _send_answers(self) -> None:
        for _ in range(len(self._answers)):
            message = self._answers.popleft()
            name = _socket_of(message)
            socket = self._stop if name == "stop" else self._main
            if not self._up[name] or not transport.send(socket, (codec.encode(message),)):
                self._answers.append(message)

    def _wait_ms(self) -> float:
        """How long nothing is due."""
        due = [self._stops.next_due_ns(), self._due["stop"]] if self._up["stop"] else []
        if self._up["main"]:
            due += [self._requests.next_due_ns(), self._due["main"], None if self._greeted else self._due["hello"]]
        if any(self._up[_socket_of(answer)] for answer in self._answers):
            return _RETRY_NS / 1e6
        next_ns = earliest(due)
        if next_ns is None:
            return _LONGEST_WAIT_MS
        return min(max((next_ns - self._clock.now_ns()) / 1e6, 1), _LONGEST_WAIT_MS)

    # -- receiving --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Take note of connections that came and went."""
        for name, monitor in self._monitors.items():
            while monitor.poll(0):
                event = recv_monitor_message(monitor, zmq.NOBLOCK)["event"]
                if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._came(name)
                elif event == zmq.EVENT_DISCONNECTED:
                    self._up[name] = False
                elif event in _FAILED and name == "main":
                    self.refused = "the backend does not know this key, or is not the backend of server.key"

    def _came(self, name: str) -> None:
        now_ns = self._clock.now_ns()
        self._up[name] = True
        self._due[name] = now_ns
        if name == "stop":
            self._stops.all_due(now_ns)
            return
        self.refused = ""
        self._greeted = False
        self._due["hello"] = now_ns
        self._offset.clear()
        self._requests.remove_where(_is_for_now)
        self._requests.all_due(now_ns)

    def _collect(self) -> list[Received]:
        kept = Newest()
        for frames in transport.receive_all(self._stop):
            self._take("stop", frames, kept)
        for frames in transport.receive_all(self._main):
            self._take(self._plane, frames, kept)
        for frames in transport.receive_all(self._stream) if self._stream is not None else ():
            self._take("stream", frames, kept)
        return kept.take()

    def _take(self, plane: Plane, frames: list[zmq.Frame], kept: Newest) -> None:
        payloads = transport.views(frames[1:])
        try:
            message = codec.decode(frames[0].buffer)
            codec.check_payloads(message, payloads)
        except MessageError as error:
            if str(error) != self.refused:  # say it once, not at each heartbeat
                self.refused = str(error)
                kept.add(Received(plane, b"", Ack(id="", error=self.refused), []))
            return
        received = Received(plane, b"", message, payloads)
        if plane == self._plane:
            self._heard_ns = self._clock.now_ns()
        if isinstance(message, Pong):
            if plane == self._plane:
                self._offset.add(message.t0, message.t1, message.t2, self._clock.now_ns())
        elif isinstance(message, Ack):
            self._acknowledged(received, message, kept)
        elif plane == "stream" or isinstance(message, ActionChunk):
            kept.add(received, codec.newest_key(message))
        else:
            if isinstance(message, StopAck):
                self._stops.remove(message.id)
            kept.add(received)

    def _acknowledged(self, received: Received, ack: Ack, kept: Newest) -> None:
        if ack.id == self._hello_id and ack.id:
            if not ack.error:
                self._greeted = True
                return
            self.refused = ack.error
            self._due["hello"] = self._clock.now_ns() + _ALIVE_NS
        known = self._requests.remove(ack.id)
        if known:
            self._forget(ack.id)
        if known or ack.error:  # else the answer to a resend that crossed the first answer
            kept.add(received)

    def _forget(self, request_id: str) -> None:
        if self._outbox is not None:
            with contextlib.suppress(StorageError):  # asked again after a restart, and then answered as a duplicate
                self._outbox.remove(request_id)


def _is_for_now(request: Request) -> bool:
    """Whether it must not be delivered late."""
    return isinstance(request, Resume) and request.by_words


def _socket_of(answer: AnyMessage) -> Literal["main", "stop"]:
    return "stop" if isinstance(answer, Stop | StopAck) else "main"
