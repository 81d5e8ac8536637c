"""One theme: two palettes (light, dark), the 8 px grid, three sizes of type, two weights, and the style sheet.

Colours have one meaning each: `accent` is a person, `policy` is the policy, `danger` is STOP and faults. Pairs
drawn on each other are listed in `TEXT_PAIRS`; tests compute their contrast (WCAG 2.2, 1.4.3: at least 4.5:1).
This file knows nothing of what the window shows.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QDir, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from hitl.errors import InputError

Mode = Literal["light", "dark", "system"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")
GRID = 8
TEXT_SIZES = (13, 20)
"""Smallest and largest body type, in points."""

_FAMILIES = ("Inter", "SF Pro Text", "Segoe UI Variable", "Segoe UI", "Noto Sans", "Cantarell", "DejaVu Sans")


@dataclass(frozen=True)
class Colours:
    """Every colour of the window, as #rrggbb."""

    window: str
    surface: str
    raised: str
    sunken: str
    line: str
    line_strong: str
    text: str
    text_soft: str
    accent: str
    accent_hover: str
    accent_soft: str
    on_accent: str
    policy: str
    policy_soft: str
    danger: str
    danger_hover: str
    danger_soft: str
    danger_text: str
    on_danger: str
    good: str
    warn: str
    warn_soft: str
    picture: str
    on_picture: str
    marks: tuple[str, ...]
    """Of the categories of spans; lines and tags are drawn in them, always with a pattern or a letter."""
    on_mark: str
    """Letters on a tag of such a colour."""


LIGHT = Colours(
    window="#f4f5f7",
    surface="#ffffff",
    raised="#ffffff",
    sunken="#eceef2",
    line="#dfe2e8",
    line_strong="#c3c8d2",
    text="#171a21",
    text_soft="#555d6b",
    accent="#3d4fd6",
    accent_hover="#3242bd",
    accent_soft="#e9ecfd",
    on_accent="#ffffff",
    policy="#454c59",
    policy_soft="#e7e9ee",
    danger="#c81e2c",
    danger_hover="#ab1724",
    danger_soft="#fdecec",
    danger_text="#a81622",
    on_danger="#ffffff",
    good="#17703d",
    warn="#875100",
    warn_soft="#fdf3df",
    picture="#14161b",
    on_picture="#f2f4f8",
    marks=("#756000", "#7a45b5", "#00706b", "#b6440f", "#0b6a9e", "#2c7a33", "#a8327f", "#4f5b6b"),
    on_mark="#ffffff",
)

DARK = Colours(
    window="#0f1115",
    surface="#15181e",
    raised="#1c2027",
    sunken="#0b0d10",
    line="#262b34",
    line_strong="#3b424f",
    text="#e9ebf0",
    text_soft="#9ea6b4",
    accent="#98a6ff",
    accent_hover="#b0baff",
    accent_soft="#20264a",
    on_accent="#0f1220",
    policy="#c2c8d2",
    policy_soft="#272c36",
    danger="#cf2f3b",
    danger_hover="#b92631",
    danger_soft="#3a171b",
    danger_text="#ff8f94",
    on_danger="#ffffff",
    good="#6fcf97",
    warn="#f0b95a",
    warn_soft="#33270f",
    picture="#07080a",
    on_picture="#f2f4f8",
    marks=("#e6cf5a", "#c3a6ff", "#4fd0c4", "#ff9a5c", "#6fbcf0", "#84d48a", "#f092cf", "#b4bfcc"),
    on_mark="#101318",
)

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    ("text", "window"), ("text", "surface"), ("text", "raised"), ("text", "sunken"), ("text", "accent_soft"),
    ("text_soft", "window"), ("text_soft", "surface"), ("text_soft", "raised"), ("text_soft", "sunken"),
    ("text_soft", "accent_soft"), ("accent", "surface"), ("accent", "window"), ("accent", "accent_soft"),
    ("on_accent", "accent"), ("on_accent", "accent_hover"), ("policy", "surface"), ("policy", "policy_soft"),
    ("on_danger", "danger"), ("on_danger", "danger_hover"), ("danger_text", "surface"), ("danger_text", "window"),
    ("danger_text", "danger_soft"), ("text", "danger_soft"), ("good", "surface"), ("good", "window"),
    ("warn", "surface"), ("warn", "window"), ("warn", "accent_soft"), ("warn", "warn_soft"), ("text", "warn_soft"),
    ("on_picture", "picture"),
)  # fmt: skip
"""(foreground, background) names of all colours that text is drawn with."""


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@dataclass(frozen=True)
class Type:
    """Sizes in points: caption, body and the greatest size of the command (28 at 13 pt body, 40 at 20 pt)."""

    body: int

    @property
    def caption(self) -> float:
        """Small type: labels, times, numbers beside the point."""
        return round(self.body * 0.82 * 2) / 2

    @property
    def command(self) -> int:
        """The running command."""
        low, high = TEXT_SIZES
        return round(28 + (self.body - low) * 12 / (high - low))


