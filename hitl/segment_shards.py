"""Segments of recorded sessions as shards of a dataset folder ("hitl-segments-1", see robot/aloha/generate.py).

A shard is one episode with all its ticks and pictures. The low level learns a command from where the hands begin to
move under it until they rest; what lies before that (in which it was said, or thought of) teaches the high level
alone, which learns from moments before a command what comes next. Where objects are nobody has recorded, and the
shard says so. Segments that were found in hindsight say which moments of them teach; one that was guided by hand is a
shard of its own, without the rests between two words, or, where the hand let go or took hold, with a way straight
there from each of its frames (`shortcuts.py`): then every frame begins a segment of its own. Knows nothing of words,
recognizers and models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from hitl.errors import DatasetError, StorageError
from hitl.hindsight import LOOK_AHEAD_S, Hindsight
from hitl.kinematics import pose_of
from hitl.sessions.recorded import RecordedEpisode, recorded_pictures
from hitl.shortcuts import Shortcut, let_go, shortcut, took_hold
from hitl.speech.narration import LeftOut, Segment

FORMAT = "hitl-segments-1"
FRAMES_HZ = 10.0
"""Pictures a second of a new data set, as the policies see and recordings hold them."""
OTHER_FAMILY = "other"
"""Of commands that are near to none that is known."""
SETTLE_S = 0.5
"""So much of the rest behind a command's end belongs to it."""
_REST_S = 0.3
"""Hands that rest for so long before a stop were done."""
_LEAST_S = 0.2
"""A motion that begins later than this before a segment's end is the next command's."""
_LEAD_TICKS = 3
"""Before the first motion that is seen, which is not the first that was made."""
_STILL = np.array([0.003, 0.003, 0.003, 0.03, 0.03, 0.03] * 2)
"""Greatest change of a pose that is no motion: m, rad, opening."""
_FARTHEST_NS = 60_000_000
"""A picture this far from a frame's moment is not of that moment: more than half of what lies between two."""
_LATE_NS = 1_000_000_000
"""Pictures are written at most so much out of order."""
_SLOW = np.array([0.0002, 0.0002, 0.0002, 0.002, 0.002, 0.002] * 2)
"""Greatest change of a pose in a tick that is rest: 1 cm/s, 0.1 rad/s, a tenth of an opening a second."""
_WELL, _GUIDED = 1, 4
_JOINTS = 14
_HINT = "Choose an empty folder with --out."


@dataclass(frozen=True)
class Template:
    """What a new data set begins with. cameras: name -> height, width [pixels] of the policies' pictures; kinds of
    objects; commands as records of meta.json: text, family, train and held_out phrases."""

    cameras: Mapping[str, tuple[int, int]]
    kinds: Sequence[str]
    commands: Sequence[Mapping[str, Any]]


@dataclass
class Written:
    """What was written: counts, the commands that are new in meta.json, and segments that are not in the shards."""

    shards: int = 0
    frames: int = 0
    segments: int = 0
    new_commands: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def write_shards(
    out: Path,
    session: str,
    recording: Path,
    episodes: Sequence[RecordedEpisode],
    segments: Sequence[Segment],
    template: Template,
) -> Written:
    """Write one shard for each episode that has segments; what the folder holds of this session is replaced.

    A folder that is there keeps its cameras, kinds and commands, and gets the commands that are new to it. Raises
    DatasetError where folder and recording do not fit, StorageError where it cannot be written.
    """
    written = Written()
    wanted = {segment.episode for segment in segments}
    chosen = [episode for episode in episodes if episode.id in wanted]
    try:
        (out / "shards").mkdir(parents=True, exist_ok=True)
        meta = _meta(out / "meta.json", template, chosen)
        families = {record["text"]: record["family"] for record in meta["commands"]}
        tapes = []
        for episode in chosen:
            tape = _Tape(episode, meta)
            mine = [segment for segment in segments if segment.episode == episode.id]
            written.left_out += tape.cut(mine, families)
            tapes += [tape] if tape.rows else []
        written.new_commands = _add_commands(meta, [segment for tape in tapes for segment, _ in tape.rows])
        _replace(out / "meta.json", json.dumps(meta, indent=1).encode())
        names = set()
        for tape in _filled(tapes, recording, set(meta["cameras"])):
            written.left_out += tape.without_pictures()
            commands = [record["text"] for record in meta["commands"]]
            for shard in tape.shards():
                name = f"{session}-{episodes.index(tape.episode):03d}{shard.name}.safetensors"
                names.add(name)
                tape.save(out / "shards" / name, shard, commands, session)
                written.shards += 1
                written.frames += len(shard.frames)
                written.segments += shard.segments
        for old in (out / "shards").glob(f"{session}-*.safetensors"):
            if old.name not in names:
                old.unlink()
    except OSError as error:
        why = f"{error.filename or out}: {error.strerror}"
        raise StorageError(why, field="out", hint="Free some space or choose another folder.") from error
    return written


