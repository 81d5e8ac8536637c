"""Deciding between several people's labels: which places are open, what a decision changes, and the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from gui.annotate import samples
from gui.annotate.agreement_words import agreement_words, project_words
from gui.annotate.decisions import NEITHER, agreed, clusters, decision, is_open
from gui.annotate.editor import ItemEditor
from gui.annotate.proposals import of_people
from hitl.annotation.items import Item, Output
from hitl.annotation.state import ItemLabels, labels_of
from hitl.annotation_messages import AgreementFound, AskAgreement, HeadAgreement, Labelled, PairAgreement
from hitl.clock import new_ulid
from hitl.labels import Rejected, Review, Span, key_of

CTRL = Qt.KeyboardModifier.ControlModifier
ITEM = Item(id="one", outputs=[Output(track="1", text="x" * 60), Output(track="2", text="y" * 60)])
CATEGORIES = ("Irrelevant", "Redundant", "Wrong-Grounding")


def labels(*spans: Span, done: bool = True) -> ItemLabels:
    values = {key_of(span, f"{number}"): span for number, span in enumerate(spans)}
    return ItemLabels({**values, **({"review": Review(state="done")} if done else {})})


def span(start: int, end: int, *categories: str, track: str = "1") -> Span:
    return Span(track=track, start=start, end=end, categories=list(categories or ("Irrelevant",)))


def after(mine: ItemLabels, changes) -> ItemLabels:
    values = dict(mine.values)
    for change in changes:
        values.pop(change.key, None)
        if change.value is not None:
            values[change.key] = change.value
    return ItemLabels(values)


def marks(mine: ItemLabels) -> set:
    return {(s.track, s.start, s.end, frozenset(s.categories)) for s in mine.spans().values()}


def left(mine: ItemLabels, others) -> int:
    return sum(is_open(place, "me", mine) for place in clusters(ITEM, "me", mine, others))


some = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 15), st.sets(st.sampled_from(CATEGORIES), min_size=1),
              st.sampled_from("12")),
    max_size=4,
    unique_by=lambda entry: (entry[0], entry[1], entry[3]),
).map(lambda found: labels(*(span(a, a + b, *sorted(c), track=t) for a, b, c, t in found)))  # fmt: skip


@given(some, some, some, st.data())
def test_a_decision_leaves_what_was_chosen_and_nothing_open_there(mine, first, second, data):
    others = {"first": first, "second": second}
    found = clusters(ITEM, "me", mine, others)
    for place in found:
        chosen = data.draw(st.sampled_from(["me", "first", "second", NEITHER]))
        said = {(s.track, s.start, s.end, frozenset(s.categories)) for s in place.said.get(chosen, {}).values()}
        mine = after(mine, decision(place, "me", chosen, mine, new_ulid))
        here = {m for m in marks(mine) if m[0] == place.track and place.start <= m[1] < place.end}
        assert here == said
        now = clusters(ITEM, "me", mine, others)
        assert not any(is_open(p, "me", mine) for p in now if p.track == place.track and p.start < place.end
                       and place.start < p.end)  # fmt: skip
    assert left(mine, others) == 0
    assert not of_people({name: of for name, of in others.items()}, mine, "1") or not found


def test_what_the_person_has_or_has_turned_down_is_not_open():
    theirs = {"bob": labels(span(0, 5)), "cyd": labels(span(3, 8, "Redundant"))}
    assert left(labels(), theirs) == 1
    assert left(labels(span(0, 5)), theirs) == 1, "cyd said more"
    assert left(labels(span(0, 5), span(3, 8, "Redundant")), theirs) == 0
    assert left(labels(), {"bob": labels(span(0, 5)), "cyd": labels(span(0, 5))}) == 1, "seen, and not marked"
    assert left(labels(done=False), {"bob": labels(span(0, 5)), "cyd": labels(span(0, 5))}) == 0, "all others agree"
    assert left(labels(span(0, 5)), {"bob": labels()}) == 0, "nobody else marked anything"


def test_who_turns_down_what_all_others_say_does_not_agree():
    mine, theirs = labels(done=False), {"bob": labels(span(0, 5)), "cyd": labels(span(0, 5))}
    (place,) = clusters(ITEM, "me", mine, theirs)
    assert agreed(place, "me", mine) and not is_open(place, "me", mine)
    mine = after(mine, decision(place, "me", NEITHER, mine, new_ulid))
    assert not agreed(place, "me", mine) and not is_open(place, "me", mine)


def test_to_decide_again_takes_the_rejection_back():
    mine, theirs = labels(), {"bob": labels(span(0, 5))}
    (place,) = clusters(ITEM, "me", mine, theirs)
    mine = after(mine, decision(place, "me", NEITHER, mine, new_ulid))
    no = Rejected(track="1", start=0, end=5, category="Irrelevant")
    assert mine.values[key_of(no)] == no and not mine.spans()
    assert decision(place, "me", NEITHER, mine, new_ulid) == []
    mine = after(mine, decision(place, "me", "bob", mine, new_ulid))
    assert key_of(no) not in mine.values and marks(mine) == marks(theirs["bob"])


def test_what_is_the_same_already_keeps_its_key_and_what_was_written_about_it():
    noted = Span(track="1", start=0, end=5, categories=["Irrelevant"], note="mine")
    mine, theirs = labels(noted, span(2, 9)), {"bob": labels(span(0, 5))}
    (place,) = clusters(ITEM, "me", mine, theirs)
    changes = decision(place, "me", "bob", mine, new_ulid)
    assert [(change.key, change.value) for change in changes] == [("span:1", None)]


# -- keys ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(person):
    person.receive(Labelled(event=samples.of_tomas()))
    person.press("L", CTRL)
    return person.view.adjudicate


def test_digits_decide_and_lead_on_until_nothing_is_left(person, page):
    assert page.table.currentRow() == 0 and page._heading.text() == "4 of 4 places left to decide, 2 people"
    assert page.table.horizontalHeaderItem(0).text() == "1  you"
    person.press("2")  # in 1911
    assert page.table.currentRow() == 1 and "3 of 4 places" in page._heading.text()
    person.press("0")  # four: nobody is right
    assert page.table.currentRow() == 2 and page.table.item(1, 0).text() == "nothing  ✓"
    person.press("1")  # local granite: nothing is right, as this person has it
    person.press("2")
    assert "0 of 4 places left" in page._heading.text() and "Nothing is left to decide" in person.view.foot.text()
    made = person.labels(4)
    assert len(made) == 4, "one step each, so that one undo takes one decision back"
    assert [type(step.changes[0].value) for step in made] == [Span, Rejected, Rejected, Span]
    person.press("Z", CTRL)
    assert "1 of 4 places" in page._heading.text()


def test_disagreements_are_walked_in_both_directions_and_over_the_end(person, page):
    person.press("2")
    person.press("Up", CTRL)  # over the beginning: the first is decided
    assert page.table.currentRow() == 3
    person.press("Down", CTRL)
    assert page.table.currentRow() == 1
    person.press("Down", CTRL)
    assert page.table.currentRow() == 2


def test_a_disagreement_in_another_answer_is_found(person):
    theirs = Span(track="prediction 3", start=0, end=2, categories=["Irrelevant"])
    person.receive(Labelled(event=samples.event(8, [theirs], "Tomás")))
    person.press("L", CTRL)
    assert person.editor.track == "prediction 1" and "1 in all answers" in person.view.adjudicate._heading.text()
    person.press("Down", CTRL)
    assert person.editor.track == "prediction 3" and person.view.adjudicate.table.rowCount() == 1
    person.press("2")
    assert person.labels(1)[0].changes[0].value == theirs


def test_digits_and_letters_of_the_schema_do_not_mark_while_deciding(person, page):
    person.press("n")  # a category of this schema
    assert not person.link.requests


def test_agreement_is_asked_for_and_told(person, page):
    def questions():
        return [question for question in person.link.questions if isinstance(question, AskAgreement)]

    person.receive()
    person.qtbot.waitUntil(lambda: bool(questions()))
    (asked,) = questions()
    assert asked.project == samples.PROJECT
    heads = [HeadAgreement(head="relevance", alpha=0.412, segments=90),
             HeadAgreement(head="completeness", alpha=None, segments=4)]  # fmt: skip
    pair = PairAgreement(first="Ada", second="Tomás", exact=0.4, overlap=0.62, items=30)
    found = AgreementFound(id="another", project=samples.PROJECT, items=30, heads=heads, pairs=[pair])
    person.receive(found)
    assert "alpha" not in page._agreement.text(), "an old answer"
    person.receive(AgreementFound(id=asked.id, project=samples.PROJECT, items=30, heads=heads, pairs=[pair]))
    assert "Project, 30 shared items: alpha C1 .41; F1 of spans .62 (you and Tomás)." in (page._agreement.text())


def test_agreement_in_words():
    schema = samples.schema()
    assert project_words(schema, AgreementFound(id="i", project="p", error="no."), "a").endswith("no.")
    assert "no item" in project_words(schema, AgreementFound(id="i", project="p"), "a")
    assert "nothing to compare" in project_words(schema, AgreementFound(id="i", project="p", items=1), "a")
    done = samples.event(7, [Review(state="done")]).changes
    mine = ItemLabels({**labels_of([samples.marked()]).values, done[0].key: done[0].value})
    theirs = ItemLabels({**labels_of([samples.of_tomas()]).values, done[0].key: done[0].value})
    editor = ItemEditor(samples.items()[0], schema, mine, {"Tomás": theirs})
    # 36 characters of the same category, of 277 and 52.
    assert agreement_words(editor, "Ada", None) == "This item: F1 of spans .22 (you and Tomás)."
