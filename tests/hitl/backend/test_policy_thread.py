"""When policies are learned, with updates that only count: at once where somebody corrected, anew in quiet, never
twice at the same time, and again after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hitl.backend.policy_thread import PolicyThread
from hitl.errors import StorageError
from hitl.model_messages import Learned, ModelVersion, SetLearning, Taught, TeachNothing

PATIENCE_S = 30.0


class Counting:
    """Notes each update. `hold`: an update under way waits until it is set, or until it is to stop."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.changed = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()
        self.error: Exception | None = None
        self.something_missed = False
        self.reasons: dict[str, str] = {}

    def prepare(self) -> None:
        """Nothing."""

    def missed(self) -> bool:
        self._note("look")
        return self.something_missed

    def update(self, *, anew: bool, stop: Callable[[], bool]) -> Learned | None:
        self._note("begin anew" if anew else "begin")
        while not self.hold.wait(0.01):
            if stop():
                self._note("stopped")
                return None
        if self.error is not None:
            self._note("failed")
            raise self.error
        self._note("anew" if anew else "on")
        version = ModelVersion(name=f"v{len(self.done)}", part="high_level")
        return Learned(id="l", version=version, promoted=True)

    @property
    def silent(self) -> TeachNothing:
        return TeachNothing(id="n", session="s", reasons=dict(self.reasons))

    def _note(self, what: str) -> None:
        with self.changed:
            self.done.append(what)
            self.changed.notify_all()

    def until(self, *done: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.done[-len(done) :] == list(done), PATIENCE_S), self.done


class Lock:
    def __init__(self) -> None:
        self.holder = ""
        self.asked = threading.Semaphore(0)
        self.released = False

    def take(self) -> str:
        self.asked.release()
        return self.holder

    def release(self) -> None:
        self.released = True


class Scene:
    def __init__(self, quiet_s: float) -> None:
        self.updates, self.lock = Counting(), Lock()
        self.told: list[Learned | TeachNothing] = []
        self.tidied = 0
        self.thread = PolicyThread(self.updates, self.lock, self.told.append, quiet_s=quiet_s, tidy=self._tidy)
        self.thread.start()

    @property
    def learned(self) -> list[Learned]:
        return [told for told in self.told if isinstance(told, Learned)]

    @property
    def silent(self) -> list[dict[str, str]]:
        return [told.reasons for told in self.told if isinstance(told, TeachNothing)]

    def _tidy(self) -> None:
        self.tidied += 1

    def learn(self, learning: bool = True) -> None:
        self.thread.ask(SetLearning(id="s", author="hitl", learning=learning))

    def teach(self, *, urgent: bool = True) -> None:
        self.thread.ask(Taught(id="t", session="s", event="e", urgent=urgent))


@pytest.fixture
def scene(request: Any) -> Iterator[Scene]:
    made = Scene(getattr(request, "param", 1e9))
    yield made
    made.updates.hold.set()
    made.thread.close()
    assert made.lock.released


def test_nothing_is_loaded_before_somebody_is_to_be_learned_from(scene: Scene) -> None:
    scene.teach()
    scene.learn()
    scene.updates.until("look", "begin", "on")
    assert scene.tidied == 1 and [learned.version.name for learned in scene.learned] == ["v3"]


def test_what_was_missed_is_learned_anew(scene: Scene) -> None:
    scene.updates.something_missed = True
    scene.learn()
    scene.updates.until("look", "begin anew", "anew")


def test_corrections_during_an_update_are_one_next_update(scene: Scene) -> None:
    scene.learn()
    scene.updates.until("look")
    scene.updates.hold.clear()
    scene.teach()
    scene.updates.until("begin")
    for _ in range(5):
        scene.teach()
    scene.updates.hold.set()
    scene.updates.until("look", "begin", "on", "begin", "on")


@pytest.mark.parametrize("scene", [0.0], indirect=True)
def test_in_quiet_everything_is_learned_anew(scene: Scene) -> None:
    scene.learn()
    scene.updates.until("look")
    scene.teach(urgent=False)
    scene.updates.until("look", "begin anew", "anew")
    scene.teach()
    scene.updates.until("begin", "on", "begin anew", "anew")


@pytest.mark.parametrize("scene", [0.0], indirect=True)
def test_a_correction_ends_learning_anew(scene: Scene) -> None:
    scene.learn()
    scene.updates.until("look")
    scene.updates.hold.clear()
    scene.teach(urgent=False)
    scene.updates.until("begin anew")
    scene.teach()
    scene.updates.until("begin anew", "stopped", "begin")
    scene.updates.hold.set()
    scene.updates.until("begin", "on", "begin anew", "anew")


def test_switched_off_nothing_is_learned_and_switched_on_what_was_missed(scene: Scene) -> None:
    scene.learn()
    scene.updates.until("look")
    scene.learn(False)
    scene.teach()
    scene.updates.something_missed = True
    scene.learn()
    scene.updates.until("look", "look", "begin anew", "anew", "begin", "on")


@pytest.mark.parametrize("error", [StorageError("the disk is full", field="x"), RuntimeError("a mistake")])
def test_a_failure_is_said_once_and_the_next_correction_is_learned(scene: Scene, error: Exception) -> None:
    scene.learn()
    scene.updates.until("look")
    scene.updates.error = error
    for _ in range(2):
        scene.teach()
        scene.updates.until("begin", "failed")
    scene.updates.error = None
    scene.teach()
    scene.updates.until("begin", "on")
    said = [learned.error for learned in scene.learned]
    assert len(said) == 2 and str(error) in said[0] and said[1] == ""
    assert scene.learned[0].version.name == "" and not scene.learned[0].promoted


def test_another_learner_is_named_and_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitl.backend.policy_thread._HELD_S", 0.01)
    scene.lock.holder = "process 7"
    scene.learn()
    for _ in range(3):
        assert scene.lock.asked.acquire(timeout=PATIENCE_S)
    assert scene.updates.done == [] and [learned.error for learned in scene.learned] == [
        "process 7 learns in this data folder already; corrections are left to it."
    ]
    scene.lock.holder = ""
    scene.updates.until("look")


def test_what_teaches_nothing_is_told_once_until_it_changes(scene: Scene) -> None:
    scene.updates.reasons = {"e": "it guides a hand"}
    scene.learn()
    scene.teach()
    scene.updates.until("on")
    scene.teach()
    scene.updates.until("begin", "on", "begin", "on")
    scene.updates.reasons = {}
    scene.teach()
    scene.updates.until("begin", "on", "begin", "on", "begin", "on")
    scene.thread.close()
    assert scene.silent == [{"e": "it guides a hand"}, {}]


def test_a_learner_that_begins_tells_that_all_teaches_as_another_may_have_told_otherwise(scene: Scene) -> None:
    scene.learn()
    scene.teach()
    scene.updates.until("begin", "on")
    scene.teach()
    scene.updates.until("begin", "on", "begin", "on")
    scene.thread.close()
    assert scene.silent == [{}]
