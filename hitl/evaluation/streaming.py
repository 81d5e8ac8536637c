"""`hitl bench stream`: how old a picture is when the window could paint it.

The robot's process captures three synthetic cameras of 640x480 at 30 Hz; pictures travel through the hub; this process
is the window's side and makes of each an RGB array that Qt can paint. The delay is from the capture's stamp to that
moment, on the machine's monotonic clock. The backend runs without policies: inference is not what is measured.

`python -m hitl.evaluation.streaming` is that backend.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from hitl.backend.loaded_model import Model
from hitl.backend.server import run_backend
from hitl.bus import Link, Received
from hitl.bus.addresses import endpoints_of
from hitl.clock import SystemClock
from hitl.config import Settings, load_settings
from hitl.errors import UnavailableError
from hitl.launch import System
from hitl.messages import Frame

CAMERAS = 3
CAMERA_HZ = 30.0
WARM_UP_S = 3.0
READY_S = 60.0
DRIVER = "synthetic-stream"


@dataclass
class Counts:
    """What arrived."""

    delays_ms: list[float] = field(default_factory=list)
    cameras: Counter[str] = field(default_factory=Counter)


def decode(received: Received) -> NDArray[np.uint8]:
    """The RGB picture `(h, w, 3)` of a Frame, contiguous, ready to be painted."""
    frame = received.message
    if frame.encoding == "jpeg":
        coded = np.frombuffer(received.payloads[0], dtype=np.uint8)
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
    return np.frombuffer(received.payloads[0], dtype=np.uint8).reshape(frame.height, frame.width, 3)


def watch(system: System, link: Link, seconds: float) -> Counts:
    """Receive and decode for `seconds`."""
    clock, counts = SystemClock(), Counts()
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        system.check()
        for received in link.poll(20):
            if isinstance(received.message, Frame):
                decode(received)
                counts.delays_ms.append((clock.now_ns() - received.message.stamp_ns) / 1e6)
                counts.cameras[received.message.camera] += 1
    return counts


def run(settings: Settings, *, seconds: float = 20.0, seed: int = 0) -> dict[str, Any]:
    """Measure for `seconds`; prints a table, returns what JSON shows. Raises UnavailableError where a part fails."""
    with TemporaryDirectory(prefix="hitl-bench-") as folder:
        bench = msgspec.structs.replace(settings, data=folder, seed=seed, driver=DRIVER, shift="nominal")
        backend = [sys.executable, "-m", "hitl.evaluation.streaming"]
        with System(bench, commands={"backend": backend}) as system:
            with Link(endpoints_of(system.settings), "gui", "bench") as link:
                _wait_for_pictures(system, link)
                before, began_s = _cpu_seconds(system), time.monotonic()
                counts = watch(system, link, seconds)
                wall_s = time.monotonic() - began_s
                used = {name: spent - before[name] for name, spent in _cpu_seconds(system).items()}
    result = _result(counts, used, wall_s)
    result["seed"] = seed
    _print_table(result, used, wall_s)
    return result


def _wait_for_pictures(system: System, link: Link) -> None:
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        if len(watch(system, link, 0.2).cameras) == CAMERAS:
            watch(system, link, WARM_UP_S)
            return
    raise UnavailableError(f"no pictures of {CAMERAS} cameras after {READY_S:g} s.", field="bench stream")


def _cpu_seconds(system: System) -> dict[str, float]:
    """CPU time of each process so far, user and system."""
    pids = {child.name: child.process.pid for child in system.supervisor.children if child.process is not None}
    pids["window"] = os.getpid()
    times = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
    return {name: spent.user + spent.system for name, spent in times.items()}


def _result(counts: Counts, used: Mapping[str, float], wall_s: float) -> dict[str, Any]:
    received = len(counts.delays_ms)
    expected = CAMERAS * int(CAMERA_HZ * wall_s)
    p50, p95 = np.percentile(counts.delays_ms, [50, 95]) if received else (float("nan"), float("nan"))
    return {
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "cpu_share": round(sum(used.values()) / wall_s / (os.cpu_count() or 1), 3),
        "dropped": max(0, expected - received),
        "received": received,
        "expected": expected,
    }


def _print_table(result: Mapping[str, Any], used: Mapping[str, float], wall_s: float) -> None:
    print(f"\ncapture to ready to paint, {CAMERAS} cameras of 640x480 at {CAMERA_HZ:g} Hz, {wall_s:.0f} s")
    for name in ("p50_ms", "p95_ms", "received", "expected", "dropped"):
        print(f"  {name:12s}{result[name]:>10}")
    print(f"  {'cpu_share':12s}{result['cpu_share']:>10.1%}  of {os.cpu_count()} cores")
    for name, spent in used.items():
        print(f"    {name:10s}{spent / wall_s:>10.1%}  of one core")


def _no_policy(settings: Settings) -> Model:
    raise UnavailableError("this bench runs without policies.", field="model")


if __name__ == "__main__":
    found = load_settings()
    logging.basicConfig(level="CRITICAL")
    run_backend(found, _no_policy)
