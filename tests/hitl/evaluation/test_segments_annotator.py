"""What the scripted annotator marks, from physics that is made up; and how a person differs from one who sees all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl.annotation.items import Item
from hitl.annotation.presets import preset
from hitl.annotation.state import check_changes
from hitl.errors import DatasetError
from hitl.evaluation.segments_annotator import Habits, Mark, annotate, marks_of
from hitl.evaluation.segments_truth import NOTHING, Truth, load_truth
from hitl.labels import Change, Judged, Span

LOOKS = 200
"""Twenty seconds."""
TEXTS = ("pick up the red block", "put it in the box", "go home", "move the left arm down", "hand it to the left arm")
PICK, BOX, HOME, DOWN, HAND = range(5)
Arrays = dict[str, np.ndarray]


def truth(change: Callable[[Arrays], None] = lambda _arrays: None) -> Truth:
    """A block that is picked up from 0 s to 2 s, brought to the box from 3 s, and is in it at 5 s; then home."""
    pose = np.zeros((LOOKS, 12), np.float32)
    pose[:, 6] = 0.4
    pose[:, [5, 11]] = 1.0
    command, wanted = np.full(LOOKS, HOME), np.full(LOOKS, HOME)
    command[:30], command[30:60] = PICK, BOX
    wanted[:20], wanted[20:50] = PICK, BOX
    held = np.full((LOOKS, 2), NOTHING)
    held[20:50, 0] = 0
    pose[20:50, 5] = 0.4
    in_box = np.zeros((LOOKS, 1), np.bool_)
    in_box[50:] = True
    begun = np.select([np.arange(LOOKS) < 30, np.arange(LOOKS) < 60], [0, 3000], 6000)
    arrays: Arrays = {
        "time_ms": np.arange(LOOKS) * 100, "pose": pose, "held": held, "xyz": np.full((LOOKS, 1, 3), 0.02),
        "in_box": in_box, "command": command, "wanted": wanted, "begun_ms": begun,
        "stage": (np.arange(LOOKS) >= 51).astype(int), "done": np.zeros(LOOKS), "sure": np.ones(LOOKS),
        "on_table": np.zeros(LOOKS), "on_box": np.zeros(LOOKS), "hands": np.zeros(LOOKS),
    }  # fmt: skip
    change(arrays)
    return Truth({"length_ms": 100 * LOOKS, "seed": 1}, TEXTS, ("red block",), arrays)


def marked(category: str, change: Callable[[Arrays], None] = lambda _arrays: None) -> list[tuple[int, int]]:
    return [(mark.start_ms, mark.end_ms) for mark in marks_of(truth(change)) if mark.category == category]


def test_what_goes_well_is_good_and_done() -> None:
    assert marked("good") == [(0, 3000), (3000, 6000)]
    assert marked("done") == [(4900, 6400)]
    assert marked("mistake") == marked("unsafe") == []


def test_a_thing_that_falls_is_a_mistake_and_what_is_around_it_is_not_good() -> None:
    def drop(arrays: Arrays) -> None:
        arrays["held"][40:50, 0] = NOTHING
        arrays["in_box"][:] = False
        arrays["stage"][:] = 0

    assert marked("mistake", drop) == [(3500, 6000)]
    assert marked("done", drop) == []
    assert all(end <= 3500 for _, end in marked("good", drop))


def test_a_thing_that_falls_into_the_box_is_none() -> None:
    def early(arrays: Arrays) -> None:
        arrays["held"][40:50, 0] = NOTHING
        arrays["in_box"][45:] = True

    assert marked("mistake", early) == []


def test_a_hand_that_closes_on_nothing_is_a_mistake() -> None:
    def miss(arrays: Arrays) -> None:
        arrays["held"][20:, 0] = NOTHING
        arrays["command"][:100] = arrays["wanted"][:100] = PICK
        arrays["begun_ms"][:100] = 0
        arrays["pose"][20:40, 5] = 0.0

    assert marked("mistake", miss)[0] == (1000, 4000)


def test_the_wrong_skill_is_a_mistake_until_it_is_over() -> None:
    def wrong(arrays: Arrays) -> None:
        arrays["command"][80:110] = BOX
        arrays["begun_ms"][80:110] = 8000
        arrays["begun_ms"][110:] = 11_000

    assert marked("mistake", wrong) == [(8000, 11_000)]

    def soon_over(arrays: Arrays) -> None:
        arrays["command"][80:94] = BOX
        arrays["begun_ms"][80:94] = 8000
        arrays["begun_ms"][94:] = 9400

    assert marked("mistake", soon_over) == []


def test_a_small_motion_is_no_mistake() -> None:
    def guided(arrays: Arrays) -> None:
        arrays["command"][80:110] = DOWN
        arrays["begun_ms"][80:110] = 8000
        arrays["begun_ms"][110:] = 11_000

    assert marked("mistake", guided) == []


def test_a_skill_without_result_is_a_mistake_after_a_while_in_pieces() -> None:
    def slow(arrays: Arrays) -> None:
        arrays["command"][:] = arrays["wanted"][:] = PICK
        arrays["begun_ms"][:] = 0
        arrays["held"][:] = NOTHING
        arrays["pose"][:, 5] = 1.0

    pieces = marked("mistake", slow)
    assert pieces[0][0] == 5500 and pieces[-1][1] == 20_000 and len(pieces) == 2
    assert marked("good", slow) == []


@pytest.mark.parametrize("where", ["on_table", "on_box", "hands"])
def test_pressing_is_unsafe(where: str) -> None:
    def press(arrays: Arrays) -> None:
        arrays[where][100:120] = 60.0
        arrays[where][150:160] = 10.0  # a touch

    assert marked("unsafe", press) == [(9700, 12_300)]


def test_hands_that_come_close_are_unsafe_unless_they_hand_something_over() -> None:
    def close(arrays: Arrays) -> None:
        arrays["pose"][100:120, 6] = 0.05

    def handing(arrays: Arrays) -> None:
        close(arrays)
        arrays["command"][90:120] = HAND

    assert marked("unsafe", close) == [(9700, 12_300)]
    assert marked("unsafe", handing) == []


def test_marks_are_one_to_ten_seconds_long() -> None:
    def blink(arrays: Arrays) -> None:
        arrays["on_table"][100:102] = 60.0

    assert marked("unsafe", blink) == [(9600, 10_600)]


def test_a_person_marks_roughly_and_not_everything() -> None:
    whole = truth()
    careful = annotate(whole, 1, Habits(looked=1.0, forgotten=0.0, jitter_ms=0.0))
    spans = [value for value in careful.values() if isinstance(value, Span)]
    assert [(s.start, s.end, *s.categories) for s in spans] == [
        (m.start_ms, m.end_ms, m.category) for m in marks_of(whole)
    ]
    judged = [value for value in careful.values() if isinstance(value, Judged)]
    assert [(j.start, j.end, j.heads) for j in judged] == [(0, 20_000, ["safety", "done"])]
    made = [annotate(whole, seed) for seed in range(200)]
    counts = [sum(isinstance(value, Span) for value in values.values()) for values in made]
    assert 0.6 < np.mean(counts) / len(spans) < 0.85, "of four parts in five, nine marks in ten"
    assert annotate(whole, 5) == annotate(whole, 5) and made[1] != made[2]


def test_labels_are_such_as_a_project_takes() -> None:
    item = Item(id="i1", recording="s/e", duration_ms=20_000)
    for seed in range(30):
        changes = [Change(key=key, value=value) for key, value in annotate(truth(), seed).items()]
        if changes:
            check_changes(item, preset("segments"), changes)


def test_physics_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, before = tmp_path / "truth.safetensors", truth()
    before.save(path)
    after = load_truth(path)
    assert (after.about, after.texts, after.kinds) == (before.about, before.texts, before.kinds)
    assert all(np.array_equal(after[name], value) for name, value in before.arrays.items())
    path.write_bytes(b"{}")
    with pytest.raises(DatasetError, match="cannot be read"):
        load_truth(path)


def test_marks_are_in_order_of_time() -> None:
    found: list[Any] = marks_of(truth())
    assert found == sorted(found) and all(isinstance(mark, Mark) for mark in found)
