"""The left rail: one button for each place of the window, and the menu of all commands at its foot."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QMenu

from gui.actions import Registry
from gui.commands import COMMANDS, MENUS
from gui.theme import GRID, Theme
from gui.widgets.basics import column
from gui.widgets.icons import pixmap

PLACES = (
    ("view.live", "live"),
    ("view.annotate", "annotate"),
    ("view.models", "models"),
    ("view.settings", "settings"),
)
"""(command, icon) of every place, from top to bottom."""


class RailButton(QAbstractButton):
    """An icon with its word below; the place shown now has a bar at its left and the accent's colour."""

    def __init__(self, theme: Theme, icon_name: str, action: QAction, *, checkable: bool) -> None:
        super().__init__()
        self._theme = theme
        self._icon_name = icon_name
        self.setText(action.text())
        self.setCheckable(checkable)
        self.setAccessibleName(action.text())
        self.setToolTip(action.toolTip())
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def sizeHint(self) -> QSize:
        """Room for the icon and the word."""
        metrics = self.fontMetrics()
        wide = max(56, metrics.horizontalAdvance(self.text()) + 2 * GRID)
        return QSize(wide, 24 + metrics.height() + 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the icon, the word and, where checked, the bar."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hot = self.isChecked()
        colour = self._theme.colour("accent" if hot else "text_soft")
        box = QRectF(self.rect()).adjusted(4, 2, -4, -2)
        if hot or self.underMouse() or self.hasFocus():
            painter.setPen(self._theme.colour("accent") if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if hot else "sunken"))
            painter.drawRoundedRect(box, 8, 8)
        image = pixmap(self._icon_name, colour, 22, self.devicePixelRatioF())
        painter.drawPixmap(QPoint((self.width() - 22) // 2, 9), image)
        painter.setFont(self._theme.font(self._theme.type.caption - 1, strong=hot))
        painter.setPen(colour)
        text_box = self.rect().adjusted(0, 32, 0, -4)
        painter.drawText(text_box, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class Rail(QFrame):
    """Buttons of PLACES and the menu."""

    def __init__(self, registry: Registry, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("rail")
        self.setAccessibleName("Places")
        self.menu = build_menu(registry, self)
        self._buttons: dict[str, RailButton] = {}
        for command_id, icon_name in PLACES:
            button = RailButton(theme, icon_name, registry.action(command_id), checkable=True)
            button.clicked.connect(registry.action(command_id).trigger)
            self._buttons[command_id] = button
        menu_action = QAction("Menu", self)
        menu_action.setToolTip("All commands, by group")
        self._menu_button = RailButton(theme, "menu", menu_action, checkable=False)
        self._menu_button.clicked.connect(self._open_menu)
        self.setLayout(column(*self._buttons.values(), None, self._menu_button, spacing=4, margins=(4, 8, 4, 8)))

    def show_place(self, command_id: str) -> None:
        """Mark the place that is shown."""
        for known, button in self._buttons.items():
            button.setChecked(known == command_id)

    def _open_menu(self) -> None:
        corner = self._menu_button.mapToGlobal(QPoint(self._menu_button.width(), 0))
        self.menu.popup(corner - QPoint(0, self.menu.sizeHint().height() - self._menu_button.height()))


def build_menu(registry: Registry, parent: QFrame) -> QMenu:
    """Every command in its submenu."""
    menu = QMenu(parent)
    for name in MENUS:
        part = menu.addMenu(name)
        part.setToolTipsVisible(True)
        for command in COMMANDS:
            if command.menu == name:
                part.addAction(registry.action(command.id))
    return menu
