from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hitl.config import FIELDS, Settings, load_settings, to_environment
from hitl.errors import ConfigError


@pytest.fixture(autouse=True)
def no_settings_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitl.config.settings_file", lambda: tmp_path / "settings.toml")


def test_defaults() -> None:
    assert load_settings(environment={}) == Settings()


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('hold_s = 1\nlease_s = 0.1\ndriver = "synthetic"\n')
    found = load_settings({"hold_s": 3.0, "lease_s": None}, environment={"HITL_HOLD_S": "2", "HITL_LEASE_S": "0.2"})
    assert (found.hold_s, found.lease_s, found.driver, found.port) == (3.0, 0.2, "synthetic", 5570)


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load_settings(environment={"HOME": "/", "HITLIST": "no", "PATH": ""}) == Settings()


@pytest.mark.parametrize(
    ("flags", "environment", "field", "told"),
    [
        ({"leese_s": 1.0}, {}, "leese_s", "lease_s"),
        ({"zzz": 1}, {}, "zzz", "Known settings: data"),
        ({}, {"HITL_PORTT": "1"}, "portt", "port"),
        ({"lease_s": 9.0}, {}, "lease_s", "<= 2.0"),
        ({"lease_s": 0.0}, {}, "lease_s", "> 0.0"),
        ({}, {"HITL_PORT": "many"}, "port", "HITL_PORT"),
        ({}, {"HITL_LOG_LEVEL": "loud"}, "log_level", "loud"),
        ({"strategy": "hope"}, {}, "strategy", "Use one of none, replay, view-batch, mas, gpm, osf, classp."),
        ({"high_level_hz": 0.5}, {}, "high_level_hz", ">= 1.0"),
        ({"seed": 1.5}, {}, "seed", "1.5"),
    ],
)
def test_a_wrong_setting_is_named_with_where_it_came_from_and_what_to_do(
    flags: dict[str, Any], environment: dict[str, str], field: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(flags, environment=environment)
    assert caught.value.field == field and told in str(caught.value)


def test_a_file_has_types_and_is_not_read_leniently(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("lease_s = true\n")
    with pytest.raises(ConfigError, match="lease_s.*mine.toml"):
        load_settings(file=file, environment={})


@pytest.mark.parametrize("content", [b"hold_s = ", b"\xff\xfe", b"[hold_s"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file=file, environment={})
    assert caught.value.field == str(file)


def test_a_file_that_was_asked_for_must_exist_and_the_default_one_need_not(tmp_path: Path) -> None:
    load_settings(environment={})
    with pytest.raises(ConfigError, match="no such settings file"):
        load_settings(file=tmp_path / "none.toml", environment={})


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(seed=4, record=False, host="robot.example", lease_s=0.123456789, author="Zoë  O'N")],
)
def test_a_child_process_reads_the_same_settings(settings: Settings) -> None:
    assert load_settings(environment=to_environment(settings)) == settings
    assert set(to_environment(settings)) == {f"HITL_{name.upper()}" for name in FIELDS}


def test_private_sockets_are_in_the_users_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert Settings().sockets_folder == Path("/run/user/7/hitl")
    assert Settings(sockets="/x").sockets_folder == Path("/x")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Settings().sockets_folder.name.startswith("hitl-")


@pytest.mark.parametrize(("host", "here"), [("", True), ("127.0.0.1", True), ("localhost", True), ("10.1.2.3", False)])
def test_whether_all_parts_are_on_this_machine(host: str, here: bool) -> None:
    assert Settings(host=host).on_this_machine is here


def test_a_key_of_a_speech_server_is_no_setting_and_no_error() -> None:
    assert load_settings(environment={"HITL_SPEECH_KEY": "secret"}, file=None) == load_settings(environment={})


def test_every_strategy_can_be_set() -> None:
    from typing import get_args

    from hitl.config import FIELDS
    from policies.learning.strategies import STRATEGIES

    assert set(get_args(FIELDS["strategy"].type)) == set(STRATEGIES)
