"""Places of the pictures: inside the area, in their proportions, without overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRect, QSize

from gui.live.cameras import arrange, ordered

_SIZES = st.tuples(st.integers(320, 3840), st.integers(200, 2160))


@given(_SIZES, st.lists(st.sampled_from([1.0, 4 / 3, 16 / 9]), min_size=1, max_size=6))
def test_pictures_fit_and_do_not_overlap(size: tuple[int, int], ratios: list[float]):
    area = QSize(*size)
    _plan, rects = arrange(area, ratios)
    room = QRect(-1, -1, area.width() + 2, area.height() + 2)
    assert len(rects) == len(ratios)
    for place, rect in enumerate(rects):
        assert room.contains(rect)
        assert abs(rect.width() - rect.height() * ratios[place]) <= 2 + 2 * ratios[place]
        assert not any(rect.intersects(other) for other in rects[:place])


def test_a_line_of_text_does_not_change_the_plan():
    ratios = [4 / 3] * 4
    plan, _rects = arrange(QSize(862, 450), ratios)
    for height in range(400, 450, 10):
        assert arrange(QSize(862, height), ratios, plan)[0] == plan


def test_known_cameras_come_first():
    assert ordered(["zed", "left_wrist", "front", "overhead"]) == ["overhead", "front", "left_wrist", "zed"]
