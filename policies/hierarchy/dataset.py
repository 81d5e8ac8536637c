"""The dataset folder ("hitl-segments-1") in memory: shards, frames and command segments as tensors.

One shard is one episode. All images are read into RAM once, as uint8; everything else is small. Ticks, frames and
segments of all episodes are laid end to end, so that a batch is a handful of gathers (see `sampling.py`).
Knows nothing of models, of how the data was made, or of the simulator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from policies.errors import DatasetError

FORMAT = "hitl-segments-1"
POSE_SIZE = 12
EXECUTED_WELL = 1  # bit 0 of a segment's flags
HAS_MISTAKE = 2  # bit 1: a deliberate slip; the low level must not copy it
GUIDED = 4  # bit 2: a person led the hand all the way, and not the policy
ABSENT = 0  # class of a kind that is not in the scene; class 1 + `object_where` otherwise
UNKNOWN = -1  # of a kind that may or may not be there: recordings of sessions do not say where things are
HELD = (2, 3)  # classes of what the left and the right hand hold
WHERE_CLASSES = 5  # absent, table, left hand, right hand, box
_HELD_OUT_EVERY = 25  # one episode of so many is kept for validation


@dataclass(frozen=True)
class CommandWords:
    """One command of the grammar: the canonical text, its family and its wordings."""

    text: str
    family: str
    train: tuple[str, ...]
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meta:
    """What `meta.json` says. cameras: name -> (height, width) in pixels."""

    rate_hz: int
    frame_every: int
    cameras: dict[str, tuple[int, int]]
    kinds: tuple[str, ...]
    commands: tuple[CommandWords, ...]


@dataclass(frozen=True)
class Segments:
    """S command segments; ticks are positions in the tick arrays of `Recordings`. All `(S,)` int64, but goal: `(S, 3)`
    m, where the thing is that the command is about, NaN where the frames say so, or nobody knows."""

    command: Tensor
    first: Tensor
    done: Tensor
    end: Tensor
    flags: Tensor
    episode: Tensor
    goal: Tensor


@dataclass(frozen=True)
class Recordings:
    """E episodes laid end to end: F frames, T ticks, S segments.

    images: camera -> uint8 `(F, h, w, 3)`; frame_tick, frame_episode: `(F,)` int64; pose, pose_target: `(T, 12)`.
    where: `(F, kinds)` int64 classes 0..4, -1 where nobody knows; xyz: `(F, kinds, 3)` m, meaningless where absent or
    not known. pixels: camera -> `(F, kinds, 2)` column and row of each kind in its picture, NaN there.
    clean: `(F,)` bool, false where a disturbance follows that nobody could foresee; held_out, is_task: `(E,)` bool.
    """

    meta: Meta
    images: dict[str, Tensor]
    frame_tick: Tensor
    frame_episode: Tensor
    pose: Tensor
    pose_target: Tensor
    where: Tensor
    xyz: Tensor
    pixels: dict[str, Tensor]
    segments: Segments
    clean: Tensor
    held_out: Tensor
    is_task: Tensor
    fingerprint: str

    @property
    def frames(self) -> int:
        return int(self.frame_tick.shape[0])


def read_meta(folder: Path) -> Meta:
    """Read and check `folder/meta.json`. Raises DatasetError naming the file and the key."""
    path = Path(folder) / "meta.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(
            "there is no such file.", field=str(path), hint="Make the data first: hitl generate."
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise DatasetError(f"is not JSON ({problem}).", field=str(path)) from problem
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise DatasetError(f"format is {found!r}, this version reads {FORMAT!r}.", field=str(path))
    try:
        return Meta(
            rate_hz=int(raw["rate_hz"]),
            frame_every=int(raw["frame_every"]),
            cameras={name: (int(size[0]), int(size[1])) for name, size in raw["cameras"].items()},
            kinds=tuple(raw["kinds"]),
            commands=tuple(
                CommandWords(c["text"], c["family"], tuple(c["train"]), tuple(c.get("held_out", ())))
                for c in raw["commands"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        raise DatasetError(f"a key is missing or has another shape ({problem!r}).", field=str(path)) from problem


def fingerprint(folder: Path) -> str:
    """Sixteen hex digits that change when meta.json, the set of shards or a shard's size or header changes."""
    digest = hashlib.sha256((Path(folder) / "meta.json").read_bytes())
    for path in sorted((Path(folder) / "shards").glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size}:".encode())
        with path.open("rb") as file:
            digest.update(file.read(4096))
    return digest.hexdigest()[:16]


