"""Recordings of a session: one MCAP file (https://mcap.dev/spec) of pictures, sound, messages and log lines.

A recorder never delays its caller: it takes references into a bounded queue, and a thread of its own encodes and
writes. Pictures are dropped and counted when that thread falls behind. Chunks are small and written out each second,
so that a file cut by a crash or a full disk reads up to the last whole chunk (`read_recording`). Log times are Unix
nanoseconds; the session's start is in the metadata record "session". Knows nothing of sockets or policies.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import mcap.exceptions
import msgspec
import numpy as np
from mcap.records import Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import MCAP0_MAGIC, CompressionType, Writer
from numpy.typing import NDArray

from hitl.errors import InputError, StorageError
from hitl.messages import AUDIO_RATE, RobotState
from hitl.sessions import foxglove

FORMAT = "hitl-recording-1"
STATE_TOPIC = "/robot/state"
VOICE_TOPIC = "/voice"
COMMAND_TOPIC = "/command"
CAMERA_TOPIC = "/camera/"
"""And the camera's name."""
_CHUNK_BYTES = 512 * 1024
_FLUSH_S = 1.0
_MAX_PICTURES = 60
"""Two thirds of a second of three cameras at 30 Hz."""
_MAX_MESSAGES = 20_000

Picture = bytes | memoryview | NDArray[np.uint8]


class RecordedState(msgspec.Struct, frozen=True, kw_only=True):
    """A robot state with its numbers, as recorded: joints measured, targets commanded, in the robot's units."""

    state: RobotState
    joints: list[float]
    targets: list[float]


@dataclass(frozen=True)
class _Item:
    topic: str
    session_ns: int
    body: msgspec.Struct | tuple[foxglove.LogLevel, str, str] | _Picture | _Voice


@dataclass(frozen=True)
class _Picture:
    camera: str
    height: int
    width: int
    data: Picture
    encoding: Literal["raw", "jpeg"]


@dataclass(frozen=True)
class _Voice:
    id: str
    samples: bytes


