"""A version from the learner's message, or from a pointer that moved, to what the robot does; real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl.backend import model_server
from hitl.backend.lineage import Lineage
from hitl.backend.loaded_model import Model, Swap
from hitl.backend.registry import PACKAGED, ModelRegistry
from hitl.bus import Link
from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.events import EpisodeEvent
from hitl.messages import BackendStatus, CommandStatus, Welcome
from hitl.model_messages import AskModels, Learned, Models, ModelVersion, SetLearning, Taught
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from tests.hitl.backend.test_server import Peer, Stage
from tests.support.scripted import COMMANDS, Proposal, ScriptedPolicy, ground


class Learnable(ScriptedPolicy):
    """Has a history, so that its moments are kept and it can be learned from."""

    def propose(self) -> Proposal:
        return replace(super().propose(), history=np.zeros((4, 8), np.float32))


def load_learnable(settings: Settings) -> Model:
    return Model(Learnable(), ground, COMMANDS, PACKAGED, "cpu", features="f")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    def load(name: str, folder: Path, acting: Model) -> Swap:
        policy: Any = acting.policy

        def adopt() -> None:
            if name == "v0002":
                raise ValueError("weights of other sizes")
            policy.wants = "go left" if name == "v0001" else "hold still"

        commands = [*COMMANDS, "wipe the table"] if name == "v0001" else list(COMMANDS)
        return Swap(replace(acting, name=name, commands=commands), adopt)

    monkeypatch.setattr(model_server, "load_version", load)
    made = Stage(tmp_path, load_learnable)
    made.ready()
    yield made
    made.close()


def version(stage: Stage) -> str:
    def fill(folder: Path) -> None:
        (folder / "model.json").write_text("{}")

    return ModelRegistry(stage.settings.data_folder).write(fill, Lineage(part="high_level", base=PACKAGED)).name


def acts(stage: Stage, name: str, wants: str) -> bool:
    status, command = stage.window.newest(BackendStatus), stage.window.newest(CommandStatus)
    return status.policy == name and bool(command.alternatives) and command.alternatives[0].text == wants


def test_a_version_that_a_shell_promotes_or_rolls_back_acts(stage: Stage) -> None:
    registry = ModelRegistry(stage.settings.data_folder)
    registry.promote(version(stage))
    stage.until(lambda: acts(stage, "v0001", "go left"))
    assert "wipe the table" in stage.window.newest(Welcome).commands
    registry.roll_back()
    stage.until(lambda: acts(stage, PACKAGED, "hold still"))
    assert "wipe the table" not in stage.window.newest(Welcome).commands


def test_the_learner_hears_of_a_correction_and_windows_when_its_version_answers(stage: Stage) -> None:
    learner = Peer(Link(stage.endpoints, "learner", "test"))
    try:

        def heard(kind: type) -> Any:
            learner.poll()
            return learner.newest(kind)

        assert stage.until(lambda: heard(SetLearning)).learning
        stage.window.link.send(AskModels(id=new_ulid(), author="ann"))
        stage.until(lambda: (models := stage.window.newest(Models)) and models.learner)
        given = stage.correct("go right")
        assert stage.until(lambda: heard(Taught)).event == given.id
        name = version(stage)
        ModelRegistry(stage.settings.data_folder).promote(name)
        told = ModelVersion(name=name, part="high_level")
        learner.link.send(Learned(id=new_ulid(), version=told, promoted=True, newest_event=given.id))
        learned = stage.until(lambda: stage.window.newest(Learned))
        assert learned.version.name == name and learned.promoted and learned.waited_s > 0
        stage.until(lambda: acts(stage, name, "go left"))
        stage.until(lambda: stage.window.newest(Models).history == [PACKAGED, name])
    finally:
        learner.link.close()


def test_what_the_engine_cannot_take_is_given_back(stage: Stage) -> None:
    registry = ModelRegistry(stage.settings.data_folder)
    registry.promote(version(stage))
    stage.until(lambda: acts(stage, "v0001", "go left"))
    registry.promote(version(stage))
    learned = stage.until(lambda: next((m for m in stage.window.all(Learned) if m.error), None))
    assert "weights of other sizes" in learned.error and learned.version.name == "v0002"
    stage.until(lambda: registry.history() == [PACKAGED, "v0001"])
    assert acts(stage, "v0001", "go left")


def test_the_end_of_an_episode_says_which_version_acted(stage: Stage) -> None:
    ModelRegistry(stage.settings.data_folder).promote(version(stage))
    stage.until(lambda: acts(stage, "v0001", "go left"))
    stage.stop()
    log = FeedbackLog(Catalog(stage.settings.data_folder).log_file)
    (ended,) = log.events(kind=EpisodeEvent)
    log.close()
    assert isinstance(ended, EpisodeEvent) and ended.version == "v0001"
    stage.start()
