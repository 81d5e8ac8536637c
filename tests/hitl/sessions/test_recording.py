from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from mcap.reader import make_reader

from hitl.errors import InputError, StorageError
from hitl.messages import Alternative, CommandStatus, RobotState
from hitl.sessions import foxglove
from hitl.sessions.recording import Recorder, read_recording, recording_info

WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from hitl.sessions.recording import Recorder
recorder = Recorder(Path(sys.argv[1]), "s1")
picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
for number in range(10_000):
    recorder.frame("front", number, 120, 160, picture)
    recorder.log(number, f"line {number}")
    print(recorder.written, flush=True)
    time.sleep(0.002)
"""
COMMAND = CommandStatus(
    command_id="c", text="go up", source="policy", alternatives=[Alternative(text="go down", probability=0.25)]
)


def a_picture() -> np.ndarray:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = (200, 30, 10)
    return picture


def record_some(path: Path, rows: int = 5) -> None:
    with Recorder(path, "s1", started_unix_ns=1_000_000_000_000_000_000) as recorder:
        for row in range(rows):
            assert recorder.frame("front", row * 10, 48, 64, a_picture())
            state = RobotState(tick=row, stamp_ns=1, episode="e", mode="running")
            assert recorder.state(row * 10 + 1, state, np.full(14, row), np.ones(14))
            assert recorder.message("/command", row * 10 + 2, COMMAND)
            assert recorder.log(row * 10 + 3, f"Zeile {row} ü", level="warning")
    assert recorder.error == "" and recorder.dropped == 0 and recorder.written == 4 * rows


def test_everything_recorded_is_read_with_its_session_time(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "r.mcap"
    record_some(path)
    info = recording_info(path)
    assert (info.session, info.started_unix_ns) == ("s1", 1_000_000_000_000_000_000)
    records = list(read_recording(path))
    assert [record.session_ns for record in records] == [row * 10 + part for row in range(5) for part in range(4)]
    assert msgspec.json.decode(records[6].data, type=CommandStatus) == COMMAND
    assert msgspec.json.decode(records[5].data)["joints"] == [1.0] * 14
    line = msgspec.json.decode(records[7].data)
    assert (line["message"], line["level"], line["timestamp"]) == ("Zeile 1 ü", 3, {"sec": 1_000_000_000, "nsec": 13})


def test_pictures_are_jpeg_in_the_right_colours(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    record_some(path, rows=1)
    record = next(iter(read_recording(path)))
    assert (record.topic, record.schema) == ("/camera/front", "foxglove.CompressedImage")
    stamp_ns, camera, data, encoding = foxglove.read_compressed_image(record.data)
    assert (stamp_ns, camera, encoding) == (1_000_000_000_000_000_000, "front", "jpeg")
    shown = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(shown[24, 16].astype(int) - (200, 30, 10)).max() < 20
    assert np.abs(shown[24, 48].astype(int)).max() < 20


def test_sound_is_read_back_sample_by_sample_at_the_time_at_which_it_began(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 3 * 16_000, dtype=np.int16)
    with Recorder(path, "s1", started_unix_ns=1_000_000_000_000_000_000) as recorder:
        recorder.log(9, "later")
        assert recorder.voice(7, "01U", samples.astype("<i2").tobytes())
    with path.open("rb") as file:
        ((schema, channel, message),) = make_reader(file, validate_crcs=True).iter_messages(topics="/voice")
    assert (schema.name, schema.encoding, channel.message_encoding) == ("foxglove.RawAudio", "protobuf", "protobuf")
    assert message.log_time == 1_000_000_000_000_000_007
    sound = foxglove.read_raw_audio(message.data)
    assert np.array_equal(np.frombuffer(sound.samples, "<i2"), samples)
    assert (sound.stamp_ns, sound.rate, sound.channels, sound.id) == (message.log_time, 16_000, 1, "01U")
    assert [(record.topic, record.session_ns) for record in read_recording(path)] == [("/log", 9), ("/voice", 7)]


def test_jpeg_pictures_are_stored_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    with Recorder(path, "s1") as recorder:
        recorder.frame("front", 0, 48, 64, memoryview(b"jpeg bytes"), encoding="jpeg")
    (record,) = read_recording(path)
    assert foxglove.read_compressed_image(record.data)[2] == b"jpeg bytes"


def test_a_whole_file_has_an_index_and_schemas_that_other_tools_read(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    record_some(path)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        counts = summary.statistics.channel_message_counts
        assert {summary.channels[number].topic: count for number, count in counts.items()} == {
            "/camera/front": 5,
            "/robot/state": 5,
            "/command": 5,
            "/log": 5,
        }
        encodings = {schema.name: schema.encoding for schema in summary.schemas.values()}
        assert encodings == {
            "foxglove.CompressedImage": "protobuf",
            "foxglove.Log": "jsonschema",
            "hitl.CommandStatus": "jsonschema",
            "hitl.RecordedState": "jsonschema",
        }
        for schema in summary.schemas.values():
            if schema.encoding == "jsonschema":
                assert msgspec.json.decode(schema.data)["type"] == "object"
        assert len(list(reader.iter_messages(topics="/log"))) == 5


def test_a_file_cut_anywhere_reads_up_to_the_cut(tmp_path: Path) -> None:
    path, cut = tmp_path / "r.mcap", tmp_path / "cut.mcap"
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    with Recorder(path, "s1") as recorder:
        for row in range(120):
            recorder.frame("front", row, 120, 160, picture)
            time.sleep(0.002)
    whole = path.read_bytes()
    assert len(list(read_recording(path))) == recorder.written > 60
    seen = []
    for share in (0.3, 0.5, 0.7, 0.9):
        cut.write_bytes(whole[: int(len(whole) * share)])
        records = list(read_recording(cut))
        assert [record.session_ns for record in records] == list(range(len(records)))
        seen.append(len(records))
    assert seen == sorted(seen) and seen[0] > 0


def test_a_recorder_killed_with_nine_leaves_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) > 600:
            break
    writer.kill()
    writer.wait()
    writer.stdout.close()
    kinds = Counter(record.topic for record in read_recording(path))
    assert kinds["/camera/front"] > 100 and kinds["/log"] > 100


def test_a_full_disk_is_told_and_what_was_recorded_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    picture = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    recorder = Recorder(path, "s1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, before[1]))
        for number in range(5_000):
            recorder.frame("front", number, 240, 320, picture)
            if recorder.error:
                break
            time.sleep(0.001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "r.mcap" in recorder.error and "stopped" in recorder.error
    assert recorder.log(0, "too late") is False
    recorder.close()
    stored = list(read_recording(path))
    assert len(stored) > 10 and recorder.dropped > 0
    assert path.stat().st_size <= 1_500_000


def test_a_slow_disk_drops_pictures_counts_them_and_keeps_the_words(tmp_path: Path, monkeypatch) -> None:
    gate = threading.Event()
    jpeg = Recorder._jpeg

    def slow(self: Recorder, picture: object) -> bytes | None:
        gate.wait()
        return jpeg(self, picture)  # type: ignore[arg-type]

    monkeypatch.setattr(Recorder, "_jpeg", slow)
    recorder = Recorder(tmp_path / "r.mcap", "s1")
    taken = sum(recorder.frame("front", number, 48, 64, a_picture()) for number in range(300))
    assert taken < 300 and recorder.dropped == 300 - taken
    assert all(recorder.log(number, "word") for number in range(300))
    gate.set()
    recorder.close()
    kinds = Counter(record.topic for record in read_recording(recorder.path))
    assert kinds == {"/camera/front": taken, "/log": 300}


def test_a_picture_of_another_size_is_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.mcap", "s1") as recorder:
        recorder.frame("front", 0, 50, 64, a_picture())
        recorder.frame("front", 1, 48, 64, a_picture())
    assert recorder.error == "" and recorder.dropped == 1 and recorder.written == 1


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r.mcap").write_bytes(b"precious")
    with pytest.raises(StorageError, match=r"r\.mcap"):
        Recorder(tmp_path / "r.mcap", "s1")
    assert (tmp_path / "r.mcap").read_bytes() == b"precious"


def test_closing_twice_is_harmless_and_later_words_are_refused(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r.mcap", "s1")
    recorder.close()
    recorder.close()
    assert recorder.log(0, "late") is False


@pytest.mark.parametrize("data", [b"", b"not a recording" * 10, None])
def test_other_files_are_no_recordings(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "x.mcap"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.mcap"):
        list(read_recording(path))
