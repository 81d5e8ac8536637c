"""What is known of a recording, in the left column: the task, and the stretches in which something was done."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gui.annotate.editor import ItemEditor
from gui.annotate.times import length_words, span_words, time_words
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label
from hitl.annotation.items import Item, Stretch

_STRETCH = Qt.ItemDataRole.UserRole + 1
_SIGN = Qt.ItemDataRole.UserRole + 2


class _Stretches(QAbstractListModel):
    """A row for each stretch; how it was judged is looked up when it is drawn."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.editor: ItemEditor | None = None

    def show(self, editor: ItemEditor) -> None:
        """Show the stretches of an editor's recording."""
        self.beginResetModel()
        self.editor = editor
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many there are."""
        return len(self.editor.item.stretches) if self.editor is not None else 0

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The stretch of a row, its words, and whether it was judged."""
        assert self.editor is not None
        stretch = self.editor.item.stretches[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return stretch.text or "no command"
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                by = f", by {stretch.by}" if stretch.by else ""
                return f"{span_words(stretch.start_ms, stretch.end_ms)}: {stretch.text or 'no command'}{by}"
            case _ if role == _STRETCH:
                return stretch
            case _ if role == _SIGN:
                place = index.row()
                return "?" if self.editor.unsure(place) else "✓" if self.editor.judged(place) else ""
        return None


class _RowPainter(QStyledItemDelegate):
    """Sign, time, words; a person's words in the person's colour."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """One line."""
        return QSize(80, option.fontMetrics.height() + 10)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one stretch."""
        stretch: Stretch = index.data(_STRETCH)
        sign: str = index.data(_SIGN)
        theme, box = self._theme, option.rect
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, theme.colour("accent_soft"))
            painter.fillRect(QRect(box.left(), box.top(), 3, box.height()), theme.colour("accent"))
        small = theme.font(theme.type.caption)
        painter.setFont(small)
        metrics = painter.fontMetrics()
        left = box.left() + 10
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(theme.colour("warn" if sign == "?" else "good"))
        wide = metrics.horizontalAdvance("✓ ")
        painter.drawText(QRect(left, box.top(), wide, box.height()), middle | Qt.AlignmentFlag.AlignLeft, sign)
        left += wide
        wide = metrics.horizontalAdvance(time_words(max(600_000, stretch.end_ms)))
        narrow = box.width() < 4 * wide
        if not narrow:
            painter.setPen(theme.colour("text_soft"))
            painter.drawText(QRect(left, box.top(), wide, box.height()), middle | Qt.AlignmentFlag.AlignRight,
                             time_words(stretch.start_ms))  # fmt: skip
            left += wide + 10
        by = stretch.by if stretch.by not in ("", "policy") and not narrow else ""
        by_wide = metrics.horizontalAdvance(by) + 8 if by else 0
        if by:
            painter.setPen(theme.colour("accent"))
            painter.drawText(QRect(left, box.top(), box.right() - left - 8, box.height()),
                             middle | Qt.AlignmentFlag.AlignRight, by)  # fmt: skip
        painter.setFont(theme.font())
        painter.setPen(theme.colour("text" if stretch.text else "text_soft"))
        room = QRect(left, box.top(), box.right() - left - 8 - by_wide, box.height())
        words = painter.fontMetrics().elidedText(index.data(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignLeft, words)
        painter.restore()


class StretchesPane(QWidget):
    """`walked` carries the place of a stretch that was clicked."""

    walked = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._prompt = label("", "strong", wrap=True, name="Task")
        self._facts = label("", "caption", wrap=True, name="Recording")
        self._model = _Stretches(self)
        self.list = QListView()
        self.list.setObjectName("labels")
        self.list.setModel(self._model)
        self.list.setItemDelegate(_RowPainter(theme, self))
        self.list.setUniformItemSizes(True)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Stretches of the recording")
        self.list.clicked.connect(lambda index: self.walked.emit(index.row()))
        self._none = label("No command was recorded, so it is one stretch.", "soft", wrap=True)
        self._none.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        head = QWidget()
        head.setLayout(column(self._prompt, self._facts, spacing=4, margins=(2 * GRID, GRID, 2 * GRID, GRID)))
        layout = column(head, self._none, self.list, spacing=0)
        layout.setStretch(2, 1)
        layout.addStretch(0)
        self.setLayout(layout)
        self._item: Item | None = None
        self._labels: object = None

    def show_editor(self, editor: ItemEditor) -> None:
        """Show an editor's recording, and which stretch is current."""
        if editor is not self._model.editor:
            self._item = editor.item
            task, _, more = editor.item.prompt.partition("\n")
            self._prompt.setText(task or "No task is given.")
            self._facts.setText(_facts(editor.item, more))
            self._model.show(editor)
            self._none.setVisible(not editor.item.stretches)
            self.list.setVisible(bool(editor.item.stretches))
        if editor.labels is not self._labels:
            self._labels = editor.labels
            self.list.viewport().update()
        if editor.item.stretches:
            here = self._model.index(editor.cursor.sentence, 0)
            if here != self.list.currentIndex():
                self.list.setCurrentIndex(here)
                self.list.scrollTo(here)

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.list.doItemsLayout()


def _facts(item: Item, more: str) -> str:
    """What is known beside the task: how long it is, and the other lines of the prompt."""
    parts = [f"{length_words(item.duration_ms)} long"]
    if item.stretches:
        count = len(item.stretches)
        parts.append("1 stretch" if count == 1 else f"{count} stretches")
    return "\n".join([" · ".join(parts), *filter(None, more.splitlines())])
