"""From a recorded session, its log and labels to segments and shards; sessions that cannot be used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from hitl.annotation.items import Item
from hitl.annotation.presets import preset
from hitl.annotation.project import Projects
from hitl.clock import new_ulid
from hitl.errors import DatasetError, InputError
from hitl.events import LabelEvent, RequestEvent
from hitl.hindsight import Hindsight, Rules, families_of
from hitl.labels import Change, Span
from hitl.segment_shards import Template, write_shards
from hitl.session_hindsight import (
    Lesson,
    as_records,
    as_table,
    categories_of,
    lessons_of,
    reasons_of,
    warning,
    write_lessons,
)
from hitl.sessions.catalog import Catalog, Session
from hitl.sessions.recorded import read_recorded
from hitl.speech.narration import LeftOut
from policies.hierarchy.dataset import GUIDED, load_recordings
from policies.hierarchy.sampling import Batches, low_level_samples
from tests.support.narrated import CAMERAS, HOME, Move, record
from tests.support.recorded import S
from tests.support.watched import COMMANDS, FAMILIES, LEFT, PICK, PUT, log, watched_session

TEMPLATE = Template(CAMERAS, ["red block"], COMMANDS)


def lessons(data: Path, *names: str) -> list[Lesson]:
    return lessons_of(data, names or ["last"], FAMILIES, families_of(FAMILIES), Rules())


def label(data: Path, item: str, span: Span, project: str = "marks", key: str = "span:a") -> None:
    projects = Projects(data)
    if project not in projects.names():
        made = projects.create(project, preset("segments"))
        made.add([Item(id=item, prompt="", recording=item, duration_ms=4000)])
        made.close()
    event = LabelEvent(
        id=new_ulid(), session="s", session_ns=0, author="ann", project=project, item=item,
        changes=[Change(key=key, value=span)],
    )  # fmt: skip
    log(data, event)


def marked(from_s: float, to_s: float, *categories: str) -> Span:
    return Span(track="time", start=round(1000 * from_s), end=round(1000 * to_s), categories=list(categories))


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return watched_session(tmp_path)[0]


def test_corrections_that_were_done_teach_and_what_they_overruled_does_not(tmp_path: Path) -> None:
    session, names = watched_session(tmp_path)
    (lesson,) = lessons(tmp_path, session.id)
    found = [(one.command, one.start_ns / S, one.end_ns / S, one.why) for one in lesson.found.segments]
    assert found == [(LEFT, 4.0 * at + 1.2, 4.0 * at + 2.6, "correction") for at in range(3)]
    assert lesson.corrections == names and lesson.counts == {"correction": 3, "left out": 6}
    reasons = [left.reason for left in lesson.found.left_out]
    assert reasons[:2] == [f"“{LEFT}” overruled it", "the episode ended before it did"]
    assert not warning(lesson)


def test_what_was_undone_since_is_left_out(tmp_path: Path) -> None:
    session, names = watched_session(tmp_path)
    undo = RequestEvent(
        id=new_ulid(), session=session.id, episode="", session_ns=0, author="ann", kind="undo", target=names[1]
    )
    log(tmp_path, undo)
    assert lessons(tmp_path)[0].corrections == [names[0], names[2]]


def test_marks_of_any_project_count(tmp_path: Path, session: Session) -> None:
    label(tmp_path, f"{session.id}/e0", marked(0.0, 1.2, "good"))
    label(tmp_path, f"{session.id}/e1", marked(1.2, 2.6, "mistake"), project="other")
    label(tmp_path, f"{session.id}/e2", marked(0.0, 4.0, "done"), project="third")
    label(tmp_path, "another/e2", marked(0.0, 4.0, "unsafe"), project="fourth")
    (lesson,) = lessons(tmp_path)
    assert [(one.command, one.why) for one in lesson.found.segments] == [
        (PICK, "marked good"), (LEFT, "correction"), (LEFT, "correction"),
    ]  # fmt: skip
    assert reasons_of(lesson.found.left_out).count("marked as a mistake") == 1
    label(tmp_path, f"{session.id}/e0", marked(0.0, 0.1, "good"))  # the same span, moved
    assert [one.why for one in lessons(tmp_path)[0].found.segments] == ["correction"] * 2


def test_praise_is_what_stands_against_blame() -> None:
    assert categories_of(preset("segments")) == ({"good"}, {"mistake", "unsafe"})
    assert categories_of(preset("thumbs")) == (set(), set())


def test_stages_that_were_won_are_known_from_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    from hitl.messages import Task
    from hitl.sessions.recording import Recorder

    begun = Recorder.state

    def state(self: Recorder, session_ns: int, told: object, *rest: object) -> bool:
        stage = int(session_ns >= 2 * S) + int(session_ns >= 3 * S) - int(session_ns >= 3.5 * S)
        task = Task(name="pack", stage=stage, stages=3, finished=False, success=False)
        return begun(self, session_ns, msgspec.structs.replace(told, task=task), *rest)  # type: ignore[arg-type,type-var]

    monkeypatch.setattr(Recorder, "state", state)
    session = record(tmp_path, [], [Move(1, 2)], 5.0)
    (episode,) = read_recorded(session.recording).episodes
    assert episode.rises_ns == (2 * S, 3 * S) and episode.task is not None and episode.task.stage == 1


# -- shards ------------------------------------------------------------------------------------------------------


def test_only_the_moments_that_teach_are_learned_from(tmp_path: Path, session: Session) -> None:
    label(tmp_path, f"{session.id}/e0", marked(1.5, 2.0, "mistake"))
    written = write_lessons(tmp_path / "set", lessons(tmp_path), TEMPLATE)
    assert (written.shards, written.segments) == (3, 3)
    data = load_recordings(tmp_path / "set")
    data = dataclasses.replace(data, held_out=torch.zeros(3, dtype=torch.bool))  # drawn from new names
    samples = low_level_samples(data, held_out=False)
    ticks = data.frame_tick[samples.frame]
    first = ticks[samples.frame < int((data.frame_episode == 0).sum())]
    assert first.min() >= 100 and first.max() < 131, "its way to the mistake is no example, what follows is"
    second = data.frame_tick[samples.frame[data.frame_episode[samples.frame] == 1]] - 200
    assert second.min() in range(60, 70) and second.max() < 131


def test_a_guided_stretch_is_a_shard_of_its_own_without_its_rests(tmp_path: Path) -> None:
    moves = [Move(1, 2, (-0.05, 0, 0)), Move(4, 5, (0, 0, -0.05))]
    session = record(tmp_path, [], moves, 8.0)
    recorded = read_recorded(session.recording)
    one = Hindsight(
        round(0.5 * S), 6 * S, PUT, "", "e0", why="guided", moments=((0, 6 * S),), events=("a", "b"), rests=False
    )
    other = Hindsight(1 * S, 3 * S, LEFT, "", "e0", moments=((1 * S, 3 * S),), events=("a",))
    out = tmp_path / "set"
    written = write_shards(out, session.id, session.recording, recorded.episodes, [one, other], TEMPLATE)
    assert (written.shards, written.segments, written.left_out) == (2, 2, [])
    whole = load_file(out / "shards" / f"{session.id}-000.safetensors")
    short = load_file(out / "shards" / f"{session.id}-000-guided0.safetensors")
    ((number, begin, done, end, flags),) = short["segments"].tolist()
    assert (number, begin, flags) == (1, 0, 1 | GUIDED) and whole["segments"][-1][4] == 1
    assert 100 < done < 125 and end - done == 25, "two seconds of motion and half of rest, of five and a half"
    target = short["pose_target"]
    assert len(target) == end and len(short["pose"]) == end
    assert target[done, 0] - HOME[0] == pytest.approx(-0.05, abs=0.004)
    assert target[done, 2] - HOME[2] == pytest.approx(-0.05, abs=0.004)
    frames = short["frame_tick"]
    assert (np.diff(frames) > 0).all() and frames[-1] < end and short["frame_clean"].all()
    load_recordings(out)
    again = write_shards(out, session.id, session.recording, recorded.episodes, [other], TEMPLATE)
    assert again.shards == 1 and len(list((out / "shards").iterdir())) == 1


def test_every_frame_of_a_way_to_where_a_hand_let_go_begins_a_way_straight_there(tmp_path: Path) -> None:
    moves = [Move(1, 2, (-0.05, 0, 0)), Move(3, 4, (-0.05, 0, 0)), Move(5, 5.5, (0, 0, 0), opens=0.8)]
    session = record(tmp_path, [], [Move(0, 0.5, (0, 0, 0), opens=-0.4), *moves], 8.0)
    recorded = read_recorded(session.recording)
    about = {"why": "guided", "events": ("a", "b"), "rests": False, "straight": "let go"}
    one = Hindsight(round(2.5 * S), 6 * S, PUT, "", "e0", moments=((1 * S, 2 * S), (round(2.5 * S), 6 * S)), **about)
    out = tmp_path / "set"
    written = write_shards(out, session.id, session.recording, recorded.episodes, [one], TEMPLATE)
    assert (written.shards, written.segments) == (1, 1) and written.frames > 40
    shard = load_file(out / "shards" / f"{session.id}-000-guided0.safetensors")
    rows, target = shard["segments"], shard["pose_target"].reshape(written.frames, 41, 12)
    assert len(rows) == written.frames and (rows[:, 0] == 1).all() and (rows[:, 4] == 1 | GUIDED).all()
    assert rows[:, 1].tolist() == shard["frame_tick"].tolist() == list(range(0, 41 * written.frames, 41))
    assert len(shard["pose"]) == 41 * written.frames and shard["image.overhead"].shape[0] == written.frames
    first = target[0]
    assert first[0, 0] - HOME[0] > -0.02, "it begins where the overruled command began"
    assert first[30, 0] - HOME[0] == pytest.approx(-0.1, abs=0.006), "and goes all the way at once"
    assert first[20, 5] == pytest.approx(0.1, abs=0.03) and target[-1][-1, 5] == pytest.approx(0.9, abs=0.03)
    assert rows[-1][2] - rows[-1][1] < 10 and rows[0][2] - rows[0][1] == 41, "done where the hand is open"
    samples = low_level_samples(load_recordings(out), held_out=False)
    assert len(samples.frame) == written.frames, "each once"


def test_where_a_hand_took_hold_is_the_goal_of_all_that_led_there(tmp_path: Path) -> None:
    moves = [Move(0, 0.4, (0, 0, 0.06), opens=0.4), Move(1, 2, (-0.08, 0, 0)), Move(3, 4, (0, 0, -0.06))]
    moves += [Move(5, 5.5, (0, 0, 0), opens=-0.8), Move(6, 7, (0, 0, 0.08))]
    session = record(tmp_path, [], moves, 8.0)
    recorded = read_recorded(session.recording)
    about = {"why": "guided", "events": ("a", "b"), "rests": False, "straight": "take hold"}
    one = Hindsight(round(2.5 * S), 7 * S, PICK, "", "e0", moments=((1 * S, 2 * S), (round(2.5 * S), 7 * S)), **about)
    write_shards(tmp_path / "set", session.id, session.recording, recorded.episodes, [one], TEMPLATE)
    (shard,) = (load_file(path) for path in (tmp_path / "set" / "shards").iterdir())
    frames = len(shard["frame_tick"])
    target = shard["pose_target"].reshape(frames, 41, 12)
    first = target[0] - HOME
    assert first[0, 0] > -0.02 and first[30, 0] == pytest.approx(-0.08, abs=0.006), "straight above the thing"
    assert first[30, 2] > 0.03, "and down as it went"
    goal = shard["segment_goal"]
    known = np.isfinite(goal).all(1)
    assert known[0] and not known[-1] and (np.diff(known.astype(int)) <= 0).all(), "until it is lifted"
    assert goal[0] - HOME[:3] == pytest.approx([-0.08, 0, 0], abs=0.006)
    data = load_recordings(tmp_path / "set")
    batch = Batches(data, low_level_samples(data, held_out=False), 8, torch.Generator().manual_seed(0), augment=False)
    drawn = batch.take(torch.tensor([0, frames - 1]))
    assert torch.allclose(drawn.goal[0], torch.from_numpy(goal[0])) and drawn.goal[1].isnan().all()


def test_where_no_hand_let_go_the_way_is_as_it_went(tmp_path: Path) -> None:
    session = record(tmp_path, [], [Move(1, 2, (-0.05, 0, 0))], 5.0)
    recorded = read_recorded(session.recording)
    one = Hindsight(
        1 * S,
        3 * S,
        PUT,
        "",
        "e0",
        why="guided",
        moments=((1 * S, 3 * S),),
        events=("a",),
        rests=False,
        straight="let go",
    )
    write_shards(tmp_path / "set", session.id, session.recording, recorded.episodes, [one], TEMPLATE)
    (shard,) = (load_file(path) for path in (tmp_path / "set" / "shards").iterdir())
    assert len(shard["segments"]) == 1 and shard["pose_target"][-1, 0] - HOME[0] == pytest.approx(-0.05, abs=0.004)


def test_a_command_that_was_never_done_is_not_taught_as_done(tmp_path: Path, session: Session) -> None:
    label(tmp_path, f"{session.id}/e1", marked(3.0, 4.0, "good"))
    write_lessons(tmp_path / "set", lessons(tmp_path), TEMPLATE)
    shard = load_file(next((tmp_path / "set" / "shards").glob("*-001.safetensors")))
    put = shard["segments"][shard["segments"][:, 0] == 1]
    assert len(put) == 1 and put[0, 2] == put[0, 3] == 200 and put[0, 4] == 1
    taught = shard["frame_tick"][shard["frame_clean"] == 1]
    assert taught.max() < 161, "nor is the way to its end, which it never reached"


# -- what is told ------------------------------------------------------------------------------------------------


def test_table_and_records_tell_the_same_in_order(tmp_path: Path, session: Session) -> None:
    (lesson,) = lessons(tmp_path)
    records, table = as_records(lesson), as_table(lesson)
    assert [record["kind"] for record in records] == ["left_out", "segment", "left_out"] * 3
    assert records[1]["corrections"] == lesson.corrections[:1]
    assert table.splitlines()[0] == f"session {session.id}" and "overruled it" in table
    assert table.splitlines()[-1] == "correction: 3, left out: 6"


def test_equal_reasons_are_counted_together() -> None:
    said = ["“a” overruled it", "“b” overruled it", "“c” came 1.0 s after it", "it was undone"]
    counted = reasons_of([LeftOut(0, 1, "", reason) for reason in said])
    assert counted == "a correction overruled it: 2, a correction came soon after it: 1, it was undone: 1"


def test_a_recording_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path, session: Session) -> None:
    path = session.recording
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    (lesson,) = lessons(tmp_path)
    assert "cut off after" in warning(lesson) and len(lesson.found.segments) == 2


# -- errors ------------------------------------------------------------------------------------------------------


def test_sessions_that_cannot_be_used(tmp_path: Path, session: Session) -> None:
    with pytest.raises(InputError, match="session: 'nope' is none"):
        lessons(tmp_path, "nope")
    bare = Catalog(tmp_path).new_session()
    with pytest.raises(InputError, match="recording: the session has none"):
        lessons(tmp_path, bare.id)
    bare.recording.write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match="recording.mcap"):
        lessons(tmp_path, session.id, bare.id)
    (tmp_path / "feedback.sqlite").unlink()
    with pytest.raises(InputError, match="there is no feedback log"):
        lessons(tmp_path, session.id)


def test_a_session_that_teaches_nothing_says_why(tmp_path: Path) -> None:
    record(tmp_path, [], [Move(1, 2)], 3.0)
    log(tmp_path)
    with pytest.raises(InputError, match="from: nothing in .* can be learned from .no command ran"):
        lessons(tmp_path)
    session, names = watched_session(tmp_path, episodes=1)
    undo = RequestEvent(
        id=new_ulid(), session=session.id, episode="", session_ns=0, author="ann", kind="undo", target=names[0]
    )
    log(tmp_path, undo)
    with pytest.raises(InputError, match="it was undone: 1"):
        lessons(tmp_path)
    empty = record(tmp_path, [], [], 2.0, lost=lambda _at_s: True)
    with pytest.raises(InputError, match=f"session {empty.id}: no episode of a robot"):
        lessons(tmp_path)


def test_segments_without_pictures_or_motion(tmp_path: Path, session: Session) -> None:
    with pytest.raises(DatasetError, match="no pictures of side"):
        write_lessons(tmp_path / "set", lessons(tmp_path), Template({"side": (8, 8)}, [], COMMANDS))
    still = tmp_path / "still"
    watched_session(still, episodes=1)
    (lesson,) = lessons(still)
    moved = Hindsight(0, S, LEFT, "", "e0", moments=((0, S),))
    idle = Lesson(lesson.session, lesson.recorded, type(lesson.found)((moved,), ()))
    with pytest.raises(DatasetError, match="from: none of the segments can be used .the robot did not move: 1"):
        write_lessons(tmp_path / "none", [idle], TEMPLATE)
