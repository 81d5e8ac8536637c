"""Recordings of sessions as items of a project: one for each episode, walked by the commands that were under way.

Reads a recording.mcap, a session's folder, a folder with many of either, or a session of the data folder by its id.
The pictures stay where they are: an item knows the recording by its session and episode, and by its path where that is
not in the data folder. There is nothing to write: labels of recordings leave in the other formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hitl.annotation.items import Item, Stretch
from hitl.annotation.presets import preset
from hitl.errors import InputError
from hitl.interchange.exchange import Imported, Reading, Report
from hitl.messages import CommandStatus
from hitl.sessions.catalog import Catalog, find_session
from hitl.sessions.finding import PATH
from hitl.sessions.recorded import Recorded, RecordedEpisode, read_recorded
from hitl.sessions.recording import recording_info

NAME = "recordings"
SHORTEST_MS = 200
"""A command that was under way for less is joined to the one before it: nobody can judge it, and a reward model sees
no moment of it."""
_FILE = "recording.mcap"


def read(path: Path, reading: Reading) -> Imported:
    """The episodes, without labels. What cannot be used in a folder of many is reported, and alone it is refused.

    Raises InputError where there is no recording, or the only one is cut off or has no episode.
    """
    schema, report = reading.schema or preset("segments"), Report()
    if not any(head.density == "time" for head in schema.heads):
        hint = "Use --schema segments, or another project."
        raise InputError("has no head of density time, so recordings cannot be marked", field="schema", hint=hint)
    files = _files(path, reading.data)
    items: dict[str, Item] = {}
    for file in files:
        try:
            for item in _items(file, reading.data):
                if item.id in items:
                    report.lose("episodes that are there twice", f"{file}: {item.id}")
                items.setdefault(item.id, item)
        except InputError as error:
            if len(files) == 1:
                raise
            report.lose("recordings that cannot be used", f"{file}: {error.message}")
    if not items:
        raise InputError("no recording in it can be used", field=str(path), hint="; ".join(report.lines()[1:]))
    return Imported(list(items.values()), [], schema, report)


def _files(path: Path, data: Path | None) -> list[Path]:
    """The recordings in a path, or that of a session of the data folder."""
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(path.rglob("*.mcap"))
        if found:
            return found
        raise InputError(f"{path} holds no recording", field="file", hint=f"A session's folder has a {_FILE}.")
    if data is None or len(path.parts) != 1:
        raise InputError(f"{path} is not there", field="file", hint=f"Give a {_FILE}, a folder, or a session's id.")
    session = find_session(Catalog(data), str(path))
    if not session.recording.is_file():
        why = f"session {session.id} has none ({session.recording})"
        raise InputError(why, field="recording", hint="Sessions are recorded where the setting record is true.")
    return [session.recording]


def _items(file: Path, data: Path | None) -> Iterator[Item]:
    info = recording_info(file)
    if not info.session:
        raise InputError("names no session", field=str(file), hint=f"Choose the {_FILE} of a session.")
    recorded = read_recorded(file)
    if not recorded.whole:
        why = f"is cut off after {recorded.end_ns / 1e9:.0f} s, or still being written"
        raise InputError(why, field=str(file), hint="Choose one that ended; close the session where it still runs.")
    if not recorded.episodes:
        raise InputError("has no episode of a robot", field=str(file), hint="Start a robot in the session.")
    extra: dict[str, Any] = {}
    if data is None or file.resolve() != (Catalog(data).data / "sessions" / info.session / _FILE).resolve():
        extra[PATH] = str(file.resolve())
    for number, episode in enumerate(recorded.episodes, start=1):
        name = f"{info.session}/{episode.id}"
        yield Item(
            id=name,
            prompt=_about(recorded, episode, number, info.started_unix_ns),
            recording=name,
            duration_ms=max(1, episode.length_ms),
            stretches=stretches(episode, recorded.commands),
            extra=extra,
        )


def stretches(episode: RecordedEpisode, commands: Sequence[tuple[int, CommandStatus]]) -> list[Stretch]:
    """An episode cut where commands began. Before the first one, and where none was, the text is empty; what was told
    before the episode has no part in it."""
    length = max(1, episode.length_ms)
    begun = [(0, "", "")]
    for at_ns, command in commands:
        if episode.start_ns <= at_ns < episode.end_ns:
            by = _by(command) if command.text else ""
            begun.append(((at_ns - episode.start_ns) // 1_000_000, command.text, by))
    found: list[Stretch] = []
    at = 0
    for (_, text, by), until in zip(begun, [*(begin for begin, _, _ in begun[1:]), length], strict=True):
        end = min(until, length)
        is_short = end - at < SHORTEST_MS
        if found and (is_short or not text and not found[-1].text):
            found[-1] = msgspec.structs.replace(found[-1], end_ms=end)
        elif not is_short or end == length:
            found.append(Stretch(start_ms=at, end_ms=end, text=text, by=by))
        at = found[-1].end_ms if found else 0
    return found


def _by(command: CommandStatus) -> str:
    return (command.author or "person") if command.source == "person" else command.source


def _about(recorded: Recorded, episode: RecordedEpisode, number: int, started_unix_ns: int) -> str:
    """What a person wants to know before looking: the task and how it went, the shift, where it is from."""
    task, outcome = episode.task, recorded.outcomes.get(episode.id)
    lines = []
    if task is not None:
        lines.append(f"{task.name}: {task.stage} of {task.stages} done{', a success' if task.success else ''}")
    elif outcome is not None and outcome.stages:
        done = f"{outcome.stage} of {outcome.stages} done{', a success' if outcome.success else ''}"
        lines.append(f"the task: {done}")
    if outcome is not None:
        lines.append(f"shift: {outcome.shift}")
    mine = [command for at_ns, command in recorded.commands if episode.start_ns <= at_ns < episode.end_ns]
    people = sorted({_by(command) for command in mine if command.source == "person"})
    if people:
        lines.append(f"corrected by {', '.join(people)}")
    began = datetime.fromtimestamp((started_unix_ns + episode.start_ns) / 1e9, UTC)
    lines.append(f"episode {number} of {len(recorded.episodes)}, recorded {began:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)
