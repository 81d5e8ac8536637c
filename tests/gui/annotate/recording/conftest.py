"""A window on a recording; its link is the test, which also answers what is asked about pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gui.annotate import recording_samples as samples
from gui.annotate.samples import PROJECT
from gui.connection import Batch, Health
from hitl.annotation_messages import OpenItem, OpenProject, OpenRecording, ShowPictures
from tests.gui.annotate.conftest import Person

WAIT_MS = 20_000


class Watcher(Person):
    """Somebody at a recording."""

    error = ""
    names: tuple[str, ...] = samples.CAMERAS
    shows = True
    """Whether pictures come."""

    @property
    def recording(self):
        return self.view.recording

    @property
    def track(self):
        return self.recording.track

    def answer(self, names=None) -> None:
        """Answer all that the window asks, until it asks no more."""
        for _ in range(60):
            self.receive()
            self.qtbot.wait(5)
            fresh = [question for question in self.link.questions if question.id not in self._answered]
            if not fresh:
                return
            for question in fresh:
                self._answered.add(question.id)
                match question:
                    case OpenProject():
                        self.receive(samples.project_opened(question))
                    case OpenItem():
                        steps = [step for step in self.steps if step.item == question.item]
                        self.receive(samples.item_opened(question, steps))
                    case OpenRecording():
                        self.receive(samples.recording_opened(question, self.error, self.names))
                    case ShowPictures() if self.shows:
                        self.window.receive(Batch(recorded=[samples.pictures(question)], health=Health(True)))

    def until(self, condition: Callable[[], bool]) -> None:
        """Answer what is asked until this holds."""

        def holds() -> bool:
            self.answer()
            return condition()

        self.qtbot.waitUntil(holds, timeout=WAIT_MS)

    def seen(self) -> bool:
        """Whether an item is open, and the pictures of the moment are here."""
        shown = self.recording
        return bool(shown.store.cameras) and not any(shown.store.waits(name, shown.head.ms) for name in self.names)

    def pass_ms(self, ms: int, step_ms: int = 20) -> None:
        """Time goes on; pictures come in time, where any do."""
        for _ in range(ms // step_ms):
            self.until(lambda: not self.shows or self.seen())
            self.window._clock.advance(step_ms / 1000)
            self.recording.tick()


@pytest.fixture
def watcher(qtbot, make_window: Callable, preferences, link) -> Watcher:
    preferences.remember("project", PROJECT)
    window = make_window()
    somebody = Watcher(qtbot, window, link)
    window.registry.trigger("view.annotate")
    somebody.until(somebody.seen)
    return somebody
