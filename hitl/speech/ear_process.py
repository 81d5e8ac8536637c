"""The parent's end of an ear in a process of its own: length-prefixed MessagePack over the child's two standard pipes.

So the window never waits for sound, and a sound library that crashes takes nothing with it. The child's end is
`ear_service.py`; it ends when its standard input does, which is when its parent is gone. Knows nothing of what is
said.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

import msgspec

from hitl.speech.ear_messages import Configure, FromEar, Quit, ToEar, Trouble

log = logging.getLogger("hitl.speech")

_HEAD = struct.Struct("<I")
_MOST_BYTES = 16 << 20
_encoder = msgspec.msgpack.Encoder()
_from_ear: msgspec.msgpack.Decoder[FromEar] = msgspec.msgpack.Decoder(FromEar)
_END_S = 5.0
_STEADY_S = 20.0
"""A child that ran this long failed for another reason than at its start: its pause is short again."""


def write_message(stream: BinaryIO, message: msgspec.Struct) -> None:
    """One message; raises OSError where the other end is gone."""
    body = _encoder.encode(message)
    stream.write(_HEAD.pack(len(body)) + body)
    stream.flush()


def read_message(stream: BinaryIO) -> bytes | None:
    """The bytes of the next message; None where the stream has ended or is no such stream."""
    head = _exactly(stream, _HEAD.size)
    if head is None:
        return None
    (size,) = _HEAD.unpack(head)
    return _exactly(stream, size) if size <= _MOST_BYTES else None


def _exactly(stream: BinaryIO, size: int) -> bytes | None:
    """`size` bytes, also of a stream without a buffer; None where it ends before."""
    parts: list[bytes] = []
    while size:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a child that says nothing more, however it must be ended."""
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class EarProcess:
    """Starts the child and keeps it running. `told` is called from a thread of this object, in order."""

    def __init__(
        self,
        command: Sequence[str],
        told: Callable[[FromEar], None],
        *,
        environment: Mapping[str, str] | None = None,
        pause_s: float = 1.0,
    ) -> None:
        self._command, self._told = list(command), told
        self._environment = {**os.environ, **(environment or {})}
        self._changed: Mapping[str, str] = {}
        self._changing = False
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._configure: Configure | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ear process", daemon=True)

    def start(self) -> None:
        """Start the child in the background."""
        self._thread.start()

    def ask(self, message: ToEar) -> None:
        """Tell the child; what cannot reach it is lost, but the last Configure, which every new child gets first."""
        with self._lock:
            if isinstance(message, Configure):
                self._configure = message
            if self._process is not None and self._process.stdin is not None:
                try:
                    write_message(self._process.stdin, message)  # type: ignore[arg-type]
                except (OSError, ValueError):
                    log.debug("the ear is gone")

    def change(self, environment: Mapping[str, str]) -> None:
        """From now on the child has these variables beside those of the beginning. One that runs is ended and another
        one started in its place, without a word about it. Never waits."""
        with self._lock:
            if environment == self._changed:
                return
            self._changed, process = dict(environment), self._process
            self._changing = process is not None
        if process is not None:
            self.ask(Quit())
            late = threading.Timer(_END_S, process.kill)
            late.daemon = True
            late.start()

    def close(self) -> None:
        """End the child."""
        self.ask(Quit())
        self._closing.set()
        process = self._process
        if process is not None:
            _end(process)
        if self._thread.is_alive():
            self._thread.join(timeout=_END_S)

    def _run(self) -> None:
        pause_s = self._pause_s
        while not self._closing.is_set():
            started_s, changed = time.monotonic(), self._changed
            environment = {**self._environment, **changed}
            try:
                process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
                )
            except OSError as problem:
                self._told(Trouble(part="recognizer", why=f"the ear could not be started ({problem})."))
                return
            self._greet(process, changed)
            self._read(process)
            status = _end(process)
            with self._lock:
                self._process = None
                for pipe in (process.stdin, process.stdout):
                    with contextlib.suppress(OSError):  # what it was told last may still wait in the pipe
                        if pipe is not None:
                            pipe.close()
            if self._closing.is_set():
                return
            if self._changing:
                self._changing = False
                continue
            self._told(Trouble(part="recognizer", why=f"the ear ended (status {status}); it starts again."))
            if time.monotonic() - started_s > _STEADY_S:
                pause_s = self._pause_s
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, 10.0)

    def _greet(self, process: subprocess.Popen[bytes], changed: Mapping[str, str]) -> None:
        """Let the new child be told; where closing or another change came first, end it."""
        with self._lock:
            self._process = process
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it may have ended already
                if self._configure is not None:
                    write_message(process.stdin, self._configure)  # type: ignore[arg-type]
                self._changing = self._changed is not changed
                if self._closing.is_set() or self._changing:
                    process.stdin.close()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        while (body := read_message(process.stdout)) is not None:  # type: ignore[arg-type]
            try:
                message = _from_ear.decode(body)
            except msgspec.DecodeError as problem:
                log.error("the ear said something unreadable: %s", problem)
                process.kill()
                return
            self._told(message)
