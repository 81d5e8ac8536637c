"""The Settings view, drawn from the table in `gui.preferences`; below it the keys of every command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from gui.actions import Registry, keys_shown
from gui.commands import COMMANDS, MENUS, STOP, Command
from gui.preferences import SETTINGS, Preferences, Setting
from gui.settings.device_box import DeviceBox
from gui.theme import GRID
from gui.widgets.basics import column, label
from hitl.errors import InputError

_FIELD_WIDTH = 280
_LOOK_EVERY_MS = 5_000
ABOUT = (
    "hitl lets people correct a robot while it works, in words. STOP and Escape send a stop request by software to "
    "the robot, which then holds still until you resume. It is no certified emergency stop: keep the robot's own "
    "one in reach."
)


class SettingsView(QWidget):
    """`changed` carries the key of a setting after it was kept; `keys_changed` says that a command has other keys;
    `devices_wanted`, now and then while this is seen, that somebody should look which microphones there are."""

    changed = Signal(str)
    keys_changed = Signal()
    devices_wanted = Signal()

    def __init__(self, preferences: Preferences, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("page")
        self._preferences = preferences
        self._registry = registry
        self._devices: Sequence[str] | None = None
        self._looking = QTimer(self)
        self._looking.setInterval(_LOOK_EVERY_MS)
        self._looking.timeout.connect(self.devices_wanted)
        self._load: dict[str, Callable[[], None]] = {}
        self._errors: dict[str, QLabel] = {}
        self._key_fields: dict[str, QKeySequenceEdit] = {}
        self._body = QVBoxLayout()
        self._body.setContentsMargins(4 * GRID, 3 * GRID, 4 * GRID, 4 * GRID)
        self._body.setSpacing(GRID)
        for group in dict.fromkeys(setting.group for setting in SETTINGS):
            self._body.addWidget(self._heading(group))
            self._body.addWidget(self._group_card([entry for entry in SETTINGS if entry.group == group]))
        self._keys_heading = self._heading("Keys")
        self._body.addWidget(self._keys_heading)
        self._body.addWidget(self._keys_card())
        self._body.addWidget(self._heading("About"))
        about = QFrame()
        about.setObjectName("card")
        about.setLayout(column(label(ABOUT, "soft", wrap=True), margins=(16, 14, 16, 14)))
        self._body.addWidget(about)
        self._body.addStretch(1)
        inside = QWidget()
        inside.setLayout(self._body)
        inside.setMaximumWidth(880)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(inside)
        self._scroll.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setLayout(column(self._scroll))

    def reload(self) -> None:
        """Show the settings as they are kept now."""
        for load in self._load.values():
            load()

    def show_devices(self, names: Sequence[str] | None) -> None:
        """Offer the microphones that are there; None while that is not known."""
        self._devices = names
        for setting in SETTINGS:
            if setting.kind == "device":
                self._load[setting.key]()

    def showEvent(self, event: QShowEvent) -> None:
        """Look for microphones."""
        super().showEvent(event)
        self.devices_wanted.emit()
        self._looking.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Look no longer."""
        super().hideEvent(event)
        self._looking.stop()

    def show_keys(self) -> None:
        """Scroll to the keys."""
        self._scroll.verticalScrollBar().setValue(self._keys_heading.y() - GRID)

    def complain(self, key: str, text: str) -> None:
        """Show what is wrong with a setting, or nothing."""
        self._errors[key].setText(text)
        self._errors[key].setVisible(bool(text))

    def complaint(self, key: str) -> str:
        """What is shown as wrong with a setting or command now."""
        return self._errors[key].text()

    def _heading(self, text: str) -> QLabel:
        heading = label(text, "strong")
        heading.setContentsMargins(0, GRID, 0, 0)
        return heading

    def _group_card(self, settings: list[Setting]) -> QFrame:
        card = QFrame()
        card.setObjectName("card")
        grid = QGridLayout(card)
        grid.setContentsMargins(16, 14, 16, 14)
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        for place, setting in enumerate(settings):
            field = self._field(setting)
            field.setFixedWidth(_FIELD_WIDTH)
            field.setAccessibleName(setting.label)
            field.setAccessibleDescription(setting.note)
            name = label(setting.label)
            name.setBuddy(field)
            error = self._errors[setting.key] = label("", "error", wrap=True)
            error.hide()
            if place:
                grid.setRowMinimumHeight(4 * place - 1, 2 * GRID)
            grid.addWidget(name, 4 * place, 0)
            grid.addWidget(label(setting.note, "caption", wrap=True), 4 * place + 1, 0)
            grid.addWidget(field, 4 * place, 1, 2, 1, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(error, 4 * place + 2, 0, 1, 2)
        return card

    def _field(self, setting: Setting) -> QWidget:
        match setting.kind:
            case "choice":
                return self._choice(setting)
            case "text":
                return self._text(setting)
            case "device":
                return self._device(setting)
            case _:
                return self._number(setting)

    def _choice(self, setting: Setting) -> QWidget:
        field = QComboBox()
        for choice in setting.choices:
            field.addItem(choice.capitalize(), choice)
        self._bind(setting, lambda: field.setCurrentIndex(field.findData(self._preferences.get(setting.key))))
        field.activated.connect(lambda _place: self._keep(setting, field.currentData()))
        return field

    def _device(self, setting: Setting) -> QWidget:
        field = DeviceBox()

        def load() -> None:
            if not field.view().isVisible():  # a list that is open stays as it is
                field.show_devices(str(self._preferences.get(setting.key)), self._devices)

        self._bind(setting, load)
        field.activated.connect(lambda _place: self._keep(setting, field.currentData()))
        field.activated.connect(lambda _place: load())
        return field

    def _text(self, setting: Setting) -> QWidget:
        field = QLineEdit()
        if setting.key == "author":
            field.setPlaceholderText(self._preferences.author)
        elif setting.key == "address":
            field.setPlaceholderText("as started")
        self._bind(setting, lambda: field.setText(str(self._preferences.get(setting.key))))
        field.editingFinished.connect(lambda: self._keep(setting, field.text()))
        return field

    def _number(self, setting: Setting) -> QWidget:
        field: QSpinBox | QDoubleSpinBox = QSpinBox() if setting.kind == "whole" else QDoubleSpinBox()
        if isinstance(field, QSpinBox):
            field.setRange(int(setting.low), int(setting.high))
        else:
            field.setRange(setting.low, setting.high)
            field.setDecimals(1)
        field.setSuffix(f" {setting.unit}")
        field.lineEdit().setTextMargins(GRID, 0, 0, 0)  # a style sheet's padding does not reach it
        field.setKeyboardTracking(False)

        def load() -> None:
            value = float(self._preferences.get(setting.key))
            field.setValue(int(value) if isinstance(field, QSpinBox) else value)  # type: ignore[arg-type]

        self._bind(setting, load)
        field.valueChanged.connect(lambda value: self._keep(setting, value))
        return field

    def _bind(self, setting: Setting, load: Callable[[], None]) -> None:
        self._load[setting.key] = load
        load()

    def _keep(self, setting: Setting, value: str | int | float) -> None:
        if value == self._preferences.get(setting.key):
            self.complain(setting.key, "")
            return
        try:
            self._preferences.set(setting.key, value)
        except InputError as error:
            self.complain(setting.key, f"{error.message}. {error.hint}")
            return
        self.complain(setting.key, "")
        self.changed.emit(setting.key)

    def _keys_card(self) -> QFrame:
        card = QFrame()
        card.setObjectName("card")
        grid = QGridLayout(card)
        grid.setContentsMargins(16, 14, 16, 14)
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        place = 0
        for menu in MENUS:
            for command in (entry for entry in COMMANDS if entry.menu == menu):
                grid.addWidget(label(menu, "caption"), place, 0)
                grid.addWidget(label(command.text), place, 1)
                grid.addWidget(self._key_field(command), place, 2)
                error = self._errors[command.id] = label("", "error", wrap=True)
                error.hide()
                grid.addWidget(error, place + 1, 1, 1, 2)
                place += 2
        return card

    def _key_field(self, command: Command) -> QWidget:
        if command.id == STOP:
            fixed = label(f"{keys_shown(command.keys)}, always", "soft")
            fixed.setFixedWidth(_FIELD_WIDTH)
            fixed.setMinimumHeight(QKeySequenceEdit().sizeHint().height())
            return fixed
        field = self._key_fields[command.id] = QKeySequenceEdit(QKeySequence(self._registry.keys(command.id)))
        field.setMaximumSequenceLength(1)
        field.setClearButtonEnabled(True)
        field.setFixedWidth(_FIELD_WIDTH)
        field.setAccessibleName(f"Keys of {command.text}")
        field.setToolTip(f"<p>{command.tip} Click, then press the keys it should have.</p>")
        field.editingFinished.connect(lambda: self._keep_keys(command, field))
        return field

    def _keep_keys(self, command: Command, field: QKeySequenceEdit) -> None:
        try:
            self._registry.set_keys(command.id, field.keySequence().toString())
        except InputError as error:
            self._errors[command.id].setText(f"{error.message}. {error.hint}")
            self._errors[command.id].show()
            field.setKeySequence(QKeySequence(self._registry.keys(command.id)))
            return
        self._errors[command.id].hide()
        self.keys_changed.emit()
