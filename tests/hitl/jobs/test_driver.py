"""The driver of a Ray cluster dies, or what it is connected to does: our process lives, and the work comes out."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hitl.errors import UnavailableError
from hitl.jobs import Place, cluster, place_of, work
from tests.support.jobs import (
    PATIENCE_S,
    Counter,
    end_at_once,
    kill_driver,
    noted,
    process,
    say,
    square,
    until,
    wait_for,
)  # fmt: skip

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ray() -> Iterator[Place]:
    with place_of("ray", 2) as place:
        yield place


def part(name: str, of: psutil.Process | None = None) -> psutil.Process:
    """The process of that name among the descendants of one, or of ours."""
    return next(one for one in (of or psutil.Process()).children(recursive=True) if one.name() == name)


def driver() -> psutil.Process:
    found = part("raylet").parent()
    assert found is not None and found.pid != os.getpid()
    return found


@contextmanager
def meanwhile(function: Callable[[], object]) -> Iterator[None]:
    """In a thread; raises what it does."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(function)
        yield
        running.result()


def test_a_killed_driver_costs_the_results_that_were_there_nothing(ray: Place, tmp_path: Path) -> None:
    ray.run(square, 1)
    go, found, before = tmp_path / "go", list[int](), list[int]()

    def kill() -> None:
        until(lambda: len(found) >= 2 and (tmp_path / "4").exists())
        before.extend(found)
        driver().kill()
        until(lambda: len((tmp_path / "4").read_text().split()) == 2)
        go.touch()

    with meanwhile(kill):
        for number in ray.each(
            noted, [(str(tmp_path), number, str(go) if number == 4 else "") for number in range(8)]
        ):
            found.append(number)
    assert sorted(found) == list(range(8)) and before
    for number in before:
        assert len((tmp_path / str(number)).read_text().split()) == 1


@pytest.mark.parametrize("victim", ["driver", "gcs_server", "raylet"])
def test_a_job_comes_out_whatever_dies_of_a_local_cluster(
    ray: Place, victim: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ray.run(square, 1)
    begun, go = tmp_path / "begun", tmp_path / "go"

    def kill() -> None:
        worker = until(lambda: begun.exists() and begun.read_text())
        (driver() if victim == "driver" else part(victim)).kill()
        until(lambda: begun.read_text() not in ("", worker))
        assert not psutil.pid_exists(int(worker)) or psutil.Process(int(worker)).status() == psutil.STATUS_ZOMBIE
        go.touch()

    with caplog.at_level(logging.WARNING, "hitl.jobs"), meanwhile(kill):
        assert ray.run(wait_for, str(go), str(begun)) == "found"
    how = "exit status -9" if victim == "driver" else "exit status 1, Ray's process [0-9]+ has ended"
    lines = [record.getMessage() for record in caplog.records]
    assert any(re.search(rf"the driver of the cluster: {how}\); repeating wait_for\(", line) for line in lines)


def test_every_machine_is_asked_again(ray: Place, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"

    def kill() -> None:
        worker = until(lambda: begun.exists() and begun.read_text())
        driver().kill()
        until(lambda: begun.read_text() not in ("", worker))
        go.touch()

    with meanwhile(kill):
        assert list(ray.everywhere(wait_for, str(go), str(begun)).values()) == ["found"]


def test_what_was_kept_is_made_anew_and_the_call_repeated(ray: Place, tmp_path: Path) -> None:
    kept, begun, killed = ray.keep(Counter, 5), tmp_path / "begun", list[int]()
    assert kept.call("add", 1)[0] == 6

    def killed_once() -> bool:
        pids = begun.read_text().split() if begun.exists() else []
        if pids and not killed:
            killed.append(driver().pid)
            driver().kill()
        return len(pids) == 2

    assert kept.call("until_stopped", str(begun), stop=killed_once) == "stopped"
    assert kept.call("add", 1)[0] == 6  # as it was at first
    idle = driver()
    idle.kill()
    until(lambda: idle.status() == psutil.STATUS_ZOMBIE)
    assert kept.call("add", 2)[0] == 7
    kept.close()


def test_a_job_that_kills_every_driver_is_named(ray: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "REPEATS", 1)
    said = r"kill_driver\(\): its worker died 2 times \(the driver of the cluster: exit status -9"
    with pytest.raises(UnavailableError, match=said):
        ray.run(kill_driver)
    assert ray.run(square, 3) == 9


def test_a_driver_that_never_connects_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folders = set(Path("/tmp").glob(f"hitl-ray-{os.getpid()}-*"))
    monkeypatch.setattr(cluster, "serve", end_at_once)
    said = r"ray: its worker died 4 times \(the driver of the cluster: exit status 3, No head is there\.\)"
    with pytest.raises(UnavailableError, match=said):
        place_of("ray", 2).run(square, 3)
    assert "exit status 3, No head is there." in caplog.text
    said = r"auto: the cluster cannot be used \(the driver of the cluster: exit status 3, No head is there\.\)"
    with pytest.raises(UnavailableError, match=said):
        place_of("auto", 2).run(square, 3)
    assert set(Path("/tmp").glob(f"hitl-ray-{os.getpid()}-*")) == folders


def test_several_threads_use_it_at_once(ray: Place, tmp_path: Path) -> None:
    """Each waits for what the other has begun."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda pair: ray.run(wait_for, *pair), [(one, two), (two, one)])) == ["found"] * 2


# -- our process ends ---------------------------------------------------------------------------------------------

OURS = """
import sys
from hitl.jobs import place_of
from tests.support.jobs import wait_for
if __name__ == "__main__":
    with place_of("ray", 2) as place:
        try:
            place.run(wait_for, *sys.argv[1:])
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


@contextmanager
def ours(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process], Path]]:
    """A process with a local cluster and a job under way, in a group of its own; all that it started; its marks."""
    script, begun = tmp_path / "ours.py", tmp_path / "begun"
    script.write_text(OURS)
    command = [sys.executable, str(script), str(tmp_path / "never"), str(begun)]
    running = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until(lambda: running.poll() is not None or (begun.exists() and begun.read_text()))
        yield running, psutil.Process(running.pid).children(recursive=True), begun
    finally:
        running.kill()
        running.communicate()


