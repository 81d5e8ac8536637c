"""The backend's process: hub, controller, feedback log and recording, put together. It decides nothing by itself.

The hub's thread passes messages on and never waits: inference is in the controller's thread, writing in the ledger's
and the recorder's. It serves before robot and model are there and says what it waits for; without a usable model it
still keeps every correction.
"""

from __future__ import annotations

import logging
import signal
import statistics
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from hitl import kinematics
from hitl.backend import annotation_server, model_server
from hitl.backend.annotation_server import AnnotationServer
from hitl.backend.controller import Chunk, Controller, Embodiment, Rules, Seen, StopWanted
from hitl.backend.engine import Answer, Engine, Loaded, Saved, Sound
from hitl.backend.ledger import Entry, Ledger, Written
from hitl.backend.loaded_model import Model
from hitl.backend.model_server import ModelServer
from hitl.backend.moment_writer import MomentWriter
from hitl.backend.recognition import RecognitionDesk, nobody
from hitl.backend.robots import RobotDesk
from hitl.backend.session_recorder import SessionRecorder
from hitl.bus import Hub, Received
from hitl.bus.addresses import endpoints_of, server_keys_of
from hitl.clock import Clock, SystemClock, new_ulid
from hitl.config import Settings
from hitl.errors import InputError
from hitl.messages import (
    PROTOCOL,
    Ack,
    BackendStatus,
    CommandStatus,
    Correction,
    CorrectionStatus,
    Frame,
    Hello,
    NewEpisode,
    Observation,
    Resume,
    RobotRequest,
    RobotState,
    Role,
    Stop,
    Welcome,
)
from hitl.recognizer_messages import Recognize, Recognized
from hitl.sessions import moments
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.moments import MomentStore
from hitl.speech.intents import intent_of

log = logging.getLogger("hitl.backend")

STATUS_NS = 200_000_000
_LATENCIES = 50
_TOLD: tuple[Role, ...] = ("gui", "say")
"""Who is told of the session and its corrections."""
_LATEST_PICTURE_NS = 1_000_000_000
_AUTHOR = "hitl"
"""Author of what the backend asks for by itself, such as the first episode."""

LoadModel = Callable[[Settings], Model]


def rules_of(settings: Settings) -> Rules:
    """The controller's part of the settings."""
    return Rules(
        hold_s=settings.hold_s,
        high_level_hz=settings.high_level_hz,
        done_threshold=settings.done_threshold,
        done_observations=settings.done_observations,
        min_command_s=settings.min_command_s,
        pause_s=settings.pause_s,
        switch_probability=settings.switch_probability,
        switch_asks=settings.switch_asks,
        ask_s=settings.ask_s,
        ask_margin=settings.ask_margin,
        ask_repeats=settings.ask_repeats,
        ask_every_s=settings.ask_every_s,
        unsure_s=settings.unsure_s,
        give_up_s=settings.give_up_s,
        aside_s=settings.aside_s,
    )


