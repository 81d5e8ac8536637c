from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from hitl import launch
from hitl.bus.addresses import beside_backend, client_keys_of, hand_out
from hitl.bus.keys import ServerKeys
from hitl.config import Settings
from hitl.errors import ConfigError, UnavailableError
from hitl.launch import Child, Supervisor, System, parts_beside

PATIENCE_S = 30.0


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def until(true: Callable[[], object], supervisor: Supervisor) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s, "it did not happen"
        supervisor.poll()
        time.sleep(0.01)


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_child_that_fails_is_started_again_with_longer_pauses(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_FIRST_PAUSE_S", 0.01)
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x'); raise SystemExit(3)"
    with Supervisor(said.append) as supervisor:
        child = supervisor.add(Child("robot", python(code), {}, pause_s=0.01))
        until(lambda: runs.exists() and len(runs.read_text()) >= 3, supervisor)
        until(lambda: len(said) >= 3, supervisor)
        assert child.status is None
    assert [line.split(";")[0] for line in said[:3]] == ["robot ended with status 3"] * 3
    assert [line.split()[-2] for line in said[:3]] == ["0.01", "0.02", "0.04"]


def test_a_child_that_was_killed_is_started_again(said: list[str]) -> None:
    with Supervisor(said.append) as supervisor:
        child = supervisor.add(Child("robot", python("import time; time.sleep(60)"), {}, pause_s=0.01))
        assert child.process is not None
        first = child.process.pid
        child.process.kill()
        until(lambda: child.process is not None and child.process.pid != first, supervisor)
    assert "signal 9" in said[0]


@pytest.mark.parametrize("status", [0, launch.WRONG_SETTINGS])
def test_a_child_that_is_done_or_has_wrong_settings_stays_ended(status: int, said: list[str]) -> None:
    with Supervisor(said.append) as supervisor:
        child = supervisor.add(Child("gui", python(f"raise SystemExit({status})"), {}))
        until(lambda: child.status is not None, supervisor)
        supervisor.poll()
        assert child.status == status and child.process is None
    assert said == []


def test_closing_ends_all_and_kills_what_does_not_listen(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_END_S", 0.2)
    ready = tmp_path / "ready"
    deaf = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);open({str(ready)!r}, 'w'); time.sleep(60)"
    )
    supervisor = Supervisor(said.append)
    children = [
        supervisor.add(Child("deaf", python(deaf), {})),
        supervisor.add(Child("good", python("import time; time.sleep(60)"), {})),
    ]
    until(ready.exists, supervisor)
    processes = [child.process for child in children]
    supervisor.close()
    assert [process.returncode for process in processes if process] == [-9, -15]
    assert said == ["deaf does not end; it is killed"]


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = textwrap.dedent(f"""
        import sys, time
        from hitl.launch import Child, Supervisor
        child = Supervisor().add(Child("c", [sys.executable, "-c", "import time; time.sleep(60)"], {{}}))
        open({str(note)!r} + ".part", "w").write(str(child.process.pid))
        import os; os.rename({str(note)!r} + ".part", {str(note)!r})
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", code])
    end_s = time.monotonic() + PATIENCE_S
    while not note.exists():
        assert time.monotonic() < end_s
        time.sleep(0.02)
    pid = int(note.read_text())
    parent.kill()
    parent.wait()
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end_s, "the child lives on"
        time.sleep(0.02)


def test_children_get_the_settings_and_one_thread_each(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os; from hitl.config import load_settings; s = load_settings();"
        f"open({str(out)!r}, 'w').write(f'{{s.driver}} {{s.sockets}} ' + os.environ['OMP_NUM_THREADS'])"
    )
    commands = {"backend": python(code)}
    system = System(Settings(driver="synthetic", host="elsewhere"), commands=commands)
    try:
        child = system.start("backend")
        until(lambda: child.status == 0, system.supervisor)
        assert out.read_text() == f"synthetic {system.folder} 1"
        assert oct(system.folder.stat().st_mode)[-3:] == "700"
    finally:
        system.close()
    assert not system.folder.exists()


def test_a_recognizer_runs_beside_a_backend_only_where_the_settings_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_FIRST_PAUSE_S", 0.01)
    out = tmp_path / "out"
    commands = {
        "recognizer": python(f"import os, time; open({str(out)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)")
    }
    settings = Settings(sockets=str(tmp_path / "s"), learner=False)
    with parts_beside(settings, commands):
        time.sleep(0.3)
    assert not out.exists()

    def pids() -> list[int]:
        return [int(pid) for pid in out.read_text().split()] if out.exists() else []

    with parts_beside(msgspec.structs.replace(settings, recognizer_at="backend"), commands):
        with Supervisor() as nothing:
            until(lambda: len(pids()) == 1, nothing)
            psutil.Process(pids()[0]).kill()
            until(lambda: len(pids()) == 2, nothing)
    assert not psutil.pid_exists(pids()[1])


def test_a_part_beside_the_backend_gets_there_by_loopback_with_keys_of_its_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    hand_out(keys, "window")
    backend = Settings(host="0.0.0.0", port=7000, keys=str(keys))
    for _ in range(2):  # made once
        beside = beside_backend(backend, "recognizer")
        assert (beside.host, beside.port, beside.keys) == ("127.0.0.1", 7000, str(keys / "recognizer"))
    client = client_keys_of(beside)
    assert client is not None and client.public in ServerKeys.load(keys).allowed
    assert beside_backend(Settings(), "recognizer") == Settings()
    assert beside_backend(Settings(host="127.0.0.1"), "recognizer").keys == ""
    with pytest.raises(ConfigError, match="keys"):
        beside_backend(Settings(host="0.0.0.0"), "recognizer")


def test_a_part_with_wrong_settings_is_named() -> None:
    commands = {name: python("raise SystemExit(2)") for name in ("backend", "robot")}
    with System(Settings(), commands=commands) as system:
        with pytest.raises(UnavailableError, match="(backend|robot): it ended with status 2"):
            end_s = time.monotonic() + PATIENCE_S
            while time.monotonic() < end_s:
                system.check()
                time.sleep(0.01)


def test_whether_there_is_a_display_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("other systems always have one")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not launch.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert launch.has_display()
    assert os.environ["WAYLAND_DISPLAY"]
