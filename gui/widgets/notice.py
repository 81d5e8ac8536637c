"""What is wrong now, above a view; and what is waited for, in its place."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QWidget

from gui.state import Notice
from gui.theme import GRID, Theme
from gui.widgets.basics import column, label, restyle, row
from gui.widgets.icons import pixmap


class NoticeBar(QFrame):
    """One line above a view for what is wrong now; empty, it takes no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notice")
        self._text = ""
        self._words = label("", wrap=True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self.setLayout(row(self._words, margins=(2 * GRID, 8, 2 * GRID, 8)))
        self.hide()

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice, or none."""
        if notice is not None:
            restyle(self, "tone", notice.tone)
        text = f"{notice.title} {notice.detail}".strip() if notice is not None else ""
        if notice is not None and text != self._text:
            self._words.setText(f"<b>{escape(notice.title)}</b>&nbsp; {escape(notice.detail)}")
            self.setAccessibleName(text)
        self._text = text
        self.setVisible(notice is not None)

    def text(self) -> str:
        """What is said now; empty if nothing."""
        return self._text


class WaitingPage(QWidget):
    """What the window waits for, where it will be, under an icon."""

    def __init__(self, theme: Theme, icon_name: str) -> None:
        super().__init__()
        self._theme, self._icon_name = theme, icon_name
        self._icon = label()
        self._title = label("", "strong", name="What the window waits for")
        self._detail = label("", "soft", wrap=True)
        self._detail.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._detail.setFixedWidth(520)
        layout = column(None, self._icon, self._title, self._detail, None, spacing=GRID)
        for item in (self._icon, self._title, self._detail):
            layout.setAlignment(item, Qt.AlignmentFlag.AlignHCenter)
        self.setLayout(layout)

    def show_notice(self, notice: Notice) -> None:
        """Show why there is nothing to see."""
        if self._title.text() != notice.title or self._detail.text() != notice.detail:
            self._title.setText(notice.title)
            self._detail.setText(notice.detail)
            self._detail.setFixedHeight(self._detail.heightForWidth(self._detail.width()))
            restyle(self._title, "tone", "danger" if notice.tone == "danger" else "")
        self._icon.setPixmap(pixmap(self._icon_name, self._theme.colour("line_strong"), 56, self.devicePixelRatioF()))

    def text(self) -> str:
        """What is said now."""
        return f"{self._title.text()} {self._detail.text()}"
