"""The window of models: versions at the left, how much help was needed at the top, the chosen version below.

It shows a ModelsState and tells what a person points at; what is sent for it, the desk knows.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTableView,
    QWidget,
)

from gui.actions import Registry, keys_shown
from gui.models.compare_pane import ComparePane
from gui.models.details import DetailsPane
from gui.models.export_panel import ExportPanel
from gui.models.graph import VersionGraph
from gui.models.matrix_view import MatrixView
from gui.models.rate_plot import RatePlot
from gui.models.score_plot import ScorePlot
from gui.models.state import ModelsState
from gui.models.words import notice_of, rate_words, waiting_of
from gui.theme import GRID, Theme
from gui.widgets.basics import ElidedLabel, column, command_button, label, restyle, row
from gui.widgets.notice import NoticeBar, WaitingPage


class KeepsEnter(QObject):
    """Enter and Space stay with the buttons and lists of this view, else Enter would promote from there."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take Enter back from the command that has it."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
                event.accept()
                return True
        return False


class ModelsView(QWidget):
    """`chosen` and `compared` carry the name of a version, `wanted` the id of a correction to be seen in Live."""

    chosen = Signal(str)
    compared = Signal(str)
    wanted = Signal(str)

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("page")
        self._theme = theme
        self._registry = registry
        self.notice = NoticeBar()
        self.waiting = WaitingPage(theme, "models")
        self.graph = VersionGraph(theme)
        self.rate = RatePlot(theme)
        self.score = ScorePlot(theme)
        self.matrix = MatrixView(theme)
        self.details = DetailsPane(theme, registry)
        self.compare = ComparePane(theme, registry)
        self._build()
        self._wire()
        self.restyle()

    def _build(self) -> None:
        self.head = self._heading()
        self._below = QStackedWidget()
        self._below.addWidget(self.details)
        self._below.addWidget(self.compare)
        measures = QFrame()
        measures.setObjectName("column")
        self._forgotten = label("Forgotten", "strong", wrap=True)
        layout = column(
            label("Scores over versions", "strong"), self.score, self._forgotten, self.matrix, spacing=6,
            margins=(2 * GRID, 12, GRID, GRID),
        )  # fmt: skip
        layout.setStretch(1, 3)
        layout.setStretch(3, 4)
        measures.setLayout(layout)
        chosen = QFrame()
        chosen.setObjectName("column")
        chosen.setLayout(column(self._below))
        self.bottom = QSplitter(Qt.Orientation.Horizontal)
        self.bottom.addWidget(chosen)
        self.bottom.addWidget(measures)
        self.bottom.setSizes([440, 490])
        self.halves = QSplitter(Qt.Orientation.Vertical)
        self.halves.addWidget(self._top())
        self.halves.addWidget(self.bottom)
        self.halves.setStretchFactor(0, 2)
        self.halves.setStretchFactor(1, 5)
        self.halves.setSizes([190, 470])
        left = QFrame()
        left.setObjectName("column")
        left.setLayout(column(self.graph))
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.addWidget(left)
        self.columns.addWidget(self.halves)
        self.columns.setStretchFactor(1, 1)
        self.columns.setSizes([100 + 12 * self._theme.type.body, 940])
        for splitter in (self.columns, self.halves, self.bottom):
            splitter.setChildrenCollapsible(False)
        work = QWidget()
        layout = column(self.head, self.columns, spacing=0)
        layout.setStretch(1, 1)
        work.setLayout(layout)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.waiting)
        self._pages.addWidget(work)
        whole = column(self.notice, self._pages, spacing=0)
        whole.setStretch(1, 1)
        self.setLayout(whole)
        self.panel: ExportPanel | None = None
        self._keeps = KeepsEnter(self)
        self._keep_enter(self)

    def _keep_enter(self, part: QWidget) -> None:
        """Enter stays with the buttons, lists and fields of a part."""
        for kind in (QPushButton, QListWidget, QTableView, QLineEdit):
            for widget in part.findChildren(kind):
                widget.installEventFilter(self._keeps)
                if isinstance(widget, QPushButton):
                    widget.setAutoDefault(True)

    def _heading(self) -> QFrame:
        head = QFrame()
        head.setObjectName("head")
        self._acts = label("", name="What acts")
        self._done = label("", "caption", name="What was done")
        self.learning = command_button(self._registry.action("models.learning"), "Learning", "small", show_keys=True)
        self.roll_back = command_button(
            self._registry.action("models.roll_back"), "Roll back", "small", show_keys=True
        )
        self.export = command_button(self._registry.action("models.export"), "Export", "small", show_keys=True)
        self._done.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._done.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head.setLayout(row(self._acts, self._done, None, self.learning, self.roll_back, self.export,
                           margins=(2 * GRID, 6, GRID, 6)))  # fmt: skip
        return head

    def _top(self) -> QFrame:
        top = QFrame()
        top.setObjectName("column")
        self._trend = ElidedLabel("How much help was needed")
        heading = QWidget()
        across = row(label("Intervention rate", "strong"), self._trend, spacing=12)
        across.setStretch(1, 1)
        heading.setLayout(across)
        layout = column(heading, self.rate, spacing=4, margins=(2 * GRID, 10, 2 * GRID, 6))
        layout.setStretch(1, 1)
        top.setLayout(layout)
        return top

    def _wire(self) -> None:
        for part in (self.graph, self.rate, self.score, self.matrix):
            part.chosen.connect(self.chosen)
        self.graph.compared.connect(self.compared)
        self.rate.pointed.connect(self._say_episode)
        self.details.wanted.connect(self.wanted)

    def restyle(self) -> None:
        """Take over the theme's colours and type."""
        self.graph.restyle()
        self.matrix.restyle()
        self.details.restyle()
        self.compare.restyle()

    def layout_state(self) -> list[QByteArray]:
        """How the room is divided, to be kept."""
        return [part.saveState() for part in (self.columns, self.halves, self.bottom)]

    def restore_layout(self, states: list[QByteArray]) -> None:
        """Divide the room as it was."""
        for part, state in zip((self.columns, self.halves, self.bottom), states, strict=False):
            part.restoreState(state)

    def focus_first(self) -> None:
        """Give the keys to the versions."""
        self.graph.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def say(self, words: str) -> None:
        """Say what was done, until something else is chosen."""
        self._done.setText(words)

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_state(self, state: ModelsState, waiting: bool, here: frozenset[str], address: str) -> None:
        """Draw what has changed. waiting: whether something that was wished is not answered yet; here: ids of the
        corrections that Live lists; address: of the backend."""
        nothing = waiting_of(state, address)
        self._pages.setCurrentIndex(0 if nothing is not None else 1)
        self.notice.show_notice(None if nothing is not None and not state.error else notice_of(state))
        if nothing is not None:
            self.waiting.show_notice(nothing)
            return
        chosen, second = state.chosen, state.second
        name = chosen.name if chosen is not None else ""
        self._show_heading(state, waiting)
        self.graph.show_versions(state.versions, state.history, name, second.name if second is not None else "")
        self.rate.show_episodes(state.episodes, name)
        if self.rate.at < 0:
            self._say_episode("")
        self.score.show_versions(state.versions, name)
        self.matrix.show_versions(state.versions, name)
        grown = len(self.matrix.matrix.versions) > 1
        self._forgotten.setText("Forgotten, against the best before" if grown else "Forgotten: nothing yet")
        self.matrix.setVisible(grown)
        if chosen is None:
            return
        if second is not None:
            self.compare.show_versions(state, chosen, second)
        else:
            self.details.show_version(state, chosen, state.asked == name, here, bool(state.compared_first))
        self._below.setCurrentIndex(0 if second is None else 1)

    def _show_heading(self, state: ModelsState, waiting: bool) -> None:
        acts = state.acts.name if state.acts is not None else "nothing that is known"
        back = f"; before it {state.before}" if state.before else ""
        self._acts.setText("Waiting for the backend's answer." if waiting else f"{acts} acts{back}")
        keys = keys_shown(self._registry.keys("models.learning"))
        self.learning.setText(f"Learning: {'on' if state.learning else 'off'}" + (f"   {keys}" if keys else ""))
        restyle(self.learning, "on", state.learning)
        self.learning.setAccessibleName(f"Learn from corrections: {'on' if state.learning else 'off'}")

    def _say_episode(self, words: str) -> None:
        self._trend.show_text(words or rate_words(self.rate.rates))

    def toggle_export(self, state: ModelsState) -> None:
        """Ask where to write; or no more."""
        if self.panel is None:
            self.panel = ExportPanel(self.window(), self._grab)
            self.panel.written.connect(lambda path: self.say(f"Written to {path}."))
            self._keep_enter(self.panel)
        self.panel.toggle(self.export, state.chosen)

    def _grab(self, path: Path) -> bool:
        return self.grab().save(str(path), "PNG")
