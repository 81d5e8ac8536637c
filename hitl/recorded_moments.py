"""Episodes of a recording as a row of moments at a fixed rate: pictures, poses, and the command under way.

This is what a person sees who watches the recording, as arrays. Times are milliseconds from the beginning of the
episode, as on the time track of an annotated recording. Knows nothing of models and labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hitl.errors import InputError
from hitl.kinematics import pose_of
from hitl.sessions.pictures import pictures_between
from hitl.sessions.recorded import RecordedEpisode, read_recorded
from hitl.sessions.recording import recording_info

RATE_HZ = 5.0
"""Moments a second: a grasp that closes on nothing takes half a second."""
NO_COMMAND = -1
_STALE_NS = 250_000_000
"""A picture that is older than this at a moment does not show it."""
_JOINTS = 14


@dataclass(frozen=True)
class RecordedMoments:
    """T moments of one episode.

    key: `session/episode`, as `Item.recording` has it; length_ms: of the episode; time_ms: `(T,)` int64; images:
    camera -> uint8 RGB `(T, h, w, 3)`; seen: `(T,)` bool, whether all cameras had a picture then (else the last one
    stands); pose, target: `(T, 12)` measured and commanded; texts: commands; command: `(T,)` int64 of texts, or -1;
    begun_ms: `(T,)` int64, when that command began; start: `(T, 12)` the target pose then.
    """

    key: str
    length_ms: int
    time_ms: NDArray[np.int64]
    images: Mapping[str, NDArray[np.uint8]]
    seen: NDArray[np.bool_]
    pose: NDArray[np.float64]
    target: NDArray[np.float64]
    texts: tuple[str, ...]
    command: NDArray[np.int64]
    begun_ms: NDArray[np.int64]
    start: NDArray[np.float64]


def read_moments(
    path: Path, cameras: Mapping[str, tuple[int, int]], rate_hz: float = RATE_HZ, *, only: str = ""
) -> list[RecordedMoments]:
    """Every episode of a recording, or the one of the id `only`. cameras: name -> height and width, pixels, of the
    pictures wanted.

    Raises InputError where the file is no recording of hitl, is cut off, lacks that episode, states of a robot with
    two arms as ALOHA's, or pictures of one of the cameras.
    """
    session = recording_info(path).session
    if not session:
        raise InputError("names no session.", field=str(path), hint="Choose the recording.mcap of a session.")
    recorded = read_recorded(path)
    if not recorded.whole:
        why = f"is cut off after {recorded.end_ns / 1e9:.0f} s, or still being written."
        raise InputError(why, field=str(path), hint="Choose one that ended; close the session where it still runs.")
    if not recorded.episodes:
        raise InputError("has no episode of a robot.", field=str(path), hint="Start a robot in the session.")
    episodes = [episode for episode in recorded.episodes if only in ("", episode.id)]
    if not episodes:
        why = f"has no episode {only}."
        raise InputError(why, field=str(path), hint="Put the right file back.")
    commands = [(begin_ns, status.text) for begin_ns, status in recorded.commands]
    reels = [_Reel(episode, cameras, rate_hz) for episode in episodes]
    _show(path, reels, set(cameras))
    return [reel.moments(session, commands) for reel in reels]


def _show(path: Path, reels: Sequence[_Reel], cameras: set[str]) -> None:
    """Give each reel the pictures of its time. Raises InputError for a camera of which there is none."""
    unseen = set(cameras)
    first_ns = min(reel.start_ns for reel in reels) - _STALE_NS
    for camera, at_ns, jpeg in pictures_between(path, first_ns, max(reel.end_ns for reel in reels), cameras):
        unseen.discard(camera)
        for reel in reels:
            reel.see(camera, at_ns, jpeg)
    if unseen:
        why = f"has no pictures of {', '.join(sorted(unseen))}, which the model sees."
        raise InputError(why, field=str(path), hint="Record with the cameras that the policy was made for.")


class _Reel:
    """One episode on its way to moments: the last picture of each camera at or before every moment."""

    def __init__(
        self, episode: RecordedEpisode, cameras: Mapping[str, tuple[int, int]], rate_hz: float = RATE_HZ
    ) -> None:
        if episode.joints.shape[1] != _JOINTS:
            why = f"the robot has {episode.joints.shape[1]} joints; poses are known of {_JOINTS}, those of ALOHA."
            raise InputError(why, field=f"episode {episode.id}", hint="Choose a recording of another robot.")
        self._episode = episode
        self._cameras = cameras
        self.start_ns, self.end_ns = episode.start_ns, episode.end_ns
        count = max(1, int((self.end_ns - self.start_ns) / 1e9 * rate_hz))
        self._at_ns = episode.start_ns + (np.arange(count) * (1e9 / rate_hz)).astype(np.int64)
        self._images = {name: np.zeros((count, *size, 3), np.uint8) for name, size in cameras.items()}
        self._taken_ns = {name: np.full(count, np.iinfo(np.int64).min // 2) for name in cameras}

    def see(self, camera: str, at_ns: int, jpeg: bytes) -> None:
        """Take a picture for the first moment that is not before it, unless that has a newer one."""
        at = int(np.searchsorted(self._at_ns, at_ns))
        if at == len(self._at_ns) or at_ns < self._episode.start_ns - _STALE_NS or at_ns < self._taken_ns[camera][at]:
            return
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return  # as if it had not been recorded
        height, width = self._cameras[camera]
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        self._images[camera][at] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        self._taken_ns[camera][at] = at_ns

    def moments(self, session: str, commands: Sequence[tuple[int, str]]) -> RecordedMoments:
        """The finished row."""
        episode, at_ns = self._episode, self._at_ns
        tick = np.searchsorted(episode.tick_ns, at_ns, side="right") - 1
        pose, target = pose_of(episode.joints), pose_of(episode.targets)
        begins = np.array([begin for begin, _ in commands], np.int64)
        # What was said before the episode began has no part in it.
        first = int(np.searchsorted(begins, episode.start_ns))
        which = np.searchsorted(begins, at_ns, side="right") - 1
        texts = tuple(dict.fromkeys(text for _, text in commands[first:] if text))
        number = {text: at for at, text in enumerate(texts)}
        none = which < first
        command = [NO_COMMAND if at < first else number.get(commands[at][1], NO_COMMAND) for at in which]
        begun_ns = np.where(none, episode.start_ns, begins[np.maximum(which, 0)] if len(begins) else episode.start_ns)
        begun_tick = np.maximum(np.searchsorted(episode.tick_ns, begun_ns, side="right") - 1, 0)
        return RecordedMoments(
            key=f"{session}/{episode.id}",
            length_ms=episode.length_ms,
            time_ms=(at_ns - episode.start_ns) // 1_000_000,
            images=self._filled(),
            seen=np.all([at_ns - taken <= _STALE_NS for taken in self._taken_ns.values()], axis=0),
            pose=pose[tick],
            target=target[tick],
            texts=texts,
            command=np.array(command, np.int64),
            begun_ms=(begun_ns - episode.start_ns) // 1_000_000,
            start=target[begun_tick],
        )

    def _filled(self) -> dict[str, NDArray[np.uint8]]:
        """The pictures; a moment without one shows the last one before it."""
        filled = {}
        for name, pictures in self._images.items():
            there = self._taken_ns[name] > np.iinfo(np.int64).min // 2
            last = np.maximum.accumulate(np.where(there, np.arange(len(there)), 0))
            filled[name] = pictures[last]
        return filled
