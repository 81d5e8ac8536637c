"""Which command runs and what the robot is told, as a protocol core: no sockets, no threads, no clock of its own.

A correction replaces the running command in the call that brings it, and its first chunk is made in that call from the
newest observation. It holds until it is done, released, undone or its time is over. When it is done the robot waits a
moment for the next words, as people guide in several; then, or at once in the other cases, the high level goes on. The
low level runs once an observation; the high level is asked at its rate and whenever a command is finished.
A correction of low certainty changes nothing: it is asked what was meant, for a while, until somebody has chosen.

One thread owns a controller. Calls append to an output list that `drain` returns; the owner sends and logs it.
Policies speak poses `(12,)`, the robot joints `(action_size,)`; the embodiment converts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from hitl.backend.parts import Array, Chunk, Embodiment, Policy, Rules, Seen, StopWanted, status_of
from hitl.backend.questions import Questions
from hitl.backend.running import RunningCommand
from hitl.clock import Clock, new_ulid
from hitl.events import CorrectionEvent, OutcomeEvent
from hitl.messages import (
    ActionChunk,
    Alternative,
    CommandStatus,
    CorrectionState,
    CorrectionStatus,
    RobotState,
    undo_changes,
)
from hitl.sessions.moments import Moment

ALTERNATIVES = 5
EVENT_WINDOW_S = 2.0
"""A correction is an example for the observations of this long before it; the published system's margin."""


Output = Chunk | CommandStatus | CorrectionStatus | Moment | OutcomeEvent | StopWanted


