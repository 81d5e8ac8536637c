"""The whole backend with real sockets in one process: a robot and a window are links that the test holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hitl.backend.loaded_model import Model
from hitl.backend.server import Backend
from hitl.bus import Endpoints, Link
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import CheckpointError, PortInUseError
from hitl.events import CorrectionEvent, DoubtEvent, EpisodeEvent, OutcomeEvent, RequestEvent, UtteranceEvent
from hitl.messages import (
    AUDIO_RATE,
    Ack,
    ActionChunk,
    BackendStatus,
    Choose,
    CommandStatus,
    Correction,
    CorrectionStatus,
    Frame,
    ImageInfo,
    NewEpisode,
    Observation,
    Reading,
    Release,
    Resume,
    RobotState,
    SetHold,
    Stop,
    StopAck,
    Task,
    Undo,
    Utterance,
    Welcome,
)
from hitl.sessions import foxglove
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recording import read_recording
from robot.node import spec_json
from robot.synthetic import SyntheticDriver
from tests.support.scripted import COMMANDS, ScriptedPolicy, Torn, ground, load_scripted

PATIENCE_S = 30.0
HOME = np.array([0.0, -0.96, 1.16, 0.0, -0.3, 0.0, 0.5] * 2)


class Peer:
    """A link and everything that came through it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.got: list[Any] = []

    def poll(self, timeout_ms: int = 10) -> None:
        self.got += [received.message for received in self.link.poll(timeout_ms)]

    def newest(self, kind: type) -> Any:
        return next((message for message in reversed(self.got) if isinstance(message, kind)), None)

    def all(self, kind: type) -> list[Any]:
        return [message for message in self.got if isinstance(message, kind)]


