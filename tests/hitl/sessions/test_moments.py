from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl.errors import InputError, StorageError
from hitl.messages import Alternative
from hitl.sessions.moments import FILE, Moment, MomentStore


def moment(at_s: float = 1.0, **changes: Any) -> Moment:
    fields: dict[str, Any] = {
        "episode": "e1",
        "tick": round(at_s * 50),
        "session_ns": round(at_s * 1e9),
        "stage": 0,
        "command_id": "c1",
        "command": "go left",
        "source": "policy",
        "waits": False,
        "wanted": [Alternative(text="go left", probability=0.75), Alternative(text="go right", probability=0.25)],
        "history": np.full((4, 6), at_s, np.float16),
        "features": "f1",
    }
    return Moment(**(fields | changes))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MomentStore]:
    made = MomentStore(tmp_path / FILE)
    yield made
    made.close()


def test_what_is_put_is_found_in_order_of_time(store: MomentStore, tmp_path: Path) -> None:
    store.put([moment(2.0), moment(1.0, source="person", waits=True, stage=3)])
    store.put([moment(3.0, episode="e2")])
    found = MomentStore(tmp_path / FILE).of("e1")
    assert [m.session_ns for m in found.moments] == [1_000_000_000, 2_000_000_000]
    first = found.moments[0]
    assert (first.source, first.waits, first.stage, first.command) == ("person", True, 3, "go left")
    assert list(first.wanted) == list(moment().wanted)
    assert first.history.dtype == np.float16 and first.history.tolist() == np.full((4, 6), 1.0).tolist()
    assert store.episodes() == ["e1", "e2"]
    assert [m.tick for m in store.of("e1", after_ns=1_000_000_000).moments] == [100]


def test_features_of_another_low_level_are_not_mixed_in(store: MomentStore) -> None:
    store.put([moment(1.0), moment(2.0, features="other"), moment(3.0)])
    found = store.of("e1", "f1")
    assert [m.tick for m in found.moments] == [50, 150] and found.other == 1 and found.damaged == 0


@pytest.mark.parametrize("column", ["history", "wanted"])
def test_a_damaged_row_is_left_out_and_counted(store: MomentStore, tmp_path: Path, column: str) -> None:
    store.put([moment(1.0), moment(2.0), moment(3.0)])
    with sqlite3.connect(tmp_path / FILE) as db:
        (body,) = db.execute(f"SELECT {column} FROM moments WHERE tick = 100").fetchone()
        flipped = bytes([body[0] ^ 0xFF]) + body[1:]
        db.execute(f"UPDATE moments SET {column} = ? WHERE tick = 100", (flipped,))
    found = store.of("e1")
    assert [m.tick for m in found.moments] == [50, 150] and found.damaged == 1


def test_a_file_that_is_no_feature_cache_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, and long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="damaged") as raised:
        MomentStore(tmp_path / FILE)
    assert raised.value.field == "moments" and FILE in str(raised.value)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("PRAGMA application_id=7")
        db.execute("CREATE TABLE t (a)")
    with pytest.raises(InputError, match="no feature cache"):
        MomentStore(other)


def test_a_truncated_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    store = MomentStore(tmp_path / FILE)
    store.put([moment(at / 2) for at in range(1, 200)])
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="Remove the file"):
        MomentStore(path).of("e1")


def test_a_disk_that_takes_no_more_keeps_what_was_there(store: MomentStore) -> None:
    store.put([moment(1.0)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="Free some space"):
        store.put([moment(2.0, history=np.zeros((4, 30_000), np.float16))])
    assert [m.tick for m in store.of("e1").moments] == [50]


def test_one_writes_while_another_reads(store: MomentStore, tmp_path: Path) -> None:
    reader = MomentStore(tmp_path / FILE)
    seen: list[int] = []

    def write() -> None:
        for at in range(100):
            store.put([moment(at + 1.0)])

    writing = threading.Thread(target=write)
    writing.start()
    while writing.is_alive():
        seen.append(len(reader.of("e1").moments))
    assert seen == sorted(seen) and len(reader.of("e1").moments) == 100
