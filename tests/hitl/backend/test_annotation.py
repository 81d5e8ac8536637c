"""Annotation through a whole backend with real sockets: windows and a learner are links that the test holds."""

from __future__ import annotations

import pytest

from hitl.annotation.items import Item, Prompt
from hitl.annotation_messages import (
    AgreementFound,
    AskAgreement,
    Generate,
    ItemOpened,
    Labelled,
    OpenItem,
    OpenProject,
    OpenRecording,
    Pictures,
    Progress,
    ProjectOpened,
    RecordingOpened,
    ShowPictures,
    Suggestions,
    Written,
)
from hitl.bus import Link
from hitl.clock import new_ulid
from hitl.events import LabelEvent
from hitl.labels import Change, Review
from hitl.messages import Ack
from hitl.sessions.feedback_log import FeedbackLog
from tests.hitl.backend.test_server import Peer, Stage
from tests.support.labelled import PROJECT, label, project, put, span
from tests.support.recorded import session_with_commands


@pytest.fixture
def stage(tmp_path):
    project(tmp_path / "data").close()
    made = Stage(tmp_path, record=False)
    yield made
    made.close()


@pytest.fixture
def others(stage):
    """More links: they are closed at the end."""
    made = []

    def link(role):
        made.append(Peer(Link(stage.endpoints, role, "test")))
        return made[-1]

    yield link
    for peer in made:
        peer.link.close()


def until(stage, true, *peers):
    def look():
        for peer in peers:
            peer.poll(1)
        return true()

    return stage.until(look, seeing=False)


def open_project(stage, peer, author="ann"):
    until(stage, lambda: peer.link.connected, peer)
    request = OpenProject(id=new_ulid(), project=PROJECT, author=author)
    until(stage, lambda: peer.link.send(request), peer)
    return until(stage, lambda: next((m for m in peer.all(ProjectOpened) if m.id == request.id), None), peer)


def submit(stage, peer, step):
    peer.link.submit(step)
    return until(stage, lambda: next((a for a in peer.all(Ack) if a.id == step.id), None), peer)


def stored(stage):
    return FeedbackLog(stage.settings.data_folder / "feedback.sqlite").labels(PROJECT)


def test_a_step_is_on_disk_before_it_is_acknowledged_and_everybody_hears_of_it(stage, others):
    other, learner = others("gui"), others("learner")
    until(stage, lambda: learner.link.connected, learner)
    assert open_project(stage, stage.window).learner
    assert open_project(stage, other, "bob").schema is not None
    step = label(put(span()))
    assert submit(stage, stage.window, step).error == ""
    assert [event.id for event in stored(stage)] == [step.id]
    everyone = (stage.window, other, learner)
    until(stage, lambda: all(peer.all(Labelled) for peer in everyone), *everyone)
    assert {peer.newest(Labelled).event.id for peer in everyone} == {step.id}
    assert [message.author for message in learner.all(OpenProject)] == ["ann", "bob"]


def test_a_step_that_cannot_be_meant_is_refused_to_its_sender_alone(stage):
    open_project(stage, stage.window)
    ack = submit(stage, stage.window, label(put(span(0, 9_999))))
    assert ack.error.startswith("changes.0.start") and stored(stage) == []
    assert not stage.window.all(Labelled)


def test_what_a_learner_says_reaches_who_has_the_project_open(stage, others):
    other, learner = others("gui"), others("learner")
    until(stage, lambda: learner.link.connected and other.link.connected, learner, other)
    open_project(stage, stage.window)
    ask = OpenItem(id=new_ulid(), project=PROJECT, item="two", author="ann")
    until(stage, lambda: stage.window.link.send(ask))
    given = until(stage, lambda: stage.window.newest(ItemOpened))
    assert given.item is not None and given.item.id == "two"
    until(stage, lambda: learner.all(OpenItem), learner)
    told = [
        Suggestions(project=PROJECT, item="two", version="v1"),
        Progress(project=PROJECT, version="v1", labelled=3, held_out=1),
    ]
    for message in told:
        until(stage, lambda message=message: learner.link.send(message), learner)
    until(stage, lambda: stage.window.all(Suggestions) and stage.window.all(Progress), other)
    assert not other.all(Progress), "it has no project open"


