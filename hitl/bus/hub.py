"""The backend's end of the bus: binds the four planes, hands on what arrives, answers what is the bus's own business.

One thread owns a hub (`wake` and `stop` are safe from any). Heartbeats, protocol versions, malformed messages and
resent requests are answered here; nothing that arrives can raise. Knows nothing of logs, policies or robots.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zmq

from hitl.bus import codec, transport
from hitl.bus.codec import FROM_LEARNER, FROM_WINDOW, AnyMessage, Payload
from hitl.bus.delivery import OnceOnly
from hitl.bus.endpoints import Endpoints
from hitl.bus.keys import ServerKeys, protect_server, start_gatekeeper
from hitl.bus.stop_relay import StopRelay
from hitl.bus.transport import Newest, Plane, Received, Waker
from hitl.clock import Clock, SystemClock
from hitl.errors import ConfigError, InputError, MessageError, PortInUseError, UnavailableError
from hitl.messages import (
    PROTOCOL,
    Ack,
    CorrectionStatus,
    Frame,
    Hello,
    Metric,
    Observation,
    Ping,
    Pong,
    Request,
    RobotState,
    Role,
    Stop,
    StopAck,
)
from hitl.recognizer_messages import Recognize, Recognized

_ALIVE_NS = 3_000_000_000
_FORGET_NS = 3_600_000_000_000
_DROPPABLE = (RobotState, Observation, Frame, Metric)
_TAKEN: dict[Plane, tuple[type, ...]] = {
    "control": (Hello, Ping, Ack, Recognize, Recognized, *FROM_WINDOW, *FROM_LEARNER, *Request.__args__),
    "robot": (Hello, Ping, Ack, *_DROPPABLE),
}
_ONLY_FROM: dict[type, Role] = {
    Recognize: "ear",
    Recognized: "recognizer",
    **dict.fromkeys(FROM_WINDOW, "gui"),
    **dict.fromkeys(FROM_LEARNER, "learner"),
}
_NO_REQUESTS: tuple[Role, ...] = ("ear", "recognizer", "learner")
_CONTROL_QUEUE = 10_000
_STREAM_QUEUE = 24
"""Messages in flight a peer: an eighth of a second of three cameras, so that who fell behind is soon abreast."""


@dataclass
class _Peer:
    role: Role
    heard_ns: int


class Hub:
    """Binds all planes. Raises PortInUseError, UnavailableError (bad address) or ConfigError (keys missing)."""

    def __init__(self, endpoints: Endpoints, keys: ServerKeys | None = None, clock: Clock | None = None) -> None:
        if keys is None and endpoints.needs_keys:
            raise ConfigError(
                "other hosts could reach this backend without keys",
                field="endpoints",
                hint="Give server keys, or bind to 127.0.0.1.",
            )
        self.endpoints = endpoints
        self.rejected = 0
        """Messages refused on control and robot plane since the start."""
        self._clock = clock or SystemClock()
        self._locks = _claim(endpoints)
        self._context: zmq.Context[transport.Socket] = zmq.Context()
        self._gatekeeper = start_gatekeeper(self._context, keys) if keys else None
        self._sockets: dict[Plane, transport.Socket] = {}
        self._waker = Waker()
        self._relay: StopRelay | None = None
        self._peers: dict[bytes, _Peer] = {}
        self._once = OnceOnly()
        try:
            self._bind(keys)
        except BaseException:
            self.close()
            raise
        self._poller = zmq.Poller()
        for socket in (self._sockets["control"], self._sockets["robot"]):
            self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._waker.fileno(), zmq.POLLIN)
        self._relay = StopRelay(self._sockets["stop"], self._clock, self._waker)
        self._relay.start()

    def _bind(self, keys: ServerKeys | None) -> None:
        kinds: dict[Plane, int] = {"control": zmq.ROUTER, "robot": zmq.ROUTER, "stream": zmq.PUB, "stop": zmq.ROUTER}
        for plane, kind in kinds.items():
            socket = self._sockets[plane] = self._context.socket(kind)
            queue = _CONTROL_QUEUE if plane in ("control", "stop") else _STREAM_QUEUE
            socket.sndhwm = socket.rcvhwm = queue
            socket.maxmsgsize = 64 << 20 if plane == "robot" else codec.MAX_HEAD_BYTES + 1024
            if kind == zmq.ROUTER:
                socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
                socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
            if keys:
                protect_server(socket, keys)
            _bind(socket, getattr(self.endpoints, plane))

    # -- receiving --------------------------------------------------------------------------------------------

    def poll(self, timeout_ms: int) -> list[Received]:
        """What arrived: stops first, then requests in order, then the newest state, observation, frame of each peer.

        Returns as soon as there is something, after `wake`, or empty after `timeout_ms`.
        """
        deadline = time.monotonic() + timeout_ms / 1000
        while not (received := self._collect()):
            left_ms = math.ceil(max(0.0, deadline - time.monotonic()) * 1000)
            happened = dict(self._poller.poll(left_ms))
            if not happened:
                return []
            if self._waker.fileno() in happened:
                self._waker.clear()
                return self._collect()
        return received

    def _collect(self) -> list[Received]:
        kept = Newest()
        for plane in ("control", "robot"):
            for frames in transport.receive_all(self._sockets[plane]):
                self._take(plane, frames, kept)
        return self._take_stops() + kept.take()

    def _take_stops(self) -> list[Received]:
        assert self._relay is not None
        queue = self._relay.received
        return [queue.popleft() for _ in range(len(queue))]

    def _take(self, plane: Plane, frames: list[zmq.Frame], kept: Newest) -> None:
        peer = frames[0].bytes
        now_ns = self._clock.now_ns()
        known = self._peers.get(peer)
        if known is not None:
            known.heard_ns = now_ns
        try:
            message, payloads = _read(plane, frames)
            _check_role(known.role if known is not None else None, message)
        except MessageError as error:
            self._refuse(plane, peer, codec.id_of(frames[1].buffer) if len(frames) > 1 else "", error)
            return
        if isinstance(message, Ping):
            if known is not None:  # silence makes a stranger say Hello
                self.send(plane, peer, Pong(t0=message.t0, t1=now_ns, t2=self._clock.now_ns()))
        elif isinstance(message, Hello):
            self._greet(plane, peer, message, now_ns, kept)
        elif isinstance(message, Request):
            self._offer(plane, peer, message, now_ns, kept)
        else:
            key = (peer, *codec.newest_key(message)) if isinstance(message, _DROPPABLE) else None
            kept.add(Received(plane, peer, message, payloads), key)

    def _greet(self, plane: Plane, peer: bytes, hello: Hello, now_ns: int, kept: Newest) -> None:
        if hello.protocol != PROTOCOL:
            self._refuse(plane, peer, hello.id, codec.version_error(hello.protocol))
            return
        if (hello.role == "robot") != (plane == "robot"):
            error = MessageError(f"a {hello.role} cannot use the {plane} plane", field="role")
            self._refuse(plane, peer, hello.id, error)
            return
        for old in [old for old, found in self._peers.items() if now_ns - found.heard_ns > _FORGET_NS]:
            del self._peers[old]
        self._peers[peer] = _Peer(hello.role, now_ns)
        self.send(plane, peer, Ack(id=hello.id))
        kept.add(Received(plane, peer, hello, []), (peer, "Hello"))

    def _offer(self, plane: Plane, peer: bytes, request: Request, now_ns: int, kept: Newest) -> None:
        try:
            codec.check_request(request)
        except InputError as error:
            self._refuse(plane, peer, request.id[:64], error)
            return
        verdict = self._once.offer(request.id, now_ns)
        if isinstance(verdict, Ack):
            self.send(plane, peer, verdict)
        elif verdict:
            kept.add(Received(plane, peer, request, []))

    def _refuse(self, plane: Plane, peer: bytes, request_id: str, error: InputError) -> None:
        self.rejected += 1
        self.send(plane, peer, Ack(id=request_id, error=str(error)))

    # -- sending ----------------------------------------------------------------------------------------------

    def send(
        self,
        plane: Plane,
        peer: bytes,
        message: AnyMessage,
        payloads: Sequence[Payload] = (),
    ) -> bool:
        """Send to one peer (not on the stream plane: `publish`) without waiting; False where it is gone or stuck.

        An Ack to a request is remembered, so that a resend of the request is answered here and not handed on again.
        """
        if plane == "stop":
            if not isinstance(message, Stop | StopAck) or self._relay is None:
                return False
            self._relay.send(peer, message)
            return True
        if isinstance(message, Ack):
            self._once.answered(message)
        return transport.send(self._sockets[plane], (peer, codec.encode(message)), payloads)

    def stop(self, stop: Stop) -> None:
        """Stop every robot; resent until each has acknowledged. Safe from any thread."""
        if self._relay is not None:
            self._relay.send(None, stop)

    def publish(self, message: AnyMessage, payloads: Sequence[Payload] = ()) -> None:
        """Show to all GUIs, without waiting; who does not keep up misses some.

        What became of a correction is never missed: it travels on the control plane, to GUIs and `say` alike.
        """
        if isinstance(message, CorrectionStatus):
            for peer in self.peers("gui") + self.peers("say"):
                self.send("control", peer, message)
        else:
            transport.send(self._sockets["stream"], (codec.encode(message),), payloads)

    # -- peers ------------------------------------------------------------------------------------------------

    def peers(self, role: Role) -> list[bytes]:
        """Peers of this role that are alive, in the order in which they said Hello."""
        return [peer for peer, known in self._peers.items() if known.role == role and self.alive(peer)]

    def alive(self, peer: bytes) -> bool:
        """Whether anything came from this peer during the last 3 s."""
        known = self._peers.get(peer)
        return known is not None and self._clock.now_ns() - known.heard_ns < _ALIVE_NS

    @property
    def stop_rejected(self) -> int:
        """Messages refused on the stop plane since the start."""
        return self._relay.rejected if self._relay is not None else 0

    def wake(self) -> None:
        """Make `poll` return; safe from any thread."""
        self._waker.wake()

    def wake_socket(self) -> Waker:
        """The waker itself, for threads that should not hold the hub."""
        return self._waker

    def close(self) -> None:
        """Release the endpoints; may be called twice."""
        if self._context.closed:
            return
        if self._relay is not None:
            self._relay.close()
        if self._gatekeeper is not None:
            self._gatekeeper.stop()
        transport.close_all(self._context, list(self._sockets.values()), linger_ms=100)
        self._waker.close()
        for lock in self._locks:
            lock.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _read(plane: Plane, frames: list[zmq.Frame]) -> tuple[AnyMessage, list[Payload]]:
    if len(frames) < 2 or len(frames) > 2 + transport.MAX_PAYLOADS:
        raise MessageError(f"{len(frames) - 1} frames", field="payloads", hint="Send a head and at most 32 payloads.")
    message = codec.decode(frames[1].buffer)
    if not isinstance(message, _TAKEN[plane]):
        raise MessageError(f"{type(message).__name__} is not taken on the {plane} plane", field="type")
    payloads = transport.views(frames[2:])
    codec.check_payloads(message, payloads)
    return message, payloads


def _check_role(role: Role | None, message: AnyMessage) -> None:
    """Raise MessageError where a peer of this role, None for one that never said Hello, may not send the message."""
    wanted = _ONLY_FROM.get(type(message), role)
    if role != wanted or isinstance(message, Request) and role in _NO_REQUESTS:
        sender = f"a peer of the role {role}" if role else "a peer that has not said Hello"
        raise MessageError(f"{sender} may not send {type(message).__name__}", field="role")


def _bind(socket: transport.Socket, address: str) -> None:
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise PortInUseError(
                f"{address} is in use", field="endpoints", hint="Stop the other backend or choose another base port."
            ) from error
        raise UnavailableError(
            f"{address} cannot be bound: {error.strerror}", field="endpoints", hint="Check the address of this host."
        ) from error


def _claim(endpoints: Endpoints) -> list[IO[bytes]]:
    """Lock files beside `ipc://` sockets: ZeroMQ itself would silently take them over from a running backend."""
    if not endpoints.control.startswith("ipc://"):
        return []
    import fcntl  # not on Windows, where ZeroMQ has no private ipc files either

    path = Path(endpoints.control.removeprefix("ipc://")).with_suffix(".lock")
    try:
        lock = path.open("wb")
    except OSError as error:
        raise UnavailableError(
            f"{path}: {error.strerror}", field="endpoints", hint="Choose another folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise PortInUseError(
            f"{endpoints.control} is in use",
            field="endpoints",
            hint="Stop the other backend or choose another folder.",
        ) from error
    return [lock]
