from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hitl.bus import Endpoints
from hitl.errors import ConfigError


def test_private_sockets_are_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o755)
    endpoints = Endpoints.private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert endpoints.stop == f"ipc://{folder}/stop"
    assert not endpoints.needs_keys


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long"):
        Endpoints.private(tmp_path / ("x" * 100))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="private folder"):
        Endpoints.private(tmp_path / "file")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert not Endpoints.tcp(host, 5000).needs_keys


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "robot.example", "::"])
def test_other_hosts_need_keys(host: str) -> None:
    assert Endpoints.tcp(host, 5000).needs_keys


def test_ports_follow_each_other() -> None:
    endpoints = Endpoints.tcp("::1", 5000)
    assert [endpoints.control, endpoints.stop] == ["tcp://[::1]:5000", "tcp://[::1]:5003"]


@pytest.mark.parametrize(("host", "port"), [("a b", 5000), ("", 5000), ("*", 5000), ("h", 0), ("h", 65533)])
def test_impossible_addresses_are_refused(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="endpoints"):
        Endpoints.tcp(host, port)
