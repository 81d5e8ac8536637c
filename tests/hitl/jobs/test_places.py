"""Places keep what they promise: this process, a pool of processes, and a local Ray cluster of two workers."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from hitl.errors import InputError, MissingPackageError, UnavailableError
from hitl.jobs import Place, choose, cluster, place_of
from tests.support.jobs import (
    Counter,
    die,
    die_at_first,
    doubled,
    process,
    refuse,
    say,
    square,
    unnamed,
    until,
    variables,
    wait_for,
)  # fmt: skip

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def opened() -> Iterator[dict[str, Place]]:
    """Each is started once, when first asked for, and closed at the end."""
    made: dict[str, Place] = {}
    folders = set(Path("/tmp").glob("hitl-ray-*"))
    yield made
    before = [child for child in psutil.Process().children(recursive=True) if not _tracker(child)]
    for place in made.values():
        place.close()
    _, alive = psutil.wait_procs(before, timeout=60)
    assert alive == [] and set(Path("/tmp").glob("hitl-ray-*")) <= folders


def _tracker(child: psutil.Process) -> bool:
    """Python's own process that tidies up after all others; it ends with the tests."""
    return any("resource_tracker" in part for part in child.cmdline())


@pytest.fixture(params=["here", "processes", "ray"])
def place(request: pytest.FixtureRequest, opened: dict[str, Place]) -> Place:
    return opened.setdefault(request.param, place_of(request.param, 2))


@pytest.fixture(params=["processes", "ray"])
def elsewhere(request: pytest.FixtureRequest, opened: dict[str, Place]) -> Place:
    return opened.setdefault(request.param, place_of(request.param, 2))


@pytest.fixture(params=["here", "ray"])
def keeping(request: pytest.FixtureRequest, opened: dict[str, Place]) -> Place:
    return opened.setdefault(request.param, place_of(request.param, 2))


@pytest.fixture
def ray(opened: dict[str, Place]) -> Place:
    return opened.setdefault("ray", place_of("ray", 2))


def test_a_job_has_a_result(place: Place) -> None:
    assert place.run(square, 7) == 49


def test_every_result_comes_once(place: Place) -> None:
    assert sorted(place.each(square, [(number,) for number in range(20)])) == [n * n for n in range(20)]
    assert list(place.each(square, [])) == []


def test_what_a_job_raises_is_raised_here(place: Place) -> None:
    with pytest.raises(InputError) as caught:
        place.run(refuse, "colour")
    assert (caught.value.field, caught.value.hint) == ("colour", "Give another.")
    assert place.run(square, 2) == 4


def test_what_a_worker_cannot_carry_out_is_said_with_its_cause(ray: Place) -> None:
    with pytest.raises(UnavailableError, match=r"unnamed\(\): .*could not carry it out \(.*Can't pickle"):
        ray.run(unnamed)
    assert ray.run(square, 2) == 4


def test_what_a_job_says_comes_in_order(place: Place) -> None:
    said: list[Any] = []
    assert place.run(say, 30, told=said.append) == "said"
    assert said == [("number", number) for number in range(30)]


def test_much_goes_both_ways_at_once(elsewhere: Place) -> None:
    """More than a pipe holds, so that neither end may wait until the other has taken it all."""
    given = [(bytes([number]) * 2**22,) for number in range(8)]
    assert sorted(elsewhere.each(doubled, given)) == [one * 2 for (one,) in given]


def test_nothing_more_is_begun_after_a_stop(place: Place) -> None:
    found = []
    for result in place.each(square, [(number,) for number in range(200)], lambda: len(found) >= 3):
        found.append(result)
    assert 3 <= len(found) < 200


def test_every_machine_is_asked(place: Place) -> None:
    found = place.everywhere(square, 3)
    assert list(found.values()) == [9]


