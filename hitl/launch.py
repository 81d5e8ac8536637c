"""Starts the parts of hitl as processes of their own and keeps them running. Knows commands, not what they do.

Each child gets the same settings through HITL_* variables, one thread for each numeric library, and on Linux the order
to end when this process dies. One that fails is started again after a pause that doubles; one that says that its
settings are wrong (exit status 2) is not.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import msgspec

from hitl.bus import Link
from hitl.bus.addresses import beside_backend, client_keys_of, endpoints_of
from hitl.config import Settings, to_environment
from hitl.errors import UnavailableError
from hitl.messages import BackendStatus

WRONG_SETTINGS = 2
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 20.0
"""A child that ran this long failed for another reason than at its start: its pause is short again."""
_END_S = 8.0
_EVERY_S = 0.2
_LOOK_S = 1.5
_PR_SET_PDEATHSIG = 1
_STDERR = 2

# One thread each: on few cores, pools of several processes take turns at waiting for each other. MuJoCo draws without
# a display, and llvmpipe (software drawing) would start a thread a core.
_THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "LP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

Say = Callable[[str], None]


def _say(text: str) -> None:
    print(f"[hitl] {text}", file=sys.stderr, flush=True)


def part(name: str) -> list[str]:
    """The command of a part: backend, recognizer, learner, robot or gui."""
    return [sys.executable, "-m", "hitl.cli", name]


@dataclass
class Child:
    """One supervised process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    again: bool = True
    """Whether it is started again when it ends with an error."""
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    due_s: float | None = 0.0
    status: int | None = None
    """Exit status, once it has ended and stays so."""


@dataclass
class Supervisor:
    """Children and what is to be done about them. `poll` now and then; `close` ends all."""

    say: Say = _say
    children: list[Child] = field(default_factory=list)

    def add(self, child: Child) -> Child:
        """Start a child and keep it running."""
        self.children.append(child)
        self._start(child)
        return child

    def poll(self) -> None:
        """Take note of children that ended, and start those again whose pause is over."""
        now_s = time.monotonic()
        for child in self.children:
            status = child.process.poll() if child.process is not None else None
            if status is not None:
                self._ended(child, status, now_s)
            elif child.process is None and child.due_s is not None and now_s >= child.due_s:
                self._start(child)

    def close(self) -> None:
        """End all children, the last one first: SIGTERM, then SIGKILL to those that do not listen."""
        for child in reversed(self.children):
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        end_s = time.monotonic() + _END_S
        for child in reversed(self.children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} does not end; it is killed")
                child.process.kill()
                child.process.wait()
        self.children.clear()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, child: Child) -> None:
        child.started_s, child.due_s = time.monotonic(), None
        child.process = subprocess.Popen(
            child.command,
            env={**os.environ, **_THREADS, **child.environment},
            stdout=_STDERR,  # standard output is for results
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )

    def _ended(self, child: Child, status: int, now_s: float) -> None:
        child.process = None
        if status == 0 or status == WRONG_SETTINGS or not child.again:
            child.status = status
            return
        if now_s - child.started_s > _STEADY_S:
            child.pause_s = _FIRST_PAUSE_S
        child.due_s = now_s + child.pause_s
        how = f"signal {-status}" if status < 0 else f"status {status}"
        self.say(f"{child.name} ended with {how}; it starts again in {child.pause_s:g} s")
        child.pause_s = min(2 * child.pause_s, _LONGEST_PAUSE_S)


