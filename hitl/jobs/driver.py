"""The driver: the process that is connected to a Ray cluster, and what workers do there. The only module that imports
Ray.

Each conversation has a pipe and a thread. What goes to jobs and comes from them passes as it is packed. What cannot be
helped here ends the process, and a local cluster with it: the other end (`cluster`) sees to it that work is repeated.
A local cluster listens on loopback alone, with a token of its own that is in no file, starts no dashboard and sends no
usage statistics. A cluster that is there is taken as it is; every machine of it needs the same hitl installed.
Knows nothing of what jobs do.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import shutil
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from hitl.errors import HitlError, UnavailableError
from hitl.jobs.child import take_interrupts
from hitl.jobs.work import attempt, carry_out, environment, listen_to_interrupts, packed, unpacked

FOLDER = "/tmp/hitl-ray-"
"""How the names of folders for local clusters begin: short, since they hold sockets."""
LOG = "driver.log"
"""In the folder that it is given: what it and Ray say."""
HINT = "Is it running, and is its token here (RAY_AUTH_MODE, RAY_AUTH_TOKEN)? What is finished is kept; try again."

_LOOK_S = 0.1
"""So often what is asked meanwhile is looked at, and what a job says is fetched."""
_WATCH_S = 2.0
"""So often it is looked at whether the cluster is there."""
_END_S = 60.0
"""So long a job that was interrupted may take to save what it has."""
_STORE_BYTES = 512 * 2**20
"""What a local cluster may hold in shared memory, at most."""
_MACHINE_S = 60.0
_PARTS = ("gcs_server", "raylet")

Asked = queue.SimpleQueue[Any]
"""What the other end says, and None when it says no more."""


def serve(control: Connection, address: str, workers: int | None, folder: str) -> None:
    """Connect, and hold the conversations whose pipes come, until the other end is closed. address, workers: as of
    `Cluster`; folder: for what Ray writes, removed in the end."""
    take_interrupts(signal.SIG_IGN)
    over = threading.Event()
    try:
        with open(Path(folder) / LOG, "ab", buffering=0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            ray = _connect(address, workers, folder)
        except Exception as error:
            control.send(("failed", _unavailable(address, error)))
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # our parent ends
        try:
            control.send(("connected",))
            _listen(ray, control, address, over)
        except (EOFError, BrokenPipeError, ConnectionResetError, SystemExit):
            over.set()
        except Exception:
            _die(traceback.format_exc())
        ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listen(ray: Any, control: Connection, address: str, over: threading.Event) -> None:
    """Begin conversations, and look whether the cluster is there, until EOFError."""
    parts = [part for part in psutil.Process().children() if part.name() in _PARTS]
    while True:
        if control.poll(_WATCH_S):
            pipe = Connection(reduction.recv_handle(control))
            threading.Thread(target=_converse, args=(ray, pipe, over), daemon=True).start()
        elif gone := _gone(ray, address, parts):
            _die(f"{gone} has ended")


def _others() -> bool:
    """Whether a cluster runs on this machine that is not a local one of ours, which Ray would take as well."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and not any(FOLDER in part for part in process.info["cmdline"] or ()):
            return True
    return False


def _gone(ray: Any, address: str, parts: list[psutil.Process]) -> str:
    """What of the cluster has ended; empty where all is well. For some of it Ray would wait for ever."""
    for part in parts:
        if not part.is_running() or part.status() == psutil.STATUS_ZOMBIE:
            return f"Ray's process {part.pid}"
    if address == "auto":
        here = ray.get_runtime_context().get_node_id()
        if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == here):
            return "this machine's part of the cluster"
    return ""


def _die(why: str) -> None:
    """End this process at once; the other end reads why."""
    print(why, file=sys.stderr, flush=True)
    os._exit(1)


