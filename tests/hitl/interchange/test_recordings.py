"""Recordings as items: from sessions into projects, and out again in other formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl import cli
from hitl.annotation.items import Item, Output, checked_item
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.annotation.schema import Schema
from hitl.errors import InputError
from hitl.events import EpisodeEvent
from hitl.interchange.exchange import Exported, Imported, Reading
from hitl.interchange.recordings import SHORTEST_MS, read, stretches
from hitl.interchange.registry import FORMATS
from hitl.interchange.store import import_file
from hitl.labels import Judged, Review, Span
from hitl.messages import Task
from hitl.recorded_moments import read_moments
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.finding import PATH, find_recording
from hitl.sessions.recorded import RecordedEpisode
from tests.support.narrated import CAMERAS
from tests.support.random_projects import PROJECT, all_said, labelled
from tests.support.recorded import command, session_with_commands

TOLD = [
    (0.5, command("pick up the block", name="1")),
    (1.5, command("a bit left", "ann", name="2")),
    (1.6, command("a bit right", "ann", name="3")),
    (2.0, command("", "none", name="4")),
    (3.2, command("go home", name="5")),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Four seconds, another episode from 3 s on."""
    return session_with_commands(tmp_path_factory.mktemp("data"), TOLD, 4.0, borders_s=(3.0,))


def data_of(session: Session) -> Path:
    return session.folder.parents[1]


def found(path: Path, data: Path | None = None, schema: Schema | None = None) -> Imported:
    return read(path, Reading(PROJECT, schema=schema, data=data))


def test_every_episode_is_an_item_walked_by_its_commands(session: Session) -> None:
    first, second = found(session.recording, data_of(session)).items
    assert (first.id, first.recording, first.duration_ms) == (f"{session.id}/e0", f"{session.id}/e0", 3000)
    assert [(one.start_ms, one.end_ms, one.text, one.by) for one in first.stretches] == [
        (0, 500, "", ""),
        (500, 1600, "pick up the block", "policy"),
        (1600, 2000, "a bit right", "ann"),
        (2000, 3000, "", ""),
    ], "what was under way for a tenth of a second is not walked to"
    assert [(one.text, one.end_ms) for one in second.stretches] == [("", 200), ("go home", 1000)]
    assert "episode 1 of 2" in first.prompt and "corrected by ann" in first.prompt and "ann" not in second.prompt
    assert not first.extra, "the data folder knows where it is"
    assert [checked_item(item) for item in (first, second)] == [first, second]


def test_lengths_are_those_of_the_moments(session: Session) -> None:
    items = found(session.recording).items
    assert [(one.key, one.length_ms) for one in read_moments(session.recording, CAMERAS)] == [
        (item.recording, item.duration_ms) for item in items
    ]
    (only,) = read_moments(session.recording, CAMERAS, only="e1")
    assert only.key == items[1].recording
    with pytest.raises(InputError, match="no episode e7"):
        read_moments(session.recording, CAMERAS, only="e7")


def test_files_folders_and_sessions_are_taken(session: Session, tmp_path: Path) -> None:
    data = data_of(session)
    items = found(session.recording, data).items
    for path in (session.folder, data / "sessions", Path(session.id), Path("last")):
        assert found(path, data).items == items
    copy = tmp_path / "elsewhere.mcap"
    copy.write_bytes(session.recording.read_bytes())
    away = found(copy, data).items[0]
    assert away.extra == {PATH: str(copy)} and away.id == items[0].id
    assert find_recording(Catalog(tmp_path), away.recording, away.extra) == (copy, "e0")


