"""Versions of the policies as the backend's server sees them: what is told to the learner and to windows, and the
thread that loads a version and hands it to the engine.

Whoever moves the pointer (the learner, a window, `hitl models`), the thread sees it within a second, at once where it
was told, and loads; the engine swaps between two ticks. A version that cannot be loaded is rolled back, said, and the
one before goes on. What the hub's thread calls waits for nothing.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from hitl import model_messages
from hitl.backend.ledger import Written
from hitl.backend.loaded_model import Answered, Model, Swap, Swapped
from hitl.backend.model_desk import ModelDesk
from hitl.backend.models import load_folder, load_version
from hitl.backend.registry import ModelRegistry
from hitl.bus import Hub, Received
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import HitlError
from hitl.events import CorrectionEvent, EpisodeEvent, OutcomeEvent, RequestEvent
from hitl.messages import Hello
from hitl.model_messages import (
    AskModels,
    Learned,
    Models,
    ModelVersion,
    PromoteModel,
    RollBackModel,
    SetLearning,
    Taught,
    TeachNothing,
)
from hitl.sessions.feedback_log import FeedbackLog

log = logging.getLogger("hitl.backend")

TAKES = (*model_messages.FROM_WINDOW, *model_messages.FROM_LEARNER)
"""The messages that are for it."""
_LOOK_S = 1.0
"""So often it is looked whether somebody else moved the pointer."""
_SETTLE_NS = 2_000_000_000
"""A version that acts and is not asked for so long, as the robot stands still, is told all the same."""


@dataclass(frozen=True)
class ToWindows:
    """For one window, or for all that asked."""

    message: Models
    peer: bytes = b""


@dataclass(frozen=True)
class NotTaken:
    """This version was promoted and cannot act."""

    version: str
    error: str


GIVES = (ToWindows, NotTaken, Swapped, Answered)
"""What it delivers; `Swapped` and `Answered` are the engine's."""