@dataclass(frozen=True)
class _Shard:
    """What is to be saved. name: the end of the shard's; frames: which of the tape's; frame_tick: ticks of those in
    the shard; clean: whether they teach; pose, target: of all its ticks; rows: command, first, done and end tick, and
    flags; segments: of how many they are made; goal: of each row `(rows, 3)` m, where the thing is that it is about,
    or None where nobody knows."""

    name: str
    frames: NDArray[np.int64]
    frame_tick: NDArray[np.int64]
    clean: NDArray[np.uint8]
    pose: NDArray[np.float64]
    target: NDArray[np.float64]
    rows: Sequence[tuple[str, int, int, int, int]]
    segments: int
    goal: NDArray[np.float64] | None = None


class _Tape:
    """One episode on its way into a shard: every tick, those that were lost filled in, and pictures at equal steps."""

    def __init__(self, episode: RecordedEpisode, meta: Mapping[str, Any]) -> None:
        if episode.joints.shape[1] != _JOINTS:
            why = f"the robot has {episode.joints.shape[1]} joints; poses are known of {_JOINTS}, those of ALOHA."
            raise DatasetError(why, field=f"episode {episode.id}")
        self.episode = episode
        self.rows: list[tuple[Segment, list[list[int]]]] = []
        """Segments with their rows: begin, done, end and flags; ticks."""
        known = episode.tick - episode.tick[0]
        ticks = np.arange(known[-1] + 1)
        self.tick_ns = np.interp(ticks, known, episode.tick_ns).astype(np.int64)
        self.pose, self.target = (
            pose_of(np.stack([np.interp(ticks, known, joint) for joint in joints.T], axis=1))
            for joints in (episode.joints, episode.targets)
        )
        self._rate_hz = episode.rate_hz
        self._grid = np.arange(0, len(ticks), meta["frame_every"])
        self._grid_ns = self.tick_ns[self._grid]
        self._sizes = {name: (int(size[0]), int(size[1])) for name, size in meta["cameras"].items()}
        self._images: dict[str, NDArray[np.uint8]] = {}
        self._away_ns = {name: np.full(len(self._grid), _FARTHEST_NS + 1) for name in self._sizes}

    def cut(self, segments: Sequence[Segment], families: Mapping[str, str]) -> list[LeftOut]:
        """Take the rows of these segments; returns those without motion, unless the robot was to be still."""
        dropped = []
        for segment in segments:
            still = families.get(segment.command if segment.known else segment.near) == "still"
            first, end = (int(at) for at in np.searchsorted(self.tick_ns, (segment.start_ns, segment.end_ns)))
            rows = self._rows(segment, first, end, still)
            if rows:
                self.rows.append((segment, rows))
            else:
                dropped.append(_dropped(segment, "the robot did not move"))
        return dropped

    def _rows(self, segment: Segment, first: int, end: int, still: bool) -> list[list[int]]:
        """What comes before the motion, where there is such a time, and the motion until it rests. The low level
        learns the second where it is whole."""
        target = self.target[first:end]
        moving = np.flatnonzero((np.abs(target - target[:1]) > _STILL).any(1)) if len(target) else np.zeros(0)
        if not len(moving):
            return [[first, end, end, _WELL]] if still and end > first else []
        begin = first + max(0, int(moving[0]) - _LEAD_TICKS)
        if isinstance(segment, Hindsight) and segment.cut_short:
            return [[begin, end, end, _WELL]]  # its moments say what teaches, and it was never done
        if end - begin < _LEAST_S * self._rate_hz:
            return []
        rest = np.flatnonzero((np.abs(target - target[-1:]) > _STILL).any(1))
        # A way of hardly more than rest begins to show after it has begun to end.
        done = max(begin, first + int(rest[-1]) + 1)
        rested = end - done >= _REST_S * self._rate_hz
        well = not segment.resumed and (rested or not segment.cut_short)
        rows = [[begin, done, min(end, done + round(SETTLE_S * self._rate_hz)), _WELL * well]]
        return [[first, begin, begin, 0], *rows] if begin > first else rows

    def see(self, camera: str, at_ns: int, jpeg: bytes) -> None:
        """Take a picture for the frame that it is nearest to, if it is the nearest so far."""
        grid_ns = self._grid_ns
        at = int(np.clip(np.searchsorted(grid_ns, at_ns), 1, max(1, len(grid_ns) - 1)))
        at -= int(at == len(grid_ns) or at_ns - grid_ns[at - 1] < grid_ns[at] - at_ns)
        away_ns = abs(int(grid_ns[at]) - at_ns)
        if away_ns >= self._away_ns[camera][at]:
            return
        height, width = self._sizes[camera]
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return
        if camera not in self._images:
            self._images[camera] = np.zeros((len(self._grid), height, width, 3), np.uint8)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        self._images[camera][at] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        self._away_ns[camera][at] = away_ns

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which frames have a picture of every camera."""
        return np.all([away_ns <= _FARTHEST_NS for away_ns in self._away_ns.values()], axis=0)

    @property
    def frames(self) -> NDArray[np.int64]:
        """Ticks of the frames."""
        return self._grid[self.seen]

    def without_pictures(self) -> list[LeftOut]:
        """Let go of the segments in which there is no frame."""
        frames = self.frames
        kept, dropped = [], []
        for segment, rows in self.rows:
            first, _, end, _ = rows[-1]
            if np.searchsorted(frames, first) < np.searchsorted(frames, end):
                kept.append((segment, rows))
            else:
                dropped.append(_dropped(segment, "no moment of it has pictures of all cameras"))
        self.rows = kept
        return dropped

    def shards(self) -> Iterator[_Shard]:
        """What is to be saved of the episode: all of it, and each segment that was guided by hand."""
        whole = [(segment, rows) for segment, rows in self.rows if _with_rests(segment)]
        if whole:
            yield self._shard("", np.arange(len(self.tick_ns)), whole)
        guided = [(segment, rows[-1]) for segment, rows in self.rows if not _with_rests(segment)]
        for number, (segment, (begin, done, end, flags)) in enumerate(guided):
            name = f"-guided{number}"
            found = self._straight(name, segment, begin, done, end)
            if found is None:
                ticks = self._ticks_without_rests(begin, done, end)
                found = self._shard(name, ticks, [(segment, [[begin, done, end, flags | _GUIDED]])])
            yield found

    def _shard(
        self, name: str, ticks: NDArray[np.int64], segments: Sequence[tuple[Segment, list[list[int]]]]
    ) -> _Shard:
        """A shard of these ticks `(n,)`, in order."""
        place = np.searchsorted(ticks, np.arange(len(self.tick_ns) + 1))  # of a tick, or of the next that is there
        frames = np.flatnonzero(self.seen & np.isin(self._grid, ticks))
        taken = self._grid[frames]
        rows = [
            (segment.command, int(place[first]), int(place[done]), int(place[end]), flags)
            for segment, mine in segments
            for first, done, end, flags in mine
        ]
        clean = self._teaches(taken, [segment for segment, _ in segments])
        return _Shard(name, frames, place[taken], clean, self.pose[ticks], self.target[ticks], rows, len(segments))

    def _straight(self, name: str, segment: Segment, begin: int, done: int, end: int) -> _Shard | None:
        """A shard in which each frame of a guided segment begins a way straight to where the hand let go, or took
        hold; None where that is not wanted, or no hand did."""
        if not isinstance(segment, Hindsight) or not segment.straight:
            return None
        find = let_go if segment.straight == "let go" else took_hold
        found = find(self.target[begin:end])
        if found is None:
            return None
        arm, joins = found.arm, begin + found.joins
        first = min(begin, *(int(at) for at in np.searchsorted(self.tick_ns, [s for s, _ in segment.moments])))
        frames = np.flatnonzero(self.seen & (self._grid >= first) & (self._grid < done))
        length = round(LOOK_AHEAD_S * self._rate_hz) + 1
        moving = self._ticks_without_rests(begin, done, end)
        ways: list[Shortcut] = []
        for at in self._grid[frames].tolist():
            ahead = moving[moving >= max(at, joins)]
            way, left = self.target[ahead], int((ahead < done).sum())
            if at < joins:
                ways.append(shortcut(self.target[at:end], way, arm, left, length, self._rate_hz))
            else:
                way = np.concatenate((self.target[at : at + 1], way))[:length]
                way = np.concatenate((way, way[-1:].repeat(length - len(way), axis=0)))
                ways.append(Shortcut(way, min(length, left)))
        if not ways:
            return None
        starts = np.arange(len(ways)) * length
        rows = [
            (segment.command, int(at), int(at) + way.done, int(at) + length, _WELL | _GUIDED)
            for at, way in zip(starts, ways, strict=True)
        ]
        pose = self.pose[self._grid[frames]].repeat(length, axis=0)
        target = np.concatenate([way.targets for way in ways])
        goal = None
        if segment.straight == "take hold":  # the thing lies there until then
            there = self.target[begin + found.at, 6 * arm : 6 * arm + 3]
            goal = np.where((self._grid[frames] <= begin + found.at)[:, None], there, np.nan)
        return _Shard(name, frames, starts, np.ones(len(ways), np.uint8), pose, target, rows, 1, goal)

    def _ticks_without_rests(self, begin: int, done: int, end: int) -> NDArray[np.int64]:
        """Ticks of a segment in which a hand or a finger moves, and those behind its end."""
        paces = (np.abs(np.diff(values, axis=0, append=values[-1:])) > _SLOW for values in (self.target, self.pose))
        moving = np.any([pace.any(1) for pace in paces], axis=0)
        near = np.convolve(moving, np.ones(2 * _LEAD_TICKS + 1), "same") > 0
        near[done:] = True
        return begin + np.flatnonzero(near[begin:end])

    def _teaches(self, frames: NDArray[np.int64], segments: Sequence[Segment]) -> NDArray[np.uint8]:
        """Of the frames at these ticks, 1 where the low level may learn from them: all, or the segments' moments."""
        found = [segment for segment in segments if isinstance(segment, Hindsight) and segment.rests]
        if not found:
            return np.ones(len(frames), np.uint8)
        at_ns = self.tick_ns[frames]
        moments = (moment for segment in found for moment in segment.moments)
        return np.any([(at_ns >= start) & (at_ns < end) for start, end in moments], axis=0).astype(np.uint8)

    def save(self, path: Path, shard: _Shard, commands: Sequence[str], session: str) -> None:
        """Write a shard, whole or not at all."""
        number = {text: at for at, text in enumerate(commands)}
        frames = len(shard.frames)
        tensors = {f"image.{name}": np.ascontiguousarray(self._images[name][shard.frames]) for name in self._sizes}
        tensors |= {f"object_px.{name}": np.zeros((frames, 0, 2), np.float32) for name in self._sizes}
        tensors |= {
            "frame_tick": shard.frame_tick.astype(np.int32),
            "frame_clean": shard.clean,
            "pose": shard.pose.astype(np.float32),
            "pose_target": shard.target.astype(np.float32),
            "segments": np.array([(number[command], *rest) for command, *rest in shard.rows], np.int32),
            "object_kind": np.zeros(0, np.int32),
            "object_xyz": np.zeros((frames, 0, 3), np.float32),
            "object_where": np.zeros((frames, 0), np.int8),
        }
        if shard.goal is not None:
            tensors["segment_goal"] = shard.goal.astype(np.float32)
        about = {"episode": self.episode.id, "kind": "task", "objects": "unknown", "session": session}
        part = path.with_suffix(".part")
        save_file(tensors, part, metadata=about)
        part.replace(path)


