"""Names at the ends of the learning curve stand apart and within the plot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate.curve import _free


@given(st.lists(st.floats(5, 95), min_size=1, max_size=4))
def test_names_do_not_lie_on_each_other(wanted):
    taken: list[float] = []
    for height in wanted:
        found = _free(height, taken, 14, 100)
        assert found <= 100 and all(abs(found - other) >= 13.9 for other in taken)
        taken.append(found)
