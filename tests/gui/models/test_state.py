"""What the window knows and says of versions, message by message."""

from __future__ import annotations

import pytest

from gui.models import samples
from gui.models.state import ASK_AGAIN_NS, FRESH_NS, LATE_NS, ModelsState
from gui.models.words import facts_of, line_of, notice_of, verdict_of, waiting_of
from hitl.messages import Ack
from hitl.model_messages import AskModels, Models, PromoteModel, RollBackModel

NOW = 10_000_000_000_000
WALL = samples.NOW.timestamp()
SECOND = 1_000_000_000


def told(*messages: Models, connected: bool = True) -> ModelsState:
    state = ModelsState("Ada")
    state.link(connected, NOW)
    for message in messages:
        assert state.apply(message, NOW, WALL)
    return state


def roll_back() -> RollBackModel:
    return RollBackModel(id="01R", author="Ada")


def test_it_asks_once_until_it_is_told_and_again_after_a_new_link():
    state = ModelsState("Ada")
    assert state.asks(NOW) == []
    state.link(True, NOW)
    (asked,) = state.asks(NOW)
    assert isinstance(asked, AskModels) and asked.author == "Ada"
    assert state.asks(NOW + 1) == [] and len(state.asks(NOW + ASK_AGAIN_NS)) == 1
    state.apply(samples.models(id=asked.id), NOW, WALL)
    assert state.asks(NOW + 9 * ASK_AGAIN_NS) == []
    state.link(False, NOW)
    state.link(True, NOW)
    assert len(state.asks(NOW)) == 1 and state.known


def test_a_version_that_was_there_before_the_window_has_its_age_from_when_it_was_made():
    state = told(samples.models())
    line = line_of(state, NOW)
    assert line is not None and line.text == "learned from 14 corrections, version v0011, 1.2 s ago" and not line.fresh
    assert line_of(state, NOW + 59 * SECOND).text.endswith("1 min ago")


def test_a_version_that_takes_over_is_marked_for_a_moment_and_its_time_goes_on():
    state = told(samples.before_the_last())
    assert not state.fresh(NOW)
    state.apply(samples.learned(), NOW, WALL)
    line = line_of(state, NOW)
    assert line.text == "learned from 14 corrections, version v0011, 0.0 s ago" and line.fresh
    assert "1.3 s after the newest correction" in line.tip
    state.apply(samples.models(), NOW + SECOND, WALL)
    line = line_of(state, NOW + SECOND)
    assert line.text.endswith("1.0 s ago") and line.fresh and "1.3 s after" in line.tip, "told once more: the same"
    assert not line_of(state, NOW + FRESH_NS).fresh


def test_the_order_in_which_it_is_told_makes_no_difference():
    one, other = told(samples.before_the_last()), told(samples.before_the_last())
    for state, order in ((one, (samples.models(), samples.learned())), (other, (samples.learned(), samples.models()))):
        for message in order:
            state.apply(message, NOW, WALL)
    assert one.take_over == other.take_over and one.history == other.history and one.versions == other.versions


def test_a_refused_version_is_told_with_the_reason_until_one_passes():
    state = told(samples.models())
    state.apply(samples.learned(promoted=False), NOW, WALL)
    line = line_of(state, NOW + 40 * SECOND)
    assert line.text.startswith("version v0012 was not promoted: On held-out base data it agrees in 89.7%")
    assert line.tone == "warn" and "too much forgotten" in line.tip and len(line.text) < len(line.tip)
    assert state.acts.name == "v0011" and state.version("v0012") is not None
    state.apply(samples.models(versions=[*samples.versions(), samples.failed()]), NOW, WALL)
    assert "v0012" in line_of(state, NOW).text, "a change that is none of the acting version leaves it"
    newer = samples.renamed(samples.versions()[-1], "v0013")
    state.apply(samples.learned().__class__(id="01M", version=newer, promoted=True), NOW, WALL)
    assert "version v0013" in line_of(state, NOW).text


def test_going_back_and_promoting_are_told_as_such():
    state = told(samples.models())
    assert state.before == "v0010"
    state.apply(samples.models(history=samples.HISTORY[:-1]), NOW, WALL)
    assert line_of(state, NOW + 2 * SECOND).text == "rolled back to version v0010, 2.0 s ago"
    state.apply(samples.models(history=[*samples.HISTORY[:-1], "v0004"]), NOW, WALL)
    assert line_of(state, NOW).text == "version v0004 was promoted, 0.0 s ago"
    assert state.before == "v0010"
    state.apply(samples.models(history=["packaged"]), NOW, WALL)
    assert line_of(state, NOW).text.startswith("rolled back to the version that ships with hitl")
    assert state.before == ""


