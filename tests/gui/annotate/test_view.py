"""What a person does in Annotate with keys and mouse, in real windows."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QPlainTextEdit

from gui import samples as live
from gui.annotate import samples
from gui.annotate.paint_bench import KEYS, paint_times_ms
from gui.annotate.text_row import TextRow
from gui.commands import COMMANDS, ITEM
from gui.theme import Theme
from hitl.annotation.text import Range
from hitl.annotation_messages import Labelled, OpenProject
from hitl.labels import Evidence, Judged, Missing, Preference, Rejected, Review, Rewrite, Span, Unsure
from hitl.messages import Correction, Label

CTRL, SHIFT, ALT = (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier,
                    Qt.KeyboardModifier.AltModifier)  # fmt: skip


def values(person, count: int) -> list:
    return [change.value for label in person.labels(count) for change in label.changes]


def point_of(view, offset: int) -> QPoint:
    """Where a character of the answer is on the screen."""
    row = next(n for n, row in enumerate(view.rows) if row.place.start <= offset < row.place.end)
    (piece,) = view.rows[row].pieces(offset, offset + 1)
    top = view.tops[row] - view.verticalScrollBar().value() + view.rows[row].tops[piece.line]
    return QPoint(int(view.left + (piece.left + piece.right) / 2), int(top + view.rows[row].line_height / 2))


def test_an_item_is_labelled_with_keys_alone(person):
    for _ in range(10):
        person.press("Right")
    person.press("f")
    person.press("E", CTRL)
    assert person.view.sources.view.hasFocus()
    person.press("Down")
    person.press("Down")
    person.press("Return")
    person.press("E", CTRL)
    assert person.view.text.hasFocus()
    person.press("F2")
    QTest.keyClicks(person.view.labels.details.note, "off by one")
    person.press("Return")
    assert person.view.text.hasFocus()
    expected = samples.span("1911", "Wrong-Grounding", note="off by one", evidence=[Evidence(source=0, sentence=2)])
    assert values(person, 3)[-1] == expected
    person.press("Return")
    assert values(person, 4)[-1] == Judged(track="prediction 1", start=0, end=52)
    person.press("Return", CTRL)
    assert values(person, 5)[-1] == Review(state="done")
    assert all(isinstance(label, Label) and label.author == samples.AUTHOR for label in person.link.requests)
    assert person.view.bench.item != "dev-37"


def test_letters_are_text_while_a_field_has_the_focus(person):
    person.press("F2")
    QTest.keyClicks(person.view.labels.details.note, "first fit")
    assert person.view.labels.details.note.text() == "first fit" and not person.editor.labels.spans()
    person.press("Left")
    person.press("Backspace")
    assert person.view.labels.details.note.text() == "first ft"
    assert person.editor.cursor.whole, "arrows stay in the field"


def test_spans_grow_shrink_and_go_with_keys(person):
    person.press("Right")
    person.press("i")
    person.press("Right", SHIFT)
    person.press("Right", SHIFT)
    person.press("Left", ALT)
    assert values(person, 4)[-1] == Span(track="prediction 1", start=0, end=16, categories=["Irrelevant"])
    person.press("Backspace")
    assert values(person, 5)[-1] is None and not person.editor.labels.spans()


def test_undo_and_redo_with_keys(person):
    person.press("i")
    person.press("Z", CTRL)
    assert not person.editor.labels.spans()
    person.press("Z", CTRL, SHIFT)
    assert len(person.editor.labels.spans()) == 1
    made, undone, redone = person.labels(3)
    assert undone.undoes == made.id and redone.undoes == undone.id


def test_the_keys_of_live_are_silent_here_and_those_of_annotate_there(person, link):
    person.receive(live.policy_command())
    person.press("1")
    person.press("Slash")
    assert not person.link.requests and not person.window.live.say.box.hasFocus()
    person.window.registry.trigger("view.live")
    person.press("f")
    person.press("Return")
    person.press("1")
    assert [type(sent) for sent in person.labels(1)] == [Correction]


def test_escape_stops_the_robot_from_here_too(person, link):
    person.press("F2")
    person.press("Escape")
    assert len(link.stops) == 1


def test_dragging_shows_what_will_be_selected_before_it_is(person):
    view = person.view.text
    start, end = view._text.index("keepers") + 2, view._text.index("houses") + 2
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point_of(view, start))
    QTest.mouseMove(view.viewport(), point_of(view, end))
    assert view.preview is not None
    assert view._text[view.preview.start : view.preview.end] == "keepers’ houses"
    assert person.editor.cursor.whole, "nothing is selected yet"
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point_of(view, end))
    assert view.preview is None
    assert view._text[slice(*person.editor.cursor.selection)] == "keepers’ houses"
    assert not person.link.requests


def test_a_handle_makes_a_span_longer(person):
    view = person.view.text
    person.press("Right")
    person.press("i")
    grip = view._drawing.handle(3, at_start=False)
    assert grip is not None
    to = point_of(view, view._text.index("Ellery") + 2)
    none = Qt.KeyboardModifier.NoModifier
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, none, grip.center().toPoint())
    QTest.mouseMove(view.viewport(), to)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, none, to)
    first, second = person.labels(2)
    assert [change.key for change in first.changes] == [change.key for change in second.changes]
    assert view._text[: second.changes[0].value.end] == "The lighthouse at Port Ellery"


def test_clicking_goes_through_nested_spans_from_the_inside(person):
    person.steps = [samples.marked()]
    person.view.bench.state.items.clear()
    person.view.bench.open_item("dev-37")
    person.answer()
    view = person.view.text
    place = point_of(view, view._text.index("birds"))
    seen = []
    for _ in range(3):
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        seen.append(person.editor.span.categories)
    assert seen == [["Unverifiable", "Incoherent"], ["Irrelevant"], ["Unverifiable", "Incoherent"]]


def test_suggestions_are_taken_and_refused_with_keys(person):
    person.receive(samples.suggestions())
    person.press("Return")
    assert "71%" in person.view.labels.details._title.text()
    person.press("Return")
    assert values(person, 1)[0].suggested_by == "r12"
    person.press("Right", CTRL)
    person.press("Backspace")
    assert isinstance(values(person, 2)[-1], Rejected)


def test_missing_items_and_a_click_on_a_source(person):
    person.press("m")
    sources = person.view.sources.view
    QTest.mouseClick(sources.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
                     sources.box(2).center())  # fmt: skip
    expected = Missing(track="prediction 1", category="Missing-Answer", evidence=[Evidence(source=0, sentence=2)])
    assert values(person, 2)[-1] == expected
    chip = person.view.labels.details._chip_row.widget_at(0)
    assert chip.accessibleName() == "Evidence 1.2, take away"
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert values(person, 3)[-1].evidence == []


def test_the_corrected_text_is_a_step_when_the_field_is_left(person):
    person.press("T", CTRL)
    field = person.view.rewrite.field
    assert field.hasFocus()
    field.setPlainText(field.toPlainText().replace("four", "three"))
    assert "line-through" in person.view.rewrite._diff.text() and not person.link.requests
    person.press("T", CTRL)
    (rewrite,) = values(person, 1)
    assert isinstance(rewrite, Rewrite) and "three keepers" in rewrite.text
    assert person.view.rewrite._count.text() == "1 out, 1 in"


def test_what_is_being_written_is_kept_when_the_item_is_finished(person):
    person.press("T", CTRL)
    person.view.rewrite.field.setPlainText("Another answer altogether.")
    person.press("Return", CTRL)
    first, second = values(person, 2)[:2]
    assert first == Rewrite(track="prediction 1", text="Another answer altogether.")
    assert second == Review(state="done") and {label.item for label in person.link.requests} == {"dev-37"}


def test_pairs_are_compared_with_arrows_and_a_circle_is_named(person):
    person.press("K", CTRL)
    assert person.view.compare.isVisible()
    for key in ("Left", "Right", "Down"):  # 1>2, 1<3, 1=4
        person.press(key)
    assert [value.winner for value in values(person, 3)] == ["first", "second", "tie"]
    person.press("Left")  # 2>3 closes the circle
    assert "contradict" in person.view.compare._warning.text() and person.view.compare._warning.isVisible()
    assert all(isinstance(value, Preference) for value in values(person, 4))
    person.press("K", CTRL)
    assert not person.view.compare.isVisible() and person.view.text.isVisible()


def test_other_peoples_labels_are_taken_over_with_one_key(person):
    person.receive(Labelled(event=samples.of_tomas()))
    person.press("L", CTRL)
    table = person.view.adjudicate.table
    assert (table.rowCount(), table.columnCount()) == (4, 2)
    person.press("Down")
    person.press("Return")
    (found,) = values(person, 1)
    assert found == samples.span("four", "Wrong-Grounding", evidence=[Evidence(source=0, sentence=4)])
    assert "✓" in table.item(1, 0).text()


def test_the_bar_says_where_things_stand(person):
    words = person.view.foot.text()
    assert "1 of 414, 36 done" in words and "held-out F1 C1 .64 C2 .58 ↗" in words and "most uncertain" in words
    assert "saved" in words
    person.press("i")
    assert "1 step waiting" in person.view.foot.text()
    person.press("F8")
    assert "flagged" in person.view.foot.text()


def test_every_control_has_a_name_and_every_command_a_key_or_a_place(person):
    kinds = (QAbstractButton, QLineEdit, QPlainTextEdit)
    for control in (found for kind in kinds for found in person.view.findChildren(kind)):
        if control.isVisible() and control.parent().objectName() not in ("qt_scrollarea_viewport",):
            assert control.accessibleName() or control.text(), control
    ours = [command for command in COMMANDS if set(command.views) & set(ITEM)]
    assert len(ours) > 40
    for command in ours:
        assert person.window.registry.action(command.id).receivers("2triggered(bool)") > 0, command.id


def test_only_what_changed_is_drawn_anew(person):
    view = person.view.text
    drawn: list[int] = []
    original = view.draw_row
    view.draw_row = lambda painter, row, box: (drawn.append(row), original(painter, row, box))  # type: ignore[method-assign]
    view.repaint()
    drawn.clear()
    person.press("Right")
    person.qtbot.wait(30)
    assert set(drawn) <= {0, 1}, "the first sentence, and what its box touches"


def test_what_is_shown_is_what_would_be_drawn_anew(person):
    """Rows are kept as pictures; whatever is done, none of them may be out of date."""
    person.receive(samples.suggestions())
    rows = [person.view.text, person.view.sources.view]
    keys = ["Right", "i", "Down", "f", "Return", "Up", "Backspace", "Right", "c", "Return"]
    for step, key in enumerate(keys + ["Z", "Z", "E", "Down", "Return", "E"]):
        person.press(key, *([CTRL] if step >= len(keys) and key in "ZE" else []))
        if key == "Down":
            person.view.sources.view.search("light")
        for area in rows:
            shown = area.viewport().grab().toImage()
            area.redraw_all()
            assert shown == area.viewport().grab().toImage(), f"{area.objectName()} after {key}"
    assert person.editor.labels.spans()


def test_text_size_and_theme_change_while_it_is_shown(person):
    before = person.view.text.rows[0].line_height
    person.window.registry.trigger("text.bigger")
    assert person.view.text.rows[0].line_height > before
    person.window.registry.trigger("theme.dark")
    image = person.view.text.grab().toImage()
    assert image.pixelColor(image.width() - 3, image.height() - 3).lightness() < 60


@pytest.mark.parametrize("text", [
    "plain words", "The sign ברוכים הבאים is up", "👩‍👩‍👧‍👦 all 🏖️ summer", "مرحبا بالعالم", "e\u0301te\u0301",
    "بلد جميل is a country", "港の祭りは夏", "हर साल मेला", "🇪🇸🇯🇵 and more",
])  # fmt: skip
def test_every_character_is_where_it_is_found(qapp, text):
    row = TextRow(text, Range(0, len(text)))
    row.lay_out(500, Theme("light").font())
    row.set_lanes([0], 10, 2)
    whole = row.pieces(0, len(text))
    assert any(piece.first for piece in whole) and any(piece.last for piece in whole)
    for offset, letter in enumerate(text):
        if letter.isalpha():
            pieces = row.pieces(offset, offset + 1)
            assert len(pieces) <= 1
            if pieces and pieces[0].right - pieces[0].left > 3:
                middle = (pieces[0].left + pieces[0].right) / 2
                assert row.offset_at(middle, 2, on=True) == offset


def test_the_window_asks_for_its_project_and_remembers_it(person, preferences):
    first = next(question for question in person.link.questions if isinstance(question, OpenProject))
    assert (first.project, first.author) == (samples.PROJECT, samples.AUTHOR)
    person.press("O", CTRL)
    assert person.view.projects.isVisible()
    assert [button.text() for button in person.view.projects.buttons] == [samples.PROJECT, "harbour-summaries"]
    person.press("Down")
    person.press("Return")
    person.answer()
    assert person.view.bench.state.project == "harbour-summaries"
    person.window.close()
    assert preferences.remembered("project") == "harbour-summaries"


def test_without_a_project_the_page_teaches(qtbot, make_window, link):
    window = make_window()
    window.registry.trigger("view.annotate")
    page = window.annotate.projects
    assert "Waiting for the backend" in page._title.text() and page._command.text() == "hitl backend"
    assert page._command.isVisible() and "Settings" in page._detail.text()
    window.annotate.connected = True
    window.annotate.bench.state.projects = []
    window.annotate.refresh()
    assert page._command.isVisible() and page._command.text() == "hitl import fine-grained-rlhf FILE"


def test_spoken_words_go_into_the_note_and_not_to_the_robot(person):
    person.press("F2")
    assert person.window.words_for_a_field("off by one year")
    assert person.window.words_for_a_field("or two")
    assert person.view.labels.details.note.text() == "off by one year or two"
    person.view.focus_text()
    assert not person.window.words_for_a_field("go higher"), "no field has the focus, so they are for the robot"


def test_colours_are_never_alone(person):
    person.press("i")
    image = person.view.text.grab().toImage()
    colour = QColor(person.window._theme.mark(0))
    seen = [image.pixelColor(x, y) for x in range(0, image.width(), 2) for y in range(0, 120, 2)]
    assert any(abs(pixel.red() - colour.red()) + abs(pixel.green() - colour.green()) < 12 for pixel in seen)
    assert {category.pattern for category in person.editor.schema.categories} == {
        "solid", "double", "wave", "dashes", "dots", "hatch", "bars", "cross"
    }  # fmt: skip


def test_the_paint_bench_presses_every_key(qapp):
    found = paint_times_ms(qapp, characters=600, spans=5, rounds=1)
    assert [key for key, _ in found] == list(KEYS)


def test_what_nobody_can_say_is_shown_beside_the_sentence(person):
    person.press("U", CTRL)
    assert isinstance(values(person, 1)[0], Unsure)
    assert person.view.text._drawing.look.unsure == {0}
    person.press("U", CTRL)
    assert values(person, 2)[1] is None


def test_what_reads_from_right_to_left_begins_at_the_right(qapp):
    def edges(text):
        row = TextRow(text, Range(0, len(text)))
        row.lay_out(500, Theme("light").font())
        row.set_lanes([0], 10, 2)
        pieces = row.pieces(0, len(text))
        return min(piece.left for piece in pieces), max(piece.right for piece in pieces)

    assert edges("مرحبا بالعالم")[1] == pytest.approx(500, abs=2)
    assert edges("«مرحبا» hello")[1] == pytest.approx(500, abs=2), "its first letter decides"
    assert edges("hello مرحبا")[0] == pytest.approx(0, abs=2)
    assert edges("123")[0] == pytest.approx(0, abs=2)
