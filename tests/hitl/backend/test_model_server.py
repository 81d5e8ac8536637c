"""What the backend does about versions, with a hub that only notes and versions that are loaded from nothing."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl.backend import model_server
from hitl.backend.ledger import Entry, Written
from hitl.backend.lineage import GateRecord, Lineage
from hitl.backend.loaded_model import Answered, Model, Swap, Swapped
from hitl.backend.model_server import ModelServer
from hitl.backend.registry import PACKAGED, ModelRegistry
from hitl.bus import Received
from hitl.clock import ManualClock, new_ulid
from hitl.config import Settings
from hitl.errors import CheckpointError
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
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from tests.support.scripted import COMMANDS, ScriptedPolicy, ground

PATIENCE_S = 30.0
WINDOW, LEARNER = b"window", b"learner"


class Hub:
    """Two peers, and what was sent to each."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []
        self.learners = [LEARNER]

    def peers(self, role: str) -> list[bytes]:
        return self.learners if role == "learner" else [WINDOW]

    def alive(self, peer: bytes) -> bool:
        return True

    def send(self, plane: str, peer: bytes, message: Any) -> bool:
        self.sent.append((peer, message))
        return True

    def of(self, kind: type) -> list[Any]:
        return [message for _, message in self.sent if isinstance(message, kind)]


