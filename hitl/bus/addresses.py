"""Where the settings say the backend is, with which keys, and where words are kept that it has not saved yet.

Every part that connects or binds asks here, so that all of them read the settings alike. A key folder is the backend's
(`server.key_secret`, `clients/`) or a client's (`client.key_secret`, `server.key`); `hand_out` makes both.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec

from hitl.bus.endpoints import Endpoints
from hitl.bus.keys import ClientKeys, ServerKeys, create_keys
from hitl.config import Settings
from hitl.errors import ConfigError


def endpoints_of(settings: Settings) -> Endpoints:
    """The backend's addresses: TCP where a host is set, else private sockets. Raises ConfigError."""
    if settings.host:
        return Endpoints.tcp(settings.host, settings.port)
    return Endpoints.private(settings.sockets_folder)


def server_keys_of(settings: Settings) -> ServerKeys | None:
    """The backend's keys, None on private sockets and loopback without a key folder. Raises ConfigError."""
    folder = _folder(settings)
    return ServerKeys.load(folder) if folder else None


def client_keys_of(settings: Settings) -> ClientKeys | None:
    """The keys of a window, robot or `hitl say`; None as for `server_keys_of`. Raises ConfigError."""
    folder = _folder(settings)
    return ClientKeys.load(folder / "client.key_secret", folder / "server.key") if folder else None


def beside_backend(settings: Settings, name: str) -> Settings:
    """The settings of a part that runs on the backend's machine, from the backend's own: over loopback, with keys of
    its own in the backend's key folder, which are made at the first call. Raises ConfigError."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    folder = _folder(settings)
    if folder is None:
        return msgspec.structs.replace(settings, host=host)
    keys = folder / name if (folder / name / "client.key_secret").exists() else hand_out(folder, name)
    return msgspec.structs.replace(settings, host=host, keys=str(keys))


def outbox_path(settings: Settings) -> Path:
    """The file of requests that are not acknowledged; one for all windows and `hitl say`s of this user."""
    return settings.data_folder / "outbox.sqlite"


def hand_out(folder: Path, name: str) -> Path:
    """Make the keys of client `name` in the backend's key folder, and the backend's own where there are none.

    Returns the folder `folder/name`, which belongs on the client's machine. Raises ConfigError.
    """
    if name in ("server", "clients") or not re.fullmatch(r"\w[\w.-]*", name):
        hint = "Use letters, digits, - and _, and neither 'server' nor 'clients'."
        raise ConfigError(f"{name[:80]!r} cannot name a client.", field="keys.name", hint=hint)
    if not (folder / "server.key_secret").exists():
        create_keys(folder, "server")
    allowed = folder / "clients"
    allowed.mkdir(mode=0o700, exist_ok=True)
    if (allowed / f"{name}.key").exists():
        raise ConfigError(f"{name} has keys already.", field="keys.name", hint=f"They are in {folder / name}.")
    public, _ = create_keys(folder / name, "client")
    shutil.copyfile(folder / "server.key", folder / name / "server.key")
    shutil.copyfile(public, allowed / f"{name}.key")
    return folder / name


def _folder(settings: Settings) -> Path | None:
    if settings.keys:
        return Path(settings.keys).expanduser()
    if endpoints_of(settings).needs_keys:
        hint = "Make them on the backend's machine with: hitl keys DIR NAME; then give --keys."
        raise ConfigError(f"other machines reach {settings.host}, so keys are needed.", field="keys", hint=hint)
    return None
