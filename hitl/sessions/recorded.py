"""What a recording holds of the robot, its episodes, voices and pictures, as arrays and in order of time.

For whoever makes training data of sessions. Times are nanoseconds of the session clock. Knows nothing of words,
policies or data sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hitl.errors import InputError
from hitl.events import EpisodeEvent, UtteranceEvent
from hitl.messages import AUDIO_RATE, CommandStatus, Task
from hitl.sessions import foxglove
from hitl.sessions.recording import (
    CAMERA_TOPIC,
    COMMAND_TOPIC,
    STATE_TOPIC,
    VOICE_TOPIC,
    RecordedState,
    is_whole,
    read_recording,
)

SILENT_NS = 500_000_000
"""A robot of which nothing is recorded for so long has a gap."""
_STOPPED = ("stopped", "paused", "fault")


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode's T ticks, every one that is recorded, in order.

    tick: `(T,)` int64, the robot's count; tick_ns: `(T,)` int64; joints, targets: `(T, n)` float64 after the tick, in
    the robot's units; stopped: `(T,)` bool, held by a stop, a pause or a fault; rate_hz: control ticks a second; task:
    how far it was in the end, where the robot knows; rises_ns: when it was a stage further, in order.
    """

    id: str
    rate_hz: float
    tick: NDArray[np.int64]
    tick_ns: NDArray[np.int64]
    joints: NDArray[np.float64]
    targets: NDArray[np.float64]
    stopped: NDArray[np.bool_]
    task: Task | None = None
    rises_ns: tuple[int, ...] = ()

    @property
    def start_ns(self) -> int:
        """Of its first tick."""
        return int(self.tick_ns[0])

    @property
    def end_ns(self) -> int:
        """Behind its last tick."""
        return int(self.tick_ns[-1]) + round(1e9 / self.rate_hz)

    @property
    def length_ms(self) -> int:
        """Of the whole, as on the time track of an annotated recording."""
        return round((self.end_ns - self.start_ns) / 1e6)

    def away(self) -> tuple[tuple[int, int], ...]:
        """The stretches in which the robot was stopped, paused, at fault or not recorded; in order, disjoint."""
        until = np.append(self.tick_ns[1:], self.end_ns)
        lost = until - self.tick_ns > SILENT_NS
        found: list[tuple[int, int]] = []
        for at in np.flatnonzero(self.stopped | lost):
            start_ns, end_ns = int(self.tick_ns[at]), int(until[at])
            if found and found[-1][1] == start_ns:
                found[-1] = found[-1][0], end_ns
            elif end_ns > start_ns:
                found.append((start_ns, end_ns))
        return tuple(found)


@dataclass(frozen=True)
class RecordedVoice:
    """The sound of one utterance, int16 mono at 16 kHz, and what the log says of it where that is recorded."""

    id: str
    begins_ns: int
    samples: bytes
    event: UtteranceEvent | None


@dataclass(frozen=True)
class Recorded:
    """A recording without its pictures. `whole`: false where its end is missing; `end_ns`: of what is there; commands:
    when each began, and what it was, in order of time; outcomes: episode -> how it ended, where that was logged."""

    episodes: tuple[RecordedEpisode, ...]
    voices: tuple[RecordedVoice, ...]
    whole: bool
    end_ns: int
    commands: tuple[tuple[int, CommandStatus], ...] = ()
    outcomes: Mapping[str, EpisodeEvent] = field(default_factory=dict)


