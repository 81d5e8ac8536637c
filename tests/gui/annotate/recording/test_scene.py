"""What stands on the time track, and what is at a moment of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate import recording_samples as samples
from gui.annotate.editor import ItemEditor
from gui.annotate.recording.scene import Plot, Scenes, chance_words, plots_of, target_at
from hitl.annotation.schema import Head, Schema
from hitl.annotation.state import labels_of
from hitl.annotation_messages import ChanceCurve


def an_editor() -> ItemEditor:
    return ItemEditor(samples.items()[0], samples.schema(), labels_of([samples.marked()]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=400), st.floats(0, 30_000), st.floats(1, 60_000),
       st.floats(0.5, 5_000))  # fmt: skip
def test_a_curve_keeps_its_peaks_however_far_away_it_is_seen(chances, start, length, ms_per_px):
    plot = Plot("mistake", 0, 200, chances)
    points = plot.points(start, start + length, ms_per_px)
    seen = [chance for place, chance in enumerate(chances) if start <= place * 200 <= start + length]
    if seen:
        assert max(chance for _, chance in points) >= max(seen)
    assert all(a[0] < b[0] for a, b in zip(points, points[1:], strict=False))
    assert len(points) <= length / max(200, ms_per_px - 200) + 4


def test_heads_are_named_by_what_they_find_fault_with_or_else_praise():
    plots = plots_of(samples.suggestions(), samples.schema())
    assert [plot.name for plot in plots] == ["mistake", "unsafe", "done"]
    gone = samples.suggestions()
    gone.curves.append(ChanceCurve(head="given up", step_ms=200, probability=[0.5]))
    assert len(plots_of(gone, samples.schema())) == 3 and plots_of(None, samples.schema()) == []
    bare = Schema(name="x", heads=[Head(key="progress", name="Progress", density="time")], categories=[])
    assert plots_of(samples.suggestions(), bare) == [], "a head without categories has no colour"


def test_a_scene_says_what_is_at_a_moment():
    editor = an_editor()
    scene = Scenes().scene(editor, {1: (-0.31, "Progress −0.31")}, samples.suggestions())
    words = " | ".join(scene.words_at(5_000, editor.schema))
    assert words.startswith("0:05.0 | 2  pick up the red block, by policy | −0.31 for this stretch")
    assert "mistake ." in words and "mistake, 0:04.3–0:05.8" in words and "unsafe, 0:04.9–0:05.5" in words
    assert chance_words(scene, 5_000).startswith("mistake .")
    assert scene.judged == frozenset(range(6)) and scene.unsure == {6}
    assert scene.stretch_at(scene.duration_ms) is None


def test_a_click_goes_from_the_mark_that_is_there_to_the_one_around_it():
    editor = an_editor()
    scene = Scenes().scene(editor, {}, None)
    lanes = {mark.tag: (mark.target, lane) for mark, lane in zip(scene.marks, scene.lanes, strict=True)
             if mark.start <= 5_000 < mark.end}  # fmt: skip
    (mistake, first), (unsafe, second) = lanes["m"], lanes["u"]
    assert first != second
    assert target_at(scene, 5_000, second, None) == unsafe
    assert target_at(scene, 5_000, second, unsafe) == mistake
    assert target_at(scene, 5_000, second, mistake) == unsafe
    assert target_at(scene, 20_000, 0, None) is None


def test_a_scene_that_is_made_again_takes_the_marks_that_are_the_same():
    editor, scenes = an_editor(), Scenes()
    before = scenes.scene(editor, {}, None)
    after = scenes.scene(editor, {}, None)
    assert all(mark is other for mark, other in zip(before.marks, after.marks, strict=True))
    assert set(before.magnets) >= {0, 4_300, 5_800, before.duration_ms}
    assert list(before.magnets) == sorted(before.magnets)
