"""Foxglove's well-known schemas as bytes, so that Foxglove, Rerun and the `mcap` tools show recordings as they are.

`CompressedImage` (https://docs.foxglove.dev/docs/sdk/schemas/compressed-image) and `RawAudio` (raw-audio there) in
protobuf, written by hand from the wire format (https://protobuf.dev/programming-guides/encoding/): so few fields need
no code generator. `Log` and hitl's own messages as JSON with a JSON schema. Knows nothing of files.
"""

from __future__ import annotations

import struct
from typing import Any, Literal, NamedTuple

import msgspec

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: dict[LogLevel, int] = {"debug": 1, "info": 2, "warning": 3, "error": 4}
IMAGE_SCHEMA = "foxglove.CompressedImage"
LOG_SCHEMA = "foxglove.Log"
AUDIO_SCHEMA = "foxglove.RawAudio"
AUDIO_FORMAT = "pcm-s16"

_BYTES_FIELD, _VARINT_FIELD, _FIXED32_FIELD = 2, 0, 5
_TYPE_INT64, _TYPE_INT32, _TYPE_FIXED32, _TYPE_STRING, _TYPE_MESSAGE, _TYPE_BYTES = 3, 5, 7, 9, 11, 12


def compressed_image(stamp_ns: int, camera: str, data: bytes, encoding: str = "jpeg") -> bytes:
    """One picture; `stamp_ns` since the Unix epoch, `camera` as the frame of reference."""
    return _text(1, _timestamp(stamp_ns)) + _text(4, camera.encode()) + _text(2, data) + _text(3, encoding.encode())


def read_compressed_image(message: bytes) -> tuple[int, str, bytes, str]:
    """Stamp [ns since the Unix epoch], camera, data and encoding. Raises ValueError for other bytes."""
    fields = _fields(message)
    camera, data, encoding = (_bytes_of(fields, number) for number in (4, 2, 3))
    return _read_timestamp(fields), camera.decode(), data, encoding.decode()


def image_descriptors() -> bytes:
    """The FileDescriptorSet (descriptor.proto) of `foxglove.CompressedImage`, which MCAP wants as its schema."""
    image = (
        _text(1, b"CompressedImage")
        + _field("timestamp", 1, _TYPE_MESSAGE, ".google.protobuf.Timestamp")
        + _field("frame_id", 4, _TYPE_STRING)
        + _field("data", 2, _TYPE_BYTES)
        + _field("format", 3, _TYPE_STRING)
    )
    return _with_timestamp("foxglove/CompressedImage.proto", image)


class Sound(NamedTuple):
    """A block of sound: int16 samples, little-endian, interleaved; `stamp_ns` of the first since the Unix epoch."""

    stamp_ns: int
    samples: bytes
    rate: int
    channels: int
    id: str
    """Of what was said (a ULID)."""


def raw_audio(sound: Sound) -> bytes:
    """One block of sound."""
    return (
        _text(1, _timestamp(sound.stamp_ns))
        + _text(2, sound.samples)
        + _text(3, AUDIO_FORMAT.encode())
        + _fixed32(4, sound.rate)
        + _fixed32(5, sound.channels)
        + _text(100, sound.id.encode())
    )


def read_raw_audio(message: bytes) -> Sound:
    """A block of sound. Raises ValueError for other bytes and other formats."""
    fields = _fields(message)
    samples, encoding, sound_id = (_bytes_of(fields, number) for number in (2, 3, 100))
    if encoding.decode() != AUDIO_FORMAT:
        raise ValueError(f"sound in the format {encoding.decode()!r} cannot be read")
    rate, channels = _number_of(fields, 4), _number_of(fields, 5)
    return Sound(_read_timestamp(fields), samples, rate, channels, sound_id.decode())


def audio_descriptors() -> bytes:
    """The FileDescriptorSet of `foxglove.RawAudio`."""
    audio = (
        _text(1, b"RawAudio")
        + _field("timestamp", 1, _TYPE_MESSAGE, ".google.protobuf.Timestamp")
        + _field("data", 2, _TYPE_BYTES)
        + _field("format", 3, _TYPE_STRING)
        + _field("sample_rate", 4, _TYPE_FIXED32)
        + _field("number_of_channels", 5, _TYPE_FIXED32)
        + _field("message_id", 100, _TYPE_STRING)
    )
    return _with_timestamp("foxglove/RawAudio.proto", audio)


