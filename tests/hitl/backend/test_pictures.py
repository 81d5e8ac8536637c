"""The thread that shows recordings: whoever asks gets their pictures in turn, and no more than they still want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hitl.annotation.items import Item
from hitl.annotation_messages import MAX_PICTURES_BYTES, OpenRecording, Pictures, RecordingOpened, ShowPictures
from hitl.backend import pictures
from hitl.backend.pictures import MAX_PICTURES, PicturesThread, ShownTo
from hitl.bus.codec import check_payloads
from hitl.sessions.catalog import Catalog, Session
from tests.support.recorded import session_with_commands

PATIENCE_S = 30.0
CAMERAS = {"overhead": (24, 32), "front": (24, 32)}
ANN, BOB = b"gui:1", b"gui:2"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return session_with_commands(tmp_path_factory.mktemp("data"), [], 6.0, borders_s=(1.0,), cameras=CAMERAS)


class Window:
    """What the thread delivers, which goes on its way when the test says so."""

    def __init__(self) -> None:
        self.got: list[ShownTo] = []
        self.waits: list[ShownTo] = []
        self.holds = False
        self._there = threading.Condition()

    def __call__(self, shown: ShownTo) -> None:
        with self._there:
            self.got.append(shown)
            if self.holds:
                self.waits.append(shown)
            self._there.notify_all()
        if not self.holds:
            shown.sent(True)

    def until(self, true: Callable[[list[ShownTo]], Any]) -> Any:
        with self._there:
            assert self._there.wait_for(lambda: true(self.got), PATIENCE_S), self.got
            return true(self.got)

    def of(self, request: str) -> list[ShownTo]:
        return [shown for shown in self.got if shown.message.id == request]

    def answer(self, request: str) -> list[ShownTo]:
        """All messages of an answer, as soon as it is finished."""
        self.until(lambda _: any(is_last(shown) for shown in self.of(request)))
        return self.of(request)


def is_last(shown: ShownTo) -> bool:
    return isinstance(shown.message, RecordingOpened) or shown.message.finished


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture
def showing(session: Session, window: Window) -> Iterator[PicturesThread]:
    made = PicturesThread(Catalog(session.folder.parents[1]), window)
    made.start()
    yield made
    made.close()


@pytest.fixture
def item(session: Session) -> Item:
    name = f"{session.id}/e1"
    return Item(id=name, recording=name, duration_ms=5000)


def opening(name: str = "o") -> OpenRecording:
    return OpenRecording(id=name, project="p", item="i")


def asking(name: str = "s", camera: str = "front", start_ms: int = 0, end_ms: int = 60_000) -> ShowPictures:
    return ShowPictures(id=name, project="p", item="i", camera=camera, start_ms=start_ms, end_ms=end_ms)


def test_cameras_with_the_times_of_the_episode(showing: PicturesThread, window: Window, item: Item) -> None:
    showing.ask(ANN, opening(), item)
    (shown,) = window.answer("o")
    assert shown.peer == ANN and not shown.payloads and shown.message.error == ""
    assert {one.name: one.times_ms for one in shown.message.cameras} == {
        name: list(range(0, 5000, 100)) for name in CAMERAS
    }


def test_pictures_come_in_bounded_messages(showing: PicturesThread, window: Window, item: Item) -> None:
    showing.ask(ANN, asking(), item)
    answer = window.answer("s")
    assert [len(shown.payloads) for shown in answer] == [MAX_PICTURES, 50 - MAX_PICTURES]
    assert [at for shown in answer for at in shown.message.times_ms] == list(range(0, 5000, 100))
    assert [shown.message.finished for shown in answer] == [False, True]
    for shown in answer:
        check_payloads(shown.message, shown.payloads)
        assert all(jpeg.startswith(b"\xff\xd8") for jpeg in shown.payloads)
    showing.ask(ANN, asking("part", start_ms=150, end_ms=420), item)
    (part,) = window.answer("part")
    assert part.message.times_ms == [200, 300, 400]
    showing.ask(ANN, asking("none", start_ms=3000, end_ms=2000), item)
    assert [(len(shown.payloads), shown.message.error) for shown in window.answer("none")] == [(0, "")]


def test_large_pictures_are_sent_one_by_one(
    showing: PicturesThread, window: Window, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURES_BYTES", 10)
    showing.ask(ANN, asking(end_ms=300), item)
    assert [len(shown.payloads) for shown in window.answer("s")] == [1, 1, 1]
    assert MAX_PICTURES_BYTES > 10


def test_asking_again_about_the_same_camera_ends_the_first(
    showing: PicturesThread, window: Window, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURES", 1)
    window.holds = True
    showing.ask(ANN, asking("first"), item)
    window.until(lambda got: len(got) == 2)  # no more than two are on their way
    showing.ask(ANN, asking("second", end_ms=200), item)
    window.holds = False
    for shown in window.waits:
        shown.sent(True)
    window.answer("second")
    showing.ask(ANN, asking("other", camera="overhead", end_ms=200), item)
    window.answer("other")
    assert len(window.of("first")) == 2


def test_who_left_gets_nothing_more_and_others_do(
    showing: PicturesThread, window: Window, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURES", 1)
    window.holds = True
    showing.ask(ANN, asking("gone"), item)
    window.until(lambda got: len(got) == 2)
    showing.ask(BOB, asking("here", end_ms=500), item)
    window.holds = False
    window.waits[0].sent(False)  # nobody is there
    window.waits[1].sent(True)
    assert len(window.answer("here")) == 5 and len(window.of("gone")) == 2
    showing.ask(ANN, asking("again"), item)
    showing.left(ANN)
    showing.ask(BOB, opening("o"), item)
    window.answer("o")
    assert not any(is_last(shown) for shown in window.of("again"))


def test_several_windows_and_cameras_take_turns(
    showing: PicturesThread, window: Window, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURES", 1)
    window.holds = True
    showing.ask(ANN, asking("ann"), item)
    window.until(lambda got: len(got) == 2)
    showing.ask(ANN, asking("more", camera="overhead"), item)
    showing.ask(BOB, asking("bob"), item)
    window.holds = False
    for shown in window.waits:
        shown.sent(True)
    for name in ("ann", "more", "bob"):
        window.answer(name)
    names = [shown.message.id for shown in window.got]
    assert names[2:8].count("bob") == 2 and names[2:8].count("more") == 2


def test_what_cannot_be_seen_is_said(
    showing: PicturesThread, window: Window, item: Item, session: Session, tmp_path: Path
) -> None:
    gone = msgspec.structs.replace(item, recording="01ARZ3NDEKTSV4RRFFQ69G5FAV/e1")
    other = msgspec.structs.replace(item, recording=f"{session.id}/e9")
    text = Item(id="text")
    for name, one, why in (("a", gone, "is gone"), ("b", other, "no episode e9"), ("c", text, "is no recording")):
        showing.ask(ANN, opening(f"o{name}"), one)
        showing.ask(ANN, asking(f"s{name}"), one)
        (opened,), (shown,) = window.answer(f"o{name}"), window.answer(f"s{name}")
        assert isinstance(shown.message, Pictures) and why in opened.message.error and why in shown.message.error
    showing.ask(ANN, opening(), item)
    assert window.answer("o")[0].message.error == "", "it goes on"
