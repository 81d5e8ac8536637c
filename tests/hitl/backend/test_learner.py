"""The learner's threads, with models that only count: who asks is answered first, and nothing is lost."""

from __future__ import annotations

import threading

import pytest

from hitl.annotation.items import Prompt
from hitl.annotation.project import Projects
from hitl.annotation_messages import (
    Generate,
    Labelled,
    OpenItem,
    OpenProject,
    Progress,
    StopGenerating,
    Suggestions,
    Written,
)
from hitl.backend.learner import Learning
from hitl.backend.pinned_rewards import PinnedRewards
from hitl.backend.reward_project import RewardProject
from hitl.backend.reward_versions import RewardVersions
from hitl.backend.writer_thread import WriterThread
from hitl.errors import UnavailableError
from tests.hitl.backend.test_reward_project import DONE, Counting
from tests.support.labelled import PROJECT, label, logged, project, put, span

PATIENCE_S = 30.0


class Told:
    """What was sent."""

    def __init__(self):
        self.messages = []
        self._there = threading.Condition()

    def __call__(self, message):
        with self._there:
            self.messages.append(message)
            self._there.notify_all()

    def until(self, true):
        with self._there:
            assert self._there.wait_for(lambda: true(self.messages), PATIENCE_S), self.messages
        return self.messages

    def of(self, kind):
        return [message for message in self.messages if isinstance(message, kind)]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def models():
    return Counting()


@pytest.fixture
def learning(tmp_path, told, models):
    made = project(tmp_path)
    log = []
    thread = Learning(lambda name: RewardProject(made, log, models), told)
    thread.log = log
    thread.start()
    yield thread
    thread.close()
    made.close()


def open_project():
    return OpenProject(id="o", project=PROJECT, author="ann")


def test_a_label_refreshes_the_item_in_front_and_the_progress(learning, told, models):
    learning.ask(open_project())
    learning.ask(OpenItem(id="i", project=PROJECT, item="two", author="ann"))
    step = logged(label(put(span(0, 10))))
    learning.ask(Labelled(event=step))
    told.until(lambda all: any(isinstance(m, Progress) for m in all))
    kinds = [type(message) for message in told.messages[:2]]
    assert kinds == [Suggestions, Progress] and told.messages[0].item == "two"
    assert told.messages[1].learned_from == step.id


def test_a_version_that_a_person_rolls_back_to_is_told_at_once_and_so_is_letting_go(tmp_path, told, models):
    made, versions = project(tmp_path), RewardVersions(tmp_path / "rewards")
    old = Counting()
    old.promoted = 1
    pinned = PinnedRewards(models, versions, lambda _version: old)
    thread = Learning(lambda name: RewardProject(made, [], pinned, versions=versions), told)
    thread.start()
    thread.ask(open_project())
    thread.ask(OpenItem(id="i", project=PROJECT, item="one", author="ann"))
    thread.ask(Labelled(event=logged(label(put(span(0, 10))))))
    told.until(lambda all: any(isinstance(m, Progress) for m in all))
    (versions.folder / "r12").mkdir()
    (versions.folder / "r12" / "model.json").write_text("{}")
    versions.pin("r12")  # from another process, while nobody asks anything
    told.until(lambda all: any(isinstance(m, Suggestions) and m.version == "r12" for m in all))
    told.until(lambda all: any(isinstance(m, Progress) and m.pinned == m.version == "r12" for m in all))
    told.messages.clear()
    versions.unpin()
    told.until(lambda all: any(isinstance(m, Suggestions) and m.version == "r1" for m in all))
    told.until(lambda all: any(isinstance(m, Progress) and (m.pinned, m.version) == ("", "r1") for m in all))
    thread.close()


def test_an_item_that_is_asked_for_ahead_does_not_come_in_front(learning, told, models):
    learning.ask(open_project())
    learning.ask(OpenItem(id="i", project=PROJECT, item="one", author="ann"))
    learning.ask(OpenItem(id="j", project=PROJECT, item="two", author="ann", ahead=True))
    learning.ask(Labelled(event=logged(label(put(span()), about="three"))))
    told.until(lambda all: any(isinstance(m, Progress) for m in all))
    assert [message.item for message in told.of(Suggestions)] == ["one"]


def test_all_items_are_read_while_nobody_asks_and_then_the_queue_is_told(learning, told, models):
    learning.log.append(logged(label(put(span(0, 10)), DONE)))
    models.uncertain = {"three/1": 0.9}
    learning.ask(open_project())
    told.until(lambda all: any(isinstance(m, Progress) and m.order == ["three", "two", "one"] for m in all))
    assert len(models.encoded) == 6


