"""What each command changes: marking, several categories, proposals, evidence, earlier text, walking."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate import samples
from gui.annotate.editor import ItemEditor
from hitl.annotation.items import Item, Output, SourceText
from hitl.annotation.presets import preset
from hitl.annotation.state import ItemLabels, apply, check_changes, inverse, labels_of
from hitl.annotation_messages import Suggestion, Suggestions
from hitl.labels import Change, Evidence, Judged, Missing, Preference, Rejected, Review, Rewrite, Span

TEXT = "The tower was lit in 1911. It is 38 metres high. The tower was lit in 1911."
ITEM = Item(
    id="one", prompt="When?", sources=[SourceText(title="A", sentences=["It was lit in 1912.", "It is high."])],
    outputs=[Output(track="a", text=TEXT), Output(track="b", text="In 1912."), Output(track="c", text="")],
)  # fmt: skip


def editor(schema: str = "fine-grained-rlhf", item: Item = ITEM) -> ItemEditor:
    numbers = count(1)
    return ItemEditor(item, preset(schema), new_name=lambda: f"n{next(numbers)}")


def do(edit: ItemEditor, changes: list[Change]) -> list[Change]:
    if changes:
        check_changes(edit.item, edit.schema, changes)
        values = dict(edit.labels.values)
        apply(values, changes)
        edit.take(ItemLabels(values), edit.others)
    return changes


def press(edit: ItemEditor, letter: str) -> list[Change]:
    category = edit.category_of(letter)
    assert category is not None
    return do(edit, edit.mark(category))


def only_span(edit: ItemEditor) -> Span:
    (span,) = edit.labels.spans().values()
    return span


def select(edit: ItemEditor, words: str, behind: int = 0) -> None:
    start = edit.text.index(words, behind)
    edit.select(start, start + len(words))


def test_a_letter_marks_what_is_selected():
    edit = editor()
    select(edit, "1911")
    press(edit, "f")
    assert only_span(edit) == Span(track="a", start=21, end=25, categories=["Wrong-Grounding"])
    assert edit.span == only_span(edit)


def test_another_letter_adds_a_category_and_the_same_takes_it_away():
    edit = editor()
    select(edit, "38 metres")
    press(edit, "f")
    press(edit, "i")
    assert only_span(edit).categories == ["Wrong-Grounding", "Irrelevant"]
    press(edit, "f")
    assert only_span(edit).categories == ["Irrelevant"]
    press(edit, "i")
    assert not edit.labels.spans() and edit.target is None


def test_marking_the_same_text_again_is_no_second_span():
    edit = editor()
    for letter in "fu":
        select(edit, "1911")
        press(edit, letter)
    assert only_span(edit).categories == ["Wrong-Grounding", "Unverifiable"]


def test_spans_may_overlap_and_lie_in_each_other():
    edit = editor()
    for words, letter in (("The tower was lit", "i"), ("lit in 1911", "f"), ("tower", "u")):
        select(edit, words)
        press(edit, letter)
    assert len(edit.labels.spans("a")) == 3
    found = edit.at(TEXT.index("tower"))
    spans = [edit.labels.values[target.key] for target in found]
    assert [span.end - span.start for span in spans] == [5, 17], "the innermost first"  # type: ignore[union-attr]


def test_resizing_one_leaves_what_lies_around_it():
    edit = editor()
    for words, letter in (("The tower was lit", "i"), ("tower", "u")):
        select(edit, words)
        press(edit, letter)
    outer = next(span for span in edit.labels.spans().values() if span.end == 17)
    do(edit, edit.extend(lambda cursor: cursor.extend_word(1)))
    assert edit.span is not None and TEXT[edit.span.start : edit.span.end] == "tower was"
    assert outer in edit.labels.spans().values()
    do(edit, edit.extend(lambda cursor: cursor.nudge(-1, start=False)))
    assert edit.span is not None and TEXT[edit.span.start : edit.span.end] == "tower wa"


def test_a_repeated_text_knows_what_it_repeats():
    edit = editor()
    edit.select_sentence(2)
    press(edit, "r")
    assert only_span(edit).repeats == (0, 26)
    edit.start_picking()
    edit.cursor.to(0, 9)
    do(edit, edit.enter())
    assert only_span(edit).repeats == (0, 9) and not edit.picking
    edit.start_picking()
    edit.cursor.to(60, 65)
    assert edit.enter() == [] and edit.picking and "not earlier" in edit.said
    do(edit, edit.extend(lambda cursor: cursor.nudge(-1, start=True)))
    assert only_span(edit).start == 49, "while the earlier text is chosen the span stays as it is"


def test_walking_judges_what_is_left_behind_and_going_back_does_not():
    edit = editor()
    first = do(edit, edit.next_sentence(1))
    assert [change.value for change in first] == [Judged(track="a", start=0, end=26)]
    assert edit.judged(0) and not edit.judged(1)
    assert do(edit, edit.next_sentence(-1)) == []
    assert do(edit, edit.next_sentence(1)) == [], "once is enough"
    do(edit, edit.next_sentence(1))
    last = do(edit, edit.next_sentence(1))
    assert last and edit.cursor.sentence == 2 and "last sentence" in edit.said
    assert [edit.judged(number) for number in range(3)] == [True] * 3


def suggest(edit: ItemEditor, *entries: tuple[str, str]) -> None:
    found = [Suggestion(track="a", start=TEXT.index(words), end=TEXT.index(words) + len(words), category=kind,
                        probability=0.7) for words, kind in entries]  # fmt: skip
    edit.suggestions = Suggestions(project="p", item="one", version="r3", spans=found)


def test_enter_goes_through_suggestions_and_then_on():
    edit = editor()
    suggest(edit, ("1911", "Wrong-Grounding"), ("38 metres", "Unverifiable"))
    assert do(edit, edit.enter()) == [] and edit.proposal is not None
    do(edit, edit.enter())
    assert only_span(edit).suggested_by == "r3" and edit.span is not None
    do(edit, edit.enter())
    assert edit.judged(0) and edit.proposal is not None and edit.proposal.span.categories == ["Unverifiable"]
    (no,) = do(edit, edit.remove())
    assert isinstance(no.value, Rejected) and edit.proposals() == []


def test_another_letter_on_a_suggestion_says_no_to_it_and_marks():
    edit = editor()
    suggest(edit, ("1911", "Wrong-Grounding"))
    edit.enter()
    press(edit, "u")
    assert only_span(edit).categories == ["Unverifiable"]
    assert len(edit.labels.of(Rejected)) == 1 and not edit.proposals()


def test_spans_of_others_are_taken_over_with_all_they_say():
    edit = editor()
    theirs = Span(track="a", start=21, end=25, categories=["Wrong-Grounding"], note="1912",
                  evidence=[Evidence(source=0, sentence=1)])  # fmt: skip
    edit.take(edit.labels, {"Tomás": ItemLabels({"span:x": theirs})})
    assert edit.proposals() == []
    edit.shows_others = True
    edit.step_target(1)
    assert edit.proposal is not None and edit.proposal.author == "Tomás"
    assert edit.remove() == [] and "Tomás" in edit.said
    do(edit, edit.accept())
    assert only_span(edit) == theirs and edit.proposals() == []


def test_missing_items_take_evidence_and_notes():
    edit = editor()
    press(edit, "m")
    do(edit, edit.toggle_evidence(0, 1))
    do(edit, edit.set_note("the year "))
    expected = Missing(
        track="a", category="Missing-Answer", evidence=[Evidence(source=0, sentence=1)], note="the year"
    )
    assert list(edit.labels.missing().values()) == [expected]
    do(edit, edit.toggle_evidence(0, 1))
    assert edit.missing is not None and edit.missing.evidence == []
    do(edit, edit.remove())
    assert not edit.labels.missing()


def test_evidence_needs_a_label():
    edit = editor()
    assert edit.toggle_evidence(0, 1) == [] and "Mark something first" in edit.said


def test_severities_go_round():
    edit = editor("mqm")
    select(edit, "1911")
    press(edit, "m")
    seen = []
    for _ in range(4):
        do(edit, edit.next_severity())
        seen.append(only_span(edit).severity)
    assert seen == ["Minor", "Major", "Neutral", ""]


def test_a_rewrite_that_is_the_text_itself_is_none():
    edit = editor()
    assert edit.rewrite(TEXT) == []
    do(edit, edit.rewrite("It was lit in 1912."))
    assert edit.labels.rewrite("a") == "It was lit in 1912."
    assert edit.rewrite("It was lit in 1912.") == []
    do(edit, edit.rewrite(TEXT))
    assert not edit.labels.of(Rewrite)


def test_preferences_and_reviews():
    edit = editor()
    do(edit, edit.prefer("a", "b", "second"))
    do(edit, edit.prefer("a", "b", "tie"))
    assert edit.labels.of(Preference) == {"preference:a:b": Preference(first="a", second="b", winner="tie")}
    do(edit, edit.prefer("a", "b", "tie"))
    assert not edit.labels.preferences()
    do(edit, edit.set_note("odd"))
    do(edit, edit.review("flagged"))
    assert edit.labels.review == Review(state="flagged", note="odd")


def test_an_empty_output_takes_no_span():
    edit = editor()
    edit.go_to_track("c")
    category = edit.category_of("f")
    assert category is not None and edit.mark(category) == [] and edit.said
    assert edit.next_sentence(1) == []


def test_who_gives_up_choosing_the_earlier_text_has_the_span_again():
    edit = editor()
    select(edit, "1911")
    press(edit, "r")
    edit.start_picking()
    edit.move_word(1)
    edit.start_picking()
    assert edit.span is not None and edit.cursor.selection == (edit.span.start, edit.span.end) and not edit.picking


def test_what_went_away_is_no_longer_current():
    edit = editor()
    select(edit, "1911")
    press(edit, "f")
    edit.take(ItemLabels(), {})
    assert edit.target is None and edit.span is None


_COMMANDS: list[Callable[[ItemEditor], list[Change] | None]] = [
    lambda e: e.move_word(1), lambda e: e.move_word(-1), lambda e: e.next_sentence(1), lambda e: e.next_sentence(-1),
    lambda e: e.enter(), lambda e: e.remove(), lambda e: e.step_target(1), lambda e: e.step_target(-1),
    lambda e: e.extend(lambda c: c.extend_word(1)), lambda e: e.extend(lambda c: c.extend_word(-1)),
    lambda e: e.extend(lambda c: c.nudge(1, start=False)), lambda e: e.extend(lambda c: c.nudge(1, start=True)),
    lambda e: e.extend(lambda c: c.extend_sentence(1)), lambda e: e.start_picking(), lambda e: e.show_track(1),
    lambda e: e.toggle_evidence(0, 2), lambda e: e.set_note("x"), lambda e: e.next_severity(),
    lambda e: e.review("done"), lambda e: e.rewrite("new"), lambda e: e.move_end(1),
    *(lambda e, c=c: e.mark(e.schema.categories[c]) for c in range(8)),
]  # fmt: skip


@given(st.lists(st.sampled_from(_COMMANDS), max_size=30))
def test_every_step_is_one_that_the_backend_takes_and_can_be_taken_back(commands):
    edit = editor()
    suggest(edit, ("1911", "Wrong-Grounding"), ("38 metres", "Irrelevant"))
    for command in commands:
        before = dict(edit.labels.values)
        changes = do(edit, command(edit) or [])
        start, end = edit.cursor.selection
        assert 0 <= start <= end <= len(edit.text)
        back = dict(edit.labels.values)
        apply(back, inverse(before, changes))
        assert back == before
        if edit.target is not None and edit.target.kind == "span" and not edit.picking:
            assert edit.span is not None and edit.cursor.selection == (edit.span.start, edit.span.end)


def test_the_samples_are_steps_that_a_backend_takes():
    schema, item = samples.schema(), samples.items()[0]
    made = (
        samples.marked,
        samples.missing,
        samples.rewritten,
        samples.contradicting,
        samples.of_tomas,
        samples.flagged,
    )
    for event in (make() for make in made):
        check_changes(item, schema, event.changes)
    assert len(labels_of([samples.marked()]).spans()) == 6
    for entry in samples.suggestions().segments:
        assert item.outputs[0].text[entry.start : entry.end].strip()


def test_a_sentence_of_which_nobody_can_say_anything_is_not_judged():
    edit = editor()
    do(edit, edit.toggle_unsure())
    assert edit.unsure(0) and do(edit, edit.next_sentence(1)) == []
    edit.select_sentence(0)
    do(edit, edit.toggle_unsure())
    assert not edit.unsure(0) and not edit.labels.values


def test_done_judges_the_first_answer_and_those_with_something_on_them():
    edit = editor()
    do(edit, edit.review("done"))
    assert edit.judged(0)
    edit.go_to_track("b")
    assert not edit.judged(0)
    press(edit, "m")
    assert edit.judged(0)