def _with_rests(segment: Segment) -> bool:
    return not isinstance(segment, Hindsight) or segment.rests


def _filled(tapes: Sequence[_Tape], recording: Path, cameras: set[str]) -> Iterator[_Tape]:
    """Each tape with its pictures, as soon as it has them all. DatasetError names a camera that nobody recorded."""
    waiting = list(tapes)
    unseen = set(cameras)
    if not waiting:
        return
    for camera, at_ns, jpeg in recorded_pictures(recording, cameras):
        unseen.discard(camera)
        while waiting and waiting[0].episode.end_ns + _LATE_NS < at_ns:
            yield waiting.pop(0)
        for tape in waiting:
            if tape.episode.start_ns - _FARTHEST_NS <= at_ns <= tape.episode.end_ns + _FARTHEST_NS:
                tape.see(camera, at_ns, jpeg)
    if unseen:
        why = f"{recording} has no pictures of {', '.join(sorted(unseen))}, which the policies see."
        raise DatasetError(why, field="recording", hint="Record with the robot that they were made for.")
    yield from waiting


def _dropped(segment: Segment, reason: str) -> LeftOut:
    return LeftOut(segment.start_ns, segment.end_ns, segment.said, reason)


# -- meta.json ----------------------------------------------------------------------------------------------------