def _end_with_parent() -> None:
    """Between fork and exec: the kernel sends SIGTERM when the thread that started this child is gone."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class System:
    """Backend and robot as child processes on private sockets; for demo, benches and experiments.

    `commands` replaces the command of a part, so that tests can run one with a scripted policy; `parts` are those that
    are started.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        commands: Mapping[str, Sequence[str]] | None = None,
        parts: Sequence[str] = ("backend", "robot"),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hitl-"))
        self.settings = msgspec.structs.replace(settings, sockets=str(self.folder), host="", keys="")
        self.supervisor = Supervisor()
        self._commands = commands or {}
        self._parts = parts

    def __enter__(self) -> System:
        try:
            for name in self._parts:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def start(self, name: str, *, again: bool = True) -> Child:
        """Start a part under supervision."""
        command = self._commands.get(name) or part(name)
        return self.supervisor.add(Child(name, command, to_environment(self.settings), again))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> None:
        """Restart what failed. Raises UnavailableError where a part has ended for good."""
        self.supervisor.poll()
        for child in self.supervisor.children:
            if child.status is not None:
                raise UnavailableError(f"it ended with status {child.status} (it said why above).", field=child.name)

    def close(self) -> None:
        """End the parts and remove the private sockets."""
        self.supervisor.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def parts_beside(settings: Settings, commands: Mapping[str, Sequence[str]] | None = None) -> Iterator[None]:
    """While the backend of the settings serves in this process, keep what they want beside it running: a recognizer,
    and a learner of rewards.

    commands: in place of `hitl recognizer` and `hitl learner`. Raises ConfigError where keys are needed and cannot be
    made.
    """
    wanted = {"recognizer": settings.recognizer_at == "backend", "learner": settings.learner}
    names = [name for name, there in wanted.items() if there]
    if not names:
        yield
        return
    environments = {name: to_environment(beside_backend(settings, name)) for name in names}
    closing = threading.Event()

    def watch() -> None:
        # Started here, since a child ends with the thread that started it.
        with Supervisor() as supervisor:
            for name in names:
                supervisor.add(Child(name, (commands or {}).get(name) or part(name), environments[name]))
            while not closing.wait(_EVERY_S):
                supervisor.poll()

    watching = threading.Thread(target=watch, name="parts")
    watching.start()
    try:
        yield
    finally:
        closing.set()
        watching.join()


def annotate(settings: Settings) -> int:
    """`hitl annotate`: open the window to label outputs; a backend is started where none is there, without a robot.

    Raises UnavailableError without a display.
    """
    _need_display("Start hitl from a desktop.")
    alone = msgspec.structs.replace(settings, policy=False)
    return _window(alone, {"backend": alone} if "backend" in _missing(settings) else {})


def everything(settings: Settings) -> int:
    """`hitl`: open the window and start what is missing; what was started ends with the window.

    Raises UnavailableError without a display.
    """
    _need_display("Start hitl from a desktop, or run: hitl demo --headless.")
    return _window(settings, dict.fromkeys(_missing(settings), settings))


def _need_display(hint: str) -> None:
    if not has_display():
        raise UnavailableError("there is none, so no window can open.", field="display", hint=hint)


def _window(settings: Settings, parts: Mapping[str, Settings]) -> int:
    """The window, and these parts as long as it is open."""
    with Supervisor() as supervisor:
        for name, own in parts.items():
            _say(f"starting the {name}")
            supervisor.add(Child(name, part(name), to_environment(own)))
        window = supervisor.add(Child("gui", part("gui"), to_environment(settings)))
        return _until_closed(supervisor, window)


def demo(settings: Settings) -> int:
    """`hitl demo` with a display: backend, robot and window on private sockets."""
    with System(settings) as system:
        return _until_closed(system.supervisor, system.start("gui"))


def _until_closed(supervisor: Supervisor, window: Child) -> int:
    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        while window.status is None:
            supervisor.poll()
            time.sleep(_EVERY_S)
        return window.status
    finally:
        signal.signal(signal.SIGTERM, before)


def _missing(settings: Settings) -> list[str]:
    """Which of backend and robot do not run yet at the addresses of the settings. Elsewhere nothing is started."""
    if not settings.on_this_machine:
        return []
    with Link(endpoints_of(settings), "gui", "launch", keys=client_keys_of(settings)) as link:
        end_s = time.monotonic() + _LOOK_S
        while time.monotonic() < end_s:
            for received in link.poll(50):
                if isinstance(received.message, BackendStatus):
                    return [] if received.message.robot == "connected" else ["robot"]
        return ["robot"] if link.connected else ["backend", "robot"]


def has_display() -> bool:
    """Whether a window can open."""
    if sys.platform == "linux":
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
