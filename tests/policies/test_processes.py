"""Two processes that train together: equal weights, as one with the whole batch would have; one alone writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from policies.errors import PolicyError
from policies.hierarchy.checkpoint import read_model
from policies.processes import Processes, processes_of
from tests.support.together import Cubic, fit, model_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 400
pytestmark = pytest.mark.timeout(600)


class Done:
    """What two processes left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: list[dict[str, Any]] = [
            json.loads((folder / f"facts-{index}.json").read_text()) for index in range(2)
        ]

    def weights(self, name: str) -> list[dict[str, torch.Tensor]]:
        return [load_file(self.folder / f"{name}-{index}.safetensors") for index in range(2)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, toy_writer: Callable[[Path, int], Path]) -> Done:
    folder = tmp_path_factory.mktemp("together")
    data = toy_writer(folder / "data", 6)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    told = [*launcher, "-m", "tests.support.together", str(folder), str(data)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(told, env=environment, cwd=ROOT, timeout=PATIENCE_S, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-4000:]
    return Done(folder)


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_both_are_there(done: Done) -> None:
    assert [facts["count"] for facts in done.facts] == [2, 2]
    assert [facts["main"] for facts in done.facts] == [True, False]
    assert [facts["device"] for facts in done.facts] == ["cpu", "cpu"]


def test_the_mean_of_both_parts_is_the_gradient_of_the_whole_batch(done: Done, tmp_path: Path) -> None:
    """Seven rows, of which one process has four: the mean is weighted."""
    assert [facts["sizes"] for facts in done.facts] == [[4], [3]]
    model = model_of(0)
    fit(tmp_path, model, Cubic(model, slice(0, 7)), 20, None)
    one, two = done.weights("half")
    assert equal(one, two)
    for name, weight in model.state_dict().items():
        assert torch.allclose(one[name], weight, atol=1e-5)
    assert not torch.allclose(one["0.weight"], model_of(0).state_dict()["0.weight"], atol=1e-3)


def test_other_data_in_each_gives_equal_weights_and_goes_on_where_it_was(done: Done, tmp_path: Path) -> None:
    one, two = done.weights("drawn")
    assert equal(one, two)
    model = model_of(0)
    fit(tmp_path, model, Cubic(model, None, 0), 60, None)
    assert not torch.allclose(one["0.weight"], model.state_dict()["0.weight"])  # the other's data count, too
    assert [facts["summary"]["steps"] for facts in done.facts] == [60, 60]
    assert done.facts[0]["summary"] == done.facts[1]["summary"]


def test_the_main_one_alone_writes_and_reports(done: Done) -> None:
    assert [facts["own"] for facts in done.facts] == [["drawn", "half"], []]
    assert [facts["wrote"] for facts in done.facts] == [True, False]
    assert done.facts[0]["said"] > 0 and done.facts[1]["said"] == 0
    model = read_model(done.folder / "process-0" / "model")
    assert model.description["id"] == done.facts[0]["id"] == done.facts[1]["id"]


def test_one_process_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in ("1", ""):
        monkeypatch.setenv("WORLD_SIZE", count)
        alone = processes_of("cpu")
        assert (alone.index, alone.count, alone.beside, alone.main) == (0, 1, 1, True)
    tensor = torch.ones(3)
    alone.average([tensor], 0.5)
    assert torch.equal(tensor, torch.ones(3)) and alone.same("x") == "x" and alone.share(1) == 1


def test_a_batch_that_is_too_small_is_refused() -> None:
    many = Processes(torch.device("cpu"))
    many.count = 3
    assert [many.share(size) for size in (3, 4, 6)] == [1, 2, 2]
    with pytest.raises(PolicyError, match="batch: 2 is less than 3 processes"):
        many.share(2)
