"""The low level of a learner in the packing experiment: what it is taught is recorded, and it learns after each round.

The parts are those of the running system: the recording and the log of a session, hindsight, the update and its gate,
as in `hitl train low-level`. A learner's sessions, one a round, stand in a data folder of its own. Where hands were
hardly ever guided, the low level does what words say, and is left as it is.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from hitl.backend.models import model_folder
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import InputError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.packing_recording import JPEG_QUALITY, Take
from hitl.evaluation.packing_summary import LowLevelUpdate
from hitl.events import LogEvent, RequestEvent
from hitl.low_level_learning import Learned, Options, learn_low_level
from hitl.session_hindsight import Lesson
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recording import Recorder
from policies.errors import PolicyError
from policies.hierarchy.checkpoint import read_part
from policies.hierarchy.low_level import LowLevelPolicy
from policies.hierarchy.low_level_update import Plan
from policies.hierarchy.policy import HierarchicalPolicy

LEAST_GUIDED = 4
"""Times that a hand was guided to where one of the policy's skills should have led, below which nothing is learned."""
PLAN = Plan(turns=1, least_guided=LEAST_GUIDED)
"""New episodes are kept out once."""


class LowLevelLearning:
    """folder: for sessions, which is emptied; base: base data, as `hitl generate` makes them; strategy: against
    forgetting; gated: False: what is learned acts even where the gate refuses it."""

    def __init__(
        self,
        settings: Settings,
        loop: Lockstep,
        folder: Path,
        base: Path,
        strategy: str = PLAN.strategy,
        *,
        gated: bool = True,
    ) -> None:
        policy = loop.model.policy
        assert isinstance(policy, HierarchicalPolicy)
        self._policy, self._loop, self._base, self._gated = policy, loop, base, gated
        self._plan = replace(PLAN, strategy=strategy)
        self._first = policy.low_level
        self._model = model_folder(settings)[1]
        self._device = settings.device
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._catalog = Catalog(folder)
        self._sessions: list[Session] = []
        self._recorder: Recorder | None = None
        self._take: Take | None = None
        self.updates: list[LowLevelUpdate] = []

    def begin_episode(self) -> None:
        """What is played from the next start on is recorded; the first time in a round as a new session."""
        if self._recorder is None:
            session = self._catalog.new_session(robot="aloha", policy=self._loop.model.name)
            self._sessions.append(session)
            self._loop.session = session.id
            started = session.info.started_unix_ns
            self._recorder = Recorder(
                session.recording, session.id, started_unix_ns=started, jpeg_quality=JPEG_QUALITY
            ).__enter__()
        self._take = Take(self._loop, self._recorder)

    def tick(self) -> None:
        """Record the tick that was just played."""
        if self._take is not None:
            self._take.tick(self._loop)

    def end_episode(self, condition: str) -> None:
        """Log what was said in it, and how it ended, where it was recorded."""
        if self._take is None:
            return
        self._take.end(condition)
        self._take = None
        self._write(self._loop.events)

    def round_over(self, *, learns: bool) -> None:
        """The session ends; learn from all there are, where that is wanted and something is new."""
        if self._recorder is None:
            return
        self._recorder.__exit__(None, None, None)
        self._recorder = None
        if learns:
            self._learn()

    def undo(self, corrections: Collection[str]) -> None:
        """Take corrections back, and learn from what is left; where that is too little, nothing learned acts."""
        session, episode, now_ns = self._sessions[-1].id, self._loop.episode, self._loop.clock.now_ns()
        self._write(
            [
                RequestEvent(
                    id=new_ulid(), session=session, episode=episode, session_ns=now_ns, author="oracle", kind="undo",
                    target=one,
                )
                for one in sorted(corrections)
            ]
        )  # fmt: skip
        self._policy.adopt_low_level(self._first)
        self._learn()

    def close(self) -> None:
        """Remove the sessions; the weights stay with whoever has them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, events: Sequence[LogEvent]) -> None:
        log = FeedbackLog(self._catalog.log_file)
        try:
            log.extend(events)
        finally:
            log.close()

    def _learn(self) -> None:
        """Learn anew from all sessions, and act with what the gate, where there is one, lets pass."""
        begun = time.monotonic()
        guided = 0

        def told(lesson: Lesson) -> None:
            nonlocal guided
            guided += lesson.counts.get("guided", 0)
            if lesson.session.id == self._sessions[-1].id and guided < LEAST_GUIDED:
                raise _NotNeeded

        made = self._folder / "made"
        shutil.rmtree(made, ignore_errors=True)
        options = Options([one.id for one in self._sessions], self._base, self._plan, out=made, restart=True)
        settings = Settings(data=str(self._folder), model=str(self._model), device=self._device)
        try:
            learned = learn_low_level(settings, options, command="hitl evaluate packing", told=told)
        except (_NotNeeded, InputError, PolicyError) as error:
            if not isinstance(error, _NotNeeded) and error.field != "from":
                raise  # but where nothing that was said teaches, or what was said in one episode alone
            self.updates.append(LowLevelUpdate(guided=guided, learned=False))
            return
        self.updates.append(_update(learned, guided, time.monotonic() - begun))
        if not learned.reasons or not self._gated:
            self._use(made)

    def _use(self, folder: Path) -> None:
        acting = LowLevelPolicy(self._policy.low_level.config)
        acting.load_state_dict(read_part(folder, "low_level"))
        self._policy.adopt_low_level(acting)


class _NotNeeded(Exception):  # noqa: N818  (no error: it ends learning before it begins)
    """Hands were hardly guided."""


def _update(learned: Learned, guided: int, seconds: float) -> LowLevelUpdate:
    (base, base_then), (new, new_then) = learned.fitted.base, learned.fitted.new
    return LowLevelUpdate(
        guided=guided,
        learned=True,
        passed=not learned.reasons,
        base=[round(base["loss"], 5), round(base_then["loss"], 5)],
        new=[round(new["loss"], 5), round(new_then["loss"], 5)],
        seconds=round(seconds, 1),
    )
