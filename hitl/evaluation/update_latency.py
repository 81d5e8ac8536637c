"""`hitl bench update`: how long a correction takes to change what the policy answers.

Backend, robot and learner run as processes of their own, this process is the window's side. At random moments a
correction is given that the policy does not want; it acts, is learned from, and released again. Its delay begins where
it is on disk, and ends where the controller first asks the weights of a version that knows it, as the backend tells in
`Learned`. Every tenth time it comes after a longer pause, in which everything is learned anew. The robot's control
ticks are watched meanwhile, and before that for as many seconds of corrections with learning switched off: how far
two successive ticks are from one period apart.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from hitl.launch import System
from hitl.messages import Ack, BackendStatus, CommandStatus, Correction, Release, RobotState, Welcome
from hitl.model_messages import AskModels, Learned, Models, SetLearning

READY_S = 180.0
PATIENCE_S = 60.0
PAUSE_S = (1.0, 3.0)
"""Between two corrections the policy acts for so long [s]."""
LONG_EVERY = 10
WITHOUT = 5
"""A share of one to so many of the corrections is given before, with learning off."""
_AUTHOR = "bench"


@dataclass(frozen=True)
class Delay:
    """Of one correction. waited_s: None where no version came that acts; steps_s: of learning alone; promoted: whether
    the gate let it pass."""

    waited_s: float | None
    steps_s: float = 0.0
    promoted: bool = False


class Person:
    """The window's side of the bench: corrects, and notes what the robot and the backend say."""

    def __init__(self, system: System, link: Link, rng: random.Random) -> None:
        self._system, self._link, self._rng = system, link, rng
        self._clock = SystemClock()
        self._commands: list[str] = []
        self._status: BackendStatus | None = None
        self._wanted = ""
        self._robot: RobotState | None = None
        self._acked: set[str] = set()
        self._models: Models | None = None
        self.learned: dict[str, Learned] = {}
        """Newest correction -> the first version that knows it."""
        self.errors: list[str] = []
        self.versions = 0
        self.periods_ms: list[float] = []
        """From one control tick to the next."""

    @property
    def policy(self) -> str:
        """Name of the policy that acts."""
        return self._status.policy if self._status else ""

    def wait_until_ready(self) -> None:
        """Until the robot moves under the policy and a learner is there. Raises UnavailableError."""
        self._until(self._ready, READY_S, lambda: self._status.waiting_for if self._status else "the backend")
        asked_s = 0.0
        end_s = time.monotonic() + READY_S
        while not (self._models and self._models.learner):
            if time.monotonic() > end_s:
                raise UnavailableError(f"no learner came in {READY_S:g} s.", field="bench update")
            if time.monotonic() - asked_s > 1:
                asked_s = time.monotonic()
                self._link.send(AskModels(id=new_ulid(), author=_AUTHOR))
            self._step(50)

    def learn(self, learning: bool) -> None:
        """Switch learning, and wait until it is."""
        self._models = None
        self._link.send(SetLearning(id=new_ulid(), author=_AUTHOR, learning=learning))
        self._until(lambda: self._models and self._models.learning == learning, READY_S, lambda: "the switch")

    def wait_until_learned(self) -> None:
        """Until a first version acts. Raises UnavailableError with what the learner says."""
        self._until(
            lambda: any(learned.promoted for learned in self.learned.values()) or bool(self.errors),
            READY_S,
            lambda: "the first version",
        )
        if self.errors:
            raise UnavailableError(self.errors[0], field="bench update")

    def correct(self, pause_s: float, *, learning: bool) -> Delay:
        """Let the policy act, correct it, wait for the version that knows it, and let go."""
        end_s = time.monotonic() + pause_s
        while (left_s := end_s - time.monotonic()) > 0:
            self._step(min(20, max(1, round(left_s * 1000))))
        others = [text for text in self._commands if text != self._wanted]
        correction = Correction(
            id=new_ulid(),
            author=_AUTHOR,
            stamp_ns=self._clock.now_ns(),
            text=self._rng.choice(others),
            source="script",
        )
        self._link.submit(correction)
        patience_s = PATIENCE_S if learning else PAUSE_S[0]
        end_s = time.monotonic() + patience_s
        while correction.id not in self.learned and time.monotonic() < end_s:
            self._step(20)
        self._link.submit(Release(id=new_ulid(), author=_AUTHOR, stamp_ns=self._clock.now_ns()))
        found = self.learned.get(correction.id)
        if found is None:
            return Delay(None)
        return Delay(found.waited_s if found.promoted else None, found.version.seconds, found.promoted)

    def _ready(self) -> bool:
        running = self._robot is not None and self._robot.mode == "running"
        return bool(running and self._commands and self._status and not self._status.waiting_for)

    def _until(self, true: Callable[[], Any], patience_s: float, what: Callable[[], str]) -> None:
        end_s = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > end_s:
                raise UnavailableError(f"{what()} did not come in {patience_s:g} s.", field="bench update")
            self._step(20)

    def _step(self, wait_ms: int) -> None:
        self._system.check()
        for received in self._link.poll(wait_ms):
            message = received.message
            if isinstance(message, RobotState):
                before, self._robot = self._robot, message
                if before is not None and message.tick == before.tick + 1:
                    self.periods_ms.append((message.stamp_ns - before.stamp_ns) / 1e6)
            elif isinstance(message, CommandStatus) and message.alternatives:
                self._wanted = message.alternatives[0].text
            elif isinstance(message, BackendStatus):
                self._status = message
            elif isinstance(message, Welcome):
                self._commands = [text for text in message.commands if text]
            elif isinstance(message, Models):
                self._models = message
            elif isinstance(message, Learned):
                self._note(message)
            elif isinstance(message, Ack) and message.error:
                self.errors.append(message.error)

    def _note(self, learned: Learned) -> None:
        if learned.error:
            self.errors.append(learned.error)
            return
        self.versions += 1
        known = self.learned.get(learned.newest_event)
        if known is None or learned.promoted and not known.promoted:
            self.learned[learned.newest_event] = learned


