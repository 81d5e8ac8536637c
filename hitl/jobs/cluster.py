"""A Ray cluster: one of this machine alone, made for this run, or one that is there. The only module that imports Ray.

A local cluster listens on loopback alone, with a token of its own that is in no file, starts no dashboard, sends no
usage statistics, and leaves no file behind. A cluster that is there is taken as it is; every machine of it needs the
same hitl installed. Connecting, which takes seconds, happens with the first job.
Knows nothing of what jobs do.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from hitl.errors import HitlError, UnavailableError
from hitl.jobs.place import Asked, Kept, Place, Told, never
from hitl.jobs.work import (
    Job,
    Outcome,
    Tries,
    attempt,
    carry_out,
    environment,
    listen_to_interrupts,
    packed,
    result_of,
    unpacked,
)

_LOOK_S = 0.1
"""So often `stop` is asked, and what a job says is fetched."""
_END_S = 60.0
"""So long a job that was interrupted may take to save what it has."""
_STORE_BYTES = 512 * 2**20
"""What a local cluster may hold in shared memory, at most."""
_MACHINE_S = 60.0
_FOLDER = "hitl-ray-"


class Cluster(Place):
    """address: "ray" for a local cluster, "auto", or "ray://HOST:PORT"; workers: at most so many jobs at once."""

    def __init__(self, address: str, workers: int | None = None) -> None:
        self.other_machines = address != "ray"
        self._workers = workers
        self._ray: Any = None
        self._connection = _Connection(address, workers)

    def run(self, function: Callable[..., Any], *arguments: Any, told: Told | None = None, device: str = "cpu") -> Any:
        ray = self.connected()
        gpus = 1 if device.startswith("cuda") or (device == "auto" and self._gpus()) else 0
        mailbox = ray.remote(num_cpus=0)(_Mailbox).remote() if told is not None else None
        job = Job(function, arguments)
        try:
            return next(self._results([job], never, _Telling(ray, mailbox, told), gpus))
        finally:
            if mailbox is not None and self._ray is not None:
                ray.kill(mailbox)

    def each(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], stop: Asked = never
    ) -> Iterator[Any]:
        jobs = [Job(function, one) for one in arguments]
        return self._results(jobs, stop, _Telling(self.connected(), None, None), 0)

    def keep(self, make: Callable[..., Any], *arguments: Any) -> Kept:
        return _KeptThere(self, make, arguments)

    def everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        ray = self.connected()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        job, found = packed(function, *arguments), {}
        for node in (node for node in ray.nodes() if node["Alive"]):
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            reference = (
                _task(ray, 0).options(num_cpus=0, scheduling_strategy=strategy).remote(job, environment(), None)
            )
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                outcome = ray.get(reference, timeout=_MACHINE_S)
            except ray.exceptions.RayError as error:
                raise _unavailable(name, error) from error
            found[name] = result_of(outcome)
        return found

    def close(self) -> None:
        self._ray = None
        self._connection.close()

    def connected(self) -> Any:
        """The `ray` module, connected."""
        if self._ray is None:
            self._ray = self._connection.open()
        return self._ray

    def gone(self, error: Exception) -> Exception:
        """The connection broke: what to raise. The next call connects anew."""
        self.close()
        return _unavailable("the cluster", error)

    def _gpus(self) -> bool:
        return self.connected().cluster_resources().get("GPU", 0) >= 1

    def _results(self, jobs: Sequence[Job], stop: Asked, telling: _Telling, gpus: int) -> Iterator[Any]:
        ray = telling.ray
        task, waiting, busy = _task(ray, gpus), deque(jobs), dict[Any, Job]()
        # Twice as many as there are cores, so that none waits for this process.
        most = self._workers or max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        try:
            while (waiting or busy) and not stop():
                while waiting and len(busy) < most:
                    job = waiting.popleft()
                    busy[task.remote(job.packed, environment(), telling.mailbox)] = job
                ready, _ = ray.wait(list(busy), timeout=_LOOK_S)
                telling.pass_on()
                for reference in ready:
                    job = busy.pop(reference)
                    outcome = _outcome(ray, reference, job)
                    if outcome is None:
                        waiting.appendleft(job)
                    else:
                        yield result_of(outcome)
        except ConnectionError as error:
            raise self.gone(error) from error
        finally:
            # Interrupted, stopped, or one failed: nobody waits for what is under way, but it may save what it has.
            if busy and self._ray is not None:
                for reference in busy:
                    ray.cancel(reference)
                ray.wait(list(busy), num_returns=len(busy), timeout=_END_S)
                telling.pass_on()


class _Mailbox:
    """What a job says until somebody fetches it: an actor beside the job."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    def put(self, what: Any) -> None:
        """Say something."""
        self._said.append(what)

    def take(self) -> list[Any]:
        """What was said since the last time."""
        said, self._said = self._said, []
        return said


