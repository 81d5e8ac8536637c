"""Narration by time: where phrases end, what a missed one costs, what segments may never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.messages import TimedWord
from hitl.speech.certainty import Decided
from hitl.speech.grounding import Grounded
from hitl.speech.narration import (
    Alignment,
    Episode,
    Phrase,
    Rules,
    SaidWord,
    Spoken,
    align,
    on_session_clock,
    phrases_of,
)
from hitl.speech.text import plain, without_fillers

S = 1_000_000_000
BANK = ("pick up the red block", "put it in the box", "go home", "go left")
WHOLE = [Episode("e1", 0, 100 * S)]


def words(text: str, at_s: float, word_s: float = 0.25) -> list[SaidWord]:
    """A text said without pauses; "|" is a pause of one second."""
    made = []
    for word in text.split():
        if word == "|":
            at_s += 1.0
        else:
            made.append(SaidWord(word, round(at_s * S), round((at_s + word_s) * S)))
            at_s += word_s
    return made


def phrase(text: str, at_s: float, author: str = "ann") -> Phrase:
    return Phrase(tuple(words(text, at_s)), author)


def understand(said: Phrase) -> Decided:
    """The bank's words are commands, "hmm …" is talk, "red or blue" is not clear, and all else is new."""
    text = without_fillers(plain(said.text))
    if text in BANK:
        return Decided(Grounded("exact", text, 1.0), said.text)
    if text.startswith("nice"):
        return Decided(Grounded("new", text, 0.0), said.text, "low", ignored=True)
    if text == "red or blue":
        return Decided(Grounded("near", BANK[0], 0.5), said.text, "low", choices=(BANK[0], BANK[1]))
    return Decided(Grounded("new", text, 0.0), said.text, "low", choices=(BANK[0],))


def spans(found: Alignment) -> list[tuple[float, float, str]]:
    return [(s.start_ns / S, s.end_ns / S, s.command) for s in found.segments]


def reasons(found: Alignment) -> list[tuple[str, str]]:
    return [(left.said, left.reason) for left in found.left_out]


# -- phrases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("pick up the red block | put it in the box", ["pick up the red block", "put it in the box"]),
        ("go left then go home", ["go left", "then go home"]),
        ("go left and then go home", ["go left", "and then go home"]),
        ("go left then | go home", ["go left", "then go home"]),
        ("pick up the | red block", ["pick up the red block"]),
        ("open and close it", ["open and close it"]),
        ("go left | | | then", ["go left"]),
        ("no, the left one", ["no, the left one"]),
        ("", []),
        ("... | go left", ["go left"]),
    ],
)
def test_phrases_end_at_pauses_and_at_then_and_never_in_their_middle(said: str, expected: list[str]) -> None:
    assert [found.text for found in phrases_of(words(said, 1.0))] == expected


def test_a_sentence_ends_a_phrase_at_a_shorter_pause() -> None:
    first, second = words("Go left.", 0.0), words("Go home.", 0.8)
    assert len(phrases_of([*first, *second])) == 2
    assert len(phrases_of([*words("Go left", 0.0), *second])) == 1
    assert len(phrases_of([*first, *words("go home", 0.55)])) == 1, "no pause at all"


def test_nobody_hesitates_for_ever() -> None:
    late = words("red block", 10.0)
    assert [found.text for found in phrases_of([*words("pick up the", 0.0), *late])] == ["pick up the", "red block"]


def test_words_come_in_any_order_and_are_put_on_the_session_clock() -> None:
    timed = [TimedWord(text="left", start_s=0.5, end_s=0.9), TimedWord(text="go", start_s=0.2, end_s=0.4)]
    (found,) = phrases_of(on_session_clock(timed, 10 * S), "ann")
    assert (found.text, found.start_ns, found.end_ns, found.author) == (
        "go left",
        10_200_000_000,
        10_900_000_000,
        "ann",
    )


# -- alignment ----------------------------------------------------------------------------------------------------


NARRATED = [phrase(BANK[0], 10.0), phrase(BANK[1], 20.0), phrase("done", 28.0), phrase("go home", 40.0)]


