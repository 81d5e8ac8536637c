"""What each command of the menu “Annotate” does, by its id."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from gui.actions import Registry
from gui.annotate.cursor import Cursor
from gui.annotate.editor import ItemEditor
from gui.annotate.view import AnnotateView
from gui.annotate.workbench import Workbench
from hitl.annotation_messages import Order
from hitl.labels import Change, Winner

_MOVES: dict[str, Callable[[ItemEditor], None]] = {
    "mark.next_word": lambda editor: editor.move_word(1),
    "mark.previous_word": lambda editor: editor.move_word(-1),
    "mark.first_word": lambda editor: editor.move_end(-1),
    "mark.last_word": lambda editor: editor.move_end(1),
    "mark.next_span": lambda editor: editor.step_target(1),
    "mark.previous_span": lambda editor: editor.step_target(-1),
    "mark.earlier": lambda editor: editor.start_picking(),
    "item.next_output": lambda editor: editor.show_track(1),
    "item.previous_output": lambda editor: editor.show_track(-1),
}
_EDGES: dict[str, Callable[[Cursor], None]] = {
    "mark.extend_word": lambda cursor: cursor.extend_word(1),
    "mark.shrink_word": lambda cursor: cursor.extend_word(-1),
    "mark.extend_sentence": lambda cursor: cursor.extend_sentence(1),
    "mark.shrink_sentence": lambda cursor: cursor.extend_sentence(-1),
    "mark.end_further": lambda cursor: cursor.nudge(1, start=False),
    "mark.end_back": lambda cursor: cursor.nudge(-1, start=False),
    "mark.start_further": lambda cursor: cursor.nudge(1, start=True),
    "mark.start_back": lambda cursor: cursor.nudge(-1, start=True),
}
_STEPS: dict[str, Callable[[ItemEditor], list[Change]]] = {
    "mark.next_sentence": lambda editor: editor.next_sentence(1),
    "mark.previous_sentence": lambda editor: editor.next_sentence(-1),
    "mark.accept": lambda editor: editor.enter(),
    "mark.unsure": lambda editor: editor.toggle_unsure(),
    "mark.severity": lambda editor: editor.next_severity(),
}
_ITEMS: dict[str, Callable[[Workbench], object]] = {
    "label.undo": Workbench.undo,
    "label.redo": Workbench.redo,
    "item.flag": Workbench.flag,
}
_LEAVING: dict[str, Callable[[Workbench], object]] = {
    "item.finish": Workbench.finish,
    "item.next": lambda bench: bench.go(1),
    "item.previous": lambda bench: bench.go(-1),
    "item.skip": Workbench.skip,
}


def bind(view: AnnotateView, registry: Registry, order_chosen: Callable[[Order], None]) -> None:
    """Connect every command with what it does. order_chosen: to remember the order."""
    for name, move in _MOVES.items():
        registry.on(name, partial(_step, view, partial(_nothing, move)))
    for name, edge in _EDGES.items():
        registry.on(name, partial(_step, view, partial(_extend, edge)))
    for name, step in _STEPS.items():
        registry.on(name, partial(_step, view, step))
    for name, run in _ITEMS.items():
        registry.on(name, partial(_item, view, run))
    for name, run in _LEAVING.items():
        registry.on(name, partial(_leave, view, run))
    registry.on("mark.remove", partial(_remove, view))
    _bind_recording(view, registry)
    winners: dict[str, Winner] = {"compare.first": "first", "compare.second": "second", "compare.tie": "tie"}
    for name, winner in winners.items():
        registry.on(name, partial(_prefer, view, winner))
    registry.on("compare.previous", lambda: _pair(view, -1))
    registry.on("compare.next", lambda: _pair(view, 1))
    for name, down, right in (("down", 1, 0), ("up", -1, 0), ("right", 0, 1), ("left", 0, -1)):
        registry.on(f"others.{name}", partial(view.adjudicate.go, down, right))
    registry.on("others.take", view.adjudicate.take)
    registry.on("others.neither", partial(view.adjudicate.choose, 0))
    for number in range(1, 10):
        registry.on(f"others.take{number}", partial(view.adjudicate.choose, number))
    registry.on("others.next", lambda: view.next_disagreement(1))
    registry.on("others.previous", lambda: view.next_disagreement(-1))
    registry.on("item.compare", lambda: view.toggle_page("compare"))
    registry.on("item.others", lambda: view.toggle_page("adjudicate"))
    registry.on("project.choose", lambda: view.toggle_page("projects"))
    _bind_focus(view, registry)
    orders: tuple[Order, ...] = ("uncertain", "listed", "random")
    for order in orders:
        registry.on(f"queue.{order}", partial(_order, view, order, order_chosen))
    for name in ("open", "flagged", "all"):
        registry.on(f"queue.{name}", partial(_filter, view, name))


def _bind_recording(view: AnnotateView, registry: Registry) -> None:
    shown = view.recording
    runs: dict[str, Callable[[], None]] = {
        "play.toggle": shown.toggle,
        "play.selection": shown.play_selection,
        "play.faster": partial(shown.change_speed, 1),
        "play.slower": partial(shown.change_speed, -1),
        "play.next_picture": partial(shown.step_picture, 1),
        "play.previous_picture": partial(shown.step_picture, -1),
        "play.camera": shown.cameras.next,
        "track.zoom_in": partial(shown.zoom, 1),
        "track.zoom_out": partial(shown.zoom, -1),
        "track.fit": shown.track.fit,
    }
    for name, run in runs.items():
        registry.on(name, run)
    for name, start in (("mark.start_here", True), ("mark.end_here", False)):
        registry.on(name, partial(_step, view, partial(shown.set_edge, start=start)))


def _bind_focus(view: AnnotateView, registry: Registry) -> None:
    shortcut = Qt.FocusReason.ShortcutFocusReason
    registry.on("mark.note", lambda: view.labels.details.note.setFocus(shortcut))
    registry.on("mark.search", view.sources.focus_search)
    registry.on("mark.evidence", partial(_toggle_focus, view, lambda: view.sources.view.setFocus(shortcut),
                                         view.sources))  # fmt: skip
    registry.on("mark.rewrite", partial(_toggle_focus, view, view.rewrite.focus, view.rewrite))


def _toggle_focus(view: AnnotateView, focus: Callable[[], None], part: QWidget) -> None:
    now = QApplication.focusWidget()
    if now is not None and part.isAncestorOf(now):
        view.focus_text()
    else:
        focus()


def _nothing(move: Callable[[ItemEditor], None], editor: ItemEditor) -> list[Change]:
    move(editor)
    return []


def _extend(edge: Callable[[Cursor], None], editor: ItemEditor) -> list[Change]:
    return editor.extend(edge)


def _step(view: AnnotateView, step: Callable[[ItemEditor], list[Change]]) -> None:
    editor = view.bench.editor
    if editor is not None:
        view.act(lambda: view.bench.do(step(editor)))


def _remove(view: AnnotateView) -> None:
    if view.recording.begun:
        view.recording.watching.forget()
        view.bench.said = "Dropped. Nothing was marked."
        view.refresh()
    else:
        _step(view, lambda editor: editor.remove())


def _leave(view: AnnotateView, run: Callable[[Workbench], object]) -> None:
    if view.recording.begun:
        view.bench.said = "Something has begun and not ended. End it with its letter, or drop it with Backspace."
        view.refresh()
    else:
        _item(view, run)


def _item(view: AnnotateView, run: Callable[[Workbench], object]) -> None:
    view.keep_text()
    view.act(lambda: run(view.bench))


def _prefer(view: AnnotateView, winner: Winner) -> None:
    view.compare.choose(winner)
    if view.bench.editor is not None:
        view.compare.onward(view.bench.editor)
        view.refresh()


def _pair(view: AnnotateView, step: int) -> None:
    view.compare.go(step)
    view.refresh()


def _order(view: AnnotateView, order: Order, chosen: Callable[[Order], None]) -> None:
    view.bench.state.queue.order = order
    chosen(order)
    view.refresh()


def _filter(view: AnnotateView, name: str) -> None:
    if name in ("open", "flagged", "all"):
        view.bench.state.queue.filter = name  # type: ignore[assignment]
        view.refresh()
