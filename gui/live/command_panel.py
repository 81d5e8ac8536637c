"""What the robot is doing, large; who said so; Undo and Release; and the next alternatives, each on its key."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QFrame, QGridLayout, QSizePolicy, QWidget

from gui.actions import Registry, keys_shown
from gui.notices import PAUSED, doubt_spoken, doubt_words
from gui.state import LiveState
from gui.theme import GRID, Theme
from gui.widgets.basics import ElidedLabel, column, command_button, label, row
from hitl.messages import Alternative

CHOICES = 5
_LEAST_COMMAND_PT = 20
PLACES: dict[int, list[tuple[int, int, int]]] = {
    2: [(0, 0, 2), (1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1)],
    3: [(0, 0, 2), (0, 2, 2), (0, 4, 2), (1, 0, 3), (1, 3, 3)],
    5: [(0, place, 1) for place in range(CHOICES)],
}
"""For each number of columns: row, first cell and width of each alternative, so that they fill a block."""
ASKED = PLACES | {2: [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 2)]}
"""The same where one of the first two is asked for: neither is set off."""
WIDTHS = {2: 2, 3: 6, 5: 5}


class Tag(QWidget):
    """Who set the command, as a word on a colour: a person on the accent, the policy on grey, a stop on red."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._word, self._front, self._back = "", "policy", "policy_soft"

    def show_word(self, word: str, front: str, back: str) -> None:
        """Show `word` in colour `front` on `back` (names of the theme)."""
        if (word, front, back) != (self._word, self._front, self._back):
            self._word, self._front, self._back = word, front, back
            self.setAccessibleName(word)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """The word with room around it."""
        metrics = QFontMetricsF(self._theme.font(self._theme.type.caption, strong=True))
        return QSize(int(metrics.horizontalAdvance(self._word)) + 18, int(metrics.height()) + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the tag."""
        if not self._word:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour(self._back))
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setPen(self._theme.colour(self._front))
        painter.setFont(self._theme.font(self._theme.type.caption, strong=True))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._word)
        painter.end()


class CommandLine(QWidget):
    """The running command in the largest type that fits on one line, with a thin bar for how far it is done, or for
    the time that is left to answer a question."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._text, self._colour, self._done = "", "text", 0.0
        self._left: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_command(self, text: str, colour: str, done: float, left: float | None = None) -> None:
        """Show `text`; `done` 0..1 is the policy's belief that it is finished, `left` the share of the time in which a
        question can be answered, None where none is asked."""
        done = round(min(1.0, max(0.0, done)), 2)
        left = None if left is None else round(left, 2)
        if (text, colour, done, left) != (self._text, self._colour, self._done, self._left):
            self._text, self._colour, self._done, self._left = text, colour, done, left
            self.setAccessibleName(f"Running command: {text}")
            self.setToolTip(f"{text}\nThe policy believes it to be {done:.0%} done." if text else "")
            self.update()

    def fitting_pt(self) -> int:
        """The size of type in use."""
        for size in range(self._theme.type.command, _LEAST_COMMAND_PT, -1):
            metrics = QFontMetricsF(self._theme.font(size, strong=True))
            if metrics.horizontalAdvance(self._text) <= self.width():
                return size
        return _LEAST_COMMAND_PT

    def sizeHint(self) -> QSize:
        """One line of the largest type and the bar."""
        metrics = QFontMetricsF(self._theme.font(self._theme.type.command, strong=True))
        return QSize(400, int(metrics.height()) + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the command and the bar."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font(self.fitting_pt(), strong=True))
        painter.setPen(self._theme.colour(self._colour))
        shown = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        place = self.rect().adjusted(0, 0, 0, -6)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(0, self.height() - 3, self.width(), 3)
        painter.setBrush(self._theme.colour("sunken"))
        painter.drawRoundedRect(track, 1.5, 1.5)
        share = self._done if self._left is None else self._left
        if share > 0:
            track.setWidth(self.width() * share)
            person = self._colour == "accent" or self._left is not None
            painter.setBrush(self._theme.colour("accent" if person else "text_soft"))
            painter.drawRoundedRect(track, 1.5, 1.5)
        painter.end()


class Choice(QAbstractButton):
    """One alternative: its key, its words, its probability as number and as the bar behind the lower edge."""

    def __init__(self, theme: Theme, registry: Registry, number: int) -> None:
        super().__init__()
        self._theme = theme
        self._registry = registry
        self._id = f"say.choose{number}"
        self._number = number
        self._probability = 0.0
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(registry.action(self._id).trigger)
        self.show_alternative("", 0.0)

    def show_alternative(self, text: str, probability: float) -> None:
        """Show an alternative; empty text means that there is none on this key now."""
        if (text, probability) == (self.text(), self._probability) and self.accessibleName():
            return
        self.setText(text)
        self._probability = probability
        self.setEnabled(bool(text))
        keys = keys_shown(self._registry.keys(self._id))
        if text:
            gives = f" The policy gives it {probability:.0%}." if probability else ""
            self.setToolTip(f"Send “{text}” as your correction ({keys}).{gives}")
            sure = f", probability {probability:.2f}" if probability else ""
            self.setAccessibleName(f"Alternative {self._number}: {text}{sure}")
        else:
            self.setToolTip("")
            self.setAccessibleName(f"Alternative {self._number}: none now")
        self.update()

    def sizeHint(self) -> QSize:
        """One line with room around it."""
        return QSize(180, QFontMetricsF(self._theme.font()).height().__ceil__() + 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw key, words and probability."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, there = self._theme, bool(self.text())
        hot = there and (self.underMouse() or self.isDown())
        edge = "accent" if self.hasFocus() else "line_strong" if there else "line"
        painter.setPen(theme.colour(edge))
        painter.setBrush(theme.colour("sunken" if hot else "raised" if there else "window"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        small = theme.font(theme.type.caption)
        painter.setFont(small)
        middle = Qt.AlignmentFlag.AlignVCenter
        keys = keys_shown(self._registry.keys(self._id))
        cap_width = max(20.0, painter.fontMetrics().horizontalAdvance(keys) + 12)
        cap = QRectF(7, (self.height() - 20) / 2, cap_width, 20)
        painter.setPen(theme.colour("line_strong" if there else "line"))
        painter.setBrush(theme.colour("sunken"))
        painter.drawRoundedRect(cap, 4, 4)
        painter.setPen(theme.colour("text_soft"))
        painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, keys)
        if there:
            number = f"{self._probability:.2f}" if self._probability else ""
            number_width = painter.fontMetrics().horizontalAdvance(number)
            right = self.rect().adjusted(0, 0, -10, 0)
            painter.drawText(right, middle | Qt.AlignmentFlag.AlignRight, number)
            painter.setFont(theme.font())
            painter.setPen(theme.colour("text"))
            left = int(cap.right()) + 8
            room = self.width() - left - number_width - 20
            words = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
            painter.drawText(self.rect().adjusted(left, 0, 0, 0), middle | Qt.AlignmentFlag.AlignLeft, words)
        painter.end()


class Choices(QWidget):
    """The alternatives in as few rows as their words need; the number of rows depends on the width alone."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self._theme = theme
        self.buttons = [Choice(theme, registry, number) for number in range(1, CHOICES + 1)]
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GRID)
        self._columns, self._asked = 0, False
        self._empty = label(
            "What the policy would do next appears here. The keys 1 to 5 send one of them as your correction.",
            "caption",
            wrap=True,
        )
        self._empty.setParent(self)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        for button in self.buttons:
            policy = button.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            button.setSizePolicy(policy)
        self.setAccessibleName("Next alternatives")
        self._lay_out(CHOICES, asked=False)

    def refresh(self, state: LiveState) -> None:
        """Show the alternatives."""
        question = state.question if state.connected else None
        alternatives = state.command.alternatives if state.command and state.connected else []
        asked = list(question.choices) if question is not None else state.unsure
        if asked:
            known = {} if question is not None else {each.text: each.probability for each in alternatives}
            alternatives = [Alternative(text=choice, probability=known.get(choice, 0.0)) for choice in asked]
        self.setAccessibleName("Which is right?" if asked else "Next alternatives")
        self._empty.setVisible(not alternatives)
        self._lay_out(self._columns, asked=bool(asked))
        for place, button in enumerate(self.buttons):
            button.setVisible(place < len(alternatives) if asked else bool(alternatives))
            if place < len(alternatives):
                button.show_alternative(alternatives[place].text, alternatives[place].probability)
            else:
                button.show_alternative("", 0.0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the number of columns."""
        self._empty.setGeometry(0, GRID, self.width(), self.height() - GRID)
        room = QFontMetricsF(self._theme.font()).horizontalAdvance("open the right gripper") + 96
        fitting = int((self.width() + GRID) / (room + GRID))
        self._lay_out(max((columns for columns in PLACES if columns <= fitting), default=2), asked=self._asked)

    def _lay_out(self, columns: int, *, asked: bool) -> None:
        if (columns, asked) == (self._columns, self._asked):
            return
        self._columns, self._asked = columns, asked
        places = ASKED if asked else PLACES
        for button, (line, start, span) in zip(self.buttons, places[columns], strict=True):
            self._grid.addWidget(button, line, start, 1, span)
        for place in range(CHOICES + 1):
            self._grid.setColumnStretch(place, 1 if place < WIDTHS[columns] else 0)


class CommandPanel(QFrame):
    """Who set the command and why, the command itself, and the alternatives."""

    def __init__(self, theme: Theme, registry: Registry) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._registry = registry
        self._tag = Tag(theme)
        self._why = ElidedLabel("Where the command comes from")
        self._undo = command_button(registry.action("say.undo"), "Undo", "small", show_keys=True)
        self._release = command_button(registry.action("robot.release"), "Release", "small", show_keys=True)
        self._line = CommandLine(theme)
        self._announced = 0
        self.choices = Choices(theme, registry)
        head = QWidget()
        head.setLayout(row(self._tag, self._why, self._undo, self._release))
        layout = head.layout()
        if layout is not None:
            layout.setStretch(1, 1)  # type: ignore[attr-defined]
        head.setMinimumHeight(self._undo.sizeHint().height())
        self.setLayout(column(head, self._line, self.choices, spacing=6, margins=(2 * GRID, 10, 2 * GRID, 12)))

    def refresh(self, state: LiveState, now_ns: int) -> None:
        """Show the running command and what may come next."""
        self.choices.refresh(state)
        mine = state.corrected and state.connected
        self._registry.enable("robot.release", mine)
        self._undo.setVisible(mine)
        self._release.setVisible(mine)
        left_s = state.hold_left_s(now_ns)
        holds = "until it is done" if left_s is None else f"for at most {left_s:.0f} s more"
        word, front, back = tag_of(state)
        self._tag.show_word(word, front, back)
        self._tag.setVisible(bool(word))
        why = why_words(state)
        self._why.show_text(f"{why} · {holds}" if mine and not (state.stopped or state.waits) else why)
        question = state.question if state.connected else None
        if question is not None:
            self._tag.show_word("Which?", "on_accent", "accent")
            self._tag.setVisible(True)
            self._why.show_text(f"“{question.text}” may mean two things. Press 1 or 2, or say it again.")
        doubt = doubt_words(state, now_ns) if state.connected and question is None else ""
        if doubt:
            self._why.show_text(doubt)
        if state.unsure:
            self._tag.show_word("Unsure", "on_accent", "accent")
            self._announce(state)
        if state.stopped:
            self._line.show_command(stop_words(state), "danger_text", 0.0)
        elif state.unsure and state.command is not None:
            would = "?" if state.command.text == state.unsure[0] else ""
            left = state.unsure_left(now_ns)[1]
            self._line.show_command(f"{state.command.text}{would}", "text", 0.0, left)
        elif state.command is None or not state.connected:
            self._line.show_command(
                "No command yet" if state.command is None else state.command.text, "text_soft", 0.0
            )
        else:
            done = 1.0 if state.waits else state.command.done_probability
            self._line.show_command(state.command.text or "Holding still", "accent" if mine else "text", done)

    def _announce(self, state: LiveState) -> None:
        """Say a new question to a screen reader, once."""
        command = state.command
        if command is not None and command.unsure_until_ns != self._announced:
            self._announced = command.unsure_until_ns
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, f"Unsure. {doubt_spoken(command)}"))


def tag_of(state: LiveState) -> tuple[str, str, str]:
    """The word for who set the command, with its two colours."""
    if state.stopped:
        mode = state.robot.mode if state.robot is not None else "stopped"
        word = {"fault": "Fault", "paused": "Paused"}.get(mode, "Stopped")
        return word if state.stop_asked is None else "Stopping", "on_danger", "danger"
    if state.command is None or not state.connected:
        return "", "policy", "policy_soft"
    if state.command.source == "person":
        author = state.command.author
        return ("You" if author in ("", state.author) else author), "on_accent", "accent"
    if state.command.source == "policy":
        return "Policy", "policy", "policy_soft"
    return "Nobody", "policy", "policy_soft"


def stop_words(state: LiveState) -> str:
    """What the large line says while the robot is stopped."""
    if state.stop_asked is not None:
        return "Stop requested"
    return "The robot stays still"


def why_words(state: LiveState) -> str:
    """One sentence on where the running command comes from."""
    if state.paused:
        return PAUSED
    if state.stopped:
        return "Nothing moves until you resume." if state.stop_asked is None else "Waiting for the robot to confirm."
    command = state.command
    if command is None:
        return "The command that the robot follows appears here."
    if not state.connected:
        return "This was the last command before the backend went away."
    if command.source == "policy":
        return f"chose this, probability {command.probability:.2f}"
    if command.source != "person":
        return "set a command; the robot holds still."
    if state.waits:
        return "said this, and it is done; the robot waits for the next words"
    row = state.rows.get(command.command_id)
    if row is not None and row.grounding == "new":
        return "said this; the words are new and go to the policy as they are"
    if command.said and command.said != command.text:
        sure = f" ({row.similarity:.2f})" if row is not None and row.similarity else ""
        return f"said “{command.said}”, understood as{sure}"
    return "said this"
