"""All labels of the output that is shown, in the order of the text; a click makes one current."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.annotate.chooser import Target
from gui.annotate.editor import ItemEditor
from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.words import quoted
from gui.theme import Theme
from hitl.annotation.schema import Category
from hitl.labels import Missing, Span

_LONG, _LATER_MS = 100, 80
_KEPT = 200
"""As many pictures of rows are kept; far fewer are seen at once."""
_TARGET = Qt.ItemDataRole.UserRole + 1
_CATEGORIES = Qt.ItemDataRole.UserRole + 2


class _Labels(QAbstractListModel):
    """Rows are worked out when they are seen, so that a step costs the same with any number of labels."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._editor: ItemEditor | None = None
        self.targets: list[Target] = []
        self.places: dict[Target, int] = {}

    def show(self, editor: ItemEditor) -> None:
        """Show the labels of an editor's output."""
        self.beginResetModel()
        self._editor = editor
        self.targets = [Target("span", key) for key in editor.labels.spans(editor.track)]
        self.targets += [Target("missing", key) for key in editor.labels.missing(editor.track)]
        self.places = {target: place for place, target in enumerate(self.targets)}
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many there are."""
        return len(self.targets)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Words, categories and target of a row."""
        target = self.targets[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self.words(target)
            case _ if role == _TARGET:
                return target
            case _ if role == _CATEGORIES:
                return self._categories(target)
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                names = " and ".join(category.name for category in self._categories(target))
                return f"{names}: {self.words(target)}"
        return None

    def words(self, target: Target) -> str:
        """The marked text or time, or what is missing."""
        assert self._editor is not None
        value = self._editor.labels.values.get(target.key)
        if isinstance(value, Span) and self._editor.timed:
            return quoted(self._editor, value.track, value.start, value.end)
        if isinstance(value, Span):
            return " ".join(self._editor.text[value.start : min(value.end, value.start + 300)].split())
        if isinstance(value, Missing):
            places = ", ".join(f"{entry.source + 1}.{entry.sentence}" for entry in value.evidence)
            return value.note or (f"see {places}" if places else "no evidence yet")
        return ""

    def _categories(self, target: Target) -> list[Category]:
        assert self._editor is not None
        value = self._editor.labels.values.get(target.key)
        keys = value.categories if isinstance(value, Span) else [value.category] if isinstance(value, Missing) else []
        known = {category.key: category for category in self._editor.schema.categories}
        now = [self._editor.schema.current(key) for key in keys]
        return [known[key] for key in now if key in known]


class LabelList(QListView):
    """`chosen` carries a Target."""

    chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._labels = _Labels(self)
        self._known: tuple[object, ...] = ()
        self._shown: tuple[ItemEditor, str] | None = None
        """Whose labels are listed, and of which output."""
        self._editor: ItemEditor | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER_MS)
        self._later.timeout.connect(self._show)
        self.setObjectName("labels")
        self.setModel(self._labels)
        self.setItemDelegate(_RowPainter(theme, self))
        self.setUniformItemSizes(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Labels of this answer")
        self.clicked.connect(lambda index: self.chosen.emit(index.data(_TARGET)))

    def show_editor(self, editor: ItemEditor) -> None:
        """Show the labels of an editor's output. Where a long list of the same output is shown already, it follows a
        moment later, so that the text comes first."""
        before, self._editor = self._shown, editor
        same = before is not None and before[0] is editor and before[1] == editor.track
        if same and len(self._labels.targets) > _LONG:
            self._later.start()
        else:
            self._show()

    def _show(self) -> None:
        self._later.stop()
        editor = self._editor
        if editor is None:
            return
        known = (editor.labels, editor.track)
        if not (self._known and all(a is b for a, b in zip(self._known, known, strict=True))):
            self._known = known
            self._shown = editor, editor.track
            self._labels.show(editor)
        place = self._labels.places.get(editor.target, -1) if editor.target is not None else -1
        self.setCurrentIndex(self._labels.index(place, 0) if place >= 0 else QModelIndex())

    def texts(self) -> list[str]:
        """What is listed."""
        return [self._labels.words(target) for target in self._labels.targets]


class _RowPainter(QStyledItemDelegate):
    """Letters with patterns, then the text."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pictures: dict[tuple[object, ...], QPixmap] = {}
        self._rows: dict[tuple[object, ...], QPixmap] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """One line."""
        return QSize(80, option.fontMetrics.height() + 10)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one label. Rows are kept as pictures: they move whenever the details above them grow."""
        box: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        categories: list[Category] = index.data(_CATEGORIES)
        words: str = index.data()
        ink, ground = self._theme.colour("text"), self._theme.colour("accent_soft" if selected else "surface")
        scale = painter.device().devicePixelRatioF()
        keys = tuple((category.shortcut, category.pattern, category.colour) for category in categories)
        look = words, keys, ink.rgba(), ground.rgba(), self._theme.type.caption, box.width(), box.height(), scale
        picture = self._rows.get(look)
        if picture is None:
            if len(self._rows) >= _KEPT:
                self._rows.clear()
            picture = self._rows[look] = QPixmap(box.size() * scale)
            picture.setDevicePixelRatio(scale)
            picture.fill(ground)
            drawing = QPainter(picture)
            self._draw(drawing, QRect(QPoint(0, 0), box.size()), option.fontMetrics.height() - 3, categories, words)
            drawing.end()
        painter.drawPixmap(box.topLeft(), picture)

    def _draw(self, painter: QPainter, box: QRect, side: int, categories: list[Category], words: str) -> None:
        left = box.left() + 10
        scale = painter.device().devicePixelRatioF()
        for category in categories:
            painter.drawPixmap(left, box.center().y() - side // 2, self._picture(category, side, scale))
            left += side + 28
        painter.setFont(self._theme.font(self._theme.type.caption))
        painter.setPen(self._theme.colour("text"))
        room = QRect(left + 2, box.top(), box.right() - left - 10, box.height())
        text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _picture(self, category: Category, side: int, scale: float) -> QPixmap:
        """The letter of a category and its pattern; the same in many rows, so it is drawn once for each look."""
        colour, ink = self._theme.mark(category.colour), self._theme.colour("on_mark")
        font = self._theme.font(self._theme.type.caption - 1, strong=True)
        look = category.shortcut, category.pattern, colour.rgba(), ink.rgba(), font.pointSizeF(), side, scale
        if look not in self._pictures:
            picture = QPixmap(QSize(side + 24, side) * scale)
            picture.setDevicePixelRatio(scale)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            tag = QRect(0, 0, side, side)
            painter.drawRoundedRect(tag, 3, 3)
            painter.setFont(font)
            painter.setPen(ink)
            painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, category.shortcut)
            draw_pattern(painter, category.pattern, colour, side + 4, side + 22, side // 2 - LINE / 2)
            painter.end()
            self._pictures[look] = picture
        return self._pictures[look]
