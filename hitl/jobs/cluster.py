"""A Ray cluster: one of this machine alone, made for this run, or one that is there.

Ray ends the process that is connected to it where the cluster's head is gone, so that is one of its own: the driver.
Where it dies, a local cluster is begun anew, one that is there is connected to again, and what was under way is
repeated. A local cluster leaves no file and no process behind. Connecting, which takes seconds, happens with the first
job.
Imports no Ray, and knows nothing of what jobs do.
"""

from __future__ import annotations

import glob
import logging
import os
import pickle
import re
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.connection import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from hitl.errors import UnavailableError
from hitl.jobs.child import Child
from hitl.jobs.driver import FOLDER, HINT, LOG, serve
from hitl.jobs.place import Asked, Kept, Place, Told, never
from hitl.jobs.work import Job, Tries, environment, name_of, packed, result_of

log = logging.getLogger("hitl.jobs")

_LOOK_S = 0.1
"""So often `stop` is asked."""
_END_S = 90.0
"""So long jobs that were interrupted may take to save what they have, and to say it."""
_KILL_S = 10.0
_LONGEST = 200


class Cluster(Place):
    """address: "ray" for a local cluster, "auto", or "ray://HOST:PORT"; workers: at most so many jobs at once."""

    def __init__(self, address: str, workers: int | None = None) -> None:
        self.other_machines = address != "ray"
        self._address, self._workers = address, workers
        self._driver: _Driver | None = None
        self._lock = threading.Lock()

    def run(self, function: Callable[..., Any], *arguments: Any, told: Told | None = None, device: str = "cpu") -> Any:
        return next(self._results([Job(function, arguments)], never, told, device))

    def each(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], stop: Asked = never
    ) -> Iterator[Any]:
        return self._results([Job(function, one) for one in arguments], stop, None, "cpu")

    def keep(self, make: Callable[..., Any], *arguments: Any) -> Kept:
        return _KeptThere(self, make, arguments)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        tries, job = Tries(name_of(function, arguments)), packed(function, *arguments)
        while True:
            with _Talk(self.connected(), "everywhere", job, environment()) as talk:
                said = talk.hear(None)
                if said[0] == "done":
                    return {machine: result_of(pickle.loads(outcome)) for machine, outcome in said[1].items()}
                tries.lost(said[1])

    def close(self) -> None:
        with self._lock:
            if self._driver is not None:
                self._driver.close()
            self._driver = None

    def connected(self) -> _Driver:
        """A driver that is connected. Raises UnavailableError; then the next call tries again."""
        with self._lock:
            if self._driver is not None and not self._driver.alive():
                if not self._driver.why:
                    log.warning("%s; connecting anew", self._driver.died())
                self._driver = None
            tries = Tries(self._address)
            while self._driver is None:
                begun = _Driver(self._address, self._workers)
                try:
                    if begun.connects():
                        self._driver = begun
                    elif self.other_machines:
                        raise UnavailableError(
                            f"the cluster cannot be used ({begun.died()}).", field=self._address, hint=HINT
                        )
                    else:
                        tries.lost(begun.died())
                except BaseException:
                    begun.close()
                    raise
            return self._driver

    def _results(self, jobs: Sequence[Job], stop: Asked, told: Told | None, device: str) -> Iterator[Any]:
        waiting, busy = deque(enumerate(jobs)), dict[int, Job]()
        talk, most = None, 1
        try:
            while (waiting or busy) and not stop():
                if talk is None:
                    talk = _Talk(self.connected(), "jobs", told is not None, device)
                while waiting and len(busy) < most:
                    number, job = waiting.popleft()
                    busy[number] = job
                    talk.say(number, job.name, job.packed, environment())
                match talk.hear(_LOOK_S):
                    case ("most", count):
                        most = self._workers or count
                    case ("told", what) if told is not None:
                        told(*pickle.loads(what))
                    case ("done", number, outcome):
                        del busy[number]
                        yield result_of(pickle.loads(outcome))
                    case ("lost", number, why):
                        job = busy.pop(number)
                        job.lost(why)
                        waiting.appendleft((number, job))
                    case ("over", why):
                        talk = None
                        for job in busy.values():
                            job.lost(why)
                        waiting.extendleft(reversed(busy.items()))
                        busy.clear()
        finally:
            # Interrupted, stopped, or one failed: nobody waits for what is under way, but it may save what it has.
            if talk is not None:
                try:
                    for what in talk.last_words() if busy else ():
                        if told is not None:
                            told(*pickle.loads(what))
                finally:
                    talk.close()