class _Telling:
    """Passes on what the job said; where its mailbox is lost, only that is."""

    def __init__(self, ray: Any, mailbox: Any, told: Told | None) -> None:
        self.ray, self.mailbox, self._told = ray, mailbox, told

    def pass_on(self) -> None:
        """All that was said so far."""
        if self.mailbox is None or self._told is None:
            return
        said: list[Any] = []
        with suppress(self.ray.exceptions.RayError):
            said = self.ray.get(self.mailbox.take.remote(), timeout=_END_S)
        for what in said:
            self._told(what)


class _KeptThere:
    """An actor that holds the object. Where it died, the next call, or the one under way, makes it anew."""

    def __init__(self, cluster: Cluster, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._cluster, self._packed = cluster, packed(make, *arguments)
        self._called = getattr(make, "__name__", "object")
        self._actor: Any = None
        self._number = 0

    def call(self, method: str, *arguments: Any, stop: Asked = never) -> Any:
        ray = self._cluster.connected()
        tries = Tries(f"{self._called}.{method}")
        said = packed(*arguments)
        try:
            outcome = None
            while outcome is None:
                outcome = self._try(ray, tries, method, said, stop)
        except ConnectionError as error:
            self._actor = None
            raise self._cluster.gone(error) from error
        return result_of(outcome)

    def _try(self, ray: Any, tries: Tries, method: str, said: bytes, stop: Asked) -> Outcome | None:
        """What came of it; None where the actor died."""
        self._number += 1
        if self._actor is None:
            holder = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=2)(_Holder)
            self._actor = holder.remote(self._packed, environment())
        reference = self._actor.call.remote(self._number, method, said)
        stopped = False
        while not ray.wait([reference], timeout=_LOOK_S)[0]:
            if not stopped and stop():
                stopped = True
                self._actor.stop.remote(self._number)
        outcome = _outcome(ray, reference, tries)
        if outcome is None:
            self._actor = None
        return outcome

    def close(self) -> None:
        if self._actor is not None:
            with suppress(ConnectionError):
                self._cluster.connected().kill(self._actor)
            self._actor = None


class _Holder:
    """The actor: the object, and which call is to end early. `stop` runs beside `call`."""

    def __init__(self, job: bytes, variables: dict[str, str]) -> None:
        self._made = carry_out(job, variables)
        self._stopped = 0

    def call(self, number: int, method: str, arguments: bytes) -> Outcome:
        """What came of the method, or of making the object where that failed."""
        well, made = self._made
        if not well:
            return self._made
        return attempt(lambda: getattr(made, method)(*unpacked(arguments), stop=lambda: self._stopped >= number))

    def stop(self, number: int) -> None:
        """End that call early."""
        self._stopped = max(self._stopped, number)


