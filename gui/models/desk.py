"""What the window does about versions: it asks for them, shows them, and sends what a person wants done with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from gui.actions import Registry
from gui.connection import ModelQuestion
from gui.models.state import ModelsState, Wish
from gui.models.view import ModelsView
from gui.models.words import Line, line_of
from gui.theme import Theme
from hitl.clock import Clock, new_ulid
from hitl.messages import Message
from hitl.model_messages import PromoteModel, RollBackModel, SetLearning

ShowLine = Callable[[Line | None, bool, int], None]
"""Shows the line in Live: what it says, whether one can roll back, now in ns."""


class ModelDesk:
    """It owns the view and what is known. ask: sends to the backend; here: ids of the corrections that Live lists;
    wall: the time of day in seconds."""

    def __init__(
        self, theme: Theme, registry: Registry, author: str, clock: Clock, *, ask: Callable[[ModelQuestion], None],
        show_line: ShowLine, here: Callable[[], Iterable[str]], wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.state, self.view = ModelsState(author), ModelsView(theme, registry)
        self._theme, self._registry, self._clock, self.wall = theme, registry, clock, wall
        self._drawn: object = None
        """What is drawn now; nothing is done where that is to be seen again."""
        self._ask, self._show_line, self._here = ask, show_line, here
        self.address = ""
        """Of the backend, as it is told to a person who waits for it."""
        self.view.chosen.connect(self._choose)
        self.view.compared.connect(self._compare_with)
        for name, run in {
            "models.promote": self.promote, "models.leave": self.leave, "models.roll_back": self.roll_back,
            "models.compare": self.compare, "models.learning": self.toggle_learning,
            "models.export": lambda: self.view.toggle_export(self.state),
        }.items():  # fmt: skip
            registry.on(name, run)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def receive(self, messages: Sequence[Message], connected: bool) -> None:
        """Take over what arrived, and ask what has to be known."""
        now_ns = self._clock.now_ns()
        news = connected != self.state.connected
        self.state.link(connected, now_ns)
        for message in messages:
            news = self.state.apply(message, now_ns, self.wall()) or news
        for question in self.state.asks(now_ns):
            self._ask(question)
        if news:
            self.refresh()

    def show(self) -> None:
        """The view is seen now: draw it and give it the keys."""
        self.refresh()
        self.view.focus_first()

    def refresh(self) -> None:
        """Draw the versions where they are seen, and the line in Live."""
        state, now_ns = self.state, self._clock.now_ns()
        waiting = state.waiting(now_ns)
        chosen = state.chosen
        elsewhere = chosen is not None and chosen is not state.acts
        for name, can in {
            "models.promote": elsewhere and not waiting,
            "models.leave": bool(state.asked),
            "models.roll_back": bool(state.before) and not waiting,
            "models.compare": state.second is not None or bool(state.compared_first),
            "models.learning": state.known and not waiting,
            "models.export": state.known,
        }.items():
            self._registry.enable(name, can)
        self._show_line(line_of(state, now_ns), bool(state.before), now_ns)
        here = frozenset(self._here())
        drawn = (state.changes, waiting, here, self.address, self._theme.dark, self._theme.type)
        if self.view.isVisible() and drawn != self._drawn:
            self._drawn = drawn
            self.view.show_state(state, waiting, here, self.address)

    # -- what the person does -----------------------------------------------------------------------------------------

    def promote(self) -> None:
        """Have the chosen version act; one that the gate refused is asked about first."""
        chosen = self.state.chosen
        if chosen is None or chosen is self.state.acts:
            return
        if self.state.must_ask(chosen) and self.state.asked != chosen.name:
            self.state.compare_with("")
            self.state.ask_about(chosen.name)
            self.refresh()
            return
        self.state.ask_about("")
        self._wish(PromoteModel(id=new_ulid(), author=self.state.author, name=chosen.name))

    def leave(self) -> None:
        """Do not promote what the gate refused."""
        self.state.ask_about("")
        self.refresh()

    def roll_back(self) -> None:
        """Have the version before act again."""
        if self.state.before:
            self._wish(RollBackModel(id=new_ulid(), author=self.state.author))

    def toggle_learning(self) -> None:
        """Learn, or only keep corrections."""
        self._wish(SetLearning(id=new_ulid(), author=self.state.author, learning=not self.state.learning))

    def compare(self) -> None:
        """Set the chosen version beside another one, or no more."""
        self.state.compare_with("" if self.state.second is not None else self.state.compared_first)
        self.refresh()

    def _wish(self, wish: Wish) -> None:
        for question in self.state.wish(wish, self._clock.now_ns()):
            self._ask(question)
        self.refresh()

    def _choose(self, name: str) -> None:
        self.view.say("")
        self.state.choose(name)
        self.refresh()

    def _compare_with(self, name: str) -> None:
        self.state.compare_with(name)
        self.refresh()
