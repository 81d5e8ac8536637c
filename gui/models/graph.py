"""The versions as a list, the newest first, with the lines of their lineage at the left."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QFrame, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.models.lineage import Fate, Node, Piece, lay_out, pieces_of
from gui.models.words import FATES, made_words, short_words
from gui.theme import Theme
from hitl.model_messages import ModelVersion

_LEFT, _PITCH, _MOST_COLUMNS = 18, 16, 7
_TONES: dict[Fate, str] = {"acts": "accent", "earlier": "text_soft", "rolled back": "text_soft", "refused": "warn"}
_Index = QModelIndex | QPersistentModelIndex


class _Rows(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.nodes: tuple[Node, ...] = ()
        self.pieces: dict[int, list[Piece]] = {}
        self.second = ""

    def show_nodes(self, nodes: tuple[Node, ...]) -> None:
        self.beginResetModel()
        self.nodes, self.pieces = nodes, pieces_of(nodes)
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return len(self.nodes)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        node = self.nodes[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return node.version.name
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                compared = ", compared with" if node.version.name == self.second else ""
                parts = (node.version.name, FATES[node.fate], short_words(node.version), made_words(node.version))
                return ", ".join(part for part in parts if part) + compared
        return None


class _Delegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, rows: _Rows) -> None:
        super().__init__()
        self._theme, self._rows = theme, rows

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(200, 12 + option.fontMetrics.height() + round(1.5 * self._theme.type.caption) + 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        node = self._rows.nodes[index.row()]
        box: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._ground(painter, box, node, bool(state & QStyle.StateFlag.State_Selected),
                     bool(state & QStyle.StateFlag.State_HasFocus))  # fmt: skip
        for piece in self._rows.pieces[index.row()]:
            self._piece(painter, box, piece)
        self._mark(painter, QPointF(_x(node.column), box.center().y()), node.fate)
        self._text(painter, box, node)
        painter.restore()

    def _ground(self, painter: QPainter, box: QRect, node: Node, chosen: bool, focus: bool) -> None:
        second = node.version.name == self._rows.second
        if not (chosen or second):
            return
        painter.setPen(QPen(self._theme.colour("accent"), 1.5, Qt.PenStyle.SolidLine if focus else Qt.PenStyle.NoPen))
        if second:
            painter.setPen(QPen(self._theme.colour("accent"), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(self._theme.colour("accent_soft" if chosen else "surface"))
        painter.drawRoundedRect(QRectF(box).adjusted(3, 1.5, -3, -1.5), 6, 6)

    def _piece(self, painter: QPainter, box: QRect, piece: Piece) -> None:
        led = piece.fate in ("acts", "earlier")
        style = Qt.PenStyle.SolidLine if piece.fate != "refused" else Qt.PenStyle.DotLine
        painter.setPen(QPen(self._theme.colour("accent" if led else "text_soft"), 2 if led else 1.5, style))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        top, middle, foot = float(box.top()), float(box.center().y()), float(box.bottom() + 1)
        x, to_x = _x(piece.column), _x(piece.to_column)
        if piece.part == "in":
            path = QPainterPath(QPointF(x, top))
            path.cubicTo(QPointF(x, middle), QPointF(x, middle), QPointF(to_x, middle))
            painter.drawPath(path)
        else:
            painter.drawLine(QPointF(x, middle if piece.part == "down" else top), QPointF(x, foot))

    def _mark(self, painter: QPainter, at: QPointF, fate: Fate) -> None:
        """The version: a ring with a dot acts, a dot acted, a ring with a bar was gone back from, a cross was
        refused."""
        colour, ground = self._theme.colour(_TONES[fate]), self._theme.colour("surface")
        painter.setPen(QPen(colour, 2))
        painter.setBrush(ground)
        match fate:
            case "acts":
                painter.drawEllipse(at, 7, 7)
                painter.setBrush(colour)
                painter.drawEllipse(at, 3, 3)
            case "earlier":
                painter.setPen(QPen(self._theme.colour("accent"), 2))
                painter.setBrush(self._theme.colour("accent"))
                painter.drawEllipse(at, 4, 4)
            case "rolled back":
                painter.drawEllipse(at, 5, 5)
                painter.drawLine(at + QPointF(-2, 0), at + QPointF(2, 0))
            case "refused":
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawEllipse(at, 6, 6)
                painter.setPen(QPen(colour, 2.2))
                painter.drawLine(at + QPointF(-4, -4), at + QPointF(4, 4))
                painter.drawLine(at + QPointF(-4, 4), at + QPointF(4, -4))

    def _text(self, painter: QPainter, box: QRect, node: Node) -> None:
        widest = max((other.column for other in self._rows.nodes), default=0)
        room = QRect(box).adjusted(round(_x(widest)) + 18, 5, -12, -5)
        version = node.version
        painter.setFont(self._theme.font(strong=True))
        painter.setPen(self._theme.colour("text" if node.fate in ("acts", "earlier") else "text_soft"))
        high = painter.fontMetrics().height()
        first = QRect(room.left(), room.top(), room.width(), high)
        wide = painter.fontMetrics().horizontalAdvance(version.name) + 10
        painter.drawText(first, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, version.name)
        painter.setFont(self._theme.font(self._theme.type.caption, strong=node.fate == "acts"))
        metrics = painter.fontMetrics()
        fate = metrics.elidedText(FATES[node.fate], Qt.TextElideMode.ElideRight, room.width() - wide)
        painter.setPen(self._theme.colour(_TONES[node.fate]))
        painter.drawText(first, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, fate)
        painter.setFont(self._theme.font(self._theme.type.caption))
        painter.setPen(self._theme.colour("text_soft"))
        second = QRect(room.left(), first.bottom() + 2, room.width(), painter.fontMetrics().height())
        clock, told = made_words(version)[11:], short_words(version)
        metrics = painter.fontMetrics()
        painter.drawText(second, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                         metrics.elidedText(told, Qt.TextElideMode.ElideRight, room.width()))  # fmt: skip
        if metrics.horizontalAdvance(told) + metrics.horizontalAdvance(clock) + 6 <= room.width():
            painter.drawText(second, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, clock)


def _x(column: int) -> float:
    return _LEFT + _PITCH * min(column, _MOST_COLUMNS)


class VersionGraph(QListView):
    """`chosen` carries the name of a version, `compared` that of a second one (Ctrl and a click, or Shift and an
    arrow)."""

    chosen = Signal(str)
    compared = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows = _Rows()
        self._shown: tuple[list[ModelVersion], list[str]] = ([], [])
        self.setObjectName("labels")
        self.setModel(self._rows)
        self.setItemDelegate(_Delegate(theme, self._rows))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setAccessibleName("Versions, the newest first")
        self.setAccessibleDescription(
            "Up and Down choose one. Shift with them chooses a second one to compare it with."
        )
        self.setToolTipDuration(20_000)
        self._telling = True
        self.selectionModel().currentChanged.connect(self._moved)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What is shown, from top to bottom."""
        return self._rows.nodes

    def show_versions(
        self, versions: Sequence[ModelVersion], history: Sequence[str], chosen: str, second: str
    ) -> None:
        """Show the versions; `chosen` is the one that is looked at, `second` the one that it is compared with."""
        shown = (list(versions), list(history))
        self._telling = False
        if shown != self._shown:
            self._shown = shown
            self._rows.show_nodes(lay_out(versions, history))
        if self._rows.second != second:
            self._rows.second = second
            self.viewport().update()
        row = next((node.row for node in self.nodes if node.version.name == chosen), -1)
        if row >= 0 and self.currentIndex().row() != row:
            self.setCurrentIndex(self._rows.index(row))
            self.scrollTo(self._rows.index(row))
        self._telling = True

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.scheduleDelayedItemsLayout()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """With Ctrl, a click chooses the second one."""
        index = self.indexAt(event.position().toPoint())
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier and index.isValid():
            name = self.nodes[index.row()].version.name
            self.compared.emit("" if name == self._rows.second else name)
            return
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """With Shift, arrows move the second one."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and event.key() in steps:
            names = [node.version.name for node in self.nodes]
            at = names.index(self._rows.second) if self._rows.second in names else self.currentIndex().row()
            to = at + steps[Qt.Key(event.key())]
            if 0 <= to < len(names):
                self.compared.emit("" if to == self.currentIndex().row() else names[to])
                self.scrollTo(self._rows.index(to))
            return
        super().keyPressEvent(event)

    def _moved(self, now: QModelIndex, _before: QModelIndex) -> None:
        if self._telling and now.isValid():
            self.chosen.emit(self.nodes[now.row()].version.name)
