"""When an utterance begins and ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.speech.audio import RATE, Audio
from hitl.speech.capture import (
    BLOCK,
    Capture,
    CaptureRules,
    Discarded,
    Mode,
    Opened,
    Output,
    Partial,
    Pause,
    Utterance,
)


class Stream:
    """A capture fed with numbered samples: sample n has the value n, so that what was kept can be told."""

    def __init__(self, mode: Mode = "hold", **rules: float) -> None:
        self.capture = Capture(mode, CaptureRules(**rules))
        self.out: list[Output] = []

    def run(self, seconds: float, speech: float = 0.0, block: int = BLOCK) -> list[Output]:
        fresh: list[Output] = []
        until = self.capture.now + round(seconds * RATE)
        while self.capture.now < until:
            start = self.capture.now
            self.capture.feed(np.arange(start, start + block, dtype=np.float32), speech)
            fresh += self.take()
        return fresh

    def take(self) -> list[Output]:
        fresh = self.capture.drain()
        self.out += fresh
        return fresh

    def utterances(self) -> list[Utterance]:
        return [out for out in self.out if isinstance(out, Utterance)]

    def discarded(self) -> list[str]:
        return [out.reason for out in self.out if isinstance(out, Discarded)]


def seconds(audio: Audio) -> float:
    return len(audio) / RATE


def test_a_held_key_keeps_what_was_said_before_it_and_after_it() -> None:
    stream = Stream()
    stream.run(2.0)
    pressed = stream.capture.now
    stream.capture.press()
    assert isinstance(stream.take()[0], Opened)
    stream.run(1.0, speech=0.9)
    released = stream.capture.now
    stream.capture.release()
    assert not stream.utterances()
    stream.run(0.3)
    (utterance,) = stream.utterances()
    assert utterance.audio[0] == pressed - round(0.3 * RATE) == utterance.at
    assert utterance.audio[-1] + 1 >= released + round(0.25 * RATE)
    assert (np.diff(utterance.audio) == 1).all(), "a sample is missing or twice"
    assert utterance.ending == "released" and utterance.spoken_until == released
    assert not stream.capture.is_open


def test_at_the_very_start_there_is_less_before_the_key() -> None:
    stream = Stream()
    stream.capture.press()
    stream.run(0.5, speech=0.9)
    stream.capture.release()
    stream.run(0.3)
    assert stream.utterances()[0].at == 0


def test_a_slip_and_a_silent_press_are_no_utterances() -> None:
    stream = Stream()
    stream.run(1.0)
    stream.capture.press()
    stream.run(0.06, speech=0.9)
    stream.capture.release()
    stream.run(1.0)
    stream.capture.press()
    stream.run(2.0)
    stream.capture.release()
    stream.run(0.5)
    assert stream.utterances() == [] and stream.discarded() == ["too short", "no speech"]


def test_a_key_that_repeats_or_is_pressed_again_at_once_goes_on() -> None:
    stream = Stream()
    stream.capture.press()
    stream.run(0.5, speech=0.9)
    stream.capture.press()
    stream.capture.release()
    stream.run(0.1, speech=0.9)
    stream.capture.press()
    stream.run(1.0, speech=0.9)
    stream.capture.release()
    stream.run(0.3)
    (utterance,) = stream.utterances()
    assert seconds(utterance.audio) > 1.6


def test_an_endless_press_is_cut_and_said_to_be_too_long() -> None:
    stream = Stream(longest_s=5.0)
    stream.capture.press()
    stream.run(3600.0, speech=0.9, block=RATE // 2)
    first, *more = stream.utterances()
    assert first.ending == "too long" and seconds(first.audio) == pytest.approx(5.0, abs=0.6)
    assert more == [], "one press is one utterance"
    assert sum(map(len, stream.capture._blocks)) < 2 * RATE, "it keeps everything that it ever heard"


def test_partial_utterances_come_while_it_lasts_and_only_once_something_was_said() -> None:
    stream = Stream(partial_every_s=0.4)
    stream.capture.press()
    assert not [out for out in stream.run(1.0) if isinstance(out, Partial)]
    partials = [out for out in stream.run(2.0, speech=0.9) if isinstance(out, Partial)]
    assert 4 <= len(partials) <= 5
    assert all(len(a.audio) < len(b.audio) for a, b in zip(partials, partials[1:], strict=False))


def test_a_tap_begins_and_a_tap_ends() -> None:
    stream = Stream("tap")
    stream.run(1.0)
    stream.capture.press()
    stream.capture.release()
    stream.run(2.0, speech=0.8)
    assert stream.capture.is_open
    stream.capture.press()
    stream.capture.release()
    stream.run(0.3)
    assert len(stream.utterances()) == 1 and not stream.capture.is_open


def test_hands_free_begins_with_speech_and_ends_with_silence() -> None:
    stream = Stream("hands-free")
    stream.run(3.0, speech=0.1)
    began = stream.capture.now
    stream.run(1.5, speech=0.9)
    spoken_until = stream.capture.now
    stream.run(0.3, speech=0.1)
    assert not stream.utterances()
    stream.run(0.3, speech=0.1)
    (utterance,) = stream.utterances()
    assert utterance.ending == "silence" and utterance.spoken_until == spoken_until
    assert utterance.at <= began - round(0.35 * RATE), "the first sound of a word is quiet"
    assert (utterance.ended - spoken_until) / RATE < 0.5
    stream.run(3.0, speech=0.2)
    assert len(stream.utterances()) == 1


def test_hands_free_does_not_begin_with_a_click_nor_end_in_a_pause_between_words() -> None:
    stream = Stream("hands-free")
    stream.run(0.064, speech=0.9)
    stream.run(1.0, speech=0.1)
    assert stream.out == []
    stream.run(0.5, speech=0.9)
    stream.run(0.3, speech=0.1)
    stream.run(0.5, speech=0.9)
    assert not stream.utterances()
    stream.run(1.0, speech=0.1)
    assert len(stream.utterances()) == 1


def test_a_lost_device_keeps_what_was_said_and_cancel_does_not() -> None:
    stream = Stream()
    stream.capture.press()
    stream.run(0.7, speech=0.9)
    stream.capture.lost()
    stream.take()
    assert stream.utterances()[0].ending == "device lost"
    stream.capture.press()
    stream.run(0.7, speech=0.9)
    stream.capture.use("hands-free")
    stream.take()
    assert stream.discarded() == ["cancelled"] and stream.capture.mode == "hands-free"


class Room:
    """A capture that listens hands-free where there is always speech, as loud [dB below full scale] as is said."""

    def __init__(self, seconds: float = 3.0, level_db: float = -40.0) -> None:
        self.capture = Capture("hands-free")
        self.out: list[Output] = []
        self.run(seconds, level_db)

    def run(self, seconds: float, level_db: float, speech: float = 0.9) -> list[Output]:
        fresh: list[Output] = []
        for _ in range(round(seconds * RATE / BLOCK)):
            self.capture.feed(np.full(BLOCK, 10 ** (level_db / 20), np.float32), speech)
            fresh += self.capture.drain()
        self.out += fresh
        return fresh

    def utterances(self) -> list[Utterance]:
        return [out for out in self.out if isinstance(out, Utterance)]


def test_hands_free_ends_where_only_other_people_talk_on() -> None:
    room = Room()
    room.run(1.5, -20.0)
    said = room.capture.now
    fresh = room.run(1.0, -40.0)
    pause, utterance = [out for out in fresh if isinstance(out, Pause | Utterance)]
    assert isinstance(pause, Pause) and isinstance(utterance, Utterance)
    assert utterance.ending == "silence" and 0.5 < (utterance.ended - said) / RATE < 0.9
    assert pause.spoken_until == utterance.spoken_until, "its answer can be used for the whole"
    assert 0 <= utterance.spoken_until - said < 0.2 * RATE, "what others say is not for the recognizer"
    assert not room.capture.is_open, "other people's talk begins no utterance"
    room.run(1.0, -20.0)
    assert room.capture.is_open, "and the speaker's does again"


def test_hands_free_does_not_cut_off_who_gets_quieter_or_is_alone() -> None:
    room = Room()
    room.run(1.5, -20.0)
    room.run(2.0, -31.0)  # eleven decibels quieter, and nine above the others
    assert room.utterances() == [] and room.capture.is_open
    alone = Room(level_db=-75.0)
    alone.run(1.0, -20.0)
    alone.run(3.0, -45.0)
    assert alone.utterances() == [] and alone.capture.is_open


def test_what_stands_behind_is_not_known_at_once() -> None:
    room = Room(0.5, -20.0)
    assert room.capture.is_open
    room.run(1.0, -40.0)
    assert room.utterances() == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["press", "release", "cancel", "lost", "feed", "feed"]), st.floats(0, 1)),
        max_size=60,
    ),
    st.sampled_from(["hold", "tap", "hands-free"]),
)
def test_whatever_happens_every_utterance_begins_once_and_ends_once(
    steps: list[tuple[str, float]], mode: Mode
) -> None:
    stream = Stream(mode)
    for what, value in steps:
        if what == "feed":
            stream.run(0.05 + value, speech=value)
        else:
            getattr(stream.capture, what)()
            stream.take()
    opened = [out.number for out in stream.out if isinstance(out, Opened)]
    ended = [out.number for out in stream.out if isinstance(out, Utterance | Discarded)]
    assert opened == list(range(1, len(opened) + 1))
    assert ended == opened[: len(ended)] and len(opened) - len(ended) == stream.capture.is_open
    for utterance in stream.utterances():
        assert utterance.audio[0] == utterance.at and (np.diff(utterance.audio) == 1).all()
        assert utterance.at <= utterance.spoken_until <= utterance.ended
