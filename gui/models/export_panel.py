"""Where to write the chosen version as a table, or the page as a picture. It floats, and STOP stays free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget

from gui.models.table import table_of
from gui.widgets.basics import column, label, row
from gui.widgets.popover import Popover
from hitl.errors import HitlError, InputError, StorageError
from hitl.model_messages import ModelVersion

TABLE, PICTURE = ".csv", ".png"

Grab = Callable[[Path], bool]
"""Writes a picture of the page to a file; False where that failed."""


class ExportPanel(Popover):
    """`written` carries the path of what was written."""

    written = Signal(str)

    def __init__(self, window: QWidget, grab: Grab) -> None:
        super().__init__(window)
        self._grab = grab
        self._version: ModelVersion | None = None
        self.field = QLineEdit()
        self.field.setAccessibleName("File")
        self.field.returnPressed.connect(self._write)
        self.field.textEdited.connect(lambda _text: self._complain(""))
        self._complaint = label("", "error", wrap=True, name="Why nothing was written")
        self._complaint.hide()
        write = QPushButton("Write   Enter")
        write.setProperty("kind", "primary")
        write.setToolTip("Writes the file (Enter)")
        write.clicked.connect(self._write)
        note = label("The ending says what is written: .csv for the version as a table, .png for this page as a "
                     "picture. What is there is replaced.", "caption", wrap=True)  # fmt: skip
        buttons = QWidget()
        buttons.setLayout(row(None, write))
        self.setLayout(column(label("Export", "strong"), note, self.field, self._complaint, buttons, spacing=12,
                              margins=(16, 14, 16, 14)))  # fmt: skip
        self.setFixedWidth(460)

    def toggle(self, anchor: QWidget, version: ModelVersion | None) -> None:
        """Open below `anchor` for a version, or close."""
        if self.isVisible():
            self.close_panel()
            return
        self._version = version
        kept = Path(self.field.text().strip()) if self.field.text().strip() else None
        folder = kept.parent if kept is not None else _folder()
        ending = kept.suffix if kept is not None and kept.suffix in (TABLE, PICTURE) else TABLE
        self.field.setText(str(folder / f"{version.name if version is not None else 'models'}{ending}"))
        self._complain("")
        self.open_below(anchor)
        self.field.setFocus()
        self.field.setSelection(len(self.field.text()) - len(ending), len(ending))

    def complaint(self) -> str:
        """Why nothing was written; empty where that was."""
        return self._complaint.text()

    def _write(self) -> None:
        try:
            path = write_export(self.field.text(), self._version, self._grab)
        except HitlError as error:
            self._complain(f"{error.message} {error.hint}".strip())
            return
        self.close_panel()
        self.written.emit(str(path))

    def _complain(self, why: str) -> None:
        self._complaint.setText(why)
        self._complaint.setVisible(bool(why))
        self.adjustSize()


def write_export(given: str, version: ModelVersion | None, grab: Grab) -> Path:
    """Write what the ending of `given` says, and return the path. InputError for a name that cannot be one,
    StorageError where nothing could be written."""
    path = Path(given.strip()).expanduser()
    if path.suffix.lower() not in (TABLE, PICTURE):
        raise InputError("This is neither a table nor a picture.", field="file", hint="End it with .csv or .png.")
    if not path.is_absolute():
        raise InputError("This does not say in which folder.", field="file", hint="Begin it with / or ~.")
    if path.suffix.lower() == TABLE and version is None:
        raise InputError("There is no version to write.", field="file", hint="Choose one first.")
    hint = "Choose a folder that is there and that you may write to."
    if path.suffix.lower() == PICTURE:
        if not grab(path):
            raise StorageError("The picture could not be written.", field="file", hint=hint)
        return path
    assert version is not None
    try:
        path.write_text(table_of(version), encoding="utf-8", newline="")
    except OSError as error:
        why = error.strerror or "unknown reason"
        raise StorageError(f"The table could not be written ({why}).", field="file", hint=hint) from None
    return path


def _folder() -> Path:
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(place) if place and Path(place).is_dir() else Path.home()
