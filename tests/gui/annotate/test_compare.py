"""Which of two answers is better: what the model thinks of a pair, and which pair is shown."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from gui.annotate import samples
from gui.annotate.editor import ItemEditor
from gui.annotate.preferences import chance, opinion_words
from hitl.annotation.items import Item, Output

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.mark.parametrize(
    ("first", "second", "likely"),
    [(0.0, 0.0, 0.5), (1.3, 0.2, 0.7503), (0.2, 1.3, 0.2497), (1e6, -1e6, 1.0), (None, 1.0, None), (1.0, None, None)],
)
def test_the_chance_of_the_first_follows_bradley_and_terry(first, second, likely):
    assert chance(first, second) == (None if likely is None else pytest.approx(likely, abs=1e-4))


@pytest.mark.parametrize(
    ("likely", "agrees", "words"),
    [
        (None, 0.6, ""),
        (0.75, None, "The model’s opinion: A is better, 75% sure."),
        (0.25, 0.64, "The model’s opinion: B is better, 75% sure. Of pairs that it did not learn from it orders 64% "
         "as people do."),
        (0.5004, None, "The model’s opinion: no difference."),
        (1.0, None, "The model’s opinion: A is better, 99% sure."),
    ],
)  # fmt: skip
def test_the_opinion_in_words(likely, agrees, words):
    assert opinion_words("A", "B", likely, agrees) == words


def test_the_models_opinion_of_a_pair_is_told_and_chooses_nothing(person):
    person.press("K", CTRL)
    page = person.view.compare
    assert not page._opinion.isVisible(), "nothing is learned of this item"
    person.receive(samples.suggestions())
    assert page._opinion.isVisible()
    assert "Answer 2 is better, 85% sure" in page._opinion.text() and "64% as people do" in page._opinion.text()
    assert not any(button.property("on") == "true" for button in page._buttons) and not person.link.requests
    for _ in range(2):
        person.press("Return")
    assert page._heading.text().startswith("Pair 3 of 6") and not page._opinion.isVisible(), "answer 4 has no score"


def test_a_pair_that_is_clicked_is_one_of_the_item_that_is_shown(person):
    page = person.view.compare
    person.press("K", CTRL)
    texts = ["First.", "Second.", "Third."]
    item = Item(id="new", outputs=[Output(track=f"{n}", text=text) for n, text in enumerate(texts)])
    page.show_editor(ItemEditor(item, samples.schema()))
    chips = [chip for chip in page._chips.findChildren(QPushButton) if chip.isVisible()]
    assert len(chips) == 3
    chips[2].click()
    assert (page.left.text.toPlainText(), page.right.text.toPlainText()) == ("Second.", "Third.")
