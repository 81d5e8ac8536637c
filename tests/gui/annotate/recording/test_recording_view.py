"""What a person does at a recording with keys and mouse, in real windows."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QToolTip

from gui.annotate import recording_samples as samples
from gui.annotate.recording_bench import playing_times_ms
from gui.annotate.samples import PROJECT
from gui.annotate.times import time_words
from gui.commands import COMMANDS, PLAY, RECORDING
from hitl.annotation_messages import Labelled, Suggestions
from hitl.labels import Judged, Rejected, Review, Span, Unsure

CTRL, SHIFT, ALT = (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier,
                    Qt.KeyboardModifier.AltModifier)  # fmt: skip
NONE = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton
PLACES = [(stretch.start_ms, stretch.end_ms) for stretch in samples.items()[0].stretches]


def values(watcher, count: int) -> list:
    return [change.value for label in watcher.labels(count) for change in label.changes]


def at(watcher, ms: float, band: str = "lane") -> QPoint:
    """Where a moment is in the ruler, among the stretches, in the first or another lane, or in the curves."""
    bands = watcher.track._bands()
    y = {"ruler": 6.0, "stretch": bands.stretches + 8, "plot": bands.bottom - 8}.get(band)
    if y is None:
        number = int(band.partition(" ")[2] or 0)
        y = bands.lanes + (number + 0.5) * bands.lane_height
    return QPoint(watcher.track.place_of(ms), int(y))


def drag(watcher, start: QPoint, end: QPoint, held=NONE) -> None:
    surface = watcher.track.viewport()
    QTest.mousePress(surface, LEFT, held, start)
    QTest.mouseMove(surface, QPoint((start.x() + end.x()) // 2, end.y()))
    move(watcher, end, held)
    QTest.mouseRelease(surface, LEFT, held, end)


def move(watcher, to: QPoint, held=NONE) -> None:
    """With the left button and keys held; QTest moves without keys."""
    surface = watcher.track.viewport()
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(to), surface.mapToGlobal(QPointF(to)), LEFT, LEFT, held)
    QApplication.sendEvent(surface, event)


def click(watcher, point: QPoint) -> None:
    QTest.mouseClick(watcher.track.viewport(), LEFT, NONE, point)


def mark(watcher, start: int, end: int, letter: str = "m") -> None:
    watcher.view.act(lambda: watcher.editor.select(start, end))
    watcher.press(letter)


def test_a_recording_is_labelled_with_keys_alone(watcher):
    assert watcher.track.hasFocus()
    watcher.press("Return")  # the first stretch is fine
    watcher.press("Right")
    watcher.press("Right", SHIFT)
    watcher.press("Right", ALT)
    watcher.press("m")
    watcher.press("F2")
    QTest.keyClicks(watcher.view.labels.details.note, "it closes beside the block")
    watcher.press("Return")
    assert watcher.track.hasFocus()
    watcher.press("Down")
    watcher.press("U", CTRL)
    watcher.press("Up")
    watcher.press("Right", CTRL)
    watcher.press("Left", SHIFT)
    watcher.press("Return", CTRL)
    watcher.until(lambda: watcher.view.bench.item != samples.ITEM)
    made = values(watcher, 7)
    assert made[0] == Judged(track="time", start=0, end=3_420)
    assert made[1] == Span(track="time", start=3_420, end=4_600, categories=["mistake"])
    assert made[2].note == "it closes beside the block"
    assert made[3] == Judged(track="time", start=3_420, end=5_600)
    assert made[4] == Unsure(track="time", start=5_600, end=7_030)
    assert (made[5].start, made[5].end) == (3_420, 4_500) and made[6] == Review(state="done")


def test_space_plays_and_pictures_follow(watcher):
    watcher.press("Space")
    assert watcher.recording.playing and watcher.window.registry.action("play.toggle").text() == "Pause"
    watcher.pass_ms(1_000)
    assert watcher.recording.head.ms == 1_000
    assert time_words(1_000) in watcher.recording.transport.text()
    front = watcher.recording.cameras.view("front")
    watcher.qtbot.waitUntil(lambda: front.has_picture and watcher.recording._wanted["front"] == 1_000)
    watcher.press("Up", CTRL, SHIFT)
    watcher.pass_ms(500)
    assert watcher.recording.head.ms == 2_000 and "2×" in watcher.recording.transport.text()
    watcher.press("Space")
    watcher.pass_ms(500)
    assert watcher.recording.head.ms == 2_000 and not watcher.recording.playing
    assert not watcher.link.requests, "watching labels nothing"


def test_it_waits_for_pictures_that_are_on_their_way(watcher):
    watcher.shows = False
    watcher.recording.seek(30_000)
    watcher.press("Space")
    watcher.pass_ms(400)
    assert watcher.recording.head.ms == 30_000 and "waiting for pictures" in watcher.recording.transport.text()
    assert watcher.recording.cameras.view("front").accessibleDescription() == "loading"
    watcher.shows = True
    watcher._answered.clear()
    watcher.until(watcher.seen)
    watcher.pass_ms(400)
    assert watcher.recording.head.ms > 30_300


def test_the_selection_alone_is_played(watcher):
    watcher.press("Down")
    watcher.press("Space", SHIFT)
    assert watcher.recording.head.ms == 3_420
    watcher.pass_ms(3_000)
    assert watcher.recording.head.ms == 5_600 and not watcher.recording.playing


def test_a_letter_where_it_begins_and_again_where_it_ends(watcher):
    watcher.press("Space")
    watcher.pass_ms(500)
    watcher.press("m")
    assert not watcher.link.requests and "mistake since 0:00.5" in watcher.recording.transport.text()
    watcher.pass_ms(200)
    watcher.press("u")
    watcher.pass_ms(600)
    watcher.press("m")
    watcher.press("Space")
    watcher.press("u")  # what has begun ends also in a pause
    first, second = values(watcher, 2)[-2:]
    assert (first.start, first.end, first.categories) == (500, 1_300, ["mistake"])
    assert (second.start, second.end, second.categories) == (700, 1_300, ["unsafe"])
    assert watcher.recording.head.ms == 1_300, "marking leaves the playhead where it is"


def test_what_has_begun_can_be_dropped_and_is_not_left_behind(watcher):
    watcher.press("Space")
    watcher.pass_ms(500)
    watcher.press("g")
    watcher.press("Return", CTRL)
    assert "has begun" in watcher.view.foot.text() and watcher.view.bench.item == samples.ITEM
    watcher.press("Backspace")
    assert not watcher.recording.begun and "Dropped" in watcher.view.foot.text()
    watcher.press("Return", CTRL)
    assert values(watcher, 1) == [Review(state="done")]
    watcher.until(lambda: watcher.view.bench.item != samples.ITEM)


def test_ends_are_set_at_the_playhead(watcher):
    mark(watcher, 2_000, 3_000)
    watcher.recording.seek(1_500)
    watcher.press("BracketLeft")
    watcher.recording.seek(3_800)
    watcher.press("BracketRight")
    found = values(watcher, 3)
    assert [(span.start, span.end) for span in found] == [(2_000, 3_000), (1_500, 3_000), (1_500, 3_800)]
    assert watcher.recording.head.ms == 3_800


def test_by_picture_and_to_another_camera(watcher):
    watcher.press("PageDown")
    watcher.press("PageDown")
    watcher.press("PageUp")
    assert watcher.recording.head.ms == 100
    cameras = watcher.recording.cameras
    assert cameras.large == "overhead"
    watcher.press("Tab", CTRL)
    assert cameras.large == "front"
    assert cameras.view("front").width() > 2 * cameras.view("overhead").width()
    QTest.mouseClick(cameras.view("left_wrist"), LEFT)
    assert cameras.large == "left_wrist"


def test_the_playhead_goes_with_the_person(watcher):
    watcher.press("Down")
    assert watcher.recording.head.ms == 3_420
    watcher.press("Right", SHIFT)
    assert watcher.recording.head.ms == watcher.editor.cursor.selection.end, "the end that moves is looked at"
    watcher.press("Right", ALT, SHIFT)
    assert watcher.recording.head.ms == watcher.editor.cursor.selection.start


def test_dragging_shows_what_will_be_selected_and_snaps(watcher):
    surface = watcher.track.viewport()
    QTest.mousePress(surface, LEFT, NONE, at(watcher, 9_600))
    move(watcher, at(watcher, 12_460))
    assert watcher.track.preview is not None and watcher.track.preview.start == PLACES[3][1]
    assert watcher.editor.cursor.whole, "nothing is selected yet"
    QTest.mouseRelease(surface, LEFT, NONE, at(watcher, 12_460))
    start, end = watcher.editor.cursor.selection
    assert start == 9_640 and end % 100 == 0 and abs(end - 12_460) < 120
    assert watcher.recording.head.ms == 9_640 and not watcher.link.requests


def test_with_alt_a_drag_is_exact(watcher):
    drag(watcher, at(watcher, 20_011), at(watcher, 22_222), ALT)
    track = watcher.track
    expected = tuple(track._ms(at(watcher, ms).x()) for ms in (20_011, 22_222))
    assert watcher.editor.cursor.selection == expected


def test_a_handle_makes_a_span_longer(watcher):
    mark(watcher, 5_000, 8_000)
    drag(watcher, at(watcher, 8_000), at(watcher, 10_530))
    first, second = watcher.labels(2)
    assert [change.key for change in first.changes] == [change.key for change in second.changes]
    span = second.changes[0].value
    assert span.start == 5_000 and abs(span.end - 10_500) <= 100 and span.end % 100 == 0
    assert watcher.recording.head.ms == span.end, "the picture at the end that was moved"


def test_a_click_chooses_a_span_and_again_the_one_around(watcher):
    mark(watcher, 5_000, 12_000, "g")
    mark(watcher, 8_000, 10_000, "m")
    seen = []
    for _ in range(3):
        click(watcher, at(watcher, 9_000, "lane 1"))
        seen.append(watcher.editor.span.categories)
    assert seen == [["good"], ["mistake"], ["good"]], "the inner one was current"
    click(watcher, at(watcher, 6_000, "lane 0"))
    assert watcher.editor.span.categories == ["good"]


def test_a_click_beside_spans_seeks_and_selects_half_a_second(watcher):
    click(watcher, at(watcher, 20_210))
    ms = watcher.recording.head.ms
    assert abs(ms - 20_210) < 80
    assert watcher.editor.cursor.selection == (20_000, 20_500) and watcher.editor.target is None


def test_a_click_on_a_stretch_walks_there_on_the_track_and_in_the_list(watcher):
    click(watcher, at(watcher, 11_000, "stretch"))
    assert watcher.editor.cursor.selection == PLACES[4] and watcher.editor.cursor.whole
    stretches = watcher.view.stretches.list
    assert stretches.currentIndex().row() == 4
    place = stretches.visualRect(stretches.model().index(2, 0)).center()
    QTest.mouseClick(stretches.viewport(), LEFT, NONE, place)
    assert watcher.editor.cursor.selection == PLACES[2]
    assert "stretch 3 of 14 · 0:05.6–0:07.0" in watcher.view.heading._title.text()
    assert watcher.view.asked.title() == "The recording"


def test_the_ruler_scrubs_and_selects_nothing(watcher):
    before = watcher.editor.cursor.selection
    drag(watcher, at(watcher, 5_000, "ruler"), at(watcher, 25_000, "ruler"))
    assert abs(watcher.recording.head.ms - 25_000) < 80 and watcher.editor.cursor.selection == before


def test_the_wheel_zooms_around_the_mouse_and_scrolls(watcher):
    track = watcher.track
    point = at(watcher, 20_000)

    def turn(held, dy):
        place = QPointF(point)
        event = QWheelEvent(place, track.viewport().mapToGlobal(place), QPoint(0, 0), QPoint(0, dy),
                            Qt.MouseButton.NoButton, held, Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
        QApplication.sendEvent(track.viewport(), event)

    turn(CTRL, 360)
    assert track.axis.seen_ms < samples.duration_ms() * 0.6 and abs(track.place_of(20_000) - point.x()) <= 1
    left = track.axis.left_ms
    turn(NONE, -120)
    assert track.axis.left_ms > left
    assert track.horizontalScrollBar().value() == round(track.axis.left_ms)
    track.horizontalScrollBar().setValue(0)
    assert track.axis.left_ms == 0
    watcher.press("Plus")
    nearer = track.axis.ms_per_px
    watcher.press("Minus")
    assert track.axis.ms_per_px > nearer
    watcher.press("Home", CTRL)
    assert track.axis.ms_per_px == track.axis.whole


def test_playing_turns_the_page(watcher):
    for _ in range(6):
        watcher.press("Plus")
    assert watcher.track.axis.seen_ms < 4_000
    watcher.press("Space")
    watcher.pass_ms(5_000)
    assert 0 <= watcher.track.axis.x(watcher.recording.head.ms) <= watcher.track.axis.width


def test_suggestions_are_taken_and_refused_with_keys(watcher):
    watcher.receive(samples.suggestions())
    assert "mistake" in watcher.recording.transport.text(), "the chances of the moment"
    watcher.press("Right", CTRL)
    assert "83%" in watcher.view.labels.details._title.text()
    watcher.press("Return")
    span = values(watcher, 1)[0]
    assert (span.start, span.end, span.suggested_by) == (4_200, 5_900, "t7")
    watcher.press("Right", CTRL)
    watcher.press("Backspace")
    assert isinstance(values(watcher, 2)[-1], Rejected)
    assert "0:04.2–0:05.9" in watcher.view.labels.list.texts()[0]


def test_undo_goes_back_to_where_it_was(watcher):
    mark(watcher, 20_000, 21_000)
    watcher.press("Up")
    watcher.press("Z", CTRL)
    assert not watcher.editor.labels.spans() and watcher.editor.cursor.selection == (20_000, 21_000)
    watcher.press("Z", CTRL, SHIFT)
    assert len(watcher.editor.labels.spans()) == 1


def test_other_peoples_labels_are_seen_played_and_taken_over(watcher):
    watcher.receive(Labelled(event=samples.of_tomas()))
    watcher.press("L", CTRL)
    table = watcher.view.adjudicate.table
    assert (table.rowCount(), table.columnCount()) == (4, 2) and "0:04.2–0:05.6" in table.item(0, 1).text()
    watcher.press("Down")
    assert watcher.recording.head.ms == 7_000
    watcher.press("Space", SHIFT)
    assert watcher.recording.playing
    watcher.press("Return")
    assert values(watcher, 1)[0] == samples.span(7_000, 9_640, "good")


def test_a_tooltip_says_when_what_and_how_likely(watcher):
    watcher.receive(samples.suggestions())
    mark(watcher, 5_000, 5_600, "u")
    point = at(watcher, 5_200, "plot")
    surface = watcher.track.viewport()
    QApplication.sendEvent(surface, QHelpEvent(QEvent.Type.ToolTip, point, surface.mapToGlobal(point)))
    words = QToolTip.text()
    assert "0:05.2" in words and "pick up the red block" in words and "unsafe" in words and "mistake ." in words


def test_what_there_is_no_picture_of_is_said(watcher, qtbot):
    message = watcher.recording._message
    assert not message.isVisible()
    watcher.error = "The recording is gone. Put its file back."
    watcher.recording.open("", "")
    watcher.view.refresh()
    assert message.isVisible() and "Opening" in message.text()
    watcher.until(lambda: message.text() == watcher.error)
    mark(watcher, 1_000, 2_000)
    assert len(values(watcher, 1)) == 1, "it can be marked all the same"
    watcher.error, watcher.names = "", ()
    watcher.recording.open("", "")
    watcher.view.refresh()
    watcher.until(lambda: "no pictures" in message.text())


def test_why_the_model_says_nothing_is_told_until_it_says_something(watcher):
    why = "The recording cannot be read"
    watcher.receive(Suggestions(project=PROJECT, item=samples.ITEM, version="t7", error=why))
    assert why in watcher.recording.transport.text()
    watcher.receive(samples.suggestions())
    assert why not in watcher.recording.transport.text()


def test_without_a_backend_it_says_so(watcher, unplug):
    watcher.recording.open("", "")
    unplug(watcher.window)
    watcher.view.refresh()
    assert "The backend is away" in watcher.recording._message.text()


def test_a_recording_without_commands_is_one_stretch(watcher):
    watcher.view.act(lambda: watcher.view.bench.open_item(samples.BARE))
    watcher.until(lambda: watcher.view.bench.item == samples.BARE)
    assert watcher.view.heading._title.text() == "Recording, 0:00.0–0:21.6"
    assert watcher.view.stretches._none.isVisible()
    watcher.press("Right")
    watcher.press("g")
    assert values(watcher, 1)[0] == Span(track="time", start=0, end=500, categories=["good"])


def test_pictures_of_the_item_before_are_gone(watcher):
    watcher.qtbot.waitUntil(lambda: watcher.recording.cameras.view("front").has_picture)
    watcher.shows = False
    watcher.view.act(lambda: watcher.view.bench.open_item(samples.BARE))
    watcher.until(lambda: watcher.view.bench.item == samples.BARE and bool(watcher.recording.store.cameras))
    assert not any(watcher.recording.cameras.view(name).has_picture for name in watcher.recording.cameras.names)


def test_keys_of_texts_and_of_recordings_do_not_meet(watcher):
    registry = watcher.window.registry
    for command in COMMANDS:
        if command.views in (PLAY, RECORDING):
            assert registry.action(command.id).isEnabled(), command.id
            assert registry.action(command.id).receivers("2triggered(bool)") > 0, command.id
    for name in ("mark.rewrite", "mark.evidence", "mark.search", "mark.earlier", "item.compare"):
        assert not registry.action(name).isEnabled(), name
    assert registry.action("mark.next_sentence").text() == "Next stretch"
    registry.trigger("view.live")
    assert registry.action("mark.next_sentence").text() == "Next sentence"
    assert not watcher.recording.isVisible() and not watcher.recording.playing


def test_leaving_the_view_pauses(watcher):
    watcher.press("Space")
    watcher.window.registry.trigger("view.live")
    assert not watcher.recording.playing


def test_watching_is_work(watcher):
    watcher.press("Space")
    before = watcher.view.bench.spent_s()
    for _ in range(5):
        watcher.pass_ms(1_000, 250)
        watcher.window.refresh()
    assert watcher.view.bench.spent_s() - before == pytest.approx(5)


def test_every_control_has_a_name(watcher):
    for control in watcher.recording.findChildren(QAbstractButton):
        assert control.accessibleName() or control.text(), control
    assert "selected: 0:00.0–0:03.4" in watcher.track.accessibleDescription()


def test_text_size_and_theme_change_while_it_is_shown(watcher):
    before = watcher.track.height()
    watcher.window.registry.trigger("text.bigger")
    assert watcher.track.height() > before
    watcher.window.registry.trigger("theme.dark")
    image = watcher.track.viewport().grab().toImage()
    assert image.pixelColor(image.width() - 3, image.height() - 12).lightness() < 60


def test_colours_are_never_alone(watcher):
    mark(watcher, 5_000, 15_000, "u")
    click(watcher, at(watcher, 25_000))
    image = watcher.track.viewport().grab().toImage()
    colour = QColor(watcher.window._theme.mark(2))
    bands = watcher.track._bands()
    y = int(bands.lanes + bands.lane_height - 6)
    row = [image.pixelColor(x, y) for x in range(watcher.track.place_of(7_000), watcher.track.place_of(14_000))]
    near = [abs(p.red() - colour.red()) + abs(p.green() - colour.green()) < 40 for p in row]
    assert any(near) and not all(near), "a pattern, not an area"


def test_the_bench_plays_and_marks(qapp):
    found = playing_times_ms(qapp, minutes=1, spans=20, ticks=5)
    assert {name for name, _ in found} >= {"playing", "mark", "zoom", "page"}
