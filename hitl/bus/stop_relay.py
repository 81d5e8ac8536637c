"""The stop plane of the hub, in a thread of its own: a Stop reaches every robot whatever the backend is doing.

Knows the stop messages and nothing else. A Stop is sent to every robot that has this plane, resent until each one has
acknowledged it, and handed to the hub once. Its senders get the StopAck when all robots that are alive have stopped.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import zmq

from hitl.bus import codec, transport
from hitl.bus.transport import Received, Waker
from hitl.clock import Clock
from hitl.errors import MessageError
from hitl.messages import Ack, Ping, Pong, Stop, StopAck

_ALIVE_NS = 3_000_000_000
_RESEND_NS = 100_000_000
_REMEMBERED = 1_000
_ROBOT = b"robot:"
"""How the routing ids of robot links begin (`Link`)."""


@dataclass
class _Pending:
    stop: Stop
    targets: frozenset[bytes]
    """Robots that were alive when it came; a robot that starts after the first one has stopped is not meant."""
    senders: set[bytes] = field(default_factory=set)
    stopped: set[bytes] = field(default_factory=set)
    answer: StopAck | None = None
    done: bool = False
    due_ns: int = 0


class StopRelay(threading.Thread):
    """Owns the bound stop socket from `start` to `close`."""

    def __init__(self, socket: transport.Socket, clock: Clock, hub_waker: Waker) -> None:
        super().__init__(name="hitl-stop-relay", daemon=True)
        self.received: deque[Received] = deque()
        """For the hub's thread: each Stop and StopAck once."""
        self.rejected = 0
        self._socket = socket
        self._clock = clock
        self._hub_waker = hub_waker
        self._waker = Waker()
        self._outgoing: deque[tuple[bytes | None, Stop | StopAck]] = deque()
        self._robots: dict[bytes, int] = {}
        self._stops: dict[str, _Pending] = {}
        self._closing = False

    def send(self, peer: bytes | None, message: Stop | StopAck) -> None:
        """Send to `peer`, or a Stop to every robot where `peer` is None; safe from any thread."""
        self._outgoing.append((peer, message))
        self._waker.wake()

    def close(self) -> None:
        """End the thread; the socket is then the caller's to close."""
        self._closing = True
        self._waker.wake()
        self.join()
        self._waker.close()

    def run(self) -> None:
        """Relay until closed."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        while not self._closing:
            poller.poll(50 if self._unfinished() else 1000)
            self._waker.clear()
            for frames in transport.receive_all(self._socket):
                self._take(frames)
            while self._outgoing:
                self._send_own(*self._outgoing.popleft())
            self._resend()

    def _take(self, frames: list[zmq.Frame]) -> None:
        peer = frames[0].bytes
        try:
            if len(frames) != 2:
                raise MessageError("a stop message has no payloads", field="payloads")
            message = codec.decode(frames[1].buffer)
        except MessageError as error:
            self.rejected += 1
            identity = codec.id_of(frames[1].buffer) if len(frames) > 1 else ""
            self._to(peer, Ack(id=identity, error=str(error)))
            return
        now_ns = self._clock.now_ns()
        if peer.startswith(_ROBOT):
            self._robots[peer] = now_ns
        if isinstance(message, Ping):
            self._to(peer, Pong(t0=message.t0, t1=now_ns, t2=self._clock.now_ns()))
        elif isinstance(message, Stop):
            self._take_stop(message, peer)
        elif isinstance(message, StopAck):
            self._take_answer(message, peer)
        else:
            self.rejected += 1

    def _send_own(self, peer: bytes | None, message: Stop | StopAck) -> None:
        if peer is None and isinstance(message, Stop):
            self._take_stop(message, None)
        elif peer is not None:
            self._to(peer, message)

    def _take_stop(self, stop: Stop, sender: bytes | None) -> None:
        pending = self._stops.get(stop.id)
        if pending is None:
            pending = self._stops[stop.id] = _Pending(stop, frozenset(self._alive()))
            self._forward(pending)
            while len(self._stops) > _REMEMBERED:
                del self._stops[next(iter(self._stops))]
            if sender is not None:
                self._hand_over(sender, stop)
        if sender is not None:
            pending.senders.add(sender)
            self._answer(pending)

    def _take_answer(self, answer: StopAck, robot: bytes) -> None:
        pending = self._stops.get(answer.id)
        if pending is None or robot in pending.stopped:
            return
        pending.stopped.add(robot)
        pending.answer = answer
        self._hand_over(robot, answer)
        self._answer(pending)

    def _answer(self, pending: _Pending) -> None:
        missing = (pending.targets & self._alive()) - pending.stopped
        if pending.answer is not None and not missing:
            pending.done = True
            for sender in pending.senders:
                self._to(sender, pending.answer)

    def _forward(self, pending: _Pending) -> None:
        meant = set(self._robots) if pending.answer is None else set(pending.targets)
        for robot in meant - pending.stopped:
            self._to(robot, pending.stop)
        pending.due_ns = self._clock.now_ns() + _RESEND_NS

    def _resend(self) -> None:
        now_ns = self._clock.now_ns()
        for pending in self._unfinished():
            self._answer(pending)  # a robot that died is waited for no longer
            if not pending.done and pending.due_ns <= now_ns:
                self._forward(pending)

    def _alive(self) -> set[bytes]:
        now_ns = self._clock.now_ns()
        return {robot for robot, heard_ns in self._robots.items() if now_ns - heard_ns < _ALIVE_NS}

    def _unfinished(self) -> list[_Pending]:
        return [pending for pending in self._stops.values() if not pending.done]

    def _to(self, peer: bytes, message: codec.AnyMessage) -> None:
        reached = transport.send(self._socket, (peer, codec.encode(message)))
        if not reached:
            self._robots.pop(peer, None)

    def _hand_over(self, peer: bytes, message: Stop | StopAck) -> None:
        self.received.append(Received("stop", peer, message, []))
        self._hub_waker.wake()