def nothing_is_left(running: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert family and alive == []
    until(lambda: not list(Path("/tmp").glob(f"hitl-ray-{running.pid}-*")))


def test_nothing_is_left_where_our_process_is_killed(tmp_path: Path) -> None:
    with ours(tmp_path) as (running, family, _):
        running.kill()
        nothing_is_left(running, family)


def test_ctrl_c_in_a_terminal_ends_the_job_which_may_save(tmp_path: Path) -> None:
    """It reaches the whole group of processes."""
    with ours(tmp_path) as (running, family, begun):
        os.killpg(running.pid, signal.SIGINT)
        printed, complained = running.communicate(timeout=PATIENCE_S)
        assert (running.returncode, printed, complained) == (0, "interrupted\n", "")
        assert Path(f"{begun}.saved").exists()
        nothing_is_left(running, family)


# -- a cluster that is there --------------------------------------------------------------------------------------

THERE = """
import sys, ray
context = ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**27, _temp_dir=sys.argv[1])
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


class There:
    """A cluster that somebody else started."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="there-", dir="/tmp")
        command = [sys.executable, "-c", THERE, self._folder.name]
        self._process = subprocess.Popen(
            command,
            env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address

    def head(self) -> psutil.Process:
        return part("gcs_server", psutil.Process(self._process.pid))

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


def test_where_the_head_of_a_cluster_is_gone_it_is_said_and_the_next_call_connects_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ray ends its driver by itself here."""
    for name, value in {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "3",
        "PYTHONPATH": str(ROOT),
    }.items():
        monkeypatch.setenv(name, value)
    first, begun = There(), tmp_path / "begun"
    monkeypatch.setenv("RAY_ADDRESS", first.address)
    with place_of("auto") as place:
        assert place.other_machines and place.run(square, 3) == 9
        said: list[object] = []
        assert place.run(say, 3, told=said.append) == "said" and len(said) == 3

        def kill() -> None:
            until(lambda: begun.exists() and begun.read_text())
            first.head().kill()

        with meanwhile(kill), pytest.raises(UnavailableError, match="auto: the cluster cannot be used"):
            place.run(wait_for, str(tmp_path / "never"), str(begun))
        assert "Failed to connect to GCS within 3 seconds" in caplog.text
        first.close()
        second = There()
        monkeypatch.setenv("RAY_ADDRESS", second.address)
        assert place.run(process) != os.getpid()
    second.close()
