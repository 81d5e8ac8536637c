"""Which project to work on. With none it says how to make one; without a backend, what is waited for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLineEdit, QPushButton, QVBoxLayout, QWidget

from gui.annotate.project_state import ProjectState
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label, restyle
from gui.widgets.icons import pixmap

IMPORT, START = "hitl import fine-grained-rlhf FILE", "hitl backend"


class ProjectPage(QWidget):
    """`opened` carries the name of a project."""

    opened = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._icon = label()
        self._title = label("", "strong", name="Projects")
        self._detail = label("", "soft", wrap=True)
        self._detail.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._command = QLineEdit()
        self._command.setReadOnly(True)
        self._command.setAccessibleName("Command to be typed in a shell")
        self._card = QFrame()
        self._card.setObjectName("card")
        self._list = QVBoxLayout(self._card)
        self._list.setContentsMargins(GRID, GRID, GRID, GRID)
        self._list.setSpacing(4)
        self.buttons: list[QPushButton] = []
        self._names: list[str] | None = None
        layout = column(None, self._icon, self._title, self._detail, self._command, self._card, None, spacing=12)
        for part in (self._icon, self._title, self._detail, self._command, self._card):
            layout.setAlignment(part, Qt.AlignmentFlag.AlignHCenter)
        self.setLayout(layout)
        self.restyle()

    def restyle(self) -> None:
        """Take over the theme's type."""
        wide = 340 + 14 * self._theme.type.body
        for part in (self._detail, self._command, self._card):
            part.setFixedWidth(wide)
        self._icon.setPixmap(pixmap("annotate", self._theme.colour("line_strong"), 56, self.devicePixelRatioF()))

    def show_state(self, state: ProjectState, connected: bool) -> None:
        """Show what there is."""
        names = state.projects
        tone = command = ""
        if state.error and not state.schema:
            title, detail, tone = "This project cannot be opened.", state.error, "danger"
        elif names is None and not connected:
            title, command = "Waiting for the backend.", START
            detail = (
                "The projects are with the backend, which does not answer. Start it with this command, or say in "
                "Settings (Ctrl+5) where it is. What you have labelled is kept on this computer and sent when it "
                "answers."
            )
        elif names is None or state.project and not state.schema:
            title, detail = f"Opening {state.project or 'the list of projects'}.", "This takes a moment."
        elif not names:
            title, command = "There is no project yet.", IMPORT
            detail = "A project holds answers to mark. Import one with this command; it appears here at once."
        else:
            title, detail = "Choose a project.", "Up and Down, then Enter. Ctrl+O comes back here."
        self._title.setText(title)
        restyle(self._title, "tone", tone)
        self._detail.setText(detail)
        self._detail.setFixedHeight(self._detail.heightForWidth(self._detail.width()))
        self._show_command(command)
        self._show_names(names or [])

    def _show_command(self, command: str) -> None:
        """A command to be copied; empty: none."""
        self._command.setVisible(bool(command))
        if self._command.text() != command:
            self._command.setText(command)

    def focus_first(self) -> None:
        """Let Enter open the first one."""
        if self.buttons:
            self.buttons[0].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show_names(self, names: list[str]) -> None:
        self._card.setVisible(bool(names))
        if names == self._names:
            return
        self._names = names
        for button in self.buttons:
            button.deleteLater()
        self.buttons = []
        for name in names:
            button = QPushButton(name)
            button.setProperty("kind", "entry")
            button.setAutoDefault(True)
            button.setAccessibleName(f"Open the project {name}")
            button.clicked.connect(lambda _checked=False, chosen=name: self.opened.emit(chosen))
            self._list.addWidget(button)
            self.buttons.append(button)
        if self.isVisible():
            self.focus_first()
