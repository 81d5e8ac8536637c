"""The learner's second thread: when the high level learns, and in which way.

Somebody corrected, undid or chose: learn on at once, with all that came meanwhile. When nobody has for some seconds:
learn anew from the base weights, so that what acts depends on nothing but what is taught now; a correction ends that.
An update that fails is said, and the next one tries again. One learner at a time writes into a registry.
Knows nothing of weights, sockets or disks.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from hitl.clock import new_ulid
from hitl.errors import HitlError
from hitl.model_messages import Learned, ModelVersion, SetLearning, Taught, TeachNothing

log = logging.getLogger("hitl.learner")

_NICE = 10
"""Lower than what the robot and the controller need; of this thread alone on Linux."""
_END_S = 3.0
_HELD_S = 2.0
"""So often it is looked whether another learner has gone."""
_AGAIN_S = (15.0, 600.0)
"""After an update that failed, and nothing new, it is tried again, at first after the one and at most the other."""


class Updates(Protocol):
    """What learns; `hitl.backend.policy_part.PolicyPart` does."""

    def prepare(self) -> None:
        """Load what is needed."""
        ...

    def missed(self) -> bool:
        """Whether something was taught while nobody learned."""
        ...

    def update(self, *, anew: bool, stop: Callable[[], bool]) -> Learned | None:
        """One update; None where nothing is new."""
        ...

    @property
    def silent(self) -> TeachNothing:
        """Which corrections of the newest session teach nothing, as of the last look or update."""
        ...


class Lock(Protocol):
    """Who may write; `hitl.backend.writer_lock.WriterLock` is one."""

    def take(self) -> str:
        """Who else holds it; empty where this process does."""
        ...

    def release(self) -> None:
        """Free it."""
        ...


class PolicyThread:
    """tell: sends what was learned, and which corrections teach nothing; tidy: called once when the lock is taken;
    quiet_s: how long nobody corrects until it is learned anew."""

    def __init__(
        self,
        updates: Updates,
        lock: Lock,
        tell: Callable[[Learned | TeachNothing], None],
        *,
        quiet_s: float,
        tidy: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._updates, self._lock, self._tell, self._tidy = updates, lock, tell, tidy
        self._quiet_s, self._now_s = quiet_s, now_s
        self._condition = threading.Condition()
        self._asked: deque[Taught | SetLearning] = deque()
        self._closing = False
        self._learning = False
        self._holding = False
        self._urgent = False
        self._look = False
        """Whether it is to be found out if something was missed."""
        self._quiet_due_s: float | None = None
        self._again_s: float | None = None
        self._pause_s = _AGAIN_S[0]
        self._error = self._holder = ""
        self._silent: dict[str, str] | None = None
        """Which corrections teach nothing, as told last; None before anything was told. Who was away tells that there
        is none, too, as an earlier learner may have told of some."""
        self._thread = threading.Thread(target=self._run, name="policy learning", daemon=True)

    def start(self) -> None:
        """Begin; nothing is loaded before somebody is to be learned from."""
        self._thread.start()

    def ask(self, message: Taught | SetLearning) -> None:
        """Something was taught, or learning is switched; safe from any thread."""
        with self._condition:
            self._asked.append(message)
            self._condition.notify()

    def close(self) -> None:
        """End after the step that is under way. What takes longer, such as loading, is left: nothing of it counts
        before it is whole on disk."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join(_END_S)

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with suppress(OSError, AttributeError):
            os.nice(_NICE)
        while True:
            with self._condition:
                if not self._asked and not self._closing:
                    self._condition.wait(self._wait_s())
                if self._closing:
                    break
                asked = list(self._asked)
                self._asked.clear()
            for message in asked:
                self._take(message)
            self._work()
        self._lock.release()

    def _take(self, message: Taught | SetLearning) -> None:
        now_s = self._now_s()
        if isinstance(message, SetLearning):
            self._look = message.learning and not self._learning or self._look
            self._learning = message.learning
            return
        self._urgent = self._urgent or message.urgent
        self._again_s, self._pause_s = None, _AGAIN_S[0]
        self._quiet_due_s = now_s + self._quiet_s

    def _wait_s(self) -> float | None:
        """Until something is due; None for as long as nobody asks."""
        if not self._learning:
            return None
        due_s = self._now_s() if self._urgent or self._look else self._quiet_due_s
        if due_s is None:
            return None
        return max(0.0, max(due_s, self._again_s or due_s) - self._now_s())

    def _work(self) -> None:
        now_s = self._now_s()
        if not self._learning or self._again_s is not None and now_s < self._again_s:
            return
        quiet = self._quiet_due_s is not None and now_s >= self._quiet_due_s
        if not (self._urgent or self._look or quiet):
            return
        urgent, look = self._urgent, self._look
        try:
            if not self._may_write():
                self._again_s = now_s + _HELD_S
                return
            self._urgent = self._look = False
            if look:
                if self._updates.missed():
                    self._update(anew=True)
            if urgent:
                self._update(anew=False)
            elif quiet:
                self._quiet_due_s = None
                self._update(anew=True)
            self._again_s, self._error, self._pause_s = None, "", _AGAIN_S[0]
            silent = self._updates.silent
            if silent.reasons != self._silent:
                self._silent = silent.reasons
                self._tell(silent)
        except Exception as error:
            self._failed(error, look)

    def _may_write(self) -> bool:
        if self._holding:
            return True
        holder = self._lock.take()
        if holder:
            if holder != self._holder:
                self._say(f"{holder} learns in this data folder already; corrections are left to it.")
            self._holder = holder
            return False
        if self._holder:
            log.info("the other learner has gone; this one learns now")
        self._holder, self._holding = "", True
        self._tidy()
        return True

    def _update(self, *, anew: bool) -> None:
        learned = self._updates.update(anew=anew, stop=self._interrupted if anew else self._ending)
        if learned is not None:
            self._tell(learned)

    def _ending(self) -> bool:
        return self._closing

    def _interrupted(self) -> bool:
        """Whether something more urgent than learning anew waits."""
        with self._condition:
            return self._closing or any(isinstance(message, Taught) and message.urgent for message in self._asked)

    def _failed(self, error: Exception, look: bool) -> None:
        """Said once; nothing is promoted, and it is tried again with the next correction, or after a while."""
        self._urgent, self._look = True, look
        self._again_s = self._now_s() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _AGAIN_S[1])
        expected = isinstance(error, HitlError | OSError)
        text = str(error) if expected else f"learning failed: {error}"
        if text == self._error:
            return
        self._error = text
        if expected:
            log.error("%s", text)
        else:
            log.exception("learning failed")
        self._send_error(text)

    def _say(self, text: str) -> None:
        log.warning("%s", text)
        self._send_error(text)

    def _send_error(self, text: str) -> None:
        self._tell(
            Learned(id=new_ulid(), version=ModelVersion(name="", part="high_level"), promoted=False, error=text)
        )
