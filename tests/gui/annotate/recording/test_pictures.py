"""Which pictures are asked for, kept and dropped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gui.annotate.recording.pictures import AHEAD_MS, PictureStore
from hitl.annotation_messages import Camera, OpenRecording, Pictures, RecordingOpened, ShowPictures

S = 1_000_000_000
TIMES = list(range(0, 60_000, 100))


def opened(store: PictureStore, *names: str, times=TIMES) -> None:
    (question,) = store.asks(0)
    assert isinstance(question, OpenRecording) and (question.project, question.item) == ("p", "r1")
    cameras = [Camera(name=name, times_ms=times) for name in names]
    assert store.apply(RecordingOpened(id=question.id, project="p", item="r1", cameras=cameras), [], 0)


def a_store(*names: str, most_bytes: int = 1 << 30) -> PictureStore:
    store = PictureStore(most_bytes)
    store.show("p", "r1")
    store.link(True)
    opened(store, *(names or ("front",)))
    return store


def answer(store: PictureStore, question: ShowPictures, now_ns: int = 0, size: int = 10, **more) -> None:
    times = [ms for ms in TIMES if question.start_ms <= ms < question.end_ms]
    told = Pictures(id=question.id, project="p", item="r1", camera=question.camera, times_ms=times, finished=True,
                    **more)  # fmt: skip
    store.apply(told, [b"x" * size for _ in times], now_ns)


def settle(store: PictureStore, size: int = 10) -> list[ShowPictures]:
    seen = []
    for _ in range(400):
        questions = store.asks(0)
        if not questions:
            return seen
        seen += questions
        for question in questions:
            answer(store, question, size=size)
    raise AssertionError("it never ends asking")


def test_what_is_looked_at_comes_first_and_then_what_comes_next():
    store = a_store("front", "side")
    store.look(20_000)
    first = store.asks(0)
    assert [(asked.camera, asked.start_ms) for asked in first] == [("front", 20_000), ("side", 20_000)]
    assert all(asked.end_ms - asked.start_ms <= 1_000 for asked in first), "little, since somebody waits"
    assert store.asks(0) == [], "one question a camera"
    for asked in first:
        answer(store, asked)
    settle(store)
    assert store.at("front", 20_050).ms == 20_000
    assert store.at("side", 20_000 + AHEAD_MS - 101) is not None and store.at("side", 19_000) is not None
    assert store.at("front", 40_000) is None and store.waits("front", 40_000)


def test_a_jump_asks_anew_and_what_is_on_its_way_is_waited_for():
    store = a_store()
    (first,) = store.asks(0)
    store.look(500)
    assert store.asks(S) == [], "it is on its way"
    store.look(30_000)
    (jumped,) = store.asks(S)
    assert jumped.start_ms == 30_000
    answer(store, first)
    assert store.at("front", 300) is not None, "late pictures are welcome"
    assert store.asks(S) == [], "but end no other question"


def test_what_is_not_answered_is_asked_again_and_what_comes_slowly_is_not():
    store = a_store()
    (first,) = store.asks(0)
    assert store.asks(1_900_000_000) == []
    store.apply(Pictures(id=first.id, project="p", item="r1", camera="front", times_ms=[0]), [b"x"], 1_900_000_000)
    assert store.asks(3 * S) == []
    (again,) = store.asks(4 * S)
    assert again.start_ms == 100, "from what is still lacking"


def test_opening_is_asked_again_and_an_error_is_told_and_tried_when_the_backend_is_back():
    store = PictureStore()
    store.show("p", "r1")
    assert store.asks(0) == [], "there is no backend"
    store.link(True)
    (question,) = store.asks(0)
    assert store.asks(S) == [] and store.asks(2 * S) == [question]
    store.apply(RecordingOpened(id=question.id, project="p", item="r1", error="The recording is gone."), [], 0)
    assert store.error == "The recording is gone." and store.asks(9 * S) == []
    store.link(False)
    store.link(True)
    assert store.asks(9 * S) == [question]


def test_what_nobody_has_is_not_asked_for_again_and_the_one_before_is_shown():
    store = a_store()
    (first,) = store.asks(0)
    store.apply(Pictures(id=first.id, project="p", item="r1", camera="front", times_ms=[0, 100], finished=True),
                [b"a", b"b"], 0)  # fmt: skip
    assert store.at("front", 500).jpeg == b"b" and not store.waits("front", 500)
    assert all(question.start_ms >= 1_000 for question in settle(store))


def test_pictures_of_another_item_are_dropped():
    store = a_store()
    (first,) = store.asks(0)
    store.show("p", "r2")
    assert not store.apply(Pictures(id=first.id, project="p", item="r1", camera="front", times_ms=[0]), [b"x"], 0)
    assert store.kept_bytes == 0 and store.cameras == []


def test_an_error_of_one_camera_ends_asking_for_it_alone():
    store = a_store("front", "side")
    front, _ = store.asks(0)
    told = Pictures(id=front.id, project="p", item="r1", camera="front", finished=True, error="Its file is damaged.")
    store.apply(told, [], 0)
    assert store.picture_error() == "Its file is damaged." and not store.waits("front", 0)
    assert {question.camera for question in settle(store)} <= {"side"}


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=8), st.integers(100, 4_000), st.integers(5_000, 200_000))
def test_memory_is_bounded_and_what_is_looked_at_is_there(places, size, most_bytes):
    store = a_store("front", "side", most_bytes=max(most_bytes, 12 * size))
    for ms in places:
        store.look(ms)
        settle(store, size)
        assert store.kept_bytes <= max(most_bytes, 12 * size)
        assert all(store.at(camera, ms) is not None for camera in store.cameras)
