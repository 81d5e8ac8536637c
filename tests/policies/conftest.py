"""A toy cell in the dataset format: two coloured squares on a table seen from above, and an arm that goes to them.

Small enough to learn in seconds, and of the same shape as the real thing: goals that only the picture tells, motions
of an exact size, a done tick, task episodes of one command after another.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor

from policies.hierarchy.command_bank import CommandBank

CAMERAS = {"overhead": [32, 32], "left_wrist": [16, 16]}
KINDS = ["red block", "blue ball"]
COLOURS = np.array([[220, 40, 40], [40, 60, 220]], np.uint8)
TABLE_M = 0.32  # side of the square table; the picture shows all of it
SPEED_M = 0.006  # each tick
COMMANDS: list[dict[str, Any]] = [
    {"text": "pick up the red block", "family": "pick", "train": ["take the red block", "grab red"]},
    {"text": "pick up the blue ball", "family": "pick", "train": ["take the blue ball"]},
    {"text": "put it in the box", "family": "place", "train": ["drop it into the box"]},
    {"text": "go home", "family": "home", "train": ["back home"]},
    {"text": "move the left arm right", "family": "motion", "train": ["left arm to the right"]},
    {"text": "move the left arm far right", "family": "motion", "train": ["left arm far right"]},
]
HOME = np.array([0.16, 0.04, 0.1, -1.5, 0.0, 1.0, 0.0, 0.0, 0.1, -1.5, 0.0, 1.0])
BOX = np.array([0.16, 0.28])
MOVES_M = {4: 0.03, 5: 0.09}


class WordHash:
    """A language without a model: each word has a random vector, a sentence is their sum."""

    def __init__(self, bank: CommandBank | None = None) -> None:
        self.bank = bank

    def with_bank(self, bank: CommandBank) -> WordHash:
        return WordHash(bank)

    @torch.inference_mode()
    def codes(self, texts: Sequence[str]) -> Tensor:
        """As the real encoder's: made in inference mode."""
        rows = []
        for text in texts:
            words = [np.random.default_rng(zlib.crc32(w.encode())).normal(size=64) for w in text.lower().split()]
            rows.append(np.sum(words, 0))
        codes = torch.tensor(np.array(rows), dtype=torch.float32)
        return torch.nn.functional.normalize(codes, dim=1)

    def tensors(self) -> dict[str, Tensor]:
        return {"weight": torch.zeros(1)}


def picture(xy: NDArray[np.float64], pose: NDArray[np.float64], rng: np.random.Generator) -> dict[str, NDArray]:
    """Overhead: both squares and a white cross at the hand. Left wrist: the 8 cm around the hand."""
    view = rng.integers(90, 110, (32, 32, 3)).astype(np.uint8)
    scale = 32 / TABLE_M
    for colour, (x, y) in zip(COLOURS, xy, strict=True):
        row, column = int(round(y * scale)), int(round(x * scale))
        view[max(row - 2, 0) : row + 2, max(column - 2, 0) : column + 2] = colour
    row, column = np.clip((pose[[1, 0]] * scale).astype(int), 0, 31)
    view[row, :][max(column - 1, 0) : column + 2] = 255
    padded = np.pad(view, ((8, 8), (8, 8), (0, 0)))
    return {"overhead": view, "left_wrist": padded[row : row + 16, column : column + 16].copy()}


