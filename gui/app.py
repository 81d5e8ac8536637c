"""Start the window: application, preferences, theme, outbox and link. `main` is the entry point of `hitl gui`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from gui.connection import Connection, Opened
from gui.main_window import MainWindow
from gui.preferences import Preferences, host_and_port
from gui.theme import Theme, checked_mode, checked_text_size
from hitl.bus import ClientKeys, Endpoints, Link, Outbox
from hitl.errors import UnavailableError
from hitl.speech.ear_messages import FromEar
from hitl.speech.ear_process import EarProcess


def display_available() -> bool:
    """Whether a window can be shown; always true but on a Unix without X or Wayland."""
    if sys.platform in ("darwin", "win32") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def endpoints_of(address: str) -> Endpoints:
    """The endpoints of “tcp://host:port”, port the first of four. Raises ConfigError for anything else."""
    return Endpoints.tcp(*host_and_port(address))


def application() -> QApplication:
    """The one QApplication of this process."""
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(["hitl"])
    app.setApplicationName("hitl")
    app.setApplicationDisplayName("hitl")
    return app


def main(
    endpoints: Endpoints, *, outbox: Path, author: str = "", theme: str = "", text_size: int = 0,
    keys: ClientKeys | None = None, ear: Sequence[str] = (), ear_environment: Mapping[str, str] | None = None,
    annotate: bool = False, project: str = "",
) -> int:  # fmt: skip
    """Show the window until it is closed; returns the exit code.

    endpoints: where the backend is or will be. outbox: file that keeps what is not yet acknowledged.
    ear: the command of the process that listens, with what its environment has beside this one's; empty: no talking.
    author, theme, text_size (points): override what the person set before; empty or 0 leaves it.
    annotate: begin at Annotate; project: the one to open there, empty for the latest.
    Raises UnavailableError without a display, InputError for a bad theme or size.
    """
    if not display_available():
        raise UnavailableError(
            "there is no display", field="display",
            hint="Start hitl on a desktop, or use “hitl demo”, which runs headless where there is no display.",
        )  # fmt: skip
    app = application()
    preferences = Preferences()
    look = Theme(
        checked_mode(theme) if theme else preferences.theme,
        checked_text_size(text_size) if text_size else preferences.text_size,
    )
    look.apply(app)

    def connect(address: str) -> Connection:
        target = endpoints_of(address) if address else endpoints

        def open_link() -> Opened:
            kept = Outbox(outbox)
            link = Link(target, "gui", author or preferences.author, keys=keys, outbox=kept)
            return Opened(link, tuple(kept.pending()))

        return Connection(open_link)

    def open_ear(told: Callable[[FromEar], None]) -> EarProcess:
        return EarProcess(ear, told, environment=ear_environment)

    window = MainWindow(
        connect, preferences, look, address=endpoints.control, author=author, open_ear=open_ear if ear else None
    )
    geometry = preferences.geometry
    if geometry is None or not window.restoreGeometry(geometry):
        window.resize(_first_size())
    if project:
        window.annotate.bench.open_project(project)
    if annotate or project:
        window.show_place("view.annotate")
    window.show()
    window.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: window.close())
    return app.exec()


def _first_size() -> QSize:
    room = QGuiApplication.primaryScreen().availableSize()
    return room.boundedTo(QSize(1440, 900))