def log_line(stamp_ns: int, level: LogLevel, text: str, name: str) -> bytes:
    """One line of `foxglove.Log` as JSON."""
    stamp = {"sec": stamp_ns // 1_000_000_000, "nsec": stamp_ns % 1_000_000_000}
    line = {"timestamp": stamp, "level": LOG_LEVELS[level], "message": text, "name": name, "file": "", "line": 0}
    return msgspec.json.encode(line)


def log_schema() -> bytes:
    """The JSON schema of `foxglove.Log`."""
    stamp = {
        "type": "object",
        "title": "time",
        "properties": {"sec": {"type": "integer", "minimum": 0}, "nsec": {"type": "integer", "minimum": 0}},
    }
    properties = {
        "timestamp": stamp,
        "level": {"type": "integer"},
        "message": {"type": "string"},
        "name": {"type": "string"},
        "file": {"type": "string"},
        "line": {"type": "integer", "minimum": 0},
    }
    return msgspec.json.encode({"title": LOG_SCHEMA, "type": "object", "properties": properties})


def struct_schema(kind: type[msgspec.Struct]) -> bytes:
    """The JSON schema of a Struct with its own object on top, as Foxglove wants it."""
    (reference,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    top: dict[str, Any] = dict(definitions.pop(reference["$ref"].rpartition("/")[2]))
    return msgspec.json.encode({**top, "$defs": definitions} if definitions else top)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES_FIELD) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT_FIELD) + _varint(value)


def _timestamp(stamp_ns: int) -> bytes:
    return _number(1, stamp_ns // 1_000_000_000) + _number(2, stamp_ns % 1_000_000_000)


def _fixed32(number: int, value: int) -> bytes:
    return _varint(number << 3 | _FIXED32_FIELD) + struct.pack("<I", value)


def _read_timestamp(fields: dict[int, int | bytes]) -> int:
    stamp = _fields(_bytes_of(fields, 1))
    return _number_of(stamp, 1) * 1_000_000_000 + _number_of(stamp, 2)


def _bytes_of(fields: dict[int, int | bytes], number: int) -> bytes:
    value = fields.get(number, b"")
    if not isinstance(value, bytes):
        raise ValueError(f"field {number} is a number")
    return value


def _number_of(fields: dict[int, int | bytes], number: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise ValueError(f"field {number} is no number")
    return value


def _with_timestamp(name: str, message: bytes) -> bytes:
    """A FileDescriptorSet of one message of foxglove's, and the time stamp that it uses."""
    timestamp = _text(1, b"Timestamp") + _field("seconds", 1, _TYPE_INT64) + _field("nanos", 2, _TYPE_INT32)
    first = _file("google/protobuf/timestamp.proto", "google.protobuf", (), timestamp)
    second = _file(name, "foxglove", ("google/protobuf/timestamp.proto",), message)
    return _text(1, first) + _text(1, second)


def _field(name: str, number: int, kind: int, type_name: str = "") -> bytes:
    optional = 1
    body = _text(1, name.encode()) + _number(3, number) + _number(4, optional) + _number(5, kind)
    return _text(2, body + (_text(6, type_name.encode()) if type_name else b""))


def _file(name: str, package: str, imports: tuple[str, ...], message: bytes) -> bytes:
    body = _text(1, name.encode()) + _text(2, package.encode())
    body += b"".join(_text(3, other.encode()) for other in imports)
    return body + _text(4, message) + _text(12, b"proto3")


def _fields(data: bytes) -> dict[int, int | bytes]:
    found: dict[int, int | bytes] = {}
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        if key & 7 == _VARINT_FIELD:
            found[key >> 3], position = _read_varint(data, position)
        elif key & 7 == _BYTES_FIELD:
            length, position = _read_varint(data, position)
            if position + length > len(data):
                raise ValueError("a field is cut off")
            found[key >> 3] = data[position : position + length]
            position += length
        elif key & 7 == _FIXED32_FIELD:
            if position + 4 > len(data):
                raise ValueError("a field is cut off")
            (found[key >> 3],) = struct.unpack_from("<I", data, position)
            position += 4
        else:
            raise ValueError(f"wire type {key & 7} is not used by these schemas")
    return found


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("a number is cut off")
        value |= (data[position] & 0x7F) << shift
        position += 1
        if data[position - 1] < 0x80:
            return value, position
        shift += 7
