"""Thin helpers around ZeroMQ sockets that hub and link share: a waker, sending and receiving without waiting.

Payloads are received without a copy (a `memoryview` of ZeroMQ's own buffer, valid as long as it is referenced), and a
received payload that is sent on is passed by reference. Everything else is copied once by `send`, so that its caller
may reuse its buffers at once.
"""

from __future__ import annotations

import contextlib
import socket as sockets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import zmq

from hitl.bus.codec import Payload

Plane = Literal["control", "robot", "stream", "stop"]
Socket = zmq.Socket[bytes]
MAX_PAYLOADS = 32
DRAIN_LIMIT = 1_000
"""Messages read from one socket before the others get their turn."""


@dataclass(frozen=True)
class Received:
    """A message with its payloads; `peer` names the sender to a hub and is empty in a link."""

    plane: Plane
    peer: bytes
    message: Any
    payloads: list[Payload]


class Waker:
    """Ends a poll from another thread: a socket pair, since ZeroMQ sockets belong to one thread."""

    def __init__(self) -> None:
        self._reader, self._writer = sockets.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader.fileno()

    def wake(self) -> None:
        """End the poll, now or when it begins; safe from any thread, also after `close`."""
        with contextlib.suppress(OSError):  # full: the poll ends anyway; closed: nobody polls
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Take all wake-ups."""
        with contextlib.suppress(OSError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Release both ends."""
        self._reader.close()
        self._writer.close()


def send(socket: Socket, head: Sequence[bytes], payloads: Sequence[Payload] = ()) -> bool:
    """Send without waiting; False where the peer is not there or its queue is full."""
    parts = [*head, *(_by_reference(payload) for payload in payloads)]
    try:
        for part in parts[:-1]:
            socket.send(part, zmq.SNDMORE | zmq.NOBLOCK, copy=not isinstance(part, zmq.Frame))
        socket.send(parts[-1], zmq.NOBLOCK, copy=not isinstance(parts[-1], zmq.Frame))
    except zmq.ZMQError as error:
        if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
            return False
        raise
    return True


def _by_reference(payload: Payload) -> Payload | zmq.Frame:
    if isinstance(payload, memoryview) and isinstance(payload.obj, zmq.Frame) and payload.nbytes == len(payload.obj):
        return payload.obj
    return payload


def receive_all(socket: Socket) -> Iterator[list[zmq.Frame]]:
    """What has arrived, up to `DRAIN_LIMIT` messages, without waiting."""
    for _ in range(DRAIN_LIMIT):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return


def views(frames: Sequence[zmq.Frame]) -> list[Payload]:
    """The frames' buffers."""
    return [frame.buffer for frame in frames]


class Newest:
    """Messages in order of arrival, of which a later one replaces an earlier one of the same key."""

    def __init__(self) -> None:
        self._kept: dict[object, Received] = {}

    def add(self, received: Received, key: object = None) -> None:
        """Keep `received`; without a key it replaces nothing."""
        key = object() if key is None else key
        self._kept.pop(key, None)
        self._kept[key] = received

    def take(self) -> list[Received]:
        """Everything kept."""
        return list(self._kept.values())


def close_all(context: zmq.Context[Socket], held: Sequence[Socket], linger_ms: int) -> None:
    """Close the sockets and their context, waiting at most `linger_ms` for what is on its way."""
    for socket in held:
        socket.close(linger=linger_ms)
    context.term()
