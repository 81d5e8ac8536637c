"""`hitl learner`: learns rewards from labels and policies from corrections while people give them, and writes outputs.
A process of its own, so that no gradient step delays anything.

The main thread owns the link, one thread learns rewards, one policies, one writes. Nothing is trained that is not in
the log: who restarts it loses nothing. torch is imported when somebody opens a project, or a robot's policy acts.
Knows nothing of windows or robots.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hitl.annotation.project import Projects
from hitl.annotation_messages import (
    Generate,
    Labelled,
    OpenItem,
    OpenProject,
    Progress,
    StopGenerating,
    Suggestions,
    Written,
)
from hitl.backend.policy_examples import TaughtExamples
from hitl.backend.policy_part import PolicyPart, options_of
from hitl.backend.policy_thread import PolicyThread
from hitl.backend.registry import ModelRegistry
from hitl.backend.reward_project import RewardProject
from hitl.backend.reward_versions import RECORDINGS, TEXTS, RewardVersions
from hitl.backend.writer_thread import WriterThread
from hitl.bus import Link
from hitl.bus.addresses import client_keys_of, endpoints_of
from hitl.config import Settings
from hitl.errors import HitlError
from hitl.jobs import place_of
from hitl.messages import Ack
from hitl.model_messages import Learned, SetLearning, Taught, TeachNothing
from hitl.reward_examples import heads_of
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.time_labels import time_heads

log = logging.getLogger("hitl.learner")

_POLL_MS = 50
_AT_ONCE = 4
"""Items that are read between two looks at what people ask."""
_PIN_S = 1.0
"""So often it is looked whether a person has rolled back to another version."""
ToBackend = Suggestions | Progress | Written | Learned | TeachNothing


@dataclass
class _Open:
    """A project that somebody has open. watched: author -> the item in front of them; told: whether its queue is
    known."""

    rewards: RewardProject
    watched: dict[str, str]
    told: bool = False


class Learning:
    """The learning thread. load: makes the reward models of a project, which is slow the first time; tell: sends."""

    def __init__(self, load: Callable[[str], RewardProject], tell: Callable[[ToBackend], None]) -> None:
        self._load, self._tell = load, tell
        self._condition = threading.Condition()
        self._asked: deque[OpenProject | OpenItem | Labelled] = deque()
        self._closing = False
        self._projects: dict[str, _Open] = {}
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, message: OpenProject | OpenItem | Labelled) -> None:
        """Something that somebody did; safe from any thread."""
        with self._condition:
            self._asked.append(message)
            self._condition.notify()

    def close(self) -> None:
        """End after what is under way."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._asked and not self._closing and not self._work_left():
                    self._condition.wait(_PIN_S)
                if self._closing:
                    break
                asked = list(self._asked)
                self._asked.clear()
            for message in asked:
                self._safely(partial(self._take, message))
            self._safely(self._follow_pins)
            self._safely(partial(self._work, idle=not asked))
        for opened in self._projects.values():
            self._safely(opened.rewards.close)

    @staticmethod
    def _safely(do: Callable[[], None]) -> None:
        """One item that cannot be read must not end the learning."""
        try:
            do()
        except HitlError as error:
            log.error("%s", error)
        except Exception:
            log.exception("learning failed")

    def _take(self, message: OpenProject | OpenItem | Labelled) -> None:
        if isinstance(message, OpenProject):
            before = self._projects.pop(message.project, None)
            if before is not None:
                before.rewards.close()
            self._projects[message.project] = _Open(self._load(message.project), before.watched if before else {})
        elif isinstance(message, Labelled):
            opened = self._projects.get(message.event.project)
            if opened is not None:
                opened.rewards.step(message.event)
        else:
            opened = self._projects.get(message.project)
            if opened is not None:
                self._suggest(opened, message.item)
                if not message.ahead:
                    opened.watched[message.author] = message.item

    def _work_left(self) -> bool:
        return any(o.rewards.behind or o.rewards.unencoded(1) or not o.told for o in self._projects.values())

    def _work(self, *, idle: bool) -> None:
        """Learn what is new; where nobody asks anything, read a few more items, so that the queue can be ordered."""
        for opened in self._projects.values():
            if opened.rewards.behind:
                self._learn(opened)
            elif idle and (ids := opened.rewards.unencoded(_AT_ONCE)):
                for item_id in ids:
                    opened.rewards.encode(item_id)
                    if self._asked:  # reading a recording takes seconds
                        break
                opened.told = False
            elif idle and not opened.told:
                opened.told = True
                opened.rewards.order()
                if (progress := opened.rewards.progress()) is not None:
                    self._tell(progress)

    def _follow_pins(self) -> None:
        """Where a person rolled back, or let go, all is told anew."""
        for opened in self._projects.values():
            if opened.rewards.pin_moved():
                for item_id in dict.fromkeys(opened.watched.values()):
                    self._suggest(opened, item_id)
                opened.told = False

    def _learn(self, opened: _Open) -> None:
        progress = opened.rewards.update(lambda: bool(self._asked))
        if progress is None:
            return
        for item_id in dict.fromkeys(opened.watched.values()):
            self._suggest(opened, item_id)
        self._tell(progress)
        opened.told = False  # its queue is told when nobody waits for anything else

    def _suggest(self, opened: _Open, item_id: str) -> None:
        suggestions = opened.rewards.suggestions(item_id)
        if suggestions is not None:
            self._tell(suggestions)


