"""A policy without learning for tests of the loop: it moves the left hand at a constant speed as the command says.

`python tests/support/scripted.py` is a backend with this policy, for tests that need a real process.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.backend.loaded_model import Model
from hitl.backend.server import run_backend
from hitl.config import Settings, load_settings
from hitl.launch import parts_beside
from hitl.speech.intents import intent_of

COMMANDS = ("go higher", "go lower", "go left", "go right", "hold still")
DIRECTIONS = {"go higher": (2, 1), "go lower": (2, -1), "go left": (0, -1), "go right": (0, 1)}
SPEED = 0.05
STEPS = 50


@dataclass(frozen=True)
class Output:
    pose_chunk: np.ndarray
    done: float


@dataclass(frozen=True)
class Proposal:
    texts: Sequence[str]
    probabilities: Sequence[float]
    history: np.ndarray | None = None
    guiding: Collection[str] = ()


@dataclass(frozen=True)
class Grounded:
    kind: Any
    command: str
    similarity: float


class ScriptedPolicy:
    """Wants `wants`, says done after `done_after_s`, and keeps what it was called with."""

    def __init__(self, wants: str = "hold still", done_after_s: float = 1e9) -> None:
        self.wants = wants
        self.done_after_s = done_after_s
        self.started: list[str] = []
        self.asked = 0
        self.remembered = 0
        self.forgotten = 0
        self.failing = False
        self.acted: list[tuple[str, np.ndarray, np.ndarray, float]] = []

    def start(self, text: str, pose_target: np.ndarray) -> str:
        self.started.append(text)
        return text

    def act(self, images: Any, pose: np.ndarray, pose_target: np.ndarray, command: str, elapsed_s: float) -> Output:
        if self.failing:
            raise RuntimeError("scripted failure")
        self.acted.append((command, pose, pose_target, elapsed_s))
        chunk = np.tile(pose_target, (STEPS, 1))
        if command in DIRECTIONS:
            axis, sign = DIRECTIONS[command]
            chunk[:, axis] += sign * SPEED * np.arange(1, STEPS + 1) / 50.0
        return Output(chunk, 0.9 if elapsed_s >= self.done_after_s else 0.1)

    def remember(self, images: Any, pose: np.ndarray, stamp_ns: int) -> None:
        self.remembered += 1

    def propose(self) -> Proposal:
        self.asked += 1
        rest = [text for text in COMMANDS if text != self.wants]
        return Proposal([self.wants, *rest], [0.8] + [0.05] * len(rest))

    def forget(self) -> None:
        self.forgotten += 1


class Torn(ScriptedPolicy):
    """Wants `wants`, or `second`, by `margin` less."""

    def __init__(self, wants: str = "go left", second: str = "go right", margin: float = 0.1, **rest: Any) -> None:
        super().__init__(wants, **rest)
        self.second, self.margin = second, margin
        self.others: dict[str, float] = {}
        """What comes after these, with its probability."""
        self.guiding: set[str] = set()

    def propose(self) -> Proposal:
        self.asked += 1
        texts, probabilities = [self.wants, self.second, *self.others], [0.5 + self.margin / 2, 0.5 - self.margin / 2]
        return Proposal(texts, [*probabilities, *self.others.values()], np.zeros((4, 3)), self.guiding)


def ground(text: str) -> Grounded:
    if intent_of(text) == "stop":
        return Grounded("stop", "stop", 1.0)
    return Grounded("exact" if text in COMMANDS else "new", text, 1.0 if text in COMMANDS else 0.0)


def load_scripted(settings: Settings) -> Model:
    return Model(ScriptedPolicy(), ground, COMMANDS, "scripted", "cpu")


if __name__ == "__main__":
    found = load_settings()
    logging.basicConfig(level=found.log_level.upper(), format="backend: %(message)s")
    with parts_beside(found):
        run_backend(found, load_scripted)
