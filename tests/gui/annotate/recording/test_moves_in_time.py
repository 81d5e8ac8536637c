"""Where a cursor may stand in a recording, how an axis shows it, and how its times are said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate.cursor import Cursor
from gui.annotate.moves import TimeMap
from gui.annotate.recording.axis import Axis
from gui.annotate.times import length_words, span_words, time_words

STRETCHES = [(0, 4_130), (4_130, 9_900), (9_900, 12_345)]
lengths = st.lists(st.integers(1, 9_000), min_size=0, max_size=8)


def a_map(lengths_ms: list[int], alone_ms: int = 700) -> TimeMap:
    places, at = [], 0
    for length in lengths_ms:
        places.append((at, at + length))
        at += length
    return TimeMap(at or alone_ms, places)


def test_half_seconds_begin_anew_with_every_stretch_and_leave_no_slivers():
    track = TimeMap(12_345, STRETCHES)
    assert track.words[7:11] == [(3_500, 4_130), (4_130, 4_500), (4_500, 5_000), (5_000, 5_500)]
    assert track.words[-1] == (12_000, 12_345)
    assert track.sentences == STRETCHES and track.sentence_at(4_130) == 1


def test_a_mistake_between_two_commands_takes_three_keys():
    cursor = Cursor(TimeMap(12_345, STRETCHES))
    cursor.to_sentence(1)
    cursor.word(1)
    cursor.nudge(1, start=False)
    cursor.nudge(1, start=False)
    assert cursor.selection == (4_130, 4_700), "0.5 s to the clock's half second, then two tenths"


def test_a_recording_without_stretches_is_one():
    track = TimeMap(3_000)
    assert track.sentences == [(0, 3_000)] and len(track.words) == 6
    assert track.text == "" and track.place_of_same_text(100, 200) is None


def test_a_drag_snaps_to_tenths_and_ends_of_stretches_and_not_where_it_is_exact():
    track = TimeMap(12_345, STRETCHES)
    assert track.snapped(5_940, 4_118) == (4_130, 5_900)
    assert track.snapped(5_940, 4_118, exact=True) == (4_118, 5_940)
    assert track.snapped(-50, 99_999) == (0, 12_345)


KEYS = ["word+", "word-", "more", "less", "down", "up", "end+", "end-", "start+", "start-", "home", "end", "sentence+",
        "sentence-", "drag"]  # fmt: skip


@given(lengths, st.integers(1, 3_000), st.lists(st.sampled_from(KEYS), max_size=14), st.integers(0, 40_000),
       st.integers(1, 3_000))  # fmt: skip
def test_whatever_is_pressed_the_selection_is_in_the_recording_and_never_empty(found, alone_ms, keys, at, wide):
    track = a_map(found, alone_ms)
    cursor = Cursor(track)
    start = min(at, track.length - 1)
    moves = {
        "word+": lambda: cursor.word(1), "word-": lambda: cursor.word(-1), "more": lambda: cursor.extend_word(1),
        "less": lambda: cursor.extend_word(-1), "down": lambda: cursor.to_sentence(cursor.sentence + 1),
        "up": lambda: cursor.to_sentence(cursor.sentence - 1), "end+": lambda: cursor.nudge(1, start=False),
        "end-": lambda: cursor.nudge(-1, start=False), "start+": lambda: cursor.nudge(1, start=True),
        "start-": lambda: cursor.nudge(-1, start=True), "home": lambda: cursor.end_word(-1),
        "end": lambda: cursor.end_word(1), "sentence+": lambda: cursor.extend_sentence(1),
        "sentence-": lambda: cursor.extend_sentence(-1),
        "drag": lambda: cursor.to(start, min(start + wide, track.length)),
    }  # fmt: skip
    for key in keys:
        moves[key]()
        low, high = cursor.selection
        assert 0 <= low < high <= track.length


@given(lengths, st.integers(1, 3_000))
def test_pieces_follow_each_other_and_are_all_of_it(found, alone_ms):
    track = a_map(found, alone_ms)
    for pieces in (track.words, track.sentences):
        assert pieces[0].start == 0 and pieces[-1].end == track.length
        assert all(a.end == b.start for a, b in zip(pieces, pieces[1:], strict=False))
    assert all(piece.end - piece.start <= 500 + 2 * 200 for piece in track.words)
    assert {place.end for place in track.sentences} <= set(track.edges)


acts = st.tuples(st.sampled_from(["in", "out", "scroll", "fit", "show", "resize"]), st.integers(0, 5_000_000))


@given(st.integers(1, 5_000_000), st.integers(1, 3_000), st.lists(acts, max_size=10))
def test_an_axis_shows_a_part_of_the_recording_whatever_is_done(duration, width, steps):
    axis = Axis(duration, width)
    for step, number in steps:
        match step:
            case "in" | "out":
                around = min(number, duration)
                place = axis.x(around)
                axis.zoom(2.0 if step == "in" else 0.5, around)
                inside = 0 < axis.left_ms < duration - axis.seen_ms - 1
                assert not inside or abs(axis.x(around) - place) < 0.5, "what the mouse is on stays there"
            case "scroll":
                axis.scroll_to(number)
            case "fit":
                axis.fit()
                assert axis.seen_ms >= duration * 0.999
            case "show":
                axis.show(min(number, duration), min(number, duration))
                assert -1 <= axis.x(min(number, duration)) <= axis.width + 1
            case "resize":
                axis.resize(number % 2_000)
        assert 0 <= axis.left_ms <= duration and axis.left_ms + axis.seen_ms <= duration * 1.0001 + 1
        assert 0 <= axis.ms(-5) <= axis.ms(axis.width + 5) <= duration


def test_marks_of_the_ruler_have_room_and_round_numbers():
    axis = Axis(60_000, 600)
    labelled = [(at, words) for at, words in axis.marks(60) if words]
    assert labelled[:3] == [(0, "0:00"), (10_000, "0:10"), (20_000, "0:20")]
    axis.zoom(100, 20_000)
    assert {words for _, words in axis.marks(60)} >= {"0:20.0"}
    long = Axis(7_200_000, 600)
    assert ("1:00:00") in [words for _, words in long.marks(60)]


def test_a_drag_snaps_to_what_is_near_on_the_screen():
    axis = Axis(60_000, 600)  # a pixel is a tenth
    assert axis.snapped(14_450, [14_237, 15_020], 6) == 14_237
    assert axis.snapped(17_449, [14_237, 15_020], 6) == 17_400
    assert axis.snapped(17_449, [], 6) == 17_400


def test_times_are_said_as_people_read_them():
    assert time_words(14_237) == "0:14.2" and time_words(14_237, exact=True) == "0:14.237"
    assert time_words(3_723_400) == "1:02:03.4" and time_words(59_960) == "1:00.0"
    assert span_words(14_200, 17_900) == "0:14.2–0:17.9" and span_words(14_210, 14_230) == "0:14.210–0:14.230"
    assert length_words(700) == "0.7 s" and length_words(62_400) == "1:02 min"
