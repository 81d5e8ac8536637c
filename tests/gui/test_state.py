"""The Qt-free model: what follows from which messages."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gui import samples
from gui.notices import row_lesson, row_meaning, row_words, trouble_notice, waiting_notice
from gui.state import STALE_BACKEND_NS, LiveState
from gui.words import TextError, checked_text
from hitl.messages import Ack, Correction, NewEpisode, Resume, Stop, Undo, Utterance, Welcome
from hitl.model_messages import TeachNothing

NOW = samples.NOW_NS


def linked(**changes: object) -> LiveState:
    state = LiveState("Ada")
    state.link(connected=True, offset_ns=0, unsaved=0, round_trip_ms=1.0)
    state.apply(samples.backend(**changes), NOW)
    state.apply(samples.robot(), NOW)
    return state


def correction(row_id: str = "01A", text: str = "go up") -> Correction:
    return Correction(id=row_id, author="Ada", stamp_ns=NOW, text=text)


def test_phases_follow_what_is_there():
    state = LiveState("Ada")
    assert state.phase(NOW) == "offline"
    assert "Waiting for the backend" in waiting_notice(state, NOW, "tcp://there:1").title
    state.link(connected=True, offset_ns=0, unsaved=0, round_trip_ms=1.0)
    assert state.phase(NOW) == "starting"
    state.apply(samples.backend(robot="missing", waiting_for="the robot node"), NOW)
    assert state.phase(NOW) == "no_robot"
    assert waiting_notice(state, NOW, "").title == "Waiting for the robot node."
    state.apply(samples.backend(), NOW)
    state.apply(samples.robot(), NOW)
    assert state.phase(NOW) == "running"
    assert waiting_notice(state, NOW, "") is None and trouble_notice(state, NOW) is None
    assert state.phase(NOW + STALE_BACKEND_NS + 1) == "starting"
    state.apply(samples.backend(), NOW + STALE_BACKEND_NS)
    assert state.phase(NOW + STALE_BACKEND_NS) == "robot_stale"


def test_an_unsent_correction_says_so():
    state = linked()
    state.submitted(correction(), NOW)
    assert row_words(state.rows["01A"], True) == ("sent", "plain")
    assert row_words(state.rows["01A"], False) == ("not sent yet", "warn")


def test_a_refused_correction_keeps_its_words_and_the_reason():
    state = linked()
    state.submitted(correction(), NOW)
    state.apply(Ack(id="01A", error="text: too long"), NOW)
    row = state.rows["01A"]
    assert (row.text, row.state, row.note, row.can_undo) == ("go up", "refused", "text: too long", False)


def test_a_restarted_backend_takes_no_word_away():
    state = linked()
    for status in [*samples.corrections(), samples.acting()]:
        state.apply(status, NOW)
    state.apply(samples.person_command(), NOW)
    state.submitted(correction("01Z"), NOW)
    texts = {row.text for row in state.newest_rows()}
    state.apply(Welcome(id="w", protocol=1, session="another", session_start_ns=0, commands=["go up"],
                        corrections=[]), NOW)  # fmt: skip
    assert {row.text for row in state.newest_rows()} == texts
    assert state.rows["01Z"].state == "sent"
    assert state.rows[samples.acting().id].state == "saved", "nothing acts in a backend that has just started"
    assert state.command is None
    assert state.bank == ["go up"]


def test_undo_means_the_newest_of_this_person_and_can_fail():
    state = linked()
    for row_id, text in (("01A", "go up"), ("01B", "go down")):
        state.submitted(correction(row_id, text), NOW)
    state.apply(samples.correction(7, 1, "by another", "acting", author="Eve"), NOW)
    assert state.undo_target().id == "01B"
    state.submitted(Undo(id="01U", author="Ada", stamp_ns=NOW, target="01B"), NOW)
    assert state.undo_target().id == "01A", "what is being undone is not undone twice"
    state.apply(Ack(id="01U", error="it has ended"), NOW)
    assert state.rows["01B"].state == "sent" and state.rows["01B"].can_undo
    assert "it has ended" in trouble_notice(state, NOW).detail


def test_a_stop_is_pending_until_the_robot_says_stopped():
    state = linked()
    state.stopping(Stop(id="01S", author="Ada", stamp_ns=NOW))
    assert state.stopped and "has not answered" in trouble_notice(state, NOW).title
    state.apply(samples.robot("running"), NOW)
    assert state.stop_asked is not None
    state.apply(samples.robot("stopped"), NOW)
    assert state.stop_asked is None and state.stopped


def test_paused_by_words_is_a_phase_of_its_own_that_offers_resume():
    state = linked()
    state.stopping(Stop(id="01S", author="Ada", stamp_ns=NOW, by_words=True))
    state.apply(samples.robot("paused", "Ada typed 'wait'"), NOW)
    assert state.phase(NOW) == "paused" and state.stopped and state.paused and state.stop_asked is None
    notice = trouble_notice(state, NOW)
    assert (notice.title, notice.detail) == ("Paused by words.", "Say or type “go on”, or press Resume.")
    state.stopping(Stop(id="01T", author="Ada", stamp_ns=NOW))
    state.apply(samples.robot("paused"), NOW)
    assert state.stop_asked is not None and not state.paused, "the pressed stop is still under way"


def test_words_that_cannot_end_a_pressed_stop_are_answered():
    state = linked()
    state.apply(samples.robot("stopped"), NOW)
    state.submitted(Resume(id="01R", author="Ada", stamp_ns=NOW, by_words=True), NOW)
    assert "press Resume" in trouble_notice(state, NOW).detail
    state.submitted(Resume(id="01Q", author="Ada", stamp_ns=NOW), NOW)
    assert trouble_notice(state, NOW) is None


def test_sound_that_is_sent_hides_no_notice():
    state = linked()
    state.apply(samples.robot("stopped"), NOW)
    state.submitted(Resume(id="01R", author="Ada", stamp_ns=NOW, by_words=True), NOW)
    state.apply(Ack(id="01R"), NOW)
    state.submitted(Utterance(id="01X", author="Ada", stamp_ns=NOW, began_ns=0, text="go on", audio=b"ab"), NOW)
    assert "press Resume" in trouble_notice(state, NOW).detail and not state.new_episode_waits()


def test_only_a_pressed_resume_takes_back_a_stop_that_is_under_way():
    state = linked()
    state.stopping(Stop(id="01S", author="Ada", stamp_ns=NOW))
    state.submitted(Resume(id="01R", author="Ada", stamp_ns=NOW, by_words=True), NOW)
    assert state.stop_asked is not None
    state.submitted(Resume(id="01Q", author="Ada", stamp_ns=NOW), NOW)
    assert state.stop_asked is None


def test_a_question_is_shown_with_what_may_have_been_meant():
    state = linked(session_ns=10 * 60_000_000_000)
    asked = samples.correction(1, 599, "go lift", "asked", command="go left", grounding="near", similarity=0.6)
    state.apply(replace(asked, certainty="low", choices=["go left", "go right"]), NOW)
    row = state.rows[asked.id]
    assert (row.certainty, row.choices, row.ended, row.can_undo) == ("low", ("go left", "go right"), False, True)
    assert row_words(row, True) == ("asks which", "warn")
    assert row_meaning(row) == "“go left” or “go right”" and sum(state.interventions(NOW)) == 0
    state.apply(Welcome(id="w", protocol=1, session="another", session_start_ns=0, commands=[], corrections=[]), NOW)
    assert state.rows[asked.id].state == "expired", "a backend that has just started asks nothing"


def test_what_was_no_command_has_ended_and_cannot_be_undone():
    state = linked(session_ns=10 * 60_000_000_000)
    state.apply(samples.correction(1, 599, "lunch is ready", "ignored", grounding="new"), NOW)
    (row,) = state.newest_rows()
    assert row.ended and not row.can_undo and state.undo_target() is None
    assert row_words(row, True)[0] == "not a command" and row_meaning(row) == ""
    assert sum(state.interventions(NOW)) == 0


def test_what_was_not_quite_heard_says_what_it_was_understood_as():
    state = linked()
    state.apply(replace(samples.correction(1, 599, "Go left!", "acting", command="go left"), certainty="middle"), NOW)
    assert row_meaning(state.newest_rows()[0]) == "understood as “go left”"


def test_a_refused_request_is_told():
    state = linked()
    state.submitted(NewEpisode(id="01N", author="Ada", stamp_ns=NOW, shift="no such"), NOW)
    state.apply(Ack(id="01N", error="shift: unknown"), NOW)
    assert trouble_notice(state, NOW).detail == "shift: unknown"
    state.submitted(correction(), NOW)
    assert trouble_notice(state, NOW) is None


def test_interventions_count_minutes_of_the_session_clock():
    state = linked(session_ns=10 * 60_000_000_000)
    for number, at_s, how in ((1, 599, "done"), (2, 560, "acting"), (3, 30, "done"), (4, 590, "undone")):
        state.apply(samples.correction(number, at_s, "x", how), NOW)
    counts = state.interventions(NOW)
    assert counts[-1] == 2 and sum(counts) == 3 and counts[-10] == 1


def test_hold_time_is_brought_over_from_the_backends_clock():
    state = linked()
    state.link(connected=True, offset_ns=5_000_000_000, unsaved=0, round_trip_ms=1.0)
    command = samples.person_command()
    state.apply(type(command)(command_id="c", text="go up", source="person", held_until_ns=NOW + 8_000_000_000), NOW)
    assert state.hold_left_s(NOW) == pytest.approx(3.0)


def test_the_robot_waits_for_more_words_after_a_correction_that_is_done():
    state = linked()
    for how, waits in (("acting", False), ("done", True)):
        state.apply(samples.person_command(), NOW)
        state.apply(samples.acting(how), NOW)
        assert state.waits is waits
    state.apply(samples.policy_command(), NOW)
    assert not state.waits


def test_white_space_is_one_blank_and_other_controls_are_named():
    assert checked_text("  go\tup \n now ") == "go up now"
    assert checked_text("öffne den Greifer 👍🏽") == "öffne den Greifer 👍🏽"
    with pytest.raises(TextError, match=r"U\+001B") as caught:
        checked_text("go \x1b[31mup")
    assert (caught.value.start, caught.value.length) == (3, 1)


def test_what_teaches_nothing_says_why_until_that_changes():
    state = linked()
    rows = [samples.correction(1, 5, "go up", "done"), samples.correction(2, 9, "go left", "done")]
    state.apply(samples.welcome(rows), NOW)
    guiding, other = state.rows
    told = TeachNothing(id="n", session=state.session, reasons={guiding: "it guides a hand"})
    state.apply(told, NOW)
    assert row_lesson(state.rows[guiding]) == "not learned: it guides a hand"
    assert row_lesson(state.rows[other]) == ""
    state.apply(samples.correction(1, 5, "go up", "undone"), NOW)
    assert row_lesson(state.rows[guiding]) == "", "Undone says enough"
    state.apply(samples.correction(1, 5, "go up", "done"), NOW)
    assert row_lesson(state.rows[guiding])
    state.apply(TeachNothing(id="o", session="another", reasons={other: "why"}), NOW)
    assert row_lesson(state.rows[other]) == "", "of another session"
    state.apply(TeachNothing(id="p", session=state.session, reasons={}), NOW)
    assert row_lesson(state.rows[guiding]) == ""