class Theme:
    """The colours and type in use; `apply` gives them to the application."""

    def __init__(self, mode: Mode = "system", text_size: int = TEXT_SIZES[0]) -> None:
        self.mode = checked_mode(mode)
        self.type = Type(checked_text_size(text_size))

    @property
    def dark(self) -> bool:
        """Whether the dark palette is in use."""
        if self.mode != "system":
            return self.mode == "dark"
        hints = QGuiApplication.styleHints()
        return hints is not None and hints.colorScheme() == Qt.ColorScheme.Dark

    @property
    def colours(self) -> Colours:
        """The palette in use."""
        return DARK if self.dark else LIGHT

    def colour(self, name: str) -> QColor:
        """One colour of the palette in use, by its field name."""
        return QColor(getattr(self.colours, name))

    def mark(self, number: int) -> QColor:
        """The colour of a category."""
        return QColor(self.colours.marks[number % len(self.colours.marks)])

    def font(self, size: float | None = None, *, strong: bool = False) -> QFont:
        """A font of the theme with tabular numbers; `size` in points, body size by default."""
        font = QFont(QGuiApplication.font())
        font.setPointSizeF(size if size is not None else self.type.body)
        font.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def apply(self, app: QApplication) -> None:
        """Set font, palette and style sheet of `app`."""
        QDir.setSearchPaths("hitlicons", [str(Path(__file__).with_name("icons"))])
        sheet = style_sheet(self.colours, self.type)
        if app.styleSheet() == sheet:
            return
        app.setStyle("Fusion")
        font = QFont(_family())
        font.setPointSizeF(self.type.body)
        font.setFeature(QFont.Tag("tnum"), 1)
        app.setFont(font)
        app.setPalette(_qt_palette(self.colours))
        app.setStyleSheet(sheet)


def checked_mode(mode: str) -> Mode:
    """`mode` as one of MODES; InputError names the choices."""
    for known in MODES:
        if mode == known:
            return known
    raise InputError(f"{mode!r} is no theme", field="theme", hint=f"Choose one of: {', '.join(MODES)}.")


def checked_text_size(size: int) -> int:
    """`size` in points if it lies within TEXT_SIZES; InputError otherwise."""
    low, high = TEXT_SIZES
    if not low <= size <= high:
        raise InputError(f"{size} pt is out of range", field="text_size", hint=f"Choose {low} to {high} pt.")
    return size


def _family() -> str:
    if sys.platform == "darwin":
        return ".AppleSystemUIFont"
    installed = set(QFontDatabase.families())
    return next((family for family in _FAMILIES if family in installed), QGuiApplication.font().family())


def _qt_palette(colours: Colours) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: colours.window, role.WindowText: colours.text, role.Base: colours.surface,
        role.AlternateBase: colours.sunken, role.Text: colours.text, role.Button: colours.raised,
        role.ButtonText: colours.text, role.Highlight: colours.accent, role.HighlightedText: colours.on_accent,
        role.PlaceholderText: colours.text_soft, role.ToolTipBase: colours.raised, role.ToolTipText: colours.text,
        role.Link: colours.accent, role.Mid: colours.line, role.Dark: colours.line_strong,
    }  # fmt: skip
    for name, value in pairs.items():
        palette.setColor(name, QColor(value))
    for name in (role.Text, role.ButtonText, role.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(colours.text_soft))
    return palette


def style_sheet(colours: Colours, type_: Type) -> str:
    """The style sheet of the whole application; `{name}` of the template are fields of Colours and sizes of Type."""
    shade = "dark" if colours == DARK else "light"
    values = {entry.name: getattr(colours, entry.name) for entry in fields(colours)}
    return _SHEET.format(**values, caption=type_.caption, body=type_.body, shade=shade, radius=6)


