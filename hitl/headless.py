"""The demo without a window: the same processes and sockets, with corrections from a script instead of a person.

Prints what happens while it happens, leaves a recorded session, and says at the end how fast the robot's time ran and
what each process cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from hitl.bus import Link
from hitl.bus.addresses import endpoints_of
from hitl.clock import SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import UnavailableError
from hitl.launch import System
from hitl.messages import Ack, BackendStatus, CommandStatus, Correction, CorrectionStatus, RobotState

Script = Sequence[tuple[float, str]]

SCRIPT: Script = (
    (5.0, "move the left arm up"),
    (9.0, "a bit to the right with the right arm"),
    (13.0, "open the left gripper"),
    (17.0, "go home"),
    (22.0, "pick up the red block"),
)
DURATION_S = 45.0
READY_S = 180.0
"""Loading the policies from a cold disk on a loaded machine has taken half a minute."""


@dataclass
class Report:
    """What came of a run."""

    session: str = ""
    recording: str = ""
    states: dict[str, list[str]] = field(default_factory=dict)
    """Correction id -> its states in order."""
    real_time_factor: float = 0.0
    late_ticks: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    """Part -> mean share of one core."""
    task: str = ""


class Runner:
    """One run. `say` gets a line for each thing that happens."""

    def __init__(self, system: System, link: Link, *, author: str = "script") -> None:
        self._system = system
        self._link = link
        self._author = author
        self._clock = SystemClock()
        self._began_s = time.monotonic()
        self._command = ""
        self._waiting = ""
        self._status: BackendStatus | None = None
        self._first: RobotState | None = None
        self._last: RobotState | None = None
        self.report = Report()

    def wait_until_ready(self, limit_s: float = READY_S) -> None:
        """Until the backend waits for nothing. Raises UnavailableError with what it still waits for."""
        while time.monotonic() - self._began_s < limit_s:
            self._step()
            if self._status is not None and not self._status.waiting_for and self._last is not None:
                return
        raise UnavailableError(
            f"not ready after {limit_s:g} s: it waits for {self._waiting or 'the backend'}.", field="demo"
        )

    def play(self, script: Script, duration_s: float) -> None:
        """Send each text at its time [s], and watch for `duration_s`."""
        self._began_s = time.monotonic()
        self._first = self._last
        waiting = sorted(script)
        while (elapsed_s := time.monotonic() - self._began_s) < duration_s:
            while waiting and waiting[0][0] <= elapsed_s:
                self._correct(waiting.pop(0)[1])
            self._step()
        self._measure()

    def _correct(self, text: str) -> None:
        correction = Correction(
            id=new_ulid(), author=self._author, stamp_ns=self._clock.now_ns(), text=text, source="script"
        )
        self._tell(f'{self._author}: "{text}"')
        self._link.submit(correction)

    def _step(self) -> None:
        self._system.check()
        for received in self._link.poll(100):
            message = received.message
            if isinstance(message, BackendStatus):
                self._note_status(message)
            elif isinstance(message, RobotState):
                self._note_state(message)
            elif isinstance(message, CommandStatus) and message.command_id != self._command:
                self._command = message.command_id
                if message.text:
                    self._tell(f"command: {message.text}  ({message.source}, p = {message.probability:.2f})")
            elif isinstance(message, CorrectionStatus):
                self._note_correction(message)
            elif isinstance(message, Ack) and message.error:
                self._tell(f"refused: {message.error}")

    def _note_status(self, status: BackendStatus) -> None:
        self._status = status
        self.report.session, self.report.recording = status.session, status.recording
        if status.waiting_for != self._waiting:
            self._waiting = status.waiting_for
            self._tell(f"waiting for {self._waiting}" if self._waiting else f"ready: {status.policy}")

    def _note_state(self, state: RobotState) -> None:
        before = self._last
        if before is not None and before.mode != state.mode:
            self._tell(f"robot: {state.mode} {state.reason}".rstrip())
        if state.task is not None and (before is None or before.task is None or before.task.stage != state.task.stage):
            self._tell(f"task: {state.task.name}, stage {state.task.stage} of {state.task.stages}")
        self._last = state

    def _note_correction(self, status: CorrectionStatus) -> None:
        states = self.report.states.setdefault(status.id, [])
        if not states or states[-1] != status.state:
            states.append(status.state)
            understood = f" as {status.command!r} ({status.grounding})" if len(states) == 1 else ""
            self._tell(f"correction {status.text!r}: {status.state}{understood}")

    def _measure(self) -> None:
        first, last = self._first, self._last
        if first is not None and last is not None and last.nominal_hz and last.stamp_ns > first.stamp_ns:
            robot_s = (last.tick - first.tick) / last.nominal_hz
            self.report.real_time_factor = robot_s / ((last.stamp_ns - first.stamp_ns) / 1e9)
            self.report.late_ticks = last.late_ticks - first.late_ticks
            if last.task is not None:
                self.report.task = f"{last.task.name}: stage {last.task.stage} of {last.task.stages}"
        for child in self._system.supervisor.children:
            if child.process is not None:
                used = psutil.Process(child.process.pid).cpu_times()
                lived_s = time.monotonic() - child.started_s
                self.report.cpu[child.name] = (used.user + used.system) / lived_s

    def _tell(self, text: str) -> None:
        print(f"{time.monotonic() - self._began_s:7.2f} s  {text}", flush=True)


def run(settings: Settings, script: Script = SCRIPT, duration_s: float = DURATION_S) -> Report:
    """Start backend and robot, play the script, end them. Raises UnavailableError where they do not get ready."""
    with System(settings) as system:
        with Link(endpoints_of(system.settings), "gui", "headless demo") as link:
            runner = Runner(system, link)
            runner.wait_until_ready()
            runner.play(script, duration_s)
            return runner.report


def main(settings: Settings) -> int:
    """`hitl demo --headless`: run, and print what it left and what it cost."""
    print("hitl demo without a window: a simulated robot, and corrections from a script", flush=True)
    report = run(settings)
    print(f"\nsession    {report.session} in {settings.data_folder}")
    print(f"recording  {report.recording or 'off'}")
    print(f"task       {report.task or 'none'}")
    print(f"real-time factor {report.real_time_factor:.3f} on {os.cpu_count()} cores, {report.late_ticks} late ticks")
    for name, share in report.cpu.items():
        print(f"  {name:8s} {share:.0%} of a core")
    acted = sum(bool({"acting", "done"} & set(states)) for states in report.states.values())  # "stop" is done at once
    print(f"{acted} of {len(report.states)} corrections acted")
    return 0 if report.states and acted == len(report.states) else 1
