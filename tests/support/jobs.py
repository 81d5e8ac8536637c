"""Jobs for places: they compute, say something, fail, or die. Importable by name, as workers need them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hitl.errors import InputError
from hitl.jobs.driver import LOG

if TYPE_CHECKING:
    from hitl.config import Settings
    from hitl.evaluation.packing import Job
    from hitl.evaluation.packing_episode import LearnJob
    from hitl.evaluation.packing_summary import Episode

PATIENCE_S = 120.0


def square(number: int) -> int:
    return number * number


def doubled(much: bytes) -> bytes:
    return much * 2


def unnamed() -> Any:
    """Something that cannot be sent back."""
    return lambda: None


def process() -> int:
    return os.getpid()


def variables() -> dict[str, str]:
    return {name: os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "LP_NUM_THREADS", "MUJOCO_GL")}


def refuse(field: str) -> None:
    raise InputError("cannot be used.", field=field, hint="Give another.")


def say(count: int, told: Callable[[Any], None]) -> str:
    for number in range(count):
        told(("number", number))
    return "said"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_first(mark: str, number: int) -> tuple[int, int]:
    """Dies where nobody died before; then its number and process."""
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return number, os.getpid()
    die()
    raise AssertionError


def wait_for(path: str, begun: str) -> str:
    """Until the file is there; where it is interrupted meanwhile, `<begun>.saved` is written."""
    Path(begun).write_text(str(os.getpid()))
    try:
        until(Path(path).exists)
    except KeyboardInterrupt:
        Path(f"{begun}.saved").touch()
        raise
    return "found"


def noted(folder: str, number: int, go: str) -> int:
    """Writes down that it began; then waits until the file `go` is there, where one is named."""
    with (Path(folder) / str(number)).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if go:
        until(Path(go).exists)
    return number


def kill_driver() -> None:
    """In a worker of a local Ray cluster: kills the process that started it all."""
    driver = next(above.parent() for above in psutil.Process().parents() if above.name() == "raylet")
    driver.kill()
    until(lambda: False)


def end_at_once(control: Any, address: str, workers: int | None, folder: str) -> None:
    """In place of a driver: one that ends before it is connected."""
    (Path(folder) / LOG).write_text("[2026-11-27 00:35:55,521 E 1 2] rpc_client.h:204: No head is there.\n")
    os._exit(3)


def until(true: Callable[[], Any]) -> Any:
    end_s = time.monotonic() + PATIENCE_S
    while not (found := true()):
        if time.monotonic() > end_s:
            raise TimeoutError
        time.sleep(0.02)
    return found


class Counter:
    """Counts from what it was made with; `count` is what a lost one forgets."""

    def __init__(self, first: int) -> None:
        if first < 0:
            raise InputError("is less than nothing.", field="first")
        self.count = first

    def add(self, number: int, stop: Callable[[], bool]) -> tuple[int, int]:
        self.count += number
        return self.count, os.getpid()

    def until_stopped(self, begun: str, stop: Callable[[], bool]) -> str:
        """Ends by itself only where it is told to."""
        with Path(begun).open("a") as file:
            file.write(f"{os.getpid()}\n")
        until(stop)
        return "stopped"


def episode(settings: Settings, job: Job | LearnJob) -> Episode:
    """In place of playing one; whoever plays number 2 first is killed."""
    from hitl.evaluation.packing import Job  # takes seconds, which the other jobs' workers need not
    from hitl.evaluation.packing_summary import Episode

    assert isinstance(job, Job)
    if job.number == 2:
        die_at_first(str(Path(settings.data) / "mark"), 2)
    rest = {"stage": 1, "stages": 3, "success": True, "seconds": 1.0, "corrections": 0}
    return Episode(mode=job.mode, condition=job.condition, number=job.number, **rest)