def test_an_open_item_is_suggested_at_once_where_a_version_is_there(learning, told):
    learning.log.append(logged(label(put(span(0, 10)))))
    learning.ask(open_project())
    told.until(lambda all: any(isinstance(m, Progress) for m in all))
    learning.ask(OpenItem(id="i", project=PROJECT, item="three", author="ann"))
    told.until(lambda all: any(isinstance(m, Suggestions) and m.item == "three" for m in all))


def test_an_error_does_not_end_the_learning(learning, told):
    learning.ask(OpenItem(id="i", project="other", item="one", author="ann"))
    learning.ask(open_project())
    learning.ask(OpenItem(id="i", project=PROJECT, item="nine", author="ann"))
    learning.ask(Labelled(event=logged(label(put(span(0, 10)), about="nine"))))
    learning.ask(Labelled(event=logged(label(put(span(0, 10))))))
    told.until(lambda all: any(isinstance(m, Progress) for m in all))


def test_who_asks_waits_for_one_item_that_is_read_and_not_for_all(learning, models):
    """Reading a recording takes seconds."""
    happened, all_read = [], threading.Event()

    def reading(documents):
        happened.append(documents[0].id)
        if len(happened) == 1:
            learning.ask(OpenItem(id="i", project=PROJECT, item="three", author="ann"))
        if len(happened) == 3:
            all_read.set()

    models.encode = reading
    learning.ask(open_project())
    assert all_read.wait(PATIENCE_S)
    assert happened == ["one/1", "three/1", "two/1"]


class Slow:
    """A writer that waits for the test between two words."""

    name = "slow"

    def __init__(self):
        self.go = threading.Semaphore(0)

    def write(self, prompt, wish, told, stopped):
        texts = []
        for word in ("one", "two", "three"):
            self.go.acquire(timeout=PATIENCE_S)
            if stopped():
                return texts
            texts = [" ".join([*texts, word])]
            told(texts)
        return texts


@pytest.fixture
def writer():
    return Slow()


@pytest.fixture
def writing(tmp_path, told, writer):
    project(tmp_path, []).close()

    def make(model, device):
        if model == "none":
            raise UnavailableError("it is not there.", field="none")
        return writer

    thread = WriterThread(Projects(tmp_path), told, "cpu", make)
    thread.start()
    yield thread
    writer.go.release(100)
    thread.close()


def wish(name="w", model="", count=1, **fields):
    prompts = [Prompt(text=f"{number}?") for number in range(2)]
    return Generate(id=name, project=PROJECT, prompts=prompts, count=count, model=model, **fields)


def test_words_are_told_while_they_are_written_and_items_when_they_are_there(writing, told, writer, tmp_path):
    writing.ask(wish())
    writer.go.release(1)
    told.until(lambda all: any(m.texts == ["one"] for m in all))
    writer.go.release(5)
    told.until(lambda all: all and all[-1].finished)
    items = [message.item for message in told.of(Written) if message.item]
    assert Projects(tmp_path).open(PROJECT).ids() == items and len(items) == 2
    assert told.messages[-1].error == ""


def test_writing_can_be_stopped_and_the_next_wish_begins(writing, told, writer, tmp_path):
    writing.ask(wish())
    writer.go.release(4)  # the first is there, the second has one word
    told.until(lambda all: any(m.item for m in all))
    writing.ask(StopGenerating(id="w"))
    writer.go.release(1)
    told.until(lambda all: all[-1].finished)
    assert len(Projects(tmp_path).open(PROJECT)) == 1
    writing.ask(wish("again"))
    writer.go.release(9)
    told.until(lambda all: all[-1].finished and all[-1].id == "again")
    assert len(Projects(tmp_path).open(PROJECT)) == 2


@pytest.mark.parametrize(("fields", "why"), [({"model": "none"}, "not there"), ({"count": 99}, "count")])
def test_what_goes_wrong_is_told_and_the_thread_goes_on(writing, told, writer, fields, why):
    writing.ask(wish(**fields))
    told.until(lambda all: all and all[-1].finished)
    assert why in told.messages[-1].error
    writer.go.release(9)
    writing.ask(wish("good"))
    told.until(lambda all: all[-1].finished and all[-1].id == "good" and not all[-1].error)
