"""Letters and digits that mark: one shortcut for each category of the schema that is shown."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from hitl.annotation.schema import Schema


class Letters(QObject):
    """`pressed` carries a Category. They are text while a field has the focus."""

    pressed = Signal(object)

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._view = view
        self._schema: Schema | None = None
        self._keys: list[QShortcut] = []

    def show_schema(self, schema: Schema) -> None:
        """Its categories have their keys now."""
        if schema == self._schema:
            return
        self._schema = schema
        for old in self._keys:
            old.deleteLater()
        self._keys = []
        for category in schema.categories:
            key = QShortcut(QKeySequence(category.shortcut.upper()), self._view)
            key.setContext(Qt.ShortcutContext.WindowShortcut)
            key.setAutoRepeat(False)
            key.setEnabled(self._view.isVisible())
            key.activated.connect(lambda chosen=category: self.pressed.emit(chosen))
            self._keys.append(key)

    def enable(self, enabled: bool) -> None:
        """Letters mark nothing while the view is not seen."""
        for key in self._keys:
            key.setEnabled(enabled)
