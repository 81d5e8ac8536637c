"""A person at work: items on their way, undo over items and restarts, other windows, refusals, a lost link, time."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate.project_state import ASK_AGAIN_NS, ProjectState
from gui.annotate.workbench import Workbench
from hitl.annotation.items import Item, Output
from hitl.annotation.presets import preset
from hitl.annotation.state import check_changes
from hitl.annotation_messages import (
    Counts,
    ItemOpened,
    Labelled,
    OpenItem,
    OpenProject,
    Progress,
    ProjectOpened,
    Stepped,
    Suggestions,
)
from hitl.clock import ManualClock
from hitl.events import LabelEvent
from hitl.labels import Change, Review, Span
from hitl.messages import Ack, Label

_S = 1_000_000_000
SCHEMA = preset("fine-grained-rlhf")


class Backend:
    """The other end, as far as it is needed: keeps steps and answers questions."""

    def __init__(self, items: int = 3) -> None:
        self.items = [
            Item(id=f"i{n}", outputs=[Output(track="a", text=f"It is {n}. It was two.")]) for n in range(items)
        ]
        self.events: list[LabelEvent] = []

    def answer(self, question: OpenProject | OpenItem) -> ProjectOpened | ItemOpened:
        if isinstance(question, OpenItem):
            item = next((item for item in self.items if item.id == question.item), None)
            steps = [event for event in self.events if event.item == question.item]
            error = "" if item is not None else "no such item"
            return ItemOpened(id=question.id, project=question.project, item=item, steps=steps, error=error)
        own = [event for event in self.events if event.author == question.author]
        return ProjectOpened(
            id=question.id, project=question.project, projects=["p"], schema=SCHEMA if question.project else None,
            items=[Counts(item=item.id, state="new") for item in self.items],
            history=[Stepped(id=event.id, item=event.item, undoes=event.undoes) for event in own],
        )  # fmt: skip

    def save(self, label: Label) -> list[Labelled | Ack]:
        item = next(item for item in self.items if item.id == label.item)
        check_changes(item, SCHEMA, label.changes)
        event = LabelEvent(
            id=label.id, session="s", session_ns=0, author=label.author, project=label.project, item=label.item,
            changes=label.changes, undoes=label.undoes, spent_s=label.spent_s,
        )  # fmt: skip
        self.events.append(event)
        return [Ack(id=label.id), Labelled(event=event)]


class Desk:
    """A workbench and a backend; `settle` lets them talk until nothing is left to say."""

    def __init__(self, backend: Backend | None = None, author: str = "Ada") -> None:
        self.backend = backend or Backend()
        self.clock = ManualClock(100 * _S)
        self.sent: list[Label] = []
        self.state = ProjectState(author, "p")
        self.state.queue.order = "listed"
        self.bench = Workbench(self.state, self.sent.append, self.clock)
        self.state.link(True)
        self.settle()

    def settle(self, *, save: bool = True) -> None:
        for _ in range(8):
            for question in self.state.asks(self.clock.now_ns()):
                self.bench.receive([self.backend.answer(question)])
            if save:
                sent, self.sent[:] = list(self.sent), []
                for label in sent:
                    self.bench.receive(self.backend.save(label))

    def mark(self, letter: str = "f") -> None:
        editor = self.bench.editor
        assert editor is not None
        category = editor.category_of(letter)
        assert category is not None
        self.bench.do(editor.mark(category))

    def spans(self) -> list[Span]:
        assert self.bench.editor is not None
        return list(self.bench.editor.labels.spans().values())


def test_the_first_open_item_is_shown_and_the_next_is_there_already():
    desk = Desk()
    assert desk.bench.item == "i0"
    assert set(desk.state.items) == {"i0", "i1"}


def test_a_step_counts_at_once_and_is_saved_once():
    desk = Desk()
    desk.mark()
    assert len(desk.spans()) == 1 and len(desk.state.pending) == 1
    desk.settle()
    assert len(desk.spans()) == 1 and not desk.state.pending
    assert len(desk.backend.events) == 1


def test_finishing_goes_on_to_what_is_not_done():
    desk = Desk()
    desk.bench.finish()
    desk.settle()
    assert desk.bench.item == "i1"
    desk.bench.skip()
    desk.settle()
    assert desk.bench.item == "i2"
    desk.bench.finish()
    desk.settle()
    assert desk.bench.item == "i2" and "last item" in desk.bench.said
    assert [count.state for count in desk.state.queue.counts.values()] == ["done", "skipped", "done"]


def test_undo_goes_back_to_the_item_it_is_about():
    desk = Desk()
    desk.mark()
    desk.bench.finish()
    desk.settle()
    desk.mark("i")
    assert desk.bench.item == "i1"
    desk.bench.undo()
    assert desk.spans() == []
    desk.bench.undo()
    desk.settle()
    assert desk.bench.item == "i0" and desk.bench.editor is not None
    assert desk.bench.editor.labels.review.state == "open"
    desk.bench.undo()
    assert desk.spans() == []
    desk.bench.redo()
    assert [span.categories for span in desk.spans()] == [["Wrong-Grounding"]]
    desk.bench.redo()
    desk.bench.redo()
    desk.settle()
    assert desk.bench.item == "i1" and [span.categories for span in desk.spans()] == [["Irrelevant"]]
    assert desk.bench.redo() is None and "nothing to redo" in desk.bench.said


def test_undo_survives_a_restart():
    desk = Desk()
    desk.mark()
    desk.settle()
    again = Desk(desk.backend)
    assert len(again.spans()) == 1
    again.bench.undo()
    again.settle()
    assert again.spans() == []
    third = Desk(desk.backend)
    third.bench.redo()
    assert len(third.spans()) == 1


def test_undo_of_an_item_that_is_not_there_yet_waits_for_it():
    desk = Desk()
    desk.mark()
    desk.settle()
    again = Desk(desk.backend)
    again.bench.go(1)
    again.settle()
    again.state.items.pop("i0")
    assert again.bench.undo() is None and again.bench.loading
    again.settle()
    assert again.bench.item == "i0" and again.spans() == []
    assert again.backend.events[-1].undoes == desk.backend.events[0].id


def test_a_new_step_ends_what_could_be_redone():
    desk = Desk()
    desk.mark()
    desk.bench.undo()
    desk.mark("u")
    assert desk.state.history.redo is None


def test_steps_of_a_start_before_wait_behind_those_of_the_log():
    backend = Backend()
    desk = Desk(backend)
    desk.mark()
    (kept,) = desk.sent
    again = ProjectState("Ada", "p")
    again.submitted(kept)
    bench = Workbench(again, lambda label: None, ManualClock(_S))
    again.link(True)
    for _ in range(4):
        for question in again.asks(1 << 60):
            bench.receive([backend.answer(question)])
    assert bench.editor is not None and len(bench.editor.labels.spans()) == 1
    assert again.history.undo is not None and again.history.undo.id == kept.id
    bench.receive(backend.save(kept))
    assert not again.pending and len(bench.editor.labels.spans()) == 1


def test_another_window_of_the_same_person_is_followed():
    backend = Backend()
    one, other = Desk(backend), Desk(backend)
    one.mark()
    for label in one.sent:
        messages = backend.save(label)
        one.bench.receive(messages)
        other.bench.receive([message for message in messages if isinstance(message, Labelled)])
    assert len(other.spans()) == 1
    other.bench.undo()
    assert other.spans() == [] and other.sent[0].undoes == backend.events[0].id


def test_other_people_are_seen_and_not_mixed_in():
    backend = Backend()
    ada, bo = Desk(backend), Desk(backend, "Bo")
    bo.mark()
    for label in bo.sent:
        ada.bench.receive([m for m in backend.save(label) if isinstance(m, Labelled)])
    assert ada.spans() == [] and ada.bench.editor is not None
    assert list(ada.bench.editor.others) == ["Bo"] and ada.state.authors == ["Bo"]
    assert ada.state.queue.counts["i0"].others == 1
    assert ada.state.history.undo is None


def test_a_refused_step_never_was():
    desk = Desk()
    desk.mark()
    desk.bench.receive([Ack(id=desk.sent[0].id, error="the project is gone")])
    assert desk.spans() == [] and desk.state.error == "the project is gone"
    assert desk.state.history.undo is None and not desk.state.pending


def test_a_step_that_could_not_be_kept_never_was():
    desk = Desk()
    desk.mark()
    desk.state.failed(desk.sent[0].id, "the disk is full")
    desk.bench.follow()
    assert desk.spans() == [] and desk.state.error == "the disk is full"


def test_what_is_not_answered_is_asked_again_and_a_new_link_asks_all_anew():
    state = ProjectState("Ada", "p")
    assert state.asks(0) == [], "there is no link"
    state.link(True)
    (first,) = state.asks(10)
    assert isinstance(first, OpenProject) and state.asks(11) == []
    assert state.asks(10 + ASK_AGAIN_NS) == [first]
    desk = Desk()
    desk.state.link(False)
    desk.state.link(True)
    asked = desk.state.asks(desk.clock.now_ns())
    assert {type(question) for question in asked} == {OpenProject, OpenItem}


def test_labels_made_while_the_link_is_away_stay_when_it_comes_back():
    desk = Desk()
    desk.state.link(False)
    desk.mark()
    desk.state.link(True)
    desk.settle(save=False)
    assert len(desk.spans()) == 1 and len(desk.state.pending) == 1
    desk.settle()
    assert len(desk.spans()) == 1 and not desk.state.pending


def test_without_a_project_it_looks_which_there_are_again_and_again():
    state = ProjectState("Ada")
    state.link(True)
    (question,) = state.asks(0)
    assert isinstance(question, OpenProject) and question.project == ""
    state.apply(Backend().answer(question))
    assert state.projects == ["p"]
    assert not state.asks(1) and state.asks(ASK_AGAIN_NS) and not state.asks(ASK_AGAIN_NS + 1)


def test_a_project_that_cannot_be_opened_says_why():
    state = ProjectState("Ada", "gone")
    state.link(True)
    (question,) = state.asks(0)
    state.apply(ProjectOpened(id=question.id, project="gone", projects=[], error="no such project"))
    assert state.error == "no such project" and state.schema is None


def test_old_answers_are_passed_over():
    desk = Desk()
    assert not desk.state.apply(ItemOpened(id="old", project="p", item=desk.backend.items[2]))
    assert not desk.state.apply(ProjectOpened(id="old", project="p", projects=[]))
    assert not desk.state.apply(Suggestions(project="other", item="i0", version="1"))


def test_a_new_version_orders_the_queue_and_asks_for_its_suggestions():
    desk = Desk()
    desk.state.queue.order = "uncertain"
    desk.bench.receive([Progress(project="p", version="2", labelled=3, held_out=2, order=["i2", "i1"])])
    assert desk.state.queue.ordered() == ["i2", "i1", "i0"]
    assert any(isinstance(question, OpenItem) for question in desk.state.asks(desk.clock.now_ns()))


def test_the_backend_knows_which_item_is_in_front():
    desk = Desk()
    asked: list[OpenItem] = []
    answer = desk.backend.answer

    def heard(question):
        asked.extend([question] if isinstance(question, OpenItem) else [])
        return answer(question)

    desk.backend.answer = heard  # type: ignore[method-assign]
    desk.bench.go(1)
    desk.settle()
    assert [(q.item, q.ahead) for q in asked] == [("i1", False), ("i2", True)], "known already, and told all the same"
    asked.clear()
    desk.bench.receive([Progress(project="p", version="2", labelled=3, held_out=2)])
    desk.settle()
    assert [(q.item, q.ahead) for q in asked] == [("i1", False)], "not the one that was asked for ahead"
    asked.clear()
    desk.state.link(False)
    desk.state.link(True)
    desk.clock.advance(10)
    desk.settle()
    assert {(q.item, q.ahead) for q in asked} == {("i1", False), ("i2", True)}


def test_an_item_that_was_asked_for_ahead_and_is_shown_before_it_comes_is_asked_for_anew():
    desk = Desk()
    desk.state.want_item("i2", ahead=True)
    desk.state.want_item("i2")
    (question,) = desk.state.asks(desk.clock.now_ns() + ASK_AGAIN_NS)
    assert (question.item, question.ahead) == ("i2", False)


def test_time_is_written_into_steps_and_pauses_are_left_out():
    desk = Desk()
    desk.clock.advance(10)
    desk.mark()
    desk.clock.advance(31)
    desk.mark("u")
    desk.clock.advance(5)
    desk.mark("i")
    assert [label.spent_s for label in desk.sent] == [10.0, 0.0, 5.0]
    assert desk.bench.spent_s() == 15.0
    desk.clock.advance(20)
    assert desk.bench.spent_s() == 35.0, "it runs while the person reads"


def test_a_flag_is_given_and_taken():
    desk = Desk()
    desk.bench.flag()
    assert desk.state.labels("i0").review == Review(state="flagged")
    desk.bench.flag()
    assert desk.state.labels("i0").review.state == "open"


@given(st.lists(st.sampled_from(["mark", "undo", "redo", "next", "done", "walk"]), max_size=25), st.integers(0, 25))
def test_undoing_everything_leaves_nothing_and_redoing_brings_all_back(keys, lag):
    desk = Desk()
    letters = count()
    for place, key in enumerate(keys):
        assert desk.bench.editor is not None
        match key:
            case "mark":
                desk.mark("fuic"[next(letters) % 4])
            case "undo":
                desk.bench.undo()
            case "redo":
                desk.bench.redo()
            case "next":
                desk.bench.go(1)
            case "done":
                desk.bench.finish()
            case "walk":
                desk.bench.do(desk.bench.editor.next_sentence(1))
        desk.settle(save=place >= lag)
    desk.settle()
    whole = {item.id: dict(desk.state.labels(item.id).values) for item in desk.backend.items}
    undone = 0
    while desk.state.history.undo is not None:
        desk.bench.undo()
        desk.settle()
        undone += 1
        assert undone < 200
    assert all(not desk.state.labels(item.id).values for item in desk.backend.items)
    for _ in range(undone):
        desk.bench.redo()
        desk.settle()
    assert {item.id: dict(desk.state.labels(item.id).values) for item in desk.backend.items} == whole


def test_changes_of_no_step_are_no_label():
    desk = Desk()
    assert desk.bench.do([]) is None and not desk.sent
    assert desk.bench.do([Change(key="review", value=Review(state="open"))]) is not None


def test_another_project_begins_anew_and_what_waits_for_the_log_goes_along():
    desk = Desk()
    desk.mark()
    before = desk.bench.state
    before.queue.order = "random"
    desk.bench.said = "Taken back."
    desk.bench.open_project("q")
    now = desk.bench.state
    assert desk.bench.said == "", "that was about the other one"
    assert now is not before and (now.author, now.project, now.schema, now.items) == ("Ada", "q", None, {})
    assert now.projects == before.projects and now.queue.order == "random"
    assert list(now.pending) == list(before.pending) and len(now.pending) == 1
    (question,) = [asked for asked in now.asks(desk.clock.now_ns()) if isinstance(asked, OpenProject)]
    assert question.project == "q"