def _connect(address: str, workers: int | None, folder: str) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A job that asked for no GPU sees those of the machine all the same, as in a process.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # What Ray reads when it is imported.
    if address == "ray":
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only, as it is on those systems
        os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
        for name, value in environment().items():
            os.environ.setdefault(name, value)  # read by workers that already run before they are told
    else:
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # one try of 40 s, and not twenty
    if address == "auto" and not os.environ.get("RAY_ADDRESS") and not _others():
        raise ConnectionError("no Ray cluster runs on this machine")
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address == "ray":
        quiet |= {"num_cpus": workers or os.cpu_count(), "include_dashboard": False}
        ray.init(object_store_memory=_STORE_BYTES, _temp_dir=folder, **quiet)
    else:
        ray.init(address, **quiet)
    return ray


# -- conversations ------------------------------------------------------------------------------------------------


def _converse(ray: Any, pipe: Connection, over: threading.Event) -> None:
    """One conversation, about what is said first."""
    asked: Asked = queue.SimpleQueue()
    # Read at once, so that neither end waits for the other with its hands full.
    reader = threading.Thread(target=_read, args=(pipe, asked), daemon=True)
    reader.start()
    abouts: dict[str, Callable[..., None]] = {"jobs": _jobs, "keep": _keep, "everywhere": _everywhere}
    with pipe:
        try:
            try:
                if (first := asked.get()) is not None:
                    about, *rest = first
                    abouts[about](ray, asked, pipe, *rest)
            except HitlError as error:
                pipe.send(("failed", error))
            pipe.send(("end",))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass  # nobody listens any more
        except Exception:
            if not over.is_set():
                _die(traceback.format_exc())
        reader.join()


def _read(pipe: Connection, asked: Asked) -> None:
    with suppress(EOFError, OSError):
        while True:
            asked.put(pipe.recv())
    asked.put(None)


def _jobs(ray: Any, asked: Asked, pipe: Connection, telling: bool, device: str) -> None:
    """Jobs side by side. Of each comes its number, name, itself, and its environment; None ends those under way."""
    have = ray.cluster_resources()
    # Twice as many as there are cores, so that none waits for the other end.
    pipe.send(("most", max(2, 2 * int(have.get("CPU", 1)))))
    gpus = 1 if device.startswith("cuda") or (device == "auto" and have.get("GPU", 0) >= 1) else 0
    # Repeats are counted at the other end, for every way of dying alike.
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_carry_out)
    mailbox = ray.remote(num_cpus=0)(_Mailbox).remote() if telling else None
    busy: dict[Any, tuple[int, str]] = {}
    try:
        while True:
            with suppress(queue.Empty):
                while (request := asked.get(block=not busy)) is not None:
                    number, name, job, variables = request
                    busy[task.remote(job, variables, mailbox)] = number, name
                return
            ready, _ = ray.wait(list(busy), timeout=_LOOK_S)
            _pass_on(ray, mailbox, pipe)
            for reference in ready:
                number, name = busy.pop(reference)
                how, what = _answer(ray, reference, name)
                pipe.send((how, number, what))
    finally:
        for reference in busy:  # they may save what they have
            ray.cancel(reference)
        if busy:
            ray.wait(list(busy), num_returns=len(busy), timeout=_END_S)
            _pass_on(ray, mailbox, pipe)
        if mailbox is not None:
            ray.kill(mailbox)


def _keep(ray: Any, asked: Asked, pipe: Connection) -> None:
    """An object, from what it is made of and its environment; then calls: name, method, arguments. Anything else
    meanwhile ends the call early."""
    if (made_of := asked.get()) is None:
        return
    actor = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=2)(_Holder).remote(*made_of)
    del made_of
    number = 0
    try:
        while (request := asked.get()) is not None:
            if len(request) < 3:
                continue  # to end a call that had just ended
            name, method, arguments = request
            number += 1
            reference = actor.call.remote(number, method, arguments)
            while not ray.wait([reference], timeout=_LOOK_S)[0]:
                with suppress(queue.Empty):
                    if asked.get(block=False) is None:
                        return
                    actor.stop.remote(number)
            pipe.send(_answer(ray, reference, name))
    finally:
        ray.kill(actor)


