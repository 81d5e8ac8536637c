"""Demonstrations (`demonstrations.py`) as a folder of shards (format "hitl-segments-1").

One shard an episode, written atomically, from a seed of its own: generation runs on all cores, can be stopped at any
time, and goes on where it was.

meta.json: seed, rate_hz, frame_every (ticks), cameras {name: [h, w]}, kinds,
  commands [{text, family, train, held_out}].
shards/NNNNNN.safetensors, for T ticks, F frames, N objects, S segments:
  image.CAMERA uint8 (F,h,w,3); frame_tick int32 (F,); frame_clean uint8 (F,): 0 where a deliberate disturbance follows
  within 0.8 s; pose float32 (T,12) measured; pose_target float32 (T,12), the target in force when tick t began;
  segments int32 (S,5): command, first, done and end tick (exclusive), flags (1 well, 2 mistake, 4 guided by hand);
  object_kind int32 (N,); object_xyz float32 (F,N,3); object_where int8 (F,N): 0 table, 1 left hand,
  2 right hand, 3 box; object_px.CAMERA float32 (F,N,2): column and row of the centres in the picture.
  The header says episode, kind (task or drill) and, in shards of recorded sessions, objects "unknown" (N is 0 there);
  these may have segment_goal float32 (S,3): where the thing is that a segment is about, NaN where nobody knows.
Knows nothing of policies.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hitl.errors import DatasetError, InputError
from robot.aloha import layout, scene
from robot.aloha.cell import AlohaCell
from robot.aloha.demonstrations import FRAME_EVERY, Tape, plan, task_episode
from robot.aloha.grammar import as_records

FORMAT = "hitl-segments-1"
CLEAN_TICKS = 40
_cell: AlohaCell | None = None


def _save(tape: Tape, cell: AlohaCell, path: Path, episode: int, kind: str) -> int:
    ticks = np.array(tape.ticks, np.int32)
    clean = np.ones(len(ticks), np.uint8)
    for moment in tape.disturbed:
        clean[(ticks > moment - CLEAN_TICKS) & (ticks < moment + 8)] = 0
    tensors = {f"image.{name}": np.stack(pictures) for name, pictures in tape.frames.items()}
    tensors |= {f"object_px.{name}": np.stack(pixels) for name, pixels in tape.pixels.items()}
    tensors |= {
        "frame_tick": ticks,
        "frame_clean": clean,
        "pose": np.array(tape.pose, np.float32),
        "pose_target": np.array(tape.pose_target, np.float32),
        "segments": np.array(tape.segments, np.int32).reshape(-1, 5),
        "object_kind": np.array(cell.kinds, np.int32),
        "object_xyz": np.array(tape.xyz, np.float32),
        "object_where": np.array(tape.where, np.int8),
    }
    part = path.with_suffix(f".part{os.getpid()}")
    save_file(tensors, part, metadata={"episode": str(episode), "kind": kind})
    part.replace(path)
    return len(ticks)


def _episode(job: tuple[Path, int, int]) -> tuple[int, int, int]:
    """Generate one episode; returns its number, frames and segments. Runs in a worker process."""
    global _cell
    out, seed, episode = job
    _cell = _cell or AlohaCell(0)
    rng, perform = plan(seed, episode)
    kind = "task" if perform is task_episode else "drill"
    tape = perform(_cell, rng)
    frames = _save(tape, _cell, out / "shards" / f"{episode:06d}.safetensors", episode, kind)
    return episode, frames, len(tape.segments)


def meta(seed: int) -> dict:
    """What meta.json holds."""
    return {
        "format": FORMAT,
        "seed": seed,
        "rate_hz": 50,
        "frame_every": FRAME_EVERY,
        "cameras": {camera.name: [camera.policy_height, camera.policy_width] for camera in scene.CAMERAS},
        "kinds": list(layout.TRAINED_KINDS),
        "commands": as_records(),
    }


def generate(
    out: Path,
    episodes: int,
    *,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int, int, int], None] | None = None,
    tasks_only: bool = False,
) -> dict[str, int]:
    """Write `episodes` shards to `out`, going on with what is there; stopping it loses at most the running episodes.

    tasks_only: only those of them that pack a whole box, about a fifth; the others are passed over.

    progress(done, episodes, frames, segments) after each episode. Returns {"episodes", "frames", "segments"} of this
    run. Raises DatasetError if `out` holds a data set of another seed or format.
    """
    if episodes < 1:
        raise InputError(f"{episodes} is not a number of episodes.", field="episodes", hint="Give 1 or more.")
    (out / "shards").mkdir(parents=True, exist_ok=True)
    _check_meta(out / "meta.json", meta(seed))
    for part in (out / "shards").glob("*.part*"):
        part.unlink()
    # Shards of other names are recorded sessions (hitl segments).
    have = {int(path.stem) for path in (out / "shards").glob("*.safetensors") if path.stem.isdigit()}
    wanted = [n for n in range(episodes) if not tasks_only or plan(seed, n)[1] is task_episode]
    jobs = [(out, seed, episode) for episode in wanted if episode not in have]
    total = {"episodes": 0, "frames": 0, "segments": 0}
    if not jobs:
        return total
    os.environ.setdefault("LP_NUM_THREADS", "1")  # software drawing starts threads of its own otherwise
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers or os.cpu_count() or 1, len(jobs))) as pool:
        for _, frames, segments in pool.imap_unordered(_episode, jobs):
            total = {
                "episodes": total["episodes"] + 1,
                "frames": total["frames"] + frames,
                "segments": total["segments"] + segments,
            }
            if progress:
                progress(len(wanted) - len(jobs) + total["episodes"], len(wanted), total["frames"], total["segments"])
    return total


def _check_meta(path: Path, wanted: dict) -> None:
    if not path.exists():
        path.write_text(json.dumps(wanted, indent=1))
        return
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(
            "is not readable JSON.", field=str(path), hint="Remove the folder and generate anew."
        ) from error
    for key in ("format", "seed", "cameras", "kinds", "commands"):
        if found.get(key) != wanted[key]:
            raise DatasetError(
                f"was generated with another {key}.", field=str(path), hint="Choose an empty folder with --out."
            )
