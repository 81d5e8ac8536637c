"""An ear of made parts: sound is put in block by block, words are scripted, and everything told is kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from hitl.clock import ManualClock
from hitl.errors import CheckpointError, MissingPackageError, UnavailableError
from hitl.speech.audio import RATE, Audio
from hitl.speech.capture import BLOCK, CaptureRules
from hitl.speech.ear import Ear, Parts
from hitl.speech.ear_messages import (
    Began,
    Cancel,
    Chime,
    Configure,
    DeviceHere,
    DeviceLost,
    Devices,
    Dropped,
    Finished,
    FromEar,
    LetGo,
    LookForDevices,
    Partial,
    Press,
    Quit,
    Ready,
    Say,
    StopHeard,
    ToEar,
    Trouble,
)
from hitl.speech.heard import Heard, Hypothesis, Word
from hitl.speech.microphone import Back, Event, Lost
from hitl.speech.recognition import READINGS
from hitl.speech.spotter import Spotted, SpotterRules

PATIENCE_S = 20.0


class Source:
    def __init__(self, device: str) -> None:
        self.device = device
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.closed = False

    def start(self) -> None:
        self.events.put(Back(self.device or "default"))

    def close(self) -> None:
        self.closed = True


class Loudness:
    """Whatever is loud is speech."""

    def probability(self, block: Audio) -> float:
        return 1.0 if np.abs(block).max() > 0.05 else 0.0

    def reset(self) -> None: ...


class Recognizer:
    """Hears `text`; `calls` are the numbers of readings that were asked for, but for the first call in silence."""

    name = "scripted"

    def __init__(self, text: str = "go left", fails: Exception | None = None) -> None:
        self.text, self.fails = text, fails
        self.calls: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def hear(self, audio: Audio, *, best: int = 1, words: bool = False, hints: Sequence[str] = ()) -> Heard:
        if not audio.any():
            return Heard(())
        assert self.go.wait(PATIENCE_S)
        self.calls.append(best)
        if self.fails is not None:
            raise self.fails
        timed = (Word("go", -0.1, 0.2, 1.0), Word("...", 0.2, 0.3, 1.0), Word("left", 0.3, 99.0, 1.0))
        return Heard((Hypothesis(self.text, -0.1),), 0.0, timed if words else ())


class Spotter:
    """Hears "stop" in a block of 0.9."""

    rules = SpotterRules()

    def __init__(self, probability: float = 0.99) -> None:
        self.probability = probability

    def feed(self, sound: Audio) -> Spotted | None:
        return Spotted("stop", self.probability, 0) if sound.max() > 0.85 else None

    def believe(self) -> None: ...

    def reset(self) -> None: ...


class Speaker:
    def __init__(self) -> None:
        self.played: list[str] = []
        self.speaking = False

    def play(self, kind: str) -> None:
        self.played.append(kind)

    def speak(self, text: str, failed: Callable[[str], None]) -> None:
        self.played.append(text)

    def close(self) -> None: ...


class Bench:
    """One ear and the world around it."""

    def __init__(self, configure: Configure, **parts: Any) -> None:
        self.sources: list[Source] = []
        self.recognizer = parts.pop("recognizer", Recognizer())
        self.speaker = Speaker()
        rules, clock = parts.pop("rules", None), parts.pop("clock", None)
        made: dict[str, Any] = {
            "source": self._source, "activity": Loudness, "spotter": Spotter, "recognizer": lambda: self.recognizer,
            "speaker": lambda: self.speaker, **parts,
        }  # fmt: skip
        self.told: list[FromEar] = []
        self._condition = threading.Condition()
        self.ear = Ear(Parts(**made), self._tell, configure, rules, clock)
        self.ear.start()
        self.until(lambda: self.of(DeviceHere) and (self.of(Ready) or self.of(Trouble)))

    def _source(self, device: str) -> Source:
        self.sources.append(Source(device))
        return self.sources[-1]

    def _tell(self, message: FromEar) -> None:
        with self._condition:
            self.told.append(message)
            self._condition.notify_all()

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.told if isinstance(message, kind)]

    def until(self, true: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        with self._condition:
            while not (found := true()):
                assert time.monotonic() < end_s, self.told
                self._condition.wait(0.02)
        return found

    def ask(self, asked: ToEar) -> None:
        """Ask and wait until it is done: it is done before the next event."""
        self.ear.ask(asked)
        self.settle()

    def settle(self) -> None:
        """Wait until every block that was put in has been heard, by an event of one's own."""
        mark = f"mark {len(self.told)} {time.monotonic_ns()}"
        self.sources[-1].events.put(Back(mark))
        self.until(lambda: any(here.device == mark for here in self.of(DeviceHere)))

    def hear(self, seconds: float, level: float = 0.3, block: int = BLOCK) -> None:
        for _ in range(round(seconds * RATE / block)):
            self.sources[-1].events.put(np.full(block, level, np.float32))
        self.settle()

    def finished(self, count: int = 1) -> Finished:
        found: Finished = self.until(lambda: len(self.of(Finished)) >= count and self.of(Finished))[count - 1]
        return found


