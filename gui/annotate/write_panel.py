"""The panel that has outputs written: prompts, how many answers each, by which model; with progress and a stop."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QPushButton, QSpinBox, QWidget

from gui.annotate.fields import LineField, TextField
from gui.annotate.writing import Writing
from gui.theme import GRID
from gui.widgets.basics import column, label, restyle, row
from gui.widgets.popover import Popover
from hitl.errors import InputError

MAX_COUNT = 16


class WritePanel(Popover):
    """`asked` carries a message for the backend."""

    asked = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.writing = Writing()
        self.project = ""
        self._note = label("One prompt a line. Every prompt becomes an item with its answers.", "caption", wrap=True)
        self.prompts = TextField("Prompts, one a line")
        self.prompts.setPlaceholderText("Why is the sky blue?")
        self.prompts.setFixedHeight(110)
        self.count = QSpinBox()
        self.count.setRange(1, MAX_COUNT)
        self.count.setValue(4)
        self.count.setAccessibleName("Answers to each prompt")
        self.model = LineField("Who writes", "the embedded model")
        self.model.setToolTip(
            "Empty: the embedded model. Or a folder, or a server’s address like http://host:8000#model."
        )
        form = QFormLayout()
        form.setSpacing(GRID)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.addRow("Answers", self.count)
        form.addRow("Written by", self.model)
        fields = QWidget()
        fields.setLayout(form)
        self._words = label("", wrap=True, name="How far it is")
        self._preview = label("", "caption", wrap=True)
        self.button = QPushButton()
        self.button.setProperty("kind", "primary")
        self.button.clicked.connect(self._pressed)
        buttons = QWidget()
        buttons.setLayout(row(None, self.button))
        head = label("Write outputs", "strong")
        parts = (head, self._note, self.prompts, fields, self._words, self._preview, buttons)
        self.setLayout(column(*parts, spacing=12, margins=(16, 14, 16, 14)))
        self.setFixedWidth(440)
        self.show_writing()

    def toggle(self, anchor: QWidget, project: str) -> None:
        """Open over `anchor` for a project, or close."""
        if self.isVisible():
            self.close_panel()
            return
        if self.writing.wish is None:
            self.project = project
        self.show_writing()
        self.open_below(anchor)
        self.prompts.setFocus()

    def show_writing(self, error: str = "") -> None:
        """Draw how far it is, or what cannot be asked."""
        busy = self.writing.wish is not None
        self._words.setText(error or self.writing.words())
        restyle(self._words, "tone", "danger" if error or self.writing.error else "")
        self._preview.setText(self.writing.preview())
        for part, shown in ((self._words, bool(self._words.text())), (self._preview, bool(self._preview.text()))):
            part.setVisible(shown)
            part.setFixedWidth(408)
        for field in (self.prompts, self.count, self.model):
            field.setEnabled(not busy)
        self.button.setText("Stop" if busy else "Write")
        self.button.setEnabled(not self.writing.stopping or not busy)
        if self.isVisible():
            self.adjustSize()

    def _pressed(self) -> None:
        if self.writing.wish is not None:
            stop = self.writing.stop()
            self.show_writing()
            self.asked.emit(stop)
            return
        try:
            wish = self.writing.begin(self.project, self.prompts.toPlainText(), self.count.value(), self.model.text())
        except InputError as problem:
            self.show_writing(str(problem.message) + f". {problem.hint}")
            return
        self.show_writing()
        self.asked.emit(wish)
