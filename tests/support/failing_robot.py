"""A robot process whose driver fails, in every action, while the file named by TEST_BREAK_FILE exists."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from hitl.config import Settings, load_settings
from hitl.errors import RobotError
from robot.driver import CameraSpec
from robot.node import run_robot
from robot.synthetic import SyntheticDriver


class FailingDriver(SyntheticDriver):
    def __init__(self, settings: Settings) -> None:
        super().__init__((CameraSpec("front", 24, 32, 12, 16),), seed=settings.seed)
        self._breaks = Path(os.environ["TEST_BREAK_FILE"])

    def act(self, targets: np.ndarray) -> np.ndarray:
        if self._breaks.exists():
            raise RobotError("a motor does not answer")
        return super().act(targets)


if __name__ == "__main__":
    run_robot(FailingDriver, load_settings())
