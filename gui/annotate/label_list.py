"""All labels of the output that is shown, in the order of the text; a click makes one current."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.annotate.chooser import Target
from gui.annotate.editor import ItemEditor
from gui.annotate.patterns import LINE, draw_pattern
from gui.theme import Theme
from hitl.annotation.schema import Category
from hitl.errors import InputError

_TARGET = Qt.ItemDataRole.UserRole + 1
_CATEGORIES = Qt.ItemDataRole.UserRole + 2


class LabelList(QListView):
    """`chosen` carries a Target."""

    chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._model = QStandardItemModel(self)
        self._known: tuple[object, ...] = ()
        self.setObjectName("labels")
        self.setModel(self._model)
        self.setItemDelegate(_RowPainter(theme, self))
        self.setUniformItemSizes(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Labels of this answer")
        self.clicked.connect(lambda index: self.chosen.emit(index.data(_TARGET)))

    def show_editor(self, editor: ItemEditor) -> None:
        """Show the labels of an editor's output."""
        known = (editor.labels.values, editor.track)
        if not (self._known and all(a is b for a, b in zip(self._known, known, strict=True))):
            self._known = known
            self._fill(editor)
        place = next((place for place in range(self._model.rowCount())
                      if self._model.item(place).data(_TARGET) == editor.target), -1)  # fmt: skip
        self.setCurrentIndex(self._model.index(place, 0) if place >= 0 else QModelIndex())

    def _fill(self, editor: ItemEditor) -> None:
        self._model.clear()
        for key, span in editor.labels.spans(editor.track).items():
            text = " ".join(editor.text[span.start : span.end].split())
            self._add(editor, Target("span", key), span.categories, text)
        for key, missing in editor.labels.missing(editor.track).items():
            places = ", ".join(f"{entry.source + 1}.{entry.sentence}" for entry in missing.evidence)
            text = missing.note or (f"see {places}" if places else "no evidence yet")
            self._add(editor, Target("missing", key), [missing.category], text)

    def _add(self, editor: ItemEditor, target: Target, keys: list[str], text: str) -> None:
        categories = []
        for key in keys:
            try:
                categories.append(editor.schema.category(key))
            except InputError:  # given up by a change of the schema
                continue
        item = QStandardItem(text)
        item.setData(target, _TARGET)
        item.setData(categories, _CATEGORIES)
        names = " and ".join(category.name for category in categories)
        item.setAccessibleText(f"{names}: {text}")
        item.setToolTip(f"<p><b>{names}</b></p>")
        self._model.appendRow(item)

    def texts(self) -> list[str]:
        """What is listed."""
        return [self._model.item(place).text() for place in range(self._model.rowCount())]


class _RowPainter(QStyledItemDelegate):
    """Letters with patterns, then the text."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """One line."""
        return QSize(80, option.fontMetrics.height() + 10)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one label."""
        box: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, self._theme.colour("accent_soft"))
        left = box.left() + 10
        categories: list[Category] = index.data(_CATEGORIES)
        for category in categories:
            colour = self._theme.mark(category.colour)
            tag = QRect(left, box.center().y() - 8, 17, 17)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawRoundedRect(tag, 3, 3)
            painter.setFont(self._theme.font(self._theme.type.caption - 1, strong=True))
            painter.setPen(self._theme.colour("on_mark"))
            painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, category.shortcut)
            draw_pattern(painter, category.pattern, colour, left + 21, left + 39, box.center().y() - LINE / 2)
            left += 45
        painter.setFont(self._theme.font(self._theme.type.caption))
        painter.setPen(self._theme.colour("text"))
        room = QRect(left + 2, box.top(), box.right() - left - 10, box.height())
        text = painter.fontMetrics().elidedText(index.data(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
