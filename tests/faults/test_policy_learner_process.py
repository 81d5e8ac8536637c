"""`hitl learner` as a process that learns a policy: killed while it writes, and beside another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hitl.backend.registry import ModelRegistry
from hitl.bus import Hub
from hitl.bus.addresses import endpoints_of
from hitl.clock import new_ulid
from hitl.config import Settings, to_environment
from hitl.messages import Hello
from hitl.model_messages import Learned, SetLearning, Taught, TeachNothing
from tests.support.taught import Session, make_model

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 150.0
FIRST, NEW = "pick up the red block", "wipe the table with the sponge"


class Backend:
    """The hub, the data folder, and the learners that were started; the base version is one that is promoted."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(
            data=str(folder / "data"), sockets=str(folder / "s"), device="cpu", gate_margin=1.0, quiet_s=1e6,
            learn_guidance=True,
            log_level="warning", **settings,
        )  # fmt: skip
        self.data = folder / "data"
        self.taught = make_model(folder / "made")
        shutil.copytree(self.taught.folder, self.data / "models" / "base")
        self.registry = ModelRegistry(self.data)
        self.registry.promote("base")
        self.session = Session(self.data, self.taught)
        self.hub = Hub(endpoints_of(self.settings))
        self.got: list[tuple[bytes, Any]] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **to_environment(self.settings), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-m", "hitl.cli", "learner"], env=environment, cwd=ROOT)
        self.processes.append(process)
        return process

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            for received in self.hub.poll(1):
                self.got.append((received.peer, received.message))
                if isinstance(received.message, Hello):
                    learning = SetLearning(id=new_ulid(), author="hitl", learning=True)
                    self.hub.send("control", received.peer, learning)
            found = true()
            if found:
                return found
        raise AssertionError(f"it did not happen: {self.got}")

    def learned(self, event: str) -> Callable[[], Learned | None]:
        return lambda: next(
            (m for _, m in self.got if isinstance(m, Learned) and m.promoted and m.newest_event == event), None
        )

    def teach(self, event: str) -> None:
        for peer in self.hub.peers("learner"):
            self.hub.send("control", peer, Taught(id=new_ulid(), session=self.session.session.id, event=event))

    def half_written(self) -> list[Path]:
        return list((self.data / "models" / ".partial").glob("learner-*"))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.session.close()
        self.hub.close()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    made = Backend(tmp_path)
    yield made
    made.close()


@pytest.mark.timeout(400)
def test_a_learner_killed_while_it_writes_promotes_nothing_half_and_its_correction_is_learned_later(
    backend: Backend,
) -> None:
    given = backend.session.correct(NEW, 1)
    first = backend.start()
    backend.until(lambda: backend.half_written() or backend.registry.current().name != "base")
    first.kill()
    first.wait()
    for version in backend.registry.versions()[1:]:  # whole, or not there
        assert {"model.json", "high_level.safetensors", "low_level.safetensors"} <= {
            path.name for path in version.folder.iterdir()
        }
    acting = backend.registry.current().name
    assert acting == "base" or given.id in backend.registry.lineage(acting).events
    backend.got.clear()
    backend.start()
    acts = lambda: given.id in backend.registry.lineage(backend.registry.current().name).events  # noqa: E731
    backend.until(acts)
    assert backend.half_written() == []
    later = backend.session.correct(FIRST, 2)
    backend.until(lambda: backend.hub.peers("learner"))
    backend.teach(later.id)
    learned = backend.until(backend.learned(later.id))
    assert learned.version.corrections == 2
    lost = backend.session.correct("go left", 3, kept=False)
    backend.teach(lost.id)
    told = backend.until(lambda: next((m for _, m in backend.got if isinstance(m, TeachNothing) and m.reasons), None))
    assert told.session == backend.session.session.id and list(told.reasons) == [lost.id]


@pytest.mark.timeout(400)
def test_of_two_learners_one_learns_and_the_other_says_so_and_takes_over(backend: Backend) -> None:
    first = backend.start()
    given = backend.session.correct(NEW, 1)
    backend.until(backend.learned(given.id))
    backend.start()
    refused = backend.until(lambda: next((m for _, m in backend.got if isinstance(m, Learned) and m.error), None))
    assert f"process {first.pid} learns" in refused.error
    later = backend.session.correct(FIRST, 2)
    backend.teach(later.id)
    backend.until(backend.learned(later.id))
    versions = [version.name for version in backend.registry.versions()]
    assert versions.count("v0002") == 1
    first.kill()
    first.wait()
    last = backend.session.correct("open the left gripper", 3)
    backend.teach(last.id)
    learned = backend.until(backend.learned(last.id))
    assert learned.version.corrections == 3


@pytest.mark.timeout(600)
def test_updates_on_a_cluster_survive_their_worker_and_nothing_survives_the_learner(tmp_path: Path) -> None:
    backend = Backend(tmp_path, learn_on="ray")
    try:
        learner = backend.start()
        given = backend.session.correct(NEW, 1)
        backend.until(backend.learned(given.id))
        family = psutil.Process(learner.pid).children(recursive=True)
        workers = [process for process in family if any("ray::_Holder" in part for part in process.cmdline())]
        assert len(workers) == 1
        workers[0].kill()
        later = backend.session.correct(FIRST, 2)
        backend.teach(later.id)
        learned = backend.until(backend.learned(later.id))
        assert learned.version.corrections == 2
        family = psutil.Process(learner.pid).children(recursive=True)
        learner.terminate()
        assert learner.wait(PATIENCE_S) == 0
        _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
        assert alive == []
    finally:
        backend.close()
