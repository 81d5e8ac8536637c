"""Outputs on demand: what is asked for, how far it is, and the panel in a real window."""

from __future__ import annotations

import pytest

from gui.annotate.writing import MAX_PROMPTS, Writing
from hitl.annotation_messages import Generate, OpenProject, StopGenerating, Written
from hitl.errors import InputError


def told(wish, **fields):
    return Written(**{"id": wish.id, "project": wish.project, "done": 0, "of": len(wish.prompts), **fields})


def test_a_wish_has_a_prompt_a_line():
    writing = Writing()
    wish = writing.begin("ponds", " Why? \n\nHow?\n", 3, " http://x ")
    assert [prompt.text for prompt in wish.prompts] == ["Why?", "How?"]
    assert (wish.project, wish.count, wish.model) == ("ponds", 3, "http://x")
    assert writing.words() == "Writing: 0 of 2 prompts, 0 new items."


@pytest.mark.parametrize("text", ["", " \n ", "x\n" * (MAX_PROMPTS + 1)])
def test_what_cannot_be_asked_is_named_and_nothing_begins(text):
    writing = Writing()
    with pytest.raises(InputError, match="prompts"):
        writing.begin("ponds", text, 1)
    assert writing.wish is None


def test_one_wish_at_a_time():
    writing = Writing()
    wish = writing.begin("ponds", "Why?", 1)
    with pytest.raises(InputError, match="already"):
        writing.begin("ponds", "How?", 1)
    assert writing.wish == wish


def test_progress_words_and_new_items_are_taken_in():
    writing = Writing()
    wish = writing.begin("ponds", "Why?\nHow?", 2)
    assert not writing.apply(told(wish, texts=["It rains", "x" * 500]))
    assert writing.preview() == "It rains\n\n… " + "x" * 160
    assert writing.apply(told(wish, done=1, item="written-1"))
    assert writing.words() == "Writing: 1 of 2 prompts, 1 new item." and writing.preview() == ""
    assert not writing.apply(told(wish, finished=True))
    assert writing.wish is None and writing.words() == "Finished: 1 new item."
    assert writing.stop() is None


def test_others_wishes_are_not_for_this_window():
    writing = Writing()
    wish = writing.begin("ponds", "Why?", 1)
    other = Generate(id="other", project="ponds", prompts=wish.prompts)
    assert not writing.apply(told(other, finished=True, item="x")) and writing.wish == wish


def test_it_is_stopped_and_errors_are_said():
    writing = Writing()
    wish = writing.begin("ponds", "Why?", 1)
    assert writing.stop() == StopGenerating(id=wish.id) and writing.words().startswith("Stopping")
    writing.apply(told(wish, finished=True, error="model: it is not there."))
    assert writing.words() == "model: it is not there."
    writing.begin("ponds", "Why?", 1)
    writing.lost()
    assert writing.wish is None and "kept" in writing.words()
    writing.lost()


def asked(person, kind):
    return [question for question in person.link.questions if isinstance(question, kind)]


def test_the_panel_asks_shows_progress_and_stops(person):
    person.window.registry.trigger("project.write")
    panel = person.window.write_panel
    assert panel.isVisible() and panel.button.text() == "Write"
    panel.button.click()
    assert "There is no prompt" in panel._words.text() and not asked(person, Generate)
    panel.prompts.setPlainText("Why?\nHow?")
    panel.button.click()
    person.qtbot.waitUntil(lambda: bool(asked(person, Generate)))
    (wish,) = asked(person, Generate)
    assert panel.button.text() == "Stop" and not panel.prompts.isEnabled() and wish.count == 4
    before = len(asked(person, OpenProject))
    person.receive(told(wish, done=1, item="written-1"))
    assert "1 of 2 prompts" in panel._words.text()
    person.qtbot.waitUntil(lambda: len(asked(person, OpenProject)) > before)
    panel.button.click()
    person.qtbot.waitUntil(lambda: bool(asked(person, StopGenerating)))
    person.receive(told(wish, finished=True))
    assert panel.button.text() == "Write" and panel.prompts.isEnabled()
    assert panel._words.text() == "Finished: 1 new item."
