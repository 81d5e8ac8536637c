"""The panel that begins a new episode: seed and shift, and one button that does it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QComboBox, QFormLayout, QLineEdit, QPushButton, QWidget

from gui.theme import GRID
from gui.widgets.basics import column, label, row
from gui.widgets.popover import Popover

NOMINAL = "nominal"


class EpisodePanel(Popover):
    """`begin` carries the seed (None: any) and the name of the shift."""

    begin = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._seed = QLineEdit()
        self._seed.setPlaceholderText("any")
        self._seed.setValidator(QIntValidator(0, 2**31 - 1, self._seed))
        self._seed.setToolTip("The same seed gives the same scene. Empty: another scene each time.")
        self._seed.setAccessibleName("Seed")
        self._seed.returnPressed.connect(self._begin)
        self._shift = QComboBox()
        self._shift.setToolTip("A change of the scene or the robot that the policy never trained on.")
        self._shift.setAccessibleName("Shift")
        self._shift.addItem(NOMINAL)
        begin = QPushButton("Begin")
        begin.setProperty("kind", "primary")
        begin.setToolTip("Ends the present episode and begins another (Enter)")
        begin.clicked.connect(self._begin)
        form = QFormLayout()
        form.setSpacing(GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.addRow("Seed", self._seed)
        form.addRow("Shift", self._shift)
        fields = QWidget()
        fields.setLayout(form)
        note = label("This ends the present episode. What was corrected in it is kept.", "caption", wrap=True)
        note.setFixedWidth(288)
        buttons = QWidget()
        buttons.setLayout(row(None, begin))
        head = label("New episode", "strong")
        self.setLayout(column(head, note, fields, buttons, spacing=12, margins=(16, 14, 16, 14)))
        self.setFixedWidth(320)

    def set_shifts(self, shifts: list[str]) -> None:
        """Shifts that the robot offers beside the nominal scene."""
        wanted = [NOMINAL, *(name for name in shifts if name != NOMINAL)]
        if wanted != [self._shift.itemText(place) for place in range(self._shift.count())]:
            chosen = self._shift.currentText()
            self._shift.clear()
            self._shift.addItems(wanted)
            self._shift.setCurrentText(chosen if chosen in wanted else NOMINAL)

    def toggle(self, anchor: QWidget) -> None:
        """Open below `anchor`, or close."""
        if self.isVisible():
            self.close_panel()
        else:
            self.open_below(anchor)
            self._seed.setFocus()

    def _begin(self) -> None:
        seed = int(self._seed.text()) if self._seed.text() else None
        self.close_panel()
        self.begin.emit(seed, self._shift.currentText())
