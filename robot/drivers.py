"""Drivers by name. Knows how to make each, and imports none of them before it is asked for.

Other packages add drivers through the entry-point group "hitl.drivers": a callable that takes Settings and returns a
Driver.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

from hitl.config import Settings
from hitl.errors import InputError, MissingPackageError
from robot.driver import Driver

ENTRY_POINTS = "hitl.drivers"

Factory = Callable[[Settings], Driver]


def _aloha(settings: Settings) -> Driver:
    if sys.platform == "linux":
        # Before MuJoCo is imported: draw without a display, and in software (llvmpipe) with one thread.
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("LP_NUM_THREADS", "1")
    from robot.aloha.cell import AlohaCell

    return AlohaCell(seed=settings.seed)


def _synthetic(settings: Settings) -> Driver:
    from robot.synthetic import SyntheticDriver

    return SyntheticDriver(seed=settings.seed)


def _synthetic_stream(settings: Settings) -> Driver:
    from robot.driver import CameraSpec
    from robot.synthetic import SyntheticDriver

    cameras = [CameraSpec(name, 480, 640, 96, 128) for name in ("overhead", "front", "side")]
    return SyntheticDriver(cameras, capture_hz=30.0, seed=settings.seed)


_BUILT_IN: dict[str, Factory] = {
    "aloha": _aloha,
    "synthetic": _synthetic,
    "synthetic-stream": _synthetic_stream,
}


def known_drivers() -> list[str]:
    """Names that `create_driver` accepts: those of hitl, then those of installed packages."""
    return [*_BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]


def create_driver(settings: Settings) -> Driver:
    """The driver that `settings.driver` names. Raises InputError for an unknown name, listing the known ones.

    MissingPackageError where the driver's own packages are not installed.
    """
    factory = _BUILT_IN.get(settings.driver)
    if factory is None:
        factory = next((point.load() for point in entry_points(group=ENTRY_POINTS, name=settings.driver)), None)
    if factory is None:
        known = ", ".join(known_drivers())
        raise InputError(f"no robot driver {settings.driver!r}.", field="driver", hint=f"Known: {known}.")
    try:
        return factory(settings)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"the driver {settings.driver!r} needs the package {error.name!r}, which is not installed.",
            field="driver",
            hint="Install hitl with the extra of that driver, or choose another one.",
        ) from error