def missing() -> Any:
    raise MissingPackageError("not installed.", field="speech")


def damaged() -> Any:
    raise CheckpointError("damaged.", field="file")


def broken() -> Any:
    raise RuntimeError("a library broke")


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def new(configure: Configure | None = None, **parts: Any) -> Bench:
        made.append(Bench(configure or Configure(), **parts))
        return made[-1]

    yield new
    for bench in made:
        bench.recognizer.go.set()
        bench.ear.close()


def test_a_pause_and_the_whole_of_the_same_words_are_recognized_once(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.ask(Press())
    bench.hear(1.0)
    bench.hear(0.3, 0.0)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    said = bench.finished()
    assert bench.recognizer.calls.count(READINGS) == 1
    assert (said.text, said.note, said.recognizer) == ("go left", "", "scripted")
    assert [reading.text for reading in said.readings] == ["go left"]
    assert said.began_ns < said.spoken_ns < said.ended_ns <= said.known_ns
    assert len(said.audio) // 2 >= RATE


@pytest.mark.parametrize("pause_s", [0.0, 0.3], ids=["heard whole", "heard at a pause"])
def test_times_of_words_are_told_where_they_are_wanted_and_lie_inside_the_sound(
    make: Callable[..., Bench], pause_s: float
) -> None:
    bench = make()
    for wanted in (False, True):
        bench.ask(Configure(words=wanted))
        bench.ask(Press())
        bench.hear(0.6)
        bench.hear(pause_s, 0.0)
        bench.ask(LetGo())
        bench.hear(0.5, 0.0)
        said = bench.finished(1 + wanted)
        times = [(word.text, word.start_s, word.end_s) for word in said.words]
        length_s = len(said.audio) / 2 / RATE
        assert times == ([("go", 0.0, 0.2), ("left", 0.3, length_s)] if wanted else [])


def test_words_after_a_pause_make_its_answer_out_of_date(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.ask(Press())
    bench.hear(0.6)
    bench.hear(0.3, 0.0)
    bench.until(lambda: READINGS in bench.recognizer.calls)
    bench.recognizer.text = "go left and up"
    bench.hear(0.6)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    assert bench.finished().text == "go left and up"


def test_it_is_told_as_far_as_it_goes_and_only_the_newest_of_what_piled_up(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.recognizer.go.clear()
    bench.ask(Press())
    bench.hear(4.0)
    bench.recognizer.go.set()
    bench.until(lambda: bench.of(Partial))
    assert bench.of(Partial)[0].text == "go left"
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    bench.finished()
    assert bench.recognizer.calls.count(1) <= 3  # of ten that were due


def test_every_whole_utterance_is_recognized_however_slow_that_is(make: Callable[..., Bench]) -> None:
    bench = make(Configure(mode="hands-free"))
    bench.recognizer.go.clear()
    for _ in range(4):
        bench.hear(0.6)
        bench.hear(0.8, 0.0)
    bench.recognizer.go.set()
    bench.finished(4)
    assert [said.number for said in bench.of(Finished)] == [1, 2, 3, 4]


def test_a_microphone_that_is_lost_in_the_middle_leaves_what_was_said_before(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.ask(Press())
    bench.hear(1.0)
    bench.sources[-1].events.put(Lost("default", "it was unplugged"))
    said = bench.finished()
    assert said.text == "go left" and "lost" in said.note
    assert bench.of(DeviceLost)[0].why == "it was unplugged"
    bench.sources[-1].events.put(Back("default"))
    bench.ask(Press())
    bench.hear(1.0)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    assert bench.finished(2).note == ""


@pytest.mark.parametrize("problem", [RuntimeError("broken"), UnavailableError("no server", field="x"), MemoryError()])
def test_a_recognizer_that_raises_is_told_and_the_ear_lives_on(make: Callable[..., Bench], problem: Exception) -> None:
    bench = make(recognizer=Recognizer(fails=problem))
    for count in (1, 2):
        bench.ask(Press())
        bench.hear(0.5)
        bench.ask(LetGo())
        bench.hear(0.5, 0.0)
        said = bench.finished(count)
        assert said.text == "" and said.note and said.audio
    bench.recognizer.fails = None
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    assert bench.finished(3).text == "go left"


def test_without_stop_words_the_rest_works_and_says_why(make: Callable[..., Bench]) -> None:
    bench = make(spotter=damaged)
    assert [trouble.part for trouble in bench.of(Trouble)] == ["stop words"]
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    assert bench.finished().text == "go left"


@pytest.mark.parametrize("opening", [missing, broken])
def test_without_a_recognizer_stop_words_are_heard_and_sound_is_kept(
    make: Callable[..., Bench], opening: Callable[[], Any]
) -> None:
    told: list[FromEar] = []
    source, condition = Source(""), threading.Condition()

    def tell(message: FromEar) -> None:
        with condition:
            told.append(message)
            condition.notify_all()

    def until(kind: type) -> Any:
        with condition:
            found = condition.wait_for(lambda: [m for m in told if isinstance(m, kind)], PATIENCE_S)
        assert found, told
        return found[0]

    ear = Ear(Parts(lambda _: source, Loudness, Spotter, opening, Speaker), tell)  # type: ignore[arg-type]
    ear.start()
    assert until(Trouble).part == "recognizer"
    ear.ask(Press())
    source.events.put(np.full(BLOCK, 0.9, np.float32))
    assert until(StopHeard).word == "stop"
    for level in [0.3] * 30:
        source.events.put(np.full(BLOCK, level, np.float32))
    source.events.put(Lost("", "unplugged"))
    said = until(Finished)
    assert said.text == "" and said.note and said.audio
    ear.close()


def test_hands_free_words_without_the_wake_words_are_dropped(make: Callable[..., Bench]) -> None:
    bench = make(Configure(mode="hands-free", wake="Hey, robot"))
    bench.hear(0.6)
    bench.hear(0.8, 0.0)
    bench.until(lambda: [dropped.reason for dropped in bench.of(Dropped)] == ["no wake words"])
    bench.recognizer.text = "Hey robot, go left."
    bench.hear(0.6)
    bench.hear(0.8, 0.0)
    said = bench.finished()
    assert said.text == "go left" and [reading.text for reading in said.readings] == ["go left"]


def test_an_hour_long_press_ends_where_utterances_do(make: Callable[..., Bench]) -> None:
    bench = make(rules=CaptureRules(longest_s=2.0))
    bench.ask(Press())
    bench.hear(3600.0, block=RATE)
    bench.ask(LetGo())
    said = bench.finished()
    assert "as long as" in said.note
    assert len(said.audio) / 2 / RATE < 4.0
    assert len(bench.of(Began)) == len(bench.of(Finished)) == 1


@pytest.mark.parametrize(("reads", "stops"), [("please stop", 1), ("the top shelf", 0)])
@pytest.mark.parametrize("probability", [0.5, 0.99])
def test_a_stop_word_that_is_spotted_is_read_before_it_is_told(
    make: Callable[..., Bench], reads: str, stops: int, probability: float
) -> None:
    bench = make(recognizer=Recognizer(reads), spotter=lambda: Spotter(probability))
    bench.hear(BLOCK / RATE, 0.9)
    bench.until(lambda: bench.recognizer.calls)
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(Cancel())
    if stops:
        bench.until(lambda: bench.of(StopHeard))
    assert len(bench.of(StopHeard)) == stops


@pytest.mark.parametrize(("probability", "stops"), [(0.5, 0), (0.99, 1)])
def test_a_stop_word_does_not_wait_for_a_recognizer_that_is_busy(
    make: Callable[..., Bench], probability: float, stops: int
) -> None:
    clock = ManualClock(1)
    bench = make(spotter=lambda: Spotter(probability), clock=clock)
    bench.recognizer.go.clear()
    bench.hear(BLOCK / RATE, 0.9)
    assert not bench.of(StopHeard)
    clock.advance(1.0)
    bench.hear(0.1, 0.0)
    assert len(bench.of(StopHeard)) == stops
    bench.recognizer.go.set()
    bench.recognizer.text = "stop"
    bench.until(lambda: bench.of(StopHeard))  # a late opinion counts, and is told once
    assert len(bench.of(StopHeard)) == 1


@pytest.mark.parametrize(("probability", "stops"), [(0.6, 0), (0.79, 0), (0.81, 1)])
def test_where_the_recognizer_fails_the_network_alone_decides_more_strictly(
    make: Callable[..., Bench], probability: float, stops: int
) -> None:
    bench = make(recognizer=Recognizer(fails=RuntimeError("broken")), spotter=lambda: Spotter(probability))
    bench.hear(BLOCK / RATE, 0.9)
    bench.until(lambda: bench.recognizer.calls)
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    bench.finished()  # the opinion was given before it
    assert len(bench.of(StopHeard)) == stops


def test_another_device_and_mode_from_now_on(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.ask(Press())
    bench.hear(0.5)
    first = bench.sources[-1]
    bench.ear.ask(Configure(mode="hands-free", device="headset", sounds=False))
    bench.until(lambda: any(here.device == "headset" for here in bench.of(DeviceHere)))
    assert first.closed and not bench.sources[-1].closed
    assert [dropped.reason for dropped in bench.of(Dropped)] == ["cancelled"]
    bench.hear(0.6)
    bench.hear(0.8, 0.0)
    bench.finished()


def test_it_looks_for_devices_without_waiting_and_knows_its_own(make: Callable[..., Bench]) -> None:
    there, go = ["webcam"], threading.Event()
    looks = []

    def devices() -> list[str]:
        looks.append(1)
        assert go.wait(PATIENCE_S)
        return list(there)

    bench = make(Configure(device="headset"), devices=devices)
    for _ in range(3):
        bench.ask(LookForDevices())
    bench.ear.ask(Press())
    bench.until(lambda: bench.of(Began))  # it follows the stream meanwhile
    bench.sources[-1].events.put(Back("headset"))
    bench.until(lambda: bench.of(DeviceHere)[-1].device == "headset")
    go.set()
    bench.until(lambda: bench.of(Devices))
    assert bench.of(Devices)[0].names == ["webcam", "headset"], "it uses one alone, so the list may lack it"
    assert len(looks) == 1
    bench.sources[-1].events.put(Lost("headset", "unplugged"))
    bench.until(lambda: bench.of(DeviceLost))
    bench.ear.ask(LookForDevices())
    bench.until(lambda: len(bench.of(Devices)) == 2)
    assert bench.of(Devices)[1].names == ["webcam"]


def test_devices_that_cannot_be_listed_change_nothing(make: Callable[..., Bench]) -> None:
    bench = make(devices=missing)
    bench.ask(LookForDevices())
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(LetGo())
    bench.hear(0.5, 0.0)
    bench.finished()
    assert not bench.of(Devices)


def test_it_says_aloud_only_where_that_is_on_and_nobody_speaks(make: Callable[..., Bench]) -> None:
    bench = make(Configure(aloud=False, sounds=True))
    bench.ask(Say(text="nothing"))
    bench.ask(Configure(aloud=True, sounds=True))
    bench.ask(Press())
    bench.hear(0.5)
    bench.ask(Say(text="going left"))
    bench.hear(0.5)
    assert "going left" not in bench.speaker.played
    bench.ask(LetGo())
    bench.hear(1.0, 0.0)
    assert bench.speaker.played == ["begin", "end", "going left"]


def test_a_question_is_heard_in_every_mode_where_sounds_are_on(make: Callable[..., Bench]) -> None:
    bench = make(Configure(mode="hands-free", sounds=False))
    bench.ask(Chime())
    bench.ask(Configure(mode="hands-free", sounds=True))
    bench.ask(Chime())
    bench.until(lambda: bench.speaker.played)
    assert bench.speaker.played == ["ask"]


def test_a_part_that_breaks_ends_the_ear_with_a_reason(make: Callable[..., Bench]) -> None:
    class Broken(Loudness):
        def probability(self, block: Audio) -> float:
            raise RuntimeError("a library broke")

    bench = make(activity=Broken)
    bench.sources[-1].events.put(np.zeros(BLOCK, np.float32))
    assert bench.ear.wait(PATIENCE_S)
    assert any("a library broke" in trouble.why for trouble in bench.of(Trouble))
    assert bench.sources[-1].closed


def test_quit_ends_it(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.ear.ask(Quit())
    assert bench.ear.wait(PATIENCE_S)
