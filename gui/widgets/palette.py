"""The command palette: every command of the registry, found by any part of its words, with its keys beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QLineEdit, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gui.actions import Registry, keys_shown
from gui.commands import COMMANDS, Command
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label
from gui.widgets.popover import Popover

_ROWS = 9
_ID = Qt.ItemDataRole.UserRole + 1
_KEYS = Qt.ItemDataRole.UserRole + 2
_MENU = Qt.ItemDataRole.UserRole + 3


def matches(command: Command, wanted: str) -> bool:
    """Whether every word of `wanted` is part of the command's menu or words."""
    words = f"{command.menu} {command.text}".lower()
    return all(word in words for word in wanted.lower().split())


class Palette(Popover):
    """Type to find, arrows to choose, Enter to run."""

    def __init__(self, window: QWidget, registry: Registry, theme: Theme) -> None:
        super().__init__(window)
        self._registry = registry
        self._field = QLineEdit()
        self._field.setPlaceholderText("Find a command")
        self._field.setAccessibleName("Find a command")
        self._field.textChanged.connect(self._fill)
        self._field.installEventFilter(self)
        self._model = QStandardItemModel(self)
        self._list = QListView()
        self._list.setModel(self._model)
        self._list.setItemDelegate(_RowPainter(theme, self))
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setAccessibleName("Commands")
        self._list.clicked.connect(lambda _index: self._run())
        self._foot = label("Enter runs it. Esc closes this and stops the robot.", "caption")
        self.setLayout(column(self._field, self._list, self._foot, spacing=GRID, margins=(12, 12, 12, 12)))

    def open(self) -> None:
        """Open in the upper middle of the window, or close if it is open."""
        if self.isVisible():
            self.close_panel()
            return
        self._field.clear()
        self._fill("")
        height = self._list.sizeHintForRow(0) * min(_ROWS, self._model.rowCount()) + 4
        self._list.setFixedHeight(height)
        self.setFixedWidth(min(640, self.window().width() - 4 * GRID))
        self.open_at(QPoint((self.window().width() - self.width()) // 2, 10 * GRID))
        self._field.setFocus()

    def shown_ids(self) -> list[str]:
        """Ids of the commands listed now, from top to bottom."""
        return [self._model.item(place).data(_ID) for place in range(self._model.rowCount())]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows and Enter in the field act on the list."""
        if watched is self._field and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            match event.key():
                case Qt.Key.Key_Down | Qt.Key.Key_Up:
                    self._move(1 if event.key() == Qt.Key.Key_Down else -1)
                    return True
                case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                    self._run()
                    return True
        return False

    def _fill(self, wanted: str) -> None:
        self._model.clear()
        for command in COMMANDS:
            if matches(command, wanted):
                item = QStandardItem(self._registry.action(command.id).text())
                item.setData(command.id, _ID)
                item.setData(keys_shown(self._registry.keys(command.id)), _KEYS)
                item.setData(command.menu, _MENU)
                item.setToolTip(self._registry.action(command.id).toolTip())
                item.setEnabled(self._registry.action(command.id).isEnabled())
                self._model.appendRow(item)
        self._list.setCurrentIndex(self._model.index(0, 0))

    def _move(self, step: int) -> None:
        count = self._model.rowCount()
        if count:
            self._list.setCurrentIndex(self._model.index((self._list.currentIndex().row() + step) % count, 0))

    def _run(self) -> None:
        index = self._list.currentIndex()
        if index.isValid() and index.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.close_panel()
            self._registry.trigger(index.data(_ID))


class _RowPainter(QStyledItemDelegate):
    """Menu in soft text, the command, and its keys at the right end."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """One line with room around it."""
        return QSize(100, option.fontMetrics.height() + 14)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        rect: QRect = option.rect
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        enabled = bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
        if chosen:
            painter.fillRect(rect, self._theme.colour("accent_soft"))
        inner = rect.adjusted(12, 0, -12, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        small = self._theme.font(self._theme.type.caption)
        painter.setFont(small)
        painter.setPen(self._theme.colour("text_soft"))
        menu_width = painter.fontMetrics().horizontalAdvance("Correct") + 16
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignLeft, index.data(_MENU))
        painter.drawText(inner, middle | Qt.AlignmentFlag.AlignRight, index.data(_KEYS))
        painter.setFont(self._theme.font())
        painter.setPen(self._theme.colour("text" if enabled else "text_soft"))
        note = "" if enabled else "  (not now)"
        place = inner.adjusted(menu_width, 0, 0, 0)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignLeft, f"{index.data()}{note}")