def test_said_before_a_command_lasts_until_the_next_or_done_or_the_end() -> None:
    found = align(NARRATED, WHOLE, understand, Rules("before"))
    assert spans(found) == [(10, 20, BANK[0]), (20, 28, BANK[1]), (40, 100, "go home")]
    assert not found.left_out


def test_said_after_a_command_began_when_the_phrase_before_had_ended() -> None:
    found = align(NARRATED, WHOLE, understand, Rules("after"))
    assert spans(found) == [(0, 10, BANK[0]), (11.25, 20, BANK[1]), (28.25, 40, "go home")]


@pytest.mark.parametrize("spoken", ["before", "after"])
def test_a_missed_phrase_moves_no_other(spoken: Spoken) -> None:
    """By order "go home" would be given to what "put it in the box" described."""
    whole = align(NARRATED, WHOLE, understand, Rules(spoken))
    missed = align([NARRATED[0], *NARRATED[2:]], WHOLE, understand, Rules(spoken))
    by_command = {segment.command: segment for segment in whole.segments}
    assert missed.segments[-1] == by_command["go home"]
    assert (BANK[1] in by_command) and BANK[1] not in {segment.command for segment in missed.segments}
    begin = missed.segments[0].start_ns, missed.segments[0].command
    assert begin == (by_command[BANK[0]].start_ns, BANK[0])


@pytest.mark.parametrize("spoken", ["before", "after"])
def test_talk_between_commands_moves_nothing_and_is_reported(spoken: Spoken) -> None:
    talk = phrase("nice weather today", 15.0)
    plainly = align(NARRATED, WHOLE, understand, Rules(spoken))
    found = align([talk, *NARRATED], WHOLE, understand, Rules(spoken))
    assert found.segments == plainly.segments
    assert reasons(found) == [("nice weather today", "no command")]


def test_a_command_that_is_not_clear_makes_no_segment_and_ends_the_one_before() -> None:
    found = align([phrase(BANK[0], 10.0), phrase("red or blue", 20.0)], WHOLE, understand)
    assert spans(found) == [(10, 20, BANK[0])]
    assert reasons(found) == [("red or blue", f"not clear: “{BANK[0]}” or “{BANK[1]}”")]


def test_new_words_are_a_command_of_their_own_without_the_padding() -> None:
    found = align([phrase("and then Wipe the table, please.", 10.0)], WHOLE, understand)
    (segment,) = found.segments
    assert (segment.command, segment.known, segment.near) == ("wipe the table", False, BANK[0])
    assert segment.said == "and then Wipe the table, please."


def test_scratch_that_unsays_the_same_persons_last_command() -> None:
    said = [phrase("go left", 10.0), phrase("go home", 12.0, "bob"), phrase("scratch that", 14.0)]
    found = align(said, WHOLE, understand)
    assert spans(found) == [(12, 100, "go home")]
    assert reasons(found) == [("go left", "taken back"), ("scratch that", "takes back what was said before")]


def test_stops_are_no_commands_and_what_was_stopped_is_left_out() -> None:
    episode = Episode("e1", 0, 50 * S, away=((20 * S, 30 * S),))
    said = [phrase("go left", 10.0), phrase("stop", 20.0), phrase("go on", 29.5)]
    found = align(said, [episode], understand)
    assert spans(found) == [(10, 20, "go left"), (30, 50, "go left")]
    assert [(s.resumed, s.cut_short) for s in found.segments] == [(False, True), (True, False)]
    assert reasons(found) == [("stop", "stops the robot"), ("go on", "lets the robot go on")]


def test_what_was_said_while_the_robot_stood_stopped_begins_when_it_moves_again() -> None:
    found = align([phrase("go left", 22.0)], [Episode("e1", 0, 50 * S, away=((20 * S, 30 * S),))], understand)
    assert spans(found) == [(30, 50, "go left")]
    whole = align([phrase("go left", 22.0)], [Episode("e1", 0, 30 * S, away=((20 * S, 30 * S),))], understand)
    assert reasons(whole) == [("go left", "the robot was stopped")]


