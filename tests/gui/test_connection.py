"""The thread between link and window: newest wins, nothing is lost, nothing blocks."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize

from gui.connection import Connection, Opened, captured_at, picture_of
from gui.samples import frame
from hitl.annotation_messages import Pictures
from hitl.clock import ManualClock
from hitl.errors import ConfigError
from hitl.messages import Ack, Correction, Frame, Stop


def raw(tick: int, level: int) -> tuple[Frame, bytes]:
    head = Frame(camera="front", tick=tick, stamp_ns=tick, height=4, width=6)
    return head, np.full((4, 6, 3), level, np.uint8).tobytes()


def test_of_frames_the_newest_wins_and_of_messages_all_come(qtbot, link):
    connection = Connection(lambda: Opened(link), ManualClock(1_000))
    asked = []
    connection.ready.connect(lambda: asked.append(None))
    connection.want_size("front", QSize(12, 8))
    with qtbot.waitSignal(connection.ready):
        connection.start()
    for tick in range(20):
        head, pixels = raw(tick, tick)
        link.deliver(head, payloads=(pixels,))
        link.deliver(Ack(id=f"a{tick}"))
    got, pictures = [], {}

    def drained() -> bool:
        batch = connection.take()
        got.extend(batch.messages)
        pictures.update(batch.pictures)
        return len(got) == 20 and "front" in pictures and pictures["front"].captured_ns == 19

    qtbot.waitUntil(drained)
    assert [message.id for message in got] == [f"a{tick}" for tick in range(20)]
    assert pictures["front"].image.size() == QSize(12, 8), "scaled before it is handed over"
    assert pictures["front"].image.pixelColor(0, 0).red() == 19
    connection.close()
    assert link.closed


def test_recorded_pictures_all_come_with_what_they_are_of(qtbot, link):
    connection = Connection(lambda: Opened(link), ManualClock(1_000))
    with qtbot.waitSignal(connection.ready):
        connection.start()
    for number in range(3):
        told = Pictures(id="q", project="p", item="r", camera="front", times_ms=[number], finished=number == 2)
        link.deliver(told, payloads=(memoryview(f"jpeg {number}".encode()),))
    got = []

    def drained() -> bool:
        batch = connection.take()
        got.extend(batch.recorded)
        assert not any(isinstance(message, Pictures) for message in batch.messages), "they come once"
        return len(got) == 3

    qtbot.waitUntil(drained)
    assert [(entry.message.times_ms, entry.jpegs) for entry in got] == [
        ([number], (f"jpeg {number}".encode(),)) for number in range(3)
    ]
    connection.close()


def test_one_signal_is_under_way_however_much_comes(qtbot, link):
    connection = Connection(lambda: Opened(link))
    asked = []
    connection.ready.connect(lambda: asked.append(None))
    connection.start()
    for number in range(200):
        link.deliver(Ack(id=str(number)))
    qtbot.wait(300)
    assert len(asked) == 1, "the window has not taken the first batch yet"
    connection.close()


def test_what_is_asked_before_the_link_is_there_is_not_lost(link):
    connection = Connection(lambda: Opened(link))
    stop = Stop(id="s", author="a", stamp_ns=0)
    request = Correction(id="c", author="a", stamp_ns=0, text="go up")
    connection.stop(stop)
    connection.submit(request)
    connection.start()
    connection.close()
    assert link.stops == [stop] and link.requests == [request]


def test_a_link_that_cannot_be_made_is_told(qtbot):
    def refuse() -> Opened:
        raise ConfigError("a backend on another host needs keys", field="endpoints")

    connection = Connection(refuse)
    with qtbot.waitSignal(connection.ready):
        connection.start()
    assert "needs keys" in connection.take().health.error
    connection.close()


def test_a_stamp_of_an_unknown_clock_counts_from_the_arrival():
    now_ns = 100_000_000_000
    assert captured_at(now_ns - 300_000_000, now_ns) == now_ns - 300_000_000
    assert captured_at(now_ns + 1_000_000, now_ns) == now_ns, "an offset is never exact"
    assert captured_at(7, now_ns) == now_ns
    assert captured_at(10 * now_ns, now_ns) == now_ns


def test_pictures_are_decoded_and_wrong_ones_left_out():
    head, jpeg = frame("overhead")
    image = picture_of(head, jpeg)
    assert image is not None and (image.width(), image.height()) == (head.width, head.height)
    assert picture_of(head, jpeg[:50]) is None
    plain, pixels = raw(1, 200)
    assert picture_of(plain, memoryview(pixels)).pixelColor(5, 3).green() == 200
    assert picture_of(plain, pixels[:-1]) is None