class _KeptThere:
    """An object of the cluster. Where it or the driver died, the next call, or the one under way, makes it anew."""

    def __init__(self, cluster: Cluster, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._cluster, self._packed = cluster, packed(make, *arguments)
        self._called = getattr(make, "__name__", "object")
        self._talk: _Talk | None = None

    def call(self, method: str, *arguments: Any, stop: Asked = never) -> Any:
        tries, said = Tries(f"{self._called}.{method}"), packed(*arguments)
        while True:
            now = self._cluster.connected()
            if self._talk is None or self._talk.driver is not now:
                self.close()
                self._talk = _Talk(now, "keep")
                self._talk.say(self._packed, environment())
            try:
                found, what = self._call(self._talk, tries.name, method, said, stop)
            except BaseException:
                self.close()  # it may be at it still
                raise
            if found == "done":
                return result_of(pickle.loads(what))
            self.close()
            tries.lost(what)

    def _call(self, talk: _Talk, name: str, method: str, said: bytes, stop: Asked) -> Any:
        """What came of it, or why it was lost."""
        talk.say(name, method, said)
        stopped = False
        while (heard := talk.hear(_LOOK_S)) is None:
            if not stopped and stop():
                stopped = True
                talk.say("stop")
        return heard

    def close(self) -> None:
        if self._talk is not None:
            self._talk.close()
            self._talk = None


class _Driver:
    """The driver's process, and all that it started."""

    def __init__(self, address: str, workers: int | None) -> None:
        self._folder = _folder()
        self._child = Child(serve, address, workers, self._folder)
        self._lock = threading.Lock()
        self.why = ""
        """How it ended, in words."""
        self._closed = False

    def connects(self) -> bool:
        """Waits until it is connected; False where it died. Raises UnavailableError where it says why it is not."""
        said = self._child.hear()
        if said is not None and said[0] == "failed":
            raise said[1]
        return said is not None

    def alive(self) -> bool:
        """Whether its process has not ended."""
        return not self.why and self._child.alive()

    def take(self, end: Any) -> None:
        """Give it an end of a pipe, to be spoken to there; one that has died is noticed at the other end."""
        with self._lock, suppress(OSError):
            reduction.send_handle(self._child.pipe, end.fileno(), self._child.pid)

    def died(self) -> str:
        """It died: how, in words. Raises UnavailableError where it was closed by us."""
        self._end()
        if self._closed:
            raise UnavailableError("was closed meanwhile.", field="the cluster", hint="Try again.")
        return self.why

    def close(self) -> None:
        """Disconnect; a local cluster ends."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            if not self.why:
                status = self._child.end()
                said = _last_line(Path(self._folder) / LOG)
                self.why = f"the driver of the cluster: {status}{said and f', {said}'}"
                _end_session(self._child.pid)
                shutil.rmtree(self._folder, ignore_errors=True)


class _Talk:
    """A context manager: one conversation with a driver by a pipe of its own, so that several can go on at once."""

    def __init__(self, driver: _Driver, *about: Any) -> None:
        self.driver = driver
        self._pipe, theirs = Pipe()
        driver.take(theirs)
        theirs.close()
        self.say(*about)

    def say(self, *what: Any) -> None:
        """Say something; that nobody listens is noticed with `hear`."""
        with suppress(OSError):
            self._pipe.send(what)

    def hear(self, within_s: float | None) -> Any:
        """The next thing that it says; ("over", why) where the driver has died; None where it says nothing in that
        time. Raises what it says that failed."""
        try:
            if not self._pipe.poll(within_s):
                return None
            said = self._pipe.recv()
        except (EOFError, OSError):
            return "over", self.driver.died()
        if said[0] == "failed":
            raise said[1]
        return said

    def last_words(self) -> Iterator[bytes]:
        """End early what was asked for; yields what is told meanwhile."""
        end_s = time.monotonic() + _END_S
        with suppress(EOFError, OSError):
            self._pipe.send(None)
            while self._pipe.poll(max(0.0, end_s - time.monotonic())):
                kind, *rest = self._pipe.recv()
                if kind == "told":
                    yield rest[0]
                elif kind == "end":
                    return

    def close(self) -> None:
        """Nothing more is asked."""
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _folder() -> str:
    """A new one of this process; those of processes that were killed are removed."""
    for left in glob.glob(f"{FOLDER}*"):
        pid = left.removeprefix(FOLDER).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-")


def _end_session(leader: int) -> None:
    """End what a driver left: all processes of its session."""
    end_s = time.monotonic() + _KILL_S
    while (left := [pid for pid in psutil.pids() if _belongs(pid, leader)]) and time.monotonic() < end_s:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _belongs(pid: int, leader: int) -> bool:
    try:
        return os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def _last_line(path: Path) -> str:
    """What a log said last, without time and place."""
    with suppress(OSError):
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
        if lines:
            return re.sub(r"^\[[^]]*\] (\(.*?\) )?\S+:\d+: ", "", lines[-1])[:_LONGEST]
    return ""