class Scene:
    """The server, and this thread as the hub's."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.registry = ModelRegistry(folder)
        self.hub, self.clock = Hub(), ManualClock(10**9)
        self.results: queue.Queue[Any] = queue.Queue()
        self.swaps: queue.Queue[Swap] = queue.Queue()
        self.log = FeedbackLog(Catalog(folder).log_file)
        found = Settings(data=str(folder), **settings)
        self.server = ModelServer(
            found, self.log, self.hub, self.results.put, self.swaps.put, session="s", now_ns=self.clock.now_ns
        )  # type: ignore[arg-type]
        self.model = Model(ScriptedPolicy(), ground, COMMANDS, PACKAGED, "cpu", features="f")
        self.server.start()

    def version(self, *, passed: bool = True) -> str:
        def fill(folder: Path) -> None:
            (folder / "model.json").write_text("{}")

        gate = GateRecord(passed=passed, reasons=[] if passed else ["It forgets."])
        return self.registry.write(fill, Lineage(part="high_level", base=PACKAGED, events=["e1"], gate=gate)).name

    def learned(self, event: str = "", **fields: Any) -> Learned:
        """A version is promoted, and the learner tells."""
        name = self.version()
        self.registry.promote(name)
        message = Learned(
            id="l", version=ModelVersion(name=name, part="high_level"), promoted=True, newest_event=event, **fields
        )
        self.receive(message, LEARNER)
        return message

    def receive(self, message: Any, peer: bytes = WINDOW) -> None:
        self.server.receive(Received("control", peer, message, []))

    def deliver(self, kind: type) -> Any:
        """Hand results to the server until one of this kind came; that one, too."""
        while True:
            result = self.results.get(timeout=PATIENCE_S)
            self.server.send(result)
            if isinstance(result, kind):
                return result

    def swap(self) -> Swap:
        """The engine takes the next version."""
        found = self.swaps.get(timeout=PATIENCE_S)
        assert self.server.send(Swapped(found.model)) is found.model
        return found

    def ask(self, message: Any) -> Models:
        self.receive(message)
        while True:
            self.deliver(model_server.ToWindows)
            for models in self.hub.of(Models):
                if models.id == message.id:
                    return models


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> Iterator[Scene]:
    def load(name: str, folder: Path, acting: Model) -> Swap:
        if (folder / "broken").exists():
            raise CheckpointError("is damaged.", field=str(folder))
        return Swap(Model(acting.policy, ground, [*COMMANDS, name], name, "cpu", features="f"), lambda: None)

    monkeypatch.setattr(model_server, "load_version", load)
    monkeypatch.setattr(model_server, "_LOOK_S", 0.02)
    made = Scene(tmp_path, **getattr(request, "param", {}))
    made.server.loaded(made.model)
    yield made
    made.server.close()
    made.log.close()


def correction(**fields: Any) -> CorrectionEvent:
    known = dict(
        id=new_ulid(), session="s", episode=new_ulid(), session_ns=0, author="ann", source="typed", text="go up",
        command="go higher", grounding="exact", similarity=1.0, policy_command="", policy_probability=0.0,
        observations=[], hold_s=0.0,
    )  # fmt: skip
    return CorrectionEvent(**{**known, **fields})  # type: ignore[arg-type]


def written(scene: Scene, event: Any) -> None:
    scene.server.written(Written(Entry(event), scene.log.append(event)))


def test_the_learner_hears_whom_to_learn_from_and_what_was_taught(scene: Scene) -> None:
    scene.server.hello(Hello(id="h", protocol=1, role="learner", name="l"))
    assert all(message.learning for message in scene.hub.of(SetLearning)) and len(scene.hub.of(SetLearning)) == 2
    given = correction()
    undo = RequestEvent(
        id=new_ulid(), session="s", episode="", session_ns=0, author="ann", kind="undo", target=given.id
    )
    ended = OutcomeEvent(id=new_ulid(), session="s", episode="", session_ns=0, correction=given.id, state="done")
    stop = correction(grounding="stop")
    hold = RequestEvent(id=new_ulid(), session="s", episode="", session_ns=0, author="ann", kind="set_hold")
    for event in (given, ended, undo, stop, hold, given):
        written(scene, event)
    told = [(taught.event, taught.urgent) for taught in scene.hub.of(Taught)]
    assert told == [(given.id, True), (ended.id, False), (undo.id, True), (stop.id, False)]


def test_what_was_learned_is_told_when_the_controller_answers_with_it(scene: Scene) -> None:
    given = correction()
    written(scene, given)
    scene.clock.advance(0.5)
    learned = scene.learned(given.id)
    assert scene.swap().model.name == learned.version.name
    assert scene.server.version == learned.version.name and scene.hub.of(Learned) == []
    scene.clock.advance(0.25)
    scene.server.send(Answered(learned.version.name))
    (told,) = scene.hub.of(Learned)
    assert told.promoted and told.waited_s == 0.75
    again = scene.learned(given.id)  # learned anew: nobody waited for that
    scene.swap()
    scene.server.send(Answered(again.version.name))
    assert scene.hub.of(Learned)[-1].waited_s == 0.0


def test_a_robot_that_stands_still_holds_nothing_back(scene: Scene) -> None:
    learned = scene.learned()
    scene.swap()
    scene.server.due(scene.clock.now_ns())
    assert scene.hub.of(Learned) == []
    scene.clock.advance(3.0)
    scene.server.due(scene.clock.now_ns())
    assert [told.version.name for told in scene.hub.of(Learned)] == [learned.version.name]


def test_what_did_not_pass_and_what_failed_is_told_at_once(scene: Scene) -> None:
    version = ModelVersion(name="v0009", part="high_level", passed=False)
    scene.receive(Learned(id="l", version=version, promoted=False), LEARNER)
    scene.receive(Learned(id="m", version=version, promoted=False, error="the disk is full"), LEARNER)
    assert [told.error for told in scene.hub.of(Learned)] == ["", "the disk is full"] and scene.swaps.empty()


def test_windows_see_and_move_the_versions(scene: Scene) -> None:
    first, failed = scene.version(), scene.version(passed=False)
    scene.log.append(correction(id="e1", text="go up", command="go higher"))
    models = scene.ask(AskModels(id="a", author="ann"))
    assert [version.name for version in models.versions] == [PACKAGED, first, failed] and models.history == [PACKAGED]
    assert (models.versions[1].taught[0].text, models.versions[1].taught[0].command) == ("go up", "go higher")
    assert models.learning and models.learner is False and models.error == ""
    assert scene.ask(PromoteModel(id="p", author="ann", name=first)).history == [PACKAGED, first]
    assert scene.swap().model.name == first
    refused = scene.ask(PromoteModel(id="q", author="ann", name=failed))
    assert "It forgets." in refused.error and refused.history[-1] == first
    assert "no model version" in scene.ask(PromoteModel(id="r", author="ann", name="v9")).error
    assert scene.ask(RollBackModel(id="b", author="ann")).history == [PACKAGED]
    assert scene.swap().model.name == PACKAGED
    assert "no version before" in scene.ask(RollBackModel(id="c", author="ann")).error


def test_learning_is_switched_for_the_learner_and_all_windows(scene: Scene) -> None:
    models = scene.ask(SetLearning(id="a", author="ann", learning=False))
    assert not models.learning and not scene.hub.of(SetLearning)[-1].learning
    written(scene, correction())
    assert scene.hub.of(Taught) == []
    assert scene.ask(SetLearning(id="b", author="ann", learning=True)).learning
    written(scene, correction())
    assert len(scene.hub.of(Taught)) == 1


def test_a_pointer_that_somebody_else_moved_is_followed(scene: Scene) -> None:
    scene.ask(AskModels(id="a", author="ann"))
    name = scene.version()
    ModelRegistry(Path(scene.registry._folder).parent).promote(name)
    assert scene.swap().model.name == name
    while not any(models.history[-1] == name for models in scene.hub.of(Models)):
        scene.deliver(model_server.ToWindows)


def test_a_version_that_cannot_be_loaded_is_given_back(scene: Scene) -> None:
    name = scene.version()
    (scene.registry.version(name).folder / "broken").touch()
    scene.registry.promote(name)
    scene.receive(Learned(id="l", version=ModelVersion(name=name, part="high_level"), promoted=True), LEARNER)
    scene.deliver(model_server.NotTaken)
    (told,) = scene.hub.of(Learned)
    assert not told.promoted and "is damaged" in told.error
    other = scene.version()
    scene.ask(PromoteModel(id="p", author="ann", name=other))
    assert scene.swap().model.name == other and scene.registry.history() == [PACKAGED, other]


def test_episodes_are_told_with_the_help_they_needed(scene: Scene) -> None:
    given = correction()
    written(scene, given)
    scene.log.append(
        OutcomeEvent(
            id=new_ulid(), session="s", episode=given.episode, session_ns=1, correction=given.id, state="done",
            acted=True,
        )
    )  # fmt: skip
    ended = EpisodeEvent(
        id=new_ulid(), session="s", episode=given.episode, session_ns=2, stage=2, stages=4, success=False,
        shift="offset", version="v0003",
    )  # fmt: skip
    written(scene, ended)
    (point,) = scene.ask(AskModels(id="a", author="ann")).episodes
    assert (point.episode, point.corrections, point.shift, point.version) == (given.episode, 1, "offset", "v0003")
    assert (point.stage, point.stages, point.success) == (2, 4, False) and point.seconds >= 0
    assert point.began.endswith("+00:00")


@pytest.mark.parametrize("scene", [{"model": "/somewhere"}], indirect=True)
def test_with_a_model_folder_of_its_own_nothing_is_learned_or_moved(scene: Scene) -> None:
    assert scene.hub.of(SetLearning) == []
    assert "--model /somewhere" in scene.ask(SetLearning(id="a", author="ann", learning=True)).error
    assert "--model" in scene.ask(PromoteModel(id="b", author="ann", name=scene.version())).error
    written(scene, correction())
    assert scene.hub.of(Taught) == [] and scene.swaps.empty()


def test_what_teaches_nothing_is_told_to_all_windows_and_to_those_that_come_later(scene: Scene) -> None:
    told = TeachNothing(id="n", session="s", reasons={"e": "it guides a hand"})
    scene.receive(told, LEARNER)
    assert scene.hub.sent == [*scene.hub.sent[:-1], (WINDOW, told)]
    scene.receive(TeachNothing(id="o", session="another", reasons={"f": "why"}), LEARNER)
    scene.receive(AskModels(id="a", author="ann"), b"later")
    assert (b"later", told) in scene.hub.sent
    assert all("f" not in message.reasons for message in scene.hub.of(TeachNothing))
