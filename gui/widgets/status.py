"""The status bar: one word or number for each thing that should be well, its explanation in the tooltip."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QLabel

from gui.notices import Item
from gui.theme import GRID
from gui.widgets.basics import label, restyle, row

_NAMES = ("robot", "latency", "backend", "saved", "recording", "task")


class Status(QFrame):
    """Shows the items of `gui.notices.status_items`."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("status")
        self.setAccessibleName("Status bar")
        self._labels: dict[str, QLabel] = {name: label(name=name.capitalize()) for name in _NAMES}
        layout = row(*self._labels.values(), spacing=3 * GRID, margins=(2 * GRID, 5, 2 * GRID, 5))
        layout.insertStretch(len(_NAMES) - 1, 1)
        self.setLayout(layout)

    def show_items(self, items: list[Item]) -> None:
        """Show the items; a tone is also said by the words themselves."""
        for item in items:
            shown = self._labels[item.name]
            if shown.text() != item.text:
                shown.setText(item.text)
                shown.setAccessibleDescription(item.text)
            if shown.toolTip() != item.tip:
                shown.setToolTip(item.tip)
            restyle(shown, "tone", item.tone)

    def text(self, name: str) -> str:
        """What an item says now."""
        return self._labels[name].text()
