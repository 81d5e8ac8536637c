from __future__ import annotations

import numpy as np
import pytest

from hitl.config import Settings
from hitl.errors import InputError, RobotError
from robot.conformance import DriverConformance
from robot.drivers import create_driver, known_drivers
from robot.synthetic import SyntheticDriver


class TestSynthetic(DriverConformance):
    def make(self) -> SyntheticDriver:
        return SyntheticDriver()


class TestSyntheticStream(DriverConformance):
    def make(self) -> SyntheticDriver:
        driver = create_driver(Settings(driver="synthetic-stream"))
        assert isinstance(driver, SyntheticDriver)
        assert [(camera.height, camera.width) for camera in driver.spec.cameras] == [(480, 640)] * 3
        assert driver.spec.capture_hz == 30.0
        return driver


def test_joints_follow_their_targets() -> None:
    driver = SyntheticDriver(seed=1)
    targets = driver.read().targets + 0.1
    for _ in range(100):
        driver.act(targets)
    np.testing.assert_allclose(driver.read().joints, targets, atol=1e-3)


def test_pictures_show_the_first_joint() -> None:
    driver = SyntheticDriver(seed=1)
    blue = np.array([60, 130, 255])

    def block(picture: np.ndarray) -> int:
        return int(np.flatnonzero((picture[:, 20] == blue).all(axis=-1))[0])

    before = block(driver.capture().views["front"])
    targets = driver.read().targets
    targets[0] += 1.0
    for _ in range(100):
        driver.act(targets)
    assert block(driver.capture().views["front"]) > before + 50


def test_a_closed_robot_refuses_actions() -> None:
    driver = SyntheticDriver()
    driver.close()
    with pytest.raises(RobotError):
        driver.act(np.zeros(14))


def test_an_unknown_driver_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        create_driver(Settings(driver="android"))
    assert caught.value.field == "driver"
    assert all(name in str(caught.value) for name in ("android", "aloha", "synthetic"))


def test_drivers_of_other_packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "theirs"

        @staticmethod
        def load() -> object:
            return lambda settings: SyntheticDriver(seed=settings.seed)

    monkeypatch.setattr("robot.drivers.entry_points", lambda group, name="theirs": [Point] if name == "theirs" else [])
    assert "theirs" in known_drivers()
    assert create_driver(Settings(driver="theirs")).spec.name == "synthetic"
