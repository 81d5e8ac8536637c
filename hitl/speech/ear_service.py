"""An ear as a child process: it tells through standard output and is told through standard input
(`ear_process.py`)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import msgspec

from hitl.speech.ear import Ear
from hitl.speech.ear_messages import FromEar, Quit, ToEar
from hitl.speech.ear_process import read_message, write_message

_to_ear: msgspec.msgpack.Decoder[ToEar] = msgspec.msgpack.Decoder(ToEar)


def serve(make: Callable[[Callable[[FromEar], None]], Ear]) -> None:
    """Be the child: listen until told to quit or the parent is gone. `make` makes the ear, from what it is to tell."""
    # The pipe gets a descriptor of its own, so that a library that prints does not speak into it.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Without a buffer: a thread that waits in one at the end of the process would hold its lock.
    given = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    ear: Ear

    def tell(message: FromEar) -> None:
        try:
            write_message(out, message)
        except (OSError, ValueError):
            ear.ask(Quit())

    ear = make(tell)

    def obey() -> None:
        while (body := read_message(given)) is not None:
            ear.ask(_to_ear.decode(body))
        ear.ask(Quit())

    threading.Thread(target=obey, name="obey", daemon=True).start()
    ear.start()
    ear.wait()
    ear.close()
