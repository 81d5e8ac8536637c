"""A choice among the microphones that are there, which keeps the one that was chosen while it is away."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

DEFAULT = "System default"
AWAY = " (not connected)"


class DeviceBox(QComboBox):
    """Names as the system calls its devices; the data of an item is the name, empty for the default."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[tuple[str, str]] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def show_devices(self, chosen: str, names: Sequence[str] | None) -> None:
        """Offer these and show the chosen one. `names`: None while it is not known which are there."""
        items = [(DEFAULT, "")] + [(name, name) for name in names or ()]
        if chosen and chosen not in (names or ()):
            items.append((chosen if names is None else chosen + AWAY, chosen))
        if items != self._shown:
            self._shown = items
            self.clear()
            for text, name in items:
                self.addItem(text, name)
                self.setItemData(self.count() - 1, text, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(self.findData(chosen))
        self.setToolTip(self.currentText())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much of a name as fits, and all of what is said about it."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, self).width()
        after = AWAY if option.currentText.endswith(AWAY) else ""
        metrics = self.fontMetrics()
        left = room - metrics.horizontalAdvance(after)
        name = option.currentText.removesuffix(after)
        option.currentText = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left) + after
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
