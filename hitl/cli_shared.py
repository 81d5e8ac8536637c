"""What the commands of the command line share: their settings, what they need installed, how they print and log."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from argparse import Namespace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl.config import Settings

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_INTERRUPTED = 130


def simulated_policy(arguments: Namespace) -> Settings:
    """The settings, where everything that an experiment needs is installed."""
    settings = settings_of(arguments)
    need("torch", "backend", "the policies")
    need_simulator()
    return settings


def need_simulator() -> None:
    """Raise MissingPackageError unless the simulated robot is installed; no display is needed for it."""
    need("mujoco", "robot", "the simulated robot")
    if sys.platform == "linux":
        # MuJoCo reads it on import; its own choice needs a display. Worker processes inherit it.
        os.environ.setdefault("MUJOCO_GL", "egl")


def print_json(result: dict[str, Any]) -> int:
    """One line; what is no finite number, where nothing was measured, is null."""
    finite = {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in result.items()}
    print(json.dumps(finite))
    return EXIT_OK


def settings_of(arguments: Namespace) -> Settings:
    """Settings from file, environment and the options of this command. Raises ConfigError."""
    from hitl.config import FIELDS, load_settings

    given = vars(arguments)
    flags = {name: given[name] for name in FIELDS if given.get(name) is not None}
    address = given.get("connect") or given.get("bind")
    if address:
        flags["host"], flags["port"] = parse_address(address, "--connect" if given.get("connect") else "--bind")
    return load_settings(flags, file=given.get("settings"))


def parse_address(text: str, option: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises ConfigError that names the option."""
    from hitl.errors import ConfigError

    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ConfigError(f"{text[:80]!r} is not HOST:PORT.", field=option, hint="For example 127.0.0.1:5570.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def log_as(part: str, settings: Settings) -> None:
    """Log lines begin with the part's name, from the level of the settings on."""
    logging.basicConfig(level=settings.log_level.upper(), format=f"{part}: %(message)s")


def need(module: str, extra: str, part: str) -> None:
    """Raise MissingPackageError unless `module`, which `part` needs, is installed."""
    from hitl.errors import MissingPackageError

    if find_spec(module) is None:
        hint = f"Run: pip install 'hitl[{extra}]', or make setup."
        raise MissingPackageError(f"{part} needs it and it is not installed.", field=module, hint=hint)
