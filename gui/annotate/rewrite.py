"""The corrected text of an output with a live comparison: what went is struck, what came is underlined."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from gui.actions import Registry
from gui.annotate.diff import changed_words, word_diff
from gui.annotate.editor import ItemEditor
from gui.annotate.fields import TextField
from gui.theme import GRID, Theme
from gui.widgets.basics import column, command_button, label, row

_SAVE_AFTER_MS = 1500
"""What was written is a step when the person pauses for so long, or leaves the field."""


class RewriteBox(QFrame):
    """`written` carries the item, the track and its corrected text."""

    written = Signal(str, str, str)
    folded = Signal(bool)
    """Whether it is one line high now, since there is nothing to see."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("rewrite")
        self._theme = theme
        self._track = self._original = ""
        self._item = ""
        self._known: str | None = None
        self._heading = label("Corrected text", "caption")
        self._count = label("", "caption", name="What changed")
        self._diff = label("", "", wrap=True, name="Comparison")
        self._diff.setTextFormat(Qt.TextFormat.RichText)
        self._diff.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._diff.setContentsMargins(2 * GRID, 0, 2 * GRID, 4)
        self._room = QScrollArea()
        self._room.setWidgetResizable(True)
        self._room.setWidget(self._diff)
        self._room.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.field = TextField("Corrected text", "What the answer should have been")
        self.field.textChanged.connect(self._typed)
        self.field.finished.connect(self._left)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SAVE_AFTER_MS)
        self._timer.timeout.connect(self.save)
        self._open = command_button(registry.action("mark.rewrite"), "Correct", "quiet", show_keys=True)
        self._open.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        head, body = QWidget(), QWidget()
        head.setLayout(row(self._heading, self._count, None, self._open, margins=(2 * GRID, 4, GRID, 4)))
        self._head, self._body = head, body
        body.setLayout(row(self.field, margins=(2 * GRID, 0, 2 * GRID, GRID)))
        layout = column(head, self._room, body, spacing=0)
        layout.setStretch(1, 1)
        layout.setStretch(2, 1)
        self.setLayout(layout)
        self._filling = False

    def show_editor(self, editor: ItemEditor) -> None:
        """Show the correction of an editor's output; what is being written is left alone."""
        if (editor.item.id, editor.track) != (self._item, self._track):
            self.save()
        elif self._timer.isActive() or editor.labels.rewrite(editor.track) is self._known:
            return
        self._item, self._track, self._original = editor.item.id, editor.track, editor.text
        text = self._known = editor.labels.rewrite(editor.track)
        wanted = self._original if text is None else text
        if self.field.toPlainText() != wanted:
            self._filling = True
            self.field.setPlainText(wanted)
            self._filling = False
        self._compare()

    def save(self) -> None:
        """What was written is a step now."""
        if self._timer.isActive():
            self._timer.stop()
            self.written.emit(self._item, self._track, self.field.toPlainText())

    def _left(self) -> None:
        self.save()
        self._compare()

    def focus(self) -> None:
        """Begin to write."""
        self._body.setVisible(True)
        self._fold()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def restyle(self) -> None:
        """Take over the theme's colours."""
        self._compare(force=True)

    def _typed(self) -> None:
        if not self._filling:
            self._timer.start()
            self._compare()

    def _compare(self, *, force: bool = False) -> None:
        pieces = word_diff(self._original, self.field.toPlainText())
        out, put = changed_words(pieces)
        changed = any(piece.kind != "same" for piece in pieces)
        self._count.setText(f"{out} out, {put} in" if out or put else "changed" if changed else "as it was")
        colours = self._theme.colours
        styles = {
            "same": f"color:{colours.text_soft}",
            "out": f"color:{colours.danger_text};text-decoration:line-through",
            "in": f"color:{colours.good};text-decoration:underline;font-weight:600",
        }
        gap = {"in": "\u2009"}  # a thin space, so that what went and what came do not run together
        text = "".join(
            f'{gap.get(piece.kind, "")}<span style="{styles[piece.kind]}">{escape(piece.text)}</span>'
            for piece in pieces
        )
        if force or text != self._diff.text():
            self._diff.setText(text.replace("\n", "<br>"))
            self._diff.setAccessibleDescription(self._count.text())
        self._room.setVisible(changed)
        self._body.setVisible(changed or self.field.hasFocus())
        self._fold()

    def _fold(self) -> None:
        self.folded.emit(not self._body.isVisibleTo(self))

    def folded_height(self) -> int:
        """Height of its heading alone."""
        return self._head.sizeHint().height()