def _everywhere(ray: Any, asked: Asked, pipe: Connection, job: bytes, variables: dict[str, str]) -> None:
    """A job on every machine; says what came of it by machine."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    found = {}
    for node in (node for node in ray.nodes() if node["Alive"]):
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(_carry_out)
        name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        try:
            found[name] = ray.get(task.remote(job, variables, None), timeout=_MACHINE_S)
        except ray.exceptions.RayError as error:
            raise _unavailable(name, error) from error
    pipe.send(("done", found))


def _pass_on(ray: Any, mailbox: Any, pipe: Connection) -> None:
    """All that was said so far; where the mailbox is lost, only that is."""
    said: list[bytes] = []
    if mailbox is not None:
        with suppress(ray.exceptions.RayError):
            said = ray.get(mailbox.take.remote(), timeout=_END_S)
    for what in said:
        pipe.send(("told", what))


def _answer(ray: Any, reference: Any, name: str) -> tuple[str, Any]:
    """("done", what came of it), or ("lost", why) where its worker died."""
    try:
        return "done", ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # not the job's own error, which is an outcome
        raise UnavailableError(
            f"a worker of the cluster could not carry it out ({_short(error, -1)}).",
            field=name,
            hint="Every machine of the cluster needs the same hitl, Python and packages as this one.",
        ) from error
    except ray.exceptions.TaskCancelledError as error:
        raise UnavailableError("somebody cancelled it.", field=name, hint="Try again.") from error
    except ray.exceptions.RayError as error:
        return "lost", _short(error)


def _unavailable(what: str, error: Exception) -> HitlError:
    if isinstance(error, HitlError):
        return error
    return UnavailableError(f"the cluster cannot be used ({_short(error)}).", field=what, hint=HINT)


def _short(error: Exception, line: int = 0) -> str:
    """One line of what Ray says, which goes on for a page."""
    lines = [one.strip() for one in str(error).splitlines() if one.strip()]
    return f"{type(error).__name__}: {lines[line][:160]}" if lines else type(error).__name__


# -- in workers ---------------------------------------------------------------------------------------------------


class _Mailbox:
    """What a job says until somebody fetches it: an actor beside the job."""

    def __init__(self) -> None:
        self._said: list[bytes] = []

    def put(self, what: bytes) -> None:
        """Say something."""
        self._said.append(what)

    def take(self) -> list[bytes]:
        """What was said since the last time."""
        said, self._said = self._said, []
        return said


class _Holder:
    """The actor: the object, and which call is to end early. `stop` runs beside `call`."""

    def __init__(self, job: bytes, variables: dict[str, str]) -> None:
        self._made = carry_out(job, variables)
        self._stopped = 0

    def call(self, number: int, method: str, arguments: bytes) -> bytes:
        """What came of the method, or of making the object where that failed; packed."""
        well, made = self._made
        if not well:
            return packed(well, made)
        return packed(
            *attempt(lambda: getattr(made, method)(*unpacked(arguments), stop=lambda: self._stopped >= number))
        )

    def stop(self, number: int) -> None:
        """End that call early."""
        self._stopped = max(self._stopped, number)


def _carry_out(job: bytes, variables: dict[str, str], mailbox: Any) -> bytes:
    """What came of it, packed. What the job said has arrived when that does."""
    listen_to_interrupts()
    if mailbox is None:
        return packed(*carry_out(job, variables))
    said: deque[Any] = deque(maxlen=1)
    outcome = carry_out(job, variables, lambda what: said.append(mailbox.put.remote(packed(what))))
    if said:
        import ray

        with suppress(ray.exceptions.RayError):
            ray.get(said[0], timeout=_END_S)
    return packed(*outcome)