class Backend:
    """Everything between people and the robot. `run` blocks; the thread that calls it owns the hub."""

    def __init__(
        self,
        settings: Settings,
        load_model: LoadModel,
        *,
        embodiment: Embodiment = kinematics,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self._hub = Hub(endpoints_of(settings), server_keys_of(settings))
        catalog = Catalog(settings.data_folder)
        self._log = FeedbackLog(catalog.log_file)
        session = catalog.new_session()
        self._session = session.id
        self._start_ns = self._clock.now_ns()
        quality = settings.jpeg_quality
        self._recorder = SessionRecorder(session, jpeg_quality=quality) if settings.record else None
        self._moments = MomentWriter(MomentStore(session.folder / moments.FILE))
        self._desk = RobotDesk()
        self._recognition = RecognitionDesk()
        self._model: Model | None = None
        self._loading = True
        self._statuses: dict[str, CorrectionStatus] = {}
        self._command: CommandStatus | None = None
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._results: deque[Any] = deque()
        self._stopped: set[str] = set()
        self._status_due_ns = 0
        self._closing = threading.Event()
        self._ledger = Ledger(self._log, self._deliver)
        self._annotation = AnnotationServer(
            catalog,
            self._log,
            self._ledger,
            self._hub,
            self._deliver,
            session=self._session,
            now_ns=self._session_ns,
        )
        controller = Controller(
            None,
            embodiment,
            self._clock,
            rules_of(settings),
            session=self._session,
            session_start_ns=self._start_ns,
        )
        self._engine = Engine(
            controller,
            lambda: load_model(settings),
            self._ledger,
            self._deliver,
            known=self._log.__contains__,
            clock=self._clock,
            session=self._session,
            session_start_ns=self._start_ns,
            keep=self._moments.put,
        )
        self._models = ModelServer(
            settings,
            self._log,
            self._hub,
            self._deliver,
            self._engine.swap,
            session=self._session,
            now_ns=self._clock.now_ns,
        )

    def run(self) -> None:
        """Serve until `close`; then end the episode in the log and finish writing."""
        self._ledger.start()
        self._moments.start()
        self._engine.start()
        self._annotation.start()
        self._models.start()
        log.info("session %s, data in %s", self._session, self._settings.data_folder)
        try:
            while not self._closing.is_set():
                for received in self._hub.poll(50):
                    self._receive(received)
                self._send_results()
                self._send_due()
        finally:
            self._models.close()
            self._engine.close()
            self._end_episode()
            self._annotation.close()
            self._ledger.close()
            self._moments.close()
            self._send_results()
            if self._recorder is not None:
                self._recorder.close()
            self._hub.close()
            self._log.close()

    def close(self) -> None:
        """End `run`; may be called from a signal handler and more than once."""
        self._closing.set()

    # -- from the bus ---------------------------------------------------------------------------------------------

    def _receive(self, received: Received) -> None:
        message = received.message
        if isinstance(message, RobotState):
            self._robot_state(received, message)
        elif isinstance(message, Observation):
            self._observation(received, message)
        elif isinstance(message, Frame):
            if received.peer == self._desk.peer:
                self._hub.publish(message, received.payloads)
                if self._recorder is not None:
                    self._recorder.frame(self._captured_ns(message.stamp_ns), message, received)
        elif isinstance(message, Hello):
            self._hello(received, message)
        elif isinstance(message, Ack):
            self._desk.acknowledged(message.id, message.error)
        elif isinstance(message, Stop):
            self._desk.stopped()
            self._engine.ask(message, received.peer)
        elif isinstance(message, Recognize):
            self._recognize(received, message)
        elif isinstance(message, Recognized):
            ear = self._recognition.answered(received.peer, message)
            if ear is not None:
                self._hub.send("control", ear, message)
        elif isinstance(message, annotation_server.TAKES):
            self._annotation.receive(received)
        elif isinstance(message, model_server.TAKES):
            self._models.receive(received)
        elif isinstance(message, RobotRequest):
            self._request(received, message)

    def _hello(self, received: Received, hello: Hello) -> None:
        if hello.role == "recognizer":
            log.info("speech is recognized by %s", hello.name)
            for ear, answer in self._recognition.came(received.peer):
                self._hub.send("control", ear, answer)
        self._annotation.hello(hello)
        self._models.hello(hello)
        if hello.role != "robot":
            if hello.role in _TOLD:
                self._welcome(received.peer)
            return
        try:
            self._desk.hello(received.peer, hello.robot, self._clock.now_ns())
        except InputError as error:
            log.error("%s", error)
            self._desk.error = str(error)

    def _welcome(self, peer: bytes) -> None:
        welcome = Welcome(
            id=new_ulid(),
            protocol=PROTOCOL,
            session=self._session,
            session_start_ns=self._start_ns,
            commands=list(self._model.commands) if self._model else [],
            corrections=list(self._statuses.values()),
        )
        self._hub.send("control", peer, welcome)

    def _recognize(self, received: Received, request: Recognize) -> None:
        """Hand a sound on to a recognizer, by reference; the answer comes whenever it comes."""
        recognizers = self._hub.peers("recognizer")
        to = self._recognition.ask(received.peer, request, recognizers, self._clock.now_ns())
        if isinstance(to, bytes) and not self._hub.send("control", to, request, received.payloads):
            self._recognition.forget(received.peer)
            to = nobody(request.id)
        if isinstance(to, Recognized):
            self._hub.send("control", received.peer, to)

    def _request(self, received: Received, request: RobotRequest) -> None:
        if isinstance(request, Correction) and intent_of(request.text) == "stop":
            self._stop(request.id, request.author, request.text)  # before the engine, which may be busy or loading
        if isinstance(request, NewEpisode):
            try:
                self._desk.check_shift(request.shift)
            except InputError as error:
                self._hub.send("control", received.peer, Ack(id=request.id, error=str(error)))
                return
        self._engine.ask(request, received.peer)

    def _stop(self, correction_id: str, author: str, said: str) -> None:
        """Pause all robots because of a correction; once, whichever thread saw it first."""
        if correction_id in self._stopped:
            return
        self._stopped.add(correction_id)
        self._desk.stopped()
        reason = f"{author} said {said!r}"
        self._hub.stop(Stop(id=new_ulid(), author=author, stamp_ns=self._clock.now_ns(), reason=reason, by_words=True))

    def _robot_state(self, received: Received, state: RobotState) -> None:
        now_ns = self._clock.now_ns()
        step = self._desk.take_state(received.peer, state, now_ns)
        if received.peer != self._desk.peer:
            return
        self._hub.publish(state, received.payloads)
        if step == "adopt":
            log.info("the robot goes on with its episode %s", state.episode)
            self._desk.adopt(state.episode, now_ns)
            self._engine.begin_episode(state.episode)
        elif step == "begin":
            self._begin_episode()
        joints, targets = (np.frombuffer(payload, dtype=np.float64) for payload in received.payloads)
        self._engine.state(state, joints, targets)
        if self._recorder is not None:
            self._recorder.state(self._session_ns(), state, joints, targets)

    def _observation(self, received: Received, observation: Observation) -> None:
        if received.peer != self._desk.peer:
            return
        joints, targets = (np.frombuffer(payload, dtype=np.float64) for payload in received.payloads[:2])
        images = {
            image.camera: np.frombuffer(payload, dtype=np.uint8).reshape(image.height, image.width, 3)
            for image, payload in zip(observation.images, received.payloads[2:], strict=True)
        }
        self._engine.observe(Seen(observation, joints, targets, images))

    # -- episodes -------------------------------------------------------------------------------------------------

    def _begin_episode(self) -> None:
        """A robot without a known episode: begin one. Its first takes seed and shift from the robot."""
        if self._desk.unbegun is not None:
            self._forward(self._desk.unbegun)
            return
        info = self._desk.info
        first, self._desk.first = self._desk.first and info is not None, False
        request = NewEpisode(
            id=new_ulid(),
            author=_AUTHOR,
            stamp_ns=self._clock.now_ns(),
            seed=info.first_seed if first and info else None,
            shift=info.first_shift if first and info else "nominal",
        )
        self._engine.ask(request, b"")
        self._forward(request)

    def _forward(self, request: NewEpisode | Resume) -> None:
        now_ns = self._clock.now_ns()
        if isinstance(request, NewEpisode):
            self._end_episode()
            request = msgspec.structs.replace(request, episode=new_ulid())
            self._engine.begin_episode(request.episode)
        self._desk.forward(request, now_ns)

    def _end_episode(self) -> None:
        event = self._desk.ended(new_ulid(), self._session, self._session_ns())
        if event is not None:
            self._ledger.put(Entry(msgspec.structs.replace(event, version=self._models.version)))

    # -- to the bus -----------------------------------------------------------------------------------------------

    def _deliver(self, result: Any) -> None:
        """Called by engine and ledger from their threads."""
        self._results.append(result)
        self._hub.wake()

    def _send_results(self) -> None:
        for _ in range(len(self._results)):  # not what comes meanwhile: the bus has its turn, too
            result = self._results.popleft()
            if isinstance(result, Chunk):
                self._send_chunk(result)
            elif isinstance(result, CommandStatus):
                self._command = result
                self._hub.publish(result)
                if self._recorder is not None:
                    self._recorder.command(self._session_ns(), result)
            elif isinstance(result, Written):
                if self._recorder is not None and result.entry.event is not None and result.new:
                    self._recorder.event(result.entry.event)
                self._annotation.written(result)
                self._models.written(result)
                for item in result.entry.then:
                    self._tell(item, result.new)
            elif isinstance(result, annotation_server.GIVES):
                self._annotation.send(result)
            elif isinstance(result, StopWanted):
                self._stop(result.id, result.author, result.said)
            elif isinstance(result, model_server.GIVES):
                model = self._models.send(result)
                if model is not None:
                    self._use(model)
            elif isinstance(result, Loaded):
                self._models.loaded(result.model)
                self._use(result.model)

    def _use(self, model: Model | None) -> None:
        """It acts from now on, and these are the commands that it knows."""
        self._loading, self._model = False, model
        for peer in [peer for role in _TOLD for peer in self._hub.peers(role)]:
            self._welcome(peer)

    def _send_chunk(self, chunk: Chunk) -> None:
        self._hub.send("robot", self._desk.peer, chunk.header, [chunk.rows.tobytes()])
        self._latencies.append((self._clock.now_ns() - chunk.captured_ns) / 1e6)

    def _tell(self, item: Saved | Answer | Sound | CorrectionStatus, new: bool) -> None:
        """What may be told now that everything before it is on disk."""
        if isinstance(item, CorrectionStatus):
            self._statuses[item.id] = item
            self._hub.publish(item)
            if self._recorder is not None:
                self._recorder.correction(self._session_ns(), item)
        elif isinstance(item, Sound):
            if new and self._recorder is not None:
                self._recorder.voice(item.session_ns, item.utterance, item.samples)
        elif isinstance(item, Answer):
            self._hub.send("control", item.peer, item.ack)
        else:
            if item.peer:
                self._hub.send("control", item.peer, Ack(id=item.request.id, duplicate=not new))
            if new and item.peer and isinstance(item.request, NewEpisode | Resume):
                self._forward(item.request)

    def _send_due(self) -> None:
        now_ns = self._clock.now_ns()
        if self._desk.peer:
            for key, message in self._desk.waiting.due(now_ns):
                self._hub.send("robot", self._desk.peer, message)
                self._desk.waiting.sent(key, now_ns)
        if now_ns >= self._status_due_ns:
            self._status_due_ns = now_ns + STATUS_NS
            self._engine.watched = bool(self._hub.peers("gui"))
            status = self._status(now_ns)
            self._hub.publish(status)
            if self._recorder is not None:
                self._recorder.waiting(status.session_ns, status.waiting_for)
            if self._command is not None:
                self._hub.publish(self._command)
            self._models.due(now_ns)

    def _status(self, now_ns: int) -> BackendStatus:
        desk, model = self._desk, self._model
        return BackendStatus(
            session=self._session,
            session_ns=now_ns - self._start_ns,
            robot=desk.condition(now_ns),
            robot_name=desk.info.name if desk.info else "",
            waiting_for=self._waiting_for(now_ns),
            policy=model.name if model else "",
            device=model.device if model else "",
            episode=desk.episode,
            episode_ns=now_ns - desk.episode_begun_ns if desk.episode else 0,
            shifts=desk.info.shifts if desk.info else [],
            action_latency_ms=statistics.median(self._latencies) if self._latencies else 0.0,
            events_saved=self._ledger.saved,
            recording=self._recorder.path if self._recorder else "",
            recording_error=self._recorder.error if self._recorder else "",
            hold_s=self._engine.hold_s,
            commands=len(model.commands) if model else 0,
        )

    def _captured_ns(self, stamp_ns: int) -> int:
        """When a picture was taken, on the session clock: drawing and sending it may take as long as several ticks.
        Now, for a stamp that this session cannot have."""
        now_ns, captured_ns = self._session_ns(), stamp_ns - self._start_ns
        return captured_ns if now_ns - _LATEST_PICTURE_NS <= captured_ns <= now_ns else now_ns

    def _session_ns(self) -> int:
        return self._clock.now_ns() - self._start_ns

    def _waiting_for(self, now_ns: int) -> str:
        condition = self._desk.condition(now_ns)
        waits = [
            self._ledger.error,
            self._moments.error,
            "the model to load" if self._loading else self._engine.error,
            {"missing": "a robot to connect", "stale": "the robot, which is silent", "connected": ""}[condition],
            self._desk.error,
        ]
        return "; ".join(wait for wait in waits if wait)


def run_backend(settings: Settings, load_model: LoadModel) -> None:
    """Serve until SIGINT or SIGTERM. Raises PortInUseError, StorageError, ConfigError."""
    # The hub's thread must get the interpreter soon after the controller's thread made a chunk (default 5 ms).
    sys.setswitchinterval(0.001)
    backend = Backend(settings, load_model)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: backend.close())
    backend.run()