@dataclass
class _Growing:
    """An episode as it is read."""

    id: str
    rate_hz: float
    ticks: list[tuple[int, int, bool]] = field(default_factory=list)
    joints: list[list[float]] = field(default_factory=list)
    targets: list[list[float]] = field(default_factory=list)
    task: Task | None = None
    rises_ns: list[int] = field(default_factory=list)

    def add(self, session_ns: int, recorded: RecordedState) -> None:
        state = recorded.state
        behind = self.ticks and (state.tick <= self.ticks[-1][0] or session_ns <= self.ticks[-1][1])
        if behind or self.joints and len(recorded.joints) != len(self.joints[0]):
            return
        if state.task is not None:
            if self.task is not None and state.task.stage > self.task.stage:
                self.rises_ns.append(session_ns)
            self.task = state.task
        self.ticks.append((state.tick, session_ns, state.mode in _STOPPED))
        self.joints.append(recorded.joints)
        self.targets.append(recorded.targets)

    def grown(self) -> RecordedEpisode:
        tick, tick_ns, stopped = zip(*self.ticks, strict=True)
        return RecordedEpisode(
            self.id, self.rate_hz, np.array(tick, np.int64), np.array(tick_ns, np.int64),
            np.array(self.joints), np.array(self.targets), np.array(stopped), self.task,
            tuple(self.rises_ns),
        )  # fmt: skip


def read_recorded(path: Path) -> Recorded:
    """Read all but the pictures. Of a file that was cut off, what is there.

    Raises InputError where the file is no recording of hitl, or holds a message or a sound that cannot be read.
    """
    states = msgspec.json.Decoder(RecordedState)
    events: dict[str, UtteranceEvent] = {}
    sounds: list[tuple[int, foxglove.Sound]] = []
    episodes: list[_Growing] = []
    commands: list[tuple[int, CommandStatus]] = []
    outcomes: dict[str, EpisodeEvent] = {}
    end_ns = 0
    for record in read_recording(path):
        end_ns = max(end_ns, record.session_ns)
        try:
            if record.topic == STATE_TOPIC:
                _add(episodes, record.session_ns, states.decode(record.data))
            elif record.topic == COMMAND_TOPIC:
                commands.append((record.session_ns, msgspec.json.decode(record.data, type=CommandStatus)))
            elif record.topic == VOICE_TOPIC:
                sounds.append((record.session_ns, _sound(record.data)))
            elif record.schema == "hitl.UtteranceEvent":
                event = msgspec.json.decode(record.data, type=UtteranceEvent)
                events[event.id] = event
            elif record.schema == "hitl.EpisodeEvent":
                outcome = msgspec.json.decode(record.data, type=EpisodeEvent)
                outcomes[outcome.episode] = outcome
        except (ValueError, msgspec.MsgspecError) as problem:
            hint = "Was it written by another version of hitl?"
            raise InputError(
                f"{path}: {record.topic} cannot be read: {problem}", field="recording", hint=hint
            ) from None
    voices = [RecordedVoice(s.id, begins_ns, s.samples, events.get(s.id)) for begins_ns, s in sounds]
    return Recorded(
        tuple(episode.grown() for episode in episodes),
        tuple(sorted(voices, key=lambda voice: voice.begins_ns)),
        is_whole(path),
        end_ns,
        tuple(sorted(commands, key=lambda command: command[0])),
        outcomes,
    )


def recorded_pictures(path: Path, cameras: set[str]) -> Iterator[tuple[str, int, bytes]]:
    """Camera, time and JPEG bytes of every picture of these cameras, in the order in which they were written."""
    wanted = {f"{CAMERA_TOPIC}{camera}": camera for camera in cameras}
    for record in read_recording(path):
        if record.topic in wanted and record.schema == foxglove.IMAGE_SCHEMA:
            yield wanted[record.topic], record.session_ns, foxglove.read_compressed_image(record.data)[2]


def _add(episodes: list[_Growing], session_ns: int, recorded: RecordedState) -> None:
    state = recorded.state
    if not state.episode or state.nominal_hz <= 0:
        return
    if not episodes or episodes[-1].id != state.episode:
        episodes.append(_Growing(state.episode, state.nominal_hz))
    episodes[-1].add(session_ns, recorded)


def _sound(data: bytes) -> foxglove.Sound:
    sound = foxglove.read_raw_audio(data)
    if (sound.rate, sound.channels) != (AUDIO_RATE, 1):
        raise ValueError(f"the sound has {sound.channels} channels at {sound.rate} Hz, not one at {AUDIO_RATE}")
    return sound
