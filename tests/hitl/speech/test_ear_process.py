"""An ear in a process of its own: a real child that is told, killed, and left alone."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.speech.ear_messages import Configure, DeviceHere, FromEar, Press, Quit, Ready, ToEar, Trouble
from hitl.speech.ear_process import EarProcess, read_message, write_message

SUPPORT = Path(__file__).resolve().parents[2] / "support"
CHILD = [sys.executable, str(SUPPORT / "quiet_ear.py")]
PATIENCE_S = 30.0


class Parent:
    """Starts the child and keeps what it told."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.told: list[FromEar] = []
        self.ear = EarProcess(command, self.told.append, pause_s=0.05, **options)
        self.ear.start()

    def of(self, kind: type) -> list[Any]:
        return [message for message in list(self.told) if isinstance(message, kind)]

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if found := true():
                return found
            time.sleep(0.01)
        raise AssertionError(self.told)

    def pid(self, number: int = 0) -> int:
        """Of the child that started as number `number`; it tells so as its recognizer's name."""
        found: Ready = self.until(lambda: self.of(Ready)[number:])[0]
        return int(found.recognizer)


@pytest.fixture
def parent() -> Any:
    made = Parent(CHILD)
    yield made
    made.ear.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_that_is_killed_is_told_of_and_started_again_as_it_was_configured(parent: Parent) -> None:
    first = parent.pid()
    parent.ear.ask(Configure(device="headset"))
    parent.until(lambda: [here for here in parent.of(DeviceHere) if here.device == "headset"])
    os.kill(first, signal.SIGKILL)
    second = parent.pid(1)
    assert second != first
    assert "starts again" in parent.of(Trouble)[0].why
    parent.until(lambda: len([here for here in parent.of(DeviceHere) if here.device == "headset"]) >= 2)


def test_what_a_library_prints_is_no_message(parent: Parent) -> None:
    parent.pid()
    parent.ear.ask(Configure(device="print something"))
    parent.until(lambda: [here for here in parent.of(DeviceHere) if here.device == "print something"])
    assert not parent.of(Trouble)


def test_closing_ends_the_child_and_says_nothing(parent: Parent) -> None:
    pid = parent.pid()
    parent.ear.close()
    assert not alive(pid)
    assert not parent.of(Trouble)
    parent.ear.ask(Press())  # nobody is there any more; no harm


def test_the_child_ends_with_its_parent() -> None:
    code = (
        "import sys, time\n"
        "from hitl.speech.ear_process import EarProcess\n"
        "told = lambda message: print(getattr(message, 'recognizer', ''), flush=True)\n"
        "EarProcess(sys.argv[1:], told).start()\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, *CHILD], stdout=subprocess.PIPE, text=True) as middle:
        assert middle.stdout is not None
        pid = next(int(line) for line in middle.stdout if line.strip())
        middle.kill()
    end_s = time.monotonic() + PATIENCE_S
    while alive(pid):
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_command_that_is_none_or_ends_at_once_is_told() -> None:
    parent = Parent(["/no/such/program"])
    assert "could not be started" in parent.until(lambda: parent.of(Trouble))[0].why
    parent.ear.close()
    parent = Parent([sys.executable, "-c", "raise SystemExit(3)"])
    parent.until(lambda: len(parent.of(Trouble)) >= 2)
    assert "status 3" in parent.of(Trouble)[0].why
    parent.ear.close()


def test_a_child_that_says_nonsense_is_ended_and_told_of() -> None:
    parent = Parent([sys.executable, "-c", "print('x' * 100, flush=True); import time; time.sleep(600)"])
    parent.until(lambda: parent.of(Trouble))
    parent.ear.close()


@given(st.binary(max_size=64))
def test_reading_bytes_that_are_no_messages_ends_quietly(data: bytes) -> None:
    stream = io.BytesIO(data)
    while read_message(stream) is not None:
        pass


@given(st.lists(st.sampled_from([Press(), Quit(), Configure(device="ü", wake="hey")]), max_size=5))
def test_what_is_written_is_read(messages: list[ToEar]) -> None:
    stream = io.BytesIO()
    for message in messages:
        write_message(stream, message)
    stream.seek(0)
    read = []
    while (body := read_message(stream)) is not None:
        read.append(msgspec.msgpack.decode(body, type=ToEar))
    assert read == messages
    whole = stream.getvalue()
    for length in range(len(whole)):
        cut = io.BytesIO(whole[:length])
        while read_message(cut) is not None:
            pass


def test_a_changed_environment_is_that_of_another_child_and_no_trouble() -> None:
    parent = Parent(CHILD, environment={"HITL_HOST": "old", "HITL_PORT": "1"})
    told = "$HITL_HOST $HITL_PORT $HITL_AUTHOR"

    def here(device: str) -> None:
        parent.until(lambda: DeviceHere(device=device) in parent.told)

    first = parent.pid()
    parent.ear.ask(Configure(device=told))
    here("old 1 $HITL_AUTHOR")
    parent.ear.change({"HITL_HOST": "new"})
    second = parent.pid(1)
    assert second != first and not alive(first)
    here("new 1 $HITL_AUTHOR")  # with what it was configured last
    parent.ear.change({"HITL_HOST": "new"})  # nothing new: the same child
    parent.ear.change({"HITL_AUTHOR": "ann"})
    parent.pid(2)
    here("old 1 ann")
    assert not parent.of(Trouble)
    assert len(parent.of(Ready)) == 3
    parent.ear.close()


def test_a_change_before_the_start_is_that_of_the_first_child() -> None:
    told: list[FromEar] = []
    ear = EarProcess(CHILD, told.append, environment={"HITL_HOST": "old"})
    ear.change({"HITL_HOST": "new"})
    ear.ask(Configure(device="$HITL_HOST"))
    ear.start()
    end_s = time.monotonic() + PATIENCE_S
    while DeviceHere(device="new") not in told:
        assert time.monotonic() < end_s, told
        time.sleep(0.01)
    ear.close()


def test_configuring_a_child_that_ends_at_once_does_not_end_the_restarting() -> None:
    parent = Parent([sys.executable, "-c", "raise SystemExit(3)"])
    for count in range(1, 5):
        parent.ear.ask(Configure(device=f"{count}"))
        parent.until(lambda count=count: len(parent.of(Trouble)) >= count)
    parent.ear.close()
