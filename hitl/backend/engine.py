"""The controller's thread: loads the model, grounds corrections, runs the loop, and hands results on.

All inference happens here, so that the hub's thread never waits for it. Requests come before observations, and of
states and observations only the newest waits. Corrections that arrive while the model is still loading wait for it
(their sender keeps them until they are saved), and so does a release, which is about the corrections before it. Knows
no sockets: results leave through `deliver` and the ledger.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.backend.controller import Chunk, Controller, Seen, StopWanted
from hitl.backend.ledger import Entry, Ledger
from hitl.backend.loaded_model import Answered, Grounded, Model, Swap, Swapped
from hitl.backend.parts import Array
from hitl.clock import Clock
from hitl.errors import HitlError
from hitl.events import CorrectionEvent, DoubtEvent, OutcomeEvent, RequestEvent, UtteranceEvent
from hitl.messages import (
    AUDIO_RATE,
    MAX_AUDIO_BYTES,
    Ack,
    Certainty,
    Choose,
    CommandStatus,
    Correction,
    CorrectionStatus,
    Grounding,
    NewEpisode,
    Release,
    Resume,
    RobotRequest,
    RobotState,
    SetHold,
    Stop,
    Undo,
    Utterance,
)
from hitl.sessions.moments import Moment

log = logging.getLogger("hitl.backend")

_IDLE_S = 0.1
_LONGEST_NS = MAX_AUDIO_BYTES * 1_000_000_000 // (2 * AUDIO_RATE)
_KINDS = {
    Release: "release",
    Undo: "undo",
    Choose: "choose",
    SetHold: "set_hold",
    NewEpisode: "new_episode",
    Resume: "resume",
    Stop: "stop",
}
_Applied = Release | Undo | Choose | SetHold | NewEpisode | Resume | Stop


@dataclass(frozen=True)
class Saved:
    """`request` of `peer` is on disk: acknowledge it, and pass on what the robot must hear."""

    request: RobotRequest
    peer: bytes


@dataclass(frozen=True)
class Sound:
    """What the saved utterance sounded like, for the recording; its first sample is at `session_ns`."""

    utterance: str
    session_ns: int
    samples: bytes


@dataclass(frozen=True)
class Loaded:
    """The model is there, or `error` says why it is not."""

    model: Model | None
    error: str = ""


@dataclass(frozen=True)
class _Asked:
    request: RobotRequest | Stop
    peer: bytes


@dataclass(frozen=True)
class _Begun:
    episode: str


@dataclass(frozen=True)
class _Taken:
    """What a correction was taken for."""

    grounding: Grounding
    command: str
    similarity: float
    text: str
    certainty: Certainty = "high"
    choices: Sequence[str] = ()
    ignored: bool = False


Delivered = Chunk | CommandStatus | StopWanted | Loaded | Swapped | Answered


class Engine:
    """Owns the controller and its thread. `known(id)` says whether an earlier run of the backend logged the id."""

    def __init__(
        self,
        controller: Controller,
        load: Callable[[], Model],
        ledger: Ledger,
        deliver: Callable[[Delivered], None],
        *,
        known: Callable[[str], bool],
        clock: Clock,
        session: str,
        session_start_ns: int,
        keep: Callable[[Moment], None] = lambda moment: None,
    ) -> None:
        """keep: takes what the high level looked at, for learning."""
        self._controller = controller
        self._keep_moment = keep
        self._load = load
        self._ledger = ledger
        self._deliver = deliver
        self._known = known
        self._clock = clock
        self._session = session
        self._session_start_ns = session_start_ns
        self._model: Model | None = None
        self._loading = True
        self._early: list[_Asked] = []
        self._handled: set[str] = set()
        self._wakeup = threading.Condition()
        self._items: deque[_Asked | _Begun | Loaded | Swap] = deque()
        self._unasked = ""
        self._state: tuple[RobotState, Array, Array] | None = None
        self._seen: Seen | None = None
        self._thinking = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="controller")
        self._loader = threading.Thread(target=self._load_model, name="loader", daemon=True)
        self.error = ""
        """Why the policy does not act, in words; empty where it does."""
        self.watched = False
        """Whether somebody can see a question of the policy; set from any thread."""

    # -- safe from any thread -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; the model loads in the background."""
        self._thread.start()
        self._loader.start()

    def ask(self, request: RobotRequest | Stop, peer: bytes) -> None:
        """A person's request, or a stop that the bus has already passed on."""
        self._post(_Asked(request, peer))

    def begin_episode(self, episode: str) -> None:
        """Observations of `episode` count from now on."""
        self._post(_Begun(episode))

    def swap(self, swap: Swap) -> None:
        """Act with another version from the next observation on."""
        self._post(swap)

    def state(self, state: RobotState, joints: Array, targets: Array) -> None:
        """The robot's newest tick; does not wake the thread, the next observation or request reads it."""
        self._state = (state, joints, targets)

    def observe(self, seen: Seen) -> None:
        """The newest observation; an older one that still waits is dropped."""
        with self._wakeup:
            self._seen = seen
            self._wakeup.notify()

    @property
    def hold_s(self) -> float:
        """How long a correction holds at most."""
        return self._controller.hold_s

    def close(self) -> None:
        """End the thread after the request it works on."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _post(self, item: _Asked | _Begun | Loaded | Swap) -> None:
        with self._wakeup:
            self._items.append(item)
            self._wakeup.notify()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _load_model(self) -> None:
        try:
            loaded = Loaded(self._load())
        except HitlError as error:
            loaded = Loaded(None, str(error))
        except Exception as error:
            log.exception("the model could not be loaded")
            loaded = Loaded(None, f"the model could not be loaded: {error}")
        self._post(loaded)

    def _run(self) -> None:
        while True:
            with self._wakeup:
                busy = self._items or self._thinking or self._seen is not None or self._closing
                if not busy:
                    self._wakeup.wait(_IDLE_S)
                if self._closing:
                    return
                item = self._items.popleft() if self._items else None
                seen = None
                if item is None and not self._thinking:
                    seen, self._seen = self._seen, None
            try:
                self._work(item, seen)
            except Exception as error:  # the loop must go on: the robot holds by its lease, people are told why
                self._thinking = False
                if not self.error:
                    log.exception("the policy failed")
                self.error = f"the policy failed: {error}"
            self._hand_on()

    def _work(self, item: _Asked | _Begun | Loaded | Swap | None, seen: Seen | None) -> None:
        """One step: a request, else the rest of the last observation, else the newest observation."""
        self._controller.watched = self.watched
        state = self._state
        if state is not None:
            self._controller.robot_state(*state)
        if isinstance(item, Loaded):
            self._use(item)
        elif isinstance(item, Swap):
            self._swap(item)
        elif isinstance(item, _Begun):
            self._controller.new_episode(item.episode)
        elif item is not None:
            self._take(item)
        elif self._thinking:
            self._thinking = self._controller.think()
            if not self._thinking and self._model is not None:
                self.error = ""  # one observation went through whole
        elif seen is not None:
            self._controller.see(seen)
            self._thinking = True
        else:
            self._controller.expire()

    def _use(self, loaded: Loaded) -> None:
        self._model, self._loading, self.error = loaded.model, False, loaded.error
        if loaded.model is not None:
            self._controller.use(loaded.model.policy)
        else:
            log.error("%s", loaded.error)
        self._deliver(loaded)
        early, self._early = self._early, []
        for asked in early:
            self._take(asked)

    def _swap(self, swap: Swap) -> None:
        try:
            swap.adopt() if swap.adopt is not None else self._controller.use(swap.model.policy)
        except Exception as error:
            log.exception("version %s could not be taken", swap.model.name)
            self._deliver(Swapped(swap.model, f"version {swap.model.name} could not be taken: {error}"))
            return
        self._model, self._unasked = swap.model, swap.model.name
        self._controller.ask_anew()
        self._deliver(Swapped(swap.model))

    def _hand_on(self) -> None:
        for output in self._controller.drain():
            if isinstance(output, OutcomeEvent | DoubtEvent):
                self._ledger.put(Entry(output))
            elif isinstance(output, Moment):
                self._keep_moment(replace(output, features=self._model.features if self._model else ""))
                if self._unasked:
                    self._deliver(Answered(self._unasked))
                    self._unasked = ""
            elif isinstance(output, CorrectionStatus):
                self._ledger.put(Entry(None, (output,)))  # behind its event, so nobody hears of it before it is saved
            else:
                self._deliver(output)

    # -- requests -------------------------------------------------------------------------------------------------

    def _take(self, asked: _Asked) -> None:
        request = asked.request
        if isinstance(request, Correction | Release) and self._loading:
            self._early.append(asked)
            return
        if request.id in self._handled:
            return  # its acknowledgement is on the way, or waits for the disk
        self._handled.add(request.id)
        if not isinstance(request, Stop) and self._known(request.id):
            # Saved by an earlier run that died before it could say so. Its moment is over: it does not act now.
            self._ledger.put(Entry(None, (_duplicate(request.id, asked.peer),)))
        elif isinstance(request, Correction):
            self._correct(request, asked.peer)
        elif isinstance(request, Choose):
            self._answer(request, asked.peer, self._controller.choose(request.target, request.command))
        elif isinstance(request, Undo):
            self._answer(request, asked.peer, self._controller.undo(request.target))
        elif isinstance(request, Utterance):
            self._keep(request, asked.peer)
        else:
            self._apply(request, asked.peer)

    def _correct(self, correction: Correction, peer: bytes) -> None:
        wanted, probability = self._controller.wanted()
        taken = self._decide(correction)
        event = CorrectionEvent(
            id=correction.id,
            session=self._session,
            episode=self._controller.episode,
            session_ns=self._now_ns(),
            author=correction.author,
            source=correction.source,
            text=taken.text,
            command=taken.command,
            grounding=taken.grounding,
            similarity=taken.similarity,
            policy_command=wanted,
            policy_probability=probability,
            observations=self._controller.recent_observations(),
            hold_s=self._controller.hold_s if correction.hold_s is None else correction.hold_s,
            heard=correction.heard,
            readings=correction.readings,
            certainty=taken.certainty,
            choices=list(taken.choices),
        )
        self._ledger.put(Entry(event, (Saved(correction, peer),)))
        if taken.ignored:
            self._controller.ignore(event)
        else:
            self._controller.correct(event)

    def _decide(self, correction: Correction) -> _Taken:
        """What the words are taken for. A model that cannot ground keeps them as they are: they are saved."""
        text, model = correction.text, self._model
        try:
            if model is None:
                return _Taken("new", text.strip(), 0.0, text)
            if model.decide is None:
                grounded = model.ground(text)
                return _Taken(grounded.kind, grounded.command, _similarity(grounded), text)
            spoken = correction.source == "voice"
            found = model.decide(text, correction.heard, correction.readings, spoken=spoken)
        except Exception:
            log.exception("grounding failed; the words are kept as they are")
            return _Taken("new", text.strip(), 0.0, text)
        grounded = found.grounded
        similarity = _similarity(grounded)
        return _Taken(
            grounded.kind, grounded.command, similarity, found.text, found.certainty, found.choices, found.ignored
        )

    def _answer(self, request: Choose | Undo, peer: bytes, refused: str) -> None:
        """The request is logged where it took effect; else its sender hears why it did not."""
        if refused:
            self._ledger.put(Entry(None, (Answer(Ack(id=request.id, error=refused), peer),)))
        else:
            self._ledger.put(Entry(self._event(request), (Saved(request, peer),)))

    def _keep(self, utterance: Utterance, peer: bytes) -> None:
        """Log what was said; its sound goes to the recording, at the time at which it was said."""
        session_ns = self._said_ns(utterance.stamp_ns)
        before_ns = min(utterance.stamp_ns - utterance.began_ns, _LONGEST_NS)
        event = UtteranceEvent(
            id=utterance.id,
            session=self._session,
            episode=self._controller.episode,
            session_ns=session_ns,
            author=utterance.author,
            text=utterance.text,
            correction=utterance.correction,
            recognizer=utterance.recognizer,
            duration_s=len(utterance.audio) / (2 * AUDIO_RATE),
            narration=utterance.narration,
            words=utterance.words,
        )
        sound = Sound(utterance.id, session_ns - before_ns, utterance.audio)
        self._ledger.put(Entry(event, (Saved(utterance, peer), sound)))

    def _said_ns(self, stamp_ns: int) -> int:
        """A stamp on the session clock; now, for one that this session cannot have: kept from before it began, or from
        a machine whose clock was not brought over."""
        now_ns, session_ns = self._now_ns(), stamp_ns - self._session_start_ns
        return session_ns if 0 <= session_ns <= now_ns else now_ns

    def _apply(self, request: Release | SetHold | NewEpisode | Resume | Stop, peer: bytes) -> None:
        event = self._event(request)
        self._ledger.put(Entry(event, () if isinstance(request, Stop) else (Saved(request, peer),)))
        if isinstance(request, Release):
            self._controller.release()
        elif isinstance(request, SetHold):
            self._controller.set_hold(request.hold_s)

    def _event(self, request: _Applied) -> RequestEvent:
        return RequestEvent(
            id=request.id,
            session=self._session,
            episode=self._controller.episode,
            session_ns=self._now_ns(),
            author=request.author,
            kind=_KINDS[type(request)],  # type: ignore[arg-type]
            target=request.target if isinstance(request, Undo | Choose) else "",
            detail=_detail(request),
        )

    def _now_ns(self) -> int:
        return self._clock.now_ns() - self._session_start_ns


@dataclass(frozen=True)
class Answer:
    """An acknowledgement for one peer."""

    ack: Ack
    peer: bytes


def _duplicate(request_id: str, peer: bytes) -> Answer:
    return Answer(Ack(id=request_id, duplicate=True), peer)


def _similarity(grounded: Grounded) -> float:
    return float(np.clip(grounded.similarity, -1.0, 1.0))


def _detail(request: _Applied) -> str:
    if isinstance(request, Choose):
        return request.command
    if isinstance(request, SetHold):
        return f"{request.hold_s:g} s"
    if isinstance(request, NewEpisode):
        return f"seed {request.seed}, shift {request.shift}"
    if isinstance(request, Resume):
        return "by words" if request.by_words else ""
    return request.reason if isinstance(request, Stop) else ""
