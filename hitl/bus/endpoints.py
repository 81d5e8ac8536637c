"""The four addresses of one backend, and which of them need keys. Opens nothing."""

from __future__ import annotations

import ipaddress
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from hitl.errors import ConfigError

_MAX_IPC_PATH = 100
"""`sockaddr_un` holds 108 bytes on Linux and 104 on macOS."""


@dataclass(frozen=True)
class Endpoints:
    """ZeroMQ addresses of the planes: control and robot (acknowledged), stream (droppable), stop (goes first)."""

    control: str
    robot: str
    stream: str
    stop: str

    @classmethod
    def private(cls, directory: Path) -> Endpoints:
        """`ipc://` files in `directory`, which is made and readable by this user only.

        Raises ConfigError where the path is too long for a socket or belongs to somebody else.
        """
        directory = directory.absolute()
        if len(os.fsencode(directory)) + len("/control.lock") > _MAX_IPC_PATH:
            raise ConfigError(
                f"{directory} is too long a path for sockets",
                field="endpoints.directory",
                hint=f"Choose a folder of at most {_MAX_IPC_PATH - len('/control.lock')} bytes.",
            )
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(directory.stat().st_mode) & 0o077:
                directory.chmod(0o700)
        except OSError as error:
            raise ConfigError(
                f"{directory} cannot be a private folder: {error.strerror}",
                field="endpoints.directory",
                hint="Choose a folder that you own.",
            ) from error
        return cls(*(f"ipc://{directory}/{plane}" for plane in ("control", "robot", "stream", "stop")))

    @classmethod
    def tcp(cls, host: str, base_port: int) -> Endpoints:
        """`base_port` .. `base_port + 3` of `host`. Raises ConfigError for an impossible port or host."""
        if not 1 <= base_port <= 65_532:
            raise ConfigError(f"is {base_port}", field="endpoints.base_port", hint="Give a port from 1 to 65532.")
        if not host or any(letter in host for letter in " /*;\t\n"):
            raise ConfigError(f"{host!r} is no host", field="endpoints.host", hint="Give a host name or an address.")
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return cls(*(f"tcp://{shown}:{base_port + plane}" for plane in range(4)))

    @property
    def needs_keys(self) -> bool:
        """Whether other hosts can reach these addresses, so that CURVE keys are mandatory."""
        return not all(_is_local(address) for address in (self.control, self.robot, self.stream, self.stop))


def _is_local(address: str) -> bool:
    scheme, _, rest = address.partition("://")
    if scheme in ("ipc", "inproc"):
        return True
    host = rest.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
