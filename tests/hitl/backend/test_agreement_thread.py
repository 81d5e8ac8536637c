"""How far people agree, found beside everything else and counted anew only where labels changed."""

from __future__ import annotations

import queue

import pytest

from hitl.annotation.agreement import agreement_of
from hitl.annotation.project import Projects
from hitl.annotation_messages import AskAgreement
from hitl.backend.agreement_thread import AgreementThread
from hitl.interchange.exchange import Exported
from hitl.labels import Review
from tests.support.labelled import PROJECT, label, logged, project, put, span

DONE = put(Review(state="done"), "")


class Counted(Projects):
    """Projects that know which items were read."""

    def __init__(self, data):
        super().__init__(data)
        self.read = []

    def open(self, name):
        found = super().open(name)
        item = found.item
        found.item = lambda item_id: (self.read.append(item_id), item(item_id))[1]
        return found


@pytest.fixture
def asked(tmp_path):
    project(tmp_path).close()
    projects, told = Counted(tmp_path), queue.SimpleQueue()
    thread = AgreementThread(projects, lambda peer, found: told.put((peer, found)))
    thread.start()

    def ask(shared, schema=None, name=PROJECT, peer=b"w"):
        with_schema = schema or projects_schema(tmp_path)
        thread.ask(peer, AskAgreement(id=f"{len(shared)}", project=name), with_schema, shared)
        return told.get(timeout=30)

    ask.projects = projects
    yield ask
    thread.close()


def projects_schema(folder):
    made = Projects(folder).open(PROJECT)
    made.close()
    return made.schema


def steps(about, *people):
    return tuple(logged(label(put(span(*where)), DONE, author=name, about=about)) for name, where in people)


def test_it_is_the_agreement_of_the_command(asked, tmp_path):
    shared = {
        "one": steps("one", ("ann", (0, 25)), ("bob", (0, 10))),
        "two": steps("two", ("ann", (0, 25)), ("bob", (0, 25))),
    }
    peer, found = asked(shared)
    made = Projects(tmp_path).open(PROJECT)
    labels = Exported(PROJECT, made.schema, [], [step for said in shared.values() for step in said]).labels()
    expected = agreement_of(made.schema, made.items(), labels).overall
    made.close()
    assert (peer, found.items, found.error) == (b"w", 2, "")
    assert {entry.head: (entry.alpha, entry.segments) for entry in found.heads} == {
        key: (alpha.value, alpha.units) for key, alpha in expected.heads.items()
    }
    ((pair,), (known,)) = found.pairs, expected.pairs
    assert (pair.first, pair.second, pair.exact, pair.overlap, pair.items) == ("ann", "bob", 0.5, known.overlap, 2)


def test_only_what_changed_is_counted_again(asked):
    first = steps("one", ("ann", (0, 25)), ("bob", (0, 25)))
    assert asked({"one": first})[1].pairs[0].exact == 1.0
    assert asked({"one": first})[1].pairs[0].exact == 1.0
    assert asked.projects.read == ["one"]
    more = (*first, logged(label(put(span(30, 40), "b"), author="ann")))
    two = steps("two", ("ann", (0, 25)), ("bob", (0, 25)))
    assert asked({"one": more, "two": two})[1].pairs[0].exact == 0.8
    assert asked.projects.read == ["one", "one", "two"]


def test_a_project_that_is_gone_says_so_and_the_next_is_answered(asked):
    shared = {"one": steps("one", ("ann", (0, 25)), ("bob", (0, 25)))}
    assert "gone" in asked(shared, name="gone")[1].error
    assert asked(shared)[1].error == ""