def test_a_window_is_told_how_far_people_agree(stage, others):
    ann, bob = stage.window, others("gui")
    for peer, author in ((ann, "ann"), (bob, "bob")):
        open_project(stage, peer, author)
        submit(stage, peer, label(put(span()), put(Review(state="done"), ""), author=author))
    asked = AskAgreement(id=new_ulid(), project=PROJECT)
    until(stage, lambda: ann.link.send(asked), ann)
    found = until(stage, lambda: next(iter(ann.all(AgreementFound)), None), ann)
    assert (found.id, found.items, found.pairs[0].exact, found.error) == (asked.id, 1, 1.0, "")
    assert not bob.all(AgreementFound)
    ann.got.clear()
    until(stage, lambda: ann.link.send(AskAgreement(id="x", project="gone")), ann)
    assert "gone" in until(stage, lambda: next(iter(ann.all(AgreementFound)), None), ann).error


def test_a_learner_that_comes_late_is_told_what_is_open(stage, others):
    assert not open_project(stage, stage.window).learner
    until(stage, lambda: stage.window.link.send(OpenItem(id=new_ulid(), project=PROJECT, item="two", author="ann")))
    until(stage, lambda: stage.window.newest(ItemOpened))
    learner = others("learner")
    until(stage, lambda: learner.all(OpenProject) and learner.all(OpenItem), learner)
    assert learner.newest(OpenItem).item == "two"


def test_a_wish_without_anybody_to_write_is_answered_at_once(stage):
    open_project(stage, stage.window)
    wish = Generate(id=new_ulid(), project=PROJECT, prompts=[Prompt(text="Why?")])
    until(stage, lambda: stage.window.link.send(wish))
    answer = until(stage, lambda: stage.window.newest(Written))
    assert answer.id == wish.id and answer.finished and "hitl learner" in answer.error


def test_a_window_may_not_speak_for_a_learner_nor_a_learner_label(stage, others):
    learner = others("learner")
    until(stage, lambda: learner.link.connected and stage.window.link.connected, learner)
    until(stage, lambda: stage.window.link.send(Progress(project=PROJECT, version="v", labelled=0, held_out=0)))
    until(stage, lambda: any("may not send Progress" in ack.error for ack in stage.window.all(Ack)))
    assert "may not send Label" in submit(stage, learner, label(put(span()))).error
    until(stage, lambda: stage.window.link.send(Pictures(id="x", project="p", item="i", camera="c")))
    until(stage, lambda: any("Pictures is not taken" in ack.error for ack in stage.window.all(Ack)))


def test_undo_survives_a_restart_of_the_backend(stage):
    open_project(stage, stage.window)
    step = label(put(span()))
    submit(stage, stage.window, step)
    stage.stop()
    stage.start()
    answer = open_project(stage, stage.window)
    assert [done.id for done in answer.history] == [step.id]
    undo = label(Change(key="span:a", value=None), undoes=step.id)
    assert submit(stage, stage.window, undo).error == ""
    assert [type(event) for event in stored(stage)] == [LabelEvent, LabelEvent]


def test_pictures_of_a_recording_come_as_payloads(tmp_path):
    session = session_with_commands(tmp_path / "data", [], 1.0, cameras={"front": (24, 32)})
    name = f"{session.id}/e0"
    project(tmp_path / "data", [Item(id="rec", recording=name, duration_ms=1000)], "segments").close()
    stage = Stage(tmp_path, record=False)
    try:
        open_project(stage, stage.window)
        ask = OpenRecording(id=new_ulid(), project=PROJECT, item="rec")
        until(stage, lambda: stage.window.link.send(ask))
        opened = until(stage, lambda: stage.window.newest(RecordingOpened))
        assert opened.id == ask.id and [(one.name, len(one.times_ms)) for one in opened.cameras] == [("front", 10)]
        stage.window.poll = lambda timeout_ms=10: None  # what comes is read here, with its payloads
        for item, camera, start_ms in (("rec", "front", 500), ("nothing", "front", 0)):
            show = ShowPictures(id=item, project=PROJECT, item=item, camera=camera, start_ms=start_ms, end_ms=900)
            until(stage, lambda show=show: stage.window.link.send(show))
        came = []

        def all_there():
            came.extend(r for r in stage.window.link.poll(5) if isinstance(r.message, Pictures))
            return len(came) == 2

        until(stage, all_there)
        shown, refused = sorted(came, key=lambda received: received.message.id, reverse=True)
        assert shown.message.times_ms == [500, 600, 700, 800] and shown.message.finished
        assert [bytes(jpeg[:2]) for jpeg in shown.payloads] == [b"\xff\xd8"] * 4
        assert "no item" in refused.message.error and refused.message.finished and not refused.payloads
    finally:
        stage.close()
