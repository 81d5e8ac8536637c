"""`hitl bench correction`: how long a typed correction takes to move the robot.

Backend and robot run as processes of their own, this process is the window's side: an outbox on disk and a link.
At random moments a correction is submitted; its delay ends at the beginning of the first tick whose action ran under
it (`RobotState.command_id`, `stamp_ns`; all processes share the machine's monotonic clock). Lost: not executed within
`PATIENCE_S`, or not in the feedback log. Duplicated: more than once in the log or begun more than once.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from hitl.bus import Link, Outbox
from hitl.bus.addresses import endpoints_of
from hitl.clock import SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.events import CorrectionEvent
from hitl.launch import System
from hitl.messages import BackendStatus, Correction, CorrectionStatus, RobotState, Welcome
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog

READY_S = 180.0
PATIENCE_S = 5.0
PAUSE_S = (0.05, 0.45)
"""Random moments: between the end of one measurement and the next correction [s]."""
FREE_WORDING = 0.25
"""Share of corrections in words that the command bank does not have, so that they are embedded and looked up."""


class Person:
    """The window's side of the bench: submits, and notes what the robot and the backend say."""

    def __init__(self, system: System, link: Link, rng: random.Random) -> None:
        self._system = system
        self._link = link
        self._rng = rng
        self._clock = SystemClock()
        self._commands: list[str] = []
        self._status: BackendStatus | None = None
        self._state: RobotState | None = None
        self._executed: dict[str, int] = {}
        self.begun: Counter[str] = Counter()
        self.sent: dict[str, int] = {}

    @property
    def policy(self) -> str:
        """Name of the policy that ran."""
        return self._status.policy if self._status else ""

    def wait_until_ready(self) -> None:
        """Until the robot moves under the policy. Raises UnavailableError with what is still waited for."""
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s:
            self._step(50)
            running = self._state is not None and self._state.mode == "running"
            if running and self._commands and self._status is not None and not self._status.waiting_for:
                return
        waiting = self._status.waiting_for if self._status else "the backend"
        raise UnavailableError(f"not ready after {READY_S:g} s: it waits for {waiting}.", field="bench correction")

    def correct(self) -> float | None:
        """Submit one correction at a random moment; its delay in ms, None where it was not executed in time."""
        pause_end_s = time.monotonic() + self._rng.uniform(*PAUSE_S)
        while (left_s := pause_end_s - time.monotonic()) > 0:
            self._step(min(5, max(1, round(left_s * 1000))))
        correction = Correction(
            id=new_ulid(), author="bench", stamp_ns=self._clock.now_ns(), text=self._text(), source="script"
        )
        self.sent[correction.id] = correction.stamp_ns
        self._link.submit(correction)
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if correction.id in self._executed:
                return (self._executed[correction.id] - correction.stamp_ns) / 1e6
            self._step(20)
        return None

    def _text(self) -> str:
        text = self._rng.choice(self._commands)
        return f"now could you {text} for me" if self._rng.random() < FREE_WORDING else text

    def _step(self, wait_ms: int) -> None:
        self._system.check()
        for received in self._link.poll(wait_ms):
            message = received.message
            if isinstance(message, RobotState):
                self._state = message
                if message.command_id:
                    self._executed.setdefault(message.command_id, message.stamp_ns)
            elif isinstance(message, BackendStatus):
                self._status = message
            elif isinstance(message, Welcome):
                self._commands = [text for text in message.commands if text]
            elif isinstance(message, CorrectionStatus) and message.state == "acting":
                self.begun[message.id] += 1


def run(
    settings: Settings, *, n: int = 200, seed: int = 0, commands: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Measure `n` corrections with the driver and model of the settings; prints a table, returns what JSON shows.

    `commands` replaces the command of a part (`hitl.launch.System`). Raises UnavailableError where a part fails.
    """
    rng = random.Random(seed)
    with TemporaryDirectory(prefix="hitl-bench-") as folder:
        bench = msgspec.structs.replace(settings, data=folder, seed=settings.seed or seed)
        with System(bench, commands=commands) as system:
            outbox = Outbox(Path(folder) / "outbox.sqlite")
            with Link(endpoints_of(system.settings), "gui", "bench", outbox=outbox) as link:
                person = Person(system, link, rng)
                person.wait_until_ready()
                delays = []
                for number in range(1, n + 1):
                    delays.append(person.correct())
                    if number % 50 == 0:
                        print(f"{number} of {n} corrections", flush=True)
            outbox.close()
        logged = _logged(Path(folder))
    result = _result(person, delays, logged)
    result.update(seed=seed, driver=settings.driver, policy=person.policy)
    _print_table(result)
    return result


def _logged(folder: Path) -> Counter[str]:
    log = FeedbackLog(Catalog(folder).log_file)
    try:
        return Counter(event.id for event in log.events(kind=CorrectionEvent))
    finally:
        log.close()


def _result(person: Person, delays: Sequence[float | None], logged: Counter[str]) -> dict[str, Any]:
    executed = [delay for delay in delays if delay is not None]
    lost = sum(delay is None or not logged[id_] for delay, id_ in zip(delays, person.sent, strict=True))
    twice = sum(logged[id_] > 1 or person.begun[id_] > 1 for id_ in person.sent)
    p50, p90, p99, greatest = np.percentile(executed, [50, 90, 99, 100]) if executed else [float("nan")] * 4
    return {
        "n": len(delays),
        "p50_ms": round(float(p50), 2),
        "p90_ms": round(float(p90), 2),
        "p99_ms": round(float(p99), 2),
        "max_ms": round(float(greatest), 2),
        "lost": lost,
        "duplicated": twice + sum(id_ not in person.sent for id_ in logged),
    }


def _print_table(result: Mapping[str, Any]) -> None:
    print(f"\ntyped correction to first action under it, driver {result['driver']}, policy {result['policy']}")
    for name in ("n", "p50_ms", "p90_ms", "p99_ms", "max_ms", "lost", "duplicated"):
        print(f"  {name:12s}{result[name]:>10}")
