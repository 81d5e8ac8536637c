"""A disk that is really full: a small file system in memory, which only the system's administrator may mount."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hitl.bus import Outbox
from hitl.clock import new_ulid
from hitl.errors import StorageError
from hitl.events import RequestEvent
from hitl.messages import Correction
from hitl.sessions.catalog import Catalog
from hitl.sessions.feedback_log import FeedbackLog
from hitl.sessions.recording import Recorder, read_recording

SIZE_KB = 2_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only the administrator may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not mount: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    path = folder / "films"
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def test_log_and_outbox_keep_everything_open_again_and_go_on_when_there_is_space(disk: Path) -> None:
    log, outbox = FeedbackLog(disk / "feedback.sqlite"), Outbox(disk / "outbox.sqlite")
    events: list[RequestEvent] = []
    requests: list[Correction] = []

    def add() -> None:
        request = Correction(id=new_ulid(), author="ada", stamp_ns=0, text="a" * 400)
        outbox.put(request)
        requests.append(request)
        event = RequestEvent(
            id=new_ulid(), session="s", episode="e", session_ns=0, author="ada", kind="release", detail="a" * 400
        )
        log.append(event)
        events.append(event)

    add()
    films = fill(disk)
    with pytest.raises(StorageError, match="full"):
        for _ in range(1_000):
            add()
    assert log.events() == events and outbox.pending() == requests
    log.close()
    outbox.close()
    films.unlink()
    log, outbox = FeedbackLog(disk / "feedback.sqlite"), Outbox(disk / "outbox.sqlite")
    films = fill(disk)
    assert log.events() == events and outbox.pending() == requests
    films.unlink()
    add()
    assert log.events() == events and outbox.pending() == requests


def test_nothing_new_begins_on_a_full_disk_and_nothing_half_stays(disk: Path) -> None:
    films = fill(disk)
    with pytest.raises(StorageError):
        FeedbackLog(disk / "feedback.sqlite").append(
            RequestEvent(id=new_ulid(), session="s", episode="e", session_ns=0, author="ada", kind="release")
        )
    with pytest.raises(StorageError, match="No space left"):
        Catalog(disk).new_session()
    with pytest.raises(StorageError, match="No space left"):
        Recorder(disk / "r.mcap", "s")
    assert not (disk / "r.mcap").exists()
    films.unlink()
    assert Catalog(disk).sessions() == [] and Catalog(disk).problems() == []
    assert Catalog(disk).new_session().folder.is_dir()


def test_a_recording_ends_whole_where_the_disk_ends(disk: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    recorder = Recorder(disk / "r.mcap", "s")
    for number in range(5_000):
        recorder.frame("front", number, 240, 320, picture)
        if recorder.error:
            break
        time.sleep(0.001)
    recorder.close()
    assert "No space left" in recorder.error
    numbers = [record.session_ns for record in read_recording(recorder.path)]
    assert len(numbers) > 10 and numbers == sorted(numbers)
    data = recorder.path.read_bytes()
    position = 8  # the magic; then records of one byte opcode, eight bytes length, content
    while position < len(data):
        position += 9 + int.from_bytes(data[position + 1 : position + 9], "little")
    assert position == len(data), "the last record is whole"
