"""Every view can be drawn without a backend."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage

from gui import screenshot
from hitl.errors import InputError, StorageError


@pytest.mark.parametrize("view", screenshot.VIEWS)
def test_every_view_is_drawn(qapp, tmp_path, view):
    out = tmp_path / f"{view}.png"
    assert screenshot.main(view, out, "light", (1280, 800)) == 0
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1280, 800)
    stop = image.pixelColor(1108, 26)
    assert stop.red() > 150 > stop.green() + 50, "STOP is red, at the same place in every view"


def test_what_cannot_be_drawn_is_named(qapp, tmp_path):
    with pytest.raises(InputError, match="live-stopped"):
        screenshot.main("lives", tmp_path / "a.png")
    with pytest.raises(InputError, match="size"):
        screenshot.main("live", tmp_path / "a.png", size=(10, 10))
    with pytest.raises(StorageError):
        screenshot.main("live", tmp_path / "no" / "a.png")
