"""The pictures of a part of a recording, found by the index that a whole recording has at its end.

So a minute of a session of an hour is read as fast as a minute alone. Times are nanoseconds of the session clock.
Knows nothing of episodes, sockets and who looks.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import mcap.exceptions
from mcap.reader import make_reader
from mcap.records import Channel, Message, Schema

from hitl.errors import InputError
from hitl.sessions import foxglove
from hitl.sessions.recording import CAMERA_TOPIC, recording_info


def pictures_between(
    path: Path, start_ns: int, end_ns: int, cameras: Collection[str] | None = None
) -> Iterator[tuple[str, int, bytes]]:
    """Camera, time and JPEG bytes of every picture in `[start_ns, end_ns)`, in order of time. cameras: only these.

    Raises InputError where the file is no whole recording of hitl.
    """
    for camera, at_ns, message in _messages(path, start_ns, end_ns, cameras):
        try:
            yield camera, at_ns, foxglove.read_compressed_image(message.data)[2]
        except ValueError as problem:
            raise _damaged(path, problem) from None


def picture_times(path: Path, start_ns: int, end_ns: int) -> dict[str, list[int]]:
    """Camera -> when its pictures in `[start_ns, end_ns)` were taken, in order. Raises as `pictures_between`."""
    found: dict[str, list[int]] = {}
    for camera, at_ns, _ in _messages(path, start_ns, end_ns, None):
        found.setdefault(camera, []).append(at_ns)
    return {camera: found[camera] for camera in sorted(found)}


def _messages(
    path: Path, start_ns: int, end_ns: int, cameras: Collection[str] | None
) -> Iterator[tuple[str, int, Message]]:
    began_ns = recording_info(path).started_unix_ns
    try:
        with path.open("rb") as file:
            reader = make_reader(file)
            summary = reader.get_summary()
            if summary is None:
                raise _damaged(path, "its index is missing")
            topics = [
                channel.topic
                for channel in summary.channels.values()
                if _shows(channel, summary.schemas.get(channel.schema_id))
                and (cameras is None or _camera(channel) in cameras)
            ]
            first, last = max(0, began_ns + start_ns), max(0, began_ns + end_ns)
            if not topics or first >= last:
                return
            for _, channel, message in reader.iter_messages(topics, starting_at=first, ending_before=last):
                yield _camera(channel), message.log_time - began_ns, message
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", field="recording", hint="Check the path.") from error
    except (mcap.exceptions.McapError, struct.error) as problem:
        raise _damaged(path, problem) from problem


def _shows(channel: Channel, schema: Schema | None) -> bool:
    return channel.topic.startswith(CAMERA_TOPIC) and schema is not None and schema.name == foxglove.IMAGE_SCHEMA


def _camera(channel: Channel) -> str:
    return channel.topic.removeprefix(CAMERA_TOPIC)


def _damaged(path: Path, why: object) -> InputError:
    hint = "Choose one that ended; close the session where it still runs."
    return InputError(f"{path} is cut off, damaged or still being written ({why}).", field="recording", hint=hint)
