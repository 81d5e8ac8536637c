"""How the playhead moves in time that the test tells, and marking while it does."""

from __future__ import annotations

from gui.annotate.editor import ItemEditor
from gui.annotate.recording.playhead import Playhead
from gui.annotate.recording.watching import Watching, set_edge
from hitl.annotation.items import Item, Stretch
from hitl.annotation.presets import preset
from hitl.annotation.state import ItemLabels
from hitl.annotation.state import apply as make
from hitl.labels import Judged, Span

MS = 1_000_000


def an_editor() -> ItemEditor:
    stretches = [Stretch(start_ms=0, end_ms=4_130, text="go left", by="policy"),
                 Stretch(start_ms=4_130, end_ms=9_000, text="open wider", by="Ada")]  # fmt: skip
    item = Item(id="r1", prompt="pack the box", recording="s/e", duration_ms=9_000, stretches=stretches)
    return ItemEditor(item, preset("segments"))


def do(editor: ItemEditor, changes) -> None:
    values = dict(editor.labels.values)
    make(values, changes)
    editor.take(ItemLabels(values), {})


def test_it_plays_at_its_speed_and_stops_at_the_end():
    head = Playhead(1_000)
    head.toggle(0)
    head.tick(100 * MS)
    assert head.ms == 100
    head.change_speed(-1)
    head.tick(200 * MS)
    assert head.ms == 150 and head.speed == 0.5
    head.change_speed(1)
    head.change_speed(1)
    for now in range(300, 1_000, 100):
        head.tick(now * MS)
    assert head.ms == 1_000 and not head.playing
    head.toggle(2_000 * MS)
    assert head.ms == 0 and head.playing, "from the end it begins anew"


def test_it_waits_for_pictures_and_a_sleeping_window_skips_nothing():
    head = Playhead(60_000)
    head.toggle(0)
    head.tick(100 * MS, ready=False)
    head.tick(200 * MS)
    assert head.ms == 100
    head.tick(30_000 * MS)
    assert head.ms == 350, "a quarter of a second at most"


def test_a_part_alone_and_again_is_a_pause():
    head = Playhead(9_000)
    head.play_part(2_000, 2_150, 0)
    head.tick(100 * MS)
    assert head.playing and head.ms == 2_100
    head.tick(200 * MS)
    assert not head.playing and head.ms == 2_150
    head.play_part(2_000, 2_150, 200 * MS)
    head.play_part(2_000, 2_150, 210 * MS)
    assert not head.playing


def test_by_picture_from_between_two_and_to_the_ends():
    head = Playhead(1_000)
    times = [0, 33, 67, 100]
    head.seek(50)
    head.step(times, 1)
    assert head.ms == 67
    head.seek(50)
    head.step(times, -1)
    assert head.ms == 33
    for _ in range(5):
        head.step(times, -1)
    assert head.ms == 0
    head.step([], 1)
    assert head.ms == 0


def test_a_letter_begins_and_the_same_letter_ends():
    editor, watching = an_editor(), Watching()
    mistake, unsafe = editor.category_of("m"), editor.category_of("u")
    assert watching.press(editor, mistake, 3_040) == [] and "begins here" in editor.said
    assert watching.press(editor, unsafe, 3_400) == []
    do(editor, watching.press(editor, mistake, 3_760))
    assert watching.begun == {"unsafe": 3_400}, "another one goes on"
    do(editor, watching.press(editor, unsafe, 3_200))
    found = [(span.start, span.end, span.categories) for span in editor.labels.spans().values()]
    assert found == [(3_000, 3_800, ["mistake"]), (3_200, 3_400, ["unsafe"])], "the earlier end first"


def test_a_letter_twice_at_once_is_a_tenth_and_what_is_said_already_stays():
    editor, watching = an_editor(), Watching()
    good = editor.category_of("g")
    watching.press(editor, good, 9_000)
    do(editor, watching.press(editor, good, 9_000))
    ((key, span),) = editor.labels.spans().items()
    assert (span.start, span.end) == (8_900, 9_000)
    watching.press(editor, good, 8_900)
    assert watching.press(editor, good, 9_000) == [] and key in editor.labels.values
    watching.press(editor, good, 10)
    assert watching.forget() and not watching.forget()


def test_the_ends_of_a_span_are_set_where_the_playhead_is():
    editor = an_editor()
    editor.select(2_000, 3_000)
    do(editor, editor.mark(editor.category_of("m")))
    do(editor, set_edge(editor, 2_390, start=True))
    do(editor, set_edge(editor, 4_120, start=False))
    (span,) = editor.labels.spans().values()
    assert (span.start, span.end) == (2_400, 4_130), "the nearest tenth, or end of a stretch"
    do(editor, set_edge(editor, 5_000, start=True))
    (span,) = editor.labels.spans().values()
    assert (span.start, span.end) == (5_000, 5_100), "beyond the other end it begins anew"
    editor.select(1_000, 2_000)
    assert set_edge(editor, 9_000, start=True) == []
    assert editor.cursor.selection == (8_900, 9_000)


def test_the_editor_works_on_a_recording_as_on_a_text():
    editor = an_editor()
    do(editor, editor.next_sentence(1))
    assert list(editor.labels.of(Judged)) == ["judged:time:0:4130"] and editor.cursor.selection == (4_130, 9_000)
    do(editor, editor.next_sentence(1))
    assert editor.said == "That was the last stretch."
    do(editor, editor.toggle_unsure())
    assert editor.unsure(1)
    editor.select(500, 1_000)
    do(editor, editor.mark(editor.category_of("m")))
    editor.start_picking()
    assert not editor.picking and isinstance(editor.span, Span)
    do(editor, editor.set_note("too far"))
    do(editor, editor.mark(editor.category_of("u")))
    (span,) = editor.labels.spans("time").values()
    assert span.categories == ["mistake", "unsafe"] and span.note == "too far"
    missing = preset("fine-grained-rlhf")
    text_schema = ItemEditor(editor.item, missing)
    assert text_schema.mark(text_schema.category_of("m")) == [] and "lack" in text_schema.said