class Controller:
    """The loop's decisions for one robot. `session_start_ns` is the session clock's zero on `clock`.

    Without a policy corrections are kept and end as they should, and nothing acts.
    """

    def __init__(
        self,
        policy: Policy | None,
        embodiment: Embodiment,
        clock: Clock,
        rules: Rules,
        *,
        session: str,
        session_start_ns: int,
        rate_hz: float = 50.0,
    ) -> None:
        self._policy = policy
        self._embodiment = embodiment
        self._clock = clock
        self._rules = rules
        self._session = session
        self._session_start_ns = session_start_ns
        self._rate_hz = rate_hz
        self._episode = ""
        self._command: RunningCommand | None = None
        self._finished: RunningCommand | None = None
        self._alternatives: list[Alternative] = []
        self._asked_ns: int | None = None
        self._seen: Seen | None = None
        self._unremembered = False
        self._state: tuple[RobotState, Array, Array] | None = None
        self._recent: deque[tuple[int, str]] = deque()
        self._statuses: dict[str, CorrectionStatus] = {}
        self._acted: set[str] = set()
        self._undone: set[str] = set()
        self._questions = Questions()
        self._chunks = 0
        self._steps = 1
        self._out: list[Output] = []

    # -- what the owner reads -------------------------------------------------------------------------------------

    @property
    def hold_s(self) -> float:
        """How long a correction holds at most; 0 = until done or released."""
        return self._rules.hold_s

    @property
    def episode(self) -> str:
        """Id of the episode whose observations count."""
        return self._episode

    def drain(self) -> list[Output]:
        """Everything decided since the last call, in order."""
        out, self._out = self._out, []
        return out

    def wanted(self) -> tuple[str, float]:
        """The command that the policy wants now, with its probability; empty where it has not been asked yet."""
        command = self._command
        if command is not None and command.source == "policy":
            return command.text, command.probability
        if self._alternatives:
            return self._alternatives[0].text, self._alternatives[0].probability
        return "", 0.0

    def recent_observations(self) -> list[str]:
        """Ids of the observations of the last two seconds, oldest first."""
        self._forget_old()
        return [name for _, name in self._recent]

    def status(self) -> CommandStatus:
        """The running command and the alternatives."""
        command = self._command
        if command is None:
            return CommandStatus(command_id="", text="", source="none", alternatives=self._alternatives)
        event = command.event
        return CommandStatus(
            command_id=command.id,
            text=command.text,
            source=command.source,
            author=event.author if event else "",
            said=event.text if event else "",
            since_ns=command.since_ns,
            probability=command.probability,
            done_probability=command.done,
            held_until_ns=self._until_ns(),
            alternatives=self._alternatives,
        )

    def use(self, policy: Policy) -> None:
        """Act with `policy` from now on; the running command begins anew under it."""
        self._policy = policy
        policy.forget()
        self._unremembered = self._seen is not None
        if self._command is not None:
            self._command.active = None

    def ask_anew(self) -> None:
        """The high level has other weights: ask it at the next observation, whether or not it is due."""
        self._asked_ns = None

    # -- what people ask for --------------------------------------------------------------------------------------

    def correct(self, event: CorrectionEvent) -> None:
        """Let the correction act, in this call, or ask what was meant. One that was undone before it arrived is kept,
        and never acts."""
        self._statuses[event.id] = status_of(event, "saved")
        self._out.append(self._statuses[event.id])
        if event.id in self._undone:
            self._end(event.id, "undone")
            return
        for asked in self._questions.close_of(event.author):
            self._end(asked, "replaced")
        if event.grounding == "stop":
            self._out.append(StopWanted(event.id, event.author, event.text))
            self._acted.add(event.id)
            self._end(event.id, "done")
        elif event.certainty == "low" and event.choices:
            self._questions.ask(event, self._clock.now_ns() + round(self._rules.ask_s * 1e9))
            self._tell(event.id, "asked")
        else:
            self._begin_correction(event)

    def ignore(self, event: CorrectionEvent) -> None:
        """Spoken words that were no command: they are kept, and nothing follows from them."""
        self._statuses[event.id] = status_of(event, "saved")
        self._end(event.id, "ignored")

    def choose(self, correction_id: str, command: str) -> str:
        """Let a correction that was asked about act now, as `command`. Returns why it cannot; empty where it does."""
        self._ask_no_longer()
        event = self._questions.get(correction_id)
        if event is None:
            state = self._statuses[correction_id].state if correction_id in self._statuses else "not known"
            return f"nobody is asked about this correction any more: it is {state}. Say it again."
        if command not in event.choices:
            known = " or ".join(f"“{choice}”" for choice in event.choices)
            return f"“{command}” was not offered. Choose {known}, or say it anew."
        self._questions.close(correction_id)
        chosen = msgspec.structs.replace(
            event, command=command, grounding="near", similarity=1.0, certainty="high", choices=[]
        )
        self._statuses[event.id] = status_of(chosen, "saved")
        self._out.append(self._statuses[event.id])
        self._begin_correction(chosen)
        return ""

    def _begin_correction(self, event: CorrectionEvent) -> None:
        self._end_correction("replaced")
        self._finished = None
        self._command = RunningCommand(
            event.id, event.command, "person", self._clock.now_ns(), 1.0, event, event.hold_s
        )
        self._out.append(self.status())
        self._act_now()

    def release(self) -> None:
        """End the running correction, if any; the high level goes on at once."""
        if self._end_correction("released"):
            self._act_now()

    def undo(self, correction_id: str) -> str:
        """Take a correction back: where it acts its effect ends now, where it has ended it is marked, and one that is
        still under way will not act. Returns why that would change nothing; empty where it is done, or was before."""
        status = self._statuses.get(correction_id)
        if status is not None and status.state != "undone" and not undo_changes(status.state, status.choices):
            return f"target: “{status.text}” had no effect (it is {status.state}). Undo a correction that acted."
        self._undone.add(correction_id)
        self._questions.close(correction_id)
        if self._command is not None and self._command.id == correction_id:
            self._end_correction("undone")
            self._act_now()
        elif status is not None and status.state != "undone":
            self._end(correction_id, "undone")
        return ""

    def set_hold(self, hold_s: float) -> None:
        """Later corrections hold at most `hold_s` seconds (0 = until done or released), and so does the running one,
        counted from its start."""
        self._rules = replace(self._rules, hold_s=hold_s)
        command = self._command
        if command is not None and command.source == "person":
            command.hold_s = hold_s
            self._out.append(self.status())

    def new_episode(self, episode: str) -> None:
        """Observations of `episode` count from now on; a running correction ends with the old one.

        One that came before there was an episode acts in this one, and its time begins now.
        """
        if self._episode:
            for asked in self._questions.close_all():
                self._end(asked, "expired")
            self._end_correction("expired")
            self._command = None
        elif self._command is not None:
            self._command.since_ns = self._clock.now_ns()
        self._episode = episode
        self._finished = None
        self._seen = None
        self._unremembered = False
        self._state = None
        self._recent.clear()
        self._alternatives = []
        self._asked_ns = None
        if self._policy is not None:
            self._policy.forget()
        self._out.append(self.status())

    # -- what the robot tells -------------------------------------------------------------------------------------

    def robot_state(self, state: RobotState, joints: Array, targets: Array) -> None:
        """The newest tick: joints and targets `(action_size,)` after it."""
        if state.episode == self._episode:
            self._state = (state, joints, targets)

    def observe(self, seen: Seen) -> None:
        """One observation, whole: `see`, and then `think` to its end."""
        self.see(seen)
        while self.think():
            pass

    def see(self, seen: Seen) -> None:
        """Ends of commands and a chunk from the newest observation. The slow rest is left to `think`."""
        if not self._episode or seen.observation.episode != self._episode:
            return
        self._seen = seen
        self._recent.append((self._clock.now_ns(), f"{seen.observation.episode}/{seen.observation.tick}"))
        self._forget_old()
        self._unremembered = self._policy is not None
        self._ask_no_longer()
        if self._robot_latched():
            return
        self.expire()
        if self._command is None:
            self._choose()
        self._act(seen.observation.tick, seen.joints, seen.targets, count_done=True)

    def think(self) -> bool:
        """One step of the high level: take the newest observation into its history, or ask it where it is due.

        In steps, so that a correction waits for one step at most. False where nothing is left to do.
        """
        if self._policy is None or self._seen is None:
            return False
        if self._unremembered:
            self._remember()
            return True
        due = self._asked_ns is None or self._clock.now_ns() - self._asked_ns >= 1e9 / self._rules.high_level_hz
        if due and not self._robot_latched() and self._choose():
            self._act_now()
        return False

    def expire(self) -> None:
        """End commands and questions that are over; to be called now and then where observations may have stopped."""
        self._ask_no_longer()
        command = self._command
        if command is None:
            return
        if command.done_ns is not None:
            if self._until_ns() <= self._clock.now_ns():
                self._command = None
        elif command.done_count >= self._rules.done_observations:
            if command.source == "person" and self._rules.pause_s:
                command.done_ns = self._clock.now_ns()
                self._end(command.id, "done")
                self._out.append(self.status())
            elif not self._end_correction("done"):
                self._finished, self._command = command, None
        elif 0 < self._until_ns() <= self._clock.now_ns():
            self._end_correction("expired")

    # -- decisions ------------------------------------------------------------------------------------------------

    def _until_ns(self) -> int:
        """When the running command's time is over; 0 = never, or not before there is an episode to act in."""
        command = self._command
        if command is not None and command.done_ns is not None:
            return command.done_ns + round(self._rules.pause_s * 1e9)
        if command is None or not command.hold_s or not self._episode:
            return 0
        return command.since_ns + round(command.hold_s * 1e9)

    def _ask_no_longer(self) -> None:
        for asked in self._questions.close_over(self._clock.now_ns()):
            self._end(asked, "expired")

    def _remember(self) -> None:
        policy, seen = self._policy, self._seen
        if policy is not None and seen is not None and self._unremembered:
            self._unremembered = False
            policy.remember(seen.images, self._embodiment.pose_of(seen.joints), seen.observation.stamp_ns)

    def _choose(self) -> bool:
        """Ask the high level, and follow it unless a person's command runs. True where another command begins."""
        if self._policy is None:
            return False
        self._remember()
        now_ns = self._asked_ns = self._clock.now_ns()
        proposal = self._policy.propose()
        pairs = list(zip(proposal.texts, proposal.probabilities, strict=True))[:ALTERNATIVES]
        self._alternatives = [Alternative(text=text, probability=float(p)) for text, p in pairs]
        best = self._alternatives[0]
        begins = self._command is None or self._command.gives_way(best, self._rules, now_ns)
        if begins:
            self._command = self._begin(best, now_ns)
        elif self._command is not None and self._command.source == "policy" and self._command.text == best.text:
            self._command.probability = best.probability
        self._out.append(self.status())
        self._note_moment(proposal.history)
        return begins

    def _note_moment(self, history: Any) -> None:
        """Tell what was just asked and answered, where it can be learned from."""
        command, seen = self._command, self._seen
        if history is None or command is None or seen is None:
            return
        stamp_ns = seen.observation.stamp_ns - self._session_start_ns
        task = self._state[0].task if self._state is not None else None
        moment = Moment(
            episode=self._episode,
            tick=seen.observation.tick,
            session_ns=max(0, stamp_ns),
            stage=task.stage if task is not None else 0,
            command_id=command.id,
            command=command.text,
            source=command.source,
            waits=command.done_ns is not None,
            wanted=tuple(self._alternatives),
            history=np.asarray(history, np.float16),
        )
        self._out.append(moment)

    def _begin(self, best: Alternative, now_ns: int) -> RunningCommand:
        """The policy's next command; one that it chooses again when it is done is the same command, tried anew."""
        before, self._finished = self._finished, None
        if self._command is None and before is not None and before.text == best.text:
            return RunningCommand(before.id, best.text, "policy", before.since_ns, best.probability)
        return RunningCommand(new_ulid(), best.text, "policy", now_ns, best.probability)

    def _act_now(self) -> None:
        """A chunk in this call: the newest pictures, but the robot's present state, so that it starts where it is."""
        seen = self._seen
        if seen is None or self._policy is None or self._robot_latched():
            return
        if self._command is None:
            self._choose()
        tick, joints, targets = seen.observation.tick, seen.joints, seen.targets
        if self._state is not None and self._state[0].tick >= tick:
            tick, joints, targets = self._state[0].tick + 1, self._state[1], self._state[2]
        self._act(tick, joints, targets, count_done=False)

    def _act(self, tick: int, joints: Array, targets: Array, *, count_done: bool) -> None:
        command, seen = self._command, self._seen
        if command is None or seen is None or self._policy is None:
            return
        if command.done_ns is not None:
            self._send_rows(command, tick, np.tile(targets, (self._steps, 1)), seen.observation.stamp_ns)
            return
        pose, pose_target = self._embodiment.pose_of(joints), self._embodiment.pose_of(targets)
        if command.active is None:
            command.active = self._policy.start(command.text, pose_target)
            command.start_tick = tick
        elapsed_s = (tick - command.start_tick) / self._rate_hz
        output = self._policy.act(seen.images, pose, pose_target, command.active, elapsed_s)
        self._send(command, tick, np.asarray(output.pose_chunk, dtype=np.float64), seen.observation.stamp_ns)
        command.done = float(output.done)
        if count_done and elapsed_s >= self._rules.min_command_s:
            command.done_count = command.done_count + 1 if command.done > self._rules.done_threshold else 0
        if command.source == "person" and self._statuses[command.id].state == "saved":
            self._acted.add(command.id)
            self._tell(command.id, "acting")

    def _send(self, command: RunningCommand, tick: int, pose_chunk: Array, captured_ns: int) -> None:
        rows = np.ascontiguousarray(self._embodiment.joints_of(pose_chunk), dtype=np.float64)
        self._send_rows(command, tick, rows, captured_ns)

    def _send_rows(self, command: RunningCommand, tick: int, rows: Array, captured_ns: int) -> None:
        self._chunks += 1
        self._steps = len(rows)
        header = ActionChunk(
            chunk=self._chunks,
            episode=self._episode,
            command_id=command.id,
            start_tick=tick,
            steps=len(rows),
            stamp_ns=self._clock.now_ns(),
        )
        self._out.append(Chunk(header, rows, captured_ns))

    def _end_correction(self, state: CorrectionState) -> bool:
        """End a running correction, or its pause; False where the policy's own command runs, which stays."""
        command = self._command
        if command is None or command.source != "person":
            return False
        self._command = None
        if command.done_ns is None or state == "undone":
            self._end(command.id, state)
        return True

    def _end(self, correction_id: str, state: CorrectionState) -> None:
        outcome = OutcomeEvent(
            id=new_ulid(),
            session=self._session,
            episode=self._statuses[correction_id].episode,
            session_ns=self._clock.now_ns() - self._session_start_ns,
            correction=correction_id,
            state=state,
            acted=correction_id in self._acted,
        )
        self._out.append(outcome)
        self._tell(correction_id, state)

    def _tell(self, correction_id: str, state: CorrectionState) -> None:
        self._statuses[correction_id] = msgspec.structs.replace(self._statuses[correction_id], state=state)
        self._out.append(self._statuses[correction_id])

    def _robot_latched(self) -> bool:
        return self._state is not None and self._state[0].mode in ("paused", "stopped", "fault")

    def _forget_old(self) -> None:
        oldest_ns = self._clock.now_ns() - EVENT_WINDOW_S * 1e9
        while self._recent and self._recent[0][0] < oldest_ns:
            self._recent.popleft()