def _meta(path: Path, template: Template, episodes: Sequence[RecordedEpisode]) -> dict[str, Any]:
    """What the folder says, or what a new one is to say; checked against the episodes' rate."""
    rates = sorted({round(episode.rate_hz) for episode in episodes})
    meta = _read(path) if path.exists() else _new(template, rates[0] if rates else 50)
    for rate_hz in rates:
        if rate_hz != meta["rate_hz"]:
            why = f"the data set has {meta['rate_hz']} ticks a second, the recording {rate_hz}."
            raise DatasetError(why, field=str(path), hint=_HINT)
    return meta


def _new(template: Template, rate_hz: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "rate_hz": rate_hz,
        "frame_every": max(1, round(rate_hz / FRAMES_HZ)),
        "cameras": {name: list(size) for name, size in template.cameras.items()},
        "kinds": list(template.kinds),
        "commands": [dict(record) for record in template.commands],
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise DatasetError(f"is not JSON ({problem}).", field=str(path), hint=_HINT) from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DatasetError(f"is no data set of the format {FORMAT}.", field=str(path), hint=_HINT)
    right = (
        isinstance(meta.get("rate_hz"), int)
        and isinstance(meta.get("frame_every"), int)
        and meta["frame_every"] > 0
        and isinstance(meta.get("kinds"), list)
        and isinstance(meta.get("cameras"), dict)
        and all(isinstance(size, list) and len(size) == 2 for size in meta["cameras"].values())
        and isinstance(meta.get("commands"), list)
        and all(isinstance(record, dict) and {"text", "family", "train"} <= set(record) for record in meta["commands"])
    )
    if not right:
        raise DatasetError("a key is missing or has another shape.", field=str(path), hint=_HINT)
    return meta


def _add_commands(meta: dict[str, Any], segments: Sequence[Segment]) -> list[str]:
    """Make the segments' commands that the folder does not know its own; returns them. Their family is that of the
    command they are nearest to."""
    families = {record["text"]: record["family"] for record in meta["commands"]}
    added: list[str] = []
    for segment in segments:
        if segment.command not in families:
            families[segment.command] = families.get(segment.near, OTHER_FAMILY)
            words = {"text": segment.command, "family": families[segment.command]}
            meta["commands"].append({**words, "train": [segment.command], "held_out": []})
            added.append(segment.command)
    return added


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
