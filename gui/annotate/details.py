"""What is said about the current label: categories, severity, note, evidence, the earlier text; or about the item."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from gui.annotate.editor import ItemEditor
from gui.annotate.fields import LineField
from gui.annotate.words import excerpt, hint_words, quoted
from gui.theme import GRID, Theme
from gui.widgets.basics import ElidedLabel, column, label, restyle
from gui.widgets.flow import FlowLayout
from hitl.annotation.schema import Severity
from hitl.labels import Evidence

_HOW = "Select text and press a key above. A note here is about all of it."
_HOW_ON_TIME = (
    "Select a part and press a key above; or press it while the recording plays where something begins, and again "
    "where it ends."
)


class Details(QFrame):
    """`severity` carries a key, `noted` a text, `evidence` the Evidence to take away; `left` gives the focus back."""

    severity = Signal(str)
    noted = Signal(str)
    evidence = Signal(object)
    left = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("details")
        self._theme = theme
        self._title = ElidedLabel("Current label")
        self._title.setProperty("kind", "strong")
        self._quote = ElidedLabel("Its text")
        self._hint = label("", "caption", wrap=True, name="What to do")
        self._severities = QWidget()
        self._severity_row = FlowLayout(4)
        self._severities.setLayout(self._severity_row)
        self._severity_keys: list[str] = []
        self._chips = QWidget()
        self._chip_row = FlowLayout(4)
        self._chips.setLayout(self._chip_row)
        self._shown_chips: list[Evidence] | None = None
        self.note = LineField("Note", "Note  (F2)")
        self.note.finished.connect(lambda: self.noted.emit(self.note.text()))
        self.note.left.connect(self.left)
        self._about = ""
        parts = (self._title, self._quote, self._hint, self._severities, self._chips, self.note)
        self.setLayout(column(*parts, spacing=6, margins=(2 * GRID, 10, 2 * GRID, 12)))

    def show_editor(self, editor: ItemEditor) -> None:
        """Show what is current in an editor."""
        span, missing, proposal = editor.span, editor.missing, editor.proposal
        entry = span or missing or (proposal.span if proposal is not None else None)
        keys = [missing.category] if missing is not None else entry.categories if entry is not None else []  # type: ignore[union-attr]
        title = " + ".join(editor.schema.category(key).name for key in keys)
        if proposal is not None:
            whose = proposal.author or f"suggested, {proposal.score:.0%}"
            title = f"{title} · {whose}"
        self._title.show_text(title or "The item")
        about = span or (proposal.span if proposal is not None else None)
        quote = quoted(editor, about.track, about.start, about.end) if about is not None else ""
        if span is not None and span.repeats is not None:
            quote += f", repeats {excerpt(editor.text, *span.repeats, 40)}"
        self._quote.show_text(quote)
        self._quote.setVisible(bool(quote))
        how = _HOW_ON_TIME if editor.timed else _HOW
        self._set(self._hint, hint_words(editor) or ("" if entry is not None else how))
        self._show_severities(editor.schema.severities, span.severity if span is not None else None)
        self._show_chips(list(entry.evidence) if entry is not None and proposal is None else [])
        self._show_note(editor, "" if proposal is not None else (span or missing or editor.labels.review).note)
        self.note.setVisible(proposal is None)

    def _set(self, shown: QLabel, text: str) -> None:
        shown.setText(text)
        shown.setVisible(bool(text))

    def _show_note(self, editor: ItemEditor, note: str) -> None:
        about = f"{editor.item.id} {editor.target.key if editor.target is not None else ''}"
        if about != self._about or not self.note.hasFocus():
            self._about = about
            if self.note.text() != note:
                self.note.setText(note)
                self.note.setCursorPosition(0)
        named = editor.target is not None and editor.proposal is None
        self.note.setPlaceholderText("Note on this label   F2" if named else "Note on the item   F2")

    def _show_severities(self, severities: list[Severity], current: str | None) -> None:
        keys = [entry.key for entry in severities]
        layout = self._severity_row
        if keys != self._severity_keys:
            self._severity_keys = keys
            _clear(layout)
            for entry in severities:
                button = QPushButton(entry.name)
                button.setProperty("kind", "small")
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
                button.setAccessibleName(f"Severity {entry.name}")
                button.setToolTip("<p>How bad it is. The key . goes from one to the next.</p>")
                button.clicked.connect(lambda _checked=False, key=entry.key: self.severity.emit(key))
                layout.addWidget(button)
        for place, key in enumerate(keys):
            restyle(layout.widget_at(place), "on", key == current)
        self._severities.setVisible(bool(keys) and current is not None)

    def _show_chips(self, evidence: list[Evidence]) -> None:
        if evidence == self._shown_chips:
            return
        self._shown_chips = evidence
        layout = self._chip_row
        _clear(layout)
        for entry in evidence:
            name = f"{entry.source + 1}.{entry.sentence}" if entry.sentence else f"title {entry.source + 1}"
            chip = QPushButton(f"{name}  ×")
            chip.setProperty("kind", "small")
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.setAccessibleName(f"Evidence {name}, take away")
            chip.setToolTip("<p>Evidence from the sources. Click to take it away.</p>")
            chip.clicked.connect(lambda _checked=False, chosen=entry: self.evidence.emit(chosen))
            layout.addWidget(chip)
        self._chips.setVisible(bool(evidence))


def _clear(layout: FlowLayout) -> None:
    while layout.count():
        layout.take_widget().deleteLater()
