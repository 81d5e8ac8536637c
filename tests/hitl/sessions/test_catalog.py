from __future__ import annotations

from pathlib import Path

import pytest

from hitl.errors import InputError, StorageError
from hitl.sessions.catalog import Catalog


def test_sessions_are_listed_newest_first(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")
    assert catalog.sessions() == [] and catalog.problems() == []
    first, second = catalog.new_session("aloha", "packing"), catalog.new_session()
    assert Catalog(tmp_path / "data").sessions() == [second, first]
    assert catalog.session(first.id) == first
    assert first.info.robot == "aloha" and first.recording.parent == first.folder


def test_a_damaged_session_is_a_problem_and_hides_no_other(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    sessions = [catalog.new_session() for _ in range(4)]
    (sessions[0].folder / "session.json").write_text("{")
    (sessions[1].folder / "session.json").unlink()
    (sessions[2].folder / "session.json").write_bytes((sessions[3].folder / "session.json").read_bytes())
    assert catalog.sessions() == [sessions[3]]
    assert len(catalog.problems()) == 3
    with pytest.raises(InputError, match=r"session\.json"):
        catalog.session(sessions[0].id)


@pytest.mark.parametrize("name", ["", "../..", "nothing", "01JZ0000000000000000000000"])
def test_an_unknown_session_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no session"):
        Catalog(tmp_path).session(name)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("")
    with pytest.raises(StorageError, match="sessions"):
        Catalog(tmp_path).new_session()


def test_each_role_has_its_outbox(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert len({catalog.log_file, catalog.outbox_file("gui"), catalog.outbox_file("say")}) == 3
