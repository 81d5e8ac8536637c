"""Recordings for `hitl evaluate segments`: the policies alone in the simulated cell, recorded as a session records.

An episode is a folder, `DATA/episodes/0007-slippery`, with `recording.mcap`, which is what a session would have
recorded (pictures of the size that policies see, as the larger views cost more time than all the rest), and
`truth.safetensors`, what physics knows, for a scripted annotator. The truth is written last: a folder without it was
never finished and is made anew. So making them can be stopped and goes on where it was.
Every other episode is nominal, the others go through the shifts in turn; each has a seed of its own. In two of four
somebody meddles (`Meddler`): alone the policies hardly ever do what is wrong, and never what is dangerous.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hitl.clock import new_ulid
from hitl.config import Settings
from hitl.errors import DatasetError, StorageError
from hitl.evaluation.lockstep import Lockstep
from hitl.evaluation.segments_truth import Truth, Watcher, load_truth
from hitl.sessions.recording import Recorder
from robot.aloha.cell import AlohaCell
from robot.aloha.grammar import COMMANDS
from robot.aloha.shifts import SHIFTS

FORMAT = "hitl-segments-episodes-1"
SEED_OFFSET = 3_000_017
"""Keeps these layouts apart from those of training data and of the other experiments with the same seed."""
MOST_S = 40.0
"""An episode ends here, if it is not over before; three to five things are packed within 17 to 30 s."""
LOOK_TICKS = 5
"""Physics is noted ten times a second, and so are joints."""
PICTURE_TICKS = 10
JPEG_QUALITY = 95
"""Small pictures keep no colour of small things at a video's quality."""
AFTER_S = 1.5
"""So long an episode goes on after all is packed."""
_FAMILIES = {
    "motion": 0.45,
    "gripper": 0.17,
    "pick": 0.15,
    "place": 0.1,
    "handover": 0.05,
    "home": 0.04,
    "reach": 0.04,
}
"""What a meddler says, and how often."""
_DOWN = ("down", "lower")
_DOWN_WEIGHT = 4.0
_HOLD_S = (1.0, 3.0)
_MEDDLED = "-meddled"
_STARTED_UNIX_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class EpisodeFolder:
    """One episode. name: `0007-slippery-meddled`: number, condition, and whether somebody meddled."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def condition(self) -> str:
        """nominal, or the shift."""
        return self.name.split("-", 1)[1].removesuffix(_MEDDLED)

    @property
    def is_meddled(self) -> bool:
        """Whether somebody gave commands in it."""
        return self.name.endswith(_MEDDLED)

    @property
    def kind(self) -> str:
        """nominal or shifted, and whether somebody meddled: four kinds, equally many of each."""
        return ("nominal" if self.condition == "nominal" else "shifted") + (", meddled" if self.is_meddled else "")

    @property
    def recording(self) -> Path:
        return self.folder / "recording.mcap"

    def truth(self) -> Truth:
        """What physics knows. Raises DatasetError."""
        return load_truth(self.folder / "truth.safetensors")


def condition_of(number: int) -> str:
    """The condition of the episode of this number."""
    return "nominal" if number % 2 == 0 else SHIFTS[number // 2 % len(SHIFTS)]


def episode_folder(data: Path, number: int) -> EpisodeFolder:
    """Where the episode of this number is, or will be."""
    meddled = _MEDDLED if number % 4 > 1 else ""
    return EpisodeFolder(data / "episodes" / f"{number:04d}-{condition_of(number)}{meddled}")


def is_finished(episode: EpisodeFolder) -> bool:
    """Whether an episode is there to its end."""
    return (episode.folder / "truth.safetensors").is_file()


def finished(data: Path, episodes: int | None = None) -> list[EpisodeFolder]:
    """The finished episodes of the first `episodes` (of all), in order."""
    there = sorted((data / "episodes").glob("[0-9][0-9][0-9][0-9]-*")) if data.is_dir() else []
    numbers = [int(path.name[:4]) for path in there if path.is_dir()]
    chosen = [number for number in numbers if episodes is None or number < episodes]
    return [episode for number in chosen if is_finished(episode := episode_folder(data, number))]


def make(
    settings: Settings,
    data: Path,
    *,
    episodes: int,
    seed: int = 0,
    seconds: float = MOST_S,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[EpisodeFolder]:
    """The first `episodes` episodes of `seed`; those that are there are kept.

    Raises DatasetError where the folder holds episodes of another seed or length, StorageError where it is full.
    """
    _check(data, seed, seconds)
    missing = [n for n in range(episodes) if not is_finished(episode_folder(data, n))]
    jobs = [(settings, data, n, seed, seconds) for n in missing]
    os.environ.setdefault("LP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if jobs:
        with multiprocessing.get_context("spawn").Pool(min(workers or os.cpu_count() or 1, len(jobs))) as pool:
            for done, _ in enumerate(pool.imap_unordered(_work, jobs), 1):
                if progress:
                    progress(episodes - len(missing) + done, episodes)
    return [episode_folder(data, n) for n in range(episodes)]


def _check(data: Path, seed: int, seconds: float) -> None:
    """Note seed and length of a new folder; refuse to mix them in one that is there."""
    about = {"format": FORMAT, "seed": seed, "seconds": seconds}
    path = data / "about.json"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(json.dumps(about) + "\n", encoding="utf-8")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", field="data", hint="Choose another folder.") from error
    except ValueError:
        found = None
    if found != about:
        raise DatasetError(f"holds {found}, wanted is {about}.", field=str(path), hint="Choose an empty folder.")


_loop: Lockstep | None = None


def _work(job: tuple[Settings, Path, int, int, float]) -> None:
    """One episode in a worker process, which keeps its cell and model."""
    global _loop
    settings, data, number, seed, seconds = job
    if _loop is None:
        from hitl.backend.models import load_model

        _loop = Lockstep(load_model(settings), AlohaCell(0))
    record_episode(_loop, episode_folder(data, number), number, seed, seconds)


def record_episode(loop: Lockstep, into: EpisodeFolder, number: int, seed: int, seconds: float) -> Truth:
    """Play and record one episode. Raises StorageError."""
    shutil.rmtree(into.folder, ignore_errors=True)  # what was never finished
    cell = loop.cell
    own_seed = (seed + SEED_OFFSET) * 1000 + number
    cell.reset(seed=own_seed, shift=into.condition)
    loop.restart()
    with Recorder(into.recording, new_ulid(), started_unix_ns=_STARTED_UNIX_NS, jpeg_quality=JPEG_QUALITY) as recorder:
        watcher = Watcher(cell)
        meddler = Meddler(loop, own_seed) if into.is_meddled else None
        length_ms = _Take(loop, recorder, watcher, meddler).play(seconds)
    if recorder.error or recorder.dropped:
        why = recorder.error or f"{recorder.dropped} messages were lost"
        raise StorageError(why, field=str(into.recording), hint="Free some space and run again.")
    task = cell.read().task
    about: dict[str, Any] = {"condition": into.condition, "seed": own_seed, "length_ms": length_ms}
    if task is not None:
        about |= {"stage": task.stage, "stages": task.stages, "success": task.success}
    truth = watcher.truth(about)
    truth.save(into.folder / "truth.safetensors")
    return truth


class Meddler:
    """Somebody who gives commands without much thought: any command, every few seconds, some again and again.

    Most do no harm where they are given; the same words press a hand on the table, or drop a thing, elsewhere. So
    what happens tells good from bad, and not which words are said.
    """

    def __init__(self, loop: Lockstep, seed: int) -> None:
        self._loop = loop
        self._rng = np.random.default_rng([seed, 1])
        self._next_s = float(self._rng.uniform(1.0, 5.0))
        self._again = ""
        self._left = 0

    def tick(self) -> None:
        """To be called after every tick."""
        if self._loop.cell.time_s < self._next_s:
            return
        if not self._left:
            self._again = self._words()
            down = self._again.endswith(_DOWN)
            self._left = int(self._rng.integers(1, 5 if down else 3))
        hold_s = float(self._rng.uniform(*_HOLD_S))
        self._loop.correct(self._again, source="script", hold_s=hold_s)
        self._left -= 1
        pause_s = 0.2 if self._left else float(self._rng.uniform(1.0, 7.0))
        self._next_s = self._loop.cell.time_s + hold_s + pause_s

    def _words(self) -> str:
        family = str(self._rng.choice(list(_FAMILIES), p=list(_FAMILIES.values())))
        texts = [command.text for command in COMMANDS if command.family == family]
        weights = np.array([_DOWN_WEIGHT if text.endswith(_DOWN) else 1.0 for text in texts])
        return str(self._rng.choice(texts, p=weights / weights.sum()))


class _Take:
    """One episode while it is played. Times in the recording begin with the episode."""

    def __init__(self, loop: Lockstep, recorder: Recorder, watcher: Watcher, meddler: Meddler | None) -> None:
        self._loop, self._recorder, self._watcher, self._meddler = loop, recorder, watcher, meddler
        self._began_ns = loop.clock.now_ns()
        self._command = ""

    def play(self, most_s: float) -> int:
        """Until the task is over, or for `most_s`; returns the length in milliseconds."""
        cell = self._loop.cell
        left = round(AFTER_S * cell.spec.rate_hz)
        while cell.time_s < most_s and left:
            self._tick()
            if self._meddler is not None:
                self._meddler.tick()
            task = cell.read().task if cell.tick % LOOK_TICKS == 0 else None
            if left < AFTER_S * cell.spec.rate_hz or task is not None and task.success:
                left -= 1
        return round(1000 * cell.time_s)

    def _tick(self) -> None:
        loop, recorder = self._loop, self._recorder
        tick, now_ns = loop.cell.tick, loop.clock.now_ns() - self._began_ns
        loop.tick()
        if tick % PICTURE_TICKS == 0 and loop.seen is not None:
            for camera, picture in loop.seen.images.items():
                recorder.frame(camera, now_ns, picture.shape[0], picture.shape[1], picture)
        self._note_command()
        if tick % LOOK_TICKS == 0:
            reading, state = loop.cell.read(), loop.state
            assert state is not None
            sent = msgspec.structs.replace(state, nominal_hz=loop.cell.spec.rate_hz)
            recorder.state(now_ns, sent, reading.joints, reading.targets)
            begun_ms = (loop.command.since_ns - self._began_ns) // 1_000_000
            self._watcher.look(now_ns // 1_000_000, loop.command, begun_ms)

    def _note_command(self) -> None:
        """Record the running command where it is another one than before, as a session does."""
        command = self._loop.command
        if command.command_id != self._command:
            self._command = command.command_id
            since_ns = max(0, command.since_ns - self._began_ns)
            status = msgspec.structs.replace(command, since_ns=since_ns, held_until_ns=0)
            self._recorder.message("/command", since_ns, status)
