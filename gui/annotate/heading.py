"""The headings of the three columns; that of the answer says where the person is, and leads to the other pages."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QTabBar, QWidget

from gui.actions import Registry, keys_shown
from gui.annotate.editor import ItemEditor
from gui.annotate.words import place_words
from gui.theme import GRID
from gui.widgets.basics import ElidedLabel, column, command_button, label, row

Page = Literal["projects", "annotate", "compare", "adjudicate"]
_HIGH = 4 * GRID + 4


class Heading(QFrame):
    """Answer and sentence, a tab for each answer, Compare, Others."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry
        self.setObjectName("head")
        self.setFixedHeight(_HIGH)
        self.tabs = QTabBar()
        self.tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.tabs.setDrawBase(False)
        self.tabs.setAccessibleName("Answers of this item")
        self._title = ElidedLabel("Where you are")
        self._compare = command_button(registry.action("item.compare"), "Compare", "quiet")
        self._others = command_button(registry.action("item.others"), "Others", "quiet")
        for button in (self._compare, self._others):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        line = row(self._title, self.tabs, self._compare, self._others, margins=(2 * GRID, 0, GRID, 0))
        line.setStretch(0, 1)
        self.setLayout(line)

    def show_editor(self, editor: ItemEditor, page: Page) -> None:
        """Show where an editor is."""
        tracks = [output.track for output in editor.item.outputs]
        number = tracks.index(editor.track) if tracks else 0
        self.tabs.blockSignals(True)
        while self.tabs.count() > len(tracks):
            self.tabs.removeTab(self.tabs.count() - 1)
        while self.tabs.count() < len(tracks):
            self.tabs.addTab(f"{self.tabs.count() + 1}")
        self.tabs.setCurrentIndex(number)
        self.tabs.blockSignals(False)
        several = len(tracks) > 1
        self.tabs.setVisible(several and page != "compare")
        self._compare.setVisible(several)
        self._others.setVisible(bool(editor.others))
        where = place_words(editor)
        if page == "compare":
            back = keys_shown(self._registry.keys("item.compare"))
            where = f"Which answer is better? {back} goes back to marking."
        else:
            what = "Recording" if editor.timed else f"Answer {number + 1}" if several else "Answer"
            where = f"{what}, {where}"
        self._title.show_text(where)


class Framed(QFrame):
    """A column with its heading."""

    def __init__(self, part: QWidget, title: str) -> None:
        super().__init__()
        self.setObjectName("column")
        self._title = label(title, "caption")
        head = QFrame()
        head.setObjectName("head")
        head.setFixedHeight(_HIGH)
        head.setLayout(row(self._title, None, margins=(2 * GRID, 0, GRID, 0)))
        layout = column(head, part, spacing=0)
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def set_title(self, title: str) -> None:
        """Head it otherwise."""
        self._title.setText(title)

    def title(self) -> str:
        """What it is headed."""
        return self._title.text()
