"""Which command runs and what the robot is told, as a protocol core: no sockets, no threads, no clock of its own.

A correction replaces the running command in the call that brings it, and its first chunk is made in that call from the
newest observation. It holds until it is done, released, undone or its time is over. When it is done the robot waits a
moment for the next words, as people guide in several; then, or at once in the other cases, the high level goes on. The
low level runs once an observation; the high level is asked at its rate and whenever a command is finished.
A correction of low certainty changes nothing: it is asked what was meant, for a while, until somebody has chosen.
Where the policy is unsure which command is right, or what it does has no effect, it asks before it begins another one
(`doubt.py`): the running command goes on meanwhile, or the robot stands still where none runs. What comes to nothing
for long it gives up (`giving_up.py`).

One thread owns a controller. Calls append to an output list that `drain` returns; the owner sends and logs it.
Policies speak poses `(12,)`, the robot joints `(action_size,)`; the embodiment converts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from hitl.backend.doubt import Decision, Doubt, Ended
from hitl.backend.giving_up import GivingUp
from hitl.backend.parts import Array, Chunk, Embodiment, Policy, Rules, Seen, StopWanted, status_of
from hitl.backend.questions import Questions, chosen_as, not_offered
from hitl.backend.running import Recent, RunningCommand, alternatives_of
from hitl.clock import Clock, new_ulid
from hitl.events import CorrectionEvent, DoubtEvent, OutcomeEvent
from hitl.messages import (
    ActionChunk,
    Alternative,
    CommandStatus,
    CorrectionState,
    CorrectionStatus,
    RobotState,
    Task,
    undo_changes,
)
from hitl.sessions.moments import Moment

ALTERNATIVES = 5
STEPS_AT_FIRST = 25
"""Half a second: how many actions stand still before a chunk of the policy has said how many it has."""
EVENT_WINDOW_S = 2.0
"""A correction is an example for the observations of this long before it; the published system's margin."""