def places_in_pictures(xy: NDArray[np.float64], pose: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """Camera -> column and row of both squares `(2, 2)`, as `picture` draws them."""
    scale = 32 / TABLE_M
    hand = np.clip((pose[:2] * scale).astype(int), 0, 31)
    return {"overhead": (xy * scale).astype(np.float32), "left_wrist": (xy * scale - hand + 8).astype(np.float32)}


@dataclass
class ToyWorld:
    """Two squares and one arm. `act` is perfect control."""

    rng: np.random.Generator
    xy: NDArray[np.float64]
    pose: NDArray[np.float64]
    drift: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    @classmethod
    def new(cls, seed: int) -> ToyWorld:
        rng = np.random.default_rng(seed)
        while True:
            xy = rng.uniform(0.05, 0.25, (2, 2))
            if np.linalg.norm(xy[0] - xy[1]) > 0.08:
                break
        pose = HOME + rng.normal(0.0, 0.04, 12)  # everything varies, else nothing says how to get back
        pose[:2] = rng.uniform(0.04, 0.2, 2)
        pose[5], pose[11] = 1.0, rng.uniform()
        return cls(rng, xy, pose)

    def pictures(self) -> dict[str, NDArray]:
        return picture(self.xy, self.pose, self.rng)

    def goal(self, command: int) -> NDArray[np.float64]:
        """The pose at which the command is done."""
        goal = self.pose.copy()
        if command < 2:
            goal[:3], goal[5] = (*self.xy[command], 0.02), 0.0
        elif command == 2:
            goal[:3], goal[5] = (*BOX, 0.1), 1.0
        elif command == 3:
            goal[:3], goal[5] = HOME[:3], 1.0
        else:
            goal[0] += MOVES_M[command]
        return goal

    def toward(self, goal: NDArray[np.float64]) -> bool:
        """One tick toward the goal: first the way, then the opening. True when there.

        Far from the goal the hand wanders, as the expert's does, so that the way back is learned too.
        """
        way = goal[:3] - self.pose[:3]
        far = float(np.linalg.norm(way))
        if far > 1e-9:
            self.pose[:3] += way * min(1.0, SPEED_M / far)
            self.drift = 0.9 * self.drift + 0.08 * self.rng.normal(size=2)
            self.pose[:2] += SPEED_M * self.drift * (far > 0.03)
        else:
            self.pose[5] += float(np.clip(goal[5] - self.pose[5], -0.1, 0.1))
        return bool(np.abs(goal - self.pose).max() < 1e-6)


def write_episode(path: Path, seed: int, kind: str) -> None:
    """One episode of four commands: for "task" always red, box, blue, box; else any."""
    world = ToyWorld.new(seed)
    order = [0, 2, 1, 2] if kind == "task" else [int(c) for c in world.rng.permutation(6)[:4]]
    poses, frames, places, ticks, segments = [], [], [], [], []

    def record() -> None:
        if len(poses) % 5 == 0:
            ticks.append(len(poses))
            frames.append(world.pictures())
            places.append(places_in_pictures(world.xy, world.pose))
        poses.append(world.pose.copy())

    for command in order:
        first, goal, there = len(poses), world.goal(command), False
        while not there:
            record()
            there = world.toward(goal)
        done = len(poses)
        for _ in range(8):
            record()
        segments.append([command, first, done, len(poses), 1])
    count = len(ticks)
    tensors = {f"image.{name}": np.stack([f[name] for f in frames]) for name in CAMERAS}
    tensors |= {f"object_px.{name}": np.stack([p[name] for p in places]) for name in CAMERAS}
    tensors |= {
        "frame_tick": np.array(ticks, np.int32),
        "pose": np.array(poses, np.float32),
        "pose_target": np.array(poses, np.float32),
        "segments": np.array(segments, np.int32),
        "object_kind": np.array([0, 1], np.int32),
        "object_xyz": np.tile(np.concatenate((world.xy, np.zeros((2, 1))), 1).astype(np.float32), (count, 1, 1)),
        "object_where": np.zeros((count, 2), np.int8),
    }
    save_file(tensors, path, metadata={"episode": str(seed), "kind": kind})


def write_dataset(folder: Path, episodes: int) -> Path:
    """A toy dataset folder; every second episode is a task."""
    (folder / "shards").mkdir(parents=True)
    meta = {
        "format": "hitl-segments-1",
        "rate_hz": 50,
        "frame_every": 5,
        "cameras": CAMERAS,
        "kinds": KINDS,
        "commands": [{**command, "held_out": []} for command in COMMANDS],
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    for episode in range(episodes):
        kind = "task" if episode % 2 == 0 else "drill"
        write_episode(folder / "shards" / f"{episode:06d}.safetensors", episode, kind)
    return folder


@pytest.fixture(scope="session")
def toy_writer() -> Callable[[Path, int], Path]:
    return write_dataset


@pytest.fixture(scope="session")
def toy_world() -> type[ToyWorld]:
    return ToyWorld


@pytest.fixture(scope="session")
def word_hash() -> WordHash:
    return WordHash()


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 toy episodes, written once; not to be changed."""
    return write_dataset(tmp_path_factory.mktemp("toy") / "data", 120)


@pytest.fixture
def small_data(tmp_path: Path) -> Path:
    """Four toy episodes that a test may damage."""
    return write_dataset(tmp_path / "data", 4)
