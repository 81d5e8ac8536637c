"""What every driver must do, as a mixin that any driver's tests inherit. Needs pytest's assertions and nothing else.

    class TestMyDriver(DriverConformance):
        def make(self) -> Driver:
            return MyDriver(...)

`reproducible` says whether two resets with one seed give the same state, as a simulator must and a real robot cannot.
"""

from __future__ import annotations

import numpy as np

from hitl.errors import InputError
from robot.driver import Driver

TOLERANCE = 1e-6


class DriverConformance:
    """Inherit, and define `make`. Tests use only the Driver protocol."""

    reproducible = True

    def make(self) -> Driver:
        """A new driver, ready for `read`."""
        raise NotImplementedError

    def test_the_spec_is_consistent(self) -> None:
        driver = self.make()
        spec = driver.spec
        size = len(spec.action_names)
        assert size > 0 and len(set(spec.action_names)) == size
        assert spec.rate_hz > 0 and spec.capture_hz > 0
        assert spec.lower.shape == spec.upper.shape == spec.max_speed.shape == (size,)
        assert (spec.lower < spec.upper).all() and (spec.max_speed > 0).all()
        names = [camera.name for camera in spec.cameras]
        assert len(set(names)) == len(names)
        assert "nominal" not in spec.shifts
        driver.close()

    def test_a_reading_has_finite_joints_within_the_limits(self) -> None:
        driver = self.make()
        driver.reset(seed=1)
        reading = driver.read()
        size = len(driver.spec.action_names)
        assert reading.joints.shape == reading.targets.shape == (size,)
        assert np.isfinite(reading.joints).all() and np.isfinite(reading.targets).all()
        assert (reading.targets >= driver.spec.lower - TOLERANCE).all()
        assert (reading.targets <= driver.spec.upper + TOLERANCE).all()
        driver.close()

    def test_a_seed_gives_the_same_episode_again(self) -> None:
        if not self.reproducible:
            return
        driver = self.make()
        driver.reset(seed=7)
        first = self._after_some_ticks(driver)
        driver.reset(seed=7)
        again = self._after_some_ticks(driver)
        np.testing.assert_allclose(first, again, atol=TOLERANCE)
        driver.close()

    def test_act_returns_what_was_sent_and_read_reports_it(self) -> None:
        driver = self.make()
        driver.reset(seed=1)
        wanted = driver.read().targets + 0.5 * driver.spec.max_speed / driver.spec.rate_hz
        wanted = np.clip(wanted, driver.spec.lower, driver.spec.upper)
        sent = driver.act(wanted)
        np.testing.assert_allclose(sent, wanted, atol=1e-3)
        np.testing.assert_allclose(driver.read().targets, sent, atol=TOLERANCE)
        driver.close()

    def test_targets_beyond_the_limits_are_never_sent(self) -> None:
        driver = self.make()
        driver.reset(seed=1)
        for beyond in (driver.spec.upper + 1.0, driver.spec.lower - 1.0):
            sent = driver.act(beyond)
            assert (sent >= driver.spec.lower - TOLERANCE).all()
            assert (sent <= driver.spec.upper + TOLERANCE).all()
        driver.close()

    def test_holding_keeps_the_targets(self) -> None:
        driver = self.make()
        driver.reset(seed=1)
        before = driver.read().targets
        for _ in range(5):
            driver.hold()
        np.testing.assert_allclose(driver.read().targets, before, atol=0.05)
        driver.close()

    def test_captures_have_the_sizes_of_the_spec(self) -> None:
        driver = self.make()
        driver.reset(seed=1)
        capture = driver.capture()
        assert set(capture.views) == set(capture.policy) == {camera.name for camera in driver.spec.cameras}
        for camera in driver.spec.cameras:
            assert capture.views[camera.name].shape == (camera.height, camera.width, 3)
            assert capture.policy[camera.name].shape == (camera.policy_height, camera.policy_width, 3)
            assert capture.views[camera.name].dtype == capture.policy[camera.name].dtype == np.uint8
        driver.close()

    def test_every_declared_shift_begins_and_an_unknown_one_is_refused_by_name(self) -> None:
        driver = self.make()
        for shift in driver.spec.shifts:
            driver.reset(seed=1, shift=shift)
        try:
            driver.reset(seed=1, shift="no such shift")
        except InputError as error:
            assert "nominal" in str(error)
            assert all(shift in str(error) for shift in driver.spec.shifts)
        else:
            raise AssertionError("an unknown shift was accepted")
        driver.close()

    def test_closing_twice_is_harmless(self) -> None:
        driver = self.make()
        driver.close()
        driver.close()

    @staticmethod
    def _after_some_ticks(driver: Driver) -> np.ndarray:
        targets = driver.read().targets
        for _ in range(10):
            driver.act(targets)
        return driver.read().joints