Output = Chunk | CommandStatus | CorrectionStatus | Moment | OutcomeEvent | DoubtEvent | StopWanted


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
        doubt: Doubt | None = None,
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
        self._recent = Recent(EVENT_WINDOW_S)
        self._statuses: dict[str, CorrectionStatus] = {}
        self._acted: set[str] = set()
        self._undone: set[str] = set()
        self._questions = Questions()
        self._doubt = doubt or Doubt(rules)
        self._giving_up = GivingUp(rules)
        self.watched = False
        """Whether somebody can see a question of the policy; where nobody does it asks none."""
        self._chunks = 0
        self._steps = STEPS_AT_FIRST
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
        return self._recent.names(self._clock.now_ns())

    def status(self) -> CommandStatus:
        """The running command and the alternatives."""
        command = self._command
        if command is None:
            return CommandStatus(command_id="", text="", source="none", alternatives=self._alternatives)
        return self._doubt.told(command.status(self._until_ns(), self._alternatives))

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
            return not_offered(event, command)
        self._questions.close(correction_id)
        chosen = chosen_as(event, command)
        self._statuses[event.id] = status_of(chosen, "saved")
        self._out.append(self._statuses[event.id])
        self._begin_correction(chosen)
        return ""

    def _begin_correction(self, event: CorrectionEvent) -> None:
        self._end_correction("replaced")
        self._doubt_no_longer("answered" if self._doubt.offers(event.command) else "other words", event.id)
        targets = self._state[2] if self._state is not None else self._seen.targets if self._seen is not None else None
        pose = self._embodiment.pose_of(targets) if targets is not None else None
        self._doubt.person_begins(event.command, self._stage, pose)
        self._giving_up.forget()
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
        self._doubt_no_longer("new episode")
        self._doubt.forget()
        self._giving_up.forget()
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
        self._recent.note(self._clock.now_ns(), f"{seen.observation.episode}/{seen.observation.tick}")
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
        now_ns = self._clock.now_ns()
        for asked in self._questions.close_over(now_ns):
            self._end(asked, "expired")
        latched = self._robot_latched()
        if self._doubt.question is not None and (latched or self._doubt.is_over(now_ns)):
            self._doubt_no_longer("stopped" if latched else "time")
            self._asked_ns = None  # it goes on at the next observation
            self._out.append(self.status())

    def _doubt_no_longer(self, ended: Ended, correction: str = "") -> None:
        """Ask no longer which command is right, if that is asked, and let go of the robot; the caller tells of it."""
        now_ns = self._clock.now_ns()
        asked = self._doubt.close(now_ns)
        if asked is None:
            return
        if self._command is not None and self._command.held:
            self._finished, self._command = self._command, None
        ended_s = (now_ns - asked.asked_ns) / 1e9
        session_ns = now_ns - self._session_start_ns
        self._out.append(asked.event(self._session, self._episode, session_ns, ended_s, ended, correction))

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
        known = alternatives_of(proposal)
        given_up = self._giving_up.look(self._command, self._task, now_ns)
        self._alternatives = self._giving_up.ordered(known, proposal.guiding, now_ns)[:ALTERNATIVES]
        best, command = self._alternatives[0], self._command
        begins = command is None or command.held or self._giving_up.leaves(command, best, now_ns)
        if self._asks(begins, given_up, now_ns):
            begins = self._command is None
            if begins:
                self._command = self._begin(best, now_ns)
                self._command.held = True
        elif begins:
            self._command = self._begin(best, now_ns)
            self._doubt.policy_begins(best.text, self._stage)
        elif command is not None and command.source == "policy" and command.text == best.text:
            command.probability = best.probability
        self._out.append(self.status())
        self._note_moment(proposal.history)
        return begins

    def _asks(self, begins: bool, given_up: str, now_ns: int) -> bool:
        """Whether the policy asks a person before another command begins."""
        if not begins and self._doubt.question is None or len(self._alternatives) < 2:
            return False
        task = self._task
        heard = self.watched and not self._questions and not (task is not None and task.finished)
        best, second = self._alternatives[:2]
        asks = self._doubt.asks(Decision(now_ns, best, second, self._stage), heard=heard, given_up=given_up)
        if not asks:
            self._doubt_no_longer("sure")
        return asks

    @property
    def _task(self) -> Task | None:
        return self._state[0].task if self._state is not None else None

    @property
    def _stage(self) -> int:
        return self._task.stage if self._task is not None else 0

    def _note_moment(self, history: Any) -> None:
        """Tell what was just asked and answered, where it can be learned from."""
        command, seen = self._command, self._seen
        if history is None or command is None or seen is None:
            return
        start_ns = self._session_start_ns
        self._out.append(command.moment(seen, start_ns, self._stage, self._alternatives, history))

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
        if command.done_ns is not None or command.held:
            self._send(command, tick, np.tile(targets, (self._steps, 1)), seen.observation.stamp_ns)
            return
        pose, pose_target = self._embodiment.pose_of(joints), self._embodiment.pose_of(targets)
        if command.active is None:
            command.active = self._policy.start(command.text, pose_target)
            command.start_tick = tick
        elapsed_s = (tick - command.start_tick) / self._rate_hz
        output = self._policy.act(seen.images, pose, pose_target, command.active, elapsed_s)
        joint_chunk = self._embodiment.joints_of(np.asarray(output.pose_chunk, dtype=np.float64))
        rows = np.ascontiguousarray(joint_chunk, dtype=np.float64)
        self._send(command, tick, rows, seen.observation.stamp_ns)
        command.done = float(output.done)
        if count_done and elapsed_s >= self._rules.min_command_s:
            command.done_count = command.done_count + 1 if command.done > self._rules.done_threshold else 0
        if command.source == "person" and self._statuses[command.id].state == "saved":
            self._acted.add(command.id)
            self._tell(command.id, "acting")

    def _send(self, command: RunningCommand, tick: int, rows: Array, captured_ns: int) -> None:
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
