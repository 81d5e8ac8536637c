"""Recorded pictures are decoded beside the window; the newest wish of a camera is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize

from gui.annotate.recording.decoder import Decoder, picture_of
from gui.annotate.recording.pictures import Recorded

JPEG = (Path(__file__).parents[4] / "gui" / "sample_pictures" / "overhead.jpg").read_bytes()


@pytest.mark.parametrize("size", [QSize(), QSize(200, 150), QSize(1200, 900), QSize(200, 900)])
def test_a_picture_fits_and_knows_how_large_it_was(qapp, size):
    picture = picture_of(Recorded("overhead", 0, JPEG), size)
    assert picture is not None and picture.size == QSize(640, 480)
    if not size.isEmpty():
        assert picture.image.width() <= size.width() and picture.image.height() <= size.height()
        assert picture.image.width() == size.width() or picture.image.height() == size.height()
        assert abs(picture.image.width() / picture.image.height() - 4 / 3) < 0.01


@pytest.mark.parametrize("jpeg", [b"", b"no picture", JPEG[:100]])
def test_what_is_no_picture_is_left_out(qapp, jpeg):
    assert picture_of(Recorded("front", 0, jpeg), QSize(20, 20)) is None


def test_of_many_wishes_the_last_is_shown_and_in_order(qtbot):
    decoder, got = Decoder(), []
    decoder.decoded.connect(lambda picture, recorded: got.append((recorded.camera, recorded.ms)))
    for ms in range(200):
        for camera in ("front", "side"):
            decoder.want(Recorded(camera, ms, JPEG), QSize(160, 120))
    qtbot.waitUntil(lambda: {("front", 199), ("side", 199)} <= set(got), timeout=20_000)
    for camera in ("front", "side"):
        times = [ms for name, ms in got if name == camera]
        assert times == sorted(times) and times.count(199) == 1
    decoder.close()
