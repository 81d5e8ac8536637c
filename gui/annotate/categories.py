"""The categories of a project as buttons: key, pattern, name, and the head that learns from it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QSizePolicy, QWidget

from gui.annotate.patterns import LINE, draw_pattern
from gui.annotate.words import short_head
from gui.theme import GRID, Theme
from hitl.annotation.schema import Category, Schema

_TWO_COLUMNS_FROM = 10
_SWATCH = 28


class CategoryButton(QAbstractButton):
    """One category. Checked: the current label has it."""

    def __init__(self, theme: Theme, category: Category, head: str) -> None:
        super().__init__()
        self._theme = theme
        self._head = head
        self.category = category
        self.setText(category.name)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{category.name}, {head}, key {category.shortcut}")
        self.setAccessibleDescription(category.note)
        tip = f"<b>{category.name}</b> ({category.shortcut})<br>{category.note}"
        self.setToolTip(f"<p>{tip}</p>")

    def sizeHint(self) -> QSize:
        """One line."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + _SWATCH + 96, metrics.height() + 9)

    def minimumSizeHint(self) -> QSize:
        """The name may be cut."""
        return QSize(110, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw key, pattern, name and head."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        hot = self.underMouse() and self.isEnabled()
        if self.isChecked() or hot or self.hasFocus():
            painter.setPen(QPen(self._theme.colour("accent"), 1.4) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if self.isChecked() else "sunken"))
            painter.drawRoundedRect(box, 5, 5)
        middle, high = box.center().y(), self.fontMetrics().height()
        cap = QRectF(box.left() + 6, middle - high / 2, high, high)
        painter.setPen(QPen(self._theme.colour("line_strong"), 1))
        painter.setBrush(self._theme.colour("surface"))
        painter.drawRoundedRect(cap, 4, 4)
        small = self._theme.font(self._theme.type.caption, strong=True)
        painter.setFont(small)
        painter.setPen(self._theme.colour("text"))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self.category.shortcut)
        left = cap.right() + 8
        colour = self._theme.mark(self.category.colour)
        draw_pattern(painter, self.category.pattern, colour, left, left + _SWATCH, middle - LINE / 2)
        self._words(painter, box, left + _SWATCH + 8)
        painter.end()

    def _words(self, painter: QPainter, box: QRectF, left: float) -> None:
        """The name, and the head where there is room for both."""
        small, name_font = self._theme.font(self._theme.type.caption), self._theme.font(strong=self.isChecked())
        wide = QFontMetricsF(small).horizontalAdvance(self._head) + 10
        room = QRectF(left, box.top(), box.right() - left - 6, box.height())
        middle = Qt.AlignmentFlag.AlignVCenter
        if QFontMetricsF(name_font).horizontalAdvance(self.text()) + wide < room.width():
            painter.setFont(small)
            painter.setPen(self._theme.colour("text_soft"))
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | middle, self._head)
        fits = QFontMetricsF(name_font).horizontalAdvance(self.text()) <= room.width()
        painter.setFont(name_font if fits else self._theme.font(self._theme.type.caption, strong=self.isChecked()))
        painter.setPen(self._theme.colour("text"))
        name = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(room.width()) + 4)
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | middle, name)


class Categories(QWidget):
    """All categories. `marked` carries the one that was pressed."""

    marked = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._schema: Schema | None = None
        self.buttons: dict[str, CategoryButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(GRID, 0, GRID, 0)
        self._grid.setSpacing(1)

    def show_schema(self, schema: Schema) -> None:
        """Show the categories of a project."""
        if schema == self._schema:
            return
        self._schema = schema
        for button in self.buttons.values():
            button.deleteLater()
        self.buttons = {}
        columns = 2 if len(schema.categories) >= _TWO_COLUMNS_FROM else 1
        rows = -(-len(schema.categories) // columns)
        for place, category in enumerate(schema.categories):
            head = short_head(schema, category.head) if columns == 1 else ""
            button = CategoryButton(self._theme, category, head)
            button.clicked.connect(lambda _checked=False, chosen=category: self.marked.emit(chosen))
            self._grid.addWidget(button, place % rows, place // rows)
            button.show()  # else the layout would count it only after the next event
            self.buttons[category.key] = button

    def show_current(self, keys: list[str]) -> None:
        """Check the categories of the current label."""
        for key, button in self.buttons.items():
            button.setChecked(key in keys)