class Learner:
    """One link and what is behind it. `run` blocks; the thread that calls it owns the link. policy: makes the thread
    that learns policies, from how to tell what it learned."""

    def __init__(
        self,
        link: Link,
        load: Callable[[str], RewardProject],
        projects: Projects,
        device: str,
        policy: Callable[[Callable[[Learned | TeachNothing], None]], PolicyThread],
    ) -> None:
        self._link = link
        self._outgoing: deque[ToBackend] = deque()
        self._closing = threading.Event()
        self._learning = Learning(load, self._send)
        self._writing = WriterThread(projects, self._send, device)
        self._policy = policy(self._send)

    def run(self) -> None:
        """Serve until `close`."""
        self._learning.start()
        self._writing.start()
        self._policy.start()
        refused = ""
        while not self._closing.is_set():
            for received in self._link.poll(_POLL_MS):
                message = received.message
                if isinstance(message, OpenProject | OpenItem | Labelled):
                    self._learning.ask(message)
                elif isinstance(message, Generate | StopGenerating):
                    self._writing.ask(message)
                elif isinstance(message, Taught | SetLearning):
                    self._policy.ask(message)
                elif isinstance(message, Ack) and message.error:
                    log.error("the backend refused: %s", message.error)
            if self._link.refused != refused:
                refused = self._link.refused
                log.error("%s", refused or "the backend takes this learner again")
            while self._outgoing:
                self._link.send(self._outgoing.popleft())
        self._policy.close()
        self._writing.close()
        self._learning.close()

    def close(self) -> None:
        """End `run`; safe from any thread and from a signal handler."""
        self._closing.set()
        self._link.wake()

    def _send(self, message: ToBackend) -> None:
        self._outgoing.append(message)
        self._link.wake()


def run_learner(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError where keys are needed, StorageError, and what `place_of` does
    for a place that cannot be used."""
    projects = Projects(settings.data_folder)
    events = FeedbackLog(Catalog(settings.data_folder).log_file)

    def load(name: str) -> RewardProject:
        from hitl.backend.reward_models import load_rewards
        from hitl.backend.time_models import load_times

        project = projects.open(name)
        versions = RewardVersions(project.folder / "rewards", TEXTS)
        time_versions = RewardVersions(project.folder / "rewards", RECORDINGS)
        texts = load_rewards(project, settings, versions) if heads_of(project.schema) else None
        times = load_times(project, settings, time_versions) if time_heads(project.schema) else None
        return RewardProject(project, events.labels(name), texts, times, versions, time_versions)

    place = None if settings.learn_on in ("", "here") else place_of(settings.learn_on, 1)

    def policy(tell: Callable[[Learned | TeachNothing], None]) -> PolicyThread:
        registry = ModelRegistry(settings.data_folder)
        part = PolicyPart(
            registry,
            TaughtExamples(events, Catalog(settings.data_folder), options_of(settings).rules),
            options_of(settings),
            place,
        )
        return PolicyThread(part, registry.writer(), tell, quiet_s=settings.quiet_s, tidy=registry.tidy)

    link = Link(endpoints_of(settings), "learner", "learner", keys=client_keys_of(settings))
    with link:
        serving = Learner(link, load, projects, settings.device, policy)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: serving.close())
        serving.run()
    if place is not None:
        place.close()
    events.close()
