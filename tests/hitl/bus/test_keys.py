from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from hitl.bus import ClientKeys, Endpoints, ServerKeys, create_keys
from hitl.errors import ConfigError
from hitl.messages import Correction


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_keys(tmp_path, "server")
    public, _ = create_keys(tmp_path / "ada", "ada")
    create_keys(tmp_path / "eve", "eve")
    (tmp_path / "clients").mkdir()
    shutil.copy(public, tmp_path / "clients")
    return tmp_path


def client(folder: Path, name: str) -> ClientKeys:
    return ClientKeys.load(folder / name / f"{name}.key_secret", folder / "server.key")


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_known_key_is_served(bus, correction, folder: Path, base_port: int, transport: str) -> None:
    endpoints = Endpoints.tcp("127.0.0.1", base_port) if transport == "tcp" else bus.endpoints
    hub = bus.hub(endpoints=endpoints, keys=ServerKeys.load(folder))
    link = bus.link(endpoints=endpoints, keys=client(folder, "ada"))
    robot = bus.link("robot", endpoints=endpoints, keys=client(folder, "ada"))
    request = correction()
    link.submit(request)
    bus.until(lambda: link.unsaved == 0 and robot.connected)
    assert bus.messages(hub, Correction) == [request] and link.refused == ""


def test_an_unknown_key_is_refused_and_told(bus, correction, folder: Path, base_port: int) -> None:
    endpoints = Endpoints.tcp("127.0.0.1", base_port)
    hub = bus.hub(endpoints=endpoints, keys=ServerKeys.load(folder))
    link = bus.link(endpoints=endpoints, keys=client(folder, "eve"))
    link.submit(correction())
    bus.until(lambda: link.refused)
    assert "key" in link.refused and not link.connected and link.unsaved == 1
    assert bus.got[hub] == []


def test_a_backend_without_the_secret_of_its_key_gets_nothing(bus, correction, folder: Path) -> None:
    hub = bus.hub(keys=ServerKeys.load(folder))
    wrong = replace(client(folder, "ada"), server=zmq.curve_keypair()[0])
    link = bus.link(keys=wrong)
    link.submit(correction())
    bus.for_a_while(0.5)
    assert not link.connected and link.unsaved == 1 and bus.got[hub] == []


def test_a_client_without_keys_is_not_served(bus, correction, folder: Path) -> None:
    hub, link = bus.hub(keys=ServerKeys.load(folder)), bus.link()
    link.submit(correction())
    bus.for_a_while(0.5)
    assert not link.connected and bus.got[hub] == []


def test_secrets_are_readable_by_their_owner_only_and_never_printed(folder: Path) -> None:
    assert stat.S_IMODE((folder / "server.key_secret").stat().st_mode) == 0o600
    keys = ServerKeys.load(folder)
    assert keys.secret.decode() not in repr(keys)
    assert client(folder, "ada").secret.decode() not in repr(client(folder, "ada"))


def test_keys_are_not_replaced(folder: Path) -> None:
    with pytest.raises(ConfigError, match="exists"):
        create_keys(folder, "server")
    with pytest.raises(ConfigError, match="file name"):
        create_keys(folder, "../server")


def test_missing_damaged_and_public_files_are_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        ClientKeys.load(folder / "nobody.key_secret", folder / "server.key")
    with pytest.raises(ConfigError, match="no secret"):
        ClientKeys.load(folder / "server.key", folder / "server.key")
    (folder / "clients" / "ada.key").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"ada\.key"):
        ServerKeys.load(folder)