def load_recordings(
    folder: Path, report: Callable[[int, int], None] | None = None, most: int | None = None
) -> Recordings:
    """Read every shard of `folder` into memory, or `most` of them, spread over all; `report(read, shards)` is called
    after each.

    Raises DatasetError that names the shard when one is missing, truncated, foreign or does not fit meta.json.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    paths = sorted((folder / "shards").glob("*.safetensors"))
    if not paths:
        raise DatasetError(
            "holds no *.safetensors shard.", field=str(folder / "shards"), hint="Make the data first: hitl generate."
        )
    if most is not None and len(paths) > most:
        paths = [paths[at * len(paths) // most] for at in range(most)]
    counts = [_frame_count(path, meta) for path in paths]
    images = _allocate(meta, sum(counts), folder)
    parts: list[dict[str, Any]] = []
    at = 0
    for index, (path, count) in enumerate(zip(paths, counts, strict=True)):
        parts.append(_read_shard(path, meta, {name: store[at : at + count] for name, store in images.items()}))
        at += count
        if report is not None:
            report(index + 1, len(paths))
    return _join(meta, images, parts, paths, fingerprint(folder))


def _allocate(meta: Meta, frames: int, folder: Path) -> dict[str, Tensor]:
    need = frames * sum(h * w * 3 for h, w in meta.cameras.values())
    try:
        return {name: torch.empty((frames, h, w, 3), dtype=torch.uint8) for name, (h, w) in meta.cameras.items()}
    except RuntimeError as problem:
        raise DatasetError(
            f"its {frames} frames need {need / 2**30:.1f} GiB of memory.",
            field=str(folder),
            hint="Use fewer shards or a machine with more memory.",
        ) from problem


def _open(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError, ValueError) as problem:
        raise DatasetError(
            f"is truncated or no safetensors file ({problem}).",
            field=str(path),
            hint="Delete it and run hitl generate again.",
        ) from problem


def _frame_count(path: Path, meta: Meta) -> int:
    with _open(path) as shard:
        if "frame_tick" not in shard.keys():  # noqa: SIM118  (safe_open has no __contains__)
            raise DatasetError("is no episode shard: it has no frame_tick.", field=str(path))
        return int(shard.get_slice("frame_tick").get_shape()[0])


def _expect(path: Path, key: str, array: NDArray[Any], shape: tuple[int | None, ...], kinds: str) -> NDArray[Any]:
    """The array itself when its rank, fixed sizes and dtype kind ("i", "f", "u") fit; else DatasetError."""
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=False))
    if not fits or array.dtype.kind not in kinds:
        wanted = tuple("any" if size is None else size for size in shape)
        raise DatasetError(f"{key} is {array.dtype} {array.shape}, expected {wanted}.", field=str(path))
    return array


def _read_shard(path: Path, meta: Meta, into: dict[str, Tensor]) -> dict[str, Any]:
    """Fill `into` with the images and return the rest of one episode as numpy arrays, checked."""
    with _open(path) as shard:
        keys = set(shard.keys())
        wanted = {f"image.{name}" for name in meta.cameras} | {
            "pose",
            "pose_target",
            "segments",
            "object_kind",
            "object_xyz",
            "object_where",
        }
        if missing := sorted(wanted - keys):
            raise DatasetError(f"lacks {', '.join(missing)}.", field=str(path))
        try:
            for name, store in into.items():
                frames = _expect(path, f"image.{name}", shard.get_tensor(f"image.{name}"), tuple(store.shape), "u")
                store.copy_(torch.from_numpy(frames))
            optional = {"frame_tick", "frame_clean", "segment_goal"} | {f"object_px.{name}" for name in meta.cameras}
            small = sorted(keys & (wanted | optional))
            part: dict[str, Any] = {key: shard.get_tensor(key) for key in small if not key.startswith("image.")}
        except SafetensorError as problem:
            raise DatasetError(f"cannot be read ({problem}).", field=str(path)) from problem
        about = shard.metadata() or {}
        part["kind"], part["objects"] = about.get("kind", "drill"), about.get("objects", "known")
    return _checked(path, meta, part)


def _checked(path: Path, meta: Meta, part: dict[str, Any]) -> dict[str, Any]:
    frames = part["frame_tick"].shape[0]
    ticks = _expect(path, "pose", part["pose"], (None, POSE_SIZE), "f").shape[0]
    objects = _expect(path, "object_kind", part["object_kind"], (None,), "i").shape[0]
    _expect(path, "pose_target", part["pose_target"], (ticks, POSE_SIZE), "f")
    _expect(path, "frame_tick", part["frame_tick"], (frames,), "i")
    part.setdefault("frame_clean", np.ones(frames, np.uint8))
    _expect(path, "frame_clean", part["frame_clean"], (frames,), "u")
    _expect(path, "object_xyz", part["object_xyz"], (frames, objects, 3), "f")
    _expect(path, "object_where", part["object_where"], (frames, objects), "i")
    for name in meta.cameras:
        none = np.full((frames, objects, 2), np.nan, np.float32)
        _expect(path, f"object_px.{name}", part.setdefault(f"object_px.{name}", none), none.shape, "f")
    segments = _expect(path, "segments", part["segments"], (None, 5), "i")
    nowhere = np.full((len(segments), 3), np.nan, np.float32)
    _expect(path, "segment_goal", part.setdefault("segment_goal", nowhere), nowhere.shape, "f")
    if frames == 0 or part["frame_tick"].min() < 0 or part["frame_tick"].max() >= ticks:
        raise DatasetError(f"frame_tick is empty or lies outside its {ticks} ticks.", field=str(path))
    if (np.diff(part["frame_tick"]) <= 0).any():
        raise DatasetError("frame_tick must increase.", field=str(path))
    command, first, done, end = segments[:, 0], segments[:, 1], segments[:, 2], segments[:, 3]
    if len(segments) and (command.min() < 0 or command.max() >= len(meta.commands)):
        raise DatasetError(f"segments name a command outside the {len(meta.commands)} of meta.json.", field=str(path))
    if not bool(np.all((first >= 0) & (first <= done) & (done <= end) & (first < end) & (end <= ticks))):
        raise DatasetError("segments must have 0 <= first <= done <= end <= ticks, first < end.", field=str(path))
    if not (np.isfinite(part["pose"]).all() and np.isfinite(part["pose_target"]).all()):
        raise DatasetError("pose or pose_target holds a number that is not finite.", field=str(path))
    return part


def _scene(part: dict[str, Any], kinds: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Per frame and kind: class `(F, kinds)` and x y z `(F, kinds, 3)`. Kinds of another data set are left out; where
    the shard says that its objects are unknown, a kind that it does not list may be there all the same."""
    frames = part["frame_tick"].shape[0]
    where = np.full((frames, kinds), UNKNOWN if part["objects"] == "unknown" else ABSENT, np.int64)
    xyz = np.zeros((frames, kinds, 3), np.float32)
    for number, kind in enumerate(part["object_kind"]):
        if 0 <= kind < kinds:
            where[:, kind] = part["object_where"][:, number].astype(np.int64) + 1
            xyz[:, kind] = part["object_xyz"][:, number]
    return where.clip(UNKNOWN, WHERE_CLASSES - 1), xyz