class Stage:
    """A backend in a thread, a window, and a robot whose ticks the test sends."""

    def __init__(self, folder: Path, load: Callable[[Settings], Model] = load_scripted, **settings: Any) -> None:
        self.settings = Settings(data=str(folder / "data"), sockets=str(folder / "s"), **settings)
        self.load = load
        self.answered: list[NewEpisode] = []
        self.endpoints = Endpoints.private(folder / "s")
        self.start()
        self.window = Peer(Link(self.endpoints, "gui", "test"))
        described = spec_json(SyntheticDriver().spec, Settings(seed=3, shift="offset"))
        self.robot = Peer(Link(self.endpoints, "robot", "test", robot_json=described))
        self.episode = ""
        self.tick = 0
        self.mode: Any = "running"
        self.task: Task | None = None

    def start(self) -> None:
        self.backend = Backend(self.settings, self.load)
        self.thread = threading.Thread(target=self.backend.run)
        self.thread.start()

    def stop(self) -> None:
        self.backend.close()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def close(self) -> None:
        self.window.link.close()
        self.robot.link.close()
        self.stop()

    def until(self, true: Callable[[], Any], *, seeing: bool = True) -> Any:
        """Poll, with the robot alive and (`seeing`) sending observations, until something is true."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            self.window.poll()
            self.robot.poll()
            self._obey()
            self._tick(seeing)
            found = true()
            if found:
                return found
        raise AssertionError("it did not happen")

    def ready(self) -> None:
        self.until(lambda: self.status() and not self.status().waiting_for and self.robot.all(ActionChunk))

    def status(self) -> BackendStatus | None:
        return self.window.newest(BackendStatus)

    def ask(self, request: Any) -> Ack:
        self.window.link.submit(request)
        return self.until(lambda: next((a for a in self.window.all(Ack) if a.id == request.id), None))

    def correct(self, text: str = "go higher", **fields: Any) -> Correction:
        correction = Correction(id=new_ulid(), author="ann", stamp_ns=time.monotonic_ns(), text=text, **fields)
        ack = self.ask(correction)
        assert not ack.error
        return correction

    def states(self, id_: str) -> list[str]:
        return [status.state for status in self.window.all(CorrectionStatus) if status.id == id_]

    def events(self, kind: type) -> list[Any]:
        log = FeedbackLog(Catalog(Path(self.settings.data)).log_file)
        try:
            return log.events(kind=kind)
        finally:
            log.close()

    def _obey(self) -> None:
        for message in self.robot.all(NewEpisode):
            if message.episode != self.episode and message not in self.answered:
                self.answered.append(message)
                self.episode = message.episode
                self.robot.link.send(Ack(id=message.id))

    def _tick(self, seeing: bool) -> None:
        self.tick += 1
        now_ns = time.monotonic_ns()
        numbers = [HOME.tobytes(), HOME.tobytes()]
        state = RobotState(tick=self.tick, stamp_ns=now_ns, episode=self.episode, mode=self.mode, task=self.task)
        self.robot.link.send(state, numbers)
        if seeing:
            image = ImageInfo(camera="front", height=4, width=4)
            observation = Observation(tick=self.tick, stamp_ns=now_ns, episode=self.episode, images=[image])
            self.robot.link.send(observation, [*numbers, bytes(48)])
        frame = Frame(camera="front", tick=self.tick, stamp_ns=now_ns, height=4, width=4)
        self.robot.link.send(frame, [bytes(48)])


@contextmanager
def loading_stage(folder: Path) -> Iterator[tuple[Stage, threading.Event]]:
    """A stage whose model is there only once the event is set."""
    gate = threading.Event()

    def slow(settings: Settings) -> Model:
        gate.wait(PATIENCE_S)
        return load_scripted(settings)

    stage = Stage(folder, slow)
    try:
        yield stage, gate
    finally:
        gate.set()
        stage.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def test_before_robot_and_model_are_there_it_says_what_it_waits_for(tmp_path: Path) -> None:
    with loading_stage(tmp_path) as (stage, gate):
        early = Correction(id=new_ulid(), author="ann", stamp_ns=0, text="go higher")
        stage.window.link.submit(early)
        stage.until(lambda: stage.status() and "model" in stage.status().waiting_for)
        stage.until(lambda: stage.window.newest(Welcome) is not None)
        assert stage.window.newest(Welcome).commands == []
        gate.set()
        stage.until(lambda: "acting" in stage.states(early.id))
        stage.until(lambda: stage.window.newest(Welcome).commands == list(COMMANDS))
        assert stage.events(CorrectionEvent)[0].grounding == "exact", "it waited for the command bank"


def test_what_was_released_before_the_model_was_there_does_not_act(tmp_path: Path) -> None:
    with loading_stage(tmp_path) as (stage, gate):
        early = Correction(id=new_ulid(), author="ann", stamp_ns=0, text="go higher")
        stage.window.link.submit(early)
        stage.window.link.submit(Release(id=new_ulid(), author="ann", stamp_ns=0))
        stage.until(lambda: stage.status() and "model" in stage.status().waiting_for)
        gate.set()
        stage.until(lambda: "released" in stage.states(early.id))
        stage.until(lambda: stage.window.link.unsaved == 0)
        assert [event.kind for event in stage.events(RequestEvent)].count("release") == 1


def test_the_robots_first_episode_has_the_seed_and_shift_that_it_names(stage: Stage) -> None:
    stage.ready()
    (request,) = [m for m in stage.answered]
    assert (request.seed, request.shift) == (3, "offset")
    status = stage.status()
    assert status is not None and status.robot == "connected" and status.episode == request.episode
    assert status.commands == len(COMMANDS)
    stage.until(lambda: stage.status().action_latency_ms > 0)


def test_a_correction_is_saved_acted_on_and_told(stage: Stage) -> None:
    stage.ready()
    correction = stage.correct("go higher", hold_s=0.0)
    stage.until(lambda: any(chunk.command_id == correction.id for chunk in stage.robot.all(ActionChunk)))
    stage.until(lambda: stage.states(correction.id) == ["saved", "acting"])
    (event,) = stage.events(CorrectionEvent)
    assert (event.id, event.text, event.command, event.grounding) == (correction.id, "go higher", "go higher", "exact")
    assert event.policy_command == "hold still" and event.policy_probability == pytest.approx(0.8)
    assert event.observations and all(name.startswith(stage.episode + "/") for name in event.observations)
    assert event.episode == stage.episode and event.author == "ann"


def test_release_undo_and_hold_are_saved_and_act(stage: Stage) -> None:
    stage.ready()
    stage.ask(SetHold(id=new_ulid(), author="ann", stamp_ns=0, hold_s=3.0))
    stage.until(lambda: stage.status().hold_s == 3.0)  # type: ignore[union-attr]
    first = stage.correct("go higher")
    stage.ask(Release(id=new_ulid(), author="ann", stamp_ns=0))
    stage.until(lambda: stage.states(first.id)[-1:] == ["released"])
    second = stage.correct("go lower")
    stage.ask(Undo(id=new_ulid(), author="ann", stamp_ns=0, target=second.id))
    stage.until(lambda: stage.states(second.id)[-1:] == ["undone"])
    assert [event.hold_s for event in stage.events(CorrectionEvent)] == [3.0, 3.0]
    kinds = [event.kind for event in stage.events(RequestEvent)]
    assert kinds == ["new_episode", "set_hold", "release", "undo"]
    assert [event.state for event in stage.events(OutcomeEvent)] == ["released", "undone"]


@pytest.mark.parametrize("text", ["stop", "no, stop! wait"])
def test_stop_in_words_reaches_the_robot_also_while_the_model_loads(tmp_path: Path, text: str) -> None:
    with loading_stage(tmp_path) as (stage, gate):
        stage.until(lambda: stage.status() and stage.status().robot == "connected")
        correction = Correction(id=new_ulid(), author="ann", stamp_ns=0, text=text)
        stage.window.link.submit(correction)
        stop = stage.until(lambda: stage.robot.newest(Stop))
        assert "ann" in stop.reason and "stop" in stop.reason and stop.by_words
        stage.robot.link.send(StopAck(id=stop.id, tick=stage.tick, stamp_ns=0))
        gate.set()
        stage.until(lambda: stage.states(correction.id) == ["saved", "done"])
        assert len({message.id for message in stage.robot.all(Stop)}) == 1, "one stop, however often it is sent"


@dataclass(frozen=True)
class Doubtful:
    """Takes "a or b" for a question, "talk" for none of its business, and the rest as it is."""

    grounded: Any
    text: str
    certainty: Any = "high"
    choices: tuple[str, ...] = ()
    ignored: bool = False


def doubt(text: str, heard: float, readings: Sequence[Reading], *, spoken: bool) -> Doubtful:
    if not spoken:
        return Doubtful(ground(text), text)
    taken = readings[-1].text if readings else text
    if " or " in text:
        return Doubtful(ground(taken), taken, "low", tuple(text.split(" or ")))
    return Doubtful(ground(taken), taken, "low", ignored=text == "talk")


def choose(target: str, command: str) -> Choose:
    return Choose(id=new_ulid(), author="ann", stamp_ns=0, target=target, command=command)


@pytest.fixture
def doubting(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(
        tmp_path, lambda settings: Model(ScriptedPolicy(), ground, COMMANDS, "scripted", "cpu", doubt), ask_s=600.0
    )
    yield made
    made.close()


def test_spoken_words_of_low_certainty_are_asked_about_and_the_choice_acts(doubting: Stage) -> None:
    stage = doubting
    stage.ready()
    readings = [Reading(text="go higher or go lower", probability=0.5), Reading(text="go higher", probability=0.4)]
    asked = stage.correct("go higher or go lower", source="voice", heard=0.7, readings=readings)
    stage.until(lambda: stage.states(asked.id) == ["saved", "asked"])
    status = stage.window.newest(CorrectionStatus)
    assert (status.choices, status.certainty, status.source) == (["go higher", "go lower"], "low", "voice")
    (event,) = stage.events(CorrectionEvent)
    assert (event.text, event.heard, event.readings) == ("go higher", 0.7, readings)
    assert (event.certainty, event.choices) == ("low", ["go higher", "go lower"])
    request = choose(asked.id, "go lower")
    assert not stage.ask(request).error
    stage.until(lambda: any(chunk.command_id == asked.id for chunk in stage.robot.all(ActionChunk)))
    stage.until(lambda: stage.states(asked.id)[-1] == "acting")
    assert stage.window.newest(CorrectionStatus).command == "go lower"
    logged = stage.events(RequestEvent)[-1]
    assert (logged.id, logged.kind, logged.target, logged.detail) == (request.id, "choose", asked.id, "go lower")
    late = stage.ask(choose(asked.id, "go higher"))
    assert "asked" in late.error and "acting" in late.error
    assert stage.events(RequestEvent)[-1].id == request.id, "what had no effect is not in the log"


@pytest.mark.parametrize("answers", [True, False])
def test_the_policy_asks_a_window_and_hears_its_answer_or_goes_on(tmp_path: Path, answers: bool) -> None:
    def load(settings: Settings) -> Model:
        return Model(Torn(done_after_s=0.5), ground, COMMANDS, "torn", "cpu")

    stage = Stage(tmp_path, load, unsure_s=60.0 if answers else 0.5, min_command_s=0.1)
    try:
        asked = stage.until(lambda: next((s for s in stage.window.all(CommandStatus) if s.unsure), None))
        assert asked.unsure == ["go left", "go right"] and (asked.text, asked.source) == ("go left", "policy")
        if answers:
            correction = stage.correct(asked.unsure[1], source="answer")
            stage.until(lambda: any(chunk.command_id == correction.id for chunk in stage.robot.all(ActionChunk)))
            (event,) = stage.events(CorrectionEvent)
            assert (event.source, event.command, event.policy_command) == ("answer", "go right", "go left")
        (doubt,) = stage.until(lambda: stage.events(DoubtEvent))
        assert (doubt.commands, doubt.ended) == (asked.unsure, "answered" if answers else "time")
        assert doubt.correction == (correction.id if answers else "")

        def goes_on() -> bool:
            told = stage.window.all(CommandStatus)
            later = told[told.index(asked) :]
            return any(one.source == ("person" if answers else "policy") and not one.unsure for one in later)

        stage.until(goes_on)
    finally:
        stage.close()


def test_talk_is_logged_and_ignored_and_what_is_typed_is_never_doubted(doubting: Stage) -> None:
    stage = doubting
    stage.ready()
    talk = stage.correct("talk", source="voice", heard=0.9)
    stage.until(lambda: stage.states(talk.id) == ["ignored"])
    typed = stage.correct("go higher or go lower")
    stage.until(lambda: stage.states(typed.id) == ["saved", "acting"])
    assert [(event.id, event.certainty) for event in stage.events(CorrectionEvent)] == [
        (talk.id, "low"),
        (typed.id, "high"),
    ]
    assert [(event.correction, event.state) for event in stage.events(OutcomeEvent)] == [(talk.id, "ignored")]
    undo = Undo(id=new_ulid(), author="ann", stamp_ns=0, target=talk.id)
    assert "target: “talk” had no effect" in stage.ask(undo).error
    assert undo.id not in [event.id for event in stage.events(RequestEvent)], "what changes nothing is not logged"


@pytest.mark.parametrize("by_words", [False, True])
def test_a_resume_is_saved_and_passed_on_until_the_robot_answers(stage: Stage, by_words: bool) -> None:
    stage.ready()
    resume = Resume(id=new_ulid(), author="ann", stamp_ns=0, by_words=by_words)
    stage.ask(resume)
    stage.until(lambda: len([m for m in stage.robot.all(Resume) if m.id == resume.id]) >= 2)
    stage.robot.link.send(Ack(id=resume.id))
    event = stage.events(RequestEvent)[-1]
    assert (event.kind, event.detail) == ("resume", "by words" if by_words else "")
    assert all(message.by_words is by_words for message in stage.robot.all(Resume))


def test_a_new_episode_ends_the_old_one_in_the_log(stage: Stage) -> None:
    stage.task = Task(name="pack", stage=2, stages=3, finished=False, success=False)
    stage.ready()
    old = stage.episode
    held = stage.correct("go higher", hold_s=0.0)
    ack = stage.ask(NewEpisode(id=new_ulid(), author="ann", stamp_ns=0, seed=5))
    assert not ack.error
    stage.until(lambda: stage.episode != old and stage.status().episode == stage.episode)  # type: ignore[union-attr]
    stage.until(lambda: stage.states(held.id)[-1:] == ["expired"])
    (ended,) = stage.events(EpisodeEvent)
    assert (ended.episode, ended.stage, ended.stages) == (old, 2, 3)
    stage.until(lambda: any(chunk.episode == stage.episode for chunk in stage.robot.all(ActionChunk)))


def test_a_shift_that_the_robot_does_not_have_is_refused_by_name(stage: Stage) -> None:
    stage.ready()
    before = stage.episode
    ack = stage.ask(NewEpisode(id=new_ulid(), author="ann", stamp_ns=0, shift="sideways"))
    assert "shift" in ack.error and "offset" in ack.error and stage.episode == before


def test_a_correction_that_an_earlier_run_saved_is_not_saved_and_not_done_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.ready()
        correction = stage.correct("go higher")
        stage.stop()
        stage.start()
        again = Peer(Link(stage.endpoints, "say", "again"))
        again.link.submit(correction)
        ack = stage.until(lambda: again.poll() or next((a for a in again.all(Ack) if a.id == correction.id), None))
        again.link.close()
        assert ack.duplicate and not ack.error
        sent = len(stage.robot.all(ActionChunk))
        stage.until(lambda: len(stage.robot.all(ActionChunk)) > sent + 5)
        assert all(chunk.command_id != correction.id for chunk in stage.robot.all(ActionChunk)[sent:])
        assert len(stage.events(CorrectionEvent)) == 1
    finally:
        stage.close()


def test_a_backend_that_restarts_goes_on_with_the_robots_episode(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.ready()
        episode, asked = stage.episode, len(stage.answered)
        stage.stop()
        stage.start()
        sent = len(stage.robot.all(ActionChunk))
        stage.until(lambda: len(stage.robot.all(ActionChunk)) > sent)
        assert stage.robot.newest(ActionChunk).episode == episode and len(stage.answered) == asked
    finally:
        stage.close()


def test_a_model_that_cannot_be_loaded_is_said_and_corrections_are_still_kept(tmp_path: Path) -> None:
    def broken(settings: Settings) -> Model:
        raise CheckpointError("is truncated.", field="low_level.safetensors", hint="Copy it again.")

    stage = Stage(tmp_path, broken)
    try:
        stage.until(lambda: stage.status() and "low_level.safetensors: is truncated" in stage.status().waiting_for)
        correction = stage.correct("go higher")
        assert [event.id for event in stage.events(CorrectionEvent)] == [correction.id]
        assert stage.robot.all(ActionChunk) == []
    finally:
        stage.close()


def test_a_policy_that_fails_is_said_and_heals(tmp_path: Path) -> None:
    policy = ScriptedPolicy()
    stage = Stage(tmp_path, lambda settings: Model(policy, ground, COMMANDS, "scripted", "cpu"))
    try:
        stage.ready()
        policy.failing = True
        stage.until(lambda: "scripted failure" in stage.status().waiting_for)  # type: ignore[union-attr]
        correction = stage.correct("go higher", hold_s=0.0)
        assert [event.id for event in stage.events(CorrectionEvent)] == [correction.id]
        policy.failing = False
        stage.until(lambda: not stage.status().waiting_for)  # type: ignore[union-attr]
        stage.until(lambda: stage.robot.newest(ActionChunk).command_id == correction.id)
    finally:
        stage.close()


def test_what_was_seen_and_said_is_in_the_recording(tmp_path: Path) -> None:
    with loading_stage(tmp_path) as (stage, gate):
        stage.until(lambda: stage.status() and "model" in stage.status().waiting_for)
        gate.set()
        stage.ready()
        correction = stage.correct("go higher")
        stage.until(lambda: "acting" in stage.states(correction.id))
    (session,) = Catalog(Path(stage.settings.data)).sessions()
    records = list(read_recording(session.recording))
    topics = {record.topic for record in records}
    assert topics == {"/camera/front", "/robot/state", "/command", "/correction", "/feedback", "/log"}
    lines = [record.data.decode() for record in records if record.topic == "/log"]
    assert "waiting for" in lines[0] and "model" in lines[0] and "all runs" in lines[-1]
    assert any(correction.id in record.data.decode() for record in records if record.topic == "/feedback")


def test_a_picture_is_recorded_at_the_moment_at_which_it_was_taken(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.ready()
        start_ns = stage.window.newest(Welcome).session_start_ns
        taken = {"slow": time.monotonic_ns() - 50_000_000, "astray": 2**62}
        for camera, stamp_ns in taken.items():
            frame = Frame(camera=camera, tick=stage.tick, stamp_ns=stamp_ns, height=4, width=4)
            stage.robot.link.send(frame, [bytes(48)])
        stage.until(lambda: set(taken) <= {frame.camera for frame in stage.window.all(Frame)})
    finally:
        stage.close()
    (session,) = Catalog(Path(stage.settings.data)).sessions()
    times = {record.topic: record.session_ns for record in read_recording(session.recording)}
    assert times["/camera/slow"] == taken["slow"] - start_ns
    assert 0 < times["/camera/astray"] < time.monotonic_ns() - start_ns, "as it came"


def spoken(seconds: float = 0.5, **fields: Any) -> Utterance:
    """Something whose last word ended now, and whose sound goes on for a tenth of a second."""
    now_ns = time.monotonic_ns()
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, round(seconds * AUDIO_RATE), dtype=np.int16)
    made = Utterance(
        id=new_ulid(), author="ann", stamp_ns=now_ns, began_ns=now_ns - round((seconds - 0.1) * 1e9), text="go higher",
        correction=new_ulid(), recognizer="test", audio=samples.astype("<i2").tobytes(),
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def sounds(stage: Stage) -> list[tuple[int, foxglove.Sound]]:
    (session,) = Catalog(Path(stage.settings.data)).sessions()
    records = read_recording(session.recording)
    return [(r.session_ns, foxglove.read_raw_audio(r.data)) for r in records if r.topic == "/voice"]


def test_what_was_said_is_logged_once_and_its_sound_is_in_the_recording(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.ready()
        start_ns = stage.window.newest(Welcome).session_start_ns
        utterance = spoken()
        assert not stage.ask(utterance).error
        again = Peer(Link(stage.endpoints, "say", "again"))
        again.link.submit(utterance)
        ack = stage.until(lambda: again.poll() or next((a for a in again.all(Ack) if a.id == utterance.id), None))
        again.link.close()
        assert ack.duplicate
        (event,) = stage.events(UtteranceEvent)
        assert (event.id, event.session_ns) == (utterance.id, utterance.stamp_ns - start_ns)
        assert (event.text, event.correction, event.recognizer) == ("go higher", utterance.correction, "test")
        assert event.duration_s == pytest.approx(0.5) and event.episode == stage.episode
    finally:
        stage.close()
    ((session_ns, sound),) = sounds(stage)
    assert session_ns == utterance.began_ns - start_ns
    assert (sound.samples, sound.id, sound.rate, sound.channels) == (utterance.audio, utterance.id, AUDIO_RATE, 1)
    (session,) = Catalog(Path(stage.settings.data)).sessions()
    logged = [record.data.decode() for record in read_recording(session.recording) if record.topic == "/feedback"]
    assert sum(utterance.id in line for line in logged) == 1


@pytest.mark.parametrize("stamp_ns", [1_000_000_000, 2**62], ids=["long ago", "to come"])
def test_what_was_said_by_another_clock_has_the_time_at_which_it_came(tmp_path: Path, stamp_ns: int) -> None:
    stage = Stage(tmp_path)
    try:
        stage.ready()
        utterance = spoken(stamp_ns=stamp_ns, began_ns=0)
        before_ns = time.monotonic_ns() - stage.window.newest(Welcome).session_start_ns
        stage.ask(utterance)
        (event,) = stage.events(UtteranceEvent)
        assert 0 < event.session_ns - before_ns < PATIENCE_S * 1e9
    finally:
        stage.close()
    ((session_ns, _),) = sounds(stage)
    assert session_ns == event.session_ns - min(stamp_ns, 60_000_000_000), "a sound begins a minute before at most"


def test_without_recording_what_was_said_is_still_logged(tmp_path: Path) -> None:
    stage = Stage(tmp_path, record=False)
    try:
        utterance = spoken()
        assert not stage.ask(utterance).error
        assert [event.id for event in stage.events(UtteranceEvent)] == [utterance.id]
    finally:
        stage.close()


def test_without_recording_there_is_no_file(tmp_path: Path) -> None:
    stage = Stage(tmp_path, record=False)
    try:
        stage.ready()
        assert stage.status().recording == ""  # type: ignore[union-attr]
    finally:
        stage.close()
    (session,) = Catalog(Path(stage.settings.data)).sessions()
    assert not session.recording.exists()


def test_a_second_backend_is_refused(stage: Stage) -> None:
    with pytest.raises(PortInUseError):
        Backend(stage.settings, load_scripted)
