"""A person at work in a project: which item is open, steps made out of commands, undo over all items, the time spent.

It decides; a view shows it and calls it, and `submit` hands steps to the outbox. Knows nothing of windows or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from gui.annotate.editor import ItemEditor
from gui.annotate.project_state import ProjectState
from gui.annotate.timing import Stopwatch
from hitl.annotation.state import Done, ItemLabels, before, inverse
from hitl.clock import Clock, new_ulid
from hitl.errors import InputError
from hitl.labels import Change
from hitl.messages import Label, Message

Back = Literal["undo", "redo"]


class Workbench:
    """The project, the open item and the person's way through them."""

    def __init__(self, state: ProjectState, submit: Callable[[Label], None], clock: Clock) -> None:
        self.state = state
        self.editor: ItemEditor | None = None
        self.wanted = ""
        """The item that is opened as soon as it is there."""
        self.said = ""
        """What the last command has to tell."""
        self.watch = Stopwatch()
        self._submit = submit
        self.clock = clock
        self._going_back: tuple[Back, str] | None = None
        self._last_item = ""

    @property
    def item(self) -> str:
        """Id of the open item; empty where none is."""
        return self.editor.item.id if self.editor is not None else ""

    @property
    def loading(self) -> bool:
        """Whether an item is on its way."""
        return bool(self.wanted)

    # -- projects and items ---------------------------------------------------------------------------------------

    def open_project(self, project: str) -> None:
        """Work on this project; empty: choose one."""
        self.state = self.state.opened(project)
        self.editor, self.wanted, self._last_item, self._going_back, self.said = None, "", "", None, ""

    def open_item(self, item: str) -> None:
        """Open an item, now or when it comes."""
        if not item:
            return
        self.wanted = item
        self.state.want_item(item)
        self.follow()

    def receive(self, messages: Sequence[Message]) -> bool:
        """Take in what arrived; returns whether anything of it is about this project."""
        news = [self.state.apply(message) for message in messages]
        if any(news):
            self.follow()
        return any(news)

    def follow(self) -> None:
        """Bring the open item up to what is known."""
        state = self.state
        if state.schema is None:
            return
        if not self.wanted and self.editor is None:
            shown = state.queue.shown() or state.queue.ordered()
            self.wanted = self._last_item if self._last_item in state.queue.counts else (shown[0] if shown else "")
            state.want_item(self.wanted)
        if self.wanted and self.wanted in state.items:
            self._show(self.wanted)
        elif self.editor is not None and self.item in state.items:
            self._refresh()
        self._go_back()

    def _show(self, item: str) -> None:
        self.wanted = ""
        if self.item == item:
            self._refresh()
            return
        shows_others = self.editor is not None and self.editor.shows_others
        assert self.state.schema is not None
        labels = self.state.labels(item)
        self.editor = ItemEditor(self.state.items[item], self.state.schema, labels, self.state.others(item))
        self.editor.shows_others = shows_others
        self._last_item = item
        self.watch.open(self.clock.now_ns(), labels.spent_s)
        self._refresh()
        self.state.show_item(item)
        self.state.want_item(self.state.queue.after(item), ahead=True)  # so that the next one is there at once

    def _refresh(self) -> None:
        assert self.editor is not None
        self.editor.suggestions = self.state.suggestions.get(self.item)
        self.editor.take(self.state.labels(self.item), self.state.others(self.item))

    # -- steps ------------------------------------------------------------------------------------------------------

    def do(self, changes: Sequence[Change], undoes: str = "") -> Label | None:
        """Make a step of changes to the open item; None where there are none."""
        editor = self.editor
        if editor is None:
            return None
        self.said, editor.said = editor.said, ""
        now_ns = self.clock.now_ns()
        self.watch.touch(now_ns)
        if not changes:
            return None
        label = Label(
            id=new_ulid(), author=self.state.author, stamp_ns=now_ns, project=self.state.project, item=self.item,
            changes=list(changes), undoes=undoes, spent_s=round(self.watch.take_s(now_ns), 3),
        )  # fmt: skip
        self.state.error = ""
        self.state.submitted(label)
        editor.take(self.state.labels(self.item), editor.others)
        self._submit(label)
        return label

    def undo(self) -> Label | None:
        """Take back the person's latest step, on whatever item it was."""
        return self._back("undo", self.state.history.undo)

    def redo(self) -> Label | None:
        """Make the step again that was taken back last."""
        return self._back("redo", self.state.history.redo)

    def _back(self, which: Back, done: Done | None) -> Label | None:
        if done is None:
            self.said = f"There is nothing to {which}."
            return None
        self._going_back = (which, done.id)
        if done.item != self.item:
            self.open_item(done.item)  # `follow` goes on when it is there
            return None
        return self._go_back()

    def _go_back(self) -> Label | None:
        if self._going_back is None or self.editor is None:
            return None
        which, step_id = self._going_back
        done = self.state.history.undo if which == "undo" else self.state.history.redo
        if done is None or done.id != step_id:
            self._going_back = None
            return None
        if done.item != self.item:
            return None
        self._going_back = None
        try:
            values, step = before(self.state.steps(self.item), step_id)
        except InputError as error:
            self.said = str(error)
            return None
        now: ItemLabels = self.editor.labels
        changes = inverse(values, step.changes)
        label = self.do(changes, undoes=step_id)
        if changes:
            self.editor.show_change(changes[0], now.values)
        self.said = "Taken back." if which == "undo" else "Done again."
        return label

    # -- the queue ----------------------------------------------------------------------------------------------------

    def go(self, step: int) -> None:
        """Open the next item (or the one before) without saying that this one is done."""
        onward = self.state.queue.after(self.item, step)
        if onward:
            self.open_item(onward)
        else:
            self.said = "There is no other item in this list."

    def finish(self) -> Label | None:
        """This item is done; on to the next."""
        return self._leave("done")

    def skip(self) -> Label | None:
        """This item is not for this person; on to the next."""
        return self._leave("skipped")

    def _leave(self, how: Literal["done", "skipped"]) -> Label | None:
        if self.editor is None:
            return None
        label = self.do(self.editor.review(how))
        onward = self.state.queue.after(self.item)
        if onward:
            self.open_item(onward)
        else:
            self.said = "That was the last item of this list."
        return label

    def flag(self) -> Label | None:
        """Mark the item as one to talk about, or no longer."""
        if self.editor is None:
            return None
        flagged = self.editor.labels.review.state == "flagged"
        return self.do(self.editor.review("open" if flagged else "flagged"))

    def spent_s(self) -> float:
        """Seconds on the open item in all, now."""
        return self.watch.total_s(self.clock.now_ns())
