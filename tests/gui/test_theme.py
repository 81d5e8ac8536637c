"""Contrast of every pair of colours that text is drawn with, and the sizes of type."""

from __future__ import annotations

import pytest

from gui.theme import DARK, LIGHT, TEXT_PAIRS, Theme, Type, contrast
from hitl.annotation.schema import COLOURS
from hitl.errors import InputError


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("front, back", TEXT_PAIRS)
def test_text_can_be_read(colours, front, back):
    assert contrast(getattr(colours, front), getattr(colours, back)) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_categories_can_be_told_from_the_page_and_their_letters_read(colours):
    assert len(set(colours.marks)) == COLOURS
    for mark in colours.marks:
        assert contrast(mark, colours.on_mark) >= 4.5
        for ground in (colours.surface, colours.window, colours.raised, colours.accent_soft):
            assert contrast(mark, ground) >= 3.0
            assert contrast(mark, ground) >= 4.5 or ground == colours.accent_soft, "letters of a suggestion"


def test_the_command_is_28_to_40_pt():
    assert [Type(size).command for size in (13, 20)] == [28, 40]


def test_a_wrong_theme_or_size_is_named():
    with pytest.raises(InputError, match="theme"):
        Theme("purple")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="text_size"):
        Theme("light", 21)
