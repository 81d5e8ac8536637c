"""Line icons of the window, drawn for it on a 24 x 24 grid and tinted with the theme. No file is read."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

_LINES = {
    "live": '<rect x="3" y="6" width="12" height="12" rx="2.5"/><path d="M15 11l6-3.5v9L15 13"/>',
    "annotate": '<path d="M4 6h16M4 11h6M4 16h11"/><path d="M12 13l6.5-6.5 2 2L14 15l-2.6.6z"/>',
    "models": '<path d="M7 8.5v7M9.3 6.6c5 .6 7.7 2 7.7 5.4"/><circle cx="7" cy="6" r="2.4"/>'
    '<circle cx="7" cy="18" r="2.4"/><circle cx="17" cy="14.4" r="2.4"/>',
    "settings": '<path d="M4 7h9M19 7h1M4 17h1M11 17h9"/>'
    '<circle cx="16" cy="7" r="2.6"/><circle cx="8" cy="17" r="2.6"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "undo": '<path d="M8 5L4 9l4 4"/><path d="M4 9h9.5a5.5 5.5 0 0 1 0 11H9"/>',
    "stop": '<rect x="5" y="5" width="14" height="14" rx="2" fill="{colour}"/>',
    "resume": '<path d="M7 5l12 7-12 7z" fill="{colour}"/>',
    "robot": '<path d="M5 20h6M8 20v-6l5-6 5 3"/><circle cx="8" cy="14" r="1.6"/><circle cx="13" cy="8" r="1.6"/>'
    '<path d="M18 11l2.4.2M18 11l.4 2.6"/>',
}


def pixmap(name: str, colour: QColor, side: int, ratio: float = 1.0) -> QPixmap:
    """The icon `name` in `colour`, `side` logical pixels wide and high."""
    body = _LINES[name].replace("{colour}", colour.name())
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour.name()}" '
        f'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">{body}</svg>'
    )
    image = QPixmap(QSize(side, side) * ratio)
    image.fill(Qt.GlobalColor.transparent)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, side, side))
    painter.end()
    return image


def icon(name: str, colour: QColor, side: int = 20) -> QIcon:
    """The icon as QIcon, sharp at 100 and 200 %."""
    result = QIcon()
    for ratio in (1.0, 2.0):
        result.addPixmap(pixmap(name, colour, side, ratio))
    return result
