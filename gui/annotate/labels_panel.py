"""The right column: categories with their keys, the current label, the list of labels, the learning curve."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from gui.annotate.categories import Categories
from gui.annotate.curve import Curve
from gui.annotate.details import Details
from gui.annotate.editor import ItemEditor
from gui.annotate.label_list import LabelList
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label
from hitl.annotation.state import ItemLabels
from hitl.annotation_messages import Progress
from hitl.labels import Missing, Span


class LabelsPanel(QWidget):
    """Its parts tell what the person wants; the view connects them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.categories = Categories(theme)
        self.details = Details(theme)
        self.list = LabelList(theme)
        self.curve = Curve(theme)
        self._theme = theme
        self._rows = QScrollArea()
        self._rows.setWidgetResizable(True)
        self._rows.setWidget(self.categories)
        self._rows.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._counted: tuple[ItemLabels, str, int] | None = None
        self._heading = label("Labels of this answer", "caption")
        self._heading.setContentsMargins(2 * GRID, GRID, 2 * GRID, 4)
        foot = self._foot = QFrame()
        foot.setObjectName("foot")
        self._learning = label("Learning: held-out F1", "caption")
        foot.setLayout(column(self._learning, self.curve, spacing=4,
                              margins=(2 * GRID, GRID, GRID, GRID)))  # fmt: skip
        layout = column(self._rows, self.details, self._heading, self.list, foot, spacing=0, margins=(0, 6, 0, 0))
        layout.setStretch(3, 1)
        self.setLayout(layout)

    def show_editor(self, editor: ItemEditor, progress: Progress | None) -> None:
        """Show what is current in an editor."""
        self.categories.show_schema(editor.schema)
        missing, proposal = editor.missing, editor.proposal
        keys = editor.span.categories if editor.span is not None else []
        self.categories.show_current([missing.category] if missing else proposal.span.categories if proposal else keys)
        self.details.show_editor(editor)
        self.list.show_editor(editor)
        count = self._count(editor)
        what = "recording" if editor.timed else "answer"
        self._heading.setText(f"Labels of this {what}: {count}" if count else f"No labels on this {what} yet")
        self.curve.show_progress(editor.schema, progress)
        pinned = progress.pinned if progress is not None else ""
        self._learning.setText(f"Learning: held-out F1 · pinned to {pinned}" if pinned else "Learning: held-out F1")
        self._fit()

    def _count(self, editor: ItemEditor) -> int:
        """How many labels are on the track that is shown; counted after a step alone."""
        if self._counted is None or self._counted[0] is not editor.labels or self._counted[1] != editor.track:
            values = editor.labels.values.values()
            count = sum(isinstance(value, Span | Missing) and value.track == editor.track for value in values)
            self._counted = editor.labels, editor.track, count
        return self._counted[2]

    def resizeEvent(self, event: object) -> None:
        """Categories get at most half of the height, and scroll."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def restyle(self) -> None:
        """Take over the theme's type."""
        self.curve.setFixedHeight(self.curve.sizeHint().height())
        self._fit()

    def _fit(self) -> None:
        line = self.fontMetrics().height()
        self._foot.setVisible(self.height() > 30 * line)  # the bar below says the newest numbers in any case
        wanted = self.categories.sizeHint().height() + 4
        self._rows.setFixedHeight(min(wanted, max(120, self.height() * 9 // 20)))