def test_what_cannot_be_used_is_refused_alone_and_reported_among_others(session: Session, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    cut = tmp_path / "a" / "recording.mcap"
    cut.write_bytes(session.recording.read_bytes()[:-3000])
    with pytest.raises(InputError, match="cut off after"):
        found(cut)
    with pytest.raises(InputError, match="cut off after"):
        found(tmp_path)
    (tmp_path / "b" / "recording.mcap").write_bytes(session.recording.read_bytes())
    imported = found(tmp_path)
    assert len(imported.items) == 2 and "cut off" in imported.report.lines()[1]
    (tmp_path / "b" / "again.mcap").write_bytes(session.recording.read_bytes())
    again = found(tmp_path)
    assert len(again.items) == 2 and "episodes that are there twice" in again.report.lost


def test_what_is_not_there_says_what_to_give(session: Session, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no recording"):
        found(tmp_path)
    with pytest.raises(InputError, match="is not there"):
        found(tmp_path / "no.mcap", data_of(session))
    with pytest.raises(InputError, match=f"the newest: {session.id}"):
        found(Path("01ARZ3NDEKTSV4RRFFQ69G5FAV"), data_of(session))
    with pytest.raises(InputError, match="no head of density time"):
        found(session.recording, schema=preset("thumbs"))


def test_the_command_makes_a_project_once(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    data = data_of(session)
    assert cli.main(["import", "recordings", "last", "--data", str(data)]) == 0
    assert "made with the schema segments" in capsys.readouterr().out
    assert cli.main(["import", "recordings", session.id, "--data", str(data)]) == 0
    assert "2 items, 0 of them new" in capsys.readouterr().out
    project = Projects(data).open("recordings")
    assert len(project) == 2
    project.close()
    stored = import_file(data, "recordings", session.folder, project="own", schema=preset("segments"))
    assert stored.new_items == 2


# -- stretches and what a person is told ----------------------------------------------------------------------------


def episode(length_ms: int, start_ms: int = 1000, task: Task | None = None) -> RecordedEpisode:
    ticks = np.arange(length_ms // 20)
    zeros = np.zeros((len(ticks), 14))
    at_ns = (start_ms + 20 * ticks) * 1_000_000
    return RecordedEpisode("e", 50.0, ticks, at_ns, zeros, zeros, np.zeros(len(ticks), bool), task)


@given(
    st.integers(1, 400).map(lambda ticks: 20 * ticks),
    st.lists(st.tuples(st.integers(0, 12_000), st.sampled_from(["", "go home", "go up"])), max_size=12),
)
def test_stretches_are_the_whole_without_gaps(length_ms: int, told: list[tuple[int, str]]) -> None:
    told.sort(key=lambda one: one[0])
    commands = [(at * 1_000_000, command(text, "policy" if text else "none")) for at, text in told]
    found = stretches(episode(length_ms), commands)
    checked_item(Item(id="i", recording="s/e", duration_ms=length_ms, stretches=found))
    assert found[0].start_ms == 0 and found[-1].end_ms == length_ms
    assert len(found) == 1 or all(one.end_ms - one.start_ms >= SHORTEST_MS for one in found)
    assert all(one.text or not one.by for one in found)
    assert not any(not one.text and not two.text for one, two in zip(found, found[1:], strict=False))
    inside = {text for at, text in told if 1000 <= at < 1000 + length_ms}
    assert {one.text for one in found} <= inside | {""}


def test_a_person_is_told_how_the_task_went(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from hitl.interchange import recordings

    outcome = EpisodeEvent(
        id="o", session="s", episode="e", session_ns=0, stage=2, stages=5, success=False, shift="slippery"
    )
    task = Task(name="pack the box", stage=5, stages=5, finished=True, success=True)
    recorded = recordings.read_recorded(session.recording)
    for given_task, lines in ((task, ["pack the box: 5 of 5 done, a success"]), (None, ["the task: 2 of 5 done"])):
        one = episode(1000, task=given_task)
        told = recordings.Recorded((one,), (), True, 0, (), {"e": outcome})
        monkeypatch.setattr(recordings, "read_recorded", lambda _path, told=told: told)
        (item,) = found(session.recording).items
        assert item.prompt.splitlines()[:2] == [*lines, "shift: slippery"]
    assert recorded.outcomes == {}


# -- round trips ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(session: Session) -> Exported:
    items = found(session.recording).items
    span = Span(
        track="time", start=500, end=1500, categories=["mistake", "unsafe"], note="it slips", suggested_by="t3"
    )
    said = [span, Span(track="time", start=2000, end=2400, categories=["done"]), Review(state="done", note="so")]
    praise = Span(track="time", start=0, end=900, categories=["good"])
    events = [labelled(items[0], said, "ann"), labelled(items[1], [praise])]
    return Exported(PROJECT, preset("segments"), items, events)


@pytest.mark.parametrize("name", ["jsonl", "csv", "label-studio"])
def test_recordings_and_their_labels_come_back(project: Exported, name: str, tmp_path: Path) -> None:
    report = FORMATS[name].writer()(project, tmp_path / "file.json")
    assert not report.lost
    find = {item.id: item for item in project.items}.__getitem__
    back = FORMATS[name].reader()(tmp_path / "file.json", Reading(PROJECT, schema=project.schema, find=find))
    assert all_said(Exported(PROJECT, back.schema, project.items, back.events)) == all_said(project)
    if name != "csv":
        assert back.items == project.items and back.items[0].stretches


def test_label_studio_gets_a_time_series(project: Exported, tmp_path: Path) -> None:
    FORMATS["label-studio"].writer()(project, tmp_path / "file.json")
    first, second = json.loads((tmp_path / "file.json").read_text())
    series = first["data"]["recording"]
    assert series["time"][:3] == [0, 100, 200] and series["time"][-1] == 3000
    assert [series["stretch"][series["time"].index(at)] for at in (0, 500, 1600, 2900)] == [1, 2, 3, 4]
    marked = next(r for r in first["annotations"][0]["result"] if r["type"] == "timeserieslabels")
    assert marked["value"] == {"start": 500, "end": 1500, "instant": False, "timeserieslabels": ["mistake", "unsafe"]}
    config = (tmp_path / "file.config.xml").read_text()
    assert "<TimeSeriesLabels" in config and 'timeColumn="time"' in config
    marked["value"] |= {"start": 512.4, "end": 1499.6}
    (tmp_path / "file.json").write_text(json.dumps([first, second]))
    back = FORMATS["label-studio"].reader()(tmp_path / "file.json", Reading(PROJECT))
    assert back.schema.name == "segments"
    spans = [c.value for event in back.events for c in event.changes if isinstance(c.value, Span)]
    assert (spans[0].start, spans[0].end) == (512, 1500)


def test_what_other_formats_do_not_hold_is_reported(project: Exported, tmp_path: Path) -> None:
    judged = labelled(project.items[0], [Judged(track="time", start=0, end=500)], "bob")
    more = Exported(PROJECT, project.schema, project.items, [*project.events, judged])
    assert "parts that were looked at" in FORMATS["label-studio"].writer()(more, tmp_path / "a").lost
    text = Item(id="t", outputs=[Output(track="1", text="so")])
    beside = Exported(PROJECT, project.schema, [*project.items, text], [])
    assert "recordings beside texts" in FORMATS["label-studio"].writer()(beside, tmp_path / "b").lost
    for name in ("trl-preference", "trl-unpaired", "trl-stepwise", "trl-segments"):
        assert FORMATS[name].writer()(project, tmp_path / name).lost, name