_SHEET = """
QWidget {{ color: {text}; }}
QMainWindow, #page {{ background: {window}; }}
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {line_strong}; padding: 4px 6px; }}

QLabel[kind="caption"] {{ color: {text_soft}; font-size: {caption}pt; }}
QLabel[kind="soft"] {{ color: {text_soft}; }}
QLabel[kind="strong"] {{ font-weight: 600; }}
QLabel[kind="error"] {{ color: {danger_text}; font-size: {caption}pt; }}
QLabel[kind="badge"] {{ background: {warn_soft}; color: {text}; border: 1px solid {warn}; border-radius: {radius}px;
  padding: 2px 8px; font-size: {caption}pt; }}
QLabel[tone="soft"] {{ color: {text_soft}; }}
QLabel[tone="good"] {{ color: {good}; }}
QLabel[tone="warn"] {{ color: {warn}; }}
QLabel[tone="danger"] {{ color: {danger_text}; }}
QLabel[tone="accent"] {{ color: {accent}; }}

#strip, #status {{ background: {surface}; }}
#strip {{ border-bottom: 1px solid {line}; }}
#status {{ border-top: 1px solid {line}; }}
#status QLabel {{ font-size: {caption}pt; color: {text_soft}; }}
#status QLabel[tone="warn"] {{ color: {warn}; }}
#status QLabel[tone="danger"] {{ color: {danger_text}; }}
#rail {{ background: {surface}; border-right: 1px solid {line}; }}
#side {{ background: {surface}; border-left: 1px solid {line}; }}
#panel {{ background: {surface}; border-top: 1px solid {line}; }}
#talkbar {{ background: {surface}; border-top: 1px solid {line}; }}
#talkbar #heard {{ font-size: {body}pt; color: {text}; }}
#talkbar #heard[tone="soft"] {{ color: {text_soft}; }}
#talkbar #heard[tone="warn"] {{ color: {warn}; }}
#talkbar QPushButton[on="true"] {{ background: {accent}; border-color: {accent}; color: {on_accent};
  font-weight: 600; }}
#saybar {{ background: {surface}; border-top: 1px solid {line}; }}
#saybar[joined="true"] {{ border-top: none; }}

QPushButton {{ background: {raised}; border: 1px solid {line_strong}; border-radius: {radius}px;
  padding: 5px 12px; color: {text}; }}
QPushButton:hover {{ background: {sunken}; }}
QPushButton:pressed {{ background: {line}; }}
QPushButton:focus {{ border: 2px solid {accent}; padding: 4px 11px; }}
QPushButton:disabled {{ color: {text_soft}; background: {window}; border-color: {line}; }}
QPushButton[kind="primary"] {{ background: {accent}; border-color: {accent}; color: {on_accent}; font-weight: 600; }}
QPushButton[kind="primary"]:hover {{ background: {accent_hover}; border-color: {accent_hover}; }}
QPushButton[kind="primary"]:focus {{ border: 2px solid {text}; }}
QPushButton[kind="primary"]:disabled {{ background: {sunken}; color: {text_soft}; border-color: {line}; }}
QPushButton[kind="stop"] {{ background: {danger}; border: 1px solid {danger}; color: {on_danger};
  font-weight: 600; padding: 7px 20px; }}
QPushButton[kind="stop"]:hover {{ background: {danger_hover}; border-color: {danger_hover}; }}
QPushButton[kind="stop"]:focus {{ border: 2px solid {text}; padding: 6px 19px; }}
QPushButton[kind="small"] {{ padding: 3px 10px; font-size: {caption}pt; }}
QPushButton[kind="small"]:focus {{ border: 2px solid {accent}; padding: 2px 9px; }}
QPushButton[kind="quiet"] {{ background: transparent; border: 1px solid transparent; color: {text_soft};
  padding: 3px 8px; font-size: {caption}pt; }}
QPushButton[kind="quiet"]:hover {{ background: {sunken}; color: {text}; }}
QPushButton[kind="quiet"]:focus {{ border: 1px solid {accent}; }}
QPushButton[kind="quiet"]:disabled {{ color: {text_soft}; }}

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QKeySequenceEdit {{ background: {surface}; color: {text};
  border: 1px solid {line_strong}; border-radius: {radius}px; padding: 5px 8px;
  selection-background-color: {accent}; selection-color: {on_accent}; }}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{ border: 2px solid {accent};
  padding: 4px 7px; }}
QSpinBox QLineEdit, QDoubleSpinBox QLineEdit {{ border: 0; padding: 0 0 0 7px; background: transparent; }}
QLineEdit[bad="true"] {{ border: 2px solid {danger}; padding: 4px 7px; }}
QComboBox::drop-down {{ border: 0; width: 28px; }}
QComboBox::down-arrow {{ image: url(hitlicons:down-{shade}.svg); width: 16px; height: 16px; }}
QSpinBox::up-button, QDoubleSpinBox::up-button {{ subcontrol-origin: border; subcontrol-position: top right;
  width: 28px; border: 0; background: transparent; }}
QSpinBox::down-button, QDoubleSpinBox::down-button {{ subcontrol-origin: border; subcontrol-position: bottom right;
  width: 28px; border: 0; background: transparent; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url(hitlicons:up-{shade}.svg); width: 16px; height: 16px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url(hitlicons:down-{shade}.svg);
  width: 16px; height: 16px; }}
QComboBox QAbstractItemView {{ background: {raised}; border: 1px solid {line_strong}; outline: 0;
  selection-background-color: {accent_soft}; selection-color: {text}; }}
QCheckBox {{ spacing: 8px; }}

QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: 0; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {line_strong}; border-radius: 3px; min-height: 32px; margin: 2px; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ height: 0; width: 0;
  background: transparent; }}

QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {line_strong}; border-radius: 4px; min-width: 32px; margin: 2px; }}

QListView {{ background: {raised}; border: 1px solid {line_strong}; border-radius: {radius}px; outline: 0; }}
QListView::item {{ padding: 5px 8px; }}
QListView::item:selected {{ background: {accent_soft}; color: {text}; }}

#popover {{ background: {raised}; border: 1px solid {line_strong}; border-radius: 10px; }}
#hint {{ background: {accent}; border-radius: 8px; }}
#hint QLabel {{ color: {on_accent}; }}
#hint QPushButton {{ background: transparent; color: {on_accent}; border: 1px solid {on_accent};
  padding: 3px 10px; font-size: {caption}pt; }}
#hint QPushButton:hover {{ background: {accent_hover}; }}
#row {{ background: {surface}; border-bottom: 1px solid {line}; }}
#row[now="true"] {{ background: {accent_soft}; }}
#row[found="true"] {{ border-left: 4px solid {accent}; }}
#learned {{ background: {surface}; border-top: 1px solid {line}; border-left: 4px solid {surface}; }}
#learned[fresh="true"] {{ background: {accent_soft}; border-left: 4px solid {accent}; }}
#notice {{ background: {accent_soft}; border-bottom: 1px solid {line}; }}
#notice[tone="warn"] {{ background: {warn_soft}; }}
#notice[tone="danger"] {{ background: {danger_soft}; }}
#column, #centre {{ background: {surface}; }}
#column {{ border: 0; }}
#head {{ background: {window}; border-bottom: 1px solid {line}; }}
#details {{ background: {window}; border-top: 1px solid {line}; border-bottom: 1px solid {line}; }}
#rewrite, #foot {{ background: {surface}; border-top: 1px solid {line}; }}
#transport {{ background: {window}; border-top: 1px solid {line}; border-bottom: 1px solid {line}; }}
#footbar {{ background: {surface}; border-top: 1px solid {line}; }}
#footbar QPushButton[kind="primary"] {{ font-size: {caption}pt; }}
#labels {{ border: 0; border-radius: 0; background: {surface}; }}
QPushButton[on="true"] {{ background: {accent_soft}; border-color: {accent}; color: {accent}; font-weight: 600; }}
QPushButton[bad="true"] {{ border-color: {warn}; color: {warn}; }}
QPushButton[kind="entry"] {{ text-align: left; border-color: transparent; padding: 8px 12px; }}
QPushButton[kind="entry"]:focus {{ border: 2px solid {accent}; padding: 7px 11px; background: {accent_soft}; }}
QSplitter::handle {{ background: {line}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QSplitter::handle:vertical {{ height: 1px; }}
QSplitter::handle:hover {{ background: {accent}; }}
QTabBar::tab {{ background: transparent; color: {text_soft}; padding: 4px 10px; border-bottom: 2px solid transparent;
  font-size: {caption}pt; }}
QTabBar::tab:selected {{ color: {accent}; border-bottom: 2px solid {accent}; font-weight: 600; }}
QTabBar::tab:hover {{ color: {text}; }}
QPlainTextEdit {{ background: {surface}; border: 1px solid {line_strong}; border-radius: {radius}px; padding: 3px 5px;
  selection-background-color: {accent}; selection-color: {on_accent}; }}
QPlainTextEdit:focus {{ border: 2px solid {accent}; padding: 2px 4px; }}
QTextBrowser {{ background: transparent; border: 0; }}
QTableWidget {{ background: {surface}; gridline-color: {line}; border: 0; selection-background-color: {accent_soft};
  selection-color: {text}; }}
QTableWidget::item {{ padding: 6px; }}
QHeaderView::section {{ background: {window}; color: {text_soft}; border: 0; border-bottom: 1px solid {line};
  padding: 4px 8px; font-size: {caption}pt; }}
QTableCornerButton::section {{ background: {window}; border: 0; border-bottom: 1px solid {line}; }}
#card {{ background: {surface}; border: 1px solid {line}; border-radius: 8px; }}

QMenuBar {{ background: {surface}; border-bottom: 1px solid {line}; font-size: {caption}pt; }}
QMenuBar::item {{ padding: 4px 10px; background: transparent; }}
QMenuBar::item:selected {{ background: {sunken}; }}
QMenu {{ background: {raised}; border: 1px solid {line_strong}; padding: 4px; }}
QMenu::item {{ padding: 5px 24px 5px 16px; border-radius: 4px; }}
QMenu::item:selected {{ background: {accent_soft}; color: {text}; }}
QMenu::item:disabled {{ color: {text_soft}; }}
QMenu::separator {{ height: 1px; background: {line}; margin: 4px 8px; }}
"""
