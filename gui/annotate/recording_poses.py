"""Poses of a recording in Annotate for pictures: each gives the view a moment of the sample recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QDeadlineTimer, QEventLoop
from PySide6.QtWidgets import QApplication

from gui.annotate import recording_samples as samples
from gui.annotate.chooser import Target
from gui.annotate.view import AnnotateView
from hitl.annotation_messages import OpenItem, OpenProject, OpenRecording
from hitl.events import LabelEvent
from hitl.labels import Span

Pose = Callable[[AnnotateView], None]
_DECODED_MS = 5_000


def settle(view: AnnotateView, steps: Sequence[LabelEvent] = (), error: str = "") -> None:
    """Answer what the view asks about its project and items, as a backend would, until it asks no more; then what it
    asks about pictures."""
    state = view.bench.state
    view.connected = True
    state.link(True)
    for _round in range(6):
        for question in state.asks(1 << 62):
            if isinstance(question, OpenProject):
                view.bench.receive([samples.project_opened(question)])
            elif isinstance(question, OpenItem):
                view.bench.receive([samples.item_opened(question, [s for s in steps if s.item == question.item])])
    view.refresh()
    view.recording.store.link(True)
    show_pictures(view, error)


def show_pictures(view: AnnotateView, error: str = "") -> None:
    """Answer what the view asks about pictures, and wait until they are ready to paint."""
    shown = view.recording
    for _round in range(30):
        asked = shown.store.asks(1 << 62)
        for question in asked:
            if isinstance(question, OpenRecording):
                shown.receive([samples.recording_opened(question, error)], [], connected=True)
            else:
                shown.receive([], [samples.pictures(question)], connected=True)
        if not asked:
            break
    deadline = QDeadlineTimer(_DECODED_MS)
    cameras = shown.cameras
    while not all(cameras.view(name).has_picture for name in cameras.names) and not deadline.hasExpired():
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)


def _work(view: AnnotateView, *steps: LabelEvent, item: str = samples.ITEM, error: str = "") -> None:
    view.bench.open_project(samples.PROJECT)
    settle(view, steps, error)
    view.bench.receive([samples.progress()])
    view.bench.open_item(item)
    settle(view, steps, error)
    view.show_page("annotate")


def _fresh(view: AnnotateView) -> None:
    _work(view)


def _spans(view: AnnotateView) -> None:
    _work(view, samples.marked())
    _choose(view, "mistake")


def _choose(view: AnnotateView, category: str) -> None:
    editor = view.bench.editor
    assert editor is not None
    key = next(key for key, span in editor.labels.of(Span).items() if category in span.categories)
    view.act(lambda: editor.choose(Target("span", key)))
    show_pictures(view)


def _suggested(view: AnnotateView) -> None:
    _work(view, samples.marked())
    view.bench.receive([samples.suggestions()])
    view.refresh()
    editor = view.bench.editor
    assert editor is not None
    editor.select_sentence(10)
    view.act(editor.enter)
    show_pictures(view)


def _watching(view: AnnotateView) -> None:
    _work(view, samples.marked())
    view.bench.receive([samples.suggestions()])
    view.refresh()
    shown, editor = view.recording, view.bench.editor
    assert editor is not None
    for _closer in (1, 2):
        shown.zoom(1)
    shown.seek(25_700)
    category = editor.category_of("m")
    assert category is not None
    view.act(lambda: view.bench.do(shown.press(editor, category)))
    shown.seek(27_100)
    view.refresh()
    show_pictures(view)


def _others(view: AnnotateView) -> None:
    _work(view, samples.marked(), samples.of_tomas())
    view.show_page("adjudicate")
    show_pictures(view)


def _bare(view: AnnotateView) -> None:
    _work(view, item=samples.BARE)


def _error(view: AnnotateView) -> None:
    _work(view, samples.marked(), error="The recording 2026-11-24-a/episode-4 is gone: its file was moved or deleted. "
          "Put it back into the folder of recordings; what was marked is kept.")  # fmt: skip


def _loading(view: AnnotateView) -> None:
    _work(view, samples.marked())
    view.recording.store.show(samples.PROJECT, samples.ITEM)
    view.recording.cameras.show_cameras([])
    view.refresh()


def _away(view: AnnotateView) -> None:
    _loading(view)
    view.bench.state.link(False)
    view.connected = False
    view.recording.receive([], [], connected=False)
    view.refresh()


VIEWS: dict[str, tuple[str, Pose]] = {
    "annotate-recording": ("a recording that nobody has marked yet", _fresh),
    "annotate-recording-spans": ("a recording with spans, one of them current", _spans),
    "annotate-recording-suggestions": ("what the model suggests, and its chances over time", _suggested),
    "annotate-recording-watching": ("a mistake that began while watching and has not ended", _watching),
    "annotate-recording-others": ("labels of two people on a recording", _others),
    "annotate-recording-bare": ("a recording without commands", _bare),
    "annotate-recording-error": ("a recording that is gone", _error),
    "annotate-recording-loading": ("a recording that is being opened", _loading),
    "annotate-recording-away": ("a recording while the backend is away", _away),
}