class _Connection:
    """A thread that connects, and lives as long as the connection: what a local cluster consists of ends with the
    thread that started it, and in another than the main thread Ray leaves the signals to us."""

    def __init__(self, address: str, workers: int | None) -> None:
        self._address, self._workers = address, workers
        self._thread: threading.Thread | None = None
        self._known, self._over = threading.Event(), threading.Event()
        self._ray: Any = None
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def open(self) -> Any:
        """The connected `ray` module. Raises UnavailableError; then the next call tries again."""
        with self._lock:
            if self._thread is None:
                self._known.clear()
                self._over.clear()
                self._thread = threading.Thread(target=self._run, name="ray", daemon=True)
                self._thread.start()
            self._known.wait()
            if self._error is not None:
                self._thread.join()
                self._thread = None
                raise self._error
        return self._ray

    def close(self) -> None:
        """Disconnect; a local cluster ends."""
        with self._lock:
            if self._thread is not None:
                self._over.set()
                self._thread.join()
                self._thread = None

    def _run(self) -> None:
        self._ray = self._error = None
        folder = _prepare() if self._address == "ray" else None
        try:
            self._ray = _connect(self._address, self._workers, folder)
        except Exception as error:
            self._error = _unavailable(self._address, error)
        self._known.set()
        try:
            if self._error is None:
                self._over.wait()
                self._ray.shutdown()
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def _prepare() -> str:
    """What Ray reads when it is imported or started, for a local cluster; returns its folder, whose name is short
    since it holds sockets."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only, as it is on those systems
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # read once in a process
    for left in Path("/tmp").glob(f"{_FOLDER}*"):  # by a process that was killed
        pid = left.name.removeprefix(_FOLDER).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir="/tmp")


def _connect(address: str, workers: int | None, folder: str | None) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A job that asked for no GPU sees those of the machine all the same, as in a process.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    # What it says of workers that died is printed into what a command prints; we say it in the log.
    vars(ray._private.worker)["print_to_stdstream"] = _unsaid
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if folder is None:
        ray.init(address, **quiet)
        return ray
    for name, value in environment().items():
        os.environ.setdefault(name, value)  # read by workers that already run before they are told
    ray.init(
        num_cpus=workers or os.cpu_count(),
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _temp_dir=folder,
        **quiet,
    )
    return ray


def _unsaid(data: Any, ignore_prefix: bool = False) -> None:
    """In place of printing to standard output."""


def _task(ray: Any, gpus: int) -> Any:
    # Repeats are counted here, for every way of dying alike.
    return ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_carry_out)


def _carry_out(job: bytes, variables: dict[str, str], mailbox: Any) -> Outcome:
    """In the worker. What the job said has arrived when its outcome does."""
    listen_to_interrupts()
    if mailbox is None:
        return carry_out(job, variables)
    said: deque[Any] = deque(maxlen=1)
    outcome = carry_out(job, variables, lambda what: said.append(mailbox.put.remote(what)))
    if said:
        import ray

        with suppress(ray.exceptions.RayError):
            ray.get(said[0], timeout=_END_S)
    return outcome


def _outcome(ray: Any, reference: Any, job: Tries) -> Outcome | None:
    """What came of a job; None where its worker died and it is to be repeated."""
    try:
        found: Outcome = ray.get(reference)
        return found
    except ray.exceptions.RayTaskError as error:  # not the job's own error, which is an outcome
        raise UnavailableError(
            f"a worker of the cluster could not carry it out ({_short(error)}).",
            field=job.name,
            hint="Every machine of the cluster needs the same hitl, Python and packages as this one.",
        ) from error
    except ray.exceptions.TaskCancelledError as error:
        raise UnavailableError("somebody cancelled it.", field=job.name, hint="Try again.") from error
    except ray.exceptions.RayError as error:
        job.lost(_short(error))
        return None


def _unavailable(what: str, error: Exception) -> Exception:
    if isinstance(error, HitlError):
        return error
    hint = "Is it running, and is its token here (RAY_AUTH_MODE, RAY_AUTH_TOKEN)? What is finished is kept; try again."
    return UnavailableError(f"the cluster cannot be used ({_short(error)}).", field=what, hint=hint)


def _short(error: Exception) -> str:
    """The first line of what Ray says, which goes on for a page."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
