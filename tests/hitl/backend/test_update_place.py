"""The high level's updates on a local Ray cluster: the same weights as here, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from hitl.backend.policy_examples import TaughtExamples
from hitl.backend.policy_part import LearningOptions, PolicyPart
from hitl.backend.registry import ModelRegistry
from hitl.backend.update_place import UpdatesThere, UpdateWorker
from hitl.errors import UnavailableError
from hitl.jobs import Here, Place, place_of
from hitl.jobs.place import Asked
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from policies.hierarchy import base_moments
from policies.hierarchy.examples import Example
from policies.hierarchy.high_level import HighLevelConfig, HighLevelPolicy
from policies.hierarchy.high_level_learner import HighLevelLearner, LearnerSettings
from policies.hierarchy.high_level_training import Moments
from tests.support.taught import Session, Taught, make_model

pytestmark = pytest.mark.timeout(600)
FIRST, NEW, THIRD = "pick up the red block", "wipe the table with the sponge", "open the left gripper"
SIZE = 10
BANK = dict(zip((FIRST, THIRD, "go home"), torch.eye(3, 64), strict=True))
SHORT = LearnerSettings(rate=1e-3, batch=16, steps=12, anew_steps=20)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the workers: sums of floating-point numbers depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return make_model(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Place]:
    with place_of("ray", 2) as place:
        yield place


def base() -> Moments:
    """Two kinds of moments in ten episodes, and as many that nobody learned from."""
    command = torch.arange(10).repeat_interleave(5) % 2
    where = torch.where(command[:, None] > 0, 2.0, -2.0)
    noise = 0.3 * torch.randn(50, SIZE, generator=torch.Generator().manual_seed(1))
    episode = torch.arange(10).repeat_interleave(5)
    first, held_out = torch.searchsorted(episode, episode), torch.zeros(50, dtype=torch.bool)
    moments = Moments((where + noise).half(), episode, command, first, held_out, per_s=1)
    return base_moments.join(moments, replace(moments, held_out=~held_out))


def examples(command: str, place: int) -> list[Example]:
    generator = torch.Generator().manual_seed(place)
    history = place + 0.3 * torch.randn(12, 4, SIZE, generator=generator)
    return [Example(row.half(), command, "go home", 1.0, f"c{place}", "e") for row in history]


class Both:
    """A learner here, and one whose updates run elsewhere, of the same base."""

    def __init__(self, place: Place, settings: LearnerSettings = SHORT) -> None:
        torch.manual_seed(0)
        model = HighLevelPolicy(HighLevelConfig(SIZE, width=32))
        model.fit_scales(base().features.float())
        made_of = (model.eval(), BANK, base(), settings)
        self.here, self.learner = HighLevelLearner(*made_of), HighLevelLearner(*made_of)
        self.there = UpdatesThere.at(place, self.learner, *made_of)

    def update(
        self, examples: list[Example], *, anew: bool, fresh: tuple[str, ...] = (), stop: Asked = lambda: False
    ) -> None:
        """On both; their weights must be equal then."""
        for text in sorted({example.command for example in examples} - set(BANK)):
            for learner in (self.here, self.learner):
                learner.add_command(text, torch.arange(64.0))
        one = self.here.update(examples, anew=anew, fresh=fresh)
        two = self.there(examples, anew=anew, fresh=fresh, stop=stop)
        assert one.loss == two.loss and one.anew == two.anew == anew and two.seconds > 0
        first, second = one.model.state_dict(), two.model.state_dict()
        assert first.keys() == second.keys()
        assert all(torch.equal(weight, second[name]) for name, weight in first.items())
        newest = self.learner.first_and_newest()[1].state_dict()
        assert all(torch.equal(weight, newest[name]) for name, weight in first.items())


@pytest.fixture(params=["here", "ray"])
def place(request: pytest.FixtureRequest) -> Place:
    return Here() if request.param == "here" else request.getfixturevalue("cluster")


def test_the_weights_are_the_same(place: Place) -> None:
    both = Both(place)
    first, second = examples(FIRST, 5), examples(NEW, 8)
    both.update(first, anew=False, fresh=("c5",))
    both.update(first + second, anew=False, fresh=("c8",))
    both.update(first + second, anew=True)
    both.there.close()


def test_what_was_lost_between_two_updates_is_made_anew(cluster: Place) -> None:
    """Under a strategy that remembers more than examples."""
    both = Both(cluster, replace(SHORT, strategy="mas"))
    first, second = examples(FIRST, 5), examples(NEW, 8)
    both.update(first, anew=False, fresh=("c5",))
    for worker in workers():
        worker.kill()
    both.update(first + second, anew=False, fresh=("c8",))
    both.there.close()


def test_killed_in_the_middle_it_comes_out_all_the_same(cluster: Place) -> None:
    both = Both(cluster, replace(SHORT, steps=400, sure=2.0))
    both.update(examples(FIRST, 5), anew=True)
    killed: list[int] = []
    asked = 0

    def kill() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # it is under way: it lasts longer than two looks, or the assertion below fails
            for worker in workers():
                killed.append(worker.pid)
                worker.kill()
        return False

    both.update(examples(FIRST, 5) + examples(THIRD, 7), anew=False, fresh=("c7",), stop=kill)
    assert len(killed) == 1
    both.there.close()


def test_it_ends_early_where_something_is_more_urgent(cluster: Place) -> None:
    both = Both(cluster, replace(SHORT, anew_steps=10**7, most_steps=10**7))
    found = both.there(examples(FIRST, 5), anew=True, stop=lambda: True)
    assert found.anew  # and not after ten million steps
    both.there.close()


def test_corrections_become_the_same_version_as_here(tmp_path: Path, taught: Taught, cluster: Place) -> None:
    weights = []
    for name, where in (("here", None), ("there", cluster)):
        session = Session(tmp_path / name, taught)
        part = learner_of(tmp_path / name, taught, where)
        session.correct(FIRST, 1)
        assert part.update(anew=False) is not None
        session.correct(NEW, 2)
        learned = part.update(anew=False)
        assert learned is not None and learned.promoted and learned.version.corrections == 2
        folder = registry(tmp_path / name, taught).current().folder
        weights.append(load_file(folder / "high_level.safetensors"))
        session.close()
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_where_the_place_is_gone_nothing_is_promoted_and_the_next_update_learns_it(
    tmp_path: Path, taught: Taught
) -> None:
    class Gone(Here):
        there = False

        def keep(self, make: Callable[..., UpdateWorker], *arguments: object) -> object:  # type: ignore[override]
            kept, place = super().keep(make, *arguments), self

            class Sometimes:
                def call(self, method: str, *given: object, stop: Asked) -> object:
                    if not place.there:
                        raise UnavailableError("the cluster cannot be used.", field="ray://here:1")
                    return kept.call(method, *given, stop=stop)

            return Sometimes()

    session, place = Session(tmp_path, taught), Gone()
    part = learner_of(tmp_path, taught, place)
    session.correct(FIRST, 1)
    with pytest.raises(UnavailableError):
        part.update(anew=False)
    assert registry(tmp_path, taught).current().name == "packaged"
    place.there = True
    learned = part.update(anew=False)
    assert learned is not None and learned.promoted and learned.version.corrections == 1
    session.close()


def workers() -> list[psutil.Process]:
    """Those of the cluster that hold a learner."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(part.startswith("ray::_Holder") for part in process.cmdline()):
                found.append(process)
    assert found
    return found


def registry(data: Path, taught: Taught) -> ModelRegistry:
    return ModelRegistry(data, packaged=taught.folder)


def learner_of(data: Path, taught: Taught, place: Place | None) -> PolicyPart:
    options = LearningOptions(gate_margin=1.0, learn_guidance=True)
    log = FeedbackLog(Catalog(data).log_file)
    return PolicyPart(registry(data, taught), TaughtExamples(log, Catalog(data), options.rules), options, place)