def run(
    settings: Settings, *, n: int = 50, seed: int = 0, commands: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Measure `n` corrections with the driver and model of the settings; prints a table, returns what JSON shows.

    `commands` replaces the command of a part. Raises UnavailableError where a part fails, or nothing is learned.
    """
    rng = random.Random(seed)
    with TemporaryDirectory(prefix="hitl-bench-") as folder:
        bench = msgspec.structs.replace(
            settings,
            data=folder,
            seed=settings.seed or seed,
            learner=True,
            learning=False,
            learn_guidance=True,  # any command may come
            gate_margin=1.0,  # measured as ever; but corrections without sense must not be kept from acting
        )
        with System(bench, commands=commands) as system:
            outbox = Outbox(Path(folder) / "outbox.sqlite")
            with Link(endpoints_of(system.settings), "gui", _AUTHOR, outbox=outbox) as link:
                person = Person(system, link, rng)
                person.wait_until_ready()
                person.periods_ms.clear()
                for _ in range(max(2, n // WITHOUT)):
                    person.correct(rng.uniform(*PAUSE_S), learning=False)
                without = _jitter(person.periods_ms)
                person.learn(True)
                person.wait_until_learned()
                person.periods_ms.clear()
                delays = [person.correct(_pause_s(number, bench, rng), learning=True) for number in range(n)]
                jitter = _jitter(person.periods_ms)
            outbox.close()
    result = _result(delays, person, jitter, without)
    result.update(seed=seed, driver=settings.driver, learn_on=settings.learn_on, policy=person.policy)
    print(_table(result))
    return result


def _pause_s(number: int, settings: Settings, rng: random.Random) -> float:
    longer_s = settings.quiet_s if number % LONG_EVERY == LONG_EVERY - 1 else 0.0
    return longer_s + rng.uniform(*PAUSE_S)


def _jitter(periods_ms: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 of how far ticks are from one period of 20 ms apart [ms]."""
    if not periods_ms:
        return float("nan"), float("nan")
    off = np.abs(np.array(periods_ms) - 20.0)
    return round(float(np.percentile(off, 50)), 2), round(float(np.percentile(off, 99)), 2)


def _result(
    delays: Sequence[Delay], person: Person, jitter: tuple[float, float], without: tuple[float, float]
) -> dict[str, Any]:
    waited = [delay.waited_s for delay in delays if delay.waited_s is not None]
    p50, p95, greatest = np.percentile(waited, [50, 95, 100]) if waited else [float("nan")] * 3
    steps = [delay.steps_s for delay in delays if delay.steps_s]
    return {
        "n": len(delays),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "max_s": round(float(greatest), 3),
        "steps_p50_s": round(float(np.median(steps)), 3) if steps else float("nan"),
        "learned": len(waited),
        "not_promoted": sum(delay.steps_s > 0 and not delay.promoted for delay in delays),
        "versions": person.versions,
        "errors": len(person.errors),
        "tick_jitter_p50_ms": jitter[0],
        "tick_jitter_p99_ms": jitter[1],
        "tick_jitter_p50_ms_without": without[0],
        "tick_jitter_p99_ms_without": without[1],
    }


def _table(result: Mapping[str, Any]) -> str:
    where = f"driver {result['driver']}, updates computed: {result['learn_on']}"
    head = f"\ncorrection saved to first answer of weights that know it, {where}"
    names = [name for name in result if name not in ("driver", "learn_on", "policy", "seed")]
    return "\n".join([head, *(f"  {name:28s}{result[name]:>10}" for name in names)])