def test_a_wish_waits_for_its_answer_and_is_sent_once():
    state = told(samples.models())
    (sent,) = state.wish(roll_back(), NOW)
    assert state.waiting(NOW) and state.wish(roll_back(), NOW) == [], "a second press is not a second roll back"
    state.apply(samples.models(id="of another", history=samples.HISTORY), NOW, WALL)
    assert state.waiting(NOW)
    state.apply(samples.models(id=sent.id, history=samples.HISTORY[:-1]), NOW, WALL)
    assert not state.waiting(NOW) and not state.error and state.acts.name == "v0010"


def test_why_a_wish_was_not_done_is_said():
    state = told(samples.models())
    (sent,) = state.wish(PromoteModel(id="01P", author="Ada", name="v0003"), NOW)
    state.apply(samples.models(id=sent.id, error="v0003: the model folder is gone."), NOW, WALL)
    assert notice_of(state).title == "v0003: the model folder is gone." and not state.waiting(NOW)
    assert line_of(state, NOW).text == "v0003: the model folder is gone."
    assert line_of(state, NOW + 20 * SECOND).text.startswith("learned from"), "Live says it for a moment only"
    state.wish(roll_back(), NOW)
    assert notice_of(state) is None


def test_a_wish_without_a_backend_changes_nothing_and_says_so():
    state = told(samples.models())
    state.link(False, NOW)
    assert notice_of(state).title == "The backend does not answer."
    assert state.wish(roll_back(), NOW) == [] and "nothing was changed" in notice_of(state).title


def test_a_wish_that_is_not_answered_is_given_up_and_not_sent_again():
    state = told(samples.models())
    state.wish(roll_back(), NOW)
    assert state.waiting(NOW + LATE_NS - 1) and not state.waiting(NOW + LATE_NS)
    assert "not answered" in state.error
    state.wish(roll_back(), NOW + LATE_NS)
    state.link(False, NOW + LATE_NS)
    assert not state.waiting(NOW + LATE_NS) and "went away" in state.error


@pytest.mark.parametrize("changes, words", [
    ({"learner": False}, "No learner is running"), ({"learning": False}, "Learning is off"), ({}, "Nothing is"),
])  # fmt: skip
def test_before_anything_is_learned_the_line_says_what_will_be(changes, words):
    state = told(samples.models(versions=[samples.packaged()], history=["packaged"], **changes))
    assert words in line_of(state, NOW).text and state.only_packaged
    assert (notice_of(state) is not None) == ("learner" in changes)


def test_learning_that_is_off_is_said_behind_what_acts():
    assert "Learning is off" in line_of(told(samples.models(learning=False)), NOW).text


def test_nothing_is_said_before_anything_is_known():
    state = ModelsState("Ada")
    assert line_of(state, NOW) is None and not state.apply(Ack(id="a"), NOW, WALL)
    assert "tcp://there:1" in waiting_of(state, "tcp://there:1").detail
    state.link(True, NOW)
    assert waiting_of(state, "").title == "Asking for the versions."
    assert waiting_of(told(samples.models()), "") is None


def test_the_acting_version_is_looked_at_until_one_is_chosen():
    state = told(samples.before_the_last())
    assert state.chosen.name == "v0010"
    state.apply(samples.learned(), NOW, WALL)
    assert state.chosen.name == "v0011"
    state.choose("v0003")
    assert state.chosen.name == "v0003" and state.must_ask(state.chosen)
    assert not state.must_ask(state.version("v0008")), "the gate had let it pass"
    state.compare_with("v0003")
    assert state.second is None
    state.compare_with("v0001")
    assert state.second.name == "v0001"
    state.choose("v0002")
    assert state.second is None


def test_what_a_version_is_and_what_the_gate_said():
    state = told(samples.models())
    facts = facts_of(state.version("v0009"), state)
    assert facts.startswith("Learned from 10 corrections as 30 examples in 0.8 s, beginning with v0007.")
    assert "replay" in facts and "ships" in facts_of(samples.packaged(), state)
    assert verdict_of(state.version("v0009"), state) == ("The gate let it pass.", "good")
    assert verdict_of(state.version("v0003"), state)[1] == "warn"
    state.apply(samples.models(history=[*samples.HISTORY, "v0003"]), NOW, WALL)
    assert "a person promoted it" in verdict_of(state.version("v0003"), state)[0]
    assert state.knowing(samples.taught(11)[-1].id) == ["v0010", "v0011"]


def test_a_time_that_is_none_leaves_the_age_out():
    newest = samples.renamed(samples.versions()[-1], "v0011")
    odd = newest.__class__(**{**{f: getattr(newest, f) for f in newest.__struct_fields__}, "made": "yesterday"})
    state = told(samples.models(versions=[*samples.versions()[:-1], odd]))
    assert line_of(state, NOW).text == "learned from 14 corrections, version v0011"
