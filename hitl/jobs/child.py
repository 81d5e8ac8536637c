"""A process of ours, started anew (spawn), and the pipe to it. Knows nothing of what it does."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

_END_S = 60.0
"""So long a process may take to end, as one does that was interrupted and saves what it has."""


class Child:
    """Calls `serve(pipe, *arguments)` there, which is to end when the pipe is closed: so it ends with us, too."""

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
        # It begins with Ctrl-C held back, and says itself what comes of one (`take_interrupts`).
        resource_tracker.ensure_running()  # started by the first process, and then no longer held back
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def hear(self) -> Any:
        """The next thing that it says; None where it has died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def interrupt(self) -> None:
        """As Ctrl-C would."""
        if self.alive():
            os.kill(self.pid, signal.SIGINT)

    def end(self) -> str:
        """Let it end, or end it; says how it ended."""
        self.pipe.close()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return f"exit status {self._process.exitcode}"


def take_interrupts(handler: Any) -> None:
    """In the child, first: from now on Ctrl-C in a terminal reaches the parent alone, which passes it on, once.
    handler: for one that the parent sends, or that came already."""
    with suppress(OSError):  # a leader has a session of its own already
        os.setsid()
    signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