def _pixels(part: dict[str, Any], camera: str, kinds: int) -> NDArray[np.float32]:
    """Per frame and kind: column and row in the camera's picture, NaN where absent: `(F, kinds, 2)`."""
    found = np.full((part["frame_tick"].shape[0], kinds, 2), np.nan, np.float32)
    for number, kind in enumerate(part["object_kind"]):
        if 0 <= kind < kinds:
            found[:, kind] = part[f"object_px.{camera}"][:, number]
    return found


def _join(
    meta: Meta, images: dict[str, Tensor], parts: list[dict[str, Any]], paths: Sequence[Path], print_: str
) -> Recordings:
    frame_tick, frame_episode, where, xyz, rows = [], [], [], [], []
    offset = 0
    for episode, part in enumerate(parts):
        frame_tick.append(part["frame_tick"].astype(np.int64) + offset)
        frame_episode.append(np.full(part["frame_tick"].shape[0], episode, np.int64))
        classes, spots = _scene(part, len(meta.kinds))
        where.append(classes)
        xyz.append(spots)
        for number, begins, done_at, ends, marks in part["segments"].astype(np.int64):
            rows.append((number, begins + offset, done_at + offset, ends + offset, marks, episode))
        offset += part["pose"].shape[0]
    command, first, done, end, flags, of_episode = torch.tensor(rows, dtype=torch.int64).reshape(-1, 6).T.contiguous()
    held = [int(hashlib.sha256(path.name.encode()).hexdigest(), 16) % _HELD_OUT_EVERY == 0 for path in paths]
    if all(held):  # of one or two episodes that may be so
        held = [False] * len(held)

    def joined(arrays: list[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.concatenate(arrays))

    return Recordings(
        meta=meta,
        images=images,
        frame_tick=joined(frame_tick),
        frame_episode=joined(frame_episode),
        pose=joined([part["pose"].astype(np.float32) for part in parts]),
        pose_target=joined([part["pose_target"].astype(np.float32) for part in parts]),
        where=joined(where),
        xyz=joined(xyz),
        pixels={name: joined([_pixels(part, name, len(meta.kinds)) for part in parts]) for name in meta.cameras},
        segments=Segments(
            command,
            first,
            done,
            end,
            flags,
            of_episode,
            joined([part["segment_goal"].astype(np.float32) for part in parts]),
        ),  # fmt: skip
        clean=joined([part["frame_clean"] for part in parts]).bool(),
        held_out=torch.tensor(held),
        is_task=torch.tensor([part["kind"] == "task" for part in parts]),
        fingerprint=print_,
    )
