"""What is told about projects, and which steps are taken."""

from __future__ import annotations

import pytest

from hitl.annotation.project import Projects
from hitl.annotation_messages import Counts, OpenItem, OpenProject
from hitl.backend.annotation_desk import AnnotationDesk
from hitl.errors import InputError
from hitl.labels import Change, Review
from tests.support.labelled import PROJECT, item, label, logged, project, put, span

WINDOW, OTHER = b"gui:1", b"gui:2"


class Log:
    """The steps on disk."""

    def __init__(self) -> None:
        self.events = []

    def __call__(self, name):
        return [event for event in self.events if event.project == name]


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def desk(tmp_path, log):
    project(tmp_path).close()
    made = AnnotationDesk(Projects(tmp_path), log)
    yield made
    made.close()


def opened(desk, author="ann", peer=WINDOW, name=PROJECT):
    return desk.open_project(peer, OpenProject(id="o", project=name, author=author), learner=False)


def take(desk, step):
    return desk.label(step, "session", 5)


def test_a_project_is_opened_with_what_is_in_the_log(desk, log):
    steps = [label(put(span()), put(Review(state="done"), "")), label(put(span()), author="bob", about="two")]
    log.events += [logged(step) for step in steps]
    answer = opened(desk)
    assert answer.schema is not None and answer.schema.name == "fine-grained-rlhf" and answer.projects == [PROJECT]
    assert answer.items == [
        Counts(item="one", state="done", spans=1),
        Counts(item="two", state="new", others=1),
        Counts(item="three", state="new"),
    ]
    assert [step.id for step in answer.history] == [steps[0].id] and answer.authors == ["ann", "bob"]
    assert desk.watching(PROJECT) == [WINDOW]


def test_imported_steps_cannot_be_undone(desk, log):
    import msgspec

    log.events.append(msgspec.structs.replace(logged(label(put(span()))), origin="file.json"))
    assert opened(desk).history == [] and opened(desk).items[0].spans == 1


def test_without_a_name_only_the_names_are_told(desk):
    answer = opened(desk, name="")
    assert answer.projects == [PROJECT] and answer.schema is None and not answer.error
    assert desk.watching("") == []


def test_a_project_that_is_not_there_says_so(desk):
    opened(desk)
    answer = opened(desk, name="other")
    assert "no project 'other'" in answer.error and answer.projects == [PROJECT]
    assert desk.watching(PROJECT) == [], "who asks for another project has left this one"


def test_a_step_becomes_an_event_once(desk):
    step = label(put(span()), spent_s=2.5)
    event = take(desk, step)
    assert event is not None and event.session == "session" and event.session_ns == 5
    assert (event.id, event.changes, event.spent_s) == (step.id, step.changes, 2.5)
    assert take(desk, step) is None
    answer = desk.open_item(WINDOW, OpenItem(id="i", project=PROJECT, item="one", author="ann"))
    assert answer.item == item("one") and answer.steps == [event]


def test_a_step_of_an_earlier_run_is_known(desk, log):
    step = label(put(span()))
    log.events.append(logged(step))
    assert take(desk, step) is None


def test_what_is_not_on_disk_yet_survives_a_second_opening(desk):
    event = take(desk, label(put(span())))
    assert opened(desk).items[0].spans == 1
    assert desk.open_item(WINDOW, OpenItem(id="i", project=PROJECT, item="one", author="ann")).steps == [event]


def test_what_was_imported_meanwhile_is_seen_at_the_next_opening(desk, log, tmp_path):
    opened(desk)
    other = Projects(tmp_path).open(PROJECT)
    other.add([item("four")])
    log.events.append(logged(label(put(span()), about="four", author="bob")))
    assert opened(desk).items[-1] == Counts(item="four", state="new", others=1)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (label(put(span(0, 9_999))), "changes.0.start"),
        (label(put(span(0, 3, "x"))), "category"),
        (label(put(span()), about="nine"), "item"),
        (label(put(span()), undoes="01ARZ3NDEKTSV4RRFFQ69G5FAV"), "undoes"),
    ],
)
def test_a_step_that_cannot_be_meant_is_refused_and_leaves_nothing(desk, step, why):
    with pytest.raises(InputError, match=why):
        take(desk, step)
    assert desk.open_item(WINDOW, OpenItem(id="i", project=PROJECT, item="one", author="ann")).steps == []


def test_undo_and_redo_are_taken_once_and_only_of_ones_own(desk):
    step = label(put(span()))
    take(desk, step)
    gone = [Change(key="span:a", value=None)]
    with pytest.raises(InputError, match="undoes"):
        take(desk, label(*gone, undoes=step.id, author="bob"))
    undo = label(*gone, undoes=step.id)
    assert take(desk, undo) is not None
    with pytest.raises(InputError, match="taken back already"):
        take(desk, label(*gone, undoes=step.id))
    assert take(desk, label(put(span()), undoes=undo.id)) is not None


def test_an_item_that_is_not_there_says_so(desk):
    assert "no item" in desk.open_item(WINDOW, OpenItem(id="i", project=PROJECT, item="nine", author="ann")).error
    assert "no project" in desk.open_item(WINDOW, OpenItem(id="i", project="x", item="one", author="ann")).error


def test_who_has_left_is_told_nothing(desk):
    opened(desk)
    opened(desk, peer=OTHER)
    desk.left(WINDOW)
    desk.left(WINDOW)
    assert desk.watching(PROJECT) == [OTHER]


def test_a_learner_that_comes_later_hears_what_is_open(desk):
    assert desk.under_way() == []
    opened(desk)
    opened(desk, author="bob", peer=OTHER)
    ask = OpenItem(id="i", project=PROJECT, item="one", author="ann")
    desk.open_item(WINDOW, ask)
    desk.open_item(WINDOW, OpenItem(id="k", project=PROJECT, item="two", author="ann", ahead=True))
    desk.open_item(OTHER, OpenItem(id="j", project=PROJECT, item="nine", author="bob"))
    projects, item_ask = desk.under_way()
    assert isinstance(projects, OpenProject) and projects.project == PROJECT and item_ask == ask
    desk.left(WINDOW)
    assert [type(message) for message in desk.under_way()] == [OpenProject]