class ModelServer:
    """deliver: hands a result to the hub's thread, which calls `send` with it; swap: the engine's; now_ns: the clock
    of stamps. Nothing is followed or learned where a model folder was given, or the policy cannot be learned from."""

    def __init__(
        self,
        settings: Settings,
        feedback: FeedbackLog,
        hub: Hub,
        deliver: Callable[[Any], None],
        swap: Callable[[Swap], None],
        *,
        session: str,
        now_ns: Callable[[], int],
    ) -> None:
        self._hub, self._deliver, self._swap, self._now_ns = hub, deliver, swap, now_ns
        self._session = session
        self._fixed = f"hitl was started with --model {settings.model}; start it without." if settings.model else ""
        self._learning = settings.learning and not self._fixed
        self._registry = ModelRegistry(settings.data_folder)
        self._desk = ModelDesk(self._registry, feedback, session)
        self._watching: set[bytes] = set()
        self._learners = 0
        self._acting: Model | None = None
        self._swapped_ns = 0
        self._saved: dict[str, int] = {}
        self._learned: list[Learned] = []
        self._silent: TeachNothing | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._device = settings.device
        # Of the thread: whether the first model is there or failed; the newest that was loaded; what could not be.
        self._begun = False
        self._newest: Model | None = None
        self._refused = self._problem = ""
        self._thread = threading.Thread(target=self._run, name="versions")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after what is under way."""
        if self._thread.ident is not None:
            self._jobs.put(None)
            self._thread.join()

    @property
    def version(self) -> str:
        """Name of the version that acts; empty without one."""
        return self._acting.name if self._acting is not None else ""

    # -- the hub's thread -----------------------------------------------------------------------------------------

    def receive(self, received: Received) -> None:
        """A message of a window or a learner, of those in `TAKES`."""
        message, peer = received.message, received.peer
        if isinstance(message, Learned):
            self._take(message)
            return
        if isinstance(message, TeachNothing):
            self._silent = message if message.session == self._session else self._silent
            self._tell_silent(self._hub.peers("gui"))
            return
        self._watching.add(peer)
        if isinstance(message, AskModels):
            self._tell_silent([peer])
        error = ""
        if isinstance(message, SetLearning):
            if not self._fixed:
                self._learning = message.learning
                self._tell_learners()
            error = f"Nothing is learned: {self._fixed}" if self._fixed and message.learning else ""
            self._jobs.put(self._push)
        name = message.name if isinstance(message, PromoteModel) else ""
        moves = isinstance(message, PromoteModel | RollBackModel)
        self._jobs.put(lambda: self._answer(peer, message.id, name, moves, error))

    def hello(self, hello: Hello) -> None:
        """A peer is there."""
        if hello.role == "learner":
            self._tell_learners()

    def loaded(self, model: Model | None) -> None:
        """The first model is there, or cannot be."""
        self._acting = model
        if not self._fixed and (model is None or model.features):
            self._jobs.put(lambda: self._begin(model))
        self._tell_learners()

    def written(self, written: Written) -> None:
        """Something is in the log now."""
        event = written.entry.event
        if not written.new or not isinstance(event, CorrectionEvent | RequestEvent | OutcomeEvent | EpisodeEvent):
            return
        if isinstance(event, RequestEvent) and event.kind not in ("undo", "choose"):
            return
        if isinstance(event, CorrectionEvent):
            self._saved[event.id] = self._now_ns()
        elif isinstance(event, RequestEvent) and event.kind == "choose":
            self._saved[event.target] = self._now_ns()
        if isinstance(event, EpisodeEvent):
            self._jobs.put(self._push)
        if self._teaches:
            acts = isinstance(event, CorrectionEvent) and event.certainty != "low" and event.grounding != "stop"
            taught = Taught(
                id=new_ulid(), session=self._session, event=event.id, urgent=acts or isinstance(event, RequestEvent)
            )
            for peer in self._hub.peers("learner"):
                self._hub.send("control", peer, taught)

    def send(self, result: ToWindows | NotTaken | Swapped | Answered) -> Model | None:
        """What was delivered; the model that acts from now on, where it is another one."""
        if isinstance(result, ToWindows):
            self._watching = {peer for peer in self._watching if self._hub.alive(peer)}
            for peer in [result.peer] if result.peer else sorted(self._watching):
                self._hub.send("control", peer, result.message)
        elif isinstance(result, NotTaken):
            self._not_taken(result)
        elif isinstance(result, Answered):
            self._tell_learned(result.version)
        elif result.error:
            acting = self._acting
            self._jobs.put(lambda: self._not_adopted(result, acting))
        else:
            self._acting, self._swapped_ns = result.model, self._now_ns()
            return result.model
        return None

    def due(self, now_ns: int) -> None:
        """To be called now and then."""
        learners = len(self._hub.peers("learner"))
        if (learners == 0) != (self._learners == 0):
            self._jobs.put(self._push)
        self._learners = learners
        if self._learned and self._acting is not None and now_ns - self._swapped_ns > _SETTLE_NS:
            self._tell_learned(self._acting.name)

    @property
    def _teaches(self) -> bool:
        return self._learning and self._acting is not None and bool(self._acting.features)

    def _tell_learners(self) -> None:
        """A learner loads what it needs when it hears that there is somebody to learn from."""
        if self._fixed or self._acting is None or not self._acting.features:
            return
        for peer in self._hub.peers("learner"):
            self._hub.send("control", peer, SetLearning(id=new_ulid(), author="hitl", learning=self._learning))

    def _take(self, learned: Learned) -> None:
        if learned.error or not learned.promoted:
            self._to_all(learned)
            self._jobs.put(self._push)
        else:
            self._learned.append(learned)
            self._jobs.put(self._follow)

    def _tell_learned(self, version: str) -> None:
        """All that was learned up to this version is in use."""
        names = [learned.version.name for learned in self._learned]
        if version not in names:
            return
        told = names.index(version) + 1
        now_ns = self._now_ns()
        for learned in self._learned[:told]:
            saved_ns = self._saved.get(learned.newest_event)
            if saved_ns is not None:  # what was told once waits no more
                self._saved = {event: ns for event, ns in self._saved.items() if ns > saved_ns}
            waited_s = (now_ns - saved_ns) / 1e9 if saved_ns is not None else 0.0
            self._to_all(msgspec.structs.replace(learned, waited_s=round(waited_s, 3)))
        del self._learned[:told]
        self._jobs.put(self._push)

    def _not_taken(self, result: NotTaken) -> None:
        version = ModelVersion(name=result.version, part="high_level")
        failed = [learned for learned in self._learned if learned.version.name == result.version]
        self._learned = [learned for learned in self._learned if learned not in failed]
        for learned in failed or [Learned(id=new_ulid(), version=version, promoted=False)]:
            self._to_all(msgspec.structs.replace(learned, promoted=False, error=result.error))

    def _tell_silent(self, peers: Iterable[bytes]) -> None:
        if self._silent is not None:
            for peer in peers:
                self._hub.send("control", peer, self._silent)

    def _to_all(self, learned: Learned) -> None:
        for peer in self._hub.peers("gui"):
            self._hub.send("control", peer, learned)

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LOOK_S)
            except queue.Empty:
                job = self._follow
            if job is None:
                return
            try:
                job()
            except Exception:
                log.exception("versions of the model cannot be told")

    def _begin(self, model: Model | None) -> None:
        self._begun, self._newest = True, model
        if model is None:  # what could not be loaded is not tried again, but what people promote instead is
            with suppress(HitlError):
                self._refused = self._registry.history()[-1]

    def _answer(self, peer: bytes, request: str, promote: str, moves: bool, error: str) -> None:
        if moves:
            error = self._fixed or (self._desk.promote(promote) if promote else self._desk.roll_back())
        self._deliver(ToWindows(self._models(request, error), peer))
        if moves and not error:
            self._follow()
            self._push()

    def _push(self) -> None:
        if self._watching:
            self._deliver(ToWindows(self._models("", "")))

    def _models(self, request: str, error: str) -> Models:
        return self._desk.models(request, learning=self._learning, learner=self._learners > 0, error=error)

    def _follow(self) -> None:
        """Load what the pointer names, where that is another version than the newest that was loaded."""
        if not self._begun:
            return
        name = ""
        try:
            name = self._registry.history()[-1]
            if self._newest is not None and name == self._newest.name:
                self._refused = ""
            elif name != self._refused:
                self._load(name)
        except HitlError as error:
            self._give_back(name, str(error))

    def _load(self, name: str) -> None:
        folder = self._registry.version(name).folder
        if self._newest is None:
            swap = Swap(load_folder(name, folder, self._device))
        else:
            swap = load_version(name, folder, self._newest)
        self._newest = swap.model
        self._swap(swap)
        self._push()

    def _not_adopted(self, swapped: Swapped, acting: Model | None) -> None:
        """The engine goes on with the version before."""
        if self._newest is swapped.model:
            self._newest = acting
        self._give_back(swapped.model.name, swapped.error)

    def _give_back(self, name: str, error: str) -> None:
        """The pointer cannot be read, or names what cannot act: say it once, and let it name what acts, so that the
        next start finds that."""
        if name == self._refused and error == self._problem:
            return
        self._refused, self._problem = name, error
        log.error("%s", error)
        self._deliver(NotTaken(name, error))
        with suppress(HitlError):
            if name and self._newest is not None and self._registry.history()[-1] == name:
                self._registry.roll_back()
        self._push()