@pytest.mark.parametrize("spoken", ["before", "after"])
def test_no_segment_crosses_the_border_of_an_episode(spoken: Spoken) -> None:
    episodes = [Episode("e1", 0, 30 * S), Episode("e2", 35 * S, 60 * S)]
    said = [phrase("go left", 20.0), phrase("go home", 33.0), phrase(BANK[0], 50.0)]
    found = align(said, episodes, understand, Rules(spoken))
    expected = (
        [(20, 30, "go left"), (50, 60, BANK[0])] if spoken == "before" else [(0, 20, "go left"), (35, 50, BANK[0])]
    )
    assert spans(found) == expected
    assert [s.episode for s in found.segments] == ["e1", "e2"]
    assert reasons(found) == [("go home", "said outside of an episode")]


def test_too_short_segments_are_dropped_and_reported() -> None:
    found = align([phrase("go left", 10.0), phrase("go home", 10.4)], WHOLE, understand)
    assert spans(found) == [(10.4, 100, "go home")]
    assert reasons(found) == [("go left", "too short: 0.4 s")]


def test_the_last_segment_of_a_recording_that_was_cut_off_is_cut_short() -> None:
    said = [phrase("go left", 10.0), phrase("go home", 20.0)]
    found = align(said, [Episode("e1", 0, 30 * S, cut_off=True)], understand)
    assert [s.cut_short for s in found.segments] == [False, True]


# -- what always holds --------------------------------------------------------------------------------------------

TEXTS = [*BANK, "done", "scratch that", "stop", "go on", "nice one", "red or blue", "wipe the table"]


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[Phrase], list[Episode]]:
    times = st.floats(0.0, 60.0)
    said = draw(
        st.lists(st.builds(phrase, st.sampled_from(TEXTS), times, st.sampled_from(["ann", "bob"])), max_size=12)
    )
    borders = sorted(draw(st.lists(st.integers(0, 60 * S), min_size=2, max_size=6, unique=True)))
    episodes = []
    for number, (start_ns, end_ns) in enumerate(zip(borders[::2], borders[1::2], strict=False)):
        inside = st.integers(start_ns, end_ns)
        marks = sorted(draw(st.lists(inside, max_size=6, unique=True)))
        away = tuple(zip(marks[::2], marks[1::2], strict=False))
        episodes.append(Episode(f"e{number}", start_ns, end_ns, away, draw(st.booleans())))
    return said, episodes


@given(sessions(), st.sampled_from(["before", "after"]), st.floats(0.0, 3.0))
def test_whatever_is_said_segments_keep_to_themselves(
    session: tuple[list[Phrase], list[Episode]], spoken: Spoken, shortest_s: float
) -> None:
    said, episodes = session
    found = align(said, episodes, understand, Rules(spoken, shortest_s=shortest_s))
    by_id = {episode.id: episode for episode in episodes}
    for segment in found.segments:
        episode = by_id[segment.episode]
        assert episode.start_ns <= segment.start_ns < segment.end_ns <= episode.end_ns
        assert segment.end_ns - segment.start_ns >= shortest_s * S
        assert all(segment.end_ns <= start or end <= segment.start_ns for start, end in episode.away)
        assert segment.command and segment.said in {one.text for one in said}
    ends = [(segment.start_ns, segment.end_ns) for segment in found.segments]
    assert all(first[1] <= second[0] for first, second in zip(ends, ends[1:], strict=False)), (
        "in order, none over another"
    )
    told = {segment.said for segment in found.segments} | {left.said for left in found.left_out}
    assert {one.text for one in said} - told <= {"done"}, "nothing that was said is passed over in silence"


@given(
    st.lists(st.tuples(st.sampled_from(["go", "the", "then", "and", "left.", "..."]), st.floats(0, 20)), max_size=30)
)
def test_phrases_hold_every_word_once_and_in_order(said: list[tuple[str, float]]) -> None:
    given_words = [SaidWord(text, round(at * S), round((at + 0.2) * S)) for text, at in said]
    found = phrases_of(given_words)
    held = [word for one in found for word in one.words]
    assert held == sorted(held, key=lambda word: (word.start_ns, word.end_ns))
    missing = [word.text for word in given_words if word not in held]
    assert set(missing) <= {"the", "then", "and", "..."}, "only words that say nothing alone"
