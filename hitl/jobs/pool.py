"""Worker processes of this machine, each started anew (spawn) and kept from job to job.

Unlike `multiprocessing.Pool` it notices a worker that was killed, and repeats its job. Knows nothing of what jobs do.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from hitl.errors import InputError
from hitl.jobs.child import Child, take_interrupts
from hitl.jobs.place import Asked, Kept, Place, Told, never
from hitl.jobs.work import Job, carry_out, environment, result_of

_LOOK_S = 0.2
"""So often `stop` is asked."""


class Processes(Place):
    """workers: at most so many processes; None: one for each core."""

    def __init__(self, workers: int | None = None) -> None:
        self._most = workers or os.cpu_count() or 1
        self._workers: list[_Worker] = []

    def run(self, function: Callable[..., Any], *arguments: Any, told: Told | None = None, device: str = "cpu") -> Any:
        return next(self._results([Job(function, arguments)], never, told))

    def each(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], stop: Asked = never
    ) -> Iterator[Any]:
        return self._results([Job(function, one) for one in arguments], stop, None)

    def keep(self, make: Callable[..., Any], *arguments: Any) -> Kept:
        hint = "Use here, ray, auto or ray://HOST:PORT."
        raise InputError("keeps nothing: the learner is a process of its own already.", field="processes", hint=hint)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        return {"this machine": self.run(function, *arguments)}

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _results(self, jobs: Sequence[Job], stop: Asked, told: Told | None) -> Iterator[Any]:
        waiting, busy = deque(jobs), dict[_Worker, Job]()
        try:
            while (waiting or busy) and not stop():
                while waiting and len(busy) < self._most:
                    worker = self._free(busy)
                    busy[worker] = waiting.popleft()
                    worker.begin(busy[worker], told is not None)
                for worker in [one for one in busy if one.pipe in wait([one.pipe for one in busy], _LOOK_S)]:
                    said = worker.hear()
                    if said is None:
                        waiting.appendleft(self._lost(worker, busy.pop(worker)))
                    elif said[0] == "told":
                        if told is not None:
                            told(said[1])
                    else:
                        busy.pop(worker)
                        yield result_of(said[1])
        finally:
            # Interrupted, stopped, or one failed: nobody waits for what is under way.
            for worker in busy:
                worker.interrupt()
            for worker in busy:
                worker.end()
                self._workers.remove(worker)

    def _free(self, busy: dict[_Worker, Job]) -> _Worker:
        for worker in self._workers:
            if worker not in busy:
                return worker
        self._workers.append(_Worker())
        return self._workers[-1]

    def _lost(self, worker: _Worker, job: Job) -> Job:
        self._workers.remove(worker)
        job.lost(worker.end())
        return job


class _Worker(Child):
    """One job after the other."""

    def __init__(self) -> None:
        # Before it starts: what a worker imports for itself may read them, too.
        for name, value in environment().items():
            os.environ.setdefault(name, value)
        super().__init__(_serve)

    def begin(self, job: Job, telling: bool) -> None:
        """Give it a job; one that has died is noticed with `hear`."""
        with suppress(OSError):
            self.pipe.send((job.packed, environment(), telling))


def _serve(pipe: Connection) -> None:
    """A worker: one job after the other, until the other end is closed."""
    with suppress(KeyboardInterrupt, EOFError, OSError):
        take_interrupts(signal.default_int_handler)
        while True:
            job, variables, telling = pipe.recv()
            outcome = carry_out(job, variables, (lambda what: pipe.send(("told", what))) if telling else None)
            pipe.send(("done", outcome))
