"""CURVE keys in files, and who may connect (ZAP, https://rfc.zeromq.org/spec/27).

A backend has `server.key` (public), `server.key_secret` and a folder `clients/` with one public `.key` per person or
robot; a client has its own pair and a copy of `server.key`. Files have the ZPL format of `zmq.auth`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from hitl.errors import ConfigError

_DOMAIN = "hitl"


@dataclass(frozen=True)
class ServerKeys:
    """The backend's pair and the public keys (Z85, 40 bytes) that may connect."""

    public: bytes
    secret: bytes = field(repr=False)
    allowed: frozenset[bytes]

    @classmethod
    def load(cls, folder: Path) -> ServerKeys:
        """Read `server.key_secret` and `clients/*.key` of `folder`. Raises ConfigError."""
        public, secret = _load_pair(folder / "server.key_secret", "keys.server")
        allowed = [_load_public(path, "keys.clients") for path in sorted((folder / "clients").glob("*.key"))]
        return cls(public, secret, frozenset(allowed))


@dataclass(frozen=True)
class ClientKeys:
    """A client's pair and the backend's public key (Z85, 40 bytes each)."""

    public: bytes
    secret: bytes = field(repr=False)
    server: bytes

    @classmethod
    def load(cls, secret_file: Path, server_file: Path) -> ClientKeys:
        """Read a client's `.key_secret` and the backend's `.key`. Raises ConfigError."""
        public, secret = _load_pair(secret_file, "keys.client")
        return cls(public, secret, _load_public(server_file, "keys.server"))


def create_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a new pair `name.key`, `name.key_secret` (readable by this user only); refuses to replace one."""
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise ConfigError(f"{name!r} is no file name", field="keys.name", hint="Use letters, digits, - and _.")
    public_file, secret_file = folder / f"{name}.key", folder / f"{name}.key_secret"
    if public_file.exists() or secret_file.exists():
        raise ConfigError(f"{secret_file} exists", field="keys.name", hint="Remove it first to make a new one.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret_file.touch(mode=0o600)
    zmq.auth.create_certificates(folder, name)
    return public_file, secret_file


class _Allowed:
    """Says yes to known public keys; the form that `configure_curve_callback` wants."""

    def __init__(self, allowed: frozenset[bytes]) -> None:
        self._allowed = allowed

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether the Z85 public `key` may connect."""
        return key in self._allowed


def start_gatekeeper(context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys) -> ThreadAuthenticator:
    """Start the ZAP thread of `context`; stop it before the context ends."""
    gatekeeper = ThreadAuthenticator(context)
    gatekeeper.start()
    gatekeeper.configure_curve_callback(_DOMAIN, _Allowed(keys.allowed))
    return gatekeeper


def protect_server(socket: zmq.Socket[bytes], keys: ServerKeys) -> None:
    """Make a socket accept CURVE clients only, each checked by the gatekeeper."""
    socket.curve_server = True
    socket.curve_publickey = keys.public
    socket.curve_secretkey = keys.secret
    socket.zap_domain = _DOMAIN.encode()
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def protect_client(socket: zmq.Socket[bytes], keys: ClientKeys) -> None:
    """Make a socket connect only to the backend that has the secret of `keys.server`."""
    socket.curve_serverkey = keys.server
    socket.curve_publickey = keys.public
    socket.curve_secretkey = keys.secret


def _load_pair(path: Path, name: str) -> tuple[bytes, bytes]:
    public, secret = _read(path, name)
    if secret is None:
        raise ConfigError(f"{path} has no secret key", field=name, hint="Give the .key_secret file.")
    return public, secret


def _load_public(path: Path, name: str) -> bytes:
    return _read(path, name)[0]


def _read(path: Path, name: str) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", field=name, hint="Make keys with hitl.bus.keys.create_keys.") from error
    if len(public) != 40 or (secret is not None and len(secret) != 40):
        raise ConfigError(f"{path} holds no CURVE key of 40 characters", field=name, hint="Copy the file again.")
    return public, secret
