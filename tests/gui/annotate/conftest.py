"""A window on Annotate with the sample project open; its link is the test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.annotate import samples
from gui.annotate.view import AnnotateView
from gui.connection import Batch, Health
from gui.main_window import MainWindow
from hitl.annotation_messages import OpenItem, OpenProject
from hitl.events import LabelEvent
from hitl.messages import Message


class Person:
    """Somebody at the window: presses keys, and hears what a backend would answer."""

    def __init__(self, qtbot, window: MainWindow, link) -> None:
        self.qtbot, self.window, self.link = qtbot, window, link
        self.steps: list[LabelEvent] = []
        self._answered: set[str] = set()

    @property
    def view(self) -> AnnotateView:
        return self.window.annotate

    @property
    def editor(self):
        editor = self.view.bench.editor
        assert editor is not None
        return editor

    def receive(self, *messages: Message) -> None:
        self.window.receive(Batch(messages=list(messages), health=Health(True, 0, 0, 0.5)))

    def answer(self, names: list[str] | None = None) -> None:
        """Answer what the window asks, until it asks no more."""
        for _ in range(10):
            self.receive()
            self.qtbot.wait(20)
            fresh = [question for question in self.link.questions if question.id not in self._answered]
            if not fresh:
                return
            for question in fresh:
                self._answered.add(question.id)
                if isinstance(question, OpenProject):
                    self.receive(samples.project_opened(question, names=names))
                elif isinstance(question, OpenItem):
                    self.receive(samples.item_opened(question, [s for s in self.steps if s.item == question.item]))

    def press(self, keys: str, *modifiers: Qt.KeyboardModifier) -> None:
        """A letter, or the name of a key; to the window, which finds the focus and the shortcuts."""
        key = getattr(Qt.Key, f"Key_{keys.upper() if len(keys) == 1 else keys}")
        held = Qt.KeyboardModifier.NoModifier
        for modifier in modifiers:
            held |= modifier
        QTest.keyClick(self.window.windowHandle(), key, held)

    def labels(self, count: int) -> list:
        """What was submitted, once there is so much."""
        self.qtbot.waitUntil(lambda: len(self.link.requests) >= count)
        return self.link.requests


@pytest.fixture
def person(qtbot, make_window: Callable, preferences, link) -> Person:
    preferences.remember("project", samples.PROJECT)
    window = make_window()
    somebody = Person(qtbot, window, link)
    window.registry.trigger("view.annotate")
    somebody.answer()
    somebody.receive(samples.progress())
    somebody.answer()
    somebody.view.bench.open_item("dev-37")
    somebody.answer()
    return somebody