class Recorder:
    """Writes one new recording; every method is safe from any thread and returns at once."""

    def __init__(
        self, path: Path, session: str, *, started_unix_ns: int | None = None, jpeg_quality: int = 85
    ) -> None:
        """Make the file, which must not exist. Raises StorageError."""
        self.path = path
        self.error = ""
        """Why nothing more is recorded; empty while all is well. What was recorded before stays readable."""
        self.dropped = 0
        """Pictures and messages that were not recorded because the disk was too slow or failed."""
        self.written = 0
        self._jpeg_quality = jpeg_quality
        self._started_unix_ns = time.time_ns() if started_unix_ns is None else started_unix_ns
        self._queue: deque[_Item] = deque()
        self._pictures = 0
        self._changed = threading.Condition()
        self._closing = False
        self._channels: dict[tuple[str, str], int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._start(session)
        except OSError as error:
            raise StorageError(
                f"{path}: {error.strerror}", field="recording", hint="Free some space or choose another data folder."
            ) from error
        self._thread = threading.Thread(target=self._run, name="hitl-recorder", daemon=True)
        self._thread.start()

    def _start(self, session: str) -> Writer:
        self._file = _ChunkFile(self.path)
        try:
            return self._begin(session)
        except OSError:
            self._file.close()
            self.path.unlink()
            raise

    def _begin(self, session: str) -> Writer:
        writer = Writer(self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.NONE)  # type: ignore[arg-type]
        writer.start(profile="", library="hitl")
        about = {"format": FORMAT, "session": session, "started_unix_ns": str(self._started_unix_ns)}
        writer.add_metadata("session", about)
        self._file.flush()
        return writer

    # -- from any thread --------------------------------------------------------------------------------------

    def frame(
        self,
        camera: str,
        session_ns: int,
        height: int,
        width: int,
        picture: Picture,
        encoding: Literal["raw", "jpeg"] = "raw",
    ) -> bool:
        """Record a picture on `/camera/<camera>`: raw RGB uint8 `(height, width, 3)` or JPEG bytes.

        The buffer must not change afterwards. False where it is dropped.
        """
        return self._put(
            _Item(f"{CAMERA_TOPIC}{camera}", session_ns, _Picture(camera, height, width, picture, encoding))
        )

    def message(self, topic: str, session_ns: int, message: msgspec.Struct) -> bool:
        """Record any message as JSON on `topic`; False where it is dropped."""
        return self._put(_Item(topic, session_ns, message))

    def state(
        self, session_ns: int, state: RobotState, joints: NDArray[np.float64], targets: NDArray[np.float64]
    ) -> bool:
        """Record a robot state with joints and targets, `(n,)` each; False where it is dropped."""
        recorded = RecordedState(state=state, joints=joints.tolist(), targets=targets.tolist())
        return self.message(STATE_TOPIC, session_ns, recorded)

    def log(self, session_ns: int, text: str, level: foxglove.LogLevel = "info", name: str = "hitl") -> bool:
        """Record a line of text; False where it is dropped."""
        return self._put(_Item("/log", session_ns, (level, text, name)))

    def voice(self, session_ns: int, utterance_id: str, samples: bytes) -> bool:
        """Record the sound of an utterance that begins at `session_ns`: int16, little-endian, mono, 16 kHz.

        False where it is dropped.
        """
        return self._put(_Item(VOICE_TOPIC, session_ns, _Voice(utterance_id, samples)))

    def close(self) -> None:
        """Write what is queued and the index; may be called twice. Does not raise: see `error`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _put(self, item: _Item) -> bool:
        picture = isinstance(item.body, _Picture)
        with self._changed:
            full = self._pictures >= _MAX_PICTURES if picture else len(self._queue) >= _MAX_MESSAGES
            if full or self.error or self._closing:
                self.dropped += 1
                return False
            self._pictures += picture
            self._queue.append(item)
            self._changed.notify()
        return True

    # -- the recorder's thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        flushed = time.monotonic()
        try:
            while True:
                batch, closing = self._next_batch(flushed + _FLUSH_S - time.monotonic())
                for item in batch:
                    self._write(item)
                if closing and not batch:
                    self._writer.finish()
                    break
                if time.monotonic() - flushed >= _FLUSH_S:
                    self._writer.flush()
                    flushed = time.monotonic()
        except OSError as error:
            self._fail(f"{self.path}: {error.strerror}; recording stopped, the session goes on")
        finally:
            self._file.close()

    def _next_batch(self, wait_s: float) -> tuple[list[_Item], bool]:
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(max(0.0, wait_s))
            batch = list(self._queue)
            self._queue.clear()
            self._pictures = 0
            return batch, self._closing

    def _write(self, item: _Item) -> None:
        unix_ns = max(0, self._started_unix_ns + item.session_ns)
        if isinstance(item.body, _Picture):
            jpeg = self._jpeg(item.body)
            if jpeg is None:
                return
            data = foxglove.compressed_image(unix_ns, item.body.camera, jpeg)
            schema = foxglove.IMAGE_SCHEMA
        elif isinstance(item.body, _Voice):
            sound = foxglove.Sound(unix_ns, item.body.samples, AUDIO_RATE, 1, item.body.id)
            data, schema = foxglove.raw_audio(sound), foxglove.AUDIO_SCHEMA
        elif isinstance(item.body, tuple):
            data = foxglove.log_line(unix_ns, *item.body)
            schema = foxglove.LOG_SCHEMA
        else:
            data = msgspec.json.encode(item.body)
            schema = f"hitl.{type(item.body).__name__}"
        channel = self._channel(item, schema)
        self._writer.add_message(channel, log_time=unix_ns, data=data, publish_time=unix_ns)
        self.written += 1

    def _jpeg(self, picture: _Picture) -> bytes | None:
        if picture.encoding == "jpeg":
            return bytes(picture.data)
        flat = np.frombuffer(picture.data, dtype=np.uint8)
        if flat.size != picture.height * picture.width * 3:
            self.dropped += 1
            return None
        bgr = cv2.cvtColor(flat.reshape(picture.height, picture.width, 3), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])[1].tobytes()

    def _channel(self, item: _Item, schema: str) -> int:
        found = self._channels.get((item.topic, schema))
        if found is not None:
            return found
        if isinstance(item.body, _Picture):
            encoding, kind, about = "protobuf", "protobuf", foxglove.image_descriptors()
        elif isinstance(item.body, _Voice):
            encoding, kind, about = "protobuf", "protobuf", foxglove.audio_descriptors()
        elif isinstance(item.body, tuple):
            encoding, kind, about = "json", "jsonschema", foxglove.log_schema()
        else:
            encoding, kind, about = "json", "jsonschema", foxglove.struct_schema(type(item.body))
        schema_id = self._writer.register_schema(schema, kind, about)
        channel = self._writer.register_channel(item.topic, encoding, schema_id)
        self._channels[item.topic, schema] = channel
        return channel

    def _fail(self, why: str) -> None:
        with self._changed:
            self.error = why
            self.dropped += len(self._queue)
            self._queue.clear()
        self._file.cut()


class _ChunkFile:
    """An unbuffered file that knows where its last whole write ended: a full disk leaves no half record."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._whole = 0

    def write(self, data: bytes) -> int:
        """Write all of `data` or raise OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._whole += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes written."""
        return self._whole

    def flush(self) -> None:
        """Nothing is held back."""

    def cut(self) -> None:
        """Remove what was written of a record that did not fit."""
        os.ftruncate(self._file.fileno(), self._whole)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


# -- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One recorded message: `data` is JSON, or protobuf where `schema` is one of pictures or sound."""

    topic: str
    schema: str
    session_ns: int
    data: bytes


@dataclass(frozen=True)
class RecordingInfo:
    """What a recording says about itself."""

    session: str
    started_unix_ns: int


def recording_info(path: Path) -> RecordingInfo:
    """The session of a recording. Raises InputError where the file is no recording of hitl."""
    for record in _records(path):
        if isinstance(record, Metadata) and record.name == "session" and record.metadata.get("format") == FORMAT:
            return RecordingInfo(record.metadata["session"], int(record.metadata["started_unix_ns"]))
    raise InputError(f"{path} is no recording of hitl", field="recording", hint="Choose a .mcap file of a session.")


def is_whole(path: Path) -> bool:
    """Whether a recording has its end; not so after a crash, on a full disk, and while it is being written."""
    try:
        with path.open("rb") as file:
            file.seek(-len(MCAP0_MAGIC), os.SEEK_END)
            return file.read() == MCAP0_MAGIC
    except OSError:
        return False


def read_recording(path: Path) -> Iterator[Record]:
    """All messages in the order in which they were written; of a file that was cut off, all whole chunks.

    Raises InputError where the file is no recording of hitl or cannot be opened.
    """
    started_unix_ns = recording_info(path).started_unix_ns
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    for record in _records(path):
        if isinstance(record, Schema):
            schemas[record.id] = record.name
        elif isinstance(record, Channel):
            channels[record.id] = record.topic, schemas.get(record.schema_id, "")
        elif isinstance(record, Message):
            topic, schema = channels[record.channel_id]
            yield Record(topic, schema, record.log_time - started_unix_ns, record.data)


def _records(path: Path) -> Iterator[object]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", field="recording", hint="Check the path.") from error
    with file:
        try:
            yield from StreamReader(file, record_size_limit=1 << 30, validate_crcs=True).records
        except (mcap.exceptions.McapError, struct.error, ValueError, KeyError):
            return  # cut off or damaged from here on