def test_folders_of_one_machine_are_shared(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "meta.json"
    file.write_text("{}")
    place.check_shared([tmp_path / "out"], [file])
    assert (tmp_path / "out").is_dir() and not list((tmp_path / "out").iterdir())


def test_a_folder_that_another_machine_does_not_see_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of("here")
    monkeypatch.setattr(place, "everywhere", lambda _, paths: {"node-2 (10.0.0.2)": dict.fromkeys(paths, "")})
    with pytest.raises(InputError, match="is not the same on node-2 .*disk that all machines") as caught:
        place.check_shared([tmp_path])
    assert caught.value.field == str(tmp_path) and not list(tmp_path.iterdir())


def test_workers_are_other_processes_with_one_thread_each(elsewhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere.run(process) != os.getpid()
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert elsewhere.run(variables) == {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1", "MUJOCO_GL": "osmesa"}


def test_the_job_of_a_worker_that_died_is_repeated(elsewhere: Place, tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    found = sorted(elsewhere.each(die_at_first, [(mark, number) for number in range(6)]))
    assert [number for number, _ in found] == list(range(6))


def test_a_job_that_kills_every_worker_is_named(elsewhere: Place) -> None:
    with pytest.raises(UnavailableError, match=r"die\(\): its worker died 4 times .*memory"):
        elsewhere.run(die)
    assert elsewhere.run(square, 3) == 9


def test_a_killed_worker_costs_nothing_but_time(elsewhere: Place, tmp_path: Path) -> None:
    """The one at work is killed from outside, as the kernel does where memory is short."""
    begun, go = tmp_path / "begun", tmp_path / "go"

    def kill() -> None:
        pid = int(until(lambda: begun.exists() and begun.read_text()))
        begun.unlink()
        os.kill(pid, signal.SIGKILL)
        until(begun.exists)
        go.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    assert elsewhere.run(wait_for, str(go), str(begun)) == "found"
    killer.join()


def test_ctrl_c_interrupts_the_job_which_may_save(elsewhere: Place, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def interrupt() -> None:
        until(lambda: begun.exists() and begun.read_text())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            elsewhere.run(wait_for, str(tmp_path / "never"), str(begun))
        interrupter.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert Path(f"{begun}.saved").exists()
    assert elsewhere.run(square, 4) == 16


def test_what_is_kept_remembers(keeping: Place) -> None:
    kept = keeping.keep(Counter, 5)
    assert [kept.call("add", 2)[0], kept.call("add", 3)[0]] == [7, 10]
    if keeping.run(process) != os.getpid():
        assert kept.call("add", 0)[1] != os.getpid()


def test_what_cannot_be_made_is_said(keeping: Place) -> None:
    with pytest.raises(InputError, match="first: is less than nothing"):
        keeping.keep(Counter, -1).call("add", 1)


def test_a_call_ends_early_where_it_is_asked_to(keeping: Place, tmp_path: Path) -> None:
    kept, begun = keeping.keep(Counter, 0), tmp_path / "begun"
    assert kept.call("until_stopped", str(begun), stop=begun.exists) == "stopped"
    assert kept.call("add", 1)[0] == 1


def test_what_was_lost_is_made_anew_and_the_call_repeated(ray: Place, tmp_path: Path) -> None:
    kept, begun = ray.keep(Counter, 5), tmp_path / "begun"
    assert kept.call("add", 1)[0] == 6

    def killed_once() -> bool:
        pids = begun.read_text().split() if begun.exists() else []
        if len(pids) == 1:
            with suppress(ProcessLookupError):  # it takes a moment until its end is known
                os.kill(int(pids[0]), signal.SIGKILL)
        return len(pids) == 2

    assert kept.call("until_stopped", str(begun), stop=killed_once) == "stopped"
    assert kept.call("add", 1)[0] == 6  # as it was at first


def test_a_local_cluster_is_this_machine_alone(ray: Place) -> None:
    assert ray.run(square, 1) == 1
    listening, said, set_there = list[str](), list[str](), dict[str, str]()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # one that was killed in another test
            connections = child.net_connections()
            listening += [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN]
            said += child.cmdline()
            if child.name() == "raylet":
                set_there = child.environ()
    assert listening and {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    assert set_there["RAY_USAGE_STATS_ENABLED"] == "0" and set_there["RAY_AUTH_MODE"] == "token"
    token = set_there["RAY_AUTH_TOKEN"]
    assert said and not any(token in part for part in said)
    files = [path for path in Path("/tmp").glob(f"hitl-ray-{os.getpid()}-*/**/*") if path.is_file()]
    assert files
    for path in files:
        with suppress(FileNotFoundError):
            assert token.encode() not in path.read_bytes()
    assert "ray" not in sys.modules and os.environ.get("RAY_AUTH_TOKEN") != token


def test_what_a_killed_process_left_is_removed() -> None:
    left = Path(tempfile.mkdtemp(prefix=f"hitl-ray-{2**22 + 1}-", dir="/tmp"))  # above every process id
    kept = Path(tempfile.mkdtemp(prefix=f"hitl-ray-{os.getpid()}-", dir="/tmp"))
    made = Path(cluster._folder())
    assert not left.exists() and kept.exists() and made.exists()
    kept.rmdir()
    made.rmdir()


def test_a_pool_keeps_nothing() -> None:
    with pytest.raises(InputError, match="keeps nothing"):
        place_of("processes").keep(Counter, 1)


@pytest.mark.parametrize("name", ["cloud", "ray:/", "http://here", "Ray"])
def test_an_unknown_place_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no place where work can run.*Use one of: here"):
        place_of(name)


def test_without_ray_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_spec", lambda module: None)
    with pytest.raises(MissingPackageError, match=r"ray: .*pip install 'hitl\[cluster\]'"):
        place_of("ray")


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    place = place_of("auto")
    with pytest.raises(UnavailableError, match="auto: the cluster cannot be used"):
        place.run(square, 1)
    place.close()
